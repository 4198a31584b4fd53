-- Review requests: reading, waiting, links, feedback.

-- name: LoopOfReview :one
SELECT loop_id FROM reviews WHERE id = @id;

-- name: ReviewsByIDs :many
SELECT * FROM reviews WHERE id = ANY (ARRAY(SELECT json_array_elements_text(@ids)));

-- name: NewestOfAgent :many
-- A list with the newest first comes straight from an index: one for an agent, another for
-- people. PostgreSQL would sort everything for a text that served both.
SELECT * FROM reviews r
WHERE r.agent_id = @agent_id AND r.mode = @mode
  AND (CAST(@statuses AS TEXT) = '' OR CAST(@statuses AS TEXT) LIKE '%,' || r.status || ',%')
  AND (CAST(@priorities AS TEXT) = '' OR CAST(@priorities AS TEXT) LIKE '%,' || r.priority || ',%')
  AND (CAST(@loop_id AS TEXT) = '' OR r.loop_id = @loop_id)
  AND (CAST(@text_like AS TEXT) = '' OR r.search_text LIKE CAST(@text_like AS TEXT) ESCAPE '!')
  AND (CAST(@tag AS TEXT) = '' OR REPLACE(r.tags, CAST(@tag AS TEXT), '') <> r.tags)
  AND (r.ended_at = 0 OR r.ended_at >= CAST(@ended_since AS BIGINT))
  AND (r.created_at, r.id) < (CAST(@before AS BIGINT), CAST(@before_id AS TEXT))
ORDER BY r.created_at DESC, r.id DESC
LIMIT CAST(@row_limit AS BIGINT) OFFSET CAST(@row_offset AS BIGINT);

-- name: NewestOfPeople :many
-- What an owner may see, who may see everything, or a person: what came to their loops, and
-- what they were asked themselves.
SELECT * FROM reviews r
WHERE r.mode = @mode AND (CAST(@everything AS BOOLEAN) = TRUE
    OR r.loop_id = ANY (ARRAY(SELECT json_array_elements_text(@loops)))
    OR EXISTS (SELECT 1 FROM review_recipients rr WHERE rr.review_id = r.id AND rr.person_id = CAST(@person_id AS TEXT)))
  AND (CAST(@statuses AS TEXT) = '' OR CAST(@statuses AS TEXT) LIKE '%,' || r.status || ',%')
  AND (CAST(@priorities AS TEXT) = '' OR CAST(@priorities AS TEXT) LIKE '%,' || r.priority || ',%')
  AND (CAST(@loop_id AS TEXT) = '' OR r.loop_id = @loop_id)
  AND (CAST(@text_like AS TEXT) = '' OR r.search_text LIKE CAST(@text_like AS TEXT) ESCAPE '!')
  AND (CAST(@tag AS TEXT) = '' OR REPLACE(r.tags, CAST(@tag AS TEXT), '') <> r.tags)
  AND (r.ended_at = 0 OR r.ended_at >= CAST(@ended_since AS BIGINT))
  AND (r.created_at, r.id) < (CAST(@before AS BIGINT), CAST(@before_id AS TEXT))
ORDER BY r.created_at DESC, r.id DESC
LIMIT CAST(@row_limit AS BIGINT) OFFSET CAST(@row_offset AS BIGINT);

-- name: SortedReviews :many
-- Every other list. There are four ways in, of which the parameters open one: an agent's
-- requests or people's, all of them or those that are open. The others end before their
-- first row. The literal statuses let the indexes of open requests serve; what is added to
-- mode and created_at keeps SQLite from an index over everything that ever was.
SELECT r.* FROM (
  SELECT a.* FROM reviews a WHERE CAST(@only_open AS BOOLEAN) = FALSE AND a.agent_id = @agent_id AND a.mode = @mode
  UNION ALL
  SELECT b.* FROM reviews b WHERE CAST(@only_open AS BOOLEAN) = FALSE AND CAST(@agent_id AS TEXT) = '' AND b.mode = @mode
  UNION ALL
  SELECT c.* FROM reviews c WHERE CAST(@only_open AS BOOLEAN) = TRUE AND c.agent_id = @agent_id AND c.mode || '' = @mode AND c.status IN ('pending', 'claimed')
  UNION ALL
  SELECT d.* FROM reviews d WHERE CAST(@only_open AS BOOLEAN) = TRUE AND CAST(@agent_id AS TEXT) = '' AND d.mode = @mode AND d.status IN ('pending', 'claimed')
) AS r
WHERE (CAST(@everything AS BOOLEAN) = TRUE
    OR r.loop_id = ANY (ARRAY(SELECT json_array_elements_text(@loops)))
    OR EXISTS (SELECT 1 FROM review_recipients rr WHERE rr.review_id = r.id AND rr.person_id = CAST(@person_id AS TEXT)))
  AND (CAST(@statuses AS TEXT) = '' OR CAST(@statuses AS TEXT) LIKE '%,' || r.status || ',%')
  AND (CAST(@priorities AS TEXT) = '' OR CAST(@priorities AS TEXT) LIKE '%,' || r.priority || ',%')
  AND (CAST(@loop_id AS TEXT) = '' OR r.loop_id = @loop_id)
  AND (CAST(@text_like AS TEXT) = '' OR r.search_text LIKE CAST(@text_like AS TEXT) ESCAPE '!')
  AND (CAST(@tag AS TEXT) = '' OR REPLACE(r.tags, CAST(@tag AS TEXT), '') <> r.tags)
  AND (r.ended_at = 0 OR r.ended_at >= CAST(@ended_since AS BIGINT))
  AND (r.created_at + 0, r.id) < (CAST(@before AS BIGINT), CAST(@before_id AS TEXT))
  AND (r.created_at + 0, r.id) > (CAST(@after AS BIGINT), CAST(@after_id AS TEXT))
ORDER BY
  CASE CAST(@sort AS TEXT) WHEN 'priority_desc' THEN r.priority_rank WHEN 'status_asc' THEN r.status_rank ELSE 0 END,
  CASE CAST(@sort AS TEXT) WHEN 'created_at_desc' THEN -r.created_at ELSE r.created_at END,
  CASE CAST(@sort AS TEXT) WHEN 'created_at_desc' THEN r.id ELSE '' END DESC,
  r.id
LIMIT CAST(@row_limit AS BIGINT) OFFSET CAST(@row_offset AS BIGINT);

-- name: CountReviews :one
-- The same ways in as SortedReviews.
SELECT COUNT(*) FROM (
  SELECT a.* FROM reviews a WHERE CAST(@only_open AS BOOLEAN) = FALSE AND a.agent_id = @agent_id AND a.mode = @mode
  UNION ALL
  SELECT b.* FROM reviews b WHERE CAST(@only_open AS BOOLEAN) = FALSE AND CAST(@agent_id AS TEXT) = '' AND b.mode = @mode
  UNION ALL
  SELECT c.* FROM reviews c WHERE CAST(@only_open AS BOOLEAN) = TRUE AND c.agent_id = @agent_id AND c.mode || '' = @mode AND c.status IN ('pending', 'claimed')
  UNION ALL
  SELECT d.* FROM reviews d WHERE CAST(@only_open AS BOOLEAN) = TRUE AND CAST(@agent_id AS TEXT) = '' AND d.mode = @mode AND d.status IN ('pending', 'claimed')
) AS r
WHERE (CAST(@everything AS BOOLEAN) = TRUE
    OR r.loop_id = ANY (ARRAY(SELECT json_array_elements_text(@loops)))
    OR EXISTS (SELECT 1 FROM review_recipients rr WHERE rr.review_id = r.id AND rr.person_id = CAST(@person_id AS TEXT)))
  AND (CAST(@statuses AS TEXT) = '' OR CAST(@statuses AS TEXT) LIKE '%,' || r.status || ',%')
  AND (CAST(@priorities AS TEXT) = '' OR CAST(@priorities AS TEXT) LIKE '%,' || r.priority || ',%')
  AND (CAST(@loop_id AS TEXT) = '' OR r.loop_id = @loop_id)
  AND (CAST(@text_like AS TEXT) = '' OR r.search_text LIKE CAST(@text_like AS TEXT) ESCAPE '!')
  AND (CAST(@tag AS TEXT) = '' OR REPLACE(r.tags, CAST(@tag AS TEXT), '') <> r.tags)
  AND (r.ended_at = 0 OR r.ended_at >= CAST(@ended_since AS BIGINT));

-- name: RecipientsOf :many
-- Whom some requests reached, in the order in which they did.
SELECT * FROM review_recipients WHERE review_id = ANY (ARRAY(SELECT json_array_elements_text(@reviews))) ORDER BY created_at, step, person_id;

-- name: AnswersOf :many
-- Who has answered some requests, in any round.
SELECT review_id, round, step, person_id FROM review_votes
WHERE review_id = ANY (ARRAY(SELECT json_array_elements_text(@reviews)));

-- name: FeedbackOf :many
SELECT review_id FROM review_feedback
WHERE review_id = ANY (ARRAY(SELECT json_array_elements_text(@reviews)));

-- name: ListRounds :many
SELECT * FROM review_rounds WHERE review_id = @review_id ORDER BY round;

-- name: ListPrecedents :many
-- An action's tool stands at the end of its canonical form.
SELECT r.id, r.loop_id, r.title, r.request_text, CAST(SUBSTR(r.action, LENGTH(r.action) - 1250) AS TEXT) AS action_end,
  r.decision, r.response_value, r.comment, r.edited_action <> '' AS action_edited, r.response_type, r.response, r.ended_at
FROM reviews r
WHERE r.agent_id = @agent_id AND r.mode = @mode AND r.status = 'completed' AND r.response_source IN ('human', 'simulated')
  AND (CAST(@loop_id AS TEXT) = '' OR r.loop_id = @loop_id)
  AND (CAST(@decision AS TEXT) = '' OR r.decision = @decision)
ORDER BY r.created_at DESC, r.id DESC
LIMIT CAST(@row_limit AS BIGINT);

-- name: InsertFeedback :execrows
INSERT INTO review_feedback (review_id, id, agent_id, body, notified, created_at)
VALUES (@review_id, @id, @agent_id, @body, @notified, @created_at)
ON CONFLICT DO NOTHING;

-- name: FindFeedback :one
SELECT * FROM review_feedback WHERE review_id = @review_id;

-- name: InsertReviewLink :exec
INSERT INTO review_links (id, token_hash, review_id, person_id, created_at, expires_at)
VALUES (@id, @token_hash, @review_id, @person_id, @created_at, @expires_at);

-- name: FindReviewLink :one
SELECT l.*, r.status FROM review_links l JOIN reviews r ON r.id = l.review_id WHERE l.token_hash = @token_hash;

-- name: DropReviewLinks :exec
DELETE FROM review_links WHERE expires_at < @before;

