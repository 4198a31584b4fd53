package event

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
)

const (
	leaseName = "event.sequencer"
	lease     = 10 * time.Second
	poll      = time.Second
	batch     = 500
	// pace is the least time between two passes, so that events recorded one by one
	// share a transaction.
	pace = 5 * time.Millisecond
)

// Feed numbers events and wakes those who wait for them. Of all feeds on a database the
// one that holds the lease numbers; every feed reads the numbers and wakes its own.
type Feed struct {
	store *store.Store
	clock clock.Clock
	log   *slog.Logger
	me    string

	pass sync.Mutex // one pass at a time; guards seen
	seen int64      // the last number whose subscribers were woken; -1 before the first look

	mu          sync.Mutex
	subscribers map[string]map[chan struct{}]bool // by subject; "" for all
}

// NewFeed makes a feed. It wakes its subscribers while Run runs.
func NewFeed(s *store.Store, clk clock.Clock, log *slog.Logger) *Feed {
	return &Feed{store: s, clock: clk, log: log, me: ident.New("feed_"), seen: -1, subscribers: map[string]map[chan struct{}]bool{}}
}

// Subscribe delivers a wake-up after something happened to one of the subjects, or to
// any when none is named. Wake-ups coalesce: look at the subjects after each, and once
// after subscribing.
func (f *Feed) Subscribe(subjectIDs ...string) (changed <-chan struct{}, cancel func()) {
	if len(subjectIDs) == 0 {
		subjectIDs = []string{""}
	}
	ch := make(chan struct{}, 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range subjectIDs {
		if f.subscribers[id] == nil {
			f.subscribers[id] = map[chan struct{}]bool{}
		}
		f.subscribers[id][ch] = true
	}
	return ch, func() { f.unsubscribe(ch, subjectIDs) }
}

func (f *Feed) unsubscribe(ch chan struct{}, subjectIDs []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range subjectIDs {
		delete(f.subscribers[id], ch)
		if len(f.subscribers[id]) == 0 {
			delete(f.subscribers, id)
		}
	}
}

// Run sequences and wakes until ctx ends.
func (f *Feed) Run(ctx context.Context) error {
	fresh, cancelFresh := f.store.Watch(recorded)
	defer cancelFresh()
	readable, cancelReadable := f.store.Watch(numbered)
	defer cancelReadable()
	for ctx.Err() == nil {
		if err := f.Sequence(ctx); err != nil && ctx.Err() == nil {
			f.log.Error("Events could not be numbered; trying again", "error", err)
		}
		f.rest(ctx, fresh, readable)
	}
	return nil
}

// rest waits for the next reason for a pass. The pace is no point in time that anybody
// could observe, so it follows the system's clock even in tests.
func (f *Feed) rest(ctx context.Context, fresh, readable <-chan struct{}) {
	select {
	case <-ctx.Done():
		return
	case <-clock.System().After(pace):
	}
	select {
	case <-ctx.Done():
	case <-fresh:
	case <-readable:
	case <-f.clock.After(poll):
	}
}

// Sequence is one pass: it numbers what is committed, when this feed has the lease, and
// wakes the subscribers of whatever was numbered since the last pass, by any feed.
func (f *Feed) Sequence(ctx context.Context) error {
	f.pass.Lock()
	defer f.pass.Unlock()
	if f.seen < 0 {
		if err := f.start(ctx); err != nil {
			return err
		}
	}
	if err := f.number(ctx); err != nil {
		return err
	}
	return f.wakeNew(ctx)
}

// start looks where the numbers stand, and wakes everybody once, because what they wait
// for may be before that.
func (f *Feed) start(ctx context.Context) error {
	err := f.store.Read(ctx, func(tx *store.Tx) (err error) {
		f.seen, err = tx.LastSeq(ctx)
		return err
	})
	if err != nil {
		f.seen = -1
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, channels := range f.subscribers {
		wakeAll(channels)
	}
	return nil
}

// number gives every committed event its place. Without any it writes nothing.
func (f *Feed) number(ctx context.Context) error {
	for {
		var waiting bool
		err := f.store.Read(ctx, func(tx *store.Tx) (err error) {
			waiting, err = tx.HasUnnumbered(ctx)
			return err
		})
		if err != nil || !waiting {
			return err
		}
		var count int64
		err = f.store.Write(ctx, func(tx *store.Tx) (err error) {
			count, err = f.numberBatch(ctx, tx)
			return err
		})
		if err != nil || count == 0 {
			return err
		}
	}
}

// numberBatch holds the lease's row for the whole transaction, so that numbers are given
// by one transaction after the other and never appear out of order.
func (f *Feed) numberBatch(ctx context.Context, tx *store.Tx) (int64, error) {
	now := f.clock.Now()
	mine, err := tx.TakeLease(ctx, db.TakeLeaseParams{
		Name: leaseName, Holder: f.me, ExpiresAt: store.Micros(now.Add(lease)), Now: store.Micros(now),
	})
	if err != nil || mine == 0 {
		return 0, err
	}
	last, err := tx.LastSeq(ctx)
	if err != nil {
		return 0, err
	}
	count, err := tx.NumberTrail(ctx, db.NumberTrailParams{Base: last, Count: batch})
	if err != nil || count == 0 {
		return 0, err
	}
	return count, tx.Signal(ctx, numbered)
}

// wakeNew wakes the subscribers of the events that became readable.
func (f *Feed) wakeNew(ctx context.Context) error {
	for {
		var fresh []db.FreshAfterRow
		err := f.store.Read(ctx, func(tx *store.Tx) (err error) {
			fresh, err = tx.FreshAfter(ctx, db.FreshAfterParams{After: f.seen, Count: batch})
			return err
		})
		if err != nil || len(fresh) == 0 {
			return err
		}
		f.wake(fresh)
		f.seen = fresh[len(fresh)-1].Seq.Int64
	}
}

func (f *Feed) wake(fresh []db.FreshAfterRow) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range fresh {
		for _, id := range []string{e.SubjectID, ""} {
			wakeAll(f.subscribers[id])
		}
	}
}

func wakeAll(channels map[chan struct{}]bool) {
	for ch := range channels {
		select {
		case ch <- struct{}{}:
		default: // a wake-up is waiting already
		}
	}
}
