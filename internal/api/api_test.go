package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/api/hitl"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/golden"
	"humanops-mcp/internal/review"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/schemas"
)

var start = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// thing is what the tests' endpoints take and give.
type thing struct {
	ID     string        `path:"id" json:"id" maxLength:"20"`
	Limit  int           `query:"limit" json:"limit,omitempty" minimum:"1" maximum:"100" default:"20"`
	Title  string        `json:"title" minLength:"1" maxLength:"200" example:"Photo"`
	Reward schemas.Money `json:"reward_usd,omitzero" minimum:"0" maximum:"10000" example:"15"`
}

type made struct {
	ThingID string   `json:"thing_id"`
	N       int      `json:"n"`
	Seen    thing    `json:"seen"`
	List    []string `json:"list"`
	schemas.Sandboxed
}

var (
	postThing   = schemas.Endpoint[thing, made]{Contract: schemas.Marketplace, Method: "POST", Path: "/things/{id}", Status: 201, Access: schemas.Agent | schemas.Owner}
	secretThing = schemas.Endpoint[thing, made]{Contract: schemas.Marketplace, Method: "POST", Path: "/secrets/{id}", Status: 201, Access: schemas.Agent}
	openThing   = schemas.Endpoint[schemas.Empty, schemas.Empty]{Contract: schemas.Marketplace, Method: "POST", Path: "/open", Status: 200, Access: schemas.Anyone}
	workThing   = schemas.Endpoint[schemas.Empty, schemas.Empty]{Contract: schemas.Marketplace, Method: "GET", Path: "/work", Status: 200, Access: schemas.Operator}
	ownThing    = schemas.Endpoint[schemas.Empty, schemas.Empty]{Contract: schemas.Marketplace, Method: "GET", Path: "/own", Status: 200, Access: schemas.Owner}
	agentThing  = schemas.Endpoint[schemas.Empty, schemas.Empty]{Contract: schemas.Marketplace, Method: "GET", Path: "/agent", Status: 200, Access: schemas.Agent}
	brokenThing = schemas.Endpoint[schemas.Empty, schemas.Empty]{Contract: schemas.Marketplace, Method: "GET", Path: "/broken", Status: 200, Access: schemas.Agent}
	panicThing  = schemas.Endpoint[schemas.Empty, schemas.Empty]{Contract: schemas.Marketplace, Method: "GET", Path: "/panic", Status: 200, Access: schemas.Agent}
)

// rig is a server over real HTTP with small endpoints and real accounts.
type rig struct {
	*api
	t     *testing.T
	url   string
	clk   *clock.Fake
	creds *account.Credentials
	op    string // an operator's token
	runs  int
	fail  error
	log   *bytes.Buffer
}

func newRig(t *testing.T, c Config) *rig {
	clk := clock.NewFake(start)
	return rigOn(t, c, storetest.OpenAt(t, clk), clk)
}

func rigOn(t *testing.T, c Config, s *store.Store, clk *clock.Fake) *rig {
	t.Helper()
	c.Version, c.TempDir = "1.2.3", t.TempDir()
	if c.Dialects == nil {
		c.Dialects = House(hitl.Settings{})
	}
	rg := &rig{t: t, clk: clk, log: &bytes.Buffer{}}
	log := slog.New(slog.NewTextHandler(rg.log, nil))
	accounts := account.NewService(account.Config{PublicURL: "http://127.0.0.1", LocalCredit: 1000 * schemas.USD})
	rg.api = newAPI(Deps{Store: s, Accounts: accounts, Clock: clk, Logger: log, Config: c})
	rg.seed()
	rg.endpoints()
	server := httptest.NewServer(Front(c, log, rg.handler()))
	t.Cleanup(server.Close)
	rg.url = server.URL
	return rg
}

func (rg *rig) seed() {
	ctx := context.Background()
	require.NoError(rg.t, rg.Store.Write(ctx, func(tx *store.Tx) (err error) {
		if rg.creds, err = rg.Accounts.EnsureHouse(ctx, tx); err != nil {
			return err
		}
		ada, err := rg.Accounts.AddPerson(ctx, tx, schemas.AddPersonRequest{Name: "Ada"})
		if err != nil {
			return err
		}
		rg.op, err = rg.Accounts.CreateSession(ctx, tx, ada.OperatorID, account.SessionToken)
		return err
	}))
}

func (rg *rig) endpoints() {
	make := func(ctx context.Context, tx *store.Tx, in thing) (made, error) {
		rg.runs++
		return made{ThingID: "thing_1", N: rg.runs, Seen: in}, rg.fail
	}
	empty := func(context.Context, schemas.Empty) (schemas.Empty, error) { return schemas.Empty{}, nil }
	write(rg.api, postThing, make)
	writeSecret(rg.api, secretThing, make, func(out made) string { return out.ThingID })
	call(rg.api, openThing, empty)
	call(rg.api, workThing, empty)
	call(rg.api, ownThing, empty)
	call(rg.api, agentThing, empty)
	call(rg.api, brokenThing, func(context.Context, schemas.Empty) (out schemas.Empty, err error) {
		return out, errors.New("password=hunter2")
	})
	call(rg.api, panicThing, func(context.Context, schemas.Empty) (schemas.Empty, error) { panic("oh") })
}

type reply struct {
	*http.Response
	raw  string
	body map[string]any
}

// do sends a request; headers come in pairs.
func (rg *rig) do(method, path, body string, headers ...string) reply {
	rg.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, rg.url+path, reader)
	require.NoError(rg.t, err)
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(rg.t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(rg.t, err)
	out := reply{Response: res, raw: string(raw)}
	_ = json.Unmarshal(raw, &out.body)
	return out
}

func (rg *rig) agent(method, path, body string, headers ...string) reply {
	rg.t.Helper()
	return rg.do(method, path, body, append([]string{"X-API-Key", rg.creds.LiveKey}, headers...)...)
}

func TestEveryEndpointIsMounted(t *testing.T) {
	a := newAPI(Deps{Reviews: new(review.Service), Logger: slog.New(slog.DiscardHandler), Config: Config{Dialects: House(hitl.Settings{})}})
	a.routes()
	patterns := func(list []schemas.Info) (out []string) {
		for _, info := range list {
			out = append(out, info.Pattern())
		}
		return out
	}
	require.ElementsMatch(t, patterns(schemas.All()), patterns(a.mounted))
}

func TestGoldenOpenAPI(t *testing.T) {
	golden.File(t, filepath.Join("..", "..", "docs", "openapi.json"), document(House(hitl.Settings{})))
}

func TestOpenPaths(t *testing.T) {
	rg := newRig(t, Config{})
	require.JSONEq(t, `{"status":"ok","version":"1.2.3"}`, rg.do("GET", "/healthz", "").raw)
	require.Equal(t, 200, rg.do("GET", "/readyz", "").StatusCode)
	document := rg.do("GET", "/openapi.json", "")
	require.Equal(t, "3.1.0", document.body["openapi"])
	closed, err := store.Open(context.Background(), store.Options{Path: filepath.Join(t.TempDir(), "closed.db"), Clock: rg.clk, Logger: rg.Logger})
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	rg.Store = closed
	ready := rg.do("GET", "/readyz", "")
	require.Equal(t, 503, ready.StatusCode)
	require.Equal(t, "unavailable", ready.body["code"])
}

func TestFront(t *testing.T) {
	rg := newRig(t, Config{Local: true, PublicURL: "https://ops.example.com", AllowedHosts: []string{"box.lan"}})
	t.Run("names the server and the request on every answer", func(t *testing.T) {
		res := rg.do("GET", "/nowhere", "")
		require.Equal(t, "humanops-mcp/1.2.3", res.Header.Get("Server"))
		require.True(t, strings.HasPrefix(res.Header.Get("X-Request-Id"), "req_"))
		require.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"))
		require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
	})
	for host, status := range map[string]int{
		"localhost:8787": 200, "127.0.0.1": 200, "[::1]:80": 200, "OPS.example.com": 200, "box.lan:1": 200,
		"evil.example": 403, "127.0.0.1.evil.example": 403, "localhost.": 403,
	} {
		t.Run("on loopback answers "+host, func(t *testing.T) {
			require.Equal(t, status, rg.do("GET", "/healthz", "", "Host", host).StatusCode)
		})
	}
	t.Run("off loopback answers any name", func(t *testing.T) {
		open := newRig(t, Config{})
		require.Equal(t, 200, open.do("GET", "/healthz", "", "Host", "any.example").StatusCode)
	})
	for name, c := range map[string]struct {
		headers []string
		status  int
	}{
		"a program":                    {nil, 200},
		"its own page":                 {[]string{"Host", "localhost", "Origin", "http://localhost"}, 200},
		"the public origin":            {[]string{"Origin", "https://ops.example.com"}, 200},
		"another origin":               {[]string{"Origin", "https://evil.example"}, 403},
		"a page of no origin":          {[]string{"Origin", "null"}, 403},
		"another port of this machine": {[]string{"Host", "localhost:1", "Origin", "http://localhost:2"}, 403},
	} {
		t.Run("treats "+name, func(t *testing.T) {
			require.Equal(t, c.status, rg.agent("GET", "/api/v1/agent", "", c.headers...).StatusCode)
			require.Equal(t, c.status, rg.do("POST", "/api/v1/open", "", c.headers...).StatusCode)
		})
	}
	t.Run("refuses a write that a browser marks as cross-site", func(t *testing.T) {
		require.Equal(t, 403, rg.do("POST", "/api/v1/open", "", "Sec-Fetch-Site", "cross-site").StatusCode)
	})
}

func TestClientIP(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for name, c := range map[string]struct{ peer, forwarded, want string }{
		"a stranger's word is not taken":        {"203.0.113.9:1", "1.2.3.4", "203.0.113.9"},
		"a proxy's word is taken":               {"10.0.0.1:1", "1.2.3.4", "1.2.3.4"},
		"only the last hop outside is believed": {"10.0.0.1:1", "6.6.6.6, 1.2.3.4, 10.0.0.2", "1.2.3.4"},
		"a proxy that says nothing":             {"10.0.0.1:1", "", "10.0.0.1"},
		"a proxy that says nonsense":            {"10.0.0.1:1", "me", "10.0.0.1"},
		"a mapped address":                      {"[::ffff:10.0.0.1]:1", "1.2.3.4", "1.2.3.4"},
		"a socket":                              {"@", "1.2.3.4", "local"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = c.peer
			r.Header.Set("X-Forwarded-For", c.forwarded)
			require.Equal(t, c.want, clientIP(r, trusted))
		})
	}
}

func TestRouting(t *testing.T) {
	rg := newRig(t, Config{})
	t.Run("an unknown path is 404 in the envelope", func(t *testing.T) {
		res := rg.do("GET", "/api/v1/nothing", "")
		require.Equal(t, 404, res.StatusCode)
		require.Equal(t, "not_found", res.body["code"])
		require.Equal(t, "application/json", res.Header.Get("Content-Type"))
	})
	t.Run("a wrong method is 405 and says which is right", func(t *testing.T) {
		res := rg.do("PUT", "/api/v1/things/a", "")
		require.Equal(t, 405, res.StatusCode)
		require.Equal(t, "POST", res.Header.Get("Allow"))
		require.Equal(t, "PUT is not served here; use POST.", res.body["error"])
	})
	t.Run("what went wrong inside is logged and not told", func(t *testing.T) {
		for _, path := range []string{"/api/v1/broken", "/api/v1/panic"} {
			res := rg.agent("GET", path+"?token=abc", "")
			require.Equal(t, 500, res.StatusCode)
			require.NotContains(t, res.raw, "hunter2")
			require.Equal(t, res.Header.Get("X-Request-Id"), res.body["request_id"])
			require.Contains(t, rg.log.String(), res.Header.Get("X-Request-Id"))
		}
		require.Contains(t, rg.log.String(), "hunter2")
		require.NotContains(t, rg.log.String(), "token=abc")
		require.NotContains(t, rg.log.String(), rg.creds.LiveKey)
	})
}

func TestAuthentication(t *testing.T) {
	rg := newRig(t, Config{})
	live, test := rg.creds.LiveKey, rg.creds.TestKey
	for name, c := range map[string]struct {
		path    string
		headers []string
		status  int
		text    string
	}{
		"an agent's key":                     {"/agent", []string{"X-API-Key", live}, 200, ""},
		"an agent's key as a bearer":         {"/agent", []string{"Authorization", "Bearer " + live}, 200, ""},
		"the same key both ways":             {"/agent", []string{"X-API-Key", live, "Authorization", "bearer " + live}, 200, ""},
		"no credentials":                     {"/agent", nil, 401, "An agent's key is needed"},
		"no credentials for people":          {"/work", nil, 401, "A person's token is needed"},
		"an unknown key":                     {"/agent", []string{"X-API-Key", "ho_live_" + strings.Repeat("a", 42)}, 401, ""},
		"an unknown token":                   {"/work", []string{"Authorization", "Bearer hos_x"}, 401, ""},
		"a person's token as an agent's key": {"/own", []string{"X-API-Key", rg.creds.OwnerToken}, 401, ""},
		"two sets of credentials":            {"/agent", []string{"X-API-Key", test, "Authorization", "Bearer " + live}, 401, "not both"},
		"an operator's token":                {"/work", []string{"Authorization", "Bearer " + rg.op}, 200, ""},
		"an agent on an operator's call":     {"/work", []string{"X-API-Key", live}, 403, "an agent's key never acts as a person"},
		"an agent on the owner's call":       {"/own", []string{"X-API-Key", live}, 403, "an agent's key never acts as a person"},
		"the owner":                          {"/own", []string{"Authorization", "Bearer " + rg.creds.OwnerToken}, 200, ""},
		"an operator on the owner's call":    {"/own", []string{"Authorization", "Bearer " + rg.op}, 403, "owner of the installation"},
		"an owner who is no operator":        {"/work", []string{"Authorization", "Bearer " + rg.creds.OwnerToken}, 403, "people add"},
		"a person on an agent's call":        {"/agent", []string{"Authorization", "Bearer " + rg.op}, 403, "This call is for agents"},
		"another scheme":                     {"/agent", []string{"Authorization", "Basic eDp5"}, 401, ""},
	} {
		t.Run(name+" gets its due", func(t *testing.T) {
			res := rg.do("GET", "/api/v1"+c.path, "", c.headers...)
			require.Equal(t, c.status, res.StatusCode, res.raw)
			require.Contains(t, res.raw, c.text)
			require.Equal(t, c.status == 401, len(res.Header.Values("WWW-Authenticate")) == 2)
		})
	}
	t.Run("writes down that a key is in use, once a minute", func(t *testing.T) {
		used := func() *time.Time {
			var page schemas.Page[schemas.Key]
			ctx := account.With(context.Background(), account.Caller{})
			require.NoError(t, rg.Store.Read(ctx, func(tx *store.Tx) (err error) {
				c, err := rg.Accounts.AuthenticateKey(ctx, tx, live)
				require.NoError(t, err)
				page, err = rg.Accounts.ListKeys(account.With(ctx, c), tx, schemas.PageRequest{Limit: 10})
				return err
			}))
			for _, k := range page.Data {
				if k.Mode == account.Live {
					return k.LastUsedAt
				}
			}
			return nil
		}
		require.Equal(t, start, used().UTC())
		rg.clk.Advance(30 * time.Second)
		rg.agent("GET", "/api/v1/agent", "")
		require.Equal(t, start, used().UTC())
		rg.clk.Advance(time.Minute)
		rg.agent("GET", "/api/v1/agent", "")
		require.Equal(t, start.Add(90*time.Second), used().UTC())
	})
}

func TestLimits(t *testing.T) {
	t.Run("strangers have ten calls a minute", func(t *testing.T) {
		rg := newRig(t, Config{})
		for range strangersPerMinute {
			require.Equal(t, 200, rg.do("POST", "/api/v1/open", "").StatusCode)
		}
		res := rg.do("POST", "/api/v1/open", "")
		require.Equal(t, 429, res.StatusCode)
		require.Equal(t, "60", res.Header.Get("Retry-After"))
		require.InDelta(t, 60, res.body["retry_after_seconds"], 0)
		require.Equal(t, 200, rg.agent("GET", "/api/v1/agent", "").StatusCode, "callers with a key are not concerned")
	})
	t.Run("strangers have no more by naming a signature", func(t *testing.T) {
		rg := newRig(t, Config{})
		for range strangersPerMinute {
			require.Equal(t, 200, rg.do("POST", "/api/v1/open?signature=x", "").StatusCode)
		}
		require.Equal(t, 429, rg.do("POST", "/api/v1/open?signature=x", "").StatusCode)
	})
	t.Run("callers have what the configuration says, each their own", func(t *testing.T) {
		rg := newRig(t, Config{RateLimitPerMinute: 2})
		require.Equal(t, 200, rg.agent("GET", "/api/v1/agent", "").StatusCode)
		require.Equal(t, 200, rg.agent("GET", "/api/v1/agent", "").StatusCode)
		require.Equal(t, 429, rg.agent("GET", "/api/v1/agent", "").StatusCode)
		require.Equal(t, 200, rg.do("GET", "/api/v1/own", "", "Authorization", "Bearer "+rg.creds.OwnerToken).StatusCode)
	})
}
