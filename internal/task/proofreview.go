package task

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/keyset"
	"humanops-mcp/internal/review"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// A submission that people have to decide on is a review in the owner's proof loop for as
// long as it waits. Whoever decides first, an agent by review_proof or a person on the
// review's page, decides both: task and review move in one transaction, and the task's row is
// locked before the review's.

// awaitsPeople tells whether a status waits for a decision.
func awaitsPeople(status string) bool {
	return status == string(schemas.ManualReview) || status == string(schemas.Disputed)
}

// followReview ends the review of the status that a task has left, and opens that of the
// one it has entered.
func (s *Service) followReview(ctx context.Context, tx *store.Tx, h happened) error {
	t := h.Now
	if t.Mode != account.Live || h.Was.Status == t.Status {
		return nil
	}
	if awaitsPeople(h.Was.Status) {
		if err := s.Reviews.CloseForTask(ctx, tx, t.ID, h.By, closedBecause(h), wordOf(h.Event)); err != nil {
			return err
		}
	}
	if !awaitsPeople(t.Status) {
		return nil
	}
	return s.askPeople(ctx, tx, t)
}

// closedBecause is what the review says of a decision that was made elsewhere.
func closedBecause(h happened) string {
	switch reasons := oneLineOf(h.With); {
	case reasons != "":
		return reasons
	case h.By == change.Timeout:
		return "Nobody decided in time; the task went on by itself."
	}
	return "Decided on the task itself."
}

// wordOf is the decision that an event stands for, "" for none.
func wordOf(e Event) string {
	d, _ := schemas.FindProofDecision(string(e))
	return d.Word
}

func (s *Service) askPeople(ctx context.Context, tx *store.Tx, t task) error {
	text, err := s.question(ctx, tx, t)
	if err != nil {
		return err
	}
	_, silent := nextClock(t, s.silences)
	return s.Reviews.OpenForTask(ctx, tx, review.TaskReview{
		TaskID: t.ID, AgentID: t.AgentID, Title: t.Title, Text: text, Submission: int(t.Submission),
		Disputed: t.Status == string(schemas.Disputed), ExpiresAt: store.Time(silent),
	})
}

// question is what the reviewers read beside the photos.
func (s *Service) question(ctx context.Context, tx *store.Tx, t task) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", t.Description)
	var wanted []string
	if err := json.Unmarshal([]byte(t.ProofRequirements), &wanted); err != nil {
		return "", fmt.Errorf("proof requirements of %s: %w", t.ID, err)
	}
	for _, w := range wanted {
		fmt.Fprintf(&b, "\n- %s", w)
	}
	sub, err := tx.FindSubmission(ctx, db.FindSubmissionParams{TaskID: t.ID, Number: t.Submission})
	if store.NotFound(err) {
		return b.String(), nil
	}
	if err == nil && sub.Note != "" {
		fmt.Fprintf(&b, "\n\nThe operator wrote: %s", sub.Note)
	}
	return b.String(), err
}

// decideFromReview carries a person's decision of a review over to its task.
func (s *Service) decideFromReview(ctx context.Context, tx *store.Tx, d review.TaskDecision) error {
	t, err := s.life.Lock(ctx, tx, d.TaskID)
	if err != nil {
		return err
	}
	in := schemas.DecideTaskRequest{TaskID: d.TaskID, Submission: d.Submission, Decision: d.Decision, Reasons: d.Reasons}
	if err := checkDecision(&in); err != nil {
		return err
	}
	if err := s.mayDecide(ctx, tx, account.From(ctx), t, in); err != nil {
		return err
	}
	made := schemas.Decision{Decision: in.Decision, Reasons: in.Reasons, DecidedBy: d.By.ID, DecidedVia: d.By.Via, DecidedAt: tx.Now()}
	return s.decide(ctx, tx, t, made, d.By)
}

// AskForWaiting opens the reviews that are missing: of tasks that waited before there were
// reviews, or whose review ended without a decision. It is for the start and for a
// periodic job.
func (s *Service) AskForWaiting(ctx context.Context, tx *store.Tx) error {
	for _, status := range schemas.TaskStatuses {
		if !awaitsPeople(string(status)) {
			continue
		}
		if err := s.askForAll(ctx, tx, string(status)); err != nil {
			return err
		}
	}
	return nil
}

// askForAll goes through the tasks in a status, a slice at a time.
func (s *Service) askForAll(ctx context.Context, tx *store.Tx, status string) error {
	for after := keyset.Oldest; ; {
		waiting, err := tx.TasksWaiting(ctx, db.TasksWaitingParams{Status: status, After: after.Time, AfterID: after.ID})
		if err != nil || len(waiting) == 0 {
			return err
		}
		ids := make([]string, len(waiting))
		for i, t := range waiting {
			ids[i], after = t.ID, keyset.At(t.CreatedAt, t.ID)
		}
		asked, err := s.Reviews.OpenAbout(ctx, tx, ids)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if asked[id] {
				continue
			}
			if err := s.askAnew(ctx, tx, id); err != nil {
				return err
			}
		}
	}
}

func (s *Service) askAnew(ctx context.Context, tx *store.Tx, id string) error {
	t, err := s.life.Lock(ctx, tx, id)
	if err != nil || !awaitsPeople(t.Status) {
		return err
	}
	asked, err := s.Reviews.OpenAbout(ctx, tx, []string{id})
	if err != nil || asked[id] {
		return err // somebody else was quicker
	}
	return s.askPeople(ctx, tx, t)
}
