package page

import (
	"strconv"

	"humanops-mcp/internal/answer"
	"humanops-mcp/schemas"
)

// Seen is a task as those see it who look at its proof and do not do it.
type Seen struct {
	Task       schemas.TaskView
	Submission int               // the one that is looked at; 0 for none
	Photos     string            // where the addresses of its photos begin
	Messages   []schemas.Message // between agent and operator; owners see them
	Now        Stamp
}

// shown is the submission that is looked at.
func (s Seen) shown() *schemas.Proof {
	for i := range s.Task.Submissions {
		if s.Task.Submissions[i].Submission == s.Submission {
			return &s.Task.Submissions[i]
		}
	}
	return nil
}

func (s Seen) others() []schemas.Proof {
	var out []schemas.Proof
	for _, p := range s.Task.Submissions {
		if p.Submission != s.Submission {
			out = append(out, p)
		}
	}
	return out
}

func (s Seen) othersHeading() string {
	if s.Submission < s.Task.Submission {
		return "Other submissions"
	}
	return "Earlier submissions"
}

func (s Seen) operator() string { return operatorOf(s.Task) }

func operatorOf(t schemas.TaskView) string {
	if t.Operator == nil || t.Operator.Name == "" {
		return "the operator"
	}
	return t.Operator.Name
}

// ProofOptions are the decisions that a task's review offers, without what is not possible
// any more, each with what it does to the money.
func ProofOptions(t schemas.TaskView, options []answer.Option) []answer.Option {
	var out []answer.Option
	for _, o := range options {
		if o.Value == schemas.ProofRequestChanges && t.ChangesLeft == 0 {
			continue
		}
		o.Description = consequence(t, o.Value)
		out = append(out, o)
	}
	return out
}

// consequence is what a decision does to this task.
func consequence(t schemas.TaskView, word string) string {
	d, _ := schemas.FindProofDecision(word)
	held, who := reward(t.EscrowUSD), operatorOf(t)
	switch free := t.EscrowUSD == 0; {
	case word == schemas.ProofApprove && free:
		return "The task is done. This is final."
	case word == schemas.ProofApprove:
		return d.Effect + ". " + held + " goes to " + who + ". This is final."
	case word == schemas.ProofRequestChanges:
		return d.Effect + ". " + who + " reads your reasons and has 24 hours more. Possible " + plural(t.ChangesLeft, "more time", "more times") + "."
	case word == schemas.ProofReject && !free:
		return d.Effect + ". " + held + " stays held until then."
	case word == schemas.ProofRefund && free:
		return "Ends the task. This is final."
	case word == schemas.ProofRefund:
		return d.Effect + ". " + held + " goes back, and the task ends. This is final."
	}
	return d.Effect + "."
}

// done is what somebody decided, in the words of proof; "" for what is none.
func done(word string) string {
	d, _ := schemas.FindProofDecision(word)
	return d.Done
}

// TaskPhotos is where the addresses of a task's photos begin for whoever is signed in.
func TaskPhotos(task string) string { return taskPath(task) + "/photos/" }

func photoPath(photos string, n int, size string) string {
	return photos + strconv.Itoa(n) + "?size=" + size
}
