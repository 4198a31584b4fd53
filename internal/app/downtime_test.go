package app

import (
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
