package task

import (
	"context"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// What an agent has posted since the day began is kept in its row, which a posting locks
// anyway, for as long as a limit counts it: nobody adds up a day's tasks.

// today are the figures of the day that it is.
func today(ctx context.Context, tx *store.Tx, agentID string, kept account.Day) (account.Day, error) {
	began := store.Micros(dayStart(tx.Now()))
	if kept.Began == began {
		return kept, nil
	}
	sum, err := tx.PostedSince(ctx, db.PostedSinceParams{AgentID: agentID, DayStart: began})
	return account.Day{Began: began, Spent: sum.Spent, Posted: sum.Posted}, err
}

// spend counts a task that is about to be posted, or refuses what the limits do not allow
// today.
func (s *Service) spend(ctx context.Context, tx *store.Tx, t task, tier string, kept account.Day) error {
	limit, reward := limitsOf(tier, s.cfg.LocalDailyCap), schemas.Money(t.Reward)
	if !limit.daily() {
		if err := limit.check(reward, 0, 0, tx.Now()); err != nil || kept.Began == 0 {
			return err
		}
		return account.SetDay(ctx, tx, t.AgentID, account.Day{}) // what is posted uncounted makes the figures wrong
	}
	d, err := today(ctx, tx, t.AgentID, kept)
	if err != nil {
		return err
	}
	if err := limit.check(reward, schemas.Money(d.Spent), d.Posted, tx.Now()); err != nil {
		return err
	}
	return account.SetDay(ctx, tx, t.AgentID, account.Day{Began: d.Began, Spent: d.Spent + t.Reward, Posted: d.Posted + 1})
}

// unspend counts what was posted today no more when it is withdrawn. It locks the agent's row
// before the ledger locks its account, as a posting does.
func unspend(ctx context.Context, tx *store.Tx, h happened) error {
	t, began := h.Now, store.Micros(dayStart(tx.Now()))
	withdrawn := t.Status == string(schemas.Cancelled) || t.Status == string(schemas.Expired)
	if !withdrawn || t.Mode != account.Live || t.Reward == 0 || t.CreatedAt < began {
		return nil
	}
	return account.GiveBackSpent(ctx, tx, t.AgentID, began, t.Reward)
}
