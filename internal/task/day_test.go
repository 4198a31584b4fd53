package task_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/internal/task"
	"humanops-mcp/schemas"
)

// day are the figures of the agent's day as they are kept, and as its tasks add up.
func (h *house) day() (began, spent int64, summed schemas.Money) {
	h.t.Helper()
	id := account.From(h.agent).AgentID
	h.write(func(tx *store.Tx) error {
		agent, err := account.Agent(h.t.Context(), tx, id)
		if err != nil {
			return err
		}
		sum, err := tx.PostedSince(h.t.Context(), db.PostedSinceParams{AgentID: id, DayStart: store.Micros(h.clock.Now().UTC().Truncate(24 * time.Hour))})
		began, spent, summed = agent.Day, agent.DaySpent, schemas.Money(sum.Spent)
		if agent.Day != 0 {
			require.Equal(h.t, sum.Posted, agent.DayPosted)
		}
		return err
	})
	return began, spent, summed
}

// counted requires that the figures are kept, and are what the day's tasks add up to.
func (h *house) counted(want schemas.Money) {
	h.t.Helper()
	began, spent, summed := h.day()
	require.NotZero(h.t, began)
	require.Equal(h.t, []schemas.Money{want, want}, []schemas.Money{schemas.Money(spent), summed})
	require.Equal(h.t, max(0, 100*schemas.USD-want), must(h, h.agent, h.GetBalance, schemas.Empty{}).Limits.DailyLeft)
}

func paying(reward schemas.Money) func(*schemas.PostTaskRequest) {
	return func(r *schemas.PostTaskRequest) { r.RewardUSD = reward }
}

func TestADayIsCountedWhereALimitCountsIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		h := houseOn(t, s, clk, task.Config{LocalDailyCap: 100 * schemas.USD})
		require.Equal(t, 100*schemas.USD, must(h, h.agent, h.GetBalance, schemas.Empty{}).Limits.DailyLeft)
		first := h.post(paying(30 * schemas.USD))
		h.post(paying(20 * schemas.USD))
		h.counted(50 * schemas.USD)
		must(h, h.agent, h.CancelTask, schemas.CancelTaskRequest{TaskID: first})
		h.counted(20 * schemas.USD)

		t.Run("and no more when it expires on the same day", func(t *testing.T) {
			h.post(func(r *schemas.PostTaskRequest) { r.RewardUSD, r.Deadline = 10*schemas.USD, clk.Now().Add(time.Hour) })
			h.counted(30 * schemas.USD)
			h.pass(1, time.Hour)
			h.counted(20 * schemas.USD)
		})
		t.Run("from its tasks, where nobody has counted it", func(t *testing.T) {
			storetest.Exec(t, s, "UPDATE agents SET day = 0, day_spent = 7, day_posted = 7")
			require.Equal(t, 80*schemas.USD, must(h, h.agent, h.GetBalance, schemas.Empty{}).Limits.DailyLeft)
			dear := h.request()
			dear.Title, dear.RewardUSD = "Dear", 81*schemas.USD
			_, err := in(h, h.agent, h.PostTask, dear)
			require.ErrorContains(t, refused(t, err, schemas.CodeUnprocessable), "$80.00 is left today")
			h.post(paying(80 * schemas.USD))
			h.counted(100 * schemas.USD)
		})
		t.Run("but what pays nothing is not refused", func(t *testing.T) {
			h.post(func(r *schemas.PostTaskRequest) { r.RewardUSD, r.AssignTo = 0, "Ada" })
			h.counted(100 * schemas.USD)
		})
		t.Run("and the next day begins anew", func(t *testing.T) {
			yesterdays := h.post(func(r *schemas.PostTaskRequest) {
				r.RewardUSD, r.AssignTo, r.Deadline = 0, "Ada", clk.Now().Add(100*time.Hour)
			})
			h.pass(1, 24*time.Hour)
			id := h.post(paying(40 * schemas.USD))
			h.counted(40 * schemas.USD)
			must(h, h.agent, h.CancelTask, schemas.CancelTaskRequest{TaskID: yesterdays})
			h.counted(40 * schemas.USD)
			must(h, h.agent, h.CancelTask, schemas.CancelTaskRequest{TaskID: id})
			h.counted(0)
		})
		h.exact()
	})
}

func TestWhatIsPostedUncountedEndsTheFigures(t *testing.T) {
	h := newHouse(t, task.Config{})
	h.post(nil)
	began, _, _ := h.day()
	require.Zero(t, began)
	storetest.Exec(t, h.store, "UPDATE agents SET day = $1", store.Micros(h.clock.Now().UTC().Truncate(24*time.Hour)))
	h.post(nil)
	began, _, _ = h.day()
	require.Zero(t, began, "whoever counts next adds up")
}

// Postings and withdrawals at one moment: the figures are exact, also when they begin with it.
func TestRace_PostingsAgainstWithdrawalsOnOneDay(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		h := houseOn(t, s, clk, task.Config{LocalDailyCap: 100_000 * schemas.USD})
		for round := range raceTimes(t) {
			var calls []func() error
			posted := make([]string, 4)
			for i := range posted {
				calls = append(calls, calling(h, h.agent, h.CancelTask, schemas.CancelTaskRequest{TaskID: h.post(paying(schemas.USD))}))
				r := h.request()
				r.Title, r.RewardUSD = fmt.Sprint("Task ", round, " ", i), 2*schemas.USD
				calls = append(calls, func() error {
					out, err := in(h, h.agent, h.PostTask, r)
					posted[i] = out.TaskID
					return err
				})
			}
			if round%2 == 0 {
				storetest.Exec(t, s, "UPDATE agents SET day = 0")
			}
			for _, err := range together(calls...) {
				require.NoError(t, err)
			}
			_, spent, summed := h.day()
			require.Equal(t, []schemas.Money{8 * schemas.USD, 8 * schemas.USD}, []schemas.Money{schemas.Money(spent), summed})
			for _, id := range posted {
				must(h, h.agent, h.CancelTask, schemas.CancelTaskRequest{TaskID: id})
			}
		}
		h.exact()
	})
}

// One person hands in two things at once, and there is room for one.
func TestRace_UploadsKeepTheQuota(t *testing.T) {
	size := picture(t, 1).Size
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		rounds := raceTimes(t)
		h := houseOn(t, s, clk, task.Config{OperatorQuota: size*int64(rounds) + size/2})
		for range rounds {
			one, other := h.begin(nil), h.begin(nil)
			submit := func(id string) func() error {
				return func() error {
					_, err := h.SubmitProof(h.ada, schemas.SubmitProofRequest{TaskID: id, Files: []schemas.File{picture(t, 1)}})
					return err
				}
			}
			storetest.Exec(t, s, "UPDATE people SET stored_bytes = $1 WHERE id = $2", size*int64(rounds-1), account.From(h.ada).PersonID)
			errs := together(submit(one), submit(other))
			require.True(t, (errs[0] == nil) != (errs[1] == nil), "%v", errs)
			for i, id := range []string{one, other} {
				if errs[i] == nil {
					finish(h, id)
					continue
				}
				refused(t, errs[i], schemas.CodeTooLarge)
				must(h, h.ada, h.ReleaseTask, schemas.ReleaseTaskRequest{TaskID: id})
				must(h, h.agent, h.CancelTask, schemas.CancelTaskRequest{TaskID: id})
			}
			require.Equal(t, []string{strconv.FormatInt(size*int64(rounds), 10)},
				storetest.Texts(t, s, "SELECT CAST(stored_bytes AS TEXT) FROM people WHERE id = $1", account.From(h.ada).PersonID))
		}
	})
}

func TestWhatIsStoredIsWhatWasHandedIn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		h := houseOn(t, s, clk, task.Config{})
		for range 3 {
			h.review(nil)
		}
		refusedOf := h.begin(nil)
		_, err := h.SubmitProof(h.ada, schemas.SubmitProofRequest{TaskID: refusedOf, Files: []schemas.File{picture(t, 1), upload("x.jpg", []byte("text"))}})
		require.Error(t, err)
		sums := storetest.Texts(t, s, "SELECT CAST(SUM(bytes) AS TEXT) FROM proof_files")
		require.Equal(t, sums, storetest.Texts(t, s, "SELECT CAST(stored_bytes AS TEXT) FROM people WHERE stored_bytes > 0"))
	})
}
