package task

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/check"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// DecideTask decides the submission that it names. Of two decisions at once, one wins.
func (s *Service) DecideTask(ctx context.Context, tx *store.Tx, in schemas.DecideTaskRequest) (schemas.TaskView, error) {
	if err := checkDecision(&in); err != nil {
		return schemas.TaskView{}, err
	}
	t, c, err := s.lockOwn(ctx, tx, in.TaskID)
	if err != nil {
		return schemas.TaskView{}, err
	}
	if err := s.mayDecide(ctx, tx, c, t, in); err != nil {
		return schemas.TaskView{}, err
	}
	d := schemas.Decision{Decision: in.Decision, Reasons: in.Reasons, DecidedBy: c.ID(), DecidedVia: c.Via, DecidedAt: tx.Now()}
	if err := s.decide(ctx, tx, t, d, c.Actor()); err != nil {
		return schemas.TaskView{}, err
	}
	return s.fullView(ctx, tx, t.ID)
}

func checkDecision(in *schemas.DecideTaskRequest) error {
	var p check.Problems
	d, known := schemas.FindProofDecision(in.Decision)
	if !known {
		words := strings.Join(schemas.ProofWords(schemas.ProofDecisions), ", ")
		p.Add("decision", "must be one of %s; got %s", words, check.Quote(in.Decision, maxShown))
	}
	if in.Submission < 1 {
		p.Add("submission", "must be the number of the submission that was looked at; got %d. Example: 1", in.Submission)
	}
	if !p.Items("reasons", len(in.Reasons), maxReasons) {
		return p.Err()
	}
	kept := make([]string, len(in.Reasons))
	for i := range in.Reasons {
		kept[i] = in.Reasons[i]
		p.Text(fmt.Sprintf("reasons[%d]", i), &kept[i], 1, maxText)
	}
	in.Reasons = kept
	if len(kept) == 0 && d.Reasoned() {
		p.Add("reasons", `must say why, because the operator reads them. Example: ["The signage is out of focus"]`)
	}
	return p.Err()
}

// mayDecide says who decides what: an agent or the owner a review, the owner alone a
// dispute, and always the latest submission.
func (s *Service) mayDecide(ctx context.Context, tx *store.Tx, c account.Caller, t task, in schemas.DecideTaskRequest) error {
	state := schemas.TaskStatus(t.Status)
	d, _ := schemas.FindProofDecision(in.Decision)
	switch {
	case state != schemas.ManualReview && state != schemas.Disputed:
		return s.conflict(t, "The task is "+s.word(t.Status)+", so there is nothing to decide now. Only a submission in MANUAL_REVIEW or DISPUTED can be decided.")
	case int64(in.Submission) != t.Submission:
		return s.conflict(t, fmt.Sprintf("The latest submission is number %d, and the decision names number %d. Look at submission %d, then decide on it.", t.Submission, in.Submission, t.Submission))
	case state == schemas.Disputed && !c.Owner:
		return &schemas.Error{Code: schemas.CodeForbidden, State: t.Status, Message: "The task is in dispute, and only the owner, a person, settles that: they approve or refund on the page of its review."}
	case state == schemas.Disputed && !d.Dispute:
		return s.conflict(t, "A dispute is settled by approve (the operator is paid) or refund (the agent gets the reward back).")
	case state == schemas.ManualReview && !d.Proof:
		return s.conflict(t, "Refund settles a dispute, and there is none yet. Use reject to open one, or request_changes.")
	case d.Word == schemas.ProofRequestChanges && t.ChangesRequested >= maxChanges:
		return s.conflict(t, fmt.Sprintf("Changes were requested %d times, which is the most. Approve or reject the submission.", t.ChangesRequested))
	case d.Word == schemas.ProofRequestChanges:
		return s.stillHere(ctx, tx, t)
	}
	return nil
}

// stillHere refuses to send a task back to somebody who has left.
func (s *Service) stillHere(ctx context.Context, tx *store.Tx, t task) error {
	left, err := hasLeft(ctx, tx, t)
	if left {
		return s.conflict(t, "The operator has left, so nobody can make the changes. Approve or reject the submission.")
	}
	return err
}

// hasLeft tells whether the operator of the task was removed.
func hasLeft(ctx context.Context, tx *store.Tx, t task) (bool, error) {
	p, err := account.Person(ctx, tx, t.OperatorID.String)
	return err == nil && p.RemovedAt != 0, err
}

// decide records the decision on the latest submission and moves the task on; what is
// approved is paid in the same transaction.
func (s *Service) decide(ctx context.Context, tx *store.Tx, t task, d schemas.Decision, by change.Actor) error {
	event := Event(d.Decision)
	moved, err := s.life.Move(ctx, tx, t, move{
		Event: event, By: by, With: Decided{t.Submission, d.Reasons},
		Edit: func(t *task) {
			if event == RequestChanges {
				t.ChangesRequested++
				t.Deadline = extended(t.Deadline, tx.Now())
			}
		}})
	if err != nil {
		return err
	}
	if err := s.keepDecision(ctx, tx, t, d); err != nil {
		return err
	}
	_, err = s.settle(ctx, tx, moved, by)
	return err
}

// extended is the deadline after changes were requested: a day more than there was left.
func extended(deadline int64, now time.Time) int64 {
	return max(deadline, store.Micros(now)) + changesExtend.Microseconds()
}

func (s *Service) keepDecision(ctx context.Context, tx *store.Tx, t task, d schemas.Decision) error {
	raw, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("write down the decision: %w", err)
	}
	return tx.SetDecision(ctx, db.SetDecisionParams{Decision: string(raw), TaskID: t.ID, Number: t.Submission})
}

// settle pays what is verified.
func (s *Service) settle(ctx context.Context, tx *store.Tx, t task, by change.Actor) (task, error) {
	if schemas.TaskStatus(t.Status) != schemas.Verified {
		return t, nil
	}
	return s.life.Move(ctx, tx, t, move{Event: Settle, By: by})
}
