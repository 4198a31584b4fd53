package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/config"
	"humanops-mcp/internal/leak"
)

const failEnv = "HUMANOPS_TEST_DAEMON_FAILS"

// TestMain lets this test program be the platform that Ensure starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "serve" && os.Args[2] == "--detached" {
		if err := fakePlatform(); err != nil {
			fmt.Fprintln(os.Stderr, "humanops-mcp:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(leak.Main(m))
}

func fakePlatform() error {
	if words := os.Getenv(failEnv); words != "" {
		return errors.New(words)
	}
	files := Paths(os.Getenv("HUMANOPS_DATA_DIR"))
	lock, err := files.Acquire()
	var running *RunningError
	if errors.As(err, &running) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := countStart(files); err != nil {
		return err
	}
	if _, err := WriteCredentials(files.Credentials, nil, Keys{LiveKey: "ho_live_a", TestKey: "ho_test_a", OwnerToken: "hos_a"}); err != nil {
		return err
	}
	listener, err := files.Listen()
	if err != nil {
		return err
	}
	if err := lock.Publish(State{PID: os.Getpid(), Socket: files.Socket, PublicURL: "http://127.0.0.1:1"}); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, os.Getenv("HUMANOPS_SANDBOX"), os.Getenv("HUMANOPS_LISTEN"))
	})}
	go func() { <-ctx.Done(); _ = server.Shutdown(context.Background()) }()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return lock.Release()
}

// countStart leaves a file for every platform that got the lock.
func countStart(files Files) error {
	f, err := os.CreateTemp(files.Data, "started-*")
	if err != nil {
		return err
	}
	return f.Close()
}

// house is a configuration with a data folder and runtime folder of its own.
func house(t *testing.T, env ...string) *config.Config {
	t.Helper()
	t.Setenv("XDG_RUNTIME_DIR", shortDir(t))
	cfg, _, err := config.Load(config.Source{Env: append(env, "HUMANOPS_DATA_DIR="+filepath.Join(t.TempDir(), "data"))})
	require.NoError(t, err)
	t.Cleanup(func() {
		if _, err := Paths(cfg.DataDir).Stop(context.Background()); err != nil {
			require.ErrorIs(t, err, ErrNotRunning)
		}
	})
	return cfg
}

// shortDir is short enough for a socket, which t.TempDir may not be.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "ho")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

func starts(t *testing.T, cfg *config.Config) int {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(cfg.DataDir, "started-*"))
	require.NoError(t, err)
	return len(found)
}

func TestEnsure(t *testing.T) {
	t.Run("starts a platform and finds it again", func(t *testing.T) {
		cfg := house(t)
		files, credentials, err := Ensure(t.Context(), cfg)
		require.NoError(t, err)
		require.Equal(t, "ho_live_a", credentials.Key(false))
		require.Equal(t, "ho_test_a", credentials.Key(true))
		require.True(t, files.Healthy(t.Context()))
		_, again, err := Ensure(t.Context(), cfg)
		require.NoError(t, err)
		require.Equal(t, credentials, again)
		require.Equal(t, 1, starts(t, cfg))
	})
	t.Run("started by many at once is one platform", func(t *testing.T) {
		cfg := house(t)
		var wg sync.WaitGroup
		failures := make([]error, 20)
		for i := range failures {
			wg.Go(func() { _, _, failures[i] = Ensure(t.Context(), cfg) })
		}
		wg.Wait()
		for _, err := range failures {
			require.NoError(t, err)
		}
		require.Equal(t, 1, starts(t, cfg))
	})
	t.Run("brings back a platform that was killed", func(t *testing.T) {
		cfg := house(t)
		files, before, err := Ensure(t.Context(), cfg)
		require.NoError(t, err)
		state, running, err := files.Running()
		require.NoError(t, err)
		require.True(t, running)
		require.NoError(t, syscall.Kill(state.PID, syscall.SIGKILL))
		require.NoError(t, files.waitUntilFree(t.Context(), state))
		require.FileExists(t, files.Socket, "a killed platform leaves its socket behind")
		_, after, err := Ensure(t.Context(), cfg)
		require.NoError(t, err)
		require.Equal(t, before.LiveKey, after.LiveKey)
		require.Equal(t, 2, starts(t, cfg))
	})
	t.Run("is found by a process with another runtime folder", func(t *testing.T) {
		cfg := house(t)
		_, _, err := Ensure(t.Context(), cfg)
		require.NoError(t, err)
		t.Setenv("XDG_RUNTIME_DIR", shortDir(t))
		_, _, err = Ensure(t.Context(), cfg)
		require.NoError(t, err)
		require.Equal(t, 1, starts(t, cfg))
	})
	t.Run("does not hand one connection's settings to the platform", func(t *testing.T) {
		cfg := house(t)
		t.Setenv("HUMANOPS_SANDBOX", "1")
		t.Setenv("HUMANOPS_LISTEN", "127.0.0.1:0")
		env := strings.Join(environ(cfg), "\n")
		require.NotContains(t, env, "HUMANOPS_SANDBOX")
		require.Contains(t, env, "HUMANOPS_LISTEN=127.0.0.1:0")
		require.Contains(t, env, "HUMANOPS_DATA_DIR="+cfg.DataDir)
	})
	t.Run("repeats what a platform said that did not start", func(t *testing.T) {
		cfg := house(t)
		t.Setenv(failEnv, "port 8787 on 127.0.0.1 is taken")
		_, _, err := Ensure(t.Context(), cfg)
		require.ErrorContains(t, err, "could not be started")
		require.ErrorContains(t, err, "port 8787 on 127.0.0.1 is taken")
		require.ErrorContains(t, err, Paths(cfg.DataDir).Log)
	})
	t.Run("sets a long log aside", func(t *testing.T) {
		cfg := house(t)
		files := Paths(cfg.DataDir)
		require.NoError(t, files.Prepare())
		require.NoError(t, os.WriteFile(files.Log, nil, 0o600))
		require.NoError(t, os.Truncate(files.Log, maxLog))
		_, _, err := Ensure(t.Context(), cfg)
		require.NoError(t, err)
		require.FileExists(t, files.Log+".old")
		info, err := os.Stat(files.Log)
		require.NoError(t, err)
		require.Less(t, info.Size(), int64(maxLog))
	})
	t.Run("ends with the caller's patience", func(t *testing.T) {
		cfg := house(t)
		files := Paths(cfg.DataDir)
		require.NoError(t, files.Prepare())
		lock, err := files.Acquire()
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, lock.Release()) })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, _, err = Ensure(ctx, cfg)
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestStop(t *testing.T) {
	cfg := house(t)
	files, _, err := Ensure(t.Context(), cfg)
	require.NoError(t, err)
	_, err = files.Stop(t.Context())
	require.NoError(t, err)
	_, running, err := files.Running()
	require.NoError(t, err)
	require.False(t, running)
	require.NoFileExists(t, files.Socket)
	_, err = files.Stop(t.Context())
	require.ErrorIs(t, err, ErrNotRunning)
}

// bystander is a process that has the number a killed platform once had.
func bystander(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "60")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

func TestStopEndsNoForeignProcess(t *testing.T) {
	t.Run("whose number a killed platform had, while somebody looks at the lock", func(t *testing.T) {
		t.Setenv("XDG_RUNTIME_DIR", shortDir(t))
		files := Paths(t.TempDir())
		other := bystander(t)
		lock, err := files.Acquire()
		require.NoError(t, err)
		require.NoError(t, lock.Publish(State{PID: other.Process.Pid, Socket: files.Socket})) // no socket is open
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err = files.Stop(ctx)
		require.Error(t, err)
		require.NoError(t, other.Process.Signal(syscall.Signal(0)))
		require.NoError(t, lock.Release())
		state, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(other.Process.Pid), "stat"))
		if err == nil { // where there is a /proc: alive, and not waiting to be buried
			require.NotContains(t, string(state), ") Z ")
		}
	})
	t.Run("whose number a killed platform had, while the next one starts", func(t *testing.T) {
		files := Paths(t.TempDir())
		require.NoError(t, os.WriteFile(files.Lock, []byte(`{"pid":4242}`), 0o600))
		lock, err := files.Acquire()
		require.NoError(t, err)
		defer func() { require.NoError(t, lock.Release()) }()
		_, err = files.Stop(t.Context())
		var running *RunningError
		require.ErrorAs(t, err, &running)
		require.Zero(t, running.State.PID)
	})
}

func TestLock(t *testing.T) {
	files := Paths(t.TempDir())
	lock, err := files.Acquire()
	require.NoError(t, err)
	require.NoError(t, lock.Publish(State{PID: 42, PublicURL: "http://127.0.0.1:1"}))

	t.Run("is refused to a second platform, with what to do", func(t *testing.T) {
		_, err := files.Acquire()
		var running *RunningError
		require.ErrorAs(t, err, &running)
		require.Equal(t, 42, running.State.PID)
		require.ErrorContains(t, err, "process 42")
		require.ErrorContains(t, err, "humanops-mcp stop")
	})
	t.Run("is free once released", func(t *testing.T) {
		require.NoError(t, lock.Release())
		again, err := files.Acquire()
		require.NoError(t, err)
		require.NoError(t, again.Release())
	})
}

func TestSocket(t *testing.T) {
	t.Run("replaces one that was left behind", func(t *testing.T) {
		t.Setenv("XDG_RUNTIME_DIR", shortDir(t))
		files := Paths(t.TempDir())
		for range 2 {
			listener, err := files.Listen()
			require.NoError(t, err)
			listener.(*net.UnixListener).SetUnlinkOnClose(false)
			require.NoError(t, listener.Close())
		}
		info, err := os.Stat(files.Socket)
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&0o077)
	})
	t.Run("refuses a folder that others can use", func(t *testing.T) {
		runtime := shortDir(t)
		t.Setenv("XDG_RUNTIME_DIR", runtime)
		require.NoError(t, os.Mkdir(filepath.Join(runtime, "humanops"), 0o700))
		require.NoError(t, os.Chmod(filepath.Join(runtime, "humanops"), 0o777)) //nolint:gosec // the point of the test
		_, err := Paths(t.TempDir()).Listen()
		require.ErrorContains(t, err, "must be yours alone")
	})
	t.Run("has a short path, whatever the folders are called", func(t *testing.T) {
		t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
		t.Setenv("TMPDIR", "/tmp/"+strings.Repeat("long", 40))
		require.Less(t, len(Paths("/"+strings.Repeat("deep/", 60)).Socket), maxSocketPath)
	})
	t.Run("is another for another data folder", func(t *testing.T) {
		require.NotEqual(t, Paths("/a").Socket, Paths("/b").Socket)
	})
}

func TestPrepare(t *testing.T) {
	t.Run("makes a folder for its owner alone", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "a", "b")
		require.NoError(t, Paths(dir).Prepare())
		info, err := os.Stat(dir)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	})
	t.Run("closes an empty folder", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, os.Chmod(dir, 0o755)) //nolint:gosec // the point of the test
		require.NoError(t, Paths(dir).Prepare())
		info, err := os.Stat(dir)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	})
	t.Run("refuses an open folder that holds something", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "x"), nil, 0o600))
		require.NoError(t, os.Chmod(dir, 0o755)) //nolint:gosec // the point of the test
		require.ErrorContains(t, Paths(dir).Prepare(), "chmod 700 "+dir)
	})
	t.Run("says what to do when it cannot write", func(t *testing.T) {
		err := Paths("/proc/humanops").Prepare()
		require.ErrorContains(t, err, "the data folder /proc/humanops cannot be used")
		require.ErrorContains(t, err, "--data-dir")
	})
	t.Run("refuses a file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "f")
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		require.ErrorContains(t, Paths(path).Prepare(), "cannot be used")
	})
}

func TestCredentials(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials")
	first, err := WriteCredentials(path, nil, Keys{LiveKey: "a", TestKey: "b", OwnerToken: "c"})
	require.NoError(t, err)

	t.Run("are for the owner alone", func(t *testing.T) {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	})
	t.Run("hold a master key of 32 bytes", func(t *testing.T) {
		key, err := first.Master()
		require.NoError(t, err)
		require.Len(t, key, 32)
	})
	t.Run("keep the master key when the others change", func(t *testing.T) {
		second, err := WriteCredentials(path, first, Keys{LiveKey: "x", TestKey: "y", OwnerToken: "z"})
		require.NoError(t, err)
		require.Equal(t, first.MasterKey, second.MasterKey)
		read, err := ReadCredentials(path)
		require.NoError(t, err)
		require.Equal(t, second, read)
	})
	t.Run("leave no other file behind", func(t *testing.T) {
		entries, err := os.ReadDir(filepath.Dir(path))
		require.NoError(t, err)
		require.Len(t, entries, 1)
	})
	t.Run("are refused when others can read them", func(t *testing.T) {
		require.NoError(t, os.Chmod(path, 0o644)) //nolint:gosec // the point of the test
		_, err := ReadCredentials(path)
		require.ErrorContains(t, err, "chmod 600 "+path)
	})
	t.Run("are missing in a way that can be told", func(t *testing.T) {
		_, err := ReadCredentials(path + "-none")
		require.ErrorIs(t, err, os.ErrNotExist)
	})
	t.Run("are refused when damaged", func(t *testing.T) {
		require.NoError(t, os.WriteFile(path, []byte("{"), 0o600))
		require.NoError(t, os.Chmod(path, 0o600))
		_, err := ReadCredentials(path)
		require.ErrorContains(t, err, "damaged")
	})
}
