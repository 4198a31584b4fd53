// Package storetest opens fresh databases for tests.
package storetest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/store"
)

// Start is what a test's clock shows at first.
var Start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// Open makes a SQLite database in the test's own folder, with a fake clock.
func Open(t testing.TB) *store.Store {
	return OpenAt(t, clock.NewFake(Start))
}

// OpenAt is Open with the test's clock.
func OpenAt(t testing.TB, clk clock.Clock) *store.Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "humanops.db")
	Copy(t, path)
	return open(t, store.Options{Path: path, Clock: clk})
}

// Copy puts a migrated, empty SQLite database at path.
func Copy(t testing.TB, path string) {
	t.Helper()
	model, err := modelFile()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, model, 0o600))
}

// modelFile is a migrated, empty database, from which each test's own is copied: to
// migrate takes longer than most tests.
var modelFile = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "model")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "humanops.db")
	if err := migrated(store.Options{Path: path, Clock: clock.NewFake(Start)}); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// migrated makes an empty database at o.
func migrated(o store.Options) error {
	s, err := store.Open(context.Background(), o)
	if err != nil {
		return err
	}
	return s.Close()
}

// OpenPostgres is OpenAt on a fresh PostgreSQL database; it skips the test where there
// is no server to be had.
func OpenPostgres(t testing.TB, clk clock.Clock) *store.Store {
	t.Helper()
	srv := serverFor(t)
	model, err := srv.modelDatabase()
	require.NoError(t, err)
	return open(t, store.Options{DatabaseURL: srv.create(t, "TEMPLATE "+model), Clock: clk})
}

func open(t testing.TB, o store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	Attach(t, s, o)
	return s
}

// Each runs a test on SQLite, and on PostgreSQL where there is a server to be had.
func Each(t *testing.T, test func(t *testing.T, s *store.Store, clk *clock.Fake)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		clk := clock.NewFake(Start)
		test(t, OpenAt(t, clk), clk)
	})
	t.Run("postgres", func(t *testing.T) {
		clk := clock.NewFake(Start)
		test(t, OpenPostgres(t, clk), clk)
	})
}
