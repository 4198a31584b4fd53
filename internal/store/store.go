package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/store/db"
)

// Options say which database to open. DatabaseURL wins over Path.
type Options struct {
	Path        string // SQLite file
	DatabaseURL string // postgres://…
	Clock       clock.Clock
	Logger      *slog.Logger
}

// Store is an open database.
type Store struct {
	engine  engine
	clock   clock.Clock
	signals *signals
}

// engine is what differs between the two databases beyond the SQL text.
type engine interface {
	kind() string
	write(ctx context.Context, unit func(db.DBTX) error) error
	read(ctx context.Context, unit func(db.DBTX) error) error
	peek(ctx context.Context, unit func(db.DBTX) error) error
	snapshot(ctx context.Context) (*Snapshot, error)
	// notify makes a committed transaction wake the watchers of other processes.
	notify(ctx context.Context, tx db.DBTX, topic string) error
	// listen delivers what other processes notify, until ctx ends.
	listen(ctx context.Context, wake func(topic string)) error
	close() error
}

// ErrClosed is what a store answers after Close.
var ErrClosed = errors.New("the store is closed")

// Open opens the database and brings its schema up to date. It refuses a database
// that a newer program has written.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Clock == nil {
		o.Clock = clock.System()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	e, err := openEngine(ctx, o)
	if err != nil {
		return nil, err
	}
	return &Store{engine: e, clock: o.Clock, signals: newSignals(e, o.Clock, o.Logger)}, nil
}

func openEngine(ctx context.Context, o Options) (engine, error) {
	if o.DatabaseURL != "" {
		return openPostgres(ctx, o)
	}
	if o.Path == "" {
		return nil, errors.New("no database is configured: set a data folder, or database_url")
	}
	return openSQLite(ctx, o)
}

// Kind is "sqlite" or "postgres".
func (s *Store) Kind() string { return s.engine.kind() }

// Write runs unit in a transaction of its own: when it fails or panics, none of it
// happened; when Write returns nil, all of it is durable. Units are run one after the
// other on SQLite, so a unit does nothing slow besides its SQL, and never calls Write.
// On PostgreSQL a unit may run again after a deadlock, so it has no effects besides
// its SQL; those belong in jobs or AfterCommit.
func (s *Store) Write(ctx context.Context, unit func(tx *Tx) error) error {
	var tx *Tx
	err := s.engine.write(ctx, func(dbtx db.DBTX) error {
		tx = s.newTx(dbtx)
		return unit(tx)
	})
	if err != nil {
		return err
	}
	for _, hook := range tx.hooks {
		hook()
	}
	return nil
}

// Read runs unit in a read-only transaction: all its queries see the same moment.
func (s *Store) Read(ctx context.Context, unit func(tx *Tx) error) error {
	return s.engine.read(ctx, func(dbtx db.DBTX) error { return unit(s.newTx(dbtx)) })
}

// Peek runs a unit of one query, which needs no transaction to see one moment.
func (s *Store) Peek(ctx context.Context, unit func(tx *Tx) error) error {
	return s.engine.peek(ctx, func(dbtx db.DBTX) error { return unit(s.newTx(dbtx)) })
}

// Close waits for the writes under way and closes the database.
func (s *Store) Close() error {
	s.signals.close()
	return s.engine.close()
}

// Tx is a transaction: every query, the transaction's time, and hooks for after it.
type Tx struct {
	*db.Queries
	db     db.DBTX
	store  *Store
	now    time.Time
	hooks  []func()
	topics map[string]bool
}

func (s *Store) newTx(dbtx db.DBTX) *Tx {
	return &Tx{Queries: db.New(dbtx), db: dbtx, store: s, now: s.clock.Now()}
}

// Now is the time of the transaction: the same for all of it.
func (tx *Tx) Now() time.Time { return tx.now }

// AfterCommit runs hook once the transaction is durable, and never when it is not.
func (tx *Tx) AfterCommit(hook func()) { tx.hooks = append(tx.hooks, hook) }

// Signal wakes whoever watches topic once the transaction is durable, in every process.
func (tx *Tx) Signal(ctx context.Context, topic string) error {
	if tx.topics[topic] {
		return nil
	}
	if tx.topics == nil {
		tx.topics = map[string]bool{}
	}
	tx.topics[topic] = true
	tx.AfterCommit(func() { tx.store.signals.wake(topic) })
	return tx.store.engine.notify(ctx, tx.db, topic)
}

// Watch delivers a wake-up whenever a committed transaction signalled topic, here or in
// another process. Wake-ups coalesce; one may come without cause.
func (s *Store) Watch(topic string) (wake <-chan struct{}, cancel func()) {
	return s.signals.watch(topic)
}

// Micros is how the database keeps a time: microseconds since 1970, 0 for none.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// MicrosOf is Micros of a time that may be missing.
func MicrosOf(t *time.Time) int64 {
	if t == nil {
		return 0
	}
	return Micros(*t)
}

// Time is the time that Micros made a number of.
func Time(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// TimePointer is Time where no time is to be nil.
func TimePointer(micros int64) *time.Time {
	if micros == 0 {
		return nil
	}
	at := Time(micros)
	return &at
}

// IDs is a list of ids as one argument of a query, which has
// "id = ANY (ARRAY(SELECT json_array_elements_text(@ids)))": each id once, in order, and none
// that no row can have.
func IDs(list []string) string {
	ids := make([]string, 0, len(list))
	for _, id := range list {
		if id != "" && ident.Plain(id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	raw, err := json.Marshal(slices.Compact(ids))
	if err != nil {
		panic(err) // texts: cannot fail
	}
	return string(raw)
}

// NotFound tells whether a query for one row found none.
func NotFound(err error) bool { return errors.Is(err, sql.ErrNoRows) }

// wrap says during what an error happened.
func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// JSON is a value of the program's own plain types as a column keeps it.
func JSON(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // such types cannot fail
	}
	return string(raw)
}

// ReadJSON reads what JSON wrote; what is damaged stays as it was.
func ReadJSON(text string, v any) {
	if err := json.Unmarshal([]byte(text), v); err != nil {
		return
	}
}
