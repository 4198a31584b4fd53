-- name: EstablishHouse :execrows
-- One row for the caller that gets to set the house up, on any number of replicas.
INSERT INTO facts (name, value) VALUES ('house', @value) ON CONFLICT DO NOTHING;

-- People -----------------------------------------------------------------------------

-- name: InsertPerson :execrows
-- No row when the name, or the id, is taken.
INSERT INTO people (id, name, name_key, email, phone, is_owner, is_operator, simulated, created_at)
VALUES (@id, @name, @name_key, @email, @phone, @is_owner, @is_operator, @simulated, @created_at)
ON CONFLICT DO NOTHING;

-- name: PersonByID :one
SELECT * FROM people WHERE id = @id;

-- name: PersonByName :one
SELECT * FROM people WHERE name_key = @name_key AND removed_at = 0 AND simulated = FALSE;

-- name: PersonOwner :one
SELECT * FROM people WHERE is_owner = TRUE AND removed_at = 0 ORDER BY created_at, id LIMIT 1;

-- name: LockOwners :many
-- Removals of owners queue here, so that two at once cannot remove the last two.
SELECT id FROM people WHERE is_owner = TRUE AND removed_at = 0 ORDER BY created_at, id FOR UPDATE;

-- name: PeopleNames :many
SELECT name FROM people WHERE removed_at = 0 AND simulated = FALSE ORDER BY created_at, id LIMIT @max_rows;

-- name: PeopleCount :one
SELECT COUNT(*) FROM (
  SELECT 1 FROM people WHERE removed_at = 0 AND simulated = FALSE LIMIT CAST(@count_to AS BIGINT)
) AS counted;

-- name: PeoplePage :many
SELECT sqlc.embed(p), (
  SELECT COUNT(*) FROM subjects s WHERE s.claimed_by = p.id AND s.claimed_by <> '' AND s.kind = 'task' AND s.mode = 'live'
) AS active_tasks
FROM people p
WHERE p.removed_at = 0 AND p.simulated = FALSE
  AND (p.created_at, p.id) > (CAST(@after_time AS BIGINT), CAST(@after_id AS TEXT))
ORDER BY p.created_at, p.id
LIMIT @max_rows OFFSET @skip_rows;

-- name: PersonActiveTasks :one
SELECT COUNT(*) FROM subjects WHERE claimed_by = @person_id AND claimed_by <> '' AND kind = 'task' AND mode = 'live';

-- name: UpdatePerson :exec
UPDATE people SET name = @name, name_key = @name_key, email = @email, phone = @phone,
  is_owner = @is_owner, is_operator = @is_operator
WHERE id = @id AND removed_at = 0;

-- name: MarkPersonRemoved :execrows
UPDATE people SET removed_at = @removed_at WHERE id = @id AND removed_at = 0;

-- name: TouchPerson :exec
UPDATE people SET last_seen_at = @last_seen_at WHERE id = @id AND last_seen_at < @last_seen_at;

-- name: PeopleInReach :many
-- scans: everybody who could take a task, because they are told of it.
SELECT id, name FROM people
WHERE removed_at = 0 AND is_operator = TRUE AND simulated = FALSE
  AND (last_seen_at > 0 OR (email <> '' AND CAST(@by_mail AS BOOLEAN)))
ORDER BY created_at, id;

-- name: PeopleSimulated :many
SELECT id, name FROM people
WHERE removed_at = 0 AND is_operator = TRUE AND simulated = TRUE
ORDER BY id;

-- Sessions and sign-in links -----------------------------------------------------------

-- name: InsertSession :exec
INSERT INTO sessions (id, person_id, token_hash, kind, created_at, last_used_at, expires_at)
VALUES (@id, @person_id, @token_hash, @kind, @created_at, @created_at, @expires_at);

-- name: SessionByHash :one
SELECT s.id, s.person_id, s.kind, s.last_used_at, p.name, p.is_owner, p.is_operator
FROM sessions s JOIN people p ON p.id = s.person_id
WHERE s.token_hash = @token_hash AND s.expires_at > @now AND p.removed_at = 0;

-- name: TouchSession :one
-- A browser's session slides; the others end when they were made to.
UPDATE sessions SET last_used_at = @now,
  expires_at = CASE WHEN kind = 'browser' THEN CAST(@slide_to AS BIGINT) ELSE expires_at END
WHERE id = @id AND last_used_at <= @used_before
RETURNING person_id, kind;

-- name: DeleteSession :exec
DELETE FROM sessions WHERE id = @id;

-- name: DeleteExpiredSessions :exec
DELETE FROM sessions WHERE person_id = @person_id AND expires_at <= @now;

-- name: DeleteSessionsOf :exec
DELETE FROM sessions WHERE person_id = @person_id AND (CAST(@kind AS TEXT) = '' OR kind = @kind);

-- name: InsertLink :exec
INSERT INTO sign_in_links (id, person_id, token_hash, created_at, expires_at)
VALUES (@id, @person_id, @token_hash, @created_at, @expires_at);

-- name: LinkByHash :one
SELECT l.id, sqlc.embed(p)
FROM sign_in_links l JOIN people p ON p.id = l.person_id
WHERE l.token_hash = @token_hash AND l.used_at = 0 AND l.expires_at > @now AND p.removed_at = 0;

-- name: UseLink :execrows
UPDATE sign_in_links SET used_at = @now WHERE id = @id AND used_at = 0 AND expires_at > @now;

-- name: DeleteDeadLinks :exec
DELETE FROM sign_in_links WHERE expires_at <= @expired_before;

-- name: DeleteDeadSessions :exec
DELETE FROM sessions WHERE expires_at <= @expired_before;

-- name: DeleteLinksOf :exec
DELETE FROM sign_in_links WHERE person_id = @person_id;

-- Agents and their keys ----------------------------------------------------------------

-- name: InsertAgent :execrows
-- No row when the email is taken.
INSERT INTO agents (id, name, email, email_key, company, tier, created_at)
VALUES (@id, @name, @email, @email_key, @company, @tier, @created_at)
ON CONFLICT DO NOTHING;

-- name: AgentByID :one
SELECT * FROM agents WHERE id = @id;

-- name: HouseAgentID :one
SELECT id FROM agents WHERE tier = 'HOUSE' ORDER BY created_at, id LIMIT 1;

-- name: InsertKey :exec
INSERT INTO api_keys (id, agent_id, name, prefix, key_hash, audience, scopes, mode, created_at)
VALUES (@id, @agent_id, @name, @prefix, @key_hash, @audience, @scopes, @mode, @created_at);

-- name: KeyByHash :one
SELECT k.id, k.agent_id, k.name AS key_name, k.audience, k.scopes, k.mode, k.last_used_at, a.name
FROM api_keys k JOIN agents a ON a.id = k.agent_id
WHERE k.key_hash = @key_hash AND k.revoked_at = 0;

-- name: KeysPage :many
-- An executor's key is no agent's business: only the owner sees and ends it.
SELECT * FROM api_keys
WHERE agent_id = @agent_id AND revoked_at = 0 AND (CAST(@mode AS TEXT) = '' OR mode = @mode)
  AND (CAST(@executors AS BOOLEAN) OR audience <> 'executor')
  AND (created_at, id) > (CAST(@after_time AS BIGINT), CAST(@after_id AS TEXT))
ORDER BY created_at, id
LIMIT @max_rows OFFSET @skip_rows;

-- name: KeysCount :one
-- A hundred at most, and the executors' that the owner made.
SELECT COUNT(*) FROM api_keys
WHERE agent_id = @agent_id AND revoked_at = 0 AND (CAST(@mode AS TEXT) = '' OR mode = @mode)
  AND (CAST(@executors AS BOOLEAN) OR audience <> 'executor');

-- name: RevokeKey :execrows
UPDATE api_keys SET revoked_at = @revoked_at
WHERE id = @id AND agent_id = @agent_id AND revoked_at = 0 AND (CAST(@mode AS TEXT) = '' OR mode = @mode)
  AND (CAST(@executors AS BOOLEAN) OR audience <> 'executor');

-- name: RevokeKeysNamed :exec
UPDATE api_keys SET revoked_at = @revoked_at
WHERE agent_id = @agent_id AND name = @name AND revoked_at = 0 AND (CAST(@audience AS TEXT) = '' OR audience = @audience);

-- name: TouchKey :exec
UPDATE api_keys SET last_used_at = @now WHERE id = @id AND last_used_at <= @used_before;

-- name: LockAgent :one
-- Serialises the postings of one agent, so that duplicates and the daily cap are exact.
SELECT name, tier, day, day_spent, day_posted FROM agents WHERE id = @id FOR UPDATE;

-- name: SetAgentDay :exec
UPDATE agents SET day = @day, day_spent = @day_spent, day_posted = @day_posted WHERE id = @id;

-- name: GiveBackSpent :exec
-- What was posted on a day counts no more. Written even when that day is not counted, so that
-- whoever is about to begin to count is waited for.
UPDATE agents SET day_spent = CASE WHEN day = @day THEN day_spent - CAST(@amount AS BIGINT) ELSE day_spent END WHERE id = @id;

-- name: LockPerson :one
-- Taken before the task, so that one person's accepts and uploads go one after another.
SELECT * FROM people WHERE id = @id FOR UPDATE;

-- name: AddStoredBytes :exec
-- By whoever has the person's lock.
UPDATE people SET stored_bytes = stored_bytes + CAST(@bytes AS BIGINT) WHERE id = @id;

-- name: HoldPerson :one
-- Keeps a person from being removed while they act. Others may still refer to them.
SELECT removed_at FROM people WHERE id = @id FOR SHARE;

-- name: PeopleByIDs :many
SELECT * FROM people WHERE id = ANY (ARRAY(SELECT json_array_elements_text(@ids)));

-- name: AgentsByIDs :many
SELECT id, name FROM agents WHERE id = ANY (ARRAY(SELECT json_array_elements_text(@ids)));

-- name: Owners :many
SELECT * FROM people WHERE is_owner = TRUE AND removed_at = 0 AND simulated = FALSE ORDER BY created_at, id LIMIT 500;

