package receipt

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/seal"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// purpose keeps signing keys apart from other sealed secrets.
const purpose = "receipt key"

// Config says in whose name receipts are signed and how long they may be used.
type Config struct {
	Issuer string        // public address of the server
	TTL    time.Duration // 24 hours when zero
}

// Service signs receipts and keeps the keys.
type Service struct {
	config Config
	sealer *seal.Sealer
}

// NewService makes the service.
func NewService(c Config, sealer *seal.Sealer) *Service {
	if c.TTL <= 0 {
		c.TTL = 24 * time.Hour
	}
	c.Issuer = strings.TrimSuffix(c.Issuer, "/")
	return &Service{c, sealer}
}

// EnsureKey makes the first signing key where there is none, and another where the one in
// use was sealed with a master key that is lost: no decision may fail for that.
func (s *Service) EnsureKey(ctx context.Context, tx *store.Tx) error {
	_, _, err := s.signingKey(ctx, tx)
	if errors.Is(err, seal.ErrWrongKey) {
		_, err = s.RotateReceiptKey(ctx, tx, schemas.Empty{})
	}
	return err
}

func (s *Service) newKey(ctx context.Context, tx *store.Tx) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	x := base64.RawURLEncoding.EncodeToString(public)
	id := thumbprint(x)
	sealed, err := s.sealer.Seal(purpose, id, base64.RawURLEncoding.EncodeToString(private.Seed()))
	if err != nil {
		return err
	}
	_, err = tx.InsertSigningKey(ctx, db.InsertSigningKeyParams{ID: id, PublicKey: x, SealedKey: sealed, CreatedAt: store.Micros(tx.Now())})
	return err
}

// Issue completes a receipt with version, issuer, nonce, expiry and signature, and keeps
// it. It belongs in the transaction that makes the decision.
func (s *Service) Issue(ctx context.Context, tx *store.Tx, r schemas.Receipt) (schemas.Receipt, error) {
	id, key, err := s.signingKey(ctx, tx)
	if err != nil {
		return r, err
	}
	if r.DecidedAt.IsZero() {
		r.DecidedAt = tx.Now()
	}
	r.Version, r.Issuer, r.KeyID, r.Nonce = version, s.config.Issuer, id, ident.Secret("")
	r.ExpiresAt, r.Signature = r.DecidedAt.Add(s.config.TTL), ""
	text, err := canonicalWithout(r, "signature")
	if err != nil {
		return r, fmt.Errorf("canonical form of the receipt of %s: %w", r.RequestID, err)
	}
	r.Signature = base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, text))
	return r, keep(ctx, tx, r)
}

func (s *Service) signingKey(ctx context.Context, tx *store.Tx) (string, ed25519.PrivateKey, error) {
	row, err := tx.ActiveSigningKey(ctx)
	if store.NotFound(err) {
		if err = s.newKey(ctx, tx); err == nil {
			row, err = tx.ActiveSigningKey(ctx)
		}
	}
	if err != nil {
		return "", nil, fmt.Errorf("read the key that signs receipts: %w", err)
	}
	seed, err := s.sealer.Open(purpose, row.ID, row.SealedKey)
	if err != nil {
		return "", nil, fmt.Errorf("open the key that signs receipts: %w", err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(seed)
	if err != nil || len(raw) != ed25519.SeedSize {
		return "", nil, fmt.Errorf("the key %s that signs receipts is damaged", row.ID)
	}
	return row.ID, ed25519.NewKeyFromSeed(raw), nil
}

func keep(ctx context.Context, tx *store.Tx, r schemas.Receipt) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return tx.InsertReceipt(ctx, db.InsertReceiptParams{
		ReviewID: r.RequestID, Round: int64(r.Round), Nonce: r.Nonce, Digest: r.ActionDigest, Decision: r.Decision,
		Body: string(body), ExpiresAt: store.Micros(r.ExpiresAt), CreatedAt: store.Micros(tx.Now()),
	})
}

// Keys lists the public keys, the one in use first.
func (s *Service) Keys(ctx context.Context, tx *store.Tx, _ schemas.Empty) (schemas.ReceiptKeys, error) {
	rows, err := tx.ListSigningKeys(ctx)
	if err != nil {
		return schemas.ReceiptKeys{}, err
	}
	out := schemas.ReceiptKeys{Keys: make([]schemas.ReceiptKey, 0, len(rows))}
	for _, row := range rows {
		k := schemas.ReceiptKey{
			KeyType: keyType, Curve: curve, KeyID: row.ID, Use: "sig", Algorithm: algorithm,
			X: row.PublicKey, CreatedAt: store.Time(row.CreatedAt),
		}
		if row.RetiredAt != 0 {
			at := store.Time(row.RetiredAt)
			k.RetiredAt = &at
		}
		out.Keys = append(out.Keys, k)
	}
	return out, nil
}

// RotateReceiptKey retires the key in use and makes another. The old public key stays in
// the list, so that what it signed can still be verified.
func (s *Service) RotateReceiptKey(ctx context.Context, tx *store.Tx, in schemas.Empty) (schemas.ReceiptKeys, error) {
	if _, err := tx.RetireSigningKey(ctx, store.Micros(tx.Now())); err != nil {
		return schemas.ReceiptKeys{}, err
	}
	if err := s.newKey(ctx, tx); err != nil {
		return schemas.ReceiptKeys{}, err
	}
	return s.Keys(ctx, tx, in)
}
