package store_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
)

// What a list or a look-up costs must not grow with what is over. These tests ask each
// database how it would find the rows of a house that has been used for a while.

// numbers makes the rows of a table from the numbers i below 10,000.
const numbers = ` WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 9999) SELECT `

// history is 10,000 requests, of which all but twenty are over. One in fifty is the quiet
// agent's; each person was asked about one of them, some answered.
var history = []string{
	`INSERT INTO agents (id, name, tier, created_at) VALUES ('ag_busy', 'Busy', 'HOUSE', 1), ('ag_quiet', 'Quiet', 'HOUSE', 1)`,
	`INSERT INTO people (id, name, name_key, created_at)` + numbers + `'op_' || i, 'P' || i, 'p' || i, i FROM n`,
	`INSERT INTO loops (id, slug, mode, creator_id, name, created_at, updated_at)` + numbers + `'loop_' || i, 'l' || i, 'live', 'op_0', 'L', i, i FROM n`,
	`INSERT INTO tasks (id, agent_id, mode, status, title, description, task_type, reward, asset, deadline, proof_requirements, estimate_approval, content_hash,
		operator_id, paid_at, created_at, updated_at)` + numbers + `
		't_' || i, CASE WHEN i % 50 = 0 THEN 'ag_quiet' ELSE 'ag_busy' END, 'live', CASE WHEN i % 500 = 1 THEN 'POSTED' ELSE 'PAID' END, 'T', 'D', 'PHOTO', 1, 'house', i,
		'[]', 'auto', 'h' || i, CASE WHEN i % 500 = 1 THEN NULL ELSE 'op_' || (i % 100) END, 1, i, i FROM n`,
	`INSERT INTO reviews (id, loop_id, agent_id, mode, status, processing_type, type, priority, priority_rank, request_text, platform, response_type,
		response_config, on_timeout, timeout_seconds, content_hash, timeout_at, response_source, created_at, round_at, updated_at, ended_at)` + numbers + `
		'r_' || i, 'loop_' || (i % 20), CASE WHEN i % 50 = 0 THEN 'ag_quiet' ELSE 'ag_busy' END, 'live', CASE WHEN i % 500 = 1 THEN 'pending' ELSE 'timeout' END,
		'deferred', 'markdown', 'medium', 2, 'May I?', 'api', 'boolean', '{}', 'cancel', 60, 'h' || i, i + 60, CASE WHEN i % 500 = 1 THEN '' ELSE 'default' END,
		i, i, i, CASE WHEN i % 500 = 1 THEN 0 ELSE i + 60 END FROM n`,
	`INSERT INTO review_recipients (review_id, person_id, reason, created_at, loop_id, requested_at, open)` + numbers + `
		'r_' || i, 'op_' || i, CASE WHEN i % 10 = 0 THEN 'escalated' ELSE 'loop' END, i, 'loop_' || (i % 20), i, i % 500 = 1 FROM n`,
	// One of them was asked about everything in one loop.
	`INSERT INTO review_recipients (review_id, person_id, reason, created_at, loop_id, requested_at, open)` + numbers + `
		'r_' || i, 'op_3', 'loop', i, 'loop_' || (i % 20), i, i % 500 = 1 FROM n WHERE i % 20 = 8`,
	`INSERT INTO subjects (id, kind, agent_id, mode, state, finished, created_at, updated_at, ended_at)` + numbers + `
		'r_' || i, 'review', CASE WHEN i % 50 = 0 THEN 'ag_quiet' ELSE 'ag_busy' END, 'live', CASE WHEN i % 500 = 1 THEN 'pending' ELSE 'timeout' END,
		i % 500 <> 1, i, i, CASE WHEN i % 500 = 1 THEN 0 ELSE i + 60 END FROM n`,
	`INSERT INTO review_uploads (upload_id, loop_id, review_id)` + numbers + `'u_' || i, 'loop_' || (i % 20), 'r_' || i FROM n`,
	`INSERT INTO review_links (id, token_hash, review_id, person_id, created_at, expires_at)` + numbers + `'l_' || i, 'l_' || i, 'r_' || i, 'op_' || i, i, i FROM n`,
	`INSERT INTO uploads (id, agent_id, mode, name, mime, bytes, sha256, created_at)` + numbers + `'u_' || i, 'ag_busy', 'live', 'a.png', 'image/png', 1, 's_' || i, i FROM n`,
	`INSERT INTO webhooks (id, agent_id, mode, subject_id, url, events, secret, created_at, updated_at)` + numbers + `'wh_' || i, 'ag_busy', 'live', 'r_' || i, 'https://x', '[]', '', i, i FROM n`,
	`INSERT INTO webhook_deliveries (id, webhook_id, subject_id, event_id, event, body, state, created_at)` + numbers + `
		'whd_' || i, 'wh_' || (i % 100), 'r_' || i, 'ev_' || i, 'request.timeout', '{}', 'delivered', i FROM n`,
	`INSERT INTO loop_members (loop_id, person_id, status, role, added_by, created_at)` + numbers + `'loop_' || (i % 100), 'op_' || i, 'active', 'member', 'op_0', i FROM n`,
	`INSERT INTO review_votes (review_id, round, person_id, response, value, decision, via, created_at)` + numbers + `
		'r_' || i, 1, 'op_' || i, 'true', 'true', 'approved', 'page', i FROM n`,
	`INSERT INTO review_feedback (review_id, id, agent_id, body, created_at)` + numbers + `'r_' || i, 'f_' || i, 'ag_busy', '{}', i FROM n`,
	`INSERT INTO receipts (review_id, round, nonce, digest, decision, body, expires_at, created_at)` + numbers + `
		'r_' || i, 1, 'n' || i, 'd', 'approved', '{}', i, i FROM n`,
}

// PostgreSQL knows its tables, as it does after a while by itself; SQLite is never told.
func TestHistory_InAHouseWithAHistory(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
		texts := history
		if s.Kind() == "postgres" {
			texts = append(texts[:len(texts):len(texts)], "ANALYZE")
		}
		for _, text := range texts {
			storetest.Exec(t, s, text)
		}
		t.Run("ids are looked up by index", func(t *testing.T) { lookUpIDs(t, s) })
		t.Run("the newest tasks come from an index", func(t *testing.T) { newestTasks(t, s) })
		t.Run("lists of reviews come from an index", func(t *testing.T) { reviewLists(t, s) })
		t.Run("the review of a task comes from an index", func(t *testing.T) { reviewOfTask(t, s) })
		t.Run("what hangs on reviews comes from an index", func(t *testing.T) { aroundReviews(t, s) })
	})
}

// planner runs queries and keeps how the database finds their rows.
type planner struct {
	db.DBTX
	kind string
	none *sql.DB // gives the one row of a count, which nobody looks at
	plan strings.Builder
}

// planOf is how the database finds the rows of a query, after some settings.
func planOf(t *testing.T, s *store.Store, query func(*db.Queries) error, settings ...string) string {
	t.Helper()
	none, err := sql.Open("sqlite", ":memory:")
	require.NoError(t, err)
	defer none.Close()
	p := &planner{kind: s.Kind(), none: none}
	require.NoError(t, s.Write(t.Context(), func(tx *store.Tx) error {
		p.DBTX = store.DBTX(tx)
		for _, text := range settings {
			if _, err := p.DBTX.ExecContext(t.Context(), text); err != nil {
				return err
			}
		}
		if err := query(db.New(p)); p.plan.Len() == 0 {
			return err
		}
		return nil // what a query answers is not looked at, and not always right
	}))
	return p.plan.String()
}

func (p *planner) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	return driver.RowsAffected(0), p.explain(ctx, text, args)
}

func (p *planner) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if err := p.explain(ctx, text, args); err != nil {
		return nil, err
	}
	return p.DBTX.QueryContext(ctx, text, args...)
}

func (p *planner) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	if err := p.explain(ctx, text, args); err != nil {
		p.plan.WriteString(err.Error())
	}
	return p.none.QueryRowContext(ctx, "SELECT 0")
}

func (p *planner) explain(ctx context.Context, text string, args []any) error {
	how := "EXPLAIN "
	if p.kind == "sqlite" {
		how = "EXPLAIN QUERY PLAN "
	}
	rows, err := p.DBTX.QueryContext(ctx, how+text, args...)
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
	var step string // in the last column
	line[len(line)-1] = &step
	for rows.Next() {
		if err := rows.Scan(line...); err != nil {
			return err
		}
		p.plan.WriteString(step + "\n")
	}
	return rows.Err()
}

func lookUpIDs(t *testing.T, s *store.Store) {
	ctx := t.Context()
	for table, look := range map[string]func(q *db.Queries, ids func(prefix string) string) (int, error){
		"loops": func(q *db.Queries, ids func(string) string) (int, error) {
			rows, err := q.LoopsByIDs(ctx, ids("loop_"))
			return len(rows), err
		},
		"tasks": func(q *db.Queries, ids func(string) string) (int, error) {
			rows, err := q.TasksByIDs(ctx, ids("t_"))
			return len(rows), err
		},
		"people": func(q *db.Queries, ids func(string) string) (int, error) {
			rows, err := q.PeopleByIDs(ctx, ids("op_"))
			return len(rows), err
		},
		"review_recipients": func(q *db.Queries, ids func(string) string) (int, error) {
			rows, err := q.RecipientsOf(ctx, ids("r_"))
			return len(rows), err
		},
		"review_votes": func(q *db.Queries, ids func(string) string) (int, error) {
			rows, err := q.AnswersOf(ctx, ids("r_"))
			return len(rows), err
		},
		"review_feedback": func(q *db.Queries, ids func(string) string) (int, error) {
			rows, err := q.FeedbackOf(ctx, ids("r_"))
			return len(rows), err
		},
		"receipts": func(q *db.Queries, ids func(string) string) (int, error) {
			rows, err := q.ReceiptsOf(ctx, ids("r_"))
			return len(rows), err
		},
	} {
		three := func(prefix string) string {
			return store.IDs([]string{prefix + "7", prefix + "5000", "", prefix + "7", prefix + "9999", prefix + "none", "' OR 1=1", "\x00", "\xff"})
		}
		plan := planOf(t, s, func(q *db.Queries) error {
			n, err := look(q, three)
			require.Equal(t, 3, n, table)
			return err
		})
		if s.Kind() == "sqlite" {
			require.Contains(t, plan, "SEARCH "+table+" USING", table)
		} else {
			require.Contains(t, plan, "= ANY (", table)
		}
		require.NotContains(t, plan, "SCAN "+table, table)
		require.NotContains(t, plan, "Seq Scan on", table)
		planOf(t, s, func(q *db.Queries) error {
			n, err := look(q, func(string) string { return store.IDs(nil) })
			require.Zero(t, n, table)
			return err
		})
	}
}

func TestIDsAreOneArgument(t *testing.T) {
	require.Equal(t, `[]`, store.IDs(nil))
	require.Equal(t, `["a_1","b_2"]`, store.IDs([]string{"b_2", "", "a_1", "b_2", `x"`, "y\x00"}))
}

func newestTasks(t *testing.T, s *store.Store) {
	ctx := t.Context()
	const before, rows = 1 << 60, 6
	for name, c := range map[string]struct {
		list  func(q *db.Queries) (int, error)
		index string
	}{
		"an agent's": {func(q *db.Queries) (int, error) {
			found, err := q.ListAgentTasks(ctx, db.ListAgentTasksParams{AgentID: "ag_quiet", Mode: "live", Before: before, RowLimit: rows})
			return len(found), err
		}, "tasks_by_agent"},
		"the owner's": {func(q *db.Queries) (int, error) {
			found, err := q.ListOwnerTasks(ctx, db.ListOwnerTasksParams{Before: before, RowLimit: rows})
			return len(found), err
		}, "tasks_by_time"},
		"the pool": {func(q *db.Queries) (int, error) {
			found, err := q.ListPoolTasks(ctx, db.ListPoolTasksParams{Before: before, RowLimit: rows})
			return len(found), err
		}, "tasks_open"},
		"an operator's": {func(q *db.Queries) (int, error) {
			found, err := q.ListOperatorTasks(ctx, db.ListOperatorTasksParams{OperatorID: "op_7", Before: before, RowLimit: rows})
			return len(found), err
		}, "tasks_by_operator"},
	} {
		plan := planOf(t, s, func(q *db.Queries) error {
			n, err := c.list(q)
			require.Equal(t, rows, n, name)
			return err
		})
		require.Contains(t, plan, c.index, name)
		for _, costly := range []string{"SCAN t\n", "TEMP B-TREE", "Seq Scan on tasks", "Sort"} {
			require.NotContains(t, plan, costly, name)
		}
	}
}

func reviewOfTask(t *testing.T, s *store.Store) {
	plan := planOf(t, s, func(q *db.Queries) error {
		_, err := q.ReviewOfTask(t.Context(), "t_7")
		return err
	})
	require.Contains(t, plan, "reviews_by_task")
}
