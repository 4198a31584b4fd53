//go:build unix

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/daemon"
	"humanops-mcp/internal/leak"
	"humanops-mcp/internal/toolchain"
)

// TestScripts runs the built binary through the scripts in testdata, each in a home of
// its own.
func TestScripts(t *testing.T) {
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(bin, "humanops-mcp"), ".")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	testscript.Run(t, testscript.Params{
		Dir:                "testdata",
		RequireUniqueNames: true,
		Setup:              func(e *testscript.Env) error { return setUp(e, bin) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"free-port": freePort, "ready": ready, "kill-platform": killPlatform, "as-nobody": asNobody, "ask": ask, "asked": asked, "respond": respond,
			"broken-job": brokenJob, "await-failed": awaitFailed,
		},
	})
}

func setUp(e *testscript.Env, bin string) error {
	home := filepath.Join(e.WorkDir, "home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	runtime, err := os.MkdirTemp("/tmp", "ho") // short enough for a socket
	if err != nil {
		return err
	}
	e.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	e.Setenv("HOME", home)
	e.Setenv("DATA", dataFolder(home))
	e.Setenv("XDG_RUNTIME_DIR", runtime)
	e.Setenv("HUMANOPS_LISTEN", "127.0.0.1:0")
	e.Setenv("HUMANOPS_MARKETPLACE_SIMULATED_STEP", "100ms")
	e.Defer(func() {
		// Whatever the script left running ends with it.
		leak.Stop(e.WorkDir, func() { _, _ = daemon.Paths(dataFolder(home)).Stop(context.Background()) })
		_ = os.RemoveAll(runtime)
	})
	return nil
}

func dataFolder(home string) string { return filepath.Join(home, ".local", "share", "humanops-mcp") }

// freePort NAME puts the number of a port that nobody has into $NAME.
func freePort(ts *testscript.TestScript, _ bool, args []string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	ts.Check(err)
	ts.Check(listener.Close())
	ts.Setenv(args[0], port)
}

const patience = 20 * time.Second

// ready waits until the platform of the data folder answers.
func ready(ts *testscript.TestScript, _ bool, _ []string) {
	files := daemon.Paths(ts.Getenv("DATA"))
	late := clock.System().After(patience)
	for !files.Healthy(context.Background()) {
		select {
		case <-late:
			ts.Fatalf("the platform is not up after %s", patience)
		case <-clock.System().After(20 * time.Millisecond):
		}
	}
}

// killPlatform ends the platform as a crash does.
func killPlatform(ts *testscript.TestScript, _ bool, _ []string) {
	files := daemon.Paths(ts.Getenv("DATA"))
	state, running, err := files.Running()
	ts.Check(err)
	if !running || state.PID == 0 {
		ts.Fatalf("no platform is running")
	}
	ts.Check(syscall.Kill(state.PID, syscall.SIGKILL))
	late := clock.System().After(patience)
	for running {
		select {
		case <-late:
			ts.Fatalf("process %d does not die", state.PID)
		case <-clock.System().After(5 * time.Millisecond):
		}
		_, running, err = files.Running()
		ts.Check(err)
	}
}

// asNobody runs a command that must fail, as a user who may write nowhere; root is one
// who may write everywhere.
func asNobody(ts *testscript.TestScript, _ bool, args []string) {
	program, err := exec.LookPath(filepath.Join(strings.Split(ts.Getenv("PATH"), string(os.PathListSeparator))[0], args[0]))
	ts.Check(err)
	cmd := exec.Command(program, args[1:]...)
	cmd.Env = []string{"HOME=" + ts.Getenv("HOME"), "XDG_RUNTIME_DIR=" + ts.Getenv("XDG_RUNTIME_DIR"), "HUMANOPS_LISTEN=127.0.0.1:0"}
	if os.Getuid() == 0 {
		copied := filepath.Join("/tmp", "humanops-nobody-"+strconv.Itoa(os.Getpid()))
		raw, err := os.ReadFile(program)
		ts.Check(err)
		ts.Check(os.WriteFile(copied, raw, 0o755)) //nolint:gosec // another user runs it
		defer os.Remove(copied)
		cmd.Path, cmd.Dir = copied, "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.CombinedOutput()
	if err == nil {
		ts.Fatalf("%s succeeded: %s", args[0], out)
	}
	ts.Check(os.WriteFile(ts.MkAbs("nobody.txt"), fmt.Appendf(nil, "%s", out), 0o600))
}

func TestPeopleFile(t *testing.T) {
	t.Run("is lines of name, mail and phone", func(t *testing.T) {
		people, err := parsePeople(strings.NewReader("# the team\nAda Lovelace, ada@example.com, +44 20\n\"Hopper, Grace\"\n"))
		require.NoError(t, err)
		require.Len(t, people, 2)
		require.Equal(t, "Ada Lovelace", people[0].Name)
		require.Equal(t, "ada@example.com", people[0].Email)
		require.Equal(t, "+44 20", people[0].Phone)
		require.Equal(t, "Hopper, Grace", people[1].Name)
	})
	t.Run("may begin with a heading that orders the columns", func(t *testing.T) {
		people, err := parsePeople(strings.NewReader("Name,Phone,Email\nAda,1,a@example.com\n"))
		require.NoError(t, err)
		require.Equal(t, "a@example.com", people[0].Email)
		require.Equal(t, "1", people[0].Phone)
	})
	t.Run("is refused when a line has no name", func(t *testing.T) {
		_, err := parsePeople(strings.NewReader(",a@example.com\n"))
		require.ErrorContains(t, err, "person 1 has no name")
	})
}

func TestPlain(t *testing.T) {
	require.Equal(t, "a b[31mred", plain("a\nb\x1b[31mred"))
	require.Equal(t, "evil", plain("\u202eevil"))
}

func TestHelp(t *testing.T) {
	root := (&program{}).root()
	for _, cmd := range append(root.Commands(), root) {
		for _, c := range append(cmd.Commands(), cmd) {
			require.NotEmpty(t, c.Short, c.CommandPath())
			require.NotEmpty(t, c.Example, "%s has an example", c.CommandPath())
		}
	}
}

var commandNamed = regexp.MustCompile("humanops-mcp ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?")

func TestDocumentsNameOnlyCommandsThatExist(t *testing.T) {
	named := 0
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/decisions/*.md"} {
		files, err := filepath.Glob(filepath.Join(toolchain.Root(), pattern))
		require.NoError(t, err)
		require.NotEmpty(t, files, pattern)
		for _, file := range files {
			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, words := range commandNamed.FindAllStringSubmatch(string(raw), -1) {
				named++
				requireCommand(t, file, words[1], words[2])
			}
		}
	}
	require.Greater(t, named, 20)
}

// requireCommand wants a command and, where it has others under it, the word after it among them.
func requireCommand(t *testing.T, file, name, under string) {
	t.Helper()
	root := (&program{}).root()
	cmd, _, err := root.Find([]string{name})
	require.NoError(t, err, "%s names the command %q", file, name)
	require.Equal(t, name, cmd.Name(), "%s names the command %q", file, name)
	if under == "" || !cmd.HasSubCommands() {
		return
	}
	_, rest, err := cmd.Find([]string{under})
	require.NoError(t, err, "%s names the command %q", file, name+" "+under)
	require.Empty(t, rest, "%s names the command %q", file, name+" "+under)
}
