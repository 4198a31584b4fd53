-- +goose Up

-- A callback address is a subscription of one subject. What was sealed as a callback's
-- secret stays sealed as that.
ALTER TABLE webhooks ADD COLUMN subject_id TEXT NOT NULL DEFAULT '';
ALTER TABLE webhooks ADD COLUMN style TEXT NOT NULL DEFAULT 'reviews' CHECK (style IN ('marketplace', 'reviews')); -- headers and signatures
ALTER TABLE webhooks ADD COLUMN sealed_as TEXT NOT NULL DEFAULT '' CHECK (sealed_as IN ('', 'callback'));
INSERT INTO webhooks (id, agent_id, mode, url, events, secret, subject_id, style, sealed_as, created_at, updated_at)
SELECT 'wh_' || id, agent_id, mode, callback_url, '["*"]', callback_secret, id, 'marketplace', CASE WHEN callback_secret = '' THEN '' ELSE 'callback' END, created_at, created_at
FROM tasks WHERE callback_url <> '';
-- A request whose address was taken back keeps its secret for the next one.
INSERT INTO webhooks (id, agent_id, mode, url, events, secret, enabled, subject_id, style, sealed_as, created_at, updated_at)
SELECT 'wh_' || id, agent_id, mode, callback_url, '["*"]', callback_secret, callback_url <> '', id, 'reviews',
  CASE WHEN callback_secret = '' THEN '' ELSE 'callback' END, created_at, created_at
FROM reviews WHERE callback_url <> '' OR callback_secret <> '';

DROP INDEX webhook_deliveries_once;
DROP INDEX webhook_deliveries_callback;
DROP INDEX webhooks_by_agent;
ALTER TABLE webhook_deliveries RENAME COLUMN review_id TO subject_id;
DELETE FROM webhook_deliveries WHERE webhook_id IS NULL AND subject_id NOT IN (SELECT w.subject_id FROM webhooks w);
UPDATE webhook_deliveries SET webhook_id = 'wh_' || subject_id WHERE webhook_id IS NULL;
CREATE UNIQUE INDEX webhook_deliveries_once ON webhook_deliveries (event_id, webhook_id);
CREATE INDEX webhooks_by_agent ON webhooks (agent_id, mode, created_at, id) WHERE subject_id = '';
CREATE UNIQUE INDEX webhooks_of_subject ON webhooks (subject_id) WHERE subject_id <> '';

ALTER TABLE tasks DROP COLUMN callback_url;
ALTER TABLE tasks DROP COLUMN callback_secret;
ALTER TABLE reviews DROP COLUMN callback_url;
ALTER TABLE reviews DROP COLUMN callback_secret;

-- A task's page leads to the review of its proof, the open one or the last.
CREATE INDEX reviews_by_task ON reviews (task_id) WHERE task_id IS NOT NULL;

-- A dispute is a column, and no longer read from the labels of its answers.
ALTER TABLE reviews ADD COLUMN disputed BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE reviews SET disputed = TRUE WHERE task_id IS NOT NULL AND response_config LIKE '%"refund"%';

-- Letters name what they are about, of whatever kind it is.
UPDATE jobs SET args = REPLACE(args, '"review_id":', '"about":') WHERE kind IN ('notify', 'notify.mail', 'notify.chat');

-- One clock and one delivery for every kind.
UPDATE jobs SET kind = 'change.clock', args = REPLACE(REPLACE(args, '"task_id":', '"subject_id":'), '"review_id":', '"subject_id":'),
  unique_key = REPLACE(REPLACE(unique_key, 'task.timer:', 'change.clock:'), 'review.timer:', 'change.clock:')
WHERE kind IN ('task.timer', 'review.timer');
UPDATE jobs SET kind = 'webhook.send', unique_key = REPLACE(unique_key, 'webhook.review:', 'webhook.send:') WHERE kind = 'webhook.review';
-- One look for clocks that never rang, too: nobody does these two any more.
DELETE FROM jobs WHERE kind IN ('task.clocks.hourly', 'review.clocks.hourly');
