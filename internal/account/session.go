package account

import (
	"context"
	"errors"
	"strings"
	"time"

	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// The kinds of session: of a browser (slides), of a program that acts for a person (a
// year), and of this program's own commands.
const (
	SessionBrowser = "browser"
	SessionToken   = "token"
	SessionCLI     = "cli"
)

const (
	sessionPrefix = "hos_"
	linkPrefix    = "hol_"
)

// errLink does not tell a used link from an expired or an invented one.
var errLink = schemas.NewError(schemas.CodeGone,
	"This sign-in link has been used or has expired. Ask the owner for a new one; the owner makes it with: humanops-mcp people add NAME")

// CreateSession signs a person in without a link and returns the token, which is shown
// only here.
func (s *Service) CreateSession(ctx context.Context, tx *store.Tx, personID, kind string) (string, error) {
	lifetime := map[string]time.Duration{SessionBrowser: s.config.SessionTTL, SessionToken: tokenTTL, SessionCLI: cliTTL}
	token, now := ident.Secret(sessionPrefix), tx.Now()
	return token, tx.InsertSession(ctx, db.InsertSessionParams{
		ID: ident.New("ses_"), PersonID: personID, TokenHash: ident.Hash(token), Kind: kind,
		CreatedAt: store.Micros(now), ExpiresAt: store.Micros(now.Add(lifetime[kind])),
	})
}

// MeansSession tells whether somebody meant a session with what they sent: it begins like one.
func MeansSession(text string) bool { return strings.HasPrefix(text, sessionPrefix) }

// AuthenticateToken finds out whose session it is. It reads only: see Caller.Stale.
func (s *Service) AuthenticateToken(ctx context.Context, tx *store.Tx, token string) (Caller, error) {
	if len(token) > maxSecret || !MeansSession(token) {
		return Caller{}, errUnauthenticated
	}
	row, err := tx.SessionByHash(ctx, db.SessionByHashParams{TokenHash: ident.Hash(token), Now: store.Micros(tx.Now())})
	if store.NotFound(err) {
		return Caller{}, errUnauthenticated
	}
	if err != nil {
		return Caller{}, err
	}
	return Caller{
		PersonID: row.PersonID, Name: row.Name, SessionID: row.ID, Owner: row.IsOwner, Operator: row.IsOperator,
		Via: via(row.Kind), Stale: stale(tx.Now(), row.LastUsedAt),
	}, nil
}

func via(kind string) string {
	switch kind {
	case SessionBrowser:
		return "page"
	case SessionCLI:
		return "cli"
	}
	return "api"
}

// SignOut ends a session. One that has ended already is no error.
func (s *Service) SignOut(ctx context.Context, tx *store.Tx, sessionID string) error {
	return tx.DeleteSession(ctx, sessionID)
}

// newLink makes a one-time link that signs the person in.
func (s *Service) newLink(ctx context.Context, tx *store.Tx, personID string) (url string, expires time.Time, err error) {
	token, now := ident.Secret(linkPrefix), tx.Now()
	expires = now.Add(s.config.LinkTTL)
	err = tx.InsertLink(ctx, db.InsertLinkParams{
		ID: ident.New("lnk_"), PersonID: personID, TokenHash: ident.Hash(token),
		CreatedAt: store.Micros(now), ExpiresAt: store.Micros(expires),
	})
	return strings.TrimRight(s.config.PublicURL, "/") + LinkPath + token, expires, err
}

func findLink(ctx context.Context, tx *store.Tx, token string) (db.LinkByHashRow, error) {
	if len(token) > maxSecret || !strings.HasPrefix(token, linkPrefix) {
		return db.LinkByHashRow{}, errLink
	}
	row, err := tx.LinkByHash(ctx, db.LinkByHashParams{TokenHash: ident.Hash(token), Now: store.Micros(tx.Now())})
	if store.NotFound(err) {
		return db.LinkByHashRow{}, errLink
	}
	return row, err
}

// PeekLink tells whom a link would sign in, and leaves it as it is: previews of a link
// must not use it up.
func (s *Service) PeekLink(ctx context.Context, tx *store.Tx, token string) (schemas.Person, error) {
	row, err := findLink(ctx, tx, token)
	if err != nil {
		return schemas.Person{}, err
	}
	return s.view(ctx, tx, row.Person)
}

// SignIn uses a link up and starts a browser session. One of two at once wins.
func (s *Service) SignIn(ctx context.Context, tx *store.Tx, token string) (string, schemas.Person, error) {
	row, err := findLink(ctx, tx, token)
	if err != nil {
		return "", schemas.Person{}, err
	}
	now := store.Micros(tx.Now())
	n, err := tx.UseLink(ctx, db.UseLinkParams{ID: row.ID, Now: now})
	if err == nil && n == 0 {
		err = errLink
	}
	if err != nil {
		return "", schemas.Person{}, err
	}
	if err := tx.DeleteExpiredSessions(ctx, db.DeleteExpiredSessionsParams{PersonID: row.Person.ID, Now: now}); err != nil {
		return "", schemas.Person{}, err
	}
	if err := tx.TouchPerson(ctx, db.TouchPersonParams{ID: row.Person.ID, LastSeenAt: now}); err != nil {
		return "", schemas.Person{}, err
	}
	session, err := s.CreateSession(ctx, tx, row.Person.ID, SessionBrowser)
	if err != nil {
		return "", schemas.Person{}, err
	}
	row.Person.LastSeenAt = now
	person, err := s.view(ctx, tx, row.Person)
	return session, person, err
}

// keepDead is how long what has expired is kept, so that its owner still reads why.
const keepDead = 30 * 24 * time.Hour

// Sweep forgets sign-in links and sessions that expired long ago. It is for a periodic job.
func Sweep(ctx context.Context, tx *store.Tx) error {
	before := store.Micros(tx.Now().Add(-keepDead))
	return errors.Join(tx.DeleteDeadLinks(ctx, before), tx.DeleteDeadSessions(ctx, before))
}
