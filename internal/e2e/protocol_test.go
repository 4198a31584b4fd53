package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/toolchain"
)

// protocolTool runs one of the pinned protocol tools, with the Node that runs it first on
// the PATH of what it starts.
func protocolTool(t *testing.T, env []string, tool *toolchain.Tool, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	node := toolchain.Node.Need(t)
	tool.Need(t)
	cmd, err := tool.Command(ctx, args...)
	require.NoError(t, err)
	cmd.Env = append(slices.Clone(env), "PATH="+filepath.Dir(node)+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestInspector(t *testing.T) {
	p := serve(t)
	bearer := "Authorization: Bearer " + p.cred.TestKey
	legacy, modern := []string{"--protocol-era", "legacy"}, []string{"--protocol-era", "modern"}
	// The Inspector hands its environment on only when told to; the server's own
	// arguments follow a double dash.
	stdio := []string{"-e", "HUMANOPS_DATA_DIR=" + p.dir, "-e", "XDG_RUNTIME_DIR=" + p.runtime, binary, "--", "stdio"}
	http := []string{"--server-url", p.url + "/mcp", "--transport", "http", "--header", bearer}
	targets := map[string][]string{
		"stdio, legacy": append(legacy, stdio...),
		"stdio, modern": append(modern, stdio...),
		"HTTP, legacy":  append(legacy, http...),
		"HTTP, modern":  append(modern, http...),
		"SSE":           {"--server-url", p.url + "/sse", "--transport", "sse", "--header", bearer},
	}
	for name, target := range targets {
		t.Run(name+" lists the tools", func(t *testing.T) {
			out := inspect(t, p, target, "--method", "tools/list", "--strict", "--format", "json")
			for _, tool := range []string{"post_task", "check_status", "get_task_result", "review_proof", "reply_to_operator", "cancel_task", "list_tasks", "get_balance"} {
				require.Contains(t, out, `"`+tool+`"`)
			}
		})
		t.Run(name+" calls a tool", func(t *testing.T) {
			out := inspect(t, p, target, "--method", "tools/call", "--tool-name", "get_balance", "--format", "json")
			require.Contains(t, out, "deposit_balance")
		})
	}
}

func inspect(t *testing.T, p *platform, target []string, args ...string) string {
	t.Helper()
	command := append(append([]string{"--cli"}, args...), target...)
	out, err := protocolTool(t, p.env, toolchain.Inspector, command...)
	require.NoError(t, err, out)
	return out
}

func TestConformance(t *testing.T) {
	p := serve(t, "HUMANOPS_CONFORMANCE=true")
	dir := t.TempDir()
	out, err := protocolTool(t, p.env, toolchain.Conformance, "server", "--url", p.url+"/mcp", "--suite", "active", "-o", dir)
	require.NoError(t, err, out)
	passed, failed := countChecks(t, dir)
	require.Zero(t, failed, out)
	require.GreaterOrEqual(t, passed, 39, "the suite shrank: %s", out)
}

func countChecks(t *testing.T, dir string) (passed, failed int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "checks.json"))
	require.NoError(t, err)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		var checks []struct{ Status string }
		require.NoError(t, json.Unmarshal(raw, &checks))
		for _, check := range checks {
			switch strings.ToUpper(check.Status) {
			case "SUCCESS":
				passed++
			case "FAILURE":
				failed++
			}
		}
	}
	return passed, failed
}
