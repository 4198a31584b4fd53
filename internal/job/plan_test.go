package job_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
)

// flood writes jobs that are ready, all of one owner, half of them to a host each, and a
// tenth as many that are scheduled, all of different owners.
func flood(t *testing.T, s *store.Store, n int) {
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
		require.NoError(t, s.Write(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(t.Context(), text)
			return err
		}))
	}
}

// withFullOwner is what a claim asks while the owner of the flood has its share.
var withFullOwner = db.NextQueuesParams{Limited: ",hook,", FullKinds: ",", FullOwners: ",hook ag_many,", FullLanes: ",", Count: 32}

func TestAClaimReadsLittleOfALongTable(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
		flood(t, s, 20_000)
		for name, plan := range plansOf(t, s, map[string]func(*db.Queries) error{
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
		}) {
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

// plansOf are the databases' plans of queries.
func plansOf(t *testing.T, s *store.Store, queries map[string]func(*db.Queries) error) map[string]string {
	t.Helper()
	explain := "EXPLAIN QUERY PLAN "
	if s.Kind() == "postgres" {
		explain = "EXPLAIN "
	}
	plans := map[string]string{}
	for name, query := range queries {
		require.NoError(t, s.Write(t.Context(), func(tx *store.Tx) error {
			seen := &explained{tx: tx, explain: explain}
			require.PanicsWithValue(t, errSeen, func() { _ = query(db.New(seen)) }, name)
			plans[name] = seen.plan
			return seen.err
		}))
		require.NotEmpty(t, plans[name], name)
	}
	return plans
}

// explained asks for a query's plan instead of running it, and then panics.
type explained struct {
	tx            *store.Tx
	explain, plan string
	err           error
}

var errSeen = errors.New("the plan was asked for")

func (e *explained) ask(ctx context.Context, text string, args []any) error {
	rows, err := e.tx.Query(ctx, e.explain+text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	line := make([]any, len(columns))
	for i := range line {
		line[i] = new(any)
	}
	for rows.Next() {
		if err := rows.Scan(line...); err != nil {
			return err
		}
		e.plan += strings.TrimSpace(fmt.Sprint(*line[len(line)-1].(*any))) + "\n"
	}
	return rows.Err()
}

func (e *explained) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	e.err = e.ask(ctx, text, args)
	panic(errSeen)
}

func (e *explained) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	e.err = e.ask(ctx, text, args)
	panic(errSeen)
}

func (e *explained) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	e.err = e.ask(ctx, text, args)
	panic(errSeen)
}

func (e *explained) PrepareContext(context.Context, string) (*sql.Stmt, error) { panic(errSeen) }

// A plan that names the index may still walk along it, as SQLite does past what equals a
// row, so the time is compared too.
func TestAFullOwnersBacklogIsSteppedOver(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
		least := func(n int) time.Duration {
			flood(t, s, n)
			best := time.Hour
			require.NoError(t, s.Read(t.Context(), func(tx *store.Tx) error {
				for range 20 {
					begin := time.Now()
					queues, err := tx.NextQueues(t.Context(), withFullOwner)
					if err != nil {
						return err
					}
					best = min(best, time.Since(begin))
					require.Len(t, queues, 1)
					require.Equal(t, "ag_one", queues[0].Owner)
				}
				return nil
			}))
			require.NoError(t, s.Write(t.Context(), func(tx *store.Tx) error {
				_, err := tx.Exec(t.Context(), "DELETE FROM jobs")
				return err
			}))
			return best
		}
		short, long := least(50), least(50_000)
		require.Less(t, long, 10*short, "a thousand times as many wait")
	})
}
