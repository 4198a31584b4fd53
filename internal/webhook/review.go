package webhook

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"code.dny.dev/ssrf"

	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
)

// ReviewKind is the delivery of one event of the reviews contract to one address.
const ReviewKind job.Kind[ReviewArgs] = "webhook.review"

// ReviewPurpose is what a subscriber's secret is sealed for; the webhook's id is the
// rest. The secret of a request's own callback_url is sealed for Purpose and the
// request's id.
const ReviewPurpose = "review webhook"

const (
	// maxFailures is how many deliveries in a row may be given up before a webhook is
	// switched off.
	maxFailures = 20
	// internalAttempts is for failures that are our own, not the address's.
	internalAttempts = 8
	keepDeliveries   = 30 * 24 * time.Hour
	maxErrorText     = 300
)

// pauses are the contract's, between one attempt and the next: eight attempts in all.
var pauses = []time.Duration{15 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 12 * time.Hour, 24 * time.Hour}

// ReviewArgs name the delivery, which is in the database, and count the attempts since it
// was made or asked for again.
type ReviewArgs struct {
	DeliveryID string `json:"delivery_id"`
	Attempt    int    `json:"attempt,omitempty"` // of those before this one
}

// ReviewEvent is something that happened to a request or a loop.
type ReviewEvent struct {
	ID       string
	Event    string
	ReviewID string
	LoopID   string
	AgentID  string // whose it is; "" for the house
	Mode     string
	Callback string // the request's own address, which is told of outcomes only
	// Body makes the bytes that everybody is sent. It is not called when nobody listens.
	Body func() ([]byte, error)
}

// Announce writes a delivery for each address that listens, in the transaction of what
// happened: the agent's own webhooks, of live events the owner's too, and the request's
// callback_url.
func Announce(ctx context.Context, tx *store.Tx, e ReviewEvent) error {
	to, err := listeners(ctx, tx, e)
	if err != nil || len(to) == 0 {
		return err
	}
	body, err := e.Body()
	if err != nil {
		return err
	}
	for _, w := range to {
		id := ident.New("whd_")
		added, err := tx.InsertDelivery(ctx, db.InsertDeliveryParams{
			ID: id, WebhookID: sql.NullString{String: w.ID, Valid: w.ID != ""}, ReviewID: e.ReviewID, EventID: e.ID, Event: e.Event,
			Body: string(body), CreatedAt: store.Micros(tx.Now()),
		})
		if err != nil {
			return err
		}
		if added == 0 {
			continue
		}
		if err := enqueue(ctx, tx, ReviewArgs{DeliveryID: id}, w.Url, job.Options{Owner: e.AgentID, Priority: job.PriorityOf(e.Mode)}); err != nil {
			return err
		}
	}
	return nil
}

// listeners are the webhooks that an event goes to; the one without an id is the
// request's own address.
func listeners(ctx context.Context, tx *store.Tx, e ReviewEvent) ([]db.Webhook, error) {
	all, err := tx.ListeningWebhooks(ctx, db.ListeningWebhooksParams{AgentID: e.AgentID, Mode: e.Mode, LoopID: e.LoopID})
	if err != nil {
		return nil, err
	}
	var to []db.Webhook
	for _, w := range all {
		var patterns []string
		if err := json.Unmarshal([]byte(w.Events), &patterns); err != nil {
			return nil, fmt.Errorf("events of webhook %s: %w", w.ID, err)
		}
		if Listens(patterns, e.Event, e.LoopID) {
			to = append(to, w)
		}
	}
	if e.Callback != "" && slices.Contains(outcomes, e.Event) {
		to = append(to, db.Webhook{Url: e.Callback})
	}
	return to, nil
}

// Again sends a delivery to w anew: the same id, the same bytes, the schedule from the
// start.
func Again(ctx context.Context, tx *store.Tx, deliveryID string, w db.Webhook) error {
	if err := tx.DeliverAgain(ctx, deliveryID); err != nil {
		return err
	}
	return enqueue(ctx, tx, ReviewArgs{DeliveryID: deliveryID}, w.Url, job.Options{Owner: w.AgentID, Priority: job.PriorityOf(w.Mode)})
}

func enqueue(ctx context.Context, tx *store.Tx, a ReviewArgs, address string, o job.Options) error {
	o.UniqueKey, o.Lane = string(ReviewKind)+":"+a.DeliveryID, lane(address)
	return ReviewKind.Enqueue(ctx, tx, a, o)
}

// RegisterReviewJobs makes the runner deliver events and forget old deliveries.
func (s *Sender) RegisterReviewJobs(r *job.Runner) {
	ReviewKind.HandleEffect(r, internalAttempts, s.deliverEvent, s.failEvent)
	r.Limit(limited, atOnce, string(ReviewKind))
	r.Every("webhook.sweep", 24*time.Hour, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.DeleteOldDeliveries(ctx, store.Micros(tx.Now().Add(-keepDeliveries)))
		return err
	})
}

// parcel is a delivery with where it goes.
type parcel struct {
	db.WebhookDelivery
	url     string
	secrets []string // the present one first, then the former one while it still counts
	off     bool     // the webhook is switched off
}

// Result is how an address answered.
type Result struct {
	StatusCode int
	Error      string // empty when it was delivered
	Duration   time.Duration
	final      bool // trying again would be no use
}

// Delivered tells whether the address took it.
func (r Result) Delivered() bool { return r.Error == "" }

func (s *Sender) deliverEvent(ctx context.Context, j job.Job[ReviewArgs]) (job.Finish, error) {
	p, err := s.parcel(ctx, j.Args.DeliveryID)
	if store.NotFound(err) || err == nil && p.State != "waiting" {
		return nil, nil // the webhook, the request or the log entry is gone
	}
	if err != nil {
		return nil, err
	}
	if p.off {
		return func(ctx context.Context, tx *store.Tx) error {
			return tx.FailDelivery(ctx, db.FailDeliveryParams{ID: p.ID, LastError: "the webhook was switched off before it was delivered"})
		}, nil
	}
	result := s.deliverParcel(ctx, p)
	if ctx.Err() != nil {
		return nil, ctx.Err() // the process stops; the attempt does not count
	}
	return func(ctx context.Context, tx *store.Tx) error { return s.record(ctx, tx, j, p, result) }, nil
}

func (s *Sender) parcel(ctx context.Context, id string) (p parcel, err error) {
	err = s.config.Store.Read(ctx, func(tx *store.Tx) error {
		if p.WebhookDelivery, err = tx.FindDelivery(ctx, id); err != nil {
			return err
		}
		if !p.WebhookID.Valid {
			return s.toCallback(ctx, tx, &p)
		}
		w, err := tx.FindWebhook(ctx, p.WebhookID.String)
		if err != nil {
			return err
		}
		p.url, p.off = w.Url, !w.Enabled
		p.secrets, err = s.secrets(w)
		return err
	})
	return p, err
}

func (s *Sender) toCallback(ctx context.Context, tx *store.Tx, p *parcel) error {
	r, err := tx.FindReview(ctx, p.ReviewID)
	if err != nil {
		return err
	}
	if p.url = r.CallbackUrl; p.url == "" {
		p.off = true // taken back since
	}
	if r.CallbackSecret == "" {
		return nil
	}
	secret, err := s.config.Sealer.Open(Purpose, r.ID, r.CallbackSecret)
	if err != nil {
		return fmt.Errorf("open the callback secret of request %s: %w", r.ID, err)
	}
	p.secrets = []string{secret}
	return nil
}

func (s *Sender) secrets(w db.Webhook) ([]string, error) {
	sealed := []string{w.Secret}
	if w.FormerSecret != "" && s.config.Clock.Now().Before(store.Time(w.FormerUntil)) {
		sealed = append(sealed, w.FormerSecret)
	}
	var out []string
	for _, text := range sealed {
		secret, err := s.config.Sealer.Open(ReviewPurpose, w.ID, text)
		if err != nil {
			return nil, fmt.Errorf("open the secret of webhook %s: %w", w.ID, err)
		}
		out = append(out, secret)
	}
	return out, nil
}

// Try sends body to a webhook at once, in no transaction, and tells how it went.
func (s *Sender) Try(ctx context.Context, w db.Webhook, event string, body []byte) (Result, error) {
	secrets, err := s.secrets(w)
	if err != nil {
		return Result{}, err
	}
	p := parcel{url: w.Url, secrets: secrets}
	p.ID, p.Event, p.Body = ident.New("whd_"), event, string(body)
	return s.deliverParcel(ctx, p), nil
}

func (s *Sender) deliverParcel(ctx context.Context, p parcel) (r Result) {
	began := s.config.Clock.Now()
	defer func() { r.Duration = s.config.Clock.Now().Sub(began) }()
	req, err := s.parcelRequest(ctx, p)
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
	text := strings.ReplaceAll(strings.ToValidUTF8(err.Error(), "?"), "\x00", "?")
	return Result{StatusCode: status, Error: strings.ToValidUTF8(text[:min(len(text), maxErrorText)], ""), final: isFinal(status)}
}

// inside tells whether an error would tell of our own network: which names there are, and
// where they lead. Agents read the log of their deliveries, and anybody can be an agent.
func (s *Sender) inside(err error) bool {
	var lookup *net.DNSError
	return !s.config.AllowPrivate && (errors.As(err, &lookup) || errors.Is(err, ssrf.ErrProhibitedIP) || errors.Is(err, ssrf.ErrProhibitedNetwork))
}

// isFinal tells whether the answer will be the same next time: the address refuses this
// very delivery.
func isFinal(status int) bool {
	return status >= 400 && status <= 499 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}

func (s *Sender) parcelRequest(ctx context.Context, p parcel) (*http.Request, error) {
	if err := s.checkURL(p.url); err != nil {
		return nil, err
	}
	content := []byte(p.Body)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(content))
	if err != nil {
		return nil, errors.New("the webhook's address cannot be used")
	}
	sentAt := s.config.Clock.Now().UTC().Format(time.RFC3339)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "humanops-mcp")
	req.Header.Set("X-HITL-Event", p.Event)
	req.Header.Set("X-HITL-Delivery", p.ID)
	req.Header.Set("X-HITL-Timestamp", sentAt)
	for i, suffix := range []string{"", "-Former"} {
		if i < len(p.secrets) {
			signEvent(req.Header, suffix, p.secrets[i], sentAt, content)
		}
	}
	return req, nil
}

// signEvent adds the contract's two spellings of a signature of the raw body, and ours,
// which covers the time of sending too. For a day after a rotation the same three with
// -Former at the end are made with the secret before, so that a receiver can change its
// secret at any moment of that day without losing a delivery.
func signEvent(h http.Header, suffix, secret, sentAt string, content []byte) {
	mac := signature(secret, content)
	h.Set("X-HITL-Signature"+suffix, mac)
	h.Set("X-HITL-Signature-256"+suffix, "sha256="+mac)
	h.Set("X-HITL-Signature-V2"+suffix, signature(secret, []byte(sentAt+"."), content))
}

// record keeps how an attempt went, and plans the next where there is to be one.
func (s *Sender) record(ctx context.Context, tx *store.Tx, j job.Job[ReviewArgs], p parcel, r Result) error {
	state, deliveredAt, a := "waiting", int64(0), j.Args
	a.Attempt++
	switch {
	case r.Delivered():
		state, deliveredAt = "delivered", store.Micros(tx.Now())
	case r.final || a.Attempt > len(pauses):
		state = "failed"
	}
	err := tx.RecordAttempt(ctx, db.RecordAttemptParams{
		ID: p.ID, State: state, StatusCode: int64(r.StatusCode), LastError: r.Error, DeliveredAt: deliveredAt,
	})
	switch {
	case err != nil:
		return err
	case state == "waiting":
		return enqueue(ctx, tx, a, p.url, job.Options{Owner: j.Owner, Priority: j.Priority, RunAt: tx.Now().Add(pauses[a.Attempt-1])})
	case state == "failed":
		return s.countFailure(ctx, tx, p, r.Error)
	case p.WebhookID.Valid:
		return tx.ForgiveWebhook(ctx, p.WebhookID.String)
	}
	return nil
}

// countFailure switches a webhook off after too many deliveries in a row were given up.
func (s *Sender) countFailure(ctx context.Context, tx *store.Tx, p parcel, cause string) error {
	s.log.Warn("A webhook's delivery was given up; nothing else is affected", "webhook", cmp.Or(p.WebhookID.String, "callback_url"), "request", p.ReviewID,
		"event", p.Event, "delivery", p.ID, "error", cause)
	if !p.WebhookID.Valid {
		return nil
	}
	w, err := tx.CountWebhookFailure(ctx, db.CountWebhookFailureParams{ID: p.WebhookID.String, Most: maxFailures})
	if store.NotFound(err) {
		return nil // deleted meanwhile
	}
	if err != nil || w.Enabled || w.Failures != maxFailures || s.config.SwitchedOff == nil {
		return err
	}
	return s.config.SwitchedOff(ctx, tx, w)
}

// failEvent ends a delivery that could not even be tried, such as one whose secret was
// sealed with another key.
func (s *Sender) failEvent(ctx context.Context, tx *store.Tx, j job.Job[ReviewArgs], cause error) error {
	s.log.Warn("A webhook's delivery could not be made", "delivery", j.Args.DeliveryID, "error", cause)
	return tx.FailDelivery(ctx, db.FailDeliveryParams{ID: j.Args.DeliveryID, LastError: "this installation could not make the delivery; its log says why"})
}
