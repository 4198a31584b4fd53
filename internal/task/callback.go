package task

import (
	"context"
	"encoding/json"
	"time"

	"humanops-mcp/internal/store"
	"humanops-mcp/internal/webhook"
)

// statusChanged is what a task's callback address is told, in the contract's order.
type statusChanged struct {
	Event          string    `json:"event"`
	TaskID         string    `json:"task_id"`
	Status         string    `json:"status"`
	PreviousStatus string    `json:"previous_status"`
	Timestamp      time.Time `json:"timestamp"`
}

// callBack tells a task's own address of each change of its status.
func (s *Service) callBack(ctx context.Context, tx *store.Tx, h happened) error {
	t := h.Now
	if h.Event == Post || h.Was.Status == t.Status {
		return nil
	}
	said := statusChanged{"task.status_changed", t.ID, s.word(t.Status), s.word(h.Was.Status), tx.Now().UTC()}
	return webhook.Announce(ctx, tx, webhook.Event{
		ID: h.ID, Name: said.Event, SubjectID: t.ID, AgentID: t.AgentID, Mode: t.Mode, Own: true,
		Body: func() ([]byte, error) { return json.Marshal(said) },
	})
}
