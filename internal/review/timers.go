package review

import (
	"context"
	"strconv"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/answer"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/oncall"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// The kinds of job.
const (
	timerKind    job.Kind[timerArgs]    = "review.timer"
	simulateKind job.Kind[simulateArgs] = "review.simulate"
)

// ringsAtOnce bounds what one ring does; whatever is left rings again.
const ringsAtOnce = 50

// The warnings that were given, as bits.
const (
	warnedClaim  = 1
	warnedEnd    = 2
	warnedDecide = 4
)

// RegisterJobs tells the runner how to do the jobs of reviews.
func (s *Service) RegisterJobs(r *job.Runner) {
	timerKind.Handle(r, s.ring)
	simulateKind.Handle(r, s.simulate)
	s.hooks.RegisterReviewJobs(r)
	r.Every("review.clocks.hourly", time.Hour, s.windUp)
}

// ringing is something that time does to a request.
type ringing struct {
	at    int64
	event Event
	bit   int64 // of a warning
}

// nextClock is what time will do next to an open request, and when. warn is how long
// before a clock people are warned.
func nextClock(r db.Review, warn time.Duration) ringing {
	status := schemas.ReviewStatus(r.Status)
	if status.Final() {
		return ringing{}
	}
	next := ringing{at: r.TimeoutAt, event: Timeout}
	sooner := func(c ringing) {
		if c.at > 0 && c.at < next.at {
			next = c
		}
	}
	if status == schemas.ReviewClaimed {
		sooner(ringing{at: r.LeaseUntil, event: LeaseEnd})
		sooner(ringing{at: r.DecideBy, event: LeaseEnd})
	} else {
		sooner(ringing{at: r.ClaimBy, event: ClaimLate})
		sooner(ringing{at: r.EscalationAt, event: Escalate})
	}
	if r.Mode == account.Live {
		for _, c := range warnings(r, warn) {
			sooner(c)
		}
	}
	return next
}

// warnings are those that were not given yet.
func warnings(r db.Review, warn time.Duration) []ringing {
	var out []ringing
	add := func(bit, since, at int64) {
		if at > 0 && r.Warned&bit == 0 {
			out = append(out, ringing{at: at - min(warn.Microseconds(), (at-since)/2), event: Warn, bit: bit})
		}
	}
	if schemas.ReviewStatus(r.Status) == schemas.ReviewClaimed {
		add(warnedDecide, r.ClaimedAt, r.DecideBy)
	} else {
		add(warnedClaim, r.RoundAt, r.ClaimBy)
	}
	add(warnedEnd, r.RoundAt, r.TimeoutAt)
	return out
}

// timerArgs names the request whose clock has run out.
type timerArgs struct {
	ReviewID string `json:"review_id"`
}

// schedule sets the request's next clock. The key carries the time, so that a clock that
// has moved is set again, and the same one only once.
func (s *Service) schedule(ctx context.Context, tx *store.Tx, r db.Review) error {
	if schemas.ReviewStatus(r.Status).Final() {
		return nil
	}
	warn, err := s.warnBefore(ctx, tx, r)
	if err != nil {
		return err
	}
	at := nextClock(r, warn).at
	return timerKind.Enqueue(ctx, tx, timerArgs{r.ID}, job.Options{
		Owner: r.AgentID, Priority: job.PriorityOf(r.Mode),
		RunAt: store.Time(at), UniqueKey: string(timerKind) + ":" + r.ID + ":" + strconv.FormatInt(at, 10),
	})
}

func (s *Service) warnBefore(ctx context.Context, tx *store.Tx, r db.Review) (time.Duration, error) {
	loop, err := tx.LoopByID(ctx, r.LoopID)
	if err != nil {
		return 0, err
	}
	return orDefault(s.settings(loop).WarnSeconds, s.cfg.WarnBefore), nil
}

// orDefault is a setting in seconds, or what the installation chose.
func orDefault(seconds int, fallback time.Duration) time.Duration {
	if seconds == 0 {
		return fallback
	}
	return time.Duration(seconds) * time.Second
}

// ring does what time does to a request. The clocks may have moved since this one was
// set, and the request gone on or away, so everything is looked at again.
func (s *Service) ring(ctx context.Context, tx *store.Tx, j job.Job[timerArgs]) error {
	r, err := tx.LockReview(ctx, j.Args.ReviewID)
	if store.NotFound(err) {
		return nil // its loop was deleted
	}
	if err != nil {
		return err
	}
	warn, err := s.warnBefore(ctx, tx, r)
	if err != nil {
		return err
	}
	for range ringsAtOnce {
		c := nextClock(r, warn)
		if c.at == 0 || store.Micros(tx.Now()) < c.at {
			break
		}
		if r, err = s.timeUp(ctx, tx, r, c); err != nil {
			return err
		}
	}
	return s.schedule(ctx, tx, r)
}

func (s *Service) timeUp(ctx context.Context, tx *store.Tx, r db.Review, c ringing) (db.Review, error) {
	switch c.event {
	case Warn:
		return s.advance(ctx, tx, r, move{event: Warn, by: silence, quiet: true,
			data: map[string]any{"clock": clockName(c.bit)}, edit: func(r *db.Review) { r.Warned |= c.bit }})
	case LeaseEnd:
		return s.leaseEnd(ctx, tx, r, c.at)
	case ClaimLate:
		return s.claimLate(ctx, tx, r)
	case Escalate:
		return s.escalateByClock(ctx, tx, r)
	default:
		return s.end(ctx, tx, r, Timeout)
	}
}

func clockName(bit int64) string {
	switch bit {
	case warnedClaim:
		return "claim"
	case warnedDecide:
		return "decide"
	}
	return "end"
}

// end closes a request that nobody decided: its default counts, or it is cancelled.
func (s *Service) end(ctx context.Context, tx *store.Tx, r db.Review, e Event) (db.Review, error) {
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
	return s.advance(ctx, tx, r, move{event: e, by: silence, edit: func(r *db.Review) {
		if status(*r) == schemas.ReviewCancelled {
			cancelled(silence, "Nobody decided in time.")(r)
			return
		}
		r.Effective, r.ResponseSource, r.Decision, r.DecidedVia = r.DefaultResponse, schemas.SourceDefault, fallback.Decision, silence.via
	}})
}

// fallback is a request's default.
func (s *Service) fallback(r db.Review) (answer.Answer, error) {
	spec, err := s.spec(r)
	if err != nil {
		return answer.Answer{}, err
	}
	return spec.Default([]byte(r.DefaultResponse))
}

// mayCount tells whether an answer that no person gave may count. The loop may have become
// fail-closed since the answer was checked.
func (s *Service) mayCount(ctx context.Context, tx *store.Tx, r db.Review, a answer.Answer) (bool, error) {
	loop, err := tx.LoopByID(ctx, r.LoopID)
	return a.Decision == schemas.Rejected || !s.settings(loop).FailClosed, err
}

// lapse cancels a request that ends without an answer that may count.
func (s *Service) lapse(ctx context.Context, tx *store.Tx, r db.Review, e Event, why string) (db.Review, error) {
	r.OnTimeout, r.EscalationLast = "cancel", oncall.LastCancel
	return s.advance(ctx, tx, r, move{event: e, by: silence, data: map[string]any{"reason": why}, edit: cancelled(silence, why)})
}

// windUp sets the clocks of overdue requests again, so that no request stays open because
// a clock's job failed for good.
func (s *Service) windUp(ctx context.Context, tx *store.Tx) error {
	overdue, err := tx.OverdueReviews(ctx, store.Micros(tx.Now()))
	if err != nil {
		return err
	}
	for _, r := range overdue {
		if err := s.schedule(ctx, tx, r); err != nil {
			return err
		}
	}
	return nil
}

// ExtendDeadlines gives people back the time that the platform was away: every clock of
// the open requests moves. The clocks that were set ring early and are then set again.
func (s *Service) ExtendDeadlines(ctx context.Context, tx *store.Tx, by time.Duration) error {
	if by <= 0 {
		return nil
	}
	_, err := tx.ExtendReviews(ctx, by.Microseconds())
	return err
}
