package store_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
)

// A house of before reviews: its agent, two keys, one of them revoked, and a waiting job.
var houseBeforeReviews = []string{
	"INSERT INTO agents (id, name, tier, created_at) VALUES ('ag_1', 'Local', 'HOUSE', 1)",
	`INSERT INTO api_keys (id, agent_id, name, prefix, key_hash, audience, mode, created_at, last_used_at, revoked_at) VALUES
	('key_1', 'ag_1', 'local', 'hk_live', 'hash1', 'marketplace', 'live', 2, 3, 0), ('key_2', 'ag_1', 'old', 'hk_test', 'hash2', 'marketplace', 'test', 4, 5, 6)`,
	"INSERT INTO jobs (id, kind, unique_key, args, state, run_at, created_at) VALUES ('job_1', 'webhook', '', '{}', 'ready', 7, 8)",
}

func TestADatabaseOfBeforeReviewsIsBroughtUpToDate(t *testing.T) {
	upgrade := func(t *testing.T, dialect goose.Dialect, driver, source string, o store.Options) {
		pool, err := sql.Open(driver, source)
		require.NoError(t, err)
		provider, err := goose.NewProvider(dialect, pool, os.DirFS("migrations"), goose.WithDisableGlobalRegistry(true))
		require.NoError(t, err)
		_, err = provider.UpTo(t.Context(), 1)
		require.NoError(t, err)
		for _, text := range houseBeforeReviews {
			_, err = pool.ExecContext(t.Context(), text)
			require.NoError(t, err, text)
		}
		require.NoError(t, pool.Close())

		s, err := store.Open(t.Context(), o)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		require.Equal(t, []string{"key_1 ag_1 local hk_live hash1 all  live 2 3 0", "key_2 ag_1 old hk_test hash2 all  test 4 5 6"}, column(t, s,
			`SELECT id || ' ' || agent_id || ' ' || name || ' ' || prefix || ' ' || key_hash || ' ' || audience || ' ' || scopes || ' ' || mode || ' ' ||
			CAST(created_at AS TEXT) || ' ' || CAST(last_used_at AS TEXT) || ' ' || CAST(revoked_at AS TEXT) FROM api_keys ORDER BY id`))
		require.Equal(t, []string{"job_1 "}, column(t, s, "SELECT id || ' ' || lane FROM jobs"))
		for _, bad := range []string{
			"INSERT INTO api_keys (id, agent_id, name, prefix, key_hash, audience, mode, created_at) VALUES ('key_3', 'nobody', '', '', 'hash3', 'all', 'live', 1)",
			"INSERT INTO api_keys (id, agent_id, name, prefix, key_hash, audience, mode, created_at) VALUES ('key_3', 'ag_1', '', '', 'hash1', 'all', 'live', 1)",
			"INSERT INTO api_keys (id, agent_id, name, prefix, key_hash, audience, mode, created_at) VALUES ('key_3', 'ag_1', '', '', 'hash3', 'god', 'live', 1)",
		} {
			require.Error(t, s.Write(t.Context(), func(tx *store.Tx) error {
				_, err := tx.Exec(t.Context(), bad)
				return err
			}), bad)
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "humanops.db")
		upgrade(t, goose.DialectSQLite3, "sqlite", "file:"+path+"?_pragma=foreign_keys(1)", store.Options{Path: path})
	})
	t.Run("postgres", func(t *testing.T) {
		address := storetest.PostgresURL(t)
		upgrade(t, goose.DialectPostgres, "pgx", address, store.Options{DatabaseURL: address})
	})
}

// column reads the texts that a query gives.
func column(t *testing.T, s *store.Store, text string) (list []string) {
	t.Helper()
	require.NoError(t, s.Read(t.Context(), func(tx *store.Tx) error {
		rows, err := tx.Query(t.Context(), text)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var one string
			if err := rows.Scan(&one); err != nil {
				return err
			}
			list = append(list, one)
		}
		return rows.Err()
	}))
	return list
}
