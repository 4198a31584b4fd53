package review

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/change"
	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/lifecycle"
	"humanops-mcp/internal/review/ask"
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

func TestTheAnswersAboutProofAreThoseOfTheContract(t *testing.T) {
	require.Equal(t, `{"options":[{"value":"approve","label":"Approve","description":"The operator is paid"},`+
		`{"value":"request_changes","label":"Request changes","description":"The operator submits again"},`+
		`{"value":"reject","label":"Reject","description":"Opens a dispute, which an owner settles"}]}`, proofConfig)
	require.Equal(t, `{"options":[{"value":"approve","label":"Approve","description":"The operator is paid"},`+
		`{"value":"refund","label":"Refund","description":"The agent gets the reward back"}]}`, disputeConfig)
}

func TestReasonsAreTheLinesOfAComment(t *testing.T) {
	for name, test := range map[string]struct {
		comment string
		reasons []string
	}{
		"none":                          {"", nil},
		"one":                           {"Too dark", []string{"Too dark"}},
		"one on each line":              {"Too dark\r\n\n  No sign  \n", []string{"Too dark", "No sign"}},
		"twenty":                        {strings.Repeat("x\n", 20), slices.Repeat([]string{"x"}, 20)},
		"more share one":                {strings.Repeat("x\n", 21), []string{strings.TrimSpace(strings.Repeat("x\n", 21))}},
		"a long line breaks at a space": {strings.Repeat("a", 300) + " " + strings.Repeat("b", 300), []string{strings.Repeat("a", 300), strings.Repeat("b", 300)}},
		"a long word breaks anywhere":   {strings.Repeat("ä", 501), []string{strings.Repeat("ä", 500), "ä"}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.reasons, reasonsIn(test.comment)) })
	}
}

// Whatever is written, tasks take it: every word, in reasons that are short and few enough.
func FuzzReasonsLoseNothing(f *testing.F) {
	for _, comment := range []string{"a\nb", strings.Repeat("word ", 400), strings.Repeat("x\n", 1000), "a " + strings.Repeat("b", 1990), strings.Repeat("\u2028 ", 900), strings.Repeat("?"+strings.Repeat("\u2028 ", 400), 2)} {
		f.Add(comment)
	}
	f.Fuzz(func(t *testing.T, comment string) {
		comment = cut(strings.ToValidUTF8(comment, "?"), maxComment)
		reasons := reasonsIn(comment)
		require.LessOrEqual(t, len(reasons), maxReasons)
		for _, reason := range reasons {
			require.LessOrEqual(t, utf8.RuneCountInString(reason), ask.MaxReason)
			require.Equal(t, strings.TrimSpace(reason), reason)
			require.NotEmpty(t, reason)
		}
		letters := func(text string) string { return strings.Join(strings.Fields(text), "") }
		require.Equal(t, letters(comment), letters(strings.Join(reasons, "\n")))
	})
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
		t.Run("give the task every reason that was written", func(t *testing.T) {
			taskID, id := sc.proof(false)
			decision := sc.reply(id, `"request_changes"`)
			decision.Comment = "blurred\n\ncrooked"
			do(sc, ada, sc.DecideReview, decision)
			require.Equal(t, "request_changesblurredcrooked", sc.taskDecision(taskID))
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
		t.Run("are one at a time for each task, and the open one is the task's", func(t *testing.T) {
			taskID, first := sc.proof(false)
			ofTask := func() (id string, submission int, disputed bool) {
				sc.write(func(tx *store.Tx) (err error) {
					var open bool
					id, open, err = sc.OfTask(t.Context(), tx, taskID)
					require.NoError(t, err)
					require.True(t, open)
					submission, disputed, err = sc.AboutProof(t.Context(), tx, id)
					return err
				})
				return id, submission, disputed
			}
			id, submission, disputed := ofTask()
			require.Equal(t, first, id)
			require.Equal(t, 1, submission)
			require.False(t, disputed)
			agent := sc.row(first).AgentID
			sc.write(func(tx *store.Tx) error {
				return sc.OpenForTask(t.Context(), tx, TaskReview{TaskID: taskID, AgentID: agent, Title: "x", Text: "y", Submission: 1, Disputed: true})
			})
			require.EqualValues(t, "cancelled", sc.row(first).Status)
			id, _, disputed = ofTask()
			require.NotEqual(t, first, id)
			require.True(t, disputed)
			sc.write(func(tx *store.Tx) error {
				none, _, err := sc.OfTask(t.Context(), tx, "task_none")
				require.Empty(t, none)
				return err
			})
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
