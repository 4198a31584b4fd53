package bench

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the baseline writes with the driver alone

	"humanops-mcp/client"
	"humanops-mcp/internal/app"
	"humanops-mcp/internal/config"
	"humanops-mcp/internal/daemon"
	"humanops-mcp/internal/ident"
	"humanops-mcp/schemas"
)

// BenchmarkPostTask compares posting a task, through client, API, rules and ledger,
// with the same rows written by one raw prepared transaction, both with
// synchronous=FULL, turn by turn.
func BenchmarkPostTask(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) { comparePosts(b, callers) })
	}
}

const (
	turns     = 5
	turnTime  = 800 * time.Millisecond
	bigCredit = 1_000_000_000 * schemas.USD
)

func comparePosts(b *testing.B, callers int) {
	api, dir := inProcess(b)
	raw := newReplay(b, api, dir)
	post := func(n int64) error {
		_, err := api.PostTask(context.Background(), benchTask(n))
		return err
	}
	var ours, theirs float64
	for range turns {
		ours += perSecond(b, callers, post)
		theirs += perSecond(b, 1, func(int64) error { return raw.write() })
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ours/turns, "posts/s")
	b.ReportMetric(theirs/turns, "raw/s")
	b.ReportMetric(ours/theirs, "x-raw")
}

var counter atomic.Int64

// perSecond runs f from several callers for a turn.
func perSecond(b *testing.B, callers int, f func(n int64) error) float64 {
	b.Helper()
	begin := time.Now()
	var done atomic.Int64
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for time.Since(begin) < turnTime {
				if err := f(counter.Add(1)); err != nil {
					b.Error(err)
					return
				}
				done.Add(1)
			}
		})
	}
	group.Wait()
	return float64(done.Load()) / time.Since(begin).Seconds()
}

func benchTask(n int64) schemas.PostTaskRequest {
	lat, lng := 30.2672, -97.7431
	return schemas.PostTaskRequest{
		Title: fmt.Sprintf("Photo of storefront %d", n), Description: "Take 2 clear photos showing the full facade and signage.",
		TaskType: "PHOTO", RewardUSD: 1 * schemas.USD, Deadline: time.Now().Add(24 * time.Hour),
		Location:          &schemas.Location{Lat: &lat, Lng: &lng, Address: "123 Main St, Austin, TX"},
		ProofRequirements: []string{"Full facade photo", "Close-up of signage"},
	}
}

// inProcess builds a platform on a fresh folder; its background work stays off, so that
// only posts are measured.
func inProcess(b *testing.B) (*client.Client, string) {
	b.Helper()
	a, key, dir := platformHere(b)
	api, err := client.New(client.Options{BaseURL: "http://localhost", APIKey: key, HTTPClient: &http.Client{Transport: client.InProcess(a.LocalHandler())}})
	require.NoError(b, err)
	return api, dir
}

// platformHere is a platform in this process, its live key, and its folder.
func platformHere(b *testing.B) (a *app.App, key, dir string) {
	b.Helper()
	dir = b.TempDir()
	require.NoError(b, os.Chmod(dir, 0o700))
	cfg, _, err := config.Load(config.Source{Env: []string{"HUMANOPS_DATA_DIR=" + dir, "HUMANOPS_LISTEN=127.0.0.1:8787"}})
	require.NoError(b, err)
	cfg.Marketplace.LocalCredit, cfg.Marketplace.LocalDailyCap = bigCredit, 0
	a, err = app.New(context.Background(), cfg, app.Options{Logger: slog.New(slog.DiscardHandler), Version: "bench"})
	require.NoError(b, err)
	b.Cleanup(func() { _ = a.Close() })
	creds, err := daemon.ReadCredentials(daemon.Paths(dir).Credentials)
	require.NoError(b, err)
	return a, creds.LiveKey, dir
}

// replay writes the rows of one observed post again and again, each time with fresh ids,
// by prepared statements on one connection.
type replay struct {
	conn    *sql.Conn
	begin   *sql.Stmt
	commit  *sql.Stmt
	inserts []rowInsert
	updates []balanceUpdate
}

type rowInsert struct {
	stmt *sql.Stmt
	row  []any
}

type balanceUpdate struct {
	stmt    *sql.Stmt
	account string
	change  int64
}

// madeID finds the ids that each post makes anew; the agent's own stays.
var madeID = regexp.MustCompile(`\b(?:task|ev|job|lt|idem)_[0-9A-Za-z]{16,}`)

// newReplay posts one task, finds every row that appeared, and prepares to write the
// same in a copy of the database.
func newReplay(b *testing.B, api *client.Client, dir string) *replay {
	b.Helper()
	ctx := context.Background()
	source := open(b, filepath.Join(dir, "humanops.db"))
	_, err := api.PostTask(ctx, benchTask(counter.Add(1))) // makes the accounts that last
	require.NoError(b, err)
	before, balances := rows(b, source), accountBalances(b, source)
	_, err = api.PostTask(ctx, benchTask(counter.Add(1)))
	require.NoError(b, err)

	copied := filepath.Join(b.TempDir(), "raw.db")
	_, err = source.ExecContext(ctx, "VACUUM INTO ?", copied)
	require.NoError(b, err)
	conn, err := open(b, copied).Conn(ctx)
	require.NoError(b, err)
	r := &replay{conn: conn}
	r.begin, r.commit = r.prepare(b, "BEGIN IMMEDIATE"), r.prepare(b, "COMMIT")
	for table, now := range rows(b, source) {
		for key, row := range now {
			if _, old := before[table][key]; !old {
				marks := strings.TrimSuffix(strings.Repeat("?,", len(row)), ",")
				r.inserts = append(r.inserts, rowInsert{r.prepare(b, "INSERT INTO "+table+" VALUES ("+marks+")"), row})
			}
		}
	}
	for account, balance := range accountBalances(b, source) {
		if old, ok := balances[account]; ok && old != balance {
			stmt := r.prepare(b, "UPDATE accounts SET balance = balance + ? WHERE id = ? AND balance + ? >= 0")
			r.updates = append(r.updates, balanceUpdate{stmt, account, balance - old})
		}
	}
	b.Logf("one post writes %d rows and changes %d balances", len(r.inserts), len(r.updates))
	return r
}

func (r *replay) prepare(b *testing.B, text string) *sql.Stmt {
	b.Helper()
	stmt, err := r.conn.PrepareContext(context.Background(), text)
	require.NoError(b, err)
	return stmt
}

// write is one raw transaction.
func (r *replay) write() error {
	fresh := map[string]string{}
	rename := func(id string) string {
		if _, ok := fresh[id]; !ok {
			fresh[id] = id[:len(id)-12] + ident.New("")[:12]
		}
		return fresh[id]
	}
	if _, err := r.begin.Exec(); err != nil {
		return err
	}
	for _, insert := range r.inserts {
		row := make([]any, len(insert.row))
		for i, value := range insert.row {
			row[i] = value
			if text, ok := value.(string); ok {
				row[i] = madeID.ReplaceAllStringFunc(text, rename)
			}
		}
		if _, err := insert.stmt.Exec(row...); err != nil {
			return fmt.Errorf("%v: %w", row, err)
		}
	}
	for _, update := range r.updates {
		if _, err := update.stmt.Exec(update.change, update.account, update.change); err != nil {
			return err
		}
	}
	_, err := r.commit.Exec()
	return err
}

func open(b *testing.B, file string) *sql.DB {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+file+"?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)")
	require.NoError(b, err)
	b.Cleanup(func() { _ = db.Close() })
	return db
}

// rows reads every table that a post may add to, by the text of its row.
func rows(b *testing.B, db *sql.DB) map[string]map[string][]any {
	b.Helper()
	all := map[string]map[string][]any{}
	for _, table := range []string{"accounts", "tasks", "ledger_transactions", "ledger_entries", "subjects", "trail", "jobs", "idempotency_keys"} {
		all[table] = tableRows(b, db, table)
	}
	return all
}

func tableRows(b *testing.B, db *sql.DB, table string) map[string][]any {
	b.Helper()
	found := map[string][]any{}
	result, err := db.Query("SELECT * FROM " + table)
	require.NoError(b, err)
	defer result.Close()
	columns, err := result.Columns()
	require.NoError(b, err)
	for result.Next() {
		row := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		require.NoError(b, result.Scan(into...))
		key := fmt.Sprint(row...)
		if table == "accounts" {
			key = fmt.Sprint(row[0])
		}
		found[key] = row
	}
	require.NoError(b, result.Err())
	return found
}

func accountBalances(b *testing.B, db *sql.DB) map[string]int64 {
	b.Helper()
	result, err := db.Query("SELECT id, balance FROM accounts")
	require.NoError(b, err)
	defer result.Close()
	balances := map[string]int64{}
	for result.Next() {
		var id string
		var balance int64
		require.NoError(b, result.Scan(&id, &balance))
		balances[id] = balance
	}
	require.NoError(b, result.Err())
	return balances
}
