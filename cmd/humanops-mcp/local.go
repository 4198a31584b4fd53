package main

import (
	"context"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"humanops-mcp/client"
	"humanops-mcp/internal/config"
	"humanops-mcp/internal/daemon"
)

// local connects to the platform of the data folder, on first use, and brings it up
// again whenever it is gone.
type local struct {
	cfg     *config.Config
	options func(*daemon.Credentials) client.Options

	mu     sync.Mutex
	client *client.Client
	keys   fs.FileInfo // of the credentials file that the client has its key from
}

// connect returns the client; the first call finds or starts the platform. Keys that
// were made anew are read anew.
func (l *local) connect(ctx context.Context) (*client.Client, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	path := daemon.Paths(l.cfg.DataDir).Credentials
	info, err := os.Stat(path)
	if err == nil && l.client != nil && os.SameFile(info, l.keys) && info.ModTime().Equal(l.keys.ModTime()) {
		return l.client, nil // the file is only ever replaced as a whole
	}
	_, credentials, err := daemon.Ensure(ctx, l.cfg)
	if err != nil {
		return nil, err
	}
	if l.keys, err = os.Stat(path); err != nil {
		return nil, err
	}
	options := l.options(credentials)
	options.BaseURL = "http://localhost"
	options.HTTPClient = &http.Client{Transport: &http.Transport{
		DialContext: l.dial, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute,
	}}
	l.client, err = client.New(options)
	return l.client, err
}

// dial connects to the socket. When nobody answers, the platform was stopped or killed:
// it is started again, and since nothing has been sent yet, nothing can happen twice.
func (l *local) dial(ctx context.Context, network, address string) (net.Conn, error) {
	files := daemon.Paths(l.cfg.DataDir)
	if conn, err := files.Dial(ctx, network, address); err == nil {
		return conn, nil
	}
	if _, _, err := daemon.Ensure(ctx, l.cfg); err != nil {
		return nil, err
	}
	return files.Dial(ctx, network, address)
}

// owner is the client of the person who owns the installation.
func (p *program) owner(ctx context.Context, cfg *config.Config) (*client.Client, error) {
	l := &local{cfg: cfg, options: func(c *daemon.Credentials) client.Options { return client.Options{Token: c.OwnerToken} }}
	return l.connect(ctx)
}

// agent is the source of the agent's client: the remote marketplace, or the platform of
// the data folder with its live or test key.
func agent(cfg *config.Config) func(context.Context) (*client.Client, error) {
	if cfg.Remote() {
		return dialRemote(cfg, cfg.Marketplace.URL, cfg.Marketplace.APIKey)
	}
	return localAgent(cfg)
}

// reviews is the source of the client that asks for reviews: the remote service, or beside a
// remote marketplace the platform of the data folder. nil says that the agent's marketplace
// is that platform as well.
func reviews(cfg *config.Config) func(context.Context) (*client.Client, error) {
	switch {
	case cfg.Reviews.URL != "":
		return dialRemote(cfg, cfg.Reviews.URL, cfg.Reviews.APIKey)
	case cfg.Remote():
		return localAgent(cfg)
	}
	return nil
}

// reviewsUp tells whether the platform that would hold the reviews runs. Beside a remote
// marketplace it is not started only to see that it holds none.
func reviewsUp(cfg *config.Config) func(context.Context) bool {
	if !cfg.Remote() || cfg.Reviews.URL != "" {
		return nil
	}
	files := daemon.Paths(cfg.DataDir)
	return func(ctx context.Context) bool {
		conn, err := files.Dial(ctx, "", "")
		if err != nil {
			return false
		}
		_ = conn.Close() // it was only asked whether somebody answers
		return true
	}
}

func localAgent(cfg *config.Config) func(context.Context) (*client.Client, error) {
	l := &local{cfg: cfg, options: func(c *daemon.Credentials) client.Options { return client.Options{APIKey: c.Key(cfg.Sandbox)} }}
	return l.connect
}

func dialRemote(cfg *config.Config, url, key string) func(context.Context) (*client.Client, error) {
	remote := sync.OnceValues(func() (*client.Client, error) {
		return client.New(client.Options{BaseURL: url, APIKey: key, AllowInsecure: cfg.AllowInsecureHTTP, Sandbox: cfg.Sandbox})
	})
	return func(context.Context) (*client.Client, error) { return remote() }
}

func itoa(n int) string { return strconv.Itoa(n) }
