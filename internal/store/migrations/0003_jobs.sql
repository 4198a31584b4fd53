-- +goose Up

-- Jobs that are not due yet are scheduled, apart from those that are ready for a worker;
-- whose a job is and how urgent says who gets the next one. SQLite cannot change a CHECK,
-- so the table is made anew; nothing refers to it.
CREATE TABLE jobs_again (
  id          TEXT PRIMARY KEY,
  kind        TEXT NOT NULL,
  owner       TEXT NOT NULL DEFAULT '',      -- the agent it is for; '' for the house
  priority    BIGINT NOT NULL DEFAULT 0 CHECK (priority IN (0, 1)), -- live, test
  lane        TEXT NOT NULL DEFAULT '',      -- of one lane few run at a time: deliveries to one host, for example
  unique_key  TEXT NOT NULL DEFAULT '',
  args        TEXT NOT NULL,                 -- JSON
  state       TEXT NOT NULL CHECK (state IN ('scheduled', 'ready', 'running', 'failed')),
  run_at      BIGINT NOT NULL,
  attempts    BIGINT NOT NULL DEFAULT 0,
  deaths      BIGINT NOT NULL DEFAULT 0,     -- how often the process ended in the middle of it
  lease_by    TEXT NOT NULL DEFAULT '',
  lease_until BIGINT NOT NULL DEFAULT 0,
  last_error  TEXT NOT NULL DEFAULT '',
  created_at  BIGINT NOT NULL
);
INSERT INTO jobs_again (id, kind, lane, unique_key, args, state, run_at, attempts, deaths, lease_by, lease_until, last_error, created_at)
SELECT id, kind, lane, unique_key, args, CASE state WHEN 'ready' THEN 'scheduled' ELSE state END, run_at, attempts, deaths, lease_by, lease_until,
  last_error, created_at FROM jobs;
DROP TABLE jobs;
ALTER TABLE jobs_again RENAME TO jobs;
CREATE INDEX jobs_state ON jobs (state, run_at, id);
-- A queue is what these begin with, up to the lane: how a claim finds the next one
-- without reading what waits in those that have no room.
CREATE INDEX jobs_ready ON jobs (priority, kind, owner, lane, run_at, id) WHERE state = 'ready';
CREATE UNIQUE INDEX jobs_unique ON jobs (unique_key) WHERE unique_key <> '';

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
