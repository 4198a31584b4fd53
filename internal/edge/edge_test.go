package edge_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	mcpclient "github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/edge"
	"humanops-mcp/schemas"
)

// block is a tool that waits; the test sees it begin and end.
type block struct{ began, ended chan error }

func newServer() (*server.MCPServer, block) {
	b := block{make(chan error, 100), make(chan error, 100)}
	s := server.NewMCPServer("test", "1")
	s.AddTool(mcp.NewTool("who"), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultText("you are " + edge.Key(ctx)), nil
	})
	s.AddTool(mcp.NewTool("block"), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		b.began <- nil
		<-ctx.Done()
		b.ended <- ctx.Err()
		return mcp.NewToolResultText("released"), nil
	})
	return s, b
}

func authenticate(r *http.Request) (context.Context, error) {
	if key := edge.Key(r.Context()); key == "alice" || key == "bob" {
		return r.Context(), nil
	}
	if edge.Key(r.Context()) == "broken" {
		return nil, errors.New("SQL logic error in agents.db")
	}
	return nil, schemas.NewError(schemas.CodeUnauthenticated, "This key is not known.")
}

const (
	initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`
	listTools  = `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`
	meta       = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"}}`
)

type sent struct {
	method, path, key, body string
	headers                 map[string]string
}

func send(t *testing.T, srv *httptest.Server, in sent) *http.Response {
	t.Helper()
	if in.method == "" {
		in.method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(t.Context(), in.method, srv.URL+in.path, strings.NewReader(in.body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	if in.key != "" {
		r.Header.Set("X-API-Key", in.key)
	}
	for name, value := range in.headers {
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func text(t *testing.T, resp *http.Response) string {
	t.Helper()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(raw)
}

func modern(method, tool string) map[string]string {
	headers := map[string]string{"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": method}
	if tool != "" {
		headers["Mcp-Name"] = tool
	}
	return headers
}

func TestAdmission(t *testing.T) {
	s, _ := newServer()
	o := edge.Options{PublicURL: "https://people.example.org:8443", AllowedHosts: []string{"humans.lan"}, Authenticate: authenticate}
	for kind, transport := range map[string]struct {
		handler http.Handler
		path    string
	}{"HTTP": {edge.HTTP(s, o), "/mcp"}, "SSE": {edge.SSE(s, o), "/message"}} {
		srv := httptest.NewServer(transport.handler)
		defer srv.Close()
		try := func(key string, headers map[string]string) int {
			return send(t, srv, sent{path: transport.path, key: key, body: initialize, headers: headers}).StatusCode
		}
		t.Run(kind+" refuses a page of another origin", func(t *testing.T) {
			for _, origin := range []string{"https://evil.example", "null", "http://localhost:1", "http://people.example.org:8443", "https://humans.lan"} {
				require.Equal(t, 403, try("alice", map[string]string{"Origin": origin}), origin)
			}
		})
		t.Run(kind+" refuses a foreign host name", func(t *testing.T) {
			require.Equal(t, 403, try("alice", map[string]string{"Host": "evil.example"}))
		})
		t.Run(kind+" admits the public address and this machine", func(t *testing.T) {
			require.NotEqual(t, 403, try("alice", map[string]string{"Origin": "https://people.example.org:8443", "Host": "people.example.org:8443"}))
			require.NotEqual(t, 403, try("alice", map[string]string{"Origin": srv.URL}))
		})
		t.Run(kind+" admits the public name when a proxy leaves out the port", func(t *testing.T) {
			require.NotEqual(t, 403, try("alice", map[string]string{"Host": "people.example.org"}))
		})
		t.Run(kind+" admits the names in allowed_hosts", func(t *testing.T) {
			require.NotEqual(t, 403, try("alice", map[string]string{"Host": "humans.lan:8787", "Origin": "http://humans.lan:8787"}))
		})
		t.Run(kind+" tells nothing of a failure of its own and refuses no key for it", func(t *testing.T) {
			resp := send(t, srv, sent{path: transport.path, key: "broken", body: initialize})
			require.Equal(t, 503, resp.StatusCode)
			require.NotContains(t, text(t, resp), "SQL")
			require.Empty(t, resp.Header.Get("WWW-Authenticate"))
		})
		t.Run(kind+" needs a key and says how to bring it", func(t *testing.T) {
			for _, key := range []string{"", "mallory"} {
				resp := send(t, srv, sent{path: transport.path, key: key, body: initialize})
				require.Equal(t, 401, resp.StatusCode)
				require.Equal(t, `Bearer realm="humanops-mcp"`, resp.Header.Get("WWW-Authenticate"))
			}
		})
		t.Run(kind+" refuses a large body", func(t *testing.T) {
			resp := send(t, srv, sent{path: transport.path, key: "alice", body: strings.Repeat(" ", 5<<20)})
			require.Equal(t, 413, resp.StatusCode)
		})
	}
}

func TestHTTP(t *testing.T) {
	s, b := newServer()
	srv := httptest.NewServer(edge.HTTP(s, edge.Options{Authenticate: authenticate}))
	defer srv.Close()
	open := func(t *testing.T, key string) map[string]string {
		resp := send(t, srv, sent{key: key, body: initialize})
		require.Equal(t, 200, resp.StatusCode)
		return map[string]string{"Mcp-Session-Id": resp.Header.Get("Mcp-Session-Id")}
	}

	t.Run("gives the tools the caller's own key", func(t *testing.T) {
		body := `{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"who","arguments":{}}}`
		require.Contains(t, text(t, send(t, srv, sent{key: "alice", body: body, headers: open(t, "alice")})), "you are alice")
		require.Contains(t, text(t, send(t, srv, sent{body: strings.Replace(body, `"arguments"`, meta+`,"arguments"`, 1), headers: func() map[string]string {
			h := modern("tools/call", "who")
			h["Authorization"] = "Bearer bob"
			return h
		}()})), "you are bob")
	})
	t.Run("binds a session to its caller", func(t *testing.T) {
		session := open(t, "alice")
		require.Equal(t, 200, send(t, srv, sent{key: "alice", body: listTools, headers: session}).StatusCode)
		require.Equal(t, 404, send(t, srv, sent{key: "bob", body: listTools, headers: session}).StatusCode)
		require.Equal(t, 404, send(t, srv, sent{method: "DELETE", key: "bob", headers: session}).StatusCode)
		require.Equal(t, 200, send(t, srv, sent{key: "alice", body: listTools, headers: session}).StatusCode)
	})
	t.Run("ends a session for good", func(t *testing.T) {
		session := open(t, "alice")
		require.Equal(t, 200, send(t, srv, sent{method: "DELETE", key: "alice", headers: session}).StatusCode)
		require.Equal(t, 404, send(t, srv, sent{key: "alice", body: listTools, headers: session}).StatusCode)
	})
	t.Run("lets nobody cancel another's request", func(t *testing.T) {
		ctx, giveUp := context.WithCancel(t.Context())
		go func() {
			body := `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"block","arguments":{},` + meta + `}}`
			r, _ := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Accept", "application/json, text/event-stream")
			r.Header.Set("X-API-Key", "alice")
			for name, value := range modern("tools/call", "block") {
				r.Header.Set(name, value)
			}
			if resp, err := http.DefaultClient.Do(r); err == nil {
				resp.Body.Close()
			}
		}()
		<-b.began
		cancel := `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7,` + meta + `}}`
		require.Equal(t, 202, send(t, srv, sent{key: "bob", body: cancel, headers: modern("notifications/cancelled", "")}).StatusCode)
		legacy := `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}`
		send(t, srv, sent{key: "bob", body: legacy, headers: open(t, "bob")})
		send(t, srv, sent{key: "bob", body: legacy})
		select {
		case <-b.ended:
			t.Fatal("a stranger cancelled the request")
		default:
		}
		giveUp()
		require.ErrorIs(t, <-b.ended, context.Canceled)
	})
	t.Run("answers a modern client without a session", func(t *testing.T) {
		resp := send(t, srv, sent{key: "alice", body: `{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{` + meta + `}}`, headers: modern("server/discover", "")})
		require.Equal(t, 200, resp.StatusCode)
		require.Empty(t, resp.Header.Get("Mcp-Session-Id"))
	})
}

func TestSSE(t *testing.T) {
	s, _ := newServer()
	srv := httptest.NewServer(edge.SSE(s, edge.Options{Authenticate: authenticate}))
	defer srv.Close()

	t.Run("serves an old client", func(t *testing.T) {
		c, err := mcpclient.NewSSEMCPClient(srv.URL+"/sse", transport.WithHeaders(map[string]string{"X-API-Key": "alice"}))
		require.NoError(t, err)
		defer c.Close()
		require.NoError(t, c.Start(t.Context()))
		_, err = c.Initialize(t.Context(), mcp.InitializeRequest{Params: mcp.InitializeParams{ProtocolVersion: "2024-11-05"}})
		require.NoError(t, err)
		out, err := c.CallTool(t.Context(), mcp.CallToolRequest{Params: mcp.CallToolParams{Name: "who"}})
		require.NoError(t, err)
		require.Equal(t, "you are alice", out.Content[0].(mcp.TextContent).Text)
	})
	t.Run("keeps a quiet session for as long as its stream", func(t *testing.T) {
		clk := clock.NewFake(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
		quiet := httptest.NewServer(edge.SSE(s, edge.Options{Authenticate: authenticate, Clock: clk}))
		defer quiet.CloseClientConnections()
		stream := bufio.NewScanner(send(t, quiet, sent{method: "GET", path: "/sse", key: "alice"}).Body)
		endpoint := data(t, stream)
		clk.Advance(5 * time.Hour)
		data(t, bufio.NewScanner(send(t, quiet, sent{method: "GET", path: "/sse", key: "bob"}).Body))
		require.Equal(t, 202, send(t, quiet, sent{path: endpoint, key: "alice", body: initialize}).StatusCode)
	})
	t.Run("binds the stream to its caller and answers modern messages", func(t *testing.T) {
		stream := bufio.NewScanner(send(t, srv, sent{method: "GET", path: "/sse", key: "alice"}).Body)
		endpoint := data(t, stream)
		require.True(t, strings.HasPrefix(endpoint, "/message?sessionId="), endpoint)
		require.Equal(t, 404, send(t, srv, sent{path: endpoint, key: "bob", body: initialize}).StatusCode)
		require.Equal(t, 404, send(t, srv, sent{path: "/message?sessionId=x", key: "alice", body: initialize}).StatusCode)
		body := `{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{` + meta + `}}`
		require.Equal(t, 202, send(t, srv, sent{path: endpoint, key: "alice", body: body, headers: map[string]string{"Mcp-Protocol-Version": "2026-07-28"}}).StatusCode)
		require.Contains(t, data(t, stream), `"supportedVersions"`)
	})
}

// data is the next event's data.
func data(t *testing.T, stream *bufio.Scanner) string {
	t.Helper()
	for stream.Scan() {
		if found, ok := strings.CutPrefix(stream.Text(), "data: "); ok {
			return strings.TrimSpace(found)
		}
	}
	t.Fatal("the stream ended")
	return ""
}

// stdio runs a server over pipes: what to write to, what to read from, how it ended.
func stdio(t *testing.T, s *server.MCPServer) (io.WriteCloser, *bufio.Scanner, chan error) {
	t.Helper()
	inReader, in := io.Pipe()
	out, outWriter := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := edge.Stdio(t.Context(), s, inReader, outWriter)
		outWriter.Close()
		ended <- err
	}()
	return in, bufio.NewScanner(out), ended
}

func TestStdio(t *testing.T) {
	call := func(id int, tool string) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"%s","arguments":{}}}`+"\n", id, tool)
	}
	t.Run("answers everything it was asked before the end, initialize first", func(t *testing.T) {
		s, _ := newServer()
		in, out, ended := stdio(t, s)
		go func() {
			io.WriteString(in, initialize+"\n")
			for id := range 50 {
				io.WriteString(in, call(id+10, "who"))
			}
			io.WriteString(in, strings.TrimSpace(call(99, "who"))) // no end of line
			in.Close()
		}()
		var lines []string
		for out.Scan() {
			lines = append(lines, out.Text())
		}
		require.NoError(t, <-ended)
		require.Len(t, lines, 52)
		require.Contains(t, lines[0], `"serverInfo"`)
	})
	t.Run("ends a cancelled call without an answer", func(t *testing.T) {
		s, b := newServer()
		in, out, ended := stdio(t, s)
		go io.WriteString(in, initialize+"\n"+call(5, "block"))
		require.True(t, out.Scan())
		<-b.began
		io.WriteString(in, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}}`+"\n")
		require.ErrorIs(t, <-b.ended, context.Canceled)
		go func() {
			io.WriteString(in, call(6, "who"))
			in.Close()
		}()
		require.True(t, out.Scan())
		require.Contains(t, out.Text(), `"id":6`)
		require.False(t, out.Scan())
		require.NoError(t, <-ended)
	})
	t.Run("runs many waiting calls at once", func(t *testing.T) {
		s, b := newServer()
		ctx, cancel := context.WithCancel(t.Context())
		inReader, in := io.Pipe()
		ended := make(chan error, 1)
		go func() { ended <- edge.Stdio(ctx, s, inReader, io.Discard) }()
		for id := range 60 {
			io.WriteString(in, call(id, "block"))
		}
		for range 60 {
			<-b.began
		}
		cancel()
		require.NoError(t, <-ended)
	})
	t.Run("refuses a line that is too long and goes on", func(t *testing.T) {
		s, _ := newServer()
		in, out, ended := stdio(t, s)
		go func() {
			io.WriteString(in, strings.Repeat("x", 5<<20)+"\n"+listTools+"\n")
			in.Close()
		}()
		require.True(t, out.Scan())
		require.Contains(t, out.Text(), "longer than 4 MiB")
		require.True(t, out.Scan())
		require.Contains(t, out.Text(), `"id":2`)
		require.NoError(t, <-ended)
	})
}
