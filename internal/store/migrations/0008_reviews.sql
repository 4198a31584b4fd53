-- +goose Up

-- A list of requests is read in the order of time, one status after the other: of an agent,
-- of an agent in a loop, of a loop, and of the house. How urgent they are stands behind it, so that sorting and
-- counting them reads no row.
DROP INDEX reviews_by_agent;
DROP INDEX reviews_by_loop;
DROP INDEX reviews_by_time;
DROP INDEX reviews_open;
CREATE INDEX reviews_by_agent ON reviews (agent_id, mode, status, created_at, id, priority_rank);
CREATE INDEX reviews_by_agent_loop ON reviews (agent_id, loop_id, mode, status, created_at, id, priority_rank);
CREATE INDEX reviews_by_loop ON reviews (loop_id, status, mode, created_at, id, priority_rank);
CREATE INDEX reviews_by_status ON reviews (mode, status, created_at, id, priority_rank);
-- What somebody decided lately.
CREATE INDEX reviews_by_decider ON reviews (decided_by, ended_at, id) WHERE decided_by IS NOT NULL;

-- Whom a request reached knows of it what never changes, and whether it is open: so what a
-- person has before them is found without what they had.
ALTER TABLE review_recipients ADD COLUMN loop_id TEXT NOT NULL DEFAULT '';
ALTER TABLE review_recipients ADD COLUMN requested_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE review_recipients ADD COLUMN open BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE review_recipients SET
  loop_id = (SELECT r.loop_id FROM reviews r WHERE r.id = review_recipients.review_id),
  requested_at = (SELECT r.created_at FROM reviews r WHERE r.id = review_recipients.review_id),
  open = (SELECT r.ended_at = 0 FROM reviews r WHERE r.id = review_recipients.review_id);
DROP INDEX review_recipients_person;
CREATE INDEX review_recipients_person ON review_recipients (person_id, open, loop_id, requested_at, review_id);
CREATE INDEX review_recipients_escalated ON review_recipients (person_id, loop_id, review_id) WHERE reason = 'escalated';

CREATE INDEX review_links_person ON review_links (person_id);

-- Which requests name a file in their text, now or in an earlier round. What is there
-- already is read by the next migration.
CREATE TABLE review_uploads (
  upload_id TEXT NOT NULL,
  loop_id   TEXT NOT NULL,
  review_id TEXT NOT NULL REFERENCES reviews (id),
  PRIMARY KEY (upload_id, loop_id, review_id)
);
CREATE INDEX review_uploads_review ON review_uploads (review_id);

-- How much each agent has uploaded; uploads are never taken back.
CREATE TABLE upload_totals (
  agent_id TEXT PRIMARY KEY REFERENCES agents (id),
  bytes    BIGINT NOT NULL CHECK (bytes >= 0)
);
INSERT INTO upload_totals (agent_id, bytes) SELECT agent_id, SUM(bytes) FROM uploads GROUP BY agent_id;
DROP INDEX uploads_by_agent;

CREATE INDEX loops_by_time ON loops (mode, created_at, id);
CREATE INDEX loops_by_creator ON loops (creator_id);
CREATE INDEX loops_settled ON loops (id) WHERE settings <> '{}';
CREATE INDEX webhooks_of_loop ON webhooks (loop_id) WHERE loop_id IS NOT NULL;
CREATE INDEX passkey_ceremonies_person ON passkey_ceremonies (person_id, created_at, id);
