-- +goose Up

-- What is held of a deposit is kept beside it, by the statement that takes it or gives it back.
ALTER TABLE accounts ADD COLUMN held BIGINT NOT NULL DEFAULT 0 CHECK (held >= 0);
UPDATE accounts SET held = (
  SELECT COALESCE(SUM(e.balance), 0) FROM tasks t JOIN accounts e ON e.owner_id = t.id AND e.kind = 'escrow' AND e.asset = t.asset
  WHERE t.agent_id = accounts.owner_id AND t.asset = accounts.asset AND t.status NOT IN ('PAID', 'CANCELLED', 'EXPIRED'))
WHERE kind = 'deposit';

-- How much proof a person has stored, kept by whoever hands it in. Simulated people have no quota.
ALTER TABLE people ADD COLUMN stored_bytes BIGINT NOT NULL DEFAULT 0;
UPDATE people SET stored_bytes = (SELECT COALESCE(SUM(f.bytes), 0) FROM proof_files f WHERE f.operator_id = people.id) WHERE simulated = FALSE;
DROP INDEX proof_files_operator;

-- What an agent has posted since the day began, where a limit counts it.
ALTER TABLE agents ADD COLUMN day BIGINT NOT NULL DEFAULT 0;        -- when that day began; 0 while nobody counts
ALTER TABLE agents ADD COLUMN day_spent BIGINT NOT NULL DEFAULT 0;  -- without what was cancelled or expired
ALTER TABLE agents ADD COLUMN day_posted BIGINT NOT NULL DEFAULT 0;

DROP INDEX tasks_by_agent;
DROP INDEX tasks_by_time;
DROP INDEX tasks_open;
DROP INDEX tasks_active;
DROP INDEX tasks_by_operator;
DROP INDEX tasks_by_content;
-- Every list is a walk along one of these, newest first. What stands behind the id is for
-- leaving a task out without reading it.
CREATE INDEX tasks_by_agent ON tasks (agent_id, mode, created_at, id, task_type);
CREATE INDEX tasks_by_time ON tasks (mode, created_at, id, task_type); -- the owner's list
CREATE INDEX tasks_by_agent_status ON tasks (agent_id, mode, status, created_at, id, task_type);
CREATE INDEX tasks_by_status ON tasks (mode, status, created_at, id, task_type);
CREATE INDEX tasks_by_operator ON tasks (operator_id, mode, created_at, id, task_type) WHERE operator_id IS NOT NULL;
-- What ended lately.
CREATE INDEX tasks_ended_of_agent ON tasks (agent_id, mode, updated_at, created_at, id, status, task_type) WHERE status IN ('PAID', 'CANCELLED', 'EXPIRED');
CREATE INDEX tasks_ended ON tasks (mode, updated_at, created_at, id, status, task_type) WHERE status IN ('PAID', 'CANCELLED', 'EXPIRED');
-- What can be taken: by anybody, which is assigned to nobody, and by whoever was asked.
CREATE INDEX tasks_open ON tasks (mode, status, assign_to, created_at, id, deadline, task_type) WHERE status = 'POSTED';
-- What somebody has handed in and others decide on, and what they were paid for.
CREATE INDEX tasks_pending ON tasks (operator_id, mode, created_at, id, status, reward) WHERE status IN ('SUBMITTED', 'MANUAL_REVIEW', 'VERIFIED', 'DISPUTED');
CREATE INDEX tasks_paid ON tasks (operator_id, mode, paid_at, id) WHERE status = 'PAID';
-- The same thing asked twice.
CREATE INDEX tasks_by_content ON tasks (agent_id, content_hash, created_at) WHERE status NOT IN ('PAID', 'CANCELLED', 'EXPIRED');

-- Those who have left, keys that were revoked and sessions that are over are not looked through.
DROP INDEX people_operators;
CREATE INDEX people_here ON people (created_at, id) WHERE removed_at = 0 AND simulated = FALSE;
CREATE INDEX people_owners ON people (created_at, id) WHERE is_owner = TRUE AND removed_at = 0;
CREATE INDEX people_simulated ON people (id) WHERE simulated = TRUE AND removed_at = 0 AND is_operator = TRUE;
CREATE INDEX agents_house ON agents (created_at, id) WHERE tier = 'HOUSE';
DROP INDEX api_keys_agent;
CREATE INDEX api_keys_agent ON api_keys (agent_id, created_at, id) WHERE revoked_at = 0;
CREATE INDEX sessions_expiry ON sessions (expires_at);
CREATE INDEX sign_in_links_expiry ON sign_in_links (expires_at);

-- Whose money is held.
CREATE INDEX accounts_deposits ON accounts (owner_id, asset) WHERE kind = 'deposit';
