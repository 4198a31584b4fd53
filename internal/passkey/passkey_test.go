package passkey_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/passkey"
	"humanops-mcp/internal/passkey/passkeytest"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/schemas"
)

const (
	ada, bob = "op_ada", "op_bob"
	origin   = "https://humans.example.com"
)

type bench struct {
	*passkey.Service
	t     *testing.T
	store *store.Store
	clock *clock.Fake
}

func each(t *testing.T, test func(t *testing.T, b *bench)) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		b := &bench{passkey.NewService(passkey.Config{PublicURL: origin}), t, s, clk}
		b.write(func(ctx context.Context, tx *store.Tx) error {
			for _, id := range []string{ada, bob} {
				_, err := tx.InsertPerson(ctx, db.InsertPersonParams{ID: id, Name: id, NameKey: id, CreatedAt: 1})
				require.NoError(t, err)
			}
			for _, id := range []string{"loop1", "loop2"} {
				_, err := tx.InsertLoop(ctx, db.InsertLoopParams{ID: id, Slug: id, Mode: "live", Kind: "loop", CreatorID: ada, Name: id, CreatedAt: 1})
				require.NoError(t, err)
			}
			return nil
		})
		test(t, b)
	})
}

func (b *bench) try(unit func(ctx context.Context, tx *store.Tx) error) error {
	return b.store.Write(b.t.Context(), func(tx *store.Tx) error { return unit(b.t.Context(), tx) })
}

func (b *bench) write(unit func(ctx context.Context, tx *store.Tx) error) {
	b.t.Helper()
	require.NoError(b.t, b.try(unit))
}

func (b *bench) device() *passkeytest.Device {
	return passkeytest.New(b.t, "humans.example.com", origin)
}

func (b *bench) tryRegister(person string, d *passkeytest.Device) (p passkey.Passkey, err error) {
	var c passkey.Ceremony
	err = b.try(func(ctx context.Context, tx *store.Tx) (err error) {
		c, err = b.BeginRegistration(ctx, tx, person)
		return err
	})
	if err != nil {
		return p, err
	}
	return p, b.try(func(ctx context.Context, tx *store.Tx) (err error) {
		p, err = b.FinishRegistration(ctx, tx, person, "  My\tphone\u202e ", d.Create(c))
		return err
	})
}

func (b *bench) register(person string) (*passkeytest.Device, passkey.Passkey) {
	b.t.Helper()
	d := b.device()
	p, err := b.tryRegister(person, d)
	require.NoError(b.t, err)
	return d, p
}

func (b *bench) begin(person, purpose, subject string) (c passkey.Ceremony) {
	b.t.Helper()
	b.write(func(ctx context.Context, tx *store.Tx) (err error) {
		c, err = b.Begin(ctx, tx, person, purpose, subject)
		return err
	})
	return c
}

func (b *bench) verify(person, purpose, subject string, a schemas.Assertion) (p passkey.Proof, err error) {
	err = b.try(func(ctx context.Context, tx *store.Tx) (err error) {
		p, err = b.Verify(ctx, tx, person, purpose, subject, a)
		return err
	})
	return p, err
}

func (b *bench) enrol(loop string, p passkey.Passkey) {
	b.write(func(ctx context.Context, tx *store.Tx) error { return b.Enrol(ctx, tx, loop, p.ID, ada) })
}

func (b *bench) remove(person, id string, a *schemas.Assertion) error {
	return b.try(func(ctx context.Context, tx *store.Tx) error { return b.Remove(ctx, tx, person, id, a) })
}

func (b *bench) list(person string) (out []passkey.Passkey) {
	b.write(func(ctx context.Context, tx *store.Tx) (err error) {
		out, err = b.List(ctx, tx, person)
		return err
	})
	return out
}

func requireCode(t *testing.T, code schemas.Code, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, code, schemas.ErrorCode(err), err)
}

func TestAPersonDecidesWithTheirPasskey(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		device, key := b.register(ada)
		require.Equal(t, "My phone", key.Name)
		subject := passkey.DecisionSubject("r1", 1, "digest", json.RawMessage(`true`), nil)
		proof, err := b.verify(ada, passkey.Decide, subject, device.Get(b.begin(ada, passkey.Decide, subject)))
		require.NoError(t, err)
		require.Equal(t, key.ID, proof.PasskeyID)
		listed := b.list(ada)
		require.Len(t, listed, 1)
		require.Equal(t, storetest.Start, listed[0].LastUsedAt)
		requireCheckable(t, proof.Evidence, subject)
	})
}

// requireCheckable checks an assertion as a third party would, with nothing but what the
// evidence holds and its description.
func requireCheckable(t *testing.T, evidence json.RawMessage, subject string) {
	t.Helper()
	var e passkey.Evidence
	require.NoError(t, json.Unmarshal(evidence, &e))
	raw := func(text string) []byte {
		out, err := base64.RawURLEncoding.DecodeString(text)
		require.NoError(t, err)
		return out
	}
	require.Equal(t, subject, string(raw(e.Subject)))
	challenge := sha256.Sum256([]byte("humanops-mcp passkey 1\n" + e.Purpose + "\n" + e.Ceremony + "\n" + e.Nonce + "\n" + subject))
	var client struct{ Type, Challenge, Origin string }
	require.NoError(t, json.Unmarshal(raw(e.ClientDataJSON), &client))
	require.Equal(t, base64.RawURLEncoding.EncodeToString(challenge[:]), client.Challenge)
	require.Equal(t, "webauthn.get", client.Type)
	require.Equal(t, origin, client.Origin)
	var key map[int]any
	require.NoError(t, cbor.Unmarshal(raw(e.PublicKey), &key))
	point := append([]byte{4}, append(key[-2].([]byte), key[-3].([]byte)...)...)
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	require.NoError(t, err)
	clientHash := sha256.Sum256(raw(e.ClientDataJSON))
	signed := sha256.Sum256(append(raw(e.AuthenticatorData), clientHash[:]...))
	require.True(t, ecdsa.VerifyASN1(public, signed[:], raw(e.Signature)))
}

func TestAnAssertionIsGoodForOneThingOnce(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		device, _ := b.register(ada)
		other, _ := b.register(bob)
		begin := func() passkey.Ceremony { return b.begin(ada, passkey.Decide, "approve 82000") }
		t.Run("another subject", func(t *testing.T) {
			_, err := b.verify(ada, passkey.Decide, "approve 820000", device.Get(begin()))
			requireCode(t, schemas.CodeGone, err)
		})
		t.Run("another purpose", func(t *testing.T) {
			_, err := b.verify(ada, passkey.Govern, "approve 82000", device.Get(begin()))
			requireCode(t, schemas.CodeGone, err)
		})
		t.Run("another person", func(t *testing.T) {
			_, err := b.verify(bob, passkey.Decide, "approve 82000", device.Get(begin()))
			requireCode(t, schemas.CodeGone, err)
		})
		t.Run("another person's passkey", func(t *testing.T) {
			_, err := b.verify(ada, passkey.Decide, "approve 82000", other.Get(begin()))
			requireCode(t, schemas.CodeForbidden, err)
		})
		t.Run("a passkey that is not registered", func(t *testing.T) {
			_, err := b.verify(ada, passkey.Decide, "approve 82000", b.device().Get(begin()))
			requireCode(t, schemas.CodeForbidden, err)
		})
		t.Run("another ceremony's signature", func(t *testing.T) {
			a := device.Get(begin())
			a.Ceremony = begin().ID
			_, err := b.verify(ada, passkey.Decide, "approve 82000", a)
			requireCode(t, schemas.CodeForbidden, err)
		})
		t.Run("a changed signature", func(t *testing.T) {
			a := device.Get(begin())
			a.Credential = json.RawMessage(strings.Replace(string(a.Credential), `"signature":"`, `"signature":"AA`, 1))
			_, err := b.verify(ada, passkey.Decide, "approve 82000", a)
			requireCode(t, schemas.CodeForbidden, err)
		})
		t.Run("no credential at all", func(t *testing.T) {
			for _, raw := range []string{"", "null", "{}", "[]", `{"id":1}`, strings.Repeat(" ", 70_000)} {
				_, err := b.verify(ada, passkey.Decide, "approve 82000", schemas.Assertion{Ceremony: begin().ID, Credential: json.RawMessage(raw)})
				requireCode(t, schemas.CodeForbidden, err)
			}
		})
		t.Run("a page that is not ours", func(t *testing.T) {
			device.Origin = "https://evil.example.com"
			defer func() { device.Origin = origin }()
			_, err := b.verify(ada, passkey.Decide, "approve 82000", device.Get(begin()))
			requireCode(t, schemas.CodeForbidden, err)
		})
		t.Run("without the person's PIN or finger", func(t *testing.T) {
			device.Unverified = true
			defer func() { device.Unverified = false }()
			_, err := b.verify(ada, passkey.Decide, "approve 82000", device.Get(begin()))
			requireCode(t, schemas.CodeForbidden, err)
		})
		t.Run("a second time", func(t *testing.T) {
			a := device.Get(begin())
			_, err := b.verify(ada, passkey.Decide, "approve 82000", a)
			require.NoError(t, err)
			_, err = b.verify(ada, passkey.Decide, "approve 82000", a)
			requireCode(t, schemas.CodeGone, err)
		})
		t.Run("too late", func(t *testing.T) {
			a := device.Get(begin())
			b.clock.Advance(5 * time.Minute)
			_, err := b.verify(ada, passkey.Decide, "approve 82000", a)
			requireCode(t, schemas.CodeGone, err)
		})
		t.Run("just in time", func(t *testing.T) {
			a := device.Get(begin())
			b.clock.Advance(5*time.Minute - time.Second)
			_, err := b.verify(ada, passkey.Decide, "approve 82000", a)
			require.NoError(t, err)
		})
		t.Run("a copy of the device", func(t *testing.T) {
			device.Rewind()
			_, err := b.verify(ada, passkey.Decide, "approve 82000", device.Get(begin()))
			requireCode(t, schemas.CodeForbidden, err)
			require.ErrorContains(t, err, "counter")
		})
	})
}

func TestOfTenUsesOfOneAssertionAtOnceOneCounts(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		device, _ := b.register(ada)
		a := device.Get(b.begin(ada, passkey.Decide, "x"))
		results := make(chan error, 10)
		for range cap(results) {
			go func() {
				_, err := b.verify(ada, passkey.Decide, "x", a)
				results <- err
			}()
		}
		won := 0
		for range cap(results) {
			if err := <-results; err == nil {
				won++
			} else {
				requireCode(t, schemas.CodeGone, err)
			}
		}
		require.Equal(t, 1, won)
	})
}

func TestSubjectsOfDifferentDecisionsDiffer(t *testing.T) {
	one, two := json.RawMessage(`true`), json.RawMessage(`false`)
	seen := map[string]bool{}
	for _, subject := range []string{
		passkey.DecisionSubject("r", 1, "d", one, nil), passkey.DecisionSubject("r", 1, "d", two, nil), passkey.DecisionSubject("r", 2, "d", one, nil),
		passkey.DecisionSubject("s", 1, "d", one, nil), passkey.DecisionSubject("r", 1, "e", one, nil), passkey.DecisionSubject("r", 1, "d", one, one),
		passkey.DecisionSubject("r", 1, `d" "true`, nil, nil), passkey.GovernSubject("r", "delete"), passkey.RemovalSubject("r"),
	} {
		require.False(t, seen[subject], subject)
		seen[subject] = true
	}
}

func TestAPasskeyIsRegisteredOnceAndForOnePerson(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		device, _ := b.register(ada)
		_, err := b.tryRegister(bob, device)
		requireCode(t, schemas.CodeConflict, err)
		careless := b.device()
		careless.Unverified = true
		_, err = b.tryRegister(ada, careless)
		requireCode(t, schemas.CodeForbidden, err)
		elsewhere := b.device()
		elsewhere.Origin = "https://evil.example.com"
		_, err = b.tryRegister(ada, elsewhere)
		requireCode(t, schemas.CodeForbidden, err)
		require.Len(t, b.list(ada), 1)
		require.Empty(t, b.list(bob))
	})
}

func TestAPersonHasAtMostTwentyPasskeys(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		for range 20 {
			b.register(ada)
		}
		_, err := b.tryRegister(ada, b.device())
		requireCode(t, schemas.CodeUnprocessable, err)
		b.register(bob)
	})
}

func TestAPersonHasAtMostTwentyOpenCeremonies(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		device, _ := b.register(ada)
		first := device.Get(b.begin(ada, passkey.Decide, "x"))
		for range 20 {
			b.clock.Advance(time.Second)
			b.begin(ada, passkey.Decide, "x")
		}
		_, err := b.verify(ada, passkey.Decide, "x", first)
		requireCode(t, schemas.CodeGone, err)
	})
}

func TestWithoutAPasskeyNothingCanBeAsserted(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		err := b.try(func(ctx context.Context, tx *store.Tx) error {
			_, err := b.Begin(ctx, tx, ada, passkey.Decide, "x")
			return err
		})
		requireCode(t, schemas.CodeForbidden, err)
	})
}

func TestAnEnrolledPasskeyIsRemovedOnlyWithOneThatCountsInTheSameLoops(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		device, key := b.register(ada)
		intruder, other := b.register(ada)
		b.enrol("loop1", key)
		b.enrol("loop2", key)
		confirm := func(d *passkeytest.Device, id string) *schemas.Assertion {
			a := d.Get(b.begin(ada, passkey.Govern, passkey.RemovalSubject(id)))
			return &a
		}
		requireCode(t, schemas.CodeForbidden, b.remove(ada, key.ID, nil))
		requireCode(t, schemas.CodeForbidden, b.remove(ada, key.ID, confirm(intruder, key.ID)))
		b.enrol("loop2", other)
		requireCode(t, schemas.CodeForbidden, b.remove(ada, key.ID, confirm(intruder, key.ID)))
		requireCode(t, schemas.CodeGone, b.remove(ada, key.ID, confirm(device, other.ID)))
		require.Len(t, b.list(ada), 2)

		require.NoError(t, b.remove(ada, other.ID, confirm(device, other.ID)))
		require.NoError(t, b.remove(ada, key.ID, confirm(device, key.ID)))
		require.Empty(t, b.list(ada))
	})
}

func TestAPasskeyThatIsEnrolledNowhereIsRemovedFreely(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		_, key := b.register(ada)
		requireCode(t, schemas.CodeNotFound, b.remove(bob, key.ID, nil))
		require.NoError(t, b.remove(ada, key.ID, nil))
		requireCode(t, schemas.CodeNotFound, b.remove(ada, key.ID, nil))
	})
}

func TestRegisteringDoesNotEnrol(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		_, key := b.register(ada)
		b.enrol("loop1", key)
		_, second := b.register(ada)
		b.write(func(ctx context.Context, tx *store.Tx) error {
			yes, err := b.Enrolled(ctx, tx, "loop1", key.ID)
			require.NoError(t, err)
			require.True(t, yes)
			no, err := b.Enrolled(ctx, tx, "loop1", second.ID)
			require.NoError(t, err)
			require.False(t, no)
			has, err := b.HasEnrolled(ctx, tx, "loop2", ada)
			require.NoError(t, err)
			require.False(t, has)
			return b.Forget(ctx, tx, ada)
		})
		require.Empty(t, b.list(ada))
	})
}

func TestPasskeysBelongToThePublicHost(t *testing.T) {
	for address, host := range map[string]string{
		"http://127.0.0.1:7421": "localhost", "http://[::1]:7421": "localhost", "http://localhost:7421": "localhost", "https://humans.example.com": "humans.example.com",
	} {
		t.Run(address, func(t *testing.T) {
			s := storetest.Open(t)
			service := passkey.NewService(passkey.Config{PublicURL: address})
			b := &bench{Service: service, t: t, store: s}
			b.write(func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.InsertPerson(ctx, db.InsertPersonParams{ID: ada, Name: "Ada", NameKey: "ada", CreatedAt: 1})
				return err
			})
			page := address
			if host == "localhost" {
				page = "http://localhost:7421"
			}
			device := passkeytest.New(t, host, page)
			_, err := b.tryRegister(ada, device)
			require.NoError(t, err)
			_, err = b.verify(ada, passkey.Decide, "x", device.Get(b.begin(ada, passkey.Decide, "x")))
			require.NoError(t, err)
		})
	}
	for _, address := range []string{"http://192.168.1.5:7421", "", "://", "http://[fe80::1]"} {
		b := &bench{Service: passkey.NewService(passkey.Config{PublicURL: address}), t: t, store: storetest.Open(t)}
		_, err := b.tryRegister(ada, b.device())
		requireCode(t, schemas.CodeUnavailable, err)
		_, err = b.verify(ada, passkey.Decide, "x", schemas.Assertion{})
		requireCode(t, schemas.CodeUnavailable, err)
	}
}
