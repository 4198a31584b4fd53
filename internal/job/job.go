// Package job runs durable jobs: rows written in the transaction that causes them,
// claimed with a lease, retried until they succeed or are given up.
package job

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
)

// topic is what an enqueued job signals to the runners.
const topic = "job"

// Kind names a kind of job whose arguments are a T. What is enqueued under it and what
// its handler gets are of one type by the compiler:
//
//	const timer job.Kind[timerArgs] = "task.timer"
type Kind[T any] string

// Priority says which jobs go first.
type Priority int64

// The priorities, the most urgent first.
const (
	Live Priority = iota
	Test
)

// PriorityOf is the priority of what happens in a mode, live or test.
func PriorityOf(mode string) Priority {
	if mode == "test" {
		return Test
	}
	return Live
}

// Options say when a job runs, and for whom. While a job with the same UniqueKey is waiting
// or running, enqueueing another does nothing. Of the jobs of one Lane a runner works on few
// at a time; a lane is a word of letters and digits, and "" is no lane.
type Options struct {
	RunAt     time.Time // zero: now
	UniqueKey string
	Lane      string
	Owner     string // the id of the agent it is for; "" for the house
	Priority  Priority
}

// Job is what a handler gets. What it enqueues in its turn has the same Owner and Priority.
type Job[T any] struct {
	ID       string
	Args     T
	Attempt  int // 1 the first time
	Owner    string
	Priority Priority
}

// Enqueue writes a job that exists once tx is committed, and wakes a runner then.
func (k Kind[T]) Enqueue(ctx context.Context, tx *store.Tx, args T, o Options) error {
	raw, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("arguments of a job %s: %w", k, err)
	}
	runAt := o.RunAt
	if runAt.IsZero() {
		runAt = tx.Now()
	}
	added, err := tx.EnqueueJob(ctx, db.EnqueueJobParams{
		ID: ident.New("job_"), Kind: string(k), Owner: o.Owner, Priority: int64(o.Priority), Lane: o.Lane, UniqueKey: o.UniqueKey,
		Args: string(raw), RunAt: store.Micros(runAt), CreatedAt: store.Micros(tx.Now()),
	})
	if err != nil || added == 0 {
		return err
	}
	return tx.Signal(ctx, topic)
}

// Reclaim makes every claimed job ready again, without waiting for its lease to end. It
// is for the start of a process that owns its database alone: whoever claimed the jobs
// is dead.
func Reclaim(ctx context.Context, tx *store.Tx) error {
	_, err := tx.RescueJobs(ctx, db.RescueJobsParams{Now: store.Micros(tx.Now()), LeaseBefore: math.MaxInt64})
	return err
}

// Hasten has a waiting job come earlier, never later. One that was tried already keeps its
// time.
func Hasten(ctx context.Context, tx *store.Tx, uniqueKey string, at time.Time) error {
	return tx.HastenJob(ctx, db.HastenJobParams{UniqueKey: uniqueKey, RunAt: store.Micros(at)})
}
