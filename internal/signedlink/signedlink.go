// Package signedlink makes short-lived links to proof photos. A link is good for one
// file, one size and one caller, and cannot be altered.
package signedlink

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"humanops-mcp/internal/clock"
	"humanops-mcp/schemas"
)

// Lifetime is how long a link works.
const Lifetime = 15 * time.Minute

// Signer makes and checks links.
type Signer struct {
	key   []byte
	base  string
	clock clock.Clock
}

// New makes a signer whose links begin with base, the public URL.
func New(key []byte, base string, clk clock.Clock) *Signer {
	return &Signer{key: append([]byte(nil), key...), base: strings.TrimRight(base, "/"), clock: clk}
}

// Proof is the absolute URL of a task's n-th file in the given size, for one caller.
func (s *Signer) Proof(taskID string, n int, size, callerID string) string {
	in := schemas.GetProofRequest{TaskID: taskID, N: n, Size: size, For: callerID, Expires: s.clock.Now().Add(Lifetime).Unix()}
	query := url.Values{}
	query.Set("size", orLarge(size))
	query.Set("for", callerID)
	query.Set("expires", strconv.FormatInt(in.Expires, 10))
	query.Set("signature", hex.EncodeToString(s.sign(in)))
	path := strings.NewReplacer("{task_id}", url.PathEscape(taskID), "{n}", strconv.Itoa(n)).Replace(schemas.GetProof.Path)
	return s.base + schemas.GetProof.Contract.Prefix() + path + "?" + query.Encode()
}

// Verify tells for whom a link was made. The signature is checked before the time, so
// that an altered link learns nothing.
func (s *Signer) Verify(in schemas.GetProofRequest) (callerID string, err error) {
	signature, err := hex.DecodeString(in.Signature)
	if err != nil || !hmac.Equal(signature, s.sign(in)) {
		return "", schemas.NewError(schemas.CodeUnauthenticated, "This link is not valid: its signature does not fit. Ask for the task again to get a new link.")
	}
	if s.clock.Now().Unix() >= in.Expires {
		return "", schemas.NewError(schemas.CodeGone, fmt.Sprintf("This link has expired; links work for %d minutes. Ask for the task again to get a new one.", int(Lifetime.Minutes())))
	}
	return in.For, nil
}

// sign covers every part, each with its length before it, so that no two requests
// give the same bytes.
func (s *Signer) sign(in schemas.GetProofRequest) []byte {
	mac := hmac.New(sha256.New, s.key)
	for _, part := range []string{"proof link v1", in.TaskID, strconv.Itoa(in.N), orLarge(in.Size), in.For, strconv.FormatInt(in.Expires, 10)} {
		fmt.Fprintf(mac, "%d:%s", len(part), part)
	}
	return mac.Sum(nil)
}

// orLarge stands in the default, which a link may leave out.
func orLarge(size string) string {
	if size == "" {
		return "large"
	}
	return size
}
