-- What an agent has before it, of every kind: the lines alone, whose rows are then read by id.

-- name: CurrentLines :many
-- Of each kind what is open, with the newest first, and what ended since, with the latest
-- first; before them the tasks that the agent has to decide on, however old they are, which
-- may come twice for it. Each part ends an index after so many lines.
WITH undecided AS (
  SELECT * FROM subjects u
  WHERE u.agent_id = @agent_id AND u.mode = @mode AND u.state IN ('ESTIMATE_PENDING', 'MANUAL_REVIEW')
  ORDER BY u.created_at DESC, u.id DESC LIMIT CAST(@row_limit AS BIGINT)
), open_tasks AS (
  SELECT * FROM subjects t
  WHERE t.agent_id = @agent_id AND t.mode = @mode AND t.kind = 'task' AND t.finished = FALSE
  ORDER BY t.created_at DESC, t.id DESC LIMIT CAST(@row_limit AS BIGINT)
), open_reviews AS (
  SELECT * FROM subjects r
  WHERE r.agent_id = @agent_id AND r.mode = @mode AND r.kind = 'review' AND r.finished = FALSE
  ORDER BY r.created_at DESC, r.id DESC LIMIT CAST(@row_limit AS BIGINT)
), ended_tasks AS (
  SELECT * FROM subjects e
  WHERE e.agent_id = @agent_id AND e.mode = @mode AND e.kind = 'task' AND e.finished = TRUE AND e.ended_at >= @ended_since AND e.state <> 'deleted'
  ORDER BY e.ended_at DESC, e.id DESC LIMIT CAST(@row_limit AS BIGINT)
), ended_reviews AS (
  SELECT * FROM subjects d
  WHERE d.agent_id = @agent_id AND d.mode = @mode AND d.kind = 'review' AND d.finished = TRUE AND d.ended_at >= @ended_since AND d.state <> 'deleted'
  ORDER BY d.ended_at DESC, d.id DESC LIMIT CAST(@row_limit AS BIGINT)
)
SELECT * FROM undecided UNION ALL SELECT * FROM open_tasks UNION ALL SELECT * FROM open_reviews UNION ALL SELECT * FROM ended_tasks UNION ALL SELECT * FROM ended_reviews;

-- name: CountCurrentLines :one
-- How many of a kind are open or ended since, each counted so far.
SELECT COUNT(*) FROM (
  SELECT one FROM (
    SELECT 1 AS one FROM subjects o
    WHERE o.agent_id = @agent_id AND o.mode = @mode AND o.kind = @kind AND o.finished = FALSE
    LIMIT CAST(@count_to AS BIGINT)) AS opened
  UNION ALL
  SELECT one FROM (
    SELECT 1 AS one FROM subjects e
    WHERE e.agent_id = @agent_id AND e.mode = @mode AND e.kind = @kind AND e.finished = TRUE AND e.ended_at >= @ended_since AND e.state <> 'deleted'
    LIMIT CAST(@count_to AS BIGINT)) AS ended
) AS counted;
