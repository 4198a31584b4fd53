// Package passkeytest has a passkey for tests: an authenticator and browser in one.
package passkeytest

import (
	"encoding/json"
	"testing"

	"github.com/descope/virtualwebauthn"
	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/passkey"
	"humanops-mcp/schemas"
)

// Device holds one passkey. Its owner may not be asked for a PIN (Unverified), and its
// browser may be on another page (Origin).
type Device struct {
	t          testing.TB
	host       string
	key        virtualwebauthn.Credential
	Origin     string
	Unverified bool
}

// New makes a device whose browser shows a page of the origin, for passkeys of the host.
func New(t testing.TB, host, origin string) *Device {
	return &Device{t: t, host: host, Origin: origin, key: newKey()}
}

// Restore makes the device that was saved, with the counter that it had.
func Restore(t testing.TB, host, origin string, saved []byte) *Device {
	t.Helper()
	d := &Device{t: t, host: host, Origin: origin}
	require.NoError(t, json.Unmarshal(saved, &d.key))
	return d
}

// newKey draws until no coordinate begins with a zero byte, which the library leaves out
// and no authenticator does.
func newKey() virtualwebauthn.Credential {
	const whole = 77
	for {
		key := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
		if len(key.Key.AttestationData()) == whole {
			return key
		}
	}
}

func (d *Device) parts() (virtualwebauthn.RelyingParty, virtualwebauthn.Authenticator) {
	return virtualwebauthn.RelyingParty{Name: "HumanOps", ID: d.host, Origin: d.Origin},
		virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserNotVerified: d.Unverified})
}

// Create answers a registration.
func (d *Device) Create(c passkey.Ceremony) schemas.Assertion {
	d.t.Helper()
	options, err := virtualwebauthn.ParseAttestationOptions(string(c.Options))
	require.NoError(d.t, err)
	rp, authenticator := d.parts()
	return schemas.Assertion{Ceremony: c.ID, Credential: json.RawMessage(virtualwebauthn.CreateAttestationResponse(rp, authenticator, d.key, *options))}
}

// Get answers a request for an assertion. The counter goes on, as a security key's does.
func (d *Device) Get(c passkey.Ceremony) schemas.Assertion {
	d.t.Helper()
	options, err := virtualwebauthn.ParseAssertionOptions(string(c.Options))
	require.NoError(d.t, err)
	rp, authenticator := d.parts()
	d.key.Counter++
	return schemas.Assertion{Ceremony: c.ID, Credential: json.RawMessage(virtualwebauthn.CreateAssertionResponse(rp, authenticator, d.key, *options))}
}

// Rewind sets the counter back, as on a copy of the device.
func (d *Device) Rewind() { d.key.Counter = 0 }
