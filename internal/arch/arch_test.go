// Package arch tests the repository itself: which way imports point, and the rules
// that no single package can check.
package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "humanops-mcp/"

// mayImport says, for each package of ours, which of our packages it may import.
// Packages under a listed folder count with it. Wiring (app, cmd) and tests of the whole
// (e2e, arch) stand above everything and are not restricted.
var mayImport = map[string][]string{
	"schemas":             {},
	"client":              {"schemas"},
	"docs/receipts":       {},
	"tools":               {"schemas", "client", "internal/codec", "internal/clock"},
	"tools/brief":         {"schemas", "tools/untrusted"},
	"tools/conformance":   {"internal/clock"},
	"tools/untrusted":     {"schemas"},
	"internal/clock":      {},
	"internal/ident":      {},
	"internal/seal":       {},
	"internal/blob":       {"internal/ident", "internal/clock", "schemas"},
	"internal/photo":      {"internal/check", "schemas"},
	"internal/guardian":   {"schemas", "internal/clock"},
	"internal/signedlink": {"schemas", "internal/clock"},
	"internal/codec":      {"internal/check", "schemas"},
	"internal/check":      {"schemas"},
	"internal/keyset":     {"internal/check", "internal/ident", "schemas"},
	"internal/config":     {"internal/check", "schemas"},
	"internal/install":    {},
	"internal/daemon":     {"internal/config", "internal/clock", "internal/ident", "client", "schemas"},
	"internal/edge":       {"internal/codec", "internal/ident", "internal/clock", "schemas"},
	"internal/lifecycle":  {"schemas"},
	"internal/trail":      {"schemas"},
	"internal/store":      {"internal/clock", "internal/ident", "internal/trail", "schemas"},
	"internal/job":        {"internal/keyset", "internal/store", "internal/clock", "internal/ident", "schemas"},
	"internal/event":      {"internal/store", "internal/trail", "internal/clock", "internal/ident", "schemas"},
	"internal/change":     {"internal/check", "internal/event", "internal/job", "internal/lifecycle", "internal/store", "internal/trail", "internal/clock", "schemas"},
	"internal/ledger":     {"internal/store", "internal/ident", "schemas"},
	"internal/notify":     {"internal/check", "internal/store", "internal/job", "schemas"},
	"internal/account":    {"internal/change", "internal/check", "internal/keyset", "internal/store", "internal/ledger", "internal/notify", "internal/ident", "schemas"},
	"internal/webhook":    {"internal/account", "internal/check", "internal/keyset", "internal/store", "internal/job", "internal/notify", "internal/clock", "internal/seal", "internal/ident", "schemas"},
	"internal/answer":     {"internal/check", "schemas"},
	"internal/oncall":     {"internal/check", "schemas"},
	"internal/quorum":     {"internal/answer", "internal/check", "schemas"},
	"internal/receipt":    {"internal/store", "internal/seal", "internal/ident", "schemas"},
	"internal/passkey":    {"internal/account", "internal/store", "internal/ident", "schemas"},
	"internal/loop": {"internal/account", "internal/change", "internal/check", "internal/keyset", "internal/job", "internal/notify", "internal/oncall", "internal/passkey", "internal/quorum",
		"internal/store", "internal/webhook", "internal/ident", "schemas"},
	"internal/upload": {"internal/account", "internal/blob", "internal/store", "internal/ident", "schemas"},
	"internal/review": {"internal/account", "internal/answer", "internal/change", "internal/check", "internal/event", "internal/job", "internal/keyset", "internal/lifecycle", "internal/loop",
		"internal/notify", "internal/oncall", "internal/passkey", "internal/quorum", "internal/receipt", "internal/seal", "internal/store", "internal/webhook", "internal/clock", "internal/ident", "schemas"},
	"internal/task": {"internal/account", "internal/blob", "internal/change", "internal/check", "internal/guardian", "internal/job", "internal/keyset", "internal/ledger", "internal/lifecycle",
		"internal/notify", "internal/photo", "internal/review", "internal/signedlink", "internal/store", "internal/webhook", "internal/clock", "internal/ident", "schemas"},
	"internal/overview":        {"internal/account", "internal/change", "internal/review", "internal/task", "internal/store", "schemas"},
	"internal/api/dialect":     {"internal/codec", "schemas"},
	"internal/api/marketplace": {"internal/api/dialect", "schemas"},
	"internal/api/platform":    {"internal/api/dialect", "schemas"},
	"internal/api/hitl":        {"internal/check", "internal/answer", "internal/api/dialect", "internal/codec", "schemas"},
	"internal/api": {"internal/codec", "internal/account", "internal/change", "internal/loop", "internal/overview", "internal/task", "internal/receipt", "internal/review", "internal/upload", "internal/webhook",
		"internal/store", "internal/clock", "internal/ident", "schemas"},
	"internal/web": {"internal/account", "internal/answer", "internal/loop", "internal/passkey", "internal/review", "internal/task", "internal/upload", "internal/store", "internal/clock", "schemas"},

	// What tests, generators and setup stand on.
	"internal/toolchain":            {},
	"internal/golden":               {"internal/toolchain"},
	"internal/leak":                 {},
	"internal/store/storetest":      {"internal/store", "internal/toolchain", "internal/clock", "internal/ident"},
	"internal/store/storetest/fill": {"internal/store", "internal/event", "internal/trail", "schemas"},
	"scripts":                       {"internal/toolchain"},
}

var unrestricted = []string{"internal/app", "internal/e2e", "internal/arch", "cmd/humanops-mcp"}

func TestImportsPointOneWay(t *testing.T) {
	seen := map[string]bool{}
	eachFile(t, func(path string, file *ast.File) {
		if strings.HasSuffix(path, "_test.go") || under(path, unrestricted) != "" {
			return
		}
		home := under(path, keys(mayImport))
		require.NotEmpty(t, home, "%s: add its package to mayImport and say what it may import", path)
		seen[home] = true
		for _, spec := range file.Imports {
			target, _ := strconv.Unquote(spec.Path.Value)
			ours, isOurs := strings.CutPrefix(target, module)
			if !isOurs || within(ours, home) {
				continue
			}
			allowed := slices.ContainsFunc(mayImport[home], func(p string) bool { return within(ours, p) })
			require.True(t, allowed, "%s imports %s: %s may import only %v", path, ours, home, mayImport[home])
		}
	})
	for pkg := range mayImport {
		require.True(t, seen[pkg], "mayImport lists %s, which no longer exists", pkg)
	}
}

func TestSchemasDependsOnTheStandardLibraryOnly(t *testing.T) {
	eachFile(t, func(path string, file *ast.File) {
		if under(path, []string{"schemas"}) == "" || strings.HasSuffix(path, "_test.go") {
			return
		}
		for _, spec := range file.Imports {
			require.NotContains(t, strings.Split(spec.Path.Value, "/")[0], ".", "%s imports %s", path, spec.Path.Value)
		}
	})
}

func TestPackageNamesSayWhatTheyAreAbout(t *testing.T) {
	banned := []string{"util", "utils", "common", "helpers", "models", "types", "errors", "http", "log", "context"}
	eachFile(t, func(path string, file *ast.File) {
		require.NotContains(t, banned, file.Name.Name, path)
	})
}

func TestTestsDoNotSleep(t *testing.T) {
	eachFile(t, func(path string, file *ast.File) {
		if !strings.HasSuffix(path, "_test.go") || under(path, []string{"internal/arch"}) != "" {
			return
		}
		require.NotContains(t, source(t, path), "time.Sleep(", path)
	})
}

// Only the commands and the stdio transport may write to standard output.
func TestStandardOutputBelongsToTheTransport(t *testing.T) {
	eachFile(t, func(path string, file *ast.File) {
		if strings.HasSuffix(path, "_test.go") || under(path, []string{"internal/e2e", "internal/arch", "scripts"}) != "" || path == "cmd/humanops-mcp/main.go" {
			return
		}
		text := source(t, path)
		for _, forbidden := range []string{"os.Stdout", "fmt.Println(", "fmt.Printf(", "fmt.Print("} {
			require.NotContains(t, text, forbidden, path)
		}
	})
}

// Domain packages take the time from the injected clock.
func TestDomainsAskTheInjectedClock(t *testing.T) {
	domains := []string{"internal/account", "internal/answer", "internal/change", "internal/event", "internal/ledger", "internal/lifecycle", "internal/loop", "internal/oncall",
		"internal/passkey", "internal/quorum", "internal/receipt", "internal/review", "internal/task", "internal/trail", "internal/upload", "internal/webhook"}
	eachFile(t, func(path string, file *ast.File) {
		if strings.HasSuffix(path, "_test.go") || under(path, domains) == "" {
			return
		}
		require.NotContains(t, source(t, path), "time.Now()", path)
	})
}

func TestMigrationsAreNumberedWithoutGaps(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "internal/store/migrations/*.sql"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	name := regexp.MustCompile(`^(\d{4})_[a-z_]+\.sql$`)
	const inGo = 6 // stands in upgrade.go
	for i, file := range files {
		parts := name.FindStringSubmatch(filepath.Base(file))
		require.NotNil(t, parts, file)
		n, _ := strconv.Atoi(parts[1])
		if n > inGo {
			n--
		}
		require.Equal(t, i+1, n, file)
	}
}

const root = "../.."

func eachFile(t *testing.T, visit func(path string, file *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(root, func(full string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && full != root && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata" || name == "bin") {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), full, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		path, err := filepath.Rel(root, full)
		if err == nil {
			visit(filepath.ToSlash(path), file)
		}
		return err
	})
	require.NoError(t, err)
}

func source(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, path))
	require.NoError(t, err)
	return string(raw)
}

// under is the innermost listed folder that path lies in, "" when there is none.
func under(path string, folders []string) string {
	innermost := ""
	for _, folder := range folders {
		if within(path, folder) && len(folder) > len(innermost) {
			innermost = folder
		}
	}
	return innermost
}

func within(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

func keys(m map[string][]string) []string {
	list := make([]string, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	return list
}
