package job_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
)

// Of 64 workers one owner has half.
const (
	allWorkers = 64
	oneShare   = 32
)

// hall is an effect that keeps its workers until the test lets one go, and tells who came.
type hall struct {
	mu    sync.Mutex
	names []string
	came  chan string
	leave chan struct{}
}

func newHall() *hall { return &hall{came: make(chan string, 1000), leave: make(chan struct{})} }

func (h *hall) enter(_ context.Context, j job.Job[string]) (job.Finish, error) {
	h.mu.Lock()
	h.names = append(h.names, j.Args)
	h.mu.Unlock()
	h.came <- j.Args
	<-h.leave
	return nil, nil
}

// wait is for so many to come, and counts them by name.
func (h *hall) wait(n int) map[string]int {
	by := map[string]int{}
	for range n {
		by[<-h.came]++
	}
	return by
}

// opened is a runner at work whose kind "call" enters the hall; the test lets all go at
// its end.
func opened(t *testing.T, s *store.Store, fill func()) *hall {
	t.Helper()
	h := newHall()
	r := runner(s, clock.NewFake(storetest.Start))
	due(t, r) // the periodic jobs of its own
	call.HandleEffect(r, 1, h.enter, nil)
	hook.HandleEffect(r, 1, h.enter, nil)
	r.Limit("hooks", 16, string(hook))
	fill()
	stop := running(t, r)
	t.Cleanup(func() { close(h.leave); stop() })
	return h
}

const (
	call job.Kind[string] = "call"
	hook job.Kind[string] = "hook"
)

// many enqueues one, and writes the others as it was written.
func many(t *testing.T, s *store.Store, n int, kind job.Kind[string], name string, o job.Options) {
	t.Helper()
	o.UniqueKey = ident.New("")
	require.NoError(t, s.Write(t.Context(), func(tx *store.Tx) error { return kind.Enqueue(t.Context(), tx, name, o) }))
	if n > 1 {
		storetest.Exec(t, s, `INSERT INTO jobs (id, kind, owner, priority, lane, args, state, run_at, created_at)
			WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < CAST($2 AS BIGINT))
			SELECT j.id || '_' || n.i, j.kind, j.owner, j.priority, j.lane, j.args, j.state, j.run_at, j.created_at
			FROM jobs j CROSS JOIN n WHERE j.unique_key = $1`, o.UniqueKey, n)
	}
	storetest.Exec(t, s, "UPDATE jobs SET unique_key = '' WHERE unique_key = $1", o.UniqueKey)
}

func TestPriority(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
		h := opened(t, s, func() {
			for i := range 100 {
				many(t, s, 10, call, "test", job.Options{Owner: fmt.Sprint("ag_", i), Priority: job.Test})
			}
			many(t, s, 3, call, "live", job.Options{Owner: "ag_late", RunAt: storetest.Start, Priority: job.Live})
		})
		require.Equal(t, map[string]int{"live": 3, "test": allWorkers - 3}, h.wait(allWorkers), "live ones first, however long test ones have waited")
	})
}

func TestShare(t *testing.T) {
	t.Run("leaves half the workers to others, even while there is nobody else", func(t *testing.T) {
		storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
			h := opened(t, s, func() { many(t, s, 10_000, call, "many", job.Options{Owner: "ag_many"}) })
			require.Equal(t, map[string]int{"many": oneShare}, h.wait(oneShare))
			many(t, s, 1, call, "one", job.Options{Owner: "ag_one"})
			require.Equal(t, map[string]int{"one": 1}, h.wait(1), "no worker had to become free")
			require.Len(t, h.names, oneShare+1)
		})
	})

	t.Run("gives another owner's one job its worker in the claim that finds ten thousand before it", func(t *testing.T) {
		storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
			h := opened(t, s, func() {
				many(t, s, 10_000, call, "many", job.Options{Owner: "ag_many"})
				many(t, s, 1, call, "one", job.Options{Owner: "ag_one"})
			})
			require.Equal(t, map[string]int{"many": oneShare, "one": 1}, h.wait(oneShare+1))
		})
	})

	t.Run("holds among the workers of limited kinds too", func(t *testing.T) {
		storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
			h := opened(t, s, func() {
				for i := range 100 {
					many(t, s, 10, hook, "many", job.Options{Owner: "ag_many", Lane: fmt.Sprint("host", i)})
				}
				many(t, s, 100, call, "call", job.Options{Owner: "ag_many"})
				many(t, s, 1, hook, "one", job.Options{Owner: "ag_one", Lane: "elsewhere"})
			})
			require.Equal(t, map[string]int{"many": 8, "one": 1, "call": oneShare}, h.wait(8+1+oneShare), "an owner's other jobs do not wait for its hosts")
		})
	})

	t.Run("is less where more owners wait", func(t *testing.T) {
		storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
			h := opened(t, s, func() {
				for _, name := range []string{"a", "b", "c", "d"} {
					many(t, s, 100, call, name, job.Options{Owner: "ag_" + name})
				}
			})
			require.Equal(t, map[string]int{"a": 16, "b": 16, "c": 16, "d": 16}, h.wait(allWorkers))
		})
	})

	t.Run("comes round to everybody, however many wait before them", func(t *testing.T) {
		storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
			h := opened(t, s, func() {
				for i := range 40 { // more than a claim compares
					many(t, s, 50, call, "many", job.Options{Owner: fmt.Sprintf("ag_%02d", i)})
				}
				many(t, s, 1, call, "last", job.Options{Owner: "ag_99", RunAt: storetest.Start.Add(-time.Minute)})
			})
			served := h.wait(allWorkers)
			for came := 0; served["last"] == 0; came++ {
				require.Less(t, came, 10, "it has waited longest of all")
				h.leave <- struct{}{}
				served[<-h.came]++
			}
		})
	})

	t.Run("is nothing that the house has", func(t *testing.T) {
		storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
			h := opened(t, s, func() { many(t, s, 1000, call, "house", job.Options{}) })
			require.Equal(t, map[string]int{"house": allWorkers}, h.wait(allWorkers))
		})
	})
}

// What comes due at one moment becomes ready in parts, and none of it is forgotten.
func TestManyThatComeDueAtOnceAllRun(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		r := settled(t, s, clk)
		call.Handle(r, func(context.Context, *store.Tx, job.Job[string]) error { return nil })
		at := clk.Now().Add(time.Minute)
		many(t, s, 2500, call, "", job.Options{RunAt: at})
		require.Zero(t, due(t, r))
		clk.Advance(time.Minute)
		require.Equal(t, 2500, due(t, r))
	})
}

// telling is a clock that says for how long somebody is about to wait.
type telling struct {
	*clock.Fake
	asked chan time.Duration
}

func (c telling) After(d time.Duration) <-chan time.Time {
	after := c.Fake.After(d)
	c.asked <- d
	return after
}

func TestTheLeaseIsTwentySecondsAndIsExtendedWhileTheWorkGoesOn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
		clk := telling{clock.NewFake(storetest.Start), make(chan time.Duration, 100)}
		h := newHall()
		r := runner(s, clk)
		due(t, r)
		for len(clk.asked) > 0 {
			<-clk.asked
		}
		var id string
		call.HandleEffect(r, 1, func(ctx context.Context, j job.Job[string]) (job.Finish, error) {
			id = j.ID
			return h.enter(ctx, j)
		}, nil)
		many(t, s, 1, call, "long", job.Options{})
		stop := running(t, r)
		defer func() { close(h.leave); stop() }()
		h.wait(1)
		extending := func() time.Duration {
			for {
				if d := <-clk.asked; d > time.Second {
					return d
				}
			}
		}
		pause := extending()
		require.Less(t, pause, 10*time.Second, "it may fail once and still be in time")
		require.Equal(t, store.Micros(storetest.Start.Add(20*time.Second)), find(t, s, id).LeaseUntil)
		clk.Advance(pause)
		extending()
		require.Equal(t, store.Micros(storetest.Start.Add(pause+20*time.Second)), find(t, s, id).LeaseUntil)
	})
}
