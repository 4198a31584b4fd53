// Package fakehitl is a local fake of the hosted review service. It serves only what that
// service documents for its loops, in its own words, and fails the test at any other
// request, member or query parameter.
package fakehitl

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// Key is the only key that the service knows.
const Key = "hitl_live_0123456789abcdef"

// The loops that there are.
const (
	Moderation = "65f000000000000000000001"
	Payments   = "65f000000000000000000002"
)

// Service is the fake. Its zero value is not usable: see Serve.
type Service struct {
	URL string

	t        testing.TB
	mu       sync.Mutex
	order    []string
	requests map[string]map[string]any
	asked    []string
	bodies   []map[string]any // of what was created
}

// route is one documented endpoint: the members of its body and of its query.
type route struct {
	pattern               string
	body, required, query []string
	handle                func(*Service, *http.Request, map[string]any) (status int, data any)
}

var (
	required = []string{"processing_type", "type", "priority", "request_text", "response_type", "response_config", "default_response", "platform"}
	optional = []string{"image_url", "file_url", "file_type", "file_name", "video_url", "audio_url", "context", "timeout_seconds", "platform_version", "callback_url", "tags"}
)

var routes = []route{
	{"GET /v1/test", nil, nil, nil, (*Service).test},
	{"GET /v1/api/loops", nil, nil, nil, (*Service).loops},
	{"POST /v1/api/loops/{loop}/requests", append(slices.Clone(required), optional...), required, nil, (*Service).create},
	{"GET /v1/api/requests", nil, nil, []string{"status", "priority", "loop_id", "limit", "offset", "sort"}, (*Service).list},
	{"GET /v1/api/requests/{id}", nil, nil, nil, (*Service).get},
	{"PATCH /v1/api/requests/{id}", []string{"priority", "request_text", "context", "default_response", "timeout_seconds", "callback_url", "tags"}, nil, nil, (*Service).update},
	{"DELETE /v1/api/requests/{id}", []string{"reason"}, nil, nil, (*Service).cancel},
	{"POST /v1/api/requests/{id}/feedback", []string{"feedback"}, []string{"feedback"}, nil, (*Service).feedback},
}

// Serve starts the service on loopback.
func Serve(t testing.TB) *Service {
	s := &Service{t: t, requests: map[string]map[string]any{}}
	mux := http.NewServeMux()
	for _, r := range routes {
		mux.HandleFunc(r.pattern, func(w http.ResponseWriter, req *http.Request) { s.serve(r, w, req) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("the hosted review service documents no %s %s", r.Method, r.URL.Path)
		answer(w, http.StatusNotFound, "Not found", nil)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

func (s *Service) serve(r route, w http.ResponseWriter, req *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.pattern)
	if req.Header.Get("Authorization") != "Bearer "+Key {
		answer(w, http.StatusUnauthorized, "Invalid authorization token", nil)
		return
	}
	body := s.read(r, req)
	for name := range req.URL.Query() {
		if !slices.Contains(r.query, name) {
			s.t.Errorf("the hosted review service documents no query %q for %s", name, r.pattern)
		}
	}
	status, data := r.handle(s, req, body)
	if message, refused := data.(string); refused {
		answer(w, status, message, nil)
		return
	}
	answer(w, status, "", data)
}

func (s *Service) read(r route, req *http.Request) map[string]any {
	raw, err := io.ReadAll(req.Body)
	if err != nil || len(raw) == 0 {
		return nil
	}
	var body map[string]any
	if err := json.Unmarshal(raw, &body); err != nil {
		s.t.Errorf("%s got a body that is no object: %s", r.pattern, raw)
	}
	for name := range body {
		if !slices.Contains(r.body, name) {
			s.t.Errorf("the hosted review service documents no member %q for %s", name, r.pattern)
		}
	}
	for _, name := range r.required {
		if _, ok := body[name]; !ok {
			s.t.Errorf("%s needs %q", r.pattern, name)
		}
	}
	return body
}

func answer(w http.ResponseWriter, status int, message string, data any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	body := map[string]any{"error": status >= http.StatusBadRequest, "msg": message}
	if data != nil {
		body["data"] = data
	}
	_ = json.NewEncoder(w).Encode(body) // a client that hung up needs no answer
}

func (s *Service) test(*http.Request, map[string]any) (int, any) {
	return http.StatusOK, map[string]any{
		"api_key_id": "65f0000000000000000000aa", "user_id": "65f0000000000000000000bb", "email": "me@example.com", "account_status": "active",
		"rate_limit": map[string]any{"limit": 100, "remaining": 99, "reset_at": now()}, "permissions": []string{"requests:read", "requests:write"},
	}
}

func (s *Service) loops(*http.Request, map[string]any) (int, any) {
	loop := func(id, name string) map[string]any {
		return map[string]any{"id": id, "name": name, "description": "", "icon": "shield", "member_count": 2, "created_at": now(), "updated_at": now()}
	}
	return http.StatusOK, map[string]any{"loops": []any{loop(Moderation, "Content moderation"), loop(Payments, "Payments")}, "count": 2}
}

func now() string { return time.Now().UTC().Format(time.RFC3339) }

func (s *Service) create(r *http.Request, body map[string]any) (int, any) {
	loop := r.PathValue("loop")
	if loop != Moderation && loop != Payments {
		return http.StatusNotFound, "Loop not found"
	}
	id := fmt.Sprintf("65f1%020x", len(s.order)+1)
	request := map[string]any{
		"id": id, "loop_id": loop, "creator_id": "65f0000000000000000000bb", "status": "pending", "timeout_at": now(), "created_at": now(), "updated_at": now(),
		"broadcasted_to": []any{map[string]any{"user_id": "u", "email": "ada@example.com"}}, "broadcasted_at": now(), "response_by": nil, "response_data": nil,
	}
	for name, value := range body {
		request[name] = value
	}
	s.requests[id], s.order, s.bodies = request, append(s.order, id), append(s.bodies, body)
	return http.StatusCreated, map[string]any{
		"request_id": id, "status": "pending", "processing_type": body["processing_type"], "type": body["type"], "priority": body["priority"],
		"timeout_at": now(), "broadcasted_to": 2, "notifications_sent": 2, "polling_url": "/v1/api/requests/" + id,
	}
}

func (s *Service) list(r *http.Request, _ map[string]any) (int, any) {
	status := r.URL.Query().Get("status")
	found := []any{}
	for _, id := range slices.Backward(s.order) {
		if status == "" || s.requests[id]["status"] == status {
			found = append(found, s.requests[id])
		}
	}
	return http.StatusOK, map[string]any{"requests": found, "count": len(found), "total": len(found), "has_more": false, "pagination": map[string]any{"limit": 50, "offset": 0, "next_offset": nil}}
}

func (s *Service) get(r *http.Request, _ map[string]any) (int, any) {
	request, ok := s.requests[r.PathValue("id")]
	if !ok {
		return http.StatusNotFound, "Request not found"
	}
	return http.StatusOK, map[string]any{"request": request}
}

func (s *Service) update(r *http.Request, body map[string]any) (int, any) {
	request, ok := s.requests[r.PathValue("id")]
	if !ok {
		return http.StatusNotFound, "Request not found"
	}
	for name, value := range body {
		request[name] = value
	}
	return http.StatusOK, map[string]any{"request": request}
}

func (s *Service) cancel(r *http.Request, _ map[string]any) (int, any) {
	request, ok := s.requests[r.PathValue("id")]
	if !ok {
		return http.StatusNotFound, "Request not found"
	}
	before := request["status"]
	if before != "pending" && before != "claimed" {
		return http.StatusBadRequest, "Request cannot be cancelled in current state"
	}
	request["status"] = "cancelled"
	return http.StatusOK, map[string]any{"request_id": request["id"], "status": "cancelled", "cancelled_at": now(), "previous_status": before,
		"refund_info": map[string]any{"refunded": true, "reason": "pending"}}
}

func (s *Service) feedback(r *http.Request, body map[string]any) (int, any) {
	if s.requests[r.PathValue("id")]["status"] != "completed" {
		return http.StatusBadRequest, "Feedback can only be added to completed requests"
	}
	return http.StatusOK, map[string]any{"request_id": r.PathValue("id"), "feedback": body["feedback"], "feedback_id": "65f2", "submitted_at": now(), "reviewer_notified": true}
}

// Answer has a person answer a request.
func (s *Service) Answer(id string, data any) {
	s.change(id, map[string]any{"status": "completed", "response_data": data, "response_by": "u", "response_by_user": map[string]any{"name": "Ada"}, "response_at": now()})
}

// TimeOut ends a request without people.
func (s *Service) TimeOut(id string) { s.change(id, map[string]any{"status": "timeout"}) }

func (s *Service) change(id string, members map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, value := range members {
		s.requests[id][name] = value
	}
}

// Loop is the loop that a request was made in.
func (s *Service) Loop(id string) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[id]["loop_id"]
}

// Count tells how often an endpoint was asked.
func (s *Service) Count(pattern string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, asked := range s.asked {
		if asked == pattern {
			n++
		}
	}
	return n
}

// Created are the bodies of all requests, in their order.
func (s *Service) Created() []map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.bodies)
}
