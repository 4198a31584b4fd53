package review

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"humanops-mcp/internal/account"
	loops "humanops-mcp/internal/loop"
	"humanops-mcp/internal/review/view"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/webhook"
	"humanops-mcp/schemas"
)

// requestEvent is what webhooks are told of a request: the members of all three spellings
// of the contract in one object. The flat ones are those of a callback, data.request,
// data.loop and data.reviewer those of the reference, and data's others those of the
// oldest clients.
type requestEvent struct {
	Event               string                `json:"event"`
	EventID             string                `json:"event_id"`
	Timestamp           time.Time             `json:"timestamp"`
	RequestID           string                `json:"request_id"`
	LoopID              string                `json:"loop_id"`
	Status              schemas.ReviewStatus  `json:"status"`
	ResponseData        json.RawMessage       `json:"response_data"`
	ResponseBy          *schemas.ReviewPerson `json:"response_by"`
	ResponseAt          *time.Time            `json:"response_at"`
	ResponseTimeSeconds *float64              `json:"response_time_seconds"`
	CreatedAt           time.Time             `json:"created_at"`
	Data                requestEventData      `json:"data"`
}

type requestEventData struct {
	RequestID         string                `json:"request_id"`
	LoopID            string                `json:"loop_id"`
	Decision          *string               `json:"decision"`
	ReviewerID        *string               `json:"reviewer_id"`
	CompletedAt       *time.Time            `json:"completed_at"`
	ResponseData      json.RawMessage       `json:"response_data"`
	EffectiveResponse json.RawMessage       `json:"effective_response"`
	ResponseSource    *string               `json:"response_source"`
	PreviousStatus    *schemas.ReviewStatus `json:"previous_status"`
	Request           schemas.Review        `json:"request"`
	Loop              loops.Brief           `json:"loop"`
	Reviewer          *schemas.ReviewPerson `json:"reviewer"`
}

// announce tells webhooks, and of outcomes the request's own address. Everybody is sent
// the same bytes: what the request's agent may see.
func (s *Service) announce(ctx context.Context, tx *store.Tx, h happened) error {
	name := announced(h.Now, h.Event)
	if name == "" {
		return nil
	}
	r := h.Now
	e := webhook.Event{
		ID: h.ID, Name: name, SubjectID: r.ID, LoopID: r.LoopID, AgentID: r.AgentID, Mode: r.Mode, Public: true, Own: r.In().Final(),
	}
	e.Body = func() ([]byte, error) { return s.requestBody(ctx, tx, e, r, h.Was.In()) }
	return webhook.Announce(ctx, tx, e)
}

// announced is the webhooks' name of an event, where it has one.
func announced(r request, e Event) string {
	switch e {
	case Create:
		return "request.created"
	case Claim:
		return "request.claimed"
	case Escalate:
		return "request.escalated"
	case Decide, Cancel, Timeout, Exhausted:
		return "request." + r.Status
	default: // nothing that programs wait for
		return ""
	}
}

func (s *Service) requestBody(ctx context.Context, tx *store.Tx, e webhook.Event, r request, previous schemas.ReviewStatus) ([]byte, error) {
	asAgent := account.With(ctx, account.Caller{AgentID: r.AgentID, Mode: r.Mode})
	v, loop, err := s.Listed(asAgent, tx, r)
	if err != nil {
		return nil, err
	}
	return json.Marshal(requestEvent{
		Event: e.Name, EventID: e.ID, Timestamp: tx.Now().UTC(), RequestID: v.ID, LoopID: v.LoopID, Status: v.Status,
		ResponseData: answered(v), ResponseBy: v.ResponseByUser, ResponseAt: v.ResponseAt,
		ResponseTimeSeconds: v.ResponseTimeSeconds, CreatedAt: v.CreatedAt,
		Data: requestEventData{
			RequestID: v.ID, LoopID: v.LoopID, Decision: view.Text(v.Decision), ReviewerID: v.ResponseBy, CompletedAt: store.TimePointer(r.EndedAt),
			ResponseData: answered(v), EffectiveResponse: v.EffectiveResponse, ResponseSource: view.Text(v.ResponseSource),
			PreviousStatus: statusPointer(previous), Request: v, Loop: loops.BriefOf(loop), Reviewer: v.ResponseByUser,
		},
	})
}

// answered is what people answered; what counts because nobody did is never shown there.
func answered(v schemas.Review) json.RawMessage {
	if v.Status != schemas.ReviewCompleted {
		return json.RawMessage("null")
	}
	return v.ResponseData
}

func statusPointer(s schemas.ReviewStatus) *schemas.ReviewStatus {
	if !slices.Contains(schemas.ReviewStatuses, s) {
		return nil
	}
	return &s
}
