package webhook

import (
	"context"
	"fmt"
	"time"

	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
)

// sendKind is the delivery of one event to one address.
const sendKind job.Kind[sendArgs] = "webhook.send"

const (
	// limited is the group of the kinds that call other people's servers.
	limited = "webhook"
	atOnce  = 16
	// maxFailures is how many deliveries in a row may be given up before a webhook is
	// switched off.
	maxFailures = 20
	// internalAttempts is for failures that are our own, not the address's.
	internalAttempts = 8
	keepDeliveries   = 30 * 24 * time.Hour
	sweepEvery       = time.Hour
	// sweptAtOnce is how many deliveries a sweep forgets at most, so that it holds up nobody;
	// the next goes on.
	sweptAtOnce = 5000
)

// The states of a delivery.
const (
	waiting   = "waiting"
	delivered = "delivered"
	failed    = "failed"
)

// pauses are the reviews contract's, between one attempt and the next: eight attempts in
// all. The marketplace's says nothing.
var pauses = []time.Duration{15 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 12 * time.Hour, 24 * time.Hour}

// sendArgs name the delivery, which is in the database, and count the attempts since it
// was made or asked for again.
type sendArgs struct {
	DeliveryID string `json:"delivery_id"`
	Attempt    int    `json:"attempt,omitempty"` // of those before this one
}

// parcel is a delivery with where it goes.
type parcel struct {
	db.WebhookDelivery
	url     string
	style   Style
	secrets []string // the present one first, then the former one while it still counts
	off     bool     // the webhook is switched off
}

// to says where one delivery goes and for whom.
func enqueue(ctx context.Context, tx *store.Tx, a sendArgs, w db.Webhook, at time.Time) error {
	return sendKind.Enqueue(ctx, tx, a, job.Options{
		RunAt: at, UniqueKey: string(sendKind) + ":" + a.DeliveryID, Lane: lane(w.Url), Owner: w.AgentID, Priority: job.PriorityOf(w.Mode),
	})
}

func (s *Service) deliver(ctx context.Context, j job.Job[sendArgs]) (job.Finish, error) {
	p, w, err := s.parcel(ctx, j.Args.DeliveryID)
	if store.NotFound(err) || err == nil && p.State != waiting {
		return nil, nil // the webhook, the subject or the log entry is gone
	}
	if err != nil {
		return nil, err
	}
	if p.off {
		return func(ctx context.Context, tx *store.Tx) error {
			return tx.FailDelivery(ctx, db.FailDeliveryParams{ID: p.ID, LastError: "the webhook was switched off before it was delivered"})
		}, nil
	}
	result := s.send(ctx, p)
	if ctx.Err() != nil {
		return nil, ctx.Err() // the process stops; the attempt does not count
	}
	return func(ctx context.Context, tx *store.Tx) error { return s.record(ctx, tx, j.Args, w, p, result) }, nil
}

func (s *Service) parcel(ctx context.Context, id string) (p parcel, w db.Webhook, err error) {
	err = s.config.Store.Read(ctx, func(tx *store.Tx) error {
		if p.WebhookDelivery, err = tx.FindDelivery(ctx, id); err != nil {
			return err
		}
		if w, err = tx.FindWebhook(ctx, p.WebhookID.String); err != nil {
			return err
		}
		p.url, p.style, p.off = w.Url, styleOf(w.Style), !w.Enabled
		p.secrets, err = s.secrets(w)
		return err
	})
	return p, w, err
}

// record keeps how an attempt went, and plans the next where there is to be one.
func (s *Service) record(ctx context.Context, tx *store.Tx, a sendArgs, w db.Webhook, p parcel, r Result) error {
	state, deliveredAt := waiting, int64(0)
	a.Attempt++
	switch {
	case r.Delivered():
		state, deliveredAt = delivered, store.Micros(tx.Now())
	case r.final || a.Attempt > len(pauses):
		state = failed
	}
	err := tx.RecordAttempt(ctx, db.RecordAttemptParams{
		ID: p.ID, State: state, StatusCode: int64(r.StatusCode), LastError: r.Error, DeliveredAt: deliveredAt,
	})
	switch {
	case err != nil:
		return err
	case state == waiting:
		return enqueue(ctx, tx, a, w, tx.Now().Add(pauses[a.Attempt-1]))
	case state == failed:
		return s.countFailure(ctx, tx, w, p, r.Error)
	}
	return tx.ForgiveWebhook(ctx, w.ID)
}

// countFailure switches a webhook off after too many deliveries in a row were given up. A
// subject's callback goes on: nobody could switch it on again, and it ends with its subject.
func (s *Service) countFailure(ctx context.Context, tx *store.Tx, w db.Webhook, p parcel, cause string) error {
	s.log.Warn("A callback could not be delivered; nothing else is affected", "webhook", p.WebhookID.String, "subject", p.SubjectID,
		"event", p.Event, "delivery", p.ID, "error", cause)
	if w.SubjectID != "" {
		return nil
	}
	w, err := tx.CountWebhookFailure(ctx, db.CountWebhookFailureParams{ID: w.ID, Most: maxFailures})
	if store.NotFound(err) {
		return nil // deleted meanwhile
	}
	if err != nil || w.Enabled || w.Failures != maxFailures {
		return err
	}
	return s.config.SwitchedOff(ctx, tx, w)
}

// failed ends a delivery that could not even be tried, such as one whose secret was
// sealed with another key.
func (s *Service) failed(ctx context.Context, tx *store.Tx, j job.Job[sendArgs], cause error) error {
	s.log.Warn("A callback could not be made; nothing else is affected", "delivery", j.Args.DeliveryID, "error", cause)
	return tx.FailDelivery(ctx, db.FailDeliveryParams{ID: j.Args.DeliveryID, LastError: "this installation could not make the delivery; its log says why"})
}

// secrets opens what a webhook's deliveries are signed with; nothing where it has none.
func (s *Service) secrets(w db.Webhook) ([]string, error) {
	sealed := []string{w.Secret}
	if w.Secret == "" {
		return nil, nil
	}
	if w.FormerSecret != "" && s.config.Clock.Now().Before(store.Time(w.FormerUntil)) {
		sealed = append(sealed, w.FormerSecret)
	}
	purpose, id := Purpose, w.ID
	if w.SealedAs != "" {
		purpose, id = w.SealedAs, w.SubjectID
	}
	var out []string
	for _, text := range sealed {
		secret, err := s.config.Sealer.Open(purpose, id, text)
		if err != nil {
			return nil, fmt.Errorf("open the callback secret of webhook %s: %w", w.ID, err)
		}
		out = append(out, secret)
	}
	return out, nil
}

// Try sends body to a webhook at once, in no transaction, and tells how it went.
func (s *Service) Try(ctx context.Context, w db.Webhook, event string, body []byte) (Result, error) {
	secrets, err := s.secrets(w)
	if err != nil {
		return Result{}, err
	}
	p := parcel{url: w.Url, style: styleOf(w.Style), secrets: secrets}
	p.ID, p.Event, p.EventID, p.Body = ident.New("whd_"), event, ident.New("ev_"), string(body)
	return s.send(ctx, p), nil
}

// Again sends a delivery anew: the same id, the same bytes, the schedule from the start.
func Again(ctx context.Context, tx *store.Tx, deliveryID string, w db.Webhook) error {
	if err := tx.DeliverAgain(ctx, deliveryID); err != nil {
		return err
	}
	return enqueue(ctx, tx, sendArgs{DeliveryID: deliveryID}, w, time.Time{})
}

// sweep forgets old deliveries. The callback of a single subject stays: its agent reads the
// address for as long as the subject is there, and a request may be asked again.
func (s *Service) sweep(ctx context.Context, tx *store.Tx) error {
	before := store.Micros(tx.Now().Add(-keepDeliveries))
	return tx.DeleteOldDeliveries(ctx, db.DeleteOldDeliveriesParams{CreatedBefore: before, RowLimit: sweptAtOnce})
}
