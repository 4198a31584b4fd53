-- Subjects: the lines of everything with a state.

-- name: InsertSubject :exec
INSERT INTO subjects (
  id, kind, agent_id, mode, state, finished, needs, claimed_by, claimed_at, lease_until, clock_at, entries, head, created_at, updated_at, ended_at)
VALUES (
  @id, @kind, @agent_id, @mode, @state, @finished, @needs, @claimed_by, @claimed_at, @lease_until, @clock_at, @entries, @head, @created_at, @created_at, @ended_at);

-- name: MoveSubject :execrows
-- The one conditional update behind every change: nobody else has moved it.
UPDATE subjects SET
  state = @state, finished = @finished, needs = @needs, version = @version, seen = @seen, claimed_by = @claimed_by, claimed_at = @claimed_at,
  lease_until = @lease_until, clock_at = @clock_at, warned = @warned, entries = @entries, head = @head, updated_at = @updated_at, ended_at = @ended_at
WHERE id = @id AND state = @from_state AND version = @from_version AND entries = @from_entries AND lease_until = @from_lease;

-- name: LockSubject :one
SELECT * FROM subjects WHERE id = @id FOR UPDATE;

-- name: LockSubjects :many
SELECT id FROM subjects WHERE id = ANY (ARRAY(SELECT json_array_elements_text(@ids))) ORDER BY id FOR UPDATE;

-- name: FindSubject :one
SELECT * FROM subjects WHERE id = @id;

-- name: FindSubjects :many
SELECT * FROM subjects WHERE id = ANY (ARRAY(SELECT json_array_elements_text(@ids)));

-- name: RenewClaim :execrows
-- No version and no entry: that somebody is still at it is news to nobody.
UPDATE subjects SET lease_until = @lease_until, clock_at = @clock_at WHERE id = @id AND claimed_by = @claimed_by AND version = @version;

-- name: SetClock :execrows
UPDATE subjects SET clock_at = @clock_at WHERE id = @id AND version = @version;

-- name: ClaimsOf :many
-- What a person has in hand.
SELECT id FROM subjects WHERE claimed_by = @claimed_by AND claimed_by <> '' AND kind = @kind ORDER BY id;

-- name: OverdueSubjects :many
-- Those whose clock should have rung. Their jobs are due, unless one failed for good.
SELECT id, clock_at, agent_id, mode FROM subjects WHERE clock_at > 0 AND clock_at <= @now AND (clock_at, id) > (CAST(@after_clock AS BIGINT), CAST(@after_id AS TEXT))
ORDER BY clock_at, id LIMIT CAST(@row_limit AS BIGINT);

-- name: RunningSubjects :many
-- Those that have a clock, in the order of their ids: not by the index of those, which has
-- everything that is over, too.
SELECT id, kind FROM subjects WHERE clock_at > 0 AND id || '' > CAST(@after AS TEXT) ORDER BY id || '' LIMIT CAST(@row_limit AS BIGINT);

-- name: SubjectsAfter :many
-- All of them, in the order of their ids.
SELECT * FROM subjects WHERE id > @after ORDER BY id LIMIT CAST(@row_limit AS BIGINT);

-- name: OpenSubjectsAfter :many
-- Those that go on, in the order of the index that has no others.
SELECT * FROM subjects
WHERE finished = FALSE AND (agent_id, mode, kind, created_at, id)
  > (CAST(@after_agent AS TEXT), CAST(@after_mode AS TEXT), CAST(@after_kind AS TEXT), CAST(@after_time AS BIGINT), CAST(@after_id AS TEXT))
ORDER BY agent_id, mode, kind, created_at, id LIMIT CAST(@row_limit AS BIGINT);

-- name: SeeSubject :exec
UPDATE subjects SET seen = @seen
WHERE id = @id AND kind = @kind AND agent_id = @agent_id AND mode = @mode AND seen < @seen AND version >= @seen;

-- name: EndSubjects :exec
-- Their rows are gone; what is left is the chain.
UPDATE subjects SET state = 'deleted', finished = TRUE, needs = '', claimed_by = '', claimed_at = 0, lease_until = 0, clock_at = 0,
  ended_at = CASE WHEN ended_at = 0 THEN @now ELSE ended_at END
WHERE id = ANY (ARRAY(SELECT json_array_elements_text(@ids)));
