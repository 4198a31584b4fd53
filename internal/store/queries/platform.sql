-- What status shows.

-- name: CountLiveTasks :many
SELECT status, COUNT(*) AS count FROM tasks WHERE mode = 'live' GROUP BY status ORDER BY status;
