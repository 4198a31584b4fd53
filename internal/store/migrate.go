package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrationLock is the key of PostgreSQL's advisory lock around migrations.
const migrationLock = 7_306_002_511

// migrateSQLite brings the file's schema up to date. SQLite itself has no lock that
// spans several transactions, so one process at a time holds a second, empty database.
func migrateSQLite(ctx context.Context, path string, log *slog.Logger) error {
	lock, err := sql.Open("sqlite", sqliteDSN(path+".migrating", "DELETE"))
	if err != nil {
		return err
	}
	defer lock.Close()
	held, err := lock.BeginTx(ctx, nil)
	if err != nil {
		return wrap("waiting for another process to migrate the database", err)
	}
	defer held.Rollback() //nolint:errcheck // nothing was written

	pool, err := sql.Open("sqlite", sqliteDSN(path, "WAL"))
	if err != nil {
		return err
	}
	defer pool.Close()
	pool.SetMaxOpenConns(1)
	return migrate(ctx, goose.DialectSQLite3, pool, log)
}

func migratePostgres(ctx context.Context, pool *sql.DB, log *slog.Logger) (err error) {
	lock, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer lock.Close()
	if _, err := lock.ExecContext(ctx, "SELECT pg_advisory_lock($1)", int64(migrationLock)); err != nil {
		return wrap("waiting for another process to migrate the database", err)
	}
	defer func() {
		_, unlockErr := lock.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(migrationLock))
		err = errors.Join(err, unlockErr)
	}()
	warnOfCollation(ctx, pool, log)
	return migrate(ctx, goose.DialectPostgres, pool, log)
}

// warnOfCollation tells when texts sort otherwise than on SQLite: lists are complete all
// the same, but rows of the same moment may come in another order.
func warnOfCollation(ctx context.Context, pool *sql.DB, log *slog.Logger) {
	var collation string
	err := pool.QueryRowContext(ctx, "SELECT datcollate FROM pg_database WHERE datname = current_database()").Scan(&collation)
	if err == nil && collation != "C" && collation != "POSIX" && collation != "C.UTF-8" {
		log.Warn("The database sorts text by a language; create it with LC_COLLATE 'C' TEMPLATE template0", "collation", collation)
	}
}

func migrate(ctx context.Context, dialect goose.Dialect, pool *sql.DB, log *slog.Logger) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(dialect, pool, files, goose.WithDisableGlobalRegistry(true), goose.WithGoMigrations(chains(dialect), namedUploads(dialect)))
	if err != nil {
		return wrap("reading the migrations", err)
	}
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return wrap("reading the version of the database", err)
	}
	if current > target {
		return fmt.Errorf("this database was written by a newer humanops-mcp: its schema is %d, this program knows %d. "+
			"Install the newer program, or point this one at a backup or another data folder", current, target)
	}
	if current == target {
		return nil
	}
	if _, err := provider.Up(ctx); err != nil {
		return wrap("migrating the database", err)
	}
	log.Debug("The database schema is up to date", "from", current, "to", target)
	return nil
}
