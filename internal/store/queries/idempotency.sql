-- name: DropExpiredIdempotencyKey :exec
DELETE FROM idempotency_keys WHERE caller_id = @caller_id AND name = @name AND expires_at <= @now;

-- name: TakeIdempotencyKey :execrows
INSERT INTO idempotency_keys (caller_id, name, fingerprint, created_at, expires_at)
VALUES ( @caller_id, @name, @fingerprint, @created_at, @expires_at)
ON CONFLICT (caller_id, name) DO NOTHING;

-- name: GetIdempotencyKey :one
SELECT * FROM idempotency_keys WHERE caller_id = @caller_id AND name = @name;

-- name: KeepIdempotentAnswer :exec
UPDATE idempotency_keys SET status = @status, response = @response, object_id = @object_id
WHERE caller_id = @caller_id AND name = @name;

-- name: DeleteExpiredIdempotencyKeys :execrows
DELETE FROM idempotency_keys WHERE expires_at <= @now;
