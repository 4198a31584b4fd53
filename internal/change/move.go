package change

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"humanops-mcp/internal/event"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/trail"
	"humanops-mcp/schemas"
)

// Move is one event in a subject's life.
type Move[R any, E ~string, F any] struct {
	Event E
	By    Actor
	With  any      // the event's payload: a struct of its own, kept in the trail
	Edit  func(*R) // columns that change with it
	Given func(*F) // what the guards know of this move alone
	Quiet bool     // no news to its agent
}

// Move moves a subject on, and does everything that follows. r has to be locked, or just
// read: whoever was faster wins, and the loser learns the state.
func (l *Life[R, S, E, F]) Move(ctx context.Context, tx *store.Tx, r R, m Move[R, E, F]) (R, error) {
	next, err := l.kind.Life.Next(l.state(r), m.Event, l.facts(r, m.Given))
	if err != nil {
		return r, l.refusal(ctx, tx, r, err)
	}
	moved := r
	*l.stateOf(&moved) = string(next)
	if m.Edit != nil {
		m.Edit(&moved)
	}
	if l.kind.Enter != nil {
		l.kind.Enter(&moved, r, store.Micros(tx.Now()))
	}
	l.news(&moved, m.By, m.Quiet)
	h := Happened[R, E]{ID: event.NewID(), Event: m.Event, By: m.By, With: m.With, Was: r, Now: moved}
	h.Now, err = l.write(ctx, tx, r, moved, h.entry(l.kind.Name), l.told(r, moved, m.With))
	if errors.Is(err, errLost) {
		return r, l.lost(ctx, tx, r, func(now R) error {
			_, err := l.kind.Life.Next(l.state(now), m.Event, l.facts(now, m.Given))
			return err
		})
	}
	if err != nil {
		return r, err
	}
	return h.Now, l.follow(ctx, tx, h)
}

func (l *Life[R, S, E, F]) facts(r R, given func(*F)) (f F) {
	if l.kind.Facts != nil {
		f = l.kind.Facts(r)
	}
	if given != nil {
		given(&f)
	}
	return f
}

func (h Happened[R, E]) entry(kind string) schemas.AuditEntry {
	return schemas.AuditEntry{EventID: h.ID, Kind: kind + "." + string(h.Event), Actor: h.By.ID, Via: h.By.Via}
}

func (l *Life[R, S, E, F]) follow(ctx context.Context, tx *store.Tx, h Happened[R, E]) error {
	for _, f := range l.followers {
		if err := f(ctx, tx, h); err != nil {
			return err
		}
	}
	return nil
}

// Note is something that happened beside a subject's life, and stands in its trail.
type Note[R any] struct {
	Kind string // message: the entry's kind is task.message
	By   Actor
	With any
	Edit func(*R) // columns that change with it
	News bool     // it makes another version of the subject, of which its agent is to hear
}

// Note adds an entry to a subject's trail, and wakes whoever waits for it.
func (l *Life[R, S, E, F]) Note(ctx context.Context, tx *store.Tx, r R, n Note[R]) (R, error) {
	noted := r
	if n.Edit != nil {
		n.Edit(&noted)
	}
	said := payload(n.With)
	if n.News {
		l.news(&noted, n.By, false)
		said = payload(struct {
			Version int64 `json:"version"`
		}{l.kind.Line(&noted).Version}, n.With)
	}
	e := schemas.AuditEntry{EventID: event.NewID(), Kind: l.kind.Name + "." + n.Kind, Actor: n.By.ID, Via: n.By.Via}
	noted, err := l.write(ctx, tx, r, noted, e, said)
	if errors.Is(err, errLost) {
		return r, l.lost(ctx, tx, r, always)
	}
	return noted, err
}

// Opening is how a subject comes to be. No event of the life leads to the first state;
// this one gives the entry and the followers a name for it.
type Opening[E ~string] struct {
	Event E
	By    Actor
	With  any
	// Beside writes further rows that belong to the new one, before anybody follows.
	Beside func(ctx context.Context, tx *store.Tx) error
}

// Open makes a subject, in the first state of its life. r has its id, agent and mode in its
// line; the rest of the line is filled in here.
func (l *Life[R, S, E, F]) Open(ctx context.Context, tx *store.Tx, r R, o Opening[E]) (R, error) {
	line, at := l.kind.Line(&r), store.Micros(tx.Now())
	line.Kind, line.Version, line.Seen, line.CreatedAt = l.kind.Name, 1, 1, at
	*l.stateOf(&r) = string(l.kind.Life.States()[0])
	if err := l.project(ctx, tx, &r, at); err != nil {
		return r, err
	}
	h := Happened[R, E]{ID: event.NewID(), Event: o.Event, By: o.By, With: o.With, Now: r}
	said := payload(opened{line.State, line.Version}, l.says(r), o.With)
	entry, err := l.link(tx, &h.Now, h.entry(l.kind.Name), said)
	if err != nil {
		return r, err
	}
	if err := l.insert(ctx, tx, h.Now); err != nil {
		return r, err
	}
	if o.Beside != nil {
		if err := o.Beside(ctx, tx); err != nil {
			return r, err
		}
	}
	if err := event.Append(ctx, tx, line.ID, entry); err != nil {
		return r, err
	}
	if err := l.setClock(ctx, tx, Line{}, h.Now); err != nil {
		return r, err
	}
	return h.Now, l.follow(ctx, tx, h)
}

func (l *Life[R, S, E, F]) insert(ctx context.Context, tx *store.Tx, r R) error {
	n := l.kind.Line(&r)
	err := tx.InsertSubject(ctx, db.InsertSubjectParams{
		ID: n.ID, Kind: n.Kind, AgentID: n.AgentID, Mode: n.Mode, State: n.State, Finished: n.Finished, Needs: n.Needs,
		ClaimedBy: n.ClaimedBy, ClaimedAt: n.ClaimedAt, LeaseUntil: n.LeaseUntil, ClockAt: n.ClockAt,
		Entries: n.Entries, Head: n.Head, CreatedAt: n.CreatedAt, EndedAt: n.EndedAt,
	})
	if err != nil || l.kind.Insert == nil {
		return err
	}
	return l.kind.Insert(ctx, tx, r)
}

// opened and movedTo are what entries say of before and after.
type (
	opened struct {
		To      string `json:"to"`
		Version int64  `json:"version"`
	}
	movedTo struct {
		From string `json:"from"`
		opened
	}
)

func (l *Life[R, S, E, F]) told(was, now R, with any) []any {
	to := opened{*l.stateOf(&now), l.kind.Line(&now).Version}
	return payload(movedTo{*l.stateOf(&was), to}, l.says(now), with)
}

func (l *Life[R, S, E, F]) says(r R) any {
	if l.kind.Says == nil {
		return nil
	}
	return l.kind.Says(r)
}

// payload gathers structs whose members together are an entry's data.
func payload(parts ...any) []any {
	return slices.DeleteFunc(parts, func(part any) bool { return part == nil })
}

// news makes the next version. What an agent did itself, or what is none of its business,
// is no news to it.
func (l *Life[R, S, E, F]) news(r *R, by Actor, quiet bool) {
	line := l.kind.Line(r)
	line.Version++
	if (quiet || by.ID == line.AgentID) && line.Seen == line.Version-1 {
		line.Seen = line.Version
	}
}

// errLost tells that a subject is not any more as it was read.
var errLost = errors.New("somebody else changed it meanwhile")

// write is the one conditional update, the row and the entry. r is the subject as it was
// read, now as it is to be; errLost when it was changed since.
func (l *Life[R, S, E, F]) write(ctx context.Context, tx *store.Tx, r, now R, e schemas.AuditEntry, said []any) (R, error) {
	was, line := *l.kind.Line(&r), l.kind.Line(&now)
	at := was.UpdatedAt
	if line.Version != was.Version {
		at = store.Micros(tx.Now())
	}
	if err := l.project(ctx, tx, &now, at); err != nil {
		return r, err
	}
	entry, err := l.link(tx, &now, e, said)
	if err != nil {
		return r, err
	}
	won, err := tx.MoveSubject(ctx, db.MoveSubjectParams{
		State: line.State, Finished: line.Finished, Needs: line.Needs, Version: line.Version, Seen: line.Seen,
		ClaimedBy: line.ClaimedBy, ClaimedAt: line.ClaimedAt, LeaseUntil: line.LeaseUntil, ClockAt: line.ClockAt, Warned: line.Warned,
		Entries: line.Entries, Head: line.Head, UpdatedAt: line.UpdatedAt, EndedAt: line.EndedAt,
		ID: was.ID, FromState: was.State, FromVersion: was.Version, FromEntries: was.Entries, FromLease: was.LeaseUntil,
	})
	if err != nil {
		return r, err
	}
	if won == 0 {
		return r, errLost
	}
	if l.kind.Save != nil {
		if err := l.kind.Save(ctx, tx, now); err != nil {
			return r, err
		}
	}
	if err := event.Append(ctx, tx, was.ID, entry); err != nil {
		return r, err
	}
	return now, l.setClock(ctx, tx, was, now)
}

// project brings the line up to what the row says. at is the time of its last version.
func (l *Life[R, S, E, F]) project(ctx context.Context, tx *store.Tx, r *R, at int64) error {
	line, state := l.kind.Line(r), l.state(*r)
	line.State, line.UpdatedAt = string(state), at
	if !slices.Contains(l.kind.Claimed, state) {
		line.ClaimedBy, line.ClaimedAt, line.LeaseUntil = "", 0, 0
	}
	switch line.Finished = l.ended(state); {
	case !line.Finished:
		line.EndedAt = 0
	case line.EndedAt == 0:
		line.EndedAt = at
	}
	if line.Needs = NeedsNothing; l.kind.Needs != nil && !line.Finished {
		line.Needs = l.kind.Needs(*r)
	}
	if l.kind.Mirror != nil {
		l.kind.Mirror(r)
	}
	next, err := l.nextClock(ctx, tx, *r)
	line.ClockAt = next.At
	return err
}

// link makes the entry and puts its number and hash into the line.
func (l *Life[R, S, E, F]) link(tx *store.Tx, r *R, e schemas.AuditEntry, said []any) (schemas.AuditEntry, error) {
	line := l.kind.Line(r)
	e.At = store.Time(store.Micros(tx.Now()))
	var err error
	if e.Data, err = merged(said); err != nil {
		return e, fmt.Errorf("what the entry %s says: %w", e.Kind, err)
	}
	e, err = trail.Link(int(line.Entries), line.Head, e)
	line.Entries, line.Head = int64(e.N), e.Hash
	return e, err
}

// merged writes several structs as one object. A member that two have is the later one's.
func merged(parts []any) (json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	for _, part := range parts {
		raw, err := json.Marshal(part)
		if err == nil {
			err = json.Unmarshal(raw, &all)
		}
		if err != nil {
			return nil, err
		}
	}
	return json.Marshal(all)
}

// lost refuses whoever was too late. again tells whether the same could happen to the subject
// as others have left it: if not, the words are those for one who comes after them.
func (l *Life[R, S, E, F]) lost(ctx context.Context, tx *store.Tx, r R, again func(now R) error) error {
	id := l.kind.Line(&r).ID
	now, err := l.kind.Find(ctx, tx, id)
	if store.NotFound(err) {
		return l.kind.View.Missing(id)
	}
	if err != nil {
		return err
	}
	return l.refusal(ctx, tx, now, again(now))
}

// always is for what no state keeps from happening.
func always[R any](R) error { return nil }

// Refusal refuses because of the state that a subject is in, and names it.
func (l *Life[R, S, E, F]) Refusal(ctx context.Context, tx *store.Tx, r R) error {
	return l.refusal(ctx, tx, r, nil)
}

// refusal says how the subject ended; of one that goes on, what the table says, or that
// somebody was faster.
func (l *Life[R, S, E, F]) refusal(ctx context.Context, tx *store.Tx, r R, table error) error {
	word := l.word(l.state(r))
	if l.kind.Ending != nil {
		sentence, err := l.kind.Ending(ctx, tx, r)
		if err != nil {
			return err
		}
		if sentence != "" {
			return &schemas.Error{Code: schemas.CodeConflict, Message: sentence, State: word}
		}
	}
	if table != nil {
		return l.worded(table)
	}
	return &schemas.Error{Code: schemas.CodeConflict, State: word,
		Message: fmt.Sprintf("Somebody else was faster: the %s is %s now. Look at it again before you go on.", l.kind.Life.Noun(), word)}
}

// worded puts a refusal by the table into the kind's own words for its states.
func (l *Life[R, S, E, F]) worded(err error) error {
	var e *schemas.Error
	if l.kind.Word == nil || !errors.As(err, &e) {
		return err
	}
	var pairs []string
	for _, s := range l.kind.Life.States() {
		pairs = append(pairs, string(s), l.word(s))
	}
	out := *e
	out.State, out.Message = l.word(S(e.State)), strings.NewReplacer(pairs...).Replace(e.Message)
	return &out
}

func (l *Life[R, S, E, F]) word(s S) string {
	if l.kind.Word == nil {
		return string(s)
	}
	return l.kind.Word(s)
}
