package task

import (
	"humanops-mcp/internal/lifecycle"
	"humanops-mcp/schemas"
)

// Event is something that happens to a task.
type Event string

// The events of a task's life. A decision is an event of the same word.
const (
	Post            Event = "posted"                    // it is there; no event leads to the first state
	Accept          Event = "accept"                    // an operator takes it
	ApproveEstimate Event = "approve_estimate"          // the agent agrees to the estimate
	RejectEstimate  Event = "reject_estimate"           // the agent does not
	Start           Event = "start"                     // work begins
	Lapse           Event = "lapse"                     // work did not begin in time
	Release         Event = "release"                   // the operator gives it back
	Submit          Event = "submit"                    // proof is handed in
	GuardianApprove Event = "guardian_approve"          // confidence 90 or more, by something that looked
	GuardianReject  Event = "guardian_reject"           // confidence below 50
	GuardianUnsure  Event = "guardian_unsure"           // in between, only complete, or silent
	Approve         Event = schemas.ProofApprove        // somebody approved the proof
	RequestChanges  Event = schemas.ProofRequestChanges // somebody wants it done better
	Reject          Event = schemas.ProofReject         // somebody rejected the proof
	Refund          Event = schemas.ProofRefund         // the owner settles a dispute for the agent
	ReviewSilent    Event = "review_silent"             // nobody decided
	DisputeSilent   Event = "dispute_silent"            // nobody settled the dispute
	Settle          Event = "settle"                    // escrow goes to the operator
	Cancel          Event = "cancel"                    // the agent withdraws it
	Deadline        Event = "deadline"                  // the deadline passed
)

// Facts are what the guards of the table look at.
type Facts struct {
	Fits          bool // no estimate, or one that needs no approval
	EverSubmitted bool // proof was handed in at least once
	Rejections    int  // by Guardian, before this one
	Changes       int  // requested before this
}

// factsOf are a task's facts. Whether an estimate fits, only an accept knows.
func factsOf(t task) Facts {
	return Facts{EverSubmitted: t.Submission > 0, Rejections: int(t.GuardianRejections), Changes: int(t.ChangesRequested)}
}

type rule = lifecycle.Rule[schemas.TaskStatus, Event, Facts]

// The guards. Of two rules for one state and event the first whose guard holds is taken.
var (
	fitsNow  = lifecycle.When("no estimate, or it fits", func(f Facts) bool { return f.Fits })
	handedIn = lifecycle.When("ever submitted", func(f Facts) bool { return f.EverSubmitted })
	mayRetry = lifecycle.When("at most twice", func(f Facts) bool { return f.Rejections < maxRejections })
	mayAlter = lifecycle.When("at most twice", func(f Facts) bool { return f.Changes < maxChanges })
)

func on(from schemas.TaskStatus, e Event, to schemas.TaskStatus) rule {
	return rule{From: from, Event: e, To: to}
}

func onIf(g lifecycle.Guard[Facts], from schemas.TaskStatus, e Event, to schemas.TaskStatus) rule {
	return rule{From: from, Event: e, To: to, Guard: g}
}

// Life is a task's life. From every state that is not final, time alone leads to a
// final one, and every final state leaves the escrow empty.
var Life = lifecycle.New("task", []rule{
	onIf(fitsNow, schemas.Posted, Accept, schemas.Accepted),
	on(schemas.Posted, Accept, schemas.EstimatePending),
	on(schemas.Posted, Cancel, schemas.Cancelled),
	on(schemas.Posted, Deadline, schemas.Expired),

	on(schemas.EstimatePending, ApproveEstimate, schemas.Accepted),
	on(schemas.EstimatePending, RejectEstimate, schemas.Posted),
	on(schemas.EstimatePending, Release, schemas.Posted),
	on(schemas.EstimatePending, Cancel, schemas.Cancelled),
	on(schemas.EstimatePending, Deadline, schemas.Expired),

	on(schemas.Accepted, Start, schemas.InProgress),
	on(schemas.Accepted, Lapse, schemas.Posted),
	on(schemas.Accepted, Release, schemas.Posted),
	on(schemas.Accepted, Cancel, schemas.Cancelled),
	on(schemas.Accepted, Deadline, schemas.Expired),

	on(schemas.InProgress, Submit, schemas.Submitted),
	onIf(handedIn, schemas.InProgress, Release, schemas.ManualReview),
	on(schemas.InProgress, Release, schemas.Posted),
	onIf(handedIn, schemas.InProgress, Deadline, schemas.ManualReview),
	on(schemas.InProgress, Deadline, schemas.Expired),

	on(schemas.Submitted, GuardianApprove, schemas.Verified),
	onIf(mayRetry, schemas.Submitted, GuardianReject, schemas.InProgress),
	on(schemas.Submitted, GuardianReject, schemas.ManualReview),
	on(schemas.Submitted, GuardianUnsure, schemas.ManualReview),

	on(schemas.ManualReview, Approve, schemas.Verified),
	onIf(mayAlter, schemas.ManualReview, RequestChanges, schemas.InProgress),
	on(schemas.ManualReview, Reject, schemas.Disputed),
	on(schemas.ManualReview, ReviewSilent, schemas.Disputed),

	on(schemas.Verified, Settle, schemas.Paid),

	on(schemas.Disputed, Approve, schemas.Verified),
	on(schemas.Disputed, Refund, schemas.Cancelled),
	on(schemas.Disputed, DisputeSilent, schemas.Paid),
})
