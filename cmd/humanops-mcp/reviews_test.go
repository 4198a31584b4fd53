//go:build unix

package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"humanops-mcp/client"
	"humanops-mcp/internal/answer"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/daemon"
	"humanops-mcp/schemas"
)

// platformOf is a client of the platform of the script's data folder.
func platformOf(ts *testscript.TestScript, who func(*daemon.Credentials) client.Options) *client.Client {
	files := daemon.Paths(ts.Getenv("DATA"))
	credentials, err := daemon.ReadCredentials(files.Credentials)
	ts.Check(err)
	o := who(credentials)
	o.BaseURL, o.HTTPClient = "http://localhost", &http.Client{Transport: &http.Transport{DialContext: files.Dial}}
	c, err := client.New(o)
	ts.Check(err)
	return c
}

// ask NAME BODY asks in the default loop, as the agent, and puts the id into $NAME.
func ask(ts *testscript.TestScript, _ bool, args []string) {
	in := schemas.CreateReviewRequest{LoopID: "default"}
	ts.Check(json.Unmarshal([]byte(args[1]), &in.NewReview))
	c := platformOf(ts, func(c *daemon.Credentials) client.Options { return client.Options{APIKey: c.LiveKey} })
	out, err := c.CreateReview(context.Background(), in)
	ts.Check(err)
	ts.Setenv(args[0], out.RequestID)
}

// asked NAME waits for an open request and puts its id into $NAME.
func asked(ts *testscript.TestScript, _ bool, args []string) {
	c := platformOf(ts, func(c *daemon.Credentials) client.Options { return client.Options{Token: c.OwnerToken} })
	late := clock.System().After(patience)
	for {
		list, err := c.ListReviews(context.Background(), schemas.ListReviewsRequest{Status: "open"})
		ts.Check(err)
		if len(list.Requests) > 0 {
			ts.Setenv(args[0], list.Requests[0].ID)
			return
		}
		select {
		case <-late:
			ts.Fatalf("nobody was asked within %s", patience)
		case <-clock.System().After(20 * time.Millisecond):
		}
	}
}

// respond ID BODY answers a request as the owner; with ! before it, the answer is refused.
func respond(ts *testscript.TestScript, refused bool, args []string) {
	c := platformOf(ts, func(c *daemon.Credentials) client.Options { return client.Options{Token: c.OwnerToken} })
	now, err := c.GetReview(context.Background(), schemas.ReviewRequest{RequestID: args[0]})
	ts.Check(err)
	in := schemas.DecideReviewRequest{ActionDigest: now.Request.ActionDigest}
	ts.Check(json.Unmarshal([]byte(args[1]), &in))
	in.RequestID = args[0]
	_, err = c.DecideReview(context.Background(), in)
	if refused && schemas.ErrorCode(err) == schemas.CodeInvalid {
		return
	}
	ts.Check(err)
}

func TestLoopChange(t *testing.T) {
	now := schemas.LoopSettings{FailClosed: true, LeaseSeconds: 600, Mode: &schemas.ReviewMode{Mode: "quorum", Threshold: 2}}
	t.Run("changes what is named and leaves the rest", func(t *testing.T) {
		in, err := loopChange("pay", now, []string{"lease_seconds=20m", "review_mode.threshold=3", "routing=round_robin"})
		require.NoError(t, err)
		require.Equal(t, &schemas.LoopSettings{FailClosed: true, LeaseSeconds: 1200, Routing: "round_robin", Mode: &schemas.ReviewMode{Mode: "quorum", Threshold: 3}}, in.Settings)
		require.Nil(t, in.Name)
	})
	t.Run("a name alone touches no settings", func(t *testing.T) {
		in, err := loopChange("pay", now, []string{"name=Payments = money"})
		require.NoError(t, err)
		require.Nil(t, in.Settings)
		require.Equal(t, "Payments = money", *in.Name)
	})
	t.Run("an empty value takes a setting away", func(t *testing.T) {
		in, err := loopChange("pay", now, []string{"review_mode=", "fail_closed="})
		require.NoError(t, err)
		require.Equal(t, &schemas.LoopSettings{LeaseSeconds: 600}, in.Settings)
	})
	for name, pair := range map[string]string{"an unknown setting": "fail_close=true", "a setting out of bounds": "lease_seconds=5", "no pair": "fail_closed", "no key": "=1", "another type": "fail_closed=perhaps"} {
		t.Run("refuses "+name, func(t *testing.T) {
			_, err := loopChange("pay", now, []string{pair})
			require.Error(t, err)
		})
	}
}

func TestUntilIsWhenARequestReallyEnds(t *testing.T) {
	r := schemas.Review{TimeoutAt: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC), OnTimeout: "cancel"}
	require.Contains(t, until(r), "then cancelled")
	proof := schemas.Review{TimeoutAt: r.TimeoutAt, OnTimeout: "cancel", TaskID: "task_1"}
	require.NotContains(t, until(proof), "cancelled", "silence about a proof cancels nothing: the task goes into dispute or is paid")
	require.Contains(t, until(proof), "tasks show task_1")
	ends := r.TimeoutAt.Add(-time.Hour)
	r.EndsAt = &ends
	require.Equal(t, when(ends)+", when the escalation of its loop ends it", until(r))
}

func TestAllWhoDecidedAreNamed(t *testing.T) {
	ada, bob := schemas.ReviewPerson{UserID: "1", Name: "Ada"}, schemas.ReviewPerson{UserID: "2", Name: "Bob"}
	eve := schemas.ReviewPerson{UserID: "3", Name: "Eve"}
	r := schemas.Review{Decision: "approved", DecidedVia: "page", ResponseByUser: &bob}
	require.Equal(t, "Bob via page", decidedBy(r))
	r.Answers = []schemas.ReviewVote{{User: ada, Decision: "approved"}, {User: eve, Decision: "rejected"}, {User: bob, Decision: "approved"}, {User: bob, Step: 2, Decision: "approved"}}
	require.Equal(t, "Ada, Bob", decidedBy(r))
	r.Decision, r.ResponseType, r.ReviewMode = "answered", "rating", &schemas.ReviewMode{Mode: "all"}
	r.Answers = []schemas.ReviewVote{{User: ada, Decision: "answered"}, {User: bob, Decision: "answered"}}
	require.Equal(t, "Ada, Bob; the median of their answers counts", decidedBy(r))
	require.Empty(t, decidedBy(schemas.Review{Answers: r.Answers}))
}

func TestTypedAnswers(t *testing.T) {
	for name, c := range map[string]struct{ kind, config, text, want string }{
		"a word is an option":            {"single_select", `{"options":["Tuesday","3"]}`, "Tuesday", `"Tuesday"`},
		"an option may look like JSON":   {"single_select", `{"options":["Tuesday","3"]}`, "3", `"3"`},
		"several options are JSON":       {"multi_select", `{"options":["a","b"]}`, `["a","b"]`, `["a","b"]`},
		"yes is true":                    {"boolean", `{}`, "true", "true"},
		"a number is one":                {"number", `{}`, "42.5", "42.5"},
		"a text may look like a number":  {"text", `{}`, "42", `"42"`},
		"what is no option is a problem": {"single_select", `{"options":["a"]}`, "b", ""},
	} {
		t.Run(name, func(t *testing.T) {
			spec, err := answer.Parse(c.kind, json.RawMessage(c.config))
			require.NoError(t, err)
			raw, err := typed(spec, c.text)
			require.Equal(t, c.want == "", err != nil, "%v", err)
			if c.want != "" {
				require.Equal(t, c.want, string(raw))
			}
		})
	}
}

func TestHeadingsFitALine(t *testing.T) {
	long := heading(schemas.Review{RequestText: strings.Repeat("ä\n", 80)})
	require.LessOrEqual(t, len([]rune(long)), maxHeading+2)
	require.NotContains(t, long, "\n")
}
