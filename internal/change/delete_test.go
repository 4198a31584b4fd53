package change_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/change"
	"humanops-mcp/internal/event"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/schemas"
)

func TestWhatIsDeletedLeavesItsChain(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		id, other := w.posted().ID, w.posted().ID
		before := w.do(id, take, ada)
		w.do(other, take, bob)
		w.number()
		w.write(func(tx *store.Tx) error { return event.Anchor(t.Context(), tx) })
		kept := w.trail(id)
		waiting := w.wait(w.agent, id+","+other, 30)
		w.forget(id)

		t.Run("of which nothing is left but the places, the kinds and the hashes", func(t *testing.T) {
			for i, e := range w.trail(id) {
				require.Empty(t, e.Data)
				require.Empty(t, e.Actor)
				kept[i].Data, kept[i].Actor = e.Data, ""
				require.Equal(t, kept[i], e)
			}
			_, err := event.CheckAnchors(t.Context(), w.store, db.Anchor{}, func(int64) {})
			require.NoError(t, err)
			require.Len(t, w.kinds(other), 2)
			require.NotEmpty(t, w.trail(other)[1].Actor)
		})
		t.Run("of which an entry that is taken away is missed", func(t *testing.T) {
			third := w.posted().ID
			w.forget(third)
			storetest.Exec(t, w.store, "DELETE FROM trail WHERE subject_id = $1", third)
			require.ErrorContains(t, w.check(third), "entries at its end are missing")
		})
		t.Run("and is not there any more", func(t *testing.T) {
			missing := "There is no errand " + id + "."
			_, err := w.now(w.agent, id)
			require.EqualError(t, err, missing)
			w.clock.Advance(30 * time.Second)
			require.EqualError(t, (<-waiting).err, missing, "who was waiting hears it, too")
			_, err = w.stale(before, finish)
			require.EqualError(t, err, missing)
			require.Equal(t, schemas.CodeNotFound, schemas.ErrorCode(err))
			_, err = w.renew(before)
			require.EqualError(t, err, missing)
			_, err = w.attempt(id, finish, ada)
			require.True(t, store.NotFound(err))
			w.read(func(tx *store.Tx) error {
				ids, err := w.life.Claims(t.Context(), tx, ada.ID)
				require.Empty(t, ids)
				return err
			})
		})
		t.Run("and has no clock", func(t *testing.T) {
			w.pass(2 * time.Hour)
			w.write(func(tx *store.Tx) error { return w.changes.Extend(t.Context(), tx, time.Hour) })
			require.NoError(t, w.changes.Resume(t.Context()))
			require.Len(t, w.trail(id), 2)
			require.Empty(t, w.failed())
			w.read(func(tx *store.Tx) error {
				line, err := tx.FindSubject(t.Context(), id)
				require.Equal(t, []any{change.Deleted, true, int64(0)}, []any{line.State, line.Finished, line.ClockAt})
				return err
			})
		})
	})
}

func TestWhatIsMovedAndDeletedAtOnceIsDeleted(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		id := w.posted().ID
		before := w.get(id)
		moved := make(chan error, 1)
		storetest.Exec(t, w.store, "DELETE FROM facts WHERE name = $1", id)
		w.write(func(tx *store.Tx) error {
			require.NoError(t, change.Delete(t.Context(), tx, []string{id}))
			go func() {
				_, err := w.stale(before, take)
				moved <- err
			}()
			w.somebodyWaits()
			return nil
		})
		require.EqualError(t, <-moved, "There is no errand "+id+".")
		require.Len(t, w.trail(id), 1)
	})
}
