// Package webhook tells addresses of what happens: those that an agent or the owner has
// subscribed, and the callback address of a single task or request, which is a
// subscription of that one subject. All have one log, one back-off, one sender and one
// rule for addresses.
//
// A delivery is written in the transaction of what happened, with the bytes that will be
// sent. It goes out at least once under one id, signed, and only to public https
// addresses: the address is checked when it is dialled, so that no name can lead inside.
package webhook

import (
	"context"
	"log/slog"
	"net/http"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/seal"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
)

// Config says how deliveries are sent and what subscriptions may name.
type Config struct {
	Store        *store.Store
	Sealer       *seal.Sealer
	AllowPrivate bool        // private addresses and plain http: one's own network, and tests
	Clock        clock.Clock // the system's when nil
	// Loop finds a loop that the caller may see by id or slug; nil where there are none.
	Loop func(ctx context.Context, tx *store.Tx, idOrSlug string) (id string, err error)
	// SwitchedOff tells the owners that a webhook was switched off; by a letter when nil.
	SwitchedOff func(ctx context.Context, tx *store.Tx, w db.Webhook) error
}

// Service keeps subscriptions and sends deliveries.
type Service struct {
	config Config
	log    *slog.Logger
	client *http.Client
}

// New makes the service.
func New(c Config, log *slog.Logger) *Service {
	if c.Clock == nil {
		c.Clock = clock.System()
	}
	if c.SwitchedOff == nil {
		c.SwitchedOff = tellSwitchedOff
	}
	return &Service{config: c, log: log, client: newClient(c.AllowPrivate)}
}

// RegisterJobs makes the runner send deliveries and forget old ones.
func (s *Service) RegisterJobs(r *job.Runner) {
	sendKind.HandleEffect(r, internalAttempts, s.deliver, s.failed)
	r.Limit(limited, atOnce, string(sendKind))
	r.Every("webhook.sweep", sweepEvery, s.sweep)
}
