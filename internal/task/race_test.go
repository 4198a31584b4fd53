package task_test

import (
	"context"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/internal/task"
	"humanops-mcp/schemas"
)

// raceRounds runs rounds of calls that start at the same moment, on both databases, and
// checks the ledger after. HUMANOPS_RACE_ROUNDS sets how many; 20 is enough for every day.
func raceRounds(t *testing.T, round func(t *testing.T, h *house)) {
	t.Helper()
	rounds := raceTimes(t)
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		h := houseOn(t, s, clk, task.Config{})
		for range rounds {
			round(t, h)
		}
		h.exact()
	})
}

func raceTimes(t *testing.T) int {
	t.Helper()
	text := os.Getenv("HUMANOPS_RACE_ROUNDS")
	if text == "" {
		return 20
	}
	rounds, err := strconv.Atoi(text)
	require.NoError(t, err)
	return rounds
}

// together starts the calls at once and gives their errors in order.
func together(calls ...func() error) []error {
	errs := make([]error, len(calls))
	start := make(chan struct{})
	var done sync.WaitGroup
	for i, call := range calls {
		done.Go(func() {
			<-start
			errs[i] = call()
		})
	}
	close(start)
	done.Wait()
	return errs
}

// oneWinner requires that one call succeeded and the others lost with a conflict that
// names the state; it gives the winner's number.
func oneWinner(t *testing.T, errs []error) int {
	t.Helper()
	winner := -1
	for i, err := range errs {
		if err == nil {
			require.Equal(t, -1, winner, "two winners")
			winner = i
			continue
		}
		require.NotEmpty(t, refused(t, err, schemas.CodeConflict).State)
	}
	require.NotEqual(t, -1, winner, "no winner: %v", errs)
	return winner
}

// calling is in without its answer, to be run together with others.
func calling[In, Out any](h *house, ctx context.Context, call func(context.Context, *store.Tx, In) (Out, error), arg In) func() error {
	return func() error {
		_, err := in(h, ctx, call, arg)
		return err
	}
}

func TestRaces(t *testing.T) {
	t.Run("two accepts", func(t *testing.T) {
		raceRounds(t, func(t *testing.T, h *house) {
			id := h.post(nil)
			arg := schemas.AcceptTaskRequest{TaskID: id}
			who := []context.Context{h.ada, h.bob}
			winner := oneWinner(t, together(calling(h, h.ada, h.AcceptTask, arg), calling(h, h.bob, h.AcceptTask, arg)))
			require.Equal(t, []string{"Ada", "Bob"}[winner], h.get(id).Operator.Name)
			must(h, who[winner], h.ReleaseTask, schemas.ReleaseTaskRequest{TaskID: id})
			must(h, h.agent, h.CancelTask, schemas.CancelTaskRequest{TaskID: id})
		})
	})
	t.Run("four accepts of one operator leave them three tasks", func(t *testing.T) {
		raceRounds(t, func(t *testing.T, h *house) {
			calls := make([]func() error, 4)
			ids := make([]string, 4)
			for i := range calls {
				ids[i] = h.post(nil)
				calls[i] = calling(h, h.ada, h.AcceptTask, schemas.AcceptTaskRequest{TaskID: ids[i]})
			}
			lost := 0
			for _, err := range together(calls...) {
				if err != nil {
					refused(t, err, schemas.CodeConflict)
					lost++
				}
			}
			require.Equal(t, 1, lost)
			for _, id := range ids {
				must(h, h.agent, h.CancelTask, schemas.CancelTaskRequest{TaskID: id})
			}
		})
	})
	t.Run("cancel against accept", func(t *testing.T) {
		raceRounds(t, func(t *testing.T, h *house) {
			id := h.post(nil)
			errs := together(calling(h, h.agent, h.CancelTask, schemas.CancelTaskRequest{TaskID: id}), calling(h, h.ada, h.AcceptTask, schemas.AcceptTaskRequest{TaskID: id}))
			require.NoError(t, errs[0], "an accepted task can still be cancelled")
			require.Equal(t, "CANCELLED", h.get(id).Status)
		})
	})
	t.Run("cancel against start and submit", func(t *testing.T) {
		raceRounds(t, func(t *testing.T, h *house) {
			id := h.post(byNote)
			must(h, h.ada, h.AcceptTask, schemas.AcceptTaskRequest{TaskID: id})
			winner := oneWinner(t, together(calling(h, h.agent, h.CancelTask, schemas.CancelTaskRequest{TaskID: id}), func() error {
				if _, err := in(h, h.ada, h.StartTask, schemas.TaskRequest{TaskID: id}); err != nil {
					return err
				}
				_, err := h.SubmitProof(h.ada, schemas.SubmitProofRequest{TaskID: id, Note: "done"})
				return err
			}))
			require.Equal(t, []string{"CANCELLED", "SUBMITTED"}[winner], h.get(id).Status)
			finish(h, id)
		})
	})
	t.Run("two decisions", func(t *testing.T) {
		raceRounds(t, func(t *testing.T, h *house) {
			id := submitted(h)
			h.work()
			arg := schemas.DecideTaskRequest{TaskID: id, Submission: 1, Decision: "approve"}
			against := schemas.DecideTaskRequest{TaskID: id, Submission: 1, Decision: "request_changes", Reasons: []string{"no"}}
			winner := oneWinner(t, together(calling(h, h.agent, h.DecideTask, arg), calling(h, h.owner, h.DecideTask, against)))
			require.Equal(t, []string{"PAID", "IN_PROGRESS"}[winner], h.get(id).Status)
			if winner == 1 {
				must(h, h.ada, h.ReleaseTask, schemas.ReleaseTaskRequest{TaskID: id})
			}
			finish(h, id)
		})
	})
	t.Run("an agent's decision against a person's, on the review of the same proof", func(t *testing.T) {
		raceRounds(t, func(t *testing.T, h *house) {
			id := submitted(h)
			h.work()
			asked := h.proofReview(id)
			arg := schemas.DecideTaskRequest{TaskID: id, Submission: 1, Decision: "approve"}
			winner := oneWinner(t, together(calling(h, h.agent, h.DecideTask, arg), calling(h, h.owner, h.reviews.DecideReview, answer(asked, "request_changes", "Blurred"))))
			require.Equal(t, []string{"PAID", "IN_PROGRESS"}[winner], h.get(id).Status)
			require.Equal(t, []schemas.ReviewStatus{schemas.ReviewCancelled, schemas.ReviewCompleted}[winner], h.reviewOf(asked).Status)
			if winner == 1 {
				must(h, h.ada, h.ReleaseTask, schemas.ReleaseTaskRequest{TaskID: id})
			}
			finish(h, id)
		})
	})
	t.Run("two submits", func(t *testing.T) {
		raceRounds(t, func(t *testing.T, h *house) {
			id := h.begin(byNote)
			submit := func() error {
				_, err := h.SubmitProof(h.ada, schemas.SubmitProofRequest{TaskID: id, Note: "done"})
				return err
			}
			oneWinner(t, together(submit, submit))
			require.Equal(t, 1, h.get(id).Submission)
			finish(h, id)
		})
	})
	t.Run("deadline against submit", func(t *testing.T) {
		raceRounds(t, func(t *testing.T, h *house) {
			id := h.begin(func(r *schemas.PostTaskRequest) { byNote(r); r.Deadline = h.clock.Now().Add(time.Minute) })
			h.clock.Advance(time.Minute)
			errs := together(func() error {
				_, err := h.SubmitProof(h.ada, schemas.SubmitProofRequest{TaskID: id, Note: "just in time"})
				return err
			}, func() error {
				_, err := h.runner.RunDue(t.Context())
				return err
			})
			require.NoError(t, errs[1])
			if errs[0] != nil {
				require.Equal(t, "EXPIRED", refused(t, errs[0], schemas.CodeConflict).State)
				require.Equal(t, "EXPIRED", h.get(id).Status)
				return
			}
			require.Contains(t, []string{"SUBMITTED", "MANUAL_REVIEW"}, h.get(id).Status)
			finish(h, id)
		})
	})
	t.Run("the same task posted twice", func(t *testing.T) {
		raceRounds(t, func(t *testing.T, h *house) {
			r := h.request()
			var ids [2]string
			post := func(i int) func() error {
				return func() error {
					out, err := in(h, h.agent, h.PostTask, r)
					ids[i] = out.TaskID
					return err
				}
			}
			for _, err := range together(post(0), post(1)) {
				require.NoError(t, err)
			}
			require.Equal(t, ids[0], ids[1])
			must(h, h.agent, h.CancelTask, schemas.CancelTaskRequest{TaskID: ids[0]})
		})
	})
}

// byNote makes a task that words alone can prove.
func byNote(r *schemas.PostTaskRequest) {
	r.TaskType, r.ProofRequirements, r.RewardUSD = "DATA_VALIDATION", []string{"A short note with the result"}, schemas.USD
}

// submitted brings a task to SUBMITTED without photos.
func submitted(h *house) string {
	h.t.Helper()
	id := h.begin(byNote)
	_, err := h.SubmitProof(h.ada, schemas.SubmitProofRequest{TaskID: id, Note: "done"})
	require.NoError(h.t, err)
	return id
}

// finish brings a submitted task to its end, so that rounds do not pile up, and takes
// the reward back out of the way: the owner refunds.
func finish(h *house, id string) {
	h.t.Helper()
	h.work()
	v := h.get(id)
	if v.Status == "IN_PROGRESS" {
		h.t.Fatalf("task %s is still in progress", id)
	}
	if v.Status != "MANUAL_REVIEW" {
		return
	}
	must(h, h.agent, h.DecideTask, schemas.DecideTaskRequest{TaskID: id, Submission: v.Submission, Decision: "reject", Reasons: []string{"a test"}})
	must(h, h.owner, h.DecideTask, schemas.DecideTaskRequest{TaskID: id, Submission: v.Submission, Decision: "refund", Reasons: []string{"a test"}})
}
