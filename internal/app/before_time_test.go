package app

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// callbackSecret signs the callbacks of the tasks and reviews of before that have one.
const callbackSecret = "callback secret"

func mac(secret, body string) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(body))
	return hex.EncodeToString(m.Sum(nil))
}

// pass lets time pass in steps, with the platform at work.
func (b *before) pass(d, step time.Duration) {
	b.t.Helper()
	for end := b.clk.Now().Add(d); b.clk.Now().Before(end); {
		b.clk.Advance(min(step, end.Sub(b.clk.Now())))
		b.work()
	}
}

func TestAfterAnUpgradeWhatWaitedIsDone(t *testing.T) {
	eachBefore(t, shortly, func(t *testing.T, b *before) {
		was := b.must(b.as("owner"), "GET", "/platform/v1/status", nil)
		b.work()
		b.pass(20*time.Second, time.Second)
		t.Run("submissions that waited for their photos or for Guardian are looked at, and paid", func(t *testing.T) {
			for _, name := range []string{"submitted", "submitted, Guardian away", "submitted, Guardian asked"} {
				require.Equal(t, "PAID", b.status(name), name)
			}
		})
		t.Run("a task that was left verified is paid", func(t *testing.T) { require.Equal(t, "PAID", b.status("verified")) })
		t.Run("simulated people go on", func(t *testing.T) {
			for name, want := range map[string]string{"test posted, about to be taken": "PAID", "test submitted": "PAID", "test disputed": "CANCELLED"} {
				require.Equal(t, want, b.status(name), name)
			}
			for _, name := range []string{"test to be answered", "test to be answered slowly"} {
				require.Equal(t, "simulated", b.sees(name).text("data.request.response_source"), name)
			}
		})
		t.Run("callbacks of tasks go out, signed", func(t *testing.T) {
			for _, address := range []string{"/ok?of=taken", "/hang", "/busy?of=task"} {
				calls := b.received(address)
				require.NotEmpty(t, calls, address)
				require.Equal(t, mac(callbackSecret, calls[0].body), calls[0].header.Get("X-Signature"), address)
				require.Contains(t, calls[0].body, `"status":"ACCEPTED"`)
			}
			require.Empty(t, b.received("/ok?of=task"), "what was delivered is not sent again")
			require.Len(t, b.facts.Sending, 2)
			for address, id := range b.facts.Sending {
				calls := b.received(address)
				require.Len(t, calls, 1, address)
				require.Equal(t, id, calls[0].header.Get("X-Delivery-Id"), "what was tried before keeps its id")
			}
		})
		t.Run("webhooks get what waited, signed with the secret of now and the one before its rotation", func(t *testing.T) {
			calls := b.received("/ok?of=agent")
			require.NotEmpty(t, calls)
			for _, c := range calls {
				require.Equal(t, mac(b.facts.Secrets["secret of the agent's"], c.body), c.header.Get("X-HITL-Signature"))
				require.Equal(t, mac(b.facts.Secrets["former secret of the agent's"], c.body), c.header.Get("X-HITL-Signature-Former"))
			}
			for _, name := range []string{"the agent's", "the owner's", "gone", "hanging", "of a loop"} {
				require.NotContains(t, b.log(name), `"state":"waiting"`, name)
			}
			require.NotEmpty(t, b.received("/hang?of=webhook"))
			require.Empty(t, b.received("/busy?off"), "one that was switched off is told nothing")
		})
		t.Run("a request's own callback_url is told", func(t *testing.T) {
			calls := b.received("/ok?of=last-callback")
			require.Len(t, calls, 1)
			require.Equal(t, mac(callbackSecret, calls[0].body), calls[0].header.Get("X-HITL-Signature"))
		})
		t.Run("mail and chat that waited go out", func(t *testing.T) {
			mails := strings.Join(b.mails.All(), "\n")
			for _, subject := range []string{"Review wanted: About asked last", "New task: Storefront: posted at the last moment", "Feedback on your answer"} {
				require.Contains(t, mails, subject)
			}
			require.True(t, slices.ContainsFunc(b.received("/chat"), func(c call) bool { return strings.Contains(c.body, "About asked in the chat") }))
		})
		t.Run("nothing that is due is left, and nothing more has failed", func(t *testing.T) {
			now := b.must(b.as("owner"), "GET", "/platform/v1/status", nil)
			require.Equal(t, "0", now.text("jobs_due"), now.raw)
			require.LessOrEqual(t, now.body["jobs_failed"], was.body["jobs_failed"])
		})
		t.Run("a delivery that was given up is sent again on demand, under its id", func(t *testing.T) {
			hook := "/v1/webhooks/" + b.facts.IDs["webhook gone"]
			given := b.must(b.as("house live"), "GET", hook+"/deliveries?limit=100", nil).body["data"].(map[string]any)["deliveries"].([]any)
			id := given[len(given)-1].(map[string]any)["id"].(string)
			b.must(b.as("house live"), "POST", hook+"/deliveries/"+id+"/redeliver", nil)
			b.work()
			calls := b.received("/gone")
			require.Equal(t, id, calls[len(calls)-1].header.Get("X-HITL-Delivery"))
		})
		t.Run("a webhook that was busy is tried again at its time", func(t *testing.T) {
			require.Contains(t, b.log("busy"), `"state":"waiting"`)
			b.pass(13*time.Hour, time.Hour)
			require.NotContains(t, b.log("busy"), `"state":"waiting"`)
			require.NotEmpty(t, b.received("/busy"))
		})
		b.requireExact(t)
	})
}

// log is what a webhook of before was sent.
func (b *before) log(name string) string {
	b.t.Helper()
	caller := "house live"
	if name == "the owner's" {
		caller = "owner"
	}
	return b.must(b.as(caller), "GET", "/v1/webhooks/"+b.facts.IDs["webhook "+name]+"/deliveries?limit=100", nil).raw
}

func TestAfterAnUpgradeClocksRing(t *testing.T) {
	eachBefore(t, shortly, func(t *testing.T, b *before) {
		until := func(hours, step float64) {
			inHours := func(n float64) time.Duration { return time.Duration(n * float64(time.Hour)).Round(time.Minute) }
			b.pass(b.facts.Clock.Add(inHours(hours)).Sub(b.clk.Now()), inHours(step))
		}
		review := func(name, member string) string { return b.sees(name).text("data.request." + member) }

		until(0.4, 0.2)
		t.Run("a claim without a sign of life ends, and so does one that decides too late", func(t *testing.T) {
			for _, name := range []string{"claimed", "second round, claimed", "claimed, to be decided soon"} {
				require.Equal(t, "pending", review(name, "status"), name)
			}
		})
		t.Run("an escalation takes its next step", func(t *testing.T) {
			require.Equal(t, "2", review("escalation under way", "escalations"))
		})
		until(1.1, 0.2)
		t.Run("a review times out: its default counts and its callback is told, or it is cancelled", func(t *testing.T) {
			require.Equal(t, []string{"timeout", "rejected", "default"},
				[]string{review("pending until one", "status"), review("pending until one", "decision"), review("pending until one", "response_source")})
			require.Equal(t, "cancelled", review("pending until one, without a default", "status"))
			require.Len(t, b.received("/ok?of=timeout"), 1)
		})
		deposit := b.deposit("house live")
		until(6.1, 2)
		t.Run("a task that nobody took expires, and its money comes back", func(t *testing.T) {
			require.Equal(t, "EXPIRED", b.status("posted"))
			require.InDelta(t, deposit+6, b.deposit("house live"), 0)
			require.NotEmpty(t, b.received("/ok?of=posted"))
		})
		until(18.4, 6)
		require.Equal(t, "ACCEPTED", b.status("accepted"))
		until(18.6, 1)
		t.Run("a task that was not begun in time is open again, to the minute", func(t *testing.T) { require.Equal(t, "POSTED", b.status("accepted")) })
		paid := b.earned("Bob")
		until(7*24+1, 37)
		t.Run("a submission that nobody decided is in dispute", func(t *testing.T) { require.Equal(t, "DISPUTED", b.status("manual review")) })
		until(14*24+1, 84)
		t.Run("a dispute that nobody settled pays who did the work", func(t *testing.T) {
			require.Equal(t, "PAID", b.status("disputed"))
			require.InDelta(t, paid+20, b.earned("Bob"), 0)
		})
		until(60*24, 160)
		t.Run("time alone brings everything to its end, and no money is left in escrow", func(t *testing.T) { b.requireOver(t) })
	})
}

func (b *before) requireOver(t *testing.T) {
	t.Helper()
	for _, name := range sorted(b.facts.Tasks) {
		require.Contains(t, []string{"PAID", "CANCELLED", "EXPIRED"}, b.status(name), name)
	}
	for _, name := range sorted(b.facts.Reviews) {
		require.Contains(t, []string{"completed", "timeout", "cancelled"}, b.sees(name).text("data.request.status"), name)
	}
	for _, agent := range []string{"house live", "house test", "checker live", "checker test"} {
		require.Equal(t, "0", b.must(b.as(agent), "GET", "/api/v1/agents/balance", nil).text("escrow_balance"), agent)
	}
	b.requireExact(t)
}

func TestAfterAnUpgradeTheTimeAwayIsGivenBack(t *testing.T) {
	const away = 3 * time.Hour
	eachBefore(t, away, func(t *testing.T, b *before) {
		later := func(subject, path, member string, is answer) {
			t.Helper()
			for _, r := range b.facts.Reads[subject] {
				if r.Path == path {
					was := answer{body: exact(t, string(r.Body)).(map[string]any)}
					require.WithinDuration(t, moment(t, was.text(member)).Add(away), moment(t, is.text(member)), time.Second, path)
					return
				}
			}
			require.Fail(t, "nothing was noted of "+path)
		}
		b.work()
		later("tasks", "/api/v1/tasks/"+b.facts.Tasks["posted"].ID, "deadline", b.shows("posted"))
		later("reviews", "/v1/requests/"+b.facts.Reviews["pending until one"].ID, "data.request.timeout_at", b.sees("pending until one"))
		require.Equal(t, "POSTED", b.status("posted"))
		require.Equal(t, "pending", b.sees("pending until one").text("data.request.status"), "it would have ended while nobody could decide")
	})
}

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	return at
}

func TestAfterAnUpgradeWhoWaitsIsWoken(t *testing.T) {
	eachBefore(t, shortly, func(t *testing.T, b *before) {
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.app.Run(ctx) }()
		defer func() { stop(); require.NoError(t, <-ended) }()

		agent, pending, posted := b.as("house live"), b.facts.Reviews["pending"].ID, b.facts.Tasks["posted for Ada"].ID
		waits := func(path string) chan answer {
			answers := make(chan answer, 1)
			go func() { answers <- b.send(agent, "GET", path, nil) }()
			return answers
		}
		one, several := waits("/v1/requests/"+pending+"/wait?timeout=50"), waits("/v1/wait?timeout=50&ids="+posted+":1")
		b.answer("Tess", "pending", true, nil)
		b.act("Ada", "posted for Ada", "accept", nil)
		require.Equal(t, "completed", (<-one).text("data.request.status"))
		require.Contains(t, (<-several).raw, `"changed":true`)
		got := b.send(agent, "GET", "/v1/requests/"+b.facts.Reviews["approved"].ID+"/events", nil)
		require.Equal(t, http.StatusOK, got.status)
		require.Contains(t, got.raw, "event: completed", "what ended long ago is told at once")
	})
}
