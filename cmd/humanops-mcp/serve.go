package main

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"humanops-mcp/internal/app"
	"humanops-mcp/internal/config"
	"humanops-mcp/internal/daemon"
)

func (p *program) serveCommand() *cobra.Command {
	var detached bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the platform: pages, REST API and MCP on one port",
		Long: `Run the platform in the foreground: pages for people, the REST API, and MCP at /mcp and /sse.

It listens on this computer only. For people's phones give it an address they can reach,
best with HTTPS: with --domain it gets its own certificate, with --tls-cert and --tls-key
it uses yours, or put a reverse proxy in front and name it with --trusted-proxies and
--public-url.`,
		Example: `  humanops-mcp serve
  humanops-mcp serve --listen 0.0.0.0:8787
  humanops-mcp serve --domain humans.example.com
  humanops-mcp serve --public-url https://humans.example.com --trusted-proxies 127.0.0.1/32`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.load(cmd)
			if err != nil {
				return err
			}
			return p.serve(cmd.Context(), cfg, detached)
		},
	}
	config.AddFlags(cmd.Flags(), "serve")
	cmd.Flags().BoolVar(&detached, "detached", false, "Started in the background by another command")
	_ = cmd.Flags().MarkHidden("detached") // the flag was just added
	return cmd
}

// platform is a running serve.
type platform struct {
	cfg     *config.Config
	files   daemon.Files
	lock    *daemon.Lock
	log     *slog.Logger
	tcp     net.Listener
	socket  net.Listener
	app     *app.App
	servers []*http.Server

	certificates []tls.Certificate
}

// serve runs the platform until ctx ends. It takes the data folder first, then the
// addresses, and only then opens the data.
func (p *program) serve(ctx context.Context, cfg *config.Config, detached bool) (err error) {
	pf := &platform{cfg: cfg, files: daemon.Paths(cfg.DataDir), log: p.logger(cfg)}
	if err := pf.files.Prepare(); err != nil {
		return err
	}
	pf.lock, err = pf.files.Acquire()
	var running *daemon.RunningError
	if detached && errors.As(err, &running) {
		return nil // whoever started this one finds the other
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pf.lock.Release()) }()
	if err := pf.open(ctx, p); err != nil {
		return err
	}
	if !detached {
		p.banner(ctx, pf)
	}
	debug.FreeOSMemory() // what only starting needed, most of all of a first start
	return pf.run(ctx)
}

// open takes the addresses and builds the platform.
func (pf *platform) open(ctx context.Context, p *program) (err error) {
	if pf.certificates, err = loadCertificate(pf.cfg); err != nil {
		return err
	}
	if pf.tcp, err = listenTCP(ctx, pf.cfg.Listen); err != nil {
		return err
	}
	pf.cfg.Listen = pf.tcp.Addr().String()
	pf.cfg.DerivePublicURL()
	if pf.socket, err = pf.files.Listen(); err != nil {
		return errors.Join(err, pf.tcp.Close())
	}
	err = pf.lock.Publish(daemon.State{
		PID: os.Getpid(), Version: version(), Address: pf.cfg.Listen, PublicURL: pf.cfg.PublicURL,
		Socket: pf.files.Socket, StartedAt: p.clock.Now(),
	})
	if err == nil {
		pf.app, err = app.New(ctx, pf.cfg, app.Options{
			Clock: p.clock, Logger: pf.log, Version: version(), Address: pf.cfg.Listen, Conformance: pf.cfg.Conformance,
		})
	}
	if err != nil {
		return errors.Join(err, pf.tcp.Close(), pf.socket.Close())
	}
	return nil
}

const (
	drainTime = 2 * time.Second // for calls that are being answered
	closeTime = 8 * time.Second // for the rest, once long waits have been ended
)

// run serves until ctx ends, lets running calls finish, then stops the background work
// and closes the data.
func (pf *platform) run(ctx context.Context) error {
	calls, endCalls := context.WithCancel(context.WithoutCancel(ctx))
	work, endWork := context.WithCancel(context.WithoutCancel(ctx))
	defer endCalls()
	defer endWork()
	group, failed := errgroup.WithContext(ctx)
	group.Go(func() error { return pf.app.Run(work) })
	for _, start := range pf.listeners(calls) {
		group.Go(func() error { return ignoreClosed(start()) })
	}
	<-failed.Done()
	pf.shutdown(endCalls)
	endWork()
	return errors.Join(ignoreCanceled(group.Wait()), pf.app.Close())
}

// shutdown drains in two steps: a long poll or stream must not hold up the end, and a
// short call must not be cut off.
func (pf *platform) shutdown(endCalls context.CancelFunc) {
	if pf.drain(drainTime) {
		return
	}
	endCalls()
	if pf.drain(closeTime) {
		return
	}
	for _, s := range pf.servers {
		if err := s.Close(); err != nil {
			pf.log.Warn("connections were cut off", "error", err)
		}
	}
}

func (pf *platform) drain(limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var group errgroup.Group
	for _, s := range pf.servers {
		group.Go(func() error { return s.Shutdown(ctx) })
	}
	return group.Wait() == nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func ignoreCanceled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
