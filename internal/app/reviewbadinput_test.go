package app

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

// badReview is a body that is refused, and what msg and data have to say.
type badReview struct {
	name, body string
	status     int
	msg        string
	says       []string
}

// asking is a good request with members replaced or added as raw JSON; "" leaves one out.
func asking(members map[string]string) string {
	good := map[string]string{
		"processing_type": `"deferred"`, "type": `"markdown"`, "priority": `"medium"`, "request_text": `"Publish this post?"`,
		"response_type": `"single_select"`, "response_config": `{"options":["approve","reject"]}`, "default_response": `"reject"`, "platform": `"api"`,
	}
	for name, raw := range members {
		good[name] = raw
	}
	var parts []string
	for _, name := range sorted(good) {
		if good[name] != "" {
			parts = append(parts, fmt.Sprintf("%q:%s", name, good[name]))
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func TestBadReviewsAreRefusedInTheContractsWords(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		h.must(h.live(), "POST", "/v1/api/loops/default/requests", asking(nil))
		one := func(name, member, raw, msg string, says ...string) badReview {
			return badReview{name, asking(map[string]string{member: raw}), 400, msg, says}
		}
		rating := func(config, answer string) string {
			return asking(map[string]string{"response_type": `"rating"`, "response_config": config, "default_response": answer})
		}
		deep := strings.Repeat("[", 40) + strings.Repeat("]", 40)
		for _, c := range []badReview{
			one("a default outside the options", "default_response", `"maybe"`, "Validation failed", "default_response"),
			one("a default of another type", "default_response", `{"a":1}`, "", "default_response"),
			{"a rating off its step", rating(`{"scale_min":1,"scale_max":5,"scale_step":2}`, "2"), 400, "Validation failed", []string{"default_response"}},
			{"a rating out of range", rating(`{"min":1,"max":5}`, "6"), 400, "Validation failed", []string{"default_response"}},
			one("2,001 characters", "request_text", `"`+strings.Repeat("ä", 2001)+`"`, "Validation failed", "request_text must be between 1 and 2000 characters"),
			one("no question", "request_text", `""`, "Validation failed", "request_text must be between 1 and 2000 characters"),
			one("select without options", "response_config", `{}`, "Invalid response configuration", "options array required for select response type"),
			one("an unknown priority", "priority", `"soon"`, "Validation failed", "priority must be one of: low, medium, high, critical"),
			{"time-sensitive without a time", asking(map[string]string{"processing_type": `"time-sensitive"`}), 400, "Validation failed", []string{"timeout_seconds is required for time-sensitive requests"}},
			one("a deadline in 61 days", "timeout_seconds", "5270400", "Validation failed", "timeout_seconds"),
			{"a day and a second, time-sensitive", asking(map[string]string{"processing_type": `"time-sensitive"`, "timeout_seconds": "86401"}), 400, "Validation failed", []string{"timeout_seconds"}},
			one("an image without an address", "type", `"image"`, "Validation failed", "image_url"),
			one("a number for a text", "request_text", "5", "Invalid request body", "request_text"),
			one("a private callback", "callback_url", `"http://127.0.0.1/hook"`, "", "callback_url"),
			one("an action that is a list", "action", `{"tool":"pay","arguments":[1]}`, "", "arguments"),
			one("an integer that others round", "action", `{"tool":"pay","arguments":{"amount":9007199254740993}}`, "", "action.arguments.amount"),
			one("an action's member twice", "action", `{"tool":"pay","arguments":{"amount":82000,"amount":820000}}`, "", "amount", "more than once"),
			one("nested without end", "context", `{"a":`+deep+`}`, "", "nested"),
			one("nobody's name", "assign_to", `["Nobody"]`, "", "Nobody"),
			{"a member twice", strings.Replace(asking(nil), "{", `{"priority":"low",`, 1), 400, "", []string{"priority", "more than once"}},
			{"a member in another case", strings.Replace(asking(nil), `"request_text"`, `"Request_Text"`, 1), 400, "", []string{"request_text"}},
			{"two spellings at once", asking(map[string]string{"content": `"Another?"`}), 400, "", []string{"request_text"}},
			{"an action of 1 MB", asking(map[string]string{"action": `{"tool":"pay","arguments":{"note":"` + strings.Repeat("x", 1_000_000) + `"}}`}), 400, "", []string{"action.arguments", "256 KiB"}},
			{"an action of 2 MB", asking(map[string]string{"action": `{"tool":"pay","arguments":{"note":"` + strings.Repeat("x", 2<<20) + `"}}`}), 413, "", []string{"larger than 1 MiB"}},
			{"half a body", asking(nil)[:40], 400, "Invalid request body", []string{"JSON"}},
			{"nothing", "", 400, "", nil},
		} {
			t.Run(c.name, func(t *testing.T) {
				before := h.state()
				for _, prefix := range schemas.Reviews.Prefixes() {
					got := h.send(h.live(), "POST", prefix+"/loops/default/requests", c.body)
					require.Equal(t, c.status, got.status, got.raw)
					require.Equal(t, true, got.body["error"])
					if c.msg != "" {
						require.Equal(t, c.msg, got.text("msg"), got.raw)
					}
					for _, words := range c.says {
						require.Contains(t, got.raw, words)
					}
					require.Less(t, len(got.raw), 8000, "an answer is no echo")
				}
				require.Equal(t, before, h.state(), "nothing has changed")
			})
		}
	})
}

func TestReviewsThatCannotBeAskedThere(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		crowd := h.crowd()
		leaver, leaverID := h.secondOwner("Leaver")
		empty := h.must(leaver, "POST", "/v1/loops", map[string]any{"name": "Empty"}).text("data.loop.id")
		h.must(h.owner(), "DELETE", "/platform/v1/people/"+leaverID, nil)
		foreign := h.must(crowd.elseAgent, "POST", "/v1/loops", map[string]any{"name": "Theirs"}).text("data.loop.id")
		for name, c := range map[string]struct {
			loop, msg string
			status    int
		}{
			"someone else's loop":  {foreign, "Loop not found", 404},
			"a loop that is none":  {strings.Repeat("0", 24), "Loop not found", 404},
			"what is no loop's id": {"../etc", "Invalid loop ID format", 400},
		} {
			t.Run(name, func(t *testing.T) {
				h.unchanged(func() {
					got := h.send(h.live(), "POST", "/v1/api/loops/"+strings.ReplaceAll(c.loop, "/", "%2f")+"/requests", asking(nil))
					require.Equal(t, c.status, got.status, got.raw)
					if c.msg != "" {
						require.Equal(t, c.msg, got.text("msg"))
					}
				})
			})
		}
		t.Run("a loop where nobody can decide", func(t *testing.T) {
			h.unchanged(func() {
				theirs := h.must(crowd.elseAgent, "GET", "/v1/loops/"+foreign, nil)
				require.Equal(t, "0", theirs.text("data.loop.pending_count"))
				got := h.send(h.live(), "POST", "/v1/api/loops/"+empty+"/requests", asking(nil))
				require.Equal(t, 400, got.status, got.raw)
				require.Equal(t, "No active members found in the loop", got.text("msg"))
			})
			h.must(h.owner(), "PUT", "/v1/loops/"+empty, map[string]any{"settings": map[string]any{"accept_unattended": true}})
			h.must(h.live(), "POST", "/v1/api/loops/"+empty+"/requests", asking(nil))
		})
	})
}

func TestAReviewAskedAgainIsOneReview(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		post := func(c who, prefix, body string) answer {
			return h.send(c, "POST", prefix+"/loops/default/requests", body)
		}
		count := func() string { return h.must(h.live(), "GET", "/v1/requests", nil).text("data.total") }
		t.Run("under one key, whichever prefix it takes", func(t *testing.T) {
			first, again := post(keyed(h.live(), "ask-1"), "/v1/api", asking(nil)), post(keyed(h.live(), "ask-1"), "/v1", asking(nil))
			require.Equal(t, 201, first.status, first.raw)
			require.Equal(t, first.raw, again.raw)
			require.Equal(t, "true", again.header.Get("Idempotent-Replayed"))
			require.Equal(t, 409, post(keyed(h.live(), "ask-1"), "/v1", asking(map[string]string{"priority": `"low"`})).status)
		})
		t.Run("a refusal keeps nothing", func(t *testing.T) {
			require.Equal(t, 400, post(keyed(h.live(), "ask-2"), "/v1", asking(map[string]string{"priority": `"soon"`})).status)
			require.Equal(t, 201, post(keyed(h.live(), "ask-2"), "/v1", asking(map[string]string{"priority": `"low"`})).status)
		})
		t.Run("twenty at once", func(t *testing.T) {
			before := count()
			body := asking(map[string]string{"request_text": `"Twenty?"`, "allow_duplicate": "true"})
			ids, lock, all := map[string]int{}, sync.Mutex{}, sync.WaitGroup{}
			for range 20 {
				all.Go(func() {
					got := post(keyed(h.live(), "ask-20"), "/v1", body)
					lock.Lock()
					defer lock.Unlock()
					ids[fmt.Sprintf("%d %s", got.status, got.text("id"))]++
				})
			}
			all.Wait()
			require.Len(t, ids, 1, "%v", ids)
			require.True(t, strings.HasPrefix(sorted(ids)[0], "201 "), "%v", ids)
			require.NotEqual(t, before, count())
		})
		t.Run("after a day it is another one", func(t *testing.T) {
			body := asking(map[string]string{"request_text": `"Again?"`, "allow_duplicate": "true"})
			first := post(keyed(h.live(), "ask-3"), "/v1", body)
			h.clk.Advance(24*time.Hour + time.Second)
			require.NotEqual(t, first.text("id"), post(keyed(h.live(), "ask-3"), "/v1", body).text("id"))
		})
		t.Run("a batch's bodies each have their own place under the key", func(t *testing.T) {
			body := `{"requests":[` + asking(map[string]string{"request_text": `"One?"`}) + `,{},` + asking(map[string]string{"request_text": `"Two?"`}) + `]}`
			first := h.must(keyed(h.live(), "all"), "POST", "/v1/loops/default/requests/batch", body)
			require.Equal(t, "2", first.text("data.created"))
			require.Equal(t, "1", first.text("data.failed"))
			before := count()
			again := h.must(keyed(h.live(), "all"), "POST", "/v1/api/loops/default/requests/batch", body)
			require.Equal(t, first.raw, again.raw)
			require.Equal(t, before, count())
		})
	})
}

// secondOwner is another owner of the house, with a token.
func (h *house) secondOwner(name string) (c who, id string) {
	h.t.Helper()
	id = h.must(h.owner(), "POST", "/platform/v1/people", map[string]any{"name": name, "roles": []string{"owner"}}).text("operator_id")
	var token string
	h.write(func(ctx context.Context, tx *store.Tx) (err error) {
		token, err = h.app.accounts.CreateSession(ctx, tx, id, account.SessionToken)
		return err
	})
	return byToken(name, schemas.Owner, token), id
}
