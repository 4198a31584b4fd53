package review

import (
	"humanops-mcp/internal/lifecycle"
	"humanops-mcp/schemas"
)

// Event is something that happens to a review request.
type Event string

// The events of a request's life.
const (
	Create    Event = "created"    // it is there; no event leads to the first state
	Claim     Event = "claim"      // a person takes it before the others
	Renew     Event = "renew"      // who has it is still at it
	Release   Event = "release"    // they give it back
	LeaseEnd  Event = "lease_end"  // the claim ended by itself, or its person left
	Answer    Event = "answer"     // one of several people answered, and more is needed
	Decide    Event = "decide"     // people decided
	Update    Event = "update"     // the agent changed what may be changed
	Warn      Event = "warn"       // a clock is about to run out
	ClaimLate Event = "claim_late" // nobody claimed it in time
	Escalate  Event = "escalate"   // further people are told
	Exhausted Event = "exhausted"  // the escalation's steps are over, and say what follows
	Timeout   Event = "timeout"    // nobody decided in time
	Cancel    Event = "cancel"     // it was withdrawn
	NextRound Event = "next_round" // the agent asks again after changes
)

// maxRounds bounds how often changes can be asked for.
const maxRounds = 10

// Facts are what the guards of the table look at.
type Facts struct {
	Cancels     bool  // silence cancels the request, because no default counts
	LastCancels bool  // the end of the escalation does
	Changes     bool  // people asked for changes
	Round       int64 // of the request
}

type rule = lifecycle.Rule[schemas.ReviewStatus, Event, Facts]

// The guards. Of two rules for one state and event the first whose guard holds is taken.
var (
	cancels     = lifecycle.When("no default counts", func(f Facts) bool { return f.Cancels })
	lastCancels = lifecycle.When("the policy says so, or there is no default", func(f Facts) bool { return f.LastCancels })
	mayReopen   = lifecycle.When("changes were asked for, at most ten rounds", func(f Facts) bool { return f.Changes && f.Round < maxRounds })
)

func on(from schemas.ReviewStatus, e Event, to schemas.ReviewStatus) rule {
	return rule{From: from, Event: e, To: to}
}

func onIf(g lifecycle.Guard[Facts], from schemas.ReviewStatus, e Event, to schemas.ReviewStatus) rule {
	return rule{From: from, Event: e, To: to, Guard: g}
}

// Life is a review request's life. From both open states time alone leads to a final one,
// and only one event leads out of a final one: a further round after needs_changes.
var Life = lifecycle.New("review request", []rule{
	on(schemas.ReviewPending, Claim, schemas.ReviewClaimed),
	on(schemas.ReviewPending, Answer, schemas.ReviewPending),
	on(schemas.ReviewPending, Decide, schemas.ReviewCompleted),
	on(schemas.ReviewPending, Update, schemas.ReviewPending),
	on(schemas.ReviewPending, Warn, schemas.ReviewPending),
	on(schemas.ReviewPending, ClaimLate, schemas.ReviewPending),
	on(schemas.ReviewPending, Escalate, schemas.ReviewPending),
	onIf(lastCancels, schemas.ReviewPending, Exhausted, schemas.ReviewCancelled),
	on(schemas.ReviewPending, Exhausted, schemas.ReviewTimeout),
	onIf(cancels, schemas.ReviewPending, Timeout, schemas.ReviewCancelled),
	on(schemas.ReviewPending, Timeout, schemas.ReviewTimeout),
	on(schemas.ReviewPending, Cancel, schemas.ReviewCancelled),

	on(schemas.ReviewClaimed, Renew, schemas.ReviewClaimed),
	on(schemas.ReviewClaimed, Release, schemas.ReviewPending),
	on(schemas.ReviewClaimed, LeaseEnd, schemas.ReviewPending),
	on(schemas.ReviewClaimed, Decide, schemas.ReviewCompleted),
	on(schemas.ReviewClaimed, Warn, schemas.ReviewClaimed),
	on(schemas.ReviewClaimed, Escalate, schemas.ReviewClaimed),
	onIf(cancels, schemas.ReviewClaimed, Timeout, schemas.ReviewCancelled),
	on(schemas.ReviewClaimed, Timeout, schemas.ReviewTimeout),
	on(schemas.ReviewClaimed, Cancel, schemas.ReviewCancelled),

	onIf(mayReopen, schemas.ReviewCompleted, NextRound, schemas.ReviewPending),
})
