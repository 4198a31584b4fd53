package review

import (
	"context"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	loops "humanops-mcp/internal/loop"
	"humanops-mcp/internal/quorum"
	"humanops-mcp/internal/review/ask"
	"humanops-mcp/internal/review/view"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// locked is a request that is locked for a change, with its loop and who makes the change.
type locked struct {
	request
	loop   db.Loop
	caller account.Caller
}

// lock reads a request that the caller sees, to change it. Where it decides on a task,
// the task's row is locked before: both sides take the locks in this order.
func (s *Service) lock(ctx context.Context, tx *store.Tx, id string) (locked, error) {
	l := locked{caller: account.From(ctx)}
	r, err := view.Visible(ctx, tx, id, ask.Find)
	if err != nil {
		return l, err
	}
	if r.TaskID.Valid {
		if err := change.Hold(ctx, tx, r.TaskID.String); err != nil {
			return l, err
		}
	}
	if l.request, err = view.Visible(ctx, tx, id, s.life.Lock); err != nil {
		return l, err
	}
	l.loop, err = loops.ByID(ctx, tx, l.LoopID)
	return l, err
}

// lockAsPerson is lock for what only people do. The person's row is held first, so that
// nobody acts who is being removed at the same moment.
func (s *Service) lockAsPerson(ctx context.Context, tx *store.Tx, id, refused string) (locked, error) {
	c := account.From(ctx)
	if c.AgentID != "" || c.PersonID == "" {
		if _, err := view.Visible(ctx, tx, id, ask.Find); err != nil {
			return locked{}, err
		}
		return locked{}, schemas.Forbidden(refused)
	}
	here, err := account.HoldPerson(ctx, tx, c.PersonID)
	if err != nil {
		return locked{}, err
	}
	if !here {
		return locked{}, view.Missing()
	}
	return s.lock(ctx, tx, id)
}

// ClaimReview takes a request before the others do, for as long as the lease lasts; who
// has it already renews the lease.
func (s *Service) ClaimReview(ctx context.Context, tx *store.Tx, in schemas.ReviewRequest) (schemas.ReviewAnswer, error) {
	l, err := s.lockAsPerson(ctx, tx, in.RequestID, "An agent's key never claims a review; a person does, on the request's page.")
	if err != nil {
		return schemas.ReviewAnswer{}, err
	}
	if err := s.mayClaim(ctx, tx, l); err != nil {
		return schemas.ReviewAnswer{}, err
	}
	settings := loops.Settings(l.loop)
	until := store.Micros(tx.Now().Add(orDefault(settings.LeaseSeconds, s.cfg.Lease)))
	claim := s.claim
	if l.Line.ClaimedBy != "" {
		claim = s.renew
	}
	r, err := claim(ctx, tx, l, until)
	if err != nil {
		return schemas.ReviewAnswer{}, err
	}
	return s.answerWith(ctx, tx, r, schemas.Claimed)
}

func (s *Service) claim(ctx context.Context, tx *store.Tx, l locked, until int64) (request, error) {
	settings, now := loops.Settings(l.loop), store.Micros(tx.Now())
	return s.life.Move(ctx, tx, l.request, move{Event: Claim, By: l.caller.Actor(), Edit: func(r *request) {
		change.Claim(&r.Line, l.caller.PersonID, now, until)
		change.Rewarn(&r.Line, clockDecide)
		if settings.DecideSeconds > 0 {
			r.DecideBy = now + ask.Seconds(settings.DecideSeconds).Microseconds()
		}
	}})
}

// renew is for whoever is still at it. The request is locked, so the claim is still theirs.
func (s *Service) renew(ctx context.Context, tx *store.Tx, l locked, until int64) (request, error) {
	if err := s.life.May(l.request, Renew); err != nil {
		return l.request, err
	}
	return s.life.Renew(ctx, tx, l.request, until)
}

// mayClaim tells whether somebody may claim a request, or renew their claim.
func (s *Service) mayClaim(ctx context.Context, tx *store.Tx, l locked) error {
	switch {
	case l.In().Final():
		return s.life.Refusal(ctx, tx, l.request)
	case l.Line.ClaimedBy != "" && l.Line.ClaimedBy != l.caller.PersonID:
		return s.held(ctx, tx, l.request)
	case quorum.Several(l.Agreement()):
		return conflict(l.request, "Several people decide this request, so nobody claims it. Just answer it.")
	}
	st, err := s.standingOf(ctx, tx, l.request, l.loop, l.caller.PersonID)
	if err == nil && st.Why != "" {
		err = schemas.Forbidden(st.Why)
	}
	return err
}

// ReleaseReview gives a claimed request back to the others. An owner may give back
// anybody's.
func (s *Service) ReleaseReview(ctx context.Context, tx *store.Tx, in schemas.ReviewRequest) (schemas.ReviewAnswer, error) {
	l, err := s.lockAsPerson(ctx, tx, in.RequestID, "An agent's key never releases a claim; the person who has it does.")
	if err != nil {
		return schemas.ReviewAnswer{}, err
	}
	switch {
	case l.In().Final():
		return schemas.ReviewAnswer{}, s.life.Refusal(ctx, tx, l.request)
	case l.Line.ClaimedBy == "":
		return schemas.ReviewAnswer{}, conflict(l.request, "Nobody has claimed the request, so there is nothing to release.")
	case l.Line.ClaimedBy != l.caller.PersonID && !l.caller.Owner:
		return schemas.ReviewAnswer{}, s.held(ctx, tx, l.request)
	}
	r, err := s.life.Move(ctx, tx, l.request, move{Event: Release, By: l.caller.Actor(), With: Claimed{ClaimedBy: l.Line.ClaimedBy}})
	if err != nil {
		return schemas.ReviewAnswer{}, err
	}
	return s.answerWith(ctx, tx, r, schemas.Released)
}

// leaseEnd takes a request back whose claim ended by itself. When the time to decide is
// over, the escalation goes on at once.
func (s *Service) leaseEnd(ctx context.Context, tx *store.Tx, r request, at int64) (request, error) {
	late := r.DecideBy > 0 && r.DecideBy <= at
	why := map[bool]string{true: "not decided in time", false: "no sign of life"}[late]
	r, err := s.life.Move(ctx, tx, r, move{Event: LeaseEnd, By: change.Timeout, With: Claimed{r.Line.ClaimedBy, why}})
	if err != nil || !late {
		return r, err
	}
	return s.escalateNow(ctx, tx, r)
}

// unclaim takes back what a person has claimed in a loop, or with "" everywhere: they left.
func (s *Service) unclaim(ctx context.Context, tx *store.Tx, personID, loopID string) error {
	claimed, err := s.life.Claims(ctx, tx, personID)
	if err != nil {
		return err
	}
	for _, id := range claimed {
		if err := s.takeBack(ctx, tx, id, personID, loopID); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) takeBack(ctx context.Context, tx *store.Tx, id, personID, loopID string) error {
	r, err := s.life.Lock(ctx, tx, id)
	if err != nil || r.Line.ClaimedBy != personID || loopID != "" && loopID != r.LoopID {
		return err
	}
	_, err = s.life.Move(ctx, tx, r, move{Event: LeaseEnd, By: change.System, With: Claimed{personID, "no longer there"}})
	return err
}

// answerWith is the request as the caller sees it after what was done to it.
func (s *Service) answerWith(ctx context.Context, tx *store.Tx, r request, done string) (out schemas.ReviewAnswer, err error) {
	out.Done = done
	out.Request, err = s.Of(ctx, tx, r)
	out.Sandboxed = out.Request.Sandboxed
	return out, err
}
