-- Uploaded files -----------------------------------------------------------------------

-- name: InsertUpload :exec
INSERT INTO uploads (id, agent_id, mode, name, mime, bytes, sha256, created_at)
VALUES (@id, @agent_id, @mode, @name, @mime, @bytes, @sha256, @created_at);

-- name: FindUpload :one
SELECT * FROM uploads WHERE id = @id;

-- name: UploadedBytes :one
SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM uploads WHERE agent_id = @agent_id;

-- name: UploadInUse :one
SELECT EXISTS (SELECT 1 FROM uploads WHERE sha256 = @sha) AS used;
