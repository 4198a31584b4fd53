package account_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/schemas"
)

func TestKnownKey(t *testing.T) {
	s := storetest.Open(t)
	service := account.NewService(account.Config{SoleOwner: true})
	ctx := context.Background()
	var house *account.Credentials
	require.NoError(t, s.Write(ctx, func(tx *store.Tx) (err error) {
		house, err = service.EnsureHouse(ctx, tx)
		return err
	}))
	var caller account.Caller
	read := func() error {
		return s.Peek(ctx, func(tx *store.Tx) (err error) {
			caller, err = service.AuthenticateKey(ctx, tx, house.LiveKey)
			return err
		})
	}
	var now time.Time
	require.NoError(t, read())
	use := func() {
		require.NoError(t, s.Write(ctx, func(tx *store.Tx) error { now = tx.Now(); return service.Touch(ctx, tx, caller) }))
		require.NoError(t, read())
	}
	use()

	t.Run("is remembered after it was read, until its use has to be written down", func(t *testing.T) {
		got, ok := service.KnownKey(house.LiveKey, now)
		require.True(t, ok)
		require.Equal(t, caller, got)
		_, ok = service.KnownKey(house.LiveKey, now.Add(2*time.Minute))
		require.False(t, ok)
		_, ok = service.KnownKey(house.TestKey, now)
		require.False(t, ok, "nobody read that one")
	})
	t.Run("is forgotten with the commit that revokes it", func(t *testing.T) {
		require.NoError(t, read())
		require.NoError(t, s.Write(ctx, func(tx *store.Tx) error {
			_, err := service.RevokeKey(account.With(ctx, caller), tx, schemas.RevokeKeyRequest{KeyID: caller.KeyID})
			return err
		}))
		_, ok := service.KnownKey(house.LiveKey, now)
		require.False(t, ok)
		err := s.Peek(ctx, func(tx *store.Tx) error {
			_, err := service.AuthenticateKey(ctx, tx, house.LiveKey)
			return err
		})
		require.Equal(t, schemas.CodeUnauthenticated, schemas.ErrorCode(err))
	})
	t.Run("is not remembered by a reading that began before the revocation", func(t *testing.T) {
		require.False(t, account.KeepsWhatWasReadBeforeARevocation())
	})
	t.Run("is not remembered where other processes may revoke it", func(t *testing.T) {
		shared := account.NewService(account.Config{})
		require.NoError(t, s.Peek(ctx, func(tx *store.Tx) error {
			_, err := shared.AuthenticateKey(ctx, tx, house.TestKey)
			return err
		}))
		_, ok := shared.KnownKey(house.TestKey, now)
		require.False(t, ok)
	})
}
