-- Events ----------------------------------------------------------------------------

-- name: InsertEvent :exec
INSERT INTO events (id, kind, subject_id, agent_id, actor, via, data, created_at)
VALUES ( @id, @kind, @subject_id, @agent_id, @actor, @via, @data, @created_at);

-- name: LastEventSeq :one
SELECT CAST(COALESCE(MAX(seq), 0) AS BIGINT) AS seq FROM events;

-- name: HasUnnumberedEvents :one
SELECT EXISTS (SELECT 1 FROM events WHERE seq IS NULL) AS waiting;

-- name: NumberEvents :execrows
WITH fresh AS MATERIALIZED (
  SELECT e.id, ROW_NUMBER() OVER (ORDER BY e.created_at, e.id) AS n
  FROM events e WHERE e.seq IS NULL
  ORDER BY e.created_at, e.id
  LIMIT CAST(@count AS BIGINT)
)
UPDATE events SET seq = CAST(@base AS BIGINT) + fresh.n FROM fresh WHERE events.id = fresh.id;

-- name: ListEventsAfter :many
SELECT * FROM events WHERE seq > CAST(@after AS BIGINT) ORDER BY seq LIMIT CAST(@count AS BIGINT);

-- name: ListSubjectEvents :many
SELECT * FROM events WHERE subject_id = @subject_id ORDER BY created_at, id;

-- name: TakeLease :execrows
INSERT INTO leases (name, holder, expires_at) VALUES ( @name, @holder, @expires_at)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
WHERE leases.holder = excluded.holder OR leases.expires_at <= @now;

-- name: ClearLeases :execrows
DELETE FROM leases;

-- Facts -----------------------------------------------------------------------------

-- name: GetFact :one
SELECT value FROM facts WHERE name = @name;

-- name: LockFact :one
SELECT value FROM facts WHERE name = @name FOR UPDATE;

-- name: PutFact :exec
INSERT INTO facts (name, value) VALUES ( @name, @value)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;
