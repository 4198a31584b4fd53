package app

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/schemas"
)

func knowing(c who, tag string) who {
	return with(c, "knowing "+tag, map[string]string{"If-None-Match": tag})
}

func TestAPollerSeesEachChangeOnce(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		crowd := h.crowd()
		o := reviewCase{make: request()}.build(h, crowd)
		paths := []string{"", "/response", "/status"}
		left := func() string { return h.must(h.live(), "GET", "/v1/test", nil).text("data.rate_limit.remaining") }
		seen := map[string]string{}
		look := func(t *testing.T, status, pace string) {
			t.Helper()
			for _, path := range paths {
				got := h.send(knowing(h.live(), seen[path]), "GET", "/v1/requests/"+o.request+path, nil)
				require.Equal(t, 200, got.status, got.raw)
				require.Equal(t, status, got.text("status"), "flat clients read it at the top")
				require.Equal(t, pace, got.header.Get("Retry-After"))
				seen[path] = got.header.Get("ETag")
				require.NotEmpty(t, seen[path])
			}
			before := left()
			for _, path := range paths {
				again := h.send(knowing(h.live(), seen[path]), "GET", "/v1/requests/"+o.request+path, nil)
				require.Equal(t, 304, again.status)
				require.Empty(t, again.raw)
			}
			require.Equal(t, "1", fmt.Sprint(number(t, before)-number(t, left())), "only the look at the key itself was counted")
		}
		look(t, "pending", "5")
		h.clk.Advance(2 * time.Minute)
		claim(h, &o)
		look(t, "claimed", "5")
		answered("needs_changes")(h, &o)
		look(t, "completed", "")
		require.Equal(t, "needs_changes", h.must(h.live(), "GET", "/v1/requests/"+o.request+"/response", nil).text("decision"))
	}, "HUMANOPS_REVIEWS_RATE_LIMIT_PER_HOUR=1000")
}

func number(t *testing.T, text string) (n int) {
	t.Helper()
	_, err := fmt.Sscan(text, &n)
	require.NoError(t, err)
	return n
}

func TestAFollowerGetsOneEvent(t *testing.T) {
	h := newHouse(t)
	crowd := h.crowd()
	for word, event := range map[string]string{"approved": "completed", "rejected": "completed"} {
		o := reviewCase{make: request(answered(word))}.build(h, crowd)
		got := h.send(h.live(), "GET", "/v1/api/requests/"+o.request+"/events", nil)
		require.Equal(t, "text/event-stream", got.header.Get("Content-Type"))
		var events, data []string
		for lines := bufio.NewScanner(strings.NewReader(got.raw)); lines.Scan(); {
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				events = append(events, name)
			}
			if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				data = append(data, text)
			}
		}
		require.Equal(t, []string{event}, events)
		require.Len(t, data, 1)
		require.Contains(t, data[0], `"decision":"`+word+`"`)
	}
}

func TestTheLocalSocketServesReviewsToo(t *testing.T) {
	h := newHouse(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/v1/api/loops", nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+h.creds.LiveKey)
	out := httptest.NewRecorder()
	h.app.LocalHandler().ServeHTTP(out, req)
	require.Equal(t, 200, out.Code, out.Body.String())
	require.Contains(t, out.Body.String(), `"slug":"default"`)
	require.Equal(t, []string{"/v1/api", "/v1"}, schemas.Reviews.Prefixes())
}

func TestAWaitLooksAtTasksAndReviewsAsFarAsTheKeyMay(t *testing.T) {
	h := newHouse(t)
	h.person("Ada")
	o := reviewCase{make: request()}.build(h, h.crowd())
	task := h.post(h.live(), nil)
	key := func(body map[string]any) who {
		body["name"] = "narrow"
		return byKey(fmt.Sprint(body), h.must(h.live(), "POST", "/api/v1/agents/keys", body).text("api_key"))
	}
	tasks, reviews := key(map[string]any{"audience": "marketplace"}), key(map[string]any{"audience": "reviews"})
	writes := key(map[string]any{"scopes": []string{"requests:write"}})

	both := h.must(h.live(), "GET", "/v1/wait?ids="+task+":1,"+o.request+":1", nil)
	require.Contains(t, both.raw, o.request)
	require.Contains(t, both.raw, `"task_id":"`+task+`"`)
	for prefix, one := range map[string]who{"/api/v1": tasks, "/v1": reviews} {
		own, other := task, o.request
		if prefix == "/v1" {
			own, other = other, own
		}
		require.Equal(t, 200, h.send(one, "GET", prefix+"/wait?ids="+own, nil).status, prefix)
		require.Equal(t, 403, h.send(one, "GET", prefix+"/wait?ids="+own+","+other, nil).status, prefix)
	}
	require.Equal(t, 403, h.send(writes, "GET", "/api/v1/wait?ids="+o.request, nil).status, "a scope holds under every prefix")
}
