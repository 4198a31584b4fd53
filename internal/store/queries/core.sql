-- Facts -----------------------------------------------------------------------------

-- name: GetFact :one
SELECT value FROM facts WHERE name = @name;

-- name: LockFact :one
SELECT value FROM facts WHERE name = @name FOR UPDATE;

-- name: PutFact :exec
INSERT INTO facts (name, value) VALUES ( @name, @value)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;
