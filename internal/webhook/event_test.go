package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/internal/webhook"
)

const (
	loopID   = "aaaaaaaaaaaaaaaaaaaaaaaa"
	reviewID = "bbbbbbbbbbbbbbbbbbbbbbbb"
)

// house is a store with an agent, a loop, and a runner that delivers events.
type house struct {
	*world
	*webhook.Service
	off []string // webhooks that were switched off
}

func newHouse(t *testing.T, s *store.Store, clk *clock.Fake, allowPrivate bool) *house {
	h := &house{world: &world{store: s, clock: clk, log: &bytes.Buffer{}}}
	log := slog.New(slog.NewTextHandler(h.log, nil))
	h.runner = job.NewRunner(s, clk, log)
	h.Service = webhook.New(webhook.Config{
		Sealer: sealer, AllowPrivate: allowPrivate, Clock: clk, Store: s,
		SwitchedOff: func(_ context.Context, _ *store.Tx, w db.Webhook) error { h.off = append(h.off, w.ID); return nil },
	}, log)
	h.RegisterJobs(h.runner)
	h.write(t, insertAgent)
	storetest.Exec(t, s, "INSERT INTO people (id, name, name_key, created_at) VALUES ('op_1', 'Olga', 'olga', 1)")
	storetest.Exec(t, s, "INSERT INTO loops (id, slug, agent_id, mode, creator_id, name, created_at, updated_at) VALUES ('"+loopID+"', 'l', 'ag_1', 'live', 'op_1', 'L', 1, 1)")
	return h
}

func (h *house) write(t *testing.T, unit func(ctx context.Context, tx *store.Tx) error) {
	t.Helper()
	require.NoError(t, h.store.Write(t.Context(), func(tx *store.Tx) error { return unit(t.Context(), tx) }))
}

func (h *house) subscribe(t *testing.T, w db.InsertWebhookParams) {
	t.Helper()
	secret, err := sealer.Seal(webhook.Purpose, w.ID, "whsec-"+w.ID)
	require.NoError(t, err)
	w.Secret, w.Enabled, w.Style = secret, true, "reviews"
	if w.Mode == "" {
		w.Mode = "live"
	}
	if w.Events == "" {
		w.Events = `["*"]`
	}
	h.write(t, func(ctx context.Context, tx *store.Tx) error { return tx.InsertWebhook(ctx, w) })
}

const payload = `{"event":"request.completed","z":1,"a":{"request_id":"` + reviewID + `"}}`

func (h *house) announce(t *testing.T, e webhook.Event) {
	t.Helper()
	if e.ID == "" {
		e.ID = "ev_1"
	}
	if e.Name == "" {
		e.Name = "request.completed"
	}
	if e.Mode == "" {
		e.Mode = "live"
	}
	e.SubjectID, e.LoopID, e.Public = reviewID, loopID, true
	e.Body = func() ([]byte, error) { return []byte(payload), nil }
	h.write(t, func(ctx context.Context, tx *store.Tx) error { return webhook.Announce(ctx, tx, e) })
}

func (h *house) deliveries(t *testing.T, webhookID string) (list []db.WebhookDelivery) {
	t.Helper()
	h.write(t, func(ctx context.Context, tx *store.Tx) (err error) {
		list, err = tx.ListDeliveries(ctx, db.ListDeliveriesParams{WebhookID: webhookID, Before: 1 << 60, MaxRows: 100})
		return err
	})
	return list
}

func (h *house) webhook(t *testing.T, id string) (w db.Webhook) {
	t.Helper()
	h.write(t, func(ctx context.Context, tx *store.Tx) (err error) {
		w, err = tx.FindWebhook(ctx, id)
		return err
	})
	return w
}

func each(t *testing.T, name string, test func(t *testing.T, h *house)) {
	t.Run(name, func(t *testing.T) {
		storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) { test(t, newHouse(t, s, clk, true)) })
	})
}

func TestEvent(t *testing.T) {
	each(t, "goes out as it was written, with every header", func(t *testing.T, h *house) {
		r := receive(t)
		h.subscribe(t, db.InsertWebhookParams{ID: "wh_1", AgentID: "ag_1", Url: r.url})
		h.announce(t, webhook.Event{AgentID: "ag_1"})
		h.clock.Advance(time.Minute)
		h.run(t)
		require.Len(t, r.all(), 1)
		got := r.all()[0]
		require.Equal(t, payload, got.body)
		mark := mac("whsec-wh_1", payload)
		require.Equal(t, mark, got.header.Get("X-HITL-Signature"))
		require.Equal(t, "sha256="+mark, got.header.Get("X-HITL-Signature-256"))
		require.Equal(t, "2026-03-02T09:01:00Z", got.header.Get("X-HITL-Timestamp"))
		require.Equal(t, mac("whsec-wh_1", "2026-03-02T09:01:00Z."+payload), got.header.Get("X-HITL-Signature-V2"))
		require.Equal(t, "request.completed", got.header.Get("X-HITL-Event"))
		require.Equal(t, "application/json", got.header.Get("Content-Type"))
		require.Empty(t, got.header.Get("X-HITL-Signature-Former"))
		d := h.deliveries(t, "wh_1")[0]
		require.Equal(t, d.ID, got.header.Get("X-HITL-Delivery"))
		require.Equal(t, []any{"delivered", int64(1), int64(200), store.Micros(h.clock.Now())}, []any{d.State, d.Attempts, d.StatusCode, d.DeliveredAt})
	})

	each(t, "reaches whom it concerns, each once", func(t *testing.T, h *house) {
		r := receive(t)
		h.write(t, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.InsertAgent(ctx, db.InsertAgentParams{ID: "ag_2", Name: "b", Tier: "HOUSE", Email: "b", EmailKey: "b"})
			return err
		})
		h.subscribe(t, db.InsertWebhookParams{ID: "wh_own", AgentID: "ag_1", Url: r.url})
		h.subscribe(t, db.InsertWebhookParams{ID: "wh_test", AgentID: "ag_1", Mode: "test", Url: r.url})
		h.subscribe(t, db.InsertWebhookParams{ID: "wh_other", AgentID: "ag_2", Url: r.url})
		h.subscribe(t, db.InsertWebhookParams{ID: "wh_owner", Url: r.url})
		h.subscribe(t, db.InsertWebhookParams{ID: "wh_picky", AgentID: "ag_1", Url: r.url, Events: `["loop.*"]`})
		told := func() (ids []string) {
			for _, id := range []string{"wh_own", "wh_test", "wh_other", "wh_owner", "wh_picky"} {
				if len(h.deliveries(t, id)) > 0 {
					ids = append(ids, id)
				}
			}
			return ids
		}
		h.announce(t, webhook.Event{AgentID: "ag_1"})
		h.announce(t, webhook.Event{AgentID: "ag_1"})
		require.Equal(t, []string{"wh_own", "wh_owner"}, told())
		h.run(t)
		require.Len(t, r.all(), 2, "the same event is one delivery to each")
		h.announce(t, webhook.Event{ID: "ev_2", AgentID: "ag_1", Mode: "test"})
		require.Equal(t, []string{"wh_own", "wh_test", "wh_owner"}, told())
	})

	each(t, "is not even written when nobody listens", func(t *testing.T, h *house) {
		h.write(t, func(ctx context.Context, tx *store.Tx) error {
			return webhook.Announce(ctx, tx, webhook.Event{ID: "ev_1", Name: "request.created", SubjectID: reviewID, AgentID: "ag_1", Mode: "live", Own: true, Public: true})
		})
	})
}

func TestRetries(t *testing.T) {
	each(t, "follow the contract's schedule under one id, and end", func(t *testing.T, h *house) {
		r := receive(t, 500, 502, 503, 408, 429, 500, 302, 500, 200)
		h.subscribe(t, db.InsertWebhookParams{ID: "wh_1", AgentID: "ag_1", Url: r.url})
		h.announce(t, webhook.Event{AgentID: "ag_1"})
		h.run(t)
		for i, pause := range []time.Duration{15 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 12 * time.Hour, 24 * time.Hour} {
			require.Len(t, r.all(), i+1)
			h.clock.Advance(pause - time.Second)
			h.run(t)
			require.Len(t, r.all(), i+1, "not before %s are over", pause)
			h.clock.Advance(time.Second)
			h.run(t)
		}
		require.Len(t, r.all(), 8)
		h.clock.Advance(48 * time.Hour)
		h.run(t)
		require.Len(t, r.all(), 8)
		d := h.deliveries(t, "wh_1")[0]
		require.Equal(t, []any{"failed", int64(8), int64(500)}, []any{d.State, d.Attempts, d.StatusCode})
		require.Contains(t, d.LastError, "it answered 500")
		require.NotContains(t, d.LastError+h.log.String(), "in-the-query")
		for _, got := range r.all() {
			require.Equal(t, d.ID, got.header.Get("X-HITL-Delivery"))
			require.Equal(t, payload, got.body)
		}
		require.EqualValues(t, 1, h.webhook(t, "wh_1").Failures)
	})

	each(t, "do not follow a refusal", func(t *testing.T, h *house) {
		r := receive(t, 410, 200)
		h.subscribe(t, db.InsertWebhookParams{ID: "wh_1", AgentID: "ag_1", Url: r.url})
		h.announce(t, webhook.Event{AgentID: "ag_1"})
		h.run(t)
		h.clock.Advance(48 * time.Hour)
		h.run(t)
		require.Len(t, r.all(), 1)
		require.Equal(t, "failed", h.deliveries(t, "wh_1")[0].State)

		t.Run("until somebody asks for it again", func(t *testing.T) {
			d := h.deliveries(t, "wh_1")[0]
			h.write(t, func(ctx context.Context, tx *store.Tx) error {
				return webhook.Again(ctx, tx, d.ID, db.Webhook{Url: r.url})
			})
			h.run(t)
			require.Len(t, r.all(), 2)
			require.Equal(t, r.all()[0].header.Get("X-HITL-Delivery"), r.all()[1].header.Get("X-HITL-Delivery"))
			again := h.deliveries(t, "wh_1")[0]
			require.Equal(t, []any{"delivered", int64(2)}, []any{again.State, again.Attempts})
			require.Zero(t, h.webhook(t, "wh_1").Failures, "a success forgives")
		})
	})

	each(t, "end with the webhook", func(t *testing.T, h *house) {
		r := receive(t, 500, 200, 200)
		h.subscribe(t, db.InsertWebhookParams{ID: "wh_1", AgentID: "ag_1", Url: r.url})
		h.announce(t, webhook.Event{AgentID: "ag_1"})
		h.run(t)
		storetest.Exec(t, h.store, "UPDATE webhooks SET enabled = FALSE")
		h.clock.Advance(time.Minute)
		h.run(t)
		require.Len(t, r.all(), 1)
		d := h.deliveries(t, "wh_1")[0]
		require.Equal(t, "failed", d.State)
		require.Contains(t, d.LastError, "switched off")
		require.Empty(t, h.off)
	})
}

func TestTwentyInARow(t *testing.T) {
	each(t, "switch a webhook off, once", func(t *testing.T, h *house) {
		statuses := make([]int, 30)
		for i := range statuses {
			statuses[i] = http.StatusNotFound
		}
		r := receive(t, statuses...)
		h.subscribe(t, db.InsertWebhookParams{ID: "wh_1", AgentID: "ag_1", Url: r.url})
		for i := range 22 {
			h.announce(t, webhook.Event{ID: fmt.Sprint("ev_", i), AgentID: "ag_1"})
			require.Equal(t, i < 20, h.webhook(t, "wh_1").Enabled, i)
			h.run(t)
		}
		require.Len(t, r.all(), 20)
		require.Equal(t, []string{"wh_1"}, h.off)
		require.EqualValues(t, 20, h.webhook(t, "wh_1").Failures)
	})
}

func TestRotation(t *testing.T) {
	each(t, "signs with both secrets until the former one ends", func(t *testing.T, h *house) {
		r := receive(t)
		h.subscribe(t, db.InsertWebhookParams{ID: "wh_1", AgentID: "ag_1", Url: r.url})
		fresh, err := sealer.Seal(webhook.Purpose, "wh_1", "fresh")
		require.NoError(t, err)
		w := h.webhook(t, "wh_1")
		h.write(t, func(ctx context.Context, tx *store.Tx) error {
			return tx.UpdateWebhook(ctx, db.UpdateWebhookParams{
				ID: w.ID, Url: w.Url, Events: w.Events, Enabled: true, Secret: fresh, FormerSecret: w.Secret, FormerUntil: store.Micros(tx.Now().Add(24 * time.Hour)),
			})
		})
		h.announce(t, webhook.Event{ID: "ev_1", AgentID: "ag_1"})
		h.run(t)
		h.clock.Advance(24 * time.Hour)
		h.announce(t, webhook.Event{ID: "ev_2", AgentID: "ag_1"})
		h.run(t)
		first, second := r.all()[0].header, r.all()[1].header
		require.Equal(t, mac("fresh", payload), first.Get("X-HITL-Signature"))
		require.Equal(t, mac("whsec-wh_1", payload), first.Get("X-HITL-Signature-Former"))
		require.Equal(t, "sha256="+mac("whsec-wh_1", payload), first.Get("X-HITL-Signature-256-Former"))
		require.Equal(t, mac("fresh", payload), second.Get("X-HITL-Signature"))
		require.Empty(t, second.Get("X-HITL-Signature-Former"))
	})

	each(t, "never sends unsigned when a secret cannot be opened", func(t *testing.T, h *house) {
		r := receive(t)
		h.subscribe(t, db.InsertWebhookParams{ID: "wh_1", AgentID: "ag_1", Url: r.url})
		storetest.Exec(t, h.store, "UPDATE webhooks SET secret = 'v1.00000000.AAAA'")
		h.announce(t, webhook.Event{AgentID: "ag_1"})
		for range 10 {
			h.run(t)
			h.clock.Advance(time.Hour)
		}
		require.Empty(t, r.all())
		require.Equal(t, "failed", h.deliveries(t, "wh_1")[0].State)
	})
}

// callback keeps the address of one subject.
func (h *house) callback(t *testing.T, subjectID, address, secret string, style webhook.Style) {
	t.Helper()
	h.write(t, func(ctx context.Context, tx *store.Tx) error {
		return h.Subscribe(ctx, tx, webhook.Callback{SubjectID: subjectID, AgentID: "ag_1", Mode: "live", URL: address, Secret: secret, Style: style})
	})
}

func TestCallback(t *testing.T) {
	each(t, "is told of outcomes only, and signed when there is a secret", func(t *testing.T, h *house) {
		r := receive(t)
		h.callback(t, reviewID, r.url, "mine", webhook.Reviews)
		for i, event := range []string{"request.created", "request.claimed", "request.escalated", "request.completed", "request.timeout", "request.cancelled"} {
			h.announce(t, webhook.Event{ID: fmt.Sprint("ev_", i), Name: event, AgentID: "ag_1", Own: i >= 3})
		}
		h.run(t)
		require.Len(t, r.all(), 3)
		require.Equal(t, mac("mine", payload), r.all()[0].header.Get("X-HITL-Signature"))
	})

	each(t, "is unsigned without a secret", func(t *testing.T, h *house) {
		r := receive(t, 500)
		h.callback(t, reviewID, r.url, "", webhook.Reviews)
		h.announce(t, webhook.Event{AgentID: "ag_1", Own: true})
		h.run(t)
		h.clock.Advance(15 * time.Second)
		h.run(t)
		require.Len(t, r.all(), 2)
		require.Empty(t, r.all()[1].header.Get("X-HITL-Signature"))
	})
}

func TestEventGuard(t *testing.T) {
	t.Run("lets nothing inside be called", func(t *testing.T) {
		storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
			h := newHouse(t, s, clk, false)
			r := receive(t)
			h.subscribe(t, db.InsertWebhookParams{ID: "wh_1", AgentID: "ag_1", Url: "https://127.0.0.1/"})
			h.subscribe(t, db.InsertWebhookParams{ID: "wh_2", AgentID: "ag_1", Url: r.url})
			h.announce(t, webhook.Event{AgentID: "ag_1"})
			h.run(t)
			require.Empty(t, r.all())
			require.Contains(t, h.deliveries(t, "wh_1")[0].LastError, "prohibited")
			require.Contains(t, h.deliveries(t, "wh_2")[0].LastError, "must begin with https")
		})
	})
	t.Run("tells nobody where names inside lead", func(t *testing.T) {
		storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
			h := newHouse(t, s, clk, false)
			h.subscribe(t, db.InsertWebhookParams{ID: "wh_1", AgentID: "ag_1", Url: "https://localhost/"})
			h.announce(t, webhook.Event{AgentID: "ag_1"})
			h.run(t)
			told := h.deliveries(t, "wh_1")[0].LastError
			require.Contains(t, told, "localhost")
			require.NotContains(t, told, "127.0.0.1")
			require.NotContains(t, told, "::1")
		})
	})
}

func TestSweep(t *testing.T) {
	each(t, "forgets deliveries after thirty days", func(t *testing.T, h *house) {
		r := receive(t)
		h.subscribe(t, db.InsertWebhookParams{ID: "wh_1", AgentID: "ag_1", Url: r.url})
		h.announce(t, webhook.Event{AgentID: "ag_1"})
		h.run(t)
		h.clock.Advance(29 * 24 * time.Hour)
		h.run(t)
		require.Len(t, h.deliveries(t, "wh_1"), 1)
		h.clock.Advance(2 * 24 * time.Hour)
		h.run(t)
		require.Empty(t, h.deliveries(t, "wh_1"))
	})
}

func TestTry(t *testing.T) {
	t.Run("tells at once how it went", func(t *testing.T) {
		h := newHouse(t, storetest.Open(t), clock.NewFake(storetest.Start), true)
		r := receive(t, 200, 418)
		h.subscribe(t, db.InsertWebhookParams{ID: "wh_1", AgentID: "ag_1", Url: r.url})
		body, err := json.Marshal(map[string]string{"event": webhook.Test})
		require.NoError(t, err)
		good, err := h.Try(t.Context(), h.webhook(t, "wh_1"), webhook.Test, body)
		require.NoError(t, err)
		require.True(t, good.Delivered())
		require.Equal(t, mac("whsec-wh_1", string(body)), r.all()[0].header.Get("X-HITL-Signature"))
		bad, err := h.Try(t.Context(), h.webhook(t, "wh_1"), webhook.Test, body)
		require.NoError(t, err)
		require.False(t, bad.Delivered())
		require.Equal(t, 418, bad.StatusCode)
		require.True(t, strings.HasSuffix(bad.Error, "it answered 418"))
		require.Empty(t, h.deliveries(t, "wh_1"))
	})
}
