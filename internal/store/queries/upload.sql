-- Uploaded files -----------------------------------------------------------------------

-- name: InsertUpload :exec
INSERT INTO uploads (id, agent_id, mode, name, mime, bytes, sha256, created_at)
VALUES (@id, @agent_id, @mode, @name, @mime, @bytes, @sha256, @created_at);

-- name: FindUpload :one
SELECT * FROM uploads WHERE id = @id;

-- name: AddUploaded :one
-- What an agent has uploaded in all, with what it uploads now.
INSERT INTO upload_totals (agent_id, bytes) VALUES (@agent_id, @bytes)
ON CONFLICT (agent_id) DO UPDATE SET bytes = upload_totals.bytes + excluded.bytes
RETURNING bytes;

-- name: UploadInUse :one
SELECT EXISTS (SELECT 1 FROM uploads WHERE sha256 = @sha) AS used;
