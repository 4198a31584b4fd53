// Package brief says in a line what became of a task or a review and what it needs of the
// agent, for programs as fields and for models as text.
package brief

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"humanops-mcp/schemas"
	"humanops-mcp/tools/untrusted"
)

// The states of whatever people were asked for, tasks and reviews alike.
const (
	Waiting  = "waiting"   // for people
	NeedsYou = "needs_you" // the agent has to do something
	Done     = "done"      // people did it, or decided
	Failed   = "failed"    // it ended without them
)

// Item is a task or a review in a line, with what it needs.
type Item struct {
	TaskID           string          `json:"task_id,omitempty"`
	RequestID        string          `json:"request_id,omitempty"`
	State            string          `json:"state" enum:"waiting,needs_you,done,failed"`
	Status           string          `json:"status"`
	New              bool            `json:"new,omitempty"`
	Title            string          `json:"title"`
	RewardUSD        *schemas.Money  `json:"reward_usd,omitempty"`
	Deadline         string          `json:"deadline,omitempty"`
	Operator         string          `json:"operator,omitempty"`
	Submission       int             `json:"submission,omitempty"`
	Estimate         *Estimate       `json:"estimate,omitempty"`
	Questions        []Question      `json:"questions,omitempty"`
	Decision         string          `json:"decision,omitempty"`
	UntrustedAnswer  json.RawMessage `json:"untrusted_answer,omitempty"`
	UntrustedComment string          `json:"untrusted_comment,omitempty"`
	Next             string          `json:"next"`
}

// Estimate is a time estimate that waits for an answer.
type Estimate struct {
	ID            string `json:"estimate_id"`
	Minutes       int    `json:"minutes"`
	UntrustedNote string `json:"untrusted_note,omitempty"`
}

// Question is an operator's message that waits for an answer.
type Question struct {
	MessageID     string `json:"message_id"`
	UntrustedText string `json:"untrusted_text"`
}

// Task shortens a task. extended says whether the marketplace serves more than the
// hosted one documents.
func Task(t schemas.TaskView, extended bool) Item {
	b := Item{
		TaskID: t.TaskID, Status: t.Status, New: t.New, Title: untrusted.Name(t.Title),
		RewardUSD: &t.RewardUSD, Deadline: Moment(t.Deadline), Submission: t.Submission,
	}
	if t.Operator != nil {
		b.Operator = untrusted.Name(t.Operator.Name)
	}
	if t.Status == string(schemas.EstimatePending) {
		b.Estimate = pendingEstimate(t)
	}
	for _, m := range t.OpenQuestions {
		b.Questions = append(b.Questions, Question{m.MessageID, untrusted.Text(m.Text, untrusted.MaxText)})
	}
	b.State = taskState(b, extended)
	b.Next = next(b, extended)
	return b
}

func taskState(b Item, extended bool) string {
	switch status := schemas.TaskStatus(b.Status); {
	case b.taskNeedsAgent(extended):
		return NeedsYou
	case status == schemas.Paid:
		return Done
	case status.Final():
		return Failed
	}
	return Waiting
}

// pendingEstimate reads the estimate. The hosted marketplace gives it no id, so that
// the word stands in for one.
func pendingEstimate(t schemas.TaskView) *Estimate {
	e := &Estimate{ID: "estimate"}
	if t.Estimate == nil {
		return e
	}
	if t.Estimate.EstimateID != "" {
		e.ID = t.Estimate.EstimateID
	}
	e.Minutes, e.UntrustedNote = t.Estimate.Minutes, untrusted.Text(t.Estimate.Note, untrusted.MaxText)
	return e
}

// length is what the estimate says. The hosted marketplace documents no place for it.
func (e Estimate) length() string {
	if e.Minutes == 0 {
		return "gave a time estimate, which stands on the marketplace's pages"
	}
	return fmt.Sprintf("needs about %d minutes", e.Minutes)
}

// Moment writes a time for people and models: whole seconds, UTC.
func Moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// taskNeedsAgent tells whether the task waits for the agent. Proof that is under review
// on the hosted marketplace waits for others.
func (b Item) taskNeedsAgent(extended bool) bool {
	return b.Estimate != nil || len(b.Questions) > 0 || (b.Status == string(schemas.ManualReview) && extended)
}

// Over tells whether nothing more happens to it.
func (b Item) Over() bool { return b.State == Done || b.State == Failed }

// Who is the person who has the task, quoted: a name could read like an instruction.
func (b Item) Who() string { return untrusted.Person(b.Operator) }

// People counts people in words.
func People(n int) string {
	if n == 1 {
		return "1 person"
	}
	return strconv.Itoa(n) + " people"
}

// next says what a task's state asks of the agent.
func next(b Item, extended bool) string {
	if len(b.Questions) > 0 {
		return fmt.Sprintf("%s asks something: answer with reply_to_operator, reply_to %s and text.", b.Who(), b.Questions[0].MessageID)
	}
	switch schemas.TaskStatus(b.Status) {
	case schemas.Posted:
		return "Waits for a person to take it. Nothing to do."
	case schemas.EstimatePending:
		return fmt.Sprintf("%s %s: answer with reply_to_operator, reply_to %s and decision approve or reject.", b.Who(), b.Estimate.length(), b.Estimate.ID)
	case schemas.Accepted:
		return b.Who() + " has it and has not begun. Nothing to do."
	case schemas.InProgress:
		if b.Submission > 0 {
			return fmt.Sprintf("%s is at work again: submission %d was sent back. Nothing to do.", b.Who(), b.Submission)
		}
		return b.Who() + " is at work. Nothing to do."
	case schemas.Submitted:
		return "Proof is in and is being checked. Ask again in about 15 seconds."
	case schemas.ManualReview:
		if !extended {
			return "The proof is under review at the marketplace. Look with get_task_result; nothing to decide here."
		}
		return fmt.Sprintf("Waits for your decision: look with get_task_result, then review_proof with submission %d.", b.Submission)
	case schemas.Verified:
		return "The proof is approved and payment follows. Look with get_task_result."
	case schemas.Paid:
		return "Done and paid. Look with get_task_result."
	case schemas.Disputed:
		return "The owner must settle the dispute on their page. Tell the user; nothing else to do."
	case schemas.Cancelled:
		if b.Submission > 0 {
			return "The owner settled the dispute with a refund: the reward came back, and the person is not paid. Tell the user."
		}
		return "Withdrawn and refunded."
	case schemas.Expired:
		return "The deadline passed without proof, and the reward came back. Post it again with more time or reward if it is still wanted."
	}
	return "Look with get_task_result."
}

// reward is what a task pays; nothing is said of one that says nothing.
func (b Item) reward() string {
	if b.RewardUSD == nil {
		return ""
	}
	return ", " + b.RewardUSD.Dollars()
}

// Line is the task or the review in the text that models read.
func (b Item) Line() string {
	mark := ""
	if b.New {
		mark = "NEW "
	}
	text := fmt.Sprintf("- %s%s %q: %s%s. %s\n", mark, b.TaskID+b.RequestID, b.Title, b.Status, b.reward(), b.Next)
	if b.Estimate != nil {
		text += untrusted.Quote("Note on the estimate", b.Estimate.UntrustedNote)
	}
	for _, q := range b.Questions {
		text += untrusted.Quote("Question "+q.MessageID, q.UntrustedText)
	}
	return text + b.Words()
}
