package task

import (
	"context"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/check"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// CancelTask withdraws a task before work begins and refunds it in full.
func (s *Service) CancelTask(ctx context.Context, tx *store.Tx, in schemas.CancelTaskRequest) (schemas.CancelTaskResponse, error) {
	var p check.Problems
	p.Text("reason", &in.Reason, 0, maxText)
	if err := p.Err(); err != nil {
		return schemas.CancelTaskResponse{}, err
	}
	t, c, err := lockOwn(ctx, tx, in.TaskID)
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
	t, err = s.advance(ctx, tx, t, move{event: Cancel, by: actorOf(c), data: withReason(in.Reason)})
	if err != nil {
		return schemas.CancelTaskResponse{}, err
	}
	out := schemas.CancelTaskResponse{TaskID: t.ID, Status: s.word(t.Status), RefundedUSD: schemas.Money(t.Reward)}
	markIfTest(&out.Sandboxed, t)
	return out, nil
}

func withReason(reason string) map[string]any {
	if reason == "" {
		return nil
	}
	return map[string]any{"reason": reason}
}

func markIfTest(s *schemas.Sandboxed, t db.Task) {
	if t.Mode == account.Test {
		s.MarkSandbox()
	}
}
