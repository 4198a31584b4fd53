package change_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/change"
	"humanops-mcp/internal/event"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/schemas"
)

const takenAlready = `The errand is taken; "take" is not possible now, only when it is open.`

func TestAMoveThatTheLifeDoesNotKnowIsRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		id := w.posted().ID
		_, err := w.attempt(id, finish, ada)
		require.Equal(t, &schemas.Error{Code: schemas.CodeConflict, State: "open", Message: `The errand is open; "finish" is not possible now, only when it is taken.`}, conflict(t, err))
		require.Equal(t, err, w.life.May(w.get(id), finish))
		require.NoError(t, w.life.May(w.get(id), take))
		w.do(id, take, ada)
		w.do(id, finish, ada)
		_, err = w.attempt(id, take, bob)
		require.Equal(t, "done", conflict(t, err).State)
		require.ErrorContains(t, err, "nothing more will happen to it")
		require.Equal(t, []string{"post", "take", "finish"}, w.kinds(id))
	})
}

// The subject was read before somebody else moved it: that is known only to the database.
func TestWhoLosesARaceLearnsTheStateInTheWordsOfWhoComesAfterIt(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		id := w.posted().ID
		before := w.get(id)
		w.do(id, take, ada)
		_, late := w.attempt(id, take, bob)
		_, lost := w.stale(before, take)
		require.Equal(t, &schemas.Error{Code: schemas.CodeConflict, State: "taken", Message: takenAlready}, conflict(t, lost))
		require.Equal(t, late, lost)

		t.Run("or that somebody was faster, when it could still happen", func(t *testing.T) {
			before := w.get(id)
			w.do(id, warn, change.Timeout)
			_, err := w.stale(before, finish)
			require.Equal(t, "taken", conflict(t, err).State)
			require.EqualError(t, err, "Somebody else was faster: the errand is taken now. Look at it again before you go on.")
			w.write(func(tx *store.Tx) error {
				_, err = w.life.Note(t.Context(), tx, before, change.Note[errand]{Kind: "remark", By: bob})
				return nil
			})
			require.EqualError(t, err, "Somebody else was faster: the errand is taken now. Look at it again before you go on.")
		})
		require.Equal(t, []string{"post", "take", "warn"}, w.kinds(id))
	})
}

// stale moves an errand as it was read before.
func (w *world) stale(before errand, v verb) (e errand, err error) {
	err = w.store.Write(w.t.Context(), func(tx *store.Tx) error {
		e, err = w.moved(tx, before, v, bob)
		return err
	})
	return e, err
}

func TestRefusalsHaveTheKindsOwnWords(t *testing.T) {
	onBothWith(t, func(k *kind) {
		k.Word = func(s state) string { return map[state]string{open: "waiting", taken: "under way", done: "over"}[s] }
		k.Ending = func(_ context.Context, _ *store.Tx, e errand) (string, error) {
			if e.Finished {
				return "Ada has done it already.", nil
			}
			return "", nil
		}
	}, func(t *testing.T, w *world) {
		id := w.posted().ID
		before := w.get(id)
		_, err := w.attempt(id, finish, bob)
		want := &schemas.Error{Code: schemas.CodeConflict, State: "waiting", Message: `The errand is waiting; "finish" is not possible now, only when it is under way.`}
		require.Equal(t, want, err)
		require.Equal(t, want, w.life.May(w.get(id), finish))
		w.do(id, take, ada)
		w.do(id, finish, ada)
		over := &schemas.Error{Code: schemas.CodeConflict, State: "over", Message: "Ada has done it already."}
		_, err = w.attempt(id, take, bob)
		require.Equal(t, over, err)
		_, err = w.stale(before, take)
		require.Equal(t, over, err)
		w.read(func(tx *store.Tx) error {
			require.Equal(t, over, w.life.Refusal(t.Context(), tx, w.get(id)))
			return nil
		})
	})
}

var errFollower = errors.New("a follower cannot go on")

func TestAFollowersErrorUndoesTheMove(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		id := w.posted().ID
		before := w.get(id)
		var after error
		w.life.Follow(func(context.Context, *store.Tx, happened) error { return after })
		after = errFollower
		_, err := w.attempt(id, take, ada)
		require.ErrorIs(t, err, errFollower)
		e := w.fresh()
		require.ErrorIs(t, w.store.Write(t.Context(), func(tx *store.Tx) error {
			_, err := w.life.Open(t.Context(), tx, e, change.Opening[verb]{Event: post, By: agent})
			return err
		}), errFollower)
		require.Equal(t, before, w.get(id))
		require.Equal(t, []string{"post"}, w.kinds(id))
		w.read(func(tx *store.Tx) error {
			_, err := tx.FindSubject(t.Context(), e.ID)
			require.True(t, store.NotFound(err))
			return nil
		})
		after = nil
		w.do(id, take, ada)
	})
}

func TestFollowersRunInTheOrderInWhichTheyWereAdded(t *testing.T) {
	onOne(t, func(*kind) {}, func(t *testing.T, w *world) {
		var order []int
		for i := range 3 {
			w.life.Follow(func(context.Context, *store.Tx, happened) error { order = append(order, i); return nil })
		}
		w.posted()
		require.Equal(t, []int{0, 1, 2}, order)
	})
}

func TestANote(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		id := w.posted().ID
		note := func(n change.Note[errand]) errand {
			t.Helper()
			var noted errand
			w.write(func(tx *store.Tx) error {
				e, err := w.life.Lock(t.Context(), tx, id)
				require.NoError(t, err)
				noted, err = w.life.Note(t.Context(), tx, e, n)
				return err
			})
			require.Equal(t, noted, w.get(id))
			return noted
		}
		followed := 0
		w.life.Follow(func(context.Context, *store.Tx, happened) error { followed++; return nil })
		w.clock.Advance(time.Minute)

		t.Run("stands in the trail and makes no news", func(t *testing.T) {
			e := note(change.Note[errand]{Kind: "remark", By: bob, With: map[string]string{"text": "Mind the dog"}})
			require.Equal(t, []int64{1, 1, 2}, []int64{e.Version, e.Seen, e.Entries})
			require.Equal(t, e.CreatedAt, e.UpdatedAt)
			got := w.trail(id)[1]
			require.Equal(t, []string{"errand.remark", "op_bob", "page"}, []string{got.Kind, got.Actor, got.Via})
			require.JSONEq(t, `{"text":"Mind the dog"}`, string(got.Data))
		})
		t.Run("is news where it says so, with what changes beside", func(t *testing.T) {
			later := w.get(id).Due + time.Hour.Microseconds()
			e := note(change.Note[errand]{Kind: "later", By: bob, News: true, Edit: func(e *errand) { e.Due = later }})
			require.Equal(t, []int64{2, 1, 3}, []int64{e.Version, e.Seen, e.Entries})
			require.Equal(t, later-warnedBefore.Microseconds(), e.ClockAt, "its clock moves along")
			require.JSONEq(t, `{"version":2}`, string(w.trail(id)[2].Data))
			w.pass(dueIn)
			require.Equal(t, string(open), w.get(id).State)
		})
		t.Run("ends nothing a second time", func(t *testing.T) {
			w.do(id, take, ada)
			ended := w.do(id, finish, ada)
			w.clock.Advance(time.Minute)
			followed = 0
			e := note(change.Note[errand]{Kind: "rated", By: agent, News: true})
			require.Equal(t, ended.EndedAt, e.EndedAt)
			require.Equal(t, ended.EndedAt+time.Minute.Microseconds(), e.UpdatedAt)
		})
		require.Zero(t, followed, "nothing in its life has happened")
	})
}

func TestWhatIsSaidTwiceIsTheLaterOnes(t *testing.T) {
	onOne(t, func(k *kind) {
		k.Says = func(e errand) any { return map[string]any{"due": e.Due > 0, "why": "the kind says so"} }
	}, func(t *testing.T, w *world) {
		id := w.posted().ID
		w.write(func(tx *store.Tx) error {
			_, err := w.life.Move(t.Context(), tx, w.get(id), move{Event: take, By: ada, With: map[string]string{"why": "it is near"}})
			return err
		})
		require.JSONEq(t, `{"to":"open","version":1,"due":true,"why":"the kind says so"}`, string(w.trail(id)[0].Data))
		require.JSONEq(t, `{"from":"open","to":"taken","version":2,"due":true,"why":"it is near"}`, string(w.trail(id)[1].Data))
	})
}

func TestAGuardSeesTheKindsFactsAndWhatTheMoveKnows(t *testing.T) {
	onOne(t, func(*kind) {}, func(t *testing.T, w *world) {
		guarded := change.Register(w.changes, guardedErrands())
		e := w.fresh()
		take := func(given func(*facts)) error {
			return w.store.Write(t.Context(), func(tx *store.Tx) error {
				e, err := guarded.Find(t.Context(), tx, e.ID)
				require.NoError(t, err)
				_, err = guarded.Move(t.Context(), tx, e, change.Move[errand, verb, facts]{Event: take, By: ada, Given: given})
				return err
			})
		}
		w.write(func(tx *store.Tx) error {
			_, err := guarded.Open(t.Context(), tx, e, change.Opening[verb]{Event: post, By: agent})
			return err
		})
		require.ErrorContains(t, take(nil), "because a condition for it does not hold")
		require.ErrorContains(t, take(func(f *facts) { f.due = false; f.ready = true }), "because a condition for it does not hold")
		require.NoError(t, take(func(f *facts) { f.ready = true }))
	})
}

func TestALockKeepsOthersWaiting(t *testing.T) {
	for name, lock := range map[string]func(w *world, tx *store.Tx, id string) error{
		"Lock": func(w *world, tx *store.Tx, id string) error {
			_, err := w.life.Lock(w.t.Context(), tx, id)
			return err
		},
		"Hold": func(w *world, tx *store.Tx, id string) error { return change.Hold(w.t.Context(), tx, id) },
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, w *world) {
				id := w.posted().ID
				second := make(chan errand, 1)
				w.write(func(tx *store.Tx) error {
					require.NoError(t, lock(w, tx, id))
					go func() {
						_ = w.store.Write(t.Context(), func(tx *store.Tx) error {
							e, err := w.life.Lock(t.Context(), tx, id)
							second <- e
							return err
						})
					}()
					w.somebodyWaits()
					e, err := w.life.Find(t.Context(), tx, id)
					require.NoError(t, err)
					_, err = w.moved(tx, e, take, ada)
					return err
				})
				require.Equal(t, string(taken), (<-second).State)
			})
		})
	}
	t.Run("and finds nothing where there is nothing", func(t *testing.T) {
		onBoth(t, func(t *testing.T, w *world) {
			w.write(func(tx *store.Tx) error {
				_, err := w.life.Lock(t.Context(), tx, "er_none")
				require.True(t, store.NotFound(err))
				require.True(t, store.NotFound(change.Hold(t.Context(), tx, "er_none")))
				return nil
			})
		})
	})
}

// somebodyWaits returns once a transaction waits for another's lock. On SQLite one transaction
// writes at a time, so there is nothing to see.
func (w *world) somebodyWaits() {
	w.t.Helper()
	if w.store.Kind() == "sqlite" {
		return
	}
	require.Eventually(w.t, func() bool {
		n := storetest.Texts(w.t, w.store, "SELECT CAST(COUNT(*) AS TEXT) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
		return n[0] != "0"
	}, 10*time.Second, 5*time.Millisecond)
}

func TestAnEventOfNoSubjectHasAnIDToo(t *testing.T) {
	require.Regexp(t, "^ev_", change.NewEventID())
	require.NotEqual(t, event.NewID(), change.NewEventID())
}
