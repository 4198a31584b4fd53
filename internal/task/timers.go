package task

import (
	"context"
	"time"

	"humanops-mcp/internal/job"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
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
	r.Handle("task.timer", s.ring)
	r.HandleEffect("proof.copies", copyAttempts, s.makeCopies, s.copiesFailed)
	r.HandleEffect("guardian.check", guardianAttempts, s.askGuardian, s.guardianFailed)
	r.HandleEffect("task.simulate", simulateAttempts, s.simulate, nil)
	r.HandleEffect("proof.sweep", sweepAttempts, s.sweep, func(context.Context, *store.Tx, job.Job, error) error { return nil })
	r.Every("proof.sweep.hourly", time.Hour, func(ctx context.Context, tx *store.Tx) error {
		return job.Enqueue(ctx, tx, "proof.sweep", struct{}{}, job.Options{UniqueKey: "proof.sweep"})
	})
	r.Every("task.clocks.hourly", time.Hour, s.windUp)
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
		d := schemas.Decision{Decision: "approve", DecidedBy: "timeout", DecidedVia: "timeout", DecidedAt: tx.Now(),
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

// sweep removes files that no submission knows: uploads that were refused or cut off.
func (s *Service) sweep(ctx context.Context, _ job.Job) (func(context.Context, *store.Tx) error, error) {
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
