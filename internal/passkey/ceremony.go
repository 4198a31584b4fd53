package passkey

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// Proof is a verified assertion.
type Proof struct {
	PasskeyID string
	Evidence  json.RawMessage
}

// Evidence is a verified assertion in full, all of it base64url, so that anybody can
// check it again. What the passkey signed is authenticator_data followed by the SHA-256
// of client_data_json, and public_key (COSE) verifies signature over that. The member
// challenge of client_data_json is, in base64url, the SHA-256 of these five lines, each
// ended by a line feed except the last: "humanops-mcp passkey 1", purpose, ceremony,
// nonce, subject (as text, not base64url). The subject names what was decided.
type Evidence struct {
	PasskeyID         string `json:"passkey_id"`
	PublicKey         string `json:"public_key"`
	AuthenticatorData string `json:"authenticator_data"`
	ClientDataJSON    string `json:"client_data_json"`
	Signature         string `json:"signature"`
	Purpose           string `json:"purpose"`  // as text
	Ceremony          string `json:"ceremony"` // as text
	Nonce             string `json:"nonce"`
	Subject           string `json:"subject"`
}

// user is a person with their passkeys, as the library wants them.
type user struct {
	id, name    string
	credentials []webauthn.Credential
}

func (u user) WebAuthnID() []byte                         { return []byte(u.id) }
func (u user) WebAuthnName() string                       { return u.name }
func (u user) WebAuthnDisplayName() string                { return u.name }
func (u user) WebAuthnCredentials() []webauthn.Credential { return u.credentials }

func findUser(ctx context.Context, tx *store.Tx, personID string) (user, error) {
	person, err := account.Person(ctx, tx, personID)
	if err != nil {
		return user{}, err
	}
	rows, err := tx.PasskeysOf(ctx, personID)
	if err != nil {
		return user{}, err
	}
	u := user{id: person.ID, name: person.Name}
	for _, row := range rows {
		var c webauthn.Credential
		if err := json.Unmarshal([]byte(row.Credential), &c); err != nil {
			return user{}, fmt.Errorf("passkey %s: %w", row.ID, err)
		}
		u.credentials = append(u.credentials, c)
	}
	return u, nil
}

// kept is what stays here between the two halves of a ceremony.
type kept struct {
	Nonce   string               `json:"nonce,omitempty"`
	Session webauthn.SessionData `json:"session"`
}

func (s *Service) keep(ctx context.Context, tx *store.Tx, id, personID, purpose, subject string, k kept) error {
	now := tx.Now()
	if err := tx.DeleteDeadCeremonies(ctx, db.DeleteDeadCeremoniesParams{PersonID: personID, Now: store.Micros(now)}); err != nil {
		return err
	}
	if err := tx.DeleteOldestCeremonies(ctx, db.DeleteOldestCeremoniesParams{PersonID: personID, Keep: maxOpen - 1}); err != nil {
		return err
	}
	raw, err := json.Marshal(k)
	if err != nil {
		return err
	}
	return tx.InsertCeremony(ctx, db.InsertCeremonyParams{
		ID: id, PersonID: personID, Purpose: purpose, Subject: fingerprint(subject), Session: string(raw),
		CreatedAt: store.Micros(now), ExpiresAt: store.Micros(now.Add(ceremonyTTL)),
	})
}

var errCeremony = schemas.NewError(schemas.CodeGone,
	"This confirmation has been used, has expired or was begun for something else. Load the page again and confirm once more.")

// take ends a ceremony, for the one thing that it was begun for.
func take(ctx context.Context, tx *store.Tx, id, personID, purpose, subject string) (kept, error) {
	var k kept
	row, err := tx.TakeCeremony(ctx, db.TakeCeremonyParams{ID: id, PersonID: personID, Purpose: purpose, Now: store.Micros(tx.Now())})
	if store.NotFound(err) || err == nil && row.Subject != fingerprint(subject) {
		return k, errCeremony
	}
	if err != nil {
		return k, err
	}
	return k, json.Unmarshal([]byte(row.Session), &k)
}

func fingerprint(subject string) string {
	sum := sha256.Sum256([]byte(subject))
	return hex.EncodeToString(sum[:])
}

// challenge is what the authenticator signs: see Evidence.
func challenge(purpose, ceremony, nonce, subject string) []byte {
	sum := sha256.Sum256([]byte(strings.Join([]string{"humanops-mcp passkey 1", purpose, ceremony, nonce, subject}, "\n")))
	return sum[:]
}

// BeginRegistration begins to register a passkey of a person.
func (s *Service) BeginRegistration(ctx context.Context, tx *store.Tx, personID string) (Ceremony, error) {
	if s.invalid != nil {
		return Ceremony{}, s.invalid
	}
	u, err := findUser(ctx, tx, personID)
	if err != nil {
		return Ceremony{}, err
	}
	if len(u.credentials) >= maxPasskeys {
		return Ceremony{}, errTooMany
	}
	options, session, err := s.web.BeginRegistration(u, webauthn.WithExclusions(webauthn.Credentials(u.credentials).CredentialDescriptors()))
	if err != nil {
		return Ceremony{}, err
	}
	id := ident.New("cer_")
	if err := s.keep(ctx, tx, id, personID, register, "", kept{Session: *session}); err != nil {
		return Ceremony{}, err
	}
	raw, err := json.Marshal(options)
	return Ceremony{ID: id, Options: raw}, err
}

var errTooMany = schemas.NewError(schemas.CodeUnprocessable, fmt.Sprintf("A person has at most %d passkeys. Remove one that is not used any more, then try again.", maxPasskeys))

// FinishRegistration registers a passkey. It counts nowhere until it is enrolled.
func (s *Service) FinishRegistration(ctx context.Context, tx *store.Tx, personID, name string, a schemas.Assertion) (Passkey, error) {
	if s.invalid != nil {
		return Passkey{}, s.invalid
	}
	k, err := take(ctx, tx, a.Ceremony, personID, register, "")
	if err != nil {
		return Passkey{}, err
	}
	u, err := findUser(ctx, tx, personID)
	if err != nil {
		return Passkey{}, err
	}
	if len(u.credentials) >= maxPasskeys {
		return Passkey{}, errTooMany
	}
	credential, err := s.created(u, k.Session, a.Credential)
	if err != nil {
		return Passkey{}, err
	}
	return insert(ctx, tx, personID, name, credential)
}

func (s *Service) created(u user, session webauthn.SessionData, raw json.RawMessage) (*webauthn.Credential, error) {
	if len(raw) > maxCredential {
		return nil, errUnverified
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(raw)
	if err != nil {
		return nil, errUnverified
	}
	credential, err := s.web.CreateCredential(u, session, parsed)
	if err != nil {
		return nil, errUnverified
	}
	return credential, nil
}

// errUnverified does not say which check failed: a person can do nothing about it, and
// others learn nothing from it.
var errUnverified = schemas.NewError(schemas.CodeForbidden,
	"The passkey could not be verified. Use a passkey of your own that is registered here, with its PIN, fingerprint or face, and try again.")

func insert(ctx context.Context, tx *store.Tx, personID, name string, c *webauthn.Credential) (Passkey, error) {
	raw, err := json.Marshal(c)
	if err != nil {
		return Passkey{}, err
	}
	row := db.InsertPasskeyParams{
		ID: encode(c.ID), PersonID: personID, Name: cleanName(name), Credential: string(raw), CreatedAt: store.Micros(tx.Now()),
	}
	n, err := tx.InsertPasskey(ctx, row)
	if err == nil && n == 0 {
		err = schemas.NewError(schemas.CodeConflict, "This passkey is registered already.")
	}
	return Passkey{ID: row.ID, Name: row.Name, CreatedAt: tx.Now()}, err
}

func cleanName(name string) string {
	name = strings.Join(strings.Fields(strings.ToValidUTF8(name, "")), " ")
	letters := []rune(strings.Map(printable, name))
	if len(letters) == 0 {
		return defaultKeyName
	}
	return string(letters[:min(len(letters), maxName)])
}

// Begin begins an assertion over a subject, which says what is to be decided.
func (s *Service) Begin(ctx context.Context, tx *store.Tx, personID, purpose, subject string) (Ceremony, error) {
	if s.invalid != nil {
		return Ceremony{}, s.invalid
	}
	u, err := findUser(ctx, tx, personID)
	if err != nil {
		return Ceremony{}, err
	}
	if len(u.credentials) == 0 {
		return Ceremony{}, schemas.NewError(schemas.CodeForbidden, "You have no passkey yet. Register one first; then an owner of the loop whose passkey is enrolled adds you again.")
	}
	id, random := ident.New("cer_"), make([]byte, 32)
	rand.Read(random) //nolint:errcheck // crypto/rand.Read never fails: it ends the program
	nonce := encode(random)
	options, session, err := s.web.BeginLogin(u, webauthn.WithChallenge(challenge(purpose, id, nonce, subject)))
	if err != nil {
		return Ceremony{}, err
	}
	if err := s.keep(ctx, tx, id, personID, purpose, subject, kept{nonce, *session}); err != nil {
		return Ceremony{}, err
	}
	raw, err := json.Marshal(options)
	return Ceremony{ID: id, Options: raw}, err
}

// Verify checks an assertion of one of the person's passkeys over the subject, once. It
// does not tell whether the passkey counts anywhere: ask Enrolled.
func (s *Service) Verify(ctx context.Context, tx *store.Tx, personID, purpose, subject string, a schemas.Assertion) (Proof, error) {
	if s.invalid != nil {
		return Proof{}, s.invalid
	}
	k, err := take(ctx, tx, a.Ceremony, personID, purpose, subject)
	if err != nil {
		return Proof{}, err
	}
	// The session was kept here; still the challenge is made again from what is decided.
	k.Session.Challenge = encode(challenge(purpose, a.Ceremony, k.Nonce, subject))
	u, err := findUser(ctx, tx, personID)
	if err != nil {
		return Proof{}, err
	}
	// Passkeys that were removed meanwhile are no reason to refuse the others.
	k.Session.AllowedCredentialIDs = allowed(u, k.Session.AllowedCredentialIDs)
	parsed, credential, err := s.asserted(u, k.Session, a.Credential)
	if err != nil {
		return Proof{}, err
	}
	if err := used(ctx, tx, personID, credential); err != nil {
		return Proof{}, err
	}
	e := Evidence{
		PasskeyID: encode(credential.ID), PublicKey: encode(credential.PublicKey),
		AuthenticatorData: encode(parsed.Raw.AssertionResponse.AuthenticatorData), ClientDataJSON: encode(parsed.Raw.AssertionResponse.ClientDataJSON),
		Signature: encode(parsed.Response.Signature), Purpose: purpose, Ceremony: a.Ceremony, Nonce: k.Nonce, Subject: encode([]byte(subject)),
	}
	raw, err := json.Marshal(e)
	return Proof{PasskeyID: e.PasskeyID, Evidence: raw}, err
}

func allowed(u user, ids [][]byte) [][]byte {
	var out [][]byte
	for _, id := range ids {
		for _, c := range u.credentials {
			if bytes.Equal(c.ID, id) {
				out = append(out, id)
			}
		}
	}
	return out
}

func (s *Service) asserted(u user, session webauthn.SessionData, raw json.RawMessage) (*protocol.ParsedCredentialAssertionData, *webauthn.Credential, error) {
	if len(raw) > maxCredential || len(session.AllowedCredentialIDs) == 0 {
		return nil, nil, errUnverified
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(raw)
	if err != nil {
		return nil, nil, errUnverified
	}
	credential, err := s.web.ValidateLogin(u, session, parsed)
	if err != nil {
		return nil, nil, errUnverified
	}
	if credential.Authenticator.CloneWarning {
		return nil, nil, schemas.NewError(schemas.CodeForbidden,
			"This passkey's counter went backwards, as that of a copy would. Use another passkey, and remove this one.")
	}
	return parsed, credential, nil
}

func used(ctx context.Context, tx *store.Tx, personID string, c *webauthn.Credential) error {
	raw, err := json.Marshal(c)
	if err != nil {
		return err
	}
	n, err := tx.UsePasskey(ctx, db.UsePasskeyParams{
		ID: encode(c.ID), PersonID: personID, Credential: string(raw), LastUsedAt: store.Micros(tx.Now()),
	})
	if err == nil && n == 0 {
		err = errUnverified
	}
	return err
}

func encode(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }
