// Package client is the typed REST client of the marketplace, of the review service and
// of the platform's own administration: one short method per endpoint of schemas, over the network, a local
// socket or in process.
package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-resty/resty/v2"

	"humanops-mcp/schemas"
)

const (
	defaultTimeout = 30 * time.Second
	checkTimeout   = time.Hour
	proofTimeout   = 2 * time.Minute
	uploadTimeout  = 15 * time.Minute
	backupTimeout  = 2 * time.Hour
	batchTimeout   = 2 * time.Minute
	webhookTimeout = time.Minute
	waitMargin     = 10 * time.Second

	maxJSON  = 16 << 20
	maxProof = 32 << 20
	maxRetry = 3
)

// Options says whom to call and as whom.
type Options struct {
	// BaseURL is the address in front of /api/v1 or /v1/api. It may be empty for a transport of
	// this package (InProcess, Socket).
	BaseURL string
	// APIKey is an agent's key, Token a person's session token.
	APIKey string
	Token  string
	// HTTPClient brings the transport; nil is the network.
	HTTPClient *http.Client
	// AllowInsecure permits plain http to a host that is not this machine, and
	// redirects to elsewhere.
	AllowInsecure bool
	// Sandbox insists on test mode: against a remote only a ho_test_ key is accepted.
	Sandbox bool
	// Direct answers what only reads, for an InProcess transport; nil when there is none.
	Direct Direct
	// Timeout is the limit of one ordinary call, retries included; 30 s by default.
	Timeout time.Duration
}

// Client calls one marketplace as one caller. It is safe for concurrent use.
type Client struct {
	http    *resty.Client
	base    string
	key     string
	token   string
	timeout time.Duration
	direct  Direct
	server  atomic.Int32 // what kind of server answered: one of the server… constants
}

const (
	serverUnknown int32 = iota
	serverHosted
	serverOurs
)

// New checks the options and makes a client. It calls nobody.
func New(o Options) (*Client, error) {
	hc := &http.Client{}
	if o.HTTPClient != nil {
		copied := *o.HTTPClient
		hc = &copied
	}
	local := isLocal(hc.Transport)
	base, err := checkBase(o, local)
	if err != nil {
		return nil, err
	}
	if err := checkSandbox(o, local); err != nil {
		return nil, err
	}
	hc.CheckRedirect = redirectPolicy(o.AllowInsecure)
	c := &Client{http: newResty(hc), base: base, key: o.APIKey, token: o.Token, timeout: o.Timeout, direct: o.Direct}
	if c.timeout <= 0 {
		c.timeout = defaultTimeout
	}
	if local {
		c.server.Store(serverOurs)
	}
	return c, nil
}

// As is a client of the same server, over the same transport, for another agent's key.
func (c *Client) As(key string) *Client {
	other := &Client{http: c.http, base: c.base, key: key, timeout: c.timeout, direct: c.direct}
	other.server.Store(c.server.Load())
	return other
}

func newResty(hc *http.Client) *resty.Client {
	return resty.NewWithClient(hc).
		SetLogger(silent{}).
		SetDisableWarn(true).
		SetHeader("User-Agent", "humanops-mcp").
		SetHeader("Accept", "application/json").
		SetRetryCount(maxRetry).
		SetRetryWaitTime(100 * time.Millisecond).
		SetRetryMaxWaitTime(maxRetryWait).
		SetRetryAfter(waitAsTold)
}

// silent keeps resty from logging: failures are returned, and logged by the caller.
type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Debugf(string, ...any) {}

func checkBase(o Options, local bool) (string, error) {
	if local && o.BaseURL == "" {
		return "http://localhost", nil
	}
	u, err := url.Parse(strings.TrimSpace(o.BaseURL))
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return "", schemas.NewError(schemas.CodeInvalid, fmt.Sprintf("The marketplace address must be an http or https URL; got %q. Example: https://api.humanops.io", o.BaseURL))
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", schemas.NewError(schemas.CodeInvalid, "The marketplace address must hold no user name, query or fragment; put the key into the API key setting. Example: https://api.humanops.io")
	}
	if u.Scheme == "http" && !local && !o.AllowInsecure && !isLoopback(u.Hostname()) {
		return "", schemas.NewError(schemas.CodeInvalid, fmt.Sprintf("Plain http to %s would send the API key unencrypted. Use https, or allow insecure connections explicitly.", u.Host))
	}
	return withoutPrefix(strings.TrimRight(u.String(), "/")), nil
}

// withoutPrefix takes off the prefix of a contract with which an address may end.
func withoutPrefix(base string) string {
	shortest := base
	for _, contract := range schemas.Contracts() {
		for _, prefix := range contract.Prefixes() {
			rest, found := strings.CutSuffix(base, prefix)
			if found && dialectOf(contract).hosted && len(rest) < len(shortest) {
				shortest = rest
			}
		}
	}
	return shortest
}

func checkSandbox(o Options, local bool) error {
	if !o.Sandbox || local || o.APIKey == "" || schemas.IsTestKey(o.APIKey) {
		return nil
	}
	return schemas.NewError(schemas.CodeInvalid, "Sandbox is on, and against a remote marketplace that needs a test key: one that begins with ho_test_. Set such a key, or turn sandbox off.")
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// redirectPolicy follows redirects within one origin only, and never turns one call
// into another: Go would carry X-API-Key to any host, and resend a POST as a GET.
func redirectPolicy(allowed bool) func(*http.Request, []*http.Request) error {
	return func(next *http.Request, via []*http.Request) error {
		first := via[0]
		switch {
		case len(via) > 5:
			return schemas.NewError(schemas.CodeUnavailable, "The marketplace redirects without end. Check its address.")
		case next.Method != first.Method:
			return schemas.NewError(schemas.CodeUnavailable, fmt.Sprintf("The marketplace redirects %s to %s; set that address instead.", first.URL.Host, next.URL.Host))
		case !allowed && (next.URL.Scheme != first.URL.Scheme || next.URL.Host != first.URL.Host):
			return schemas.NewError(schemas.CodeUnavailable, fmt.Sprintf("%s redirects to %s://%s, and the API key is not sent there. If you trust it, set that address instead.", first.URL.Host, next.URL.Scheme, next.URL.Host))
		}
		return nil
	}
}

// Address is the marketplace's address, for messages.
func (c *Client) Address() string { return c.base }

// Caller tells callers apart without giving their key away.
func (c *Client) Caller() string {
	sum := sha256.Sum256([]byte(c.key + "\n" + c.token))
	return hex.EncodeToString(sum[:])
}

type idempotencyKey struct{}

// WithIdempotencyKey makes the calls of ctx carry this Idempotency-Key instead of a
// generated one, so that a repeated call is the same call.
func WithIdempotencyKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, idempotencyKey{}, key)
}

// Extended tells whether the server is a humanops-mcp, which serves more than the
// hosted marketplace documents. It asks for the balance when nothing was heard yet.
func (c *Client) Extended(ctx context.Context) (bool, error) {
	if seen := c.server.Load(); seen != serverUnknown {
		return seen == serverOurs, nil
	}
	balance, err := c.GetBalance(ctx)
	switch {
	case c.server.Load() == serverOurs:
		return true, nil
	case err != nil:
		return false, err
	case balance.Mode != "": // a proxy that replaces the Server header leaves the body alone
		c.server.Store(serverOurs)
		return true, nil
	}
	c.server.Store(serverHosted)
	return false, nil
}

// ExtendedReviews tells whether the server is a humanops-mcp, which serves more reviews
// than the hosted review service documents. It checks the key when nothing was heard yet.
func (c *Client) ExtendedReviews(ctx context.Context) (bool, error) {
	if seen := c.server.Load(); seen != serverUnknown {
		return seen == serverOurs, nil
	}
	key, err := c.CheckKey(ctx)
	switch {
	case c.server.Load() == serverOurs:
		return true, nil
	case err != nil:
		return false, err
	case key.Mode != "":
		c.server.Store(serverOurs)
		return true, nil
	}
	c.server.Store(serverHosted)
	return false, nil
}

// noteServer remembers that one of ours answered. That others did is decided by
// Extended only, since a proxy may answer in their place.
func (c *Client) noteServer(h http.Header) {
	if strings.HasPrefix(h.Get("Server"), "humanops-mcp/") {
		c.server.Store(serverOurs)
	}
}
