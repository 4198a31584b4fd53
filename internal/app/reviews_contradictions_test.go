package app

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/schemas"
)

// request is a review request as its agent reads it.
func (h *house) request(prefix, id string) map[string]any {
	h.t.Helper()
	return h.must(h.hitl(), "GET", prefix+"/requests/"+id, nil).body["data"].(map[string]any)["request"].(map[string]any)
}

// TestWhatTheDocumentationSaysTwice goes through the sixteen places where the reviews
// contract contradicts itself (§1.13): each variant is taken, and one answer serves all.
func TestWhatTheDocumentationSaysTwice(t *testing.T) {
	eachPrefix(t, func(t *testing.T, h *house, prefix string) {
		respond := func(id string, body any) answer {
			return h.must(h.owner(), "POST", prefix+"/requests/"+id+"/respond", body)
		}
		t.Run("1 and 2: either prefix, envelope and flat members in one", func(t *testing.T) {
			id := h.ask(h.hitl(), prefix, h.seedBody(nil)).text("id")
			respond(id, `{"decision":"approved","reasoning":"Fine"}`)
			for _, other := range bothPrefixes {
				seen := h.must(h.hitl(), "GET", other+"/requests/"+id+"/response", nil)
				require.Equal(t, []string{id, "completed", "approved", "Fine"}, []string{seen.text("id"), seen.text("status"), seen.text("decision"), seen.text("reasoning")})
				require.Equal(t, []string{id, "completed", "approved"}, []string{seen.text("data.id"), seen.text("data.status"), seen.text("data.decision")})
			}
		})
		t.Run("3: an answer as an object or as one value", func(t *testing.T) {
			for _, body := range []string{`{"response_data":"approve"}`, `{"response_data":{"selected_value":"approve","selected_label":"Approve"}}`} {
				id := h.ask(h.hitl(), prefix, h.body(nil)).text("id")
				respond(id, body)
				seen := h.request(prefix, id)
				require.Equal(t, map[string]any{"selected_value": "approve", "selected_label": "Approve"}, seen["response_data"])
				require.Equal(t, "approve", seen["response_value"])
			}
		})
		t.Run("4: options as strings keep every letter", func(t *testing.T) {
			body := h.body(answers("single_select", `{"options":["Needs Work!","Très bien"]}`, "Très bien"))
			id := h.ask(h.hitl(), prefix, body).text("id")
			require.Equal(t, "Très bien", h.request(prefix, id)["default_response"])
		})
		t.Run("5: bounds in three spellings, each comes back as it was sent", func(t *testing.T) {
			for _, bounds := range []string{`{"scale_min":2,"scale_max":4}`, `{"min":2,"max":4}`, `{"min_value":2,"max_value":4}`} {
				id := h.ask(h.hitl(), prefix, h.body(answers("rating", bounds, 2))).text("id")
				refuses(t, h.send(h.owner(), "POST", prefix+"/requests/"+id+"/respond", `{"response_data":5}`), 400, "Validation failed", "response_data must be between 2 and 4")
				got, err := json.Marshal(h.request(prefix, id)["response_config"])
				require.NoError(t, err)
				require.JSONEq(t, bounds, string(got))
			}
		})
		t.Run("6: a bare string is one selection, checked when it is asked", func(t *testing.T) {
			id := h.ask(h.hitl(), prefix, h.body(answers("multi_select", `{"options":["a","b"]}`, "a"))).text("id")
			require.Equal(t, []any{"a"}, h.request(prefix, id)["default_response"])
			refuses(t, h.send(h.hitl(), "POST", prefix+"/loops/default/requests", h.body(answers("multi_select", `{"options":["a","b"]}`, "c"))), 400, "Validation failed", nil)
		})
		t.Run("7: false, 0 and an empty configuration are there", func(t *testing.T) {
			for kind, fallback := range map[string]any{"boolean": false, "number": float64(0)} {
				id := h.ask(h.hitl(), prefix, h.body(answers(kind, `{}`, fallback))).text("id")
				require.Equal(t, fallback, h.request(prefix, id)["default_response"])
			}
		})
		t.Run("8: a deferred request has up to 30 days", func(t *testing.T) {
			for _, c := range []struct{ seconds, days any }{{nil, 30.0}, {259200, 3.0}, {604800, 7.0}, {2592000, 30.0}} {
				made := h.ask(h.hitl(), prefix, h.body(map[string]any{"processing_type": "deferred", "timeout_seconds": c.seconds}))
				at, err := time.Parse(time.RFC3339, made.text("data.timeout_at"))
				require.NoError(t, err)
				require.InDelta(t, c.days, at.Sub(h.clk.Now()).Hours()/24, 0.001)
			}
			refuses(t, h.send(h.hitl(), "POST", prefix+"/loops/default/requests", h.body(map[string]any{"timeout_seconds": 86401})), 400, "Validation failed", nil)
		})
		t.Run("9: a claimed request can be cancelled", func(t *testing.T) {
			id := h.ask(h.hitl(), prefix, h.body(nil)).text("id")
			h.must(h.owner(), "POST", prefix+"/requests/"+id+"/claim", nil)
			require.Equal(t, "claimed", h.must(h.hitl(), "DELETE", prefix+"/requests/"+id, nil).text("data.previous_status"))
		})
		t.Run("10: a default is never passed off as a person's answer", func(t *testing.T) {
			id := h.ask(h.hitl(), prefix, h.body(map[string]any{"timeout_seconds": 60})).text("id")
			h.clk.Advance(61 * time.Second)
			h.work()
			seen := h.request(prefix, id)
			require.Equal(t, "timeout", seen["status"])
			require.Nil(t, seen["response_data"])
			require.Nil(t, seen["response_by"])
			require.Equal(t, "reject", seen["effective_response"])
			require.Equal(t, "default", seen["response_source"])
			require.Equal(t, "rejected", seen["decision"])
		})
		t.Run("11: response_by is an id, and the person stands beside it", func(t *testing.T) {
			id := h.ask(h.hitl(), prefix, h.body(nil)).text("id")
			respond(id, `{"response_data":"reject"}`)
			seen := h.request(prefix, id)
			require.IsType(t, "", seen["response_by"])
			person := seen["response_by_user"].(map[string]any)
			require.Equal(t, seen["response_by"], person["user_id"])
			require.NotEmpty(t, person["name"])
			require.Contains(t, person, "email")
		})
		t.Run("14: a boolean without labels says True and False", func(t *testing.T) {
			id := h.ask(h.hitl(), prefix, h.body(answers("boolean", `{}`, false))).text("id")
			respond(id, `{"response_data":true}`)
			require.Equal(t, map[string]any{"boolean": true, "boolean_label": "True"}, h.request(prefix, id)["response_data"])
		})
		t.Run("15: cancelled by DELETE and by POST, changed by PATCH", func(t *testing.T) {
			for method, tail := range map[string]string{"DELETE": "", "POST": "/cancel"} {
				id := h.ask(h.hitl(), prefix, h.body(nil)).text("id")
				h.must(h.hitl(), "PATCH", prefix+"/requests/"+id, `{"priority":"low"}`)
				require.Equal(t, "cancelled", h.must(h.hitl(), method, prefix+"/requests/"+id+tail, nil).text("data.status"))
			}
		})
	})
}

func TestPollersAreNotCutOff(t *testing.T) {
	t.Run("no limit, and the three headers always", func(t *testing.T) {
		h := newHouse(t)
		for _, prefix := range bothPrefixes {
			for range 120 { // more than the hosted service's hundred
				a := h.must(h.hitl(), "GET", prefix+"/loops", nil)
				for _, name := range []string{"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} {
					require.Regexp(t, "^[0-9]+$", a.header.Get(name))
				}
			}
		}
	})
	t.Run("with a limit, what tells nothing new is not counted", func(t *testing.T) {
		h := newHouse(t, "HUMANOPS_REVIEWS_RATE_LIMIT_PER_HOUR=5")
		made := h.ask(h.hitl(), "/v1", h.body(nil))
		first := h.must(h.hitl(), "GET", made.text("data.polling_url"), nil)
		known := with(h.hitl(), "with the tag", map[string]string{"If-None-Match": first.header.Get("ETag")})
		for range 20 {
			require.Equal(t, http.StatusNotModified, h.send(known, "GET", made.text("data.polling_url"), nil).status)
		}
		require.Equal(t, "true", h.must(h.hitl(), "GET", "/v1/requests/"+made.text("id")+"/wait?timeout=0", nil).text("data.pending"), "nor is waiting")
		for range 3 {
			h.must(h.hitl(), "GET", "/v1/loops", nil)
		}
		over := h.send(h.hitl(), "GET", "/v1/loops", nil)
		refuses(t, over, 429, "API key request limit exceeded", nil)
		require.NotEmpty(t, over.header.Get("Retry-After"))
		for _, place := range []string{"data.", ""} {
			require.Equal(t, []string{"5", "5", "0"}, []string{over.text(place + "usage_count"), over.text(place + "usage_limit"), over.text(place + "remaining")}, "in data, and at the top")
		}
	})
}

// inbox keeps what a webhook's address was sent.
type inbox struct {
	*httptest.Server
	mu   sync.Mutex
	came []http.Header
	raw  []string
}

func newInbox(t *testing.T) *inbox {
	t.Helper()
	in := &inbox{}
	in.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		in.mu.Lock()
		defer in.mu.Unlock()
		in.came, in.raw = append(in.came, r.Header), append(in.raw, string(raw))
	}))
	t.Cleanup(in.Close)
	return in
}

// find is the first delivery of an event.
func (in *inbox) find(t *testing.T, event string) (http.Header, answer) {
	t.Helper()
	in.mu.Lock()
	defer in.mu.Unlock()
	for i, raw := range in.raw {
		a := answer{raw: raw}
		require.NoError(t, json.Unmarshal([]byte(raw), &a.body))
		if a.text("event") == event {
			return in.came[i], a
		}
	}
	require.Fail(t, "not delivered", event)
	return nil, answer{}
}

// Rows 12 and 13: both signatures over the bytes that are sent, one body for all readers.
func TestOneWebhookServesEveryReceiver(t *testing.T) {
	for _, prefix := range bothPrefixes {
		t.Run(strings.Trim(prefix, "/"), func(t *testing.T) {
			h := newHouse(t, "HUMANOPS_ALLOW_PRIVATE_WEBHOOKS=true")
			in, callback := newInbox(t), newInbox(t)
			hook := says(t, h.send(h.hitl(), "POST", prefix+"/webhooks", map[string]any{
				"url": in.URL, "events": []string{"request.completed", "request.escalated"}, "loop_id": "default", "secret": "your_webhook_secret",
			}), 201, "Webhook created successfully")
			require.NotEmpty(t, hook.text("id"), "the seed reads it at the top")
			id := h.ask(h.hitl(), prefix, h.body(map[string]any{"callback_url": callback.URL})).text("id")
			h.must(h.owner(), "POST", prefix+"/requests/"+id+"/respond", `{"response_data":"approve"}`)
			h.work()

			header, got := in.find(t, "request.completed")
			mac := hmac.New(sha256.New, []byte("your_webhook_secret"))
			mac.Write([]byte(got.raw))
			signature := hex.EncodeToString(mac.Sum(nil))
			require.Equal(t, signature, header.Get("X-HITL-Signature"))
			require.Equal(t, "sha256="+signature, header.Get("X-HITL-Signature-256"))
			require.NotEmpty(t, header.Get("X-HITL-Timestamp"))
			require.NotEmpty(t, header.Get("X-HITL-Delivery"))
			require.Equal(t, []string{id, "approved"}, []string{got.text("data.request_id"), got.text("data.decision")}, "as the seed reads it")
			require.Equal(t, got.text("data.reviewer_id"), got.text("data.reviewer.user_id"))
			require.Equal(t, []string{id, "default"}, []string{got.text("data.request.id"), got.text("data.loop.slug")}, "as the reference has it")

			_, flat := callback.find(t, "request.completed")
			require.Equal(t, []string{id, "completed", "approve"}, []string{flat.text("request_id"), flat.text("status"), flat.text("response_data.selected_value")}, "as a callback has it")
			for _, name := range []string{"loop_id", "response_by", "response_at", "response_time_seconds", "created_at"} {
				require.NotNil(t, flat.body[name], name)
			}
			require.IsType(t, map[string]any{}, flat.body["response_by"], "an object here")

			tested := says(t, h.send(h.hitl(), "POST", prefix+"/webhooks/"+hook.text("id")+"/test", nil), 200, "Webhook tested")
			require.Equal(t, "true", tested.text("data.delivered"))
		})
	}
}

func TestSeveralAreAskedAtOnceInAnySpelling(t *testing.T) {
	eachPrefix(t, func(t *testing.T, h *house, prefix string) {
		out := says(t, h.send(h.hitl(), "POST", prefix+"/loops/default/requests/batch", map[string]any{
			"requests": []any{h.body(nil), h.seedBody(nil), h.body(map[string]any{"request_text": ""})},
		}), 200, "Batch processed")
		require.Equal(t, []string{"2", "1"}, []string{out.text("data.created"), out.text("data.failed")})
		results := out.body["data"].(map[string]any)["results"].([]any)
		require.Len(t, results, 3)
		last := results[2].(map[string]any)
		require.Equal(t, []any{true, "Validation failed", "request_text must be between 1 and 2000 characters"}, []any{last["error"], last["msg"], last["data"]})
	})
}

func TestAFileIsUploadedAsDocumented(t *testing.T) {
	eachPrefix(t, func(t *testing.T, h *house, prefix string) {
		body := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"notes.txt\"\r\nContent-Type: text/plain\r\n\r\nHello\r\n--b--\r\n"
		c := with(h.hitl(), "with a file", map[string]string{"Content-Type": "multipart/form-data; boundary=b"})
		up := says(t, h.send(c, "POST", prefix+"/upload/document", body), 200, "File uploaded successfully")
		require.Equal(t, []string{"notes.txt", "5"}, []string{up.text("data.file_name"), up.text("data.size_bytes")})
		require.NotEmpty(t, up.text("data.url"))
		require.Equal(t, true, h.send(c, "POST", prefix+"/upload/image", body).body["error"], "text is no image")
	})
}

// TestTestKeysReachSimulatedReviewersOnly: the contract's clients can be tried without a
// person.
func TestTestKeysReachSimulatedReviewersOnly(t *testing.T) {
	eachPrefix(t, func(t *testing.T, h *house, prefix string) {
		sandbox := byToken("the agent's test key as bearer", schemas.Agent, h.creds.TestKey)
		made := h.ask(sandbox, prefix, h.seedBody(nil))
		require.Equal(t, "true", made.text("data.sandbox"))
		for range 5 {
			h.clk.Advance(2 * time.Second)
			h.work()
		}
		seen := h.must(sandbox, "GET", prefix+"/requests/"+made.text("id"), nil)
		require.Equal(t, []string{"completed", "approved", "simulated"}, []string{seen.text("status"), seen.text("decision"), seen.text("data.request.response_source")})
	})
}
