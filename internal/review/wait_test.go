package review_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/review"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/schemas"
)

type waited struct {
	out schemas.ReviewWait
	err error
}

// WaitReview is both halves of a wait, as the API makes them.
func (d *desk) WaitReview(ctx context.Context, in schemas.WaitReviewRequest) (schemas.ReviewWait, error) {
	if err := d.AwaitReview(ctx, in); err != nil {
		return schemas.ReviewWait{}, err
	}
	return d.AnswerWait(ctx, in)
}

// wait begins a wait and returns once it is parked.
func (d *desk) wait(ctx context.Context, id string, seconds int) <-chan waited {
	d.t.Helper()
	answer := make(chan waited, 1)
	go func() {
		out, err := d.WaitReview(ctx, schemas.WaitReviewRequest{RequestID: id, TimeoutSeconds: seconds})
		answer <- waited{out, err}
	}()
	select {
	case <-d.waits:
	case early := <-answer:
		require.Fail(d.t, "the wait did not wait", "%+v", early)
	}
	return answer
}

// number lets the feed wake whoever waits for what was committed.
func (d *desk) number() {
	d.t.Helper()
	require.NoError(d.t, d.feed.Sequence(d.t.Context()))
}

func TestAWaitEndsWithTheDecision(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		id := d.ask(d.agent, "Publish?", nil)
		d.number()
		many := []<-chan waited{d.wait(d.agent, id, 25), d.wait(d.agent, id, 300), d.wait(d.owner, id, 60), d.wait(d.bob, id, 60)}
		run(d, d.ada, d.ClaimReview, schemas.ReviewRequest{RequestID: id})
		d.number()
		for _, w := range many {
			select {
			case early := <-w:
				require.Fail(t, "a claim decides nothing", "%+v", early)
			default:
			}
		}
		d.decide(d.ada, id, "true", nil)
		d.number()
		for _, w := range many {
			got := <-w
			require.NoError(t, got.err)
			require.False(t, got.out.Pending)
			require.Zero(t, got.out.RetryAfter)
			require.Equal(t, "approved", got.out.Request.Decision)
		}
		again, err := d.WaitReview(d.agent, schemas.WaitReviewRequest{RequestID: id, TimeoutSeconds: 25})
		require.NoError(t, err, "who asks after the decision gets it at once")
		require.Equal(t, "approved", again.Request.Decision)
	})
}

func TestAWaitEndsByItself(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		id := d.ask(d.agent, "Publish?", nil)
		at := func(age time.Duration) schemas.ReviewWait {
			t.Helper()
			d.clock.Set(d.get(d.agent, id).CreatedAt.Add(age))
			out, err := d.WaitReview(d.agent, schemas.WaitReviewRequest{RequestID: id})
			require.NoError(t, err)
			require.True(t, out.Pending)
			return out
		}
		require.Equal(t, 25, at(0).RetryAfter)
		w := d.wait(d.agent, id, 30)
		d.clock.Advance(30 * time.Second)
		got := <-w
		require.NoError(t, got.err)
		require.True(t, got.out.Pending)
		require.Equal(t, schemas.ReviewPending, got.out.Request.Status)
		require.Equal(t, 60, at(3*time.Minute).RetryAfter, "patience grows")
		require.Equal(t, 120, at(15*time.Minute).RetryAfter)

		ctx, cancel := context.WithCancel(d.agent)
		cut := d.wait(ctx, id, 300)
		cancel()
		got = <-cut
		require.NoError(t, got.err, "a wait that is cut off tells how things stand")
		require.True(t, got.out.Pending)
		require.Equal(t, id, got.out.Request.ID)
	})
}

func TestWaitsAreForThoseWhoMaySee(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		id := d.ask(d.agent, "Publish?", nil)
		for _, ctx := range []context.Context{d.stranger, d.sandbox, d.cy} {
			_, err := d.WaitReview(ctx, schemas.WaitReviewRequest{RequestID: id, TimeoutSeconds: 25})
			require.Equal(t, schemas.CodeNotFound, schemas.ErrorCode(err))
			require.Equal(t, schemas.CodeNotFound, schemas.ErrorCode(d.FollowReview(ctx, schemas.ReviewRequest{RequestID: id}, nil)))
		}
		_, err := d.WaitReview(d.agent, schemas.WaitReviewRequest{RequestID: id, TimeoutSeconds: 301})
		require.Equal(t, schemas.CodeInvalid, schemas.ErrorCode(err))
		require.EqualError(t, err, "timeout must be between 0 and 300 seconds. Example: 25")
	})
}

func TestFollowingGivesOneEventAtTheEnd(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		id := d.ask(d.agent, "Publish?", nil)
		type told struct {
			id    string
			event string
			about schemas.Review
		}
		follow := func(ctx context.Context) (<-chan told, <-chan error) {
			events, end := make(chan told, 5), make(chan error, 1)
			go func() {
				end <- d.FollowReview(ctx, schemas.ReviewRequest{RequestID: id}, func(id, event string, data any) error {
					events <- told{id, event, data.(schemas.Review)}
					return nil
				})
			}()
			return events, end
		}
		d.number()
		events, end := follow(d.agent)
		gone, cancel := context.WithCancel(d.agent)
		_, left := follow(gone)
		cancel()
		require.NoError(t, <-left)
		run(d, d.ada, d.ClaimReview, schemas.ReviewRequest{RequestID: id})
		d.number()
		run(d, d.agent, d.CancelReview, schemas.CancelReviewRequest{RequestID: id, Reason: "Not needed"})
		d.number()
		require.NoError(t, <-end)
		require.Len(t, events, 1)
		one := <-events
		require.Equal(t, "cancelled", one.event)
		require.Equal(t, "cancelled", one.about.ResponseSource)
		trail := run(d, d.agent, d.GetReviewAudit, schemas.ReviewAuditRequest{RequestID: id}).Entries
		require.Equal(t, trail[len(trail)-1].EventID, one.id, "the event has one id everywhere")
		late, end := follow(d.agent)
		require.NoError(t, <-end)
		require.Equal(t, "cancelled", (<-late).event, "at once when it is over already")
	})
}

func TestOldLinksAreForgotten(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		id := d.ask(d.agent, "Publish?", nil)
		run(d, t.Context(), d.Link, [2]string{id, personOf(d.ada)})
		count := func() int {
			d.write(func(tx *store.Tx) error { return review.Sweep(t.Context(), tx) })
			return len(storetest.Texts(t, d.store, "SELECT id FROM review_links"))
		}
		before := count()
		require.Positive(t, before)
		d.clock.Advance(29 * 24 * time.Hour)
		require.Equal(t, before, count())
		d.clock.Advance(5 * 24 * time.Hour)
		require.Zero(t, count())
	})
}
