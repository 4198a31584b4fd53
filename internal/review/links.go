package review

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

const (
	linkPath = "/r/"
	// keepLinks is how long a link that decides nothing any more still shows who decided.
	keepLinks = 30 * 24 * time.Hour
	maxToken  = 100
)

// newLink makes a link for one person to one request, which reaches them at a time: that of
// the notice, or now when zero. From then on it lets them decide until LinkTTL
// is over or the request is, whichever comes first; the end of a request can move.
func (s *Service) newLink(ctx context.Context, tx *store.Tx, reviewID, personID string, at time.Time) (linkID string, err error) {
	if at.Before(tx.Now()) {
		at = tx.Now()
	}
	linkID = ident.New("rl_")
	return linkID, tx.InsertReviewLink(ctx, db.InsertReviewLinkParams{
		ID: linkID, TokenHash: ident.Hash(s.linkToken(linkID)), ReviewID: reviewID, PersonID: personID,
		CreatedAt: store.Micros(tx.Now()), ExpiresAt: store.Micros(at.Add(s.cfg.LinkTTL)),
	})
}

// linkToken derives the token, so that a mail sent later, or again, carries the same link
// although only its hash is kept.
func (s *Service) linkToken(linkID string) string {
	mac := hmac.New(sha256.New, s.linkKey)
	mac.Write([]byte(linkID))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// LinkURL is the address that a mail carries.
func (s *Service) LinkURL(linkID string) string {
	return strings.TrimSuffix(s.cfg.PublicURL, "/") + linkPath + s.linkToken(linkID)
}

// PeekLink tells whom a link is for and about which request. It uses nothing up: mail
// scanners follow links. Once the request is over it goes on to open the page that says
// who decided; while it is open, an expired link is refused.
func (s *Service) PeekLink(ctx context.Context, tx *store.Tx, token string) (reviewID, personID string, err error) {
	if len(token) > maxToken {
		return "", "", noLink()
	}
	l, err := tx.FindReviewLink(ctx, ident.Hash(token))
	switch {
	case store.NotFound(err):
		return "", "", noLink()
	case err != nil:
		return "", "", err
	case !schemas.ReviewStatus(l.Status).Final() && store.Micros(tx.Now()) >= l.ExpiresAt:
		return "", "", schemas.NewError(schemas.CodeGone, "This link has expired. Sign in to see the request, or wait for the next notice.")
	}
	p, err := account.Person(ctx, tx, l.PersonID)
	if err == nil && p.RemovedAt != 0 {
		err = noLink()
	}
	return l.ReviewID, l.PersonID, err
}

func noLink() error {
	return schemas.NewError(schemas.CodeNotFound, "This link leads nowhere: it is not complete, or it was withdrawn. Sign in to see what waits for you.")
}

// Sweep forgets links that expired long ago. It is for a periodic job.
func Sweep(ctx context.Context, tx *store.Tx) error {
	return tx.DropReviewLinks(ctx, store.Micros(tx.Now().Add(-keepLinks)))
}
