package task

import (
	"context"
	"time"

	"humanops-mcp/internal/job"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// The kinds of job.
const (
	timerKind    job.Kind[timerArgs]      = "task.timer"
	copiesKind   job.Kind[submissionArgs] = "proof.copies"
	guardianKind job.Kind[submissionArgs] = "guardian.check"
	simulateKind job.Kind[stepArgs]       = "task.simulate"
	sweepKind    job.Kind[struct{}]       = "proof.sweep"
)

const (
	copyAttempts     = 4
	guardianAttempts = 5
	simulateAttempts = 5
	sweepAttempts    = 2
	orphanAge        = 24 * time.Hour
)

// RegisterJobs tells the runner how to do the jobs of tasks.
func (s *Service) RegisterJobs(r *job.Runner) {
	timerKind.Handle(r, s.ring)
	copiesKind.HandleEffect(r, copyAttempts, s.makeCopies, s.copiesFailed)
	guardianKind.HandleEffect(r, guardianAttempts, s.askGuardian, s.guardianFailed)
	simulateKind.HandleEffect(r, simulateAttempts, s.simulate, nil)
	sweepKind.HandleEffect(r, sweepAttempts, s.sweep, nil)
	r.Every("proof.sweep.hourly", time.Hour, func(ctx context.Context, tx *store.Tx) error {
		return sweepKind.Enqueue(ctx, tx, struct{}{}, job.Options{UniqueKey: string(sweepKind)})
	})
	r.Every("task.clocks.hourly", time.Hour, s.windUp)
	r.Every("task.reviews.hourly", time.Hour, s.AskForWaiting)
}

// windUp sets the clocks of overdue tasks again, so that no task stays where it is, and
// no escrow with it, because a clock's job failed for good.
func (s *Service) windUp(ctx context.Context, tx *store.Tx) error {
	before := func(d time.Duration) int64 { return store.Micros(tx.Now().Add(-d)) }
	overdue, err := tx.OverdueTasks(ctx, db.OverdueTasksParams{
		Now: before(0), GuardianSince: before(s.silences.guardian), ReviewSince: before(s.silences.review), DisputeSince: before(s.silences.dispute),
	})
	if err != nil {
		return err
	}
	for _, t := range overdue {
		if err := s.schedule(ctx, tx, t); err != nil {
			return err
		}
	}
	return nil
}

// ring does what time does to a task. The clock may have moved since it was set, and
// the task gone on, so everything is looked at again.
func (s *Service) ring(ctx context.Context, tx *store.Tx, j job.Job[timerArgs]) error {
	t, err := tx.LockTask(ctx, j.Args.TaskID)
	if err != nil {
		return err
	}
	event, at := nextClock(t, s.silences)
	switch {
	case event == "":
		return nil
	case store.Micros(tx.Now()) < at:
		return s.schedule(ctx, tx, t)
	}
	return s.timeUp(ctx, tx, t, event)
}

func (s *Service) timeUp(ctx context.Context, tx *store.Tx, t db.Task, event Event) error {
	switch event {
	case GuardianUnsure:
		return s.applyVerdict(ctx, tx, t, schemas.Verdict{
			Decision: "unsure", Method: "timeout", CheckedAt: tx.Now(),
			Reasons: []string{"Guardian gave no answer in time, so a person decides."},
		})
	case DisputeSilent:
		d := schemas.Decision{Decision: "approve", DecidedBy: "timeout", DecidedVia: "timeout", DecidedAt: tx.Now(),
			Reasons: []string{"Nobody settled the dispute in time. Silence leaves no one who did the work unpaid; it is no approval."}}
		if err := s.keepDecision(ctx, tx, t, d); err != nil {
			return err
		}
	default: // nothing to write down beside
	}
	_, err := s.advance(ctx, tx, t, move{event: event, by: timeout, former: t.OperatorID.String})
	return err
}

// ExtendDeadlines gives people back the time that the platform was away. The clocks
// that were set ring early and are then set again.
func (s *Service) ExtendDeadlines(ctx context.Context, tx *store.Tx, by time.Duration) error {
	if by <= 0 {
		return nil
	}
	_, err := tx.ExtendTasks(ctx, by.Microseconds())
	return err
}

// sweep removes files that no submission knows: uploads that were refused or cut off.
func (s *Service) sweep(ctx context.Context, _ job.Job[struct{}]) (job.Finish, error) {
	removed, err := s.Blobs.Sweep(ctx, s.Clock.Now().Add(-orphanAge), func(ctx context.Context, sha string) (used bool, err error) {
		err = s.Store.Read(ctx, func(tx *store.Tx) error {
			used, err = tx.BlobInUse(ctx, sha)
			return err
		})
		return used, err
	})
	if removed > 0 {
		s.Logger.InfoContext(ctx, "removed proof files that belong to no submission", "files", removed)
	}
	return nil, err
}
