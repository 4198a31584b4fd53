package api

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/api/dialect"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/schemas"
)

func TestInput(t *testing.T) {
	rg := newRig(t, Config{})
	for name, c := range map[string]struct {
		path, body string
		headers    []string
		status     int
		text       string
	}{
		"no body":               {"/things/a", "", nil, 400, `Nothing was sent, and a JSON object is needed; title is required. Example: \"Photo\"`},
		"a 10 MB body":          {"/things/a", `{"title":"` + strings.Repeat("a", 10<<20) + `"}`, nil, 413, "The body is larger than 1 MiB; send less."},
		"a wrong type":          {"/things/a", `{"title":"a","reward_usd":"abc"}`, nil, 400, `reward_usd must be a number; got \"abc\". Example: 15`},
		"a duplicate member":    {"/things/a", `{"title":"a","title":"b"}`, nil, 400, "title is given more than once; send it once"},
		"a case variant":        {"/things/a", `{"title":"a","Title":"b"}`, nil, 400, "Title must be spelt title: names are case-sensitive"},
		"seven decimals":        {"/things/a", `{"title":"a","reward_usd":1.0000001}`, nil, 400, "reward_usd must have at most 6 decimals; got 1.0000001. Example: 12.50"},
		"a 100 kB title":        {"/things/a", `{"title":"` + strings.Repeat("a", 100_000) + `"}`, nil, 400, "title must have between 1 and 200 characters; got 100000"},
		"bad UTF-8":             {"/things/a", "{\"title\":\"\xff\"}", nil, 400, "not valid UTF-8"},
		"bad UTF-8 in the path": {"/things/%ff", `{"title":"a"}`, nil, 400, "id must be valid UTF-8"},
		"a NUL":                 {"/things/a", `{"title":"\u0000"}`, nil, 400, "title must not hold the character U+0000"},
		"broken JSON":           {"/things/a", `{"title":`, nil, 400, "ends before it is complete"},
		"a form":                {"/things/a", `title=a`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "send Content-Type: application/json"},
		"a compressed body":     {"/things/a", `x`, []string{"Content-Encoding", "gzip"}, 415, "must not be compressed"},
		"a bad parameter":       {"/things/a?limit=0", `{"title":"a"}`, nil, 400, "limit must be between 1 and 100; got 0"},
		"a parameter twice":     {"/things/a?limit=1&limit=2", `{"title":"a"}`, nil, 400, "limit is given more than once"},
		"a broken query":        {"/things/a?limit=%zz", `{"title":"a"}`, nil, 400, "The query string cannot be read"},
		"a long path value":     {"/things/" + strings.Repeat("a", 21), `{"title":"a"}`, nil, 400, "id must have at most 20 characters; got 21"},
	} {
		t.Run(name+" gets a sentence", func(t *testing.T) {
			res := rg.agent("POST", "/api/v1"+c.path, c.body, c.headers...)
			require.Equal(t, c.status, res.StatusCode, res.raw)
			require.Contains(t, res.raw, c.text)
			require.Less(t, len(res.raw), 1000, "nothing is echoed at length")
			require.Zero(t, rg.runs)
		})
	}
	t.Run("an unknown field is ignored and named in warnings", func(t *testing.T) {
		res := rg.agent("POST", "/api/v1/things/a?limitt=3", `{"title":"a","reward":1}`)
		require.Equal(t, 201, res.StatusCode)
		require.Equal(t, []any{
			`The query parameter "limitt" is not known and was ignored; did you mean limit?`,
			"reward is not a known field and was ignored",
		}, res.body["warnings"])
		require.Equal(t, map[string]any{"id": "a", "limit": 20.0, "title": "a"}, res.body["seen"])
		require.Equal(t, []any{}, res.body["list"], "an empty list is a list")
	})
	t.Run("a missing or suffixed content type is taken", func(t *testing.T) {
		require.Equal(t, 201, rg.agent("POST", "/api/v1/things/a", `{"title":"a"}`, "Content-Type", "application/merge-patch+json").StatusCode)
		require.Equal(t, 201, rg.agent("POST", "/api/v1/things/a", `{"title":"a"}`, "Content-Type", "application/json; charset=utf-8").StatusCode)
	})
}

func TestTestModeIsMarked(t *testing.T) {
	rg := newRig(t, Config{})
	for path, body := range map[string]string{"/things/a": `{"title":"a"}`, "/agent": ""} {
		method := map[bool]string{true: "GET", false: "POST"}[body == ""]
		live := rg.agent(method, "/api/v1"+path, body)
		require.NotContains(t, live.raw, "sandbox", path)
		test := rg.do(method, "/api/v1"+path, body, "X-API-Key", rg.creds.TestKey)
		require.Equal(t, true, test.body["sandbox"], path)
		require.Equal(t, schemas.SandboxNotice, test.body["sandbox_notice"], path)
	}
	t.Run("on errors too", func(t *testing.T) {
		refused := rg.do("POST", "/api/v1/things/a", `{}`, "X-API-Key", rg.creds.TestKey)
		require.Equal(t, 400, refused.StatusCode)
		require.Equal(t, true, refused.body["sandbox"])
		require.Equal(t, schemas.SandboxNotice, refused.body["sandbox_notice"])
		require.NotContains(t, rg.agent("POST", "/api/v1/things/a", `{}`).raw, "sandbox")
	})
}

func TestErrorsOfServices(t *testing.T) {
	rg := newRig(t, Config{})
	for code, status := range dialect.Statuses {
		if code == schemas.CodeInternal {
			continue
		}
		t.Run(fmt.Sprintf("%s is %d", code, status), func(t *testing.T) {
			rg.fail = fmt.Errorf("posting: %w", &schemas.Error{
				Code: code, Message: "It is paid.", State: "PAID", Fields: []schemas.FieldError{{Field: "a", Message: "must be b"}},
			})
			res := rg.agent("POST", "/api/v1/things/a", `{"title":"a"}`)
			require.Equal(t, status, res.StatusCode)
			require.JSONEq(t, `{"error":"It is paid.; a must be b","code":"`+string(code)+`","state":"PAID","fields":[{"field":"a","message":"must be b"}]}`, res.raw)
		})
	}
}

func TestIdempotency(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		rg := rigOn(t, Config{}, s, clk)
		post := func(key, body string) reply {
			return rg.agent("POST", "/api/v1/things/a", body, "Idempotency-Key", key)
		}
		t.Run("the same call again gets the same answer", func(t *testing.T) {
			first := post("k1", `{"title":"a","x":1}`)
			again := post("k1", `{"title":"a","x":1}`)
			require.Equal(t, 201, again.StatusCode)
			require.Equal(t, first.raw, again.raw)
			require.Empty(t, first.Header.Get("Idempotent-Replayed"))
			require.Equal(t, "true", again.Header.Get("Idempotent-Replayed"))
			require.Equal(t, 1, rg.runs)
		})
		t.Run("another body or path under the same key conflicts", func(t *testing.T) {
			require.Equal(t, 409, post("k1", `{"title":"b","x":1}`).StatusCode)
			res := rg.agent("POST", "/api/v1/things/b", `{"title":"a","x":1}`, "Idempotency-Key", "k1")
			require.Equal(t, "conflict", res.body["code"])
		})
		t.Run("a key belongs to its caller and mode", func(t *testing.T) {
			for _, who := range [][]string{{"X-API-Key", rg.creds.TestKey}, {"Authorization", "Bearer " + rg.creds.OwnerToken}} {
				res := rg.do("POST", "/api/v1/things/a", `{"title":"a","x":1}`, append(who, "Idempotency-Key", "k1")...)
				require.Equal(t, 201, res.StatusCode)
				require.Empty(t, res.Header.Get("Idempotent-Replayed"))
			}
		})
		t.Run("a failure is not kept", func(t *testing.T) {
			rg.fail = schemas.NewError(schemas.CodeConflict, "Not now.")
			require.Equal(t, 409, post("k2", `{"title":"a"}`).StatusCode)
			rg.fail = nil
			res := post("k2", `{"title":"a"}`)
			require.Equal(t, 201, res.StatusCode)
			require.Empty(t, res.Header.Get("Idempotent-Replayed"))
		})
		t.Run("a key lasts 24 hours", func(t *testing.T) {
			post("k3", `{"title":"a"}`)
			clk.Advance(24*time.Hour - time.Minute)
			require.Equal(t, "true", post("k3", `{"title":"a"}`).Header.Get("Idempotent-Replayed"))
			clk.Advance(time.Minute)
			require.Equal(t, 201, post("k3", `{"title":"other"}`).StatusCode)
		})
		t.Run("an answer with a secret is not kept", func(t *testing.T) {
			send := func() reply {
				return rg.agent("POST", "/api/v1/secrets/a", `{"title":"a"}`, "Idempotency-Key", "k4")
			}
			require.Equal(t, 201, send().StatusCode)
			res := send()
			require.Equal(t, 409, res.StatusCode)
			require.Contains(t, res.body["error"], "thing_1")
		})
		t.Run("keys that are no keys are refused", func(t *testing.T) {
			for _, key := range []string{strings.Repeat("k", 256), "a\tb", "é"} {
				res := post(key, `{"title":"a"}`)
				require.Equal(t, 400, res.StatusCode)
				require.Contains(t, res.body["error"], "Idempotency-Key must be one value of 1 to 255 printable ASCII characters")
			}
		})
		t.Run("expired keys are swept", func(t *testing.T) {
			clk.Advance(48 * time.Hour)
			ctx := context.Background()
			require.NoError(t, s.Write(ctx, func(tx *store.Tx) error { return SweepIdempotency(ctx, tx) }))
			require.Empty(t, storetest.Texts(t, s, "SELECT name FROM idempotency_keys"))
		})
		t.Run("two at once run once", func(t *testing.T) {
			rg.runs = 0
			replies := make(chan reply, 8)
			for range cap(replies) {
				go func() { replies <- post("k5", `{"title":"a"}`) }()
			}
			var bodies []string
			for range cap(replies) {
				res := <-replies
				require.Equal(t, 201, res.StatusCode, res.raw)
				bodies = append(bodies, res.raw)
			}
			for _, body := range bodies {
				require.Equal(t, bodies[0], body)
			}
			require.Equal(t, 1, rg.runs)
		})
	})
}
