package schemas

import (
	"slices"
	"strings"
)

// The words of a decision on the proof of a task: on the wire, in the trail and in commands.
const (
	ProofApprove        = "approve"
	ProofRequestChanges = "request_changes"
	ProofReject         = "reject"
	ProofRefund         = "refund"
)

// ProofDecision is something that can be decided about a submission, with the words in
// which tools, commands and pages speak of it.
type ProofDecision struct {
	Word    string // one of the four
	Label   string // to choose it by
	Effect  string // what it does
	Done    string // what it was, once it is made
	Means   string // to a review: Approved, NeedsChanges or Rejected
	Proof   bool   // it decides a submission that waits for people
	Dispute bool   // it settles a dispute
}

// ProofDecisions are all of them, in the order in which they are offered. A dispute is
// settled for the operator or for the agent; there is no going back to work.
var ProofDecisions = []ProofDecision{
	{ProofApprove, "Approve", "The operator is paid", "Approved", Approved, true, true},
	{ProofRequestChanges, "Request changes", "The operator submits again", "Changes requested", NeedsChanges, true, false},
	{ProofReject, "Reject", "Opens a dispute, which an owner settles", "Rejected", Rejected, true, false},
	{ProofRefund, "Refund", "The agent gets the reward back", "Refunded", Rejected, false, true},
}

// FindProofDecision is the decision that a word stands for; false for any other word.
func FindProofDecision(word string) (ProofDecision, bool) {
	i := slices.IndexFunc(ProofDecisions, func(d ProofDecision) bool { return d.Word == word })
	if i < 0 {
		return ProofDecision{}, false
	}
	return ProofDecisions[i], true
}

// ProofDecisionsOn are those that decide a submission, or that settle a dispute.
func ProofDecisionsOn(disputed bool) []ProofDecision {
	var out []ProofDecision
	for _, d := range ProofDecisions {
		if disputed && d.Dispute || !disputed && d.Proof {
			out = append(out, d)
		}
	}
	return out
}

// ProofWords are the words of decisions, in their order.
func ProofWords(list []ProofDecision) []string {
	out := make([]string, len(list))
	for i, d := range list {
		out[i] = d.Word
	}
	return out
}

// Reasoned tells whether it has to say why: whatever does not approve.
func (d ProofDecision) Reasoned() bool { return d.Means != Approved }

// meanings are the words that decide where somebody chooses one, and what.
var meanings = map[string]string{
	"approve": Approved, "approved": Approved, "accept": Approved, "accepted": Approved, "allow": Approved, "yes": Approved, "ok": Approved,
	"reject": Rejected, "rejected": Rejected, "deny": Rejected, "denied": Rejected, "decline": Rejected, "declined": Rejected, "no": Rejected, "refuse": Rejected,
	"needs_changes": NeedsChanges, "request_changes": NeedsChanges, "changes": NeedsChanges, "modify": NeedsChanges, "revise": NeedsChanges,
}

// Meaning is what choosing a word decides: Approved, Rejected, NeedsChanges or, where the
// word decides nothing, Answered.
func Meaning(word string) string {
	word = strings.ToLower(strings.TrimSpace(word))
	for _, space := range []string{"-", " "} {
		word = strings.ReplaceAll(word, space, "_")
	}
	if decision, known := meanings[word]; known {
		return decision
	}
	return Answered
}
