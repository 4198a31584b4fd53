package task_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/task"
	"humanops-mcp/schemas"
)

// proofReviews are the reviews of a task's proof in some statuses.
func (h *house) proofReviews(taskID, status string) (out []schemas.Review) {
	h.t.Helper()
	list := must(h, h.owner, h.reviews.ListReviews, schemas.ListReviewsRequest{Status: status, Limit: 100})
	for _, r := range list.Requests {
		if r.TaskID == taskID {
			out = append(out, r)
		}
	}
	return out
}

// proofReview is the one that is open.
func (h *house) proofReview(taskID string) schemas.Review {
	h.t.Helper()
	open := h.proofReviews(taskID, "open")
	require.Len(h.t, open, 1)
	return open[0]
}

func (h *house) reviewOf(r schemas.Review) schemas.Review {
	h.t.Helper()
	return must(h, h.owner, h.reviews.GetReview, schemas.ReviewRequest{RequestID: r.ID}).Request
}

func answer(r schemas.Review, word, comment string) schemas.DecideReviewRequest {
	return schemas.DecideReviewRequest{RequestID: r.ID, ResponseData: json.RawMessage(`"` + word + `"`), Comment: comment}
}

func TestProofReview(t *testing.T) {
	t.Run("a person's approval on the review pays the operator", func(t *testing.T) {
		h := newHouse(t, task.Config{})
		id := h.review(nil)
		asked := h.proofReview(id)
		require.Contains(t, asked.RequestText, "Full facade photo")
		require.Contains(t, asked.RequestText, "Here it is")
		must(h, h.owner, h.reviews.DecideReview, answer(asked, "approve", ""))
		paid := h.get(id)
		require.Equal(t, "PAID", paid.Status)
		require.Equal(t, account.From(h.owner).PersonID, paid.Submissions[0].Decision.DecidedBy)
		require.Equal(t, "cli", paid.Submissions[0].Decision.DecidedVia)
		require.Equal(t, schemas.ReviewCompleted, h.reviewOf(asked).Status)
		h.exact()
	})
	t.Run("an agent's decision ends the review, and says that it was the agent's", func(t *testing.T) {
		h := newHouse(t, task.Config{})
		id := h.review(nil)
		asked := h.proofReview(id)
		must(h, h.agent, h.DecideTask, schemas.DecideTaskRequest{TaskID: id, Submission: 1, Decision: "request_changes", Reasons: []string{"Closer, please"}})
		ended := h.reviewOf(asked)
		require.Equal(t, schemas.ReviewCancelled, ended.Status)
		require.Equal(t, "Closer, please", ended.CancelReason)
		require.Equal(t, schemas.SourceCancelled, ended.ResponseSource)
	})
	t.Run("a person's decision on the task's page completes the review with it", func(t *testing.T) {
		h := newHouse(t, task.Config{})
		id := h.review(nil)
		asked := h.proofReview(id)
		must(h, h.owner, h.DecideTask, schemas.DecideTaskRequest{TaskID: id, Submission: 1, Decision: "approve"})
		ended := h.reviewOf(asked)
		require.Equal(t, schemas.ReviewCompleted, ended.Status)
		require.JSONEq(t, `"approve"`, string(ended.ResponseValue))
		require.Equal(t, schemas.SourceHuman, ended.ResponseSource)
	})
	t.Run("a rejection asks the owners about the dispute, and nobody else", func(t *testing.T) {
		h := newHouse(t, task.Config{})
		h.join("proof", h.bob)
		id := h.review(nil)
		must(h, h.bob, h.reviews.DecideReview, answer(h.proofReview(id), "reject", "The sign is not on it"))
		require.Equal(t, "DISPUTED", h.get(id).Status)
		dispute := h.proofReview(id)
		_, err := in(h, h.bob, h.reviews.DecideReview, answer(dispute, "approve", ""))
		refused(t, err, schemas.CodeForbidden)
		must(h, h.owner, h.reviews.DecideReview, answer(dispute, "refund", "It shows another shop"))
		require.Equal(t, "CANCELLED", h.get(id).Status)
		h.exact()
	})
	t.Run("silence moves the task on, and its reviews end with it", func(t *testing.T) {
		h := newHouse(t, task.Config{})
		id := h.review(nil)
		h.pass(8, 24*time.Hour)
		require.Equal(t, "DISPUTED", h.get(id).Status)
		require.Equal(t, id, h.proofReview(id).TaskID)
		h.pass(15, 24*time.Hour)
		require.Equal(t, "PAID", h.get(id).Status)
		for _, r := range h.proofReviews(id, "done") {
			require.Equal(t, schemas.ReviewCancelled, r.Status, "silence is nobody's decision")
		}
	})
	t.Run("a test task asks nobody", func(t *testing.T) {
		h := newHouse(t, task.Config{})
		id := h.postAs(h.sandbox, func(r *schemas.PostTaskRequest) { r.Title += " [simulate: unsure]" })
		h.pass(10, time.Second)
		require.Equal(t, "MANUAL_REVIEW", h.getAs(h.sandbox, id).Status)
		require.Empty(t, h.proofReviews(id, ""))
	})
	t.Run("a task that waited before there were reviews gets one", func(t *testing.T) {
		h := newHouse(t, task.Config{})
		id := h.review(nil)
		h.write(func(tx *store.Tx) error {
			return h.reviews.CloseForTask(h.owner, tx, id, change.System, "gone", "")
		})
		for range 2 {
			h.write(func(tx *store.Tx) error { return h.AskForWaiting(context.Background(), tx) })
		}
		require.Equal(t, id, h.proofReview(id).TaskID)
	})
	t.Run("what the task refuses leaves the review open", func(t *testing.T) {
		h := newHouse(t, task.Config{})
		id := h.review(nil)
		h.remove("Ada")
		_, err := in(h, h.owner, h.reviews.DecideReview, answer(h.proofReview(id), "request_changes", "Once more"))
		refused(t, err, schemas.CodeConflict)
		require.Equal(t, schemas.ReviewPending, h.proofReview(id).Status)
	})
}

// join puts a person into a loop.
func (h *house) join(loop string, who context.Context) {
	h.t.Helper()
	must(h, h.owner, h.loops.AddMember, schemas.AddMemberRequest{LoopID: loop, UserID: account.From(who).PersonID})
}
