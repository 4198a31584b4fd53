package schemas

import (
	"encoding/json"
	"time"
)

// Receipt is a signed decision about one action. The signature is Ed25519 (RFC 8032) over
// the RFC 8785 form of the receipt without its signature.
type Receipt struct {
	Version              int             `json:"version" doc:"1"`
	Issuer               string          `json:"issuer" doc:"Public address of the server that signed it"`
	RequestID            string          `json:"request_id"`
	LoopID               string          `json:"loop_id"`
	Round                int             `json:"round"`
	Mode                 string          `json:"mode" enum:"live,test" doc:"test: simulated reviewers; never act on it"`
	ActionDigest         string          `json:"action_digest" doc:"SHA-256 of the RFC 8785 form of {arguments, tool}, hexadecimal; of the edited arguments where a reviewer changed them"`
	OriginalActionDigest string          `json:"original_action_digest,omitempty" doc:"Of what was asked, where a reviewer changed the arguments"`
	Decision             string          `json:"decision" enum:"approved,rejected,needs_changes"`
	ResponseSource       string          `json:"response_source" enum:"human,simulated"`
	DecidedBy            []string        `json:"decided_by" doc:"Ids of the people whose answers decided"`
	DecidedVia           string          `json:"decided_via" enum:"api,page,cli,link,passkey,simulated"`
	DecidedAt            time.Time       `json:"decided_at"`
	ExpiresAt            time.Time       `json:"expires_at"`
	Nonce                string          `json:"nonce"`
	AuditHead            string          `json:"audit_head"`
	Passkeys             json.RawMessage `json:"passkeys,omitempty" doc:"The assertions: credential id, public key, authenticator data, client data, signature"`
	KeyID                string          `json:"key_id"`
	Signature            string          `json:"signature" doc:"base64url without padding"`
}

// GetReceipt gives the receipt of a decided request with an action.
var GetReceipt = Endpoint[ReviewRequest, ReceiptAnswer]{Reviews, "GET", "/requests/{request_id}/receipt", "Get a decision's receipt", 200, Agent | Owner | Executor}

// ReceiptAnswer is the receipt and the action that it covers.
type ReceiptAnswer struct {
	Receipt    Receipt    `json:"receipt"`
	Action     Action     `json:"action" doc:"In canonical form, as it was approved"`
	ConsumedAt *time.Time `json:"consumed_at,omitempty"`
	Sandboxed
}

// Said is the message.
func (ReceiptAnswer) Said() string { return "Receipt retrieved successfully" }

// ConsumeReceipt uses an approval up, once. Only an executor's key and the owner may.
var ConsumeReceipt = Endpoint[ConsumeReceiptRequest, ReceiptConsumed]{Reviews, "POST", "/requests/{request_id}/receipt/consume", "Use an approval up", 200, Executor | Owner}

// ConsumeReceiptRequest says what is about to be done: the action itself, or its digest.
type ConsumeReceiptRequest struct {
	RequestID    string  `path:"request_id" json:"request_id" maxLength:"64"`
	Nonce        string  `json:"nonce" minLength:"1" maxLength:"64" doc:"The receipt's"`
	Action       *Action `json:"action,omitempty" doc:"What is about to be done"`
	ActionDigest string  `json:"action_digest,omitempty" maxLength:"64" doc:"Or its digest"`
}

// ReceiptConsumed says that this call, and no other, may go ahead.
type ReceiptConsumed struct {
	RequestID    string    `json:"request_id"`
	ActionDigest string    `json:"action_digest"`
	Decision     string    `json:"decision"`
	ConsumedAt   time.Time `json:"consumed_at"`
	ConsumedBy   string    `json:"consumed_by"`
	Sandboxed
}

// Said is the message.
func (ReceiptConsumed) Said() string { return "Receipt consumed: go ahead, once" }

// ReceiptKeysPath is the well-known address of the public keys.
const ReceiptKeysPath = "/.well-known/humanops-receipt-keys.json"

// ReceiptKeys is the set of public keys, newest first (RFC 7517, RFC 8037).
type ReceiptKeys struct {
	Keys []ReceiptKey `json:"keys"`
}

// ReceiptKey is one public key. A retired key still verifies what it signed.
type ReceiptKey struct {
	KeyType   string     `json:"kty"`
	Curve     string     `json:"crv"`
	KeyID     string     `json:"kid"`
	Use       string     `json:"use"`
	Algorithm string     `json:"alg"`
	X         string     `json:"x" doc:"The public key, base64url without padding"`
	CreatedAt time.Time  `json:"created_at"`
	RetiredAt *time.Time `json:"retired_at,omitempty"`
}

// GetReceiptKeys lists the public keys for programs that prefer the API.
var GetReceiptKeys = Endpoint[Empty, ReceiptKeys]{Platform, "GET", "/receipt-keys", "Public keys of receipts", 200, Anyone}

// RotateReceiptKey retires the signing key and makes a new one.
var RotateReceiptKey = Endpoint[Empty, ReceiptKeys]{Platform, "POST", "/receipt-keys/rotate", "Rotate the signing key", 200, Owner}

// CreateHouseKey makes a key on behalf of the owner: for an executor, or for an agent's
// reviews.
var CreateHouseKey = Endpoint[CreateHouseKeyRequest, CreateKeyResponse]{Platform, "POST", "/keys", "Make a key", 201, Owner}

// CreateHouseKeyRequest says what the key is for.
type CreateHouseKeyRequest struct {
	Name     string   `json:"name" minLength:"1" maxLength:"100"`
	Audience string   `json:"audience" enum:"executor,reviews,marketplace,all" doc:"executor: may only consume receipts; the others are keys of the house's own agent"`
	Mode     string   `json:"mode,omitempty" enum:"live,test"`
	Scopes   []string `json:"scopes,omitempty" maxItems:"4" doc:"Of reviews: loops:read, loops:write, requests:read, requests:write; all when left out"`
}
