-- +goose Up

-- What the installation knows of itself: install id, heartbeat.
CREATE TABLE facts (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

-- People ---------------------------------------------------------------------------

CREATE TABLE people (
  id           TEXT PRIMARY KEY,
  name         TEXT NOT NULL,
  name_key     TEXT NOT NULL,                -- lower case, for look-up and uniqueness
  email        TEXT NOT NULL DEFAULT '',
  phone        TEXT NOT NULL DEFAULT '',
  is_owner     BOOLEAN NOT NULL DEFAULT FALSE,
  is_operator  BOOLEAN NOT NULL DEFAULT FALSE,
  simulated    BOOLEAN NOT NULL DEFAULT FALSE, -- test mode only; never beside live tasks
  rating_sum   BIGINT NOT NULL DEFAULT 0,
  rating_count BIGINT NOT NULL DEFAULT 0,
  last_seen_at BIGINT NOT NULL DEFAULT 0,
  created_at   BIGINT NOT NULL,
  removed_at   BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX people_name ON people (name_key) WHERE removed_at = 0 AND simulated = FALSE;
CREATE INDEX people_operators ON people (created_at, id) WHERE removed_at = 0 AND is_operator = TRUE;

CREATE TABLE sessions (
  id           TEXT PRIMARY KEY,
  person_id    TEXT NOT NULL REFERENCES people (id),
  token_hash   TEXT NOT NULL UNIQUE,
  kind         TEXT NOT NULL CHECK (kind IN ('browser', 'token', 'cli')),
  created_at   BIGINT NOT NULL,
  last_used_at BIGINT NOT NULL,
  expires_at   BIGINT NOT NULL
);
CREATE INDEX sessions_person ON sessions (person_id);

CREATE TABLE sign_in_links (
  id         TEXT PRIMARY KEY,
  person_id  TEXT NOT NULL REFERENCES people (id),
  token_hash TEXT NOT NULL UNIQUE,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at    BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX sign_in_links_person ON sign_in_links (person_id);

-- Agents ---------------------------------------------------------------------------

CREATE TABLE agents (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL,
  email      TEXT NOT NULL DEFAULT '',
  email_key  TEXT NOT NULL DEFAULT '',
  company    TEXT NOT NULL DEFAULT '',
  tier       TEXT NOT NULL CHECK (tier IN ('SANDBOX', 'VERIFIED', 'STANDARD', 'HOUSE')),
  created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX agents_email ON agents (email_key) WHERE email_key <> '';

CREATE TABLE api_keys (
  id           TEXT PRIMARY KEY,
  agent_id     TEXT NOT NULL REFERENCES agents (id),
  name         TEXT NOT NULL,
  prefix       TEXT NOT NULL,
  key_hash     TEXT NOT NULL UNIQUE,
  audience     TEXT NOT NULL CHECK (audience IN ('marketplace')),
  mode         TEXT NOT NULL CHECK (mode IN ('test', 'live')),
  created_at   BIGINT NOT NULL,
  last_used_at BIGINT NOT NULL DEFAULT 0,
  revoked_at   BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX api_keys_agent ON api_keys (agent_id, created_at, id);

-- Ledger: rows are only inserted; balance is the sum of an account's entries. ------------

CREATE TABLE accounts (
  id         TEXT PRIMARY KEY,               -- derived from owner, kind and asset
  owner_id   TEXT NOT NULL,                  -- agent, person, task or the house
  kind       TEXT NOT NULL CHECK (kind IN ('issuer', 'deposit', 'escrow', 'earnings')),
  asset      TEXT NOT NULL CHECK (asset IN ('house', 'usdc', 'test')),
  balance    BIGINT NOT NULL DEFAULT 0,
  created_at BIGINT NOT NULL,
  UNIQUE (owner_id, kind, asset),
  CHECK (kind = 'issuer' OR balance >= 0)
);

CREATE TABLE ledger_transactions (
  id         TEXT PRIMARY KEY,
  kind       TEXT NOT NULL CHECK (kind IN ('issue', 'hold', 'release', 'refund')),
  subject_id TEXT NOT NULL,                  -- the task, or the account issued to
  asset      TEXT NOT NULL CHECK (asset IN ('house', 'usdc', 'test')),
  created_at BIGINT NOT NULL
);
CREATE INDEX ledger_transactions_subject ON ledger_transactions (subject_id);
-- A task is held, and then released or refunded, once.
CREATE UNIQUE INDEX ledger_once_held ON ledger_transactions (subject_id) WHERE kind = 'hold';
CREATE UNIQUE INDEX ledger_once_settled ON ledger_transactions (subject_id) WHERE kind IN ('release', 'refund');

CREATE TABLE ledger_entries (
  transaction_id TEXT NOT NULL REFERENCES ledger_transactions (id),
  account_id     TEXT NOT NULL REFERENCES accounts (id),
  amount         BIGINT NOT NULL CHECK (amount <> 0),
  PRIMARY KEY (transaction_id, account_id)
);
CREATE INDEX ledger_entries_account ON ledger_entries (account_id);

-- Tasks ----------------------------------------------------------------------------

CREATE TABLE tasks (
  id                   TEXT PRIMARY KEY,
  agent_id             TEXT NOT NULL REFERENCES agents (id),
  mode                 TEXT NOT NULL CHECK (mode IN ('test', 'live')),
  status               TEXT NOT NULL CHECK (status IN ('POSTED', 'ESTIMATE_PENDING', 'ACCEPTED', 'IN_PROGRESS', 'SUBMITTED', 'MANUAL_REVIEW', 'VERIFIED', 'PAID', 'DISPUTED', 'CANCELLED', 'EXPIRED')),
  version              BIGINT NOT NULL DEFAULT 1,
  seen_version         BIGINT NOT NULL DEFAULT 1,
  title                TEXT NOT NULL,
  description          TEXT NOT NULL,
  task_type            TEXT NOT NULL,
  lat                  DOUBLE PRECISION,
  lng                  DOUBLE PRECISION,
  address              TEXT NOT NULL DEFAULT '',
  reward               BIGINT NOT NULL CHECK (reward >= 0),
  asset                TEXT NOT NULL CHECK (asset IN ('house', 'usdc', 'test')),
  deadline             BIGINT NOT NULL,
  proof_requirements   TEXT NOT NULL,        -- JSON array of strings
  digital_instructions TEXT NOT NULL DEFAULT '',
  agent_public_key     TEXT NOT NULL DEFAULT '',
  callback_url         TEXT NOT NULL DEFAULT '',
  callback_secret      TEXT NOT NULL DEFAULT '', -- sealed
  assign_to            TEXT REFERENCES people (id),
  estimate_approval    TEXT NOT NULL DEFAULT 'auto' CHECK (estimate_approval IN ('auto', 'manual')),
  content_hash         TEXT NOT NULL,        -- for posting the same thing twice
  operator_id          TEXT REFERENCES people (id),
  estimate_id          TEXT NOT NULL DEFAULT '',
  estimate_minutes     BIGINT NOT NULL DEFAULT 0,
  estimate_note        TEXT NOT NULL DEFAULT '',
  estimate_state       TEXT NOT NULL DEFAULT '' CHECK (estimate_state IN ('', 'pending', 'approved', 'rejected')),
  submission           BIGINT NOT NULL DEFAULT 0, -- number of the latest
  changes_requested    BIGINT NOT NULL DEFAULT 0,
  guardian_rejections  BIGINT NOT NULL DEFAULT 0,
  file_count           BIGINT NOT NULL DEFAULT 0,
  agent_messages       BIGINT NOT NULL DEFAULT 0,
  operator_messages    BIGINT NOT NULL DEFAULT 0,
  created_at           BIGINT NOT NULL,
  updated_at           BIGINT NOT NULL,
  accepted_at          BIGINT NOT NULL DEFAULT 0,
  start_by             BIGINT NOT NULL DEFAULT 0,
  started_at           BIGINT NOT NULL DEFAULT 0,
  submitted_at         BIGINT NOT NULL DEFAULT 0,
  review_since         BIGINT NOT NULL DEFAULT 0, -- entered MANUAL_REVIEW or DISPUTED
  verified_at          BIGINT NOT NULL DEFAULT 0,
  paid_at              BIGINT NOT NULL DEFAULT 0,
  ended_at             BIGINT NOT NULL DEFAULT 0, -- cancelled or expired
  CHECK (operator_id IS NOT NULL OR status IN ('POSTED', 'CANCELLED', 'EXPIRED', 'MANUAL_REVIEW', 'DISPUTED'))
);
CREATE INDEX tasks_by_agent ON tasks (agent_id, mode, created_at, id);
CREATE INDEX tasks_by_time ON tasks (mode, created_at, id); -- the owner's list
CREATE INDEX tasks_open ON tasks (mode, created_at, id) WHERE status = 'POSTED';
-- A balance adds up what is still held.
CREATE INDEX tasks_active ON tasks (agent_id, asset) WHERE status NOT IN ('PAID', 'CANCELLED', 'EXPIRED');
CREATE INDEX tasks_by_operator ON tasks (operator_id, created_at, id);
CREATE INDEX tasks_by_content ON tasks (agent_id, content_hash, created_at);

CREATE TABLE submissions (
  task_id     TEXT NOT NULL REFERENCES tasks (id),
  number      BIGINT NOT NULL CHECK (number >= 1),
  operator_id TEXT NOT NULL REFERENCES people (id),
  note        TEXT NOT NULL DEFAULT '',
  lat         DOUBLE PRECISION,
  lng         DOUBLE PRECISION,
  accuracy_m  DOUBLE PRECISION,
  created_at  BIGINT NOT NULL,
  verdict     TEXT NOT NULL DEFAULT '',      -- JSON schemas.Verdict, '' until it is in
  decision    TEXT NOT NULL DEFAULT '',      -- JSON schemas.Decision, '' until somebody decided
  PRIMARY KEY (task_id, number)
);

CREATE TABLE proof_files (
  task_id     TEXT NOT NULL REFERENCES tasks (id),
  n           BIGINT NOT NULL CHECK (n >= 1),
  submission  BIGINT NOT NULL,
  operator_id TEXT NOT NULL REFERENCES people (id),
  sha256      TEXT NOT NULL,
  mime        TEXT NOT NULL,
  bytes       BIGINT NOT NULL CHECK (bytes > 0),
  width       BIGINT NOT NULL,
  height      BIGINT NOT NULL,
  taken_at    BIGINT NOT NULL DEFAULT 0,     -- from EXIF: a claim
  exif_lat    DOUBLE PRECISION,
  exif_lng    DOUBLE PRECISION,
  large_sha   TEXT NOT NULL DEFAULT '',      -- 1600 px copy, '' until made
  large_bytes BIGINT NOT NULL DEFAULT 0,
  thumb_sha   TEXT NOT NULL DEFAULT '',
  thumb_bytes BIGINT NOT NULL DEFAULT 0,
  copy_mime   TEXT NOT NULL DEFAULT '',
  created_at  BIGINT NOT NULL,
  PRIMARY KEY (task_id, n),
  FOREIGN KEY (task_id, submission) REFERENCES submissions (task_id, number)
);
CREATE INDEX proof_files_operator ON proof_files (operator_id);
CREATE INDEX proof_files_sha ON proof_files (sha256);
CREATE INDEX proof_files_large ON proof_files (large_sha);
CREATE INDEX proof_files_thumb ON proof_files (thumb_sha);

CREATE TABLE messages (
  id         TEXT PRIMARY KEY,
  task_id    TEXT NOT NULL REFERENCES tasks (id),
  sender     TEXT NOT NULL CHECK (sender IN ('agent', 'operator')),
  author_id  TEXT NOT NULL,
  body       TEXT NOT NULL,
  reply_to   TEXT REFERENCES messages (id),
  created_at BIGINT NOT NULL
);
CREATE INDEX messages_by_task ON messages (task_id, created_at, id);

-- What happened, in order. A row is visible once the sequencer has numbered it. ----------

CREATE TABLE events (
  id          TEXT PRIMARY KEY,
  seq         BIGINT,
  kind        TEXT NOT NULL,
  subject_id  TEXT NOT NULL,
  agent_id    TEXT NOT NULL DEFAULT '',
  actor       TEXT NOT NULL,                 -- who: ag_…, op_…, system
  via         TEXT NOT NULL,                 -- how: api, page, cli, guardian, timeout, system
  data        TEXT NOT NULL,                 -- JSON
  created_at  BIGINT NOT NULL
);
CREATE UNIQUE INDEX events_seq ON events (seq);
CREATE INDEX events_unnumbered ON events (created_at, id) WHERE seq IS NULL;
CREATE INDEX events_subject ON events (subject_id, created_at, id);

CREATE TABLE leases (
  name       TEXT PRIMARY KEY,
  holder     TEXT NOT NULL,
  expires_at BIGINT NOT NULL
);

-- Jobs -----------------------------------------------------------------------------

CREATE TABLE jobs (
  id          TEXT PRIMARY KEY,
  kind        TEXT NOT NULL,
  unique_key  TEXT NOT NULL DEFAULT '',
  args        TEXT NOT NULL,                 -- JSON
  state       TEXT NOT NULL CHECK (state IN ('ready', 'running', 'failed')),
  run_at      BIGINT NOT NULL,
  attempts    BIGINT NOT NULL DEFAULT 0,
  deaths      BIGINT NOT NULL DEFAULT 0,     -- how often the process ended in the middle of it
  lease_by    TEXT NOT NULL DEFAULT '',
  lease_until BIGINT NOT NULL DEFAULT 0,
  last_error  TEXT NOT NULL DEFAULT '',
  created_at  BIGINT NOT NULL
);
CREATE INDEX jobs_due ON jobs (run_at, id) WHERE state = 'ready';
CREATE INDEX jobs_leased ON jobs (lease_until) WHERE state = 'running';
CREATE UNIQUE INDEX jobs_unique ON jobs (unique_key) WHERE unique_key <> '';

-- Idempotency ------------------------------------------------------------------------

CREATE TABLE idempotency_keys (
  caller_id   TEXT NOT NULL,
  name        TEXT NOT NULL,                 -- what the caller sent
  fingerprint TEXT NOT NULL,
  status      BIGINT NOT NULL DEFAULT 0,
  response    TEXT NOT NULL DEFAULT '',      -- '' where the answer holds a secret
  object_id   TEXT NOT NULL DEFAULT '',
  created_at  BIGINT NOT NULL,
  expires_at  BIGINT NOT NULL,
  PRIMARY KEY (caller_id, name)
);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);
