package api

import (
	"cmp"
	"context"
	"net/http"
	"strings"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/api/dialect"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

// authenticate proves the caller and checks that the endpoint is for that kind. The
// zero Caller comes back where none is needed.
func (a *api) authenticate(r *http.Request, info schemas.Info, d *dialect.Dialect) (account.Caller, error) {
	caller, err := a.prove(r, info, d)
	if err == nil && caller.ID() != "" {
		err = permitted(caller, info, d)
	}
	return caller, err
}

func (a *api) prove(r *http.Request, info schemas.Info, d *dialect.Dialect) (account.Caller, error) {
	if info.Access == schemas.Anyone {
		return account.Caller{}, nil
	}
	key, token, err := credentials(r)
	sent := cmp.Or(key, token)
	if err == nil && sent == "" && info.Access&schemas.Link != 0 && r.URL.Query().Get("signature") != "" {
		return account.Caller{}, nil // the link's signature is the proof; the service checks it
	}
	var caller account.Caller
	if err == nil && sent != "" {
		caller, err = a.caller(r.Context(), key, token)
		if schemas.ErrorCode(err) != schemas.CodeUnauthenticated {
			return caller, err
		}
	}
	return caller, d.Unproved(dialect.Attempt{Info: info, Key: key, Token: token, IsKey: account.IsKey(sent), IsSession: account.MeansSession(token), Err: err})
}

// credentials are a key or a person's token. A key may also come as a bearer.
func credentials(r *http.Request) (key, token string, err error) {
	key = strings.TrimSpace(r.Header.Get("X-API-Key"))
	scheme, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return key, "", nil
	}
	bearer = strings.TrimSpace(bearer)
	switch {
	case key != "" && bearer != "" && key != bearer:
		return "", "", schemas.NewError(schemas.CodeUnauthenticated, "Two sets of credentials came. Send X-API-Key or Authorization, not both.")
	case account.MeansKey(bearer):
		return bearer, "", nil
	case key != "":
		return key, "", nil
	}
	return "", bearer, nil
}

func (a *api) caller(ctx context.Context, key, token string) (caller account.Caller, err error) {
	if known, ok := a.Accounts.KnownKey(key, a.Clock.Now()); ok {
		return known, nil
	}
	err = a.Store.Peek(ctx, func(tx *store.Tx) error {
		if key != "" {
			caller, err = a.Accounts.AuthenticateKey(ctx, tx, key)
			return err
		}
		caller, err = a.Accounts.AuthenticateToken(ctx, tx, token)
		return err
	})
	if err != nil || !caller.Stale {
		return caller, err
	}
	touch := a.Store.Write(ctx, func(tx *store.Tx) error { return a.Accounts.Touch(ctx, tx, caller) })
	if touch != nil {
		a.Logger.Warn("The time of last use was not written down", "caller", caller.ID(), "error", touch)
	}
	return caller, nil
}

// permitted tells whether the endpoint is for this kind of caller. Whose the object is,
// the services decide.
func permitted(c account.Caller, info schemas.Info, d *dialect.Dialect) error {
	access := info.Access
	switch {
	case c.AgentID != "" && access&schemas.Agent != 0:
		return opened(c, info, d)
	case c.Executor && access&schemas.Executor != 0,
		c.PersonID != "" && c.Operator && access&schemas.Operator != 0,
		c.PersonID != "" && c.Owner && access&schemas.Owner != 0,
		c.PersonID != "" && access&schemas.Reviewer != 0:
		return nil
	}
	return schemas.NewError(schemas.CodeForbidden, refusal(c, access))
}

// opened tells whether an agent's key is for this API, and for this part of it.
func opened(c account.Caller, info schemas.Info, d *dialect.Dialect) error {
	if !c.Opens(d.Audience) {
		return schemas.NewError(schemas.CodeForbidden, "This key opens "+c.Audience+" only. Use a key for "+d.Audience+", or for all.")
	}
	if scope := d.Scopes.Needed(info); scope != "" && !c.Has(scope) {
		return schemas.NewError(schemas.CodeForbidden, d.Scopes.Denied)
	}
	return nil
}

func refusal(c account.Caller, access schemas.Access) string {
	switch {
	case c.Executor:
		return "This call is not for an executor: its key reads receipts and uses approvals up, and does nothing else."
	case c.AgentID != "" && access&schemas.Operator != 0:
		return "This call is for operators: an agent's key never acts as a person. An operator signs in with their own link."
	case c.AgentID != "" && access&schemas.Reviewer != 0:
		return "This call is for reviewers: an agent's key never acts as a person. A reviewer signs in with their own link."
	case c.AgentID != "" && access&schemas.Executor != 0:
		return "This call is for an executor, whose key no agent has: an agent's key never acts as a person or for one."
	case c.AgentID != "":
		return "This call is for the owner of the installation: an agent's key never acts as a person."
	case access&schemas.Operator != 0:
		return "This call is for operators, and you are not one. The owner can make you one with: humanops-mcp people add."
	case access&schemas.Owner != 0:
		return "This call is for the owner of the installation, and you are not one."
	}
	return "This call is for agents: send an agent's key as X-API-Key."
}
