-- +goose Up

-- Whose a job is and how urgent says who gets the next worker.
ALTER TABLE jobs ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN priority BIGINT NOT NULL DEFAULT 0 CHECK (priority IN (0, 1));

-- What waits already belongs to the agent of the task or the request that its arguments
-- begin with; the rest stays the house's.
UPDATE jobs SET
  owner = COALESCE((SELECT t.agent_id FROM tasks t WHERE t.id = substr(jobs.args, 13, 21)), ''),
  priority = COALESCE((SELECT CASE t.mode WHEN 'test' THEN 1 ELSE 0 END FROM tasks t WHERE t.id = substr(jobs.args, 13, 21)), 0)
WHERE args LIKE '{"task_id":"%';
UPDATE jobs SET
  owner = COALESCE((SELECT r.agent_id FROM reviews r WHERE r.id = substr(jobs.args, 15, 24)), ''),
  priority = COALESCE((SELECT CASE r.mode WHEN 'test' THEN 1 ELSE 0 END FROM reviews r WHERE r.id = substr(jobs.args, 15, 24)), 0)
WHERE args LIKE '{"review_id":"%';
UPDATE jobs SET
  owner = COALESCE((SELECT r.agent_id FROM webhook_deliveries d JOIN reviews r ON r.id = d.review_id WHERE d.id = substr(jobs.args, 17, 20)), ''),
  priority = COALESCE((SELECT CASE r.mode WHEN 'test' THEN 1 ELSE 0 END FROM webhook_deliveries d JOIN reviews r ON r.id = d.review_id
    WHERE d.id = substr(jobs.args, 17, 20)), 0)
WHERE args LIKE '{"delivery_id":"%';
