package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

const (
	idempotencyHeader = "Idempotency-Key"
	maxIdempotencyKey = 255
	idempotencyTTL    = 24 * time.Hour
)

// answer is what goes back to the caller.
type answer struct {
	status   int
	body     []byte
	replayed bool
}

// kept is a fresh answer as it is remembered.
type kept struct {
	answer
	objectID string // set where the body holds a secret and is not kept
}

// repeat is a call that may come again under the same key. Without a key it is not kept.
type repeat struct {
	caller, name, fingerprint string
}

// repeatable reads the call's Idempotency-Key.
func repeatable(r *http.Request, info schemas.Info, body []byte) (repeat, error) {
	values := r.Header.Values(idempotencyHeader)
	if len(values) == 0 {
		return repeat{}, nil
	}
	name := values[0]
	printable := strings.IndexFunc(name, func(c rune) bool { return c < ' ' || c > '~' }) < 0
	if len(values) > 1 || name == "" || len(name) > maxIdempotencyKey || !printable {
		return repeat{}, schemas.Invalid(idempotencyHeader, "must be one value of 1 to 255 printable ASCII characters. Example: 5f1c0c9e-order-42")
	}
	c := account.From(r.Context())
	caller := c.ID()
	switch {
	case caller == "":
		caller = "ip:" + recordOf(r).ip
	case c.Mode != "":
		caller += ":" + c.Mode // a test run never answers for a live one
	}
	return repeat{caller, name, fingerprint(r, info, body)}, nil
}

// fingerprint tells calls apart. The same call under another prefix of its contract is the
// same call.
func fingerprint(r *http.Request, info schemas.Info, body []byte) string {
	path := info.Contract.Canonical(r.URL.EscapedPath())
	sum := sha256.New()
	sum.Write([]byte(r.Method + "\n" + path + "\n"))
	sum.Write(body)
	return hex.EncodeToString(sum.Sum(nil))
}

// write runs fresh in a transaction of its own, unless the same call succeeded before.
func (p repeat) write(ctx context.Context, s *store.Store, fresh func(tx *store.Tx) (kept, error)) (ans answer, err error) {
	err = s.Write(ctx, func(tx *store.Tx) error {
		ans, err = p.do(ctx, tx, func() (kept, error) { return fresh(tx) })
		return err
	})
	return ans, err
}

// do runs fresh unless the same call succeeded before, in the call's own transaction: an
// error keeps nothing.
func (p repeat) do(ctx context.Context, tx *store.Tx, fresh func() (kept, error)) (answer, error) {
	if p.name == "" {
		k, err := fresh()
		return k.answer, err
	}
	now := store.Micros(tx.Now())
	if err := tx.DropExpiredIdempotencyKey(ctx, db.DropExpiredIdempotencyKeyParams{CallerID: p.caller, Name: p.name, Now: now}); err != nil {
		return answer{}, err
	}
	taken, err := tx.TakeIdempotencyKey(ctx, db.TakeIdempotencyKeyParams{
		CallerID: p.caller, Name: p.name, Fingerprint: p.fingerprint,
		CreatedAt: now, ExpiresAt: store.Micros(tx.Now().Add(idempotencyTTL)),
	})
	if err != nil {
		return answer{}, err
	}
	if taken == 0 {
		return p.replay(ctx, tx)
	}
	k, err := fresh()
	if err != nil {
		return answer{}, err
	}
	kept := ""
	if k.objectID == "" {
		kept = string(k.body)
	}
	return k.answer, tx.KeepIdempotentAnswer(ctx, db.KeepIdempotentAnswerParams{
		CallerID: p.caller, Name: p.name, Status: int64(k.status), Response: kept, ObjectID: k.objectID,
	})
}

func (p repeat) replay(ctx context.Context, tx *store.Tx) (answer, error) {
	before, err := tx.GetIdempotencyKey(ctx, db.GetIdempotencyKeyParams{CallerID: p.caller, Name: p.name})
	if err != nil {
		return answer{}, err
	}
	switch {
	case before.Fingerprint != p.fingerprint:
		return answer{}, schemas.NewError(schemas.CodeConflict, "This Idempotency-Key was used for another call within 24 hours. Use a new key for a new call.")
	case before.Response == "":
		return answer{}, schemas.NewError(schemas.CodeConflict, "This call succeeded before and made "+before.ObjectID+". Its answer held a secret, which is shown only once; to get another, make the call with a new Idempotency-Key.")
	}
	return answer{status: int(before.Status), body: []byte(before.Response), replayed: true}, nil
}

// SweepIdempotency forgets the keys that have expired. It is for a periodic job.
func SweepIdempotency(ctx context.Context, tx *store.Tx) error {
	_, err := tx.DeleteExpiredIdempotencyKeys(ctx, store.Micros(tx.Now()))
	return err
}
