-- +goose Up

-- A key's audience says which contract it opens, its scopes what it may do there. SQLite
-- cannot change a CHECK, so the table is made anew; nothing refers to it.
CREATE TABLE api_keys_again (
  id           TEXT PRIMARY KEY,
  agent_id     TEXT NOT NULL REFERENCES agents (id),
  name         TEXT NOT NULL,
  prefix       TEXT NOT NULL,
  key_hash     TEXT NOT NULL UNIQUE,
  audience     TEXT NOT NULL CHECK (audience IN ('all', 'marketplace', 'reviews', 'executor')),
  scopes       TEXT NOT NULL DEFAULT '',     -- with spaces; '' is all
  mode         TEXT NOT NULL CHECK (mode IN ('test', 'live')),
  created_at   BIGINT NOT NULL,
  last_used_at BIGINT NOT NULL DEFAULT 0,
  revoked_at   BIGINT NOT NULL DEFAULT 0
);
INSERT INTO api_keys_again (id, agent_id, name, prefix, key_hash, audience, mode, created_at, last_used_at, revoked_at)
SELECT id, agent_id, name, prefix, key_hash, 'all', mode, created_at, last_used_at, revoked_at FROM api_keys;
DROP TABLE api_keys;
ALTER TABLE api_keys_again RENAME TO api_keys;
CREATE INDEX api_keys_agent ON api_keys (agent_id, created_at, id);

-- Jobs of one lane run only a few at a time: deliveries to one host, for example.
ALTER TABLE jobs ADD COLUMN lane TEXT NOT NULL DEFAULT '';

-- People: when they may be asked, and their passkeys ------------------------------------

CREATE TABLE availability (
  person_id    TEXT PRIMARY KEY REFERENCES people (id),
  time_zone    TEXT NOT NULL DEFAULT '',
  hours        TEXT NOT NULL DEFAULT '[]',   -- JSON schemas.Hours
  absent_from  BIGINT NOT NULL DEFAULT 0,
  absent_until BIGINT NOT NULL DEFAULT 0,
  updated_at   BIGINT NOT NULL
);

CREATE TABLE people_groups (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL,
  name_key   TEXT NOT NULL UNIQUE,
  created_at BIGINT NOT NULL
);

CREATE TABLE people_group_members (
  group_id  TEXT NOT NULL REFERENCES people_groups (id),
  person_id TEXT NOT NULL REFERENCES people (id),
  PRIMARY KEY (group_id, person_id)
);
CREATE INDEX people_group_members_person ON people_group_members (person_id);

CREATE TABLE passkeys (
  id           TEXT PRIMARY KEY,             -- credential id, base64url
  person_id    TEXT NOT NULL REFERENCES people (id),
  name         TEXT NOT NULL,
  credential   TEXT NOT NULL,                -- JSON: public key, flags, counter
  created_at   BIGINT NOT NULL,
  last_used_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX passkeys_person ON passkeys (person_id);

-- A registration or an assertion between its two halves; used once.
CREATE TABLE passkey_ceremonies (
  id         TEXT PRIMARY KEY,
  person_id  TEXT NOT NULL REFERENCES people (id),
  purpose    TEXT NOT NULL CHECK (purpose IN ('register', 'decide', 'govern')),
  subject    TEXT NOT NULL,                  -- hash of what is asserted
  session    TEXT NOT NULL,                  -- JSON, of the library
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX passkey_ceremonies_expiry ON passkey_ceremonies (expires_at);

-- Loops ----------------------------------------------------------------------------

CREATE TABLE loops (
  id          TEXT PRIMARY KEY,              -- 24 hexadecimal digits
  slug        TEXT NOT NULL UNIQUE,
  agent_id    TEXT NOT NULL DEFAULT '',      -- the agent that made it; '' for the house's own
  mode        TEXT NOT NULL CHECK (mode IN ('test', 'live')),
  kind        TEXT NOT NULL DEFAULT 'loop' CHECK (kind IN ('loop', 'default', 'proof')),
  creator_id  TEXT NOT NULL REFERENCES people (id),
  name        TEXT NOT NULL,
  description TEXT NOT NULL DEFAULT '',
  icon        TEXT NOT NULL DEFAULT '',
  settings    TEXT NOT NULL DEFAULT '{}',    -- JSON schemas.LoopSettings
  version     BIGINT NOT NULL DEFAULT 1,
  created_at  BIGINT NOT NULL,
  updated_at  BIGINT NOT NULL
);
CREATE INDEX loops_by_agent ON loops (agent_id, created_at, id);
CREATE UNIQUE INDEX loops_special ON loops (kind) WHERE kind <> 'loop';

CREATE TABLE loop_members (
  loop_id          TEXT NOT NULL REFERENCES loops (id),
  person_id        TEXT NOT NULL REFERENCES people (id),
  status           TEXT NOT NULL CHECK (status IN ('pending', 'active')),
  role             TEXT NOT NULL CHECK (role IN ('member', 'admin')),
  added_by         TEXT NOT NULL,            -- who let them in: op_…, or the invitation
  created_at       BIGINT NOT NULL,
  joined_at        BIGINT NOT NULL DEFAULT 0,
  last_assigned_at BIGINT NOT NULL DEFAULT 0, -- round robin
  PRIMARY KEY (loop_id, person_id)
);
CREATE INDEX loop_members_person ON loop_members (person_id);

-- The passkeys whose assertions count in a loop that demands them.
CREATE TABLE loop_passkeys (
  loop_id     TEXT NOT NULL REFERENCES loops (id),
  passkey_id  TEXT NOT NULL REFERENCES passkeys (id),
  enrolled_by TEXT NOT NULL,
  enrolled_at BIGINT NOT NULL,
  PRIMARY KEY (loop_id, passkey_id)
);
CREATE INDEX loop_passkeys_passkey ON loop_passkeys (passkey_id);

CREATE TABLE loop_invitations (
  id         TEXT PRIMARY KEY,
  loop_id    TEXT NOT NULL REFERENCES loops (id),
  code_hash  TEXT NOT NULL UNIQUE,
  admits     BOOLEAN NOT NULL,               -- FALSE: who joins waits for the owner
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  revoked_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX loop_invitations_loop ON loop_invitations (loop_id);

-- Review requests --------------------------------------------------------------------

CREATE TABLE reviews (
  id                TEXT PRIMARY KEY,        -- 24 hexadecimal digits
  loop_id           TEXT NOT NULL REFERENCES loops (id),
  agent_id          TEXT NOT NULL REFERENCES agents (id),
  key_id            TEXT NOT NULL DEFAULT '',
  mode              TEXT NOT NULL CHECK (mode IN ('test', 'live')),
  status            TEXT NOT NULL CHECK (status IN ('pending', 'claimed', 'completed', 'timeout', 'cancelled')),
  version           BIGINT NOT NULL DEFAULT 1,
  seen_version      BIGINT NOT NULL DEFAULT 1,
  round             BIGINT NOT NULL DEFAULT 1,
  step              BIGINT NOT NULL DEFAULT 0, -- of sequential steps
  processing_type   TEXT NOT NULL CHECK (processing_type IN ('time-sensitive', 'deferred')),
  type              TEXT NOT NULL,
  priority          TEXT NOT NULL CHECK (priority IN ('low', 'medium', 'high', 'critical')),
  priority_rank     BIGINT NOT NULL,         -- 0 critical … 3 low, for sorting
  status_rank       BIGINT NOT NULL DEFAULT 0, -- place in the order of a life, for sorting
  title             TEXT NOT NULL DEFAULT '',
  request_text      TEXT NOT NULL,
  search_text       TEXT NOT NULL DEFAULT '', -- lower case title and text
  media             TEXT NOT NULL DEFAULT '{}', -- JSON: addresses and names of files
  context           TEXT NOT NULL DEFAULT '', -- JSON object, as sent
  platform          TEXT NOT NULL,
  platform_version  TEXT NOT NULL DEFAULT '',
  agent_name        TEXT NOT NULL DEFAULT '',
  response_type     TEXT NOT NULL,
  response_config   TEXT NOT NULL,           -- JSON, as sent
  default_response  TEXT NOT NULL DEFAULT '', -- JSON, one value
  on_timeout        TEXT NOT NULL CHECK (on_timeout IN ('default', 'cancel')),
  timeout_seconds   BIGINT NOT NULL,
  callback_url      TEXT NOT NULL DEFAULT '',
  callback_secret   TEXT NOT NULL DEFAULT '', -- sealed
  tags              TEXT NOT NULL DEFAULT '[]',
  action            TEXT NOT NULL DEFAULT '', -- canonical JSON {arguments, tool}
  action_digest     TEXT NOT NULL DEFAULT '',
  task_id           TEXT REFERENCES tasks (id), -- whose proof is to be decided
  task_submission   BIGINT NOT NULL DEFAULT 0,
  review_mode       TEXT NOT NULL DEFAULT '', -- JSON schemas.ReviewMode, '' for first
  restricted        BOOLEAN NOT NULL DEFAULT FALSE, -- only its recipients may decide, not the whole loop
  content_hash      TEXT NOT NULL,           -- for asking the same thing twice
  text_version      BIGINT NOT NULL DEFAULT 0, -- the version since which people read what they read; 0 for the round's first
  claimed_by        TEXT REFERENCES people (id),
  claimed_at        BIGINT NOT NULL DEFAULT 0,
  lease_until       BIGINT NOT NULL DEFAULT 0,
  decide_by         BIGINT NOT NULL DEFAULT 0, -- of the claim; 0 for none
  claim_by          BIGINT NOT NULL DEFAULT 0, -- somebody has to claim it; 0 for none
  timeout_at        BIGINT NOT NULL,
  warned            BIGINT NOT NULL DEFAULT 0, -- bits: 1 before claim_by, 2 before the end
  escalation_at     BIGINT NOT NULL DEFAULT 0, -- the next step; 0 for none
  escalation_step   BIGINT NOT NULL DEFAULT 0, -- steps taken, over all repeats
  escalation_last   TEXT NOT NULL DEFAULT '',  -- '', default, cancel, keep_open: what follows the steps
  response          TEXT NOT NULL DEFAULT '', -- JSON, object form
  response_value    TEXT NOT NULL DEFAULT '', -- JSON, one value
  effective         TEXT NOT NULL DEFAULT '', -- JSON, one value
  response_source   TEXT NOT NULL DEFAULT '' CHECK (response_source IN ('', 'human', 'default', 'policy', 'simulated', 'cancelled')),
  decision          TEXT NOT NULL DEFAULT '' CHECK (decision IN ('', 'approved', 'rejected', 'needs_changes', 'answered')),
  decided_by        TEXT REFERENCES people (id),
  decided_via       TEXT NOT NULL DEFAULT '',
  comment           TEXT NOT NULL DEFAULT '',
  edited_action     TEXT NOT NULL DEFAULT '', -- canonical JSON, where a reviewer changed the arguments
  cancel_reason     TEXT NOT NULL DEFAULT '',
  audit_count       BIGINT NOT NULL DEFAULT 0,
  audit_head        TEXT NOT NULL DEFAULT '',
  created_at        BIGINT NOT NULL,
  round_at          BIGINT NOT NULL,         -- when this round was opened
  updated_at        BIGINT NOT NULL,
  ended_at          BIGINT NOT NULL DEFAULT 0,
  CHECK ((status = 'claimed') = (claimed_by IS NOT NULL)),
  CHECK ((status IN ('pending', 'claimed')) = (ended_at = 0)),
  CHECK ((status IN ('pending', 'claimed')) = (response_source = ''))
);
CREATE INDEX reviews_by_agent ON reviews (agent_id, mode, created_at, id);
CREATE INDEX reviews_by_loop ON reviews (loop_id, created_at, id);
CREATE INDEX reviews_by_time ON reviews (created_at, id);
CREATE INDEX reviews_open ON reviews (loop_id, priority_rank, created_at, id) WHERE status IN ('pending', 'claimed');
CREATE INDEX reviews_by_content ON reviews (agent_id, content_hash) WHERE status IN ('pending', 'claimed');
CREATE INDEX reviews_claimed ON reviews (claimed_by) WHERE claimed_by IS NOT NULL;
-- A submission of a task is reviewed once at a time.
CREATE UNIQUE INDEX reviews_of_task ON reviews (task_id) WHERE task_id IS NOT NULL AND status IN ('pending', 'claimed');

CREATE TABLE review_rounds (
  review_id      TEXT NOT NULL REFERENCES reviews (id),
  round          BIGINT NOT NULL CHECK (round >= 1),
  request_text   TEXT NOT NULL,
  context        TEXT NOT NULL DEFAULT '',
  media          TEXT NOT NULL DEFAULT '{}',
  action         TEXT NOT NULL DEFAULT '',
  action_digest  TEXT NOT NULL DEFAULT '',
  response       TEXT NOT NULL,
  response_value TEXT NOT NULL,
  decision       TEXT NOT NULL,
  decided_by     TEXT NOT NULL DEFAULT '',
  decided_via    TEXT NOT NULL DEFAULT '',
  comment        TEXT NOT NULL DEFAULT '',
  opened_at      BIGINT NOT NULL,
  ended_at       BIGINT NOT NULL,
  PRIMARY KEY (review_id, round)
);

-- Who was asked. notified: '' not yet, 'sent', or why not.
CREATE TABLE review_recipients (
  review_id   TEXT NOT NULL REFERENCES reviews (id),
  person_id   TEXT NOT NULL REFERENCES people (id),
  step        BIGINT NOT NULL DEFAULT 0,
  reason      TEXT NOT NULL CHECK (reason IN ('loop', 'assigned', 'escalated')),
  role        TEXT NOT NULL DEFAULT 'member',
  notified    TEXT NOT NULL DEFAULT '',
  notified_at BIGINT NOT NULL DEFAULT 0,
  seen_at     BIGINT NOT NULL DEFAULT 0,
  created_at  BIGINT NOT NULL,
  PRIMARY KEY (review_id, person_id, step)
);
CREATE INDEX review_recipients_person ON review_recipients (person_id, created_at);

-- Answers: one for each person, round and step.
CREATE TABLE review_votes (
  review_id     TEXT NOT NULL REFERENCES reviews (id),
  round         BIGINT NOT NULL,
  step          BIGINT NOT NULL DEFAULT 0,
  person_id     TEXT NOT NULL REFERENCES people (id),
  response      TEXT NOT NULL,
  value         TEXT NOT NULL,
  decision      TEXT NOT NULL,
  comment       TEXT NOT NULL DEFAULT '',
  edited_action TEXT NOT NULL DEFAULT '',
  via           TEXT NOT NULL,
  assertion     TEXT NOT NULL DEFAULT '',     -- JSON, for the receipt
  created_at    BIGINT NOT NULL,
  PRIMARY KEY (review_id, round, step, person_id)
);

-- Links in mail: one request, one person. The token is derived from the id and only its
-- hash is kept.
CREATE TABLE review_links (
  id         TEXT PRIMARY KEY,
  token_hash TEXT NOT NULL UNIQUE,
  review_id  TEXT NOT NULL REFERENCES reviews (id),
  person_id  TEXT NOT NULL REFERENCES people (id),
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX review_links_review ON review_links (review_id);
CREATE INDEX review_links_expiry ON review_links (expires_at);

CREATE TABLE review_audit (
  review_id  TEXT NOT NULL REFERENCES reviews (id),
  n          BIGINT NOT NULL CHECK (n >= 1),
  kind       TEXT NOT NULL,
  actor      TEXT NOT NULL,
  via        TEXT NOT NULL,
  data       TEXT NOT NULL,                  -- JSON
  previous   TEXT NOT NULL,
  hash       TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (review_id, n)
);

CREATE TABLE review_feedback (
  review_id  TEXT PRIMARY KEY REFERENCES reviews (id),
  id         TEXT NOT NULL UNIQUE,
  agent_id   TEXT NOT NULL REFERENCES agents (id),
  body       TEXT NOT NULL,                  -- JSON object
  notified   BOOLEAN NOT NULL DEFAULT FALSE,
  created_at BIGINT NOT NULL
);

-- Receipts -------------------------------------------------------------------------

CREATE TABLE signing_keys (
  id         TEXT PRIMARY KEY,
  public_key TEXT NOT NULL,                  -- base64url
  sealed_key TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  retired_at BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX signing_keys_active ON signing_keys (retired_at) WHERE retired_at = 0;

CREATE TABLE receipts (
  review_id   TEXT NOT NULL REFERENCES reviews (id),
  round       BIGINT NOT NULL,
  nonce       TEXT NOT NULL UNIQUE,
  digest      TEXT NOT NULL,
  decision    TEXT NOT NULL,
  body        TEXT NOT NULL,                 -- JSON schemas.Receipt, signed
  expires_at  BIGINT NOT NULL,
  created_at  BIGINT NOT NULL,
  consumed_at BIGINT NOT NULL DEFAULT 0,
  consumed_by TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (review_id, round)
);

-- Webhooks of the reviews contract ----------------------------------------------------

CREATE TABLE webhooks (
  id              TEXT PRIMARY KEY,
  agent_id        TEXT NOT NULL DEFAULT '',  -- '' for the owner's
  mode            TEXT NOT NULL CHECK (mode IN ('test', 'live')),
  loop_id         TEXT REFERENCES loops (id),
  name            TEXT NOT NULL DEFAULT '',
  url             TEXT NOT NULL,
  events          TEXT NOT NULL,             -- JSON array of patterns
  secret          TEXT NOT NULL,             -- sealed
  former_secret   TEXT NOT NULL DEFAULT '',  -- sealed; signs too until former_until
  former_until    BIGINT NOT NULL DEFAULT 0,
  enabled         BOOLEAN NOT NULL DEFAULT TRUE,
  failures        BIGINT NOT NULL DEFAULT 0, -- given up, in a row
  created_at      BIGINT NOT NULL,
  updated_at      BIGINT NOT NULL
);
CREATE INDEX webhooks_by_agent ON webhooks (agent_id, mode, created_at, id);

CREATE TABLE webhook_deliveries (
  id           TEXT PRIMARY KEY,
  webhook_id   TEXT REFERENCES webhooks (id), -- NULL for a request's own callback_url
  review_id    TEXT NOT NULL DEFAULT '',
  event_id     TEXT NOT NULL,
  event        TEXT NOT NULL,
  body         TEXT NOT NULL,                -- JSON, the bytes that are signed
  state        TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'failed')),
  attempts     BIGINT NOT NULL DEFAULT 0,
  status_code  BIGINT NOT NULL DEFAULT 0,
  last_error   TEXT NOT NULL DEFAULT '',
  created_at   BIGINT NOT NULL,
  delivered_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX webhook_deliveries_log ON webhook_deliveries (webhook_id, created_at, id);
CREATE INDEX webhook_deliveries_age ON webhook_deliveries (created_at);
-- One delivery for each event and address.
CREATE UNIQUE INDEX webhook_deliveries_once ON webhook_deliveries (event_id, webhook_id) WHERE webhook_id IS NOT NULL;
CREATE UNIQUE INDEX webhook_deliveries_callback ON webhook_deliveries (event_id) WHERE webhook_id IS NULL;

-- Uploaded files ---------------------------------------------------------------------

CREATE TABLE uploads (
  id         TEXT PRIMARY KEY,
  agent_id   TEXT NOT NULL REFERENCES agents (id),
  mode       TEXT NOT NULL CHECK (mode IN ('test', 'live')),
  name       TEXT NOT NULL,
  mime       TEXT NOT NULL,
  bytes      BIGINT NOT NULL,
  sha256     TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX uploads_by_agent ON uploads (agent_id, created_at);
CREATE INDEX uploads_sha ON uploads (sha256);
