package app

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/store/storetest"
)

func TestASweepRemovesFilesThatNobodyKnows(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		h.clk.Set(time.Now().Add(time.Hour)) // the age of files is the file system's word
		o := h.task(h.live(), "MANUAL_REVIEW")
		kept := &reviewObject{loop: "default"}
		uploaded(h, kept)
		orphan, err := h.app.blobs.Put(t.Context(), strings.NewReader("cut off"), 100)
		require.NoError(t, err)
		h.work()
		file, err := h.app.blobs.Open(orphan.SHA256)
		require.NoError(t, err, "it may be on its way yet")
		require.NoError(t, file.Close())

		h.clk.Advance(48 * time.Hour)
		h.work()
		_, err = h.app.blobs.Open(orphan.SHA256)
		require.Error(t, err, "what no submission and no upload knows is gone")
		for _, path := range []string{"/api/v1/tasks/" + o.task + "/proof/1", "/api/v1/tasks/" + o.task + "/proof/1?size=thumb", "/v1/uploads/" + kept.upload} {
			require.Equal(t, 200, h.send(h.live(), "GET", path, nil).status, path)
		}
		known := storetest.Texts(t, h.app.store, "SELECT sha256 FROM proof_files UNION SELECT large_sha FROM proof_files UNION SELECT thumb_sha FROM proof_files UNION SELECT sha256 FROM uploads")
		require.Len(t, known, 3, "a photo, its small copy, and the uploaded file")
		for _, sha := range known {
			file, err := h.app.blobs.Open(sha)
			require.NoError(t, err)
			require.NoError(t, file.Close())
		}
	})
}
