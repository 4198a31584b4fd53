-- Review requests: their life.

-- name: InsertReview :exec
INSERT INTO reviews (
  id, loop_id, agent_id, key_id, mode, status, step, processing_type, type, priority, priority_rank, title, request_text,
  search_text, media, context, platform, platform_version, agent_name, response_type, response_config, default_response,
  on_timeout, timeout_seconds, tags, action, action_digest, task_id, task_submission,
  review_mode, restricted, disputed, content_hash, claim_by, timeout_at, escalation_at, escalation_last, created_at, round_at, updated_at)
VALUES (
  @id, @loop_id, @agent_id, @key_id, @mode, 'pending', @step, @processing_type, @type, @priority, @priority_rank, @title, @request_text,
  @search_text, @media, @context, @platform, @platform_version, @agent_name, @response_type, @response_config, @default_response,
  @on_timeout, @timeout_seconds, @tags, @action, @action_digest, @task_id, @task_submission,
  @review_mode, @restricted, @disputed, @content_hash, @claim_by, @timeout_at, @escalation_at, @escalation_last, @created_at, @created_at, @created_at);

-- name: FindReview :one
SELECT sqlc.embed(reviews), sqlc.embed(subjects) FROM reviews JOIN subjects ON subjects.id = reviews.id WHERE reviews.id = @id;

-- name: OpenDuplicateOf :one
-- The open request in which the same agent asks exactly the same.
SELECT id FROM reviews
WHERE agent_id = @agent_id AND content_hash = @content_hash AND status IN ('pending', 'claimed')
ORDER BY created_at DESC, id LIMIT 1;

-- name: OpenReviewOfTask :one
SELECT id FROM reviews WHERE task_id = CAST(@task_id AS TEXT) AND status IN ('pending', 'claimed');

-- name: OpenReviewsOfTasks :many
SELECT CAST(task_id AS TEXT) AS task_id, id FROM reviews
WHERE task_id = ANY (ARRAY(SELECT json_array_elements_text(@ids))) AND status IN ('pending', 'claimed');

-- name: SaveReview :exec
UPDATE reviews SET
  status = @status, status_rank = @status_rank, round = @round, step = @step,
  priority = @priority, priority_rank = @priority_rank, request_text = @request_text, search_text = @search_text, media = @media,
  text_version = @text_version, content_hash = @content_hash,
  context = @context, response_config = @response_config, default_response = @default_response, on_timeout = @on_timeout,
  timeout_seconds = @timeout_seconds, tags = @tags, action = @action, action_digest = @action_digest,
  restricted = @restricted, claimed_by = @claimed_by, decide_by = @decide_by,
  claim_by = @claim_by, timeout_at = @timeout_at, escalation_at = @escalation_at, escalation_step = @escalation_step,
  escalation_last = @escalation_last, response = @response, response_value = @response_value, effective = @effective,
  response_source = @response_source, decision = @decision, decided_by = @decided_by, decided_via = @decided_via, comment = @comment,
  edited_action = @edited_action, cancel_reason = @cancel_reason,
  round_at = @round_at, updated_at = @updated_at, ended_at = @ended_at
WHERE id = @id;

-- name: InsertReviewRecipient :execrows
INSERT INTO review_recipients (review_id, person_id, step, reason, role, created_at)
VALUES (@review_id, @person_id, @step, @reason, @role, @created_at)
ON CONFLICT DO NOTHING;

-- name: CircleOfReview :many
-- Everybody who was asked, in the order in which they were.
SELECT r.step, r.person_id, r.reason, r.notified, r.notified_at, p.name, p.email, p.last_seen_at,
  p.is_owner, p.removed_at,
  EXISTS (SELECT 1 FROM loop_members m JOIN reviews w ON w.loop_id = m.loop_id
    WHERE w.id = r.review_id AND m.person_id = r.person_id AND m.status = 'active') AS member
FROM review_recipients r JOIN people p ON p.id = r.person_id
WHERE r.review_id = @review_id
ORDER BY r.step, r.created_at, r.person_id;

-- name: SetRecipientNotified :exec
UPDATE review_recipients SET notified = @notified, notified_at = @notified_at
WHERE review_id = @review_id AND person_id = @person_id AND step = @step;

-- name: InsertReviewVote :execrows
-- No row when the person has answered in this round and step.
INSERT INTO review_votes (review_id, round, step, person_id, response, value, decision, comment, edited_action, via, assertion, created_at)
VALUES (@review_id, @round, @step, @person_id, @response, @value, @decision, @comment, @edited_action, @via, @assertion, @created_at)
ON CONFLICT DO NOTHING;

-- name: VotesInRound :many
SELECT * FROM review_votes WHERE review_id = @review_id AND round = @round ORDER BY created_at, person_id, step;

-- name: InsertReviewRound :exec
INSERT INTO review_rounds (
  review_id, round, request_text, context, media, action, action_digest, response, response_value, decision,
  decided_by, decided_via, comment, opened_at, ended_at)
VALUES (
  @review_id, @round, @request_text, @context, @media, @action, @action_digest, @response, @response_value, @decision,
  @decided_by, @decided_via, @comment, @opened_at, @ended_at);

-- name: AwaitedFrom :many
-- Open requests of several people that a person was asked to decide, locked.
SELECT r.id FROM reviews r
WHERE r.status = 'pending' AND r.review_mode <> '' AND (CAST(@loop_id AS TEXT) = '' OR r.loop_id = @loop_id)
  AND EXISTS (SELECT 1 FROM review_recipients t WHERE t.review_id = r.id AND t.person_id = @person_id)
ORDER BY r.id FOR UPDATE;

-- name: ReviewsIn :many
SELECT id FROM reviews WHERE loop_id = @loop_id ORDER BY id;

-- name: HoldLoop :one
-- Keeps a loop from being deleted while a request is made in it.
SELECT id FROM loops WHERE id = @id FOR KEY SHARE;

-- name: NoteNotified :exec
UPDATE review_recipients SET notified = @notified, notified_at = @notified_at
WHERE review_id = @review_id AND person_id = @person_id;

-- name: NoteRoomTold :exec
-- The shared room was told; what a person's own mail said stays.
UPDATE review_recipients SET notified = 'sent', notified_at = @notified_at
WHERE review_id = @review_id AND notified = '';
