package change

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"humanops-mcp/internal/event"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

const (
	checkSlice   = 100 // subjects that are looked at in one read
	mostProblems = 20  // that a check tells of
)

// Look says what a check looks at. The zero Look is at every subject there is.
type Look struct {
	Since int64                         // only at those that go on, or have an entry behind this place in the order of all
	Seen  func(subjects, entries int64) // told of every slice that was looked at
}

// Check looks whether subjects are as they were written: each one's trail ends where its line
// says, in the state that its line has, and its line has the state of its row. It reads a
// slice at a time, so that it holds nobody up. For each subject that is not it has a
// sentence; there may be more than the twenty that it gives.
func (c *Changes) Check(ctx context.Context, look Look) (problems []string, err error) {
	walks := []walk{c.everything()}
	if look.Since > 0 {
		seen := map[string]bool{}
		walks = []walk{once(seen, c.goingOn()), once(seen, c.touched(look.Since))}
	}
	for _, next := range walks {
		for more := true; more && len(problems) < mostProblems; {
			var entries, subjects int64
			err := c.Store.Read(ctx, func(tx *store.Tx) error {
				lines, rest, err := next(ctx, tx)
				for i := 0; i < len(lines) && err == nil; i++ {
					entries += lines[i].Entries
					problems, err = found(problems, c.check(ctx, tx, lines[i]))
				}
				more, subjects = rest, int64(len(lines))
				return err
			})
			if err != nil {
				return nil, err
			}
			if look.Seen != nil {
				look.Seen(subjects, entries)
			}
		}
	}
	return problems[:min(len(problems), mostProblems)], nil
}

// walk gives the next lines of some, and whether there may be more.
type walk func(ctx context.Context, tx *store.Tx) (lines []Line, more bool, err error)

// everything walks all lines, in the order of their ids.
func (c *Changes) everything() walk {
	after := ""
	return func(ctx context.Context, tx *store.Tx) (lines []Line, more bool, err error) {
		lines, err = tx.SubjectsAfter(ctx, db.SubjectsAfterParams{After: after, RowLimit: checkSlice})
		if len(lines) > 0 {
			after = lines[len(lines)-1].ID
		}
		return lines, len(lines) == checkSlice, err
	}
}

// goingOn walks what is not over.
func (c *Changes) goingOn() walk {
	var last Line
	return func(ctx context.Context, tx *store.Tx) (lines []Line, more bool, err error) {
		lines, err = tx.OpenSubjectsAfter(ctx, db.OpenSubjectsAfterParams{
			AfterAgent: last.AgentID, AfterMode: last.Mode, AfterKind: last.Kind, AfterTime: last.CreatedAt, AfterID: last.ID, RowLimit: checkSlice,
		})
		if len(lines) > 0 {
			last = lines[len(lines)-1]
		}
		return lines, len(lines) == checkSlice, err
	}
}

// touched walks what had an entry behind a place.
func (c *Changes) touched(after int64) walk {
	return func(ctx context.Context, tx *store.Tx) (lines []Line, more bool, err error) {
		ids, last, err := event.Touched(ctx, tx, after, checkSlice)
		if err != nil || len(ids) == 0 {
			return nil, false, err
		}
		after = last
		lines, err = tx.FindSubjects(ctx, store.IDs(ids))
		return lines, len(ids) == checkSlice, err
	}
}

// once leaves out what was walked before.
func once(seen map[string]bool, next walk) walk {
	return func(ctx context.Context, tx *store.Tx) ([]Line, bool, error) {
		lines, more, err := next(ctx, tx)
		lines = slices.DeleteFunc(lines, func(l Line) bool { return seen[l.ID] })
		for _, l := range lines {
			seen[l.ID] = true
		}
		return lines, more, err
	}
}

// found adds what a check found. Other errors are that it could not look.
func found(problems []string, err error) ([]string, error) {
	if schemas.ErrorCode(err) == schemas.CodeConflict {
		return append(problems, err.Error()), nil
	}
	return problems, err
}

func (c *Changes) check(ctx context.Context, tx *store.Tx, l Line) error {
	state, err := checkTrail(ctx, tx, l)
	if err != nil {
		return err
	}
	k := c.named(l.Kind)
	if k == nil {
		return differs("%s is of a kind that is not known: %s", l.ID, l.Kind)
	}
	if err := k.check(ctx, tx, l); err != nil || state == l.State {
		return err
	}
	return differs("%s is %s by its trail, but %s by its line", l.ID, state, l.State)
}

// checkTrail looks whether a subject's trail is as it was written, and gives the state that
// it ends in. Only of what was deleted entries may have lost their words.
func checkTrail(ctx context.Context, tx *store.Tx, l Line) (state string, err error) {
	state = l.State // where no entry says it: those of before there were trails may not
	err = event.Check(ctx, tx, l, func(e schemas.AuditEntry) error {
		if l.State == Deleted {
			return nil
		}
		if len(e.Data) == 0 {
			return differs("the trail of %s is not as it was written: what entry %d said is gone", l.ID, e.N)
		}
		var moved movedTo
		if json.Unmarshal(e.Data, &moved) == nil && moved.To != "" {
			state = moved.To
		}
		return nil
	})
	return state, err
}

func (l *Life[R, S, E, F]) check(ctx context.Context, tx *store.Tx, line Line) error {
	r, err := l.kind.Find(ctx, tx, line.ID)
	if store.NotFound(err) && line.State == Deleted {
		return nil
	}
	if store.NotFound(err) {
		return differs("the %s %s is %s by its line, but its row is gone", l.kind.Name, line.ID, line.State)
	}
	if err != nil {
		return err
	}
	if state := *l.stateOf(&r); state != line.State {
		return differs("the %s %s is %s by its row, but %s by its line", l.kind.Name, line.ID, state, line.State)
	}
	if l.kind.Check == nil || line.State == Deleted {
		return nil
	}
	return l.kind.Check(ctx, tx, r)
}

func differs(format string, args ...any) error {
	return schemas.NewError(schemas.CodeConflict, fmt.Sprintf(format, args...))
}
