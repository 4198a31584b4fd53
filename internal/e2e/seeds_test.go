package e2e

import (
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

// The seed's examples run unchanged but for base URL, key and a deadline that is not past.
func TestSeedExamples(t *testing.T) {
	p := serve(t)
	t.Run("curl", func(t *testing.T) {
		toolchain.Curl.Need(t)
		out := runSeed(t, p, "create_task.sh", "bash")
		require.Contains(t, out, `"task_id":"task_`)
		require.Contains(t, out, `"status":"POSTED"`)
		require.Contains(t, out, `"sandbox":true`)
	})
	t.Run("Python", func(t *testing.T) {
		out := runSeed(t, p, "create_task.py", toolchain.Python.Need(t))
		require.Regexp(t, `(?m)^Task created: task_\w+$`, out)
		require.Regexp(t, `(?m)^Status: [A-Z_]+$`, out)
	})
	t.Run("TypeScript", func(t *testing.T) {
		out := runSeed(t, p, "create_task.mts", toolchain.Node.Need(t))
		require.Regexp(t, `(?m)^Task task_\w+: POSTED$`, out)
	})
}

var seedDeadline = regexp.MustCompile(`2026-02-0\dT\d\d:00:00Z`)

func runSeed(t *testing.T, p *platform, name, interpreter string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "seeds", name))
	require.NoError(t, err)
	text := strings.NewReplacer("https://api.humanops.io", p.url, "YOUR_API_KEY", p.cred.TestKey, "your-api-key", p.cred.TestKey).Replace(string(raw))
	text = seedDeadline.ReplaceAllString(text, time.Now().Add(24*time.Hour).UTC().Format("2006-01-02T15:04:05Z"))
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	out, err := exec.Command(interpreter, file).CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}
