package account

import (
	"context"
	"strings"
	"time"

	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

const (
	maxKeys      = 100 // of one agent, not counting revoked ones
	maxSecret    = 200 // characters of anything that claims to be a secret
	shownOfKey   = len("ho_live_") + 12
	livePrefix   = "ho_live_"
	testPrefix   = "ho_test_"
	defaultNamed = "default"
)

var errUnauthenticated = schemas.NewError(schemas.CodeUnauthenticated,
	"Missing or invalid credentials. Send a valid API key in X-API-Key, or sign in again.")

func prefixOf(mode string) string {
	if mode == Live {
		return livePrefix
	}
	return testPrefix
}

// addKey makes a key and returns its row and the secret, of which only the hash is kept.
func addKey(ctx context.Context, tx *store.Tx, agentID, name, mode string) (db.InsertKeyParams, string, error) {
	secret := ident.Secret(prefixOf(mode))
	row := db.InsertKeyParams{
		ID:        ident.New("key_"),
		AgentID:   agentID,
		Name:      name,
		Prefix:    secret[:shownOfKey] + "..",
		KeyHash:   ident.Hash(secret),
		Mode:      mode,
		CreatedAt: store.Micros(tx.Now()),
	}
	return row, secret, tx.InsertKey(ctx, row)
}

// CreateKey makes another key of the caller's agent, in the mode of the key that asks. It
// is shown only here.
func (s *Service) CreateKey(ctx context.Context, tx *store.Tx, in schemas.CreateKeyRequest) (schemas.CreateKeyResponse, error) {
	var none schemas.CreateKeyResponse
	caller := From(ctx)
	if caller.AgentID == "" {
		return none, errUnauthenticated
	}
	name, err := checkedName(in.Name, 100)
	if err != nil {
		return none, err
	}
	n, err := tx.KeysCount(ctx, db.KeysCountParams{AgentID: caller.AgentID})
	if err != nil {
		return none, err
	}
	if n >= maxKeys {
		return none, schemas.NewError(schemas.CodeUnprocessable, "This agent already has 100 API keys. Revoke one that is not used any more, then try again.")
	}
	row, secret, err := addKey(ctx, tx, caller.AgentID, name, caller.Mode)
	if err != nil {
		return none, err
	}
	out := schemas.CreateKeyResponse{
		ID: row.ID, APIKey: secret, KeyPrefix: row.Prefix, Name: row.Name, Mode: row.Mode, CreatedAt: store.Time(row.CreatedAt),
	}
	markTest(caller, &out.Sandboxed)
	return out, nil
}

// ListKeys lists the agent's keys that are not revoked, oldest first; to a test key only
// the test keys.
func (s *Service) ListKeys(ctx context.Context, tx *store.Tx, in schemas.PageRequest) (schemas.Page[schemas.Key], error) {
	var none schemas.Page[schemas.Key]
	caller := From(ctx)
	w, err := newWindow(in)
	if err != nil {
		return none, err
	}
	total, err := tx.KeysCount(ctx, db.KeysCountParams{AgentID: caller.AgentID, Mode: modeWithin(caller)})
	if err != nil {
		return none, err
	}
	rows, err := tx.KeysPage(ctx, db.KeysPageParams{
		AgentID: caller.AgentID, Mode: modeWithin(caller),
		AfterTime: w.after.time, AfterID: w.after.id, MaxRows: int32(w.limit + 1), SkipRows: int32(w.offset),
	})
	if err != nil {
		return none, err
	}
	page := pageOf(w, total, rows, func(k db.ApiKey) position { return position{k.CreatedAt, k.ID} }, keyView)
	markTest(caller, &page.Sandboxed)
	return page, nil
}

// modeWithin is the only mode whose keys the caller may manage; "" is both.
func modeWithin(c Caller) string {
	if c.Mode == Live {
		return ""
	}
	return Test
}

func keyView(k db.ApiKey) schemas.Key {
	out := schemas.Key{ID: k.ID, KeyPrefix: k.Prefix, Name: k.Name, Mode: k.Mode, CreatedAt: store.Time(k.CreatedAt)}
	if k.LastUsedAt != 0 {
		used := store.Time(k.LastUsedAt)
		out.LastUsedAt = &used
	}
	return out
}

func markTest(c Caller, s *schemas.Sandboxed) {
	if c.Mode == Test {
		s.MarkSandbox()
	}
}

// RevokeKey ends one of the agent's keys at once. A test key ends only test keys.
func (s *Service) RevokeKey(ctx context.Context, tx *store.Tx, in schemas.RevokeKeyRequest) (schemas.RevokeKeyResponse, error) {
	caller, now := From(ctx), tx.Now()
	n, err := tx.RevokeKey(ctx, db.RevokeKeyParams{
		ID: in.KeyID, AgentID: caller.AgentID, Mode: modeWithin(caller), RevokedAt: store.Micros(now),
	})
	if err != nil {
		return schemas.RevokeKeyResponse{}, err
	}
	if n == 0 {
		return schemas.RevokeKeyResponse{}, schemas.NewError(schemas.CodeNotFound, "API key not found")
	}
	s.forgetKeys(tx)
	out := schemas.RevokeKeyResponse{ID: in.KeyID, RevokedAt: now}
	markTest(caller, &out.Sandboxed)
	return out, nil
}

// AuthenticateKey finds out whose key it is. It reads only: see Caller.Stale.
func (s *Service) AuthenticateKey(ctx context.Context, tx *store.Tx, key string) (Caller, error) {
	if len(key) > maxSecret || !strings.HasPrefix(key, livePrefix) && !strings.HasPrefix(key, testPrefix) {
		return Caller{}, errUnauthenticated
	}
	hash, generation := ident.Hash(key), s.known.begin()
	row, err := tx.KeyByHash(ctx, hash)
	if store.NotFound(err) {
		return Caller{}, errUnauthenticated
	}
	if err != nil {
		return Caller{}, err
	}
	c := Caller{AgentID: row.AgentID, Name: row.Name, KeyID: row.ID, Mode: row.Mode, Via: "api"}
	s.known.keep(generation, hash, c, row.LastUsedAt)
	c.Stale = stale(tx.Now(), row.LastUsedAt)
	return c, nil
}

func stale(now time.Time, used int64) bool { return used <= store.Micros(now.Add(-touchEvery)) }

// Touch writes down that the caller's key or session is in use, at most once a minute,
// and lets a browser's session slide.
func (s *Service) Touch(ctx context.Context, tx *store.Tx, c Caller) error {
	if !c.Stale {
		return nil
	}
	now := tx.Now()
	before := store.Micros(now.Add(-touchEvery))
	if c.KeyID != "" {
		return tx.TouchKey(ctx, db.TouchKeyParams{ID: c.KeyID, Now: store.Micros(now), UsedBefore: before})
	}
	row, err := tx.TouchSession(ctx, db.TouchSessionParams{
		ID: c.SessionID, Now: store.Micros(now), UsedBefore: before, SlideTo: store.Micros(now.Add(s.config.SessionTTL)),
	})
	if store.NotFound(err) {
		return nil // somebody else was quicker, or it has ended
	}
	// The command line acts for the owner without anybody having signed in.
	if err != nil || row.Kind == SessionCLI {
		return err
	}
	return tx.TouchPerson(ctx, db.TouchPersonParams{ID: row.PersonID, LastSeenAt: store.Micros(now)})
}
