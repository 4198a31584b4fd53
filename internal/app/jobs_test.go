package app

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
)

// failedJob writes a job that failed for good: what it was to do, nobody knows how.
func (h *house) failedJob() string {
	h.t.Helper()
	h.made++
	id := fmt.Sprintf("job_%016d", h.made)
	h.write(func(ctx context.Context, tx *store.Tx) error {
		now := store.Micros(tx.Now())
		_, err := tx.EnqueueJob(ctx, db.EnqueueJobParams{ID: id, Kind: "notify", Owner: "ag_1", Args: `{"subject":7,"body":"orchid"}`, RunAt: now, CreatedAt: now})
		return err
	})
	h.work()
	return id
}

func TestJobs(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		id := h.failedJob()
		posted := h.post(h.live(), nil)

		t.Run("are listed without what they are about", func(t *testing.T) {
			failed := h.must(h.owner(), "GET", "/platform/v1/jobs?state=failed", nil)
			now := h.clk.Now().Format("2006-01-02T15:04:05Z")
			require.JSONEq(t, `{"data":[{"id":"`+id+`","kind":"notify","state":"failed","owner":"ag_1","run_at":"`+now+`","attempts":1,"deaths":0,
				"last_error":"the job's arguments cannot be read as those of notify: json: cannot unmarshal number into Go struct field Args.subject of type string",
				"created_at":"`+now+`"}],"pagination":{"limit":20,"offset":0,"total":1}}`, failed.raw)
			all := h.must(h.owner(), "GET", "/platform/v1/jobs", nil)
			require.NotContains(t, all.raw, "orchid")
			require.NotContains(t, all.raw, posted)
			require.Contains(t, all.raw, `"state":"waiting"`, "the task's clock")
		})

		t.Run("are tried again when they failed, and only then", func(t *testing.T) {
			again := h.must(h.owner(), "POST", "/platform/v1/jobs/"+id+"/retry", nil)
			require.Equal(t, "waiting", again.text("state"))
			twice := h.send(h.owner(), "POST", "/platform/v1/jobs/"+id+"/retry", nil)
			require.Equal(t, http.StatusConflict, twice.status)
			require.Equal(t, []string{"conflict", "waiting"}, []string{twice.text("code"), twice.text("state")}, twice.raw)
			h.work()
			require.Equal(t, "1", h.must(h.owner(), "GET", "/platform/v1/jobs?state=failed", nil).text("pagination.total"), "it was tried")
		})

		h.refused(t, []bad{
			{"that nobody knows", h.owner(), "POST", "/platform/v1/jobs/job_0000/retry", nil, http.StatusNotFound, []string{"Job not found"}},
			{"in a state that there is not", h.owner(), "GET", "/platform/v1/jobs?state=lost", nil, http.StatusBadRequest, []string{"state must be one of waiting, running, failed"}},
			{"behind a cursor that is none", h.owner(), "GET", "/platform/v1/jobs?cursor=%21", nil, http.StatusBadRequest, []string{"cursor must be the next_cursor"}},
		})
	})
}
