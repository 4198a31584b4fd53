package change_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/change"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
)

func (w *world) renew(e errand) (renewed errand, err error) {
	err = w.store.Write(w.t.Context(), func(tx *store.Tx) error {
		renewed, err = w.life.Renew(w.t.Context(), tx, e, store.Micros(tx.Now().Add(lease)))
		return err
	})
	return renewed, err
}

func TestAClaimIsTheirsUntilItsLeaseEnds(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		id, other := w.posted().ID, w.posted().ID
		claims := func() (ids []string) {
			w.read(func(tx *store.Tx) (err error) { ids, err = w.life.Claims(t.Context(), tx, ada.ID); return err })
			return ids
		}
		w.do(id, take, ada)
		w.do(other, take, bob)
		require.Equal(t, []string{id}, claims())
		w.pass(lease - time.Microsecond)
		require.Equal(t, ada.ID, w.get(id).ClaimedBy)
		w.pass(time.Microsecond)
		e := w.get(id)
		require.Equal(t, []any{"open", "", int64(0), int64(0)}, []any{e.State, e.ClaimedBy, e.ClaimedAt, e.LeaseUntil})
		require.Empty(t, claims())
		require.Equal(t, []string{"post", "take", "warn", "lapse"}, w.kinds(id))
		last := w.trail(id)[3]
		require.Equal(t, []string{"system", "timeout"}, []string{last.Actor, last.Via})
	})
}

func TestRenewingAClaimIsNewsToNobody(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		id := w.posted().ID
		w.do(id, take, ada)
		w.number()
		changed, cancel := w.feed.Subscribe(id)
		defer cancel()
		waiting := w.wait(w.agent, id, 50)
		w.clock.Advance(10 * time.Second)
		before := w.get(id)
		renewed, err := w.renew(before)
		require.NoError(t, err)
		w.number()

		require.Empty(t, changed, "nobody is woken")
		require.Empty(t, waiting)
		require.Equal(t, renewed, w.get(id))
		require.Equal(t, before.LeaseUntil+(10*time.Second).Microseconds(), renewed.LeaseUntil)
		renewed.LeaseUntil = before.LeaseUntil
		require.Equal(t, before, renewed, "neither a version nor an entry")
		require.Equal(t, []string{"post", "take"}, w.kinds(id))

		w.clock.Advance(40 * time.Second)
		require.False(t, (<-waiting).out.Changed)
		w.pass(lease - 50*time.Second)
		require.Equal(t, ada.ID, w.get(id).ClaimedBy, "the end of before rings no more")
		w.pass(10 * time.Second)
		require.Equal(t, []string{"post", "take", "warn", "lapse"}, w.kinds(id))
	})
}

func TestRenewalsSetNoClocksBesideTheOneThatRuns(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		id := w.posted().ID
		w.do(id, take, ada)
		w.work() // callbacks and letters
		clocks := func() int {
			return len(storetest.Texts(t, w.store, "SELECT id FROM jobs WHERE kind = 'change.clock' AND state = 'ready'"))
		}
		before := clocks()
		for range 5 {
			w.clock.Advance(time.Minute)
			_, err := w.renew(w.get(id))
			require.NoError(t, err)
		}
		require.Equal(t, before, clocks())
		w.pass(lease / 2) // the clock of before rings, and finds the later end
		w.pass(lease/2 - time.Microsecond)
		require.Equal(t, string(taken), w.get(id).State)
		w.pass(time.Microsecond)
		require.Equal(t, string(open), w.get(id).State)

		t.Run("but one that is to ring sooner", func(t *testing.T) {
			id := w.posted().ID
			w.do(id, take, ada)
			w.write(func(tx *store.Tx) error {
				_, err := w.life.Renew(t.Context(), tx, w.get(id), store.Micros(tx.Now().Add(time.Minute)))
				return err
			})
			w.pass(time.Minute)
			require.Equal(t, string(open), w.get(id).State)
		})
		t.Run("and one that is the first", func(t *testing.T) {
			id := w.posted().ID
			w.write(func(tx *store.Tx) error {
				_, err := w.life.Move(t.Context(), tx, w.get(id), move{Event: take, By: ada, Edit: func(e *errand) {
					e.Due = 0
					change.Claim(&e.Line, ada.ID, store.Micros(tx.Now()), 0)
				}})
				return err
			})
			w.pass(24 * time.Hour)
			require.Equal(t, string(taken), w.get(id).State, "a claim without a lease")
			_, err := w.renew(w.get(id))
			require.NoError(t, err)
			w.pass(lease)
			require.Equal(t, string(open), w.get(id).State)
		})
	})
}

func TestAClaimThatHasEndedIsNotRenewed(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		id := w.posted().ID
		mine := w.do(id, take, ada)
		w.pass(lease)
		_, stale := w.renew(mine)
		_, fresh := w.renew(w.get(id))
		require.Equal(t, "open", conflict(t, stale).State)
		require.Equal(t, stale, fresh, "whether it was read before the end or after")
		w.do(id, take, bob)
		_, err := w.renew(mine)
		require.Equal(t, "taken", conflict(t, err).State, "it is another's by now")
		require.Equal(t, bob.ID, w.get(id).ClaimedBy)
		require.NotContains(t, w.kinds(id), "renew")
	})
}

func TestAClaimMayLastAsLongAsItsStates(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		id := w.posted().ID
		w.write(func(tx *store.Tx) error {
			_, err := w.life.Move(t.Context(), tx, w.get(id), move{Event: take, By: ada, Edit: func(e *errand) {
				change.Claim(&e.Line, ada.ID, store.Micros(tx.Now()), 0)
			}})
			return err
		})
		w.pass(dueIn - warnedBefore)
		require.Equal(t, ada.ID, w.get(id).ClaimedBy)
		require.Empty(t, w.do(id, finish, ada).ClaimedBy)
	})
}
