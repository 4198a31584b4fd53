package review

import (
	"context"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// locked is a request that is locked for a change, with its loop and who makes the change.
type locked struct {
	db.Review
	loop   db.Loop
	caller account.Caller
}

// lock reads a request that the caller sees, to change it. Where it decides on a task,
// the task's row is locked before: both sides take the locks in this order.
func (s *Service) lock(ctx context.Context, tx *store.Tx, id string) (locked, error) {
	l := locked{caller: account.From(ctx)}
	r, err := s.findVisible(ctx, tx, id)
	if err != nil {
		return l, err
	}
	if r.TaskID.Valid {
		if _, err := tx.LockTask(ctx, r.TaskID.String); err != nil {
			return l, err
		}
	}
	if l.Review, err = s.lockVisible(ctx, tx, id); err != nil {
		return l, err
	}
	l.loop, err = tx.LoopByID(ctx, l.LoopID)
	return l, err
}

// lockAsPerson is lock for what only people do. The person's row is held first, so that
// nobody acts who is being removed at the same moment.
func (s *Service) lockAsPerson(ctx context.Context, tx *store.Tx, id, refused string) (locked, error) {
	c := account.From(ctx)
	if c.AgentID != "" || c.PersonID == "" {
		if _, err := s.findVisible(ctx, tx, id); err != nil {
			return locked{}, err
		}
		return locked{}, forbidden(refused)
	}
	removed, err := tx.HoldPerson(ctx, c.PersonID)
	if err != nil {
		return locked{}, err
	}
	if removed != 0 {
		return locked{}, noReview()
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
	event, err := s.mayClaim(ctx, tx, l)
	if err != nil {
		return schemas.ReviewAnswer{}, err
	}
	settings, now := s.settings(l.loop), tx.Now()
	r, err := s.advance(ctx, tx, l.Review, move{event: event, by: actorOf(l.caller), quiet: event == Renew, edit: func(r *db.Review) {
		r.LeaseUntil = store.Micros(now.Add(orDefault(settings.LeaseSeconds, s.cfg.Lease)))
		if event == Renew {
			return
		}
		r.ClaimedBy.Valid, r.ClaimedBy.String = true, l.caller.PersonID
		r.ClaimedAt, r.Warned = store.Micros(now), r.Warned&^warnedDecide
		if settings.DecideSeconds > 0 {
			r.DecideBy = store.Micros(now.Add(time.Duration(settings.DecideSeconds) * time.Second))
		}
	}})
	if err != nil {
		return schemas.ReviewAnswer{}, err
	}
	return s.answerWith(ctx, tx, r, schemas.Claimed)
}

// mayClaim tells whether it is a claim or the renewal of one, or refuses it.
func (s *Service) mayClaim(ctx context.Context, tx *store.Tx, l locked) (Event, error) {
	switch {
	case status(l.Review).Final():
		return "", s.refusal(ctx, tx, l.Review, nil)
	case l.ClaimedBy.Valid && l.ClaimedBy.String != l.caller.PersonID:
		return "", s.held(ctx, tx, l.Review)
	case several(modeOf(l.Review)):
		return "", conflict(l.Review, "Several people decide this request, so nobody claims it. Just answer it.")
	}
	st, err := s.standingOf(ctx, tx, l.Review, l.loop, l.caller.PersonID)
	if err == nil && st.why != "" {
		err = forbidden(st.why)
	}
	if l.ClaimedBy.Valid {
		return Renew, err
	}
	return Claim, err
}

// ReleaseReview gives a claimed request back to the others. An owner may give back
// anybody's.
func (s *Service) ReleaseReview(ctx context.Context, tx *store.Tx, in schemas.ReviewRequest) (schemas.ReviewAnswer, error) {
	l, err := s.lockAsPerson(ctx, tx, in.RequestID, "An agent's key never releases a claim; the person who has it does.")
	if err != nil {
		return schemas.ReviewAnswer{}, err
	}
	switch {
	case status(l.Review).Final():
		return schemas.ReviewAnswer{}, s.refusal(ctx, tx, l.Review, nil)
	case !l.ClaimedBy.Valid:
		return schemas.ReviewAnswer{}, conflict(l.Review, "Nobody has claimed the request, so there is nothing to release.")
	case l.ClaimedBy.String != l.caller.PersonID && !l.caller.Owner:
		return schemas.ReviewAnswer{}, s.held(ctx, tx, l.Review)
	}
	r, err := s.advance(ctx, tx, l.Review, move{event: Release, by: actorOf(l.caller), data: map[string]any{"claimed_by": l.ClaimedBy.String}})
	if err != nil {
		return schemas.ReviewAnswer{}, err
	}
	return s.answerWith(ctx, tx, r, schemas.Released)
}

// leaseEnd takes a request back whose claim ended by itself. When the time to decide is
// over, the escalation goes on at once.
func (s *Service) leaseEnd(ctx context.Context, tx *store.Tx, r db.Review, at int64) (db.Review, error) {
	late := r.DecideBy > 0 && r.DecideBy <= at
	why := map[bool]string{true: "not decided in time", false: "no sign of life"}[late]
	r, err := s.advance(ctx, tx, r, move{event: LeaseEnd, by: silence, data: map[string]any{"claimed_by": r.ClaimedBy.String, "why": why}})
	if err != nil || !late {
		return r, err
	}
	return s.escalateNow(ctx, tx, r)
}

// unclaim takes back what a person has claimed, everywhere or in the loops that are
// named: they were removed.
func (s *Service) unclaim(ctx context.Context, tx *store.Tx, personID string, loopIDs ...string) error {
	if len(loopIDs) == 0 {
		loopIDs = []string{""}
	}
	for _, loop := range loopIDs {
		ids, err := tx.ReviewsClaimedBy(ctx, db.ReviewsClaimedByParams{PersonID: personID, LoopID: loop})
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := s.takeBack(ctx, tx, id, personID); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Service) takeBack(ctx context.Context, tx *store.Tx, id, personID string) error {
	r, err := tx.LockReview(ctx, id)
	if err != nil || r.ClaimedBy.String != personID {
		return err
	}
	_, err = s.advance(ctx, tx, r, move{event: LeaseEnd, by: system, data: map[string]any{"claimed_by": personID, "why": "no longer there"}})
	return err
}

// answerWith is the request as the caller sees it after what was done to it.
func (s *Service) answerWith(ctx context.Context, tx *store.Tx, r db.Review, done string) (out schemas.ReviewAnswer, err error) {
	out.Done = done
	out.Request, err = s.view(ctx, tx, r)
	out.Sandboxed = out.Request.Sandboxed
	return out, err
}
