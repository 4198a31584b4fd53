package store_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
)

// flood writes jobs that are ready, all of one owner, half of them to a host each, and a
// tenth as many that are scheduled, all of different owners.
func flood(t testing.TB, s *store.Store, n int) {
	t.Helper()
	numbers := fmt.Sprintf("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) ", n)
	for _, text := range []string{
		`INSERT INTO jobs (id, kind, owner, lane, args, state, run_at, created_at) ` + numbers + `
			SELECT 'job_' || i, 'hook', 'ag_many', CASE WHEN i % 2 = 0 THEN 'host' || i ELSE '' END, '{}', 'ready', i, i FROM n`,
		`INSERT INTO jobs (id, kind, owner, args, state, run_at, created_at) ` + numbers + `
			SELECT 'later_' || i, 'timer', 'ag_' || i, '{}', 'scheduled', 1000000 + i, i FROM n WHERE i % 10 = 0`,
		`INSERT INTO jobs (id, kind, owner, args, state, run_at, created_at) VALUES ('job_one', 'hook', 'ag_one', '{}', 'ready', 1, 1)`,
		`ANALYZE`,
	} {
		storetest.Exec(t, s, text)
	}
}

// withFullOwner is what a claim asks while the owner of the flood has its share.
var withFullOwner = db.NextQueuesParams{Limited: ",hook,", FullKinds: ",", FullOwners: ",hook ag_many,", FullLanes: ",", Count: 32}

func TestHistory_AClaimReadsLittleOfALongTable(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
		flood(t, s, 20_000)
		for name, query := range map[string]func(*db.Queries) error{
			"queues": func(q *db.Queries) error { _, err := q.NextQueues(t.Context(), withFullOwner); return err },
			"times":  func(q *db.Queries) error { _, err := q.NextJobTimes(t.Context()); return err },
			"claim": func(q *db.Queries) error {
				_, err := q.ClaimJobs(t.Context(), db.ClaimJobsParams{Kind: "hook", Owner: "ag_many", Count: 8})
				return err
			},
			"ready": func(q *db.Queries) error {
				_, err := q.ReadyJobs(t.Context(), db.ReadyJobsParams{Now: 1, Count: 100})
				return err
			},
			"rescue": func(q *db.Queries) error { _, err := q.RescueJobs(t.Context(), db.RescueJobsParams{}); return err },
		} {
			plan := planOf(t, s, query)
			for _, whole := range []string{"Seq Scan on jobs", "SCAN jobs", "SCAN head", "SCAN k", "SCAN o", "SCAN l", "SCAN d", "SCAN s"} {
				require.NotContains(t, plan+"\n", whole+"\n", name)
				require.NotContains(t, plan, whole+" ", name)
			}
			if name == "queues" || name == "claim" {
				require.Contains(t, plan, "jobs_ready", name)
			}
		}
	})
}

// A plan that names the index may still walk along it, as SQLite does past what equals a
// row, so the claim of one owner past another's backlog is measured as well.
func BenchmarkClaimPastABacklog(b *testing.B) {
	for _, backlog := range []int{50, 50_000} {
		b.Run(fmt.Sprint(backlog), func(b *testing.B) {
			s := storetest.Open(b)
			flood(b, s, backlog)
			require.NoError(b, s.Read(b.Context(), func(tx *store.Tx) error {
				for b.Loop() {
					queues, err := tx.NextQueues(b.Context(), withFullOwner)
					if err != nil {
						return err
					}
					require.Len(b, queues, 1)
				}
				return nil
			}))
		})
	}
}
