package webhook

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"humanops-mcp/schemas"
)

const maxAddress = 2000

// CheckAddress refuses an address that could never be called, or that is private by its
// own words, unless private ones are allowed; then plain http is, too. Names are resolved
// and checked when they are called.
func CheckAddress(field, address string, allowPrivate bool) error {
	u, err := url.Parse(address)
	secure := err == nil && (u.Scheme == "https" || allowPrivate && u.Scheme == "http")
	if !secure || len(address) > maxAddress || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return schemas.Invalid(field, fmt.Sprintf("must be a public https address without user name and fragment; got %.80q. Example: https://example.com/webhooks/hitl", address))
	}
	if allowPrivate {
		return nil
	}
	return CheckPublic(field, address)
}

// CheckPublic refuses an address that is private by its own words. Names are resolved and
// checked when they are called.
func CheckPublic(field, address string) error {
	u, err := url.Parse(address)
	if err != nil || !public(strings.ToLower(u.Hostname())) {
		return schemas.Invalid(field, fmt.Sprintf("must be a public address; got %.80q. The owner of this installation can allow others with allow_private_webhooks", address))
	}
	return nil
}

func public(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().IsGlobalUnicast() && !ip.Unmap().IsPrivate()
	}
	return host != "localhost" && !strings.HasSuffix(host, ".localhost")
}
