package webhook_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/seal"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/internal/webhook"
	"humanops-mcp/schemas"
)

var sealer = seal.New(bytes.Repeat([]byte{7}, seal.KeySize))

type received struct {
	header http.Header
	body   string
}

// receiver is an agent's server, which answers with the next of its statuses.
type receiver struct {
	url string

	mu       sync.Mutex
	got      []received
	statuses []int
}

func receive(t *testing.T, statuses ...int) *receiver {
	r := &receiver{statuses: statuses}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, received{req.Header, string(body)})
		if len(r.statuses) == 0 {
			return
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(r.statuses[0])
		r.statuses = r.statuses[1:]
	}))
	t.Cleanup(server.Close)
	r.url = server.URL + "/hook?token=in-the-query"
	return r
}

func (r *receiver) all() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received(nil), r.got...)
}

// world is a store with a runner that sends callbacks.
type world struct {
	store  *store.Store
	clock  *clock.Fake
	runner *job.Runner
	log    *bytes.Buffer
}

func (w *world) run(t *testing.T) {
	_, err := w.runner.RunDue(t.Context())
	require.NoError(t, err)
}

func mac(secret, text string) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(text))
	return hex.EncodeToString(m.Sum(nil))
}

// task is one whose changes its agent hears of.
const task = "task_1"

// changed announces a change of a task as the task service does: to its own address.
func (h *house) changed(t *testing.T, taskID string) {
	t.Helper()
	h.write(t, func(ctx context.Context, tx *store.Tx) error {
		return webhook.Announce(ctx, tx, webhook.Event{
			ID: "ev_1", Name: "task.status_changed", SubjectID: taskID, AgentID: "ag_1", Mode: "live", Own: true,
			Body: func() ([]byte, error) { return []byte(taskBody), nil },
		})
	})
}

const taskBody = `{"event":"task.status_changed","task_id":"task_1","status":"SUBMITTED","previous_status":"IN_PROGRESS","timestamp":"2026-03-02T09:00:00Z"}`

// lastError is what the log of a task's deliveries says.
func (h *house) lastError(t *testing.T) string {
	t.Helper()
	list := storetest.Texts(t, h.store, "SELECT last_error FROM webhook_deliveries WHERE subject_id = $1", task)
	require.Len(t, list, 1)
	return list[0]
}

func lonely(t *testing.T, allowPrivate bool) *house {
	clk := clock.NewFake(storetest.Start)
	return newHouse(t, storetest.OpenAt(t, clk), clk, allowPrivate)
}

func TestDelivery(t *testing.T) {
	each(t, "carries the contract's body and both signatures", func(t *testing.T, h *house) {
		r := receive(t)
		h.callback(t, task, r.url, "whsec", webhook.Marketplace)
		h.changed(t, task)
		h.clock.Advance(time.Minute)
		h.run(t)
		require.Len(t, r.all(), 1)
		got := r.all()[0]
		require.Equal(t, taskBody, got.body)
		require.Equal(t, "application/json", got.header.Get("Content-Type"))
		require.Equal(t, "2026-03-02T09:01:00Z", got.header.Get("X-Timestamp"))
		require.Equal(t, "ev_1", got.header.Get("X-Delivery-Id"))
		require.Equal(t, mac("whsec", got.body), got.header.Get("X-Signature"))
		require.Equal(t, mac("whsec", "2026-03-02T09:01:00Z."+got.body), got.header.Get("X-Signature-V2"))
	})

	each(t, "is unsigned when the agent gave no secret", func(t *testing.T, h *house) {
		r := receive(t)
		h.callback(t, task, r.url, "", webhook.Marketplace)
		h.changed(t, task)
		h.run(t)
		require.Empty(t, r.all()[0].header.Get("X-Signature"))
		require.Empty(t, r.all()[0].header.Get("X-Signature-V2"))
	})

	each(t, "never goes out unsigned when the secret cannot be opened", func(t *testing.T, h *house) {
		r := receive(t)
		h.callback(t, "task_of_somebody_else", r.url, "whsec", webhook.Marketplace)
		h.callback(t, task, r.url, "whsec", webhook.Marketplace)
		storetest.Exec(t, h.store, "UPDATE webhooks SET secret = (SELECT o.secret FROM webhooks o WHERE o.subject_id = 'task_of_somebody_else')")
		h.changed(t, task)
		for range 10 {
			h.run(t)
			h.clock.Advance(time.Hour)
		}
		require.Empty(t, r.all())
		require.Contains(t, h.log.String(), "callback secret")
	})

	each(t, "keeps its id and time over retries", func(t *testing.T, h *house) {
		r := receive(t, 500)
		h.callback(t, task, r.url, "whsec", webhook.Marketplace)
		h.changed(t, task)
		h.run(t)
		h.clock.Advance(time.Minute)
		h.run(t)
		got := r.all()
		require.Len(t, got, 2)
		require.Equal(t, got[0].body, got[1].body)
		require.Contains(t, got[0].body, `"timestamp":"2026-03-02T09:00:00Z"`)
		require.NotEmpty(t, got[0].header.Get("X-Delivery-Id"))
		require.Equal(t, got[0].header.Get("X-Delivery-Id"), got[1].header.Get("X-Delivery-Id"))
		require.NotEqual(t, got[0].header.Get("X-Timestamp"), got[1].header.Get("X-Timestamp"))
		require.Equal(t, mac("whsec", got[1].header.Get("X-Timestamp")+"."+got[1].body), got[1].header.Get("X-Signature-V2"))
	})

	each(t, "is not written when the task has no address", func(t *testing.T, h *house) {
		h.callback(t, task, "", "", webhook.Marketplace)
		h.changed(t, task)
		h.run(t)
		require.Empty(t, h.log.String())
		require.Empty(t, storetest.Texts(t, h.store, "SELECT id FROM webhook_deliveries"))
	})

	each(t, "is tried eight times and then given up", func(t *testing.T, h *house) {
		r := receive(t, 500, 404, 302, 500, 429, 500, 500, 500, 200)
		h.callback(t, task, r.url, "", webhook.Marketplace)
		h.changed(t, task)
		for range 12 {
			h.run(t)
			h.clock.Advance(24 * time.Hour)
		}
		require.Len(t, r.all(), 8, "a redirect is not followed either")
		require.Contains(t, h.log.String(), "could not be delivered")
		require.NotContains(t, h.log.String(), "in-the-query")
	})

	each(t, "goes where its agent moved the address to meanwhile, or nowhere", func(t *testing.T, h *house) {
		first, second := receive(t, 500), receive(t, 500)
		h.callback(t, task, first.url, "whsec", webhook.Marketplace)
		h.changed(t, task)
		h.run(t)
		move := func(address string) {
			h.write(t, func(ctx context.Context, tx *store.Tx) error {
				return h.Resubscribe(ctx, tx, webhook.Callback{SubjectID: task, AgentID: "ag_1", Mode: "live", URL: address, Style: webhook.Marketplace})
			})
			h.clock.Advance(time.Hour)
			h.run(t)
		}
		move(second.url)
		require.Len(t, second.all(), 1)
		require.Equal(t, mac("whsec", second.all()[0].body), second.all()[0].header.Get("X-Signature"))
		move("")
		require.Len(t, first.all(), 1)
		require.Len(t, second.all(), 1)
	})

	each(t, "is read, sent again and ended by the task's id", func(t *testing.T, h *house) {
		r := receive(t, 500, 500, 500, 500, 500, 500, 500, 500)
		h.callback(t, task, r.url, "whsec", webhook.Marketplace)
		h.changed(t, task)
		for range 8 {
			h.run(t)
			h.clock.Advance(24 * time.Hour)
		}
		as := func(agent string) context.Context {
			return account.With(t.Context(), account.Caller{AgentID: agent, Mode: account.Live})
		}
		var log schemas.DeliveryList
		list := func(ctx context.Context) error {
			return h.store.Read(ctx, func(tx *store.Tx) (err error) {
				log, err = h.ListDeliveries(ctx, tx, schemas.ListDeliveriesRequest{WebhookID: task})
				return err
			})
		}
		require.Equal(t, schemas.CodeNotFound, schemas.ErrorCode(list(as("ag_2"))), "it is its agent's")
		require.NoError(t, list(as("ag_1")))
		require.Len(t, log.Deliveries, 1)
		require.Equal(t, []any{"failed", 8, 500}, []any{log.Deliveries[0].State, log.Deliveries[0].Attempts, log.Deliveries[0].StatusCode})
		write := func(call func(ctx context.Context, tx *store.Tx) error) error {
			return h.store.Write(as("ag_1"), func(tx *store.Tx) error { return call(as("ag_1"), tx) })
		}
		require.NoError(t, write(func(ctx context.Context, tx *store.Tx) error {
			_, err := h.Redeliver(ctx, tx, schemas.DeliveryRequest{WebhookID: task, DeliveryID: log.Deliveries[0].ID})
			return err
		}))
		h.run(t)
		require.Len(t, r.all(), 9)
		require.NoError(t, list(as("ag_1")))
		require.Equal(t, "delivered", log.Deliveries[0].State)
		err := write(func(ctx context.Context, tx *store.Tx) error {
			_, err := h.UpdateWebhook(ctx, tx, schemas.UpdateWebhookRequest{WebhookID: task, RotateSecret: true})
			return err
		})
		require.ErrorContains(t, err, "changes with that alone")
		require.NoError(t, write(func(ctx context.Context, tx *store.Tx) error {
			_, err := h.DeleteWebhook(ctx, tx, schemas.WebhookRequest{WebhookID: task})
			return err
		}))
		h.changed(t, task)
		h.run(t)
		require.Len(t, r.all(), 9)
	})

	each(t, "is never switched off, since nobody could switch it on again", func(t *testing.T, h *house) {
		refusals := make([]int, 25)
		for i := range refusals {
			refusals[i] = 410
		}
		r := receive(t, refusals...)
		h.callback(t, task, r.url, "", webhook.Reviews)
		for i := range refusals {
			h.write(t, func(ctx context.Context, tx *store.Tx) error {
				return webhook.Announce(ctx, tx, webhook.Event{
					ID: fmt.Sprint("ev_many_", i), Name: "task.status_changed", SubjectID: task, AgentID: "ag_1", Mode: "live", Own: true,
					Body: func() ([]byte, error) { return []byte(taskBody), nil },
				})
			})
			h.run(t)
		}
		require.Len(t, r.all(), 25)
		require.Empty(t, h.off)
		h.changed(t, task)
		h.run(t)
		require.Len(t, r.all(), 26)
	})

	each(t, "cannot be sent again without an address, and says how to give it one", func(t *testing.T, h *house) {
		r := receive(t, 410)
		h.callback(t, reviewID, r.url, "", webhook.Reviews)
		h.announce(t, webhook.Event{AgentID: "ag_1", Own: true})
		h.run(t)
		h.write(t, func(ctx context.Context, tx *store.Tx) error {
			return h.Resubscribe(ctx, tx, webhook.Callback{SubjectID: reviewID, AgentID: "ag_1", Mode: "live", Style: webhook.Reviews})
		})
		ctx := account.With(t.Context(), account.Caller{AgentID: "ag_1", Mode: account.Live})
		err := h.store.Write(ctx, func(tx *store.Tx) error {
			log, err := h.ListDeliveries(ctx, tx, schemas.ListDeliveriesRequest{WebhookID: reviewID})
			if err != nil {
				return err
			}
			_, err = h.Redeliver(ctx, tx, schemas.DeliveryRequest{WebhookID: reviewID, DeliveryID: log.Deliveries[0].ID})
			return err
		})
		require.Equal(t, schemas.CodeConflict, schemas.ErrorCode(err))
		require.ErrorContains(t, err, "callback_url")
		require.NotContains(t, err.Error(), "PATCH")
	})

	t.Run("keeps the address out of the log when nobody answers", func(t *testing.T) {
		h := lonely(t, true)
		server := httptest.NewServer(http.NotFoundHandler())
		server.Close()
		h.callback(t, task, server.URL+"/hook?token=in-the-query", "", webhook.Marketplace)
		h.changed(t, task)
		h.run(t)
		require.Contains(t, h.lastError(t), "send a callback to 127.0.0.1")
		require.NotContains(t, h.lastError(t)+h.log.String(), "in-the-query")
	})

	t.Run("reads no more than it must of a large answer", func(t *testing.T) {
		h := lonely(t, true)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, strings.Repeat("x", 10<<20))
		}))
		defer server.Close()
		h.callback(t, task, server.URL, "", webhook.Marketplace)
		h.changed(t, task)
		h.run(t)
		require.Empty(t, h.log.String())
		require.Empty(t, h.lastError(t))
	})
}

func TestGuard(t *testing.T) {
	t.Run("lets nothing inside be called", func(t *testing.T) {
		for _, url := range []string{
			"https://127.0.0.1/", "https://localhost/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://0.0.0.0/",
			"https://10.0.0.1/", "https://192.168.1.1/", "https://169.254.169.254/latest/meta-data", "https://100.64.0.1/", "https://[fd00::1]/",
		} {
			h := lonely(t, false)
			h.callback(t, task, url, "", webhook.Marketplace)
			h.changed(t, task)
			h.run(t)
			require.Contains(t, h.lastError(t), "prohibited", url)
		}
	})

	t.Run("lets a local server hear nothing, by http or https", func(t *testing.T) {
		reached := false
		handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true })
		plain, secure := httptest.NewServer(handler), httptest.NewTLSServer(handler)
		defer plain.Close()
		defer secure.Close()
		h := lonely(t, false)
		h.callback(t, task, plain.URL, "", webhook.Marketplace)
		h.changed(t, task)
		h.run(t)
		require.Contains(t, h.lastError(t), "must begin with https")
		h = lonely(t, false)
		h.callback(t, task, secure.URL, "", webhook.Marketplace)
		h.changed(t, task)
		h.run(t)
		require.Contains(t, h.lastError(t), "prohibited port")
		require.False(t, reached)
	})
}

func insertAgent(ctx context.Context, tx *store.Tx) error {
	_, err := tx.InsertAgent(ctx, db.InsertAgentParams{ID: "ag_1", Name: "a", Tier: "HOUSE"})
	return err
}
