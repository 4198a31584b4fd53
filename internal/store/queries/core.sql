-- Jobs ------------------------------------------------------------------------------

-- name: EnqueueJob :execrows
INSERT INTO jobs (id, kind, owner, priority, lane, unique_key, args, state, run_at, created_at)
VALUES ( @id, @kind, @owner, @priority, @lane, @unique_key, @args, 'ready', @run_at, @created_at)
ON CONFLICT (unique_key) WHERE unique_key <> '' DO NOTHING;

-- name: ClaimJobs :many
-- Of limited kinds (",a,b,") only those with room; of the others any, unless they are
-- full; and none of a lane that is full.
WITH due AS MATERIALIZED (
  SELECT jobs.id FROM jobs
  WHERE jobs.state = 'ready' AND jobs.run_at <= @now
    AND CASE WHEN CAST(@limited AS TEXT) LIKE '%,' || jobs.kind || ',%' THEN CAST(@with_room AS TEXT) LIKE '%,' || jobs.kind || ',%'
      ELSE NOT CAST(@others_full AS BOOLEAN) END
    AND (jobs.lane = '' OR CAST(@full_lanes AS TEXT) NOT LIKE '%,' || jobs.lane || ',%')
  ORDER BY jobs.run_at, jobs.id
  LIMIT CAST(@count AS BIGINT)
  FOR UPDATE SKIP LOCKED
)
UPDATE jobs SET state = 'running', lease_by = @lease_by, lease_until = @lease_until, attempts = attempts + 1
WHERE jobs.id IN (SELECT due.id FROM due)
RETURNING *;

-- name: CompleteJob :execrows
DELETE FROM jobs WHERE id = @id AND state = 'running' AND lease_by = @lease_by;

-- name: RetryJob :execrows
UPDATE jobs SET state = 'ready', run_at = @run_at, last_error = @last_error, lease_by = '', lease_until = 0
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

-- name: AdvanceSlot :execrows
-- One caller gets a row for each slot of a periodic job; slots are digits of one length.
INSERT INTO facts (name, value) VALUES ( @name, @slot)
ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE facts.value < excluded.value;

-- name: RescueJobs :execrows
-- That a process ended is not the job's failure; but one that ends it every time comes
-- back later and later.
UPDATE jobs SET state = 'ready', lease_by = '', lease_until = 0, attempts = attempts - 1, deaths = deaths + 1,
  run_at = CAST(@now AS BIGINT) + 1000000 * deaths * deaths
WHERE state = 'running' AND lease_until <= @lease_before;

-- name: NextJobTimes :one
-- When the next job that could be claimed is due and when the next lease ends; 0 where
-- there is none.
SELECT
  CAST(COALESCE((SELECT MIN(r.run_at) FROM jobs r WHERE r.state = 'ready'
    AND CASE WHEN CAST(@limited AS TEXT) LIKE '%,' || r.kind || ',%' THEN CAST(@with_room AS TEXT) LIKE '%,' || r.kind || ',%'
      ELSE NOT CAST(@others_full AS BOOLEAN) END
    AND (r.lane = '' OR CAST(@full_lanes AS TEXT) NOT LIKE '%,' || r.lane || ',%')), 0) AS BIGINT) AS run_at,
  CAST(COALESCE((SELECT MIN(l.lease_until) FROM jobs l WHERE l.state = 'running'), 0) AS BIGINT) AS lease_until;

-- name: HastenJob :exec
-- A job that waits comes earlier, never later.
UPDATE jobs SET run_at = @run_at WHERE unique_key = @unique_key AND state = 'ready' AND attempts = 0 AND run_at > CAST(@run_at AS BIGINT);

-- name: GetJob :one
SELECT * FROM jobs WHERE id = @id;

-- name: CountJobs :one
SELECT COUNT(*) FROM jobs WHERE state = @state;

-- name: DeleteFailedJobs :execrows
DELETE FROM jobs WHERE state = 'failed' AND created_at <= @created_before;

-- Facts -----------------------------------------------------------------------------

-- name: GetFact :one
SELECT value FROM facts WHERE name = @name;

-- name: LockFact :one
SELECT value FROM facts WHERE name = @name FOR UPDATE;

-- name: PutFact :exec
INSERT INTO facts (name, value) VALUES ( @name, @value)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;
