// Package daemon is the platform as a process: its data folder and lock, its local
// socket and credentials, and how it is found, started in the background and stopped.
package daemon

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Files are where a platform keeps what other processes look for.
type Files struct {
	Data        string // the data folder
	Lock        string // held while a platform runs; tells its process and addresses
	Starting    string // held while a platform is being started
	Credentials string
	Log         string // what a platform started in the background says
	Socket      string // owner-only; the lock file names the one in use
}

// maxSocketPath is below what every system allows for a unix socket.
const maxSocketPath = 100

// Paths are the files of a data folder. The socket stands in the runtime folder under a
// short name, since the path of a socket must be short.
func Paths(dataDir string) Files {
	return Files{
		Data:        dataDir,
		Lock:        filepath.Join(dataDir, "lock"),
		Starting:    filepath.Join(dataDir, "lock.starting"),
		Credentials: filepath.Join(dataDir, "credentials"),
		Log:         filepath.Join(dataDir, "platform.log"),
		Socket:      socketPath(dataDir),
	}
}

func socketPath(dataDir string) string {
	sum := sha256.Sum256([]byte(filepath.Clean(dataDir)))
	name := hex.EncodeToString(sum[:6]) + ".sock"
	private := fmt.Sprintf("humanops-%d", os.Getuid())
	candidates := []string{filepath.Join(os.TempDir(), private, name), filepath.Join("/tmp", private, name)}
	if runtime := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(runtime) && isDir(runtime) {
		candidates = append([]string{filepath.Join(runtime, "humanops", name)}, candidates...)
	}
	for _, path := range candidates {
		if len(path) < maxSocketPath {
			return path
		}
	}
	return candidates[len(candidates)-1]
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// Prepare makes the data folder, for its owner only, and proves that it can be written.
func (f Files) Prepare() error {
	if err := os.MkdirAll(f.Data, 0o700); err != nil {
		return unwritable(f.Data, err)
	}
	if err := keepPrivate(f.Data); err != nil {
		return err
	}
	probe, err := os.CreateTemp(f.Data, ".probe-*")
	if err != nil {
		return unwritable(f.Data, err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

func unwritable(dir string, err error) error {
	why := "it cannot be written"
	switch {
	case errors.Is(err, syscall.EROFS):
		why = "its disk is read-only"
	case errors.Is(err, fs.ErrPermission):
		why = "this user may not write there"
	case errors.Is(err, syscall.ENOSPC):
		why = "its disk is full"
	}
	return fmt.Errorf("the data folder %s cannot be used: %s. Choose another with --data-dir or HUMANOPS_DATA_DIR (%w)", dir, why, reason(err))
}

// reason is the system's own words, without the path that the sentence names already.
func reason(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

// keepPrivate closes an empty folder to others and refuses one that others can look
// into: it may have been made for something else.
func keepPrivate(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return unwritable(dir, err)
	}
	if !info.IsDir() {
		return fmt.Errorf("the data folder %s is a file. Choose a folder with --data-dir or HUMANOPS_DATA_DIR", dir)
	}
	if !exposed(info) {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return unwritable(dir, err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("the data folder %s can be read by other users (mode %04o) and is not empty. Close it with: chmod 700 %s", dir, info.Mode().Perm(), quote(dir))
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return unwritable(dir, err)
	}
	return nil
}

// quote makes a path safe to paste into a shell.
func quote(path string) string {
	if strings.Trim(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+") == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
