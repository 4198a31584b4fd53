// Package passkey keeps people's passkeys and checks what is asserted with them. An
// assertion covers one thing: the challenge that the authenticator signs is made from
// what is decided, so that a signature for one decision is none for another.
//
// Registering a passkey proves nothing: whoever has a person's session can do it. A
// passkey counts in a loop only once it is enrolled there, which takes an assertion of
// one that is enrolled already.
package passkey

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// What an assertion is for.
const (
	Decide = "decide" // an answer to a review request
	Govern = "govern" // a change of a loop that demands passkeys, or of enrolled passkeys

	register = "register"
)

const (
	ceremonyTTL    = 5 * time.Minute
	maxOpen        = 20 // ceremonies of one person
	maxPasskeys    = 20 // of one person
	maxCredential  = 64 << 10
	maxName        = 100
	defaultKeyName = "Passkey"
)

// Config is what an installation chooses.
type Config struct {
	PublicURL string // passkeys are bound to its host
}

// Service keeps passkeys. It is safe for use by many goroutines.
type Service struct {
	web     *webauthn.WebAuthn
	invalid error // why there can be no passkeys under this address
}

// Passkey is a registered passkey, as its owner sees it.
type Passkey struct {
	ID         string
	Name       string
	CreatedAt  time.Time
	LastUsedAt time.Time // zero: never
}

// Ceremony is what a browser needs for navigator.credentials.create or get; the answer
// comes back as a schemas.Assertion with the ceremony's id.
type Ceremony struct {
	ID      string
	Options json.RawMessage
}

// NewService makes the service. Under an address that browsers allow no passkeys for,
// such as a bare IP that is not this machine's own, every ceremony is refused with the
// reason.
func NewService(c Config) *Service {
	host, origins := relyingParty(c.PublicURL)
	web, err := webauthn.New(&webauthn.Config{
		RPID: host, RPDisplayName: "HumanOps", RPOrigins: origins,
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementPreferred, UserVerification: protocol.VerificationRequired,
		},
		Timeouts: webauthn.TimeoutsConfig{
			Login:        webauthn.TimeoutConfig{Timeout: ceremonyTTL, TimeoutUVD: ceremonyTTL},
			Registration: webauthn.TimeoutConfig{Timeout: ceremonyTTL, TimeoutUVD: ceremonyTTL},
		},
	})
	if err == nil {
		err = protocol.ValidateRPID(host)
	}
	if err != nil || net.ParseIP(host) != nil {
		return &Service{invalid: schemas.NewError(schemas.CodeUnavailable, fmt.Sprintf(
			"Passkeys need a host name, which the public_url %.200q does not have. Set public_url to the https address under which people open the pages.", c.PublicURL))}
	}
	return &Service{web: web}
}

// relyingParty is the host that passkeys belong to, and the pages' origins. A browser
// knows no passkeys for IP addresses, so this machine's own is called localhost.
func relyingParty(publicURL string) (host string, origins []string) {
	u, err := url.Parse(publicURL)
	if err != nil || u.Host == "" {
		return "", nil
	}
	host, origins = strings.ToLower(u.Hostname()), []string{u.Scheme + "://" + u.Host}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return host, origins
	}
	local := "http://localhost"
	if u.Port() != "" {
		local += ":" + u.Port()
	}
	if local != origins[0] {
		origins = append(origins, local)
	}
	return "localhost", origins
}

// List lists a person's passkeys, oldest first.
func (s *Service) List(ctx context.Context, tx *store.Tx, personID string) ([]Passkey, error) {
	rows, err := tx.PasskeysOf(ctx, personID)
	out := make([]Passkey, 0, len(rows))
	for _, row := range rows {
		out = append(out, view(row))
	}
	return out, err
}

func view(row db.Passkey) Passkey {
	return Passkey{ID: row.ID, Name: row.Name, CreatedAt: store.Time(row.CreatedAt), LastUsedAt: store.Time(row.LastUsedAt)}
}

// Remove deletes one of a person's passkeys. One that is enrolled in a loop goes only
// with an assertion (purpose Govern, subject RemovalSubject) of a passkey that counts in
// all the same loops: else whoever has the person's session could make room for another.
func (s *Service) Remove(ctx context.Context, tx *store.Tx, personID, id string, a *schemas.Assertion) error {
	enrolments, err := tx.EnrolmentsOfPasskey(ctx, id)
	if err != nil {
		return err
	}
	if enrolments > 0 {
		if err := s.mayRemove(ctx, tx, personID, id, a); err != nil {
			return err
		}
	}
	owned, err := tx.PasskeysOf(ctx, personID)
	if err != nil {
		return err
	}
	if !has(owned, id) {
		return errNoPasskey
	}
	if err := tx.DeleteEnrolments(ctx, id); err != nil {
		return err
	}
	_, err = tx.DeletePasskey(ctx, db.DeletePasskeyParams{ID: id, PersonID: personID})
	return err
}

var errNoPasskey = schemas.NewError(schemas.CodeNotFound, "There is no such passkey among yours.")

func has(rows []db.Passkey, id string) bool {
	for _, row := range rows {
		if row.ID == id {
			return true
		}
	}
	return false
}

func (s *Service) mayRemove(ctx context.Context, tx *store.Tx, personID, id string, a *schemas.Assertion) error {
	if a == nil {
		return schemas.NewError(schemas.CodeForbidden, "This passkey is enrolled in a loop. Removing it has to be confirmed with a passkey that is enrolled there.")
	}
	proof, err := s.Verify(ctx, tx, personID, Govern, RemovalSubject(id), *a)
	if err != nil {
		return err
	}
	beyond, err := tx.EnrolmentsBeyond(ctx, db.EnrolmentsBeyondParams{PasskeyID: id, OtherID: proof.PasskeyID})
	if err == nil && beyond > 0 {
		return schemas.NewError(schemas.CodeForbidden, "The passkey that confirmed this is not enrolled in every loop of the one to be removed. Confirm with another, or with the passkey itself.")
	}
	return err
}

// Enrol makes one passkey of a person count in a loop. Whoever calls has checked that an
// enrolled passkey asserted it, or that there is none yet.
func (s *Service) Enrol(ctx context.Context, tx *store.Tx, loopID, passkeyID, by string) error {
	return tx.EnrolPasskey(ctx, db.EnrolPasskeyParams{LoopID: loopID, PasskeyID: passkeyID, EnrolledBy: by, EnrolledAt: store.Micros(tx.Now())})
}

// Enrolled tells whether assertions of a passkey count in a loop.
func (s *Service) Enrolled(ctx context.Context, tx *store.Tx, loopID, passkeyID string) (bool, error) {
	n, err := tx.PasskeyEnrolled(ctx, db.PasskeyEnrolledParams{LoopID: loopID, PasskeyID: passkeyID})
	return n > 0, err
}

// HasEnrolled tells whether a person has a passkey that counts in a loop.
func (s *Service) HasEnrolled(ctx context.Context, tx *store.Tx, loopID, personID string) (bool, error) {
	n, err := tx.PersonEnrolled(ctx, db.PersonEnrolledParams{LoopID: loopID, PersonID: personID})
	return n > 0, err
}

// EnrolledIn tells whose passkeys count in a loop.
func EnrolledIn(ctx context.Context, tx *store.Tx, loopID string) (map[string]bool, error) {
	ids, err := tx.EnrolledIn(ctx, loopID)
	enrolled := make(map[string]bool, len(ids))
	for _, id := range ids {
		enrolled[id] = true
	}
	return enrolled, err
}

// Disenrol has a person's passkeys count no more in a loop that they leave.
func Disenrol(ctx context.Context, tx *store.Tx, loopID, personID string) error {
	return tx.DeleteEnrolmentsIn(ctx, db.DeleteEnrolmentsInParams{LoopID: loopID, PersonID: personID})
}

// DisenrolAll has nobody's passkeys count in a loop any more.
func DisenrolAll(ctx context.Context, tx *store.Tx, loopID string) error {
	return tx.DeleteLoopPasskeysIn(ctx, loopID)
}

// Forget deletes all passkeys of a person who was removed.
func (s *Service) Forget(ctx context.Context, tx *store.Tx, personID string) error {
	if err := tx.DeleteEnrolmentsOf(ctx, personID); err != nil {
		return err
	}
	if err := tx.DeletePasskeysOf(ctx, personID); err != nil {
		return err
	}
	return tx.DeleteCeremoniesOf(ctx, personID)
}

// Sweep forgets ceremonies that nobody finished in time. It is for a periodic job.
func Sweep(ctx context.Context, tx *store.Tx) error {
	return tx.SweepCeremonies(ctx, store.Micros(tx.Now()))
}
