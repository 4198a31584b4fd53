// Package ledger keeps the money: double entry, rows only inserted.
//
// Every movement takes an amount from one account and gives it to another of the same
// asset, so that a transaction's entries sum to zero. An account's balance is kept equal
// to the sum of its entries, and only the issuer's may be below zero. A task's reward
// waits in an escrow account of the task's own: held once, then released or refunded
// once.
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

// Hold takes a task's reward from its agent's deposit into escrow. Nothing happens for
// zero. In test mode a deposit that is too small is topped up first.
func Hold(ctx context.Context, tx *store.Tx, agentID, taskID, asset string, amount schemas.Money) error {
	if amount < 0 {
		return fmt.Errorf("ledger: cannot hold %s", amount.Dollars())
	}
	m := movement{kind: "hold", subject: taskID, from: deposit(agentID, asset), to: escrow(taskID, asset), amount: amount}
	err := move(ctx, tx, m)
	if !errors.Is(err, errShort) {
		return err
	}
	if asset != Test {
		return insufficient(ctx, tx, m)
	}
	if err := Issue(ctx, tx, agentID, asset, amount+TestFloat); err != nil {
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
func Release(ctx context.Context, tx *store.Tx, taskID, asset, operatorID string) (schemas.Money, error) {
	if operatorID == "" {
		return 0, fmt.Errorf("ledger: task %s cannot be paid: nobody did it", taskID)
	}
	return settle(ctx, tx, "release", taskID, asset, earnings(operatorID, asset))
}

// Refund gives what a task holds back to its agent, and says how much that was.
func Refund(ctx context.Context, tx *store.Tx, taskID, asset, agentID string) (schemas.Money, error) {
	return settle(ctx, tx, "refund", taskID, asset, deposit(agentID, asset))
}

// settle empties a task's escrow. A task without an escrow account has no reward.
func settle(ctx context.Context, tx *store.Tx, kind, taskID, asset string, to account) (schemas.Money, error) {
	from := escrow(taskID, asset)
	held, err := tx.AccountBalance(ctx, from.id())
	if store.NotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if held == 0 {
		return 0, settled()
	}
	m := movement{kind: kind, subject: taskID, from: from, to: to, amount: schemas.Money(held)}
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
		func() error { return take(ctx, tx, m.from, m.amount) },
		func() error { return give(ctx, tx, m.to, m.amount) },
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

func take(ctx context.Context, tx *store.Tx, a account, amount schemas.Money) error {
	if a.kind == "issuer" {
		return give(ctx, tx, a, -amount)
	}
	n, err := tx.DebitAccount(ctx, db.DebitAccountParams{ID: a.id(), Amount: int64(amount)})
	if err == nil && n == 0 {
		return errShort
	}
	return err
}

func give(ctx context.Context, tx *store.Tx, a account, amount schemas.Money) error {
	return tx.CreditAccount(ctx, db.CreditAccountParams{
		ID: a.id(), OwnerID: a.owner, Kind: a.kind, Asset: a.asset,
		Amount: int64(amount), CreatedAt: store.Micros(tx.Now()),
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
	available, err = balance(ctx, tx, deposit(agentID, asset))
	if err != nil {
		return 0, 0, err
	}
	sum, err := tx.AgentEscrow(ctx, db.AgentEscrowParams{AgentID: agentID, Asset: asset})
	return available, schemas.Money(sum), err
}

// Earnings is what a person has earned with live tasks.
func Earnings(ctx context.Context, tx *store.Tx, personID string) (schemas.Money, error) {
	sum, err := tx.PersonEarnings(ctx, personID)
	return schemas.Money(sum), err
}

func balance(ctx context.Context, tx *store.Tx, a account) (schemas.Money, error) {
	n, err := tx.AccountBalance(ctx, a.id())
	if store.NotFound(err) {
		return 0, nil
	}
	return schemas.Money(n), err
}
