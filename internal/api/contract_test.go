package api

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/api/dialect"
	"humanops-mcp/internal/api/hitl"
	"humanops-mcp/internal/api/marketplace"
	"humanops-mcp/internal/api/platform"
	"humanops-mcp/internal/codec"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

// errandsContract is a contract that nobody has: another in everything in which contracts differ.
var errandsContract = schemas.NewContract("errands", schemas.FileParts{Name: "paper", One: true}, "/errands", "/errands/old")

type errand struct {
	Name   string `path:"name" json:"name" maxLength:"10"`
	ShopID string `json:"shopId" minLength:"1" maxLength:"10"`
}

var (
	runErrand   = schemas.Endpoint[errand, []errand]{Contract: errandsContract, Method: "POST", Path: "/runs/{name}", Summary: "Run", Status: 201, Access: schemas.Agent}
	awaitErrand = schemas.Endpoint[schemas.Empty, []errand]{Contract: errandsContract, Method: "GET", Path: "/runs", Summary: "Await", Status: 200, Access: schemas.Agent}
	paperErrand = schemas.Upload[schemas.Empty, []errand]{Contract: errandsContract, Method: "POST", Path: "/paper", Summary: "Paper", Status: 200, Access: schemas.Agent}
)

// errands is the whole of what has to be said of a contract on the server's side.
func errands() dialect.Dialect {
	type problem struct {
		Error      string `json:"error"`
		Message    string `json:"message"`
		StatusCode int    `json:"statusCode"`
	}
	statuses := map[schemas.Code]int{}
	for code, status := range dialect.Statuses {
		statuses[code] = status
	}
	statuses[schemas.CodeUnauthenticated], statuses[schemas.CodeInvalid], statuses[schemas.CodeNotFound] = 407, 422, 410
	return dialect.Dialect{
		Contract: errandsContract, Audience: "reviews",
		Scopes: &dialect.Scopes{Needed: func(schemas.Info) string { return "loops:write" }, Denied: "Not with this pass"},
		Unproved: func(a dialect.Attempt) error {
			return schemas.NewError(schemas.CodeUnauthenticated, map[bool]string{true: "Show your pass", false: "No such pass"}[a.Err == nil])
		},
		Challenges: []string{"Pass"}, Statuses: statuses, StatusOfRule: http.StatusTeapot,
		Refuse: func(r dialect.Refusal) any {
			if r.Err == nil {
				return problem{"InternalServerError", "Sorry", r.Status}
			}
			return problem{http.StatusText(r.Status), r.Err.Error(), r.Status}
		},
		Answer: func(out any, _ dialect.About) ([]byte, error) { return codec.Encode(out) },
		Polled: func(out any, _ time.Time) dialect.Poll {
			return dialect.Poll{Revision: "r" + strconv.Itoa(len(*out.(*[]errand))), RetryAfter: 9}
		},
		Busy: "Slowly",
		Quota: &dialect.Quota{
			PerHour: 3, Unlimited: 9, Limit: "X-Errands", Remaining: "X-Errands-Left", Reset: "X-Errands-At", Exceeded: "Enough for now",
			Uncounted: func(i schemas.Info) bool { return i.Kind == schemas.Multipart },
		},
		CORS:     &dialect.CORS{Origins: []string{"https://shop.example"}, Methods: "POST", Headers: "X-API-Key", Expose: "X-Errands-Left"},
		Document: codec.Shape{Operations: "errands_", Errors: "Problem", Error: map[string]any{"type": "object"}, Answer: func(data any) any { return data }},
	}
}

type errandRig struct {
	*reviewRig
}

func newErrandRig(t *testing.T, dialects *dialect.Set) *errandRig {
	t.Helper()
	rg := &errandRig{newReviewRig(t, Config{Dialects: dialects, RateLimitPerMinute: 8})}
	write(rg.api, runErrand, func(_ context.Context, _ *store.Tx, in errand) ([]errand, error) { return []errand{in}, rg.fail })
	read(rg.api, awaitErrand, func(context.Context, *store.Tx, schemas.Empty) ([]errand, error) { return nil, rg.fail })
	uploadFile(rg.api, paperErrand, limits{files: 1, file: 100, all: 100}, func(context.Context, schemas.Empty, []schemas.File) ([]errand, error) { return nil, nil })
	return rg
}

func fourContracts() *dialect.Set {
	return dialect.NewSet(platform.Dialect(), marketplace.Dialect(), hitl.Dialect(hitl.Settings{}), errands())
}

func TestAContractIsOneValue(t *testing.T) {
	require.Empty(t, errands().Missing())
	says := func(t *testing.T, res reply, status int, message string) {
		t.Helper()
		require.Equal(t, status, res.StatusCode, res.raw)
		require.Equal(t, message, res.body["message"], res.raw)
		require.InDelta(t, status, res.body["statusCode"], 0)
		require.Len(t, res.body, 3, "nothing but the contract's own members")
	}
	run := func(rg *errandRig, headers ...string) reply {
		return rg.agent("POST", "/errands/runs/milk", `{"shopId":"a","shop_id":"b"}`, headers...)
	}
	t.Run("its answers are its own, under every prefix", func(t *testing.T) {
		rg := newErrandRig(t, fourContracts())
		first := run(rg, "Idempotency-Key", "k")
		require.Equal(t, 201, first.StatusCode, first.raw)
		require.Equal(t, `[{"name":"milk","shopId":"a"}]`, first.raw)
		again := rg.agent("POST", "/errands/old/runs/milk", `{"shopId":"a","shop_id":"b"}`, "Idempotency-Key", "k")
		require.Equal(t, "true", again.Header.Get("Idempotent-Replayed"), "it is the same call: %s", again.raw)
		require.Equal(t, "[]", rg.agent("GET", "/errands/runs", "").raw)
	})
	t.Run("its errors are its own, with its statuses", func(t *testing.T) {
		rg := newErrandRig(t, fourContracts())
		says(t, rg.do("POST", "/errands/runs/milk", ""), 407, "Show your pass")
		unknown := rg.do("POST", "/errands/runs/milk", "", "X-API-Key", "ho_live_"+strings.Repeat("a", 42))
		says(t, unknown, 407, "No such pass")
		says(t, rg.agent("GET", "/errands/nothing", ""), 410, "Nothing is served at this path. The paths are in /openapi.json.")
		says(t, rg.agent("PUT", "/errands/runs", ""), 405, "PUT is not served here; use GET, HEAD.")
		says(t, rg.agent("POST", "/errands/runs/milk", `{"shopId":""}`), 422, "shopId must not be empty")
		rg.fail = &schemas.Error{Code: schemas.CodeConflict, Message: "Closed on Sundays", Rule: true}
		says(t, run(rg), 418, "Closed on Sundays")
		rg.fail = errors.New("password=hunter2")
		says(t, run(rg), 500, "Sorry")
	})
	t.Run("its keys are those of its audience and scope", func(t *testing.T) {
		rg := newErrandRig(t, fourContracts())
		ask := func(key string) reply { return rg.do("GET", "/errands/runs", "", "X-API-Key", key) }
		says(t, ask(rg.key(schemas.CreateKeyRequest{Audience: account.AudienceMarketplace})), 403, "This key opens marketplace only. Use a key for reviews, or for all.")
		says(t, ask(rg.key(schemas.CreateKeyRequest{Audience: account.AudienceReviews, Scopes: []string{"requests:read"}})), 403, "Not with this pass")
		require.Equal(t, 200, ask(rg.key(schemas.CreateKeyRequest{Audience: account.AudienceReviews, Scopes: []string{"loops:write"}})).StatusCode)
	})
	t.Run("its allowance, its headers and its reads that tell nothing new", func(t *testing.T) {
		rg := newErrandRig(t, fourContracts())
		for _, left := range []string{"2", "1"} {
			require.Equal(t, left, run(rg).Header.Get("X-Errands-Left"))
		}
		same := rg.agent("GET", "/errands/runs", "", "If-None-Match", `"r0"`)
		require.Equal(t, 304, same.StatusCode)
		require.Equal(t, "9", same.Header.Get("Retry-After"))
		require.Equal(t, "1", same.Header.Get("X-Errands-Left"))
		says(t, rg.agent("POST", "/errands/paper", "{}"), 415, "Send multipart/form-data, with each file as a part called paper.")
		require.Equal(t, 201, run(rg).StatusCode)
		over := run(rg)
		says(t, over, 429, "Enough for now")
		require.Equal(t, "3601", over.Header.Get("Retry-After"))
		require.Equal(t, "1000000", rg.bearer(rg.creds.LiveKey, "GET", "/v1/requests/r", "").Header.Get("X-RateLimit-Limit"), "another contract's is another")
		require.Equal(t, 200, rg.agent("GET", "/api/v1/agent", "").StatusCode)
		says(t, run(rg), 429, "Slowly")
	})
	t.Run("its pages of other origins", func(t *testing.T) {
		rg := newErrandRig(t, fourContracts())
		ask := rg.do("OPTIONS", "/errands/runs/milk", "", "Origin", "https://shop.example", "Access-Control-Request-Method", "POST")
		require.Equal(t, 204, ask.StatusCode)
		require.Equal(t, "X-API-Key", ask.Header.Get("Access-Control-Allow-Headers"))
		require.Equal(t, 403, rg.agent("GET", "/api/v1/agent", "", "Origin", "https://shop.example").StatusCode)
	})
	t.Run("it stands in the document", func(t *testing.T) {
		raw := string(codec.OpenAPI([]schemas.Info{runErrand.Info(), paperErrand.Info()}, func(c schemas.Contract) codec.Shape { return fourContracts().Of(c).Document }))
		for _, says := range []string{`"/errands/runs/{name}"`, `"errands_post_runs_name"`, `#/components/schemas/Problem`, `"paper"`} {
			require.Contains(t, raw, says)
		}
	})
	t.Run("what belongs to no contract is answered by the house", func(t *testing.T) {
		rg := newErrandRig(t, fourContracts())
		res := rg.do("GET", "/nowhere", "")
		require.Equal(t, 404, res.StatusCode)
		require.Equal(t, "not_found", res.body["code"])
	})
	t.Run("on a listener of its own it answers for everything", func(t *testing.T) {
		rg := newRig(t, Config{})
		alone := Config{Dialects: dialect.NewSet(errands()), Local: true}
		a := newAPI(Deps{Store: rg.Store, Accounts: rg.Accounts, Clock: rg.clk, Logger: rg.Logger, Config: alone})
		read(a, awaitErrand, func(context.Context, *store.Tx, schemas.Empty) ([]errand, error) { return []errand{}, nil })
		server := httptest.NewServer(Front(alone, rg.Logger, a.handler()))
		t.Cleanup(server.Close)
		rg.url = server.URL
		require.Equal(t, "[]", rg.agent("GET", "/errands/runs", "").raw)
		says(t, rg.agent("GET", "/api/v1/tasks", ""), 410, "Nothing is served at this path. The paths are in /openapi.json.")
		says(t, rg.do("GET", "/errands/runs", "", "Host", "evil.example"), 403, "This host name is not served here. Use 127.0.0.1, localhost, or set public_url.")
	})
}

func TestAnEndpointWhoseContractIsNotSpokenIsRefusedAtStart(t *testing.T) {
	rg := newRig(t, Config{})
	require.PanicsWithValue(t, `api: GET /errands/runs belongs to the contract "errands", which has no dialect here`, func() {
		read(rg.api, awaitErrand, func(context.Context, *store.Tx, schemas.Empty) ([]errand, error) { return nil, nil })
	})
}
