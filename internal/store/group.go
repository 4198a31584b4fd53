package store

import (
	"context"
	"errors"
	"sync"
)

// maxBatch bounds how many units share a commit, and so how long the first one waits.
const maxBatch = 256

// errAborted is the fate of a unit that ended its goroutine instead of returning.
var errAborted = errors.New("the unit of work did not return")

// batcher is the transaction that units share.
type batcher interface {
	begin() error
	savepoint() error // before each unit but the first
	keep() error      // after such a unit
	undo() error      // after such a unit failed
	rollback()
	commit() error
}

// group folds waiting units of work into one transaction, because one commit costs more
// than many statements. There is no goroutine of its own: units run in their callers',
// which pass the turn on. Who finds nobody waiting commits for all who went before.
type group struct {
	tx batcher

	mu     sync.Mutex
	idle   sync.Cond
	queue  []*unit
	busy   bool // somebody has the turn
	closed bool

	batch []*unit // kept in the open transaction; owned by who has the turn
	open  bool
}

type unit struct {
	turn    chan struct{}
	done    chan error // the commit's outcome, for a unit that passed the turn on
	started bool       // it may have changed something in the transaction
}

func newGroup(tx batcher) *group {
	g := &group{tx: tx}
	g.idle.L = &g.mu
	return g
}

// do runs work in a transaction and returns once it is committed. work that is still
// waiting when ctx ends is not run.
func (g *group) do(ctx context.Context, work func() error) error {
	u := &unit{turn: make(chan struct{}, 1), done: make(chan error, 1)}
	if err := g.await(ctx, u); err != nil {
		return err
	}
	passed, err := g.run(ctx, u, work)
	if err != nil || !passed {
		return err
	}
	return <-u.done
}

// await returns when it is u's turn.
func (g *group) await(ctx context.Context, u *unit) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return ErrClosed
	}
	if !g.busy {
		g.busy = true
		g.mu.Unlock()
		return nil
	}
	g.queue = append(g.queue, u)
	g.mu.Unlock()
	select {
	case <-u.turn:
		return nil
	case <-ctx.Done():
	}
	if g.leave(u) {
		return ctx.Err()
	}
	<-u.turn // it came at the same moment: it must be taken, to be passed on
	return nil
}

// leave takes u out of the queue; false when its turn is coming already.
func (g *group) leave(u *unit) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, waiting := range g.queue {
		if waiting == u {
			g.queue = append(g.queue[:i], g.queue[i+1:]...)
			return true
		}
	}
	return false
}

// run does the work, settles it in the transaction, and gives the turn away, whatever
// happens in the work: it may panic, or end its goroutine as a failing test does.
func (g *group) run(ctx context.Context, u *unit, work func() error) (passed bool, err error) {
	err = errAborted
	defer func() {
		err = g.settle(u, err)
		var commitErr error
		passed, commitErr = g.next()
		if err == nil {
			err = commitErr
		}
	}()
	if err = ctx.Err(); err != nil {
		return
	}
	if err = g.prepare(); err != nil {
		return
	}
	u.started = true
	err = errAborted
	err = work()
	return
}

// prepare opens the transaction, or sets a savepoint in it. The first unit needs none:
// to undo it is to roll back.
func (g *group) prepare() error {
	if g.open {
		return g.tx.savepoint()
	}
	if err := g.tx.begin(); err != nil {
		return err
	}
	g.open = true
	return nil
}

// settle keeps what a unit did, or undoes it. Where even that fails the transaction is
// lost, and with it the units before.
func (g *group) settle(u *unit, err error) error {
	if !u.started {
		return err
	}
	if first := len(g.batch) == 0; first && err != nil {
		g.fail(err)
		return err
	} else if !first {
		end := g.tx.keep
		if err != nil {
			end = g.tx.undo
		}
		if endErr := end(); endErr != nil {
			g.fail(endErr)
			return errors.Join(err, endErr)
		}
	}
	if err == nil {
		g.batch = append(g.batch, u)
	}
	return err
}

// fail rolls everything back and tells the units of the batch.
func (g *group) fail(err error) {
	g.tx.rollback()
	g.open = false
	g.tell(err)
}

func (g *group) tell(err error) {
	for _, u := range g.batch {
		u.done <- err
	}
	g.batch = g.batch[:0]
}

// next passes the turn to a waiting unit, which then answers for the commit; with nobody
// waiting it commits, and then looks again for who came during the commit.
func (g *group) next() (passed bool, err error) {
	if len(g.batch) < maxBatch && g.pass(false) {
		return true, nil
	}
	if g.open {
		err = g.tx.commit()
		g.open = false
		g.tell(err) // the committing unit too, which returns err and need not look
	}
	g.pass(true)
	return false, err
}

// pass gives the turn to the unit that waits longest. When none waits it returns false,
// and gives the turn up if asked to.
func (g *group) pass(release bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.queue) == 0 {
		if release {
			g.busy = false
			g.idle.Broadcast()
		}
		return false
	}
	u := g.queue[0]
	g.queue = g.queue[1:]
	u.turn <- struct{}{}
	return true
}

// close refuses new units and waits for those under way.
func (g *group) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for g.busy {
		g.idle.Wait()
	}
}
