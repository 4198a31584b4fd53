// Package account knows who is who: agents and their API keys, people with their
// sessions and sign-in links, and the house that they all belong to.
package account

import (
	"context"
	"time"

	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

// LinkPath is where the pages take a one-time sign-in token: public_url + LinkPath + token.
const LinkPath = "/sign-in/"

// How long things live when the configuration does not say.
const (
	DefaultLinkTTL    = 24 * time.Hour
	DefaultSessionTTL = 30 * 24 * time.Hour

	tokenTTL = 365 * 24 * time.Hour
	cliTTL   = 100 * tokenTTL // ends by removal or recovery only
	// touchEvery bounds how often a use of a key or session is written down.
	touchEvery = time.Minute
)

// Config is what the installation decides about accounts.
type Config struct {
	PublicURL   string        // sign-in links begin with it
	LocalCredit schemas.Money // house credit of the local agent on first start
	LinkTTL     time.Duration // of one-time links; 24 hours when zero
	SessionTTL  time.Duration // of browser sessions, sliding; 30 days when zero
	// NoMail says that no mail can be sent, so that an address alone puts nobody in reach.
	NoMail bool
	// SoleOwner says that no other process changes the database, so that keys read once
	// may be remembered.
	SoleOwner bool
}

// Service arranges accounts. It is safe for use by many goroutines once its hooks are set.
type Service struct {
	config   Config
	known    known
	onRemove []func(ctx context.Context, tx *store.Tx, personID string) error
}

// NewService makes the service.
func NewService(c Config) *Service {
	if c.LinkTTL <= 0 {
		c.LinkTTL = DefaultLinkTTL
	}
	if c.SessionTTL <= 0 {
		c.SessionTTL = DefaultSessionTTL
	}
	return &Service{config: c}
}

// OnRemove adds what has to happen when a person is removed, in the same transaction.
// Call it before the service is used.
func (s *Service) OnRemove(hook func(ctx context.Context, tx *store.Tx, personID string) error) {
	s.onRemove = append(s.onRemove, hook)
}
