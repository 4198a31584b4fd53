package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"humanops-mcp/internal/clock"
)

// State is what a running platform writes into its lock file.
type State struct {
	PID       int       `json:"pid"`
	Version   string    `json:"version"`
	Address   string    `json:"address"`    // of the TCP listener
	PublicURL string    `json:"public_url"` // what people open
	Socket    string    `json:"socket"`
	StartedAt time.Time `json:"started_at"`
}

// RunningError says that another process has the data folder.
type RunningError struct {
	Data  string
	State State
}

func (e *RunningError) Error() string {
	if e.State.PID == 0 {
		return fmt.Sprintf("a platform on the data folder %s is just starting or stopping; try again in a moment", e.Data)
	}
	return fmt.Sprintf("a platform is already running on the data folder %s (process %d, %s). Use it, end it with `humanops-mcp stop`, or choose another folder with --data-dir and another port with --listen",
		e.Data, e.State.PID, e.State.PublicURL)
}

// Lock is the exclusive right to a data folder. The system takes it back when the
// process ends, however it ends.
type Lock struct{ file *os.File }

const (
	lockAttempts = 5
	lockPause    = 20 * time.Millisecond
)

// Acquire takes the lock, or returns a *RunningError. It tries for a moment, since
// another process may just be looking whether the lock is free.
func (f Files) Acquire() (*Lock, error) {
	for attempt := 1; ; attempt++ {
		lock, err := acquire(f.Lock)
		if lock != nil {
			// What a killed platform wrote is not true of this one: its process number may
			// be another program's by now.
			return lock, lock.file.Truncate(0)
		}
		if err != nil {
			return nil, err
		}
		if attempt == lockAttempts {
			state, _ := readState(f.Lock) // a half-written state is reported as none
			return nil, &RunningError{Data: f.Data, State: state}
		}
		<-clock.System().After(lockPause)
	}
}

// acquire returns nil without an error when somebody else has the lock. The lock file
// is never removed, so that all look at the same one.
func acquire(path string) (*Lock, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock file %s: %w", path, reason(err))
	}
	got, err := tryLock(file)
	if err != nil || !got {
		err = errors.Join(err, file.Close())
		return nil, err
	}
	return &Lock{file}, nil
}

// Publish tells other processes who holds the lock and where the platform is.
func (l *Lock) Publish(s State) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err = l.file.WriteAt(append(raw, '\n'), 0)
	return err
}

// Release gives the lock back.
func (l *Lock) Release() error { return errors.Join(l.file.Truncate(0), l.file.Close()) }

// Running tells whether a platform holds the data folder, and what it says of itself.
func (f Files) Running() (State, bool, error) {
	if _, err := os.Stat(f.Lock); errors.Is(err, fs.ErrNotExist) {
		return State{}, false, nil
	}
	lock, err := acquire(f.Lock)
	if err != nil {
		return State{}, false, err
	}
	if lock != nil {
		return State{}, false, lock.file.Close()
	}
	state, err := readState(f.Lock)
	return state, true, err
}

func readState(path string) (State, error) {
	file, err := os.Open(path)
	if err != nil {
		return State{}, err
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, 64<<10))
	if err != nil || len(raw) == 0 {
		return State{}, err
	}
	var s State
	if err := json.Unmarshal(raw, &s); err != nil {
		return State{}, nil // being written at this moment
	}
	return s, nil
}

// socket is where the running platform listens. The lock file is believed before the
// computed path: a desktop program may see other runtime folders than a terminal.
func (f Files) socket() string {
	if s, err := readState(f.Lock); err == nil && s.Socket != "" {
		return s.Socket
	}
	return f.Socket
}
