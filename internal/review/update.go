package review

import (
	"context"
	"encoding/json"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/check"
	loops "humanops-mcp/internal/loop"
	"humanops-mcp/internal/review/ask"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/webhook"
	"humanops-mcp/schemas"
)

// UpdateReview changes an open request that nobody has claimed or answered. From then on
// a decision has to name a version that had the new text, so that nobody approves words
// that they never saw.
func (s *Service) UpdateReview(ctx context.Context, tx *store.Tx, in schemas.UpdateReviewRequest) (schemas.ReviewAnswer, error) {
	l, err := s.lock(ctx, tx, in.RequestID)
	if err != nil {
		return schemas.ReviewAnswer{}, err
	}
	if !isAgent(l.caller) {
		return schemas.ReviewAnswer{}, schemas.Forbidden("Access denied to this request")
	}
	fields := changedFields(in)
	if len(fields) == 0 {
		return schemas.ReviewAnswer{}, schemas.NewError(schemas.CodeInvalid, "At least one field must be provided for update")
	}
	if err := s.mayUpdate(ctx, tx, l); err != nil {
		return schemas.ReviewAnswer{}, err
	}
	changed, err := s.changed(l, in, tx)
	if err != nil {
		return schemas.ReviewAnswer{}, err
	}
	if err := s.moveCallback(ctx, tx, l.request, in.CallbackURL); err != nil {
		return schemas.ReviewAnswer{}, err
	}
	r, err := s.life.Move(ctx, tx, l.request, move{Event: Update, By: l.caller.Actor(), With: Updated{fields}, Edit: func(r *request) {
		*r = changed
		asksElse(r)
	}})
	if err != nil {
		return schemas.ReviewAnswer{}, err
	}
	return s.answerWith(ctx, tx, r, schemas.Updated)
}

// moveCallback gives a request another callback address, where one was sent.
func (s *Service) moveCallback(ctx context.Context, tx *store.Tx, r request, address *string) error {
	if address == nil {
		return nil
	}
	return s.Webhooks.Resubscribe(ctx, tx, webhook.Callback{SubjectID: r.ID, AgentID: r.AgentID, Mode: r.Mode, URL: *address, Style: webhook.Reviews})
}

func changedFields(in schemas.UpdateReviewRequest) []string {
	var fields []string
	for _, f := range []struct {
		name  string
		given bool
	}{
		{"priority", in.Priority != nil}, {"request_text", in.RequestText != nil}, {"context", !ask.Absent(in.Context)},
		{"default_response", !ask.Absent(in.DefaultResponse)}, {"timeout_seconds", in.TimeoutSeconds != nil},
		{"callback_url", in.CallbackURL != nil}, {"tags", in.Tags != nil},
	} {
		if f.given {
			fields = append(fields, f.name)
		}
	}
	return fields
}

func (s *Service) mayUpdate(ctx context.Context, tx *store.Tx, l locked) error {
	switch {
	case l.In().Final():
		return s.life.Refusal(ctx, tx, l.request)
	case l.Line.ClaimedBy != "":
		return conflict(l.request, "Somebody has claimed the request, so it can no longer be changed under them. Wait for the answer, or cancel it and ask again.")
	case l.IsProof():
		return conflict(l.request, "This request decides a task's proof and cannot be changed.")
	}
	votes, err := tx.VotesInRound(ctx, db.VotesInRoundParams{ReviewID: l.ID, Round: l.Round})
	if err == nil && len(votes) > 0 {
		err = conflict(l.request, "Somebody has answered the request, so it can no longer be changed under the others. Wait for the answers, or cancel it and ask again.")
	}
	return err
}

// changed is the request with what the agent wants changed.
func (s *Service) changed(l locked, in schemas.UpdateReviewRequest, tx *store.Tx) (request, error) {
	r := l.request
	var p check.Problems
	if in.Priority != nil {
		p.OneOf("priority", *in.Priority, schemas.ReviewPriorities)
		r.Priority, r.PriorityRank = *in.Priority, ask.PriorityRank(*in.Priority)
	}
	if in.RequestText != nil {
		text := *in.RequestText
		ask.CheckQuestion(&p, &text)
		r.RequestText, r.SearchText = text, searchText(r.Title, text)
	}
	if ask.CheckContext(&p, in.Context); !ask.Absent(in.Context) {
		r.Context = string(in.Context)
	}
	if in.RequestText != nil || !ask.Absent(in.Context) {
		r.TextVersion = r.Line.Version + 1
	}
	if in.TimeoutSeconds != nil {
		ask.CheckTimeout(&p, r.ProcessingType, *in.TimeoutSeconds)
		r.TimeoutSeconds = int64(*in.TimeoutSeconds)
		change.Rewarn(&r.Line, clockEnd)
		r.TimeoutAt = store.Micros(tx.Now().Add(ask.Seconds(*in.TimeoutSeconds)))
	}
	if in.CallbackURL != nil {
		webhook.CheckCallback(&p, *in.CallbackURL, "", s.cfg.PrivateCallbacks)
	}
	if in.Tags != nil {
		r.Tags = store.JSON(append([]string{}, ask.CheckedTags(&p, *in.Tags)...))
	}
	if err := p.Take(s.newDefault(&r, l, in.DefaultResponse)); err != nil {
		return r, err
	}
	if in.Priority != nil && r.EscalationStep == 0 && r.Mode == account.Live {
		claim := r.ClaimBy
		s.setClocks(l.loop, &r, store.Time(r.RoundAt), false)
		r.ClaimBy = claim
	}
	return r, p.Err()
}

// newDefault checks a new default. A request that was to be cancelled by silence has its
// default count from then on.
func (s *Service) newDefault(r *request, l locked, raw json.RawMessage) error {
	if ask.Absent(raw) {
		return nil
	}
	spec, err := r.Spec()
	if err != nil {
		return err
	}
	value, err := checkDefault(spec, raw, loops.Settings(l.loop))
	if err != nil {
		return err
	}
	if r.DefaultResponse == "" {
		r.OnTimeout = "default"
	}
	r.DefaultResponse = string(value)
	return nil
}

// CancelReview withdraws an open request. Who had claimed it, and who was told, hears so.
func (s *Service) CancelReview(ctx context.Context, tx *store.Tx, in schemas.CancelReviewRequest) (schemas.ReviewCancelledAnswer, error) {
	var p check.Problems
	p.Text("reason", &in.Reason, 0, ask.MaxReason)
	if err := p.Err(); err != nil {
		return schemas.ReviewCancelledAnswer{}, err
	}
	l, err := s.lock(ctx, tx, in.RequestID)
	if err != nil {
		return schemas.ReviewCancelledAnswer{}, err
	}
	switch {
	case !isAgent(l.caller) && !l.caller.Owner:
		return schemas.ReviewCancelledAnswer{}, schemas.Forbidden("Access denied to this request")
	case l.In().Final():
		return schemas.ReviewCancelledAnswer{}, schemas.Against(l.Status, "Request cannot be cancelled in current state")
	case l.IsProof():
		return schemas.ReviewCancelledAnswer{}, conflict(l.request, "This request decides a task's proof and ends with the task's decision. Decide it, or the task itself.")
	}
	r, err := s.life.Move(ctx, tx, l.request, move{Event: Cancel, By: l.caller.Actor(), With: Ended{in.Reason}, Edit: cancelled(l.caller.Actor(), in.Reason)})
	if err != nil {
		return schemas.ReviewCancelledAnswer{}, err
	}
	out := schemas.ReviewCancelledAnswer{
		RequestID: r.ID, Status: r.In(), CancelledAt: store.Time(r.EndedAt), PreviousStatus: l.In(), RefundInfo: refundOf(l.request),
	}
	account.MarkTest(&out.Sandboxed, r.Mode)
	return out, nil
}

func cancelled(by change.Actor, reason string) func(*request) {
	return func(r *request) {
		r.Effective, r.ResponseSource, r.CancelReason, r.DecidedVia = "null", schemas.SourceCancelled, reason, by.Via
	}
}

func refundOf(was request) schemas.RefundInfo {
	if was.Line.ClaimedBy != "" {
		return schemas.RefundInfo{Reason: "A reviewer had claimed the request already"}
	}
	return schemas.RefundInfo{Refunded: true, Reason: "Nobody had claimed the request yet"}
}
