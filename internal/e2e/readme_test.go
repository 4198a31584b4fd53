package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var readmeCommands = regexp.MustCompile(`(?m)^humanops-mcp (.+?)(?:\s+#.*)?$`)

var signInLink = regexp.MustCompile(`http://\S+/sign-in/\w+`)

// openLink does what a person does with the link: look at the page and press its button.
func openLink(t *testing.T, link string) {
	t.Helper()
	status, page := get(t, link, nil)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, page, "<form")
	response, err := http.PostForm(link, nil)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
}

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
		if link := signInLink.FindString(said[command[1]]); link != "" {
			openLink(t, link)
		}
	}
	require.True(t, p.readStatus())
	require.Contains(t, said["demo"], "PAID")
	require.Contains(t, said["people add me"], "http://")
	require.Contains(t, said["doctor"], "✓")
}
