package tools

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"humanops-mcp/client"
	"humanops-mcp/schemas"
	"humanops-mcp/tools/brief"
)

// ReviewProofArgs decides one submission.
type ReviewProofArgs struct {
	TaskID     string   `json:"task_id" maxLength:"64" doc:"From post_task"`
	Submission int      `json:"submission" minimum:"1" maximum:"1000" doc:"The one you looked at"`
	Decision   string   `json:"decision" enum:"approve,request_changes,reject" doc:"What you decide"`
	Reasons    []string `json:"reasons,omitempty" maxItems:"20" doc:"Needed unless approving; the person reads them"`
}

// Outcome is a task after something was done to it.
type Outcome struct {
	TaskID string `json:"task_id"`
	Status string `json:"status"`
	Next   string `json:"next"`
	TestMode
}

func reviewProof(ctx context.Context, c *call, in ReviewProofArgs) (reply[Outcome], error) {
	var r reply[Outcome]
	if err := c.needs(ctx, "deciding on proof"); err != nil {
		return r, err
	}
	if d, _ := schemas.FindProofDecision(in.Decision); d.Reasoned() && len(in.Reasons) == 0 {
		return r, schemas.Invalid("reasons", "must say what is wrong and what is wanted instead, unless approving. Example: [\"The sign is out of focus; stand closer\"]")
	}
	t, err := c.DecideTask(ctx, schemas.DecideTaskRequest{TaskID: in.TaskID, Submission: in.Submission, Decision: in.Decision, Reasons: in.Reasons})
	if err != nil {
		return r, err
	}
	r.data = Outcome{TaskID: t.TaskID, Status: t.Status, Next: decided(in.Decision, t), TestMode: mode(t.Sandboxed)}
	r.text = fmt.Sprintf("%s is %s. %s", t.TaskID, t.Status, r.data.Next)
	return r, nil
}

func decided(decision string, t schemas.TaskView) string {
	switch decision {
	case schemas.ProofApprove:
		return fmt.Sprintf("%s goes to the person. Tell the user what the photos show.", t.RewardUSD.Dollars())
	case schemas.ProofRequestChanges:
		return fmt.Sprintf("The person is told, and the deadline is 24 h later (%s). Tell the user and end your turn; check_status in about 5 minutes.", brief.Moment(t.Deadline))
	}
	return "The owner settles the dispute on their page, and the money waits until then. Tell the user and end your turn."
}

// ReplyArgs answers an estimate or a question.
type ReplyArgs struct {
	TaskID   string `json:"task_id" maxLength:"64" doc:"From post_task"`
	ReplyTo  string `json:"reply_to" minLength:"1" maxLength:"64" doc:"estimate_id or message_id from check_status"`
	Decision string `json:"decision,omitempty" enum:"approve,reject" doc:"For an estimate"`
	Text     string `json:"text,omitempty" maxLength:"500" doc:"For a question, or why"`
}

func replyToOperator(ctx context.Context, c *call, in ReplyArgs) (reply[Outcome], error) {
	switch {
	case in.Decision == "" && in.Text == "":
		return reply[Outcome]{}, schemas.Invalid("text", "must answer the question, or decision (approve or reject) the estimate; both are missing")
	case in.Decision == "approve":
		return approveEstimate(ctx, c, in)
	case in.Decision == "reject":
		return rejectEstimate(ctx, c, in)
	}
	return answerQuestion(ctx, c, in)
}

// estimateID is what the server calls the estimate: nothing on a hosted one.
func (in ReplyArgs) estimateID() string {
	if in.ReplyTo == "estimate" {
		return ""
	}
	return in.ReplyTo
}

func approveEstimate(ctx context.Context, c *call, in ReplyArgs) (reply[Outcome], error) {
	var r reply[Outcome]
	out, err := c.ApproveEstimate(ctx, schemas.ApproveEstimateRequest{TaskID: in.TaskID, EstimateID: in.estimateID()})
	if err != nil {
		return r, err
	}
	r.data = Outcome{TaskID: out.TaskID, Status: out.Status, TestMode: mode(out.Sandboxed)}
	r.data.Next = "The person can begin. Tell the user and end your turn; check_status in about 5 minutes."
	if in.Text != "" {
		if _, err := answerQuestion(ctx, c, ReplyArgs{TaskID: in.TaskID, Text: in.Text}); err != nil {
			r.data.Next += " The text was not delivered: " + err.Error()
		}
	}
	r.text = fmt.Sprintf("The estimate is approved: %s is %s. %s", out.TaskID, out.Status, r.data.Next)
	return r, nil
}

func rejectEstimate(ctx context.Context, c *call, in ReplyArgs) (reply[Outcome], error) {
	var r reply[Outcome]
	out, err := c.RejectEstimate(ctx, schemas.RejectEstimateRequest{TaskID: in.TaskID, EstimateID: in.estimateID(), Reason: in.Text})
	if err != nil {
		return r, err
	}
	r.data = Outcome{TaskID: out.TaskID, Status: out.Status, TestMode: mode(out.Sandboxed)}
	r.data.Next = "It waits for another person. Tell the user and end your turn; check_status in about 5 minutes, or cancel_task."
	r.text = fmt.Sprintf("The estimate is rejected: %s is %s. %s", out.TaskID, out.Status, r.data.Next)
	return r, nil
}

func answerQuestion(ctx context.Context, c *call, in ReplyArgs) (reply[Outcome], error) {
	var r reply[Outcome]
	if err := c.needs(ctx, "messages"); err != nil {
		return r, err
	}
	m, err := c.PostMessage(sayOnce(ctx, in), schemas.PostMessageRequest{TaskID: in.TaskID, Text: in.Text, ReplyTo: in.ReplyTo})
	if err != nil {
		return r, err
	}
	t, err := c.GetTask(ctx, schemas.TaskRequest{TaskID: in.TaskID})
	if err != nil {
		return r, err
	}
	r.data = Outcome{TaskID: t.TaskID, Status: t.Status, Next: brief.Task(t, true).Next, TestMode: mode(m.Sandboxed)}
	r.text = fmt.Sprintf("Delivered to the person who has %s (%s). %s", t.TaskID, t.Status, r.data.Next)
	return r, nil
}

// sayOnce makes the same answer to the same question one message, however often the tool
// is called with it.
func sayOnce(ctx context.Context, in ReplyArgs) context.Context {
	if in.ReplyTo == "" {
		return ctx
	}
	sum := sha256.Sum256([]byte(in.TaskID + "\n" + in.ReplyTo + "\n" + in.Text))
	return client.WithIdempotencyKey(ctx, "reply_"+hex.EncodeToString(sum[:]))
}

// needs refuses what only a humanops-mcp can do when the marketplace is none.
func (c *call) needs(ctx context.Context, what string) error {
	extended, err := c.Extended(ctx)
	if err != nil {
		return err
	}
	if !extended {
		return undocumented(what)
	}
	return nil
}
