package task_test

import (
	"context"
	"io"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/event"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/internal/task"
	"humanops-mcp/schemas"
)

func TestPost(t *testing.T) {
	h := newHouse(t, task.Config{LocalDailyCap: 100 * schemas.USD})

	t.Run("takes the escrow and tells who can be reached", func(t *testing.T) {
		out := must(h, h.agent, h.PostTask, h.request())
		require.Equal(t, "POSTED", out.Status)
		require.Equal(t, "PENDING", out.HostedStatus)
		require.Equal(t, 15*schemas.USD, out.EscrowUSD)
		require.GreaterOrEqual(t, out.PeopleInReach, 2)
		require.Contains(t, out.Notified, "Ada")
		require.False(t, out.New, "what the agent did itself is no news")
		require.Equal(t, out.TaskView, h.get(out.TaskID), "the answer is what a reading gives")
		balance := must(h, h.agent, h.GetBalance, schemas.Empty{})
		require.Equal(t, 985*schemas.USD, balance.DepositBalance)
		require.Equal(t, 15*schemas.USD, balance.EscrowBalance)
		require.Equal(t, 85*schemas.USD, balance.Limits.DailyLeft)
		require.Equal(t, 1, balance.Limits.ActiveTasks)
	})
	t.Run("gives the earlier task when the same is posted again", func(t *testing.T) {
		first := h.post(nil)
		again := must(h, h.agent, h.PostTask, h.request())
		require.True(t, again.Duplicate)
		require.Equal(t, first, again.TaskID)
		must(h, h.agent, h.CancelTask, schemas.CancelTaskRequest{TaskID: first})
		h.clock.Advance(11 * time.Minute)
		fresh := must(h, h.agent, h.PostTask, h.request())
		require.False(t, fresh.Duplicate)
		must(h, h.agent, h.CancelTask, schemas.CancelTaskRequest{TaskID: fresh.TaskID})
	})
	t.Run("stops at the daily cap, which counts what was not refunded", func(t *testing.T) {
		r := h.request()
		r.Title, r.RewardUSD = "Expensive", 90*schemas.USD
		_, err := in(h, h.agent, h.PostTask, r)
		require.ErrorContains(t, refused(t, err, schemas.CodeUnprocessable), "$85.00 is left today")
		r.RewardUSD = 85 * schemas.USD
		id := must(h, h.agent, h.PostTask, r).TaskID
		must(h, h.agent, h.CancelTask, schemas.CancelTaskRequest{TaskID: id})
	})
	t.Run("does not bind test tasks to caps or types", func(t *testing.T) {
		r := h.request()
		r.RewardUSD, r.TaskType = 5000*schemas.USD, "CAPTCHA_SOLVING"
		out := must(h, h.sandbox, h.PostTask, r)
		require.True(t, out.Sandbox)
		_, err := in(h, h.agent, h.PostTask, func() schemas.PostTaskRequest { r.RewardUSD = schemas.USD; return r }())
		refused(t, err, schemas.CodeUnprocessable)
	})
	t.Run("asks only the person named by assign_to, for nothing if need be", func(t *testing.T) {
		out := must(h, h.agent, h.PostTask, func() schemas.PostTaskRequest {
			r := h.request()
			r.RewardUSD, r.AssignTo = 0, "Bob"
			return r
		}())
		require.Equal(t, []string{"Bob"}, out.Notified)
		require.Equal(t, "Bob", out.AssignedTo)
		_, err := in(h, h.ada, h.GetOpenTask, schemas.TaskRequest{TaskID: out.TaskID})
		refused(t, err, schemas.CodeNotFound)
		require.True(t, must(h, h.bob, h.GetOpenTask, schemas.TaskRequest{TaskID: out.TaskID}).Assigned)
		r := h.request()
		r.AssignTo = "Nobody"
		_, err = in(h, h.agent, h.PostTask, r)
		require.ErrorContains(t, refused(t, err, schemas.CodeInvalid), "assign_to")
	})
	t.Run("leaves nothing behind when the balance does not cover it", func(t *testing.T) {
		rich := newHouse(t, task.Config{})
		r := rich.request()
		r.RewardUSD = 1001 * schemas.USD
		_, err := in(rich, rich.agent, rich.PostTask, r)
		require.ErrorContains(t, refused(t, err, schemas.CodePaymentRequired), "Insufficient b")
		require.Zero(t, must(rich, rich.agent, rich.ListTasks, schemas.ListTasksRequest{}).Pagination.Total)
		rich.exact()
	})
	h.exact()
}

func TestWholeLife(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		h := houseOn(t, s, clk, task.Config{})
		id := h.review(nil)
		v := h.get(id)
		require.True(t, v.New)
		require.Len(t, v.Submissions, 1)
		require.Len(t, v.Submissions[0].Files, 2)
		require.True(t, v.Submissions[0].Files[0].Ready)
		require.Equal(t, "completeness", v.Submissions[0].Verdict.Method)
		require.Equal(t, 2, v.ChangesLeft)
		require.Equal(t, 15*schemas.USD, must(h, h.ada, h.GetEarnings, schemas.Empty{}).PendingBalance)

		v = must(h, h.agent, h.DecideTask, schemas.DecideTaskRequest{TaskID: id, Submission: 1, Decision: "approve"})
		require.Equal(t, "PAID", v.Status)
		require.Equal(t, "COMPLETED", v.HostedStatus)
		require.Zero(t, v.EscrowUSD)
		require.Equal(t, "api", v.Submissions[0].Decision.DecidedVia)
		require.False(t, v.Timestamps.VerifiedAt.IsZero())
		earned := must(h, h.ada, h.GetEarnings, schemas.Empty{})
		require.Equal(t, 15*schemas.USD, earned.TotalEarned)
		require.Len(t, earned.RecentTasks, 1)
		h.work()
		require.NotEmpty(t, h.told)
		h.exact()
		h.write(func(tx *store.Tx) error {
			events, err := event.List(t.Context(), tx, id, 0, 100)
			require.NoError(t, err)
			kinds := make([]string, len(events))
			for i, e := range events {
				kinds[i] = strings.TrimPrefix(e.Kind, "task.")
			}
			require.ElementsMatch(t, []string{"posted", "accept", "start", "submit", "guardian_unsure", "approve", "settle"}, kinds)
			return nil
		})
	})
}

func TestCancel(t *testing.T) {
	h := newHouse(t, task.Config{})
	t.Run("refunds all before work begins", func(t *testing.T) {
		id := h.post(nil)
		must(h, h.ada, h.AcceptTask, schemas.AcceptTaskRequest{TaskID: id})
		out := must(h, h.agent, h.CancelTask, schemas.CancelTaskRequest{TaskID: id, Reason: "no longer needed"})
		require.Equal(t, 15*schemas.USD, out.RefundedUSD)
		require.Equal(t, 1000*schemas.USD, must(h, h.agent, h.GetBalance, schemas.Empty{}).DepositBalance)
	})
	t.Run("is refused once work has begun, and names the state", func(t *testing.T) {
		id := h.begin(nil)
		_, err := in(h, h.agent, h.CancelTask, schemas.CancelTaskRequest{TaskID: id})
		require.Equal(t, "IN_PROGRESS", refused(t, err, schemas.CodeConflict).State)
	})
	h.exact()
}

func TestEstimate(t *testing.T) {
	h := newHouse(t, task.Config{})
	t.Run("that fits is approved at once", func(t *testing.T) {
		id := h.post(nil)
		out := must(h, h.ada, h.AcceptTask, schemas.AcceptTaskRequest{TaskID: id, EstimateHours: 2})
		require.Equal(t, "ACCEPTED", out.Status)
		require.Equal(t, "approved", out.Estimate.State)
		require.Equal(t, h.clock.Now().Add(2*time.Hour), out.StartBy)
		must(h, h.ada, h.ReleaseTask, schemas.ReleaseTaskRequest{TaskID: id})
	})
	t.Run("that does not fit waits for the agent, who names it", func(t *testing.T) {
		id := h.post(nil)
		out := must(h, h.ada, h.AcceptTask, schemas.AcceptTaskRequest{TaskID: id, EstimateDays: 2, EstimateNote: "far away"})
		require.Equal(t, "ESTIMATE_PENDING", out.Status)
		_, err := in(h, h.agent, h.ApproveEstimate, schemas.ApproveEstimateRequest{TaskID: id, EstimateID: "est_other"})
		refused(t, err, schemas.CodeConflict)
		back := must(h, h.agent, h.RejectEstimate, schemas.RejectEstimateRequest{TaskID: id, EstimateID: out.Estimate.EstimateID, Reason: "too long"})
		require.Equal(t, "POSTED", back.Status)
		require.Nil(t, h.get(id).OperatorID)
		must(h, h.agent, h.CancelTask, schemas.CancelTaskRequest{TaskID: id})
	})
	t.Run("waits when the agent asked to be asked", func(t *testing.T) {
		id := h.post(func(r *schemas.PostTaskRequest) { r.EstimateApproval = "manual" })
		must(h, h.ada, h.AcceptTask, schemas.AcceptTaskRequest{TaskID: id, EstimateMinutes: 30})
		out := must(h, h.agent, h.ApproveEstimate, schemas.ApproveEstimateRequest{TaskID: id})
		require.Equal(t, "ACCEPTED", out.Status)
		require.Equal(t, "Ada", out.Operator.Name)
		h.pass(1, 31*time.Minute)
		require.Equal(t, "POSTED", h.get(id).Status, "not started within its estimate")
	})
	h.exact()
}

func TestOperator(t *testing.T) {
	h := newHouse(t, task.Config{})
	t.Run("has three tasks at most", func(t *testing.T) {
		ids := make([]string, 4)
		for i := range ids {
			ids[i] = h.post(nil)
		}
		for _, id := range ids[:3] {
			must(h, h.ada, h.AcceptTask, schemas.AcceptTaskRequest{TaskID: id})
		}
		_, err := in(h, h.ada, h.AcceptTask, schemas.AcceptTaskRequest{TaskID: ids[3]})
		refused(t, err, schemas.CodeConflict)
		require.Equal(t, 3, must(h, h.ada, h.ListOpenTasks, schemas.ListOpenTasksRequest{Mine: true}).Pagination.Total)
		require.Equal(t, 1, must(h, h.bob, h.ListOpenTasks, schemas.ListOpenTasksRequest{}).Pagination.Total)
	})
	t.Run("gives back what they have when they are removed", func(t *testing.T) {
		h.write(func(tx *store.Tx) error {
			_, err := h.accounts.RemovePerson(h.owner, tx, schemas.PersonRequest{PersonID: "Ada"})
			return err
		})
		require.Equal(t, 4, must(h, h.bob, h.ListOpenTasks, schemas.ListOpenTasksRequest{}).Pagination.Total)
	})
	t.Run("gives back to review what was once submitted", func(t *testing.T) {
		other := newHouse(t, task.Config{})
		id := other.review(nil)
		must(other, other.agent, other.DecideTask, schemas.DecideTaskRequest{TaskID: id, Submission: 1, Decision: "request_changes", Reasons: []string{"blurred"}})
		must(other, other.ada, other.ReleaseTask, schemas.ReleaseTaskRequest{TaskID: id})
		require.Equal(t, "MANUAL_REVIEW", other.get(id).Status)
		must(other, other.agent, other.DecideTask, schemas.DecideTaskRequest{TaskID: id, Submission: 1, Decision: "approve"})
		require.Equal(t, 15*schemas.USD, must(other, other.ada, other.GetEarnings, schemas.Empty{}).TotalEarned)
		other.exact()
	})
	h.exact()
}

func TestProof(t *testing.T) {
	h := newHouse(t, task.Config{OperatorQuota: 3 << 20})
	t.Run("is refused with the name of the file", func(t *testing.T) {
		id := h.begin(nil)
		_, err := h.SubmitProof(h.ada, schemas.SubmitProofRequest{TaskID: id, Files: []schemas.File{picture(t, 1), upload("x.jpg", []byte("just some text"))}})
		require.Equal(t, "files[1]", refused(t, err, schemas.ErrorCode(err)).Fields[0].Field)
		_, err = h.SubmitProof(h.ada, schemas.SubmitProofRequest{TaskID: id})
		refused(t, err, schemas.CodeInvalid)
		big := picture(t, 1)
		big.Size = 26 << 20
		_, err = h.SubmitProof(h.ada, schemas.SubmitProofRequest{TaskID: id, Files: []schemas.File{big}})
		refused(t, err, schemas.CodeTooLarge)
		_, err = h.SubmitProof(h.bob, schemas.SubmitProofRequest{TaskID: id, Note: "mine"})
		refused(t, err, schemas.CodeNotFound)
		require.Equal(t, "IN_PROGRESS", h.get(id).Status)
		must(h, h.ada, h.ReleaseTask, schemas.ReleaseTaskRequest{TaskID: id})
	})
	t.Run("is handed in once", func(t *testing.T) {
		id := h.begin(nil)
		_, err := h.SubmitProof(h.ada, schemas.SubmitProofRequest{TaskID: id, Note: "done"})
		require.NoError(t, err)
		_, err = h.SubmitProof(h.ada, schemas.SubmitProofRequest{TaskID: id, Note: "done"})
		require.Equal(t, "SUBMITTED", refused(t, err, schemas.CodeConflict).State)
	})
	t.Run("can be seen by its link and by those concerned, as copies without the original", func(t *testing.T) {
		id := h.begin(nil)
		_, err := h.SubmitProof(h.ada, schemas.SubmitProofRequest{TaskID: id, Files: []schemas.File{picture(t, 1)}})
		require.NoError(t, err)
		_, err = h.GetProof(h.agent, schemas.GetProofRequest{TaskID: id, N: 1})
		require.NotZero(t, refused(t, err, schemas.CodeUnavailable).RetryAfterSeconds)
		h.work()
		for _, who := range []context.Context{h.agent, h.owner, h.ada} {
			content, err := h.GetProof(who, schemas.GetProofRequest{TaskID: id, N: 1, Size: "thumb"})
			require.NoError(t, err)
			raw, err := io.ReadAll(content.Body)
			require.NoError(t, err)
			require.NoError(t, content.Body.Close())
			require.Len(t, raw, int(content.Size))
		}
		for _, who := range []context.Context{h.bob, h.sandbox, t.Context()} {
			_, err = h.GetProof(who, schemas.GetProofRequest{TaskID: id, N: 1})
			refused(t, err, schemas.CodeNotFound)
		}
		link := linkOf(t, h.get(id).Submissions[0].Files[0].URL)
		link.TaskID, link.N = id, 1
		content, err := h.GetProof(t.Context(), link)
		require.NoError(t, err)
		require.NoError(t, content.Body.Close())
		link.N = 2
		_, err = h.GetProof(t.Context(), link)
		refused(t, err, schemas.CodeUnauthenticated)
	})
	t.Run("stops at the operator's quota", func(t *testing.T) {
		small := newHouse(t, task.Config{OperatorQuota: 1000})
		id := small.begin(nil)
		_, err := small.SubmitProof(small.ada, schemas.SubmitProofRequest{TaskID: id, Files: []schemas.File{picture(t, 1)}})
		require.ErrorContains(t, refused(t, err, schemas.CodeTooLarge), "files")
	})
	h.exact()
}

func linkOf(t *testing.T, address string) schemas.GetProofRequest {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	expires, err := strconv.ParseInt(u.Query().Get("expires"), 10, 64)
	require.NoError(t, err)
	return schemas.GetProofRequest{Size: u.Query().Get("size"), For: u.Query().Get("for"), Expires: expires, Signature: u.Query().Get("signature")}
}

func TestDecide(t *testing.T) {
	h := newHouse(t, task.Config{})
	decide := func(ctx context.Context, id string, submission int, decision string, reasons ...string) (schemas.TaskView, error) {
		return in(h, ctx, h.DecideTask, schemas.DecideTaskRequest{TaskID: id, Submission: submission, Decision: decision, Reasons: reasons})
	}
	t.Run("names the submission", func(t *testing.T) {
		_, err := decide(h.agent, h.review(nil), 2, "approve")
		require.ErrorContains(t, refused(t, err, schemas.CodeConflict), "number 1")
	})
	t.Run("needs reasons unless it approves", func(t *testing.T) {
		_, err := decide(h.agent, h.review(nil), 1, "reject")
		refused(t, err, schemas.CodeInvalid)
	})
	t.Run("asks for changes twice, each with a day more", func(t *testing.T) {
		id := h.review(nil)
		for n := 1; n <= 2; n++ {
			before := h.get(id).Deadline
			v, err := decide(h.agent, id, n, "request_changes", "blurred")
			require.NoError(t, err)
			require.Equal(t, "IN_PROGRESS", v.Status)
			require.Equal(t, before.Add(24*time.Hour), v.Deadline)
			_, err = h.SubmitProof(h.ada, schemas.SubmitProofRequest{TaskID: id, Files: []schemas.File{picture(t, 1), picture(t, 2)}})
			require.NoError(t, err)
			h.work()
		}
		v := h.get(id)
		require.Equal(t, 3, v.Submission)
		require.Equal(t, 5, v.Submissions[2].Files[0].N)
		_, err := decide(h.agent, id, 3, "request_changes", "again")
		refused(t, err, schemas.CodeConflict)
	})
	t.Run("leaves a dispute to the owner", func(t *testing.T) {
		id := h.review(nil)
		v, err := decide(h.agent, id, 1, "reject", "wrong shop")
		require.NoError(t, err)
		require.Equal(t, "DISPUTED", v.Status)
		_, err = decide(h.agent, id, 1, "approve")
		refused(t, err, schemas.CodeForbidden)
		v, err = decide(h.owner, id, 1, "refund", "indeed the wrong shop")
		require.NoError(t, err)
		require.Equal(t, "CANCELLED", v.Status)
		require.Equal(t, "cli", v.Submissions[0].Decision.DecidedVia)
	})
	h.exact()
}

func TestTime(t *testing.T) {
	t.Run("expires and refunds what nobody did", func(t *testing.T) {
		h := newHouse(t, task.Config{})
		ids := []string{h.post(nil), h.begin(nil)}
		h.pass(1, 5*time.Hour)
		for _, id := range ids {
			require.Equal(t, "EXPIRED", h.get(id).Status)
		}
		require.Equal(t, 1000*schemas.USD, must(h, h.agent, h.GetBalance, schemas.Empty{}).DepositBalance)
		h.exact()
	})
	t.Run("brings silence to a dispute and then pays the operator", func(t *testing.T) {
		h := newHouse(t, task.Config{})
		id := h.review(nil)
		h.pass(1, 7*24*time.Hour)
		require.Equal(t, "DISPUTED", h.get(id).Status)
		h.pass(1, 14*24*time.Hour)
		v := h.get(id)
		require.Equal(t, "PAID", v.Status)
		require.Equal(t, "timeout", v.Submissions[0].Decision.DecidedVia)
		require.Equal(t, 15*schemas.USD, must(h, h.ada, h.GetEarnings, schemas.Empty{}).TotalEarned)
		h.exact()
	})
	t.Run("moves with the platform's own absence", func(t *testing.T) {
		h := newHouse(t, task.Config{})
		id := h.post(nil)
		h.clock.Advance(5 * time.Hour)
		h.away(5 * time.Hour)
		h.work()
		require.Equal(t, "POSTED", h.get(id).Status)
		h.pass(1, 4*time.Hour)
		require.Equal(t, "EXPIRED", h.get(id).Status)
	})
	t.Run("gives a silent Guardian 15 minutes", func(t *testing.T) {
		h := newHouse(t, task.Config{})
		id := h.begin(nil)
		_, err := h.SubmitProof(h.ada, schemas.SubmitProofRequest{TaskID: id, Note: "done"})
		require.NoError(t, err)
		storetest.Exec(t, h.store, "DELETE FROM jobs WHERE kind IN ('proof.copies', 'guardian.check')") // a platform whose jobs are stuck
		h.pass(1, 14*time.Minute)
		require.Equal(t, "SUBMITTED", h.get(id).Status)
		h.pass(1, time.Minute)
		v := h.get(id)
		require.Equal(t, "MANUAL_REVIEW", v.Status)
		require.Equal(t, "timeout", v.Submissions[0].Verdict.Method)
	})
}

func TestMessages(t *testing.T) {
	h := newHouse(t, task.Config{})
	id := h.post(nil)
	_, err := in(h, h.agent, h.PostMessage, schemas.PostMessageRequest{TaskID: id, Text: "Hello"})
	refused(t, err, schemas.CodeConflict)
	must(h, h.ada, h.AcceptTask, schemas.AcceptTaskRequest{TaskID: id})
	first := must(h, h.ada, h.PostOperatorMessage, schemas.PostMessageRequest{TaskID: id, Text: "Front or back?"})
	h.clock.Advance(time.Second)
	second := must(h, h.ada, h.PostOperatorMessage, schemas.PostMessageRequest{TaskID: id, Text: "And when?"})
	require.Len(t, h.get(id).OpenQuestions, 2)
	h.clock.Advance(time.Second)
	must(h, h.agent, h.PostMessage, schemas.PostMessageRequest{TaskID: id, Text: "Front", ReplyTo: first.MessageID})
	require.Equal(t, second.MessageID, h.get(id).OpenQuestions[0].MessageID)
	must(h, h.agent, h.PostMessage, schemas.PostMessageRequest{TaskID: id, Text: "Now"})
	require.Empty(t, h.get(id).OpenQuestions)
	_, err = in(h, h.agent, h.PostMessage, schemas.PostMessageRequest{TaskID: id, Text: "x", ReplyTo: "msg_other"})
	refused(t, err, schemas.CodeInvalid)
	_, err = in(h, h.agent, h.PostMessage, schemas.PostMessageRequest{TaskID: id, Text: strings.Repeat("x", 501)})
	refused(t, err, schemas.CodeInvalid)
	page := must(h, h.ada, h.ListMessages, schemas.ListMessagesRequest{TaskID: id, PageRequest: schemas.PageRequest{Limit: 3}})
	require.Equal(t, "Front or back?", page.Data[0].Text)
	rest := must(h, h.ada, h.ListMessages, schemas.ListMessagesRequest{TaskID: id, PageRequest: schemas.PageRequest{Limit: 3, Cursor: page.Pagination.NextCursor}})
	require.Len(t, rest.Data, 1)
	for range 48 {
		must(h, h.agent, h.PostMessage, schemas.PostMessageRequest{TaskID: id, Text: "more"})
	}
	_, err = in(h, h.agent, h.PostMessage, schemas.PostMessageRequest{TaskID: id, Text: "one too many"})
	refused(t, err, schemas.CodeConflict)
}

func TestForeignTasksAreNotFound(t *testing.T) {
	h := newHouse(t, task.Config{})
	id := h.review(nil)
	stranger := account.With(t.Context(), account.Caller{AgentID: "ag_stranger", Mode: "live", Via: "api"})
	for name, ctx := range map[string]context.Context{"another agent": stranger, "the test key": h.sandbox, "an operator": h.bob, "nobody": t.Context()} {
		t.Run("for "+name, func(t *testing.T) {
			for _, call := range []func() error{
				func() error { _, err := in(h, ctx, h.GetTask, schemas.TaskRequest{TaskID: id}); return err },
				func() error { _, err := in(h, ctx, h.CancelTask, schemas.CancelTaskRequest{TaskID: id}); return err },
				func() error {
					_, err := in(h, ctx, h.ApproveEstimate, schemas.ApproveEstimateRequest{TaskID: id})
					return err
				},
				func() error {
					_, err := in(h, ctx, h.RejectEstimate, schemas.RejectEstimateRequest{TaskID: id})
					return err
				},
				func() error {
					_, err := in(h, ctx, h.PostMessage, schemas.PostMessageRequest{TaskID: id, Text: "x"})
					return err
				},
				func() error {
					_, err := in(h, ctx, h.ListMessages, schemas.ListMessagesRequest{TaskID: id})
					return err
				},
				func() error {
					_, err := in(h, ctx, h.DecideTask, schemas.DecideTaskRequest{TaskID: id, Submission: 1, Decision: "approve"})
					return err
				},
				func() error { _, err := in(h, ctx, h.GetOpenTask, schemas.TaskRequest{TaskID: id}); return err },
				func() error { _, err := in(h, ctx, h.StartTask, schemas.TaskRequest{TaskID: id}); return err },
				func() error {
					_, err := in(h, ctx, h.ReleaseTask, schemas.ReleaseTaskRequest{TaskID: id})
					return err
				},
				func() error { _, err := h.Changes.Wait(ctx, schemas.WaitRequest{IDs: id}); return err },
				func() error { _, err := h.GetProof(ctx, schemas.GetProofRequest{TaskID: id, N: 1}); return err },
			} {
				refused(t, call(), schemas.CodeNotFound)
			}
		})
	}
}
