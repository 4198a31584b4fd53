package job_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
)

// deadHosts is an effect that waits until the test lets go, and counts who waits.
type deadHosts struct {
	mu      sync.Mutex
	waiting int
	most    int
	full    chan struct{}
	release chan struct{}
	want    int
}

func newDeadHosts(want int) *deadHosts {
	return &deadHosts{full: make(chan struct{}), release: make(chan struct{}), want: want}
}

func (d *deadHosts) call(context.Context, job.Job[any]) (job.Finish, error) {
	d.mu.Lock()
	d.waiting++
	d.most = max(d.most, d.waiting)
	if d.waiting == d.want {
		close(d.full)
	}
	d.mu.Unlock()
	<-d.release
	d.mu.Lock()
	d.waiting--
	d.mu.Unlock()
	return nil, nil
}

func TestLimit(t *testing.T) {
	t.Run("lets timers run while every worker of a limited kind hangs", func(t *testing.T) {
		storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
			r := runner(s, clock.NewFake(storetest.Start))
			dead := newDeadHosts(16)
			job.Kind[any]("hook").HandleEffect(r, 3, dead.call, nil)
			job.Kind[any]("hook.other").HandleEffect(r, 3, dead.call, nil)
			r.Limit("hooks", 16, "hook")
			r.Limit("hooks", 16, "hook.other")
			var timers atomic.Int64
			all := make(chan struct{})
			job.Kind[any]("timer").Handle(r, func(_ context.Context, tx *store.Tx, _ job.Job[any]) error {
				tx.AfterCommit(func() {
					if timers.Add(1) == 40 {
						close(all)
					}
				})
				return nil
			})
			for i := range 40 {
				enqueue(t, s, "hook", nil, job.Options{Lane: fmt.Sprint("host", i)})
				enqueue(t, s, "hook.other", nil, job.Options{Lane: fmt.Sprint("host", i)})
			}
			defer running(t, r)()
			<-dead.full
			for range 40 {
				enqueue(t, s, "timer", nil, job.Options{})
			}
			<-all
			close(dead.release)
			require.Equal(t, 16, dead.most)
		})
	})

	t.Run("leaves workers to other hosts while four jobs wait for a dead one", func(t *testing.T) {
		storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
			r := runner(s, clock.NewFake(storetest.Start))
			dead := newDeadHosts(4)
			heard := make(chan struct{})
			job.Kind[string]("hook").HandleEffect(r, 3, func(ctx context.Context, j job.Job[string]) (job.Finish, error) {
				if j.Args == "dead" {
					return dead.call(ctx, job.Job[any]{})
				}
				close(heard)
				return nil, nil
			}, nil)
			r.Limit("hooks", 16, "hook")
			for range 100 {
				enqueue(t, s, "hook", "dead", job.Options{Lane: "dead"})
			}
			enqueue(t, s, "hook", "alive", job.Options{Lane: "alive"})
			defer running(t, r)()
			<-dead.full
			<-heard
			require.Equal(t, 4, dead.most)
			close(dead.release)
		})
	})

	t.Run("costs a job that its lane had no room for no attempt", func(t *testing.T) {
		storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
			r := settled(t, s, clk)
			var ran atomic.Int64
			job.Kind[any]("hook").HandleEffect(r, 1, func(_ context.Context, j job.Job[any]) (job.Finish, error) {
				require.Equal(t, 1, j.Attempt)
				ran.Add(1)
				return nil, nil
			}, nil)
			for range 11 {
				enqueue(t, s, "hook", nil, job.Options{Lane: "one"})
			}
			due(t, r)
			require.EqualValues(t, 11, ran.Load())
		})
	})
}

// running runs r until what it returns is called.
func running(t *testing.T, r *job.Runner) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = r.Run(ctx) })
	return func() { cancel(); wg.Wait() }
}
