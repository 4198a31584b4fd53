// Package app builds the platform: the only place where every part is known.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/api"
	"humanops-mcp/internal/blob"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/config"
	"humanops-mcp/internal/daemon"
	"humanops-mcp/internal/event"
	"humanops-mcp/internal/guardian"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/loop"
	"humanops-mcp/internal/notify"
	"humanops-mcp/internal/passkey"
	"humanops-mcp/internal/receipt"
	"humanops-mcp/internal/review"
	"humanops-mcp/internal/seal"
	"humanops-mcp/internal/signedlink"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/task"
	"humanops-mcp/internal/upload"
	"humanops-mcp/internal/webhook"
	"humanops-mcp/schemas"
)

// Options are what a platform gets from outside its configuration.
type Options struct {
	Clock   clock.Clock  // System when nil
	Logger  *slog.Logger // stderr when nil
	Version string
	Address string // where the TCP listener is, for status and the loopback rules
	// Conformance adds the protocol suite's fixtures to the tools.
	Conformance bool
}

// App is a platform: storage, services, jobs and the handlers in front of them.
type App struct {
	cfg       *config.Config
	opts      Options
	store     *store.Store
	blobs     *blob.Store
	accounts  *account.Service
	tasks     *task.Service
	loops     *loop.Service
	uploads   *upload.Service
	reviews   *review.Service
	receipts  *receipt.Service
	passkeys  *passkey.Service
	guardian  *guardian.Guardian
	feed      *event.Feed
	changes   *change.Changes
	hooks     *webhook.Service
	runner    *job.Runner
	checkKey  []byte // signs what a check leaves to the next one
	startedAt time.Time
	surface   *api.Surface
	public    http.Handler
	local     http.Handler
}

// New opens the data, makes what a first start needs, and wires everything. The caller
// holds the data folder's lock.
func New(ctx context.Context, cfg *config.Config, opts Options) (*App, error) {
	if opts.Clock == nil {
		opts.Clock = clock.System()
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	st, err := store.Open(ctx, store.Options{
		Path: filepath.Join(cfg.DataDir, "humanops.db"), DatabaseURL: cfg.DatabaseURL, Clock: opts.Clock, Logger: opts.Logger,
	})
	if err != nil {
		return nil, err
	}
	a := &App{cfg: cfg, opts: opts, store: st, startedAt: opts.Clock.Now()}
	if err := a.build(ctx); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return a, nil
}

func (a *App) build(ctx context.Context) (err error) {
	if a.blobs, err = blob.Open(filepath.Join(a.cfg.DataDir, "blobs")); err != nil {
		return fmt.Errorf("open the folder of proof files: %w", err)
	}
	a.accounts = account.NewService(account.Config{
		PublicURL: a.cfg.PublicURL, LocalCredit: a.cfg.Marketplace.LocalCredit,
		LinkTTL: a.cfg.People.LinkTTL, SessionTTL: a.cfg.People.SessionTTL, NoMail: a.cfg.SMTP.Host == "", SoleOwner: a.store.Kind() == "sqlite",
	})
	creds, err := a.openHouse(ctx)
	if err != nil {
		return err
	}
	master, err := creds.Master()
	if err != nil {
		return err
	}
	a.buildServices(seal.New(master))
	if err := errors.Join(a.clearBackups(), a.resume(ctx)); err != nil {
		return err
	}
	return a.buildHandlers(ctx)
}

func (a *App) buildServices(sealer *seal.Sealer) {
	a.checkKey = sealer.Derive("check mark")
	a.guardian = guardian.New(guardian.Config{
		URL: a.cfg.Guardian.URL, Key: a.cfg.Guardian.Key, Model: a.cfg.Guardian.Model,
		Timeout: a.cfg.Guardian.Timeout, AllowInsecure: a.cfg.AllowInsecureHTTP, Clock: a.opts.Clock,
	})
	a.feed = event.NewFeed(a.store, a.opts.Clock, a.opts.Logger)
	a.runner = job.NewRunner(a.store, a.opts.Clock, a.opts.Logger)
	a.changes = change.New(change.Deps{Store: a.store, Feed: a.feed, Clock: a.opts.Clock, Logger: a.opts.Logger})
	a.buildLoops()
	a.hooks = webhook.New(webhook.Config{
		Store: a.store, Sealer: sealer, AllowPrivate: a.cfg.WebhooksPrivate, Clock: a.opts.Clock,
		Loop: a.loops.ID,
	}, a.opts.Logger)
	a.buildReviews(sealer)
	a.tasks = task.NewService(task.Deps{
		Store: a.store, Accounts: a.accounts, Blobs: a.blobs, Guardian: a.guardian, Changes: a.changes,
		Clock: a.opts.Clock, Logger: a.opts.Logger, Webhooks: a.hooks, Reviews: a.reviews,
		Links: signedlink.New(sealer.Derive("proof links"), a.cfg.PublicURL, a.opts.Clock),
	}, task.Config{
		StatusNames: a.cfg.Marketplace.StatusNames, PublicURL: a.cfg.PublicURL, AllowedTypes: a.cfg.Marketplace.AllowedTypes,
		ReviewSilence: a.cfg.Marketplace.ReviewSilence, DisputeSilence: a.cfg.Marketplace.DisputeSilence,
		GuardianSilence: a.cfg.Marketplace.GuardianSilence, SimulatedStep: a.cfg.Marketplace.SimulatedStep,
		OperatorQuota: a.cfg.Marketplace.OperatorQuota(), LocalDailyCap: a.cfg.Marketplace.LocalDailyCap,
		PrivateCallbacks: a.cfg.WebhooksPrivate,
	})
	a.registerJobs()
}

func (a *App) registerJobs() {
	a.changes.RegisterJobs(a.runner)
	a.tasks.RegisterJobs(a.runner)
	a.reviews.RegisterJobs(a.runner)
	a.hooks.RegisterJobs(a.runner)
	notify.New(a.letters(), a.store, a.opts.Logger).RegisterJobs(a.runner)
	a.registerSweep()
	a.runner.Every("event.anchor", time.Hour, event.Anchor)
	a.runner.Every("idempotency.sweep", time.Hour, api.SweepIdempotency)
	a.runner.Every("account.sweep", 24*time.Hour, account.Sweep)
	a.runner.Every("passkey.sweep", time.Hour, passkey.Sweep)
	a.runner.Every("review.links.sweep", 24*time.Hour, review.Sweep)
}

func (a *App) buildLoops() {
	a.passkeys = passkey.NewService(passkey.Config{PublicURL: a.cfg.PublicURL})
	a.loops = loop.NewService(loop.Deps{Accounts: a.accounts, Passkeys: a.passkeys}, loop.Config{
		PublicURL: a.cfg.PublicURL, InviteTTL: a.cfg.Reviews.InviteTTL, Mail: a.mails(), Chat: len(a.cfg.NotifyURLs) > 0,
	})
}

func (a *App) mails() bool { return a.cfg.SMTP.Host != "" && a.cfg.SMTP.From != "" }

func (a *App) buildReviews(sealer *seal.Sealer) {
	chosen := a.cfg.Reviews
	a.receipts = receipt.NewService(receipt.Config{Issuer: a.cfg.PublicURL, TTL: chosen.ReceiptTTL}, sealer)
	a.reviews = review.NewService(review.Deps{
		Store: a.store, Accounts: a.accounts, Changes: a.changes, Webhooks: a.hooks, Loops: a.loops, Clock: a.opts.Clock, Logger: a.opts.Logger,
		Sealer: sealer, Passkeys: a.passkeys, Receipts: a.receipts,
	}, review.Config{
		PublicURL: a.cfg.PublicURL, Lease: chosen.Lease, LinkTTL: chosen.LinkTTL,
		SimulatedStep: chosen.SimulatedStep,
		Mail:          a.mails(), Chat: len(a.cfg.NotifyURLs) > 0, PrivateCallbacks: a.cfg.WebhooksPrivate,
	})
	a.uploads = upload.NewService(upload.Deps{Store: a.store, Blobs: a.blobs, Shown: a.reviews.ShowsUpload}, a.cfg.PublicURL)
}

func (a *App) letters() notify.Config {
	mail := a.cfg.SMTP
	return notify.Config{
		SMTP: notify.SMTP{Host: mail.Host, Port: mail.Port, Username: mail.Username, Password: mail.Password, TLS: mail.TLS},
		From: mail.From, ChatURLs: a.cfg.NotifyURLs,
		People: account.Addressees, Authors: map[string]notify.Author{review.Name: a.reviews.Letters()},
	}
}

// openHouse makes owner, local agent and keys on the first start, and reads the
// credentials file on the others. A file that was lost, or that does not fit the database
// because a start was cut off or the owner in it was removed, gets new keys; the old ones
// end. The executor's key is made anew by itself: older installations have none.
func (a *App) openHouse(ctx context.Context) (*daemon.Credentials, error) {
	paths := daemon.Paths(a.cfg.DataDir)
	onDisk, err := daemon.ReadCredentials(paths.Credentials)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var house *account.Credentials
	err = a.store.Write(ctx, func(tx *store.Tx) (err error) {
		house, err = a.accounts.EnsureHouse(ctx, tx)
		if err == nil && house == nil {
			house, err = a.mend(ctx, tx, onDisk)
		}
		return err
	})
	if err != nil || house == nil {
		return onDisk, err
	}
	return daemon.WriteCredentials(paths.Credentials, onDisk, daemon.Keys(*house))
}

// mend makes new what does not fit the database; nil when all does.
func (a *App) mend(ctx context.Context, tx *store.Tx, c *daemon.Credentials) (*account.Credentials, error) {
	fits, err := a.fits(ctx, tx, c)
	if err != nil {
		return nil, err
	}
	if !fits {
		return a.accounts.RecoverCredentials(ctx, tx)
	}
	executor, err := a.accounts.AuthenticateKey(ctx, tx, c.ExecutorKey)
	if known := (*schemas.Error)(nil); err != nil && !errors.As(err, &known) {
		return nil, err
	}
	if err == nil && executor.Executor {
		return nil, nil
	}
	key, err := a.accounts.RenewExecutor(ctx, tx)
	return &account.Credentials{LiveKey: c.LiveKey, TestKey: c.TestKey, OwnerToken: c.OwnerToken, ExecutorKey: key}, err
}

// fits tells whether the local agent's keys and the owner's token are good.
func (a *App) fits(ctx context.Context, tx *store.Tx, c *daemon.Credentials) (bool, error) {
	if c == nil {
		return false, nil
	}
	agent, live := a.accounts.AuthenticateKey(ctx, tx, c.LiveKey)
	_, test := a.accounts.AuthenticateKey(ctx, tx, c.TestKey)
	owner, token := a.accounts.AuthenticateToken(ctx, tx, c.OwnerToken)
	for _, err := range []error{live, test, token} {
		var refused *schemas.Error
		if errors.As(err, &refused) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return owner.Owner && agent.AgentID != "", nil
}

// Run does the platform's background work until ctx ends.
func (a *App) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.feed.Run(ctx) })
	group.Go(func() error { return a.runner.Run(ctx) })
	group.Go(func() error { return a.heartbeat(ctx) })
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// Close releases database and files. Run must have ended.
func (a *App) Close() error { return errors.Join(a.store.Close(), a.blobs.Close()) }
