package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
)

// lines are 10,000 of tasks and 10,000 of reviews, of which all but forty ended long ago; one
// in fifty is the quiet agent's.
const lines = `INSERT INTO subjects (id, kind, agent_id, mode, state, finished, needs, created_at, updated_at, ended_at)` + numbers + `
	k.prefix || i, k.kind, CASE WHEN i % 50 = 0 THEN 'ag_quiet' ELSE 'ag_busy' END, 'live',
	CASE WHEN i % 500 = 1 THEN k.opened ELSE k.ended END, i % 500 <> 1, '', i, i, CASE WHEN i % 500 = 1 THEN 0 ELSE i + 1 END
	FROM n CROSS JOIN (SELECT 't_' AS prefix, 'task' AS kind, 'MANUAL_REVIEW' AS opened, 'PAID' AS ended
		UNION ALL SELECT 'r_', 'review', 'pending', 'completed') AS k`

func TestHistory_WhatAnAgentHasBeforeItComesFromIndexes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
		storetest.Exec(t, s, lines)
		if s.Kind() == "postgres" {
			storetest.Exec(t, s, "ANALYZE")
		}
		for _, agent := range []string{"ag_busy", "ag_quiet"} {
			plan := planOf(t, s, func(q *db.Queries) error {
				_, err := q.CurrentLines(t.Context(), db.CurrentLinesParams{AgentID: agent, Mode: "live", EndedSince: 9_900, RowLimit: 51})
				return err
			})
			for _, index := range []string{"subjects_undecided", "subjects_current", "subjects_ended"} {
				require.Contains(t, plan, index, "%s\n%s", agent, plan)
			}
			ends(t, plan)
			plan = planOf(t, s, func(q *db.Queries) error {
				_, err := q.CountCurrentLines(t.Context(), db.CountCurrentLinesParams{AgentID: agent, Mode: "live", Kind: "task", EndedSince: 9_900, CountTo: 1050})
				return err
			})
			ends(t, plan)
		}
	})
}

// ends tells whether a plan reads no table of lines as a whole, and sorts none.
func ends(t *testing.T, plan string) {
	t.Helper()
	for _, whole := range []string{"Seq Scan", "SCAN u\n", "SCAN t\n", "SCAN r\n", "SCAN e\n", "SCAN d\n", "SCAN o\n", "SCAN subjects", "TEMP B-TREE", "Sort"} {
		require.NotContains(t, plan, whole, plan)
	}
}
