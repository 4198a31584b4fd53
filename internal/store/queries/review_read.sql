-- Review requests: reading, waiting, links, feedback.

-- name: LoopOfReview :one
SELECT loop_id FROM reviews WHERE id = @id;

-- Lists. What is in them is found in the order of time by an index, one status after the
-- other: of an agent, of an agent in one loop, of the house, of a loop, and of what a person was asked about in a loop
-- that they are not in. Only what stands in the index is read of it. What else is asked for
-- (ranks, text_like, tag, ended_since) is looked for among the rows between beyond and until,
-- of which the caller lets there be a bounded number.

-- name: NewestOfAgent :many
SELECT r.id, r.created_at, r.priority_rank, r.status FROM reviews r
WHERE r.agent_id = @agent_id AND r.mode = @mode AND r.status = @status
  AND (r.created_at, r.id) < (CAST(@beyond AS BIGINT), CAST(@beyond_id AS TEXT)) AND (r.created_at, r.id) >= (CAST(@until AS BIGINT), CAST(@until_id AS TEXT))
  AND (CAST(@ranks AS TEXT) = '' OR CAST(@ranks AS TEXT) LIKE '%,' || r.priority_rank || ',%')
  AND (CAST(@text_like AS TEXT) = '' OR r.search_text LIKE CAST(@text_like AS TEXT) ESCAPE '!')
  AND (CAST(@tag AS TEXT) = '' OR REPLACE(r.tags, CAST(@tag AS TEXT), '') <> r.tags)
  AND (CAST(@ended_since AS BIGINT) = 0 OR r.ended_at = 0 OR r.ended_at >= CAST(@ended_since AS BIGINT))
ORDER BY r.created_at DESC, r.id DESC
LIMIT CAST(@row_limit AS BIGINT) OFFSET CAST(@row_offset AS BIGINT);

-- name: NewestOfAgentIn :many
SELECT r.id, r.created_at, r.priority_rank, r.status FROM reviews r
WHERE r.agent_id = @agent_id AND r.loop_id = @loop_id AND r.mode = @mode AND r.status = @status
  AND (r.created_at, r.id) < (CAST(@beyond AS BIGINT), CAST(@beyond_id AS TEXT)) AND (r.created_at, r.id) >= (CAST(@until AS BIGINT), CAST(@until_id AS TEXT))
  AND (CAST(@ranks AS TEXT) = '' OR CAST(@ranks AS TEXT) LIKE '%,' || r.priority_rank || ',%')
  AND (CAST(@text_like AS TEXT) = '' OR r.search_text LIKE CAST(@text_like AS TEXT) ESCAPE '!')
  AND (CAST(@tag AS TEXT) = '' OR REPLACE(r.tags, CAST(@tag AS TEXT), '') <> r.tags)
  AND (CAST(@ended_since AS BIGINT) = 0 OR r.ended_at = 0 OR r.ended_at >= CAST(@ended_since AS BIGINT))
ORDER BY r.created_at DESC, r.id DESC
LIMIT CAST(@row_limit AS BIGINT) OFFSET CAST(@row_offset AS BIGINT);

-- name: OldestOfAgent :many
SELECT r.id, r.created_at, r.priority_rank, r.status FROM reviews r
WHERE r.agent_id = @agent_id AND r.mode = @mode AND r.status = @status
  AND (r.created_at, r.id) > (CAST(@beyond AS BIGINT), CAST(@beyond_id AS TEXT)) AND (r.created_at, r.id) <= (CAST(@until AS BIGINT), CAST(@until_id AS TEXT))
  AND (CAST(@ranks AS TEXT) = '' OR CAST(@ranks AS TEXT) LIKE '%,' || r.priority_rank || ',%')
  AND (CAST(@text_like AS TEXT) = '' OR r.search_text LIKE CAST(@text_like AS TEXT) ESCAPE '!')
  AND (CAST(@tag AS TEXT) = '' OR REPLACE(r.tags, CAST(@tag AS TEXT), '') <> r.tags)
  AND (CAST(@ended_since AS BIGINT) = 0 OR r.ended_at = 0 OR r.ended_at >= CAST(@ended_since AS BIGINT))
ORDER BY r.created_at, r.id
LIMIT CAST(@row_limit AS BIGINT) OFFSET CAST(@row_offset AS BIGINT);

-- name: OldestOfAgentIn :many
SELECT r.id, r.created_at, r.priority_rank, r.status FROM reviews r
WHERE r.agent_id = @agent_id AND r.loop_id = @loop_id AND r.mode = @mode AND r.status = @status
  AND (r.created_at, r.id) > (CAST(@beyond AS BIGINT), CAST(@beyond_id AS TEXT)) AND (r.created_at, r.id) <= (CAST(@until AS BIGINT), CAST(@until_id AS TEXT))
  AND (CAST(@ranks AS TEXT) = '' OR CAST(@ranks AS TEXT) LIKE '%,' || r.priority_rank || ',%')
  AND (CAST(@text_like AS TEXT) = '' OR r.search_text LIKE CAST(@text_like AS TEXT) ESCAPE '!')
  AND (CAST(@tag AS TEXT) = '' OR REPLACE(r.tags, CAST(@tag AS TEXT), '') <> r.tags)
  AND (CAST(@ended_since AS BIGINT) = 0 OR r.ended_at = 0 OR r.ended_at >= CAST(@ended_since AS BIGINT))
ORDER BY r.created_at, r.id
LIMIT CAST(@row_limit AS BIGINT) OFFSET CAST(@row_offset AS BIGINT);

-- name: NewestOfHouse :many
SELECT r.id, r.created_at, r.priority_rank, r.status FROM reviews r
WHERE r.mode = @mode AND r.status = @status
  AND (r.created_at, r.id) < (CAST(@beyond AS BIGINT), CAST(@beyond_id AS TEXT)) AND (r.created_at, r.id) >= (CAST(@until AS BIGINT), CAST(@until_id AS TEXT))
  AND (CAST(@ranks AS TEXT) = '' OR CAST(@ranks AS TEXT) LIKE '%,' || r.priority_rank || ',%')
  AND (CAST(@text_like AS TEXT) = '' OR r.search_text LIKE CAST(@text_like AS TEXT) ESCAPE '!')
  AND (CAST(@tag AS TEXT) = '' OR REPLACE(r.tags, CAST(@tag AS TEXT), '') <> r.tags)
  AND (CAST(@ended_since AS BIGINT) = 0 OR r.ended_at = 0 OR r.ended_at >= CAST(@ended_since AS BIGINT))
ORDER BY r.created_at DESC, r.id DESC
LIMIT CAST(@row_limit AS BIGINT) OFFSET CAST(@row_offset AS BIGINT);

-- name: OldestOfHouse :many
SELECT r.id, r.created_at, r.priority_rank, r.status FROM reviews r
WHERE r.mode = @mode AND r.status = @status
  AND (r.created_at, r.id) > (CAST(@beyond AS BIGINT), CAST(@beyond_id AS TEXT)) AND (r.created_at, r.id) <= (CAST(@until AS BIGINT), CAST(@until_id AS TEXT))
  AND (CAST(@ranks AS TEXT) = '' OR CAST(@ranks AS TEXT) LIKE '%,' || r.priority_rank || ',%')
  AND (CAST(@text_like AS TEXT) = '' OR r.search_text LIKE CAST(@text_like AS TEXT) ESCAPE '!')
  AND (CAST(@tag AS TEXT) = '' OR REPLACE(r.tags, CAST(@tag AS TEXT), '') <> r.tags)
  AND (CAST(@ended_since AS BIGINT) = 0 OR r.ended_at = 0 OR r.ended_at >= CAST(@ended_since AS BIGINT))
ORDER BY r.created_at, r.id
LIMIT CAST(@row_limit AS BIGINT) OFFSET CAST(@row_offset AS BIGINT);

-- name: NewestOfLoop :many
SELECT r.id, r.created_at, r.priority_rank, r.status FROM reviews r
WHERE r.loop_id = @loop_id AND r.mode = @mode AND r.status = @status
  AND (r.created_at, r.id) < (CAST(@beyond AS BIGINT), CAST(@beyond_id AS TEXT)) AND (r.created_at, r.id) >= (CAST(@until AS BIGINT), CAST(@until_id AS TEXT))
  AND (CAST(@ranks AS TEXT) = '' OR CAST(@ranks AS TEXT) LIKE '%,' || r.priority_rank || ',%')
  AND (CAST(@text_like AS TEXT) = '' OR r.search_text LIKE CAST(@text_like AS TEXT) ESCAPE '!')
  AND (CAST(@tag AS TEXT) = '' OR REPLACE(r.tags, CAST(@tag AS TEXT), '') <> r.tags)
  AND (CAST(@ended_since AS BIGINT) = 0 OR r.ended_at = 0 OR r.ended_at >= CAST(@ended_since AS BIGINT))
ORDER BY r.created_at DESC, r.id DESC
LIMIT CAST(@row_limit AS BIGINT) OFFSET CAST(@row_offset AS BIGINT);

-- name: OldestOfLoop :many
SELECT r.id, r.created_at, r.priority_rank, r.status FROM reviews r
WHERE r.loop_id = @loop_id AND r.mode = @mode AND r.status = @status
  AND (r.created_at, r.id) > (CAST(@beyond AS BIGINT), CAST(@beyond_id AS TEXT)) AND (r.created_at, r.id) <= (CAST(@until AS BIGINT), CAST(@until_id AS TEXT))
  AND (CAST(@ranks AS TEXT) = '' OR CAST(@ranks AS TEXT) LIKE '%,' || r.priority_rank || ',%')
  AND (CAST(@text_like AS TEXT) = '' OR r.search_text LIKE CAST(@text_like AS TEXT) ESCAPE '!')
  AND (CAST(@tag AS TEXT) = '' OR REPLACE(r.tags, CAST(@tag AS TEXT), '') <> r.tags)
  AND (CAST(@ended_since AS BIGINT) = 0 OR r.ended_at = 0 OR r.ended_at >= CAST(@ended_since AS BIGINT))
ORDER BY r.created_at, r.id
LIMIT CAST(@row_limit AS BIGINT) OFFSET CAST(@row_offset AS BIGINT);

-- name: LoopsAskedIn :many
-- The loops in which a person was asked, each found behind the one before.
WITH RECURSIVE asked (loop_id) AS (
  SELECT (SELECT a.loop_id FROM review_recipients a WHERE a.person_id = @person_id AND a.open = @open ORDER BY a.loop_id LIMIT 1)
  UNION ALL
  SELECT (SELECT b.loop_id FROM review_recipients b WHERE b.person_id = @person_id AND b.open = @open AND b.loop_id > asked.loop_id ORDER BY b.loop_id LIMIT 1)
  FROM asked WHERE asked.loop_id IS NOT NULL
)
SELECT CAST(asked.loop_id AS TEXT) AS loop_id FROM asked WHERE asked.loop_id IS NOT NULL;

-- name: NewestAsked :many
-- Where several steps ask somebody, the first counts.
SELECT r.id, r.created_at, r.priority_rank, r.status FROM review_recipients t JOIN reviews r ON r.id = t.review_id
WHERE t.person_id = @person_id AND t.open = @open AND t.loop_id = @loop_id
  AND (t.requested_at, t.review_id) < (CAST(@beyond AS BIGINT), CAST(@beyond_id AS TEXT)) AND (t.requested_at, t.review_id) >= (CAST(@until AS BIGINT), CAST(@until_id AS TEXT))
  AND t.step = (SELECT MIN(e.step) FROM review_recipients e WHERE e.review_id = t.review_id AND e.person_id = t.person_id)
  AND r.mode = @mode AND r.status = ANY (ARRAY(SELECT json_array_elements_text(@statuses)))
  AND (CAST(@ranks AS TEXT) = '' OR CAST(@ranks AS TEXT) LIKE '%,' || r.priority_rank || ',%')
  AND (CAST(@text_like AS TEXT) = '' OR r.search_text LIKE CAST(@text_like AS TEXT) ESCAPE '!')
  AND (CAST(@tag AS TEXT) = '' OR REPLACE(r.tags, CAST(@tag AS TEXT), '') <> r.tags)
  AND (CAST(@ended_since AS BIGINT) = 0 OR r.ended_at = 0 OR r.ended_at >= CAST(@ended_since AS BIGINT))
ORDER BY t.requested_at DESC, t.review_id DESC
LIMIT CAST(@row_limit AS BIGINT) OFFSET CAST(@row_offset AS BIGINT);

-- name: OldestAsked :many
SELECT r.id, r.created_at, r.priority_rank, r.status FROM review_recipients t JOIN reviews r ON r.id = t.review_id
WHERE t.person_id = @person_id AND t.open = @open AND t.loop_id = @loop_id
  AND (t.requested_at, t.review_id) > (CAST(@beyond AS BIGINT), CAST(@beyond_id AS TEXT)) AND (t.requested_at, t.review_id) <= (CAST(@until AS BIGINT), CAST(@until_id AS TEXT))
  AND t.step = (SELECT MIN(e.step) FROM review_recipients e WHERE e.review_id = t.review_id AND e.person_id = t.person_id)
  AND r.mode = @mode AND r.status = ANY (ARRAY(SELECT json_array_elements_text(@statuses)))
  AND (CAST(@ranks AS TEXT) = '' OR CAST(@ranks AS TEXT) LIKE '%,' || r.priority_rank || ',%')
  AND (CAST(@text_like AS TEXT) = '' OR r.search_text LIKE CAST(@text_like AS TEXT) ESCAPE '!')
  AND (CAST(@tag AS TEXT) = '' OR REPLACE(r.tags, CAST(@tag AS TEXT), '') <> r.tags)
  AND (CAST(@ended_since AS BIGINT) = 0 OR r.ended_at = 0 OR r.ended_at >= CAST(@ended_since AS BIGINT))
ORDER BY t.requested_at, t.review_id
LIMIT CAST(@row_limit AS BIGINT) OFFSET CAST(@row_offset AS BIGINT);

-- name: RankedOfAgent :many
SELECT r.id, r.created_at, r.priority_rank, r.status FROM reviews r
WHERE r.agent_id = @agent_id AND r.mode = @mode AND r.status = @status
  AND (r.created_at, r.id) >= (CAST(@since AS BIGINT), CAST(@since_id AS TEXT)) AND (r.created_at, r.id) <= (CAST(@until AS BIGINT), CAST(@until_id AS TEXT))
  AND (CAST(@ranks AS TEXT) = '' OR CAST(@ranks AS TEXT) LIKE '%,' || r.priority_rank || ',%')
  AND (CAST(@text_like AS TEXT) = '' OR r.search_text LIKE CAST(@text_like AS TEXT) ESCAPE '!')
  AND (CAST(@tag AS TEXT) = '' OR REPLACE(r.tags, CAST(@tag AS TEXT), '') <> r.tags)
  AND (CAST(@ended_since AS BIGINT) = 0 OR r.ended_at = 0 OR r.ended_at >= CAST(@ended_since AS BIGINT))
ORDER BY CASE CAST(@sort AS TEXT) WHEN 'priority_desc' THEN r.priority_rank ELSE 0 END, r.created_at, r.id
LIMIT CAST(@row_limit AS BIGINT);

-- name: RankedOfAgentIn :many
SELECT r.id, r.created_at, r.priority_rank, r.status FROM reviews r
WHERE r.agent_id = @agent_id AND r.loop_id = @loop_id AND r.mode = @mode AND r.status = @status
  AND (r.created_at, r.id) >= (CAST(@since AS BIGINT), CAST(@since_id AS TEXT)) AND (r.created_at, r.id) <= (CAST(@until AS BIGINT), CAST(@until_id AS TEXT))
  AND (CAST(@ranks AS TEXT) = '' OR CAST(@ranks AS TEXT) LIKE '%,' || r.priority_rank || ',%')
  AND (CAST(@text_like AS TEXT) = '' OR r.search_text LIKE CAST(@text_like AS TEXT) ESCAPE '!')
  AND (CAST(@tag AS TEXT) = '' OR REPLACE(r.tags, CAST(@tag AS TEXT), '') <> r.tags)
  AND (CAST(@ended_since AS BIGINT) = 0 OR r.ended_at = 0 OR r.ended_at >= CAST(@ended_since AS BIGINT))
ORDER BY CASE CAST(@sort AS TEXT) WHEN 'priority_desc' THEN r.priority_rank ELSE 0 END, r.created_at, r.id
LIMIT CAST(@row_limit AS BIGINT);

-- name: RankedOfHouse :many
SELECT r.id, r.created_at, r.priority_rank, r.status FROM reviews r
WHERE r.mode = @mode AND r.status = @status
  AND (r.created_at, r.id) >= (CAST(@since AS BIGINT), CAST(@since_id AS TEXT)) AND (r.created_at, r.id) <= (CAST(@until AS BIGINT), CAST(@until_id AS TEXT))
  AND (CAST(@ranks AS TEXT) = '' OR CAST(@ranks AS TEXT) LIKE '%,' || r.priority_rank || ',%')
  AND (CAST(@text_like AS TEXT) = '' OR r.search_text LIKE CAST(@text_like AS TEXT) ESCAPE '!')
  AND (CAST(@tag AS TEXT) = '' OR REPLACE(r.tags, CAST(@tag AS TEXT), '') <> r.tags)
  AND (CAST(@ended_since AS BIGINT) = 0 OR r.ended_at = 0 OR r.ended_at >= CAST(@ended_since AS BIGINT))
ORDER BY CASE CAST(@sort AS TEXT) WHEN 'priority_desc' THEN r.priority_rank ELSE 0 END, r.created_at, r.id
LIMIT CAST(@row_limit AS BIGINT);

-- name: RankedOfLoop :many
SELECT r.id, r.created_at, r.priority_rank, r.status FROM reviews r
WHERE r.loop_id = @loop_id AND r.mode = @mode AND r.status = @status
  AND (r.created_at, r.id) >= (CAST(@since AS BIGINT), CAST(@since_id AS TEXT)) AND (r.created_at, r.id) <= (CAST(@until AS BIGINT), CAST(@until_id AS TEXT))
  AND (CAST(@ranks AS TEXT) = '' OR CAST(@ranks AS TEXT) LIKE '%,' || r.priority_rank || ',%')
  AND (CAST(@text_like AS TEXT) = '' OR r.search_text LIKE CAST(@text_like AS TEXT) ESCAPE '!')
  AND (CAST(@tag AS TEXT) = '' OR REPLACE(r.tags, CAST(@tag AS TEXT), '') <> r.tags)
  AND (CAST(@ended_since AS BIGINT) = 0 OR r.ended_at = 0 OR r.ended_at >= CAST(@ended_since AS BIGINT))
ORDER BY CASE CAST(@sort AS TEXT) WHEN 'priority_desc' THEN r.priority_rank ELSE 0 END, r.created_at, r.id
LIMIT CAST(@row_limit AS BIGINT);

-- name: CountOfAgent :one
SELECT COUNT(*) FROM (
  SELECT 1 FROM reviews r
  WHERE r.agent_id = @agent_id AND r.mode = @mode AND r.status = @status
    AND (r.created_at, r.id) >= (CAST(@since AS BIGINT), CAST(@since_id AS TEXT)) AND (r.created_at, r.id) <= (CAST(@until AS BIGINT), CAST(@until_id AS TEXT))
    AND (CAST(@ranks AS TEXT) = '' OR CAST(@ranks AS TEXT) LIKE '%,' || r.priority_rank || ',%')
    AND (CAST(@text_like AS TEXT) = '' OR r.search_text LIKE CAST(@text_like AS TEXT) ESCAPE '!')
    AND (CAST(@tag AS TEXT) = '' OR REPLACE(r.tags, CAST(@tag AS TEXT), '') <> r.tags)
    AND (CAST(@ended_since AS BIGINT) = 0 OR r.ended_at = 0 OR r.ended_at >= CAST(@ended_since AS BIGINT))
  ORDER BY r.created_at LIMIT CAST(@count_to AS BIGINT)
) AS counted;

-- name: CountOfAgentIn :one
SELECT COUNT(*) FROM (
  SELECT 1 FROM reviews r
  WHERE r.agent_id = @agent_id AND r.loop_id = @loop_id AND r.mode = @mode AND r.status = @status
    AND (r.created_at, r.id) >= (CAST(@since AS BIGINT), CAST(@since_id AS TEXT)) AND (r.created_at, r.id) <= (CAST(@until AS BIGINT), CAST(@until_id AS TEXT))
    AND (CAST(@ranks AS TEXT) = '' OR CAST(@ranks AS TEXT) LIKE '%,' || r.priority_rank || ',%')
    AND (CAST(@text_like AS TEXT) = '' OR r.search_text LIKE CAST(@text_like AS TEXT) ESCAPE '!')
    AND (CAST(@tag AS TEXT) = '' OR REPLACE(r.tags, CAST(@tag AS TEXT), '') <> r.tags)
    AND (CAST(@ended_since AS BIGINT) = 0 OR r.ended_at = 0 OR r.ended_at >= CAST(@ended_since AS BIGINT))
  ORDER BY r.created_at LIMIT CAST(@count_to AS BIGINT)
) AS counted;

-- name: CountOfHouse :one
SELECT COUNT(*) FROM (
  SELECT 1 FROM reviews r
  WHERE r.mode = @mode AND r.status = @status
    AND (r.created_at, r.id) >= (CAST(@since AS BIGINT), CAST(@since_id AS TEXT)) AND (r.created_at, r.id) <= (CAST(@until AS BIGINT), CAST(@until_id AS TEXT))
    AND (CAST(@ranks AS TEXT) = '' OR CAST(@ranks AS TEXT) LIKE '%,' || r.priority_rank || ',%')
    AND (CAST(@text_like AS TEXT) = '' OR r.search_text LIKE CAST(@text_like AS TEXT) ESCAPE '!')
    AND (CAST(@tag AS TEXT) = '' OR REPLACE(r.tags, CAST(@tag AS TEXT), '') <> r.tags)
    AND (CAST(@ended_since AS BIGINT) = 0 OR r.ended_at = 0 OR r.ended_at >= CAST(@ended_since AS BIGINT))
  ORDER BY r.created_at LIMIT CAST(@count_to AS BIGINT)
) AS counted;

-- name: CountOfLoop :one
SELECT COUNT(*) FROM (
  SELECT 1 FROM reviews r
  WHERE r.loop_id = @loop_id AND r.mode = @mode AND r.status = @status
    AND (r.created_at, r.id) >= (CAST(@since AS BIGINT), CAST(@since_id AS TEXT)) AND (r.created_at, r.id) <= (CAST(@until AS BIGINT), CAST(@until_id AS TEXT))
    AND (CAST(@ranks AS TEXT) = '' OR CAST(@ranks AS TEXT) LIKE '%,' || r.priority_rank || ',%')
    AND (CAST(@text_like AS TEXT) = '' OR r.search_text LIKE CAST(@text_like AS TEXT) ESCAPE '!')
    AND (CAST(@tag AS TEXT) = '' OR REPLACE(r.tags, CAST(@tag AS TEXT), '') <> r.tags)
    AND (CAST(@ended_since AS BIGINT) = 0 OR r.ended_at = 0 OR r.ended_at >= CAST(@ended_since AS BIGINT))
  ORDER BY r.created_at LIMIT CAST(@count_to AS BIGINT)
) AS counted;

-- name: TotalOfAgent :one
-- A count that asks for nothing but a status reads nothing but the index. Its order keeps
-- PostgreSQL on the index, where it expects to find as many rows as it may count.
SELECT COUNT(*) FROM (
  SELECT 1 FROM reviews r
  WHERE r.agent_id = @agent_id AND r.mode = @mode AND r.status = @status
  ORDER BY r.created_at LIMIT CAST(@count_to AS BIGINT)
) AS counted;

-- name: TotalOfAgentIn :one
SELECT COUNT(*) FROM (
  SELECT 1 FROM reviews r
  WHERE r.agent_id = @agent_id AND r.loop_id = @loop_id AND r.mode = @mode AND r.status = @status
  ORDER BY r.created_at LIMIT CAST(@count_to AS BIGINT)
) AS counted;

-- name: TotalOfHouse :one
SELECT COUNT(*) FROM (
  SELECT 1 FROM reviews r
  WHERE r.mode = @mode AND r.status = @status
  ORDER BY r.created_at LIMIT CAST(@count_to AS BIGINT)
) AS counted;

-- name: TotalOfLoop :one
SELECT COUNT(*) FROM (
  SELECT 1 FROM reviews r
  WHERE r.loop_id = @loop_id AND r.mode = @mode AND r.status = @status
  ORDER BY r.created_at LIMIT CAST(@count_to AS BIGINT)
) AS counted;

-- name: OldestEndedSince :one
-- How old what ended since a time is at most; 0 when nothing did.
SELECT CAST(COALESCE(MIN(e.created_at), 0) AS BIGINT) FROM (
  SELECT s.created_at FROM subjects s
  WHERE s.agent_id = @agent_id AND s.mode = @mode AND s.kind = 'review' AND s.finished = TRUE AND s.ended_at >= CAST(@since AS BIGINT)
  ORDER BY s.ended_at DESC LIMIT CAST(@count_to AS BIGINT)
) AS e;

-- name: ReviewsByIDs :many
SELECT * FROM reviews WHERE id = ANY (ARRAY(SELECT json_array_elements_text(@ids)));

-- name: DecidedBy :many
-- What a person decided lately, of that what they may still see. A row is looked for, and not
-- whether there is one: for that PostgreSQL would read all that the person was ever asked.
SELECT * FROM reviews r
WHERE r.decided_by = CAST(@person_id AS TEXT) AND r.ended_at >= @since AND r.mode = 'live' AND (CAST(@everything AS BOOLEAN) = TRUE
    OR r.loop_id = ANY (ARRAY(SELECT json_array_elements_text(@loops)))
    OR (SELECT t.step FROM review_recipients t WHERE t.review_id = r.id AND t.person_id = CAST(@person_id AS TEXT) LIMIT 1) IS NOT NULL)
ORDER BY r.ended_at DESC, r.id DESC
LIMIT CAST(@row_limit AS BIGINT);

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
-- Among the newest. An action's tool stands at the end of its canonical form.
SELECT r.id, r.loop_id, r.title, r.request_text, CAST(SUBSTR(r.action, LENGTH(r.action) - 1250) AS TEXT) AS action_end,
  r.decision, r.response_value, r.comment, r.edited_action <> '' AS action_edited, r.response_type, r.response, r.ended_at
FROM reviews r
WHERE r.agent_id = @agent_id AND r.mode = @mode AND r.status = 'completed' AND r.response_source IN ('human', 'simulated')
  AND (r.created_at, r.id) >= (CAST(@until AS BIGINT), CAST(@until_id AS TEXT))
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

