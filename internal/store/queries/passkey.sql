-- name: InsertPasskey :execrows
-- No row when the credential is registered already.
INSERT INTO passkeys (id, person_id, name, credential, created_at)
VALUES (@id, @person_id, @name, @credential, @created_at)
ON CONFLICT DO NOTHING;

-- name: PasskeysOf :many
SELECT * FROM passkeys WHERE person_id = @person_id ORDER BY created_at, id LIMIT 100;

-- name: UsePasskey :execrows
UPDATE passkeys SET credential = @credential, last_used_at = @last_used_at WHERE id = @id AND person_id = @person_id;

-- name: DeletePasskey :execrows
DELETE FROM passkeys WHERE id = @id AND person_id = @person_id;

-- name: InsertCeremony :exec
INSERT INTO passkey_ceremonies (id, person_id, purpose, subject, session, created_at, expires_at)
VALUES (@id, @person_id, @purpose, @subject, @session, @created_at, @expires_at);

-- name: TakeCeremony :one
-- A ceremony is used once: whoever deletes the row has it.
DELETE FROM passkey_ceremonies
WHERE id = @id AND person_id = @person_id AND purpose = @purpose AND expires_at > @now
RETURNING *;

-- name: DeleteDeadCeremonies :exec
DELETE FROM passkey_ceremonies WHERE person_id = @person_id AND expires_at <= @now;

-- name: SweepCeremonies :exec
DELETE FROM passkey_ceremonies WHERE expires_at <= @now;

-- name: DeleteOldestCeremonies :exec
-- Leaves room for one more.
DELETE FROM passkey_ceremonies WHERE id IN (
  SELECT c.id FROM passkey_ceremonies c WHERE c.person_id = @person_id
  ORDER BY c.created_at DESC, c.id DESC LIMIT 1000 OFFSET @keep);

-- name: DeleteCeremoniesOf :exec
DELETE FROM passkey_ceremonies WHERE person_id = @person_id;

-- name: DeletePasskeysOf :exec
DELETE FROM passkeys WHERE person_id = @person_id;

-- name: EnrolPasskey :exec
INSERT INTO loop_passkeys (loop_id, passkey_id, enrolled_by, enrolled_at)
VALUES (@loop_id, @passkey_id, @enrolled_by, @enrolled_at)
ON CONFLICT DO NOTHING;

-- name: PasskeyEnrolled :one
SELECT COUNT(*) FROM loop_passkeys WHERE loop_id = @loop_id AND passkey_id = @passkey_id;

-- name: PersonEnrolled :one
SELECT COUNT(*) FROM loop_passkeys l JOIN passkeys p ON p.id = l.passkey_id
WHERE l.loop_id = @loop_id AND p.person_id = @person_id;

-- name: EnrolmentsOfPasskey :one
SELECT COUNT(*) FROM loop_passkeys WHERE passkey_id = @passkey_id;

-- name: EnrolmentsBeyond :one
-- In how many loops one passkey counts and another does not.
SELECT COUNT(*) FROM loop_passkeys a
WHERE a.passkey_id = @passkey_id AND NOT EXISTS (
  SELECT 1 FROM loop_passkeys b WHERE b.loop_id = a.loop_id AND b.passkey_id = @other_id);

-- name: DeleteEnrolments :exec
DELETE FROM loop_passkeys WHERE passkey_id = @passkey_id;

-- name: DeleteEnrolmentsOf :exec
DELETE FROM loop_passkeys WHERE passkey_id IN (SELECT p.id FROM passkeys p WHERE p.person_id = @person_id);

-- name: DeleteEnrolmentsIn :exec
-- Of one person in one loop.
DELETE FROM loop_passkeys WHERE loop_id = @loop_id AND passkey_id IN (SELECT p.id FROM passkeys p WHERE p.person_id = @person_id);

-- name: DeleteLoopPasskeysIn :exec
DELETE FROM loop_passkeys WHERE loop_id = @loop_id;

-- name: EnrolledIn :many
-- Whose passkeys count in a loop.
SELECT DISTINCT p.person_id FROM loop_passkeys l JOIN passkeys p ON p.id = l.passkey_id WHERE l.loop_id = @loop_id;
