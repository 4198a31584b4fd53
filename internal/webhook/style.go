package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
)

// Style is how a contract's deliveries look on the wire: headers, signatures, and which
// answers are final. It is kept by its name in the subscription.
type Style struct {
	name    string
	headers func(h http.Header, d parcel, sentAt string)
	final   func(status int) bool
}

// The styles of the contracts that have webhooks.
var (
	// Marketplace signs the body alone, as that contract says, and beside it the time of
	// sending too, so that a captured delivery cannot be sent again later.
	Marketplace = Style{"marketplace", marketplaceHeaders, func(int) bool { return false }}
	// Reviews has the contract's two spellings of a signature, and ours. For a day after a
	// rotation the same three with -Former at the end are made with the secret before, so
	// that a receiver can change its secret at any moment of that day without losing one.
	Reviews = Style{"reviews", reviewsHeaders, refuses}
)

func styleOf(name string) Style {
	if name == Marketplace.name {
		return Marketplace
	}
	return Reviews
}

func marketplaceHeaders(h http.Header, p parcel, sentAt string) {
	h.Set("X-Timestamp", sentAt)
	h.Set("X-Delivery-Id", p.EventID)
	if len(p.secrets) > 0 {
		content := []byte(p.Body)
		h.Set("X-Signature", signature(p.secrets[0], content))
		h.Set("X-Signature-V2", signature(p.secrets[0], []byte(sentAt+"."), content))
	}
}

func reviewsHeaders(h http.Header, p parcel, sentAt string) {
	h.Set("X-HITL-Event", p.Event)
	h.Set("X-HITL-Delivery", p.ID)
	h.Set("X-HITL-Timestamp", sentAt)
	for i, suffix := range []string{"", "-Former"} {
		if i < len(p.secrets) {
			signEvent(h, suffix, p.secrets[i], sentAt, []byte(p.Body))
		}
	}
}

func signEvent(h http.Header, suffix, secret, sentAt string, content []byte) {
	mac := signature(secret, content)
	h.Set("X-HITL-Signature"+suffix, mac)
	h.Set("X-HITL-Signature-256"+suffix, "sha256="+mac)
	h.Set("X-HITL-Signature-V2"+suffix, signature(secret, []byte(sentAt+"."), content))
}

// refuses tells whether the answer will be the same next time: the address refuses this
// very delivery.
func refuses(status int) bool {
	return status >= 400 && status <= 499 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}

func signature(secret string, parts ...[]byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	for _, p := range parts {
		mac.Write(p)
	}
	return hex.EncodeToString(mac.Sum(nil))
}
