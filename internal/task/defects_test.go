package task_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/guardian/guardiantest"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/task"
	"humanops-mcp/schemas"
)

func (h *house) remove(name string) {
	h.t.Helper()
	h.write(func(tx *store.Tx) error {
		_, err := h.accounts.RemovePerson(h.owner, tx, schemas.PersonRequest{PersonID: name})
		return err
	})
}

func TestEstimateThatIsOver(t *testing.T) {
	h := newHouse(t, task.Config{})
	t.Run("is shown as rejected until somebody else accepts", func(t *testing.T) {
		id := h.post(func(r *schemas.PostTaskRequest) { r.EstimateApproval = "manual" })
		must(h, h.ada, h.AcceptTask, schemas.AcceptTaskRequest{TaskID: id, EstimateMinutes: 30, EstimateNote: "Ada's words"})
		must(h, h.agent, h.RejectEstimate, schemas.RejectEstimateRequest{TaskID: id})
		require.Equal(t, "rejected", h.get(id).Estimate.State)
		out := must(h, h.bob, h.AcceptTask, schemas.AcceptTaskRequest{TaskID: id})
		require.Nil(t, out.Estimate, "Bob gave none")
		require.Nil(t, h.get(id).Estimate)
	})
	t.Run("goes with the operator who gives the task back", func(t *testing.T) {
		id := h.post(nil)
		must(h, h.ada, h.AcceptTask, schemas.AcceptTaskRequest{TaskID: id, EstimateMinutes: 30, EstimateNote: "Ada's words"})
		must(h, h.ada, h.ReleaseTask, schemas.ReleaseTaskRequest{TaskID: id})
		require.Nil(t, h.get(id).Estimate)
	})
}

func TestRemovedOperator(t *testing.T) {
	t.Run("accepts nothing by a call that was under way", func(t *testing.T) {
		h := newHouse(t, task.Config{})
		id := h.post(nil)
		h.remove("Ada")
		_, err := in(h, h.ada, h.AcceptTask, schemas.AcceptTaskRequest{TaskID: id})
		refused(t, err, schemas.CodeNotFound)
		require.Equal(t, "POSTED", h.get(id).Status)
	})
	t.Run("gets nothing back from Guardian", func(t *testing.T) {
		h := seeingHouse(t, guardiantest.Serve(t, guardiantest.Scores(97, 20)).URL)
		id := h.begin(nil)
		_, err := h.SubmitProof(h.ada, schemas.SubmitProofRequest{TaskID: id, Files: []schemas.File{picture(t, 1), picture(t, 2)}})
		require.NoError(t, err)
		h.remove("Ada")
		h.work()
		v := h.get(id)
		require.Equal(t, "MANUAL_REVIEW", v.Status)
		require.Equal(t, "rejected", v.Submissions[0].Verdict.Decision)
	})
}

func TestForeignProofReadsLikeAMissingTask(t *testing.T) {
	h := newHouse(t, task.Config{})
	id := h.review(nil)
	stranger := account.With(t.Context(), account.Caller{AgentID: "ag_stranger", Mode: "live", Via: "api"})
	for _, who := range []context.Context{stranger, h.sandbox, h.bob} {
		for _, n := range []int{1, 99} {
			_, foreign := h.GetProof(who, schemas.GetProofRequest{TaskID: id, N: n})
			_, missing := h.GetProof(who, schemas.GetProofRequest{TaskID: "task_missing", N: n})
			require.Equal(t, strings.ReplaceAll(missing.Error(), "task_missing", id), refused(t, foreign, schemas.CodeNotFound).Error())
		}
	}
	for _, who := range []context.Context{h.agent, h.owner, h.ada} {
		_, err := h.GetProof(who, schemas.GetProofRequest{TaskID: id, N: 99})
		require.ErrorContains(t, refused(t, err, schemas.CodeNotFound), "no photo 99")
	}
}
