package review

import (
	"context"
	"fmt"
	"slices"
	"time"

	loops "humanops-mcp/internal/loop"
	"humanops-mcp/internal/oncall"
	"humanops-mcp/internal/quorum"
	"humanops-mcp/internal/review/ask"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// routedClaim is how long one person has a request to themselves, at most a quarter of
// its time, where the loop says nothing.
const routedClaim = time.Hour

var errNobody = schemas.NewError(schemas.CodeInvalid, "No active members found in the loop")

// group is some people who are asked alike.
type group struct {
	step   int64
	people []loops.Member
	reason string
}

// choose finds who is asked, and refuses what they could never decide.
func (s *Service) choose(ctx context.Context, tx *store.Tx, loop db.Loop, r *request, d draft) ([]group, error) {
	settings := loops.Settings(loop)
	able, err := s.Loops.Active(ctx, tx, loop.ID)
	if err != nil {
		return nil, err
	}
	if settings.Passkey {
		able = slices.DeleteFunc(able, func(m loops.Member) bool { return !m.Enrolled })
	}
	if len(able) == 0 && (!settings.AcceptUnattended || d.mode != nil || len(d.assignTo) > 0) {
		return nil, errNobody
	}
	switch {
	case d.mode != nil && len(d.mode.Steps) > 0:
		r.Restricted = true
		return s.chooseSteps(ctx, tx, loop, able, d.mode.Steps)
	case len(d.assignTo) > 0:
		r.Restricted = true
		people, err := s.pick(ctx, tx, loop, able, "assign_to", d.assignTo)
		if err != nil {
			return nil, err
		}
		return chooseSeveral(ctx, tx, people, d.mode, ask.ReasonAssigned)
	case d.mode != nil:
		r.Restricted = true
		return chooseSeveral(ctx, tx, able, d.mode, ask.ReasonLoop)
	}
	return s.route(ctx, tx, loop, r, able)
}

// route asks the whole loop, or the one whose turn it is.
func (s *Service) route(ctx context.Context, tx *store.Tx, loop db.Loop, r *request, able []loops.Member) ([]group, error) {
	routing := loops.Settings(loop).Routing
	from, err := candidates(ctx, tx, able, routing == oncall.LeastLoaded)
	if err != nil {
		return nil, err
	}
	people := byID(able, oncall.Choose(routing, from))
	if routing == oncall.RoundRobin || routing == oncall.LeastLoaded {
		r.Restricted = len(people) > 0
		for _, m := range people {
			if err := loops.NoteAssigned(ctx, tx, loop.ID, m.ID); err != nil {
				return nil, err
			}
		}
	}
	return []group{{people: people, reason: ask.ReasonLoop}}, nil
}

func (s *Service) chooseSteps(ctx context.Context, tx *store.Tx, loop db.Loop, able []loops.Member, steps []schemas.ReviewStep) ([]group, error) {
	groups := make([]group, 0, len(steps))
	for i, step := range steps {
		field := fmt.Sprintf("review_mode.steps[%d]", i)
		people, err := s.pick(ctx, tx, loop, able, field+".to", step.To)
		if err != nil {
			return nil, err
		}
		if step.Mode == quorum.Quorum && step.Threshold > len(people) {
			return nil, unreachable(field+".threshold", len(people), step.Threshold)
		}
		groups = append(groups, group{int64(i) + 1, people, ask.ReasonAssigned})
	}
	return groups, nil
}

// pick finds named people among those who can decide. Of a group those are asked who can;
// a person who is named and cannot is refused.
func (s *Service) pick(ctx context.Context, tx *store.Tx, loop db.Loop, able []loops.Member, field string, names []string) ([]loops.Member, error) {
	var people []loops.Member
	for i, name := range names {
		at := fmt.Sprintf("%s[%d]", field, i)
		named, err := s.Loops.Named(ctx, tx, loop, []string{name})
		if schemas.ErrorCode(err) == schemas.CodeInvalid {
			return nil, schemas.Invalid(at, "names nobody who can decide in this loop; got "+loops.Quote(name)+". Name active members of the loop, or groups of them")
		}
		if err != nil {
			return nil, err
		}
		var can []loops.Member
		for _, m := range named {
			can = append(can, byID(able, []string{m.ID})...)
		}
		if len(can) == 0 {
			return nil, schemas.Invalid(at, "names nobody who can decide in this loop; got "+loops.Quote(name)+". Name active members of the loop, or groups of them")
		}
		people = loops.Union(people, can)
	}
	return people, nil
}

// chooseSeveral asks as many as the mode wants: all of them, or of a quorum those who are
// available and have the least before them.
func chooseSeveral(ctx context.Context, tx *store.Tx, people []loops.Member, mode *schemas.ReviewMode, reason string) ([]group, error) {
	if mode == nil || mode.Mode != quorum.Quorum {
		return []group{{people: people, reason: reason}}, nil
	}
	if mode.Of > len(people) {
		return nil, unreachable("review_mode.of", len(people), mode.Of)
	}
	if mode.Threshold > len(people) {
		return nil, unreachable("review_mode.threshold", len(people), mode.Threshold)
	}
	if mode.Of == 0 || mode.Of == len(people) {
		return []group{{people: people, reason: reason}}, nil
	}
	left, err := candidates(ctx, tx, people, true)
	if err != nil {
		return nil, err
	}
	var chosen []string
	for len(chosen) < mode.Of {
		id := oncall.Choose(oncall.LeastLoaded, left)[0]
		chosen = append(chosen, id)
		left = slices.DeleteFunc(left, func(c oncall.Candidate) bool { return c.PersonID == id })
	}
	return []group{{people: byID(people, chosen), reason: reason}}, nil
}

func unreachable(field string, people, got int) error {
	return schemas.Invalid(field, fmt.Sprintf("must be at most the %d people who can decide; got %d", people, got))
}

// candidates are people, with how much each of them has before them where that matters.
func candidates(ctx context.Context, tx *store.Tx, people []loops.Member, loaded bool) (list []oncall.Candidate, err error) {
	open := map[string]int{}
	if loaded {
		if open, err = ask.OpenByPerson(ctx, tx, people); err != nil {
			return nil, err
		}
	}
	list = make([]oncall.Candidate, len(people))
	for i, m := range people {
		list[i] = oncall.Candidate{PersonID: m.ID, LastAssigned: m.LastAssigned, Open: open[m.ID], Available: oncall.Available(m.Availability, tx.Now())}
	}
	return list, nil
}

func byID(people []loops.Member, ids []string) []loops.Member {
	var out []loops.Member
	for _, m := range people {
		if slices.Contains(ids, m.ID) {
			out = append(out, m)
		}
	}
	return out
}

// setClocks starts the clocks of a round: to be claimed, and of the escalation. routed
// says that the request went to a single person, who does not get to keep it for ever.
func (s *Service) setClocks(loop db.Loop, r *request, now time.Time, routed bool) {
	settings := loops.Settings(loop)
	r.ClaimBy, r.EscalationStep, r.EscalationLast = 0, 0, ""
	switch {
	case quorum.Several(r.Agreement()):
	case settings.ClaimSeconds > 0:
		r.ClaimBy = store.Micros(now.Add(ask.Seconds(settings.ClaimSeconds)))
	case routed:
		r.ClaimBy = store.Micros(now.Add(min(routedClaim, ask.Seconds(int(r.TimeoutSeconds))/4)))
	}
	if plan, ok := oncall.PlanFor(settings.Escalation, r.Priority); ok {
		r.EscalationLast = plan.Last()
	}
	r.EscalationAt = s.nextEscalation(loop, *r, now)
}
