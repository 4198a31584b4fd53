package webhook

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"humanops-mcp/internal/check"
	"humanops-mcp/schemas"
)

const maxAddress = 2000

// CheckAddress refuses an address that could never be called, or that is private by its
// own words, unless private ones are allowed; then plain http is, too. Names are resolved
// and checked when they are called.
func CheckAddress(field, address string, allowPrivate bool) error {
	if problem := problemOf(address, allowPrivate); problem != "" {
		return schemas.Invalid(field, problem)
	}
	return nil
}

// CheckCallback notes what is wrong with a subject's own address, and with the secret that
// signs what is sent there. Both may be left out.
func CheckCallback(p *check.Problems, address, secret string, allowPrivate bool) {
	switch {
	case address == "" && secret != "":
		p.Add("callback_secret", "is given without a callback_url; send both")
	case address != "":
		if problem := problemOf(address, allowPrivate); problem != "" {
			p.Add("callback_url", "%s", problem)
		}
	}
	p.Length("callback_secret", secret, MaxSecret)
}

// problemOf says what is wrong with an address, "" when nothing is.
func problemOf(address string, allowPrivate bool) string {
	u, err := url.Parse(address)
	secure := err == nil && (u.Scheme == "https" || allowPrivate && u.Scheme == "http")
	switch {
	case !secure, len(address) > maxAddress, u.Hostname() == "", u.User != nil, u.Fragment != "":
		return fmt.Sprintf("must be a public https address without user name and fragment; got %.80q. Example: https://example.com/webhooks/hitl", address)
	case !allowPrivate && !public(strings.ToLower(u.Hostname())):
		return fmt.Sprintf("must be a public address; got %.80q. The owner of this installation can allow others with allow_private_webhooks", address)
	}
	return ""
}

func public(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().IsGlobalUnicast() && !ip.Unmap().IsPrivate()
	}
	return host != "localhost" && !strings.HasSuffix(host, ".localhost")
}
