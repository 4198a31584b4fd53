package task

import (
	"context"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/check"
	"humanops-mcp/internal/ledger"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// task is a task as it is kept, with its line among the subjects.
type task struct {
	db.Task
	line change.Line
}

type (
	life     = change.Life[task, schemas.TaskStatus, Event, Facts]
	move     = change.Move[task, Event, Facts]
	happened = change.Happened[task, Event]
	ringing  = change.Clock[Event]
)

// Name is the kind's name among the subjects.
const Name = string(schemas.KindTask)

// kind declares what a task is to whatever changes it.
func (s *Service) kind() change.Kind[task, schemas.TaskStatus, Event, Facts] {
	return change.Kind[task, schemas.TaskStatus, Event, Facts]{
		Name: Name, Life: Life, Owns: schemas.KindTask.Owns,
		Find: find, Insert: insertRow, Save: saveRow,
		Line: func(t *task) *change.Line { return &t.line }, State: func(t *task) *string { return &t.Status },
		Check: checkEscrow, Facts: factsOf, Needs: needs, Claimed: inHand, Enter: enter, Mirror: func(t *task) { t.UpdatedAt = t.line.UpdatedAt },
		Clocks: s.clocks, Ring: s.timeUp, Lapse: Lapse, Shift: shift,
		Word: func(status schemas.TaskStatus) string { return s.word(string(status)) },
		View: change.View{Admit: admit, Visible: visible, Missing: noTask, Show: s.show},
	}
}

// follow says what comes of every change of a task, in this order.
func (s *Service) follow() {
	for _, f := range []change.Follower[task, Event]{unspend, payUp, s.callBack, s.followReview, s.tell} {
		s.life.Follow(f)
	}
}

func find(ctx context.Context, tx *store.Tx, id string) (task, error) {
	row, err := tx.FindTask(ctx, id)
	return task{row.Task, row.Subject}, err
}

// checkEscrow looks whether the money that a task holds is what it has to be.
func checkEscrow(ctx context.Context, tx *store.Tx, t task) error {
	return ledger.CheckEscrow(ctx, tx, t.ID, t.Asset, t.Status, t.Reward, t.line.Finished)
}

func insertRow(ctx context.Context, tx *store.Tx, t task) error {
	return tx.InsertTask(ctx, db.InsertTaskParams{
		ID: t.ID, AgentID: t.AgentID, Mode: t.Mode, Title: t.Title, Description: t.Description, TaskType: t.TaskType,
		Lat: t.Lat, Lng: t.Lng, Address: t.Address, Reward: t.Reward, Asset: t.Asset, Deadline: t.Deadline,
		ProofRequirements: t.ProofRequirements, DigitalInstructions: t.DigitalInstructions, AgentPublicKey: t.AgentPublicKey,
		AssignTo: t.AssignTo, EstimateApproval: t.EstimateApproval, ContentHash: t.ContentHash, CreatedAt: t.CreatedAt,
	})
}

func saveRow(ctx context.Context, tx *store.Tx, t task) error {
	return tx.SaveTask(ctx, db.SaveTaskParams{
		ID: t.ID, Status: t.Status, UpdatedAt: t.UpdatedAt, Deadline: t.Deadline,
		OperatorID: t.OperatorID, EstimateID: t.EstimateID, EstimateMinutes: t.EstimateMinutes, EstimateNote: t.EstimateNote,
		EstimateState: t.EstimateState, Submission: t.Submission, ChangesRequested: t.ChangesRequested,
		GuardianRejections: t.GuardianRejections, FileCount: t.FileCount, AgentMessages: t.AgentMessages,
		OperatorMessages: t.OperatorMessages, AcceptedAt: t.AcceptedAt, StartBy: t.StartBy, StartedAt: t.StartedAt,
		SubmittedAt: t.SubmittedAt, ReviewSince: t.ReviewSince, VerifiedAt: t.VerifiedAt, PaidAt: t.PaidAt, EndedAt: t.EndedAt,
	})
}

// inHand are the states in which an operator has the task.
var inHand = []schemas.TaskStatus{schemas.EstimatePending, schemas.Accepted, schemas.InProgress}

// needs says who has to do something next.
func needs(t task) string {
	switch schemas.TaskStatus(t.Status) {
	case schemas.EstimatePending:
		return change.NeedsAgent
	case schemas.Submitted, schemas.Verified:
		return change.NeedsPlatform
	case schemas.Disputed:
		return change.NeedsOwner
	case schemas.Posted, schemas.Accepted, schemas.InProgress, schemas.ManualReview:
		return change.NeedsPeople
	default: // it is over
		return change.NeedsNothing
	}
}

// payUp empties a finished task's escrow: to the operator when it is paid, back to the
// agent otherwise. There is no other way out of escrow.
func payUp(ctx context.Context, tx *store.Tx, h happened) (err error) {
	switch t := h.Now; schemas.TaskStatus(t.Status) {
	case schemas.Paid:
		_, err = ledger.Release(ctx, tx, rewardOf(t), t.OperatorID.String)
	case schemas.Cancelled, schemas.Expired:
		_, err = ledger.Refund(ctx, tx, rewardOf(t))
	default: // the escrow stays
	}
	return err
}

func rewardOf(t task) ledger.Reward {
	return ledger.Reward{TaskID: t.ID, AgentID: t.AgentID, Asset: t.Asset}
}

// admit refuses a key that is not for tasks, whichever is named.
func admit(ctx context.Context, id string) error {
	if account.From(ctx).Opens(account.AudienceMarketplace) {
		return nil
	}
	return schemas.NewError(schemas.CodeForbidden, "This key is not for tasks. Wait for "+check.Quote(id, maxShown)+" with a key that is.")
}

func visible(ctx context.Context, _ *store.Tx, l change.Line) error {
	if account.From(ctx).SeesTasksOf(l.AgentID, l.Mode) {
		return nil
	}
	return noTask(l.ID)
}

func (s *Service) show(ctx context.Context, tx *store.Tx, id string, out *schemas.WaitResponse) error {
	v, err := s.fullView(ctx, tx, id)
	out.Items = append(out.Items, v)
	return err
}
