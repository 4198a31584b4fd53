package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var readmeCommands = regexp.MustCompile(`(?m)^humanops-mcp (.+?)(?:\s+#.*)?$`)

// The README's first ten minutes are run as they stand, in order, in a new home.
func TestReadmeScript(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(raw), "<!-- script:begin -->")
	script, _, closed := strings.Cut(rest, "<!-- script:end -->")
	require.True(t, found && closed, "the README lost its script")
	commands := readmeCommands.FindAllStringSubmatch(script, -1)
	require.GreaterOrEqual(t, len(commands), 5)

	p := newFolder(t)
	said := map[string]string{}
	for _, command := range commands {
		said[command[1]] = p.run(strings.Fields(command[1])...)
	}
	require.True(t, p.readStatus())
	require.Contains(t, said["demo"], "PAID")
	require.Contains(t, said["people add me"], "http://")
	require.Contains(t, said["doctor"], "✓")
}
