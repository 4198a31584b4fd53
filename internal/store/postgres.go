package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/store/db"
)

const (
	pgConnections = 16
	pgAttempts    = 5
	pgChannel     = "humanops"
)

// pgEngine is PostgreSQL, shared by any number of processes.
type pgEngine struct {
	pool   *sql.DB
	config *pgx.ConnConfig
	clock  clock.Clock
}

func openPostgres(ctx context.Context, o Options) (engine, error) {
	config, err := pgx.ParseConfig(o.DatabaseURL)
	if err != nil {
		// The parser's error repeats the address, which may hold a password.
		return nil, errors.New("database_url is not a PostgreSQL address; write postgres://user:password@host:5432/name")
	}
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(pgConnections)
	pool.SetMaxIdleConns(pgConnections)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	if err := pool.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("PostgreSQL at %s cannot be reached: %w; check database_url and that the server runs", config.Host, err), pool.Close())
	}
	if err := migratePostgres(ctx, pool, o.Logger); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return &pgEngine{pool: pool, config: config, clock: o.Clock}, nil
}

func (*pgEngine) kind() string { return "postgres" }

// write runs the unit, again when the database asks for it.
func (e *pgEngine) write(ctx context.Context, unit func(db.DBTX) error) error {
	for attempt := 1; ; attempt++ {
		err := e.once(ctx, nil, unit)
		if err == nil || attempt == pgAttempts || !worthRetrying(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-clock.System().After(time.Duration(attempt) * rand.N(10*time.Millisecond)):
		}
	}
}

func (e *pgEngine) read(ctx context.Context, unit func(db.DBTX) error) error {
	return e.once(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}, unit)
}

func (e *pgEngine) peek(_ context.Context, unit func(db.DBTX) error) error {
	return spoken(unit(e.pool))
}

func (e *pgEngine) once(ctx context.Context, o *sql.TxOptions, unit func(db.DBTX) error) error {
	tx, err := e.pool.BeginTx(ctx, o)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing; else the first error matters
	if err := unit(tx); err != nil {
		return spoken(err)
	}
	return tx.Commit()
}

func (*pgEngine) snapshot(context.Context) (*Snapshot, error) {
	return nil, errors.New("the data is in PostgreSQL: back it up with pg_dump, and restore it with pg_restore")
}

func (*pgEngine) notify(ctx context.Context, tx db.DBTX, topic string) error {
	_, err := tx.ExecContext(ctx, "SELECT pg_notify($1, $2)", pgChannel, topic)
	return err
}

// listen has a connection of its own, because a pool's would be lost to the others.
func (e *pgEngine) listen(ctx context.Context, wake func(topic string)) error {
	conn, err := pgx.ConnectConfig(ctx, e.config)
	if err != nil {
		return err
	}
	defer conn.Close(context.Background()) //nolint:errcheck // it is being given up
	if _, err := conn.Exec(ctx, "LISTEN "+pgChannel); err != nil {
		return err
	}
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		wake(n.Payload)
	}
}

func (e *pgEngine) close() error { return e.pool.Close() }
