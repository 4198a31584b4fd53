package task_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/task"
	"humanops-mcp/schemas"
)

func titled(title string) func(*schemas.PostTaskRequest) {
	return func(r *schemas.PostTaskRequest) { r.Title = title }
}

func TestSimulation(t *testing.T) {
	h := newHouse(t, task.Config{})
	// end lets the simulation run until nothing moves, and checks the money.
	end := func(t *testing.T, id string) schemas.TaskView {
		h.pass(12, time.Second)
		v := h.getAs(h.sandbox, id)
		require.True(t, v.Sandbox)
		h.exact()
		return v
	}
	t.Run("leads to payment by itself, with photos that say so", func(t *testing.T) {
		v := end(t, h.postAs(h.sandbox, titled("Photo of storefront")))
		require.Equal(t, "PAID", v.Status)
		require.Equal(t, "simulated", v.Submissions[0].Verdict.Method)
		require.Equal(t, 97, v.Submissions[0].Verdict.Confidence)
		require.Len(t, v.Submissions[0].Files, 2)
		require.True(t, v.Submissions[0].Files[0].Ready)
		require.Equal(t, "approved", v.Estimate.State)
		require.Empty(t, h.told, "nobody real is told of a test")
	})
	t.Run("is the same for the same task", func(t *testing.T) {
		one, two := end(t, h.postAs(h.sandbox, titled("Twice"))), end(t, h.postAs(h.sandbox, titled("Twice")))
		require.Equal(t, one.Estimate.Minutes, two.Estimate.Minutes)
		require.Equal(t, one.Operator.Name, two.Operator.Name)
		require.Equal(t, one.Submissions[0].Files[0].SHA256, two.Submissions[0].Files[0].SHA256)
	})
	t.Run("asks for the estimate's approval when told to", func(t *testing.T) {
		id := h.postAs(h.sandbox, func(r *schemas.PostTaskRequest) { r.EstimateApproval = "manual" })
		require.Equal(t, "ESTIMATE_PENDING", end(t, id).Status)
		must(h, h.sandbox, h.ApproveEstimate, schemas.ApproveEstimateRequest{TaskID: id})
		require.Equal(t, "PAID", end(t, id).Status)
	})
	for title, want := range map[string]string{
		"[simulate: nobody] x": "POSTED", "[simulate: estimate] x": "ESTIMATE_PENDING", "[simulate: no-show] x": "ACCEPTED",
		"[simulate: silent] x": "IN_PROGRESS", "[Simulate: Unsure] x": "MANUAL_REVIEW", "[simulate: reject] x": "MANUAL_REVIEW",
	} {
		t.Run("is steered by "+title+" to "+want, func(t *testing.T) {
			id := h.postAs(h.sandbox, titled(title))
			v := end(t, id)
			require.Equal(t, want, v.Status)
			if want == "MANUAL_REVIEW" {
				v = must(h, h.sandbox, h.DecideTask, schemas.DecideTaskRequest{TaskID: id, Submission: v.Submission, Decision: "reject", Reasons: []string{"no"}})
				require.Equal(t, "DISPUTED", v.Status)
				require.Equal(t, "CANCELLED", end(t, id).Status)
				return
			}
			h.pass(1, 5*time.Hour)
			require.Equal(t, "EXPIRED", end(t, id).Status)
		})
	}
	t.Run("asks a question and goes on when it is answered", func(t *testing.T) {
		id := h.postAs(h.sandbox, titled("[simulate: question] x"))
		v := end(t, id)
		require.Equal(t, "IN_PROGRESS", v.Status)
		require.Len(t, v.OpenQuestions, 1)
		must(h, h.sandbox, h.PostMessage, schemas.PostMessageRequest{TaskID: id, Text: "Yes", ReplyTo: v.OpenQuestions[0].MessageID})
		require.Equal(t, "PAID", end(t, id).Status)
	})
	t.Run("never touches a live task", func(t *testing.T) {
		id := h.post(titled("[simulate: unsure] live"))
		h.pass(12, time.Second)
		require.Equal(t, "POSTED", h.get(id).Status)
	})
}
