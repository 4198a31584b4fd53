package account

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/keyset"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

const (
	maxKeys      = 100 // of one agent, not counting revoked ones
	maxSecret    = 200 // characters of anything that claims to be a secret
	shownOfKey   = 12  // characters after the prefix
	defaultNamed = "default"
)

// prefixes are what keys begin with, by audience.
var prefixes = map[string]string{AudienceAll: "ho_", AudienceMarketplace: "ho_", AudienceReviews: "hitl_", AudienceExecutor: "hox_"}

var errUnauthenticated = schemas.NewError(schemas.CodeUnauthenticated,
	"Missing or invalid credentials. Send a valid API key in X-API-Key, or sign in again.")

func prefixOf(audience, mode string) string { return prefixes[audience] + mode + "_" }

// MeansKey tells whether somebody meant a key with what they sent: it begins like one.
func MeansKey(text string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(text, prefix) {
			return true
		}
	}
	return false
}

// IsKey tells whether text looks like a key. What does not is never looked up.
func IsKey(text string) bool {
	if len(text) > maxSecret {
		return false
	}
	for audience := range prefixes {
		if strings.HasPrefix(text, prefixOf(audience, Live)) || strings.HasPrefix(text, prefixOf(audience, Test)) {
			return true
		}
	}
	return false
}

// newKey is a key before it is made.
type newKey struct {
	agentID, name, mode, audience string
	scopes                        []string
}

// addKey makes a key and returns its row and the secret, of which only the hash is kept.
func addKey(ctx context.Context, tx *store.Tx, k newKey) (db.InsertKeyParams, string, error) {
	prefix := prefixOf(k.audience, k.mode)
	secret := ident.Secret(prefix)
	row := db.InsertKeyParams{
		ID:        ident.New("key_"),
		AgentID:   k.agentID,
		Name:      k.name,
		Prefix:    secret[:len(prefix)+shownOfKey] + "..",
		KeyHash:   ident.Hash(secret),
		Audience:  k.audience,
		Scopes:    strings.Join(k.scopes, " "),
		Mode:      k.mode,
		CreatedAt: store.Micros(tx.Now()),
	}
	return row, secret, tx.InsertKey(ctx, row)
}

// CreateKey makes another key of the caller's agent, in the mode of the key that asks and
// for no more than that one is for. It is shown only here.
func (s *Service) CreateKey(ctx context.Context, tx *store.Tx, in schemas.CreateKeyRequest) (schemas.CreateKeyResponse, error) {
	caller := From(ctx)
	if caller.AgentID == "" {
		return schemas.CreateKeyResponse{}, errUnauthenticated
	}
	audience, err := narrowed(caller, in.Audience)
	if err != nil {
		return schemas.CreateKeyResponse{}, err
	}
	scopes, err := checkedScopes(caller, audience, in.Scopes)
	if err != nil {
		return schemas.CreateKeyResponse{}, err
	}
	out, err := create(ctx, tx, newKey{caller.AgentID, in.Name, caller.Mode, audience, scopes})
	markTest(caller, &out.Sandboxed)
	return out, err
}

// CreateHouseKey makes a key of the house's own agent, or one for an executor. An
// executor's key belongs to no agent as far as anybody can see: it only uses approvals up.
func (s *Service) CreateHouseKey(ctx context.Context, tx *store.Tx, in schemas.CreateHouseKeyRequest) (schemas.CreateKeyResponse, error) {
	agent, err := s.LocalAgentID(ctx, tx)
	if err != nil {
		return schemas.CreateKeyResponse{}, err
	}
	scopes, err := checkedScopes(Caller{}, in.Audience, in.Scopes)
	if err != nil {
		return schemas.CreateKeyResponse{}, err
	}
	mode := in.Mode
	if mode == "" {
		mode = Live
	}
	return create(ctx, tx, newKey{agent, in.Name, mode, in.Audience, scopes})
}

func create(ctx context.Context, tx *store.Tx, k newKey) (schemas.CreateKeyResponse, error) {
	var none schemas.CreateKeyResponse
	var err error
	if k.name, err = checkedName(k.name, 100); err != nil {
		return none, err
	}
	n, err := tx.KeysCount(ctx, db.KeysCountParams{AgentID: k.agentID, Mode: "", Executors: false})
	if err != nil {
		return none, err
	}
	if n >= maxKeys && k.audience != AudienceExecutor { // no agent keeps the owner from making an executor's
		return none, schemas.NewError(schemas.CodeUnprocessable, "This agent already has 100 API keys. Revoke one that is not used any more, then try again.")
	}
	row, secret, err := addKey(ctx, tx, k)
	return schemas.CreateKeyResponse{
		ID: row.ID, APIKey: secret, KeyPrefix: row.Prefix, Name: row.Name, Mode: row.Mode,
		Audience: row.Audience, Scopes: k.scopes, CreatedAt: store.Time(row.CreatedAt),
	}, err
}

// narrowed is the audience of a new key: the calling key's, or less.
func narrowed(c Caller, audience string) (string, error) {
	own := c.Audience
	if own == "" {
		own = AudienceAll
	}
	switch {
	case audience == "" || audience == own:
		return own, nil
	case own == AudienceAll && (audience == AudienceMarketplace || audience == AudienceReviews):
		return audience, nil
	}
	return "", schemas.NewError(schemas.CodeForbidden, fmt.Sprintf(
		"A key for %s makes no key for %.20s: a new key never opens more than the one that asks. The owner makes others.", own, audience))
}

// checkedScopes are the scopes of a new key: those that are asked for, and none that the
// calling key lacks.
func checkedScopes(c Caller, audience string, wanted []string) ([]string, error) {
	if len(wanted) == 0 {
		return c.Scopes, nil
	}
	if audience != AudienceAll && audience != AudienceReviews {
		return nil, schemas.Invalid("scopes", "are only for keys that open reviews; leave them out, or use the audience reviews.")
	}
	var out []string
	for i, scope := range wanted {
		field := fmt.Sprintf("scopes[%d]", i)
		if !slices.Contains(Scopes, scope) {
			return nil, schemas.Invalid(field, fmt.Sprintf("must be one of %s; got %.40q.", strings.Join(Scopes, ", "), scope))
		}
		if !c.Has(scope) {
			return nil, schemas.NewError(schemas.CodeForbidden, "The calling key does not have the scope "+scope+": a new key never may more than the one that asks.")
		}
		if !slices.Contains(out, scope) {
			out = append(out, scope)
		}
	}
	return out, nil
}

// managed is whose keys the caller may see and end: an agent its own, the owner those of
// the house's own agent and of executors.
func (s *Service) managed(ctx context.Context, tx *store.Tx) (agentID string, executors bool, err error) {
	caller := From(ctx)
	if !caller.Owner {
		return caller.AgentID, false, nil
	}
	agentID, err = s.LocalAgentID(ctx, tx)
	return agentID, true, err
}

// ListKeys lists the agent's keys that are not revoked, oldest first; to a test key only
// the test keys.
func (s *Service) ListKeys(ctx context.Context, tx *store.Tx, in schemas.PageRequest) (schemas.Page[schemas.Key], error) {
	var none schemas.Page[schemas.Key]
	caller := From(ctx)
	w, err := oldestFirst.Window(in)
	if err != nil {
		return none, err
	}
	agentID, executors, err := s.managed(ctx, tx)
	if err != nil {
		return none, err
	}
	total, err := tx.KeysCount(ctx, db.KeysCountParams{AgentID: agentID, Executors: executors, Mode: modeWithin(caller)})
	if err != nil {
		return none, err
	}
	rows, err := tx.KeysPage(ctx, db.KeysPageParams{
		AgentID: agentID, Executors: executors, Mode: modeWithin(caller),
		AfterTime: w.At.Time, AfterID: w.At.ID, MaxRows: int32(w.Limit + 1), SkipRows: int32(w.Offset),
	})
	if err != nil {
		return none, err
	}
	page := keyset.Page(w, total, rows, func(k db.ApiKey) keyset.Position { return keyset.At(k.CreatedAt, k.ID) }, keyView)
	markTest(caller, &page.Sandboxed)
	return page, nil
}

// modeWithin is the only mode whose keys the caller may manage; "" is both.
func modeWithin(c Caller) string {
	if c.Mode == Live || c.Owner {
		return ""
	}
	return Test
}

func keyView(k db.ApiKey) schemas.Key {
	out := schemas.Key{
		ID: k.ID, KeyPrefix: k.Prefix, Name: k.Name, Mode: k.Mode, Audience: k.Audience, Scopes: scopesOf(k.Scopes), CreatedAt: store.Time(k.CreatedAt),
	}
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
	agentID, executors, err := s.managed(ctx, tx)
	if err != nil {
		return schemas.RevokeKeyResponse{}, err
	}
	n, err := tx.RevokeKey(ctx, db.RevokeKeyParams{
		ID: in.KeyID, AgentID: agentID, Executors: executors, Mode: modeWithin(caller), RevokedAt: store.Micros(now),
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
	if !IsKey(key) {
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
	c := Caller{AgentID: row.AgentID, Name: row.Name, KeyID: row.ID, Mode: row.Mode, Audience: row.Audience, Scopes: scopesOf(row.Scopes), Via: "api"}
	if row.Audience == AudienceExecutor {
		c.Executor, c.AgentID, c.Name = true, "", row.KeyName // it acts for nobody's agent
	}
	s.known.keep(generation, hash, c, row.LastUsedAt)
	c.Stale = stale(tx.Now(), row.LastUsedAt)
	return c, nil
}

// scopesOf reads a key's scopes; nil is all.
func scopesOf(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Fields(text)
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
