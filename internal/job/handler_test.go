package job_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
)

func TestKind(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		const sum job.Kind[args] = "sum"
		r := settled(t, s, clk)
		var got []job.Job[args]
		sum.HandleEffect(r, 3, func(_ context.Context, j job.Job[args]) (job.Finish, error) {
			got = append(got, j)
			return nil, nil
		}, func(context.Context, *store.Tx, job.Job[args], error) error {
			t.Error("there is nothing to give up with")
			return nil
		})
		write := func(t *testing.T, o job.Options) {
			t.Helper()
			require.NoError(t, s.Write(t.Context(), func(tx *store.Tx) error { return sum.Enqueue(t.Context(), tx, args{7}, o) }))
		}

		t.Run("hands a job over with its arguments, whose it is and how urgent", func(t *testing.T) {
			write(t, job.Options{Owner: "ag_1", Priority: job.PriorityOf("test")})
			require.Equal(t, 1, due(t, r))
			require.Len(t, got, 1)
			require.NotEmpty(t, got[0].ID)
			got[0].ID = ""
			require.Equal(t, job.Job[args]{Args: args{7}, Attempt: 1, Owner: "ag_1", Priority: job.Test}, got[0])
		})

		t.Run("fails a job for good whose arguments it cannot read, and says why", func(t *testing.T) {
			got = nil
			for id, stored := range map[string]string{"job_wrong": `{"N":"seven"}`, "job_torn": `{"N":`} {
				require.NoError(t, s.Write(t.Context(), func(tx *store.Tx) error {
					now := store.Micros(clk.Now())
					_, err := tx.EnqueueJob(t.Context(), db.EnqueueJobParams{ID: id, Kind: string(sum), Args: stored, RunAt: now, CreatedAt: now})
					return err
				}))
			}
			require.Equal(t, 2, due(t, r))
			clk.Advance(time.Hour)
			require.Zero(t, due(t, r), "another attempt would read the same")
			require.Empty(t, got)
			for id, why := range map[string]string{
				"job_wrong": "the job's arguments cannot be read as those of sum: json: cannot unmarshal string into Go struct field args.N of type int",
				"job_torn":  "the job's arguments cannot be read as those of sum: unexpected end of JSON input",
			} {
				row := find(t, s, id)
				require.Equal(t, []string{"failed", why}, []string{row.State, row.LastError})
			}
		})
	})
}

func find(t *testing.T, s *store.Store, id string) (row db.Job) {
	t.Helper()
	require.NoError(t, s.Read(t.Context(), func(tx *store.Tx) (err error) {
		row, err = tx.GetJob(t.Context(), id)
		return err
	}))
	return row
}
