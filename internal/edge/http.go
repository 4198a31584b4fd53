package edge

import (
	"bytes"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"humanops-mcp/internal/clock"
)

const (
	sessionIdle = time.Hour
	maxBound    = 100_000 // sessions remembered at once
	cancelled   = "notifications/cancelled"
)

func putBack(r *http.Request, body []byte) {
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
}

// HTTP serves streamable HTTP, both eras of the protocol, on one address.
func HTTP(s *server.MCPServer, o Options) http.Handler {
	o = o.filled()
	inner := server.NewStreamableHTTPServer(s,
		server.WithStateful(true),
		server.WithSessionIdleTTL(sessionIdle),
		server.WithHeartbeatInterval(25*time.Second),
		server.WithDisableLocalhostProtection(true), // guard checks the host, and knows the public name
		server.WithStreamableHTTPLogger(o.Logger),
	)
	bound := &sessions{idle: sessionIdle, clock: o.Clock}
	return o.guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m, ok := o.read(w, r)
		if !ok {
			return
		}
		session := r.Header.Get(server.HeaderKeySessionID)
		modern := m.modern() || mcp.IsModernProtocol(r.Header.Get(mcp.HeaderProtocolVersion))
		if m.Method == cancelled && (modern || session == "") {
			// In the modern era a request is cancelled by closing its stream, and the
			// library would stop any caller's request of that id.
			w.WriteHeader(http.StatusAccepted)
			return
		}
		if modern {
			r.Header.Del(server.HeaderKeySessionID) // there are none in that era, so none is entered unchecked
			session = ""
		}
		if session != "" && m.Method != "initialize" && !bound.belongs(session, fingerprint(r.Context())) {
			refuse(w, http.StatusNotFound, "There is no such session. Initialize again.")
			return
		}
		inner.ServeHTTP(&binder{ResponseWriter: w, bound: bound, caller: fingerprint(r.Context())}, r)
	}))
}

// sessions remembers whose session each is.
type sessions struct {
	mu    sync.Mutex
	idle  time.Duration
	clock clock.Clock
	kept  map[string]boundSession
	swept time.Time
}

type boundSession struct {
	caller string
	used   time.Time
}

// bind notes a session's caller; the first one stays.
func (s *sessions) bind(id, caller string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	s.sweep(now)
	if s.kept == nil {
		s.kept = map[string]boundSession{}
	}
	if _, ok := s.kept[id]; !ok && len(s.kept) < maxBound {
		s.kept[id] = boundSession{caller, now}
	}
}

func (s *sessions) belongs(id, caller string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.kept[id]
	if !ok || b.caller != caller {
		return false
	}
	s.kept[id] = boundSession{caller, s.clock.Now()}
	return true
}

func (s *sessions) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.kept, id)
}

// sweep forgets idle sessions, twice as late as the library, so that a session known
// there is known here. Without an idle time sessions stay until they are forgotten.
func (s *sessions) sweep(now time.Time) {
	if s.idle == 0 {
		return
	}
	if now.Sub(s.swept) < s.idle {
		return
	}
	s.swept = now
	for id, b := range s.kept {
		if now.Sub(b.used) > 2*s.idle {
			delete(s.kept, id)
		}
	}
}

// binder notes the session that an answer opens.
type binder struct {
	http.ResponseWriter
	bound  *sessions
	caller string
	once   sync.Once
}

func (b *binder) note() {
	b.once.Do(func() {
		if id := b.Header().Get(server.HeaderKeySessionID); id != "" {
			b.bound.bind(id, b.caller)
		}
	})
}

func (b *binder) WriteHeader(status int) {
	b.note()
	b.ResponseWriter.WriteHeader(status)
}

func (b *binder) Write(p []byte) (int, error) {
	b.note()
	return b.ResponseWriter.Write(p)
}

// Flush serves streams; the library asks for the interface itself.
func (b *binder) Flush() {
	b.note()
	if f, ok := b.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// Unwrap lets http.ResponseController through.
func (b *binder) Unwrap() http.ResponseWriter { return b.ResponseWriter }
