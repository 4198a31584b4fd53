// Package ledger keeps the money: double entry, rows only inserted.
//
// Every movement takes an amount from one account and gives it to another of the same
// asset, so that a transaction's entries sum to zero. An account's balance is kept equal
// to the sum of its entries, and only the issuer's may be below zero. A task's reward
// waits in an escrow account of the task's own: held once, then released or refunded
// once. How much that is of all of an agent's tasks stands beside its deposit.
//
// After an error the caller must roll its transaction back, as returning the error from
// store.Write does.
package ledger

import (
	"context"
	"errors"
	"fmt"

	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// The assets. No movement crosses them.
const (
	House = "house" // credit that the house gives its agents; live tasks
	USDC  = "usdc"
	Test  = "test" // play money of test mode, issued as it is needed
)

// TestFloat is what test mode leaves on a deposit that it had to top up.
const TestFloat = 1000 * schemas.USD

const house = "house" // owner of the issuer accounts

// Asset is what tasks of a mode are paid in.
func Asset(mode string) string {
	if mode == "live" {
		return House
	}
	return Test
}

// account names one account. Its id begins with the kind, and ids are locked in order:
// deposit, earnings, escrow, issuer. So the payer of a hold is checked before anything
// else is written, and two movements never wait for each other in a ring.
type account struct{ kind, asset, owner string }

func (a account) id() string { return a.kind + ":" + a.asset + ":" + a.owner }

func deposit(owner, asset string) account  { return account{"deposit", asset, owner} }
func earnings(owner, asset string) account { return account{"earnings", asset, owner} }
func escrow(task, asset string) account    { return account{"escrow", asset, task} }
func issuer(asset string) account          { return account{"issuer", asset, house} }

// Issue gives owner's deposit new money. Nothing happens for zero.
func Issue(ctx context.Context, tx *store.Tx, ownerID, asset string, amount schemas.Money) error {
	if amount < 0 {
		return fmt.Errorf("ledger: cannot issue %s", amount.Dollars())
	}
	to := deposit(ownerID, asset)
	return move(ctx, tx, movement{kind: "issue", subject: to.id(), from: issuer(asset), to: to, amount: amount})
}

// Reward names what a task pays: whose task it is, and in which asset.
type Reward struct{ TaskID, AgentID, Asset string }

func (r Reward) deposit() account { return deposit(r.AgentID, r.Asset) }
func (r Reward) escrow() account  { return escrow(r.TaskID, r.Asset) }

// Hold takes a task's reward from its agent's deposit into escrow. Nothing happens for
// zero. In test mode a deposit that is too small is topped up first.
func Hold(ctx context.Context, tx *store.Tx, r Reward, amount schemas.Money) error {
	if amount < 0 {
		return fmt.Errorf("ledger: cannot hold %s", amount.Dollars())
	}
	m := movement{kind: "hold", subject: r.TaskID, from: r.deposit(), to: r.escrow(), amount: amount}
	err := move(ctx, tx, m)
	if !errors.Is(err, errShort) {
		return err
	}
	if r.Asset != Test {
		return insufficient(ctx, tx, m)
	}
	if err := Issue(ctx, tx, r.AgentID, r.Asset, amount+TestFloat); err != nil {
		return err
	}
	return move(ctx, tx, m)
}

func insufficient(ctx context.Context, tx *store.Tx, m movement) error {
	available, err := balance(ctx, tx, m.from)
	if err != nil {
		return err
	}
	next := fmt.Sprintf("Lower reward_usd to at most %s, cancel a task that nobody has begun, or ask the owner for more credit.", available.Dollars())
	if available == 0 {
		next = "Cancel a task that nobody has begun, or ask the owner for more credit."
	}
	return schemas.NewError(schemas.CodePaymentRequired, fmt.Sprintf(
		"Insufficient balance: this task needs %s in escrow and %s is available. %s", m.amount.Dollars(), available.Dollars(), next))
}

// Release pays what a task holds to the operator who did it, and says how much that was.
func Release(ctx context.Context, tx *store.Tx, r Reward, operatorID string) (schemas.Money, error) {
	if operatorID == "" {
		return 0, fmt.Errorf("ledger: task %s cannot be paid: nobody did it", r.TaskID)
	}
	return settle(ctx, tx, "release", r, earnings(operatorID, r.Asset))
}

// Refund gives what a task holds back to its agent, and says how much that was.
func Refund(ctx context.Context, tx *store.Tx, r Reward) (schemas.Money, error) {
	return settle(ctx, tx, "refund", r, r.deposit())
}

// settle empties a task's escrow. A task without an escrow account has no reward.
func settle(ctx context.Context, tx *store.Tx, kind string, r Reward, to account) (schemas.Money, error) {
	escrow, err := tx.AccountBalance(ctx, r.escrow().id())
	if store.NotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if escrow.Balance == 0 {
		return 0, settled()
	}
	m := movement{kind: kind, subject: r.TaskID, from: r.escrow(), to: to, amount: schemas.Money(escrow.Balance)}
	if to != r.deposit() { // the deposit's account comes first, as its id does
		if err := tx.FreeHeld(ctx, db.FreeHeldParams{ID: r.deposit().id(), Amount: escrow.Balance}); err != nil {
			return 0, err
		}
	}
	if err := move(ctx, tx, m); errors.Is(err, errShort) {
		return 0, settled()
	} else if err != nil {
		return 0, err
	}
	return m.amount, nil
}

func settled() error {
	return schemas.NewError(schemas.CodeConflict, "The reward of this task was already paid or refunded. Get the task to see which.")
}

// movement takes amount from one account and gives it to another.
type movement struct {
	kind, subject string
	from, to      account
	amount        schemas.Money
}

// errShort says that the account to take from does not hold enough. It never leaves the
// package.
var errShort = errors.New("ledger: not enough in the account")

// move is four statements: two accounts in the order of their ids, the transaction and
// its entries.
func move(ctx context.Context, tx *store.Tx, m movement) error {
	if m.amount == 0 {
		return nil
	}
	steps := []func() error{
		func() error { return take(ctx, tx, m.from, m.amount, m.holds()) },
		func() error { return give(ctx, tx, m.to, m.amount, m.frees()) },
	}
	if m.from.id() > m.to.id() {
		steps[0], steps[1] = steps[1], steps[0]
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return record(ctx, tx, m)
}

// holds is what a deposit keeps in escrow after it, and frees what it does no more.
func (m movement) holds() schemas.Money {
	if m.kind == "hold" {
		return m.amount
	}
	return 0
}

func (m movement) frees() schemas.Money {
	if m.kind == "refund" {
		return m.amount
	}
	return 0
}

func take(ctx context.Context, tx *store.Tx, a account, amount, held schemas.Money) error {
	if a.kind == "issuer" {
		return give(ctx, tx, a, -amount, 0)
	}
	n, err := tx.DebitAccount(ctx, db.DebitAccountParams{ID: a.id(), Amount: int64(amount), Held: int64(held)})
	if err == nil && n == 0 {
		return errShort
	}
	return err
}

func give(ctx context.Context, tx *store.Tx, a account, amount, freed schemas.Money) error {
	return tx.CreditAccount(ctx, db.CreditAccountParams{
		ID: a.id(), OwnerID: a.owner, Kind: a.kind, Asset: a.asset,
		Amount: int64(amount), Freed: int64(freed), CreatedAt: store.Micros(tx.Now()),
	})
}

func record(ctx context.Context, tx *store.Tx, m movement) error {
	id := ident.New("lt_")
	n, err := tx.InsertLedgerTransaction(ctx, db.InsertLedgerTransactionParams{
		ID: id, Kind: m.kind, SubjectID: m.subject, Asset: m.from.asset, CreatedAt: store.Micros(tx.Now()),
	})
	switch {
	case err != nil:
		return err
	case n == 0 && m.kind == "hold":
		return schemas.NewError(schemas.CodeConflict, "The reward of this task is already in escrow.")
	case n == 0:
		return settled()
	}
	return tx.InsertLedgerEntries(ctx, db.InsertLedgerEntriesParams{
		TransactionID: id,
		FromAccount:   m.from.id(), Taken: -int64(m.amount),
		ToAccount: m.to.id(), Given: int64(m.amount),
	})
}

// Balance is what an agent can spend and what its open tasks hold.
func Balance(ctx context.Context, tx *store.Tx, agentID, asset string) (available, held schemas.Money, err error) {
	a, err := tx.AccountBalance(ctx, deposit(agentID, asset).id())
	if store.NotFound(err) {
		return 0, 0, nil
	}
	return schemas.Money(a.Balance), schemas.Money(a.Held), err
}

// Earnings is what a person has earned with live tasks.
func Earnings(ctx context.Context, tx *store.Tx, personID string) (schemas.Money, error) {
	sum, err := tx.PersonEarnings(ctx, personID)
	return schemas.Money(sum), err
}

func balance(ctx context.Context, tx *store.Tx, a account) (schemas.Money, error) {
	row, err := tx.AccountBalance(ctx, a.id())
	if store.NotFound(err) {
		return 0, nil
	}
	return schemas.Money(row.Balance), err
}
