-- What status shows.

-- name: CountLiveTasks :many
SELECT status, COUNT(*) AS count FROM tasks WHERE mode = 'live' GROUP BY status ORDER BY status;

-- name: CountDueJobs :one
SELECT COUNT(*) FROM jobs WHERE state = 'running' OR (state = 'ready' AND run_at <= @now);
