-- name: NotifyOwners :many
SELECT * FROM people WHERE is_owner = TRUE AND removed_at = 0 AND simulated = FALSE ORDER BY created_at, id LIMIT 50;
