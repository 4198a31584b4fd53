package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/api/dialect"
	"humanops-mcp/internal/codec"
	"humanops-mcp/schemas"
)

// heartbeat keeps proxies from closing a stream on which nothing happens.
const heartbeat = 15 * time.Second

type emitter = func(id, event string, data any) error

// stream mounts an endpoint that answers with server-sent events. visible refuses whoever
// may not follow, before the stream begins; follow ends it.
func stream[In, Seen any](a *api, e schemas.Stream[In], visible inTx[In, Seen], follow func(ctx context.Context, in In, emit emitter) error) {
	a.mount(e.Info(), func(w http.ResponseWriter, r *http.Request) error {
		var in In
		if _, err := decode(r, nil, &in); err != nil {
			return err
		}
		if _, err := reading(a, visible)(r.Context(), in); err != nil {
			return err
		}
		s := a.begin(w, r)
		defer s.end()
		if err := follow(s.ctx, in, s.emit); err != nil && r.Context().Err() == nil {
			a.Logger.Warn("A stream ended early", "request_id", recordOf(r).id, "route", r.Pattern, "error", err)
		}
		return nil
	})
}

// events is a stream that has begun.
type events struct {
	ctx     context.Context
	cancel  context.CancelFunc
	beating sync.WaitGroup

	mu  sync.Mutex // one writer at a time
	w   http.ResponseWriter
	out *http.ResponseController
}

func (a *api) begin(w http.ResponseWriter, r *http.Request) *events {
	ctx, cancel := context.WithCancel(r.Context())
	s := &events{ctx: ctx, cancel: cancel, w: w, out: http.NewResponseController(w)}
	_ = s.out.SetWriteDeadline(time.Time{}) // best effort: some listeners have no deadlines
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("X-Accel-Buffering", "no") // nginx would hold events back
	w.WriteHeader(http.StatusOK)
	next := a.Clock.After(heartbeat)
	s.write(": following\n\n")
	s.beating.Go(func() { s.beat(a, next) })
	return s
}

func (s *events) beat(a *api, next <-chan time.Time) {
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-next:
			next = a.Clock.After(heartbeat)
			s.write(": waiting\n\n")
		}
	}
}

func (s *events) write(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.w.Write([]byte(text))
	if err == nil {
		err = s.out.Flush()
	}
	if err != nil {
		s.cancel() // nobody listens any more
	}
}

func (s *events) emit(id, event string, data any) error {
	if account.From(s.ctx).Mode == account.Test {
		dialect.Mark(data)
	}
	raw, err := codec.Encode(data)
	if err != nil {
		return err
	}
	if id != "" {
		id = "id: " + id + "\n"
	}
	s.write(id + "event: " + event + "\ndata: " + string(raw) + "\n\n")
	return s.ctx.Err()
}

// end waits for the heartbeat: nothing may write once the handler has returned.
func (s *events) end() {
	s.cancel()
	s.beating.Wait()
}
