package store_test

import (
	"database/sql"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
)

// statusOf is a status for the i-th task: nearly all are over.
const statusOf = `CASE WHEN i % 100 > 10 THEN 'PAID' WHEN i % 100 = 10 THEN 'CANCELLED' WHEN i % 100 = 9 THEN 'EXPIRED'
	WHEN i % 100 = 8 THEN 'ESTIMATE_PENDING' WHEN i % 100 = 7 THEN 'ACCEPTED' WHEN i % 100 = 6 THEN 'IN_PROGRESS' WHEN i % 100 = 5 THEN 'SUBMITTED'
	WHEN i % 100 = 4 THEN 'MANUAL_REVIEW' WHEN i % 100 = 3 THEN 'VERIFIED' WHEN i % 100 = 2 THEN 'DISPUTED' ELSE 'POSTED' END`

// longUse is a house with 10,000 tasks of one agent and one operator, most of them over, and
// with a history of everything else. A tenth of what is open was meant for one person.
var longUse = []string{
	`INSERT INTO agents (id, name, tier, created_at)` + numbers + `'ag_' || i, 'A', CASE WHEN i = 1 THEN 'HOUSE' ELSE 'SANDBOX' END, i FROM n`,
	`INSERT INTO people (id, name, name_key, is_operator, is_owner, simulated, removed_at, created_at)` + numbers + `
		'op_' || i, 'P' || i, 'p' || i, TRUE, i % 1000 = 0, i % 2000 = 1, CASE WHEN i % 100 > 2 THEN 1 ELSE 0 END, i FROM n`,
	`INSERT INTO tasks (id, agent_id, mode, status, title, description, task_type, reward, asset, deadline, proof_requirements, estimate_approval, content_hash,
		assign_to, operator_id, paid_at, created_at, updated_at)` + numbers + `
		't_' || i, CASE WHEN i % 50 = 7 THEN 'ag_2' ELSE 'ag_1' END, 'live', ` + statusOf + `, 'T', 'D', 'PHOTO', 1, 'house', i + 5, '[]', 'auto', 'h' || (i % 1000),
		CASE WHEN i % 100 = 1 AND i % 1000 <> 1 THEN 'op_3' END, CASE WHEN i % 100 > 1 THEN 'op_' || (i % 2) END, CASE WHEN i % 100 > 10 THEN i ELSE 0 END, i, i FROM n`,
	`INSERT INTO subjects (id, kind, agent_id, mode, state, finished, claimed_by, created_at, updated_at, ended_at)
		SELECT id, 'task', agent_id, mode, status, status IN ('PAID', 'CANCELLED', 'EXPIRED'),
			CASE WHEN status IN ('ACCEPTED', 'IN_PROGRESS') THEN operator_id ELSE '' END, created_at, updated_at, CASE WHEN status IN ('PAID', 'CANCELLED', 'EXPIRED') THEN updated_at + 1 ELSE 0 END FROM tasks`,
	`INSERT INTO submissions (task_id, number, operator_id, created_at)` + numbers + `'t_' || i, 1, 'op_1', i FROM n WHERE i % 100 > 1`,
	`INSERT INTO proof_files (task_id, n, submission, operator_id, sha256, mime, bytes, width, height, large_sha, thumb_sha, created_at)` + numbers + `
		't_' || i, 1, 1, 'op_1', 's' || i, 'image/jpeg', 1, 1, 1, 'l' || i, 'm' || i, i FROM n WHERE i % 100 > 1`,
	`INSERT INTO messages (id, task_id, sender, author_id, body, created_at)` + numbers + `'m_' || i, 't_' || i, 'operator', 'op_1', 'B', i FROM n`,
	`INSERT INTO accounts (id, owner_id, kind, asset, balance, created_at)` + numbers + `'escrow:house:t_' || i, 't_' || i, 'escrow', 'house', 0, i FROM n`,
	`INSERT INTO accounts (id, owner_id, kind, asset, balance, created_at) VALUES ('deposit:house:ag_1', 'ag_1', 'deposit', 'house', 1, 1), ('earnings:house:op_1', 'op_1', 'earnings', 'house', 1, 1)`,
	`INSERT INTO sessions (id, person_id, token_hash, kind, created_at, last_used_at, expires_at)` + numbers + `'s_' || i, 'op_' || i, 'h' || i, 'browser', i, i, i FROM n`,
	`INSERT INTO sign_in_links (id, person_id, token_hash, created_at, expires_at)` + numbers + `'k_' || i, 'op_' || i, 'h' || i, i, i FROM n`,
	`INSERT INTO api_keys (id, agent_id, name, prefix, key_hash, audience, mode, created_at, revoked_at)` + numbers + `
		'key_' || i, 'ag_1', 'K', 'ho_', 'h' || i, 'all', 'live', i, CASE WHEN i % 1000 = 1 THEN 0 ELSE 1 END FROM n`,
}

// access is how a query is expected to find its rows.
type access struct {
	table string // as the query calls it
	index string // one of these, as a regular expression
	sorts bool   // puts what it found in order, of which there is little
	query func(q *db.Queries) error
}

// rows makes a query of one that gives rows or a number.
func rows[R any](_ R, err error) error { return err }

const (
	end   = int64(1) << 60
	page  = 21
	count = 10_001
)

func TestHistory_WhatTasksAreReadBy(t *testing.T) {
	ctx := t.Context()
	queries := map[string]access{
		"ListAgentTasks": {"t", "tasks_by_agent", false, func(q *db.Queries) error {
			return rows(q.ListAgentTasks(ctx, db.ListAgentTasksParams{AgentID: "ag_1", Mode: "live", Before: end, RowLimit: page}))
		}},
		"CountAgentTasks": {"t", "tasks_by_agent", false, func(q *db.Queries) error {
			return rows(q.CountAgentTasks(ctx, db.CountAgentTasksParams{AgentID: "ag_1", Mode: "live", CountTo: count}))
		}},
		"ListAgentTasks of a type with a title": {"t", "tasks_by_agent", false, func(q *db.Queries) error {
			return rows(q.ListAgentTasks(ctx, db.ListAgentTasksParams{
				AgentID: "ag_2", Mode: "live", TaskType: "VIDEO", TitleLike: "%x%", TitleAsIs: "%x%", Before: end, Floor: 5000, FloorID: "t_5000", RowLimit: page,
			}))
		}},
		"ListAgentTasksIn": {"t", "tasks_by_agent_status", false, func(q *db.Queries) error {
			return rows(q.ListAgentTasksIn(ctx, db.ListAgentTasksInParams{AgentID: "ag_1", Mode: "live", Status: "MANUAL_REVIEW", Before: end, RowLimit: page}))
		}},
		"ListAgentTasksIn of most": {"t", "tasks_by_(agent_)?status", false, func(q *db.Queries) error {
			return rows(q.ListAgentTasksIn(ctx, db.ListAgentTasksInParams{AgentID: "ag_1", Mode: "live", Status: "PAID", EndedSince: 9000, Before: end, RowLimit: page}))
		}},
		"CountAgentTasksIn": {"t", "tasks_by_agent_status", false, func(q *db.Queries) error {
			return rows(q.CountAgentTasksIn(ctx, db.CountAgentTasksInParams{AgentID: "ag_1", Mode: "live", Status: "PAID", CountTo: count}))
		}},
		"ListOwnerTasks": {"t", "tasks_by_time", false, func(q *db.Queries) error {
			return rows(q.ListOwnerTasks(ctx, db.ListOwnerTasksParams{Before: end, RowLimit: page}))
		}},
		"CountOwnerTasks": {"t", "tasks_by_time", false, func(q *db.Queries) error {
			return rows(q.CountOwnerTasks(ctx, db.CountOwnerTasksParams{CountTo: count}))
		}},
		"ListOwnerTasksIn": {"t", "tasks_by_status", false, func(q *db.Queries) error {
			return rows(q.ListOwnerTasksIn(ctx, db.ListOwnerTasksInParams{Status: "DISPUTED", Before: end, RowLimit: page}))
		}},
		"CountOwnerTasksIn": {"t", "tasks_by_status", false, func(q *db.Queries) error {
			return rows(q.CountOwnerTasksIn(ctx, db.CountOwnerTasksInParams{Status: "PAID", CountTo: count}))
		}},
		"ListAgentEnded": {"t", "tasks_ended_of_agent", true, func(q *db.Queries) error {
			return rows(q.ListAgentEnded(ctx, db.ListAgentEndedParams{AgentID: "ag_1", Mode: "live", EndedSince: 9900, Paid: true, Cancelled: true, Before: end, RowLimit: page}))
		}},
		"CountAgentEnded": {"t", "tasks_ended_of_agent", false, func(q *db.Queries) error {
			return rows(q.CountAgentEnded(ctx, db.CountAgentEndedParams{AgentID: "ag_1", Mode: "live", EndedSince: 9900, Paid: true, Cancelled: true, CountTo: count}))
		}},
		"ListOwnerEnded": {"t", "tasks_ended", true, func(q *db.Queries) error {
			return rows(q.ListOwnerEnded(ctx, db.ListOwnerEndedParams{EndedSince: 9900, Paid: true, Cancelled: true, Before: end, RowLimit: page}))
		}},
		"CountOwnerEnded": {"t", "tasks_ended", false, func(q *db.Queries) error {
			return rows(q.CountOwnerEnded(ctx, db.CountOwnerEndedParams{EndedSince: 9900, Paid: true, Cancelled: true, CountTo: count}))
		}},
		"ListPoolTasks": {"t", "tasks_open", false, func(q *db.Queries) error {
			return rows(q.ListPoolTasks(ctx, db.ListPoolTasksParams{Before: end, RowLimit: page}))
		}},
		"CountPoolTasks": {"t", "tasks_open", false, func(q *db.Queries) error {
			return rows(q.CountPoolTasks(ctx, db.CountPoolTasksParams{CountTo: count}))
		}},
		"ListAssignedTasks": {"t", "tasks_open", false, func(q *db.Queries) error {
			return rows(q.ListAssignedTasks(ctx, db.ListAssignedTasksParams{OperatorID: "op_3", Before: end, RowLimit: page}))
		}},
		"CountAssignedTasks": {"t", "tasks_open", false, func(q *db.Queries) error {
			return rows(q.CountAssignedTasks(ctx, db.CountAssignedTasksParams{OperatorID: "op_3", CountTo: count}))
		}},
		"ListOperatorTasks": {"t", "tasks_by_operator", false, func(q *db.Queries) error {
			return rows(q.ListOperatorTasks(ctx, db.ListOperatorTasksParams{OperatorID: "op_1", Before: end, RowLimit: page}))
		}},
		"CountOperatorTasks": {"t", "tasks_by_operator", false, func(q *db.Queries) error {
			return rows(q.CountOperatorTasks(ctx, db.CountOperatorTasksParams{OperatorID: "op_1", CountTo: count}))
		}},
		"NewestTasks": {"tasks", "sqlite_autoindex_tasks_1|tasks_pkey", true, func(q *db.Queries) error {
			return rows(q.NewestTasks(ctx, db.NewestTasksParams{Ids: store.IDs([]string{"t_1", "t_2"}), RowLimit: page}))
		}},
		"PendingTasks": {"t", "tasks_pending", false, func(q *db.Queries) error {
			return rows(q.PendingTasks(ctx, db.PendingTasksParams{OperatorID: "op_1", RowLimit: 100}))
		}},
		"PendingEarnings": {"t", "tasks_pending", false, func(q *db.Queries) error { return rows(q.PendingEarnings(ctx, "op_1")) }},
		"ListEarned":      {"tasks", "tasks_paid", false, func(q *db.Queries) error { return rows(q.ListEarned(ctx, "op_1")) }},
		"DuplicateOf": {"t", "tasks_by_content", false, func(q *db.Queries) error {
			return rows(q.DuplicateOf(ctx, db.DuplicateOfParams{AgentID: "ag_1", ContentHash: "h5", PostedSince: 5}))
		}},
		"PostedSince": {"tasks", "tasks_by_(agent|time)", false, func(q *db.Queries) error {
			return rows(q.PostedSince(ctx, db.PostedSinceParams{AgentID: "ag_1", DayStart: 9990}))
		}},
		"TasksWaiting": {"tasks", "tasks_by_status", false, func(q *db.Queries) error {
			return rows(q.TasksWaiting(ctx, db.TasksWaitingParams{Status: "MANUAL_REVIEW"}))
		}},
		"ListTaskMessages": {"messages", "messages_by_task", false, func(q *db.Queries) error {
			return rows(q.ListTaskMessages(ctx, db.ListTaskMessagesParams{TaskID: "t_7", RowLimit: page}))
		}},
		"OpenQuestions": {"m", "messages_by_task", false, func(q *db.Queries) error { return rows(q.OpenQuestions(ctx, "t_7")) }},
		"ClaimsOf": {"subjects", "subjects_claimed", false, func(q *db.Queries) error {
			return rows(q.ClaimsOf(ctx, db.ClaimsOfParams{ClaimedBy: "op_1", Kind: "task"}))
		}},
	}
	inLongUse(t, queries)
	storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
		for name, a := range queries {
			if strings.HasPrefix(name, "List") && !a.sorts && strings.Contains(a.index, "tasks_") && a.index != "tasks_paid" {
				require.Regexp(t, `created_at, ?id\) ?<`, indexPlanOf(t, s, a.query), "%s begins where the page does", name)
			}
		}
	})
}

func TestHistory_WhatAccountsAndPeopleAreReadBy(t *testing.T) {
	ctx := t.Context()
	key := func(table string) string { return "sqlite_autoindex_" + table + `_\d|` + table + `_\w*key` }
	inLongUse(t, map[string]access{
		"AccountBalance": {"accounts", key("accounts"), false, func(q *db.Queries) error { return rows(q.AccountBalance(ctx, "deposit:house:ag_1")) }},
		"PersonEarnings": {"accounts", key("accounts"), false, func(q *db.Queries) error { return rows(q.PersonEarnings(ctx, "op_1")) }},
		"EscrowOf": {"accounts", key("accounts"), false, func(q *db.Queries) error {
			return rows(q.EscrowOf(ctx, db.EscrowOfParams{OwnerID: "t_1", Asset: "house"}))
		}},
		"ProofInUse":  {"o", "proof_files_(sha|large|thumb)", false, func(q *db.Queries) error { return rows(q.ProofInUse(ctx, "s5")) }},
		"PeopleCount": {"people", "people_here|people_name", false, func(q *db.Queries) error { return rows(q.PeopleCount(ctx, count)) }},
		"PeoplePage": {"p", "people_here", false, func(q *db.Queries) error {
			return rows(q.PeoplePage(ctx, db.PeoplePageParams{MaxRows: page}))
		}},
		"PeopleNames":       {"people", "people_here", false, func(q *db.Queries) error { return rows(q.PeopleNames(ctx, 11)) }},
		"PersonOwner":       {"people", "people_owners", false, func(q *db.Queries) error { return rows(q.PersonOwner(ctx)) }},
		"Owners":            {"people", "people_owners", false, func(q *db.Queries) error { return rows(q.Owners(ctx)) }},
		"LockOwners":        {"people", "people_owners", false, func(q *db.Queries) error { return rows(q.LockOwners(ctx)) }},
		"PeopleSimulated":   {"people", "people_simulated", false, func(q *db.Queries) error { return rows(q.PeopleSimulated(ctx)) }},
		"PersonActiveTasks": {"subjects", "subjects_claimed", false, func(q *db.Queries) error { return rows(q.PersonActiveTasks(ctx, "op_1")) }},
		"HouseAgentID":      {"agents", "agents_house", false, func(q *db.Queries) error { return rows(q.HouseAgentID(ctx)) }},
		"KeysCount": {"api_keys", "api_keys_agent", false, func(q *db.Queries) error {
			return rows(q.KeysCount(ctx, db.KeysCountParams{AgentID: "ag_1"}))
		}},
		"KeysPage": {"api_keys", "api_keys_agent", false, func(q *db.Queries) error {
			return rows(q.KeysPage(ctx, db.KeysPageParams{AgentID: "ag_1", MaxRows: page}))
		}},
		"RevokeKeysNamed": {"api_keys", "api_keys_agent", false, func(q *db.Queries) error {
			return q.RevokeKeysNamed(ctx, db.RevokeKeysNamedParams{AgentID: "ag_1", Name: "K"})
		}},
		"DeleteDeadSessions": {"sessions", "sessions_expiry", false, func(q *db.Queries) error { return q.DeleteDeadSessions(ctx, 5) }},
		"DeleteDeadLinks":    {"sign_in_links", "sign_in_links_expiry", false, func(q *db.Queries) error { return q.DeleteDeadLinks(ctx, 5) }},
		"DeleteExpiredSessions": {"sessions", "sessions_(person|expiry)", false, func(q *db.Queries) error {
			return q.DeleteExpiredSessions(ctx, db.DeleteExpiredSessionsParams{PersonID: "op_1", Now: 5})
		}},
	})
}

// inLongUse looks at the plans of both databases: PostgreSQL knows its tables, SQLite is never told.
func inLongUse(t *testing.T, queries map[string]access) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
		for _, text := range longUse {
			storetest.Exec(t, s, text)
		}
		if s.Kind() == "postgres" {
			storetest.Exec(t, s, "VACUUM ANALYZE")
		}
		for name, a := range queries {
			t.Run(name, func(t *testing.T) { a.require(t, s) })
		}
	})
}

func (a access) require(t *testing.T, s *store.Store) {
	plan := indexPlanOf(t, s, a.query)
	require.Regexp(t, `\b(`+a.index+`)\b`, plan)
	require.NotContains(t, plan, "Seq Scan")
	for _, line := range strings.Split(plan, "\n") {
		require.NotRegexp(t, `^SCAN `+regexp.QuoteMeta(a.table)+`$`, line, plan)
		if !a.sorts {
			require.NotContains(t, line, "TEMP B-TREE", plan)
			require.NotContains(t, line, "Sort", plan)
		}
	}
}

// indexPlanOf is how PostgreSQL, too, would find the rows if the tables were large: those of a
// test are so small that reading all of one costs it less than an index.
func indexPlanOf(t *testing.T, s *store.Store, query func(*db.Queries) error) string {
	t.Helper()
	none, err := sql.Open("sqlite", ":memory:")
	require.NoError(t, err)
	defer none.Close()
	p := &planner{kind: s.Kind(), none: none}
	require.NoError(t, s.Write(t.Context(), func(tx *store.Tx) error {
		p.DBTX = store.DBTX(tx)
		for _, setting := range []string{"enable_seqscan", "enable_bitmapscan"} {
			if s.Kind() != "postgres" {
				break
			}
			if _, err := p.DBTX.ExecContext(t.Context(), fmt.Sprintf("SET LOCAL %s = off", setting)); err != nil {
				return err
			}
		}
		if err := query(db.New(p)); p.plan.Len() == 0 {
			return err
		}
		return nil // what a query answers is not looked at
	}))
	return p.plan.String()
}
