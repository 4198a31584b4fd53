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

-- name: ReviewOfTask :one
-- The open one, else the newest.
SELECT id, ended_at FROM reviews WHERE task_id = CAST(@task_id AS TEXT)
ORDER BY CASE WHEN ended_at = 0 THEN 0 ELSE 1 END, created_at DESC, id DESC LIMIT 1;

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
INSERT INTO review_recipients (review_id, person_id, step, reason, role, created_at, loop_id, requested_at, open)
SELECT r.id, CAST(@person_id AS TEXT), CAST(@step AS BIGINT), CAST(@reason AS TEXT), CAST(@role AS TEXT), CAST(@created_at AS BIGINT),
  r.loop_id, r.created_at, r.ended_at = 0
FROM reviews r WHERE r.id = @review_id
ON CONFLICT DO NOTHING;

-- name: MarkRecipients :exec
-- Whom a request reached has it before them while it is open.
UPDATE review_recipients SET open = @open WHERE review_id = @review_id AND open <> @open;

-- name: NameUpload :exec
-- A request names a file in its text.
INSERT INTO review_uploads (upload_id, loop_id, review_id) VALUES (@upload_id, @loop_id, @review_id) ON CONFLICT DO NOTHING;

-- name: RecipientsIn :many
-- Everybody who was asked, in the order in which they were.
SELECT * FROM review_recipients WHERE review_id = @review_id ORDER BY step, created_at, person_id;

-- name: WasAsked :one
SELECT EXISTS (SELECT 1 FROM review_recipients WHERE review_id = @review_id AND person_id = @person_id) AS asked;

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
WHERE r.id IN (SELECT t.review_id FROM review_recipients t WHERE t.person_id = @person_id AND t.open = TRUE
    AND (CAST(@loop_id AS TEXT) = '' OR t.loop_id = @loop_id))
  AND r.status = 'pending' AND r.review_mode <> ''
ORDER BY r.id FOR UPDATE;

-- name: ReviewsIn :many
-- scans: deleting a loop costs what it holds, here and in all that delete what is in one.
SELECT id FROM reviews WHERE loop_id = @loop_id ORDER BY id;

-- name: NoteNotified :exec
UPDATE review_recipients SET notified = @notified, notified_at = @notified_at
WHERE review_id = @review_id AND person_id = @person_id;

-- name: NoteRoomTold :exec
-- The shared room was told; what a person's own mail said stays.
UPDATE review_recipients SET notified = 'sent', notified_at = @notified_at
WHERE review_id = @review_id AND notified = '';

-- What hangs on loops and people ------------------------------------------------------

-- name: CountOpenReviewsIn :one
SELECT COUNT(*) FROM reviews WHERE loop_id = @loop_id AND status IN ('pending', 'claimed');

-- name: CountOpenAnswersIn :one
SELECT COUNT(*) FROM review_votes v JOIN reviews r ON r.id = v.review_id
WHERE r.loop_id = @loop_id AND r.status IN ('pending', 'claimed') AND v.round = r.round;

-- name: CountReviewsIn :one
-- scans: it counts what is being deleted.
SELECT COUNT(*) AS requests, CAST(COALESCE(SUM(CASE WHEN response <> '' THEN 1 ELSE 0 END), 0) AS BIGINT) AS responses
FROM reviews WHERE loop_id = @loop_id;

-- name: DropEscalated :exec
-- Who has left the loop no longer decides what was escalated to them while they were in it:
-- what is open, and what may be asked again.
-- scans: what was ever escalated to one person in one loop, when they leave it.
DELETE FROM review_recipients WHERE review_recipients.person_id = @person_id AND review_recipients.loop_id = @loop_id AND reason = 'escalated'
  AND EXISTS (SELECT 1 FROM reviews r WHERE r.id = review_recipients.review_id AND (r.ended_at = 0 OR r.decision = 'needs_changes'));

-- name: DropOpenAnswers :many
-- Who was taken out, of a loop or with '' of all, has no say in what is still open. Only
-- who was asked has answered what takes several answers.
DELETE FROM review_votes WHERE review_votes.person_id = @person_id
  AND review_id IN (SELECT t.review_id FROM review_recipients t WHERE t.person_id = @person_id AND t.open = TRUE
    AND (CAST(@loop_id AS TEXT) = '' OR t.loop_id = @loop_id))
  AND review_votes.round = (SELECT r.round FROM reviews r WHERE r.id = review_votes.review_id)
RETURNING review_id;

-- name: DeleteRoundsIn :exec
-- scans: what is in the loop, which goes with it.
DELETE FROM review_rounds WHERE review_id IN (SELECT r.id FROM reviews r WHERE r.loop_id = @loop_id);

-- name: DeleteRecipientsIn :exec
-- scans: what is in the loop, which goes with it.
DELETE FROM review_recipients WHERE review_id IN (SELECT r.id FROM reviews r WHERE r.loop_id = @loop_id);

-- name: DeleteVotesIn :exec
-- scans: what is in the loop, which goes with it.
DELETE FROM review_votes WHERE review_id IN (SELECT r.id FROM reviews r WHERE r.loop_id = @loop_id);

-- name: DeleteReviewLinksIn :exec
DELETE FROM review_links WHERE review_id IN (SELECT r.id FROM reviews r WHERE r.loop_id = @loop_id);

-- name: DeleteReviewLinksOf :exec
DELETE FROM review_links WHERE person_id = @person_id;

-- name: DeleteUploadsNamedIn :exec
DELETE FROM review_uploads WHERE review_id IN (SELECT r.id FROM reviews r WHERE r.loop_id = @loop_id);

-- name: DeleteFeedbackIn :exec
-- scans: what is in the loop, which goes with it.
DELETE FROM review_feedback WHERE review_id IN (SELECT r.id FROM reviews r WHERE r.loop_id = @loop_id);

-- name: DeleteReviewsIn :exec
DELETE FROM reviews WHERE loop_id = @loop_id;

-- name: OpenByPerson :many
-- How many open requests each of some people has in hand, or was meant for.
SELECT meant.person_id, COUNT(*) AS open FROM (
  SELECT s.claimed_by AS person_id FROM subjects s
  WHERE s.claimed_by = ANY (ARRAY(SELECT json_array_elements_text(@ids))) AND s.claimed_by <> '' AND s.kind = 'review'
  UNION ALL
  SELECT p.person_id FROM review_recipients p JOIN reviews r ON r.id = p.review_id
  WHERE p.person_id = ANY (ARRAY(SELECT json_array_elements_text(@ids))) AND p.open = TRUE AND p.reason <> 'escalated'
    AND r.restricted = TRUE AND r.status = 'pending'
) AS meant GROUP BY meant.person_id;

-- name: UploadShownIn :one
-- Whether a request of these loops names a file, now or in an earlier round. What once
-- named it may have been changed since.
SELECT EXISTS (
  SELECT 1 FROM review_uploads n JOIN reviews r ON r.id = n.review_id
  WHERE n.upload_id = @upload_id AND n.loop_id = ANY (ARRAY(SELECT json_array_elements_text(@loops)))
    AND r.agent_id = @agent_id AND r.mode = 'live'
    AND (r.media LIKE CAST(@named AS TEXT) OR r.request_text LIKE CAST(@named AS TEXT) OR r.context LIKE CAST(@named AS TEXT)
      OR EXISTS (SELECT 1 FROM review_rounds e WHERE e.review_id = r.id
        AND (e.media LIKE CAST(@named AS TEXT) OR e.request_text LIKE CAST(@named AS TEXT) OR e.context LIKE CAST(@named AS TEXT))))
) AS shown;

-- name: UploadShownTo :one
-- The same of a request that a person was asked about, among so many that name the file.
SELECT EXISTS (
  SELECT 1 FROM (SELECT u.review_id FROM review_uploads u WHERE u.upload_id = @upload_id LIMIT CAST(@most AS BIGINT)) AS named
    CROSS JOIN review_recipients p CROSS JOIN reviews r
  WHERE p.review_id = named.review_id AND r.id = named.review_id AND p.person_id = @person_id
    AND r.agent_id = @agent_id AND r.mode = 'live'
    AND (r.media LIKE CAST(@named AS TEXT) OR r.request_text LIKE CAST(@named AS TEXT) OR r.context LIKE CAST(@named AS TEXT)
      OR EXISTS (SELECT 1 FROM review_rounds e WHERE e.review_id = r.id
        AND (e.media LIKE CAST(@named AS TEXT) OR e.request_text LIKE CAST(@named AS TEXT) OR e.context LIKE CAST(@named AS TEXT))))
) AS shown;
