package review

import (
	"context"
	"encoding/json"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/check"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
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
		return schemas.ReviewAnswer{}, forbidden("Access denied to this request")
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
	r, err := s.advance(ctx, tx, l.Review, move{event: Update, by: actorOf(l.caller), data: map[string]any{"fields": fields}, edit: func(r *db.Review) {
		*r = changed
		asksElse(r)
	}})
	if err != nil {
		return schemas.ReviewAnswer{}, err
	}
	return s.answerWith(ctx, tx, r, schemas.Updated)
}

func changedFields(in schemas.UpdateReviewRequest) []string {
	var fields []string
	for _, f := range []struct {
		name  string
		given bool
	}{
		{"priority", in.Priority != nil}, {"request_text", in.RequestText != nil}, {"context", !absent(in.Context)},
		{"default_response", !absent(in.DefaultResponse)}, {"timeout_seconds", in.TimeoutSeconds != nil},
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
	case status(l.Review).Final():
		return s.refusal(ctx, tx, l.Review, nil)
	case l.ClaimedBy.Valid:
		return conflict(l.Review, "Somebody has claimed the request, so it can no longer be changed under them. Wait for the answer, or cancel it and ask again.")
	case isProof(l.Review):
		return conflict(l.Review, "This request decides a task's proof and cannot be changed.")
	}
	votes, err := tx.VotesInRound(ctx, db.VotesInRoundParams{ReviewID: l.ID, Round: l.Round})
	if err == nil && len(votes) > 0 {
		err = conflict(l.Review, "Somebody has answered the request, so it can no longer be changed under the others. Wait for the answers, or cancel it and ask again.")
	}
	return err
}

// changed is the request with what the agent wants changed.
func (s *Service) changed(l locked, in schemas.UpdateReviewRequest, tx *store.Tx) (db.Review, error) {
	r := l.Review
	var p check.Problems
	if in.Priority != nil {
		p.OneOf("priority", *in.Priority, []string{"low", "medium", "high", critical})
		r.Priority, r.PriorityRank = *in.Priority, priorityRank(*in.Priority)
	}
	if in.RequestText != nil {
		text := *in.RequestText
		checkQuestion(&p, &text)
		r.RequestText, r.SearchText = text, searchText(r.Title, text)
	}
	if checkContext(&p, in.Context); !absent(in.Context) {
		r.Context = string(in.Context)
	}
	if in.RequestText != nil || !absent(in.Context) {
		r.TextVersion = r.Version + 1
	}
	if in.TimeoutSeconds != nil {
		checkTimeout(&p, r.ProcessingType, *in.TimeoutSeconds)
		r.TimeoutSeconds, r.Warned = int64(*in.TimeoutSeconds), r.Warned&^warnedEnd
		r.TimeoutAt = store.Micros(tx.Now().Add(seconds(*in.TimeoutSeconds)))
	}
	if in.CallbackURL != nil {
		checkCallback(&p, *in.CallbackURL, s.cfg.PrivateCallbacks)
		r.CallbackUrl = *in.CallbackURL
	}
	if in.Tags != nil {
		r.Tags = jsonText(append([]string{}, checkedTags(&p, *in.Tags)...))
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
func (s *Service) newDefault(r *db.Review, l locked, raw json.RawMessage) error {
	if absent(raw) {
		return nil
	}
	spec, err := s.spec(*r)
	if err != nil {
		return err
	}
	value, err := checkDefault(spec, raw, s.settings(l.loop))
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
	p.Text("reason", &in.Reason, 0, maxReason)
	if err := p.Err(); err != nil {
		return schemas.ReviewCancelledAnswer{}, err
	}
	l, err := s.lock(ctx, tx, in.RequestID)
	if err != nil {
		return schemas.ReviewCancelledAnswer{}, err
	}
	switch {
	case !isAgent(l.caller) && !l.caller.Owner:
		return schemas.ReviewCancelledAnswer{}, forbidden("Access denied to this request")
	case status(l.Review).Final():
		return schemas.ReviewCancelledAnswer{}, conflict(l.Review, "Request cannot be cancelled in current state")
	case isProof(l.Review):
		return schemas.ReviewCancelledAnswer{}, conflict(l.Review, "This request decides a task's proof and ends with the task's decision. Decide it, or the task itself.")
	}
	data := map[string]any{}
	if in.Reason != "" {
		data["reason"] = in.Reason
	}
	r, err := s.advance(ctx, tx, l.Review, move{event: Cancel, by: actorOf(l.caller), data: data, edit: cancelled(actorOf(l.caller), in.Reason)})
	if err != nil {
		return schemas.ReviewCancelledAnswer{}, err
	}
	out := schemas.ReviewCancelledAnswer{
		RequestID: r.ID, Status: status(r), CancelledAt: store.Time(r.EndedAt), PreviousStatus: status(l.Review), RefundInfo: refundOf(l.Review),
	}
	markTest(&out.Sandboxed, r.Mode)
	return out, nil
}

func cancelled(by actor, reason string) func(*db.Review) {
	return func(r *db.Review) {
		r.Effective, r.ResponseSource, r.CancelReason, r.DecidedVia = "null", schemas.SourceCancelled, reason, by.via
	}
}

func refundOf(was db.Review) schemas.RefundInfo {
	if was.ClaimedBy.Valid {
		return schemas.RefundInfo{Reason: "A reviewer had claimed the request already"}
	}
	return schemas.RefundInfo{Refunded: true, Reason: "Nobody had claimed the request yet"}
}
