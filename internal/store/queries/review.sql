-- Review requests: their life.

-- name: InsertReview :exec
INSERT INTO reviews (
  id, loop_id, agent_id, key_id, mode, status, step, processing_type, type, priority, priority_rank, title, request_text,
  search_text, media, context, platform, platform_version, agent_name, response_type, response_config, default_response,
  on_timeout, timeout_seconds, callback_url, callback_secret, tags, action, action_digest, task_id, task_submission,
  review_mode, restricted, content_hash, claim_by, timeout_at, escalation_at, escalation_last, created_at, round_at, updated_at)
VALUES (
  @id, @loop_id, @agent_id, @key_id, @mode, 'pending', @step, @processing_type, @type, @priority, @priority_rank, @title, @request_text,
  @search_text, @media, @context, @platform, @platform_version, @agent_name, @response_type, @response_config, @default_response,
  @on_timeout, @timeout_seconds, @callback_url, @callback_secret, @tags, @action, @action_digest, @task_id, @task_submission,
  @review_mode, @restricted, @content_hash, @claim_by, @timeout_at, @escalation_at, @escalation_last, @created_at, @created_at, @created_at);

-- name: LockReview :one
SELECT * FROM reviews WHERE id = @id FOR UPDATE;

-- name: FindReview :one
SELECT * FROM reviews WHERE id = @id;

-- name: SaveReview :execrows
-- The one conditional update behind every change of a request: nobody else has moved it.
UPDATE reviews SET
  status = @status, status_rank = @status_rank, version = @version, seen_version = @seen_version, round = @round, step = @step,
  priority = @priority, priority_rank = @priority_rank, request_text = @request_text, search_text = @search_text, media = @media,
  context = @context, response_config = @response_config, default_response = @default_response, on_timeout = @on_timeout,
  timeout_seconds = @timeout_seconds, callback_url = @callback_url, tags = @tags, action = @action, action_digest = @action_digest,
  restricted = @restricted, claimed_by = @claimed_by, claimed_at = @claimed_at, lease_until = @lease_until, decide_by = @decide_by,
  claim_by = @claim_by, timeout_at = @timeout_at, warned = @warned, escalation_at = @escalation_at, escalation_step = @escalation_step,
  escalation_last = @escalation_last, response = @response, response_value = @response_value, effective = @effective,
  response_source = @response_source, decision = @decision, decided_by = @decided_by, decided_via = @decided_via, comment = @comment,
  edited_action = @edited_action, cancel_reason = @cancel_reason, audit_count = @audit_count, audit_head = @audit_head,
  round_at = @round_at, updated_at = @updated_at, ended_at = @ended_at
WHERE id = @id AND status = @from_status AND version = @from_version;
