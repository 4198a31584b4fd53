-- Lists of tasks. Each query is one walk along an index, newest first, and gives places: who
-- lists gathers what several walks find, and then reads the tasks of one page. No walk reads
-- what stands beyond its bounds, and a count stops at count_to; it is in the walk's order
-- because PostgreSQL would otherwise read the table where it expects many.
--
-- The bounds say in which status the tasks are: where a condition of its own did, SQLite would
-- follow the index without a status, past all that is in another one. PostgreSQL ends a walk
-- by the first column of a bound alone: nothing stands there before the status. SQLite goes by
-- all columns of a bound only where its values have no type of their own, which + 0 and || ''
-- take from what is cast for its type here.
--
-- A title is looked for in lower case and as it was written: SQLite's LOWER knows A to Z only.

-- name: ListAgentTasks :many
SELECT t.id, t.created_at FROM tasks t
WHERE t.agent_id = @agent_id AND t.mode = @mode
  AND (t.created_at, t.id) < (CAST(@before AS BIGINT) + 0, CAST(@before_id AS TEXT) || '')
  AND (t.created_at, t.id) >= (CAST(@floor AS BIGINT) + 0, CAST(@floor_id AS TEXT) || '')
  AND (CAST(@task_type AS TEXT) = '' OR t.task_type = @task_type)
  AND (CAST(@title_like AS TEXT) = '' OR LOWER(t.title) LIKE CAST(@title_like AS TEXT) ESCAPE '!'
    OR t.title LIKE CAST(@title_as_is AS TEXT) ESCAPE '!')
ORDER BY t.created_at DESC, t.id DESC
LIMIT CAST(@row_limit AS BIGINT) OFFSET CAST(@row_offset AS BIGINT);

-- name: CountAgentTasks :one
SELECT COUNT(*) FROM (
  SELECT 1 FROM tasks t
  WHERE t.agent_id = @agent_id AND t.mode = @mode
    AND (t.created_at, t.id) >= (CAST(@floor AS BIGINT) + 0, CAST(@floor_id AS TEXT) || '')
    AND (CAST(@task_type AS TEXT) = '' OR t.task_type = @task_type)
    AND (CAST(@title_like AS TEXT) = '' OR LOWER(t.title) LIKE CAST(@title_like AS TEXT) ESCAPE '!'
      OR t.title LIKE CAST(@title_as_is AS TEXT) ESCAPE '!')
  ORDER BY t.created_at DESC, t.id DESC LIMIT CAST(@count_to AS BIGINT)
) AS counted;

-- name: ListAgentTasksIn :many
-- updated_at + 0, like created_at + 0 below, is for sifting, and not for another index.
SELECT t.id, t.created_at FROM tasks t
WHERE t.agent_id = @agent_id AND t.mode = @mode
  AND (t.status, t.created_at, t.id) < (@status, CAST(@before AS BIGINT) + 0, CAST(@before_id AS TEXT) || '')
  AND (t.status, t.created_at, t.id) >= (@status, CAST(@floor AS BIGINT) + 0, CAST(@floor_id AS TEXT) || '')
  AND (CAST(@task_type AS TEXT) = '' OR t.task_type = @task_type)
  AND (CAST(@title_like AS TEXT) = '' OR LOWER(t.title) LIKE CAST(@title_like AS TEXT) ESCAPE '!'
    OR t.title LIKE CAST(@title_as_is AS TEXT) ESCAPE '!')
  AND (CAST(@ended_since AS BIGINT) = 0 OR t.updated_at + 0 >= CAST(@ended_since AS BIGINT))
ORDER BY t.status DESC, t.created_at DESC, t.id DESC
LIMIT CAST(@row_limit AS BIGINT) OFFSET CAST(@row_offset AS BIGINT);

-- name: CountAgentTasksIn :one
SELECT COUNT(*) FROM (
  SELECT 1 FROM tasks t
  WHERE t.agent_id = @agent_id AND t.mode = @mode
    AND t.status <= CAST(@status AS TEXT)
    AND (t.status, t.created_at, t.id) >= (@status, CAST(@floor AS BIGINT) + 0, CAST(@floor_id AS TEXT) || '')
    AND (CAST(@task_type AS TEXT) = '' OR t.task_type = @task_type)
    AND (CAST(@title_like AS TEXT) = '' OR LOWER(t.title) LIKE CAST(@title_like AS TEXT) ESCAPE '!'
      OR t.title LIKE CAST(@title_as_is AS TEXT) ESCAPE '!')
    AND (CAST(@ended_since AS BIGINT) = 0 OR t.updated_at + 0 >= CAST(@ended_since AS BIGINT))
  ORDER BY t.status DESC, t.created_at DESC, t.id DESC LIMIT CAST(@count_to AS BIGINT)
) AS counted;

-- name: ListOwnerTasks :many
SELECT t.id, t.created_at FROM tasks t
WHERE t.mode = 'live'
  AND (t.created_at, t.id) < (CAST(@before AS BIGINT) + 0, CAST(@before_id AS TEXT) || '')
  AND (t.created_at, t.id) >= (CAST(@floor AS BIGINT) + 0, CAST(@floor_id AS TEXT) || '')
  AND (CAST(@task_type AS TEXT) = '' OR t.task_type = @task_type)
  AND (CAST(@title_like AS TEXT) = '' OR LOWER(t.title) LIKE CAST(@title_like AS TEXT) ESCAPE '!'
    OR t.title LIKE CAST(@title_as_is AS TEXT) ESCAPE '!')
ORDER BY t.created_at DESC, t.id DESC
LIMIT CAST(@row_limit AS BIGINT) OFFSET CAST(@row_offset AS BIGINT);

-- name: CountOwnerTasks :one
SELECT COUNT(*) FROM (
  SELECT 1 FROM tasks t
  WHERE t.mode = 'live'
    AND (t.created_at, t.id) >= (CAST(@floor AS BIGINT) + 0, CAST(@floor_id AS TEXT) || '')
    AND (CAST(@task_type AS TEXT) = '' OR t.task_type = @task_type)
    AND (CAST(@title_like AS TEXT) = '' OR LOWER(t.title) LIKE CAST(@title_like AS TEXT) ESCAPE '!'
      OR t.title LIKE CAST(@title_as_is AS TEXT) ESCAPE '!')
  ORDER BY t.created_at DESC, t.id DESC LIMIT CAST(@count_to AS BIGINT)
) AS counted;

-- name: ListOwnerTasksIn :many
SELECT t.id, t.created_at FROM tasks t
WHERE t.mode = 'live'
  AND (t.status, t.created_at, t.id) < (@status, CAST(@before AS BIGINT) + 0, CAST(@before_id AS TEXT) || '')
  AND (t.status, t.created_at, t.id) >= (@status, CAST(@floor AS BIGINT) + 0, CAST(@floor_id AS TEXT) || '')
  AND (CAST(@task_type AS TEXT) = '' OR t.task_type = @task_type)
  AND (CAST(@title_like AS TEXT) = '' OR LOWER(t.title) LIKE CAST(@title_like AS TEXT) ESCAPE '!'
    OR t.title LIKE CAST(@title_as_is AS TEXT) ESCAPE '!')
  AND (CAST(@ended_since AS BIGINT) = 0 OR t.updated_at + 0 >= CAST(@ended_since AS BIGINT))
ORDER BY t.status DESC, t.created_at DESC, t.id DESC
LIMIT CAST(@row_limit AS BIGINT) OFFSET CAST(@row_offset AS BIGINT);

-- name: CountOwnerTasksIn :one
SELECT COUNT(*) FROM (
  SELECT 1 FROM tasks t
  WHERE t.mode = 'live'
    AND t.status <= CAST(@status AS TEXT)
    AND (t.status, t.created_at, t.id) >= (@status, CAST(@floor AS BIGINT) + 0, CAST(@floor_id AS TEXT) || '')
    AND (CAST(@task_type AS TEXT) = '' OR t.task_type = @task_type)
    AND (CAST(@title_like AS TEXT) = '' OR LOWER(t.title) LIKE CAST(@title_like AS TEXT) ESCAPE '!'
      OR t.title LIKE CAST(@title_as_is AS TEXT) ESCAPE '!')
    AND (CAST(@ended_since AS BIGINT) = 0 OR t.updated_at + 0 >= CAST(@ended_since AS BIGINT))
  ORDER BY t.status DESC, t.created_at DESC, t.id DESC LIMIT CAST(@count_to AS BIGINT)
) AS counted;

-- name: ListAgentEnded :many
-- What ended lately: few enough to be put in order here.
SELECT t.id, t.created_at FROM tasks t
WHERE t.agent_id = @agent_id AND t.mode = @mode
  AND t.status IN ('PAID', 'CANCELLED', 'EXPIRED') AND t.updated_at >= CAST(@ended_since AS BIGINT)
  AND (t.status <> 'PAID' OR CAST(@paid AS BOOLEAN)) AND (t.status <> 'CANCELLED' OR CAST(@cancelled AS BOOLEAN)) AND (t.status <> 'EXPIRED' OR CAST(@expired AS BOOLEAN))
  AND (t.created_at + 0, t.id) < (CAST(@before AS BIGINT) + 0, CAST(@before_id AS TEXT) || '')
  AND (t.created_at + 0, t.id) >= (CAST(@floor AS BIGINT) + 0, CAST(@floor_id AS TEXT) || '')
  AND (CAST(@task_type AS TEXT) = '' OR t.task_type = @task_type)
  AND (CAST(@title_like AS TEXT) = '' OR LOWER(t.title) LIKE CAST(@title_like AS TEXT) ESCAPE '!'
    OR t.title LIKE CAST(@title_as_is AS TEXT) ESCAPE '!')
ORDER BY t.created_at + 0 DESC, t.id DESC
LIMIT CAST(@row_limit AS BIGINT) OFFSET CAST(@row_offset AS BIGINT);

-- name: CountAgentEnded :one
SELECT COUNT(*) FROM (
  SELECT 1 FROM tasks t
  WHERE t.agent_id = @agent_id AND t.mode = @mode
    AND t.status IN ('PAID', 'CANCELLED', 'EXPIRED') AND t.updated_at >= CAST(@ended_since AS BIGINT)
    AND (t.status <> 'PAID' OR CAST(@paid AS BOOLEAN)) AND (t.status <> 'CANCELLED' OR CAST(@cancelled AS BOOLEAN)) AND (t.status <> 'EXPIRED' OR CAST(@expired AS BOOLEAN))
    AND (CAST(@task_type AS TEXT) = '' OR t.task_type = @task_type)
    AND (CAST(@title_like AS TEXT) = '' OR LOWER(t.title) LIKE CAST(@title_like AS TEXT) ESCAPE '!'
      OR t.title LIKE CAST(@title_as_is AS TEXT) ESCAPE '!')
  ORDER BY t.updated_at DESC LIMIT CAST(@count_to AS BIGINT)
) AS counted;

-- name: ListOwnerEnded :many
-- What ended lately: few enough to be put in order here.
SELECT t.id, t.created_at FROM tasks t
WHERE t.mode = 'live'
  AND t.status IN ('PAID', 'CANCELLED', 'EXPIRED') AND t.updated_at >= CAST(@ended_since AS BIGINT)
  AND (t.status <> 'PAID' OR CAST(@paid AS BOOLEAN)) AND (t.status <> 'CANCELLED' OR CAST(@cancelled AS BOOLEAN)) AND (t.status <> 'EXPIRED' OR CAST(@expired AS BOOLEAN))
  AND (t.created_at + 0, t.id) < (CAST(@before AS BIGINT) + 0, CAST(@before_id AS TEXT) || '')
  AND (t.created_at + 0, t.id) >= (CAST(@floor AS BIGINT) + 0, CAST(@floor_id AS TEXT) || '')
  AND (CAST(@task_type AS TEXT) = '' OR t.task_type = @task_type)
  AND (CAST(@title_like AS TEXT) = '' OR LOWER(t.title) LIKE CAST(@title_like AS TEXT) ESCAPE '!'
    OR t.title LIKE CAST(@title_as_is AS TEXT) ESCAPE '!')
ORDER BY t.created_at + 0 DESC, t.id DESC
LIMIT CAST(@row_limit AS BIGINT) OFFSET CAST(@row_offset AS BIGINT);

-- name: CountOwnerEnded :one
SELECT COUNT(*) FROM (
  SELECT 1 FROM tasks t
  WHERE t.mode = 'live'
    AND t.status IN ('PAID', 'CANCELLED', 'EXPIRED') AND t.updated_at >= CAST(@ended_since AS BIGINT)
    AND (t.status <> 'PAID' OR CAST(@paid AS BOOLEAN)) AND (t.status <> 'CANCELLED' OR CAST(@cancelled AS BOOLEAN)) AND (t.status <> 'EXPIRED' OR CAST(@expired AS BOOLEAN))
    AND (CAST(@task_type AS TEXT) = '' OR t.task_type = @task_type)
    AND (CAST(@title_like AS TEXT) = '' OR LOWER(t.title) LIKE CAST(@title_like AS TEXT) ESCAPE '!'
      OR t.title LIKE CAST(@title_as_is AS TEXT) ESCAPE '!')
  ORDER BY t.updated_at DESC LIMIT CAST(@count_to AS BIGINT)
) AS counted;

-- name: ListPoolTasks :many
-- What any operator could take. Few are past their deadline: their clocks ring. PostgreSQL
-- does not see that all of them are assigned to the same, nobody, and has to be told.
SELECT t.id, t.created_at FROM tasks t
WHERE t.mode = 'live' AND t.status = 'POSTED' AND t.assign_to IS NULL AND t.deadline > @now
  AND (t.created_at, t.id) < (CAST(@before AS BIGINT) + 0, CAST(@before_id AS TEXT) || '')
  AND (t.created_at, t.id) >= (CAST(@floor AS BIGINT) + 0, CAST(@floor_id AS TEXT) || '')
  AND (CAST(@task_type AS TEXT) = '' OR t.task_type = @task_type)
ORDER BY t.assign_to DESC, t.created_at DESC, t.id DESC
LIMIT CAST(@row_limit AS BIGINT) OFFSET CAST(@row_offset AS BIGINT);

-- name: CountPoolTasks :one
SELECT COUNT(*) FROM (
  SELECT 1 FROM tasks t
  WHERE t.mode = 'live' AND t.status = 'POSTED' AND t.assign_to IS NULL AND t.deadline > @now
    AND (t.created_at, t.id) >= (CAST(@floor AS BIGINT) + 0, CAST(@floor_id AS TEXT) || '')
    AND (CAST(@task_type AS TEXT) = '' OR t.task_type = @task_type)
  ORDER BY t.assign_to DESC, t.created_at DESC, t.id DESC LIMIT CAST(@count_to AS BIGINT)
) AS counted;

-- name: ListAssignedTasks :many
-- What was meant for one operator alone.
SELECT t.id, t.created_at FROM tasks t
WHERE t.mode = 'live' AND t.status = 'POSTED' AND t.assign_to = CAST(@operator_id AS TEXT) AND t.deadline > @now
  AND (t.created_at, t.id) < (CAST(@before AS BIGINT) + 0, CAST(@before_id AS TEXT) || '')
  AND (t.created_at, t.id) >= (CAST(@floor AS BIGINT) + 0, CAST(@floor_id AS TEXT) || '')
  AND (CAST(@task_type AS TEXT) = '' OR t.task_type = @task_type)
ORDER BY t.created_at DESC, t.id DESC
LIMIT CAST(@row_limit AS BIGINT) OFFSET CAST(@row_offset AS BIGINT);

-- name: CountAssignedTasks :one
SELECT COUNT(*) FROM (
  SELECT 1 FROM tasks t
  WHERE t.mode = 'live' AND t.status = 'POSTED' AND t.assign_to = CAST(@operator_id AS TEXT) AND t.deadline > @now
    AND (t.created_at, t.id) >= (CAST(@floor AS BIGINT) + 0, CAST(@floor_id AS TEXT) || '')
    AND (CAST(@task_type AS TEXT) = '' OR t.task_type = @task_type)
  ORDER BY t.created_at DESC, t.id DESC LIMIT CAST(@count_to AS BIGINT)
) AS counted;

-- name: ListOperatorTasks :many
SELECT t.id, t.created_at FROM tasks t
WHERE t.operator_id = CAST(@operator_id AS TEXT) AND t.mode = 'live'
  AND (t.created_at, t.id) < (CAST(@before AS BIGINT) + 0, CAST(@before_id AS TEXT) || '')
  AND (t.created_at, t.id) >= (CAST(@floor AS BIGINT) + 0, CAST(@floor_id AS TEXT) || '')
  AND (CAST(@task_type AS TEXT) = '' OR t.task_type = @task_type)
ORDER BY t.created_at DESC, t.id DESC
LIMIT CAST(@row_limit AS BIGINT) OFFSET CAST(@row_offset AS BIGINT);

-- name: CountOperatorTasks :one
SELECT COUNT(*) FROM (
  SELECT 1 FROM tasks t
  WHERE t.operator_id = CAST(@operator_id AS TEXT) AND t.mode = 'live'
    AND (t.created_at, t.id) >= (CAST(@floor AS BIGINT) + 0, CAST(@floor_id AS TEXT) || '')
    AND (CAST(@task_type AS TEXT) = '' OR t.task_type = @task_type)
  ORDER BY t.created_at DESC, t.id DESC LIMIT CAST(@count_to AS BIGINT)
) AS counted;

-- name: NewestTasks :many
-- Some of these tasks, in the order of the lists.
SELECT * FROM tasks WHERE id = ANY (ARRAY(SELECT json_array_elements_text(@ids)))
ORDER BY created_at DESC, id DESC
LIMIT CAST(@row_limit AS BIGINT) OFFSET CAST(@row_offset AS BIGINT);
