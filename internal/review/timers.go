package review

import (
	"context"
	"time"

	"humanops-mcp/internal/answer"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/job"
	loops "humanops-mcp/internal/loop"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

// The kinds of job.
const (
	simulateKind job.Kind[simulateArgs] = "review.simulate"
)

// RegisterJobs tells the runner how to do the jobs of reviews.
func (s *Service) RegisterJobs(r *job.Runner) {
	simulateKind.Handle(r, s.simulate)
}

// orDefault is a setting in seconds, or what the installation chose.
func orDefault(seconds int, fallback time.Duration) time.Duration {
	if seconds == 0 {
		return fallback
	}
	return time.Duration(seconds) * time.Second
}

// timeUp does what time does to a request.
func (s *Service) timeUp(ctx context.Context, tx *store.Tx, r request, c ringing) (request, error) {
	switch c.Event {
	case LeaseEnd:
		return s.leaseEnd(ctx, tx, r, c.At)
	case ClaimLate:
		return s.claimLate(ctx, tx, r)
	case Escalate:
		return s.escalateByClock(ctx, tx, r)
	default:
		return s.end(ctx, tx, r, Timeout)
	}
}

// end closes a request that nobody decided: its default counts, or it is cancelled.
func (s *Service) end(ctx context.Context, tx *store.Tx, r request, e Event) (request, error) {
	if r.DefaultResponse == "" {
		return s.lapse(ctx, tx, r, e, "Nobody decided in time.")
	}
	fallback, err := s.fallback(r)
	if err != nil {
		s.Logger.ErrorContext(ctx, "a request's default cannot be read, so it is cancelled", "request", r.ID, "error", err)
		return s.lapse(ctx, tx, r, e, "Nobody decided in time, and the default cannot be read any more.")
	}
	counts, err := s.mayCount(ctx, tx, r, fallback)
	if err != nil {
		return r, err
	}
	if !counts {
		return s.lapse(ctx, tx, r, e, "Nobody decided in time, and by now silence may only reject in this loop.")
	}
	return s.life.Move(ctx, tx, r, move{Event: e, By: change.Timeout, Edit: func(r *request) {
		if r.In() == schemas.ReviewCancelled {
			cancelled(change.Timeout, "Nobody decided in time.")(r)
			return
		}
		r.Effective, r.ResponseSource, r.Decision, r.DecidedVia = r.DefaultResponse, schemas.SourceDefault, fallback.Decision, change.Timeout.Via
	}})
}

// fallback is a request's default.
func (s *Service) fallback(r request) (answer.Answer, error) {
	spec, err := r.Spec()
	if err != nil {
		return answer.Answer{}, err
	}
	return spec.Default([]byte(r.DefaultResponse))
}

// mayCount tells whether an answer that no person gave may count. The loop may have become
// fail-closed since the answer was checked.
func (s *Service) mayCount(ctx context.Context, tx *store.Tx, r request, a answer.Answer) (bool, error) {
	loop, err := loops.ByID(ctx, tx, r.LoopID)
	return a.Decision == schemas.Rejected || !loops.Settings(loop).FailClosed, err
}

// lapse cancels a request that ends without an answer that may count, whatever was to
// count when it was asked.
func (s *Service) lapse(ctx context.Context, tx *store.Tx, r request, e Event, why string) (request, error) {
	return s.life.Move(ctx, tx, r, move{
		Event: e, By: change.Timeout, With: Ended{why}, Given: func(f *Facts) { f.Cancels, f.LastCancels = true, true },
		Edit: cancelled(change.Timeout, why),
	})
}
