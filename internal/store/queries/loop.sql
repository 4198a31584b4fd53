-- Loops ------------------------------------------------------------------------------

-- name: InsertLoop :execrows
-- No row when the slug, or the house's special loop, is taken.
INSERT INTO loops (id, slug, agent_id, mode, kind, creator_id, name, description, icon, settings, created_at, updated_at)
VALUES (@id, @slug, @agent_id, @mode, @kind, @creator_id, @name, @description, @icon, @settings, @created_at, @created_at)
ON CONFLICT DO NOTHING;

-- name: YieldSlug :exec
-- A loop of another agent's test mode gives its slug up.
UPDATE loops SET slug = @instead WHERE slug = @slug AND mode = 'test' AND agent_id <> @agent_id;

-- name: LoopByID :one
SELECT * FROM loops WHERE id = @id;

-- name: LoopsByIDs :many
SELECT * FROM loops WHERE id = ANY (ARRAY(SELECT json_array_elements_text(@ids)));

-- name: LoopBySlug :one
SELECT * FROM loops WHERE slug = @slug;

-- name: LockLoop :one
SELECT * FROM loops WHERE id = @id FOR UPDATE;

-- name: LoopOfKind :one
SELECT * FROM loops WHERE kind = @kind AND kind <> 'loop';

-- name: UpdateLoop :execrows
UPDATE loops SET name = @name, description = @description, icon = @icon, settings = @settings,
  version = version + 1, updated_at = @updated_at
WHERE id = @id AND version = @version;

-- name: SettingsOfLoops :many
SELECT settings FROM loops WHERE settings <> '{}';

-- name: CountLoopsOfAgent :one
SELECT COUNT(*) FROM loops WHERE agent_id = @agent_id;

-- name: ListAgentLoops :many
-- An agent's own of its key's mode, and the house's.
SELECT * FROM loops
WHERE ((agent_id = @agent_id AND mode = @mode) OR agent_id = '')
  AND (created_at < @before OR (created_at = @before AND id < @before_id))
ORDER BY created_at DESC, id DESC LIMIT @row_limit OFFSET @row_offset;

-- name: CountAgentLoops :one
SELECT COUNT(*) FROM loops WHERE (agent_id = @agent_id AND mode = @mode) OR agent_id = '';

-- name: ListOwnerLoops :many
SELECT * FROM loops
WHERE mode = 'live' AND (created_at < @before OR (created_at = @before AND id < @before_id))
ORDER BY created_at DESC, id DESC LIMIT @row_limit OFFSET @row_offset;

-- name: CountOwnerLoops :one
SELECT COUNT(*) FROM loops WHERE mode = 'live';

-- name: ListPersonLoops :many
SELECT l.* FROM loops l JOIN loop_members m ON m.loop_id = l.id
WHERE m.person_id = @person_id AND m.status = 'active' AND l.mode = 'live'
  AND (l.created_at < @before OR (l.created_at = @before AND l.id < @before_id))
ORDER BY l.created_at DESC, l.id DESC LIMIT @row_limit OFFSET @row_offset;

-- name: CountPersonLoops :one
SELECT COUNT(*) FROM loops l JOIN loop_members m ON m.loop_id = l.id
WHERE m.person_id = @person_id AND m.status = 'active' AND l.mode = 'live';

-- name: CountOpenReviewsIn :one
SELECT COUNT(*) FROM reviews WHERE loop_id = @loop_id AND status IN ('pending', 'claimed');

-- name: CountOpenAnswersIn :one
SELECT COUNT(*) FROM review_votes v JOIN reviews r ON r.id = v.review_id
WHERE r.loop_id = @loop_id AND r.status IN ('pending', 'claimed') AND v.round = r.round;

-- name: CountReviewsIn :one
SELECT COUNT(*) AS requests, CAST(COALESCE(SUM(CASE WHEN response <> '' THEN 1 ELSE 0 END), 0) AS BIGINT) AS responses
FROM reviews WHERE loop_id = @loop_id;

-- Members ----------------------------------------------------------------------------

-- name: InsertMember :execrows
INSERT INTO loop_members (loop_id, person_id, status, role, added_by, created_at, joined_at)
VALUES (@loop_id, @person_id, @status, @role, @added_by, @created_at, @joined_at)
ON CONFLICT DO NOTHING;

-- name: AdmitMember :execrows
-- Whoever waits becomes active; the role changes when one is given.
UPDATE loop_members SET status = 'active', added_by = @added_by,
  joined_at = CASE WHEN joined_at = 0 THEN CAST(@now AS BIGINT) ELSE joined_at END,
  role = CASE WHEN CAST(@role AS TEXT) = '' THEN role ELSE CAST(@role AS TEXT) END
WHERE loop_id = @loop_id AND person_id = @person_id;

-- name: MemberOf :one
SELECT * FROM loop_members WHERE loop_id = @loop_id AND person_id = @person_id;

-- name: DeleteMember :execrows
DELETE FROM loop_members WHERE loop_id = @loop_id AND person_id = @person_id;

-- name: DropEscalated :exec
-- Who has left the loop no longer decides what was escalated to them while they were in it:
-- what is open, and what may be asked again.
DELETE FROM review_recipients WHERE person_id = @person_id AND reason = 'escalated'
  AND review_id IN (SELECT r.id FROM reviews r WHERE r.loop_id = @loop_id AND (r.ended_at = 0 OR r.decision = 'needs_changes'));

-- name: DropOpenAnswers :many
-- Who was taken out, of a loop or with '' of all, has no say in what is still open.
DELETE FROM review_votes WHERE person_id = @person_id AND EXISTS (
  SELECT 1 FROM reviews r WHERE r.id = review_votes.review_id AND r.round = review_votes.round AND r.ended_at = 0
    AND (CAST(@loop_id AS TEXT) = '' OR r.loop_id = @loop_id))
RETURNING review_id;

-- name: CountMembers :one
SELECT CAST(COALESCE(SUM(CASE WHEN m.status = 'active' THEN 1 ELSE 0 END), 0) AS BIGINT) AS active,
  CAST(COALESCE(SUM(CASE WHEN m.status = 'pending' THEN 1 ELSE 0 END), 0) AS BIGINT) AS pending
FROM loop_members m JOIN people p ON p.id = m.person_id
WHERE m.loop_id = @loop_id AND p.removed_at = 0;

-- name: ListMembers :many
SELECT sqlc.embed(m), sqlc.embed(p), (
  SELECT COUNT(*) FROM loop_passkeys k JOIN passkeys y ON y.id = k.passkey_id
  WHERE k.loop_id = m.loop_id AND y.person_id = m.person_id
) AS enrolled
FROM loop_members m JOIN people p ON p.id = m.person_id
WHERE m.loop_id = @loop_id AND p.removed_at = 0
ORDER BY m.created_at, m.person_id LIMIT 500;

-- name: GetMember :one
SELECT sqlc.embed(m), sqlc.embed(p), (
  SELECT COUNT(*) FROM loop_passkeys k JOIN passkeys y ON y.id = k.passkey_id
  WHERE k.loop_id = m.loop_id AND y.person_id = m.person_id
) AS enrolled
FROM loop_members m JOIN people p ON p.id = m.person_id
WHERE m.loop_id = @loop_id AND m.person_id = @person_id;

-- name: CountActiveMember :one
SELECT COUNT(*) FROM loop_members m JOIN people p ON p.id = m.person_id
WHERE m.loop_id = @loop_id AND m.person_id = @person_id AND m.status = 'active' AND p.removed_at = 0;

-- name: ActiveMembers :many
-- With what routing needs: availability, who was last, and how much each has before them.
SELECT sqlc.embed(m), sqlc.embed(p),
  COALESCE(a.time_zone, '') AS time_zone, COALESCE(a.hours, '[]') AS hours,
  COALESCE(a.absent_from, 0) AS absent_from, COALESCE(a.absent_until, 0) AS absent_until,
  (SELECT COUNT(*) FROM loop_passkeys k JOIN passkeys y ON y.id = k.passkey_id
   WHERE k.loop_id = m.loop_id AND y.person_id = m.person_id) AS enrolled,
  CAST((SELECT COUNT(*) FROM reviews r WHERE r.claimed_by = m.person_id)
  + (SELECT COUNT(*) FROM reviews r JOIN review_recipients t ON t.review_id = r.id
     WHERE t.person_id = m.person_id AND t.reason <> 'escalated' AND r.restricted = TRUE AND r.status = 'pending') AS BIGINT) AS open_reviews
FROM loop_members m JOIN people p ON p.id = m.person_id
LEFT JOIN availability a ON a.person_id = m.person_id
WHERE m.loop_id = @loop_id AND m.status = 'active' AND p.removed_at = 0
ORDER BY m.created_at, m.person_id LIMIT 500;

-- name: TouchAssigned :exec
UPDATE loop_members SET last_assigned_at = @last_assigned_at WHERE loop_id = @loop_id AND person_id = @person_id;

-- name: DeleteMembershipsOf :exec
DELETE FROM loop_members WHERE person_id = @person_id;

-- name: LoopsOfPerson :many
SELECT loop_id FROM loop_members WHERE person_id = @person_id;

-- name: OwnersOutside :many
-- Owners who are not in a loop.
SELECT p.* FROM people p
WHERE p.is_owner = TRUE AND p.removed_at = 0 AND p.simulated = FALSE
  AND NOT EXISTS (SELECT 1 FROM loop_members m WHERE m.loop_id = @loop_id AND m.person_id = p.id)
ORDER BY p.created_at, p.id;

-- name: SetCreator :exec
-- Loops of a creator who left go to an owner who is there.
UPDATE loops SET creator_id = @creator_id WHERE creator_id = @former_id;

-- Invitations ------------------------------------------------------------------------

-- name: InsertInvitation :exec
INSERT INTO loop_invitations (id, loop_id, code_hash, admits, created_by, created_at, expires_at)
VALUES (@id, @loop_id, @code_hash, @admits, @created_by, @created_at, @expires_at);

-- name: InvitationByHash :one
SELECT sqlc.embed(i), sqlc.embed(l)
FROM loop_invitations i JOIN loops l ON l.id = i.loop_id
WHERE i.code_hash = @code_hash AND i.revoked_at = 0 AND i.expires_at > @now;

-- name: RevokeInvitations :execrows
UPDATE loop_invitations SET revoked_at = @revoked_at WHERE loop_id = @loop_id AND revoked_at = 0 AND expires_at > @revoked_at;

-- name: CountInvitations :one
SELECT COUNT(*) FROM loop_invitations WHERE loop_id = @loop_id AND revoked_at = 0 AND expires_at > @now;

-- name: DeleteDeadInvitations :exec
DELETE FROM loop_invitations WHERE loop_id = @loop_id AND (revoked_at <> 0 OR expires_at <= @now);

-- name: LoopsWaitedFor :many
-- In which a person waits to be admitted.
SELECT l.name FROM loops l JOIN loop_members m ON m.loop_id = l.id
WHERE m.person_id = @person_id AND m.status = 'pending' ORDER BY m.created_at, l.id LIMIT 100;

-- Groups -----------------------------------------------------------------------------

-- name: InsertGroup :execrows
INSERT INTO people_groups (id, name, name_key, created_at) VALUES (@id, @name, @name_key, @created_at)
ON CONFLICT DO NOTHING;

-- name: GroupNamed :one
-- By id or by name.
SELECT * FROM people_groups WHERE id = @id OR name_key = @name_key ORDER BY id LIMIT 1;

-- name: CountGroups :one
SELECT COUNT(*) FROM people_groups;

-- name: ListGroups :many
SELECT * FROM people_groups
WHERE created_at > @after OR (created_at = @after AND id > @after_id)
ORDER BY created_at, id LIMIT @row_limit OFFSET @row_offset;

-- name: GroupMembers :many
SELECT p.* FROM people_group_members g JOIN people p ON p.id = g.person_id
WHERE g.group_id = @group_id AND p.removed_at = 0 ORDER BY p.created_at, p.id LIMIT 200;

-- name: InsertGroupMember :exec
INSERT INTO people_group_members (group_id, person_id) VALUES (@group_id, @person_id) ON CONFLICT DO NOTHING;

-- name: DeleteGroupMembers :exec
DELETE FROM people_group_members WHERE group_id = @group_id;

-- name: DeleteGroup :execrows
DELETE FROM people_groups WHERE id = @id;

-- name: DeleteGroupMembershipsOf :exec
DELETE FROM people_group_members WHERE person_id = @person_id;

-- Availability -----------------------------------------------------------------------

-- name: AvailabilityOf :one
SELECT * FROM availability WHERE person_id = @person_id;

-- name: TimeZoneOf :one
SELECT time_zone FROM availability WHERE person_id = @person_id;

-- name: PutAvailability :exec
INSERT INTO availability (person_id, time_zone, hours, absent_from, absent_until, updated_at)
VALUES (@person_id, @time_zone, @hours, @absent_from, @absent_until, @updated_at)
ON CONFLICT (person_id) DO UPDATE SET time_zone = excluded.time_zone, hours = excluded.hours,
  absent_from = excluded.absent_from, absent_until = excluded.absent_until, updated_at = excluded.updated_at;

-- Deleting a loop ------------------------------------------------------------------------

-- name: DeleteRoundsIn :exec
DELETE FROM review_rounds WHERE review_id IN (SELECT r.id FROM reviews r WHERE r.loop_id = @loop_id);

-- name: DeleteRecipientsIn :exec
DELETE FROM review_recipients WHERE review_id IN (SELECT r.id FROM reviews r WHERE r.loop_id = @loop_id);

-- name: DeleteVotesIn :exec
DELETE FROM review_votes WHERE review_id IN (SELECT r.id FROM reviews r WHERE r.loop_id = @loop_id);

-- name: DeleteReviewLinksIn :exec
DELETE FROM review_links WHERE review_id IN (SELECT r.id FROM reviews r WHERE r.loop_id = @loop_id);

-- name: DeleteReviewLinksOf :exec
DELETE FROM review_links WHERE person_id = @person_id;

-- name: DeleteFeedbackIn :exec
DELETE FROM review_feedback WHERE review_id IN (SELECT r.id FROM reviews r WHERE r.loop_id = @loop_id);

-- name: DeleteReceiptsIn :exec
DELETE FROM receipts WHERE review_id IN (SELECT r.id FROM reviews r WHERE r.loop_id = @loop_id);

-- name: DeleteReviewsIn :exec
DELETE FROM reviews WHERE loop_id = @loop_id;

-- name: DeleteMembersIn :execrows
DELETE FROM loop_members WHERE loop_id = @loop_id;

-- name: DeleteLoopPasskeysIn :exec
DELETE FROM loop_passkeys WHERE loop_id = @loop_id;

-- name: DeleteInvitationsIn :exec
DELETE FROM loop_invitations WHERE loop_id = @loop_id;

-- name: DeleteDeliveriesIn :exec
-- A deleted loop's addresses have nothing more to hear.
DELETE FROM webhook_deliveries WHERE webhook_id IN (SELECT w.id FROM webhooks w WHERE w.loop_id = CAST(@loop_id AS TEXT));

-- name: DeleteWebhooksIn :exec
DELETE FROM webhooks WHERE loop_id = CAST(@loop_id AS TEXT);

-- name: DeleteLoop :execrows
DELETE FROM loops WHERE id = @id;
