package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"humanops-mcp/internal/store/db"
)

// readers is how many read transactions run at once. More would starve the writer where
// cores are few.
const readers = 4

// liteEngine is SQLite in one file: a connection that writes, and a few that read.
type liteEngine struct {
	pool   *sql.DB
	writer *session
	group  *group
	idle   chan *session // readers; nil stands for one that is not open yet
}

func openSQLite(ctx context.Context, o Options) (engine, error) {
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return nil, err
	}
	if err := makeFile(path); err != nil {
		return nil, err
	}
	if err := migrateSQLite(ctx, path, o.Logger); err != nil {
		return nil, err
	}
	pool, err := sql.Open("sqlite", sqliteDSN(path, "WAL"))
	if err != nil {
		return nil, err
	}
	writer, err := newSession(ctx, pool)
	if err != nil {
		return nil, errors.Join(wrap("opening "+path, err), pool.Close())
	}
	e := &liteEngine{pool: pool, writer: writer, group: newGroup(writer), idle: make(chan *session, readers)}
	for range readers {
		e.idle <- nil
	}
	return e, nil
}

// makeFile makes the file readable by its owner only; SQLite gives its side files the
// same mode.
func makeFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("the data folder cannot be made: %w; name another with data_dir", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("the database cannot be written: %w; mend its permissions, or name another folder with data_dir", err)
	}
	return f.Close()
}

// sqliteDSN opens the file so that a commit survives power loss and references hold.
func sqliteDSN(path, journal string) string {
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(10000)", "journal_mode(" + journal + ")", "synchronous(FULL)", "foreign_keys(1)",
	}}
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // a Windows drive
	}
	return (&url.URL{Scheme: "file", Path: slashed, RawQuery: q.Encode()}).String()
}

func (*liteEngine) kind() string { return "sqlite" }

func (e *liteEngine) write(ctx context.Context, unit func(db.DBTX) error) error {
	return e.group.do(ctx, func() error { return unit(e.writer) })
}

func (e *liteEngine) read(ctx context.Context, unit func(db.DBTX) error) (err error) {
	s, err := e.reader(ctx)
	if err != nil {
		return err
	}
	defer func() { e.release(s) }()
	if err := s.do("BEGIN"); err != nil {
		return err
	}
	return unit(s)
}

func (e *liteEngine) peek(ctx context.Context, unit func(db.DBTX) error) error {
	s, err := e.reader(ctx)
	if err != nil {
		return err
	}
	defer func() { e.idle <- s }()
	return unit(s)
}

// reader takes an idle connection, opening it the first time.
func (e *liteEngine) reader(ctx context.Context) (*session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var s *session
	select {
	case s = <-e.idle:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s != nil {
		return s, nil
	}
	s, err := newSession(ctx, e.pool)
	if err == nil {
		err = s.do("PRAGMA query_only = 1")
	}
	if err != nil {
		if s != nil {
			err = errors.Join(err, s.close())
		}
		e.idle <- nil
		return nil, err
	}
	return s, nil
}

// release ends the read and gives the connection back; a broken one is replaced.
func (e *liteEngine) release(s *session) {
	if s.do("ROLLBACK") != nil {
		_ = s.close()
		s = nil
	}
	e.idle <- s
}

// Only one process serves a SQLite file, so there is nobody else to tell or to hear.

func (*liteEngine) notify(context.Context, db.DBTX, string) error    { return nil }
func (*liteEngine) listen(context.Context, func(topic string)) error { return nil }

func (e *liteEngine) close() error {
	e.group.close()
	var errs []error
	for range readers {
		if s := <-e.idle; s != nil {
			errs = append(errs, s.close())
		}
	}
	return errors.Join(append(errs, e.writer.close(), e.pool.Close())...)
}
