package tools

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"sync"
	"time"

	"humanops-mcp/client"
	"humanops-mcp/internal/clock"
	"humanops-mcp/schemas"
	"humanops-mcp/tools/brief"
)

const (
	sameAsk  = 10 * time.Minute // for which the same arguments are the same request
	keptAsk  = 24 * time.Hour   // for which a key is remembered
	maxAsked = 1000
)

// asks remembers what was asked, so that a client that hung up and calls again gets the
// same request, decided meanwhile or not.
type asks struct {
	clock clock.Clock
	mu    sync.Mutex
	kept  map[string]*ask
}

// ask is one request, or one that is being made.
type ask struct {
	key   string // its Idempotency-Key
	until time.Time

	mu      sync.Mutex // held while it is made
	created *schemas.ReviewCreated
}

func (s *asks) find(id string, key string, keep time.Duration) *ask {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	if found, ok := s.kept[id]; ok && now.Before(found.until) {
		return found
	}
	if len(s.kept) >= maxAsked || s.kept == nil {
		s.kept = map[string]*ask{}
	}
	made := &ask{key: key, until: now.Add(keep)}
	s.kept[id] = made
	return made
}

func (s *asks) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.kept, id)
}

// once makes the request, or finds the one that the same call made before.
func (a *asking) once(ctx context.Context) (created schemas.ReviewCreated, repeated bool, err error) {
	id, err := a.identity()
	if err != nil {
		return created, false, err
	}
	key, keep := "ask_"+rand.Text(), sameAsk
	if a.in.IdempotencyKey != "" {
		key, keep = a.in.IdempotencyKey, keptAsk
	}
	entry := a.asked.find(id, key, keep)
	entry.mu.Lock()
	defer entry.mu.Unlock()
	if entry.created != nil && !a.stale(ctx, *entry.created) {
		return *entry.created, true, nil
	}
	if entry.created != nil {
		entry.key = key // it was withdrawn or ran out, and is asked anew
	}
	// Whoever hangs up meanwhile asks again, and must find the request.
	made, err := a.create(client.WithIdempotencyKey(context.WithoutCancel(ctx), entry.key))
	if err != nil {
		if entry.created == nil && schemas.ErrorCode(err) != schemas.CodeUnavailable {
			a.asked.forget(id)
		}
		return made, false, err
	}
	entry.created = &made
	return made, false, nil
}

// stale tells whether the request ended without people, so that the same may be asked
// again. Under a key it stays the same request.
func (a *asking) stale(ctx context.Context, created schemas.ReviewCreated) bool {
	if a.in.IdempotencyKey != "" {
		return false
	}
	out, err := a.service.GetReview(ctx, schemas.ReviewRequest{RequestID: created.RequestID})
	return err == nil && brief.ReviewState(out.Request) == brief.Failed
}

// identity is the same for the same call, however long it waits.
func (a *asking) identity() (string, error) {
	in := a.in
	in.WaitSeconds = 0
	raw, err := json.Marshal(in)
	if err != nil {
		return "", schemas.Invalid("arguments", "cannot be read: "+err.Error())
	}
	sum := sha256.Sum256(append([]byte(a.service.Caller()+"\n"), raw...))
	return hex.EncodeToString(sum[:]), nil
}
