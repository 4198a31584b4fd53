package account_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/ledger"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

func TestRegisterAgent(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		in := schemas.RegisterAgentRequest{Name: " Shop\u202e\x07 bot ", Email: "Bot@Example.com", Company: "ACME"}
		out := write(b, account.Caller{}, b.RegisterAgent, in)
		t.Run("gives a sandbox agent with a test key", func(t *testing.T) {
			require.True(t, strings.HasPrefix(out.AgentID, "ag_"))
			require.Equal(t, "SANDBOX", out.Tier)
			require.True(t, out.VerificationRequired)
			require.True(t, out.Sandbox)
			require.Equal(t, schemas.TierLimits{MaxDailyTasks: 50, MaxTaskValue: 10 * schemas.USD, MaxDailySpend: 10 * schemas.USD}, out.SandboxInfo.Limits)
			c := b.keyCaller(out.APIKey)
			require.Equal(t, account.Caller{AgentID: out.AgentID, Name: "Shop bot", KeyID: c.KeyID, Mode: "test", Audience: "all", Via: "api", Stale: true}, c)
			page := write(b, c, b.ListKeys, schemas.PageRequest{})
			require.Equal(t, "default", page.Data[0].Name)
		})
		t.Run("gives play money and no credit", func(t *testing.T) {
			for asset, want := range map[string]schemas.Money{ledger.Test: ledger.TestFloat, ledger.House: 0} {
				got, err := read(b, func(ctx context.Context, tx *store.Tx, _ struct{}) (schemas.Money, error) {
					available, _, err := ledger.Balance(ctx, tx, out.AgentID, asset)
					return available, err
				}, struct{}{})
				require.NoError(t, err)
				require.Equal(t, want, got, asset)
			}
		})
		t.Run("refuses a known email in any case", func(t *testing.T) {
			in.Email = "bot@example.COM"
			_, err := try(b, account.Caller{}, b.RegisterAgent, in)
			requireCode(t, schemas.CodeConflict, err)
			require.EqualError(t, err, "An agent with this email already exists")
		})
		t.Run("refuses a name that shows nothing and what is no address", func(t *testing.T) {
			for _, bad := range []schemas.RegisterAgentRequest{
				{Name: " \u200b\u200d", Email: "a@example.com"}, {Name: "a", Email: ""},
				{Name: "a", Email: "Ada <a@example.com>"}, {Name: strings.Repeat("a", 101), Email: "a@example.com"},
			} {
				_, err := try(b, account.Caller{}, b.RegisterAgent, bad)
				requireCode(t, schemas.CodeInvalid, err)
			}
		})
		t.Run("of ten at once with one email, one is registered", func(t *testing.T) {
			won, errs := together(10, func(i int) error {
				_, err := try(b, account.Caller{}, b.RegisterAgent, schemas.RegisterAgentRequest{Name: "a", Email: "race@example.com"})
				return err
			})
			require.Equal(t, 1, won)
			for _, err := range errs {
				requireCode(t, schemas.CodeConflict, err)
			}
		})
	})
}

func TestKeys(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		live, test := b.keyCaller(b.credentials.LiveKey), b.keyCaller(b.credentials.TestKey)
		ci := write(b, live, b.CreateKey, schemas.CreateKeyRequest{Name: "ci"})

		t.Run("a new key has the mode of the key that asked", func(t *testing.T) {
			require.Regexp(t, `^ho_live_[0-9A-Za-z]{42}$`, ci.APIKey)
			require.Equal(t, ci.APIKey[:20]+"..", ci.KeyPrefix)
			require.False(t, ci.Sandbox)
			require.Equal(t, "live", b.keyCaller(ci.APIKey).Mode)
			other := write(b, test, b.CreateKey, schemas.CreateKeyRequest{Name: "try"})
			require.Regexp(t, `^ho_test_`, other.APIKey)
			require.True(t, other.Sandbox)
			require.Equal(t, "test", b.keyCaller(other.APIKey).Mode)
		})
		t.Run("only hashes are stored", func(t *testing.T) {
			b.requireNotStored(ci.APIKey, ci.APIKey[len("ho_live_"):], b.credentials.LiveKey, b.credentials.TestKey, b.credentials.OwnerToken)
		})
		t.Run("a live key sees all keys, a test key the test keys", func(t *testing.T) {
			require.Equal(t, 4, write(b, live, b.ListKeys, schemas.PageRequest{}).Pagination.Total)
			page := write(b, test, b.ListKeys, schemas.PageRequest{})
			require.Equal(t, 2, page.Pagination.Total)
			require.True(t, page.Sandbox)
			for _, k := range page.Data {
				require.Equal(t, "test", k.Mode)
			}
		})
		t.Run("a test key cannot revoke a live key, nor an agent another's", func(t *testing.T) {
			stranger := b.keyCaller(write(b, account.Caller{}, b.RegisterAgent, schemas.RegisterAgentRequest{Name: "x", Email: "x@example.com"}).APIKey)
			stranger.Mode = "live"
			for _, c := range []account.Caller{test, stranger, {}} {
				_, err := try(b, c, b.RevokeKey, schemas.RevokeKeyRequest{KeyID: ci.ID})
				requireCode(t, schemas.CodeNotFound, err)
				require.EqualError(t, err, "API key not found")
			}
			b.keyCaller(ci.APIKey)
		})
		t.Run("a revoked key is refused at once, and is gone from the list", func(t *testing.T) {
			out := write(b, live, b.RevokeKey, schemas.RevokeKeyRequest{KeyID: ci.ID})
			require.Equal(t, b.clock.Now(), out.RevokedAt)
			_, err := read(b, b.AuthenticateKey, ci.APIKey)
			requireCode(t, schemas.CodeUnauthenticated, err)
			for _, k := range write(b, live, b.ListKeys, schemas.PageRequest{}).Data {
				require.NotEqual(t, ci.ID, k.ID)
			}
			_, err = try(b, live, b.RevokeKey, schemas.RevokeKeyRequest{KeyID: ci.ID})
			require.EqualError(t, err, "API key not found")
		})
		t.Run("whatever is no key gets one and the same sentence", func(t *testing.T) {
			_, want := read(b, b.AuthenticateKey, "")
			for _, key := range []string{"x", "ho_live_", "ho_test_" + ci.APIKey[8:], b.credentials.OwnerToken, "ho_live_" + strings.Repeat("a", 1000)} {
				_, err := read(b, b.AuthenticateKey, key)
				requireCode(t, schemas.CodeUnauthenticated, err)
				require.Equal(t, want, err)
			}
		})
		t.Run("a person or nobody gets no key", func(t *testing.T) {
			_, err := try(b, account.Caller{PersonID: "op_x", Owner: true}, b.CreateKey, schemas.CreateKeyRequest{Name: "a"})
			requireCode(t, schemas.CodeUnauthenticated, err)
		})
		t.Run("use is written down at most once a minute", func(t *testing.T) {
			b.touch(b.keyCaller(b.credentials.LiveKey))
			used := b.clock.Now()
			b.clock.Advance(59 * time.Second)
			c := b.keyCaller(b.credentials.LiveKey)
			require.False(t, c.Stale)
			b.touch(c)
			require.Equal(t, used, *write(b, live, b.ListKeys, schemas.PageRequest{}).Data[first(b, live, b.credentials.LiveKey)].LastUsedAt)
			b.clock.Advance(time.Second)
			require.True(t, b.keyCaller(b.credentials.LiveKey).Stale)
		})
		t.Run("a hundred keys are enough", func(t *testing.T) {
			for i := range 97 {
				write(b, live, b.CreateKey, schemas.CreateKeyRequest{Name: fmt.Sprint(i)})
			}
			_, err := try(b, live, b.CreateKey, schemas.CreateKeyRequest{Name: "more"})
			requireCode(t, schemas.CodeUnprocessable, err)
		})
		t.Run("pages by cursor and by offset hold every key once", func(t *testing.T) {
			byCursor, byOffset, in := []string{}, []string{}, schemas.PageRequest{Limit: 33}
			for {
				page := write(b, live, b.ListKeys, in)
				for _, k := range page.Data {
					byCursor = append(byCursor, k.ID)
				}
				if in.Cursor = page.Pagination.NextCursor; in.Cursor == "" {
					break
				}
			}
			for offset := 0; offset < 100; offset += 33 {
				for _, k := range write(b, live, b.ListKeys, schemas.PageRequest{Limit: 33, Offset: offset}).Data {
					byOffset = append(byOffset, k.ID)
				}
			}
			require.Len(t, byCursor, 100)
			require.Equal(t, byCursor, byOffset)
			_, err := try(b, live, b.ListKeys, schemas.PageRequest{Cursor: "nonsense"})
			requireCode(t, schemas.CodeInvalid, err)
		})
	})
}

// first is where a key stands in the list.
func first(b *bench, c account.Caller, key string) int {
	for i, k := range write(b, c, b.ListKeys, schemas.PageRequest{}).Data {
		if k.KeyPrefix == key[:20]+".." {
			return i
		}
	}
	b.t.Fatal("the key is not listed")
	return -1
}
