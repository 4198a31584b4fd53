-- +goose Up

-- What everybody may know of anything with a state: one line each, kept by the one place
-- that changes states. Lists over several kinds read it.
CREATE TABLE subjects (
  id          TEXT PRIMARY KEY,
  kind        TEXT NOT NULL,                  -- task, review
  agent_id    TEXT NOT NULL DEFAULT '',       -- whose it is; '' for the house
  mode        TEXT NOT NULL CHECK (mode IN ('test', 'live')),
  state       TEXT NOT NULL,
  finished    BOOLEAN NOT NULL DEFAULT FALSE,
  needs       TEXT NOT NULL DEFAULT '' CHECK (needs IN ('', 'agent', 'people', 'owner', 'platform')), -- who has to do something next
  version     BIGINT NOT NULL DEFAULT 1,
  seen        BIGINT NOT NULL DEFAULT 1,      -- the version that its agent has been shown
  claimed_by  TEXT NOT NULL DEFAULT '',       -- who has it in hand
  claimed_at  BIGINT NOT NULL DEFAULT 0,
  lease_until BIGINT NOT NULL DEFAULT 0,      -- when the claim ends by itself; 0 for never
  clock_at    BIGINT NOT NULL DEFAULT 0,      -- when time does something to it next; 0 for never
  warned      TEXT NOT NULL DEFAULT '',       -- the clocks of which people were warned: ",end,"
  entries     BIGINT NOT NULL DEFAULT 0,      -- of its trail
  head        TEXT NOT NULL DEFAULT '',       -- hash of the last of them
  created_at  BIGINT NOT NULL,
  updated_at  BIGINT NOT NULL,
  ended_at    BIGINT NOT NULL DEFAULT 0,
  CHECK (finished = (ended_at > 0)),
  CHECK (claimed_by <> '' OR (claimed_at = 0 AND lease_until = 0)),
  CHECK (seen <= version)
);

-- What happened to them, each entry with the hash of the one before. Readers follow it in
-- the order of seq, which an entry gets once it is committed.
CREATE TABLE trail (
  subject_id TEXT NOT NULL REFERENCES subjects (id),
  n          BIGINT NOT NULL CHECK (n >= 1),
  event_id   TEXT NOT NULL DEFAULT '',        -- '' of entries from before events had one id
  seq        BIGINT,
  kind       TEXT NOT NULL,                   -- task.accept
  actor      TEXT NOT NULL,                   -- who: ag_…, op_…, system
  via        TEXT NOT NULL,                   -- by what: api, page, cli, guardian, timeout, system
  data       TEXT NOT NULL,                   -- JSON; '' once its subject was deleted
  previous   TEXT NOT NULL,
  hash       TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (subject_id, n)
);

-- What the trails were at intervals: whoever knows one anchor's hash knows that nothing
-- before it was changed or taken away.
CREATE TABLE anchors (
  n          BIGINT PRIMARY KEY CHECK (n >= 1),
  seq        BIGINT NOT NULL,                 -- of the last entry that it covers
  entries    BIGINT NOT NULL,                 -- that it covers
  digest     TEXT NOT NULL,                   -- of their hashes, in the order of seq
  previous   TEXT NOT NULL,
  hash       TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

-- The lines of what is there. A clock at 1 has rung: it is looked at once after the
-- upgrade, and set to when it is due.
INSERT INTO subjects (id, kind, agent_id, mode, state, finished, version, seen, claimed_by, claimed_at, lease_until, clock_at, created_at, updated_at, ended_at)
SELECT id, 'task', agent_id, mode, status, status IN ('PAID', 'CANCELLED', 'EXPIRED'), version, seen_version,
  CASE WHEN status IN ('ESTIMATE_PENDING', 'ACCEPTED', 'IN_PROGRESS') THEN operator_id ELSE '' END,
  CASE WHEN status NOT IN ('ESTIMATE_PENDING', 'ACCEPTED', 'IN_PROGRESS') THEN 0 WHEN accepted_at > 0 THEN accepted_at ELSE updated_at END,
  CASE WHEN status = 'ACCEPTED' THEN start_by ELSE 0 END,
  CASE WHEN status IN ('PAID', 'CANCELLED', 'EXPIRED') THEN 0 ELSE 1 END,
  created_at, updated_at, CASE status WHEN 'PAID' THEN paid_at WHEN 'CANCELLED' THEN ended_at WHEN 'EXPIRED' THEN ended_at ELSE 0 END
FROM tasks;

INSERT INTO subjects (id, kind, agent_id, mode, state, finished, version, seen, claimed_by, claimed_at, lease_until, clock_at, warned, entries, head, created_at, updated_at, ended_at)
SELECT id, 'review', agent_id, mode, status, status NOT IN ('pending', 'claimed'), version, seen_version, COALESCE(claimed_by, ''), claimed_at, lease_until,
  CASE WHEN status IN ('pending', 'claimed') THEN 1 ELSE 0 END,
  CASE WHEN warned % 2 = 1 THEN ',claim,' ELSE '' END || CASE WHEN (warned / 2) % 2 = 1 THEN ',end,' ELSE '' END || CASE WHEN (warned / 4) % 2 = 1 THEN ',decide,' ELSE '' END,
  audit_count, audit_head, created_at, updated_at, ended_at
FROM reviews;

-- The trails of requests as they are. Their events become one with them: of equal ones of
-- one moment, the first with the first.
INSERT INTO trail (subject_id, n, seq, kind, actor, via, data, previous, hash, created_at)
SELECT a.review_id, a.n, e.seq, a.kind, a.actor, a.via, a.data, a.previous, a.hash, a.created_at
FROM (SELECT review_audit.*, ROW_NUMBER() OVER (PARTITION BY review_id, kind, created_at ORDER BY n) AS place FROM review_audit) a
LEFT JOIN (SELECT events.*, ROW_NUMBER() OVER (PARTITION BY subject_id, kind, created_at ORDER BY seq, id) AS place FROM events) e
  ON e.subject_id = a.review_id AND e.kind = a.kind AND e.created_at = a.created_at AND e.place = a.place;

CREATE INDEX subjects_current ON subjects (agent_id, mode, kind, created_at, id) WHERE finished = FALSE;
CREATE INDEX subjects_ended ON subjects (agent_id, mode, kind, ended_at, id) WHERE finished = TRUE;
CREATE INDEX subjects_claimed ON subjects (claimed_by, kind, id) WHERE claimed_by <> '';
CREATE INDEX subjects_clocks ON subjects (clock_at, id) WHERE clock_at > 0;
CREATE UNIQUE INDEX trail_seq ON trail (seq);
CREATE INDEX trail_unnumbered ON trail (created_at, subject_id, n) WHERE seq IS NULL;
CREATE UNIQUE INDEX trail_event ON trail (event_id) WHERE event_id <> '';

-- What the lines have now is theirs alone.
DROP TABLE review_audit;
DROP INDEX reviews_claimed;
ALTER TABLE tasks DROP COLUMN version;
ALTER TABLE tasks DROP COLUMN seen_version;
ALTER TABLE reviews DROP COLUMN version;
ALTER TABLE reviews DROP COLUMN seen_version;
ALTER TABLE reviews DROP COLUMN claimed_at;
ALTER TABLE reviews DROP COLUMN lease_until;
ALTER TABLE reviews DROP COLUMN warned;
ALTER TABLE reviews DROP COLUMN audit_count;
ALTER TABLE reviews DROP COLUMN audit_head;
