package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/config"
)

const (
	startTimeout = 15 * time.Second
	stopTimeout  = 30 * time.Second
	pollPause    = 20 * time.Millisecond
	logLines     = 8
	maxLog       = 10 << 20
)

// Ensure finds the platform of the data folder, or starts one in the background and
// waits until it is well. Any number of processes may call it at once: one starts the
// platform and the others find it.
func Ensure(ctx context.Context, cfg *config.Config) (Files, *Credentials, error) {
	files := Paths(cfg.DataDir)
	if !files.Healthy(ctx) {
		if err := files.Prepare(); err != nil {
			return files, nil, err
		}
		if err := start(ctx, cfg, files); err != nil {
			return files, nil, err
		}
	}
	credentials, err := ReadCredentials(files.Credentials)
	if err != nil {
		return files, nil, fmt.Errorf("read the local keys: %w", err)
	}
	return files, credentials, nil
}

// start brings the platform up, whoever of the processes that want it does it.
func start(ctx context.Context, cfg *config.Config, files Files) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	starting, child := (*Lock)(nil), (*child)(nil)
	defer func() {
		if starting != nil {
			_ = starting.file.Close() // nothing was written; closing unlocks
		}
	}()
	for !files.Healthy(ctx) {
		var err error
		if starting == nil {
			if starting, err = acquire(files.Starting); err != nil {
				return err
			}
		}
		if starting != nil && child.gone() {
			if child, err = next(cfg, files, child); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the platform did not answer within %s: %w.%s", startTimeout, ctx.Err(), child.words(files))
		case <-clock.System().After(pollPause):
		}
	}
	return nil
}

// next starts a child when none has been tried or when the one before found the folder
// still held by a platform that was about to end.
func next(cfg *config.Config, files Files, before *child) (*child, error) {
	if before != nil && before.err != nil {
		return nil, fmt.Errorf("the platform could not be started.%s", before.words(files))
	}
	if _, running, err := files.Running(); err != nil || running {
		return nil, err
	}
	return spawn(cfg, files)
}

// child is a platform that this process started in the background.
type child struct {
	ended  chan struct{}
	err    error // valid once ended is closed
	offset int64 // where its words begin in the log
}

func (c *child) gone() bool {
	if c == nil {
		return true
	}
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// words are the last lines that the child logged, and where the log is.
func (c *child) words(files Files) string {
	if c == nil {
		return " Its log is " + files.Log
	}
	lines := tail(files.Log, c.offset)
	if len(lines) == 0 {
		return " It said nothing; its log is " + files.Log
	}
	return " It said:\n  " + strings.Join(lines, "\n  ") + "\nThe log is " + files.Log
}

func tail(path string, offset int64) []string {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(io.NewSectionReader(file, offset, 1<<20), 1<<20))
	if err != nil {
		return nil
	}
	lines := strings.FieldsFunc(string(raw), func(r rune) bool { return r == '\n' })
	for i, line := range lines {
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "humanops-mcp: ") && !strings.HasPrefix(line, "humanops-mcp: warning: ") {
			return lines[i:min(i+logLines, len(lines))] // what follows are details
		}
	}
	return lines[max(0, len(lines)-logLines):]
}

func spawn(cfg *config.Config, files Files) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program's file: %w", err)
	}
	if err := rotate(files.Log); err != nil {
		return nil, unwritable(files.Data, err)
	}
	log, err := os.OpenFile(files.Log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, unwritable(files.Data, err)
	}
	defer log.Close()
	info, err := log.Stat()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(context.Background(), program, "serve", "--detached") // it outlives whoever needs it first
	cmd.Dir, cmd.Env = files.Data, environ(cfg)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, detached()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the platform in the background: %w", err)
	}
	c := &child{ended: make(chan struct{}), offset: info.Size()}
	go func() {
		c.err = cmd.Wait()
		close(c.ended)
	}()
	return c, nil
}

// rotate sets a long log aside before a start; one older log is kept.
func rotate(path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Size() < maxLog {
		return nil //nolint:nilerr // no log yet
	}
	return os.Rename(path, path+".old")
}

// environ is this process's environment without what concerns only its own MCP
// connection, and with what it was told by flags.
func environ(cfg *config.Config) []string {
	front := config.FrontEnv()
	env := slices.DeleteFunc(os.Environ(), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains(front, name)
	})
	env = append(env, cfg.FlagEnviron()...)
	env = append(env, config.EnvName("data_dir")+"="+cfg.DataDir)
	if cfg.File() != "" {
		env = append(env, config.ConfigEnv+"="+cfg.File())
	}
	return env
}

// ErrNotRunning says that there is no platform to stop or to ask.
var ErrNotRunning = errors.New("no platform is running on this data folder. Start one with `humanops-mcp serve`")

// Stop asks the platform of the data folder to end and waits until it has.
func (f Files) Stop(ctx context.Context) (State, error) {
	state, running, err := f.Running()
	if err != nil {
		return state, err
	}
	if !running {
		return state, ErrNotRunning
	}
	if state.PID == 0 {
		return state, &RunningError{Data: f.Data}
	}
	if err := f.askToEnd(ctx, state.PID); err != nil {
		return state, err
	}
	return state, f.waitUntilFree(ctx, state)
}

// askToEnd signals the platform. Its open socket proves that it lives, and so that the
// process number is still its own; without one it is ending, or gone.
func (f Files) askToEnd(ctx context.Context, pid int) error {
	conn, err := f.Dial(ctx, "", "")
	if err != nil {
		return nil //nolint:nilerr // nobody is there to be asked; the wait that follows tells the rest
	}
	defer conn.Close()
	process, err := os.FindProcess(pid)
	if err == nil {
		err = terminate(process)
	}
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end process %d: %w", pid, err)
	}
	return nil
}

func (f Files) waitUntilFree(ctx context.Context, state State) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	for {
		if _, running, err := f.Running(); err != nil || !running {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("process %d was asked to end but the data folder is still in use after %s; its log is %s", state.PID, stopTimeout, f.Log)
		case <-clock.System().After(pollPause):
		}
	}
}
