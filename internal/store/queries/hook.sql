-- Webhooks of the reviews contract ----------------------------------------------------

-- name: InsertWebhook :exec
INSERT INTO webhooks (id, agent_id, mode, loop_id, name, url, events, secret, enabled, created_at, updated_at)
VALUES (@id, @agent_id, @mode, @loop_id, @name, @url, @events, @secret, @enabled, @created_at, @created_at);

-- name: FindWebhook :one
SELECT * FROM webhooks WHERE id = @id;

-- name: LockWebhook :one
SELECT * FROM webhooks WHERE id = @id FOR UPDATE;

-- name: CountWebhooks :one
SELECT COUNT(*) FROM webhooks WHERE agent_id = @agent_id AND mode = @mode;

-- name: ListWebhooks :many
SELECT * FROM webhooks WHERE agent_id = @agent_id AND mode = @mode ORDER BY created_at, id;

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
WHERE (agent_id = @agent_id OR agent_id = '') AND mode = @mode AND enabled = TRUE AND (loop_id IS NULL OR loop_id = CAST(@loop_id AS TEXT))
ORDER BY id
FOR KEY SHARE;

-- name: InsertDelivery :execrows
-- One row for each event and address.
INSERT INTO webhook_deliveries (id, webhook_id, review_id, event_id, event, body, state, created_at)
VALUES (@id, @webhook_id, @review_id, @event_id, @event, @body, 'waiting', @created_at)
ON CONFLICT DO NOTHING;

-- name: FindDelivery :one
SELECT * FROM webhook_deliveries WHERE id = @id;

-- name: LockDelivery :one
SELECT * FROM webhook_deliveries WHERE id = @id AND webhook_id = CAST(@webhook_id AS TEXT) FOR UPDATE;

-- name: ListDeliveries :many
SELECT * FROM webhook_deliveries
WHERE webhook_id = CAST(@webhook_id AS TEXT)
  AND (created_at < CAST(@before AS BIGINT) OR (created_at = CAST(@before AS BIGINT) AND id < @before_id))
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

-- name: DeleteOldDeliveries :execrows
DELETE FROM webhook_deliveries WHERE created_at <= @created_before;

-- Notices of review requests ------------------------------------------------------------

-- name: NoteNotified :exec
UPDATE review_recipients SET notified = @notified, notified_at = @notified_at
WHERE review_id = @review_id AND person_id = @person_id;

-- name: NoteRoomTold :exec
-- The shared room was told; what a person's own mail said stays.
UPDATE review_recipients SET notified = 'sent', notified_at = @notified_at
WHERE review_id = @review_id AND notified = '';

-- name: TimeZoneOf :one
SELECT time_zone FROM availability WHERE person_id = @person_id;

-- Uploaded files -----------------------------------------------------------------------

-- name: InsertUpload :exec
INSERT INTO uploads (id, agent_id, mode, name, mime, bytes, sha256, created_at)
VALUES (@id, @agent_id, @mode, @name, @mime, @bytes, @sha256, @created_at);

-- name: FindUpload :one
SELECT * FROM uploads WHERE id = @id;

-- name: UploadedBytes :one
SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM uploads WHERE agent_id = @agent_id;

-- name: UploadShownTo :one
-- Whether a request that the person may see, or one of its earlier rounds, names the
-- file. A request names it only after it was uploaded.
SELECT EXISTS (
  SELECT 1 FROM reviews r
  WHERE r.agent_id = @agent_id AND r.mode = 'live' AND r.updated_at >= @uploaded_at
    AND (EXISTS (SELECT 1 FROM loop_members m WHERE m.loop_id = r.loop_id AND m.person_id = @person_id AND m.status = 'active')
      OR EXISTS (SELECT 1 FROM review_recipients p WHERE p.review_id = r.id AND p.person_id = @person_id))
    AND (r.media LIKE CAST(@named AS TEXT) OR r.request_text LIKE CAST(@named AS TEXT) OR r.context LIKE CAST(@named AS TEXT)
      OR EXISTS (SELECT 1 FROM review_rounds e WHERE e.review_id = r.id
        AND (e.media LIKE CAST(@named AS TEXT) OR e.request_text LIKE CAST(@named AS TEXT) OR e.context LIKE CAST(@named AS TEXT))))
) AS shown;
