// Package receipts shows how to verify a receipt in Go. Copy it; it needs the standard
// library and an implementation of RFC 8785.
package receipts

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"

	"github.com/gowebpki/jcs"
)

// Verify tells whether one of the issuer's keys signed the receipt as it is. keys is what
// /.well-known/humanops-receipt-keys.json answers with.
func Verify(receipt, keys []byte, issuer string) error {
	var members map[string]json.RawMessage
	var says struct {
		Version           int
		Issuer, Signature string
		KeyID             string `json:"key_id"`
	}
	if json.Unmarshal(receipt, &members) != nil || json.Unmarshal(receipt, &says) != nil {
		return errors.New("not a receipt")
	}
	if says.Version != 1 || says.Issuer != issuer {
		return errors.New("not a receipt of this issuer")
	}
	delete(members, "signature")
	rest, err := json.Marshal(members)
	if err != nil {
		return err
	}
	signed, err := jcs.Transform(rest)
	if err != nil {
		return err
	}
	key, err := find(keys, says.KeyID)
	if err != nil {
		return err
	}
	signature, err := base64.RawURLEncoding.DecodeString(says.Signature)
	if err != nil || !ed25519.Verify(key, signed, signature) {
		return errors.New("the signature does not fit the receipt")
	}
	return nil
}

func find(keys []byte, id string) (ed25519.PublicKey, error) {
	var list struct {
		Keys []struct{ Kid, Kty, Crv, X string }
	}
	if err := json.Unmarshal(keys, &list); err != nil {
		return nil, err
	}
	for _, k := range list.Keys {
		raw, err := base64.RawURLEncoding.DecodeString(k.X)
		if k.Kid == id && k.Kty == "OKP" && k.Crv == "Ed25519" && err == nil && len(raw) == ed25519.PublicKeySize {
			return raw, nil
		}
	}
	return nil, errors.New("the receipt is signed with a key that the issuer does not have")
}

// Digest is the digest of what is about to be done, to be compared with action_digest.
// arguments is a JSON object; its integers lie within ±2^53.
func Digest(tool string, arguments []byte) (string, error) {
	whole, err := json.Marshal(map[string]any{"arguments": json.RawMessage(arguments), "tool": tool})
	if err != nil {
		return "", err
	}
	canonical, err := jcs.Transform(whole)
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), err
}
