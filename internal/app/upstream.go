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

// upstream is the marketplace behind the tools: the platform itself, or a remote one.
type upstream struct {
	remote  *client.Client // nil: the platform itself
	agent   string         // the house's own, for whom the remote's key is
	sandbox bool
	local   http.Handler
}

func (a *App) upstream(ctx context.Context) (*upstream, error) {
	u := &upstream{sandbox: a.cfg.Sandbox, local: a.local}
	if !a.cfg.Remote() {
		return u, nil
	}
	err := a.store.Read(ctx, func(tx *store.Tx) (err error) {
		u.agent, err = a.accounts.LocalAgentID(ctx, tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	u.remote, err = client.New(client.Options{
		BaseURL: a.cfg.Marketplace.URL, APIKey: a.cfg.Marketplace.APIKey, AllowInsecure: a.cfg.AllowInsecureHTTP, Sandbox: a.cfg.Sandbox,
	})
	return u, err
}

// clientOf is the marketplace as the caller of ctx.
func (u *upstream) clientOf(ctx context.Context) (*client.Client, error) {
	caller := account.From(ctx)
	switch {
	case u.remote != nil && (caller.AgentID != u.agent || caller.Mode != "live"):
		// The owner's key there must not be spent by whoever has some key here.
		return nil, schemas.NewError(schemas.CodeForbidden, "Tasks go to "+u.remote.Address()+" from here, in the name of this installation's own agent only. Tell the user to connect with live_key from the credentials file.")
	case u.remote != nil:
		return u.remote, nil
	case u.sandbox && caller.Mode != "test":
		return nil, schemas.NewError(schemas.CodeForbidden, "Sandbox is on here, so only a test key is served. Tell the user to connect with test_key from the credentials file, or to switch sandbox off.")
	}
	return client.New(client.Options{
		BaseURL: "http://localhost", APIKey: edge.Key(ctx), HTTPClient: &http.Client{Transport: client.InProcess(u.local)},
	})
}
