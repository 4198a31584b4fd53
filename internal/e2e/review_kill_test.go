package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	rest "humanops-mcp/client"
	"humanops-mcp/internal/trail"
	"humanops-mcp/schemas"
)

// journal is what the callers know of the requests they made: by idempotency key.
type journal struct {
	mu      sync.Mutex
	asked   map[string]string // confirmed: the request's id
	asking  map[string]bool   // sent, not answered
	decided map[string]string // confirmed: the comment of the decision, by request
	open    map[string]string // sent, not answered: the comment, by request
}

func newJournal() *journal {
	return &journal{asked: map[string]string{}, asking: map[string]bool{}, decided: map[string]string{}, open: map[string]string{}}
}

func (j *journal) note(change func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change()
}

// A platform that is killed at any point loses no request and no decision that it
// confirmed, and decides nothing twice; an approval can still be used once, and only once.
func TestKill_no_decision_is_lost_or_made_twice(t *testing.T) {
	onBoth(t, killInsideDecisions)
}

func killInsideDecisions(t *testing.T, settings ...string) {
	p := serve(t, append(settings, "HUMANOPS_REVIEWS_SIMULATED_STEP=5ms")...)
	book := newJournal()
	inside := 0
	for round := 0; inside < kills(t); round++ {
		require.Less(t, round, 10*kills(t)+20, "the kills hardly ever hit a write: %d of %d", inside, round)
		if decideUntilKilled(t, p, book, round) > 0 {
			inside++
		}
		p.start()
	}
	t.Logf("%d kills with a request or a decision in flight; %d requests and %d decisions confirmed", inside, len(book.asked), len(book.decided))
	requireDecidedOnce(t, p, book)
}

// decideUntilKilled asks and decides from several callers and kills the platform while
// they do; it tells how many calls were in flight then.
func decideUntilKilled(t *testing.T, p *platform, book *journal, round int) (inFlight int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	before := len(book.open) + len(book.asking)
	var done atomic.Int64
	var callers sync.WaitGroup
	agent, owner := p.api(rest.Options{APIKey: p.cred.LiveKey}), p.api(rest.Options{Token: p.cred.OwnerToken})
	for caller := range 6 {
		callers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				key := fmt.Sprintf("r-%d-%d-%d", round, caller, i)
				if !askAndDecide(ctx, agent, owner, book, key) {
					return
				}
				done.Add(1)
			}
		})
	}
	enough := int64(3 + round*7%30)
	require.Eventually(t, func() bool { return done.Load() >= enough }, 20*time.Second, 200*time.Microsecond)
	p.kill()
	cancel()
	callers.Wait()
	return len(book.open) + len(book.asking) - before
}

func askAndDecide(ctx context.Context, agent, owner *rest.Client, book *journal, key string) bool {
	book.note(func() { book.asking[key] = true })
	made, err := agent.CreateReview(rest.WithIdempotencyKey(ctx, key), killedReview(key))
	if err != nil {
		return false
	}
	comment := "decision of " + key
	book.note(func() {
		delete(book.asking, key)
		book.asked[key] = made.RequestID
		book.open[made.RequestID] = comment
	})
	_, err = owner.DecideReview(ctx, schemas.DecideReviewRequest{
		RequestID: made.RequestID, ResponseData: json.RawMessage(`true`), Comment: comment, ActionDigest: made.ActionDigest,
	})
	if err != nil {
		return false
	}
	book.note(func() {
		delete(book.open, made.RequestID)
		book.decided[made.RequestID] = comment
	})
	return true
}

func killedReview(key string) schemas.CreateReviewRequest {
	return schemas.CreateReviewRequest{LoopID: "default", NewReview: schemas.NewReview{
		RequestText: "May I? " + key, Action: &schemas.Action{Tool: "act", Arguments: json.RawMessage(`{"key":"` + key + `"}`)},
	}}
}

// requireDecidedOnce sends again what was not answered, and then compares.
func requireDecidedOnce(t *testing.T, p *platform, book *journal) {
	t.Helper()
	ctx := context.Background()
	agent, owner := p.api(rest.Options{APIKey: p.cred.LiveKey}), p.api(rest.Options{Token: p.cred.OwnerToken})
	for key := range book.asking {
		made, err := agent.CreateReview(rest.WithIdempotencyKey(ctx, key), killedReview(key))
		require.NoError(t, err)
		book.asked[key] = made.RequestID
	}
	for key, id := range book.asked {
		answer, err := agent.GetReview(ctx, schemas.ReviewRequest{RequestID: id})
		require.NoError(t, err, key)
		r := answer.Request
		require.Equal(t, "May I? "+key, r.RequestText)
		if comment := book.decided[id]; comment != "" {
			require.Equal(t, schemas.ReviewCompleted, r.Status, "a confirmed decision was lost")
			require.Equal(t, comment, r.Comment)
		}
		requireTrail(t, owner, r)
		if r.Status != schemas.ReviewCompleted {
			continue
		}
		requireUsedOnce(t, agent, owner, r)
	}
	list, err := agent.ListReviews(ctx, schemas.ListReviewsRequest{Limit: 1})
	require.NoError(t, err)
	require.Len(t, book.asked, list.Total, "no request is there twice")
	require.Eventually(t, func() bool {
		var status schemas.PlatformStatus
		return json.Unmarshal([]byte(p.run("status", "--json")), &status) == nil && status.JobsFailed == 0 && status.JobsDue == 0
	}, patience, 50*time.Millisecond, "jobs stay undone")
}

// requireTrail checks the chain of hashes, and that it holds one decision where there is one.
func requireTrail(t *testing.T, owner *rest.Client, r schemas.Review) {
	t.Helper()
	audit, err := owner.GetReviewAudit(context.Background(), schemas.ReviewAuditRequest{RequestID: r.ID, Limit: 200})
	require.NoError(t, err)
	head, err := trail.Verify(0, "", audit.Entries)
	require.NoError(t, err)
	require.Equal(t, r.AuditHead, head)
	decisions := 0
	for _, entry := range audit.Entries {
		if entry.Kind == "review.decide" {
			decisions++
		}
	}
	require.Equal(t, r.Status == schemas.ReviewCompleted, decisions == 1, "%d decisions in the trail of a request that is %s", decisions, r.Status)
}

func requireUsedOnce(t *testing.T, agent, owner *rest.Client, r schemas.Review) {
	t.Helper()
	ctx := context.Background()
	got, err := agent.GetReceipt(ctx, schemas.ReviewRequest{RequestID: r.ID})
	require.NoError(t, err)
	use := schemas.ConsumeReceiptRequest{RequestID: r.ID, Nonce: got.Receipt.Nonce, ActionDigest: r.ActionDigest}
	_, err = owner.ConsumeReceipt(ctx, use)
	require.NoError(t, err)
	_, err = owner.ConsumeReceipt(ctx, use)
	require.Equal(t, schemas.CodeConflict, schemas.ErrorCode(err))
}
