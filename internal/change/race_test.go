package change_test

import (
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/change"
	"humanops-mcp/internal/store"
)

// raceRounds runs rounds of calls that start at the same moment, on both databases.
// HUMANOPS_RACE_ROUNDS sets how many; 20 is enough for every day.
func raceRounds(t *testing.T, round func(t *testing.T, w *world)) {
	t.Helper()
	rounds := 20
	if text := os.Getenv("HUMANOPS_RACE_ROUNDS"); text != "" {
		var err error
		rounds, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	onBoth(t, func(t *testing.T, w *world) {
		for range rounds {
			round(t, w)
		}
	})
}

// together starts the calls at once and gives their errors in order.
func together(calls ...func() error) []error {
	errs := make([]error, len(calls))
	start := make(chan struct{})
	var done sync.WaitGroup
	for i, call := range calls {
		done.Go(func() {
			<-start
			errs[i] = call()
		})
	}
	close(start)
	done.Wait()
	return errs
}

func (w *world) trying(id string, v verb, by change.Actor) func() error {
	return func() error { _, err := w.attempt(id, v, by); return err }
}

// Nobody locks: whoever reads an open errand may find at the end that it is taken.
func TestRaceOneOfManyTakesAnErrand(t *testing.T) {
	raceRounds(t, func(t *testing.T, w *world) {
		id := w.posted().ID
		var calls []func() error
		for i := range 8 {
			calls = append(calls, w.trying(id, take, change.Actor{ID: "op_" + strconv.Itoa(i), Via: "page"}))
		}
		errs := together(calls...)
		winner := slices.Index(errs, nil)
		require.GreaterOrEqual(t, winner, 0, "%v", errs)
		for i, err := range errs {
			if i != winner {
				require.Equal(t, "taken", conflict(t, err).State)
				require.EqualError(t, err, takenAlready)
			}
		}
		require.Equal(t, "op_"+strconv.Itoa(winner), w.get(id).ClaimedBy)
		require.Equal(t, []string{"post", "take"}, w.kinds(id))
	})
}

func TestRaceDifferentEndsOfAnErrand(t *testing.T) {
	raceRounds(t, func(t *testing.T, w *world) {
		id := w.posted().ID
		w.do(id, take, ada)
		w.clock.Advance(dueIn - lease)
		w.write(func(tx *store.Tx) error { // the lease lasts as long as there is time
			_, err := w.life.Renew(t.Context(), tx, w.get(id), w.get(id).Due+1)
			return err
		})
		w.clock.Advance(lease)
		errs := together(
			w.trying(id, finish, ada), w.trying(id, late, change.Timeout),
			func() error { _, err := w.runner.RunDue(t.Context()); return err },
		)
		require.NoError(t, errs[2])
		w.work()
		ends := slices.DeleteFunc(w.kinds(id), func(kind string) bool { return kind == "warn" })
		require.Len(t, ends, 3, "it ends once")
		for i, v := range []verb{finish, late} {
			if errs[i] != nil {
				require.Equal(t, "done", conflict(t, errs[i]).State)
			} else {
				require.Equal(t, string(v), ends[2])
			}
		}
		e := w.get(id)
		require.Equal(t, []any{"done", "", int64(0)}, []any{e.State, e.ClaimedBy, e.ClockAt})
	})
}

func TestRaceRenewingAgainstTheLeasesEnd(t *testing.T) {
	raceRounds(t, func(t *testing.T, w *world) {
		id := w.posted().ID
		w.do(id, take, ada)
		mine := w.get(id)
		w.clock.Advance(lease)
		errs := together(
			func() error { _, err := w.renew(mine); return err },
			func() error { _, err := w.runner.RunDue(t.Context()); return err },
			w.trying(id, take, bob),
		)
		require.NoError(t, errs[1])
		w.work()
		e, lapses := w.get(id), slices.Contains(w.kinds(id), "lapse")
		if errs[0] == nil {
			require.Equal(t, []any{ada.ID, false}, []any{e.ClaimedBy, lapses}, "renewed, so it does not lapse")
			return
		}
		conflict(t, errs[0])
		require.NotEqual(t, ada.ID, e.ClaimedBy)
		require.True(t, slices.Contains(w.kinds(id), "warn"))
	})
}

// Remarks of many stand in the trail of one, each once, whoever comes first.
func TestRaceNotesOfMany(t *testing.T) {
	raceRounds(t, func(t *testing.T, w *world) {
		id := w.posted().ID
		remark := func() error {
			return w.store.Write(t.Context(), func(tx *store.Tx) error {
				e, err := w.life.Lock(t.Context(), tx, id)
				if err == nil {
					_, err = w.life.Note(t.Context(), tx, e, change.Note[errand]{Kind: "remark", By: bob, News: true})
				}
				return err
			})
		}
		errs := together(remark, remark, remark, remark, w.trying(id, take, ada))
		for _, err := range errs[:4] {
			require.NoError(t, err)
		}
		if errs[4] != nil {
			require.EqualError(t, errs[4], "Somebody else was faster: the errand is open now. Look at it again before you go on.")
		}
		require.EqualValues(t, len(w.trail(id)), w.get(id).Version)
	})
}
