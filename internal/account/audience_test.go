package account_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

func TestAKeyOpensNoMoreThanTheKeyThatMadeIt(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		live := b.keyCaller(b.credentials.LiveKey)
		require.Equal(t, account.AudienceAll, live.Audience)
		require.True(t, live.Opens(account.AudienceReviews) && live.Has("requests:write"))
		made := write(b, live, b.CreateKey, schemas.CreateKeyRequest{
			Name: "reader", Audience: account.AudienceReviews, Scopes: []string{"requests:read", "loops:read", "requests:read"},
		})

		t.Run("a key of reviews says so, and has its scopes", func(t *testing.T) {
			require.Regexp(t, `^hitl_live_[0-9A-Za-z]{42}$`, made.APIKey)
			c := b.keyCaller(made.APIKey)
			require.Equal(t, live.AgentID, c.AgentID)
			require.False(t, c.Opens(account.AudienceMarketplace))
			require.True(t, c.Has("requests:read"))
			require.False(t, c.Has("requests:write"))
			require.Equal(t, []string{"requests:read", "loops:read"}, c.Scopes)
		})
		t.Run("one that is known already keeps them", func(t *testing.T) {
			remembering := account.NewService(account.Config{SoleOwner: true})
			c, err := read(b, remembering.AuthenticateKey, made.APIKey)
			require.NoError(t, err)
			b.touch(c)
			_, err = read(b, remembering.AuthenticateKey, made.APIKey)
			require.NoError(t, err)
			known, ok := remembering.KnownKey(made.APIKey, b.clock.Now())
			require.True(t, ok)
			require.Equal(t, c.Audience, known.Audience)
			require.Equal(t, c.Scopes, known.Scopes)
		})
		narrow := b.keyCaller(made.APIKey)
		for what, in := range map[string]schemas.CreateKeyRequest{
			"a wider audience":       {Name: "x", Audience: account.AudienceAll},
			"another audience":       {Name: "x", Audience: account.AudienceMarketplace},
			"a scope that it lacks":  {Name: "x", Scopes: []string{"requests:write"}},
			"an executor's audience": {Name: "x", Audience: account.AudienceExecutor},
		} {
			t.Run("it cannot give "+what, func(t *testing.T) {
				_, err := try(b, narrow, b.CreateKey, in)
				requireCode(t, schemas.CodeForbidden, err)
			})
		}
		t.Run("what is left out is the calling key's", func(t *testing.T) {
			again := b.keyCaller(write(b, narrow, b.CreateKey, schemas.CreateKeyRequest{Name: "again"}).APIKey)
			require.Equal(t, narrow.Audience, again.Audience)
			require.Equal(t, narrow.Scopes, again.Scopes)
		})
		t.Run("a scope that there is not is refused with those that there are", func(t *testing.T) {
			_, err := try(b, live, b.CreateKey, schemas.CreateKeyRequest{Name: "x", Scopes: []string{"requests:decide"}})
			require.ErrorContains(t, err, "scopes[0] must be one of loops:read")
			_, err = try(b, live, b.CreateKey, schemas.CreateKeyRequest{Name: "x", Audience: account.AudienceMarketplace, Scopes: []string{"loops:read"}})
			require.ErrorContains(t, err, "only for keys that open reviews")
		})
		t.Run("no agent makes an executor's key, not even with the widest key", func(t *testing.T) {
			_, err := try(b, live, b.CreateKey, schemas.CreateKeyRequest{Name: "x", Audience: account.AudienceExecutor})
			requireCode(t, schemas.CodeForbidden, err)
		})
	})
}

func TestAnExecutorIsNeitherAgentNorPerson(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		owner, err := read(b, b.AuthenticateToken, b.credentials.OwnerToken)
		require.NoError(t, err)
		live := b.keyCaller(b.credentials.LiveKey)
		made := write(b, owner, b.CreateHouseKey, schemas.CreateHouseKeyRequest{Name: "deployer", Audience: account.AudienceExecutor})
		require.Regexp(t, `^hox_live_[0-9A-Za-z]{42}$`, made.APIKey)

		t.Run("it has no agent, and a name of its own", func(t *testing.T) {
			for _, key := range []string{made.APIKey, b.credentials.ExecutorKey} {
				c := b.keyCaller(key)
				require.True(t, c.Executor)
				require.Empty(t, c.AgentID+c.PersonID)
				require.False(t, c.Owner || c.Operator)
				require.Equal(t, c.KeyID, c.ID())
				require.Equal(t, account.Live, c.Mode)
			}
			require.Equal(t, "deployer", b.keyCaller(made.APIKey).Name)
		})
		t.Run("agents neither see it nor end it", func(t *testing.T) {
			for _, k := range write(b, live, b.ListKeys, schemas.PageRequest{}).Data {
				require.NotEqual(t, account.AudienceExecutor, k.Audience)
			}
			_, err := try(b, live, b.RevokeKey, schemas.RevokeKeyRequest{KeyID: made.ID})
			requireCode(t, schemas.CodeNotFound, err)
		})
		t.Run("the owner sees it and ends it", func(t *testing.T) {
			page := write(b, owner, b.ListKeys, schemas.PageRequest{})
			require.Equal(t, 4, page.Pagination.Total)
			require.False(t, page.Sandbox)
			write(b, owner, b.RevokeKey, schemas.RevokeKeyRequest{KeyID: made.ID})
			_, err := read(b, b.AuthenticateKey, made.APIKey)
			requireCode(t, schemas.CodeUnauthenticated, err)
		})
		t.Run("a test key comes where it is asked for", func(t *testing.T) {
			out := write(b, owner, b.CreateHouseKey, schemas.CreateHouseKeyRequest{Name: "try", Audience: account.AudienceReviews, Mode: account.Test})
			require.Regexp(t, `^hitl_test_`, out.APIKey)
			require.Equal(t, live.AgentID, b.keyCaller(out.APIKey).AgentID)
		})
		t.Run("renewing ends the house's own, and nothing else", func(t *testing.T) {
			fresh := write(b, account.Caller{}, func(ctx context.Context, tx *store.Tx, _ struct{}) (string, error) { return b.RenewExecutor(ctx, tx) }, struct{}{})
			require.True(t, b.keyCaller(fresh).Executor)
			_, err := read(b, b.AuthenticateKey, b.credentials.ExecutorKey)
			requireCode(t, schemas.CodeUnauthenticated, err)
			b.keyCaller(b.credentials.LiveKey)
		})
	})
}

func TestAReviewerIsAPersonWithoutAnotherRole(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		added := write(b, account.Caller{}, b.AddPerson, schemas.AddPersonRequest{Name: "Rita", Roles: []string{"reviewer"}})
		require.Equal(t, []string{"reviewer"}, added.Roles)
		caller, err := read(b, b.AuthenticateToken, b.signIn(added.URL))
		require.NoError(t, err)
		require.False(t, caller.Owner || caller.Operator)
		require.NotContains(t, b.reach(account.Live), "Rita", "nobody sends her out on tasks")

		again := write(b, account.Caller{}, b.AddPerson, schemas.AddPersonRequest{Name: "Rita", Roles: []string{"operator"}})
		require.Equal(t, []string{"operator"}, again.Roles)
		_, err = try(b, account.Caller{}, b.AddPerson, schemas.AddPersonRequest{Name: "Rob", Roles: []string{"boss"}})
		require.ErrorContains(t, err, "must be operator, reviewer or owner")
	})
}
