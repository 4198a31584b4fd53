package task

import (
	"context"
	"time"

	"humanops-mcp/internal/change"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

// The kinds of job.
const (
	copiesKind   job.Kind[submissionArgs] = "proof.copies"
	guardianKind job.Kind[submissionArgs] = "guardian.check"
	simulateKind job.Kind[stepArgs]       = "task.simulate"
)

const (
	copyAttempts     = 4
	guardianAttempts = 5
	simulateAttempts = 5
)

// RegisterJobs tells the runner how to do the jobs of tasks.
func (s *Service) RegisterJobs(r *job.Runner) {
	copiesKind.HandleEffect(r, copyAttempts, s.makeCopies, s.copiesFailed)
	guardianKind.HandleEffect(r, guardianAttempts, s.askGuardian, s.guardianFailed)
	simulateKind.HandleEffect(r, simulateAttempts, s.simulate, nil)
	r.Every("task.reviews.hourly", time.Hour, s.AskForWaiting)
}

// clocks is what time will do to a task.
func (s *Service) clocks(_ context.Context, _ *store.Tx, t task) ([]ringing, error) {
	event, at := nextClock(t, s.silences)
	return []ringing{{Name: string(event), At: at, Event: event}}, nil
}

// timeUp does what time does to a task.
func (s *Service) timeUp(ctx context.Context, tx *store.Tx, t task, c ringing) (task, error) {
	switch c.Event {
	case GuardianUnsure:
		return s.applyVerdict(ctx, tx, t, schemas.Verdict{
			Decision: "unsure", Method: "timeout", CheckedAt: tx.Now(),
			Reasons: []string{"Guardian gave no answer in time, so a person decides."},
		})
	case DisputeSilent:
		d := schemas.Decision{Decision: schemas.ProofApprove, DecidedBy: "timeout", DecidedVia: "timeout", DecidedAt: tx.Now(),
			Reasons: []string{"Nobody settled the dispute in time. Silence leaves no one who did the work unpaid; it is no approval."}}
		if err := s.keepDecision(ctx, tx, t, d); err != nil {
			return t, err
		}
	default: // nothing to write down beside
	}
	return s.life.Move(ctx, tx, t, move{Event: c.Event, By: change.Timeout})
}

// shift gives people back the time that the platform was away.
func shift(t *task, by int64) {
	for _, clock := range []*int64{&t.Deadline, &t.StartBy, &t.ReviewSince} {
		if *clock > 0 {
			*clock += by
		}
	}
}

// UsesBlob tells whether a file belongs to some proof.
func (s *Service) UsesBlob(ctx context.Context, tx *store.Tx, sha string) (bool, error) {
	return tx.ProofInUse(ctx, sha)
}
