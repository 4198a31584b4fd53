package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/toolchain"
)

const (
	writesGoldenFiles = "make golden"
	// The tests that pin routes and tools, on SQLite, and one that calls what is new.
	pinsRoutes = "go test -count=1 -vet=off -run ^(TestEvery|TestGolden|TestImports|TestContracts|TestList|TestSchemas|TestContributed)[A-Za-z]*$/" +
		"^([^p]|p[^o]|po[^s]|pos[^t]|post[^g]) ./internal/arch/... ./client ./internal/api ./tools ./internal/app"

	// What an endpoint with its tool may cost to write by hand.
	mostLines, mostPlaces = 29, 6
	longest               = 10 * time.Minute // on a machine that has built nothing of it yet
)

// What CONTRIBUTING says of an endpoint with its tool is done here as it stands, in a copy.
func TestAnEndpointWithItsToolIsAddedAsContributingSays(t *testing.T) {
	copied := scratch(t)
	lines, places := 0, map[string]bool{}
	for _, e := range insertions(t) {
		copied.insert(e)
		places[e.path] = true
		lines += len(strings.Split(strings.TrimSpace(e.code), "\n")) - strings.Count(strings.TrimSpace(e.code), "\n\n")
	}
	t.Logf("%d lines in %d places", lines, len(places))
	require.LessOrEqual(t, lines, mostLines)
	require.LessOrEqual(t, len(places), mostPlaces)
	require.Empty(t, copied.run("gofmt -l schemas client tools internal"))

	copied.run(writesGoldenFiles)
	contributed, err := os.ReadFile(filepath.Join("testdata", "contributed_test.go.txt"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(copied.dir, "internal", "app", "contributed_test.go"), contributed, 0o600))
	out := copied.run(pinsRoutes)
	require.NotContains(t, out, "no tests to run")
}

// insertion is one code block of CONTRIBUTING and where it goes.
type insertion struct {
	path  string
	after string // what is in the line before; "" is the end of the file
	code  string
}

var instruction = regexp.MustCompile("[Ii]n `([^`]+)`, (?:at the end|after `([^`]+)`):\n\n```go\n((?s).*?)```\n")

func insertions(t *testing.T) (all []insertion) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(toolchain.Root(), "CONTRIBUTING.md"))
	require.NoError(t, err)
	for _, found := range instruction.FindAllStringSubmatch(string(raw), -1) {
		all = append(all, insertion{path: found[1], after: found[2], code: found[3]})
	}
	require.Len(t, all, strings.Count(string(raw), "```go\n"), "every block of code says where it goes")
	return all
}

// workCopy is a copy of the repository as it stands, without what git ignores.
type workCopy struct {
	t   *testing.T
	dir string
}

func scratch(t *testing.T) workCopy {
	t.Helper()
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = toolchain.Root()
	names, err := list.Output()
	require.NoError(t, err)
	c := workCopy{t, t.TempDir()}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		raw, err := os.ReadFile(filepath.Join(toolchain.Root(), name))
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		require.NoError(t, err)
		info, err := os.Stat(filepath.Join(toolchain.Root(), name))
		require.NoError(t, err)
		path := filepath.Join(c.dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, raw, info.Mode().Perm()))
	}
	return c
}

func (c workCopy) insert(e insertion) {
	c.t.Helper()
	path := filepath.Join(c.dir, e.path)
	raw, err := os.ReadFile(path)
	require.NoError(c.t, err)
	text := string(raw)
	at := len(text)
	if e.after != "" {
		require.Equal(c.t, 1, strings.Count(text, e.after), "%s has %q once", e.path, e.after)
		found := strings.Index(text, e.after)
		at = found + strings.Index(text[found:], "\n") + 1
	}
	require.NoError(c.t, os.WriteFile(path, []byte(text[:at]+e.code+text[at:]), 0o600))
}

// run runs a command in the copy and gives what it said.
func (c workCopy) run(command string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), longest)
	defer cancel()
	words := strings.Fields(command)
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Dir = c.dir
	cmd.Env = plainEnvironment()
	out, err := cmd.CombinedOutput()
	require.NoError(c.t, err, "%s\n%s", command, out)
	return string(out)
}
