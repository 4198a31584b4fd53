package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/schemas"
)

func put(ctx context.Context, tx *store.Tx, name, value string) error {
	return tx.PutFact(ctx, db.PutFactParams{Name: name, Value: value})
}

func get(t *testing.T, s *store.Store, name string) (value string, found bool) {
	t.Helper()
	err := s.Read(t.Context(), func(tx *store.Tx) (err error) {
		value, err = tx.GetFact(t.Context(), name)
		return err
	})
	if store.NotFound(err) {
		return "", false
	}
	require.NoError(t, err)
	return value, true
}

func requireMissing(t *testing.T, s *store.Store, name string) {
	t.Helper()
	_, found := get(t, s, name)
	require.False(t, found, name)
}

var errRefused = errors.New("refused")

func TestWrite(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
		ctx := t.Context()

		t.Run("is read after it returned, at the clock's time", func(t *testing.T) {
			require.NoError(t, s.Write(ctx, func(tx *store.Tx) error {
				require.Equal(t, storetest.Start, tx.Now())
				return put(ctx, tx, "kept", "1")
			}))
			value, _ := get(t, s, "kept")
			require.Equal(t, "1", value)
		})

		t.Run("sees its own rows", func(t *testing.T) {
			require.NoError(t, s.Write(ctx, func(tx *store.Tx) error {
				require.NoError(t, put(ctx, tx, "own", "2"))
				value, err := tx.GetFact(ctx, "own")
				require.Equal(t, "2", value)
				return err
			}))
		})

		t.Run("undoes a unit that fails", func(t *testing.T) {
			require.ErrorIs(t, s.Write(ctx, func(tx *store.Tx) error {
				require.NoError(t, put(ctx, tx, "failed", "1"))
				return errRefused
			}), errRefused)
			requireMissing(t, s, "failed")
		})

		t.Run("undoes a unit that panics, and lets the panic through", func(t *testing.T) {
			require.PanicsWithValue(t, "broken", func() {
				_ = s.Write(ctx, func(tx *store.Tx) error {
					require.NoError(t, put(ctx, tx, "panicked", "1"))
					panic("broken")
				})
			})
			requireMissing(t, s, "panicked")
		})

		t.Run("undoes a unit whose goroutine ends", func(t *testing.T) {
			var wg sync.WaitGroup
			wg.Go(func() {
				_ = s.Write(ctx, func(tx *store.Tx) error {
					_ = put(ctx, tx, "ended", "1")
					runtime.Goexit()
					return nil
				})
			})
			wg.Wait()
			requireMissing(t, s, "ended")
		})

		t.Run("does not run for a caller who is gone", func(t *testing.T) {
			gone, cancel := context.WithCancel(ctx)
			cancel()
			err := s.Write(gone, func(*store.Tx) error { t.Error("it ran"); return nil })
			require.ErrorIs(t, err, context.Canceled)
		})

		t.Run("calls hooks after the commit, and only then", func(t *testing.T) {
			var called []string
			require.NoError(t, s.Write(ctx, func(tx *store.Tx) error {
				tx.AfterCommit(func() {
					value, _ := get(t, s, "hooked")
					called = append(called, value)
				})
				require.Empty(t, called)
				return put(ctx, tx, "hooked", "there")
			}))
			require.Error(t, s.Write(ctx, func(tx *store.Tx) error {
				tx.AfterCommit(func() { called = append(called, "never") })
				return errRefused
			}))
			require.Equal(t, []string{"there"}, called)
		})

		t.Run("wakes who watches what it signalled", func(t *testing.T) {
			wake, cancel := s.Watch("topic")
			defer cancel()
			require.NoError(t, s.Write(ctx, func(tx *store.Tx) error { return tx.Signal(ctx, "topic") }))
			<-wake
		})
	})
}

func TestRead(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
		ctx := t.Context()
		t.Run("refuses to write", func(t *testing.T) {
			require.Error(t, s.Read(ctx, func(tx *store.Tx) error { return put(ctx, tx, "read", "1") }))
		})
		t.Run("sees one moment", func(t *testing.T) {
			require.NoError(t, s.Read(ctx, func(tx *store.Tx) error {
				_, err := tx.GetFact(ctx, "later")
				require.True(t, store.NotFound(err))
				require.NoError(t, s.Write(ctx, func(w *store.Tx) error { return put(ctx, w, "later", "1") }))
				_, err = tx.GetFact(ctx, "later")
				require.True(t, store.NotFound(err))
				return nil
			}))
		})
		t.Run("leaves the connection whole after a panic", func(t *testing.T) {
			for range 10 {
				require.Panics(t, func() { _ = s.Read(ctx, func(*store.Tx) error { panic("broken") }) })
			}
			value, _ := get(t, s, "later")
			require.Equal(t, "1", value)
		})
	})
}

// crowd runs n units at once. The first holds the turn until the others wait.
func crowd(t *testing.T, s *store.Store, n int, unit func(i int, tx *store.Tx) error) []error {
	t.Helper()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					errs[i] = fmt.Errorf("panic: %v", p)
				}
			}()
			errs[i] = s.Write(t.Context(), func(tx *store.Tx) error { return unit(i, tx) })
		})
	}
	wg.Wait()
	return errs
}

func TestATextThatIsNoneIsRefusedInASentence(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
		for _, name := range []string{"a\x00b", "\xff"} {
			err := s.Read(t.Context(), func(tx *store.Tx) error { _, err := tx.GetFact(t.Context(), name); return err })
			var refused *schemas.Error
			require.True(t, store.NotFound(err) || errors.As(err, &refused), "%v", err)
		}
	})
}

func TestNeighbours(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
		ctx := t.Context()
		t.Run("are not harmed by units that fail or panic", func(t *testing.T) {
			const n = 300
			errs := crowd(t, s, n, func(i int, tx *store.Tx) error {
				if err := put(ctx, tx, fmt.Sprint("n", i), "1"); err != nil {
					return err
				}
				switch i % 3 {
				case 1:
					return errRefused
				case 2:
					panic("broken")
				}
				return nil
			})
			for i := range n {
				_, found := get(t, s, fmt.Sprint("n", i))
				require.Equal(t, i%3 == 0, found, i)
				require.Equal(t, i%3 == 0, errs[i] == nil, i)
			}
		})
		t.Run("lose no update", func(t *testing.T) {
			require.NoError(t, s.Write(ctx, func(tx *store.Tx) error { return put(ctx, tx, "counter", "0") }))
			for _, err := range crowd(t, s, 100, func(_ int, tx *store.Tx) error {
				_, err := store.DBTX(tx).ExecContext(ctx, "UPDATE facts SET value = CAST(CAST(value AS BIGINT) + 1 AS TEXT) WHERE name = $1", "counter")
				return err
			}) {
				require.NoError(t, err)
			}
			value, _ := get(t, s, "counter")
			require.Equal(t, "100", value)
		})
		t.Run("have exactly one winner in a race", func(t *testing.T) {
			var won atomic.Int64
			crowd(t, s, 50, func(i int, tx *store.Tx) error {
				n, err := tx.AdvanceSlot(ctx, db.AdvanceSlotParams{Name: "race", Slot: "1"})
				tx.AfterCommit(func() { won.Add(n) })
				return err
			})
			require.EqualValues(t, 1, won.Load())
		})
		t.Run("claim each job once", func(t *testing.T) {
			require.NoError(t, s.Write(ctx, func(tx *store.Tx) error {
				for i := range 200 {
					if _, err := tx.EnqueueJob(ctx, db.EnqueueJobParams{ID: fmt.Sprint("job_", i), Kind: "k", Args: "{}", RunAt: 1, CreatedAt: 1}); err != nil {
						return err
					}
				}
				return nil
			}))
			var mu sync.Mutex
			claimed := map[string]int{}
			for _, err := range crowd(t, s, 20, func(i int, tx *store.Tx) error {
				jobs, err := tx.ClaimJobs(ctx, db.ClaimJobsParams{Kind: "k", LeaseBy: fmt.Sprint(i), LeaseUntil: 10, Count: 10})
				if len(jobs) > 10 {
					return errors.New("more than asked for")
				}
				tx.AfterCommit(func() {
					mu.Lock()
					defer mu.Unlock()
					for _, j := range jobs {
						claimed[j.ID]++
					}
				})
				return err
			}) {
				require.NoError(t, err)
			}
			require.Len(t, claimed, 200)
			for id, n := range claimed {
				require.Equal(t, 1, n, id)
			}
		})
	})
}

// While one unit holds the turn, the callers behind it wait; who gives up is not run.
func TestQueue(t *testing.T) {
	s := storetest.Open(t)
	ctx := t.Context()
	holding, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = s.Write(ctx, func(tx *store.Tx) error {
			close(holding)
			<-release
			return put(ctx, tx, "first", "1")
		})
	})
	<-holding
	impatient, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
	defer cancel()
	err := s.Write(impatient, func(*store.Tx) error { t.Error("it ran"); return nil })
	require.ErrorIs(t, err, context.DeadlineExceeded)
	close(release)
	wg.Wait()
	value, _ := get(t, s, "first")
	require.Equal(t, "1", value)
}

func TestOpen(t *testing.T) {
	ctx := t.Context()
	t.Run("finds on SQLite what was there", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "new", "folder ü?#%.db")
		for range 2 {
			s, err := store.Open(ctx, store.Options{Path: path})
			require.NoError(t, err)
			require.NoError(t, s.Write(ctx, func(tx *store.Tx) error { return put(ctx, tx, "a", "1") }))
			require.NoError(t, s.Close())
			require.ErrorIs(t, s.Write(ctx, func(*store.Tx) error { return nil }), store.ErrClosed)
		}
		info, err := os.Stat(path)
		require.NoError(t, err)
		if runtime.GOOS != "windows" {
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
		}
	})
	t.Run("works for several at once, on SQLite", func(t *testing.T) {
		openTogether(t, store.Options{Path: filepath.Join(t.TempDir(), "h.db")})
	})
	t.Run("works for several at once, on PostgreSQL", func(t *testing.T) {
		openTogether(t, store.Options{DatabaseURL: storetest.PostgresURL(t)})
	})
	t.Run("refuses a newer SQLite database with a sentence", func(t *testing.T) {
		refusesNewer(t, store.Options{Path: filepath.Join(t.TempDir(), "h.db")})
	})
	t.Run("refuses a newer PostgreSQL database with a sentence", func(t *testing.T) {
		refusesNewer(t, store.Options{DatabaseURL: storetest.PostgresURL(t)})
	})
	t.Run("does not repeat a password in its error", func(t *testing.T) {
		_, err := store.Open(ctx, store.Options{DatabaseURL: "postgres://me:hunter2@host:port/x"})
		require.ErrorContains(t, err, "postgres://user:password@host:5432/name")
		require.NotContains(t, err.Error(), "hunter2")
	})
	t.Run("asks for a database where none is named", func(t *testing.T) {
		_, err := store.Open(ctx, store.Options{})
		require.ErrorContains(t, err, "database_url")
	})
}

func openTogether(t *testing.T, o store.Options) {
	errs := make([]error, 4)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			s, err := store.Open(t.Context(), o)
			if err == nil {
				err = s.Write(t.Context(), func(tx *store.Tx) error { return put(t.Context(), tx, fmt.Sprint(i), "1") })
				err = errors.Join(err, s.Close())
			}
			errs[i] = err
		})
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
}

func refusesNewer(t *testing.T, o store.Options) {
	s, err := store.Open(t.Context(), o)
	require.NoError(t, err)
	storetest.Attach(t, s, o)
	storetest.Exec(t, s, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)")
	require.NoError(t, s.Close())
	_, err = store.Open(t.Context(), o)
	require.ErrorContains(t, err, "newer humanops-mcp: its schema is 9999")
}

func TestBackupTo(t *testing.T) {
	ctx := t.Context()
	t.Run("copies a SQLite database whole, once", func(t *testing.T) {
		s := storetest.Open(t)
		require.NoError(t, s.Write(ctx, func(tx *store.Tx) error { return put(ctx, tx, "a", "1") }))
		path := filepath.Join(t.TempDir(), "copy.db")
		require.NoError(t, s.BackupTo(ctx, path))
		require.ErrorIs(t, s.BackupTo(ctx, path), os.ErrExist)
		copied, err := store.Open(ctx, store.Options{Path: path})
		require.NoError(t, err)
		defer copied.Close()
		value, _ := get(t, copied, "a")
		require.Equal(t, "1", value)
	})
	t.Run("names the tool for PostgreSQL", func(t *testing.T) {
		s := storetest.OpenPostgres(t, clock.System())
		require.ErrorContains(t, s.BackupTo(ctx, filepath.Join(t.TempDir(), "x")), "pg_dump")
	})
}

// Two transactions that lock two rows in opposite order end well: one of them runs again.
func TestDeadlock(t *testing.T) {
	s := storetest.OpenPostgres(t, clock.System())
	ctx := t.Context()
	require.NoError(t, s.Write(ctx, func(tx *store.Tx) error {
		return errors.Join(put(ctx, tx, "a", "0"), put(ctx, tx, "b", "0"))
	}))
	var runs atomic.Int64
	var both sync.WaitGroup
	both.Add(2)
	var once [2]sync.Once
	for _, err := range crowd(t, s, 2, func(i int, tx *store.Tx) error {
		runs.Add(1)
		names := []string{"a", "b"}
		if err := put(ctx, tx, names[i], fmt.Sprint(i)); err != nil {
			return err
		}
		once[i].Do(func() { both.Done(); both.Wait() })
		return put(ctx, tx, names[1-i], fmt.Sprint(i))
	}) {
		require.NoError(t, err)
	}
	require.Greater(t, runs.Load(), int64(2))
}

func TestMicros(t *testing.T) {
	require.Zero(t, store.Micros(time.Time{}))
	require.True(t, store.Time(0).IsZero())
	require.Equal(t, storetest.Start, store.Time(store.Micros(storetest.Start)))
}

func TestASnapshotIsOfItsMoment(t *testing.T) {
	ctx := t.Context()
	s := storetest.Open(t)
	write := func(name, value string) {
		t.Helper()
		require.NoError(t, s.Write(ctx, func(tx *store.Tx) error { return put(ctx, tx, name, value) }))
	}
	secret := strings.Repeat("nobody may read this ", 2000)
	write("gone", secret)
	storetest.Exec(t, s, "DELETE FROM facts WHERE name = 'gone'")
	write("kept", "before")
	snapshot, err := s.Snapshot(ctx)
	require.NoError(t, err)
	write("kept", "after") // it holds nobody up
	write("later", strings.Repeat("x", 100_000))
	path := filepath.Join(t.TempDir(), "copy.db")
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, snapshot.Copy(ctx, f))
	require.NoError(t, f.Close())
	require.NoError(t, snapshot.Close())

	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, snapshot.Size, info.Size())
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Less(t, strings.Count(string(raw), "nobody may read this"), 300, "pages that are free are empty in the copy")
	copied, err := store.Open(ctx, store.Options{Path: path})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, copied.Close()) })
	storetest.Attach(t, copied, store.Options{Path: path})
	value, _ := get(t, copied, "kept")
	require.Equal(t, "before", value)
	requireMissing(t, copied, "later")
	require.Equal(t, []string{"ok"}, storetest.Texts(t, copied, "PRAGMA integrity_check"))
}
