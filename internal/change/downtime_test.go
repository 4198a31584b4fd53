package change_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"humanops-mcp/internal/change"
	"humanops-mcp/internal/event"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
)

func (w *world) extend(by time.Duration) {
	w.t.Helper()
	w.write(func(tx *store.Tx) error { return w.changes.Extend(w.t.Context(), tx, by) })
}

func TestTheTimeThatThePlatformWasAwayIsGivenBack(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		waiting, claimed, over := w.posted().ID, w.posted().ID, w.posted().ID
		w.do(claimed, take, ada)
		w.do(over, take, bob)
		ended := w.do(over, finish, bob)
		w.clock.Advance(3 * time.Hour)
		w.extend(3 * time.Hour)
		require.NoError(t, w.changes.Resume(t.Context()))
		w.work()

		require.Equal(t, []string{"post", "extended"}, w.kinds(waiting), "nothing rings that nobody could act on")
		require.Equal(t, []string{"post", "take", "extended"}, w.kinds(claimed))
		require.Equal(t, ended, w.get(over), "what is over stays as it was")
		e := w.get(claimed)
		require.Equal(t, storetest.Start.Add(3*time.Hour+lease), store.Time(e.LeaseUntil))
		require.Equal(t, storetest.Start.Add(3*time.Hour+dueIn), store.Time(e.Due))
		require.Equal(t, []int64{2, 2}, []int64{w.get(waiting).Version, w.get(waiting).Seen}, "which is no news to its agent")
		entry := w.trail(claimed)[2]
		require.Equal(t, []string{"errand.extended", "system", "system"}, []string{entry.Kind, entry.Actor, entry.Via})
		require.JSONEq(t, `{"from":"taken","to":"taken","version":3,"by_seconds":10800}`, string(entry.Data))

		w.pass(lease)
		require.Equal(t, []string{"post", "take", "extended", "warn", "lapse"}, w.kinds(claimed))
		w.pass(dueIn - lease)
		require.Equal(t, []string{"post", "extended", "warn", "late"}, w.kinds(waiting))
	})
}

func TestNoTimeAwayMovesNothing(t *testing.T) {
	onOne(t, func(*kind) {}, func(t *testing.T, w *world) {
		id := w.posted().ID
		for _, by := range []time.Duration{0, -time.Minute} {
			w.extend(by)
			require.NoError(t, w.changes.Resume(t.Context()))
		}
		require.Equal(t, []string{"post"}, w.kinds(id))
	})
}

// The platform is killed in the second of three slices, which is undone; the next start goes
// on behind the first. Then it was away again, for another time.
func TestAKillWhileClocksAreMovedMovesEachOnce(t *testing.T) {
	onDeath := func() {}
	shifted := 0
	onBothWith(t, func(k *kind) {
		onDeath, shifted = func() {}, 0
		k.Shift = func(e *errand, by int64) {
			e.Due += by
			if shifted++; shifted == 300 {
				onDeath()
			}
		}
	}, func(t *testing.T, w *world) {
		all := w.many(450)
		slices.Sort(all)
		before := w.dues()
		moved := func(by time.Duration, ids []string) {
			t.Helper()
			now := w.dues()
			for _, id := range ids {
				require.Equal(t, by, store.Time(now[id]).Sub(store.Time(before[id])), id)
			}
		}
		w.extend(time.Hour)
		ctx, kill := context.WithCancel(t.Context())
		onDeath = kill
		require.ErrorIs(t, w.changes.Resume(ctx), context.Canceled)
		moved(time.Hour, all[:200])
		moved(0, all[200:])

		next := newChanges(w)
		require.NoError(t, next.Resume(t.Context()))
		moved(time.Hour, all)
		require.NoError(t, next.Resume(t.Context()), "which is done with")
		w.extend(time.Minute)
		require.NoError(t, next.Resume(t.Context()))
		moved(time.Hour+time.Minute, all)
		require.Equal(t, []string{"post", "extended", "extended"}, w.kinds(all[0]))
		require.Equal(t, []string{"post", "extended", "extended"}, w.kinds(all[449]))
	})
}

// newChanges is the same on another start.
func newChanges(w *world) *change.Changes {
	c := change.New(change.Deps{Store: w.store, Feed: event.NewFeed(w.store, w.clock, slog.New(slog.DiscardHandler)), Clock: w.clock})
	change.Register(c, errands())
	return c
}

// dues are when all errands are due, by id.
func (w *world) dues() map[string]int64 {
	w.t.Helper()
	list := map[string]int64{}
	for _, id := range storetest.Texts(w.t, w.store, "SELECT id FROM subjects") {
		list[id] = w.get(id).Due
	}
	return list
}

func TestReplicasThatStartTogetherMoveEachClockOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.many(250)
		w.extend(time.Hour)
		var replicas errgroup.Group
		for range 4 {
			c := newChanges(w)
			replicas.Go(func() error { return c.Resume(t.Context()) })
		}
		require.NoError(t, replicas.Wait())
		for id, due := range w.dues() {
			require.Equal(t, storetest.Start.Add(dueIn+time.Hour), store.Time(due), id)
		}
	})
}

// A replica is still moving clocks when another one finds that nobody was there for longer.
func TestASecondPlanLosesNothingOfTheFirst(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.many(250)
		w.extend(time.Hour)
		w.extend(time.Minute)
		require.NoError(t, newChanges(w).Resume(t.Context()))
		for id, due := range w.dues() {
			require.Equal(t, storetest.Start.Add(dueIn+time.Hour+time.Minute), store.Time(due), id)
		}
	})
}
