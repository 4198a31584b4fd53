package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
)

// errUnreadable is the cause of a failure for good: another attempt would read the same.
var errUnreadable = errors.New("the job's arguments cannot be read")

type (
	// Finish records what a job did, in the transaction that completes it.
	Finish = func(ctx context.Context, tx *store.Tx) error
	// Effect does what a job asks for inside the transaction that completes it.
	Effect[T any] func(ctx context.Context, tx *store.Tx, j Job[T]) error
	// Outside does what cannot be undone; the Finish it returns may be nil.
	Outside[T any] func(ctx context.Context, j Job[T]) (Finish, error)
	// GiveUp records that a job failed for good. It is not asked about a job whose
	// arguments cannot be read: there is nothing that it could go on with.
	GiveUp[T any] func(ctx context.Context, tx *store.Tx, j Job[T], cause error) error
)

// handler says what is done with the jobs of a kind.
type handler struct {
	maxAttempts int
	read        func(row db.Job) (work, error)
}

// work is what is to be done with one job, whose arguments have been read.
type work struct {
	outside func(ctx context.Context) (Finish, error)
	giveUp  func(ctx context.Context, tx *store.Tx, cause error) error // may be nil
}

// Handle has r run the jobs of the kind inside the transaction that completes them: the
// effect happens exactly once.
func (k Kind[T]) Handle(r *Runner, effect Effect[T]) { k.handle(r, maxAttempts, effect) }

func (k Kind[T]) handle(r *Runner, attempts int, effect Effect[T]) {
	k.HandleEffect(r, attempts, func(_ context.Context, j Job[T]) (Finish, error) {
		return func(ctx context.Context, tx *store.Tx) error { return effect(ctx, tx, j) }, nil
	}, nil)
}

// HandleEffect has r run jobs that reach outside the database: at least once, so outside
// needs an idempotency key of its own. After so many attempts giveUp, which may be nil,
// records the failure.
func (k Kind[T]) HandleEffect(r *Runner, attempts int, outside Outside[T], giveUp GiveUp[T]) {
	r.add(string(k), handler{attempts, func(row db.Job) (work, error) {
		j, err := read[T](row)
		w := work{outside: func(ctx context.Context) (Finish, error) { return outside(ctx, j) }}
		if giveUp != nil && err == nil {
			w.giveUp = func(ctx context.Context, tx *store.Tx, cause error) error { return giveUp(ctx, tx, j, cause) }
		}
		return w, err
	}})
}

func read[T any](row db.Job) (Job[T], error) {
	j := Job[T]{ID: row.ID, Attempt: int(row.Attempts), Owner: row.Owner, Priority: Priority(row.Priority)}
	if err := json.Unmarshal([]byte(row.Args), &j.Args); err != nil {
		return j, fmt.Errorf("%w as those of %s: %w", errUnreadable, row.Kind, err)
	}
	return j, nil
}

// Every runs effect once in each slot of interval, whatever the number of runners.
func (r *Runner) Every(name string, interval time.Duration, effect func(ctx context.Context, tx *store.Tx) error) {
	r.periodic = append(r.periodic, periodic{name, interval})
	slot(name).handle(r, periodicAttempts, func(ctx context.Context, tx *store.Tx, _ Job[struct{}]) error { return effect(ctx, tx) })
}

// slot is the kind of a periodic job.
type slot = Kind[struct{}]

func (r *Runner) add(kind string, h handler) {
	if _, taken := r.handlers[kind]; taken {
		panic("job: two handlers for " + kind)
	}
	r.handlers[kind] = h
}
