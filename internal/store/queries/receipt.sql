-- Receipts and the keys that sign them.

-- name: ActiveSigningKey :one
SELECT * FROM signing_keys WHERE retired_at = 0;

-- name: ListSigningKeys :many
-- scans: a house has few, since its owner makes them.
SELECT * FROM signing_keys ORDER BY CASE WHEN retired_at = 0 THEN 0 ELSE 1 END, created_at DESC, retired_at DESC, id;

-- name: InsertSigningKey :execrows
-- Where two make a first key at once, one stays.
INSERT INTO signing_keys (id, public_key, sealed_key, created_at)
VALUES (@id, @public_key, @sealed_key, @created_at)
ON CONFLICT DO NOTHING;

-- name: RetireSigningKey :execrows
UPDATE signing_keys SET retired_at = @now WHERE retired_at = 0;

-- name: InsertReceipt :exec
INSERT INTO receipts (review_id, round, nonce, digest, decision, body, expires_at, created_at)
VALUES (@review_id, @round, @nonce, @digest, @decision, @body, @expires_at, @created_at);

-- name: LatestReceipt :one
SELECT * FROM receipts WHERE review_id = @review_id ORDER BY round DESC LIMIT 1;

-- name: ConsumeReceipt :execrows
-- Of all who try, one finds it unused.
UPDATE receipts SET consumed_at = @now, consumed_by = @consumed_by
WHERE review_id = @review_id AND round = @round AND consumed_at = 0;

-- name: ReceiptsOf :many
-- When the receipts of some requests were used up, in any round.
SELECT review_id, round, consumed_at FROM receipts
WHERE review_id = ANY (ARRAY(SELECT json_array_elements_text(@reviews)));

-- name: DeleteReceiptsOf :exec
DELETE FROM receipts WHERE review_id = ANY (ARRAY(SELECT json_array_elements_text(@reviews)));
