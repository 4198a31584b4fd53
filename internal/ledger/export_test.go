package ledger

import (
	"context"

	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

// Escrow is what a task holds.
func Escrow(ctx context.Context, tx *store.Tx, taskID, asset string) (schemas.Money, error) {
	return balance(ctx, tx, escrow(taskID, asset))
}
