package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"humanops-mcp/schemas"
	"humanops-mcp/tools/brief"
	"humanops-mcp/tools/untrusted"
)

// Answer is what people answered to a review.
type Answer struct {
	Decision         string          `json:"decision,omitempty"`
	Source           string          `json:"response_source,omitempty"`
	UntrustedAnswer  json.RawMessage `json:"untrusted_answer,omitempty"`
	UntrustedComment string          `json:"untrusted_comment,omitempty"`
	DecidedBy        string          `json:"decided_by,omitempty"`
	EditedArguments  json.RawMessage `json:"edited_arguments,omitempty"`
	Receipt          string          `json:"receipt,omitempty"`
}

// reviewResult is get_task_result of a review.
func reviewResult(ctx context.Context, c *call, id string) (reply[TaskResult], error) {
	var r reply[TaskResult]
	service, err := c.reviews(ctx)
	if err != nil {
		return r, err
	}
	out, err := service.GetReview(ctx, schemas.ReviewRequest{RequestID: id})
	if err != nil {
		return r, err
	}
	one := out.Request
	if !service.extended {
		brief.Complete(&one)
	}
	b := brief.Review(one, true)
	a := &Answer{Decision: b.Decision, Source: one.ResponseSource, UntrustedAnswer: b.UntrustedAnswer, UntrustedComment: b.UntrustedComment}
	if one.ResponseByUser != nil {
		a.DecidedBy = untrusted.Name(one.ResponseByUser.Name)
	}
	if one.EditedAction != nil {
		a.EditedArguments = one.EditedAction.Arguments
	}
	if one.ReceiptAvailable {
		var used bool
		a.Receipt, used = receiptSummary(ctx, c, service, id)
		if used && one.Decision == schemas.Approved {
			b.Next = brief.UsedUp
		}
	}
	r.data = TaskResult{TaskID: one.ID, State: b.State, Status: b.Status, Next: b.Next, TestMode: mode(out.Sandboxed)}
	if one.Sandbox {
		r.data.TestMode = mode(one.Sandboxed)
	}
	if b.State != brief.Waiting {
		r.data.Review = a
	}
	r.text = reviewText(b, one, *a)
	return r, nil
}

// receiptSummary says in a line what the signed receipt is good for, and whether it was used.
func receiptSummary(ctx context.Context, c *call, service *reviewer, id string) (summary string, used bool) {
	out, err := service.GetReceipt(ctx, schemas.ReviewRequest{RequestID: id})
	if err != nil {
		c.log.Warn("receipt not fetched", "request", id, "error", err)
		return "there is one, which cannot be read now", false
	}
	state := "good until " + brief.Moment(out.Receipt.ExpiresAt)
	if out.ConsumedAt != nil {
		state = "used up " + brief.Moment(*out.ConsumedAt)
	}
	return fmt.Sprintf("%s of action %s, signed with key %s, %s", out.Receipt.Decision, out.Receipt.ActionDigest, out.Receipt.KeyID, state), out.ConsumedAt != nil
}

func reviewText(b brief.Item, r schemas.Review, a Answer) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s %q is %s.\n", b.RequestID, b.Title, b.Status)
	if b.State == brief.Waiting {
		return s.String() + b.Next
	}
	if len(a.UntrustedAnswer) > 0 {
		whose := "Answer"
		if a.Source != schemas.SourceHuman {
			whose += ", " + a.Source + " and no person's"
		}
		s.WriteString(untrusted.Quote(whose, string(a.UntrustedAnswer)))
	}
	s.WriteString(untrusted.Quote("Comment", a.UntrustedComment))
	for _, vote := range r.Answers {
		fmt.Fprintf(&s, "- %s: %s\n", untrusted.Person(vote.User.Name), vote.Decision)
		s.WriteString(untrusted.Quote("Comment", untrusted.Text(vote.Comment, untrusted.MaxText)))
	}
	if len(a.EditedArguments) > 0 {
		s.WriteString("Edited arguments, which alone are approved: " + string(a.EditedArguments) + "\n")
	}
	if a.Receipt != "" {
		s.WriteString("Receipt: " + a.Receipt + "\n")
	}
	return s.String() + b.Next
}
