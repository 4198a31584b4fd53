package storetest

import (
	"database/sql"
	"strings"
	"sync"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver of PostgreSQL
	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/store"
)

// Tests reach around the program for what it never does: they break rows, and read what no
// query reads. They do so by a connection of their own.

var (
	rawLock sync.Mutex
	rawOf   = map[*store.Store]*sql.DB{}
)

// Raw is a connection to the store's database beside the store's own.
func Raw(t testing.TB, s *store.Store) *sql.DB {
	t.Helper()
	rawLock.Lock()
	defer rawLock.Unlock()
	require.Contains(t, rawOf, s, "the store is not known to this package: Attach it")
	return rawOf[s]
}

// Attach makes Raw, Exec and Texts work on a store that the test, or what it tests, opened
// by itself, with these options. The connection is opened when it is first used.
func Attach(t testing.TB, s *store.Store, o store.Options) {
	driver, source := "sqlite", "file:"+o.Path+"?_pragma=busy_timeout(10000)"
	if o.DatabaseURL != "" {
		driver, source = "pgx", o.DatabaseURL
	}
	pool, err := sql.Open(driver, source)
	require.NoError(t, err)
	rawLock.Lock()
	rawOf[s] = pool
	rawLock.Unlock()
	t.Cleanup(func() {
		rawLock.Lock()
		defer rawLock.Unlock()
		delete(rawOf, s)
		require.NoError(t, pool.Close())
	})
}

// Exec runs a statement, with $1 for its arguments on both databases, in a transaction of
// its own: it waits for those under way.
func Exec(t testing.TB, s *store.Store, text string, args ...any) {
	t.Helper()
	_, err := Raw(t, s).ExecContext(t.Context(), dialect(s, text), args...)
	require.NoError(t, err, text)
}

// Texts reads the one text that each row of a query has.
func Texts(t testing.TB, s *store.Store, text string, args ...any) (list []string) {
	t.Helper()
	rows, err := Raw(t, s).QueryContext(t.Context(), dialect(s, text), args...)
	require.NoError(t, err, text)
	defer rows.Close()
	for rows.Next() {
		var one string
		require.NoError(t, rows.Scan(&one))
		list = append(list, one)
	}
	require.NoError(t, rows.Err())
	return list
}

func dialect(s *store.Store, text string) string {
	if s.Kind() == "sqlite" {
		return strings.ReplaceAll(text, "$", "?")
	}
	return text
}
