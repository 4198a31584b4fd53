package loop

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/webhook"
	"humanops-mcp/schemas"
)

// loopEvent is what webhooks are told of a loop.
type loopEvent struct {
	Event     string        `json:"event"`
	EventID   string        `json:"event_id"`
	Timestamp time.Time     `json:"timestamp"`
	LoopID    string        `json:"loop_id"`
	CreatedAt time.Time     `json:"created_at"`
	Data      loopEventData `json:"data"`
}

type loopEventData struct {
	LoopID string                `json:"loop_id"`
	Loop   Brief                 `json:"loop"`
	Member *schemas.ReviewPerson `json:"member,omitempty"`
}

// Brief is the little of a loop that webhooks are told.
type Brief struct {
	ID          string `json:"id"`
	Slug        string `json:"slug"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Icon        string `json:"icon"`
}

// BriefOf is a loop in brief.
func BriefOf(l db.Loop) Brief {
	return Brief{ID: l.ID, Slug: l.Slug, Name: l.Name, Description: l.Description, Icon: l.Icon}
}

// announceMember tells webhooks who came into a loop or left it.
func announceMember(ctx context.Context, tx *store.Tx, event, loopID, personID string) error {
	p, err := account.Person(ctx, tx, personID)
	if err != nil {
		return fmt.Errorf("find the member of an event: %w", err)
	}
	return announceLoop(ctx, tx, event, loopID, &schemas.ReviewPerson{UserID: p.ID, Name: p.Name, Email: p.Email})
}

// announceLoop tells the webhooks of the agent that made the loop, and the owner's.
func announceLoop(ctx context.Context, tx *store.Tx, event, loopID string, member *schemas.ReviewPerson) error {
	loop, err := tx.LoopByID(ctx, loopID)
	if err != nil {
		return fmt.Errorf("find the loop of an event: %w", err)
	}
	if loop.Mode == account.Test {
		member = nil // its owner stands in it, and anybody can have a test key
	}
	e := webhook.Event{ID: change.NewEventID(), Name: event, LoopID: loopID, AgentID: loop.AgentID, Mode: loop.Mode, Public: true}
	e.Body = func() ([]byte, error) {
		return json.Marshal(loopEvent{
			Event: event, EventID: e.ID, Timestamp: tx.Now().UTC(), LoopID: loop.ID, CreatedAt: store.Time(loop.CreatedAt),
			Data: loopEventData{LoopID: loop.ID, Loop: BriefOf(loop), Member: member},
		})
	}
	return webhook.Announce(ctx, tx, e)
}
