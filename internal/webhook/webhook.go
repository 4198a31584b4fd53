// Package webhook tells addresses of what happens: an agent's callback address of each
// change of a task's status, and the subscribers of the reviews contract of its events.
//
// A change's job looks up the address in the database and becomes a delivery; a delivery
// goes out at least once under one delivery id, signed, and only to public https
// addresses: the address is checked when it is dialled, so that no name can lead inside.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"code.dny.dev/ssrf"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/seal"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
)

// The kinds of job: a change of status, and its delivery.
const (
	Kind     job.Kind[Args] = "webhook"
	delivery job.Kind[Args] = "webhook.deliver"
)

// Purpose is what callback secrets are sealed for; the task's id is the rest.
const Purpose = "callback"

const (
	// limited is the group of the kinds that call other people's servers.
	limited = "webhook"
	atOnce  = 16

	attempts    = 8
	timeout     = 10 * time.Second
	maxResponse = 64 << 10
)

// Args is a change of status. What is left out of the address, secret, id and time is
// taken from the task, the job and the clock.
type Args struct {
	TaskID         string    `json:"task_id"`
	EventID        string    `json:"event_id,omitempty"`
	URL            string    `json:"url,omitempty"`
	SealedSecret   string    `json:"sealed_secret,omitempty"`
	Status         string    `json:"status"`
	PreviousStatus string    `json:"previous_status"`
	At             time.Time `json:"at,omitzero"`
}

// Config says how callbacks are sent.
type Config struct {
	Sealer       *seal.Sealer
	AllowPrivate bool         // private addresses and plain http: one's own network, and tests
	Clock        clock.Clock  // the system's when nil
	Store        *store.Store // where review events and their log are; tasks need none
	// SwitchedOff tells the owner of a webhook that was switched off; it may be nil.
	SwitchedOff func(ctx context.Context, tx *store.Tx, w db.Webhook) error
}

// Sender sends callbacks.
type Sender struct {
	config Config
	log    *slog.Logger
	client *http.Client
}

// New makes a sender.
func New(c Config, log *slog.Logger) *Sender {
	if c.Clock == nil {
		c.Clock = clock.System()
	}
	return &Sender{config: c, log: log, client: newClient(c.AllowPrivate)}
}

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

// RegisterJobs makes the runner send callbacks.
func (s *Sender) RegisterJobs(r *job.Runner) {
	Kind.Handle(r, s.plan)
	delivery.HandleEffect(r, attempts, s.deliver, s.giveUp)
	r.Limit(limited, atOnce, string(delivery))
}

// plan completes what a change of status needs to be delivered. It runs once for each
// change, so that the delivery's id and time stay the same however often it is sent.
func (s *Sender) plan(ctx context.Context, tx *store.Tx, j job.Job[Args]) error {
	a := j.Args
	if a.URL == "" {
		t, err := tx.FindTask(ctx, a.TaskID)
		if err != nil {
			return fmt.Errorf("find the task of a callback: %w", err)
		}
		a.URL, a.SealedSecret = t.CallbackUrl, t.CallbackSecret
	}
	if a.URL == "" {
		return nil
	}
	if a.EventID == "" {
		a.EventID = j.ID
	}
	if a.At.IsZero() {
		a.At = tx.Now()
	}
	return delivery.Enqueue(ctx, tx, a, job.Options{Owner: j.Owner, Priority: j.Priority, Lane: lane(a.URL)})
}

// body is the contract's, in its order.
type body struct {
	Event          string    `json:"event"`
	TaskID         string    `json:"task_id"`
	Status         string    `json:"status"`
	PreviousStatus string    `json:"previous_status"`
	Timestamp      time.Time `json:"timestamp"`
}

func (s *Sender) deliver(ctx context.Context, j job.Job[Args]) (job.Finish, error) {
	req, err := s.request(ctx, j.Args)
	if err != nil {
		return nil, err
	}
	return nil, s.send(req)
}

func (s *Sender) request(ctx context.Context, a Args) (*http.Request, error) {
	if err := s.checkURL(a.URL); err != nil {
		return nil, err
	}
	content, err := json.Marshal(body{"task.status_changed", a.TaskID, a.Status, a.PreviousStatus, a.At.UTC()})
	if err != nil {
		return nil, fmt.Errorf("write a callback: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL, bytes.NewReader(content))
	if err != nil {
		return nil, errors.New("the callback's address cannot be used")
	}
	sentAt := s.config.Clock.Now().Format(time.RFC3339)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "humanops-mcp")
	req.Header.Set("X-Timestamp", sentAt)
	req.Header.Set("X-Delivery-Id", a.EventID)
	return req, s.sign(req, a, sentAt, content)
}

// sign adds the contract's signature, which covers the body alone, and ours, which
// covers the time of sending too, so that a captured delivery cannot be sent again later.
func (s *Sender) sign(req *http.Request, a Args, sentAt string, content []byte) error {
	if a.SealedSecret == "" {
		return nil
	}
	secret, err := s.config.Sealer.Open(Purpose, a.TaskID, a.SealedSecret)
	if err != nil {
		return fmt.Errorf("open the callback secret of %s: %w", a.TaskID, err)
	}
	req.Header.Set("X-Signature", signature(secret, content))
	req.Header.Set("X-Signature-V2", signature(secret, []byte(sentAt+"."), content))
	return nil
}

func signature(secret string, parts ...[]byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	for _, p := range parts {
		mac.Write(p)
	}
	return hex.EncodeToString(mac.Sum(nil))
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

func (s *Sender) checkURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return errors.New("the callback's address cannot be used")
	}
	if u.Scheme == "https" || (u.Scheme == "http" && s.config.AllowPrivate) {
		return nil
	}
	return errors.New("the callback's address must begin with https")
}

// send counts any 2xx as delivered.
func (s *Sender) send(req *http.Request) error {
	_, err := s.post(req)
	return err
}

// post tells how the server answered. Its errors name the host, never the address, whose
// path or query may hold a secret.
func (s *Sender) post(req *http.Request) (status int, err error) {
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

func (s *Sender) giveUp(_ context.Context, _ *store.Tx, j job.Job[Args], cause error) error {
	a := j.Args
	s.log.Warn("A callback could not be delivered; the task itself is not affected", "task", a.TaskID, "status", a.Status, "delivery", a.EventID, "error", cause)
	return nil
}
