package app

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/event"
	"humanops-mcp/internal/store/storetest"
)

func TestACheckNamesWhatDoesNotFitTogether(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		h.task(h.live(), "PAID")
		waiting := h.task(h.live(), "MANUAL_REVIEW").task
		review := storetest.Texts(t, h.app.store, "SELECT id FROM reviews WHERE task_id = $1", waiting)[0]
		require.NoError(t, h.app.feed.Sequence(t.Context()))
		h.write(event.Anchor)
		check := func() (problems []string) {
			t.Helper()
			report := h.must(h.owner(), "GET", "/platform/v1/check", nil)
			require.Equal(t, report.text("exact"), map[bool]string{true: "true", false: "false"}[report.text("problem") == ""])
			if text := report.text("problem"); text != "" {
				problems = strings.Split(text, "; ")
			}
			return problems
		}
		require.Empty(t, check())

		type damage struct{ breaks, mends, about, says string }
		every := []damage{
			{
				"UPDATE accounts SET balance = balance - 1 WHERE id = $1", "UPDATE accounts SET balance = balance + 1 WHERE id = $1",
				storetest.Texts(t, h.app.store, "SELECT id FROM accounts WHERE balance = 1000000")[0], "ledger: account ",
			},
			{
				"UPDATE anchors SET entries = entries + 1 WHERE $1 <> ''", "UPDATE anchors SET entries = entries - 1 WHERE $1 <> ''",
				"all", "anchor 1 does not fit the trails: entries from before 2026-03-02 ",
			},
			{
				"UPDATE trail SET created_at = created_at + 1 WHERE n = 1 AND subject_id = $1", "UPDATE trail SET created_at = created_at - 1 WHERE n = 1 AND subject_id = $1",
				review, "the trail of " + review + " is not as it was written: entry 1 is not what was hashed",
			},
			{
				"UPDATE tasks SET status = 'DISPUTED' WHERE id = $1", "UPDATE tasks SET status = 'MANUAL_REVIEW' WHERE id = $1",
				waiting, "the task " + waiting + " is DISPUTED by its row, but MANUAL_REVIEW by its line",
			},
			{
				"UPDATE subjects SET state = 'claimed' WHERE id = $1", "UPDATE subjects SET state = 'pending' WHERE id = $1",
				review, "the review " + review + " is pending by its row, but claimed by its line",
			},
			{
				"UPDATE tasks SET reward = reward + 1 WHERE id = $1", "UPDATE tasks SET reward = reward - 1 WHERE id = $1",
				waiting, "ledger: task " + waiting + " is MANUAL_REVIEW with a reward of ",
			},
		}
		for _, d := range every {
			storetest.Exec(t, h.app.store, d.breaks, d.about)
			problems := check()
			require.Len(t, problems, 1)
			require.Contains(t, problems[0], d.says)
			storetest.Exec(t, h.app.store, d.mends, d.about)
			require.Empty(t, check())
		}
		for _, d := range every[:4] { // of one subject the first is told
			storetest.Exec(t, h.app.store, d.breaks, d.about)
		}
		problems := check()
		require.Len(t, problems, 4)
		for _, d := range every[:4] {
			require.Contains(t, strings.Join(problems, "\n"), d.says)
		}
	})
}

func TestACheckThatIsCutOffFindsNothing(t *testing.T) {
	h := newHouse(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := &checking{app: h.app}
	for name, look := range map[string]func(context.Context) error{"ledger": c.ledger, "anchors": c.anchors, "subjects": c.subjects} {
		require.Error(t, look(ctx), name)
		require.Empty(t, c.problems, name)
	}
}
