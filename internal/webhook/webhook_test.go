package webhook_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/seal"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/internal/webhook"
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

func newWorld(t *testing.T, allowPrivate bool) *world {
	clk := clock.NewFake(storetest.Start)
	w := &world{store: storetest.OpenAt(t, clk), clock: clk, log: &bytes.Buffer{}}
	log := slog.New(slog.NewTextHandler(w.log, nil))
	w.runner = job.NewRunner(w.store, clk, log)
	webhook.New(webhook.Config{Sealer: sealer, AllowPrivate: allowPrivate, Clock: clk}, log).RegisterJobs(w.runner)
	return w
}

func (w *world) enqueue(t *testing.T, a webhook.Args) {
	require.NoError(t, w.store.Write(t.Context(), func(tx *store.Tx) error {
		return webhook.Kind.Enqueue(t.Context(), tx, a, job.Options{})
	}))
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

func sealed(t *testing.T, taskID string) string {
	out, err := sealer.Seal(webhook.Purpose, taskID, "whsec")
	require.NoError(t, err)
	return out
}

func change(url string) webhook.Args {
	return webhook.Args{TaskID: "task_1", EventID: "ev_1", URL: url, Status: "SUBMITTED", PreviousStatus: "IN_PROGRESS", At: storetest.Start}
}

func TestDelivery(t *testing.T) {
	t.Run("carries the contract's body and both signatures", func(t *testing.T) {
		r, w := receive(t), newWorld(t, true)
		a := change(r.url)
		a.SealedSecret = sealed(t, "task_1")
		w.clock.Advance(time.Minute)
		w.enqueue(t, a)
		w.run(t)
		require.Len(t, r.all(), 1)
		got := r.all()[0]
		require.Equal(t, `{"event":"task.status_changed","task_id":"task_1","status":"SUBMITTED","previous_status":"IN_PROGRESS","timestamp":"2026-03-02T09:00:00Z"}`, got.body)
		require.Equal(t, "application/json", got.header.Get("Content-Type"))
		require.Equal(t, "2026-03-02T09:01:00Z", got.header.Get("X-Timestamp"))
		require.Equal(t, "ev_1", got.header.Get("X-Delivery-Id"))
		require.Equal(t, mac("whsec", got.body), got.header.Get("X-Signature"))
		require.Equal(t, mac("whsec", "2026-03-02T09:01:00Z."+got.body), got.header.Get("X-Signature-V2"))
	})

	t.Run("is unsigned when the agent gave no secret", func(t *testing.T) {
		r, w := receive(t), newWorld(t, true)
		w.enqueue(t, change(r.url))
		w.run(t)
		require.Empty(t, r.all()[0].header.Get("X-Signature"))
		require.Empty(t, r.all()[0].header.Get("X-Signature-V2"))
	})

	t.Run("never goes out unsigned when the secret cannot be opened", func(t *testing.T) {
		r, w := receive(t), newWorld(t, true)
		a := change(r.url)
		a.SealedSecret = sealed(t, "task_of_somebody_else")
		w.enqueue(t, a)
		w.run(t)
		require.Empty(t, r.all())
		require.Contains(t, w.log.String(), "callback secret")
	})

	t.Run("looks up address and secret in the task, and keeps its id and time over retries", func(t *testing.T) {
		r, w := receive(t, 500), newWorld(t, true)
		insertTask(t, w.store, "task_9", r.url, sealed(t, "task_9"))
		w.enqueue(t, webhook.Args{TaskID: "task_9", Status: "PAID", PreviousStatus: "VERIFIED"})
		w.run(t)
		w.clock.Advance(time.Minute)
		w.run(t)
		got := r.all()
		require.Len(t, got, 2)
		require.Equal(t, got[0].body, got[1].body)
		require.Contains(t, got[0].body, `"timestamp":"2026-03-02T09:00:00Z"`)
		require.NotEmpty(t, got[0].header.Get("X-Delivery-Id"))
		require.Equal(t, got[0].header.Get("X-Delivery-Id"), got[1].header.Get("X-Delivery-Id"))
		require.NotEqual(t, got[0].header.Get("X-Timestamp"), got[1].header.Get("X-Timestamp"))
		require.Equal(t, mac("whsec", got[1].header.Get("X-Timestamp")+"."+got[1].body), got[1].header.Get("X-Signature-V2"))
	})

	t.Run("ends quietly when the task has no address", func(t *testing.T) {
		w := newWorld(t, true)
		insertTask(t, w.store, "task_9", "", "")
		w.enqueue(t, webhook.Args{TaskID: "task_9", Status: "PAID"})
		w.run(t)
		require.Empty(t, w.log.String())
	})

	t.Run("is tried eight times and then given up", func(t *testing.T) {
		r, w := receive(t, 500, 404, 302, 500, 429, 500, 500, 500, 200), newWorld(t, true)
		w.enqueue(t, change(r.url))
		for range 12 {
			w.run(t)
			w.clock.Advance(time.Hour)
		}
		require.Len(t, r.all(), 8, "a redirect is not followed either")
		require.Contains(t, w.log.String(), "could not be delivered")
		require.NotContains(t, w.log.String(), "in-the-query")
	})

	t.Run("keeps the address out of the log when nobody answers", func(t *testing.T) {
		w := newWorld(t, true)
		server := httptest.NewServer(http.NotFoundHandler())
		server.Close()
		w.enqueue(t, change(server.URL+"/hook?token=in-the-query"))
		w.run(t)
		require.Contains(t, w.log.String(), "send a callback to 127.0.0.1")
		require.NotContains(t, w.log.String(), "in-the-query")
	})

	t.Run("reads no more than it must of a large answer", func(t *testing.T) {
		w := newWorld(t, true)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, strings.Repeat("x", 10<<20))
		}))
		defer server.Close()
		w.enqueue(t, change(server.URL))
		w.run(t)
		require.Empty(t, w.log.String())
	})
}

func TestGuard(t *testing.T) {
	t.Run("lets nothing inside be called", func(t *testing.T) {
		for _, url := range []string{
			"https://127.0.0.1/", "https://localhost/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://0.0.0.0/",
			"https://10.0.0.1/", "https://192.168.1.1/", "https://169.254.169.254/latest/meta-data", "https://100.64.0.1/", "https://[fd00::1]/",
		} {
			w := newWorld(t, false)
			w.enqueue(t, change(url))
			w.run(t)
			require.Contains(t, w.log.String(), "prohibited", url)
		}
	})

	t.Run("lets a local server hear nothing, by http or https", func(t *testing.T) {
		reached := false
		h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true })
		plain, secure := httptest.NewServer(h), httptest.NewTLSServer(h)
		defer plain.Close()
		defer secure.Close()
		w := newWorld(t, false)
		w.enqueue(t, change(plain.URL))
		w.enqueue(t, change(secure.URL))
		w.run(t)
		require.False(t, reached)
		require.Contains(t, w.log.String(), "must begin with https")
		require.Contains(t, w.log.String(), "prohibited port")
	})
}

func insertTask(t *testing.T, s *store.Store, id, url, secret string) {
	require.NoError(t, s.Write(t.Context(), func(tx *store.Tx) error {
		if err := insertAgent(t.Context(), tx); err != nil {
			return err
		}
		return tx.InsertTask(t.Context(), db.InsertTaskParams{
			ID: id, AgentID: "ag_1", Mode: "live", Title: "t", Description: "d", TaskType: "PHOTO", Asset: "house",
			ProofRequirements: "[]", CallbackUrl: url, CallbackSecret: secret, EstimateApproval: "auto",
		})
	}))
}

func insertAgent(ctx context.Context, tx *store.Tx) error {
	_, err := tx.InsertAgent(ctx, db.InsertAgentParams{ID: "ag_1", Name: "a", Tier: "HOUSE"})
	return err
}
