package app

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/daemon"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

// accepted tells which local keys the platform takes.
func (h *house) accepted() (keys []string) {
	h.write(func(ctx context.Context, tx *store.Tx) error {
		if _, err := h.app.accounts.AuthenticateKey(ctx, tx, h.creds.LiveKey); err == nil {
			keys = append(keys, "live")
		}
		if _, err := h.app.accounts.AuthenticateKey(ctx, tx, h.creds.TestKey); err == nil {
			keys = append(keys, "test")
		}
		if c, err := h.app.accounts.AuthenticateToken(ctx, tx, h.creds.OwnerToken); err == nil && c.Owner {
			keys = append(keys, "owner")
		}
		if c, err := h.app.accounts.AuthenticateKey(ctx, tx, h.creds.ExecutorKey); err == nil && c.Executor {
			keys = append(keys, "executor")
		}
		return nil
	})
	return keys
}

func TestAStartMendsLocalKeysThatDoNotFitTheDatabase(t *testing.T) {
	all := []string{"live", "test", "owner", "executor"}
	eachHouse(t, func(t *testing.T, h *house) {
		path, first := daemon.Paths(h.dir).Credentials, *h.creds

		t.Run("good keys stay as they are", func(t *testing.T) {
			h.close()
			h.open()
			require.Equal(t, first, *h.creds)
		})
		t.Run("an installation from before there were executors gets a key for one, and keeps the others", func(t *testing.T) {
			older := daemon.Keys{LiveKey: first.LiveKey, TestKey: first.TestKey, OwnerToken: first.OwnerToken}
			_, err := daemon.WriteCredentials(path, h.creds, older)
			require.NoError(t, err)
			h.close()
			h.open()
			require.Equal(t, all, h.accepted())
			require.NotEqual(t, first.ExecutorKey, h.creds.ExecutorKey, "the one that nobody has any more has ended")
			require.Equal(t, older, daemon.Keys{LiveKey: h.creds.LiveKey, TestKey: h.creds.TestKey, OwnerToken: h.creds.OwnerToken})
		})
		t.Run("after a start that was killed between the commit and the file", func(t *testing.T) {
			_, err := daemon.WriteCredentials(path, h.creds, daemon.Keys{LiveKey: "ho_live_old", TestKey: "ho_test_old", OwnerToken: "hos_old"})
			require.NoError(t, err)
			h.close()
			h.open()
			require.Equal(t, all, h.accepted())
			require.Equal(t, first.MasterKey, h.creds.MasterKey, "stored secrets can still be read")
		})
		t.Run("after the owner for whom commands act was removed", func(t *testing.T) {
			h.write(func(ctx context.Context, tx *store.Tx) error {
				if _, err := h.app.accounts.AddPerson(ctx, tx, schemas.AddPersonRequest{Name: "Second", Roles: []string{"owner"}}); err != nil {
					return err
				}
				caller, err := h.app.accounts.AuthenticateToken(ctx, tx, h.creds.OwnerToken)
				if err != nil {
					return err
				}
				_, err = h.app.accounts.RemovePerson(account.With(ctx, caller), tx, schemas.PersonRequest{PersonID: caller.PersonID})
				return err
			})
			require.NotContains(t, h.accepted(), "owner")
			h.close()
			h.open()
			require.Equal(t, all, h.accepted())
		})
	})
}
