package task

import (
	"context"
	"fmt"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/keyset"
	"humanops-mcp/internal/ledger"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

const maxPeople = 50

// GetBalance tells an agent what it can spend, how much of today's allowance is left
// and whom it can reach.
func (s *Service) GetBalance(ctx context.Context, tx *store.Tx, _ schemas.Empty) (out schemas.Balance, err error) {
	c := account.From(ctx)
	out.Currency, out.Mode = "USD", c.Mode
	if out.DepositBalance, out.EscrowBalance, err = ledger.Balance(ctx, tx, c.AgentID, ledger.Asset(c.Mode)); err != nil {
		return out, err
	}
	people, err := s.Accounts.InReach(ctx, tx, c.Mode)
	if err != nil {
		return out, err
	}
	out.PeopleInReach, out.People = len(people), people[:min(len(people), maxPeople)]
	if out.Limits, err = s.balanceLimits(ctx, tx, c); err != nil {
		return out, err
	}
	if c.Mode == account.Test {
		out.MarkSandbox()
	}
	return out, nil
}

// balanceLimits are today's; in test mode only the bound of a single reward counts.
func (s *Service) balanceLimits(ctx context.Context, tx *store.Tx, c account.Caller) (out schemas.BalanceLimits, err error) {
	agent, err := account.Agent(ctx, tx, c.AgentID)
	if err != nil {
		return out, fmt.Errorf("find the agent: %w", err)
	}
	active, err := countOpen(ctx, tx, c)
	if err != nil {
		return out, err
	}
	now := tx.Now()
	out = schemas.BalanceLimits{MaxReward: maxReward, ResetsAt: nextDay(now), ActiveTasks: active}
	if c.Mode != account.Live {
		return out, nil
	}
	limit := limitsOf(agent.Tier, s.cfg.LocalDailyCap)
	out.MaxReward, out.DailyCap = limit.maxReward, limit.dailyCap
	if limit.dailyCap == 0 {
		return out, nil
	}
	d, err := today(ctx, tx, agent.ID, account.Day{Began: agent.Day, Spent: agent.DaySpent, Posted: agent.DayPosted})
	out.DailyLeft = limit.left(schemas.Money(d.Spent))
	return out, err
}

// countOpen counts an agent's tasks that are not over, as far as lists count.
func countOpen(ctx context.Context, tx *store.Tx, c account.Caller) (int, error) {
	var sum int64
	for _, status := range statusesWhere(func(s schemas.TaskStatus) bool { return !s.Final() }) {
		n, err := inStatus(c, status, 0).count(ctx, tx, look{limit: keyset.CountTo - sum})
		if err != nil {
			return 0, err
		}
		if sum += n; sum == keyset.CountTo {
			break
		}
	}
	total, _ := keyset.Counted(sum)
	return total, nil
}

// GetEarnings tells an operator what they earned. What waits for a decision is pending.
func (s *Service) GetEarnings(ctx context.Context, tx *store.Tx, _ schemas.Empty) (out schemas.Earnings, err error) {
	c := account.From(ctx)
	pending, err := tx.PendingEarnings(ctx, c.PersonID)
	if err != nil {
		return out, err
	}
	earned, err := ledger.Earnings(ctx, tx, c.PersonID)
	if err != nil {
		return out, err
	}
	rows, err := tx.ListEarned(ctx, c.PersonID)
	out = schemas.Earnings{PendingBalance: schemas.Money(pending), AvailableBalance: earned, TotalEarned: earned, Currency: "USD", RecentTasks: []schemas.EarnedTask{}}
	for _, r := range rows {
		out.RecentTasks = append(out.RecentTasks, schemas.EarnedTask{
			TaskID: r.ID, Title: r.Title, RewardUSD: schemas.Money(r.Reward), Status: s.word(r.Status), CompletedAt: store.Time(r.PaidAt),
		})
	}
	return out, err
}
