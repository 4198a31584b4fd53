package task

import (
	"context"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/check"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

// CancelTask withdraws a task before work begins and refunds it in full.
func (s *Service) CancelTask(ctx context.Context, tx *store.Tx, in schemas.CancelTaskRequest) (schemas.CancelTaskResponse, error) {
	var p check.Problems
	p.Text("reason", &in.Reason, 0, maxText)
	if err := p.Err(); err != nil {
		return schemas.CancelTaskResponse{}, err
	}
	t, c, err := s.lockOwn(ctx, tx, in.TaskID)
	if err != nil {
		return schemas.CancelTaskResponse{}, err
	}
	switch schemas.TaskStatus(t.Status) {
	case schemas.Posted, schemas.EstimatePending, schemas.Accepted:
	case schemas.InProgress:
		return schemas.CancelTaskResponse{}, s.conflict(t, "Work on the task has begun (IN_PROGRESS), so it can no longer be cancelled. Wait for the proof (check_status tells when it is in), then decide on it.")
	default:
		return schemas.CancelTaskResponse{}, s.conflict(t, "The task is "+s.word(t.Status)+", so it can no longer be cancelled.")
	}
	t, err = s.life.Move(ctx, tx, t, move{Event: Cancel, By: c.Actor(), With: Withdrawn{in.Reason}})
	if err != nil {
		return schemas.CancelTaskResponse{}, err
	}
	out := schemas.CancelTaskResponse{TaskID: t.ID, Status: s.word(t.Status), RefundedUSD: schemas.Money(t.Reward)}
	account.MarkTest(&out.Sandboxed, t.Mode)
	return out, nil
}
