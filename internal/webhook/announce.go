package webhook

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
)

// Event is something that happened, as addresses are told of it.
type Event struct {
	ID        string // the event's, the same in the trail and the feed
	Name      string // request.completed
	SubjectID string // what it happened to; "" for a loop
	LoopID    string // in which loop; "" for none
	AgentID   string // whose it is; "" for the house
	Mode      string
	// Own says that the subject's own callback address is told of it, and Public that the
	// subscribers are.
	Own, Public bool
	// Body makes the bytes that everybody is sent. It is not called when nobody listens.
	Body func() ([]byte, error)
}

// Announce writes a delivery for each address that listens, in the transaction of what
// happened: the subject's own; of public events the agent's webhooks and, of live ones,
// the owner's too.
func Announce(ctx context.Context, tx *store.Tx, e Event) error {
	to, err := listeners(ctx, tx, e)
	if err != nil || len(to) == 0 {
		return err
	}
	body, err := e.Body()
	if err != nil {
		return err
	}
	for _, w := range to {
		id := ident.New("whd_")
		added, err := tx.InsertDelivery(ctx, db.InsertDeliveryParams{
			ID: id, WebhookID: sql.NullString{String: w.ID, Valid: true}, SubjectID: e.SubjectID, EventID: e.ID, Event: e.Name,
			Body: string(body), CreatedAt: store.Micros(tx.Now()),
		})
		if err != nil {
			return err
		}
		if added == 0 {
			continue
		}
		if err := enqueue(ctx, tx, sendArgs{DeliveryID: id}, w, time.Time{}); err != nil {
			return err
		}
	}
	return nil
}

// listeners are the webhooks that an event goes to.
func listeners(ctx context.Context, tx *store.Tx, e Event) (to []db.Webhook, err error) {
	if e.Public {
		all, err := tx.ListeningWebhooks(ctx, db.ListeningWebhooksParams{AgentID: e.AgentID, Mode: e.Mode, LoopID: e.LoopID})
		if err != nil {
			return nil, err
		}
		for _, w := range all {
			asked, err := asksFor(w, e)
			if err != nil {
				return nil, err
			}
			if asked {
				to = append(to, w)
			}
		}
	}
	if !e.Own {
		return to, nil
	}
	own, err := tx.WebhookOfSubject(ctx, e.SubjectID)
	if store.NotFound(err) || err == nil && !own.Enabled {
		return to, nil
	}
	return append(to, own), err
}

func asksFor(w db.Webhook, e Event) (bool, error) {
	var patterns []string
	if err := json.Unmarshal([]byte(w.Events), &patterns); err != nil {
		return false, fmt.Errorf("events of webhook %s: %w", w.ID, err)
	}
	return Listens(patterns, e.Name, e.LoopID), nil
}
