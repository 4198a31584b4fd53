package webhook

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"code.dny.dev/ssrf"
)

const (
	timeout     = 10 * time.Second
	maxResponse = 64 << 10
)

// Result is how an address answered.
type Result struct {
	StatusCode int
	Error      string // empty when it was delivered
	Duration   time.Duration
	final      bool // trying again would be no use
}

// Delivered tells whether the address took it.
func (r Result) Delivered() bool { return r.Error == "" }

// newClient uses no proxy, since a proxy would dial unchecked, and keeps no connection.
func newClient(allowPrivate bool) *http.Client {
	dialer := &net.Dialer{Timeout: timeout}
	if !allowPrivate {
		dialer.Control = ssrf.New().Safe
	}
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: timeout, DisableKeepAlives: true,
			ForceAttemptHTTP2: true, MaxResponseHeaderBytes: maxResponse,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// send makes one attempt and tells how it went.
func (s *Service) send(ctx context.Context, p parcel) (r Result) {
	began := s.config.Clock.Now()
	defer func() { r.Duration = s.config.Clock.Now().Sub(began) }()
	req, err := s.request(ctx, p)
	if err != nil {
		return Result{Error: err.Error(), final: true}
	}
	status, err := s.post(req)
	if err == nil {
		return Result{StatusCode: status}
	}
	if s.inside(err) {
		s.log.DebugContext(ctx, "A webhook's address leads to no public one", "delivery", p.ID, "error", err)
		err = fmt.Errorf("send a callback to %s: it leads to no public address, and others are prohibited", req.URL.Host)
	}
	return Result{StatusCode: status, Error: told(err), final: p.style.final(status)}
}

// told is an error as the log of deliveries has it.
func told(err error) string {
	const most = 300
	text := strings.ReplaceAll(strings.ToValidUTF8(err.Error(), "?"), "\x00", "?")
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}

func (s *Service) request(ctx context.Context, p parcel) (*http.Request, error) {
	if err := s.checkURL(p.url); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader([]byte(p.Body)))
	if err != nil {
		return nil, errors.New("the webhook's address cannot be used")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "humanops-mcp")
	p.style.headers(req.Header, p, s.config.Clock.Now().UTC().Format(time.RFC3339))
	return req, nil
}

// post tells how the server answered; any 2xx is delivered. Its errors name the host,
// never the address, whose path or query may hold a secret.
func (s *Service) post(req *http.Request) (status int, err error) {
	resp, err := s.client.Do(req)
	if err != nil {
		var e *url.Error
		if errors.As(err, &e) {
			err = e.Err
		}
		return 0, fmt.Errorf("send a callback to %s: %w", req.URL.Host, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return resp.StatusCode, fmt.Errorf("send a callback to %s: it answered %d", req.URL.Host, resp.StatusCode)
	}
	// The delivery counts from here on; reading is only courtesy to the server.
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxResponse))
	return resp.StatusCode, nil
}

// inside tells whether an error would tell of our own network: which names there are, and
// where they lead. Agents read the log of their deliveries, and anybody can be an agent.
func (s *Service) inside(err error) bool {
	var lookup *net.DNSError
	return !s.config.AllowPrivate && (errors.As(err, &lookup) || errors.Is(err, ssrf.ErrProhibitedIP) || errors.Is(err, ssrf.ErrProhibitedNetwork))
}

// checkURL looks once more at what was checked when it was subscribed: what may be called
// can have been changed since.
func (s *Service) checkURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return errors.New("the callback's address cannot be used")
	}
	if u.Scheme == "https" || (u.Scheme == "http" && s.config.AllowPrivate) {
		return nil
	}
	return errors.New("the callback's address must begin with https")
}

// lane is one for each host, so that a dead one keeps nobody else waiting.
func lane(address string) string {
	host := ""
	if u, err := url.Parse(address); err == nil {
		host = strings.ToLower(u.Hostname())
	}
	sum := sha256.Sum256([]byte(host))
	return "host" + hex.EncodeToString(sum[:8])
}
