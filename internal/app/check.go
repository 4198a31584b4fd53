package app

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"humanops-mcp/internal/change"
	"humanops-mcp/internal/event"
	"humanops-mcp/internal/ledger"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

const (
	markFact     = "check.mark"     // up to where everything was found exact
	progressFact = "check.progress" // of the check that began last
	// tellEvery is how often a check that is under way says how far it is.
	tellEvery = time.Second
)

// mark is up to where everything was found exact. The next check goes on from there. It is
// kept with a signature by the installation's own key, which no backup and no database
// holds: who writes another one has everything looked at.
type mark struct {
	At     time.Time    `json:"at"`
	FullAt time.Time    `json:"full_at"` // when everything was looked at
	Seq    int64        `json:"seq"`     // of the trails' entries
	Anchor db.Anchor    `json:"anchor"`
	Books  ledger.Books `json:"books"`
}

// checking is one check under way.
type checking struct {
	app      *App
	from     mark // the zero mark for everything
	to       mark
	problems []string

	mu       sync.Mutex
	progress schemas.CheckProgress
}

// check looks whether what is kept fits together: the invariants of the ledger, the anchors
// over all trails, and of every subject its trail and its state. Each look names what it
// found, whatever the others did. It looks at what goes on, and at what was written since a
// check found everything exact; at everything when it is asked to, or where no check has.
func (a *App) check(ctx context.Context, in schemas.CheckRequest) (schemas.CheckReport, error) {
	now := a.opts.Clock.Now().UTC()
	c := &checking{app: a, progress: schemas.CheckProgress{StartedAt: now}}
	if !in.Full {
		from, err := a.lastMark(ctx)
		if err != nil {
			return schemas.CheckReport{}, err
		}
		c.from = from
	}
	c.progress.Full = c.from.Seq == 0 && c.from.Books.Totals == nil
	c.to = mark{At: now, FullAt: c.from.FullAt}
	if c.progress.Full {
		c.to.FullAt = now
	}
	return c.run(ctx)
}

func (c *checking) run(ctx context.Context) (schemas.CheckReport, error) {
	telling, stop := context.WithCancel(ctx)
	var teller sync.WaitGroup
	teller.Go(func() { c.tellOn(telling) })
	err := c.lookAtAll(ctx)
	stop()
	teller.Wait()
	return c.finish(context.WithoutCancel(ctx), err)
}

func (c *checking) lookAtAll(ctx context.Context) error {
	looks := []struct {
		stage schemas.CheckStage
		at    func(context.Context) error
	}{{schemas.CheckingTrails, c.begin}, {schemas.CheckingLedger, c.ledger}, {schemas.CheckingAnchors, c.anchors}, {schemas.CheckingTrails, c.subjects}}
	for _, look := range looks {
		c.change(func(p *schemas.CheckProgress) { p.Stage = look.stage })
		if err := look.at(ctx); err != nil {
			return err
		}
	}
	return nil
}

// begin takes the place up to which trails are looked at.
func (c *checking) begin(ctx context.Context) error {
	err := c.app.store.Read(ctx, func(tx *store.Tx) (err error) {
		c.to.Seq, err = event.End(ctx, tx)
		return err
	})
	if c.to.Seq < c.from.Seq {
		c.problems = append(c.problems, "entries of trails that were checked at "+c.from.At.Format(time.DateTime)+" UTC are gone")
	}
	c.change(func(p *schemas.CheckProgress) { p.EntriesTotal = c.to.Seq })
	return err
}

// ledger adds up the books. What does not fit to the last ones is looked at once more
// without them, so that nothing is said that is not so.
func (c *checking) ledger(ctx context.Context) (err error) {
	seen := func(n int) { c.change(func(p *schemas.CheckProgress) { p.Transactions += int64(n) }) }
	c.to.Books, err = ledger.CheckBooks(ctx, c.app.store, c.from.Books, seen)
	if c.from.Books.Totals != nil && schemas.ErrorCode(err) == schemas.CodeConflict {
		c.to.Books, err = ledger.CheckBooks(ctx, c.app.store, ledger.Books{}, seen)
	}
	return c.found(err)
}

func (c *checking) anchors(ctx context.Context) (err error) {
	c.to.Anchor, err = event.CheckAnchors(ctx, c.app.store, c.from.Anchor, func(n int64) {
		c.change(func(p *schemas.CheckProgress) { p.Anchored += n })
	})
	return c.found(err)
}

func (c *checking) subjects(ctx context.Context) error {
	problems, err := c.app.changes.Check(ctx, change.Look{Since: c.from.Seq, Seen: func(subjects, entries int64) {
		c.change(func(p *schemas.CheckProgress) { p.Subjects, p.Entries = p.Subjects+subjects, p.Entries+entries })
	}})
	c.problems = append(c.problems, problems...)
	return err
}

// found keeps what a look found. Other errors are that it could not look.
func (c *checking) found(err error) error {
	if schemas.ErrorCode(err) != schemas.CodeConflict {
		return err
	}
	c.problems = append(c.problems, err.Error())
	return nil
}

func (c *checking) change(edit func(*schemas.CheckProgress)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	edit(&c.progress)
	c.progress.Problems = len(c.problems)
	c.progress.UpdatedAt = c.app.opts.Clock.Now().UTC()
}

// tellOn keeps how far it is where others can read it.
func (c *checking) tellOn(ctx context.Context) {
	for {
		if err := c.tell(ctx); err != nil && ctx.Err() == nil {
			c.app.opts.Logger.WarnContext(ctx, "how far the check is could not be kept", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-c.app.opts.Clock.After(tellEvery):
		}
	}
}

func (c *checking) tell(ctx context.Context) error {
	c.mu.Lock()
	now := store.JSON(c.progress)
	c.mu.Unlock()
	return c.app.store.Write(ctx, func(tx *store.Tx) error {
		return tx.PutFact(ctx, db.PutFactParams{Name: progressFact, Value: now})
	})
}

// finish keeps how it ended and, where all is exact, the mark.
func (c *checking) finish(ctx context.Context, failed error) (schemas.CheckReport, error) {
	exact := failed == nil && len(c.problems) == 0
	c.change(func(p *schemas.CheckProgress) { p.EndedAt, p.Exact = p.UpdatedAt, exact })
	err := c.tell(ctx)
	if exact && err == nil {
		err = c.app.keepMark(ctx, c.to)
	}
	if failed != nil {
		err = failed
	}
	p := c.progress
	return schemas.CheckReport{
		Exact: exact, Problem: strings.Join(c.problems, "; "), Full: p.Full, Since: c.from.At, FullAt: c.to.FullAt,
		Transactions: p.Transactions, Subjects: p.Subjects, Entries: p.Entries,
	}, err
}

// lastMark is the mark of the last check that found everything exact; the zero mark where
// there is none, or another than that check left.
func (a *App) lastMark(ctx context.Context) (m mark, err error) {
	var kept string
	err = a.store.Read(ctx, func(tx *store.Tx) (err error) {
		kept, err = tx.GetFact(ctx, markFact)
		return err
	})
	if store.NotFound(err) {
		return mark{}, nil
	}
	signature, text, _ := strings.Cut(kept, " ")
	if err != nil || !hmac.Equal([]byte(signature), []byte(a.sign(text))) || json.Unmarshal([]byte(text), &m) != nil {
		return mark{}, err
	}
	return m, nil
}

func (a *App) keepMark(ctx context.Context, m mark) error {
	text := store.JSON(m)
	return a.store.Write(ctx, func(tx *store.Tx) error {
		return tx.PutFact(ctx, db.PutFactParams{Name: markFact, Value: a.sign(text) + " " + text})
	})
}

func (a *App) sign(text string) string {
	sum := hmac.New(sha256.New, a.checkKey)
	sum.Write([]byte(text))
	return hex.EncodeToString(sum.Sum(nil))
}

// checkProgress is how far the check is that began last, in whichever process.
func (a *App) checkProgress(ctx context.Context, _ schemas.Empty) (p schemas.CheckProgress, err error) {
	var kept string
	err = a.store.Read(ctx, func(tx *store.Tx) (err error) {
		kept, err = tx.GetFact(ctx, progressFact)
		return err
	})
	if store.NotFound(err) {
		return p, nil
	}
	store.ReadJSON(kept, &p)
	return p, err
}
