package receipt

import (
	"context"

	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
)

// Latest is the receipt of a request's newest round that has one; store.NotFound when
// there is none.
func Latest(ctx context.Context, tx *store.Tx, requestID string) (db.Receipt, error) {
	return tx.LatestReceipt(ctx, requestID)
}

// Use uses a receipt up. The condition in the update decides between two who come at once:
// one of them is first.
func Use(ctx context.Context, tx *store.Tx, kept db.Receipt, by string) (first bool, err error) {
	n, err := tx.ConsumeReceipt(ctx, db.ConsumeReceiptParams{
		Now: store.Micros(tx.Now()), ConsumedBy: by, ReviewID: kept.ReviewID, Round: kept.Round,
	})
	return n > 0, err
}

// Of tells of the receipts of some requests when they were used up.
func Of(ctx context.Context, tx *store.Tx, requestIDs []string) ([]db.ReceiptsOfRow, error) {
	return tx.ReceiptsOf(ctx, store.IDs(requestIDs))
}

// Forget deletes the receipts of requests that are deleted.
func Forget(ctx context.Context, tx *store.Tx, requestIDs []string) error {
	return tx.DeleteReceiptsOf(ctx, store.IDs(requestIDs))
}
