package app

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/api"
	"humanops-mcp/internal/api/hitl"
	"humanops-mcp/internal/edge"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/overview"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/web"
	"humanops-mcp/schemas"
	"humanops-mcp/tools"
)

// Handler serves the TCP port: REST, pages, and MCP over HTTP.
func (a *App) Handler() http.Handler { return a.public }

// LocalHandler serves the owner-only socket and the tools in this process: REST alone.
func (a *App) LocalHandler() http.Handler { return a.local }

func (a *App) buildHandlers(ctx context.Context) error {
	config := a.apiConfig()
	a.surface = api.Routes(api.Deps{
		Store: a.store, Accounts: a.accounts, Tasks: a.tasks, Reviews: a.reviews, Loops: a.loops, Uploads: a.uploads, Receipts: a.receipts, Webhooks: a.hooks, Changes: a.changes,
		Overview: overview.NewService(a.tasks, a.reviews),
		Clock:    a.opts.Clock, Logger: a.opts.Logger, Config: config,
		Platform: api.Platform{Status: a.status, Backup: a.backup, Check: a.check, CheckProgress: a.checkProgress, Jobs: job.List, RetryJob: job.Retry},
	})
	local := config
	local.Local = false // a socket has no host name to check
	a.local = api.Front(local, a.opts.Logger, a.surface)
	mcp, err := a.mcpHandlers(ctx)
	if err != nil {
		return err
	}
	a.public = api.Front(config, a.opts.Logger, a.router(config, a.surface, mcp))
	return nil
}

func (a *App) apiConfig() api.Config {
	return api.Config{
		Version: a.opts.Version, PublicURL: a.cfg.PublicURL, AllowedHosts: a.cfg.AllowedHosts, Local: isLoopback(a.opts.Address),
		TrustedProxies: networks(a.cfg.TrustedProxies), RateLimitPerMinute: a.cfg.RateLimit,
		Dialects: api.House(hitl.Settings{PerHour: a.cfg.Reviews.RateLimitPerHour, Origins: a.cfg.Reviews.CORSOrigins}),
	}
}

func isLoopback(address string) bool {
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		host, _, splitErr := net.SplitHostPort(address)
		return splitErr == nil && host == "localhost"
	}
	return addr.Addr().IsLoopback()
}

// networks reads what the configuration has checked already.
func networks(list []string) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range list {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			out = append(out, prefix)
		} else if one, err := netip.ParseAddr(text); err == nil {
			out = append(out, netip.PrefixFrom(one, one.BitLen()))
		}
	}
	return out
}

// router sends each path to the part that serves it.
func (a *App) router(config api.Config, rest http.Handler, mcp map[string]http.Handler) http.Handler {
	mux := http.NewServeMux()
	for _, path := range config.Paths() {
		mux.Handle(path, rest)
	}
	for path, handler := range mcp {
		mux.Handle(path, handler)
	}
	mux.Handle("/", web.New(web.Deps{
		Store: a.store, Accounts: a.accounts, Tasks: a.tasks, Reviews: a.reviews, Loops: a.loops, Uploads: a.uploads, Passkeys: a.passkeys, Clock: a.opts.Clock, Logger: a.opts.Logger,
		Config: web.Config{PublicURL: a.cfg.PublicURL, Secure: strings.HasPrefix(a.cfg.PublicURL, "https://"), Address: api.Address},
	}))
	return mux
}

// mcpHandlers serve the tools over HTTP, each call with its caller's own key.
func (a *App) mcpHandlers(ctx context.Context) (map[string]http.Handler, error) {
	services, err := a.upstream(ctx)
	if err != nil {
		return nil, err
	}
	options := tools.Options{
		Client: services.clientOf, ReadOnly: a.cfg.ReadOnly, Toolsets: a.cfg.Toolsets, Version: a.opts.Version,
		Keyless: a.cfg.Remote() && a.cfg.Marketplace.APIKey == "",
		Clock:   a.opts.Clock, Logger: a.opts.Logger, Conformance: a.opts.Conformance,
	}
	if services.remote != nil || services.reviews != nil {
		options.Reviews = services.reviewsOf
	}
	server, err := tools.New(options)
	if err != nil {
		return nil, err
	}
	guard := edge.Options{PublicURL: a.cfg.PublicURL, AllowedHosts: a.cfg.AllowedHosts, Authenticate: a.admit, Clock: a.opts.Clock, Logger: a.opts.Logger}
	if a.opts.Conformance {
		guard.Authenticate = nil // the suite brings no key, and its server has no tools but fixtures
	}
	sse := edge.SSE(server, guard)
	return map[string]http.Handler{"/mcp": edge.HTTP(server, guard), "/sse": sse, "/message": sse}, nil
}

// admit lets an agent's key in.
func (a *App) admit(r *http.Request) (context.Context, error) {
	ctx := r.Context()
	key := edge.Key(ctx)
	caller, ok := a.accounts.KnownKey(key, a.opts.Clock.Now())
	if !ok {
		err := a.store.Peek(ctx, func(tx *store.Tx) (err error) {
			caller, err = a.accounts.AuthenticateKey(ctx, tx, key)
			return err
		})
		if err != nil {
			return ctx, err
		}
	}
	if caller.AgentID == "" {
		return ctx, schemas.NewError(schemas.CodeUnauthenticated, "This key is an executor's. The tools are for agents: connect with an agent's key.")
	}
	return account.With(ctx, caller), nil
}
