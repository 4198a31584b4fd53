package task_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/guardian/guardiantest"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
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

func TestPostingAgainWhatIsPaidAsksAPersonAgain(t *testing.T) {
	h := newHouse(t, task.Config{})
	first := h.review(nil)
	must(h, h.agent, h.DecideTask, schemas.DecideTaskRequest{TaskID: first, Submission: 1, Decision: "approve"})
	again := must(h, h.agent, h.PostTask, h.request())
	require.False(t, again.Duplicate)
	require.NotEqual(t, first, again.TaskID)
	h.exact()
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

func TestAssignToInTestMode(t *testing.T) {
	h := newHouse(t, task.Config{})
	t.Run("tells a test key nothing of real people", func(t *testing.T) {
		for _, name := range []string{"Ada", account.From(h.ada).PersonID, "Owner", "me", "Nobody at all"} {
			r := h.request()
			r.AssignTo = name
			out := must(h, h.sandbox, h.PostTask, r)
			require.Equal(t, "Simulated operator 1", out.AssignedTo, "stands in for "+name)
			require.False(t, out.Duplicate)
			require.Zero(t, must(h, h.ada, h.ListOpenTasks, schemas.ListOpenTasksRequest{}).Pagination.Total)
		}
	})
	t.Run("gives the task to the simulated person named", func(t *testing.T) {
		second := must(h, h.sandbox, h.GetBalance, schemas.Empty{}).People[1]
		r := h.request()
		r.AssignTo, r.RewardUSD = second.Name, 0
		out := must(h, h.sandbox, h.PostTask, r)
		require.Equal(t, []string{second.Name}, out.Notified)
		h.pass(1, time.Second)
		require.Equal(t, second.OperatorID, *h.getAs(h.sandbox, out.TaskID).OperatorID)
	})
}

func TestTitleStandsOnOneLine(t *testing.T) {
	h := newHouse(t, task.Config{})
	v := h.get(h.post(func(r *schemas.PostTaskRequest) {
		r.Title = "Photo\r\nBcc: all\u2028of\tit\x1b[31m"
		r.Location.Address = "1 Main St\nAustin"
		r.ProofRequirements = []string{"a\nb"}
		r.Description = "first\n\tsecond\x00\x07"
	}))
	require.Equal(t, "Photo Bcc: all of it[31m", v.Title)
	require.Equal(t, "1 Main St Austin", v.Location.Address)
	require.Equal(t, []string{"a b"}, v.ProofRequirements)
	require.Equal(t, "first\n\tsecond", v.Description, "a text keeps its lines")
	r := h.request()
	r.Title = "\x07\n"
	_, err := in(h, h.agent, h.PostTask, r)
	require.ErrorContains(t, refused(t, err, schemas.CodeInvalid), "title must have at least 1")
}

func TestRefusalsSpeakTheConfiguredVocabulary(t *testing.T) {
	h := newHouse(t, task.Config{StatusNames: "hosted"})
	id := h.post(nil)
	_, err := in(h, h.agent, h.ApproveEstimate, schemas.ApproveEstimateRequest{TaskID: id})
	e := refused(t, err, schemas.CodeConflict)
	require.Equal(t, "PENDING", e.State)
	require.NotContains(t, e.Error(), "POSTED")
	_, err = in(h, h.ada, h.StartTask, schemas.TaskRequest{TaskID: id})
	require.Equal(t, "PENDING", refused(t, err, schemas.CodeConflict).State)
}

func TestOverdueTaskWithoutAClockIsWoundUpAgain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		h := houseOn(t, s, clk, task.Config{})
		id := h.post(nil)
		review := h.review(nil)
		storetest.Exec(t, h.store, "DELETE FROM jobs WHERE kind = 'change.clock'")
		h.pass(6, time.Hour)
		require.Equal(t, "EXPIRED", h.get(id).Status)
		require.Equal(t, "MANUAL_REVIEW", h.get(review).Status)
		h.pass(8, 24*time.Hour)
		require.Equal(t, "DISPUTED", h.get(review).Status)
		require.Contains(t, h.told[len(h.told)-1], "Nobody decided on the proof in time")
		h.exact()
	})
}

func TestTitlesAreFoundInAnyScript(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		h := houseOn(t, s, clk, task.Config{})
		h.post(func(r *schemas.PostTaskRequest) { r.Title = "Äußere Fassade, 100% ЗАКАЗ" })
		for _, q := range []string{"Äußere", "fassade", "ЗАКАЗ", "100%"} {
			for _, who := range []context.Context{h.agent, h.owner} {
				page := must(h, who, h.ListTasks, schemas.ListTasksRequest{Query: q})
				require.Equal(t, 1, page.Pagination.Total, q)
				require.Len(t, page.Data, 1, q)
			}
		}
	})
}

func TestPrivateCallback(t *testing.T) {
	closed, open := newHouse(t, task.Config{}), newHouse(t, task.Config{PrivateCallbacks: true})
	for _, address := range []string{"https://localhost/hook", "https://127.0.0.1/", "https://10.1.2.3:8443/x", "https://[::1]/", "https://[::ffff:192.168.1.1]/", "https://169.254.169.254/", "https://0.0.0.0/"} {
		r := closed.request()
		r.CallbackURL = address
		_, err := in(closed, closed.agent, closed.PostTask, r)
		require.ErrorContains(t, refused(t, err, schemas.CodeInvalid), "allow_private_webhooks", address)
		open.post(func(r *schemas.PostTaskRequest) { r.CallbackURL, r.RewardUSD = address, schemas.USD })
	}
	closed.post(func(r *schemas.PostTaskRequest) { r.CallbackURL = "https://203.0.114.7/hook" })
	t.Run("goes without https where private ones are allowed, as a request's does", func(t *testing.T) {
		open.post(func(r *schemas.PostTaskRequest) { r.CallbackURL, r.Title = "http://127.0.0.1:4000/hook", "Another" })
		_, err := in(closed, closed.agent, closed.PostTask, func() schemas.PostTaskRequest {
			r := closed.request()
			r.CallbackURL = "http://127.0.0.1:4000/hook"
			return r
		}())
		require.ErrorContains(t, refused(t, err, schemas.CodeInvalid), "must be a public https address")
	})
}
