package account

import (
	"context"

	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
)

// Day is what an agent has posted since a day began, as it is kept in the agent's row for as
// long as a limit counts it. Began is 0 while nobody counts; times are microseconds.
type Day struct{ Began, Spent, Posted int64 }

// SetDay keeps it. Only who has the agent's lock knows what was kept before.
func SetDay(ctx context.Context, tx *store.Tx, agentID string, d Day) error {
	return tx.SetAgentDay(ctx, db.SetAgentDayParams{ID: agentID, Day: d.Began, DaySpent: d.Spent, DayPosted: d.Posted})
}

// GiveBackSpent counts an amount no more that was spent on the day that began then. It waits
// for whoever has the agent's lock, who may be about to begin to count.
func GiveBackSpent(ctx context.Context, tx *store.Tx, agentID string, began, amount int64) error {
	return tx.GiveBackSpent(ctx, db.GiveBackSpentParams{ID: agentID, Day: began, Amount: amount})
}
