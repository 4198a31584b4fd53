//go:build linux

package leak

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLasting(t *testing.T) {
	for name, start := range map[string]func(cmd *exec.Cmd, dir string){
		"by its folder":      func(cmd *exec.Cmd, dir string) { cmd.Dir = filepath.Join(dir, "sub") },
		"by its environment": func(cmd *exec.Cmd, dir string) { cmd.Env = []string{"HUMANOPS_DATA_DIR=" + dir + "/sub"} },
		"by its arguments":   func(cmd *exec.Cmd, dir string) { cmd.Args = append(cmd.Args, dir+"/sub") },
	} {
		t.Run("finds a process "+name+", and ends it", func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o700))
			cmd := exec.Command("sh", "-c", "read -r _; true")
			start(cmd, dir)
			in, err := cmd.StdinPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			defer in.Close()
			left := lasting(dir, 0)
			require.Equal(t, []int{cmd.Process.Pid}, left)
			require.Contains(t, end(left)[0], "read -r _")
			require.Error(t, cmd.Wait())
			require.Empty(t, lasting(dir, time.Minute))
		})
	}
	t.Run("waits for one that is about to end", func(t *testing.T) {
		dir := t.TempDir()
		cmd := exec.Command("sh", "-c", "read -r _; true")
		cmd.Dir = filepath.Join(dir, ".")
		cmd.Env = []string{"X=" + dir}
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		ended := make(chan error, 1)
		time.AfterFunc(100*time.Millisecond, func() { _ = in.Close(); ended <- cmd.Wait() })
		require.Empty(t, lasting(dir, time.Minute))
		require.NoError(t, <-ended)
	})
}
