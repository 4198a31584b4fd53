// Package review is the life of a review request: asking the people of a loop, claims,
// answers, time-outs, escalation and the one outcome. Rules are pure (rules.go, life.go);
// the service arranges them in the caller's transaction.
package review

import (
	"log/slog"
	"time"

	"golang.org/x/sync/singleflight"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/clock"
	loops "humanops-mcp/internal/loop"
	"humanops-mcp/internal/passkey"
	"humanops-mcp/internal/receipt"
	"humanops-mcp/internal/review/view"
	"humanops-mcp/internal/seal"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/webhook"
)

// Deps are the parts that the service works with.
type Deps struct {
	Store    *store.Store
	Accounts *account.Service
	Changes  *change.Changes
	Webhooks *webhook.Service
	Clock    clock.Clock
	Logger   *slog.Logger
	Sealer   *seal.Sealer
	Loops    *loops.Service
	Passkeys *passkey.Service
	Receipts *receipt.Service
}

// Config is what an installation chooses. Zero values mean the defaults.
type Config struct {
	PublicURL     string
	Lease         time.Duration // of a claim without a sign of life; 10 minutes
	LinkTTL       time.Duration // of a link in mail; 72 hours
	WarnBefore    time.Duration // before a clock runs out; 15 minutes
	SimulatedStep time.Duration // pace of test mode; 1 second

	Mail bool // mail can be sent
	Chat bool // a chat address is configured

	PrivateCallbacks bool // callbacks may go into private networks
}

// Service is the review service.
type Service struct {
	Deps
	*view.Reader
	cfg       Config
	linkKey   []byte
	life      *life
	looks     singleflight.Group // of those who waited, and are woken together
	onDecided DecideTask
}

// NewService makes the service and has it keep its requests in loops.
func NewService(d Deps, c Config) *Service {
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	orElse(&c.Lease, 10*time.Minute)
	orElse(&c.LinkTTL, 72*time.Hour)
	orElse(&c.WarnBefore, 15*time.Minute)
	orElse(&c.SimulatedStep, time.Second)
	s := &Service{Deps: d, Reader: view.NewReader(c.PublicURL, d.Loops, d.Passkeys), cfg: c, linkKey: d.Sealer.Derive("review links")}
	s.life = change.Register(d.Changes, s.kind())
	s.life.Follow(s.announce)
	s.life.Follow(s.tell)
	d.Loops.KeepIn(contents{s})
	return s
}

func orElse[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}
