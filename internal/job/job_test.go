package job_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
)

var (
	errBroken = errors.New("it is broken")
	errTwice  = errors.New("it was noted before")
)

type args struct{ N int }

func runner(s *store.Store, clk clock.Clock) *job.Runner {
	return job.NewRunner(s, clk, slog.New(slog.DiscardHandler))
}

func enqueue(t *testing.T, s *store.Store, kind string, a any, o job.Options) {
	t.Helper()
	require.NoError(t, s.Write(t.Context(), func(tx *store.Tx) error { return job.Kind[any](kind).Enqueue(t.Context(), tx, a, o) }))
}

// due runs what is due and returns how many runs that were, without the sweep's.
func due(t *testing.T, r *job.Runner) int {
	t.Helper()
	n, err := r.RunDue(t.Context())
	require.NoError(t, err)
	return n
}

// settled is a runner whose own periodic jobs have had their turn.
func settled(t *testing.T, s *store.Store, clk clock.Clock) *job.Runner {
	t.Helper()
	r := runner(s, clk)
	due(t, r)
	return r
}

func count(t *testing.T, s *store.Store, state string) (n int64) {
	t.Helper()
	require.NoError(t, s.Read(t.Context(), func(tx *store.Tx) (err error) {
		if n, err = tx.CountJobs(t.Context(), state); err == nil && state == "ready" {
			var later int64
			later, err = tx.CountJobs(t.Context(), "scheduled")
			n += later
		}
		return err
	}))
	return n
}

// note keeps a fact, which nothing can do twice.
func note(ctx context.Context, tx *store.Tx, name string) error {
	n, err := tx.AdvanceSlot(ctx, db.AdvanceSlotParams{Name: name, Slot: "1"})
	if err == nil && n == 0 {
		err = errTwice
	}
	return err
}

func noted(t *testing.T, s *store.Store, name string) bool {
	t.Helper()
	err := s.Read(t.Context(), func(tx *store.Tx) error { _, err := tx.GetFact(t.Context(), name); return err })
	if store.NotFound(err) {
		return false
	}
	require.NoError(t, err)
	return true
}

func TestHandle(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		r := settled(t, s, clk)
		var attempts []int
		fail := true
		job.Kind[args]("sum").Handle(r, func(ctx context.Context, tx *store.Tx, j job.Job[args]) error {
			require.Equal(t, 7, j.Args.N)
			attempts = append(attempts, j.Attempt)
			if err := note(ctx, tx, "done"); err != nil {
				return err
			}
			if fail {
				return errBroken
			}
			return nil
		})
		t.Run("undoes the effect of an attempt that fails, and tries again later", func(t *testing.T) {
			enqueue(t, s, "sum", args{7}, job.Options{})
			require.Equal(t, 1, due(t, r))
			require.False(t, noted(t, s, "done"))
			require.Zero(t, due(t, r), "not before the pause is over")
		})
		t.Run("completes with the effect, in one transaction", func(t *testing.T) {
			fail = false
			clk.Advance(time.Minute)
			require.Equal(t, 1, due(t, r))
			require.True(t, noted(t, s, "done"))
			require.Equal(t, []int{1, 2}, attempts)
			require.Zero(t, count(t, s, "ready")+count(t, s, "running")+count(t, s, "failed"))
		})
		t.Run("waits until a job is due", func(t *testing.T) {
			ran := 0
			job.Kind[any]("later").Handle(r, func(context.Context, *store.Tx, job.Job[any]) error { ran++; return nil })
			enqueue(t, s, "later", nil, job.Options{RunAt: clk.Now().Add(time.Hour)})
			require.Zero(t, due(t, r))
			clk.Advance(time.Hour)
			require.Equal(t, 1, due(t, r))
			require.Equal(t, 1, ran)
		})
		t.Run("runs a job that another one enqueued", func(t *testing.T) {
			job.Kind[any]("first").Handle(r, func(ctx context.Context, tx *store.Tx, _ job.Job[any]) error {
				return job.Kind[any]("second").Enqueue(ctx, tx, nil, job.Options{})
			})
			job.Kind[any]("second").Handle(r, func(ctx context.Context, tx *store.Tx, _ job.Job[any]) error { return note(ctx, tx, "second") })
			enqueue(t, s, "first", nil, job.Options{})
			require.Equal(t, 2, due(t, r))
			require.True(t, noted(t, s, "second"))
		})
		t.Run("takes a panic for a failure", func(t *testing.T) {
			job.Kind[any]("panics").Handle(r, func(context.Context, *store.Tx, job.Job[any]) error { panic("broken") })
			enqueue(t, s, "panics", nil, job.Options{})
			require.Equal(t, 1, due(t, r))
			require.EqualValues(t, 1, count(t, s, "ready"))
		})
	})
}

func TestUniqueKey(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		r := settled(t, s, clk)
		ran := 0
		job.Kind[any]("once").Handle(r, func(context.Context, *store.Tx, job.Job[any]) error { ran++; return nil })
		for range 3 {
			enqueue(t, s, "once", nil, job.Options{UniqueKey: "k"})
		}
		require.Equal(t, 1, due(t, r))
		enqueue(t, s, "once", nil, job.Options{UniqueKey: "k"})
		require.Equal(t, 1, due(t, r), "once it is done, the key is free again")
		require.Equal(t, 2, ran)

		t.Run("is free again after its job failed for good", func(t *testing.T) {
			job.Kind[any]("hopeless").HandleEffect(r, 1, func(context.Context, job.Job[any]) (job.Finish, error) {
				return nil, errBroken
			}, nil)
			for range 2 {
				enqueue(t, s, "hopeless", nil, job.Options{UniqueKey: "chain"})
				require.Equal(t, 1, due(t, r))
			}
			require.EqualValues(t, 2, count(t, s, "failed"))
		})
	})
}

// A job during which the process dies leaves no error behind, only spent attempts.
func TestAJobThatKillsTheProcessIsGivenUp(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		r := settled(t, s, clk)
		job.Kind[any]("deadly").HandleEffect(r, 2, func(context.Context, job.Job[any]) (job.Finish, error) {
			t.Error("it ran once more")
			return nil, nil
		}, func(ctx context.Context, tx *store.Tx, _ job.Job[any], _ error) error {
			return note(ctx, tx, "gave up")
		})
		enqueue(t, s, "deadly", nil, job.Options{})
		dieDuring(t, s, clk, "deadly", 21)
		due(t, r)
		require.True(t, noted(t, s, "gave up"))
	})
}

func TestAProcessKilledDuringAJobCostsTheJobNoAttempt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		r := settled(t, s, clk)
		job.Kind[any]("unlucky").HandleEffect(r, 2, func(_ context.Context, j job.Job[any]) (job.Finish, error) {
			require.Equal(t, 1, j.Attempt)
			return func(ctx context.Context, tx *store.Tx) error { return note(ctx, tx, "done") }, nil
		}, nil)
		enqueue(t, s, "unlucky", nil, job.Options{})
		dieDuring(t, s, clk, "unlucky", 20)
		due(t, r)
		require.True(t, noted(t, s, "done"))
	})
}

// dieDuring claims the only job and leaves it, as a killed process does, so many times.
func dieDuring(t *testing.T, s *store.Store, clk *clock.Fake, kind string, times int) {
	t.Helper()
	ctx := t.Context()
	for range times {
		require.NoError(t, s.Write(ctx, func(tx *store.Tx) error {
			now := store.Micros(clk.Now())
			_, err := tx.ReadyJobs(ctx, db.ReadyJobsParams{Now: now, Count: 1})
			require.NoError(t, err)
			jobs, err := tx.ClaimJobs(ctx, db.ClaimJobsParams{Kind: kind, LeaseBy: "the dead", LeaseUntil: now, Count: 1})
			require.Len(t, jobs, 1)
			if err == nil {
				_, err = tx.RescueJobs(ctx, db.RescueJobsParams{Now: now, LeaseBefore: now})
			}
			return err
		}))
		clk.Advance(10 * time.Minute) // each time it comes back later
	}
}

func TestHandleEffect(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		r := settled(t, s, clk)
		t.Run("records what the effect returned", func(t *testing.T) {
			job.Kind[any]("send").HandleEffect(r, 3, func(context.Context, job.Job[any]) (job.Finish, error) {
				return func(ctx context.Context, tx *store.Tx) error { return note(ctx, tx, "sent") }, nil
			}, nil)
			enqueue(t, s, "send", nil, job.Options{})
			require.Equal(t, 1, due(t, r))
			require.True(t, noted(t, s, "sent"))
		})
		t.Run("gives up after so many attempts, and keeps why", func(t *testing.T) {
			var attempts int
			var id string
			job.Kind[any]("fails").HandleEffect(r, 3, func(_ context.Context, j job.Job[any]) (job.Finish, error) {
				attempts, id = attempts+1, j.ID
				return nil, fmt.Errorf("attempt %d: %w", j.Attempt, errBroken)
			}, func(ctx context.Context, tx *store.Tx, j job.Job[any], cause error) error {
				require.ErrorIs(t, cause, errBroken)
				return note(ctx, tx, "gave up")
			})
			enqueue(t, s, "fails", nil, job.Options{})
			for range 10 {
				due(t, r)
				clk.Advance(time.Hour)
			}
			require.Equal(t, 3, attempts)
			require.True(t, noted(t, s, "gave up"))
			require.NoError(t, s.Read(t.Context(), func(tx *store.Tx) error {
				row, err := tx.GetJob(t.Context(), id)
				require.Equal(t, "failed", row.State)
				require.Equal(t, "attempt 3: it is broken", row.LastError)
				return err
			}))
		})
	})
}

// A process that dies between claim and completion leaves a job that is leased to it.
func TestLease(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		ctx := t.Context()
		r := settled(t, s, clk)
		job.Kind[any]("work").Handle(r, func(ctx context.Context, tx *store.Tx, _ job.Job[any]) error { return note(ctx, tx, "worked") })
		var claimed []db.Job
		claim := func(t *testing.T, kind string) {
			require.NoError(t, s.Write(ctx, func(tx *store.Tx) (err error) {
				if _, err = tx.ReadyJobs(ctx, db.ReadyJobsParams{Now: store.Micros(clk.Now()), Count: 1}); err != nil {
					return err
				}
				claimed, err = tx.ClaimJobs(ctx, db.ClaimJobsParams{Kind: kind, LeaseBy: "the dead", LeaseUntil: store.Micros(clk.Now().Add(time.Minute)), Count: 1})
				return err
			}))
			require.Len(t, claimed, 1)
		}
		t.Run("keeps a claimed job from others until it ends", func(t *testing.T) {
			enqueue(t, s, "work", nil, job.Options{})
			claim(t, "work")
			require.Zero(t, due(t, r))
			clk.Advance(time.Minute)
			require.Equal(t, 1, due(t, r))
			require.True(t, noted(t, s, "worked"))
		})
		t.Run("is a fence: what another one has claimed meanwhile stays its own", func(t *testing.T) {
			var finished, retried bool
			job.Kind[bool]("fenced").HandleEffect(r, 5, func(_ context.Context, j job.Job[bool]) (job.Finish, error) {
				expire(t, s)
				require.NoError(t, s.Write(ctx, func(tx *store.Tx) error {
					now := store.Micros(clk.Now())
					_, err := tx.RescueJobs(ctx, db.RescueJobsParams{Now: now, LeaseBefore: now})
					return err
				}))
				claim(t, "fenced")
				if retried = j.Args; retried {
					return nil, errBroken
				}
				return func(context.Context, *store.Tx) error { finished = true; return nil }, nil
			}, nil)
			for _, fails := range []bool{false, true} {
				enqueue(t, s, "fenced", fails, job.Options{})
				require.Equal(t, 1, due(t, r))
				require.Equal(t, fails, retried)
				require.False(t, finished)
				require.NoError(t, s.Write(ctx, func(tx *store.Tx) error {
					n, err := tx.CompleteJob(ctx, db.CompleteJobParams{ID: claimed[0].ID, LeaseBy: "the dead"})
					require.EqualValues(t, 1, n, "it still has the claim")
					return err
				}))
			}
		})
		t.Run("lost in the middle of an effect leaves the completion to the other runner", func(t *testing.T) {
			other := runner(s, clk)
			var finished []string
			work := func(who string, during func()) job.Outside[any] {
				return func(context.Context, job.Job[any]) (job.Finish, error) {
					during()
					return func(context.Context, *store.Tx) error { finished = append(finished, who); return nil }, nil
				}
			}
			job.Kind[any]("slow").HandleEffect(other, 5, work("other", func() {}), nil)
			job.Kind[any]("slow").HandleEffect(r, 5, work("first", func() {
				// The other process sees the lease end while this one is stuck.
				_, err := other.RunDue(ctx)
				require.NoError(t, err)
				expire(t, s)
				_, err = other.RunDue(ctx)
				require.NoError(t, err)
			}), nil)
			enqueue(t, s, "slow", nil, job.Options{})
			require.Equal(t, 1, due(t, r))
			require.Equal(t, []string{"other"}, finished)
			require.Zero(t, count(t, s, "ready")+count(t, s, "running"))
		})
	})
}

// expire ends every lease.
func expire(t *testing.T, s *store.Store) {
	t.Helper()
	storetest.Exec(t, s, "UPDATE jobs SET lease_until = 1 WHERE state = 'running'")
}

func TestEvery(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		ran := 0
		replicas := []*job.Runner{runner(s, clk), runner(s, clk), runner(s, clk)}
		for _, r := range replicas {
			r.Every("beat", time.Minute, func(context.Context, *store.Tx) error { ran++; return nil })
		}
		for slot := 1; slot <= 3; slot++ {
			for range 2 {
				for _, r := range replicas {
					due(t, r)
				}
			}
			require.Equal(t, slot, ran)
			clk.Advance(time.Minute)
		}
	})
}

func TestRun(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
		const n = 100
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var ran atomic.Int64
		all := make(chan struct{})
		var running sync.WaitGroup
		for range 2 {
			r := runner(s, clock.NewFake(storetest.Start))
			job.Kind[any]("work").Handle(r, func(ctx context.Context, tx *store.Tx, j job.Job[any]) error {
				tx.AfterCommit(func() {
					if ran.Add(1) == n {
						close(all)
					}
				})
				return note(ctx, tx, j.ID)
			})
			running.Go(func() { _ = r.Run(ctx) })
		}
		for range n {
			enqueue(t, s, "work", nil, job.Options{})
		}
		<-all
		stop()
		running.Wait()
		require.EqualValues(t, n, ran.Load(), "each job once, though two runners share them and no clock moved")
		require.Empty(t, storetest.Texts(t, s, "SELECT state FROM jobs WHERE kind = 'work'"), "the runners' own may be in the middle")
	})
}

// Stopping in the middle of an outside effect gives the job back at once.
func TestStop(t *testing.T) {
	s := storetest.Open(t)
	clk := clock.NewFake(storetest.Start)
	r := settled(t, s, clk)
	ctx, stop := context.WithCancel(t.Context())
	job.Kind[any]("slow").HandleEffect(r, 3, func(ctx context.Context, _ job.Job[any]) (job.Finish, error) {
		stop()
		<-ctx.Done()
		return nil, ctx.Err()
	}, nil)
	enqueue(t, s, "slow", nil, job.Options{})
	require.NoError(t, r.Run(ctx))
	require.EqualValues(t, 1, count(t, s, "ready"))
	var attempts []int64
	require.NoError(t, s.Write(t.Context(), func(tx *store.Tx) error {
		jobs, err := tx.ClaimJobs(t.Context(), db.ClaimJobsParams{Kind: "slow", LeaseBy: "the next", LeaseUntil: 1, Count: 10})
		for _, j := range jobs {
			attempts = append(attempts, j.Attempts)
		}
		return err
	}))
	require.Equal(t, []int64{1}, attempts, "an attempt broken off by the stop does not count")
}

// A slow effect keeps its own worker; what comes later does not wait for it.
func TestSlow(t *testing.T) {
	s := storetest.Open(t)
	r := runner(s, clock.NewFake(storetest.Start))
	ctx, stop := context.WithCancel(t.Context())
	started, done := make(chan struct{}), make(chan struct{})
	job.Kind[any]("slow").HandleEffect(r, 3, func(context.Context, job.Job[any]) (job.Finish, error) {
		close(started)
		<-done
		stop()
		return nil, nil
	}, nil)
	job.Kind[any]("quick").Handle(r, func(_ context.Context, tx *store.Tx, _ job.Job[any]) error {
		tx.AfterCommit(func() { close(done) })
		return nil
	})
	enqueue(t, s, "slow", nil, job.Options{})
	var running sync.WaitGroup
	running.Go(func() { _ = r.Run(ctx) })
	<-started
	enqueue(t, s, "quick", nil, job.Options{})
	running.Wait()
	<-done
}
