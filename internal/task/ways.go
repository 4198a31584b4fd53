package task

import (
	"context"

	"humanops-mcp/internal/keyset"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
)

// The ways into the tasks: each is one index, for a list and for its count. An agent's and
// the owner's are different ones, because PostgreSQL would sort everything for a text that
// served both.

func ofAgent(agentID, mode string) way {
	return way{
		list: func(ctx context.Context, tx *store.Tx, l look) ([]keyset.Position, error) {
			return places(tx.ListAgentTasks(ctx, db.ListAgentTasksParams{
				AgentID: agentID, Mode: mode, TaskType: l.taskType, TitleLike: l.titleLike, TitleAsIs: l.titleAsIs,
				Before: l.from.Time, BeforeID: l.from.ID, Floor: l.floor.Time, FloorID: l.floor.ID, RowLimit: l.limit, RowOffset: l.offset,
			}))
		},
		count: func(ctx context.Context, tx *store.Tx, l look) (int64, error) {
			return tx.CountAgentTasks(ctx, db.CountAgentTasksParams{
				AgentID: agentID, Mode: mode, TaskType: l.taskType, TitleLike: l.titleLike, TitleAsIs: l.titleAsIs,
				Floor: l.floor.Time, FloorID: l.floor.ID, CountTo: l.limit,
			})
		},
	}
}

func ofOwner() way {
	return way{
		list: func(ctx context.Context, tx *store.Tx, l look) ([]keyset.Position, error) {
			return places(tx.ListOwnerTasks(ctx, db.ListOwnerTasksParams{
				TaskType: l.taskType, TitleLike: l.titleLike, TitleAsIs: l.titleAsIs,
				Before: l.from.Time, BeforeID: l.from.ID, Floor: l.floor.Time, FloorID: l.floor.ID, RowLimit: l.limit, RowOffset: l.offset,
			}))
		},
		count: func(ctx context.Context, tx *store.Tx, l look) (int64, error) {
			return tx.CountOwnerTasks(ctx, db.CountOwnerTasksParams{
				TaskType: l.taskType, TitleLike: l.titleLike, TitleAsIs: l.titleAsIs, Floor: l.floor.Time, FloorID: l.floor.ID, CountTo: l.limit,
			})
		},
	}
}

// ofAgentIn is an agent's tasks in one status; since, unless it is 0, passes by what ended before.
func ofAgentIn(agentID, mode, status string, since int64) way {
	return way{
		sifts: since > 0,
		list: func(ctx context.Context, tx *store.Tx, l look) ([]keyset.Position, error) {
			return places(tx.ListAgentTasksIn(ctx, db.ListAgentTasksInParams{
				AgentID: agentID, Mode: mode, Status: status, TaskType: l.taskType, TitleLike: l.titleLike, TitleAsIs: l.titleAsIs, EndedSince: since,
				Before: l.from.Time, BeforeID: l.from.ID, Floor: l.floor.Time, FloorID: l.floor.ID, RowLimit: l.limit, RowOffset: l.offset,
			}))
		},
		count: func(ctx context.Context, tx *store.Tx, l look) (int64, error) {
			return tx.CountAgentTasksIn(ctx, db.CountAgentTasksInParams{
				AgentID: agentID, Mode: mode, Status: status, TaskType: l.taskType, TitleLike: l.titleLike, TitleAsIs: l.titleAsIs, EndedSince: since,
				Floor: l.floor.Time, FloorID: l.floor.ID, CountTo: l.limit,
			})
		},
	}
}

func ofOwnerIn(status string, since int64) way {
	return way{
		sifts: since > 0,
		list: func(ctx context.Context, tx *store.Tx, l look) ([]keyset.Position, error) {
			return places(tx.ListOwnerTasksIn(ctx, db.ListOwnerTasksInParams{
				Status: status, TaskType: l.taskType, TitleLike: l.titleLike, TitleAsIs: l.titleAsIs, EndedSince: since,
				Before: l.from.Time, BeforeID: l.from.ID, Floor: l.floor.Time, FloorID: l.floor.ID, RowLimit: l.limit, RowOffset: l.offset,
			}))
		},
		count: func(ctx context.Context, tx *store.Tx, l look) (int64, error) {
			return tx.CountOwnerTasksIn(ctx, db.CountOwnerTasksInParams{
				Status: status, TaskType: l.taskType, TitleLike: l.titleLike, TitleAsIs: l.titleAsIs, EndedSince: since,
				Floor: l.floor.Time, FloorID: l.floor.ID, CountTo: l.limit,
			})
		},
	}
}

// finals are the final statuses that are wanted.
type finals struct{ paid, cancelled, expired bool }

// ofAgentEnded is what of an agent's tasks ended lately.
func ofAgentEnded(agentID, mode string, in finals, since int64) way {
	return way{
		short: true,
		list: func(ctx context.Context, tx *store.Tx, l look) ([]keyset.Position, error) {
			return places(tx.ListAgentEnded(ctx, db.ListAgentEndedParams{
				AgentID: agentID, Mode: mode, EndedSince: since, Paid: in.paid, Cancelled: in.cancelled, Expired: in.expired, TaskType: l.taskType, TitleLike: l.titleLike, TitleAsIs: l.titleAsIs,
				Before: l.from.Time, BeforeID: l.from.ID, Floor: l.floor.Time, FloorID: l.floor.ID, RowLimit: l.limit, RowOffset: l.offset,
			}))
		},
		count: func(ctx context.Context, tx *store.Tx, l look) (int64, error) {
			return tx.CountAgentEnded(ctx, db.CountAgentEndedParams{
				AgentID: agentID, Mode: mode, EndedSince: since, Paid: in.paid, Cancelled: in.cancelled, Expired: in.expired, TaskType: l.taskType, TitleLike: l.titleLike, TitleAsIs: l.titleAsIs,
				CountTo: l.limit,
			})
		},
	}
}

func ofOwnerEnded(in finals, since int64) way {
	return way{
		short: true,
		list: func(ctx context.Context, tx *store.Tx, l look) ([]keyset.Position, error) {
			return places(tx.ListOwnerEnded(ctx, db.ListOwnerEndedParams{
				EndedSince: since, Paid: in.paid, Cancelled: in.cancelled, Expired: in.expired, TaskType: l.taskType, TitleLike: l.titleLike, TitleAsIs: l.titleAsIs,
				Before: l.from.Time, BeforeID: l.from.ID, Floor: l.floor.Time, FloorID: l.floor.ID, RowLimit: l.limit, RowOffset: l.offset,
			}))
		},
		count: func(ctx context.Context, tx *store.Tx, l look) (int64, error) {
			return tx.CountOwnerEnded(ctx, db.CountOwnerEndedParams{
				EndedSince: since, Paid: in.paid, Cancelled: in.cancelled, Expired: in.expired, TaskType: l.taskType, TitleLike: l.titleLike, TitleAsIs: l.titleAsIs, CountTo: l.limit,
			})
		},
	}
}

// ofPool is what any operator could take, ofAssigned what was meant for one alone.
func ofPool(now int64) way {
	return way{
		list: func(ctx context.Context, tx *store.Tx, l look) ([]keyset.Position, error) {
			return places(tx.ListPoolTasks(ctx, db.ListPoolTasksParams{
				Now: now, TaskType: l.taskType, Before: l.from.Time, BeforeID: l.from.ID, Floor: l.floor.Time, FloorID: l.floor.ID,
				RowLimit: l.limit, RowOffset: l.offset,
			}))
		},
		count: func(ctx context.Context, tx *store.Tx, l look) (int64, error) {
			return tx.CountPoolTasks(ctx, db.CountPoolTasksParams{Now: now, TaskType: l.taskType, Floor: l.floor.Time, FloorID: l.floor.ID, CountTo: l.limit})
		},
	}
}

func ofAssigned(operatorID string, now int64) way {
	return way{
		list: func(ctx context.Context, tx *store.Tx, l look) ([]keyset.Position, error) {
			return places(tx.ListAssignedTasks(ctx, db.ListAssignedTasksParams{
				OperatorID: operatorID, Now: now, TaskType: l.taskType, Before: l.from.Time, BeforeID: l.from.ID, Floor: l.floor.Time, FloorID: l.floor.ID,
				RowLimit: l.limit, RowOffset: l.offset,
			}))
		},
		count: func(ctx context.Context, tx *store.Tx, l look) (int64, error) {
			return tx.CountAssignedTasks(ctx, db.CountAssignedTasksParams{
				OperatorID: operatorID, Now: now, TaskType: l.taskType, Floor: l.floor.Time, FloorID: l.floor.ID, CountTo: l.limit,
			})
		},
	}
}

// ofOperator is what an operator has or had.
func ofOperator(operatorID string) way {
	return way{
		list: func(ctx context.Context, tx *store.Tx, l look) ([]keyset.Position, error) {
			return places(tx.ListOperatorTasks(ctx, db.ListOperatorTasksParams{
				OperatorID: operatorID, TaskType: l.taskType, Before: l.from.Time, BeforeID: l.from.ID, Floor: l.floor.Time, FloorID: l.floor.ID,
				RowLimit: l.limit, RowOffset: l.offset,
			}))
		},
		count: func(ctx context.Context, tx *store.Tx, l look) (int64, error) {
			return tx.CountOperatorTasks(ctx, db.CountOperatorTasksParams{
				OperatorID: operatorID, TaskType: l.taskType, Floor: l.floor.Time, FloorID: l.floor.ID, CountTo: l.limit,
			})
		},
	}
}
