-- Uploaded files -----------------------------------------------------------------------

-- name: InsertUpload :exec
INSERT INTO uploads (id, agent_id, mode, name, mime, bytes, sha256, created_at)
VALUES (@id, @agent_id, @mode, @name, @mime, @bytes, @sha256, @created_at);

-- name: FindUpload :one
SELECT * FROM uploads WHERE id = @id;

-- name: UploadedBytes :one
SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM uploads WHERE agent_id = @agent_id;

-- name: UploadShownTo :one
-- Whether a request that the person may see, or one of its earlier rounds, names the
-- file. A request names it only after it was uploaded.
SELECT EXISTS (
  SELECT 1 FROM reviews r
  WHERE r.agent_id = @agent_id AND r.mode = 'live' AND r.updated_at >= @uploaded_at
    AND (EXISTS (SELECT 1 FROM loop_members m WHERE m.loop_id = r.loop_id AND m.person_id = @person_id AND m.status = 'active')
      OR EXISTS (SELECT 1 FROM review_recipients p WHERE p.review_id = r.id AND p.person_id = @person_id))
    AND (r.media LIKE CAST(@named AS TEXT) OR r.request_text LIKE CAST(@named AS TEXT) OR r.context LIKE CAST(@named AS TEXT)
      OR EXISTS (SELECT 1 FROM review_rounds e WHERE e.review_id = r.id
        AND (e.media LIKE CAST(@named AS TEXT) OR e.request_text LIKE CAST(@named AS TEXT) OR e.context LIKE CAST(@named AS TEXT))))
) AS shown;

-- name: UploadInUse :one
SELECT EXISTS (SELECT 1 FROM uploads WHERE sha256 = @sha) AS used;
