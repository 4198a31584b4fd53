package review

import (
	"context"
	"errors"
	"fmt"
	"time"

	"humanops-mcp/internal/change"
	"humanops-mcp/internal/check"
	loops "humanops-mcp/internal/loop"
	"humanops-mcp/internal/oncall"
	"humanops-mcp/internal/quorum"
	"humanops-mcp/internal/review/ask"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// withoutPolicy is the one step of a loop that has no policy, taken only by hand.
var withoutPolicy = schemas.EscalationStep{To: []string{"loop", "owner"}}

// EscalateReview goes to the next escalation step now.
func (s *Service) EscalateReview(ctx context.Context, tx *store.Tx, in schemas.EscalateReviewRequest) (schemas.ReviewAnswer, error) {
	var p check.Problems
	p.Text("reason", &in.Reason, 0, ask.MaxReason)
	if err := p.Err(); err != nil {
		return schemas.ReviewAnswer{}, err
	}
	l, err := s.lock(ctx, tx, in.RequestID)
	if err != nil {
		return schemas.ReviewAnswer{}, err
	}
	if err := s.mayEscalate(ctx, tx, l); err != nil {
		return schemas.ReviewAnswer{}, err
	}
	plan, planned := oncall.PlanFor(loops.Settings(l.loop).Escalation, l.Priority)
	step, _, ok := plan.Step(int(l.EscalationStep))
	switch {
	case !planned && l.EscalationStep == 0:
		step = withoutPolicy
	case !ok:
		return schemas.ReviewAnswer{}, conflict(l.request, fmt.Sprintf("The request was escalated %d times, and there is no further step. The owner adds steps in the loop's settings.", l.EscalationStep))
	}
	r, err := s.takeStep(ctx, tx, l.request, step, l.caller.Actor(), in.Reason)
	if err != nil {
		return schemas.ReviewAnswer{}, err
	}
	return s.answerWith(ctx, tx, r, schemas.Escalated)
}

func (s *Service) mayEscalate(ctx context.Context, tx *store.Tx, l locked) error {
	switch {
	case l.In().Final():
		return s.life.Refusal(ctx, tx, l.request)
	case l.Mode == "test":
		return conflict(l.request, "In test mode nobody is asked, so there is nobody to escalate to: a simulated reviewer decides.")
	case isAgent(l.caller), l.caller.Owner:
		return nil
	}
	st, err := s.standingOf(ctx, tx, l.request, l.loop, l.caller.PersonID)
	if err == nil && st.Why != "" {
		err = schemas.Forbidden(st.Why)
	}
	return err
}

// escalateNow goes on to the next step, or to what follows the last, without waiting for
// the escalation's clock: another clock has run out.
func (s *Service) escalateNow(ctx context.Context, tx *store.Tx, r request) (request, error) {
	plan, ok, err := s.planOf(ctx, tx, r)
	if err != nil || !ok {
		return r, err
	}
	step, _, more := plan.Step(int(r.EscalationStep))
	if !more {
		return r, nil // what follows the last step has its own clock
	}
	return s.takeStep(ctx, tx, r, step, change.Timeout, "")
}

// escalateByClock takes the step that is due, or does what follows the last one.
func (s *Service) escalateByClock(ctx context.Context, tx *store.Tx, r request) (request, error) {
	plan, ok, err := s.planOf(ctx, tx, r)
	if err != nil {
		return r, err
	}
	step, _, more := plan.Step(int(r.EscalationStep))
	switch {
	case ok && more:
		return s.takeStep(ctx, tx, r, step, change.Timeout, "")
	case ok && (r.EscalationLast == oncall.LastDefault || r.EscalationLast == oncall.LastCancel):
		return s.end(ctx, tx, r, Exhausted)
	}
	// The policy was taken away meanwhile: then nothing follows before the request's own end.
	return s.life.Move(ctx, tx, r, move{Event: Warn, By: change.Timeout, Quiet: true, With: change.Warned{Clock: clockEscalation},
		Edit: func(r *request) { r.EscalationAt = 0 }})
}

func (s *Service) planOf(ctx context.Context, tx *store.Tx, r request) (oncall.Plan, bool, error) {
	loop, err := loops.ByID(ctx, tx, r.LoopID)
	if err != nil {
		return oncall.Plan{}, false, err
	}
	plan, ok := oncall.PlanFor(loops.Settings(loop).Escalation, r.Priority)
	return plan, ok, nil
}

// claimLate is what happens when nobody has claimed a request in time: one that was
// routed to a single person opens to the whole loop, and the escalation goes on at once.
func (s *Service) claimLate(ctx context.Context, tx *store.Tx, r request) (request, error) {
	asked, err := ask.AskedOf(ctx, tx, r)
	if err != nil {
		return r, err
	}
	widen := wasRouted(r, asked)
	var added []loops.Member
	if widen {
		if added, err = s.widen(ctx, tx, r); err != nil {
			return r, err
		}
	}
	r, err = s.life.Move(ctx, tx, r, move{Event: ClaimLate, By: change.Timeout, Quiet: true, With: Opened{len(added)},
		Edit: func(r *request) { r.ClaimBy, r.Restricted = 0, r.Restricted && !widen }})
	if err != nil {
		return r, err
	}
	if err := s.ask(ctx, tx, r, added, r.Step); err != nil {
		return r, err
	}
	return s.escalateNow(ctx, tx, r)
}

// wasRouted tells a request that went to one person by the loop's routing from one that
// its agent meant for certain people.
func wasRouted(r request, asked []ask.Asked) bool {
	if !r.Restricted || quorum.Several(r.Agreement()) || r.IsProof() {
		return false
	}
	for _, a := range asked {
		if a.Reason == ask.ReasonLoop {
			return true
		}
	}
	return false
}

// widen asks the rest of the loop.
func (s *Service) widen(ctx context.Context, tx *store.Tx, r request) ([]loops.Member, error) {
	members, err := s.Loops.Active(ctx, tx, r.LoopID)
	if err != nil {
		return nil, err
	}
	return s.addAsked(ctx, tx, r.ID, members, r.Step, ask.ReasonLoop, tx.Now())
}

// takeStep tells the people of a step, and sets the clock of the one after it.
func (s *Service) takeStep(ctx context.Context, tx *store.Tx, r request, step schemas.EscalationStep, by change.Actor, reason string) (request, error) {
	loop, err := loops.ByID(ctx, tx, r.LoopID)
	if err != nil {
		return r, err
	}
	people, err := s.reachable(ctx, tx, loop, step.To)
	if err != nil {
		return r, err
	}
	if _, err := s.addAsked(ctx, tx, r.ID, people, r.Step, ask.ReasonEscalated, tx.Now()); err != nil {
		return r, err
	}
	said := Escalated{r.EscalationStep + 1, len(people), reason}
	r, err = s.life.Move(ctx, tx, r, move{Event: Escalate, By: by, With: said, Edit: func(r *request) {
		r.EscalationStep++
		r.EscalationAt = s.nextEscalation(loop, *r, tx.Now())
		if r.Line.ClaimedBy != "" { // the clock stands still, and moves by the whole claim when that ends
			later(&r.EscalationAt, r.Line.ClaimedAt-store.Micros(tx.Now()))
		}
	}})
	if err != nil {
		return r, err
	}
	return r, s.tellEscalated(ctx, tx, r, people, step.Channels, reason)
}

// reachable are the people of a step. A name that means nobody any more is left out: the
// others have to be told all the same.
func (s *Service) reachable(ctx context.Context, tx *store.Tx, loop db.Loop, names []string) ([]loops.Member, error) {
	var people []loops.Member
	for _, name := range names {
		named, err := s.Loops.Named(ctx, tx, loop, []string{name})
		var unknown *schemas.Error
		if err != nil && !errors.As(err, &unknown) {
			return nil, err
		}
		if err != nil {
			s.Logger.WarnContext(ctx, "an escalation names nobody who is here", "loop", loop.ID, "name", name, "error", err)
			continue
		}
		people = loops.Union(people, named)
	}
	return people, nil
}

// nextEscalation is when the step after those taken comes, or what follows the last: it
// comes as long after the last step as that one came after the one before.
func (s *Service) nextEscalation(loop db.Loop, r request, now time.Time) int64 {
	plan, ok := oncall.PlanFor(loops.Settings(loop).Escalation, r.Priority)
	if !ok {
		return 0
	}
	if _, after, more := plan.Step(int(r.EscalationStep)); more {
		return store.Micros(now.Add(after))
	}
	if r.EscalationStep == 0 || r.EscalationLast == oncall.LastKeepOpen {
		return 0
	}
	_, after, _ := plan.Step(int(r.EscalationStep) - 1)
	return store.Micros(now.Add(after))
}
