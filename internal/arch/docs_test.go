package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/golden"
	"humanops-mcp/internal/review"
	"humanops-mcp/internal/task"
	"humanops-mcp/tools"
)

func TestGoldenReadmeHasTheTableOfTools(t *testing.T) {
	golden.Part(t, filepath.Join(root, "README.md"), "<!-- tools:begin -->\n", "<!-- tools:end -->", tools.Table())
}

func TestGoldenStateMachinesAreDrawnFromTheTables(t *testing.T) {
	golden.File(t, filepath.Join(root, "docs/state-machines.md"), []byte("# State machines\n\nDrawn from the tables in the code; `make generate` draws them anew.\n\n## A task\n\n```mermaid\n"+
		strings.TrimSpace(task.Life.Mermaid())+"\n```\n\n## A review request\n\n```mermaid\n"+strings.TrimSpace(review.Life.Mermaid())+"\n```\n"))
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
