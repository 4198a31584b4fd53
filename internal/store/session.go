package store

import (
	"context"
	"database/sql"

	"humanops-mcp/internal/store/db"
)

// session is one SQLite connection with the statements prepared on it. It is sqlc's
// DBTX, speaks SQLite's dialect, and is used by one goroutine at a time.
type session struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

var _ db.DBTX = (*session)(nil)

func newSession(ctx context.Context, pool *sql.DB) (*session, error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &session{conn: conn, stmts: map[string]*sql.Stmt{}}, nil
}

// maxStatements bounds what a connection keeps prepared; texts put together at run time
// could otherwise add up.
const maxStatements = 500

func (s *session) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	if stmt, ok := s.stmts[text]; ok {
		return stmt, nil
	}
	stmt, err := s.conn.PrepareContext(ctx, sqliteText(text))
	if err != nil {
		return nil, err
	}
	if len(s.stmts) >= maxStatements {
		s.forget()
	}
	s.stmts[text] = stmt
	return stmt, nil
}

func (s *session) forget() {
	for text, stmt := range s.stmts {
		_ = stmt.Close()
		delete(s.stmts, text)
	}
}

// statementContext spares each statement the goroutine that watches a context which can
// end: an ended one stops the next statement, not the current one.
func statementContext(ctx context.Context) context.Context {
	if ctx.Err() != nil {
		return ctx
	}
	return context.Background()
}

// ExecContext runs a statement.
func (s *session) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	ctx = statementContext(ctx)
	stmt, err := s.prepare(ctx, text) //nolint:sqlclosecheck // kept for the next time
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(ctx, args...)
}

// QueryContext runs a query.
func (s *session) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	ctx = statementContext(ctx)
	stmt, err := s.prepare(ctx, text) //nolint:sqlclosecheck // kept for the next time
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

// QueryRowContext runs a query for one row.
func (s *session) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	ctx = statementContext(ctx)
	stmt, err := s.prepare(ctx, text) //nolint:sqlclosecheck // kept for the next time
	if err != nil {
		return s.conn.QueryRowContext(ctx, sqliteText(text), args...) // fails alike, inside the row
	}
	return stmt.QueryRowContext(ctx, args...)
}

// PrepareContext prepares a statement that the caller closes.
func (s *session) PrepareContext(ctx context.Context, text string) (*sql.Stmt, error) {
	return s.conn.PrepareContext(ctx, sqliteText(text))
}

func (s *session) do(text string) error {
	_, err := s.ExecContext(context.Background(), text)
	return err
}

func (s *session) close() error {
	s.forget()
	return s.conn.Close()
}

// The writer's session is the group's transaction.

func (s *session) begin() error     { return s.do("BEGIN IMMEDIATE") }
func (s *session) savepoint() error { return s.do("SAVEPOINT unit") }
func (s *session) keep() error      { return s.do("RELEASE unit") }
func (s *session) rollback()        { _ = s.do("ROLLBACK") } // fails only when SQLite has rolled back by itself

func (s *session) undo() error {
	if err := s.do("ROLLBACK TO unit"); err != nil {
		return err
	}
	return s.do("RELEASE unit")
}

func (s *session) commit() error {
	err := s.do("COMMIT")
	if err != nil {
		s.rollback()
	}
	return err
}
