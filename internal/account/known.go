package account

import (
	"sync"
	"time"

	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/store"
)

// maxKnown bounds the memory for keys in use; beyond it everything is looked up anew.
const maxKnown = 10_000

// known remembers whose keys are, so that a call does not ask the database again. It is
// right only where one process owns the database: then every revocation passes here,
// and ends all that was read before it.
type known struct {
	mu         sync.Mutex
	generation uint64
	keys       map[string]knownKey // by the key's hash
}

type knownKey struct {
	caller Caller
	usedAt int64
}

// begin is called before a key is read, for keep.
func (k *known) begin() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.generation
}

// keep remembers what was read, unless a key was revoked since it began.
func (k *known) keep(generation uint64, hash string, c Caller, usedAt int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.generation != generation {
		return
	}
	if k.keys == nil || len(k.keys) >= maxKnown {
		k.keys = map[string]knownKey{}
	}
	k.keys[hash] = knownKey{c, usedAt}
}

// forget ends everything that is remembered.
func (k *known) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.generation++
	k.keys = nil
}

// KnownKey is the caller whose key this is, when that is remembered and its use was
// written down lately. What it does not know, AuthenticateKey finds out.
func (s *Service) KnownKey(key string, now time.Time) (Caller, bool) {
	if !s.config.SoleOwner || len(key) > maxSecret {
		return Caller{}, false
	}
	s.known.mu.Lock()
	defer s.known.mu.Unlock()
	found, ok := s.known.keys[ident.Hash(key)]
	return found.caller, ok && !stale(now, found.usedAt)
}

// forgetKeys makes the end of a key take effect with the commit.
func (s *Service) forgetKeys(tx *store.Tx) { tx.AfterCommit(s.known.forget) }
