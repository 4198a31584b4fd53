package store_test

import (
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/event"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/internal/trail"
	"humanops-mcp/schemas"
)

// The versions of the databases that earlier programs have left.
const (
	beforeReviews = 1
	beforeOwners  = 2
	beforeTrails  = 2
)

// oldHouse is a database as an earlier program has left it.
type oldHouse struct {
	t       *testing.T
	pool    *sql.DB
	options store.Options
}

// eachOld runs a test on a database of that version with these rows, on SQLite and on PostgreSQL.
func eachOld(t *testing.T, version int64, rows []string, test func(t *testing.T, h oldHouse)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "humanops.db")
		test(t, newOldHouse(t, version, rows, goose.DialectSQLite3, "file:"+path+"?_pragma=foreign_keys(1)&_pragma=busy_timeout(10000)", store.Options{Path: path}))
	})
	t.Run("postgres", func(t *testing.T) {
		address := storetest.PostgresURL(t)
		test(t, newOldHouse(t, version, rows, goose.DialectPostgres, address, store.Options{DatabaseURL: address}))
	})
}

func newOldHouse(t *testing.T, version int64, rows []string, dialect goose.Dialect, source string, o store.Options) oldHouse {
	t.Helper()
	driver := map[goose.Dialect]string{goose.DialectSQLite3: "sqlite", goose.DialectPostgres: "pgx"}[dialect]
	pool, err := sql.Open(driver, source)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pool.Close()) })
	provider, err := goose.NewProvider(dialect, pool, os.DirFS("migrations"), goose.WithDisableGlobalRegistry(true))
	require.NoError(t, err)
	_, err = provider.UpTo(t.Context(), version)
	require.NoError(t, err)
	h := oldHouse{t, pool, o}
	for _, text := range rows {
		h.exec(text)
	}
	return h
}

func (h oldHouse) exec(text string) {
	h.t.Helper()
	_, err := h.pool.ExecContext(h.t.Context(), text)
	require.NoError(h.t, err, text)
}

// open brings it up to date.
func (h oldHouse) open() *store.Store {
	h.t.Helper()
	s, err := store.Open(h.t.Context(), h.options)
	require.NoError(h.t, err)
	h.t.Cleanup(func() { require.NoError(h.t, s.Close()) })
	storetest.Attach(h.t, s, h.options)
	return s
}

// requireRefused makes sure that it cannot be brought up to date, and what is said of it.
func (h oldHouse) requireRefused(says ...string) {
	h.t.Helper()
	_, err := store.Open(h.t.Context(), h.options)
	for _, part := range says {
		require.ErrorContains(h.t, err, part)
	}
}

// A house of before reviews: its agent, two keys, one of them revoked, and a waiting job.
var houseBeforeReviews = []string{
	"INSERT INTO agents (id, name, tier, created_at) VALUES ('ag_1', 'Local', 'HOUSE', 1)",
	`INSERT INTO api_keys (id, agent_id, name, prefix, key_hash, audience, mode, created_at, last_used_at, revoked_at) VALUES
	('key_1', 'ag_1', 'local', 'hk_live', 'hash1', 'marketplace', 'live', 2, 3, 0), ('key_2', 'ag_1', 'old', 'hk_test', 'hash2', 'marketplace', 'test', 4, 5, 6)`,
	"INSERT INTO jobs (id, kind, unique_key, args, state, run_at, created_at) VALUES ('job_1', 'webhook', '', '{}', 'ready', 7, 8)",
}

func TestADatabaseOfBeforeReviewsIsBroughtUpToDate(t *testing.T) {
	eachOld(t, beforeReviews, houseBeforeReviews, func(t *testing.T, h oldHouse) {
		s := h.open()
		require.Equal(t, []string{"key_1 ag_1 local hk_live hash1 all  live 2 3 0", "key_2 ag_1 old hk_test hash2 all  test 4 5 6"}, storetest.Texts(t, s,
			`SELECT id || ' ' || agent_id || ' ' || name || ' ' || prefix || ' ' || key_hash || ' ' || audience || ' ' || scopes || ' ' || mode || ' ' ||
			CAST(created_at AS TEXT) || ' ' || CAST(last_used_at AS TEXT) || ' ' || CAST(revoked_at AS TEXT) FROM api_keys ORDER BY id`))
		require.Equal(t, []string{"job_1 "}, storetest.Texts(t, s, "SELECT id || ' ' || lane FROM jobs"))
		for _, bad := range []string{
			"INSERT INTO api_keys (id, agent_id, name, prefix, key_hash, audience, mode, created_at) VALUES ('key_3', 'nobody', '', '', 'hash3', 'all', 'live', 1)",
			"INSERT INTO api_keys (id, agent_id, name, prefix, key_hash, audience, mode, created_at) VALUES ('key_3', 'ag_1', '', '', 'hash1', 'all', 'live', 1)",
			"INSERT INTO api_keys (id, agent_id, name, prefix, key_hash, audience, mode, created_at) VALUES ('key_3', 'ag_1', '', '', 'hash3', 'god', 'live', 1)",
		} {
			_, err := h.pool.ExecContext(t.Context(), bad)
			require.Error(t, err, bad)
		}
	})
}

// Jobs of before they had owners: one of each kind that says whose it is, and one of each
// state.
var jobsBeforeOwners = []string{
	"INSERT INTO agents (id, name, tier, created_at) VALUES ('ag_1', 'Local', 'HOUSE', 1), ('ag_2', 'Other', 'HOUSE', 1)",
	"INSERT INTO people (id, name, name_key, created_at) VALUES ('op_1', 'Ada', 'ada', 1)",
	`INSERT INTO tasks (id, agent_id, mode, status, title, description, task_type, reward, asset, deadline, proof_requirements, content_hash, created_at, updated_at) VALUES
	('task_0123456789abcdef', 'ag_1', 'live', 'POSTED', '', '', '', 0, 'house', 1, '[]', '', 1, 1), ('task_fedcba9876543210', 'ag_2', 'test', 'POSTED', '', '', '', 0, 'test', 1, '[]', '', 1, 1)`,
	"INSERT INTO loops (id, slug, mode, creator_id, name, created_at, updated_at) VALUES ('00000000000000000000000a', 'l', 'live', 'op_1', 'L', 1, 1)",
	`INSERT INTO reviews (id, loop_id, agent_id, mode, status, processing_type, type, priority, priority_rank, request_text, platform, response_type, response_config, on_timeout,
	timeout_seconds, content_hash, timeout_at, created_at, round_at, updated_at)
	VALUES ('00000000000000000000000b', '00000000000000000000000a', 'ag_2', 'test', 'pending', 'deferred', '', 'low', 3, '', '', '', '', 'cancel', 1, '', 1, 1, 1, 1)`,
	"INSERT INTO webhook_deliveries (id, review_id, event_id, event, body, state, created_at) VALUES ('whd_0123456789abcdef', '00000000000000000000000b', 'ev_1', '', '{}', 'waiting', 1)",
	`INSERT INTO jobs (id, kind, unique_key, lane, args, state, run_at, attempts, deaths, lease_by, lease_until, last_error, created_at) VALUES
	('job_1', 'task.timer', 'k1', '', '{"task_id":"task_0123456789abcdef"}', 'ready', 7, 1, 2, '', 0, 'no', 3),
	('job_2', 'proof.copies', '', '', '{"task_id":"task_fedcba9876543210","number":1}', 'running', 7, 1, 0, 'lease_1', 9, '', 3),
	('job_3', 'review.timer', '', '', '{"review_id":"00000000000000000000000b"}', 'ready', 7, 0, 0, '', 0, '', 3),
	('job_4', 'webhook.review', '', 'host1', '{"delivery_id":"whd_0123456789abcdef"}', 'failed', 7, 8, 0, '', 0, '', 3),
	('job_5', 'notify', '', '', '{"subject":"{\"task_id\":\"task_0123456789abcdef\"}"}', 'ready', 7, 0, 0, '', 0, '', 3),
	('job_6', 'task.timer', '', '', '{"task_id":"task_gone"}', 'ready', 7, 0, 0, '', 0, '', 3)`,
}

func TestJobsOfBeforeOwnersBelongToTheAgentThatTheyAreAbout(t *testing.T) {
	eachOld(t, beforeOwners, jobsBeforeOwners, func(t *testing.T, h oldHouse) {
		require.Equal(t, []string{
			"job_1 change.clock ag_1 0  k1 scheduled 7 1 2  0 no 3", "job_2 proof.copies ag_2 1   running 7 1 0 lease_1 9  3",
			"job_3 change.clock ag_2 1   scheduled 7 0 0  0  3", "job_4 webhook.send ag_2 1 host1  failed 7 8 0  0  3",
			"job_5 notify  0   scheduled 7 0 0  0  3", "job_6 change.clock  0   scheduled 7 0 0  0  3",
		}, storetest.Texts(t, h.open(),
			`SELECT id || ' ' || kind || ' ' || owner || ' ' || CAST(priority AS TEXT) || ' ' || lane || ' ' || unique_key || ' ' || state || ' ' ||
			CAST(run_at AS TEXT) || ' ' || CAST(attempts AS TEXT) || ' ' || CAST(deaths AS TEXT) || ' ' || lease_by || ' ' || CAST(lease_until AS TEXT) || ' ' ||
			last_error || ' ' || CAST(created_at AS TEXT) FROM jobs ORDER BY id`))
	})
}

// What looked for clocks that never rang waited when the program of before ended. Whoever
// does not know a kind of job leaves it to others, for ever.
func TestJobsThatNobodyDoesAnyMoreDoNotWaitForEver(t *testing.T) {
	waiting := []string{`INSERT INTO jobs (id, kind, unique_key, args, state, run_at, created_at) VALUES
	('job_1', 'task.clocks.hourly', 'task.clocks.hourly:1', '{}', 'ready', 7, 3), ('job_2', 'review.clocks.hourly', 'review.clocks.hourly:1', '{}', 'running', 7, 3),
	('job_3', 'task.reviews.hourly', 'task.reviews.hourly:1', '{}', 'ready', 7, 3)`}
	eachOld(t, beforeOwners, waiting, func(t *testing.T, h oldHouse) {
		require.Equal(t, []string{"job_3"}, storetest.Texts(t, h.open(), "SELECT id FROM jobs"))
	})
}

// Its agent may give it another address, which is called under the same secret.
func TestARequestWhoseAddressWasTakenBackKeepsItsSecret(t *testing.T) {
	rows := []string{
		"INSERT INTO agents (id, name, tier, created_at) VALUES ('ag_1', 'Local', 'HOUSE', 1)",
		"INSERT INTO people (id, name, name_key, created_at) VALUES ('op_1', 'Ada', 'ada', 1)",
		"INSERT INTO loops (id, slug, mode, creator_id, name, created_at, updated_at) VALUES ('loop_1', 'l', 'live', 'op_1', 'L', 1, 1)",
		`INSERT INTO reviews (id, loop_id, agent_id, mode, status, processing_type, type, priority, priority_rank, request_text, platform, response_type, response_config, on_timeout,
		timeout_seconds, content_hash, callback_url, callback_secret, timeout_at, created_at, round_at, updated_at) VALUES
		('r_back', 'loop_1', 'ag_1', 'live', 'pending', 'deferred', '', 'low', 3, '', '', '', '', 'cancel', 1, '', '', 'sealed', 1, 1, 1, 1),
		('r_none', 'loop_1', 'ag_1', 'live', 'pending', 'deferred', '', 'low', 3, '', '', '', '', 'cancel', 1, '', '', '', 1, 1, 1, 1),
		('r_some', 'loop_1', 'ag_1', 'live', 'pending', 'deferred', '', 'low', 3, '', '', '', '', 'cancel', 1, '', 'https://agent.example/', 'other', 1, 1, 1, 1)`,
	}
	eachOld(t, beforeTrails, rows, func(t *testing.T, h oldHouse) {
		require.Equal(t, []string{"r_back callback sealed  off", "r_some callback other https://agent.example/ on"}, storetest.Texts(t, h.open(),
			"SELECT subject_id || ' ' || sealed_as || ' ' || secret || ' ' || url || ' ' || CASE WHEN enabled THEN 'on' ELSE 'off' END FROM webhooks ORDER BY id"))
	})
}

// A house of before trails: three live tasks, one of them without an address and without a
// history, and one of test mode. The ids are as long as those that programs make.
var houseBeforeTrails = []string{
	"INSERT INTO agents (id, name, tier, created_at) VALUES ('ag_1', 'Local', 'HOUSE', 1)",
	"INSERT INTO people (id, name, name_key, is_operator, created_at) VALUES ('op_1', 'Ada', 'ada', TRUE, 1)",
	`INSERT INTO tasks (id, agent_id, mode, status, version, seen_version, title, description, task_type, reward, asset, deadline, proof_requirements, content_hash,
		operator_id, accepted_at, callback_url, callback_secret, created_at, updated_at) VALUES
		('task_accepted00000000', 'ag_1', 'live', 'ACCEPTED', 3, 2, 'T', 'D', 'PHOTO', 1, 'house', 99, '[]', '', 'op_1', 30, 'https://agent.example/hook', 'sealed', 10, 30),
		('task_quiet00000000000', 'ag_1', 'live', 'POSTED', 1, 1, 'T', 'D', 'PHOTO', 1, 'house', 99, '[]', '', NULL, 0, '', '', 10, 10),
		('task_simulated0000000', 'ag_1', 'test', 'POSTED', 1, 1, 'T', 'D', 'PHOTO', 1, 'test', 99, '[]', '', NULL, 0, 'https://agent.example/test', '', 20, 20)`,
}

// eventsBeforeTrails are written in another order than they happened in; of one moment the
// version tells the order, and the last has no number yet.
var eventsBeforeTrails = `INSERT INTO events (id, seq, kind, subject_id, agent_id, actor, via, data, created_at) VALUES
	('ev_a', 4, 'task.accept', 'task_accepted00000000', 'ag_1', 'op_1', 'page', '{"from":"POSTED","to":"ACCEPTED","version":3}', 30000000),
	('ev_b', 3, 'task.assign', 'task_accepted00000000', 'ag_1', 'system', 'system', '{"note":"Größe <1.50 \u2028 & 1e3","version":2, "reward_usd":12.50}', 30000000),
	('ev_c', 1, 'task.posted', 'task_accepted00000000', 'ag_1', 'ag_1', 'api', '{"to":"POSTED","version":1}', 10000001),
	('ev_d', 2, 'task.posted', 'task_simulated0000000', 'ag_1', 'ag_1', 'api', '{"to":"POSTED","version":1}', 20000000),
	('ev_e', NULL, 'task.message', 'task_accepted00000000', 'ag_1', 'op_1', 'page', '{}', 40000000)`

func TestEventsOfTasksBecomeTrailsThatVerify(t *testing.T) {
	eachOld(t, beforeTrails, slices.Concat(houseBeforeTrails, []string{eventsBeforeTrails}), func(t *testing.T, h oldHouse) {
		s := h.open()
		require.Equal(t, []string{
			"task_accepted00000000 1 ev_c 1 task.posted ag_1 api 10000001", "task_accepted00000000 2 ev_b 3 task.assign system system 30000000",
			"task_accepted00000000 3 ev_a 4 task.accept op_1 page 30000000", "task_accepted00000000 4 ev_e none task.message op_1 page 40000000",
			"task_simulated0000000 1 ev_d 2 task.posted ag_1 api 20000000",
		}, storetest.Texts(t, s, `SELECT subject_id || ' ' || CAST(n AS TEXT) || ' ' || event_id || ' ' || COALESCE(CAST(seq AS TEXT), 'none') || ' ' ||
			kind || ' ' || actor || ' ' || via || ' ' || CAST(created_at AS TEXT) FROM trail ORDER BY subject_id, n`))
		require.Contains(t, storetest.Texts(t, s, "SELECT data FROM trail"), `{"note":"Größe <1.50 \u2028 & 1e3","version":2, "reward_usd":12.50}`, "word by word")
		for id, entries := range map[string]int{"task_accepted00000000": 4, "task_quiet00000000000": 0, "task_simulated0000000": 1} {
			line, list := trailOf(t, s, id)
			require.Len(t, list, entries)
			require.EqualValues(t, entries, line.Entries)
			head, err := trail.Verify(0, "", list)
			require.NoError(t, err)
			require.Equal(t, line.Head, head)
		}
	})
}

// A check looks whether a trail ends in the state of its subject, and a task that somebody
// changed by hand long ago is no reason for it to cry for ever.
func TestATaskThatWasChangedByHandHasAnEntryThatSaysSo(t *testing.T) {
	byHand := "UPDATE tasks SET status = 'IN_PROGRESS' WHERE id = 'task_accepted00000000'"
	eachOld(t, beforeTrails, slices.Concat(houseBeforeTrails, []string{eventsBeforeTrails, byHand}), func(t *testing.T, h oldHouse) {
		line, list := trailOf(t, h.open(), "task_accepted00000000")
		require.Len(t, list, 5)
		last := list[4]
		require.Equal(t, []string{"task.found", "system", `{"from":"ACCEPTED","to":"IN_PROGRESS","version":3}`}, []string{last.Kind, last.Actor, string(last.Data)})
		require.NotEmpty(t, last.EventID)
		head, err := trail.Verify(0, "", list)
		require.NoError(t, err)
		require.Equal(t, line.Head, head)
	})
}

// trailOf is a subject's line and its trail.
func trailOf(t *testing.T, s *store.Store, id string) (line db.Subject, list []schemas.AuditEntry) {
	t.Helper()
	require.NoError(t, s.Read(t.Context(), func(tx *store.Tx) (err error) {
		if line, err = tx.FindSubject(t.Context(), id); err != nil {
			return err
		}
		list, err = event.List(t.Context(), tx, id, 0, 100)
		return err
	}))
	return line, list
}

// callbacksBeforeTrails are one that was just caused, one that failed three times, one in
// the middle of an attempt when the process ended, one in test mode; one that was given up,
// one to a task without an address, and one of a task that nobody knows.
var callbacksBeforeTrails = `INSERT INTO jobs (id, kind, lane, args, state, attempts, run_at, lease_by, lease_until, created_at) VALUES
	('job_a', 'webhook', '', '{"task_id":"task_accepted00000000","status":"ACCEPTED","previous_status":"PENDING"}', 'ready', 0, 70, '', 0, 60000000),
	('job_b', 'webhook.deliver', 'hostb', '{"task_id":"task_accepted00000000","event_id":"job_z","url":"https://agent.example/hook","sealed_secret":"sealed",
		"status":"PENDING","previous_status":"DRAFT","at":"2026-03-02T09:00:00.5+01:00"}', 'ready', 3, 900, '', 0, 50000000),
	('job_c', 'webhook', '', '{"task_id":"task_accepted00000000","status":"IN_PROGRESS","previous_status":"ACCEPTED"}', 'running', 1, 71, 'gone', 80, 61000000),
	('job_d', 'webhook', '', '{"task_id":"task_simulated0000000","status":"ACCEPTED","previous_status":"PENDING"}', 'ready', 0, 72, '', 0, 62000000),
	('job_e', 'webhook.deliver', 'hostb', '{"task_id":"task_accepted00000000","event_id":"job_y","status":"X","previous_status":"Y"}', 'failed', 8, 73, '', 0, 63000000),
	('job_f', 'webhook', '', '{"task_id":"task_quiet00000000000","status":"ACCEPTED","previous_status":"PENDING"}', 'ready', 0, 74, '', 0, 64000000),
	('job_g', 'webhook', '', '{"task_id":"task_nobody0000000000","status":"ACCEPTED","previous_status":"PENDING"}', 'ready', 0, 75, '', 0, 65000000)`

func TestWaitingCallbacksOfTasksBecomeDeliveries(t *testing.T) {
	body := func(task, status, before, at string) string {
		return `{"event":"task.status_changed","task_id":"` + task + `","status":"` + status + `","previous_status":"` + before + `","timestamp":"` + at + `"}`
	}
	eachOld(t, beforeTrails, slices.Concat(houseBeforeTrails, []string{callbacksBeforeTrails}), func(t *testing.T, h oldHouse) {
		s := h.open()
		require.Equal(t, []string{
			"wh_task_accepted00000000 task_accepted00000000 https://agent.example/hook sealed marketplace callback",
			"wh_task_simulated0000000 task_simulated0000000 https://agent.example/test  marketplace ",
		}, storetest.Texts(t, s, "SELECT id || ' ' || subject_id || ' ' || url || ' ' || secret || ' ' || style || ' ' || sealed_as FROM webhooks ORDER BY id"))
		require.Equal(t, []string{
			"job_a wh_task_accepted00000000 task_accepted00000000 task.status_changed waiting 0 60000000 " + body("task_accepted00000000", "ACCEPTED", "PENDING", "1970-01-01T00:01:00Z"),
			"job_c wh_task_accepted00000000 task_accepted00000000 task.status_changed waiting 1 61000000 " + body("task_accepted00000000", "IN_PROGRESS", "ACCEPTED", "1970-01-01T00:01:01Z"),
			"job_d wh_task_simulated0000000 task_simulated0000000 task.status_changed waiting 0 62000000 " + body("task_simulated0000000", "ACCEPTED", "PENDING", "1970-01-01T00:01:02Z"),
			"job_z wh_task_accepted00000000 task_accepted00000000 task.status_changed waiting 3 1772438400500000 " + body("task_accepted00000000", "PENDING", "DRAFT", "2026-03-02T08:00:00.5Z"),
		}, storetest.Texts(t, s, `SELECT event_id || ' ' || webhook_id || ' ' || subject_id || ' ' || event || ' ' || state || ' ' || CAST(attempts AS TEXT) || ' ' ||
			CAST(created_at AS TEXT) || ' ' || body FROM webhook_deliveries ORDER BY event_id`), "an event keeps the id that its receiver may have seen")
		require.Equal(t, map[string]string{
			"job_a": "scheduled 70 ag_1 lane: 0 attempt 0", "job_c": "scheduled 71 ag_1 lane: 0 attempt 1", "job_d": "scheduled 72 ag_1 lane: 1 attempt 0", "job_z": "scheduled 900 ag_1 lane:hostb 0 attempt 3",
		}, sends(t, s), "each is due when it was, for whom it was")
		require.Equal(t, []string{"job_e webhook.deliver failed", "job_g webhook scheduled"}, storetest.Texts(t, s,
			"SELECT id || ' ' || kind || ' ' || state FROM jobs WHERE kind <> 'webhook.send' ORDER BY id"))
	})
}

// Each would read all webhooks otherwise, of which every task with an address has one.
func TestTheUpgradeFindsTheAddressOfACallbackByItsTask(t *testing.T) {
	s := storetest.Open(t)
	for _, text := range store.CallbackTexts() {
		require.Equal(t, []string{"SEARCH w USING INDEX webhooks_of_subject (subject_id=?)"}, steps(t, s, text))
	}
}

// steps are how SQLite would find the rows of a query.
func steps(t *testing.T, s *store.Store, text string) (plan []string) {
	t.Helper()
	rows, err := storetest.Raw(t, s).QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+text, slices.Repeat([]any{""}, strings.Count(text, "?"))...)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var step string
		require.NoError(t, rows.Scan(&id, &parent, &unused, &step))
		plan = append(plan, step)
	}
	require.NoError(t, rows.Err())
	return plan
}

// sends are the jobs that send deliveries, by the delivery's event.
func sends(t *testing.T, s *store.Store) map[string]string {
	t.Helper()
	events := map[string]string{}
	for _, row := range storetest.Texts(t, s, "SELECT id || ' ' || event_id FROM webhook_deliveries") {
		id, event, _ := strings.Cut(row, " ")
		events[id] = event
	}
	out := map[string]string{}
	for _, row := range storetest.Texts(t, s, `SELECT args || '|' || unique_key || '|' || state || ' ' || CAST(run_at AS TEXT) || ' ' || owner || ' lane:' || lane || ' ' ||
		CAST(priority AS TEXT) FROM jobs WHERE kind = 'webhook.send'`) {
		parts := strings.SplitN(row, "|", 3)
		var args struct {
			DeliveryID string      `json:"delivery_id"`
			Attempt    json.Number `json:"attempt"`
		}
		require.NoError(t, json.Unmarshal([]byte(parts[0]), &args))
		require.Equal(t, "webhook.send:"+args.DeliveryID, parts[1])
		out[events[args.DeliveryID]] = parts[2] + " attempt " + args.Attempt.String()
	}
	return out
}

func TestARowThatCannotBeBroughtUpToDateIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		bad, mended string
		says        []string
	}{
		"an event whose data is no JSON": {
			"UPDATE events SET data = '{' WHERE id = 'ev_b'", "UPDATE events SET data = '{}' WHERE id = 'ev_b'",
			[]string{"making the trails of tasks", "event ev_b of task_accepted00000000"},
		},
		"an event that was emptied": {
			"UPDATE events SET data = '' WHERE id = 'ev_d'", "UPDATE events SET data = '{}' WHERE id = 'ev_d'",
			[]string{"making the trails of tasks", "event ev_d of task_simulated0000000"},
		},
		"a callback whose arguments are no JSON": {
			"UPDATE jobs SET args = 'task_1' WHERE id = 'job_b'", "DELETE FROM jobs WHERE id = 'job_b'",
			[]string{"planning the callbacks of tasks", "arguments of job job_b"},
		},
		"a callback of an event that is on its way already": {
			`UPDATE jobs SET kind = 'webhook.deliver', args = REPLACE(args, '"status"', '"event_id":"job_z","status"') WHERE id = 'job_c'`, "DELETE FROM jobs WHERE id = 'job_c'",
			[]string{"planning the callbacks of tasks", "job job_c"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			rows := slices.Concat(houseBeforeTrails, []string{eventsBeforeTrails, callbacksBeforeTrails, c.bad})
			eachOld(t, beforeTrails, rows, func(t *testing.T, h oldHouse) {
				h.requireRefused(c.says...)
				h.requireRefused(c.says...)
				h.exec(c.mended)
				s := h.open()
				require.Len(t, storetest.Texts(t, s, "SELECT event_id FROM trail"), 5, "nothing was half done")
			})
		})
	}
}
