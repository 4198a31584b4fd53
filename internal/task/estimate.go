package task

import (
	"context"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/check"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

// ApproveEstimate accepts the operator's estimate: the task is theirs.
func (s *Service) ApproveEstimate(ctx context.Context, tx *store.Tx, in schemas.ApproveEstimateRequest) (schemas.EstimateResponse, error) {
	t, c, err := s.lockOwn(ctx, tx, in.TaskID)
	if err == nil {
		err = s.namesEstimate(t, in.EstimateID)
	}
	if err != nil {
		return schemas.EstimateResponse{}, err
	}
	now := tx.Now()
	t, err = s.life.Move(ctx, tx, t, move{Event: ApproveEstimate, By: c.Actor(), Edit: func(t *task) {
		t.EstimateState = "approved"
		t.StartBy = store.Micros(startBy(t.EstimateMinutes, now, store.Time(t.Deadline)))
	}})
	if err != nil {
		return schemas.EstimateResponse{}, err
	}
	r, err := s.ownRow(ctx, tx, t.ID)
	if err != nil {
		return schemas.EstimateResponse{}, err
	}
	out := schemas.EstimateResponse{TaskID: t.ID, Status: s.word(t.Status), AcceptedAt: &now, Operator: r.performer(), EstimateMinutes: int(t.EstimateMinutes)}
	account.MarkTest(&out.Sandboxed, t.Mode)
	return out, nil
}

// RejectEstimate sends the task back to the pool.
func (s *Service) RejectEstimate(ctx context.Context, tx *store.Tx, in schemas.RejectEstimateRequest) (schemas.EstimateResponse, error) {
	var p check.Problems
	p.Text("reason", &in.Reason, 0, maxText)
	if err := p.Err(); err != nil {
		return schemas.EstimateResponse{}, err
	}
	t, c, err := s.lockOwn(ctx, tx, in.TaskID)
	if err == nil {
		err = s.namesEstimate(t, in.EstimateID)
	}
	if err != nil {
		return schemas.EstimateResponse{}, err
	}
	t, err = s.life.Move(ctx, tx, t, move{
		Event: RejectEstimate, By: c.Actor(), With: Refused{t.OperatorID.String, t.EstimateMinutes, in.Reason},
		Edit: func(t *task) { t.EstimateState = "rejected" },
	})
	out := schemas.EstimateResponse{TaskID: t.ID, Status: s.word(t.Status), Message: "The estimate was rejected, and the task is open to operators again."}
	account.MarkTest(&out.Sandboxed, t.Mode)
	return out, err
}

// namesEstimate refuses an answer to an estimate that is not the one that waits.
func (s *Service) namesEstimate(t task, id string) error {
	if id == "" || schemas.TaskStatus(t.Status) != schemas.EstimatePending || id == t.EstimateID {
		return nil
	}
	return s.conflict(t, "That estimate is no longer the one that waits: it is "+t.EstimateID+" now. Get the task, look at its estimate and answer that one.")
}
