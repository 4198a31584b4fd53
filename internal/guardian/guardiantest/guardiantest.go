// Package guardiantest is a local fake of a chat endpoint that takes images.
package guardiantest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// Model is a fake vision model. It remembers every request's body.
type Model struct {
	URL string

	mu       sync.Mutex
	requests []string
	keys     []string
}

// Serve starts a model that answers every request with what answer gives: the text of
// the assistant's message.
func Serve(t testing.TB, answer func(request string) string) *Model {
	m := &Model{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		m.mu.Lock()
		m.requests = append(m.requests, string(body))
		m.keys = append(m.keys, r.Header.Get("Authorization"))
		m.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"choices": []any{map[string]any{"message": map[string]any{"role": "assistant", "content": answer(string(body))}}}})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	m.URL = server.URL
	return m
}

// Scores is an answer that gives these scores to requirements 1, 2, 3 …
func Scores(scores ...int) func(string) string {
	findings := make([]map[string]any, len(scores))
	for i, s := range scores {
		findings[i] = map[string]any{"requirement": i + 1, "score": s, "reason": fmt.Sprintf("reason %d", i+1)}
	}
	content, _ := json.Marshal(map[string]any{"findings": findings, "text_to_reviewer": false})
	return func(string) string { return string(content) }
}

// Requests are the bodies received so far.
func (m *Model) Requests() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.requests...)
}

// Keys are the Authorization headers received so far.
func (m *Model) Keys() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.keys...)
}
