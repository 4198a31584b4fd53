//go:build windows

package daemon

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// tryLock locks a byte far behind the content, since Windows keeps others from reading
// what is locked.
func tryLock(f *os.File) (bool, error) {
	at := &windows.Overlapped{OffsetHigh: math.MaxInt32}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return false, nil
	}
	return err == nil, err
}

// Windows gives a user's folders to that user alone; file modes say nothing there.
func exposed(fs.FileInfo) bool { return false }

func foreign(fs.FileInfo) bool { return false }

// detached lets a child outlive this process and its console.
func detached() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP | windows.DETACHED_PROCESS}
}

// terminate ends a process; Windows has no signal that asks. The database recovers.
func terminate(p *os.Process) error { return p.Kill() }
