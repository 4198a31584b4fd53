// Package event keeps what happened, in an order that readers can follow: rows are
// recorded by the transaction that causes them, and numbered once they are committed.
package event

import (
	"context"
	"encoding/json"
	"fmt"

	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
)

// The topics signalled through the store.
const (
	recorded = "event.recorded" // to the sequencers: rows without a number
	numbered = "event.numbered" // to the feeds: rows to be read
)

// Event is one thing that happened.
type Event struct {
	Kind      string // task.accept
	SubjectID string // what it happened to
	AgentID   string // whose it is; may be empty
	Actor     string // who: ag_…, op_…, system
	Via       string // how: api, page, cli, guardian, timeout, system
	Data      any    // kept as JSON; nil is {}
}

// Record writes an event that exists once tx is committed.
func Record(ctx context.Context, tx *store.Tx, e Event) error {
	data := []byte("{}")
	if e.Data != nil {
		var err error
		if data, err = json.Marshal(e.Data); err != nil {
			return fmt.Errorf("data of event %s: %w", e.Kind, err)
		}
	}
	err := tx.InsertEvent(ctx, db.InsertEventParams{
		ID: ident.New("ev_"), Kind: e.Kind, SubjectID: e.SubjectID, AgentID: e.AgentID,
		Actor: e.Actor, Via: e.Via, Data: string(data), CreatedAt: store.Micros(tx.Now()),
	})
	if err != nil {
		return err
	}
	return tx.Signal(ctx, recorded)
}

// Reclaim ends the sequencer's lease of a process that died. It is for the start of a
// process that owns its database alone.
func Reclaim(ctx context.Context, tx *store.Tx) error {
	_, err := tx.ClearLeases(ctx)
	return err
}
