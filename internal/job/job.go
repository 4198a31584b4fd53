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

// Options say when a job runs. While a job with the same UniqueKey is waiting or running,
// enqueueing another does nothing. Of the jobs of one Lane a runner works on few at a
// time; a lane is a word of letters and digits, and "" is no lane.
type Options struct {
	RunAt     time.Time // zero: now
	UniqueKey string
	Lane      string
}

// Job is what a handler gets.
type Job struct {
	ID      string
	Kind    string
	Args    json.RawMessage
	Attempt int // 1 the first time
}

// Decode reads the arguments into v.
func (j Job) Decode(v any) error {
	if err := json.Unmarshal(j.Args, v); err != nil {
		return fmt.Errorf("arguments of job %s (%s): %w", j.ID, j.Kind, err)
	}
	return nil
}

// Enqueue writes a job that exists once tx is committed, and wakes a runner then.
func Enqueue(ctx context.Context, tx *store.Tx, kind string, args any, o Options) error {
	raw, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("arguments of a job %s: %w", kind, err)
	}
	runAt := o.RunAt
	if runAt.IsZero() {
		runAt = tx.Now()
	}
	added, err := tx.EnqueueJob(ctx, db.EnqueueJobParams{
		ID: ident.New("job_"), Kind: kind, UniqueKey: o.UniqueKey, Lane: o.Lane, Args: string(raw),
		RunAt: store.Micros(runAt), CreatedAt: store.Micros(tx.Now()),
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
