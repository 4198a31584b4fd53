package brief

import (
	"encoding/json"
	"fmt"
	"strings"

	"humanops-mcp/schemas"
	"humanops-mcp/tools/untrusted"
)

const (
	maxShown = 300 // characters of an answer in a line
	maxNamed = 5   // people who decided together
)

// UsedUp is said of an approval that somebody acted on.
const UsedUp = "APPROVED, and that approval is used up already: do not do it again. Ask anew if it is to be done once more."

// NothingApproved is said wherever somebody could take silence for consent.
const NothingApproved = "Nothing is approved until a person decides"

// Review shortens a review. From the hosted review service it first reads what that
// service leaves to its clients.
func Review(r schemas.Review, extended bool) Item {
	if !extended {
		Complete(&r)
	}
	b := Item{
		RequestID: r.ID, Status: string(r.Status), New: r.New, Title: titleOf(r), Deadline: Moment(r.Deadline()), State: ReviewState(r),
		Decision: r.Decision, UntrustedComment: untrusted.Text(r.Comment, untrusted.MaxComment),
	}
	if r.Status.Final() {
		b.UntrustedAnswer = untrusted.JSON(answerOf(r))
		b.Deadline = ""
	}
	b.Next = reviewNext(r)
	return b
}

// titleOf is what the agent itself asked, in a few words.
func titleOf(r schemas.Review) string {
	if r.Title != "" {
		return untrusted.Name(r.Title)
	}
	return untrusted.Name(r.RequestText)
}

// ReviewState is where a review stands.
func ReviewState(r schemas.Review) string {
	switch {
	case !r.Status.Final():
		return Waiting
	case r.Status != schemas.ReviewCompleted:
		return Failed
	case r.Decision == schemas.NeedsChanges:
		return NeedsYou
	}
	return Done
}

// answerOf is what people answered, or what counts instead.
func answerOf(r schemas.Review) json.RawMessage {
	for _, raw := range []json.RawMessage{r.ResponseValue, r.EffectiveResponse, r.ResponseData} {
		if len(raw) > 0 && string(raw) != "null" {
			return raw
		}
	}
	return nil
}

// reviewNext says what a review's state asks of the agent.
func reviewNext(r schemas.Review) string {
	switch r.Status {
	case schemas.ReviewPending:
		return waitsFor(r) + " " + NothingApproved + "."
	case schemas.ReviewClaimed:
		return untrusted.Person(r.ClaimedByName) + " is looking at it. " + NothingApproved + "."
	case schemas.ReviewCompleted:
		return decidedNext(r)
	case schemas.ReviewTimeout:
		return timedOut(r)
	case schemas.ReviewCancelled:
		return cancelledNext(r)
	}
	return "Look with get_task_result."
}

// cancelledNext tells a request that was withdrawn from one that nobody decided in time.
func cancelledNext(r schemas.Review) string {
	switch r.DecidedVia {
	case "api":
		return "CANCELLED, as you asked: nothing is approved."
	case "timeout", "":
		return "CANCELLED: nobody decided, so nothing is approved. Ask again if it is still wanted."
	}
	return "CANCELLED by somebody who may: nothing is approved. Do not ask the same again unless the user wants it."
}

func waitsFor(r schemas.Review) string {
	switch n := len(r.BroadcastedTo); {
	case r.AnswersIn > 0:
		return fmt.Sprintf("%d of %s answered.", r.AnswersIn, People(n))
	case n > 0:
		return "Waits for " + People(n) + "."
	}
	return "Waits for a person."
}

func decidedNext(r schemas.Review) string {
	who := "a person"
	switch {
	case r.ResponseSource == schemas.SourceSimulated && r.Decision != schemas.NeedsChanges:
		return "SIMULATED: a simulated reviewer answered (" + r.Decision + "), which approves nothing real. Try the other ways, and do not act on it."
	case r.ResponseSource == schemas.SourceSimulated:
		who = "a simulated reviewer"
	case r.ResponseSource == schemas.SourcePolicy:
		who = "the reviewers, who cannot agree any more"
	case len(r.Answers) > 1:
		who = agreed(r)
	case r.ResponseByUser != nil:
		who = untrusted.Person(r.ResponseByUser.Name)
	}
	switch r.Decision {
	case schemas.Approved:
		if r.ReceiptConsumedAt != nil {
			return UsedUp
		}
		if r.EditedAction != nil {
			return "APPROVED WITH CHANGES by " + who + ": do only what get_task_result shows as edited_arguments, once."
		}
		return "APPROVED by " + who + ": do exactly what was asked, once."
	case schemas.Rejected:
		return "REJECTED by " + who + ": do not do it, and do not ask the same again."
	case schemas.NeedsChanges:
		return "CHANGES WANTED by " + who + ": revise it, then request_human_review with revises " + r.ID + "."
	}
	if len(r.Answers) > 1 && r.IsMedian() {
		return "ANSWERED by " + who + ". The median of their answers counts; get_task_result has all of them."
	}
	return "ANSWERED by " + who + ". Use the answer; get_task_result has all of it."
}

// agreed names those of several people whose answer counts, and not only who was last.
func agreed(r schemas.Review) string {
	var names []string
	for _, vote := range r.Deciders() {
		names = append(names, untrusted.Person(vote.User.Name))
	}
	count := fmt.Sprintf("%d of the %d who answered", len(names), len(r.Answers))
	if len(names) == 0 || len(names) > maxNamed {
		return count
	}
	return strings.Join(names, ", ") + " (" + count + ")"
}

func timedOut(r schemas.Review) string {
	counts := "no default was set"
	if value := answerOf(r); value != nil {
		counts = "the default " + short(untrusted.JSON(value)) + " counts"
	}
	return "NOBODY DECIDED in time; " + counts + ", which is no person's decision and approves nothing. Ask again with more time if it is still wanted."
}

// short is an answer in a line.
func short(raw json.RawMessage) string {
	text := untrusted.Text(string(raw), maxShown)
	return strings.ReplaceAll(text, "\n", " ")
}

// Words are what people wrote, set apart.
func (b Item) Words() string {
	text := untrusted.Quote("Comment", b.UntrustedComment)
	if b.Decision == schemas.Answered && len(b.UntrustedAnswer) > 0 {
		text += untrusted.Quote("Answer", short(b.UntrustedAnswer))
	}
	return text
}

// Complete adds to a request of the hosted review service what it leaves to its clients:
// what an answer means, and that a default is one.
func Complete(r *schemas.Review) {
	if len(r.ResponseData) > 0 && len(r.ResponseValue) == 0 {
		r.ResponseValue = plainValue(r.ResponseData)
	}
	switch r.Status {
	case schemas.ReviewCompleted:
		r.ResponseSource, r.Decision = schemas.SourceHuman, Meaning(r.ResponseValue)
	case schemas.ReviewTimeout:
		r.ResponseSource, r.ResponseValue, r.EffectiveResponse = schemas.SourceDefault, nil, r.DefaultResponse
	case schemas.ReviewCancelled:
		r.ResponseSource = schemas.SourceCancelled
	case schemas.ReviewPending, schemas.ReviewClaimed:
	}
}

// plainValue takes the one value out of an answer in object form.
func plainValue(raw json.RawMessage) json.RawMessage {
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil {
		return raw
	}
	for _, member := range []string{"selected_value", "selected_values", "rating", "number", "boolean", "revised_text"} {
		if value, ok := object[member]; ok {
			return value
		}
	}
	return raw
}

// Meaning tells what an answer decides: also a plain yes or no.
func Meaning(value json.RawMessage) string {
	switch word := strings.ToLower(strings.TrimSpace(strings.Trim(string(value), `"`))); word {
	case "true":
		return schemas.Approved
	case "false":
		return schemas.Rejected
	default:
		return schemas.Meaning(word)
	}
}
