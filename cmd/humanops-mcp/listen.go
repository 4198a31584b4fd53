package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/crypto/acme/autocert"

	"humanops-mcp/internal/config"
)

// listenTCP opens the port, or says in a sentence what to do about it.
func listenTCP(ctx context.Context, address string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err == nil {
		return listener, nil
	}
	host, port, splitErr := net.SplitHostPort(address)
	switch {
	case splitErr != nil:
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("port %s on %s is taken, by another program or by a platform on another data folder. Choose another: serve --listen %s for one run, or listen in the configuration file for every command and MCP client",
			port, hostName(host), net.JoinHostPort(host, otherPort(port)))
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("port %s may not be opened by this user: ports below 1024 need rights. Choose another with --listen %s, or run: sudo setcap cap_net_bind_service=+ep on this program", port, net.JoinHostPort(host, "8787"))
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%s is not an address of this computer. Listen on 127.0.0.1 for this computer only, or on 0.0.0.0 for its network: --listen 0.0.0.0:%s", host, port)
	}
	return nil, fmt.Errorf("listen on %s: %w. Choose another address with --listen", address, err)
}

func hostName(host string) string {
	if host == "" {
		return "this computer"
	}
	return host
}

func otherPort(port string) string {
	n, err := strconv.Atoi(port)
	if err != nil || n >= 65535 {
		return "8788"
	}
	return strconv.Itoa(n + 1)
}

// loadCertificate reads the user's own certificate, nil when they have none.
func loadCertificate(cfg *config.Config) ([]tls.Certificate, error) {
	if cfg.TLSCert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(cfg.TLSCert, cfg.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("the certificate cannot be used: %w. Check tls_cert and tls_key, which must belong together and be readable by this user", err)
	}
	return []tls.Certificate{pair}, nil
}

// newServer has no write timeout: answers may wait for people and streams stay open. A
// body has limits of its own.
func newServer(calls context.Context, handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           withBodyTime(handler, bodyPause, bodyTime),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return calls },
	}
}

// listeners are the servers of the platform, ready to be started.
func (pf *platform) listeners(calls context.Context) []func() error {
	local := newServer(calls, pf.app.LocalHandler(), pf.log)
	public := newServer(calls, pf.app.Handler(), pf.log)
	pf.servers = append(pf.servers, local, public)
	starts := []func() error{func() error { return local.Serve(pf.socket) }}
	switch {
	case pf.cfg.Domain != "":
		return append(starts, pf.acme(calls, public)...)
	case pf.cfg.TLSCert != "":
		public.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: pf.certificates}
		return append(starts, func() error { return public.ServeTLS(pf.tcp, "", "") })
	}
	return append(starts, func() error { return public.Serve(pf.tcp) })
}

// acme gets certificates on the HTTPS port itself, and on port 80, which also leads
// people from http to https, when that port can be had.
func (pf *platform) acme(calls context.Context, public *http.Server) []func() error {
	manager := &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		HostPolicy: autocert.HostWhitelist(pf.cfg.Domain),
		Cache:      autocert.DirCache(filepath.Join(pf.cfg.DataDir, "certificates")),
	}
	public.TLSConfig = manager.TLSConfig()
	starts := []func() error{func() error { return public.ServeTLS(pf.tcp, "", "") }}
	listener, err := new(net.ListenConfig).Listen(calls, "tcp", ":80")
	if err != nil {
		pf.log.Warn("port 80 could not be opened, so http does not lead to https", "error", err)
		return starts
	}
	redirect := newServer(calls, manager.HTTPHandler(nil), pf.log)
	pf.servers = append(pf.servers, redirect)
	return append(starts, func() error { return redirect.Serve(listener) })
}
