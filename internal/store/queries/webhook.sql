-- Webhooks: subscriptions, and what was sent to them.

-- name: InsertWebhook :exec
INSERT INTO webhooks (id, agent_id, mode, loop_id, subject_id, style, name, url, events, secret, enabled, created_at, updated_at)
VALUES (@id, @agent_id, @mode, @loop_id, @subject_id, @style, @name, @url, @events, @secret, @enabled, @created_at, @created_at);

-- name: FindWebhook :one
-- A subject's callback is found by the subject's id, too.
SELECT * FROM webhooks WHERE id = COALESCE((SELECT w.id FROM webhooks w WHERE w.subject_id = @id AND w.subject_id <> ''), @id);

-- name: LockWebhook :one
SELECT * FROM webhooks WHERE id = COALESCE((SELECT w.id FROM webhooks w WHERE w.subject_id = @id AND w.subject_id <> ''), @id) FOR UPDATE;

-- name: CountWebhooks :one
SELECT COUNT(*) FROM webhooks WHERE agent_id = @agent_id AND mode = @mode AND subject_id = '';

-- name: ListWebhooks :many
SELECT * FROM webhooks WHERE agent_id = @agent_id AND mode = @mode AND subject_id = '' ORDER BY created_at, id;

-- name: UpdateWebhook :exec
UPDATE webhooks SET url = @url, events = @events, name = @name, enabled = @enabled, failures = @failures, secret = @secret,
  former_secret = @former_secret, former_until = @former_until, updated_at = @updated_at
WHERE id = @id;

-- name: DeleteWebhook :exec
DELETE FROM webhooks WHERE id = @id;

-- name: DeleteDeliveriesOf :exec
DELETE FROM webhook_deliveries WHERE webhook_id = CAST(@webhook_id AS TEXT);

-- name: ListeningWebhooks :many
-- Those of the agent and, of live events, the owner's. The lock keeps them from being
-- deleted before their deliveries are written.
SELECT * FROM webhooks
WHERE agent_id IN (@agent_id, '') AND mode = @mode AND subject_id = '' AND enabled = TRUE
  AND (loop_id IS NULL OR loop_id = CAST(@loop_id AS TEXT))
ORDER BY id
FOR KEY SHARE;

-- name: WebhookOfSubject :one
SELECT * FROM webhooks WHERE subject_id = CAST(@subject_id AS TEXT) AND subject_id <> '' FOR KEY SHARE;

-- name: MoveCallback :execrows
UPDATE webhooks SET url = @url, enabled = @enabled, updated_at = @updated_at WHERE subject_id = CAST(@subject_id AS TEXT) AND subject_id <> '';

-- name: CallbackAddresses :many
SELECT subject_id, url FROM webhooks
WHERE subject_id = ANY (ARRAY(SELECT json_array_elements_text(@ids))) AND subject_id <> '' AND enabled = TRUE;

-- name: DeleteCallbacks :exec
DELETE FROM webhooks WHERE subject_id = ANY (ARRAY(SELECT json_array_elements_text(@ids))) AND subject_id <> '';

-- name: DeleteDeliveriesAbout :exec
DELETE FROM webhook_deliveries WHERE webhook_id IN (
  SELECT w.id FROM webhooks w WHERE w.subject_id = ANY (ARRAY(SELECT json_array_elements_text(@ids))) AND w.subject_id <> '');

-- name: InsertDelivery :execrows
-- One row for each event and address.
INSERT INTO webhook_deliveries (id, webhook_id, subject_id, event_id, event, body, state, created_at)
VALUES (@id, @webhook_id, @subject_id, @event_id, @event, @body, 'waiting', @created_at)
ON CONFLICT DO NOTHING;

-- name: FindDelivery :one
SELECT * FROM webhook_deliveries WHERE id = @id;

-- name: LockDelivery :one
SELECT * FROM webhook_deliveries WHERE id = @id AND webhook_id = CAST(@webhook_id AS TEXT) FOR UPDATE;

-- name: ListDeliveries :many
SELECT * FROM webhook_deliveries
WHERE webhook_id = CAST(@webhook_id AS TEXT)
  AND (created_at, id) < (CAST(@before AS BIGINT), CAST(@before_id AS TEXT))
ORDER BY created_at DESC, id DESC
LIMIT @max_rows;

-- name: RecordAttempt :exec
UPDATE webhook_deliveries SET state = @state, attempts = attempts + 1, status_code = @status_code, last_error = @last_error,
  delivered_at = @delivered_at
WHERE id = @id;

-- name: DeliverAgain :exec
UPDATE webhook_deliveries SET state = 'waiting', last_error = '', delivered_at = 0 WHERE id = @id;

-- name: FailDelivery :exec
UPDATE webhook_deliveries SET state = 'failed', last_error = @last_error WHERE id = @id AND state = 'waiting';

-- name: CountWebhookFailure :one
UPDATE webhooks SET failures = failures + 1, enabled = (enabled = TRUE AND failures + 1 < CAST(@most AS BIGINT))
WHERE id = @id
RETURNING *;

-- name: ForgiveWebhook :exec
UPDATE webhooks SET failures = 0 WHERE id = @id AND failures > 0;

-- name: DeleteOldDeliveries :exec
-- Of the oldest, so many at once.
DELETE FROM webhook_deliveries WHERE id IN (
  SELECT d.id FROM webhook_deliveries d WHERE d.created_at <= @created_before ORDER BY d.created_at LIMIT CAST(@row_limit AS BIGINT));

-- name: DeleteDeliveriesIn :exec
-- A deleted loop's addresses have nothing more to hear.
DELETE FROM webhook_deliveries WHERE webhook_id IN (SELECT w.id FROM webhooks w WHERE w.loop_id = CAST(@loop_id AS TEXT));

-- name: DeleteWebhooksIn :exec
DELETE FROM webhooks WHERE loop_id = CAST(@loop_id AS TEXT);
