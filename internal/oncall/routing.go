package oncall

import (
	"cmp"
	"slices"
	"time"

	"humanops-mcp/schemas"
)

// How requests reach people.
const (
	Broadcast   = "broadcast"
	RoundRobin  = "round_robin"
	LeastLoaded = "least_loaded"
)

// What follows the last step of an escalation.
const (
	LastDefault  = "default"
	LastCancel   = "cancel"
	LastKeepOpen = "keep_open"
)

// Candidate is somebody who could be asked.
type Candidate struct {
	PersonID     string
	LastAssigned int64 // when a request last went to them; 0 for never
	Open         int   // requests that they have before them
	Available    bool
}

// Choose picks who is asked: everybody, or one person, of those who are available if
// there are any. Round robin takes whoever has waited longest, least loaded whoever has
// the fewest requests.
func Choose(routing string, people []Candidate) []string {
	if routing != RoundRobin && routing != LeastLoaded {
		ids := make([]string, 0, len(people))
		for _, p := range people {
			ids = append(ids, p.PersonID)
		}
		return ids
	}
	if len(people) == 0 {
		return nil
	}
	best := slices.MinFunc(people, func(a, b Candidate) int {
		load := 0
		if routing == LeastLoaded {
			load = cmp.Compare(a.Open, b.Open)
		}
		return cmp.Or(unavailable(a)-unavailable(b), load, cmp.Compare(a.LastAssigned, b.LastAssigned), cmp.Compare(a.PersonID, b.PersonID))
	})
	return []string{best.PersonID}
}

func unavailable(c Candidate) int {
	if c.Available {
		return 0
	}
	return 1
}

// Plan is the escalation of one request.
type Plan struct{ policy schemas.EscalationPolicy }

// PlanFor is the policy for a priority: the first that names it, else the first for all.
func PlanFor(policies []schemas.EscalationPolicy, priority string) (Plan, bool) {
	for _, p := range policies {
		if slices.Contains(p.Priorities, priority) && len(p.Steps) > 0 {
			return Plan{p}, true
		}
	}
	for _, p := range policies {
		if len(p.Priorities) == 0 && len(p.Steps) > 0 {
			return Plan{p}, true
		}
	}
	return Plan{}, false
}

// Step is the step with number n, from 0, counted on over the repetitions, and how long
// after the one before it comes. There is none after the last repetition.
func (p Plan) Step(n int) (step schemas.EscalationStep, after time.Duration, ok bool) {
	count := len(p.policy.Steps)
	if n < 0 || n >= count*(p.policy.Repeat+1) {
		return step, 0, false
	}
	step = p.policy.Steps[n%count]
	return step, time.Duration(step.AfterSeconds) * time.Second, true
}

// Last says what follows the last step: default, cancel or keep_open.
func (p Plan) Last() string { return cmp.Or(p.policy.Last, LastKeepOpen) }
