package job_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/schemas"
)

// listed reads a list to its end, and gives what each page says of all.
func listed(t *testing.T, s *store.Store, in schemas.ListJobsRequest) (ids []string, total int) {
	t.Helper()
	for {
		var page schemas.Page[schemas.Job]
		require.NoError(t, s.Read(t.Context(), func(tx *store.Tx) (err error) {
			page, err = job.List(t.Context(), tx, in)
			return err
		}))
		for _, j := range page.Data {
			ids = append(ids, j.ID)
		}
		if in.Cursor = page.Pagination.NextCursor; in.Cursor == "" {
			return ids, page.Pagination.Total
		}
	}
}

func TestList(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		r := settled(t, s, clk)
		ctx := t.Context()
		call.HandleEffect(r, 1, func(_ context.Context, j job.Job[string]) (job.Finish, error) { return nil, errBroken }, nil)
		put := func(id, kind string, runAt time.Time) {
			require.NoError(t, s.Write(ctx, func(tx *store.Tx) error {
				_, err := tx.EnqueueJob(ctx, db.EnqueueJobParams{
					ID: id, Kind: kind, Owner: "ag_1", Args: `"x"`, RunAt: store.Micros(runAt), CreatedAt: store.Micros(tx.Now()),
				})
				return err
			}))
		}
		began := clk.Now()
		put("job_failed", string(call), began)
		due(t, r)
		put("job_running", "other", began)
		require.NoError(t, s.Write(ctx, func(tx *store.Tx) error {
			_, err := tx.ClaimJobs(ctx, db.ClaimJobsParams{Kind: "other", Owner: "ag_1", LeaseBy: "me", LeaseUntil: store.Micros(began.Add(time.Minute)), Count: 1})
			return err
		}))
		var waiting []string
		for i := range 5 {
			id := fmt.Sprintf("job_ready%d", i)
			put(id, "other", began)
			waiting = append(waiting, id)
		}
		put("job_later", "third", began.Add(time.Hour))
		waiting = append(waiting, "job_later")
		all := append([]string{"job_failed", waiting[0], waiting[1], waiting[2], waiting[3], waiting[4], "job_running"}, "job_later")

		t.Run("is of what is not done, by when it is or was due", func(t *testing.T) {
			for limit := 1; limit <= 9; limit++ {
				ids, total := listed(t, s, schemas.ListJobsRequest{PageRequest: schemas.PageRequest{Limit: limit}})
				require.Equal(t, all, ids, limit)
				require.Equal(t, 8, total)
			}
		})
		t.Run("is of one state, or one kind", func(t *testing.T) {
			for _, c := range []struct {
				state schemas.JobState
				kind  string
				want  []string
			}{
				{schemas.JobWaiting, "", waiting},
				{schemas.JobWaiting, "other", waiting[:5]},
				{schemas.JobRunning, "", []string{"job_running"}},
				{schemas.JobFailed, "", []string{"job_failed"}},
				{schemas.JobFailed, "other", nil},
				{"", "third", []string{"job_later"}},
			} {
				ids, total := listed(t, s, schemas.ListJobsRequest{State: c.state, Kind: c.kind, PageRequest: schemas.PageRequest{Limit: 2}})
				require.Equal(t, c.want, ids, c)
				require.Len(t, c.want, total)
			}
		})
		t.Run("skips what an offset says", func(t *testing.T) {
			ids, _ := listed(t, s, schemas.ListJobsRequest{PageRequest: schemas.PageRequest{Limit: 3, Offset: 6}})
			require.Equal(t, all[6:], ids)
		})
		t.Run("says how each stands", func(t *testing.T) {
			var page schemas.Page[schemas.Job]
			require.NoError(t, s.Read(ctx, func(tx *store.Tx) (err error) {
				page, err = job.List(ctx, tx, schemas.ListJobsRequest{})
				return err
			}))
			require.Equal(t, schemas.Job{
				ID: "job_failed", Kind: "call", State: schemas.JobFailed, Owner: "ag_1", RunAt: began, Attempts: 1, LastError: errBroken.Error(), CreatedAt: began,
			}, page.Data[0])
			require.Equal(t, schemas.Job{
				ID: "job_running", Kind: "other", State: schemas.JobRunning, Owner: "ag_1", RunAt: began, Attempts: 1, LeaseUntil: began.Add(time.Minute), CreatedAt: began,
			}, page.Data[6])
			require.Equal(t, schemas.Job{ID: "job_later", Kind: "third", State: schemas.JobWaiting, Owner: "ag_1", RunAt: began.Add(time.Hour), CreatedAt: began}, page.Data[7])
		})
		t.Run("refuses a state that there is not", func(t *testing.T) {
			require.NoError(t, s.Read(ctx, func(tx *store.Tx) error {
				_, err := job.List(ctx, tx, schemas.ListJobsRequest{State: "lost"})
				require.Equal(t, schemas.CodeInvalid, schemas.ErrorCode(err))
				return nil
			}))
		})
	})
}

func TestRetry(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		r := settled(t, s, clk)
		broken, ran := true, 0
		call.HandleEffect(r, 2, func(_ context.Context, j job.Job[string]) (job.Finish, error) {
			ran++
			if broken {
				return nil, errBroken
			}
			return nil, nil
		}, nil)
		enqueue(t, s, string(call), "x", job.Options{Owner: "ag_1"})
		for range 3 {
			due(t, r)
			clk.Advance(time.Hour)
		}
		require.Equal(t, 2, ran)
		ids, _ := listed(t, s, schemas.ListJobsRequest{State: schemas.JobFailed})
		require.Len(t, ids, 1)
		retry := func(id string) (out schemas.Job, err error) {
			err = s.Write(t.Context(), func(tx *store.Tx) (err error) {
				out, err = job.Retry(t.Context(), tx, schemas.JobRequest{JobID: id})
				return err
			})
			return out, err
		}

		t.Run("has a failed job run with all its attempts", func(t *testing.T) {
			out, err := retry(ids[0])
			require.NoError(t, err)
			require.Equal(t, schemas.JobWaiting, out.State)
			require.Zero(t, out.Attempts)
			require.Equal(t, clk.Now(), out.RunAt)
			due(t, r)
			clk.Advance(time.Hour)
			broken = false
			due(t, r)
			require.Equal(t, 4, ran)
			left, _ := listed(t, s, schemas.ListJobsRequest{Kind: string(call)})
			require.Empty(t, left)
		})
		t.Run("wakes who runs it", func(t *testing.T) {
			broken = true
			enqueue(t, s, string(call), "x", job.Options{})
			for range 3 {
				due(t, r)
				clk.Advance(time.Hour)
			}
			broken = false
			enqueued, cancel := s.Watch("job")
			defer cancel()
			failed, _ := listed(t, s, schemas.ListJobsRequest{State: schemas.JobFailed})
			_, err := retry(failed[0])
			require.NoError(t, err)
			<-enqueued
		})
		t.Run("is refused of a job that waits, in words that say so", func(t *testing.T) {
			enqueue(t, s, string(call), "x", job.Options{RunAt: clk.Now().Add(time.Hour)})
			waits, _ := listed(t, s, schemas.ListJobsRequest{State: schemas.JobWaiting})
			_, err := retry(waits[len(waits)-1])
			var refused *schemas.Error
			require.ErrorAs(t, err, &refused)
			require.Equal(t, schemas.CodeConflict, refused.Code)
			require.Equal(t, "waiting", refused.State)
		})
		t.Run("finds none that never was", func(t *testing.T) {
			_, err := retry("job_none")
			require.Equal(t, schemas.CodeNotFound, schemas.ErrorCode(err))
		})
	})
}
