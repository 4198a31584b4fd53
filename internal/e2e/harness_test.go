package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/stretchr/testify/require"

	rest "humanops-mcp/client"
	"humanops-mcp/internal/leak"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/schemas"
)

var binary string

func TestMain(m *testing.M) {
	if os.Getenv("HUMANOPS_E2E") == "" {
		fmt.Fprintln(os.Stderr, "e2e: skipped; set HUMANOPS_E2E=1 to run the built binary through browser, clients and kills")
		os.Exit(0)
	}
	os.Exit(build(m))
}

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "humanops-mcp")
	out, err := exec.Command("go", "build", "-o", binary, "humanops-mcp/cmd/humanops-mcp").CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "e2e: build: %v\n%s", err, out)
		return 1
	}
	return leak.Main(m, storetest.Stop)
}

// platform is a served data folder of one test.
type platform struct {
	t       *testing.T
	dir     string
	runtime string // where the socket is
	env     []string
	url     string
	pid     int
	cred    credentials
}

type credentials struct {
	LiveKey     string `json:"live_key"`
	TestKey     string `json:"test_key"`
	OwnerToken  string `json:"owner_token"`
	ExecutorKey string `json:"executor_key"`
}

// newFolder makes a data folder with nothing running on it.
func newFolder(t *testing.T, extra ...string) *platform {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	require.NoError(t, os.Mkdir(dir, 0o700))
	runtime, err := os.MkdirTemp("", "ho")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(runtime) })
	env := append(plainEnvironment(),
		"HUMANOPS_DATA_DIR="+dir, "HUMANOPS_LISTEN=127.0.0.1:0", "XDG_RUNTIME_DIR="+runtime, "HOME="+dir, "XDG_CONFIG_HOME="+filepath.Join(dir, "config"))
	p := &platform{t: t, dir: dir, runtime: runtime, env: append(env, extra...)}
	t.Cleanup(p.stop)
	return p
}

// plainEnvironment is the environment without settings of this program.
func plainEnvironment() []string {
	return slices.DeleteFunc(os.Environ(), func(pair string) bool { return strings.HasPrefix(pair, "HUMANOPS_") })
}

// serve starts a platform on a new folder and waits until it answers.
func serve(t *testing.T, extra ...string) *platform {
	t.Helper()
	p := newFolder(t, extra...)
	p.start()
	return p
}

// start serves the folder in the foreground of a child process.
func (p *platform) start() {
	p.t.Helper()
	cmd := p.command("serve")
	logs, err := os.OpenFile(filepath.Join(p.dir, "serve.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(p.t, err)
	defer logs.Close()
	cmd.Stdout, cmd.Stderr = logs, logs
	require.NoError(p.t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	p.pid = cmd.Process.Pid
	p.awaitReady(ended)
}

func (p *platform) awaitReady(ended <-chan error) {
	p.t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			p.t.Fatalf("serve ended: %v\n%s", err, p.logs())
		case <-deadline:
			p.t.Fatalf("serve is not ready after 20 s\n%s", p.logs())
		case <-tick.C:
		}
		if p.readStatus() {
			return
		}
	}
}

func (p *platform) readStatus() bool {
	out, err := p.command("status", "--json").Output()
	if err != nil {
		return false
	}
	var status schemas.PlatformStatus
	if json.Unmarshal(out, &status) != nil || status.Address == "" {
		return false
	}
	p.url, p.pid = "http://"+status.Address, status.PID
	raw, err := os.ReadFile(filepath.Join(p.dir, "credentials"))
	return err == nil && json.Unmarshal(raw, &p.cred) == nil
}

func (p *platform) logs() string {
	raw, _ := os.ReadFile(filepath.Join(p.dir, "serve.log"))
	return string(raw)
}

func (p *platform) command(args ...string) *exec.Cmd {
	cmd := exec.Command(binary, args...)
	cmd.Env = p.env
	return cmd
}

// run runs a command of the binary and gives what it printed.
func (p *platform) run(args ...string) string {
	p.t.Helper()
	var stderr bytes.Buffer
	cmd := p.command(args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(p.t, err, "%v\n%s%s", args, out, stderr.String())
	return string(out)
}

func (p *platform) stop() {
	if p.pid > 0 {
		if out, err := p.command("stop").CombinedOutput(); err != nil {
			p.t.Logf("stop: %v: %s", err, out)
		}
	}
}

// kill ends the platform as a power cut would.
func (p *platform) kill() {
	p.t.Helper()
	require.NoError(p.t, syscall.Kill(p.pid, syscall.SIGKILL))
	require.Eventually(p.t, func() bool { return syscall.Kill(p.pid, 0) != nil }, 10*time.Second, time.Millisecond)
	p.pid = 0
}

// api is a REST client with the given credentials.
func (p *platform) api(opts rest.Options) *rest.Client {
	p.t.Helper()
	opts.BaseURL = p.url
	c, err := rest.New(opts)
	require.NoError(p.t, err)
	return c
}

// stdio starts an MCP client on a stdio process of its own.
func (p *platform) stdio(ctx context.Context, args ...string) *client.Client {
	p.t.Helper()
	c, err := client.NewStdioMCPClient(binary, p.env, append([]string{"stdio"}, args...)...)
	require.NoError(p.t, err)
	p.t.Cleanup(func() { _ = c.Close() })
	initialize(p.t, ctx, c)
	return c
}

// streamable is an MCP client on /mcp with an agent's key.
func (p *platform) streamable(ctx context.Context, key string) *client.Client {
	p.t.Helper()
	c, err := client.NewStreamableHttpClient(p.url+"/mcp", transport.WithHTTPHeaders(map[string]string{"Authorization": "Bearer " + key}))
	require.NoError(p.t, err)
	require.NoError(p.t, c.Start(ctx))
	p.t.Cleanup(func() { _ = c.Close() })
	initialize(p.t, ctx, c)
	return c
}

func initialize(t *testing.T, ctx context.Context, c *client.Client) {
	t.Helper()
	var request mcp.InitializeRequest
	request.Params.ProtocolVersion = mcp.LATEST_LEGACY_PROTOCOL_VERSION
	request.Params.ClientInfo = mcp.Implementation{Name: "e2e", Version: "1"}
	_, err := c.Initialize(ctx, request)
	require.NoError(t, err)
}

// call calls a tool, which must succeed, and decodes its structured content.
// mcpCaller is an MCP client on any transport.
type mcpCaller interface {
	CallTool(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error)
}

func call[T any](t *testing.T, ctx context.Context, c mcpCaller, tool string, args map[string]any) (T, *mcp.CallToolResult) {
	t.Helper()
	var request mcp.CallToolRequest
	request.Params.Name, request.Params.Arguments = tool, args
	result, err := c.CallTool(ctx, request)
	require.NoError(t, err)
	require.False(t, result.IsError, "%s: %s", tool, textOf(result))
	var out T
	raw, err := json.Marshal(result.StructuredContent)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &out))
	return out, result
}

func textOf(result *mcp.CallToolResult) string {
	var parts []string
	for _, content := range result.Content {
		if text, ok := mcp.AsTextContent(content); ok {
			parts = append(parts, text.Text)
		}
	}
	return strings.Join(parts, "\n")
}

func imagesOf(result *mcp.CallToolResult) int {
	images := 0
	for _, content := range result.Content {
		if _, ok := mcp.AsImageContent(content); ok {
			images++
		}
	}
	return images
}

func get(t *testing.T, url string, header http.Header) (int, string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, url, nil)
	require.NoError(t, err)
	request.Header = header.Clone()
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 8<<20))
	require.NoError(t, err)
	return response.StatusCode, string(body)
}
