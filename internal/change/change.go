// Package change is what happens to anything with a state. A kind of subject declares its
// life, its row and its rules; here, once for all kinds, a subject moves along its life: one
// conditional update that only one caller can win, an entry in its trail, an event under one
// id, its clock, and whatever follows, all in the caller's transaction.
package change

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/event"
	"humanops-mcp/internal/lifecycle"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// Line is what everybody may know of a subject: its row in the table of subjects. Lists
// over several kinds read it.
type Line = db.Subject

// Actor is who acts, and by what.
type Actor struct{ ID, Via string }

// The actors that are no caller.
var (
	System  = Actor{"system", "system"}
	Timeout = Actor{"system", "timeout"}
)

// Who has to do something next with a subject, as its line says.
const (
	NeedsNothing  = ""
	NeedsAgent    = "agent"
	NeedsPeople   = "people"
	NeedsOwner    = "owner"
	NeedsPlatform = "platform"
)

// Deps are the parts that changes work with.
type Deps struct {
	Store  *store.Store
	Feed   *event.Feed
	Clock  clock.Clock
	Logger *slog.Logger
}

// Changes knows every kind of subject. Kinds are registered at wiring, before it is used.
type Changes struct {
	Deps
	kinds []kind
}

// New makes it, without any kind.
func New(d Deps) *Changes {
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	return &Changes{Deps: d}
}

// kind is a kind of subject without its types.
type kind interface {
	name() string
	owns(id string) bool
	ring(ctx context.Context, tx *store.Tx, id string) error
	extend(ctx context.Context, tx *store.Tx, id string, by int64) error
	check(ctx context.Context, tx *store.Tx, l Line) error
	view() View
}

// named is the kind of that name; nil when there is none.
func (c *Changes) named(name string) kind {
	i := slices.IndexFunc(c.kinds, func(k kind) bool { return k.name() == name })
	if i < 0 {
		return nil
	}
	return c.kinds[i]
}

// kindOf is the kind of a subject. One that is not known was written by a newer program.
func (c *Changes) kindOf(l Line) (kind, error) {
	k := c.named(l.Kind)
	if k == nil {
		return nil, fmt.Errorf("%s is a %s, which this program does not know", l.ID, l.Kind)
	}
	return k, nil
}

// Kind is one kind of subject: R is its row, S and E are the states and events of its life,
// F what the guards of the life look at. What is nil or empty has the default that its
// comment gives.
type Kind[R any, S, E ~string, F any] struct {
	Name string                                                        // begins the kinds of its entries: task.accept
	Life *lifecycle.Table[S, E, F]                                     // which event leads where
	Owns func(id string) bool                                          // tells the ids of this kind from others'
	Find func(ctx context.Context, tx *store.Tx, id string) (R, error) // the row with its line; store.NotFound when there is none

	Insert func(ctx context.Context, tx *store.Tx, r R) error // writes a new row; nil when the line is all there is
	Save   func(ctx context.Context, tx *store.Tx, r R) error // writes the row; the line is written here

	Line  func(*R) *Line   // where the row keeps its line
	State func(*R) *string // where the row keeps its state; the line's when nil

	Facts   func(R) F                     // what the guards look at; nothing when nil
	Ended   func(S) bool                  // no more is awaited; Life.Final when nil
	Needs   func(R) string                // who has to do something next; NeedsNothing when nil
	Claimed []S                           // the states in which somebody has the subject in hand
	Enter   func(now *R, was R, at int64) // sets the columns that belong to the state just entered
	Mirror  func(*R)                      // copies into the row what it keeps of its line
	Says    func(R) any                   // what every entry says beside from, to and version

	Clocks func(ctx context.Context, tx *store.Tx, r R) ([]Clock[E], error)    // what time will do to it
	Ring   func(ctx context.Context, tx *store.Tx, r R, c Clock[E]) (R, error) // does it; a move by c.Event when nil
	Warn   E                                                                   // the event of a warning; there are none when empty
	Shift  func(r *R, by int64)                                                // moves its clocks by microseconds; the claim's moves here
	Lapse  E                                                                   // what happens when a claim ends by itself

	Word   func(S) string                                               // a state's word in sentences; itself when nil
	Check  func(ctx context.Context, tx *store.Tx, r R) error           // what else has to be so; a conflict's sentence says what is not
	Ending func(ctx context.Context, tx *store.Tx, r R) (string, error) // how it ended, for those who come too late; "" while it has not
	View   View                                                         // how callers see it
}

// View is how callers see the subjects of a kind. Who calls is in the context. None of it
// has a default.
type View struct {
	// Admit refuses a caller who is not let near this kind at all; id is for the sentence.
	Admit func(ctx context.Context, id string) error
	// Visible refuses a caller who may not see this subject, in the words of Missing.
	Visible func(ctx context.Context, tx *store.Tx, l Line) error
	// Missing is the refusal for a subject that is not there, or is somebody else's.
	Missing func(id string) error
	// Show adds the subject to an answer, as the caller may see it.
	Show func(ctx context.Context, tx *store.Tx, id string, out *schemas.WaitResponse) error
}

func (v View) complete() bool {
	return v.Admit != nil && v.Visible != nil && v.Missing != nil && v.Show != nil
}

// Happened is a move that was made, as followers hear of it.
type Happened[R any, E ~string] struct {
	ID       string // of the event, the same everywhere
	Event    E
	By       Actor
	With     any // the event's payload
	Was, Now R
}

// Follower is what follows a move, in its transaction: an error undoes the move.
type Follower[R any, E ~string] func(ctx context.Context, tx *store.Tx, h Happened[R, E]) error

// Life is a kind at work.
type Life[R any, S, E ~string, F any] struct {
	changes   *Changes
	kind      Kind[R, S, E, F]
	followers []Follower[R, E]
}

// Register adds a kind. Two kinds of one name, and one that leaves out what has no default,
// are mistakes of the program: it panics.
func Register[R any, S, E ~string, F any](c *Changes, k Kind[R, S, E, F]) *Life[R, S, E, F] {
	if k.Name == "" || k.Life == nil || k.Line == nil || k.Find == nil || k.Owns == nil || !k.View.complete() || c.named(k.Name) != nil {
		panic("change: the kind " + k.Name + " is incomplete, or registered twice")
	}
	l := &Life[R, S, E, F]{changes: c, kind: k}
	c.kinds = append(c.kinds, l)
	return l
}

// Follow adds what follows every move of this kind. Followers run in the order in which
// they were added.
func (l *Life[R, S, E, F]) Follow(f Follower[R, E]) { l.followers = append(l.followers, f) }

func (l *Life[R, S, E, F]) name() string        { return l.kind.Name }
func (l *Life[R, S, E, F]) owns(id string) bool { return l.kind.Owns(id) }
func (l *Life[R, S, E, F]) view() View          { return l.kind.View }

// Find reads a subject.
func (l *Life[R, S, E, F]) Find(ctx context.Context, tx *store.Tx, id string) (R, error) {
	return l.kind.Find(ctx, tx, id)
}

// Lock reads a subject to change it in the same transaction: nobody else changes it until
// then. Who locks several takes what a subject is about before the subject.
func (l *Life[R, S, E, F]) Lock(ctx context.Context, tx *store.Tx, id string) (r R, err error) {
	if _, err = tx.LockSubject(ctx, id); err != nil {
		return r, err
	}
	return l.kind.Find(ctx, tx, id)
}

// Hold locks a subject of any kind, without reading it.
func Hold(ctx context.Context, tx *store.Tx, id string) error {
	_, err := tx.LockSubject(ctx, id)
	return err
}

func (l *Life[R, S, E, F]) state(r R) S { return S(*l.stateOf(&r)) }

func (l *Life[R, S, E, F]) stateOf(r *R) *string {
	if l.kind.State == nil {
		return &l.kind.Line(r).State
	}
	return l.kind.State(r)
}

func (l *Life[R, S, E, F]) ended(s S) bool {
	if l.kind.Ended == nil {
		return l.kind.Life.Final(s)
	}
	return l.kind.Ended(s)
}

// Lines reads the lines of subjects of any kind, by id.
func Lines(ctx context.Context, tx *store.Tx, ids []string) (map[string]Line, error) {
	lines := make(map[string]Line, len(ids))
	rows, err := tx.FindSubjects(ctx, store.IDs(ids))
	for _, row := range rows {
		lines[row.ID] = row
	}
	return lines, err
}

// EnteredBy is the id of the event that brought a subject into the state that it is in; ""
// where that was long ago, or before events had one id.
func EnteredBy(ctx context.Context, tx *store.Tx, l Line) (eventID string, err error) {
	const looked = 50
	entries, err := event.Latest(ctx, tx, l.ID, looked)
	for _, e := range entries {
		var moved movedTo
		if json.Unmarshal(e.Data, &moved) == nil && moved.To == l.State && moved.From != l.State {
			return e.EventID, nil
		}
	}
	return "", err
}

// May tells whether an event can happen to a subject as it is, or refuses as Move would.
func (l *Life[R, S, E, F]) May(r R, e E) error {
	_, err := l.kind.Life.Next(l.state(r), e, l.facts(r, nil))
	return l.worded(err)
}

// NewEventID makes the id of an event that is about no subject, such as a loop's.
func NewEventID() string { return event.NewID() }
