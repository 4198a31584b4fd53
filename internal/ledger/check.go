package ledger

import (
	"context"
	"fmt"

	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// Check proves every invariant of the ledger over all rows, and names the first that is
// broken: each transaction sums to zero within one asset, each balance is the sum of its
// entries and none but an issuer's is below zero, no money is held for what is over or
// was never there, and a deposit says how much is held of it. What a task has to hold is CheckEscrow's to look at.
func Check(ctx context.Context, tx *store.Tx) error {
	for _, check := range []func(context.Context, *store.Tx) error{checkSums, checkEmpty, checkAssets, checkAccounts, checkStrays, checkHeld} {
		if err := check(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

func checkSums(ctx context.Context, tx *store.Tx) error {
	rows, err := tx.UnbalancedTransaction(ctx)
	if err != nil || len(rows) == 0 {
		return err
	}
	r := rows[0]
	return fmt.Errorf("ledger: the %d entries of transaction %s sum to %s, not to zero", r.Entries, r.TransactionID, dollars(r.Total))
}

func checkEmpty(ctx context.Context, tx *store.Tx) error {
	rows, err := tx.EmptyTransaction(ctx)
	if err != nil || len(rows) == 0 {
		return err
	}
	return fmt.Errorf("ledger: transaction %s has no entries", rows[0])
}

func checkAssets(ctx context.Context, tx *store.Tx) error {
	rows, err := tx.CrossingEntry(ctx)
	if err != nil || len(rows) == 0 {
		return err
	}
	return fmt.Errorf("ledger: transaction %s crosses assets with its entry in account %s", rows[0].TransactionID, rows[0].AccountID)
}

func checkAccounts(ctx context.Context, tx *store.Tx) error {
	rows, err := tx.DriftedAccount(ctx)
	if err != nil || len(rows) == 0 {
		return err
	}
	r := rows[0]
	if r.Balance == r.Total {
		return fmt.Errorf("ledger: account %s is at %s, below zero", r.ID, dollars(r.Balance))
	}
	return fmt.Errorf("ledger: account %s is at %s, but its entries sum to %s", r.ID, dollars(r.Balance), dollars(r.Total))
}

// CheckEscrow looks whether a task holds what it has to: its reward while it goes on, and
// nothing afterwards. state is for the sentence.
func CheckEscrow(ctx context.Context, tx *store.Tx, taskID, asset, state string, reward int64, finished bool) error {
	held, err := tx.EscrowOf(ctx, db.EscrowOfParams{OwnerID: taskID, Asset: asset})
	if err != nil || finished && held == 0 || !finished && held == reward {
		return err
	}
	return schemas.NewError(schemas.CodeConflict, fmt.Sprintf("ledger: task %s is %s with a reward of %s and holds %s in escrow", taskID, state, dollars(reward), dollars(held)))
}

func checkStrays(ctx context.Context, tx *store.Tx) error {
	rows, err := tx.StrayEscrow(ctx)
	if err != nil || len(rows) == 0 {
		return err
	}
	return fmt.Errorf("ledger: account %s holds %s for no task", rows[0].ID, dollars(rows[0].Balance))
}

func checkHeld(ctx context.Context, tx *store.Tx) error {
	rows, err := tx.DriftedHold(ctx)
	if err != nil || len(rows) == 0 {
		return err
	}
	r := rows[0]
	return fmt.Errorf("ledger: account %s says that %s of it is held, but its tasks hold %s", r.ID, dollars(r.Held), dollars(r.Total))
}

func dollars(micros int64) string { return schemas.Money(micros).Dollars() }
