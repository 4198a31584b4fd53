-- name: EnqueueJob :execrows
-- What is due now is ready, so that it never waits among what comes later.
INSERT INTO jobs (id, kind, owner, priority, lane, unique_key, args, state, run_at, created_at)
VALUES ( @id, @kind, @owner, @priority, @lane, @unique_key, @args,
  CASE WHEN CAST(@run_at AS BIGINT) <= CAST(@created_at AS BIGINT) THEN 'ready' ELSE 'scheduled' END, @run_at, @created_at)
ON CONFLICT (unique_key) WHERE unique_key <> '' DO NOTHING;

-- name: HastenJob :exec
-- A job that waits comes earlier, never later.
UPDATE jobs SET run_at = @run_at WHERE unique_key = @unique_key AND state = 'scheduled' AND attempts = 0 AND run_at > CAST(@run_at AS BIGINT);

-- name: ReadyJobs :execrows
-- Bounded, so that many which come due at one moment keep nobody else from being claimed.
WITH due AS MATERIALIZED (
  SELECT d.id FROM jobs d WHERE d.state = 'scheduled' AND d.run_at <= CAST(@now AS BIGINT)
  ORDER BY d.run_at, d.id LIMIT CAST(@count AS BIGINT) FOR UPDATE SKIP LOCKED
)
UPDATE jobs SET state = 'ready' WHERE jobs.id IN (SELECT due.id FROM due);

-- name: NextJobTimes :one
-- When the next job is due and when the next lease ends; 0 where there is none.
SELECT
  CAST(COALESCE((SELECT MIN(s.run_at) FROM jobs s WHERE s.state = 'scheduled'), 0) AS BIGINT) AS run_at,
  CAST(COALESCE((SELECT MIN(l.lease_until) FROM jobs l WHERE l.state = 'running'), 0) AS BIGINT) AS lease_until;

-- name: NextQueues :many
-- The queues of a priority that have a job ready and room for it, in order, from one on,
-- with when their oldest was due. A kind, an owner or a lane that is full is stepped over in
-- one look at the index, however much waits there: blocked says which of them, from the
-- outside in. SQLite looks for the first place not before a row and filters what equals it,
-- so the space puts that place behind all of the queue's; and it compares a row with columns
-- of its own one by one, but with expressions in the index.
WITH RECURSIVE queue (kind, owner, lane, since, blocked, found) AS (
  SELECT CAST(@kind AS TEXT), CAST(@owner AS TEXT), CAST(@lane AS TEXT), CAST(0 AS BIGINT), 1, 0
  UNION ALL
  SELECT head.kind, head.owner, head.lane, head.run_at,
    CASE
      WHEN CAST(@full_kinds AS TEXT) LIKE '%,' || head.kind || ',%' THEN 3
      WHEN CAST(@others_full AS BOOLEAN) AND CAST(@limited AS TEXT) NOT LIKE '%,' || head.kind || ',%' THEN 3
      WHEN CAST(@full_owners AS TEXT) LIKE '%,' || head.kind || ' ' || head.owner || ',%' THEN 2
      WHEN CAST(@full_owners AS TEXT) LIKE '%, ' || head.owner || ',%' AND CAST(@limited AS TEXT) NOT LIKE '%,' || head.kind || ',%' THEN 2
      WHEN CAST(@full_lanes AS TEXT) LIKE '%,' || head.lane || ',%' THEN 1
      ELSE 0
    END,
    queue.found + CASE queue.blocked WHEN 0 THEN 1 ELSE 0 END
  FROM queue CROSS JOIN jobs head
  WHERE queue.found < CAST(@count AS INTEGER) AND head.id = CASE queue.blocked
    WHEN 3 THEN (
      SELECT k.id FROM jobs k WHERE k.state = 'ready' AND k.priority = @priority AND k.kind > queue.kind
      ORDER BY k.kind, k.owner, k.lane, k.run_at, k.id LIMIT 1)
    WHEN 2 THEN (
      SELECT o.id FROM jobs o WHERE o.state = 'ready' AND o.priority = @priority AND (o.kind, o.owner) > (queue.kind || '', queue.owner || ' ')
      ORDER BY o.kind, o.owner, o.lane, o.run_at, o.id LIMIT 1)
    ELSE (
      SELECT l.id FROM jobs l WHERE l.state = 'ready' AND l.priority = @priority AND (l.kind, l.owner, l.lane) > (queue.kind || '', queue.owner || '', queue.lane || ' ')
      ORDER BY l.kind, l.owner, l.lane, l.run_at, l.id LIMIT 1)
    END
)
SELECT queue.kind, queue.owner, queue.lane, queue.since FROM queue WHERE queue.blocked = 0 ORDER BY queue.found LIMIT CAST(@count AS INTEGER);

-- name: ClaimJobs :many
WITH due AS MATERIALIZED (
  SELECT d.id FROM jobs d
  WHERE d.state = 'ready' AND d.priority = @priority AND d.kind = @kind AND d.owner = @owner AND d.lane = @lane
  ORDER BY d.run_at, d.id LIMIT CAST(@count AS BIGINT) FOR UPDATE SKIP LOCKED
)
UPDATE jobs SET state = 'running', lease_by = @lease_by, lease_until = @lease_until, attempts = attempts + 1
WHERE jobs.id IN (SELECT due.id FROM due)
RETURNING *;

-- name: CompleteJob :execrows
DELETE FROM jobs WHERE id = @id AND state = 'running' AND lease_by = @lease_by;

-- name: RetryJob :execrows
UPDATE jobs SET state = 'scheduled', run_at = @run_at, last_error = @last_error, lease_by = '', lease_until = 0
WHERE id = @id AND state = 'running' AND lease_by = @lease_by;

-- name: ReturnJob :execrows
-- An attempt that the process itself broke off does not count.
UPDATE jobs SET state = 'ready', attempts = attempts - 1, lease_by = '', lease_until = 0
WHERE id = @id AND state = 'running' AND lease_by = @lease_by;

-- name: FailJob :execrows
-- The unique key becomes free: what failed once must not keep its successors away.
UPDATE jobs SET state = 'failed', unique_key = '', last_error = @last_error, lease_by = '', lease_until = 0
WHERE id = @id AND state = 'running' AND lease_by = @lease_by;

-- name: ExtendLease :execrows
UPDATE jobs SET lease_until = @lease_until WHERE state = 'running' AND lease_by = @lease_by;

-- name: RescueJobs :execrows
-- That a process ended is not the job's failure; but one that ends it every time comes
-- back later and later.
UPDATE jobs SET state = 'scheduled', lease_by = '', lease_until = 0, attempts = attempts - 1, deaths = deaths + 1,
  run_at = CAST(@now AS BIGINT) + 1000000 * deaths * deaths
WHERE state = 'running' AND lease_until <= @lease_before;

-- name: AdvanceSlot :execrows
-- One caller gets a row for each slot of a periodic job; slots are digits of one length.
INSERT INTO facts (name, value) VALUES ( @name, @slot)
ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE facts.value < excluded.value;

-- name: GetJob :one
SELECT * FROM jobs WHERE id = @id;

-- name: CountJobs :one
SELECT COUNT(*) FROM jobs WHERE state = @state;

-- name: CountWaitingJobs :one
SELECT COUNT(*) FROM jobs WHERE state IN ('scheduled', 'ready');

-- name: CountDueJobs :one
SELECT COUNT(*) FROM jobs WHERE state IN ('ready', 'running') OR (state = 'scheduled' AND run_at <= @now);

-- name: DeleteFailedJobs :execrows
DELETE FROM jobs WHERE state = 'failed' AND created_at <= @created_before;

-- What the owner of the house sees: never the arguments, which may hold people's words.

-- name: ListJobs :many
-- The first of each state, which the index has in order, and of those the first.
WITH first AS (
  SELECT * FROM (
    SELECT s.id FROM jobs s WHERE s.state = 'scheduled' AND CAST(@waiting AS BOOLEAN) AND (s.kind = @kind OR CAST(@kind AS TEXT) = '')
      AND (s.run_at > @after_time OR (s.run_at = @after_time AND s.id > @after_id))
    ORDER BY s.run_at, s.id LIMIT @max_rows) AS later
  UNION ALL
  SELECT * FROM (
    SELECT w.id FROM jobs w WHERE w.state = 'ready' AND CAST(@waiting AS BOOLEAN) AND (w.kind = @kind OR CAST(@kind AS TEXT) = '')
      AND (w.run_at > @after_time OR (w.run_at = @after_time AND w.id > @after_id))
    ORDER BY w.run_at, w.id LIMIT @max_rows) AS due
  UNION ALL
  SELECT * FROM (
    SELECT r.id FROM jobs r WHERE r.state = 'running' AND CAST(@running AS BOOLEAN) AND (r.kind = @kind OR CAST(@kind AS TEXT) = '')
      AND (r.run_at > @after_time OR (r.run_at = @after_time AND r.id > @after_id))
    ORDER BY r.run_at, r.id LIMIT @max_rows) AS under_way
  UNION ALL
  SELECT * FROM (
    SELECT f.id FROM jobs f WHERE f.state = 'failed' AND CAST(@failed AS BOOLEAN) AND (f.kind = @kind OR CAST(@kind AS TEXT) = '')
      AND (f.run_at > @after_time OR (f.run_at = @after_time AND f.id > @after_id))
    ORDER BY f.run_at, f.id LIMIT @max_rows) AS over
)
SELECT j.id, j.kind, j.state, j.owner, j.run_at, j.attempts, j.deaths, j.last_error, j.lease_until, j.created_at
FROM jobs j WHERE j.id IN (SELECT first.id FROM first)
ORDER BY j.run_at, j.id LIMIT @max_rows OFFSET @skip_rows;

-- name: CountListedJobs :one
SELECT COUNT(*) FROM (
  SELECT 1 FROM jobs s WHERE s.state = 'scheduled' AND CAST(@waiting AS BOOLEAN) AND (s.kind = @kind OR CAST(@kind AS TEXT) = '')
  UNION ALL
  SELECT 1 FROM jobs w WHERE w.state = 'ready' AND CAST(@waiting AS BOOLEAN) AND (w.kind = @kind OR CAST(@kind AS TEXT) = '')
  UNION ALL
  SELECT 1 FROM jobs r WHERE r.state = 'running' AND CAST(@running AS BOOLEAN) AND (r.kind = @kind OR CAST(@kind AS TEXT) = '')
  UNION ALL
  SELECT 1 FROM jobs f WHERE f.state = 'failed' AND CAST(@failed AS BOOLEAN) AND (f.kind = @kind OR CAST(@kind AS TEXT) = '')
  LIMIT CAST(@count_to AS BIGINT)
) AS counted;

-- name: FindJob :one
SELECT id, kind, state, owner, run_at, attempts, deaths, last_error, lease_until, created_at FROM jobs WHERE id = @id;

-- name: ReviveJob :execrows
UPDATE jobs SET state = 'ready', run_at = @run_at, attempts = 0, deaths = 0 WHERE id = @id AND state = 'failed';
