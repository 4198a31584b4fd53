package account_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/ledger"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/schemas"
)

const day = 24 * time.Hour

func TestSignIn(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		ada := b.add("Ada")
		token := linkToken(t, ada.URL)
		t.Run("looking at a link leaves it as it is", func(t *testing.T) {
			for range 3 {
				p, err := read(b, b.PeekLink, token)
				require.NoError(t, err)
				require.Equal(t, "Ada", p.Name)
			}
		})
		session := b.signIn(ada.URL)
		t.Run("signs the person in", func(t *testing.T) {
			c, err := read(b, b.AuthenticateToken, session)
			require.NoError(t, err)
			require.Equal(t, account.Caller{PersonID: ada.OperatorID, Name: "Ada", SessionID: c.SessionID, Operator: true, Via: "page"}, c)
			require.Equal(t, ada.OperatorID, c.ID())
			b.requireNotStored(session, token)
		})
		t.Run("a used link is gone, with how to get a new one", func(t *testing.T) {
			err := b.trySignIn(token)
			requireCode(t, schemas.CodeGone, err)
			require.Contains(t, err.Error(), "Ask the owner for a new one")
			_, err = read(b, b.PeekLink, token)
			requireCode(t, schemas.CodeGone, err)
		})
		t.Run("an expired or an invented link answers alike", func(t *testing.T) {
			late := b.add("Ada")
			b.clock.Advance(day)
			for _, token := range []string{linkToken(t, late.URL), "hol_invented", "", session} {
				requireCode(t, schemas.CodeGone, b.trySignIn(token))
			}
		})
		t.Run("of ten uses at once, one signs in", func(t *testing.T) {
			token := linkToken(t, b.add("Ada").URL)
			won, errs := together(10, func(int) error { return b.trySignIn(token) })
			require.Equal(t, 1, won)
			for _, err := range errs {
				requireCode(t, schemas.CodeGone, err)
			}
		})
		t.Run("signing out ends the session at once", func(t *testing.T) {
			c, err := read(b, b.AuthenticateToken, session)
			require.NoError(t, err)
			ctx := context.Background()
			for range 2 {
				require.NoError(t, b.store.Write(ctx, func(tx *store.Tx) error { return b.SignOut(ctx, tx, c.SessionID) }))
			}
			_, err = read(b, b.AuthenticateToken, session)
			requireCode(t, schemas.CodeUnauthenticated, err)
		})
		t.Run("CreateLink makes one for a person who is there", func(t *testing.T) {
			link := write(b, account.Caller{}, b.CreateLink, schemas.PersonRequest{PersonID: ada.OperatorID})
			require.False(t, link.Created)
			b.signIn(link.URL)
			_, err := try(b, account.Caller{}, b.CreateLink, schemas.PersonRequest{PersonID: "nobody"})
			requireCode(t, schemas.CodeNotFound, err)
		})
	})
}

func TestSessions(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		ada := b.add("Ada")
		t.Run("a browser's session slides while it is used, and ends 30 days later", func(t *testing.T) {
			session := b.signIn(ada.URL)
			for range 3 {
				b.clock.Advance(29 * day)
				c, err := read(b, b.AuthenticateToken, session)
				require.NoError(t, err)
				b.touch(c)
				require.Equal(t, b.clock.Now(), write(b, account.Caller{}, b.ListPeople, schemas.PageRequest{}).Data[1].LastSeenAt)
			}
			b.clock.Advance(30 * day)
			_, err := read(b, b.AuthenticateToken, session)
			requireCode(t, schemas.CodeUnauthenticated, err)
		})
		t.Run("a token lives a year and does not slide", func(t *testing.T) {
			session := write(b, account.Caller{}, func(ctx context.Context, tx *store.Tx, id string) (string, error) {
				return b.CreateSession(ctx, tx, id, account.SessionToken)
			}, ada.OperatorID)
			b.clock.Advance(364 * day)
			c, err := read(b, b.AuthenticateToken, session)
			require.NoError(t, err)
			require.Equal(t, "api", c.Via)
			b.touch(c)
			b.clock.Advance(day)
			_, err = read(b, b.AuthenticateToken, session)
			requireCode(t, schemas.CodeUnauthenticated, err)
		})
		t.Run("what is no session gets the sentence that a wrong key gets", func(t *testing.T) {
			_, want := read(b, b.AuthenticateKey, "x")
			for _, token := range []string{"", "x", "hos_x", b.credentials.LiveKey} {
				_, err := read(b, b.AuthenticateToken, token)
				require.Equal(t, want, err)
			}
		})
	})
}

func TestHouse(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		ensure := func(ctx context.Context, tx *store.Tx, _ struct{}) (*account.Credentials, error) {
			return b.EnsureHouse(ctx, tx)
		}
		ids := func(ctx context.Context, tx *store.Tx, _ struct{}) ([2]string, error) {
			owner, err := b.OwnerID(ctx, tx)
			if err != nil {
				return [2]string{}, err
			}
			agent, err := b.LocalAgentID(ctx, tx)
			return [2]string{owner, agent}, err
		}
		house, err := read(b, ids, struct{}{})
		require.NoError(t, err)
		t.Run("is made once", func(t *testing.T) {
			require.Nil(t, write(b, account.Caller{}, ensure, struct{}{}))
			again, err := read(b, ids, struct{}{})
			require.NoError(t, err)
			require.Equal(t, house, again)
		})
		t.Run("has an owner who is not yet an operator, and whose commands are recorded as such", func(t *testing.T) {
			c, err := read(b, b.AuthenticateToken, b.credentials.OwnerToken)
			require.NoError(t, err)
			require.Equal(t, account.Caller{PersonID: house[0], Name: "Owner", SessionID: c.SessionID, Owner: true, Via: "cli"}, c)
		})
		t.Run("has a local agent with a live key, a test key and its credit", func(t *testing.T) {
			for mode, key := range map[string]string{"live": b.credentials.LiveKey, "test": b.credentials.TestKey} {
				c := b.keyCaller(key)
				require.Equal(t, []string{house[1], "local", mode}, []string{c.AgentID, c.Name, c.Mode})
			}
			credit, err := read(b, func(ctx context.Context, tx *store.Tx, _ struct{}) (schemas.Money, error) {
				available, _, err := ledger.Balance(ctx, tx, house[1], ledger.House)
				return available, err
			}, struct{}{})
			require.NoError(t, err)
			require.Equal(t, 1000*schemas.USD, credit)
			ctx := context.Background()
			require.NoError(t, b.store.Read(ctx, func(tx *store.Tx) error { return ledger.Check(ctx, tx) }))
		})
		t.Run("gets new secrets when the old ones are lost, and the old ones end", func(t *testing.T) {
			extra := write(b, b.keyCaller(b.credentials.LiveKey), b.CreateKey, schemas.CreateKeyRequest{Name: "ci"})
			browser := b.signIn(b.add("me").URL)
			fresh := write(b, account.Caller{}, func(ctx context.Context, tx *store.Tx, _ struct{}) (*account.Credentials, error) {
				return b.RecoverCredentials(ctx, tx)
			}, struct{}{})
			for _, key := range []string{b.credentials.LiveKey, b.credentials.TestKey} {
				_, err := read(b, b.AuthenticateKey, key)
				requireCode(t, schemas.CodeUnauthenticated, err)
			}
			_, err := read(b, b.AuthenticateToken, b.credentials.OwnerToken)
			requireCode(t, schemas.CodeUnauthenticated, err)
			require.Equal(t, house[1], b.keyCaller(fresh.LiveKey).AgentID)
			require.Equal(t, "test", b.keyCaller(fresh.TestKey).Mode)
			b.keyCaller(extra.APIKey)
			for _, token := range []string{fresh.OwnerToken, browser} {
				_, err = read(b, b.AuthenticateToken, token)
				require.NoError(t, err)
			}
		})
	})
}

func TestHouseOfSeveralReplicas(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.exec(`DELETE FROM facts WHERE name = 'house'`)
		b.exec(`UPDATE people SET removed_at = 1 WHERE is_owner = TRUE`)
		made := make([]*account.Credentials, 8)
		won, _ := together(8, func(i int) (err error) {
			made[i], err = try(b, account.Caller{}, func(ctx context.Context, tx *store.Tx, _ struct{}) (*account.Credentials, error) {
				return b.EnsureHouse(ctx, tx)
			}, struct{}{})
			return err
		})
		require.Equal(t, 8, won)
		count := 0
		for _, c := range made {
			if c != nil {
				count++
			}
		}
		require.Equal(t, 1, count, "exactly one replica gets the secrets")
	})
}

func TestCaller(t *testing.T) {
	t.Run("travels in the context", func(t *testing.T) {
		require.Equal(t, account.Caller{}, account.From(context.Background()))
		c := account.Caller{AgentID: "ag_a", Mode: "live"}
		require.Equal(t, c, account.From(account.With(context.Background(), c)))
		require.Equal(t, "ag_a", c.ID())
	})
	t.Run("sees an agent's tasks as that agent in that mode, or as the owner when live", func(t *testing.T) {
		for _, c := range []struct {
			caller account.Caller
			mode   string
			sees   bool
		}{
			{account.Caller{AgentID: "ag_a", Mode: "live"}, "live", true},
			{account.Caller{AgentID: "ag_a", Mode: "test"}, "live", false},
			{account.Caller{AgentID: "ag_b", Mode: "live"}, "live", false},
			{account.Caller{PersonID: "op_o", Owner: true}, "live", true},
			{account.Caller{PersonID: "op_o", Owner: true}, "test", false},
			{account.Caller{PersonID: "op_p", Operator: true}, "live", false},
			{account.Caller{}, "live", false},
			{account.Caller{}, "", false},
		} {
			require.Equal(t, c.sees, c.caller.SeesTasksOf("ag_a", c.mode), "%+v %s", c.caller, c.mode)
		}
	})
}

func TestSweep(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		count := func() int {
			return len(storetest.Texts(t, b.store, "SELECT token_hash FROM sign_in_links UNION ALL SELECT token_hash FROM sessions WHERE kind = 'browser'"))
		}
		before := count()
		b.signIn(b.add("Grace").URL)
		sweep := func() {
			require.NoError(t, b.store.Write(t.Context(), func(tx *store.Tx) error { return account.Sweep(t.Context(), tx) }))
		}
		sweep()
		require.Equal(t, before+2, count(), "what lives stays")
		b.clock.Advance(61 * 24 * time.Hour)
		sweep()
		require.Zero(t, count(), "what expired a month ago goes")
	})
}
