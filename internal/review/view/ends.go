package view

import (
	"time"

	loops "humanops-mcp/internal/loop"
	"humanops-mcp/internal/oncall"
	"humanops-mcp/internal/review/ask"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// EndsAt is when the escalation ends an open request, nil when that is not before its own
// end. While somebody has claimed the request the escalation stands still and ends nothing.
func (s *Reader) EndsAt(loop db.Loop, r ask.Request) *time.Time {
	ends := r.EscalationLast == oncall.LastDefault || r.EscalationLast == oncall.LastCancel
	if !ends || r.EscalationAt == 0 || r.In() != schemas.ReviewPending {
		return nil
	}
	plan, ok := oncall.PlanFor(loops.Settings(loop).Escalation, r.Priority)
	if !ok {
		return nil
	}
	if at := exhaustedAt(plan, r); at < r.TimeoutAt {
		return store.TimePointer(at)
	}
	return nil
}

// exhaustedAt is when what follows the last step comes: as long after that step as the step
// came after the one before. The time to claim, when it is over, brings one step forward.
func exhaustedAt(plan oncall.Plan, r ask.Request) int64 {
	at, claimBy := r.EscalationAt, r.ClaimBy
	_, after, more := plan.Step(int(r.EscalationStep))
	for n := int(r.EscalationStep); more; {
		if claimBy > 0 && claimBy <= at {
			at, claimBy = claimBy, 0
		}
		n++
		var next time.Duration
		if _, next, more = plan.Step(n); more {
			after = next
		}
		at += after.Microseconds()
	}
	return at
}
