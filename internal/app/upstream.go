package app

import (
	"context"
	"net/http"

	"humanops-mcp/client"
	"humanops-mcp/internal/account"
	"humanops-mcp/internal/edge"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

// upstream is what is behind the tools: marketplace and review service, each the platform
// itself or a remote one.
type upstream struct {
	own     *client.Client // the platform itself, as nobody
	remote  *client.Client // the marketplace; nil: the platform itself
	reviews *client.Client // the review service; nil: the platform itself
	agent   string         // the house's own, for whom the remotes' keys are
	sandbox bool
}

func (a *App) upstream(ctx context.Context) (*upstream, error) {
	own, err := client.New(client.Options{HTTPClient: &http.Client{Transport: client.InProcess(a.local)}, Direct: a.surface})
	if err != nil {
		return nil, err
	}
	u := &upstream{own: own, sandbox: a.cfg.Sandbox}
	if u.remote, err = a.dial(a.cfg.Marketplace.URL, a.cfg.Marketplace.APIKey); err != nil {
		return nil, err
	}
	if u.reviews, err = a.dial(a.cfg.Reviews.URL, a.cfg.Reviews.APIKey); err != nil {
		return nil, err
	}
	if u.remote == nil && u.reviews == nil {
		return u, nil
	}
	err = a.store.Read(ctx, func(tx *store.Tx) (err error) {
		u.agent, err = a.accounts.LocalAgentID(ctx, tx)
		return err
	})
	return u, err
}

// dial makes the client of a remote service, where one is configured.
func (a *App) dial(url, key string) (*client.Client, error) {
	if url == "" {
		return nil, nil
	}
	return client.New(client.Options{BaseURL: url, APIKey: key, AllowInsecure: a.cfg.AllowInsecureHTTP, Sandbox: a.cfg.Sandbox})
}

// clientOf is the marketplace as the caller of ctx.
func (u *upstream) clientOf(ctx context.Context) (*client.Client, error) {
	return u.choose(ctx, u.remote, "Tasks")
}

// reviewsOf is the review service as the caller of ctx.
func (u *upstream) reviewsOf(ctx context.Context) (*client.Client, error) {
	return u.choose(ctx, u.reviews, "Reviews")
}

func (u *upstream) choose(ctx context.Context, remote *client.Client, what string) (*client.Client, error) {
	caller := account.From(ctx)
	switch {
	case remote != nil && (caller.AgentID != u.agent || caller.Mode != "live"):
		// The owner's key there must not be spent by whoever has some key here.
		return nil, schemas.NewError(schemas.CodeForbidden, what+" go to "+remote.Address()+" from here, in the name of this installation's own agent only. Tell the user to connect with live_key from the credentials file.")
	case remote != nil:
		return remote, nil
	case u.sandbox && caller.Mode != "test":
		return nil, schemas.NewError(schemas.CodeForbidden, "Sandbox is on here, so only a test key is served. Tell the user to connect with test_key from the credentials file, or to switch sandbox off.")
	}
	return u.own.As(edge.Key(ctx)), nil
}
