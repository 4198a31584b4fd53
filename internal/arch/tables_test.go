package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// owns says whose each table is. A file of queries is named after the owner of the tables
// it reads and writes: review_read.sql is of review.
var owns = map[string][]string{
	"account":     {"people", "agents", "api_keys", "sessions", "sign_in_links"},
	"change":      {"subjects"},
	"core":        {"facts"},
	"event":       {"trail", "anchors", "leases"},
	"idempotency": {"idempotency_keys"},
	"job":         {"jobs"},
	"ledger":      {"accounts", "ledger_transactions", "ledger_entries"},
	"loop":        {"loops", "loop_members", "loop_invitations", "people_groups", "people_group_members", "availability"},
	"passkey":     {"passkeys", "passkey_ceremonies", "loop_passkeys"},
	"receipt":     {"receipts", "signing_keys"},
	"review":      {"reviews", "review_rounds", "review_recipients", "review_votes", "review_links", "review_feedback", "review_uploads"},
	"task":        {"tasks", "submissions", "proof_files", "messages"},
	"upload":      {"uploads", "upload_totals"},
	"webhook":     {"webhooks", "webhook_deliveries"},
}

// readableByAll are what lists over several kinds are made from, and the facts that
// whoever starts leaves for the next start.
var readableByAll = []string{"subjects", "facts"}

// homes are the packages that call a file's queries, where they are not internal/ and the
// file's name.
var homes = map[string][]string{
	"idempotency": {"internal/api"},
	"core":        {"internal"}, // facts are anybody's
}

var (
	queryName = regexp.MustCompile(`(?m)^-- name: (\w+) :(\w+)`)
	tableRead = regexp.MustCompile(`(?i)\b(?:FROM|JOIN)\s+(\w+)`)
	written   = regexp.MustCompile(`(?i)\b(?:INTO|UPDATE|DELETE\s+FROM)\s+(\w+)`)
	created   = regexp.MustCompile(`(?m)^CREATE TABLE (\w+)`)
	renamed   = regexp.MustCompile(`(?m)^ALTER TABLE (\w+) RENAME TO (\w+)`)
	dropped   = regexp.MustCompile(`(?m)^DROP TABLE (\w+)`)
)

func owner(file string) string {
	name, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".sql"), "_")
	return name
}

func ownerOf(table string) string {
	for name, tables := range owns {
		if slices.Contains(tables, table) {
			return name
		}
	}
	return ""
}

// eachQuery gives every query with its file's owner, without comments.
func eachQuery(t *testing.T, do func(owner, name, text string)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "internal/store/queries/*.sql"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	comment := regexp.MustCompile(`--.*`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		marks := queryName.FindAllSubmatchIndex(text, -1)
		for i, m := range marks {
			end := len(text)
			if i+1 < len(marks) {
				end = marks[i+1][0]
			}
			do(owner(file), string(text[m[2]:m[3]]), comment.ReplaceAllString(string(text[m[1]:end]), ""))
		}
	}
}

func TestEveryTableHasAnOwner(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "internal/store/migrations/*.sql"))
	require.NoError(t, err)
	slices.Sort(files)
	there := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range created.FindAllSubmatch(text, -1) {
			there[string(m[1])] = true
		}
		for _, m := range dropped.FindAllSubmatch(text, -1) {
			delete(there, string(m[1]))
		}
		for _, m := range renamed.FindAllSubmatch(text, -1) {
			delete(there, string(m[1]))
			there[string(m[2])] = true
		}
	}
	delete(there, "events") // dropped by the migration that is written in Go
	for table := range there {
		require.NotEmpty(t, ownerOf(table), "say in owns whose the table %s is", table)
	}
}

func TestQueriesStayWithTheirOwnersTables(t *testing.T) {
	var strays []string
	eachQuery(t, func(owner, name, text string) {
		look := func(does string, pattern *regexp.Regexp, free []string) {
			for _, m := range pattern.FindAllStringSubmatch(text, -1) {
				table := strings.ToLower(m[1])
				if whose := ownerOf(table); whose != "" && whose != owner && !slices.Contains(free, table) {
					strays = append(strays, fmt.Sprintf("%s of %s %s %s, which is %s's", name, owner, does, table, whose))
				}
			}
		}
		look("reads", tableRead, readableByAll)
		look("writes", written, []string{"facts"})
	})
	require.Empty(t, strays, "ask the owner's package for what is needed, or read subjects")
}

func TestPackagesCallTheirOwnQueries(t *testing.T) {
	of := map[string]string{}
	eachQuery(t, func(owner, name, _ string) { of[name] = owner })
	var strays []string
	eachFile(t, func(path string, _ *ast.File) {
		if strings.HasSuffix(path, "_test.go") || within(path, "internal/store") {
			return
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, source(t, path), 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			if name, whose := queryCalled(n, of); whose != "" && !atHome(path, whose) {
				strays = append(strays, path+" calls "+name+" of "+whose)
			}
			return true
		})
	})
	require.Empty(t, strays, "have the owner's package offer what is needed")
}

// queryCalled is the query that a node calls, with whose it is.
func queryCalled(n ast.Node, of map[string]string) (name, whose string) {
	call, ok := n.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	if on, ok := call.X.(*ast.Ident); ok && on.Name == "tx" {
		return call.Sel.Name, of[call.Sel.Name]
	}
	return "", ""
}

func atHome(path, whose string) bool {
	allowed := homes[whose]
	if allowed == nil {
		allowed = []string{"internal/" + whose}
	}
	return slices.ContainsFunc(allowed, func(home string) bool { return within(path, home) })
}
