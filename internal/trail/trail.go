// Package trail is the chain under everything that happens to a subject: entries that
// each hold the hash of the one before. It is pure; who keeps the entries is elsewhere.
package trail

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gowebpki/jcs"

	"humanops-mcp/schemas"
)

// Link makes e the entry after the n-th one, whose hash is head: it numbers and hashes e.
func Link(n int, head string, e schemas.AuditEntry) (schemas.AuditEntry, error) {
	e.N, e.Previous = n+1, head
	hash, err := Hash(e)
	e.Hash = hash
	return e, err
}

// hashed is what the hash of an entry covers. Entries from before events had one id have
// none, and hash as they did.
type hashed struct {
	N        int             `json:"n"`
	EventID  string          `json:"event_id,omitempty"`
	Kind     string          `json:"kind"`
	Actor    string          `json:"actor"`
	Via      string          `json:"via"`
	At       time.Time       `json:"at"`
	Data     json.RawMessage `json:"data"`
	Previous string          `json:"previous"`
}

// Hash is the SHA-256 of the RFC 8785 form of an entry without its hash, in hexadecimal.
func Hash(e schemas.AuditEntry) (string, error) {
	raw, err := json.Marshal(hashed{e.N, e.EventID, e.Kind, e.Actor, e.Via, e.At, e.Data, e.Previous})
	if err == nil {
		raw, err = jcs.Transform(raw)
	}
	if err != nil {
		return "", fmt.Errorf("hash entry %d of a trail: %w", e.N, err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}

// Verify checks that entries follow the n-th one, whose hash is head, and gives the last
// hash. Of an entry whose data was taken away with its subject only the place is known.
func Verify(n int, head string, entries []schemas.AuditEntry) (string, error) {
	for _, e := range entries {
		n++
		if e.N != n || e.Previous != head {
			return head, fmt.Errorf("entry %d does not follow the one before it", e.N)
		}
		if len(e.Data) > 0 {
			hash, err := Hash(e)
			if err != nil {
				return head, err
			}
			if hash != e.Hash {
				return head, fmt.Errorf("entry %d is not what was hashed", e.N)
			}
		}
		head = e.Hash
	}
	return head, nil
}
