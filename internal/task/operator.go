package task

import (
	"context"
	"fmt"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/check"
	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

// GetOpenTask gives one task that the operator may see.
func (s *Service) GetOpenTask(ctx context.Context, tx *store.Tx, in schemas.TaskRequest) (schemas.OperatorTask, error) {
	t, err := s.life.Find(ctx, tx, in.TaskID)
	if store.NotFound(err) || err == nil && !sees(account.From(ctx), t) {
		return schemas.OperatorTask{}, noTask(in.TaskID)
	}
	if err != nil {
		return schemas.OperatorTask{}, err
	}
	return s.operatorAnswer(ctx, tx, t)
}

// AcceptTask gives the task to the operator, or their estimate to the agent. Of several
// who accept at once, one wins.
func (s *Service) AcceptTask(ctx context.Context, tx *store.Tx, in schemas.AcceptTaskRequest) (schemas.OperatorTask, error) {
	minutes, err := estimateMinutes(&in)
	if err != nil {
		return schemas.OperatorTask{}, err
	}
	c := account.From(ctx)
	t, err := s.lockForAccept(ctx, tx, in.TaskID, c)
	if err != nil {
		return schemas.OperatorTask{}, err
	}
	t, err = s.accept(ctx, tx, t, c.PersonID, c.Actor(), minutes, in.EstimateNote)
	if err != nil {
		return schemas.OperatorTask{}, err
	}
	return s.operatorAnswer(ctx, tx, t)
}

// lockForAccept locks the person and then the task, so that the count of active tasks
// and the task itself stay as they were found.
func (s *Service) lockForAccept(ctx context.Context, tx *store.Tx, taskID string, c account.Caller) (task, error) {
	person, err := account.LockPerson(ctx, tx, c.PersonID)
	if err != nil {
		return task{}, fmt.Errorf("find the operator: %w", err)
	}
	if person.RemovedAt != 0 || person.Simulated {
		return task{}, noTask(taskID) // removed since they signed in
	}
	t, err := s.life.Lock(ctx, tx, taskID)
	if store.NotFound(err) || err == nil && (!c.Operator || t.Mode != account.Live || !openTo(c, t) && !holds(c, t)) {
		return t, noTask(taskID)
	}
	if err != nil {
		return t, err
	}
	if schemas.TaskStatus(t.Status) != schemas.Posted {
		return t, s.conflict(t, "Somebody was faster, or the task was withdrawn: it is "+s.word(t.Status)+" now. Look for another one in the list.")
	}
	if store.Micros(tx.Now()) >= t.Deadline {
		return t, schemas.NewError(schemas.CodeGone, "The deadline of this task has passed. Look for another one in the list.")
	}
	active, err := s.life.Claims(ctx, tx, c.PersonID)
	if err == nil && len(active) >= maxActive {
		return t, s.conflict(t, fmt.Sprintf("You have %d tasks, and that is the most at a time. Finish one or give one back, then accept this one.", len(active)))
	}
	return t, err
}

// accept is the rule of accepting, for real and for simulated operators.
func (s *Service) accept(ctx context.Context, tx *store.Tx, t task, operatorID string, by change.Actor, minutes int64, note string) (task, error) {
	now, deadline := tx.Now(), store.Time(t.Deadline)
	fit := fits(minutes, t.EstimateApproval, now, deadline)
	return s.life.Move(ctx, tx, t, move{Event: Accept, By: by, Given: func(f *Facts) { f.Fits = fit },
		With: Accepted{operatorID, minutes},
		Edit: func(t *task) {
			t.OperatorID = nullText(operatorID)
			if fit {
				t.StartBy = store.Micros(startBy(minutes, now, deadline))
			}
			t.EstimateID, t.EstimateMinutes, t.EstimateNote, t.EstimateState = "", 0, "", "" // of an earlier operator
			if minutes == 0 {
				return
			}
			t.EstimateID, t.EstimateMinutes, t.EstimateNote, t.EstimateState = ident.New("est_"), minutes, note, "pending"
			if fit {
				t.EstimateState = "approved"
			}
		}})
}

// StartTask begins the work; from here on the agent can no longer cancel.
func (s *Service) StartTask(ctx context.Context, tx *store.Tx, in schemas.TaskRequest) (schemas.OperatorTask, error) {
	t, c, err := s.lockHeld(ctx, tx, in.TaskID)
	if err != nil {
		return schemas.OperatorTask{}, err
	}
	if schemas.TaskStatus(t.Status) == schemas.Accepted && store.Micros(tx.Now()) >= t.Deadline {
		return schemas.OperatorTask{}, schemas.NewError(schemas.CodeGone, "The deadline of this task has passed, so work can no longer begin.")
	}
	t, err = s.life.Move(ctx, tx, t, move{Event: Start, By: c.Actor()})
	if err != nil {
		return schemas.OperatorTask{}, err
	}
	return s.operatorAnswer(ctx, tx, t)
}

// ReleaseTask gives the task back, without penalty. The answer shows the task as the
// one who gave it back last saw it, in its new state.
func (s *Service) ReleaseTask(ctx context.Context, tx *store.Tx, in schemas.ReleaseTaskRequest) (schemas.OperatorTask, error) {
	var p check.Problems
	p.Text("reason", &in.Reason, 0, maxText)
	if err := p.Err(); err != nil {
		return schemas.OperatorTask{}, err
	}
	t, c, err := s.lockHeld(ctx, tx, in.TaskID)
	if err != nil {
		return schemas.OperatorTask{}, err
	}
	t, err = s.release(ctx, tx, t, c.Actor(), in.Reason)
	if err != nil {
		return schemas.OperatorTask{}, err
	}
	return s.operatorAnswer(ctx, tx, t)
}

func (s *Service) release(ctx context.Context, tx *store.Tx, t task, by change.Actor, reason string) (task, error) {
	return s.life.Move(ctx, tx, t, move{Event: Release, By: by, With: Released{t.OperatorID.String, reason}})
}

// giveBack releases what a person has who leaves the house.
func (s *Service) giveBack(ctx context.Context, tx *store.Tx, personID string) error {
	ids, err := s.life.Claims(ctx, tx, personID)
	if err != nil {
		return err
	}
	by := change.System
	if c := account.From(ctx); c.ID() != "" {
		by = c.Actor()
	}
	for _, id := range ids {
		t, err := s.life.Lock(ctx, tx, id)
		if err != nil {
			return err
		}
		if t.line.ClaimedBy != personID {
			continue // it moved on before the lock
		}
		if _, err := s.release(ctx, tx, t, by, "The operator left."); err != nil {
			return err
		}
	}
	return nil
}
