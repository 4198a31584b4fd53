package job_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
)

// BenchmarkRun is what a job costs that writes one row, where all are of one owner and
// where they are of many.
func BenchmarkRun(b *testing.B) {
	for _, owners := range []int{1, 100} {
		b.Run(fmt.Sprintf("sqlite, %d owners", owners), func(b *testing.B) { benchRun(b, storetest.OpenAt(b, clock.System()), owners) })
		b.Run(fmt.Sprintf("postgres, %d owners", owners), func(b *testing.B) { benchRun(b, storetest.OpenPostgres(b, clock.System()), owners) })
	}
}

func benchRun(b *testing.B, s *store.Store, owners int) {
	const kind job.Kind[int] = "bench"
	ctx, stop := context.WithCancel(b.Context())
	r := runner(s, clock.System())
	var ran atomic.Int64
	all := make(chan struct{})
	kind.Handle(r, func(ctx context.Context, tx *store.Tx, j job.Job[int]) error {
		tx.AfterCommit(func() {
			if ran.Add(1) == int64(b.N) {
				close(all)
			}
		})
		return note(ctx, tx, j.ID)
	})
	for from := 0; from < b.N; from += 500 {
		require.NoError(b, s.Write(ctx, func(tx *store.Tx) error {
			for i := from; i < min(from+500, b.N); i++ {
				if err := kind.Enqueue(ctx, tx, i, job.Options{Owner: fmt.Sprint("ag_", i%owners)}); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	b.ResetTimer()
	ended := make(chan struct{})
	go func() { _ = r.Run(ctx); close(ended) }()
	<-all
	stop()
	<-ended
}
