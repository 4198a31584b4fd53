package app

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/event"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/internal/store/storetest/fill"
)

func TestACheckGoesOnWhereTheLastOneEnded(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		settle := func() {
			t.Helper()
			require.NoError(t, h.app.feed.Sequence(t.Context()))
			h.write(event.Anchor)
			h.clk.Advance(time.Hour)
		}
		check := func(query string) answer {
			t.Helper()
			return h.must(h.owner(), "GET", "/platform/v1/check"+query, nil)
		}
		mark := func(value string) (was string) {
			t.Helper()
			h.write(func(ctx context.Context, tx *store.Tx) (err error) {
				if was, err = tx.GetFact(ctx, markFact); err != nil || value == "" {
					return err
				}
				return tx.PutFact(ctx, db.PutFactParams{Name: markFact, Value: value})
			})
			return was
		}
		old := h.task(h.live(), "PAID").task
		settle()

		first := check("")
		require.Equal(t, []string{"true", "true", "3"}, []string{first.text("exact"), first.text("full"), first.text("subjects")})
		settle()
		second := check("")
		require.Equal(t, []string{"true", "false", "0", "0", "0"},
			[]string{second.text("exact"), second.text("full"), second.text("subjects"), second.text("entries"), second.text("transactions")})
		require.Equal(t, first.text("full_at"), second.text("full_at"))

		h.task(h.live(), "PAID")
		h.clk.Advance(time.Minute) // so that its entry is the last
		open := h.task(h.live(), "POSTED").task
		settle()
		third := check("")
		require.Equal(t, []string{"true", "false", "4", "3"}, []string{third.text("exact"), third.text("full"), third.text("subjects"), third.text("transactions")})

		t.Run("and so sees what goes on, whenever it was changed", func(t *testing.T) {
			settle()
			storetest.Exec(t, h.app.store, "UPDATE tasks SET reward = reward + 1 WHERE id = $1", open)
			require.Contains(t, check("").text("problem"), "ledger: task "+open+" is POSTED with a reward of ")
			storetest.Exec(t, h.app.store, "UPDATE tasks SET reward = reward - 1 WHERE id = $1", open)
			storetest.Exec(t, h.app.store, "UPDATE accounts SET balance = balance + 1 WHERE kind = 'earnings'")
			require.Contains(t, check("").text("problem"), "ledger: account earnings:house:")
			storetest.Exec(t, h.app.store, "UPDATE accounts SET balance = balance - 1 WHERE kind = 'earnings'")
			require.Equal(t, "true", check("").text("exact"))
		})
		t.Run("but what is over only when it looks at everything", func(t *testing.T) {
			storetest.Exec(t, h.app.store, "UPDATE trail SET via = 'cli' WHERE n = 1 AND subject_id = $1", old)
			require.Equal(t, "true", check("").text("exact"))
			full := check("?full=true")
			require.Equal(t, "the trail of "+old+" is not as it was written: entry 1 is not what was hashed", full.text("problem"))
			require.Equal(t, "7", full.text("subjects"), "a task and the two reviews of its proof, twice, and a task")
			storetest.Exec(t, h.app.store, "UPDATE trail SET via = 'api' WHERE n = 1 AND subject_id = $1", old)
		})
		t.Run("and looks at everything where its mark is not what it left", func(t *testing.T) {
			left := mark("")
			for name, other := range map[string]string{"none": "-", "another": left + " ", "unsigned": left[65:]} {
				mark(other)
				require.Equal(t, "true", check("").text("full"), name)
				require.Equal(t, "false", check("").text("full"), name)
			}
		})
		t.Run("and misses the end of what it has seen", func(t *testing.T) {
			storetest.Exec(t, h.app.store, "DELETE FROM trail WHERE subject_id = $1", open)
			storetest.Exec(t, h.app.store, "UPDATE subjects SET entries = 0, head = '' WHERE id = $1", open)
			require.Contains(t, check("").text("problem"), "entries of trails that were checked at 2026-03-02 ")
		})
	})
}

func TestACheckTellsHowFarItIs(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		progress := func() answer {
			t.Helper()
			return h.must(h.owner(), "GET", "/platform/v1/check/progress", nil)
		}
		require.Empty(t, progress().text("started_at"))
		h.task(h.live(), "PAID")
		require.NoError(t, h.app.feed.Sequence(t.Context()))
		report := h.must(h.owner(), "GET", "/platform/v1/check", nil)
		at := progress()
		require.Equal(t, []string{"true", "true", "trails", report.text("subjects"), report.text("entries"), report.text("entries")},
			[]string{at.text("exact"), at.text("full"), at.text("stage"), at.text("subjects"), at.text("entries"), at.text("entries_total")})
		require.NotEmpty(t, at.text("ended_at"))

		t.Run("while it runs", func(t *testing.T) {
			c := &checking{app: h.app}
			c.progress.StartedAt = h.clk.Now()
			telling, stop := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { c.tellOn(telling); close(done) }()
			require.Eventually(t, func() bool { return progress().text("ended_at") == "" }, 10*time.Second, 5*time.Millisecond)
			stop()
			<-done
		})
	})
}

func TestHistory_AFilledHouseIsExact(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		fill.House(t, h.app.store, fill.Size{Tasks: 3000, Reviews: 600, Open: 60, Now: h.clk.Now()})
		report := h.must(h.owner(), "GET", "/platform/v1/check", nil)
		require.Equal(t, []string{"", "true", "3600"}, []string{report.text("problem"), report.text("full"), report.text("subjects")})
		require.NotEqual(t, "0", h.must(h.live(), "GET", "/api/v1/tasks?status=open", nil).text("pagination.total"))
	})
}
