package review

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// moveTask stands for the task service: it decides a task once.
func moveTask(ctx context.Context, tx *store.Tx, d TaskDecision) error {
	task, err := tx.LockTask(ctx, d.TaskID)
	if err != nil {
		return err
	}
	if task.Status != "MANUAL_REVIEW" {
		return &schemas.Error{Code: schemas.CodeConflict, State: task.Status, Message: "The task is " + task.Status + "."}
	}
	_, err = tx.Exec(ctx, "UPDATE tasks SET status = 'DISPUTED', description = $1 WHERE id = $2", d.Decision+strings.Join(d.Reasons, ""), d.TaskID)
	return err
}

func (sc *scene) taskDecision(id string) (decision string) {
	sc.write(func(tx *store.Tx) error {
		task, err := tx.FindTask(sc.t.Context(), id)
		decision = task.Description
		return err
	})
	return decision
}

// proof opens the review of a task's first submission.
func (sc *scene) proof(disputed bool) (taskID, id string) {
	sc.t.Helper()
	sc.OnTaskDecision(moveTask)
	sc.write(func(tx *store.Tx) error {
		ctx := sc.t.Context()
		agent, err := sc.Accounts.LocalAgentID(ctx, tx)
		require.NoError(sc.t, err)
		taskID = "task_" + strconv.FormatInt(int64(sc.count(tx, "SELECT COUNT(*) FROM tasks")), 10)
		require.NoError(sc.t, tx.InsertTask(ctx, db.InsertTaskParams{
			ID: taskID, AgentID: agent, Mode: "live", Title: "Photo", TaskType: "PHOTO", Asset: "house", Deadline: store.Micros(tx.Now().Add(time.Hour)),
			ProofRequirements: "[]", EstimateApproval: "auto", ContentHash: taskID, CreatedAt: store.Micros(tx.Now()),
		}))
		_, err = tx.Exec(ctx, "UPDATE tasks SET status = 'MANUAL_REVIEW' WHERE id = $1", taskID)
		require.NoError(sc.t, err)
		require.NoError(sc.t, sc.OpenForTask(ctx, tx, TaskReview{
			TaskID: taskID, AgentID: agent, Title: "Photo of a shop", Text: "Two photos were handed in.", Submission: 1, Disputed: disputed,
			ExpiresAt: tx.Now().Add(7 * 24 * time.Hour),
		}))
		r, err := tx.OpenReviewOfTask(ctx, taskID)
		id = r.ID
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
			sc.exec("UPDATE tasks SET status = 'EXPIRED' WHERE id = $1", taskID)
			_, err := sc.answer(sc.owner, id, `"approve"`)
			require.Equal(t, "EXPIRED", denied(t, err, schemas.CodeConflict, "The task is EXPIRED").State)
			require.EqualValues(t, "pending", sc.row(id).Status)
		})
		t.Run("end with the task, and say how", func(t *testing.T) {
			for who, want := range map[string]string{"ag_1": "cancelled cancelled ", idOf(sc.owner): "completed human approved", "system": "cancelled cancelled "} {
				taskID, id := sc.proof(false)
				sc.write(func(tx *store.Tx) error {
					_, err := tx.LockTask(t.Context(), taskID)
					require.NoError(t, err)
					return sc.CloseForTask(t.Context(), tx, taskID, who, "api", "Approved on the task's page.", "approve")
				})
				r := sc.row(id)
				require.Equal(t, want, r.Status+" "+r.ResponseSource+" "+r.Decision)
				sc.ended(id)
			}
		})
		t.Run("are one at a time for each task", func(t *testing.T) {
			taskID, first := sc.proof(false)
			sc.write(func(tx *store.Tx) error {
				return sc.OpenForTask(t.Context(), tx, TaskReview{TaskID: taskID, AgentID: sc.row2(tx, first).AgentID, Title: "x", Text: "y", Submission: 1, Disputed: true})
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

func (sc *scene) row2(tx *store.Tx, id string) db.Review {
	r, err := tx.FindReview(sc.t.Context(), id)
	require.NoError(sc.t, err)
	return r
}
