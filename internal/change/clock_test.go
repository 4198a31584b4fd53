package change_test

import (
	"context"
	"encoding/json"
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

func TestNext(t *testing.T) {
	minute := time.Minute.Microseconds()
	const end, claimLate, escalate, leaseEnd = "end", "claim_late", "escalate", "lease_end"
	type clock = change.Clock[string]
	open := []clock{
		{Name: "end", At: 60 * minute, Event: end, Warn: 5 * time.Minute},
		{Name: "claim", At: 10 * minute, Event: claimLate, Warn: 5 * time.Minute},
		{Name: "escalation", At: 20 * minute, Event: escalate},
	}
	decide := clock{Name: "decide", At: 25 * minute, Event: leaseEnd, Warn: 5 * time.Minute, Since: 5 * minute}
	claimed := change.Line{ClaimedBy: "op_ada", ClaimedAt: 5 * minute, LeaseUntil: 30 * minute}
	warned := func(names string) change.Line { return change.Line{Warned: names} }
	for name, c := range map[string]struct {
		at     int64
		event  string
		clock  string
		line   change.Line
		clocks []clock
	}{
		"the warning before the time to claim it": {5 * minute, "warn", "claim", change.Line{}, open},
		"the time to claim it":                    {10 * minute, claimLate, "claim", warned(",claim,"), open},
		"the escalation":                          {20 * minute, escalate, "escalation", change.Line{}, []clock{open[0], {Name: "claim"}, open[2]}},
		"the warning before the end":              {55 * minute, "warn", "end", change.Line{}, open[:1]},
		"the end":                                 {60 * minute, end, "end", warned(",end,"), open[:1]},
		"the end, of which and of another people were warned":   {60 * minute, end, "end", warned(",claim,,end,"), open[:1]},
		"the warning, after that of a clock with a longer name": {55 * minute, "warn", "end", warned(",weekend,"), open[:1]},
		"the lease of a claim, not what stands still meanwhile": {30 * minute, leaseEnd, "lease", claimed, open[:1]},
		"the warning before the time to decide":                 {20 * minute, "warn", "decide", claimed, []clock{open[0], decide}},
		"the end, where nobody is to be warned":                 {60 * minute, end, "end", change.Line{}, []clock{{Name: "end", At: 60 * minute, Event: end}}},
		"nothing where no clock runs":                           {0, "", "", change.Line{}, []clock{{Name: "end", Event: end, Warn: time.Minute}}},
		"nothing where there is none":                           {0, "", "", change.Line{}, nil},
		"the warning halfway, of a time shorter than twice that": {3 * minute, "warn", "end", change.Line{}, []clock{
			{Name: "end", At: 6 * minute, Event: end, Warn: 5 * time.Minute},
		}},
		"the warning halfway from when the clock began to run": {33 * minute, "warn", "end", change.Line{}, []clock{
			{Name: "end", At: 36 * minute, Event: end, Warn: 5 * time.Minute, Since: 30 * minute},
		}},
		"the clock itself, of one that rings as soon as it runs": {6 * minute, end, "end", change.Line{}, []clock{
			{Name: "end", At: 6 * minute, Event: end, Warn: 5 * time.Minute, Since: 6 * minute},
		}},
		"the one that was named first, of two at one moment": {10 * minute, "first", "one", change.Line{}, []clock{
			{Name: "one", At: 10 * minute, Event: "first"}, {Name: "two", At: 10 * minute, Event: "second"},
		}},
		"the clock, of it and another one's warning at one moment": {10 * minute, "first", "one", change.Line{}, []clock{
			{Name: "two", At: 11 * minute, Event: "second", Warn: time.Minute}, {Name: "one", At: 10 * minute, Event: "first"},
		}},
	} {
		t.Run(name+" comes next", func(t *testing.T) {
			got := change.Next(c.line, c.clocks, leaseEnd, "warn")
			require.Equal(t, []any{c.at, c.event, c.clock}, []any{got.At, got.Event, got.Name})
		})
	}
	t.Run("the end comes next where there are no warnings at all", func(t *testing.T) {
		require.EqualValues(t, 60*minute, change.Next(change.Line{}, open[:1], leaseEnd, "").At)
	})
}

// warnings are the clocks that people were warned of.
func (w *world) warnings(id string) (list []string) {
	w.t.Helper()
	for _, e := range w.trail(id) {
		if e.Kind == "errand.warn" {
			var warned change.Warned
			require.NoError(w.t, json.Unmarshal(e.Data, &warned))
			list = append(list, warned.Clock)
		}
	}
	return list
}

func TestAClockRingsAtItsTime(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		id := w.posted().ID
		w.pass(dueIn - warnedBefore - time.Microsecond)
		require.Equal(t, []string{"post"}, w.kinds(id))
		w.pass(time.Microsecond)
		require.Equal(t, []string{"end"}, w.warnings(id))
		require.Equal(t, []int64{2, 2}, []int64{w.get(id).Version, w.get(id).Seen}, "a warning is no news to the agent")
		w.pass(warnedBefore - time.Microsecond)
		require.Equal(t, []string{"post", "warn"}, w.kinds(id), "people are warned once")
		w.pass(time.Microsecond)
		last := w.trail(id)[2]
		require.Equal(t, []string{"errand.late", "system", "timeout"}, []string{last.Kind, last.Actor, last.Via})
		require.Equal(t, storetest.Start.Add(dueIn), last.At)
		require.Equal(t, string(done), w.get(id).State)
		w.pass(24 * time.Hour)
		require.Len(t, w.trail(id), 3, "then nothing rings any more")
	})
}

func TestBothAClockAndAClaimWarn(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		id := w.posted().ID
		w.pass(42 * time.Minute)
		w.do(id, take, ada) // until 62, and to be done by 60
		w.pass(13 * time.Minute)
		require.Equal(t, []string{"end"}, w.warnings(id))
		w.pass(2 * time.Minute)
		require.Equal(t, []string{"end", "back"}, w.warnings(id))
		require.Equal(t, string(taken), w.get(id).State)
		w.pass(3 * time.Minute)
		require.Equal(t, []string{"post", "take", "warn", "warn", "late"}, w.kinds(id))
	})
}

func TestWhatWasDueWhileNobodyRangRingsInItsOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		id := w.posted().ID
		w.do(id, take, ada)
		w.pass(2 * time.Hour)
		require.Equal(t, []string{"post", "take", "warn", "lapse", "warn", "late"}, w.kinds(id))
		require.Equal(t, []string{"back", "end"}, w.warnings(id))
	})
}

func TestAClockThatWasMovedWarnsAgainOnlyWhereThatIsMeant(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		forgiven, told := w.posted().ID, w.posted().ID
		w.pass(dueIn - warnedBefore)
		later := func(id string, edit func(*errand)) {
			w.write(func(tx *store.Tx) error {
				e, err := w.life.Lock(t.Context(), tx, id)
				require.NoError(t, err)
				_, err = w.life.Note(t.Context(), tx, e, change.Note[errand]{Kind: "later", By: agent, Edit: func(e *errand) {
					e.Due += dueIn.Microseconds()
					edit(e)
				}})
				return err
			})
		}
		later(forgiven, func(e *errand) { change.Rewarn(&e.Line, "end") })
		later(told, func(e *errand) { change.Rewarn(&e.Line, "en") })
		w.pass(dueIn)
		require.Equal(t, []string{"end", "end"}, w.warnings(forgiven))
		require.Equal(t, []string{"end"}, w.warnings(told))
	})
}

func TestTheRingOfASubjectThatHasGoneOnOrAwayDoesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		over, gone, sooner := w.posted().ID, w.posted().ID, w.posted().ID
		w.do(over, take, ada)
		w.do(over, finish, ada)
		w.forget(gone)
		w.write(func(tx *store.Tx) error {
			_, err := w.life.Note(t.Context(), tx, w.get(sooner), change.Note[errand]{Kind: "later", By: agent, Edit: func(e *errand) { e.Due += dueIn.Microseconds() }})
			return err
		})
		w.pass(dueIn)
		require.Equal(t, []string{"post", "take", "finish"}, w.kinds(over))
		require.Len(t, w.trail(gone), 1)
		require.Equal(t, []string{"post", "later"}, w.kinds(sooner), "the clock has moved")
		require.Empty(t, w.failed())
		w.pass(dueIn)
		require.Equal(t, []string{"post", "later", "warn", "late"}, w.kinds(sooner))
	})
}

// failed are the jobs that have failed, at least once.
func (w *world) failed() []string {
	w.t.Helper()
	return storetest.Texts(w.t, w.store, "SELECT last_error FROM jobs WHERE last_error <> ''")
}

func TestAKindMayDoMoreThanMoveWhenItsClockRings(t *testing.T) {
	var rung []change.Clock[verb]
	onOne(t, func(k *kind) {
		rung = nil
		k.Warn = ""
		k.Ring = func(_ context.Context, _ *store.Tx, e errand, c change.Clock[verb]) (errand, error) {
			rung = append(rung, c)
			e.Due = 0
			return e, nil
		}
		k.Save = nil
	}, func(t *testing.T, w *world) {
		id := w.posted().ID
		w.pass(dueIn)
		require.Len(t, rung, 1)
		require.Equal(t, late, rung[0].Event)
		require.Equal(t, []string{"post"}, w.kinds(id))
		require.Zero(t, w.get(id).ClockAt, "what it gives back is what the clock is set by")
	})
}

var errBroken = errors.New("the ring is broken")

func TestASubjectWhoseRingFailedForGoodIsFoundWithinTheHour(t *testing.T) {
	var err error
	onBothWith(t, func(k *kind) {
		err = errBroken
		k.Clocks = func(ctx context.Context, tx *store.Tx, e errand) ([]change.Clock[verb], error) {
			if store.Micros(tx.Now()) < e.Due {
				return clocks(ctx, tx, e)
			}
			list, _ := clocks(ctx, tx, e)
			return list, err
		}
	}, func(t *testing.T, w *world) {
		id := w.posted().ID
		w.pass(dueIn)
		for range 30 {
			w.pass(16 * time.Minute)
		}
		require.Contains(t, storetest.Texts(t, w.store, "SELECT state FROM jobs WHERE kind = 'change.clock'"), "failed")
		require.Equal(t, string(open), w.get(id).State)
		err = nil
		w.pass(time.Hour)
		require.Equal(t, string(done), w.get(id).State)
	})
}

// More than one transaction's worth of them.
func TestEveryClockThatNeverRangIsWoundUp(t *testing.T) {
	onOne(t, func(*kind) {}, func(t *testing.T, w *world) {
		ids := w.many(501)
		storetest.Exec(t, w.store, "UPDATE jobs SET state = 'failed', unique_key = '' WHERE kind = 'change.clock'")
		w.pass(dueIn)
		w.work()
		require.Equal(t, []string{"done"}, storetest.Texts(t, w.store, "SELECT DISTINCT state FROM subjects"))
		require.Equal(t, []string{"post", "warn", "late"}, w.kinds(ids[500]))
	})
}

// many makes errands in one transaction, and gives their ids.
func (w *world) many(n int) (ids []string) {
	w.t.Helper()
	w.write(func(tx *store.Tx) error {
		ids = nil
		for range n {
			e, err := w.life.Open(w.t.Context(), tx, w.fresh(), change.Opening[verb]{Event: post, By: agent})
			if err != nil {
				return err
			}
			ids = append(ids, e.ID)
		}
		return nil
	})
	return ids
}

func TestATrailOfManyEntriesIsReadInSlices(t *testing.T) {
	onOne(t, func(*kind) {}, func(t *testing.T, w *world) {
		id := w.posted().ID
		w.write(func(tx *store.Tx) error {
			e, err := w.life.Lock(t.Context(), tx, id)
			for i := 0; i < 500 && err == nil; i++ {
				e, err = w.life.Note(t.Context(), tx, e, change.Note[errand]{Kind: "remark", By: bob})
			}
			return err
		})
		require.Len(t, w.trail(id), 501)
		var page []schemas.AuditEntry
		w.read(func(tx *store.Tx) (err error) {
			page, err = event.List(t.Context(), tx, id, 499, 10)
			return err
		})
		require.Len(t, page, 2)
		storetest.Exec(t, w.store, "UPDATE trail SET data = '{\"x\":1}' WHERE n = 501")
		require.ErrorContains(t, w.check(id), "entry 501 is not what was hashed")
	})
}
