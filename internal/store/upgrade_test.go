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
	upgraded(t, 1, houseBeforeReviews, func(t *testing.T, s *store.Store) {
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
	})
}

// Jobs of before they had owners: one of each kind that says whose it is, and one of each
// state.
var jobsBeforeOwners = []string{
	"INSERT INTO agents (id, name, tier, created_at) VALUES ('ag_1', 'Local', 'HOUSE', 1), ('ag_2', 'Other', 'HOUSE', 1)",
	"INSERT INTO people (id, name, name_key, created_at) VALUES ('op_1', 'Ada', 'ada', 1)",
	`INSERT INTO tasks (id, agent_id, mode, status, title, description, task_type, reward, asset, deadline, proof_requirements, content_hash, created_at, updated_at) VALUES
	('task_0123456789abcdef', 'ag_1', 'live', 'POSTED', '', '', '', 0, 'house', 1, '[]', '', 1, 1), ('task_fedcba9876543210', 'ag_2', 'test', 'POSTED', '', '', '', 0, 'test', 1, '[]', '', 1, 1)`,
	"INSERT INTO loops (id, slug, mode, creator_id, name, created_at, updated_at) VALUES ('00000000000000000000000a', 'l', 'live', 'op_1', 'L', 1, 1)",
	`INSERT INTO reviews (id, loop_id, agent_id, mode, status, processing_type, type, priority, priority_rank, request_text, platform, response_type, response_config, on_timeout,
	timeout_seconds, content_hash, timeout_at, created_at, round_at, updated_at)
	VALUES ('00000000000000000000000b', '00000000000000000000000a', 'ag_2', 'test', 'pending', 'deferred', '', 'low', 3, '', '', '', '', 'cancel', 1, '', 1, 1, 1, 1)`,
	"INSERT INTO webhook_deliveries (id, review_id, event_id, event, body, state, created_at) VALUES ('whd_0123456789abcdef', '00000000000000000000000b', 'ev_1', '', '{}', 'waiting', 1)",
	`INSERT INTO jobs (id, kind, unique_key, lane, args, state, run_at, attempts, deaths, lease_by, lease_until, last_error, created_at) VALUES
	('job_1', 'task.timer', 'k1', '', '{"task_id":"task_0123456789abcdef"}', 'ready', 7, 1, 2, '', 0, 'no', 3),
	('job_2', 'proof.copies', '', '', '{"task_id":"task_fedcba9876543210","number":1}', 'running', 7, 1, 0, 'lease_1', 9, '', 3),
	('job_3', 'review.timer', '', '', '{"review_id":"00000000000000000000000b"}', 'ready', 7, 0, 0, '', 0, '', 3),
	('job_4', 'webhook.review', '', 'host1', '{"delivery_id":"whd_0123456789abcdef"}', 'failed', 7, 8, 0, '', 0, '', 3),
	('job_5', 'notify', '', '', '{"subject":"{\"task_id\":\"task_0123456789abcdef\"}"}', 'ready', 7, 0, 0, '', 0, '', 3),
	('job_6', 'task.timer', '', '', '{"task_id":"task_gone"}', 'ready', 7, 0, 0, '', 0, '', 3)`,
}

func TestJobsOfBeforeOwnersBelongToTheAgentThatTheyAreAbout(t *testing.T) {
	upgraded(t, 2, jobsBeforeOwners, func(t *testing.T, s *store.Store) {
		require.Equal(t, []string{
			"job_1 task.timer ag_1 0  k1 scheduled 7 1 2  0 no 3", "job_2 proof.copies ag_2 1   running 7 1 0 lease_1 9  3",
			"job_3 review.timer ag_2 1   scheduled 7 0 0  0  3", "job_4 webhook.review ag_2 1 host1  failed 7 8 0  0  3",
			"job_5 notify  0   scheduled 7 0 0  0  3", "job_6 task.timer  0   scheduled 7 0 0  0  3",
		}, column(t, s,
			`SELECT id || ' ' || kind || ' ' || owner || ' ' || CAST(priority AS TEXT) || ' ' || lane || ' ' || unique_key || ' ' || state || ' ' ||
			CAST(run_at AS TEXT) || ' ' || CAST(attempts AS TEXT) || ' ' || CAST(deaths AS TEXT) || ' ' || lease_by || ' ' || CAST(lease_until AS TEXT) || ' ' ||
			last_error || ' ' || CAST(created_at AS TEXT) FROM jobs ORDER BY id`))
	})
}

// upgraded opens a database that the program of an earlier version wrote rows into.
func upgraded(t *testing.T, version int64, rows []string, check func(t *testing.T, s *store.Store)) {
	t.Helper()
	upgrade := func(t *testing.T, dialect goose.Dialect, driver, source string, o store.Options) {
		pool, err := sql.Open(driver, source)
		require.NoError(t, err)
		provider, err := goose.NewProvider(dialect, pool, os.DirFS("migrations"), goose.WithDisableGlobalRegistry(true))
		require.NoError(t, err)
		_, err = provider.UpTo(t.Context(), version)
		require.NoError(t, err)
		for _, text := range rows {
			_, err = pool.ExecContext(t.Context(), text)
			require.NoError(t, err, text)
		}
		require.NoError(t, pool.Close())

		s, err := store.Open(t.Context(), o)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		check(t, s)
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
