// Package fakehosted is a local fake of the hosted marketplace. It serves only what that
// service documents, in its own words, and fails the test at any other request.
package fakehosted

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Key is the only key that the marketplace knows.
const Key = "ho_live_Hosted000000000000000000000000000000000000"

// Market is the fake. Its zero value is not usable: see Serve.
type Market struct {
	URL string

	t     testing.TB
	mu    sync.Mutex
	order []string
	tasks map[string]*task
	keys  map[string]string           // Idempotency-Key to task
	sent  map[string][]map[string]any // route to bodies
}

type task struct {
	fields map[string]any
	coming []string // what the next looks find, in order
}

// route is one documented endpoint: the members of its body and of its query.
type route struct {
	pattern     string
	open        bool // needs no key
	body, query []string
	handle      func(*Market, http.ResponseWriter, *http.Request, map[string]any)
}

var routes = []route{
	{"POST /api/v1/agents/register", true, []string{"name", "email", "company"}, nil, (*Market).register},
	{"GET /api/v1/agents/balance", false, nil, nil, (*Market).balance},
	{"POST /api/v1/tasks", false, []string{
		"title", "description", "task_type", "reward_usd", "deadline", "proof_requirements", "location",
		"digital_instructions", "agent_public_key", "callback_url", "callback_secret",
	}, nil, (*Market).post},
	{"GET /api/v1/tasks", false, nil, []string{"status", "limit", "offset"}, (*Market).list},
	{"GET /api/v1/tasks/{id}", false, nil, nil, (*Market).get},
	{"POST /api/v1/tasks/{id}/estimate/approve", false, nil, nil, (*Market).approve},
	{"POST /api/v1/tasks/{id}/estimate/reject", false, []string{"reason"}, nil, (*Market).reject},
	{"POST /api/v1/tasks/{id}/cancel", false, nil, nil, (*Market).cancel},
}

// Serve starts the marketplace on loopback.
func Serve(t testing.TB) *Market {
	m := &Market{t: t, tasks: map[string]*task{}, keys: map[string]string{}, sent: map[string][]map[string]any{}}
	mux := http.NewServeMux()
	for _, r := range routes {
		mux.HandleFunc(r.pattern, func(w http.ResponseWriter, req *http.Request) { m.serve(r, w, req) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("the hosted marketplace documents no %s %s", r.Method, r.URL.Path)
		refuse(w, http.StatusNotFound, "Not found")
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	m.URL = server.URL
	return m
}

func (m *Market) serve(r route, w http.ResponseWriter, req *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	raw, _ := io.ReadAll(req.Body)
	var body map[string]any
	if len(raw) > 0 && json.Unmarshal(raw, &body) != nil {
		m.t.Errorf("%s: the body is no JSON object: %s", r.pattern, raw)
	}
	m.documented(r, "body", slices.Collect(maps.Keys(body)), r.body)
	m.documented(r, "query", slices.Collect(maps.Keys(req.URL.Query())), r.query)
	m.sent[r.pattern] = append(m.sent[r.pattern], body)
	w.Header().Set("Server", "cloudflare")
	w.Header().Set("Content-Type", "application/json")
	switch key := req.Header.Get("X-API-Key"); {
	case r.open:
	case key == "":
		refuse(w, http.StatusUnauthorized, "Missing API key")
		return
	case key != Key:
		refuse(w, http.StatusUnauthorized, "Invalid API key")
		return
	}
	r.handle(m, w, req, body)
}

func (m *Market) documented(r route, where string, got, known []string) {
	for _, name := range got {
		if !slices.Contains(known, name) {
			m.t.Errorf("%s documents no %s in its %s", r.pattern, name, where)
		}
	}
}

// Sent is the last body sent to an endpoint.
func (m *Market) Sent(pattern string) map[string]any {
	m.mu.Lock()
	defer m.mu.Unlock()
	bodies := m.sent[pattern]
	if len(bodies) == 0 {
		return nil
	}
	return bodies[len(bodies)-1]
}

// Keys are the idempotency keys that tasks were posted under.
func (m *Market) Keys() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.keys))
}

// Set changes members of a task.
func (m *Market) Set(id string, members map[string]any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.Copy(m.tasks[id].fields, members)
}

// Coming says which statuses the next looks at the task find, one each.
func (m *Market) Coming(id string, statuses ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tasks[id].coming = statuses
}

func (m *Market) register(w http.ResponseWriter, _ *http.Request, body map[string]any) {
	if body["email"] == "taken@example.com" {
		refuse(w, http.StatusConflict, "An agent with this email already exists")
		return
	}
	answer(w, http.StatusCreated, map[string]any{
		"agent_id": "ag_a1B2c3D4e5F6g7H8", "api_key": Key, "tier": "SANDBOX", "verification_required": true, "message": "Agent registered",
		"sandbox_info": map[string]any{
			"what": "w", "why": "y", "how_to_upgrade": "Verify your email",
			"limits": map[string]any{"maxDailyTasks": 50, "maxTaskValue": 10, "maxDailySpend": 10},
		},
	})
}

func (m *Market) balance(w http.ResponseWriter, _ *http.Request, _ map[string]any) {
	answer(w, http.StatusOK, map[string]any{"deposit_balance": json.Number("450.00"), "escrow_balance": 0, "currency": "USD"})
}

func (m *Market) post(w http.ResponseWriter, r *http.Request, body map[string]any) {
	key := r.Header.Get("Idempotency-Key")
	if id := m.keys[key]; key != "" && id != "" {
		answer(w, http.StatusCreated, m.tasks[id].fields)
		return
	}
	if reward, _ := body["reward_usd"].(float64); reward > 450 {
		refuse(w, http.StatusPaymentRequired, "Insufficient balance")
		return
	}
	id := fmt.Sprintf("task_hosted%010d", len(m.order)+1)
	fields := maps.Clone(body)
	maps.Copy(fields, map[string]any{"task_id": id, "status": "PENDING", "operator_id": nil, "created_at": time.Now().UTC().Format("2006-01-02T15:04:05.000Z")})
	m.order, m.tasks[id] = append(m.order, id), &task{fields: fields}
	if key != "" {
		m.keys[key] = id
	}
	answer(w, http.StatusCreated, fields)
}

func (m *Market) list(w http.ResponseWriter, r *http.Request, _ map[string]any) {
	limit, offset := 20, 0
	if n, err := strconv.Atoi(r.URL.Query().Get("limit")); err == nil {
		limit = n
	}
	if n, err := strconv.Atoi(r.URL.Query().Get("offset")); err == nil {
		offset = n
	}
	var rows []map[string]any
	for _, id := range slices.Backward(m.order) {
		row := map[string]any{}
		for _, name := range []string{"task_id", "title", "status", "task_type", "reward_usd", "operator_id", "created_at", "deadline"} {
			row[name] = m.tasks[id].fields[name]
		}
		if wanted := r.URL.Query().Get("status"); wanted == "" || wanted == row["status"] {
			rows = append(rows, row)
		}
	}
	total := len(rows)
	rows = rows[min(offset, total):min(offset+limit, total)]
	if rows == nil {
		rows = []map[string]any{}
	}
	answer(w, http.StatusOK, map[string]any{"data": rows, "pagination": map[string]any{"limit": limit, "offset": offset, "total": total}})
}

func (m *Market) get(w http.ResponseWriter, r *http.Request, _ map[string]any) {
	t := m.find(w, r)
	if t == nil {
		return
	}
	if len(t.coming) > 0 {
		t.fields["status"], t.coming = t.coming[0], t.coming[1:]
	}
	answer(w, http.StatusOK, t.fields)
}

func (m *Market) approve(w http.ResponseWriter, r *http.Request, _ map[string]any) {
	t := m.find(w, r)
	if t == nil || !mustBe(w, t, "ESTIMATE_PENDING") {
		return
	}
	t.fields["status"] = "ACCEPTED"
	answer(w, http.StatusOK, map[string]any{
		"task_id": t.fields["task_id"], "status": "ACCEPTED", "accepted_at": time.Now().UTC().Format(time.RFC3339),
		"operator": map[string]any{"name": "Jane D.", "rating": 4.8}, "estimate_minutes": 45,
	})
}

func (m *Market) reject(w http.ResponseWriter, r *http.Request, _ map[string]any) {
	t := m.find(w, r)
	if t == nil || !mustBe(w, t, "ESTIMATE_PENDING") {
		return
	}
	t.fields["status"] = "PENDING"
	answer(w, http.StatusOK, map[string]any{"task_id": t.fields["task_id"], "status": "PENDING", "message": "Estimate rejected"})
}

func (m *Market) cancel(w http.ResponseWriter, r *http.Request, _ map[string]any) {
	t := m.find(w, r)
	if t == nil || !mustBe(w, t, "PENDING", "ESTIMATE_PENDING", "ACCEPTED") {
		return
	}
	t.fields["status"] = "CANCELLED"
	answer(w, http.StatusOK, map[string]any{"task_id": t.fields["task_id"], "status": "CANCELLED", "refunded_usd": t.fields["reward_usd"]})
}

func (m *Market) find(w http.ResponseWriter, r *http.Request) *task {
	t := m.tasks[r.PathValue("id")]
	if t == nil {
		refuse(w, http.StatusNotFound, "Task not found")
	}
	return t
}

func mustBe(w http.ResponseWriter, t *task, statuses ...string) bool {
	status, _ := t.fields["status"].(string)
	if slices.Contains(statuses, status) {
		return true
	}
	refuse(w, http.StatusUnprocessableEntity, "Task must be "+strings.Join(statuses, ", ")+"; it is "+status)
	return false
}

func answer(w http.ResponseWriter, status int, body any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // maps of plain values cannot fail
}

// refuse answers as the hosted service does: in prose only.
func refuse(w http.ResponseWriter, status int, text string) {
	answer(w, status, map[string]string{"error": text})
}
