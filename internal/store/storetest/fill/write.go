package fill

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
)

// columns are what a row of each table says; the rest have their defaults. Tables stand
// behind those that they refer to.
var columns = []table{
	{name: "agents", columns: "id, name, email, email_key, company, tier, created_at"},
	{name: "people", columns: "id, name, name_key, email, is_owner, is_operator, created_at, last_seen_at"},
	{name: "loops", columns: "id, slug, agent_id, mode, creator_id, name, created_at, updated_at"},
	{name: "loop_members", columns: "loop_id, person_id, status, role, added_by, created_at, joined_at"},
	{name: "webhooks", columns: "id, agent_id, mode, url, events, secret, enabled, created_at, updated_at"},
	{name: "subjects", columns: `id, kind, agent_id, mode, state, finished, needs, version, seen, claimed_by, claimed_at, clock_at,
		entries, head, created_at, updated_at, ended_at`},
	{name: "trail", columns: "subject_id, n, event_id, seq, kind, actor, via, data, previous, hash, created_at"},
	{name: "tasks", columns: `id, agent_id, mode, status, title, description, task_type, lat, lng, address, reward, asset, deadline,
		proof_requirements, estimate_approval, content_hash, operator_id, submission, file_count,
		created_at, updated_at, accepted_at, started_at, submitted_at, verified_at, paid_at, ended_at`},
	{name: "submissions", columns: "task_id, number, operator_id, note, created_at"},
	{name: "proof_files", columns: `task_id, n, submission, operator_id, sha256, mime, bytes, width, height, large_sha, large_bytes,
		thumb_sha, thumb_bytes, copy_mime, created_at`},
	{name: "messages", columns: "id, task_id, sender, author_id, body, reply_to, created_at"},
	{name: "accounts", columns: "id, owner_id, kind, asset, balance, held, created_at", adds: []string{"balance", "held"}},
	{name: "ledger_transactions", columns: "id, kind, subject_id, asset, created_at"},
	{name: "ledger_entries", columns: "transaction_id, account_id, amount"},
	{name: "reviews", columns: `id, loop_id, agent_id, mode, status, processing_type, type, priority, priority_rank, status_rank,
		title, request_text, search_text, platform, response_type, response_config, on_timeout, timeout_seconds,
		content_hash, claimed_by, timeout_at, response, response_value, effective, response_source, decision,
		decided_by, decided_via, created_at, round_at, updated_at, ended_at`},
	{name: "review_recipients", columns: "review_id, person_id, reason, notified, notified_at, loop_id, requested_at, open, created_at"},
	{name: "review_votes", columns: "review_id, round, person_id, response, value, decision, via, created_at"},
	{name: "review_rounds", columns: "review_id, round, request_text, response, response_value, decision, opened_at, ended_at"},
	{name: "review_feedback", columns: "review_id, id, agent_id, body, created_at"},
	{name: "review_links", columns: "id, token_hash, review_id, person_id, created_at, expires_at"},
	{name: "receipts", columns: "review_id, round, nonce, digest, decision, body, expires_at, created_at"},
	{name: "webhook_deliveries", columns: "id, webhook_id, subject_id, event_id, event, body, state, attempts, status_code, created_at, delivered_at"},
	{name: "idempotency_keys", columns: "caller_id, name, fingerprint, status, response, object_id, created_at, expires_at"},
	{name: "uploads", columns: "id, agent_id, mode, name, mime, bytes, sha256, created_at"},
	{name: "upload_totals", columns: "agent_id, bytes"},
	{name: "jobs", columns: "id, kind, owner, unique_key, args, state, run_at, created_at"},
}

type table struct {
	name    string
	columns string
	adds    []string // the columns that are added to where the row is there already
}

func (r table) names() []string {
	names := strings.Split(r.columns, ",")
	for i, name := range names {
		names[i] = strings.TrimSpace(name)
	}
	return names
}

// writer writes rows a slice at a time, on one connection, while the next slice is made.
type writer struct {
	conn     *sql.Conn
	postgres bool
	rows     map[string][][]any // that were put
	stmts    map[string]*sql.Stmt
	written  chan error // of the slice before; nil before the first
	indexes  []string   // of SQLite: made anew when all rows are there, which takes half of the time
}

func newWriter(t testing.TB, s *store.Store) *writer {
	t.Helper()
	conn, err := storetest.Raw(t, s).Conn(t.Context())
	require.NoError(t, err)
	w := &writer{conn: conn, postgres: s.Kind() == "postgres", rows: map[string][][]any{}, stmts: map[string]*sql.Stmt{}}
	if w.postgres { // every row is right: looking for what it refers to would take most of the time
		w.exec(t, "SET session_replication_role = replica")
		return w
	}
	w.exec(t, "PRAGMA synchronous = OFF")
	w.exec(t, "PRAGMA cache_size = -400000")
	w.indexes = storetest.Texts(t, s, "SELECT sql FROM sqlite_schema WHERE type = 'index' AND sql LIKE 'CREATE INDEX %'")
	for _, name := range storetest.Texts(t, s, "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql LIKE 'CREATE INDEX %'") {
		w.exec(t, "DROP INDEX "+name)
	}
	return w
}

func (w *writer) exec(t testing.TB, text string) {
	t.Helper()
	_, err := w.conn.ExecContext(t.Context(), text)
	require.NoError(t, err, text)
}

// put keeps a row for the next flush.
func (w *writer) put(name string, values ...any) { w.rows[name] = append(w.rows[name], values) }

// flush begins to write what was put, in one transaction, once what was put before is.
func (w *writer) flush(t testing.TB) {
	t.Helper()
	w.settle(t)
	rows := w.rows
	w.rows, w.written = map[string][][]any{}, make(chan error, 1)
	go func(ctx context.Context) { w.written <- w.write(ctx, rows) }(t.Context())
}

// settle waits until everything that was flushed is written.
func (w *writer) settle(t testing.TB) {
	t.Helper()
	if w.written != nil {
		require.NoError(t, <-w.written)
	}
	w.written = nil
}

func (w *writer) write(ctx context.Context, rows map[string][][]any) error {
	if _, err := w.conn.ExecContext(ctx, "BEGIN"); err != nil {
		return err
	}
	for _, r := range columns {
		in := w.insert
		if w.postgres && len(r.adds) == 0 {
			in = w.copy
		}
		if err := in(ctx, r, rows[r.name]); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	_, err := w.conn.ExecContext(ctx, "COMMIT")
	return err
}

func (w *writer) copy(ctx context.Context, r table, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	return w.conn.Raw(func(driver any) error {
		_, err := driver.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{r.name}, r.names(), pgx.CopyFromRows(rows))
		return err
	})
}

// atOnce is how many rows one statement inserts.
const atOnce = 50

func (w *writer) insert(ctx context.Context, r table, rows [][]any) error {
	for len(rows) > 0 {
		n := len(rows)
		if n >= atOnce {
			n = atOnce
		} else {
			n = 1
		}
		args := make([]any, 0, n*len(rows[0]))
		for _, row := range rows[:n] {
			args = append(args, row...)
		}
		stmt, err := w.prepared(ctx, r, n) //nolint:sqlclosecheck // kept for the next rows
		if err == nil {
			_, err = stmt.ExecContext(ctx, args...)
		}
		if err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// prepared is the statement that inserts n rows.
func (w *writer) prepared(ctx context.Context, r table, n int) (stmt *sql.Stmt, err error) {
	key := r.name + strconv.Itoa(n)
	if stmt = w.stmts[key]; stmt == nil {
		if stmt, err = w.conn.PrepareContext(ctx, r.statement(n, w.postgres)); err == nil {
			w.stmts[key] = stmt
		}
	}
	return stmt, err
}

func (r table) statement(n int, numbered bool) string {
	var b strings.Builder
	// To fail halfway is to fail: nothing has to be kept for undoing one statement.
	b.WriteString(pick(numbered || len(r.adds) > 0, "INSERT INTO ", "INSERT OR FAIL INTO ") + r.name + " (" + r.columns + ") VALUES ")
	mark := 0
	for i := range n {
		b.WriteString(pick(i == 0, "(", ", ("))
		for c := range len(r.names()) {
			mark++
			b.WriteString(pick(c == 0, "", ", ") + pick(numbered, "$"+strconv.Itoa(mark), "?"))
		}
		b.WriteString(")")
	}
	for i, column := range r.adds {
		b.WriteString(pick(i == 0, " ON CONFLICT (id) DO UPDATE SET ", ", ") + column + " = " + r.name + "." + column + " + excluded." + column)
	}
	return b.String()
}

func (w *writer) close(t testing.TB) {
	t.Helper()
	w.settle(t)
	for _, stmt := range w.stmts {
		require.NoError(t, stmt.Close())
	}
	if w.postgres {
		w.exec(t, "SET session_replication_role = DEFAULT")
	} else {
		for _, text := range w.indexes {
			w.exec(t, text)
		}
		w.exec(t, "PRAGMA wal_checkpoint(TRUNCATE)")
	}
	require.NoError(t, w.conn.Close())
}
