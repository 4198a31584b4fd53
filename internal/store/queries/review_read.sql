-- Review requests: reading, waiting, links, feedback.

-- name: LoopOfReview :one
SELECT loop_id FROM reviews WHERE id = @id;

-- name: MayReadReview :one
-- Whether a person was asked, or sits in the loop.
SELECT COUNT(*) FROM (
  SELECT rr.person_id FROM review_recipients rr WHERE rr.review_id = @review_id AND rr.person_id = @person_id
  UNION ALL
  SELECT m.person_id FROM loop_members m WHERE m.loop_id = @loop_id AND m.person_id = @person_id AND m.status = 'active') AS ways;

-- name: ListAgentReviewsNewest :many
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

-- name: ListAgentReviewsSorted :many
SELECT * FROM reviews r
WHERE r.agent_id = @agent_id AND r.mode = @mode
  AND (CAST(@statuses AS TEXT) = '' OR CAST(@statuses AS TEXT) LIKE '%,' || r.status || ',%')
  AND (CAST(@priorities AS TEXT) = '' OR CAST(@priorities AS TEXT) LIKE '%,' || r.priority || ',%')
  AND (CAST(@loop_id AS TEXT) = '' OR r.loop_id = @loop_id)
  AND (CAST(@text_like AS TEXT) = '' OR r.search_text LIKE CAST(@text_like AS TEXT) ESCAPE '!')
  AND (CAST(@tag AS TEXT) = '' OR REPLACE(r.tags, CAST(@tag AS TEXT), '') <> r.tags)
  AND (r.ended_at = 0 OR r.ended_at >= CAST(@ended_since AS BIGINT))
  AND (r.created_at, r.id) > (CAST(@after AS BIGINT), CAST(@after_id AS TEXT))
ORDER BY
  CASE CAST(@sort AS TEXT) WHEN 'priority_desc' THEN r.priority_rank WHEN 'status_asc' THEN r.status_rank ELSE 0 END,
  r.created_at, r.id
LIMIT CAST(@row_limit AS BIGINT) OFFSET CAST(@row_offset AS BIGINT);

-- name: CountAgentReviews :one
SELECT COUNT(*) FROM reviews r
WHERE r.agent_id = @agent_id AND r.mode = @mode
  AND (CAST(@statuses AS TEXT) = '' OR CAST(@statuses AS TEXT) LIKE '%,' || r.status || ',%')
  AND (CAST(@priorities AS TEXT) = '' OR CAST(@priorities AS TEXT) LIKE '%,' || r.priority || ',%')
  AND (CAST(@loop_id AS TEXT) = '' OR r.loop_id = @loop_id)
  AND (CAST(@text_like AS TEXT) = '' OR r.search_text LIKE CAST(@text_like AS TEXT) ESCAPE '!')
  AND (CAST(@tag AS TEXT) = '' OR REPLACE(r.tags, CAST(@tag AS TEXT), '') <> r.tags)
  AND (r.ended_at = 0 OR r.ended_at >= CAST(@ended_since AS BIGINT));

-- name: ListPeopleReviewsNewest :many
SELECT * FROM reviews r
WHERE r.mode = 'live'
  AND (CAST(@owner AS BOOLEAN) = TRUE
    OR r.loop_id IN (SELECT m.loop_id FROM loop_members m WHERE m.person_id = CAST(@person_id AS TEXT) AND m.status = 'active')
    OR r.id IN (SELECT rr.review_id FROM review_recipients rr WHERE rr.person_id = CAST(@person_id AS TEXT)))
  AND (CAST(@statuses AS TEXT) = '' OR CAST(@statuses AS TEXT) LIKE '%,' || r.status || ',%')
  AND (CAST(@priorities AS TEXT) = '' OR CAST(@priorities AS TEXT) LIKE '%,' || r.priority || ',%')
  AND (CAST(@loop_id AS TEXT) = '' OR r.loop_id = @loop_id)
  AND (CAST(@text_like AS TEXT) = '' OR r.search_text LIKE CAST(@text_like AS TEXT) ESCAPE '!')
  AND (CAST(@tag AS TEXT) = '' OR REPLACE(r.tags, CAST(@tag AS TEXT), '') <> r.tags)
  AND (r.ended_at = 0 OR r.ended_at >= CAST(@ended_since AS BIGINT))
  AND (r.created_at, r.id) < (CAST(@before AS BIGINT), CAST(@before_id AS TEXT))
ORDER BY r.created_at DESC, r.id DESC
LIMIT CAST(@row_limit AS BIGINT) OFFSET CAST(@row_offset AS BIGINT);

-- name: ListPeopleReviewsSorted :many
SELECT * FROM reviews r
WHERE r.mode = 'live'
  AND (CAST(@owner AS BOOLEAN) = TRUE
    OR r.loop_id IN (SELECT m.loop_id FROM loop_members m WHERE m.person_id = CAST(@person_id AS TEXT) AND m.status = 'active')
    OR r.id IN (SELECT rr.review_id FROM review_recipients rr WHERE rr.person_id = CAST(@person_id AS TEXT)))
  AND (CAST(@statuses AS TEXT) = '' OR CAST(@statuses AS TEXT) LIKE '%,' || r.status || ',%')
  AND (CAST(@priorities AS TEXT) = '' OR CAST(@priorities AS TEXT) LIKE '%,' || r.priority || ',%')
  AND (CAST(@loop_id AS TEXT) = '' OR r.loop_id = @loop_id)
  AND (CAST(@text_like AS TEXT) = '' OR r.search_text LIKE CAST(@text_like AS TEXT) ESCAPE '!')
  AND (CAST(@tag AS TEXT) = '' OR REPLACE(r.tags, CAST(@tag AS TEXT), '') <> r.tags)
  AND (r.ended_at = 0 OR r.ended_at >= CAST(@ended_since AS BIGINT))
  AND (r.created_at, r.id) > (CAST(@after AS BIGINT), CAST(@after_id AS TEXT))
ORDER BY
  CASE CAST(@sort AS TEXT) WHEN 'priority_desc' THEN r.priority_rank WHEN 'status_asc' THEN r.status_rank ELSE 0 END,
  r.created_at, r.id
LIMIT CAST(@row_limit AS BIGINT) OFFSET CAST(@row_offset AS BIGINT);

-- name: CountPeopleReviews :one
SELECT COUNT(*) FROM reviews r
WHERE r.mode = 'live'
  AND (CAST(@owner AS BOOLEAN) = TRUE
    OR r.loop_id IN (SELECT m.loop_id FROM loop_members m WHERE m.person_id = CAST(@person_id AS TEXT) AND m.status = 'active')
    OR r.id IN (SELECT rr.review_id FROM review_recipients rr WHERE rr.person_id = CAST(@person_id AS TEXT)))
  AND (CAST(@statuses AS TEXT) = '' OR CAST(@statuses AS TEXT) LIKE '%,' || r.status || ',%')
  AND (CAST(@priorities AS TEXT) = '' OR CAST(@priorities AS TEXT) LIKE '%,' || r.priority || ',%')
  AND (CAST(@loop_id AS TEXT) = '' OR r.loop_id = @loop_id)
  AND (CAST(@text_like AS TEXT) = '' OR r.search_text LIKE CAST(@text_like AS TEXT) ESCAPE '!')
  AND (CAST(@tag AS TEXT) = '' OR REPLACE(r.tags, CAST(@tag AS TEXT), '') <> r.tags)
  AND (r.ended_at = 0 OR r.ended_at >= CAST(@ended_since AS BIGINT));

-- name: ListOpenReviews :many
-- What people have before them. The literal statuses let the index of open requests serve.
SELECT * FROM reviews r
WHERE r.status IN ('pending', 'claimed') AND r.mode = 'live'
  AND (CAST(@owner AS BOOLEAN) = TRUE
    OR r.loop_id IN (SELECT m.loop_id FROM loop_members m WHERE m.person_id = CAST(@person_id AS TEXT) AND m.status = 'active')
    OR r.id IN (SELECT rr.review_id FROM review_recipients rr WHERE rr.person_id = CAST(@person_id AS TEXT)))
  AND CAST(@statuses AS TEXT) LIKE '%,' || r.status || ',%'
  AND (CAST(@priorities AS TEXT) = '' OR CAST(@priorities AS TEXT) LIKE '%,' || r.priority || ',%')
  AND (CAST(@loop_id AS TEXT) = '' OR r.loop_id = @loop_id)
  AND (CAST(@text_like AS TEXT) = '' OR r.search_text LIKE CAST(@text_like AS TEXT) ESCAPE '!')
  AND (CAST(@tag AS TEXT) = '' OR REPLACE(r.tags, CAST(@tag AS TEXT), '') <> r.tags)
  AND (r.created_at, r.id) < (CAST(@before AS BIGINT), CAST(@before_id AS TEXT))
  AND (r.created_at, r.id) > (CAST(@after AS BIGINT), CAST(@after_id AS TEXT))
ORDER BY
  CASE CAST(@sort AS TEXT) WHEN 'priority_desc' THEN r.priority_rank WHEN 'status_asc' THEN r.status_rank ELSE 0 END,
  CASE CAST(@sort AS TEXT) WHEN 'created_at_desc' THEN -r.created_at ELSE r.created_at END,
  CASE CAST(@sort AS TEXT) WHEN 'created_at_desc' THEN r.id ELSE '' END DESC,
  r.id
LIMIT CAST(@row_limit AS BIGINT) OFFSET CAST(@row_offset AS BIGINT);

-- name: CountOpenReviews :one
SELECT COUNT(*) FROM reviews r
WHERE r.status IN ('pending', 'claimed') AND r.mode = 'live'
  AND (CAST(@owner AS BOOLEAN) = TRUE
    OR r.loop_id IN (SELECT m.loop_id FROM loop_members m WHERE m.person_id = CAST(@person_id AS TEXT) AND m.status = 'active')
    OR r.id IN (SELECT rr.review_id FROM review_recipients rr WHERE rr.person_id = CAST(@person_id AS TEXT)))
  AND CAST(@statuses AS TEXT) LIKE '%,' || r.status || ',%'
  AND (CAST(@priorities AS TEXT) = '' OR CAST(@priorities AS TEXT) LIKE '%,' || r.priority || ',%')
  AND (CAST(@loop_id AS TEXT) = '' OR r.loop_id = @loop_id)
  AND (CAST(@text_like AS TEXT) = '' OR r.search_text LIKE CAST(@text_like AS TEXT) ESCAPE '!')
  AND (CAST(@tag AS TEXT) = '' OR REPLACE(r.tags, CAST(@tag AS TEXT), '') <> r.tags);

-- name: ListRounds :many
SELECT * FROM review_rounds WHERE review_id = @review_id ORDER BY round;

-- name: ListVotes :many
SELECT v.*, p.name, p.email FROM review_votes v JOIN people p ON p.id = v.person_id
WHERE v.review_id = @review_id AND v.round = @round ORDER BY v.created_at, v.person_id;

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
SELECT l.*, r.status, p.removed_at FROM review_links l
JOIN reviews r ON r.id = l.review_id
JOIN people p ON p.id = l.person_id
WHERE l.token_hash = @token_hash;

-- name: DropReviewLinks :exec
DELETE FROM review_links WHERE expires_at < @before;

-- name: ActiveLoopsOf :many
SELECT loop_id FROM loop_members WHERE person_id = @person_id AND status = 'active';
