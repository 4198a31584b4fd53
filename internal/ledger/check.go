package ledger

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

const (
	checkSlice = 500 // transactions or accounts that are looked at in one read
	// settling is how old a transaction is at the latest when others can read it: what is
	// younger is added up in the read that compares it with the balances.
	settling = time.Minute
)

// Books are the ledger added up to a moment: what each account had then. Accounts that had
// nothing are left out, so that books are as long as what goes on.
type Books struct {
	Until  int64            `json:"until"`
	Totals map[string]int64 `json:"totals"`
}

// CheckBooks proves the invariants of the ledger for what was written since the books from:
// each transaction sums to zero within one asset; each balance is the sum of its entries and
// none but an issuer's is below zero; no money is held for what is over or was never there;
// and a deposit says how much is held of it. From no books it proves them for all rows. A
// conflict names the first that is broken. It reads a slice at a time, so that it holds
// nobody up, and tells seen of how many transactions each was. The answer is the books to go
// on from the next time. What a task has to hold is CheckEscrow's to look at.
func CheckBooks(ctx context.Context, s *store.Store, from Books, seen func(transactions int)) (Books, error) {
	return newAudit(from, seen).run(ctx, func(unit func(tx *store.Tx) error) error { return s.Read(ctx, unit) })
}

// Check is CheckBooks over all rows, as they are in one transaction.
func Check(ctx context.Context, tx *store.Tx) error {
	_, err := newAudit(Books{}, func(int) {}).run(ctx, func(unit func(tx *store.Tx) error) error { return unit(tx) })
	return err
}

// place is where in the order of transactions an audit stands.
type place struct {
	at int64
	id string
}

// audit is a check under way.
type audit struct {
	whole   bool
	books   Books
	next    place
	touched map[string]bool // accounts that had entries since the books from; nil where all are looked at
	seen    func(transactions int)

	deposits []string // that were compared
}

func newAudit(from Books, seen func(int)) *audit {
	a := &audit{whole: from.Totals == nil, books: Books{from.Until, map[string]int64{}}, next: place{at: from.Until + 1}, seen: seen}
	maps.Copy(a.books.Totals, from.Totals)
	if from.Totals == nil {
		a.next = place{at: math.MinInt64}
	} else {
		a.touched = map[string]bool{}
	}
	return a
}

func (a *audit) run(ctx context.Context, read func(unit func(tx *store.Tx) error) error) (Books, error) {
	for more := true; more; {
		err := read(func(tx *store.Tx) (err error) {
			more, err = a.settle(ctx, tx)
			return err
		})
		if err != nil {
			return Books{}, err
		}
	}
	if err := read(func(tx *store.Tx) error { return a.touchRecent(ctx, tx) }); err != nil {
		return Books{}, err
	}
	if err := a.compareAll(ctx, read); err != nil {
		return Books{}, err
	}
	return a.books, a.compareHolds(ctx, read)
}

// settle adds up the next slice of what can change no more.
func (a *audit) settle(ctx context.Context, tx *store.Tx) (more bool, err error) {
	until := max(store.Micros(tx.Now().Add(-settling)), a.books.Until)
	n, err := a.add(ctx, tx, &a.next, until, a.books.Totals)
	if err == nil && n < checkSlice {
		a.books.Until = until
		a.next = place{at: until + 1}
	}
	return n == checkSlice, err
}

// touchRecent notes which accounts the transactions move that were not settled yet.
func (a *audit) touchRecent(ctx context.Context, tx *store.Tx) error {
	_, err := a.recent(ctx, tx)
	return err
}

// recent is what the transactions that were not settled yet add to each account.
func (a *audit) recent(ctx context.Context, tx *store.Tx) (map[string]int64, error) {
	sums, from := map[string]int64{}, a.next
	for {
		n, err := a.add(ctx, tx, &from, math.MaxInt64, sums)
		if err != nil || n < checkSlice {
			return sums, err
		}
	}
}

// add proves a slice of transactions and adds it to totals; n is how many there were.
func (a *audit) add(ctx context.Context, tx *store.Tx, from *place, until int64, totals map[string]int64) (n int, err error) {
	rows, err := tx.LedgerAfter(ctx, db.LedgerAfterParams{After: from.at, AfterID: from.id, Until: until, RowLimit: checkSlice})
	for len(rows) > 0 && err == nil {
		end := slices.IndexFunc(rows, func(r db.LedgerAfterRow) bool { return r.ID != rows[0].ID })
		if end < 0 {
			end = len(rows)
		}
		err = proveTransaction(rows[:end])
		a.count(rows[:end], totals)
		*from = place{rows[0].CreatedAt, rows[0].ID}
		rows = rows[end:]
		n++
	}
	a.seen(n)
	return n, err
}

func (a *audit) count(entries []db.LedgerAfterRow, totals map[string]int64) {
	for _, e := range entries {
		if a.touched != nil {
			a.touched[e.AccountID] = true
		}
		if totals[e.AccountID] += e.Amount; totals[e.AccountID] == 0 {
			delete(totals, e.AccountID)
		}
	}
}

// proveTransaction looks at the entries of one transaction.
func proveTransaction(entries []db.LedgerAfterRow) error {
	id := entries[0].ID
	if entries[0].AccountID == "" {
		return broken("transaction %s has no entries", id)
	}
	sum := int64(0)
	for _, e := range entries {
		sum += e.Amount
	}
	if sum != 0 {
		return broken("the %d entries of transaction %s sum to %s, not to zero", len(entries), id, dollars(sum))
	}
	for _, e := range entries {
		if e.AccountAsset != e.Asset {
			return broken("transaction %s crosses assets with its entry in account %s", id, e.AccountID)
		}
	}
	return nil
}

// compareAll compares the balances with the books: all of them, or those that have
// something and those that were moved.
func (a *audit) compareAll(ctx context.Context, read func(unit func(tx *store.Tx) error) error) error {
	if a.whole {
		for after, more := "", true; more; {
			err := read(func(tx *store.Tx) error {
				rows, err := tx.AccountsAfter(ctx, db.AccountsAfterParams{After: after, RowLimit: checkSlice})
				if more = len(rows) == checkSlice; err == nil && len(rows) > 0 {
					after = rows[len(rows)-1].ID
					err = a.compare(ctx, tx, rows)
				}
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
	for id := range a.books.Totals {
		a.touched[id] = true
	}
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(a.touched)), checkSlice) {
		err := read(func(tx *store.Tx) error {
			rows, err := tx.AccountsByIDs(ctx, store.JSON(ids))
			if err != nil {
				return err
			}
			whole := make([]db.AccountsAfterRow, len(rows))
			for i, row := range rows {
				whole[i] = db.AccountsAfterRow(row)
			}
			return a.compare(ctx, tx, whole)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// compare proves accounts as they are in this read. What has settled meanwhile goes into
// the books first, so that little is left that every read adds up again.
func (a *audit) compare(ctx context.Context, tx *store.Tx, accounts []db.AccountsAfterRow) error {
	for more := true; more; {
		var err error
		if more, err = a.settle(ctx, tx); err != nil {
			return err
		}
	}
	recent, err := a.recent(ctx, tx)
	for i := 0; i < len(accounts) && err == nil; i++ {
		if accounts[i].Kind == "deposit" {
			a.deposits = append(a.deposits, accounts[i].ID)
		}
		err = proveAccount(accounts[i], a.books.Totals[accounts[i].ID]+recent[accounts[i].ID])
	}
	return err
}

// compareHolds compares what deposits say of what is held with the escrow of what goes on.
func (a *audit) compareHolds(ctx context.Context, read func(unit func(tx *store.Tx) error) error) error {
	for ids := range slices.Chunk(a.deposits, checkSlice) {
		err := read(func(tx *store.Tx) error {
			rows, err := tx.HoldsOf(ctx, store.JSON(ids))
			for i := 0; i < len(rows) && err == nil; i++ {
				if r := rows[i]; r.Held != r.Total {
					err = broken("account %s says that %s of it is held, but its tasks hold %s", r.ID, dollars(r.Held), dollars(r.Total))
				}
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func proveAccount(a db.AccountsAfterRow, total int64) error {
	switch {
	case a.Balance != total:
		return broken("account %s is at %s, but its entries sum to %s", a.ID, dollars(a.Balance), dollars(total))
	case a.Kind != "issuer" && a.Balance < 0:
		return broken("account %s is at %s, below zero", a.ID, dollars(a.Balance))
	case a.Kind == "escrow" && a.Balance != 0 && a.Over:
		return broken("account %s holds %s for no task", a.ID, dollars(a.Balance))
	}
	return nil
}

// CheckEscrow looks whether a task holds what it has to: its reward while it goes on, and
// nothing afterwards. state is for the sentence.
func CheckEscrow(ctx context.Context, tx *store.Tx, taskID, asset, state string, reward int64, finished bool) error {
	held, err := tx.EscrowOf(ctx, db.EscrowOfParams{OwnerID: taskID, Asset: asset})
	if err != nil || finished && held == 0 || !finished && held == reward {
		return err
	}
	return broken("task %s is %s with a reward of %s and holds %s in escrow", taskID, state, dollars(reward), dollars(held))
}

func broken(format string, args ...any) error {
	return schemas.NewError(schemas.CodeConflict, "ledger: "+fmt.Sprintf(format, args...))
}

func dollars(micros int64) string { return schemas.Money(micros).Dollars() }
