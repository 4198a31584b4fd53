package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/stretchr/testify/require"

	rest "humanops-mcp/client"
	"humanops-mcp/schemas"
)

// askedReview is what request_human_review and check_status say of a request.
type askedReview struct {
	RequestID string `json:"request_id"`
	State     string `json:"state"`
	Status    string `json:"status"`
}

// A client may give up its call at any moment and make it again: there is one request, and
// whoever asks last has the answer.
func TestWait_a_client_that_hangs_up_and_asks_again_gets_the_one_answer(t *testing.T) {
	t.Parallel()
	p := serve(t)
	for _, patience := range []time.Duration{5 * time.Second, 30 * time.Second, time.Minute} {
		t.Run(patience.String()+" over MCP", func(t *testing.T) {
			t.Parallel()
			hangUpOverMCP(t, p, patience)
		})
		t.Run(patience.String()+" over REST", func(t *testing.T) {
			t.Parallel()
			hangUpOverREST(t, p, patience)
		})
	}
}

func hangUpOverMCP(t *testing.T, p *platform, patience time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	agent := p.streamable(ctx, p.cred.LiveKey)
	args := map[string]any{"question": "Deploy after " + patience.String() + "?", "idempotency_key": patience.String(), "wait_seconds": 45}
	var request mcp.CallToolRequest
	request.Params.Name, request.Params.Arguments = "request_human_review", args
	impatient, hangUp := context.WithTimeout(ctx, patience)
	_, err := agent.CallTool(impatient, request)
	hangUp()
	require.Equal(t, patience < 45*time.Second, err != nil, "the call ends by itself within 45 s: %v", err)

	args["wait_seconds"] = 0
	again, _ := call[askedReview](t, ctx, agent, "request_human_review", args)
	require.Equal(t, "waiting", again.State)
	decide(t, ctx, p, again.RequestID, `"approved"`)
	status, _ := call[struct{ Items []askedReview }](t, ctx, agent, "check_status", map[string]any{"ids": []string{again.RequestID}, "wait_seconds": 20})
	require.Equal(t, "done", status.Items[0].State)
	requireOneRequest(t, ctx, p, fmt.Sprintf("Deploy after %s?", patience))
}

func hangUpOverREST(t *testing.T, p *platform, patience time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	agent := p.api(rest.Options{APIKey: p.cred.LiveKey})
	text := "Publish after " + patience.String() + "?"
	ask := func() string {
		made, err := agent.CreateReview(rest.WithIdempotencyKey(ctx, "rest "+patience.String()),
			schemas.CreateReviewRequest{LoopID: "default", NewReview: schemas.NewReview{RequestText: text}})
		require.NoError(t, err)
		return made.RequestID
	}
	id := ask()
	impatient, hangUp := context.WithTimeout(ctx, patience)
	_, err := agent.WaitReview(impatient, schemas.WaitReviewRequest{RequestID: id, TimeoutSeconds: 300})
	hangUp()
	require.Error(t, err)
	require.Equal(t, id, ask())
	answered := make(chan error, 1)
	var waited schemas.ReviewWait
	go func() {
		var err error
		waited, err = agent.WaitReview(ctx, schemas.WaitReviewRequest{RequestID: id, TimeoutSeconds: 60})
		answered <- err
	}()
	decide(t, ctx, p, id, `"rejected"`)
	require.NoError(t, <-answered)
	require.False(t, waited.Pending)
	require.Equal(t, schemas.Rejected, waited.Request.Decision)
	requireOneRequest(t, ctx, p, text)
}

// decide answers as the owner.
func decide(t *testing.T, ctx context.Context, p *platform, id, answer string) {
	t.Helper()
	_, err := p.api(rest.Options{Token: p.cred.OwnerToken}).DecideReview(ctx, schemas.DecideReviewRequest{RequestID: id, ResponseData: json.RawMessage(answer)})
	require.NoError(t, err)
}

func requireOneRequest(t *testing.T, ctx context.Context, p *platform, text string) {
	t.Helper()
	list, err := p.api(rest.Options{APIKey: p.cred.LiveKey}).ListReviews(ctx, schemas.ListReviewsRequest{Query: text})
	require.NoError(t, err)
	require.Equal(t, 1, list.Total)
}

// A server that dies while somebody waits has lost nothing: the next call has the answer.
func TestKill_during_a_wait_loses_nothing(t *testing.T) {
	t.Parallel()
	p := serve(t)
	for range kills(t) {
		killDuringWait(t, p)
	}
}

func killDuringWait(t *testing.T, p *platform) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	agent := p.api(rest.Options{APIKey: p.cred.LiveKey})
	made, err := agent.CreateReview(ctx, schemas.CreateReviewRequest{LoopID: "default", NewReview: schemas.NewReview{RequestText: "Still there?"}})
	require.NoError(t, err)
	cut := make(chan error, 1)
	go func() {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/v1/requests/"+made.RequestID+"/wait?timeout=60", nil)
		if err == nil {
			request.Header.Set("Authorization", "Bearer "+p.cred.LiveKey)
			_, err = http.DefaultClient.Do(request) //nolint:bodyclose // the platform is killed before it answers
		}
		cut <- err
	}()
	p.kill()
	require.Error(t, <-cut)
	p.start()
	decide(t, ctx, p, made.RequestID, `"approved"`)
	again, err := p.api(rest.Options{APIKey: p.cred.LiveKey}).WaitReview(ctx, schemas.WaitReviewRequest{RequestID: made.RequestID, TimeoutSeconds: 60})
	require.NoError(t, err)
	require.Equal(t, schemas.Approved, again.Request.Decision)
	require.Equal(t, schemas.SourceHuman, again.Request.ResponseSource)
}
