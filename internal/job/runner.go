package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

const (
	// lease is how long a runner may be silent before its jobs go to another one.
	// Runners extend it while they work, so a long job keeps its claim.
	lease = 20 * time.Second
	poll  = 500 * time.Millisecond
	// maxAttempts is for handlers that only write to the database: what fails so often
	// fails for good.
	maxAttempts = 20
	// maxDeaths is how often the process may end in the middle of a job before the job is
	// taken for the reason. Power cuts and restarts hit a job by chance, and few times.
	maxDeaths = 20
	// periodicAttempts is few, because the next slot comes anyway.
	periodicAttempts = 3
	// pace is the least time between two looks, so that jobs coming one by one share
	// their claim's transaction.
	pace         = 5 * time.Millisecond
	firstBackoff = 2 * time.Second
	maxBackoff   = 15 * time.Minute
	maxErrorText = 1000
	keepFailed   = 30 * 24 * time.Hour
)

type periodic struct {
	name     string
	interval time.Duration
}

// Runner claims and runs jobs. Any number of runners share a database.
type Runner struct {
	store    *store.Store
	clock    clock.Clock
	log      *slog.Logger
	handlers map[string]handler
	periodic []periodic
	slots    map[string]int64 // the last slot written, by name
	limits   limits
	turns    map[turn]queue // where the next claim goes on
	wake     chan struct{}
	busy     sync.WaitGroup
	rng      func(n time.Duration) time.Duration
}

// NewRunner makes a runner; handlers are added before it runs.
func NewRunner(s *store.Store, clk clock.Clock, log *slog.Logger) *Runner {
	r := &Runner{
		store: s, clock: clk, log: log, handlers: map[string]handler{}, slots: map[string]int64{},
		limits: newLimits(), turns: map[turn]queue{}, wake: make(chan struct{}, 1), rng: rand.N[time.Duration],
	}
	r.Every("job.sweep", 24*time.Hour, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.DeleteFailedJobs(ctx, store.Micros(tx.Now().Add(-keepFailed)))
		return err
	})
	return r
}

// Wake makes the runner look for due jobs now.
func (r *Runner) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run works until ctx ends, and lets the jobs under way finish their transaction.
func (r *Runner) Run(ctx context.Context) error {
	defer r.busy.Wait()
	enqueued, cancel := r.store.Watch(topic)
	defer cancel()
	for ctx.Err() == nil {
		_, err := r.start(ctx)
		if err != nil && ctx.Err() == nil {
			r.log.Error("Jobs could not be run; trying again", "error", err)
		}
		r.rest(ctx, enqueued)
	}
	return nil
}

// RunDue runs jobs until none is due, and says how many runs that were.
func (r *Runner) RunDue(ctx context.Context) (total int, err error) {
	for {
		n, err := r.start(ctx)
		r.busy.Wait()
		total += n
		if n == 0 || err != nil {
			return total, err
		}
	}
}

// start claims what is due, as far as workers are free, and sets them to it. A slow job
// keeps its own worker only. A look that finds nothing writes nothing.
func (r *Runner) start(ctx context.Context) (int, error) {
	if err := r.schedule(ctx); err != nil {
		return 0, err
	}
	next, err := r.next(ctx)
	if err != nil || next == 0 || next > store.Micros(r.clock.Now()) {
		return 0, err
	}
	jobs, token, err := r.claim(ctx)
	if err != nil || len(jobs) == 0 {
		return 0, err
	}
	r.work(ctx, jobs, token)
	return len(jobs), nil
}

// rest waits for the next reason to look. The pace is no point in time that anybody
// could observe, so it follows the system's clock even in tests.
func (r *Runner) rest(ctx context.Context, enqueued <-chan struct{}) {
	select {
	case <-ctx.Done():
		return
	case <-clock.System().After(pace):
	}
	select {
	case <-ctx.Done():
	case <-enqueued:
	case <-r.wake:
	case <-r.clock.After(r.pause(ctx)):
	}
}

// pause is until the next job is due, but no longer than the poll that is the safety net.
func (r *Runner) pause(ctx context.Context) time.Duration {
	next, err := r.next(ctx)
	if err != nil || next == 0 {
		return poll // a worker that becomes free wakes the runner
	}
	return min(poll, max(time.Millisecond, store.Time(next).Sub(r.clock.Now())))
}

// schedule writes the periodic jobs of the present slot. Their unique keys make one of
// them of all that the runners write.
func (r *Runner) schedule(ctx context.Context) error {
	now := r.clock.Now()
	due := map[string]int64{}
	for _, p := range r.periodic {
		if slot := now.UnixMicro() / p.interval.Microseconds(); r.slots[p.name] != slot {
			due[p.name] = slot
		}
	}
	if len(due) == 0 {
		return nil
	}
	err := r.store.Write(ctx, func(tx *store.Tx) error {
		// In one order, so that runners that start together do not wait for each other.
		for _, name := range slices.Sorted(maps.Keys(due)) {
			if err := r.enqueueSlot(ctx, tx, name, due[name]); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		maps.Copy(r.slots, due)
	}
	return err
}

// enqueueSlot writes one periodic job, unless its slot was served already: the row of a
// finished job is gone, so the slot is kept as a fact.
func (r *Runner) enqueueSlot(ctx context.Context, tx *store.Tx, name string, n int64) error {
	advanced, err := tx.AdvanceSlot(ctx, db.AdvanceSlotParams{Name: "slot:" + name, Slot: fmt.Sprintf("%020d", n)})
	if err != nil || advanced == 0 {
		return err
	}
	return slot(name).Enqueue(ctx, tx, struct{}{}, Options{UniqueKey: fmt.Sprintf("%s:%d", name, n)})
}

// work gives each job a worker, and keeps their common lease until the last is done.
func (r *Runner) work(ctx context.Context, jobs []db.Job, token string) {
	r.limits.begin(jobs)
	var batch sync.WaitGroup
	for _, j := range jobs {
		batch.Go(func() {
			defer r.Wake()
			defer r.limits.end(j)
			r.runOne(ctx, j)
		})
	}
	r.busy.Go(func() {
		defer r.keepLease(ctx, token)()
		batch.Wait()
	})
}

// keepLease extends the claim while the batch is worked on.
func (r *Runner) keepLease(ctx context.Context, token string) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-r.clock.After(lease / 4):
			}
			err := r.store.Write(ctx, func(tx *store.Tx) error {
				_, err := tx.ExtendLease(ctx, db.ExtendLeaseParams{LeaseBy: token, LeaseUntil: store.Micros(r.clock.Now().Add(lease))})
				return err
			})
			if err != nil && ctx.Err() == nil {
				r.log.Warn("The lease of running jobs could not be extended", "error", err)
			}
		}
	})
	return func() { cancel(); wg.Wait() }
}

// errLost means that the lease ran out and the job is somebody else's by now.
var errLost = errors.New("the job's lease was lost")

// errInterrupted is the cause for giving up a job during which the process died each
// time: it may well be why, as a photo that takes all memory is.
var errInterrupted = errors.New("the process ended in the middle of every attempt")

func (r *Runner) runOne(ctx context.Context, row db.Job) {
	w, err := r.read(row)
	if err == nil {
		err = r.attempt(ctx, row, w)
	}
	switch {
	case err == nil, errors.Is(err, errLost):
		return
	case ctx.Err() != nil:
		r.giveBack(row)
		return
	}
	if err := r.failed(ctx, row, w, err); err != nil && !errors.Is(err, errLost) {
		r.log.Error("A job's failure could not be recorded; its lease will run out", "job", row.ID, "kind", row.Kind, "error", err)
	}
}

// read finds out what is to be done with a job.
func (r *Runner) read(row db.Job) (work, error) {
	h, known := r.handlers[row.Kind]
	if !known {
		return work{}, schemas.NewError(schemas.CodeInternal, "no handler is registered for jobs of kind "+row.Kind)
	}
	w, err := h.read(row)
	if err == nil && row.Deaths > maxDeaths {
		err = errInterrupted
	}
	return w, err
}

// attempt does the work and completes the job, in one transaction.
func (r *Runner) attempt(ctx context.Context, row db.Job, w work) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
			r.log.Error("A job panicked", "job", row.ID, "kind", row.Kind, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	finish, err := w.outside(ctx)
	if err != nil {
		return err
	}
	return r.store.Write(ctx, func(tx *store.Tx) error {
		// First the fence: it locks the row, so that nobody else claims it meanwhile.
		if err := owned(tx.CompleteJob(ctx, db.CompleteJobParams{ID: row.ID, LeaseBy: row.LeaseBy})); err != nil {
			return err
		}
		if finish == nil {
			return nil
		}
		return finish(ctx, tx)
	})
}

// failed plans the next attempt, or gives up.
func (r *Runner) failed(ctx context.Context, row db.Job, w work, cause error) error {
	attempt, text := int(row.Attempts), cause.Error()
	text = strings.ReplaceAll(strings.ToValidUTF8(text[:min(len(text), maxErrorText)], ""), "\x00", "")
	return r.store.Write(ctx, func(tx *store.Tx) error {
		if r.worthAnother(row, cause) {
			at := r.clock.Now().Add(r.backoff(attempt))
			r.log.Warn("A job failed and will be tried again", "job", row.ID, "kind", row.Kind, "attempt", attempt, "at", at, "error", text)
			return owned(tx.RetryJob(ctx, db.RetryJobParams{ID: row.ID, LeaseBy: row.LeaseBy, RunAt: store.Micros(at), LastError: text}))
		}
		r.log.Error("A job failed for good", "job", row.ID, "kind", row.Kind, "attempts", attempt, "error", text)
		if err := owned(tx.FailJob(ctx, db.FailJobParams{ID: row.ID, LeaseBy: row.LeaseBy, LastError: text})); err != nil || w.giveUp == nil {
			return err
		}
		return w.giveUp(ctx, tx, cause)
	})
}

// worthAnother tells whether a job is tried again. One that nobody here knows is left to
// the program that does.
func (r *Runner) worthAnother(row db.Job, cause error) bool {
	if errors.Is(cause, errInterrupted) || errors.Is(cause, errUnreadable) {
		return false
	}
	h, known := r.handlers[row.Kind]
	return !known || int(row.Attempts) < h.maxAttempts
}

// giveBack makes a job ready again when the process stops in the middle of it.
func (r *Runner) giveBack(row db.Job) {
	ctx := context.Background()
	err := r.store.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.ReturnJob(ctx, db.ReturnJobParams{ID: row.ID, LeaseBy: row.LeaseBy})
		return err
	})
	if err != nil {
		r.log.Warn("A job could not be given back; its lease will run out", "job", row.ID, "error", err)
	}
}

// backoff doubles with each attempt, less up to a half at random, so that what failed
// together does not come back together.
func (r *Runner) backoff(attempt int) time.Duration {
	d := maxBackoff
	if attempt < 20 {
		d = min(maxBackoff, firstBackoff<<(attempt-1))
	}
	return d/2 + r.rng(d/2)
}

// owned turns "no row was mine" into errLost.
func owned(rows int64, err error) error {
	if err == nil && rows == 0 {
		return errLost
	}
	return err
}
