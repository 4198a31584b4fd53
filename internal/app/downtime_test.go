package app

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

func TestReplicasThatStartTogetherGiveTheLostTimeBackOnce(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		accepted := h.task(h.live(), "ACCEPTED")
		deadline, startBy := h.times(t, accepted)
		h.clk.Advance(3 * time.Hour)
		var replicas errgroup.Group
		for range 8 {
			replicas.Go(func() error { return h.app.resume(t.Context()) })
		}
		require.NoError(t, replicas.Wait())
		moved, start := h.times(t, accepted)
		require.Equal(t, deadline.Add(3*time.Hour), moved)
		require.Equal(t, startBy.Add(3*time.Hour), start)
	})
}

func TestAStartRemovesBackupsThatWereCutOff(t *testing.T) {
	h := newHouse(t)
	h.close()
	left := filepath.Join(h.dir, ".backup-1")
	require.NoError(t, os.Mkdir(left, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(left, "humanops.db"), []byte("a copy"), 0o600))
	h.open()
	require.NoDirExists(t, left)
}
