//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/client"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/config"
	"humanops-mcp/internal/daemon"
	"humanops-mcp/internal/leak"
	"humanops-mcp/internal/photo"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/schemas"
)

// TestMain lets this test program be the platform that its own sessions start.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		main()
	}
	os.Exit(leak.Main(m))
}

// session is an MCP client on the other end of run's standard input and output.
type session struct {
	t       *testing.T
	to      io.Writer
	answers *bufio.Scanner
	next    int
}

func newHouse(t *testing.T) daemon.Files {
	t.Helper()
	runtime, err := os.MkdirTemp("/tmp", "ho")
	require.NoError(t, err)
	data := filepath.Join(t.TempDir(), "data")
	t.Setenv("XDG_RUNTIME_DIR", runtime)
	t.Setenv("HUMANOPS_DATA_DIR", data)
	t.Setenv("HUMANOPS_LISTEN", "127.0.0.1:0")
	t.Cleanup(func() {
		leak.Stop(data, func() {
			if _, err := daemon.Paths(data).Stop(context.Background()); err != nil {
				require.ErrorIs(t, err, daemon.ErrNotRunning)
			}
		})
		require.NoError(t, os.RemoveAll(runtime))
	})
	return daemon.Paths(data)
}

func connect(t *testing.T, args ...string) *session {
	t.Helper()
	in, to := io.Pipe()
	from, out := io.Pipe()
	ended := make(chan int, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- run(ctx, append([]string{"stdio"}, args...), os.Environ(), in, out, os.Stderr) }()
	s := &session{t: t, to: to, answers: bufio.NewScanner(from)}
	s.answers.Buffer(nil, 4<<20)
	t.Cleanup(func() {
		require.NoError(t, to.Close())
		require.Equal(t, exitOK, <-ended)
		cancel()
	})
	s.call("initialize", `{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}`)
	return s
}

// call sends a request and returns its result.
func (s *session) call(method, params string) string {
	s.t.Helper()
	s.next++
	_, err := fmt.Fprintf(s.to, `{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`+"\n", s.next, method, params)
	require.NoError(s.t, err)
	for s.answers.Scan() {
		var answer struct {
			ID            int
			Result, Error json.RawMessage
		}
		require.NoError(s.t, json.Unmarshal(s.answers.Bytes(), &answer))
		if answer.ID == s.next {
			require.Empty(s.t, answer.Error)
			return string(answer.Result)
		}
	}
	require.FailNow(s.t, "the session ended", s.answers.Err())
	return ""
}

func (s *session) balance() string {
	s.t.Helper()
	result := s.call("tools/call", `{"name":"get_balance","arguments":{}}`)
	require.NotContains(s.t, result, `"isError":true`)
	return result
}

func TestSession(t *testing.T) {
	t.Run("goes on after the platform was killed", func(t *testing.T) {
		files := newHouse(t)
		s := connect(t)
		before := s.balance()
		for range 3 {
			state, running, err := files.Running()
			require.NoError(t, err)
			require.True(t, running)
			require.NoError(t, syscall.Kill(state.PID, syscall.SIGKILL))
			require.Equal(t, withoutClock(before), withoutClock(s.balance()))
		}
	})
	t.Run("goes on after the platform was stopped", func(t *testing.T) {
		files := newHouse(t)
		s := connect(t, "--sandbox")
		require.Contains(t, s.balance(), "test")
		_, err := files.Stop(t.Context())
		require.NoError(t, err)
		require.Contains(t, s.balance(), "test")
	})
	t.Run("goes on with the new keys after the old ones were thrown away", func(t *testing.T) {
		files := newHouse(t)
		s := connect(t)
		s.balance()
		_, err := files.Stop(t.Context())
		require.NoError(t, err)
		require.NoError(t, os.Remove(files.Credentials))
		s.balance()
	})
	t.Run("shares one platform with others", func(t *testing.T) {
		files := newHouse(t)
		first, second := connect(t), connect(t)
		first.balance()
		state, _, err := files.Running()
		require.NoError(t, err)
		second.balance()
		again, _, err := files.Running()
		require.NoError(t, err)
		require.Equal(t, state.PID, again.PID)
	})
	t.Run("is answered before a platform that cannot start", func(t *testing.T) {
		files := newHouse(t)
		require.NoError(t, files.Prepare())
		writeNewer(t, files)
		s := connect(t)
		require.Contains(t, s.call("tools/list", "{}"), "post_task")
		result := s.call("tools/call", `{"name":"get_balance","arguments":{}}`)
		require.Contains(t, result, `"isError":true`)
		require.Contains(t, result, "newer humanops-mcp")
	})
}

// withoutClock leaves out what time alone changes.
func withoutClock(result string) string {
	kept, _, _ := strings.Cut(result, "resets_at")
	return kept
}

// writeNewer makes a database that a later version of this program has written.
func writeNewer(t *testing.T, files daemon.Files) {
	t.Helper()
	o := store.Options{Path: filepath.Join(files.Data, "humanops.db")}
	s, err := store.Open(t.Context(), o)
	require.NoError(t, err)
	storetest.Attach(t, s, o)
	storetest.Exec(t, s, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)")
	require.NoError(t, s.Close())
}

func TestDecisionByCommand(t *testing.T) {
	newHouse(t)
	cfg, _, err := config.Load(config.Source{Env: os.Environ()})
	require.NoError(t, err)
	p := &program{}
	owner, err := p.owner(t.Context(), cfg)
	require.NoError(t, err)
	task := handedIn(t, cfg, owner)
	var out strings.Builder
	code := run(t.Context(), []string{"tasks", "decide", task, "approve", "--submission", "1", "--json"}, os.Environ(), strings.NewReader(""), &out, os.Stderr)
	require.Equal(t, exitOK, code)
	var decided schemas.TaskView
	require.NoError(t, json.Unmarshal([]byte(out.String()), &decided))
	require.Equal(t, "cli", decided.Submissions[0].Decision.DecidedVia)
	require.Zero(t, decided.EscrowUSD)
}

// handedIn is a live task whose proof waits for a decision; the owner did it themselves.
func handedIn(t *testing.T, cfg *config.Config, owner *client.Client) string {
	t.Helper()
	me, err := owner.AddPerson(t.Context(), schemas.AddPersonRequest{Name: "Ada", Me: true})
	require.NoError(t, err)
	c, err := agent(cfg)(t.Context())
	require.NoError(t, err)
	in := storefront(clock.System().Now().Add(4 * time.Hour))
	in.AssignTo = me.OperatorID
	posted, err := c.PostTask(t.Context(), in)
	require.NoError(t, err)
	_, err = owner.AcceptTask(t.Context(), schemas.AcceptTaskRequest{TaskID: posted.TaskID})
	require.NoError(t, err)
	_, err = owner.StartTask(t.Context(), schemas.TaskRequest{TaskID: posted.TaskID})
	require.NoError(t, err)
	_, err = owner.SubmitProof(t.Context(), schemas.SubmitProofRequest{TaskID: posted.TaskID, Note: "done", Files: []schemas.File{photoFile(t)}})
	require.NoError(t, err)
	for version := int64(0); ; {
		got, err := c.Wait(t.Context(), schemas.WaitRequest{IDs: fmt.Sprintf("%s:%d", posted.TaskID, version), TimeoutSeconds: 10})
		require.NoError(t, err)
		if got.Items[0].Status == "MANUAL_REVIEW" {
			return posted.TaskID
		}
		version = got.Items[0].Version
	}
}

func photoFile(t *testing.T) schemas.File {
	t.Helper()
	raw, err := photo.Simulated(1, []string{"storefront"})
	require.NoError(t, err)
	return schemas.File{Name: "front.jpg", Size: int64(len(raw)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(raw)), nil
	}}
}
