package review

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// move is one event in a request's life, with who caused it and what changes beside the
// status.
type move struct {
	event Event
	by    actor
	edit  func(r *db.Review) // columns that change with it
	data  map[string]any     // what the trail tells beside from and to
	quiet bool               // no news to the agent, and nothing to tell anybody
}

// actor is who acts, and how.
type actor struct{ id, via string }

var (
	system  = actor{"system", "system"}
	silence = actor{"system", "timeout"}
)

func actorOf(c account.Caller) actor { return actor{c.ID(), c.Via} }

// advance moves a request on: one conditional update that only one caller can win, the
// trail, the event, the webhooks, the notices and the clocks, all in one transaction.
func (s *Service) advance(ctx context.Context, tx *store.Tx, r db.Review, m move) (db.Review, error) {
	next, err := Life.Next(schemas.ReviewStatus(r.Status), m.event, factsOf(r))
	if err != nil {
		return r, s.refusal(ctx, tx, r, err)
	}
	moved := r
	moved.Status = string(next)
	if m.edit != nil {
		m.edit(&moved)
	}
	enter(&moved, r, store.Micros(tx.Now()))
	follow(&moved, r, m)
	if m.event == Renew {
		return s.save(ctx, tx, r, moved)
	}
	written, err := link(&moved, "review."+string(m.event), m.by, tx.Now(), trailOf(r, moved, m))
	if err != nil {
		return r, err
	}
	if moved, err = s.save(ctx, tx, r, moved); err != nil {
		return r, err
	}
	if err := s.write(ctx, tx, moved, written); err != nil {
		return r, err
	}
	return moved, s.ripple(ctx, tx, r, moved, m)
}

// trailOf is what the trail says about a change.
func trailOf(was, r db.Review, m move) map[string]any {
	data := map[string]any{"from": was.Status, "to": r.Status, "version": r.Version, "round": r.Round}
	for name, value := range m.data {
		data[name] = value
	}
	return data
}

// follow counts the version. What an agent did itself, or what is none of its business,
// is no news to it.
func follow(moved *db.Review, was db.Review, m move) {
	moved.Version = was.Version + 1
	if (m.quiet || m.by.id == was.AgentID) && was.SeenVersion == was.Version {
		moved.SeenVersion = moved.Version
	}
}

// enter sets the columns that belong to the status just entered. While a request is
// claimed its escalation and its clock to be claimed stand still.
func enter(r *db.Review, was db.Review, now int64) {
	status := schemas.ReviewStatus(r.Status)
	r.StatusRank = int64(slices.Index(schemas.ReviewStatuses, status))
	r.UpdatedAt = now
	switch {
	case status.Final():
		unclaimed(r)
		r.ClaimBy, r.EscalationAt, r.EndedAt = 0, 0, now
	case status == schemas.ReviewPending && was.Status == string(schemas.ReviewClaimed):
		stood := now - was.ClaimedAt
		unclaimed(r)
		later(&r.ClaimBy, stood)
		later(&r.EscalationAt, stood)
	}
}

func unclaimed(r *db.Review) {
	r.ClaimedBy.Valid, r.ClaimedBy.String = false, ""
	r.ClaimedAt, r.LeaseUntil, r.DecideBy = 0, 0, 0
}

// later moves a clock that is set.
func later(clock *int64, by int64) {
	if *clock > 0 {
		*clock += by
	}
}

// save writes the request if nobody else has moved it.
func (s *Service) save(ctx context.Context, tx *store.Tx, was, r db.Review) (db.Review, error) {
	n, err := tx.SaveReview(ctx, db.SaveReviewParams{
		Status: r.Status, StatusRank: r.StatusRank, Version: r.Version, SeenVersion: r.SeenVersion, Round: r.Round, Step: r.Step,
		Priority: r.Priority, PriorityRank: r.PriorityRank, RequestText: r.RequestText, SearchText: r.SearchText, Media: r.Media,
		TextVersion: r.TextVersion, ContentHash: r.ContentHash, Context: r.Context, ResponseConfig: r.ResponseConfig, DefaultResponse: r.DefaultResponse, OnTimeout: r.OnTimeout,
		TimeoutSeconds: r.TimeoutSeconds, CallbackUrl: r.CallbackUrl, Tags: r.Tags, Action: r.Action, ActionDigest: r.ActionDigest,
		Restricted: r.Restricted, ClaimedBy: r.ClaimedBy, ClaimedAt: r.ClaimedAt, LeaseUntil: r.LeaseUntil, DecideBy: r.DecideBy,
		ClaimBy: r.ClaimBy, TimeoutAt: r.TimeoutAt, Warned: r.Warned, EscalationAt: r.EscalationAt, EscalationStep: r.EscalationStep,
		EscalationLast: r.EscalationLast, Response: r.Response, ResponseValue: r.ResponseValue, Effective: r.Effective,
		ResponseSource: r.ResponseSource, Decision: r.Decision, DecidedBy: r.DecidedBy, DecidedVia: r.DecidedVia, Comment: r.Comment,
		EditedAction: r.EditedAction, CancelReason: r.CancelReason, AuditCount: r.AuditCount, AuditHead: r.AuditHead,
		RoundAt: r.RoundAt, UpdatedAt: r.UpdatedAt, EndedAt: r.EndedAt,
		ID: was.ID, FromStatus: was.Status, FromVersion: was.Version,
	})
	if err != nil || n == 1 {
		return r, err
	}
	now, err := tx.FindReview(ctx, was.ID)
	if err != nil {
		return r, err
	}
	return r, s.refusal(ctx, tx, now, nil)
}

// ripple is what comes of a change: webhooks, notices, the next clock, and in test mode
// the simulated reviewer.
func (s *Service) ripple(ctx context.Context, tx *store.Tx, was, r db.Review, m move) error {
	if err := s.schedule(ctx, tx, r); err != nil {
		return err
	}
	if name := announced(r, m.event); name != "" {
		if err := s.announce(ctx, tx, name, &r, r.LoopID, schemas.ReviewStatus(was.Status)); err != nil {
			return err
		}
	}
	if r.Mode == account.Test {
		if m.event == NextRound {
			return s.scheduleSimulation(ctx, tx, r)
		}
		return nil
	}
	return s.tell(ctx, tx, was, r, m)
}

// announced is the webhooks' name of an event, where it has one.
func announced(r db.Review, e Event) string {
	switch e {
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

func jsonText(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own plain types: cannot fail
	}
	return string(raw)
}

// clockTime is a time of day as sentences give it.
func clockTime(t time.Time) string { return t.UTC().Format("2 Jan 15:04 UTC") }
