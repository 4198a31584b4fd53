package change_test

import (
	"context"
	"strconv"
	"strings"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/lifecycle"
	"humanops-mcp/internal/notify"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/webhook"
	"humanops-mcp/schemas"
)

// errand is a thing with three states, a clock and a claim: all that it takes to have
// another kind of subject. It has no table; when it is due is a fact of its own.
type errand struct {
	change.Line
	Due int64
}

type (
	state    string
	verb     string
	kind     = change.Kind[errand, state, verb, struct{}]
	happened = change.Happened[errand, verb]
)

const open, taken, done state = "open", "taken", "done"
const post, take, finish, lapse, warn, late verb = "post", "take", "finish", "lapse", "warn", "late"
const dueIn, lease, warnedBefore = time.Hour, 20 * time.Minute, 5 * time.Minute

var life = lifecycle.New("errand", []lifecycle.Rule[state, verb, struct{}]{
	{From: open, Event: take, To: taken}, {From: open, Event: late, To: done}, {From: open, Event: warn, To: open},
	{From: taken, Event: finish, To: done}, {From: taken, Event: late, To: done}, {From: taken, Event: warn, To: taken}, {From: taken, Event: lapse, To: open},
})

func errands() kind {
	return kind{
		Name: "errand", Life: life, Owns: func(id string) bool { return strings.HasPrefix(id, "er_") },
		Find: find, Insert: save, Save: save, Line: func(e *errand) *change.Line { return &e.Line },
		Needs: func(errand) string { return change.NeedsPeople }, Claimed: []state{taken}, Clocks: clocks, Warn: warn, Lapse: lapse,
		Shift: func(e *errand, by int64) { e.Due += by },
		View:  change.View{Admit: func(context.Context, string) error { return nil }, Visible: visible, Missing: missing, Show: show},
	}
}

func find(ctx context.Context, tx *store.Tx, id string) (e errand, err error) {
	due, err := tx.GetFact(ctx, id)
	if err != nil {
		return e, err
	}
	e.Line, err = tx.FindSubject(ctx, id)
	e.Due, _ = strconv.ParseInt(due, 10, 64)
	return e, err
}

func save(ctx context.Context, tx *store.Tx, e errand) error {
	return tx.PutFact(ctx, db.PutFactParams{Name: e.ID, Value: strconv.FormatInt(e.Due, 10)})
}

func clocks(_ context.Context, _ *store.Tx, e errand) ([]change.Clock[verb], error) {
	end := change.Clock[verb]{Name: "end", At: e.Due, Event: late, Warn: warnedBefore, Since: e.CreatedAt}
	return []change.Clock[verb]{end, {Name: "back", At: e.LeaseUntil, Event: lapse, Warn: warnedBefore, Since: e.ClaimedAt}}, nil
}

func visible(ctx context.Context, _ *store.Tx, l change.Line) error {
	if account.From(ctx).SeesTasksOf(l.AgentID, l.Mode) {
		return nil
	}
	return missing(l.ID)
}

func missing(id string) error {
	return schemas.NewError(schemas.CodeNotFound, "There is no errand "+id+".")
}

func show(ctx context.Context, tx *store.Tx, id string, out *schemas.WaitResponse) error {
	e, err := find(ctx, tx, id)
	out.Items = append(out.Items, schemas.TaskView{TaskID: e.ID, Status: e.State, Version: e.Version, New: e.Seen < e.Version})
	return err
}

// callBack tells the errand's own address.
func callBack(ctx context.Context, tx *store.Tx, h happened) error {
	return webhook.Announce(ctx, tx, webhook.Event{
		ID: h.ID, Name: "errand." + string(h.Event), SubjectID: h.Now.ID, AgentID: h.Now.AgentID, Mode: h.Now.Mode, Own: true,
		Body: func() ([]byte, error) { return []byte(`{"event_id":"` + h.ID + `"}`), nil },
	})
}

// write writes to who has taken it.
func write(ctx context.Context, tx *store.Tx, h happened) error {
	l := notify.Letter{PersonIDs: []string{h.Now.ClaimedBy}, Kind: "errand." + string(h.Event), About: h.Now.ID, Subject: "Your errand"}
	return notify.Kind.Enqueue(ctx, tx, l, job.Options{Owner: h.Now.AgentID, Priority: job.PriorityOf(h.Now.Mode)})
}

// words is the author of its letters.
type words struct{ notify.Author }

func (words) Useless(context.Context, *store.Tx, notify.Letter, string) (string, error) {
	return "", nil
}

func (words) Complete(_ context.Context, _ *store.Tx, l notify.Letter, _ string) (notify.Letter, error) {
	l.Body = "It is yours."
	return l, nil
}

func (words) Went(ctx context.Context, tx *store.Tx, l notify.Letter, _, how string) error {
	return tx.PutFact(ctx, db.PutFactParams{Name: l.About + ".letter", Value: how})
}
