package review

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/change"
	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/lifecycle"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/schemas"
)

// stub is a task as far as reviews see it: what can be decided once.
type stub struct{ change.Line }

type stubLife = change.Life[stub, string, string, struct{}]

func stubs(c *change.Changes) *stubLife {
	return change.Register(c, change.Kind[stub, string, string, struct{}]{
		Name: "task", Life: lifecycle.New("task", []lifecycle.Rule[string, string, struct{}]{{From: "MANUAL_REVIEW", Event: "decide", To: "DISPUTED"}}),
		Owns: schemas.KindTask.Owns, Line: func(s *stub) *change.Line { return &s.Line },
		Find: func(ctx context.Context, tx *store.Tx, id string) (stub, error) {
			line, err := tx.FindSubject(ctx, id)
			return stub{line}, err
		},
		View: change.View{
			Admit:   func(context.Context, string) error { return nil },
			Visible: func(context.Context, *store.Tx, change.Line) error { return nil },
			Missing: func(string) error { return schemas.NewError(schemas.CodeNotFound, "Task not found") },
			Show:    func(context.Context, *store.Tx, string, *schemas.WaitResponse) error { return nil },
		},
	})
}

// stubDecision is what the stub's trail keeps.
type stubDecision struct {
	Decision string `json:"decision"`
}

// moveTask stands for the task service: it decides a task once.
func (sc *scene) moveTask(ctx context.Context, tx *store.Tx, d TaskDecision) error {
	task, err := sc.tasks.Lock(ctx, tx, d.TaskID)
	if err != nil {
		return err
	}
	if task.State != "MANUAL_REVIEW" {
		return &schemas.Error{Code: schemas.CodeConflict, State: task.State, Message: "The task is " + task.State + "."}
	}
	_, err = sc.tasks.Move(ctx, tx, task, change.Move[stub, string, struct{}]{
		Event: "decide", By: d.By, With: stubDecision{d.Decision + strings.Join(d.Reasons, "")},
	})
	return err
}

func (sc *scene) taskDecision(id string) string {
	list := storetest.Texts(sc.t, sc.store, "SELECT data FROM trail WHERE subject_id = $1 AND kind = 'task.decide'", id)
	require.Len(sc.t, list, 1)
	var d stubDecision
	require.NoError(sc.t, json.Unmarshal([]byte(list[0]), &d))
	return d.Decision
}

// proof opens the review of a task's first submission.
func (sc *scene) proof(disputed bool) (taskID, id string) {
	sc.t.Helper()
	sc.OnTaskDecision(sc.moveTask)
	taskID = "task_" + ident.Hex()
	sc.write(func(tx *store.Tx) error {
		ctx, now := sc.t.Context(), store.Micros(tx.Now())
		agent, err := sc.Accounts.LocalAgentID(ctx, tx)
		require.NoError(sc.t, err)
		require.NoError(sc.t, tx.InsertTask(ctx, db.InsertTaskParams{
			ID: taskID, AgentID: agent, Mode: "live", Title: "Photo", TaskType: "PHOTO", Asset: "house", Deadline: store.Micros(tx.Now().Add(time.Hour)),
			ProofRequirements: "[]", EstimateApproval: "auto", ContentHash: taskID, CreatedAt: now,
		}))
		_, err = sc.tasks.Open(ctx, tx, stub{change.Line{ID: taskID, AgentID: agent, Mode: "live", State: "MANUAL_REVIEW", CreatedAt: now}}, change.Opening[string]{
			Event: "open", By: change.System,
		})
		require.NoError(sc.t, err)
		require.NoError(sc.t, sc.OpenForTask(ctx, tx, TaskReview{
			TaskID: taskID, AgentID: agent, Title: "Photo of a shop", Text: "Two photos were handed in.", Submission: 1, Disputed: disputed,
			ExpiresAt: tx.Now().Add(7 * 24 * time.Hour),
		}))
		id, err = tx.OpenReviewOfTask(ctx, taskID)
		return err
	})
	return taskID, id
}

func TestProofs(t *testing.T) {
	onBoth(t, Config{PrivateCallbacks: true}, func(t *testing.T, sc *scene) {
		subscribed(sc)
		ada := sc.ada
		do(sc, sc.owner, sc.AddMember, schemas.AddMemberRequest{LoopID: "proof", UserID: idOf(ada)})
		t.Run("are decided by a person of the proof loop, and the task moves with it", func(t *testing.T) {
			taskID, id := sc.proof(false)
			_, err := sc.answer(ada, id, `"request_changes"`)
			denied(t, err, schemas.CodeInvalid, "comment must say why")
			decision := sc.reply(id, `"request_changes"`)
			decision.Comment = "blurred"
			v := do(sc, ada, sc.DecideReview, decision).Request
			require.Equal(t, "needs_changes", v.Decision)
			require.Equal(t, "request_changesblurred", sc.taskDecision(taskID))
			_, err = attempt(sc, sc.agent, sc.OpenRound, schemas.OpenRoundRequest{RequestID: id})
			denied(t, err, schemas.CodeConflict, "begins when the operator submits again")
			sc.ended(id)
		})
		t.Run("in dispute are for owners alone", func(t *testing.T) {
			taskID, id := sc.proof(true)
			_, err := sc.answer(ada, id, `"approve"`)
			require.Error(t, err)
			decision := sc.reply(id, `"refund"`)
			decision.Comment = "wrong shop"
			require.Equal(t, "rejected", do(sc, sc.owner, sc.DecideReview, decision).Request.Decision)
			require.Equal(t, "refundwrong shop", sc.taskDecision(taskID))
		})
		t.Run("stay undecided when the task refuses", func(t *testing.T) {
			taskID, id := sc.proof(false)
			sc.exec("UPDATE subjects SET state = 'EXPIRED' WHERE id = $1", taskID)
			_, err := sc.answer(sc.owner, id, `"approve"`)
			require.Equal(t, "EXPIRED", denied(t, err, schemas.CodeConflict, "The task is EXPIRED").State)
			require.EqualValues(t, "pending", sc.row(id).Status)
		})
		t.Run("end with the task, and say how", func(t *testing.T) {
			for who, want := range map[string]string{"ag_1": "cancelled cancelled ", idOf(sc.owner): "completed human approved", "system": "cancelled cancelled "} {
				taskID, id := sc.proof(false)
				sc.write(func(tx *store.Tx) error {
					require.NoError(t, change.Hold(t.Context(), tx, taskID))
					return sc.CloseForTask(t.Context(), tx, taskID, change.Actor{ID: who, Via: "api"}, "Approved on the task's page.", "approve")
				})
				r := sc.row(id)
				require.Equal(t, want, r.Status+" "+r.ResponseSource+" "+r.Decision)
				sc.ended(id)
			}
		})
		t.Run("are one at a time for each task", func(t *testing.T) {
			taskID, first := sc.proof(false)
			agent := sc.row(first).AgentID
			sc.write(func(tx *store.Tx) error {
				return sc.OpenForTask(t.Context(), tx, TaskReview{TaskID: taskID, AgentID: agent, Title: "x", Text: "y", Submission: 1, Disputed: true})
			})
			require.EqualValues(t, "cancelled", sc.row(first).Status)
			_, err := attempt(sc, sc.owner, sc.CancelReview, schemas.CancelReviewRequest{RequestID: first})
			denied(t, err, schemas.CodeConflict, "")
		})
		t.Run("cannot be cancelled or changed apart from their task", func(t *testing.T) {
			_, id := sc.proof(false)
			_, err := attempt(sc, sc.agent, sc.CancelReview, schemas.CancelReviewRequest{RequestID: id})
			denied(t, err, schemas.CodeConflict, "ends with the task's decision")
			_, err = attempt(sc, sc.agent, sc.UpdateReview, schemas.UpdateReviewRequest{RequestID: id, DefaultResponse: json.RawMessage(`"approve"`)})
			denied(t, err, schemas.CodeConflict, "cannot be changed")
		})
	})
}
