// Package binary tests the program as make build makes it: how large it is and of what, and
// what it does before main.
package binary

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// strippedFlags are those of make build; a test holds the two together.
const strippedFlags = "-s -w"

var folder string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "binary-")
	if err != nil {
		panic(err)
	}
	folder = dir
	code := m.Run()
	_ = os.RemoveAll(dir) // it is in the temporary folder
	os.Exit(code)
}

// linux is the system that limits are given for; this one's programs are of another size.
var linux = []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64"}

// build makes the program.
func build(name, flags string, env []string) (string, error) {
	path := filepath.Join(folder, name)
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags="+flags, "-o", path, "humanops-mcp/cmd/humanops-mcp")
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
}

var (
	released = sync.OnceValues(func() (string, error) { return build("released", strippedFlags, linux) })
	labelled = sync.OnceValues(func() (string, error) { return build("labelled", "-w", linux) }) // with its symbols
	runnable = sync.OnceValues(func() (string, error) { return build("runnable", strippedFlags, []string{"CGO_ENABLED=0"}) })
)

func TestMakeBuildMakesWhatIsMeasured(t *testing.T) {
	out, err := exec.Command("make", "-C", "../../..", "-n", "build").Output()
	require.NoError(t, err)
	require.Contains(t, string(out), `CGO_ENABLED=0 go build -trimpath -ldflags="`+strippedFlags+`"`)
}
