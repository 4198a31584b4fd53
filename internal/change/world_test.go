package change_test

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/event"
	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/lifecycle"
	"humanops-mcp/internal/notify"
	"humanops-mcp/internal/seal"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/internal/webhook"
	"humanops-mcp/schemas"
)

var (
	agent = change.Actor{ID: "ag_1", Via: "api"}
	ada   = change.Actor{ID: "op_ada", Via: "page"}
	bob   = change.Actor{ID: "op_bob", Via: "page"}
)

// world is where errands live: the errand's declarations, and nothing else of its own.
type world struct {
	t       *testing.T
	store   *store.Store
	clock   *clock.Fake
	feed    *event.Feed
	changes *change.Changes
	life    *change.Life[errand, state, verb, struct{}]
	runner  *job.Runner
	hooks   *webhook.Service
	agent   context.Context
	waits   chan struct{} // one for each wait that begins
}

// telling is a clock that tells when somebody begins to wait.
type telling struct {
	*clock.Fake
	waits chan struct{}
}

func (c telling) After(d time.Duration) <-chan time.Time {
	ch := c.Fake.After(d)
	c.waits <- struct{}{}
	return ch
}

// onBoth runs a test with a world on each database.
func onBoth(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	onBothWith(t, func(*kind) {}, test)
}

// onBothWith is onBoth with another kind of errand.
func onBothWith(t *testing.T, edit func(*kind), test func(t *testing.T, w *world)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		test(t, newWorld(t, s, clk, edit, notify.Config{}))
	})
}

// onOne is onBothWith for what no database makes a difference to.
func onOne(t *testing.T, edit func(*kind), test func(t *testing.T, w *world)) {
	t.Helper()
	clk := clock.NewFake(storetest.Start)
	test(t, newWorld(t, storetest.OpenAt(t, clk), clk, edit, notify.Config{}))
}

func newWorld(t *testing.T, s *store.Store, clk *clock.Fake, edit func(*kind), letters notify.Config) *world {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	w := &world{t: t, store: s, clock: clk, feed: event.NewFeed(s, clk, log), waits: make(chan struct{}, 100)}
	w.changes = change.New(change.Deps{Store: s, Feed: w.feed, Clock: telling{clk, w.waits}})
	w.hooks = webhook.New(webhook.Config{Store: s, Sealer: seal.New(bytes.Repeat([]byte{7}, seal.KeySize)), AllowPrivate: true, Clock: clk}, log)
	k := errands()
	edit(&k)
	w.life = change.Register(w.changes, k)
	w.life.Follow(callBack)
	w.life.Follow(write)
	w.runner = job.NewRunner(s, clk, log)
	w.changes.RegisterJobs(w.runner)
	w.hooks.RegisterJobs(w.runner)
	letters.Authors = map[string]notify.Author{k.Name: words{}}
	notify.New(letters, s, log).RegisterJobs(w.runner)
	w.agent = account.With(t.Context(), account.Caller{AgentID: agent.ID, Mode: account.Live, Via: agent.Via})
	w.work() // the periodic jobs of the start
	return w
}

func (w *world) write(unit func(tx *store.Tx) error) {
	w.t.Helper()
	require.NoError(w.t, w.store.Write(w.t.Context(), unit))
}

func (w *world) read(unit func(tx *store.Tx) error) {
	w.t.Helper()
	require.NoError(w.t, w.store.Read(w.t.Context(), unit))
}

// work does what is due.
func (w *world) work() {
	w.t.Helper()
	_, err := w.runner.RunDue(w.t.Context())
	require.NoError(w.t, err)
}

// pass lets time go on, and does what has become due.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	w.clock.Advance(d)
	w.work()
}

// number lets the feed wake whoever waits for what was committed.
func (w *world) number() {
	w.t.Helper()
	require.NoError(w.t, w.feed.Sequence(w.t.Context()))
}

func (w *world) fresh() errand {
	return errand{
		Line: change.Line{ID: ident.New("er_"), AgentID: agent.ID, Mode: account.Live},
		Due:  store.Micros(w.clock.Now().Add(dueIn)),
	}
}

// posted makes an errand.
func (w *world) posted() (e errand) {
	w.t.Helper()
	w.write(func(tx *store.Tx) (err error) {
		e, err = w.life.Open(w.t.Context(), tx, w.fresh(), change.Opening[verb]{Event: post, By: agent})
		return err
	})
	return e
}

func (w *world) get(id string) (e errand) {
	w.t.Helper()
	w.read(func(tx *store.Tx) (err error) { e, err = w.life.Find(w.t.Context(), tx, id); return err })
	return e
}

// attempt moves an errand as it stands.
func (w *world) attempt(id string, v verb, by change.Actor) (e errand, err error) {
	err = w.store.Write(w.t.Context(), func(tx *store.Tx) error {
		if e, err = w.life.Find(w.t.Context(), tx, id); err != nil {
			return err
		}
		e, err = w.moved(tx, e, v, by)
		return err
	})
	return e, err
}

// moved is what the service of errands would do.
func (w *world) moved(tx *store.Tx, e errand, v verb, by change.Actor) (errand, error) {
	return w.life.Move(w.t.Context(), tx, e, move{Event: v, By: by, Edit: func(e *errand) {
		if v == take {
			change.Claim(&e.Line, by.ID, store.Micros(tx.Now()), store.Micros(tx.Now().Add(lease)))
			change.Rewarn(&e.Line, "back")
		}
	}})
}

func (w *world) do(id string, v verb, by change.Actor) errand {
	w.t.Helper()
	e, err := w.attempt(id, v, by)
	require.NoError(w.t, err)
	return e
}

// trail is an errand's, which must be as it was written.
func (w *world) trail(id string) (entries []schemas.AuditEntry) {
	w.t.Helper()
	require.NoError(w.t, w.check(id))
	w.read(func(tx *store.Tx) (err error) {
		entries, err = event.List(w.t.Context(), tx, id, 0, 1000)
		return err
	})
	return entries
}

func (w *world) check(id string) error {
	return w.store.Read(w.t.Context(), func(tx *store.Tx) error {
		line, err := tx.FindSubject(w.t.Context(), id)
		require.NoError(w.t, err)
		return event.Check(w.t.Context(), tx, line, func(schemas.AuditEntry) error { return nil })
	})
}

// kinds are the kinds of a trail's entries, without the kind of subject.
func (w *world) kinds(id string) (list []string) {
	w.t.Helper()
	for _, e := range w.trail(id) {
		list = append(list, e.Kind[len("errand."):])
	}
	return list
}

// deliveries are what the log has for the address of an errand.
func (w *world) deliveries(id string) (list []db.WebhookDelivery) {
	w.t.Helper()
	w.write(func(tx *store.Tx) error { // it locks the subscription
		hook, err := tx.WebhookOfSubject(w.t.Context(), id)
		if err != nil {
			return err
		}
		list, err = tx.ListDeliveries(w.t.Context(), db.ListDeliveriesParams{WebhookID: hook.ID, Before: store.Micros(w.clock.Now()) + 1, MaxRows: 100})
		return err
	})
	return list
}

// conflict requires a refusal because of the state, and gives it.
func conflict(t *testing.T, err error) *schemas.Error {
	t.Helper()
	var e *schemas.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, schemas.CodeConflict, e.Code, e.Message)
	return e
}

// forget takes an errand's row away.
func (w *world) forget(id string) {
	w.t.Helper()
	storetest.Exec(w.t, w.store, "DELETE FROM facts WHERE name = $1", id)
	w.write(func(tx *store.Tx) error { return change.Delete(w.t.Context(), tx, []string{id}) })
}

type move = change.Move[errand, verb, struct{}]

// facts are what the guards of a guarded errand look at.
type facts struct{ due, ready bool }

// guardedErrands are errands that are taken only when both facts hold.
func guardedErrands() change.Kind[errand, state, verb, facts] {
	k := errands()
	ready := lifecycle.When("due and ready", func(f facts) bool { return f.due && f.ready })
	return change.Kind[errand, state, verb, facts]{
		Name: "guarded", Owns: k.Owns, Find: k.Find, Insert: k.Insert, Save: k.Save, Line: k.Line, View: k.View,
		Life:  lifecycle.New("guarded errand", []lifecycle.Rule[state, verb, facts]{{From: open, Event: take, To: taken, Guard: ready}}),
		Facts: func(e errand) facts { return facts{due: e.Due > 0} },
	}
}
