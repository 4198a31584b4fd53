package review

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
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
	Loop              loopBrief             `json:"loop"`
	Reviewer          *schemas.ReviewPerson `json:"reviewer"`
}

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
	Loop   loopBrief             `json:"loop"`
	Member *schemas.ReviewPerson `json:"member,omitempty"`
}

type loopBrief struct {
	ID          string `json:"id"`
	Slug        string `json:"slug"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Icon        string `json:"icon"`
}

func briefLoop(l db.Loop) loopBrief {
	return loopBrief{ID: l.ID, Slug: l.Slug, Name: l.Name, Description: l.Description, Icon: l.Icon}
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
		ID: h.ID, Name: name, SubjectID: r.ID, LoopID: r.LoopID, AgentID: r.AgentID, Mode: r.Mode, Public: true, Own: status(r).Final(),
	}
	e.Body = func() ([]byte, error) { return s.requestBody(ctx, tx, e, r, status(h.Was)) }
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

// announceMember tells webhooks who came into a loop or left it.
func (s *Service) announceMember(ctx context.Context, tx *store.Tx, event, loopID, personID string) error {
	p, err := tx.PersonByID(ctx, personID)
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
			Data: loopEventData{LoopID: loop.ID, Loop: briefLoop(loop), Member: member},
		})
	}
	return webhook.Announce(ctx, tx, e)
}

func (s *Service) requestBody(ctx context.Context, tx *store.Tx, e webhook.Event, r request, previous schemas.ReviewStatus) ([]byte, error) {
	asAgent := account.With(ctx, account.Caller{AgentID: r.AgentID, Mode: r.Mode})
	around, err := s.around(asAgent, tx, []request{r})
	if err != nil {
		return nil, err
	}
	v := s.listed(r, around)
	return json.Marshal(requestEvent{
		Event: e.Name, EventID: e.ID, Timestamp: tx.Now().UTC(), RequestID: v.ID, LoopID: v.LoopID, Status: v.Status,
		ResponseData: answered(v), ResponseBy: v.ResponseByUser, ResponseAt: v.ResponseAt,
		ResponseTimeSeconds: v.ResponseTimeSeconds, CreatedAt: v.CreatedAt,
		Data: requestEventData{
			RequestID: v.ID, LoopID: v.LoopID, Decision: textPointer(v.Decision), ReviewerID: v.ResponseBy, CompletedAt: timePointer(r.EndedAt),
			ResponseData: answered(v), EffectiveResponse: v.EffectiveResponse, ResponseSource: textPointer(v.ResponseSource),
			PreviousStatus: statusPointer(previous), Request: v, Loop: briefLoop(around.loops[r.LoopID]), Reviewer: v.ResponseByUser,
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
