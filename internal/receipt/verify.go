package receipt

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"github.com/go-json-experiment/json/jsontext"

	"humanops-mcp/schemas"
)

// version is the form of receipts that this package makes and checks.
const version = 1

// Verify tells whether one of the keys signed the receipt as it is. It does not know
// whether the receipt was used already, nor what time it is.
func Verify(r schemas.Receipt, keys schemas.ReceiptKeys) error {
	text, err := canonicalWithout(r, "signature")
	if err != nil {
		return unreadable()
	}
	return verify(r, text, keys)
}

// VerifyText is Verify for a receipt as it was handed over: members that this program
// does not know count as changes too.
func VerifyText(raw []byte, keys schemas.ReceiptKeys) (schemas.Receipt, error) {
	var r schemas.Receipt
	if err := json.Unmarshal(raw, &r); err != nil || !jsontext.Value(raw).IsValid() {
		return r, unreadable()
	}
	text, err := dropMember(raw, "signature")
	if err != nil {
		return r, unreadable()
	}
	return r, verify(r, text, keys)
}

func unreadable() error {
	return schemas.NewError(schemas.CodeInvalid, "This is not a receipt: it has to be the JSON object that GET /v1/api/requests/{id}/receipt gives as receipt.")
}

func verify(r schemas.Receipt, text []byte, keys schemas.ReceiptKeys) error {
	if r.Version == 0 && r.Signature == "" {
		return unreadable()
	}
	if r.Version != version {
		return schemas.NewError(schemas.CodeInvalid, "The receipt is not of version 1; verify it with a newer humanops-mcp.")
	}
	key, err := publicKey(r.KeyID, keys)
	if err != nil {
		return err
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(r.Signature)
	if err != nil || !ed25519.Verify(key, text, signature) {
		return schemas.NewError(schemas.CodeInvalid, "The signature does not fit the receipt: it was changed, or somebody else signed it. Do not act on it.")
	}
	return nil
}

// publicKey finds a key by its thumbprint and makes sure that it is the one.
func publicKey(id string, keys schemas.ReceiptKeys) (ed25519.PublicKey, error) {
	for _, k := range keys.Keys {
		if k.KeyID != id {
			continue
		}
		raw, err := base64.RawURLEncoding.Strict().DecodeString(k.X)
		if err != nil || len(raw) != ed25519.PublicKeySize || k.KeyType != keyType || k.Curve != curve || thumbprint(k.X) != id {
			return nil, schemas.NewError(schemas.CodeInvalid, "The key that the receipt names is damaged in the list of keys. Fetch the keys anew from the issuer.")
		}
		return raw, nil
	}
	return nil, schemas.NewError(schemas.CodeInvalid, "The receipt is signed with a key that is not among the issuer's keys. Fetch the keys anew; when it is still not there, do not act on the receipt.")
}

const (
	keyType   = "OKP"
	curve     = "Ed25519"
	algorithm = "EdDSA"
)

// thumbprint is the key id by RFC 7638.
func thumbprint(x string) string {
	sum := sha256.Sum256([]byte(`{"crv":"` + curve + `","kty":"` + keyType + `","x":"` + x + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
