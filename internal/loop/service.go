// Package loop keeps the circles of people who are asked: loops with their members,
// invitations, settings and the passkeys that count there; the groups and working hours of
// people. What is asked in a loop is kept elsewhere, and hears from here when somebody
// leaves and when a loop is deleted.
package loop

import (
	"context"
	"strings"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/check"
	"humanops-mcp/internal/passkey"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

// Deps are the parts that the service works with.
type Deps struct {
	Accounts *account.Service
	Passkeys *passkey.Service
}

// Config is what an installation chooses. Zero values mean the defaults.
type Config struct {
	PublicURL string
	InviteTTL time.Duration // of an invitation's code; 7 days
	Mail      bool          // mail can be sent
	Chat      bool          // a chat address is configured
}

// Contents is what is kept in loops, by whoever keeps it.
type Contents interface {
	// Leave begins what follows when a person leaves a loop, or with "" all of them: it
	// locks what that concerns. The function that it gives does the rest, once they are gone.
	Leave(ctx context.Context, tx *store.Tx, personID, loopID string) (gone func() error, err error)
	// Open counts what is open in a loop, and the answers that it has already.
	Open(ctx context.Context, tx *store.Tx, loopID string) (open, answers int64, err error)
	// Delete deletes everything in a loop, in which nothing is open.
	Delete(ctx context.Context, tx *store.Tx, loopID string) (schemas.DeletedData, error)
}

// Service keeps loops.
type Service struct {
	Deps
	cfg      Config
	contents Contents
}

// NewService makes the service and has it take people out of loops who leave the house.
// KeepIn has to follow.
func NewService(d Deps, c Config) *Service {
	if c.InviteTTL == 0 {
		c.InviteTTL = 7 * 24 * time.Hour
	}
	s := &Service{Deps: d, cfg: c}
	d.Accounts.OnRemove(s.forget)
	return s
}

// KeepIn says who keeps what is in loops. It is called once, at wiring.
func (s *Service) KeepIn(c Contents) { s.contents = c }

// address is one of our pages.
func (s *Service) address(path string) string { return strings.TrimRight(s.cfg.PublicURL, "/") + path }

const maxShown = 80 // letters of a name that came, in a message

// Quote sets a name that came from outside apart in a sentence.
func Quote(name string) string { return check.Quote(check.Label(name), maxShown) }
