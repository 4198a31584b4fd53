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
-- scans: the loops that a person gave settings, in an index of those alone.
SELECT settings FROM loops WHERE settings <> '{}' ORDER BY id;

-- name: CountLoopsOfAgent :one
SELECT COUNT(*) FROM loops WHERE agent_id = @agent_id;

-- name: ListAgentLoops :many
-- An agent's own of its key's mode, and the house's.
SELECT * FROM loops
WHERE agent_id IN (@agent_id, '') AND (agent_id = '' OR mode = @mode)
  AND (created_at, id) < (CAST(@before AS BIGINT), CAST(@before_id AS TEXT))
ORDER BY created_at DESC, id DESC LIMIT @row_limit OFFSET @row_offset;

-- name: CountAgentLoops :one
SELECT COUNT(*) FROM loops WHERE agent_id IN (@agent_id, '') AND (agent_id = '' OR mode = @mode);

-- name: ListOwnerLoops :many
SELECT * FROM loops
WHERE mode = 'live' AND (created_at, id) < (CAST(@before AS BIGINT), CAST(@before_id AS TEXT))
ORDER BY created_at DESC, id DESC LIMIT @row_limit OFFSET @row_offset;

-- name: CountOwnerLoops :one
SELECT COUNT(*) FROM (SELECT 1 FROM loops WHERE mode = 'live' LIMIT CAST(@count_to AS BIGINT)) AS counted;

-- name: ListPersonLoops :many
-- The cross join has SQLite begin with the person.
SELECT l.* FROM loop_members m CROSS JOIN loops l
WHERE l.id = m.loop_id AND m.person_id = @person_id AND m.status = 'active' AND l.mode = 'live'
  AND (l.created_at, l.id) < (CAST(@before AS BIGINT), CAST(@before_id AS TEXT))
ORDER BY l.created_at DESC, l.id DESC LIMIT @row_limit OFFSET @row_offset;

-- name: CountPersonLoops :one
SELECT COUNT(*) FROM loop_members m CROSS JOIN loops l
WHERE l.id = m.loop_id AND m.person_id = @person_id AND m.status = 'active' AND l.mode = 'live';

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

-- name: TouchAssigned :exec
UPDATE loop_members SET last_assigned_at = @last_assigned_at WHERE loop_id = @loop_id AND person_id = @person_id;

-- name: DeleteMembershipsOf :exec
DELETE FROM loop_members WHERE person_id = @person_id;

-- name: LoopsOfPerson :many
SELECT loop_id FROM loop_members WHERE person_id = @person_id;

-- name: SetCreator :exec
-- Loops of a creator who left go to an owner who is there.
UPDATE loops SET creator_id = @creator_id WHERE creator_id = @former_id;

-- name: ListMembers :many
SELECT * FROM loop_members WHERE loop_id = @loop_id ORDER BY created_at, person_id LIMIT 500;

-- name: CountMembers :one
SELECT CAST(COALESCE(SUM(CASE WHEN status = 'active' THEN 1 ELSE 0 END), 0) AS BIGINT) AS active,
  CAST(COALESCE(SUM(CASE WHEN status = 'pending' THEN 1 ELSE 0 END), 0) AS BIGINT) AS pending
FROM loop_members WHERE loop_id = @loop_id;

-- name: ActiveMember :one
SELECT EXISTS (SELECT 1 FROM loop_members WHERE loop_id = @loop_id AND person_id = @person_id AND status = 'active') AS active;

-- name: ActiveMemberIDs :many
SELECT person_id FROM loop_members WHERE loop_id = @loop_id AND status = 'active' ORDER BY created_at, person_id LIMIT 500;

-- name: ActiveMembers :many
-- With when they may be asked.
SELECT sqlc.embed(m),
  COALESCE(a.time_zone, '') AS time_zone, COALESCE(a.hours, '[]') AS hours,
  COALESCE(a.absent_from, 0) AS absent_from, COALESCE(a.absent_until, 0) AS absent_until
FROM loop_members m LEFT JOIN availability a ON a.person_id = m.person_id
WHERE m.loop_id = @loop_id AND m.status = 'active'
ORDER BY m.created_at, m.person_id LIMIT 500;

-- name: ActiveLoopsOf :many
SELECT loop_id FROM loop_members WHERE person_id = @person_id AND status = 'active';

-- name: HoldLoop :one
-- Keeps a loop from being deleted while a request is made in it.
SELECT id FROM loops WHERE id = @id FOR KEY SHARE;

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
-- scans: a house has few groups, and at most so many.
SELECT COUNT(*) FROM people_groups;

-- name: ListGroups :many
-- scans: the groups of the house, of which there are few.
SELECT * FROM people_groups
WHERE (created_at, id) > (CAST(@after AS BIGINT), CAST(@after_id AS TEXT))
ORDER BY created_at, id LIMIT @row_limit OFFSET @row_offset;

-- name: GroupMembers :many
SELECT person_id FROM people_group_members WHERE group_id = @group_id ORDER BY person_id LIMIT 200;

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

-- name: DeleteMembersIn :execrows
DELETE FROM loop_members WHERE loop_id = @loop_id;

-- name: DeleteInvitationsIn :exec
DELETE FROM loop_invitations WHERE loop_id = @loop_id;

-- name: DeleteLoop :execrows
DELETE FROM loops WHERE id = @id;
