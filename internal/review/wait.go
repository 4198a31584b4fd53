package review

import (
	"context"
	"strings"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/event"
	"humanops-mcp/internal/review/ask"
	"humanops-mcp/internal/review/view"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

const maxWait = 300 * time.Second

// patience is how long to wait before asking again, by how long the round is open.
var patience = []struct {
	age     time.Duration
	seconds int
}{{time.Hour, 300}, {10 * time.Minute, 120}, {2 * time.Minute, 60}, {0, 25}}

// AwaitReview returns when the request's round is over, or after the time-out. AnswerWait
// tells which; between the two nothing is held but a subscription and a timer.
func (s *Service) AwaitReview(ctx context.Context, in schemas.WaitReviewRequest) error {
	limit := time.Duration(in.TimeoutSeconds) * time.Second
	if limit < 0 || limit > maxWait {
		return schemas.Invalid("timeout", "must be between 0 and 300 seconds. Example: 25")
	}
	return s.Changes.Until(ctx, in.RequestID, limit, roundOver)
}

func roundOver(l change.Line) bool { return l.Finished }

// AnswerWait tells how the request stands now. It reads the state, so that a server that
// died meanwhile lost nothing.
func (s *Service) AnswerWait(ctx context.Context, in schemas.WaitReviewRequest) (schemas.ReviewWait, error) {
	return s.answerWait(ctx, in.RequestID)
}

// answerWait reads once for those who wait for the same and are woken together: of ten who
// ask with one key, nine take what the first of them read. They agree on the state that they
// woke to, so that nobody is given what was read before it.
func (s *Service) answerWait(ctx context.Context, id string) (schemas.ReviewWait, error) {
	ctx, cancel := change.LastLook(ctx)
	defer cancel()
	line, err := s.Changes.At(ctx, id)
	if err != nil {
		return schemas.ReviewWait{}, err
	}
	c := account.From(ctx)
	same := strings.Join([]string{id, line.Head, c.ID(), c.KeyID, c.SessionID, c.Mode}, " ")
	out, err, _ := s.looks.Do(same, func() (any, error) { return s.lookAt(ctx, id) })
	answer, _ := out.(schemas.ReviewWait)
	return answer, err
}

func (s *Service) lookAt(ctx context.Context, id string) (out schemas.ReviewWait, err error) {
	err = s.Store.Read(ctx, func(tx *store.Tx) error {
		out.Request, err = s.ByID(ctx, tx, id)
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
func (s *Service) FollowReview(ctx context.Context, in schemas.ReviewRequest, emit func(id, event string, data any) error) error {
	for {
		err := s.Changes.Until(ctx, in.RequestID, change.Forever, roundOver)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // nobody waits for the answer any more
		}
		if err != nil {
			return err
		}
		out, err := s.answerWait(ctx, in.RequestID)
		if err != nil {
			return err
		}
		if !out.Pending { // else the agent has opened the next round meanwhile
			id, err := s.endedBy(ctx, in.RequestID)
			if err != nil {
				return err
			}
			return emit(id, string(out.Request.Status), out.Request)
		}
	}
}

// endedBy is the id of the event that ended a request's round.
func (s *Service) endedBy(ctx context.Context, id string) (eventID string, err error) {
	ctx, cancel := change.LastLook(ctx)
	defer cancel()
	err = s.Store.Read(ctx, func(tx *store.Tx) error {
		r, err := ask.Find(ctx, tx, id)
		if err != nil {
			return err
		}
		eventID, err = change.EnteredBy(ctx, tx, r.Line)
		return err
	})
	return eventID, err
}

// AcknowledgeReviews records which versions of its requests an agent has been shown.
func (s *Service) AcknowledgeReviews(ctx context.Context, tx *store.Tx, in schemas.AcknowledgeReviewsRequest) (schemas.Empty, error) {
	seen := make([]change.Seen, len(in.Items))
	for i, item := range in.Items {
		seen[i] = change.Seen{ID: item.RequestID, Version: item.Version}
	}
	c := account.From(ctx)
	return schemas.Empty{}, s.life.Acknowledge(ctx, tx, c.AgentID, c.Mode, seen)
}

// GetReviewAudit reads a request's trail, from the first entry on.
func (s *Service) GetReviewAudit(ctx context.Context, tx *store.Tx, in schemas.ReviewAuditRequest) (schemas.ReviewAudit, error) {
	limit := int64(100)
	if in.Limit > 0 {
		limit = min(int64(in.Limit), 200)
	}
	r, err := view.Visible(ctx, tx, in.RequestID, ask.Find)
	if err != nil {
		return schemas.ReviewAudit{}, err
	}
	entries, err := event.List(ctx, tx, r.ID, int64(in.After), limit+1)
	more := int64(len(entries)) > limit
	return schemas.ReviewAudit{RequestID: r.ID, Entries: entries[:min(int64(len(entries)), limit)], HasMore: more}, err
}
