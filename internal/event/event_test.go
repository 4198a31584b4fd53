package event_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/event"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/internal/trail"
	"humanops-mcp/schemas"
)

func feed(s *store.Store, clk clock.Clock) *event.Feed {
	return event.NewFeed(s, clk, slog.New(slog.DiscardHandler))
}

func record(t *testing.T, s *store.Store, kind, subject string) {
	t.Helper()
	require.NoError(t, s.Write(t.Context(), func(tx *store.Tx) error { return appended(t.Context(), tx, kind, subject) }))
}

// appended adds an entry to the trail of a subject, which it makes if need be.
func appended(ctx context.Context, tx *store.Tx, kind, subject string) error {
	line, err := tx.FindSubject(ctx, subject)
	if store.NotFound(err) {
		line = db.Subject{ID: subject, State: "open", Version: 1, Seen: 1}
		err = tx.InsertSubject(ctx, db.InsertSubjectParams{ID: subject, Kind: "task", AgentID: "ag_1", Mode: "live", State: line.State})
	}
	if err != nil {
		return err
	}
	entry, err := trail.Link(int(line.Entries), line.Head, schemas.AuditEntry{
		EventID: event.NewID(), Kind: kind, Actor: "op_1", Via: "page", At: tx.Now(), Data: json.RawMessage(`{"n":1}`),
	})
	if err != nil {
		return err
	}
	_, err = tx.MoveSubject(ctx, db.MoveSubjectParams{
		ID: subject, State: line.State, FromState: line.State, Version: line.Version, Seen: line.Seen, FromVersion: line.Version,
		Entries: int64(entry.N), Head: entry.Hash, FromEntries: line.Entries,
	})
	if err != nil {
		return err
	}
	return event.Append(ctx, tx, subject, entry)
}

func numbered(t *testing.T, s *store.Store) (entries []db.Trail) {
	t.Helper()
	require.NoError(t, s.Read(t.Context(), func(tx *store.Tx) (err error) {
		entries, err = tx.TrailAfter(t.Context(), db.TrailAfterParams{Count: 10_000})
		return err
	}))
	return entries
}

func woken(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

func TestSequence(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		ctx := t.Context()
		first, second := feed(s, clk), feed(s, clk)
		require.NoError(t, first.Sequence(ctx))
		require.NoError(t, second.Sequence(ctx))

		t.Run("numbers events in the order in which they were recorded", func(t *testing.T) {
			for i := range 5 {
				record(t, s, fmt.Sprint("k", i), "task_1")
				clk.Advance(time.Microsecond)
			}
			require.Empty(t, numbered(t, s), "unnumbered rows are not to be seen")
			require.NoError(t, first.Sequence(ctx))
			events := numbered(t, s)
			require.Len(t, events, 5)
			for i, e := range events {
				require.EqualValues(t, i+1, e.Seq.Int64)
				require.Equal(t, fmt.Sprint("k", i), e.Kind)
				require.JSONEq(t, `{"n":1}`, e.Data)
			}
		})
		t.Run("leaves the numbering to the one that has the lease", func(t *testing.T) {
			record(t, s, "leased", "task_1")
			require.NoError(t, second.Sequence(ctx))
			require.Len(t, numbered(t, s), 5)
			require.NoError(t, first.Sequence(ctx))
			require.Len(t, numbered(t, s), 6)
		})
		t.Run("passes on when the one with the lease is gone", func(t *testing.T) {
			record(t, s, "orphaned", "task_1")
			clk.Advance(time.Minute)
			require.NoError(t, second.Sequence(ctx))
			events := numbered(t, s)
			require.EqualValues(t, 7, events[6].Seq.Int64)
		})
		t.Run("numbers more than one batch", func(t *testing.T) {
			require.NoError(t, s.Write(ctx, func(tx *store.Tx) error {
				for i := range 1200 {
					if err := appended(ctx, tx, fmt.Sprint(i), "task_2"); err != nil {
						return err
					}
				}
				return nil
			}))
			require.NoError(t, second.Sequence(ctx))
			events := numbered(t, s)
			require.Len(t, events, 1207)
			require.EqualValues(t, 1207, events[1206].Seq.Int64)
		})
	})
}

func TestSubscribe(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		ctx := t.Context()
		here, elsewhere := feed(s, clk), feed(s, clk)
		require.NoError(t, here.Sequence(ctx))
		mine, cancel := here.Subscribe("task_1", "task_2")
		other, cancelOther := here.Subscribe("task_3")
		all, cancelAll := here.Subscribe()
		defer cancelOther()
		defer cancelAll()

		record(t, s, "k", "task_2")
		require.False(t, woken(mine), "not before the number is there")
		t.Run("wakes who waits for the subject, or for any", func(t *testing.T) {
			require.NoError(t, here.Sequence(ctx))
			require.True(t, woken(mine))
			require.True(t, woken(all))
			require.False(t, woken(other))
		})
		t.Run("wakes for what another process numbered", func(t *testing.T) {
			record(t, s, "k", "task_1")
			clk.Advance(time.Minute)
			require.NoError(t, elsewhere.Sequence(ctx))
			require.False(t, woken(mine))
			require.NoError(t, here.Sequence(ctx))
			require.True(t, woken(mine))
		})
		t.Run("ends with its cancel", func(t *testing.T) {
			cancel()
			record(t, s, "k", "task_1")
			require.NoError(t, elsewhere.Sequence(ctx))
			require.NoError(t, here.Sequence(ctx))
			require.False(t, woken(mine))
		})
	})
}

// Recorders and two feeds at once: the numbers have no gap, and nobody misses a wake-up,
// though no clock moves.
func TestRun(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var running sync.WaitGroup
		feeds := []*event.Feed{feed(s, clock.NewFake(storetest.Start)), feed(s, clock.NewFake(storetest.Start))}
		for _, f := range feeds {
			running.Go(func() { _ = f.Run(ctx) })
		}
		var recorders sync.WaitGroup
		for i := range 20 {
			changed, cancel := feeds[i%2].Subscribe(fmt.Sprint("task_", i))
			recorders.Go(func() {
				defer cancel()
				record(t, s, "k", fmt.Sprint("task_", i))
				<-changed
			})
		}
		recorders.Wait()
		stop()
		running.Wait()
		for i, e := range numbered(t, s) {
			require.EqualValues(t, i+1, e.Seq.Int64)
		}
	})
}
