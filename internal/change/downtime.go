package change

import (
	"context"
	"encoding/json"
	"time"

	"humanops-mcp/internal/event"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// People's deadlines move by the time that the platform was away. All clocks that run are
// moved before anything rings, a slice of them in a transaction at a time; what a killed
// start has done is not done again.

const (
	extensionFact  = "change.extension"
	extensionSlice = 200
)

// extension is how far the moving of clocks has come.
type extension struct {
	ByMicros int64  `json:"by_micros"`
	After    string `json:"after"` // the last subject whose clocks were moved
}

// Extended is the payload of a change of clocks because the platform was away.
type Extended struct {
	BySeconds int64 `json:"by_seconds"`
}

// Extend plans to move every running clock by the time that the platform was away. It is
// done by Resume, which comes before anything else. What an earlier plan has left, because
// another replica is still at it, is done at once: there is one plan at a time.
func (c *Changes) Extend(ctx context.Context, tx *store.Tx, by time.Duration) error {
	if by <= 0 {
		return nil
	}
	for more := true; more; {
		var err error
		if more, err = c.extendSlice(ctx, tx); err != nil {
			return err
		}
	}
	return keepExtension(ctx, tx, extension{ByMicros: by.Microseconds()})
}

// Resume does what Extend has planned, and what a start that was cut off has left.
func (c *Changes) Resume(ctx context.Context) error {
	for {
		more := false
		err := c.Store.Write(ctx, func(tx *store.Tx) (err error) {
			more, err = c.extendSlice(ctx, tx)
			return err
		})
		if err != nil || !more {
			return err
		}
	}
}

// extendSlice holds the plan's row, so that replicas which start together take turns.
func (c *Changes) extendSlice(ctx context.Context, tx *store.Tx) (more bool, err error) {
	raw, err := tx.LockFact(ctx, extensionFact)
	if store.NotFound(err) || err == nil && raw == "" {
		return false, nil
	}
	var e extension
	if err == nil {
		err = json.Unmarshal([]byte(raw), &e)
	}
	if err != nil {
		return false, err
	}
	running, err := tx.RunningSubjects(ctx, db.RunningSubjectsParams{After: e.After, RowLimit: extensionSlice})
	if err != nil {
		return false, err
	}
	for _, s := range running {
		k, err := c.kindOf(Line{ID: s.ID, Kind: s.Kind})
		if err != nil {
			return false, err
		}
		if err := k.extend(ctx, tx, s.ID, e.ByMicros); err != nil {
			return false, err
		}
		e.After = s.ID
	}
	if len(running) < extensionSlice {
		return false, tx.PutFact(ctx, db.PutFactParams{Name: extensionFact, Value: ""})
	}
	return true, keepExtension(ctx, tx, e)
}

func keepExtension(ctx context.Context, tx *store.Tx, e extension) error {
	raw, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return tx.PutFact(ctx, db.PutFactParams{Name: extensionFact, Value: string(raw)})
}

// extend moves the clocks of one subject, which stands in its trail.
func (l *Life[R, S, E, F]) extend(ctx context.Context, tx *store.Tx, id string, by int64) error {
	r, err := l.Lock(ctx, tx, id)
	if err != nil {
		return err
	}
	moved := r
	line := l.kind.Line(&moved)
	if line.LeaseUntil > 0 {
		line.LeaseUntil += by
	}
	if l.kind.Shift != nil {
		l.kind.Shift(&moved, by)
	}
	l.news(&moved, System, true)
	e := schemas.AuditEntry{EventID: event.NewID(), Kind: l.kind.Name + ".extended", Actor: System.ID, Via: System.Via}
	_, err = l.write(ctx, tx, r, moved, e, l.told(r, moved, Extended{by / int64(time.Second/time.Microsecond)}))
	return err
}
