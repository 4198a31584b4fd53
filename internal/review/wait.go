package review

import (
	"context"
	"time"

	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

const (
	maxWait = 300 * time.Second
	// lastLook bounds the reading for a caller whose wait is cut off.
	lastLook = 5 * time.Second
)

// patience is how long to wait before asking again, by how long the round is open.
var patience = []struct {
	age     time.Duration
	seconds int
}{{time.Hour, 300}, {10 * time.Minute, 120}, {2 * time.Minute, 60}, {0, 25}}

// WaitReview answers when the request's round is over, or after the time-out with the
// request as it is. It holds nothing while it waits but a subscription and a timer, and
// reads the state first, so that a server that died meanwhile lost nothing.
func (s *Service) WaitReview(ctx context.Context, in schemas.WaitReviewRequest) (schemas.ReviewWait, error) {
	if err := s.AwaitReview(ctx, in); err != nil {
		return schemas.ReviewWait{}, err
	}
	return s.AnswerWait(ctx, in)
}

// AwaitReview is the first half of WaitReview: it returns when there is something to say,
// and takes little room while it waits.
func (s *Service) AwaitReview(ctx context.Context, in schemas.WaitReviewRequest) error {
	limit := time.Duration(in.TimeoutSeconds) * time.Second
	if limit < 0 || limit > maxWait {
		return schemas.Invalid("timeout", "must be between 0 and 300 seconds. Example: 25")
	}
	return s.untilOver(ctx, in.RequestID, limit)
}

// AnswerWait is the second half: how the request stands now.
func (s *Service) AnswerWait(ctx context.Context, in schemas.WaitReviewRequest) (schemas.ReviewWait, error) {
	return s.answerWait(ctx, in.RequestID)
}

// untilOver returns when the round is over, after limit, or when ctx ends.
func (s *Service) untilOver(ctx context.Context, id string, limit time.Duration) error {
	changed, cancel := s.Feed.Subscribe(id)
	defer cancel()
	over, err := s.firstLook(ctx, id)
	if err != nil || over || limit == 0 {
		return err
	}
	var timer <-chan time.Time
	if limit > 0 {
		timer = s.Clock.After(limit)
	}
	for {
		select {
		case <-timer:
			return nil
		case <-ctx.Done():
			return nil // the caller has gone, or the platform ends: it is told how things stand
		case <-changed:
		}
		r, err := s.state(ctx, id)
		if err != nil || schemas.ReviewStatus(r.Status).Final() {
			return err
		}
	}
}

// firstLook makes sure that the caller may see the request, and tells whether its round
// is over.
func (s *Service) firstLook(ctx context.Context, id string) (over bool, err error) {
	err = s.Store.Read(ctx, func(tx *store.Tx) error {
		r, err := tx.ReviewState(ctx, id)
		if store.NotFound(err) {
			return noReview()
		}
		if err != nil {
			return err
		}
		over = schemas.ReviewStatus(r.Status).Final()
		return mayRead(ctx, tx, subject{id, r.LoopID, r.AgentID, r.Mode})
	})
	return over, err
}

// state is the little that is read after a wake-up.
func (s *Service) state(ctx context.Context, id string) (r db.ReviewStateRow, err error) {
	err = s.Store.Peek(ctx, func(tx *store.Tx) error {
		r, err = tx.ReviewState(ctx, id)
		return err
	})
	if store.NotFound(err) {
		return r, noReview() // its loop was deleted
	}
	return r, err
}

func (s *Service) answerWait(ctx context.Context, id string) (out schemas.ReviewWait, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastLook)
	defer cancel()
	err = s.Store.Read(ctx, func(tx *store.Tx) error {
		out.Request, err = s.ViewForWait(ctx, tx, id)
		return err
	})
	if out.Pending = err == nil && !out.Request.Status.Final(); out.Pending {
		out.RetryAfter = s.retryAfter(out.Request)
	}
	out.Sandboxed = out.Request.Sandboxed
	return out, err
}

// retryAfter grows while nobody decides: people take minutes or hours.
func (s *Service) retryAfter(r schemas.Review) int {
	age := s.Clock.Now().Sub(r.BroadcastedAt)
	for _, p := range patience {
		if age >= p.age {
			return p.seconds
		}
	}
	return patience[len(patience)-1].seconds
}

// FollowReview emits one event when the request's round is over: completed, timeout or
// cancelled, with the request. It returns after that, or when ctx ends.
func (s *Service) FollowReview(ctx context.Context, in schemas.ReviewRequest, emit func(event string, data any) error) error {
	for {
		err := s.untilOver(ctx, in.RequestID, forever)
		if gone(ctx) {
			return nil
		}
		if err != nil {
			return err
		}
		out, err := s.answerWait(ctx, in.RequestID)
		if err != nil {
			return err
		}
		if !out.Pending { // else the agent has opened the next round meanwhile
			return emit(string(out.Request.Status), out.Request)
		}
	}
}

// gone tells whether nobody waits for the answer any more.
func gone(ctx context.Context) bool { return ctx.Err() != nil }

// forever is a wait without a time-out.
const forever time.Duration = -1
