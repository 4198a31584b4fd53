-- The trail: what happened to every subject, chained; and its order for those who follow.

-- name: AppendTrail :exec
INSERT INTO trail (subject_id, n, event_id, kind, actor, via, data, previous, hash, created_at)
VALUES (@subject_id, @n, @event_id, @kind, @actor, @via, @data, @previous, @hash, @created_at);

-- name: ListTrail :many
SELECT * FROM trail WHERE subject_id = @subject_id AND n > @after ORDER BY n LIMIT CAST(@row_limit AS BIGINT);

-- name: LatestTrail :many
SELECT * FROM trail WHERE subject_id = @subject_id ORDER BY n DESC LIMIT CAST(@row_limit AS BIGINT);

-- name: ForgetTrail :exec
-- What was said goes with its subject; that something was said, and when, stays chained.
UPDATE trail SET data = '', actor = '' WHERE subject_id = ANY (ARRAY(SELECT json_array_elements_text(@ids)));

-- name: LastSeq :one
SELECT CAST(COALESCE(MAX(seq), 0) AS BIGINT) AS seq FROM trail;

-- name: HasUnnumbered :one
SELECT EXISTS (SELECT 1 FROM trail WHERE seq IS NULL) AS waiting;

-- name: NumberTrail :execrows
WITH fresh AS MATERIALIZED (
  SELECT t.subject_id, t.n, ROW_NUMBER() OVER (ORDER BY t.created_at, t.subject_id, t.n) AS place
  FROM trail t WHERE t.seq IS NULL
  ORDER BY t.created_at, t.subject_id, t.n
  LIMIT CAST(@count AS BIGINT)
)
UPDATE trail SET seq = CAST(@base AS BIGINT) + fresh.place FROM fresh
WHERE trail.subject_id = fresh.subject_id AND trail.n = fresh.n;

-- name: TrailAfter :many
SELECT * FROM trail WHERE seq > CAST(@after AS BIGINT) ORDER BY seq LIMIT CAST(@count AS BIGINT);

-- name: FreshAfter :many
-- Whom to wake.
SELECT seq, subject_id FROM trail WHERE seq > CAST(@after AS BIGINT) ORDER BY seq LIMIT CAST(@count AS BIGINT);

-- name: TakeLease :execrows
INSERT INTO leases (name, holder, expires_at) VALUES ( @name, @holder, @expires_at)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
WHERE leases.holder = excluded.holder OR leases.expires_at <= @now;

-- name: ClearLeases :execrows
DELETE FROM leases;

-- name: LastAnchor :one
-- scans: the index, of which it reads the last entry.
SELECT * FROM anchors ORDER BY n DESC LIMIT 1;

-- name: ListAnchors :many
SELECT * FROM anchors WHERE n > @after ORDER BY n LIMIT CAST(@row_limit AS BIGINT);

-- name: InsertAnchor :execrows
INSERT INTO anchors (n, seq, entries, digest, previous, hash, created_at)
VALUES (@n, @seq, @entries, @digest, @previous, @hash, @created_at)
ON CONFLICT DO NOTHING;

-- name: HashesAfter :many
SELECT seq, hash FROM trail WHERE seq > CAST(@after AS BIGINT) AND seq <= CAST(@until AS BIGINT) ORDER BY seq LIMIT CAST(@count AS BIGINT);
