// Package bench measures the platform as ratios against a baseline of the same run:
// bare mcp-go for what the protocol costs, raw SQL for what storage costs.
package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/stretchr/testify/require"
)

// binaries builds the program and the baseline, once.
func binaries(b *testing.B) (ours, bare string) {
	b.Helper()
	dir := b.TempDir()
	ours, bare = filepath.Join(dir, "humanops-mcp"), filepath.Join(dir, "bare")
	for file, pkg := range map[string]string{ours: "humanops-mcp/cmd/humanops-mcp", bare: "humanops-mcp/internal/e2e/bench/bare"} {
		out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", file, pkg).CombinedOutput()
		require.NoError(b, err, string(out))
	}
	return ours, bare
}

// folder is the environment of a data folder with a served platform.
func folder(b *testing.B, ours string) (env []string, dir string) {
	b.Helper()
	dir = b.TempDir()
	runtime, err := os.MkdirTemp("", "ho")
	require.NoError(b, err)
	b.Cleanup(func() { os.RemoveAll(runtime) })
	env = append(os.Environ(), "HUMANOPS_DATA_DIR="+dir, "HUMANOPS_LISTEN=127.0.0.1:0", "XDG_RUNTIME_DIR="+runtime, "HOME="+dir)
	stop := exec.Command(ours, "stop")
	stop.Env = env
	b.Cleanup(func() { _ = stop.Run() })
	return env, dir
}

const hello = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"b","version":"1"}}}`

// coldStart is the time from starting the process to its answer to initialize.
func coldStart(b *testing.B, env []string, name string, args ...string) time.Duration {
	b.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = env
	in, err := cmd.StdinPipe()
	require.NoError(b, err)
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	begin := time.Now()
	require.NoError(b, cmd.Start())
	_, err = fmt.Fprintln(in, hello)
	require.NoError(b, err)
	_, err = bufio.NewReader(out).ReadString('\n')
	took := time.Since(begin)
	require.NoError(b, err)
	require.NoError(b, in.Close())
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait()
	return took
}

func BenchmarkColdStart(b *testing.B) {
	ours, bare := binaries(b)
	env, _ := folder(b, ours)
	coldStart(b, env, ours, "stdio")
	coldStart(b, env, bare)
	var mine, theirs []time.Duration
	for range max(b.N, 20) {
		mine = append(mine, coldStart(b, env, ours, "stdio"))
		theirs = append(theirs, coldStart(b, env, bare))
	}
	report(b, median(mine), median(theirs), "bare")
}

func BenchmarkCheckStatusStdio(b *testing.B) {
	ours, bare := binaries(b)
	env, _ := folder(b, ours)
	a := stdioClient(b, ours, env, "stdio")
	z := stdioClient(b, bare, env)
	compareCalls(b, a, z)
}

func BenchmarkCheckStatusHTTP(b *testing.B) {
	ours, bare := binaries(b)
	env, dir := folder(b, ours)
	starter := stdioClient(b, ours, env, "stdio")
	callTool(b, starter, "get_balance", nil)
	var status struct{ Address string }
	out, err := command(ours, env, "status", "--json").Output()
	require.NoError(b, err)
	require.NoError(b, json.Unmarshal(out, &status))
	var keys struct {
		LiveKey string `json:"live_key"`
	}
	raw, err := os.ReadFile(filepath.Join(dir, "credentials"))
	require.NoError(b, err)
	require.NoError(b, json.Unmarshal(raw, &keys))
	a := httpClient(b, "http://"+status.Address+"/mcp", keys.LiveKey)
	z := httpClient(b, "http://"+serveBare(b, bare)+"/mcp", "")
	compareCalls(b, a, z)
}

func BenchmarkIdleMemory(b *testing.B) {
	ours, _ := binaries(b)
	env, _ := folder(b, ours)
	starter := stdioClient(b, ours, env, "stdio")
	callTool(b, starter, "get_balance", nil)
	var status struct{ PID int }
	out, err := command(ours, env, "status", "--json").Output()
	require.NoError(b, err)
	require.NoError(b, json.Unmarshal(out, &status))
	for range b.N {
		b.ReportMetric(resident(b, status.PID), "MB-resident")
	}
	b.ReportMetric(0, "ns/op")
}

// resident is the process's memory in MB.
func resident(b *testing.B, pid int) float64 {
	b.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skip("memory is read from /proc, which this system does not have")
	}
	for line := range strings.Lines(string(raw)) {
		if kb, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.ParseFloat(strings.Fields(kb)[0], 64)
			require.NoError(b, err)
			return n / 1024
		}
	}
	b.Fatal("no VmRSS")
	return 0
}

func command(name string, env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env = env
	return cmd
}

func stdioClient(b *testing.B, name string, env []string, args ...string) *client.Client {
	b.Helper()
	c, err := client.NewStdioMCPClient(name, env, args...)
	require.NoError(b, err)
	b.Cleanup(func() { _ = c.Close() })
	return initialized(b, c)
}

func httpClient(b *testing.B, url, key string) *client.Client {
	b.Helper()
	c, err := client.NewStreamableHttpClient(url, transport.WithHTTPHeaders(map[string]string{"Authorization": "Bearer " + key}))
	require.NoError(b, err)
	require.NoError(b, c.Start(context.Background()))
	b.Cleanup(func() { _ = c.Close() })
	return initialized(b, c)
}

func initialized(b *testing.B, c *client.Client) *client.Client {
	b.Helper()
	var request mcp.InitializeRequest
	request.Params.ProtocolVersion = mcp.LATEST_LEGACY_PROTOCOL_VERSION
	request.Params.ClientInfo = mcp.Implementation{Name: "bench", Version: "1"}
	_, err := c.Initialize(context.Background(), request)
	require.NoError(b, err)
	return c
}

func serveBare(b *testing.B, bare string) string {
	b.Helper()
	address, _ := startBare(b, bare)
	return address
}

func startBare(b *testing.B, bare string, mode ...string) (address string, pid int) {
	b.Helper()
	cmd := exec.Command(bare, append([]string{"127.0.0.1:0"}, mode...)...)
	out, err := cmd.StderrPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(b, err)
	return strings.TrimSpace(line), cmd.Process.Pid
}

func callTool(b *testing.B, c *client.Client, tool string, args map[string]any) {
	b.Helper()
	var request mcp.CallToolRequest
	request.Params.Name, request.Params.Arguments = tool, args
	result, err := c.CallTool(context.Background(), request)
	require.NoError(b, err)
	require.False(b, result.IsError, "%v", result.Content)
}

var benchArgs = map[string]any{
	"title": "Bench", "description": "Say hello.", "task_type": "VERIFICATION", "reward_usd": 1, "proof_requirements": []string{"a note"},
}

// compareCalls calls check_status and the baseline's echo in turn, so that both meet
// the same noise.
func compareCalls(b *testing.B, ours, bare *client.Client) {
	b.Helper()
	callTool(b, ours, "post_task", benchArgs)
	for range 200 {
		callTool(b, ours, "check_status", nil)
		callTool(b, bare, "echo", nil)
	}
	var mine, theirs []time.Duration
	for range max(b.N, 2000) {
		mine = append(mine, timed(func() { callTool(b, ours, "check_status", nil) }))
		theirs = append(theirs, timed(func() { callTool(b, bare, "echo", nil) }))
	}
	report(b, median(mine), median(theirs), "bare")
}

func timed(f func()) time.Duration {
	begin := time.Now()
	f()
	return time.Since(begin)
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// report gives both medians and their ratio; the default ns/op would mix the two.
func report(b *testing.B, mine, theirs time.Duration, baseline string) {
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(mine.Microseconds()), "us-p50")
	b.ReportMetric(float64(theirs.Microseconds()), "us-p50-"+baseline)
	b.ReportMetric(float64(mine)/float64(theirs), "x-"+baseline)
}
