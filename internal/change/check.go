package change

import (
	"context"
	"encoding/json"
	"fmt"

	"humanops-mcp/internal/event"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

const (
	checkSlice   = 100 // subjects that are looked at in one read
	mostProblems = 20  // that a check tells of
)

// Check looks whether every subject is as it was written: its trail ends where its line says,
// in the state that its line has, and its line has the state of its row. It reads a slice at a time, so that it holds nobody
// up. For each subject that is not it has a sentence; there may be more than the twenty that
// it gives.
func (c *Changes) Check(ctx context.Context) (problems []string, err error) {
	for after, more := "", true; more && len(problems) < mostProblems; {
		err := c.Store.Read(ctx, func(tx *store.Tx) error {
			lines, err := tx.SubjectsAfter(ctx, db.SubjectsAfterParams{After: after, RowLimit: checkSlice})
			for i := 0; i < len(lines) && err == nil; i++ {
				after = lines[i].ID
				problems, err = found(problems, c.check(ctx, tx, lines[i]))
			}
			more = len(lines) == checkSlice
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return problems[:min(len(problems), mostProblems)], nil
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
