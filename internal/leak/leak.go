// Package leak looks for processes that a package's tests left behind: a platform that was
// started detached outlives the test that forgot it, and the machine fills with them.
package leak

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// patience is how long a process that was told to end may take for it.
const patience = 10 * time.Second

// Main runs the tests in a temporary folder of their own, and fails the run when a process
// is alive that has to do with that folder. It ends such processes. What the tests share
// is closed first. It gives the exit code for TestMain.
func Main(m *testing.M, shared ...func()) int {
	dir, err := os.MkdirTemp("", "ho") // short, since sockets will lie in it
	if err == nil {
		err = os.Chmod(dir, 0o711) //nolint:gosec // PostgreSQL runs as another user, in a folder inside
	}
	if err == nil {
		err = os.Setenv("TMPDIR", dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	code := m.Run()
	for _, closing := range shared {
		closing()
	}
	if left := lasting(dir, patience); len(left) > 0 {
		fmt.Fprintf(os.Stderr, "FAIL: the tests left processes behind:\n%s\n", strings.Join(end(left), "\n"))
		return max(code, 1)
	}
	return code
}

// lasting are the processes about dir that do not end by themselves.
func lasting(dir string, within time.Duration) []int {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for late := time.Now().Add(within); ; <-tick.C {
		left := about(dir)
		if len(left) == 0 || time.Now().After(late) {
			return left
		}
	}
}

// about are the other processes whose program, folder, arguments or environment name dir.
// Where there is no /proc there are none to be seen.
func about(dir string) (list []int) {
	folders, _ := filepath.Glob("/proc/[0-9]*") // the pattern is right
	for _, folder := range folders {
		pid, err := strconv.Atoi(filepath.Base(folder))
		if err == nil && pid != os.Getpid() && names(folder, dir) {
			list = append(list, pid)
		}
	}
	return list
}

// names says whether the process's files name dir. A process that ended meanwhile, or is
// somebody else's, has none to read.
func names(folder, dir string) bool {
	for _, link := range []string{"exe", "cwd"} {
		if target, err := os.Readlink(filepath.Join(folder, link)); err == nil && strings.HasPrefix(target, dir+"/") {
			return true
		}
	}
	for _, file := range []string{"cmdline", "environ"} {
		if raw, err := os.ReadFile(filepath.Join(folder, file)); err == nil && bytes.Contains(raw, []byte(dir)) {
			return true
		}
	}
	return false
}

// end kills the processes and says what each was.
func end(list []int) (said []string) {
	for _, pid := range list {
		raw, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline")) // it may be over by now
		said = append(said, fmt.Sprintf("%d %s", pid, bytes.ReplaceAll(raw, []byte{0}, []byte{' '})))
		if process, err := os.FindProcess(pid); err == nil {
			_ = process.Kill() // as above
		}
	}
	return said
}
