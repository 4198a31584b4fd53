package webhook

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/check"
	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/keyset"
	"humanops-mcp/internal/notify"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// Purpose is what secrets are sealed for; the webhook's id is the rest. That of a callback
// from before callbacks were subscriptions is sealed for "callback" and the subject's id.
const Purpose = "review webhook"

const (
	maxWebhooks = 50
	// MaxSecret is how many characters a secret may have.
	MaxSecret = 256
	// formerSecret is how long the secret before a rotation still signs too.
	formerSecret = 24 * time.Hour
)

func noWebhook() error { return schemas.NewError(schemas.CodeNotFound, "Webhook not found") }

// hookOwner is whose webhooks the caller has: an agent's of its key's mode, or the
// owner's, which hear of live events.
func hookOwner(ctx context.Context) (agentID, mode string) {
	if c := account.From(ctx); c.AgentID != "" {
		return c.AgentID, c.Mode
	}
	return "", account.Live
}

// CreateWebhook subscribes an address. The secret is shown only here.
func (s *Service) CreateWebhook(ctx context.Context, tx *store.Tx, in schemas.CreateWebhookRequest) (out schemas.WebhookCreated, err error) {
	agentID, mode := hookOwner(ctx)
	id := ident.New("wh_")
	if err := CheckAddress("url", in.URL, s.config.AllowPrivate); err != nil {
		return out, err
	}
	loopID, err := s.hookLoop(ctx, tx, in)
	if err != nil {
		return out, err
	}
	events, err := s.patterns(ctx, tx, in.Events)
	if err != nil {
		return out, err
	}
	plain, sealed, err := s.hookSecret(id, in.Secret)
	if err != nil {
		return out, err
	}
	if err := mayAddWebhook(ctx, tx, agentID, mode); err != nil {
		return out, err
	}
	err = tx.InsertWebhook(ctx, db.InsertWebhookParams{
		ID: id, AgentID: agentID, Mode: mode, LoopID: loopID, SubjectID: "", Style: Reviews.name, Name: strings.TrimSpace(in.Name), Url: in.URL,
		Events: events, Secret: sealed, Enabled: in.Enabled == nil || *in.Enabled, CreatedAt: store.Micros(tx.Now()),
	})
	if err != nil {
		return out, err
	}
	row, err := tx.FindWebhook(ctx, id)
	out.Webhook, out.ID, out.Secret = webhookView(row), id, plain
	account.MarkTest(&out.Sandboxed, mode)
	return out, err
}

// hookLoop is the one loop that a webhook is about, if it is about one.
func (s *Service) hookLoop(ctx context.Context, tx *store.Tx, in schemas.CreateWebhookRequest) (sql.NullString, error) {
	switch {
	case in.Type != "" && in.Type != "global" && in.Type != "loop":
		return sql.NullString{}, schemas.Invalid("type", fmt.Sprintf("must be global or left out; got %.40q. Name a loop with loop_id", in.Type))
	case in.Type == "global" && in.LoopID != "":
		return sql.NullString{}, schemas.Invalid("loop_id", "does not go with type global; leave out one of them")
	case in.Type == "loop" && in.LoopID == "":
		return sql.NullString{}, schemas.Invalid("loop_id", "must name the loop when type is loop")
	case in.LoopID == "":
		return sql.NullString{}, nil
	}
	id, err := s.config.Loop(ctx, tx, in.LoopID)
	return sql.NullString{String: id, Valid: err == nil}, err
}

func (s *Service) patterns(ctx context.Context, tx *store.Tx, list []string) (string, error) {
	checked, err := Patterns(list, func(name string) (string, error) { return s.config.Loop(ctx, tx, name) })
	if err != nil {
		return "", err
	}
	raw, err := json.Marshal(checked)
	return string(raw), err
}

// hookSecret is the secret to show and the same, sealed.
func (s *Service) hookSecret(webhookID, given string) (plain, sealed string, err error) {
	var p check.Problems
	if p.Length("secret", given, MaxSecret); len(p) > 0 {
		return "", "", p.Err()
	}
	if given == "" {
		given = ident.Secret("whsec_")
	}
	sealed, err = s.config.Sealer.Seal(Purpose, webhookID, given)
	return given, sealed, err
}

// mayAddWebhook counts under a lock, so that two calls at once do not pass the limit.
func mayAddWebhook(ctx context.Context, tx *store.Tx, agentID, mode string) (err error) {
	if agentID == "" {
		err = account.LockOwners(ctx, tx)
	} else {
		_, err = account.LockAgent(ctx, tx, agentID)
	}
	if err != nil {
		return err
	}
	n, err := tx.CountWebhooks(ctx, db.CountWebhooksParams{AgentID: agentID, Mode: mode})
	if err == nil && n >= maxWebhooks {
		return schemas.NewError(schemas.CodeUnprocessable, fmt.Sprintf("There are %d webhooks already, which is the most. Delete one that is not used any more, then try again.", maxWebhooks))
	}
	return err
}

// ListWebhooks lists the caller's webhooks, oldest first.
func (s *Service) ListWebhooks(ctx context.Context, tx *store.Tx, _ schemas.Empty) (schemas.WebhookList, error) {
	agentID, mode := hookOwner(ctx)
	rows, err := tx.ListWebhooks(ctx, db.ListWebhooksParams{AgentID: agentID, Mode: mode})
	out := schemas.WebhookList{Webhooks: make([]schemas.Webhook, 0, len(rows)), Count: len(rows)}
	for _, w := range rows {
		out.Webhooks = append(out.Webhooks, webhookView(w))
	}
	account.MarkTest(&out.Sandboxed, mode)
	return out, err
}

// GetWebhook gives one, without its secret.
func (s *Service) GetWebhook(ctx context.Context, tx *store.Tx, in schemas.WebhookRequest) (out schemas.WebhookAnswer, err error) {
	w, err := ownWebhook(ctx, in.WebhookID, tx.FindWebhook)
	if err != nil {
		return out, err
	}
	out.Webhook = webhookView(w)
	account.MarkTest(&out.Sandboxed, w.Mode)
	return out, nil
}

// ownWebhook finds a webhook of the caller's by its id, or the callback of a task or
// request by the id of that.
func ownWebhook(ctx context.Context, id string, find func(context.Context, string) (db.Webhook, error)) (db.Webhook, error) {
	agentID, mode := hookOwner(ctx)
	w, err := find(ctx, id)
	if store.NotFound(err) || err == nil && (w.AgentID != agentID || w.Mode != mode) {
		return w, noWebhook()
	}
	return w, err
}

// UpdateWebhook changes what is given. A new secret is shown only here; switching a
// webhook on again forgives its failures.
func (s *Service) UpdateWebhook(ctx context.Context, tx *store.Tx, in schemas.UpdateWebhookRequest) (out schemas.WebhookAnswer, err error) {
	w, err := ownWebhook(ctx, in.WebhookID, tx.LockWebhook)
	if err != nil {
		return out, err
	}
	if w.SubjectID != "" {
		return out, schemas.Against("", "This is the callback of "+w.SubjectID+" and changes with that alone. Give a request another callback_url, or make a webhook of your own.")
	}
	if err := s.changeWebhook(ctx, tx, &w, in); err != nil {
		return out, err
	}
	if in.RotateSecret {
		w.FormerSecret, w.FormerUntil = w.Secret, store.Micros(tx.Now().Add(formerSecret))
		if out.Secret, w.Secret, err = s.hookSecret(w.ID, ""); err != nil {
			return out, err
		}
	}
	w.UpdatedAt = store.Micros(tx.Now())
	err = tx.UpdateWebhook(ctx, db.UpdateWebhookParams{
		ID: w.ID, Url: w.Url, Events: w.Events, Name: w.Name, Enabled: w.Enabled, Failures: w.Failures,
		Secret: w.Secret, FormerSecret: w.FormerSecret, FormerUntil: w.FormerUntil, UpdatedAt: w.UpdatedAt,
	})
	out.Webhook = webhookView(w)
	account.MarkTest(&out.Sandboxed, w.Mode)
	return out, err
}

func (s *Service) changeWebhook(ctx context.Context, tx *store.Tx, w *db.Webhook, in schemas.UpdateWebhookRequest) (err error) {
	if in.URL == nil && in.Events == nil && in.Enabled == nil && in.Name == nil && !in.RotateSecret {
		return schemas.NewError(schemas.CodeInvalid, "At least one field must be provided for update")
	}
	if in.URL != nil {
		if err := CheckAddress("url", *in.URL, s.config.AllowPrivate); err != nil {
			return err
		}
		w.Url = *in.URL
	}
	if in.Events != nil {
		if w.Events, err = s.patterns(ctx, tx, *in.Events); err != nil {
			return err
		}
	}
	if in.Name != nil {
		w.Name = strings.TrimSpace(*in.Name)
	}
	if in.Enabled != nil {
		if *in.Enabled && !w.Enabled {
			w.Failures = 0
		}
		w.Enabled = *in.Enabled
	}
	return nil
}

// DeleteWebhook ends a webhook, with its log and what was still on its way.
func (s *Service) DeleteWebhook(ctx context.Context, tx *store.Tx, in schemas.WebhookRequest) (out schemas.WebhookDeleted, err error) {
	w, err := ownWebhook(ctx, in.WebhookID, tx.LockWebhook)
	if err != nil {
		return out, err
	}
	if err := tx.DeleteDeliveriesOf(ctx, w.ID); err != nil {
		return out, err
	}
	out = schemas.WebhookDeleted{WebhookID: w.ID, DeletedAt: tx.Now()}
	account.MarkTest(&out.Sandboxed, w.Mode)
	return out, tx.DeleteWebhook(ctx, w.ID)
}

// TestWebhook sends a webhook.test event now, in no transaction, and tells how it went. A
// webhook that is switched off can be tested too.
func (s *Service) TestWebhook(ctx context.Context, in schemas.WebhookRequest) (out schemas.WebhookTested, err error) {
	var w db.Webhook
	err = s.config.Store.Read(ctx, func(tx *store.Tx) (err error) {
		w, err = ownWebhook(ctx, in.WebhookID, tx.FindWebhook)
		return err
	})
	if err != nil {
		return out, err
	}
	now := s.config.Clock.Now().UTC()
	body, err := json.Marshal(map[string]any{
		"event": Test, "event_id": ident.New("ev_"), "timestamp": now, "created_at": now,
		"data": map[string]any{"webhook_id": w.ID, "message": "This is a test. Nothing happened to any request."},
	})
	if err != nil {
		return out, err
	}
	result, err := s.Try(ctx, w, Test, body)
	if err != nil {
		return out, err
	}
	out = schemas.WebhookTested{
		WebhookID: w.ID, Delivered: result.Delivered(), StatusCode: result.StatusCode, Error: result.Error, DurationMs: result.Duration.Milliseconds(),
	}
	account.MarkTest(&out.Sandboxed, w.Mode)
	return out, nil
}

var deliveryPages = keyset.List{From: keyset.Newest, Usual: 50, Lenient: true, Refusal: schemas.WrongPage}

// ListDeliveries pages a webhook's log, newest first.
func (s *Service) ListDeliveries(ctx context.Context, tx *store.Tx, in schemas.ListDeliveriesRequest) (out schemas.DeliveryList, err error) {
	w, err := ownWebhook(ctx, in.WebhookID, tx.FindWebhook)
	if err != nil {
		return out, err
	}
	page, err := deliveryPages.Window(schemas.PageRequest{Limit: in.Limit, Cursor: in.Cursor})
	if err != nil {
		return out, err
	}
	rows, err := tx.ListDeliveries(ctx, db.ListDeliveriesParams{WebhookID: w.ID, Before: page.At.Time, BeforeID: page.At.ID, MaxRows: int32(page.Limit + 1)})
	rows, out.NextCursor = keyset.Cut(page, rows, func(d db.WebhookDelivery) keyset.Position { return keyset.At(d.CreatedAt, d.ID) })
	out.Deliveries, out.Count = make([]schemas.Delivery, 0, len(rows)), len(rows)
	for _, d := range rows {
		out.Deliveries = append(out.Deliveries, deliveryView(d))
	}
	account.MarkTest(&out.Sandboxed, w.Mode)
	return out, err
}

// Redeliver sends a delivery again: the same id and bytes, the schedule from its start.
func (s *Service) Redeliver(ctx context.Context, tx *store.Tx, in schemas.DeliveryRequest) (out schemas.DeliveryAnswer, err error) {
	w, err := ownWebhook(ctx, in.WebhookID, tx.LockWebhook)
	if err != nil {
		return out, err
	}
	d, err := tx.LockDelivery(ctx, db.LockDeliveryParams{ID: in.DeliveryID, WebhookID: w.ID})
	switch {
	case store.NotFound(err):
		return out, schemas.NewError(schemas.CodeNotFound, "Delivery not found")
	case err != nil:
		return out, err
	case d.State == "waiting":
		return out, &schemas.Error{Code: schemas.CodeConflict, State: d.State, Message: "The delivery is still on its way: it will be tried again by itself. Look at the log later."}
	case !w.Enabled && w.SubjectID != "":
		return out, &schemas.Error{Code: schemas.CodeConflict, State: "disabled", Message: "The request has no callback address any more. Give it one as its callback_url while it is open, then deliver again."}
	case !w.Enabled:
		return out, &schemas.Error{Code: schemas.CodeConflict, State: "disabled", Message: "The webhook is switched off. Switch it on with PATCH {\"enabled\": true}, then deliver again."}
	}
	if err := Again(ctx, tx, d.ID, w); err != nil {
		return out, err
	}
	d.State, d.LastError, d.DeliveredAt = "waiting", "", 0
	out.Delivery = deliveryView(d)
	account.MarkTest(&out.Sandboxed, w.Mode)
	return out, nil
}

func webhookView(w db.Webhook) schemas.Webhook {
	v := schemas.Webhook{
		ID: w.ID, Name: w.Name, URL: w.Url, LoopID: w.LoopID.String, Enabled: w.Enabled, Failures: int(w.Failures),
		CreatedAt: store.Time(w.CreatedAt), UpdatedAt: store.Time(w.UpdatedAt),
	}
	if json.Unmarshal([]byte(w.Events), &v.Events) != nil {
		v.Events = nil // damaged: better none than an error on every list
	}
	return v
}

func deliveryView(d db.WebhookDelivery) schemas.Delivery {
	return schemas.Delivery{
		ID: d.ID, Event: d.Event, RequestID: d.SubjectID, State: d.State, Attempts: int(d.Attempts), StatusCode: int(d.StatusCode),
		LastError: d.LastError, Body: json.RawMessage(d.Body), CreatedAt: store.Time(d.CreatedAt), DeliveredAt: store.TimePointer(d.DeliveredAt),
	}
}

// tellSwitchedOff tells the owners that a webhook's address did not answer for too long.
func tellSwitchedOff(ctx context.Context, tx *store.Tx, w db.Webhook) error {
	host := ""
	if u, err := url.Parse(w.Url); err == nil {
		host = u.Hostname()
	}
	whose := "one of yours"
	if w.AgentID != "" {
		agent, err := account.Agent(ctx, tx, w.AgentID)
		if err != nil {
			return err
		}
		whose = "of the agent " + agent.Name
	}
	return notify.Kind.Enqueue(ctx, tx, notify.Letter{
		ToOwner: true, Kind: "webhook.off", Subject: "Webhook switched off: " + host,
		Body: fmt.Sprintf("The webhook %s (%s, to %s) was switched off after %d deliveries in a row were given up. "+
			"See its log for why, then switch it on again and deliver what was missed.", w.ID, whose, host, w.Failures),
	}, job.Options{Owner: w.AgentID, Priority: job.PriorityOf(w.Mode)})
}
