package task

import (
	"context"

	"humanops-mcp/internal/check"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// ApproveEstimate accepts the operator's estimate: the task is theirs.
func (s *Service) ApproveEstimate(ctx context.Context, tx *store.Tx, in schemas.ApproveEstimateRequest) (schemas.EstimateResponse, error) {
	t, c, err := lockOwn(ctx, tx, in.TaskID)
	if err == nil {
		err = s.namesEstimate(t, in.EstimateID)
	}
	if err != nil {
		return schemas.EstimateResponse{}, err
	}
	now := tx.Now()
	t, err = s.advance(ctx, tx, t, move{event: ApproveEstimate, by: actorOf(c), edit: func(t *db.Task) {
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
	markIfTest(&out.Sandboxed, t)
	return out, nil
}

// RejectEstimate sends the task back to the pool.
func (s *Service) RejectEstimate(ctx context.Context, tx *store.Tx, in schemas.RejectEstimateRequest) (schemas.EstimateResponse, error) {
	var p check.Problems
	p.Text("reason", &in.Reason, 0, maxText)
	if err := p.Err(); err != nil {
		return schemas.EstimateResponse{}, err
	}
	t, c, err := lockOwn(ctx, tx, in.TaskID)
	if err == nil {
		err = s.namesEstimate(t, in.EstimateID)
	}
	if err != nil {
		return schemas.EstimateResponse{}, err
	}
	former := t.OperatorID.String
	t, err = s.advance(ctx, tx, t, move{event: RejectEstimate, by: actorOf(c), data: map[string]any{
		"reason": in.Reason, "operator_id": former, "estimate_minutes": t.EstimateMinutes,
	}, former: former, edit: func(t *db.Task) { t.EstimateState = "rejected" }})
	out := schemas.EstimateResponse{TaskID: t.ID, Status: s.word(t.Status), Message: "The estimate was rejected, and the task is open to operators again."}
	markIfTest(&out.Sandboxed, t)
	return out, err
}

// namesEstimate refuses an answer to an estimate that is not the one that waits.
func (s *Service) namesEstimate(t db.Task, id string) error {
	if id == "" || schemas.TaskStatus(t.Status) != schemas.EstimatePending || id == t.EstimateID {
		return nil
	}
	return s.conflict(t, "That estimate is no longer the one that waits: it is "+t.EstimateID+" now. Get the task, look at its estimate and answer that one.")
}
