-- Tasks, submissions, proof files and messages.

-- name: DuplicateOf :one
-- The newest equal task that is not over.
SELECT t.id FROM tasks t
WHERE t.agent_id = @agent_id AND t.content_hash = @content_hash AND t.created_at > @posted_since
  AND t.status NOT IN ('PAID', 'CANCELLED', 'EXPIRED')
ORDER BY t.created_at DESC LIMIT 1;

-- name: PostedSince :one
-- scans: what an agent has posted since the day began, where nobody has kept the figures.
-- That is before the day's first posting, when there is nothing to read, and once after a
-- limit was introduced.
SELECT COUNT(*) AS posted,
  CAST(COALESCE(SUM(CASE WHEN status IN ('CANCELLED', 'EXPIRED') THEN 0 ELSE reward END), 0) AS BIGINT) AS spent
FROM tasks WHERE agent_id = @agent_id AND mode = 'live' AND created_at >= @day_start;

-- name: InsertTask :exec
INSERT INTO tasks (
  id, agent_id, mode, status, title, description, task_type, lat, lng, address, reward, asset, deadline,
  proof_requirements, digital_instructions, agent_public_key, assign_to,
  estimate_approval, content_hash, created_at, updated_at)
VALUES (
  @id, @agent_id, @mode, 'POSTED', @title, @description, @task_type, @lat, @lng, @address, @reward, @asset, @deadline,
  @proof_requirements, @digital_instructions, @agent_public_key, @assign_to,
  @estimate_approval, @content_hash, @created_at, @created_at);

-- name: FindTask :one
SELECT sqlc.embed(tasks), sqlc.embed(subjects) FROM tasks JOIN subjects ON subjects.id = tasks.id WHERE tasks.id = @id;

-- name: SaveTask :exec
UPDATE tasks SET
  status = @status, updated_at = @updated_at, deadline = @deadline,
  operator_id = @operator_id, estimate_id = @estimate_id, estimate_minutes = @estimate_minutes,
  estimate_note = @estimate_note, estimate_state = @estimate_state, submission = @submission,
  changes_requested = @changes_requested, guardian_rejections = @guardian_rejections, file_count = @file_count,
  agent_messages = @agent_messages, operator_messages = @operator_messages, accepted_at = @accepted_at,
  start_by = @start_by, started_at = @started_at, submitted_at = @submitted_at, review_since = @review_since,
  verified_at = @verified_at, paid_at = @paid_at, ended_at = @ended_at
WHERE id = @id;

-- name: InsertSubmission :exec
INSERT INTO submissions (task_id, number, operator_id, note, lat, lng, accuracy_m, created_at)
VALUES (@task_id, @number, @operator_id, @note, @lat, @lng, @accuracy_m, @created_at);

-- name: FindSubmission :one
SELECT * FROM submissions WHERE task_id = @task_id AND number = @number;

-- name: ListSubmissions :many
SELECT * FROM submissions WHERE task_id = @task_id ORDER BY number;

-- name: SetVerdict :exec
UPDATE submissions SET verdict = @verdict WHERE task_id = @task_id AND number = @number;

-- name: SetDecision :exec
UPDATE submissions SET decision = @decision WHERE task_id = @task_id AND number = @number;

-- name: InsertProofFile :exec
INSERT INTO proof_files (task_id, n, submission, operator_id, sha256, mime, bytes, width, height, taken_at, exif_lat, exif_lng, created_at)
VALUES (@task_id, @n, @submission, @operator_id, @sha256, @mime, @bytes, @width, @height, @taken_at, @exif_lat, @exif_lng, @created_at);

-- name: ListProofFiles :many
SELECT * FROM proof_files WHERE task_id = @task_id ORDER BY n;

-- name: ListSubmissionFiles :many
SELECT * FROM proof_files WHERE task_id = @task_id AND submission = @submission ORDER BY n;

-- name: FindProofFile :one
SELECT * FROM proof_files WHERE task_id = @task_id AND n = @n;

-- name: SetCopies :exec
UPDATE proof_files SET large_sha = @large_sha, large_bytes = @large_bytes, thumb_sha = @thumb_sha, thumb_bytes = @thumb_bytes, copy_mime = @copy_mime
WHERE task_id = @task_id AND n = @n;

-- name: ProofInUse :one
SELECT CAST(EXISTS (SELECT 1 FROM proof_files o WHERE o.sha256 = @sha)
  OR EXISTS (SELECT 1 FROM proof_files l WHERE l.large_sha = @sha)
  OR EXISTS (SELECT 1 FROM proof_files s WHERE s.thumb_sha = @sha) AS BOOLEAN);

-- name: InsertMessage :exec
INSERT INTO messages (id, task_id, sender, author_id, body, reply_to, created_at)
VALUES (@id, @task_id, @sender, @author_id, @body, @reply_to, @created_at);

-- name: FindMessage :one
SELECT * FROM messages WHERE id = @id;

-- name: ListTaskMessages :many
SELECT * FROM messages
WHERE task_id = @task_id AND (created_at, id) > (CAST(@after AS BIGINT), CAST(@after_id AS TEXT))
ORDER BY created_at, id
LIMIT CAST(@row_limit AS BIGINT) OFFSET CAST(@row_offset AS BIGINT);

-- name: OpenQuestions :many
-- An answer that names a message closes that one; any other closes all before it.
SELECT * FROM messages m
WHERE m.task_id = @task_id AND m.sender = 'operator' AND NOT EXISTS (
  SELECT 1 FROM messages a
  WHERE a.task_id = m.task_id AND a.sender = 'agent'
    AND (a.reply_to = m.id OR (a.reply_to IS NULL AND a.created_at >= m.created_at)))
ORDER BY m.created_at, m.id
LIMIT 20;

-- name: PendingTasks :many
-- What an operator has handed in and others decide on.
SELECT * FROM tasks t
WHERE t.operator_id = CAST(@operator_id AS TEXT) AND t.mode = 'live' AND t.status IN ('SUBMITTED', 'MANUAL_REVIEW', 'VERIFIED', 'DISPUTED')
ORDER BY t.created_at DESC, t.id DESC
LIMIT CAST(@row_limit AS BIGINT);

-- name: PendingEarnings :one
-- Exact, so all of what is pending is added up: each ends by itself within weeks.
SELECT CAST(COALESCE(SUM(t.reward), 0) AS BIGINT) FROM tasks t
WHERE t.operator_id = CAST(@operator_id AS TEXT) AND t.mode = 'live' AND t.status IN ('SUBMITTED', 'MANUAL_REVIEW', 'VERIFIED', 'DISPUTED');

-- name: ListEarned :many
SELECT id, title, reward, status, paid_at FROM tasks
WHERE operator_id = CAST(@operator_id AS TEXT) AND mode = 'live' AND status = 'PAID'
ORDER BY paid_at DESC, id DESC
LIMIT 20;

-- name: TasksByIDs :many
SELECT * FROM tasks WHERE id = ANY (ARRAY(SELECT json_array_elements_text(@ids)));

-- name: TasksWaiting :many
-- Live tasks in a status, oldest first.
SELECT id, created_at FROM tasks
WHERE mode = 'live' AND status = @status AND (created_at, id) > (CAST(@after AS BIGINT), CAST(@after_id AS TEXT))
ORDER BY created_at, id LIMIT 500;

-- name: CountTasksIn :one
SELECT COUNT(*) FROM (SELECT 1 FROM tasks t WHERE t.mode = @mode AND t.status = @status LIMIT CAST(@count_to AS BIGINT)) AS counted;
