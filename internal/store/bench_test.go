package store_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
)

// The work is about that of posting a task: reads, inserts with indexes, updates.
const (
	benchRead   = "SELECT value FROM facts WHERE name = $1"
	benchUpsert = "INSERT INTO facts (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
	benchEntry  = "INSERT INTO trail (subject_id, n, kind, actor, via, data, previous, hash, created_at) VALUES ('bench', $1, 'k', 'a', 'api', '{}', '', '', $2)"
	benchJob    = "INSERT INTO jobs (id, kind, args, state, run_at, created_at) VALUES ($1, 'k', '{}', 'ready', $2, $2)"
)

// benchUnit is ten statements.
func benchUnit(i int64, query func(text string, args ...any) error, exec func(text string, args ...any) error) error {
	for n := range 2 {
		if err := query(benchRead, "bench"); err != nil && !store.NotFound(err) {
			return err
		}
		for _, err := range []error{
			exec(benchUpsert, fmt.Sprint("bench", i%100), "x"),
			exec(benchEntry, 2*i+int64(n)+1, i),
			exec(benchJob, fmt.Sprintf("job_%d_%d", i, n), i),
			exec(benchUpsert, "bench", "y"),
		} {
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func BenchmarkWrite(b *testing.B) {
	b.Run("raw prepared transaction", benchRaw)
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("store, %d callers", callers), func(b *testing.B) { benchStore(b, callers) })
	}
}

// benchFile is a database with the subject that the entries are about.
func benchFile(b *testing.B) (path string) {
	path = filepath.Join(b.TempDir(), "b.db")
	storetest.Copy(b, path)
	pool, err := sql.Open("sqlite", "file:"+path)
	require.NoError(b, err)
	_, err = pool.Exec("INSERT INTO subjects (id, kind, mode, state, created_at, updated_at) VALUES ('bench', 'k', 'live', 's', 1, 1)")
	require.NoError(b, err)
	require.NoError(b, pool.Close())
	return path
}

func benchStore(b *testing.B, callers int) {
	s, err := store.Open(b.Context(), store.Options{Path: benchFile(b), Clock: clock.System()})
	require.NoError(b, err)
	defer s.Close()
	ctx := b.Context()
	var count atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range callers {
		wg.Go(func() {
			for i := count.Add(1); i <= int64(b.N); i = count.Add(1) {
				err := s.Write(ctx, func(tx *store.Tx) error {
					return benchUnit(i, func(text string, args ...any) error {
						_, err := tx.GetFact(ctx, args[0].(string))
						return err
					}, func(text string, args ...any) error {
						_, err := store.DBTX(tx).ExecContext(ctx, text, args...)
						return err
					})
				})
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func benchRaw(b *testing.B) {
	pool, err := sql.Open("sqlite", "file://"+benchFile(b)+"?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)")
	require.NoError(b, err)
	defer pool.Close()
	pool.SetMaxOpenConns(1)
	stmts := map[string]*sql.Stmt{}
	for _, text := range []string{benchRead, benchUpsert, benchEntry, benchJob} {
		stmts[text], err = pool.Prepare(text) //nolint:sqlclosecheck // closed with the pool
		require.NoError(b, err)
	}
	b.ResetTimer()
	for i := range b.N {
		tx, err := pool.Begin()
		require.NoError(b, err)
		require.NoError(b, benchUnit(int64(i), func(text string, args ...any) error {
			var value string
			return tx.Stmt(stmts[text]).QueryRow(args...).Scan(&value) //nolint:sqlclosecheck // closed with the transaction
		}, func(text string, args ...any) error {
			_, err := tx.Stmt(stmts[text]).Exec(args...) //nolint:sqlclosecheck // closed with the transaction
			return err
		}))
		require.NoError(b, tx.Commit())
	}
}
