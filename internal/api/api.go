// Package api serves the REST contracts: it proves callers, decodes what they send,
// runs the service's method in its transaction and writes the answer. It holds no
// rules of the domain.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/go-chi/httprate"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/api/dialect"
	"humanops-mcp/internal/api/hitl"
	"humanops-mcp/internal/api/marketplace"
	"humanops-mcp/internal/api/platform"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/codec"
	"humanops-mcp/internal/loop"
	"humanops-mcp/internal/overview"
	"humanops-mcp/internal/receipt"
	"humanops-mcp/internal/review"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/task"
	"humanops-mcp/internal/upload"
	"humanops-mcp/internal/webhook"
	"humanops-mcp/schemas"
)

// Config is what the installation decides about its HTTP surface.
type Config struct {
	Version   string
	PublicURL string
	// Local says that the listener is on loopback: only names of this machine, the public
	// URL's and AllowedHosts are served, so that a rebound host name gets nothing.
	Local        bool
	AllowedHosts []string
	// TrustedProxies may say in X-Forwarded-For whom they speak for.
	TrustedProxies []netip.Prefix
	// RateLimitPerMinute bounds each caller; 0 is no bound.
	RateLimitPerMinute int
	// Dialects are those that are spoken here: House, or those of a listener of its own.
	Dialects *dialect.Set
	// TempDir is where uploads wait; the system's when empty.
	TempDir string
}

// Platform is what the wiring knows and the services do not.
type Platform struct {
	Status        func(ctx context.Context, in schemas.Empty) (schemas.PlatformStatus, error)
	Backup        func(ctx context.Context, in schemas.Empty) (schemas.Content, error)
	Check         func(ctx context.Context, in schemas.CheckRequest) (schemas.CheckReport, error)
	CheckProgress func(ctx context.Context, in schemas.Empty) (schemas.CheckProgress, error)

	Jobs     func(ctx context.Context, tx *store.Tx, in schemas.ListJobsRequest) (schemas.Page[schemas.Job], error)
	RetryJob func(ctx context.Context, tx *store.Tx, in schemas.JobRequest) (schemas.Job, error)
}

// Deps are the parts that the API stands on.
type Deps struct {
	Store    *store.Store
	Accounts *account.Service
	Tasks    *task.Service
	Reviews  *review.Service
	Loops    *loop.Service
	Uploads  *upload.Service
	Webhooks *webhook.Service
	Overview *overview.Service
	Changes  *change.Changes
	Receipts *receipt.Service
	Platform Platform
	Clock    clock.Clock
	Logger   *slog.Logger
	Config   Config
}

// Paths are those that Routes serves; what ends in a slash holds all below it.
func (c Config) Paths() []string {
	paths := []string{schemas.ReceiptKeysPath, "/healthz", "/readyz", "/openapi.json"}
	for _, d := range c.Dialects.All() {
		for _, prefix := range d.Contract.Prefixes() {
			paths = append(paths, prefix+"/")
		}
	}
	return paths
}

// House is what the house's own listeners speak.
func House(reviews hitl.Settings) *dialect.Set {
	return dialect.NewSet(platform.Dialect(), marketplace.Dialect(), hitl.Dialect(reviews))
}

// strangersPerMinute bounds calls that need no credentials, for each address.
const strangersPerMinute = 10

// readyWithin is how long the database may take to show that it is there.
const readyWithin = time.Second

type api struct {
	Deps
	mux       *http.ServeMux
	mounted   []schemas.Info
	direct    map[string]direct // by pattern: what can be read without HTTP
	origins   *http.CrossOriginProtection
	strangers *httprate.RateLimiter
	callers   *httprate.RateLimiter // nil without a limit
	quotas    map[string]*quota     // by contract
	document  func() []byte         // made when somebody asks for it: it is most of what starting would allocate
}

// Routes serves the REST contracts, /healthz, /readyz and /openapi.json. It expects
// Front around it.
func Routes(d Deps) *Surface {
	a := newAPI(d)
	a.routes()
	return &Surface{a.handler(), a}
}

func newAPI(d Deps) *api {
	a := &api{
		Deps:      d,
		mux:       http.NewServeMux(),
		direct:    map[string]direct{},
		origins:   http.NewCrossOriginProtection(),
		strangers: httprate.NewRateLimiter(strangersPerMinute, time.Minute),
		quotas:    map[string]*quota{},
		document:  sync.OnceValue(func() []byte { return document(d.Config.Dialects) }),
	}
	for _, spoken := range d.Config.Dialects.All() {
		a.quotas[spoken.Contract.Name()] = newQuota(spoken.Quota, d.Clock)
	}
	if origin := originOf(d.Config.PublicURL); origin != "" {
		if err := a.origins.AddTrustedOrigin(origin); err != nil {
			d.Logger.Warn("The public URL is not an origin that browsers send", "public_url", d.Config.PublicURL)
		}
	}
	if d.Config.RateLimitPerMinute > 0 {
		a.callers = httprate.NewRateLimiter(d.Config.RateLimitPerMinute, time.Minute)
	}
	a.mux.HandleFunc("GET /healthz", a.health)
	a.mux.HandleFunc("GET /readyz", a.ready)
	a.mux.HandleFunc("GET /openapi.json", a.openAPI)
	return a
}

// document describes the endpoints whose contracts are spoken.
func document(dialects *dialect.Set) []byte {
	unspoken := func(info schemas.Info) bool { return dialects.Of(info.Contract) == nil }
	return codec.OpenAPI(slices.DeleteFunc(schemas.All(), unspoken), func(c schemas.Contract) codec.Shape { return dialects.Of(c).Document })
}

// dialect is that of an endpoint. One of a contract that is not spoken here cannot be served.
func (a *api) dialect(info schemas.Info) *dialect.Dialect {
	d := a.Config.Dialects.Of(info.Contract)
	if d == nil {
		panic("api: " + info.Pattern() + " belongs to the contract " + strconv.Quote(info.Contract.Name()) + ", which has no dialect here")
	}
	return d
}

// quotaOf counts the calls of a contract that is spoken here.
func (a *api) quotaOf(c schemas.Contract) *quota { return a.quotas[c.Name()] }

// handler answers for the whole mux: unknown paths and methods in our envelope, and
// nothing to pages of other origins.
func (a *api) handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.routed(w, r) {
			a.mux.ServeHTTP(w, r)
		}
	})
}

// routed answers what no route is to see.
func (a *api) routed(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	w.Header().Set("Cache-Control", "no-store")
	d := a.Config.Dialects.At(r.URL.Path)
	quota := a.quotaOf(d.Contract)
	quota.show(w, quota.untouched())
	if listed(d.CORS, w, r) {
		if preflight(r) {
			w.WriteHeader(http.StatusNoContent)
			return false
		}
	} else if a.foreign(r) {
		a.fail(w, r, schemas.NewError(schemas.CodeForbidden, "Pages of other sites may not call this API. Call it from a program, or from this server's own pages."))
		return false
	}
	found, pattern := a.mux.Handler(r)
	if pattern == "" {
		a.unrouted(w, r, found)
	}
	return pattern != ""
}

// unrouted tells a wrong method, with what is allowed, from an unknown path.
func (a *api) unrouted(w http.ResponseWriter, r *http.Request, found http.Handler) {
	probe := discard{header: http.Header{}}
	found.ServeHTTP(&probe, r)
	if allow := probe.header.Get("Allow"); probe.status == http.StatusMethodNotAllowed && allow != "" {
		w.Header().Set("Allow", allow)
		a.fail(w, r, schemas.NewError(schemas.CodeNotAllowed, r.Method+" is not served here; use "+allow+"."))
		return
	}
	a.fail(w, r, schemas.NewError(schemas.CodeNotFound, "Nothing is served at this path. The paths are in /openapi.json."))
}

// discard takes an answer that is only asked for its status and headers.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

func (a *api) health(w http.ResponseWriter, r *http.Request) {
	a.writeJSON(w, http.StatusOK, []byte(`{"status":"ok","version":`+quoted(a.Config.Version)+`}`))
}

func (a *api) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyWithin)
	defer cancel()
	err := a.Store.Read(ctx, func(tx *store.Tx) error {
		_, err := tx.GetFact(ctx, "ready")
		if store.NotFound(err) {
			return nil
		}
		return err
	})
	if err != nil {
		a.Logger.Error("The database does not answer", "error", err, "request_id", recordOf(r).id)
		a.fail(w, r, schemas.NewError(schemas.CodeUnavailable, "The database does not answer. Try again in a moment."))
		return
	}
	a.writeJSON(w, http.StatusOK, []byte(`{"status":"ok"}`))
}

func (a *api) openAPI(w http.ResponseWriter, r *http.Request) {
	a.writeJSON(w, http.StatusOK, a.document())
}
