package store

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"humanops-mcp/internal/clock"
)

// listenAgain is the pause after the connection for notifications broke.
const listenAgain = time.Second

// signals wakes watchers by topic. Listening to other processes starts with the first
// watcher, so that a short command never opens a connection for it.
type signals struct {
	engine engine
	clock  clock.Clock
	log    *slog.Logger
	ctx    context.Context
	stop   context.CancelFunc
	start  sync.Once
	done   sync.WaitGroup

	mu       sync.Mutex
	watchers map[string]map[chan struct{}]bool
}

func newSignals(e engine, clk clock.Clock, log *slog.Logger) *signals {
	ctx, stop := context.WithCancel(context.Background())
	return &signals{engine: e, clock: clk, log: log, ctx: ctx, stop: stop, watchers: map[string]map[chan struct{}]bool{}}
}

func (s *signals) watch(topic string) (<-chan struct{}, func()) {
	s.start.Do(func() { s.done.Go(s.listen) })
	ch := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watchers[topic] == nil {
		s.watchers[topic] = map[chan struct{}]bool{}
	}
	s.watchers[topic][ch] = true
	return ch, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers[topic], ch)
	}
}

func (s *signals) wake(topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ch := range s.watchers[topic] {
		select {
		case ch <- struct{}{}:
		default: // a wake-up is waiting already
		}
	}
}

// listen keeps the engine listening. A broken connection delays other processes'
// signals until their watchers' own polls; it loses nothing.
func (s *signals) listen() {
	for s.ctx.Err() == nil {
		err := s.engine.listen(s.ctx, s.wake)
		if err == nil || s.ctx.Err() != nil {
			return
		}
		s.log.Warn("The connection for database notifications broke; it is being made again", "error", err)
		select {
		case <-s.ctx.Done():
		case <-s.clock.After(listenAgain):
		}
	}
}

func (s *signals) close() {
	s.stop()
	s.done.Wait()
}
