package store_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/internal/store/storetest/fill"
)

// grows are the tables that get longer with everything a house does. No query walks along
// one of them, unless the file of queries says why: "-- scans: …".
var grows = []string{
	"subjects", "trail", "anchors", "tasks", "submissions", "proof_files", "messages", "accounts", "ledger_transactions", "ledger_entries",
	"reviews", "review_rounds", "review_recipients", "review_votes", "review_links", "review_feedback", "receipts",
	"webhooks", "webhook_deliveries", "idempotency_keys", "uploads", "jobs",
}

// open are the conditions of partial indexes that hold only what goes on: to walk along one
// of those is to read what is there to be read.
var open = regexp.MustCompile(`finished = FALSE|seq IS NULL|claimed_by <> ''|clock_at > 0|status IN \('pending', 'claimed'\)|status = 'POSTED'|` +
	`status NOT IN \('PAID', 'CANCELLED', 'EXPIRED'\)|status IN \('MANUAL_REVIEW', 'DISPUTED'\)|ended_at = 0|state = 'ready'`)

// What a query may read of a table that grows, in rows: a page and what lies in between, or
// as far as it counts.
const (
	pageReads  = 1_000
	countReads = 11_000
)

// How many tasks the house has: SQLite, which is never told what its tables hold, plans
// alike for few; PostgreSQL shows what it read. The busiest agent has four of five.
var filled = map[string]int{"sqlite": 1_000, "postgres": 20_000}

func TestHistory_NoQueryWalksAlongATableThatGrows(t *testing.T) {
	queries := allQueries(t)
	storetest.Each(t, func(t *testing.T, s *store.Store, _ *clock.Fake) {
		fill.House(t, s, fill.Size{Tasks: filled[s.Kind()], Reviews: filled[s.Kind()] / 2, Open: 300})
		bind := binder{known: knownIDs(t, s)}
		small := smallIndexes(t, s)
		seen := reflect.TypeFor[*db.Queries]().NumMethod()
		require.Len(t, queries, seen-1, "one for each method but WithTx: is db generated anew?")
		for _, q := range queries {
			t.Run(q.name, func(t *testing.T) {
				for _, wide := range []bool{true, false} {
					problems := walks(t, s, q, bind.args(q, wide), small)
					if q.scans != "" {
						continue
					}
					require.Empty(t, problems, "it reads what grows: give it an index or a limit, or say why in queries/%s.sql by \"-- scans: …\"", q.file)
				}
			})
		}
	})
}

// query is one of db.Queries.
type query struct {
	name, file string
	text       string
	scans      string
	params     []string // of its method, behind the context
}

// allQueries are those of the files, with the texts and parameters that were generated.
func allQueries(t *testing.T) (list []query) {
	t.Helper()
	reasons := map[string]query{}
	files, err := filepath.Glob("queries/*.sql")
	require.NoError(t, err)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, text := range strings.Split(string(raw), "-- name: ")[1:] {
			name, _, _ := strings.Cut(text, " ")
			_, why, _ := strings.Cut(text, "-- scans: ")
			why, _, _ = strings.Cut(why, "\n")
			reasons[name] = query{name: name, file: strings.TrimSuffix(filepath.Base(file), ".sql"), scans: why}
		}
	}
	generated, err := filepath.Glob("db/*.sql.go")
	require.NoError(t, err)
	texts := map[string]string{}
	for _, file := range generated {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		require.NoError(t, err)
		for _, decl := range tree.Decls {
			switch d := decl.(type) {
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if v, ok := spec.(*ast.ValueSpec); ok && d.Tok == token.CONST {
						text := strings.Trim(v.Values[0].(*ast.BasicLit).Value, "`")
						name, _, _ := strings.Cut(strings.TrimPrefix(text, "-- name: "), " ")
						texts[name] = text
					}
				}
			case *ast.FuncDecl:
				q := reasons[d.Name.Name]
				require.NotEmpty(t, q.name, "%s is of no file of queries", d.Name.Name)
				for _, p := range d.Type.Params.List[1:] {
					q.params = append(q.params, p.Names[0].Name)
				}
				list = append(list, q)
			}
		}
	}
	for i, q := range list {
		list[i].text = texts[q.name]
		require.NotEmpty(t, list[i].text, q.name)
	}
	slices.SortFunc(list, func(a, b query) int { return strings.Compare(a.file+a.name, b.file+b.name) })
	return list
}

// knownIDs are ids that exist, of what has most.
func knownIDs(t *testing.T, s *store.Store) map[string]string {
	t.Helper()
	ids := map[string]string{}
	for name, text := range map[string]string{
		"agent":   "SELECT agent_id FROM tasks GROUP BY agent_id ORDER BY COUNT(*) DESC LIMIT 1",
		"person":  "SELECT operator_id FROM submissions GROUP BY operator_id ORDER BY COUNT(*) DESC LIMIT 1",
		"loop":    "SELECT loop_id FROM reviews GROUP BY loop_id ORDER BY COUNT(*) DESC LIMIT 1",
		"task":    "SELECT id FROM tasks WHERE status = 'PAID' ORDER BY created_at LIMIT 1",
		"review":  "SELECT id FROM reviews WHERE status = 'completed' ORDER BY created_at LIMIT 1",
		"webhook": "SELECT id FROM webhooks LIMIT 1",
		"account": "SELECT account_id FROM ledger_entries GROUP BY account_id ORDER BY COUNT(*) DESC LIMIT 1",
		"job":     "SELECT id FROM jobs WHERE state = 'scheduled' LIMIT 1",
	} {
		ids[name] = storetest.Texts(t, s, text)[0]
	}
	return ids
}

// smallIndexes are the partial indexes that hold only what goes on.
func smallIndexes(t *testing.T, s *store.Store) map[string]bool {
	t.Helper()
	text := "SELECT name || '|' || sql FROM sqlite_schema WHERE type = 'index' AND sql <> ''"
	if s.Kind() == "postgres" {
		text = "SELECT indexname || '|' || indexdef FROM pg_indexes WHERE schemaname = 'public'"
	}
	small := map[string]bool{}
	for _, line := range storetest.Texts(t, s, text) {
		name, definition, _ := strings.Cut(line, "|")
		_, condition, _ := strings.Cut(definition, " WHERE ")
		small[name] = open.MatchString(condition)
	}
	return small
}

// binder makes arguments by their names: wide ones leave out what narrows a list.
type binder struct{ known map[string]string }

func (b binder) args(q query, wide bool) []reflect.Value {
	method, _ := reflect.TypeFor[*db.Queries]().MethodByName(q.name)
	args := []reflect.Value{reflect.ValueOf(context.Background())}
	for i := 2; i < method.Type.NumIn(); i++ {
		arg := reflect.New(method.Type.In(i)).Elem()
		if arg.Kind() == reflect.Struct && arg.Type().PkgPath() != "database/sql" {
			for f := range arg.NumField() {
				b.set(arg.Field(f), arg.Type().Field(f).Name, q, wide)
			}
		} else {
			b.set(arg, q.params[i-2], q, wide)
		}
		args = append(args, arg)
	}
	return args
}

func (b binder) set(v reflect.Value, name string, q query, wide bool) {
	name = strings.ToLower(name)
	switch v.Interface().(type) {
	case string:
		v.SetString(b.text(name, q, wide))
	case sql.NullString:
		v.Set(reflect.ValueOf(sql.NullString{String: b.text(name, q, wide), Valid: true}))
	case bool:
		v.SetBool(wide)
	case int64, int32:
		v.SetInt(b.number(name))
	case float64, sql.NullFloat64, sql.NullInt64:
	default:
		panic("no value for " + v.Type().String())
	}
}

func (b binder) text(name string, q query, wide bool) string {
	list := func(id string) string { return store.IDs([]string{b.known[id], "none"}) }
	of := map[string]string{"task": "task", "review": "review", "review_read": "review", "receipt": "review", "change": "task", "event": "task", "account": "person",
		"loop": "loop", "webhook": "webhook", "job": "job", "ledger": "account", "passkey": "person", "upload": "agent"}[q.file]
	whose := map[string]string{"agentid": "agent", "callerid": "agent", "personid": "person", "operatorid": "person", "formerid": "person", "loopid": "loop", "taskid": "task",
		"reviewid": "review", "webhookid": "webhook", "subjectid": "task", "id": of, "claimedby": "person", "ownerid": "agent", "owner": "agent", "accountid": "account"}
	switch {
	case name == "ids" || name == "reviews" || name == "loops":
		return list(map[string]string{"reviews": "review", "loops": "loop", "ids": of}[name])
	case name == "statuses" && strings.Contains(q.text, "status = ANY"):
		return store.JSON([]string{"PAID", "completed"})
	case name == "loopid" && wide && strings.Contains(q.text, "= ''"):
		return ""
	case whose[name] != "":
		return b.known[whose[name]]
	}
	narrow := map[string]string{"statuses": ",PAID,completed,", "priorities": ",high,", "tasktype": "PHOTO", "titlelike": "%zebra%", "titleasis": "%Zebra%", "textlike": "%zebra%",
		"tag": `"a"`, "decision": "approved", "sort": "priority_desc", "state": "PAID", "status": "PAID", "kind": "task", "mode": "live", "asset": "house", "named": "%zebra%"}
	always := []string{"state", "status", "kind", "mode", "asset", "named"}
	if wide && !slices.Contains(always, name) {
		return ""
	}
	return narrow[name]
}

func (b binder) number(name string) int64 {
	switch {
	case strings.HasPrefix(name, "countto"):
		return 10_001
	case strings.Contains(name, "limit") || strings.Contains(name, "rows") && !strings.Contains(name, "skip") || name == "count" || name == "most":
		return 21
	case name == "before" || name == "beyond" || name == "until" || name == "beforetime":
		return 1 << 60
	case name == "now":
		return store.Micros(storetest.Start)
	case name == "floor" || strings.HasSuffix(name, "since"): // how far back is looked
		return store.Micros(storetest.Start.Add(-39 * 24 * time.Hour))
	case strings.HasSuffix(name, "before"): // endedbefore, createdbefore: what a sweeper takes away
		return 1
	}
	return 0
}

// walks says what a query reads too much of.
func walks(t *testing.T, s *store.Store, q query, args []reflect.Value, small map[string]bool) []string {
	t.Helper()
	none, err := sql.Open("sqlite", ":memory:")
	require.NoError(t, err)
	defer none.Close()
	p := &prover{kind: s.Kind(), none: none, query: q, small: small}
	errRollBack := fmt.Errorf("nothing is kept")
	require.ErrorIs(t, s.Write(t.Context(), func(tx *store.Tx) error {
		p.DBTX = store.DBTX(tx)
		reflect.ValueOf(db.New(p)).MethodByName(q.name).Call(args)
		return errRollBack
	}), errRollBack)
	require.NoError(t, p.failed)
	return p.problems
}

// prover explains the one query that it is given, and gives no rows.
type prover struct {
	db.DBTX
	kind     string
	none     *sql.DB
	query    query
	small    map[string]bool
	problems []string
	failed   error
}

func (p *prover) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	p.explain(ctx, text, args)
	return nil, sql.ErrNoRows
}

func (p *prover) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	p.explain(ctx, text, args)
	return nil, sql.ErrNoRows
}

func (p *prover) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	p.explain(ctx, text, args)
	return p.none.QueryRowContext(ctx, "SELECT 0 WHERE FALSE")
}

func (p *prover) explain(ctx context.Context, text string, args []any) {
	if p.kind == "sqlite" {
		p.failed = p.explainSQLite(ctx, text, args)
	} else {
		p.failed = p.explainPostgres(ctx, text, args)
	}
}

var (
	scanned = regexp.MustCompile(`^SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?`)
	named   = regexp.MustCompile(`(?i)\b(?:FROM|JOIN|UPDATE|INTO)\s+(\w+)(?:\s+(?:AS\s+)?(\w+))?`)
)

func (p *prover) explainSQLite(ctx context.Context, text string, args []any) error {
	tables := map[string]string{}
	for _, m := range named.FindAllStringSubmatch(text, -1) {
		for _, alias := range m[1:] {
			if alias != "" && tables[alias] == "" {
				tables[alias] = m[1]
			}
		}
	}
	rows, err := p.DBTX.QueryContext(ctx, "EXPLAIN QUERY PLAN "+text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			return err
		}
		m := scanned.FindStringSubmatch(step)
		if m != nil && slices.Contains(grows, tables[m[1]]) && !p.small[m[2]] {
			p.problems = append(p.problems, step+" ("+tables[m[1]]+")")
		}
	}
	return rows.Err()
}

// node is a step of PostgreSQL's plan, with what it read when it was done.
type node struct {
	Type     string  `json:"Node Type"`
	Relation string  `json:"Relation Name"`
	Index    string  `json:"Index Name"`
	Rows     float64 `json:"Actual Rows"`
	Removed  float64 `json:"Rows Removed by Filter"`
	Recheck  float64 `json:"Rows Removed by Index Recheck"`
	Loops    float64 `json:"Actual Loops"`
	Plans    []node
}

// explainPostgres does the query, in a transaction that is not kept. What the database
// refuses, such as a row that refers to nothing, is planned alone.
func (p *prover) explainPostgres(ctx context.Context, text string, args []any) error {
	// Tables of the test's size are soonest read whole, or by a bitmap of all that match and
	// then sorted; of large ones it is asked how.
	for _, way := range []string{"enable_seqscan", "enable_bitmapscan"} {
		if _, err := p.DBTX.ExecContext(ctx, "SET LOCAL "+way+" = off"); err != nil {
			return err
		}
	}
	if _, err := p.DBTX.ExecContext(ctx, "SAVEPOINT done"); err != nil {
		return err
	}
	plan, err := p.plan(ctx, "EXPLAIN (ANALYZE, FORMAT JSON) "+text, args)
	if err != nil {
		if _, err := p.DBTX.ExecContext(ctx, "ROLLBACK TO done"); err != nil {
			return err
		}
		plan, err = p.plan(ctx, "EXPLAIN (FORMAT JSON) "+text, args)
	}
	if err == nil {
		p.look(plan)
	}
	return err
}

func (p *prover) plan(ctx context.Context, text string, args []any) (node, error) {
	var raw string
	if err := p.DBTX.QueryRowContext(ctx, text, args...).Scan(&raw); err != nil {
		return node{}, err
	}
	var plans []struct{ Plan node }
	err := json.Unmarshal([]byte(raw), &plans)
	if err != nil {
		return node{}, err
	}
	return plans[0].Plan, nil
}

func (p *prover) look(n node) {
	most := float64(pageReads)
	if strings.Contains(p.query.text, "AS counted") {
		most = countReads
	}
	read := (n.Rows + n.Removed + n.Recheck) * max(n.Loops, 1)
	if slices.Contains(grows, n.Relation) && !p.small[n.Index] && (n.Type == "Seq Scan" || read > most) {
		p.problems = append(p.problems, fmt.Sprintf("%s on %s by %q: %.0f rows", n.Type, n.Relation, n.Index, read))
	}
	for _, child := range n.Plans {
		p.look(child)
	}
}
