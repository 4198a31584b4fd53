package arch

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/review"
	"humanops-mcp/internal/task"
	"humanops-mcp/tools"
)

var update = flag.Bool("update", false, "write the generated parts of the documents")

func TestGeneratedReadmeHasTheTableOfTools(t *testing.T) {
	begin, end := "<!-- tools:begin -->\n", "<!-- tools:end -->"
	requireGenerated(t, "README.md", func(now string) string {
		before, rest, found := strings.Cut(now, begin)
		_, after, closed := strings.Cut(rest, end)
		require.True(t, found && closed, "README.md lost its markers")
		return before + begin + tools.Table() + end + after
	})
}

func TestGeneratedStateMachinesAreDrawnFromTheTables(t *testing.T) {
	requireGenerated(t, "docs/state-machines.md", func(string) string {
		return "# State machines\n\nDrawn from the tables in the code; `go test ./internal/arch -update` draws them anew.\n\n## A task\n\n```mermaid\n" +
			strings.TrimSpace(task.Life.Mermaid()) + "\n```\n\n## A review request\n\n```mermaid\n" + strings.TrimSpace(review.Life.Mermaid()) + "\n```\n"
	})
}

// requireGenerated compares a document with what the code makes of it, or writes it.
func requireGenerated(t *testing.T, name string, generate func(now string) string) {
	t.Helper()
	path := filepath.Join(root, name)
	raw, err := os.ReadFile(path)
	if !*update {
		require.NoError(t, err)
	}
	want := generate(string(raw))
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
		return
	}
	require.Equal(t, want, string(raw), "run: go test ./internal/arch -update, and look at the difference")
}

var markdownLink = regexp.MustCompile(`\]\(([^)#:]+)\)`)

func TestLinksInDocumentsLeadSomewhere(t *testing.T) {
	var files []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/decisions/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		files = append(files, found...)
	}
	require.NotEmpty(t, files)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, link := range markdownLink.FindAllStringSubmatch(string(raw), -1) {
			_, err := os.Stat(filepath.Join(filepath.Dir(file), link[1]))
			require.NoError(t, err, "%s links to %s", file, link[1])
		}
	}
}
