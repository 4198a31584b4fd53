package toolchain

import (
	"fmt"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// listener is a test that may be skipped or fail without ours.
type listener struct {
	testing.TB
	skipped, failed string
}

func (l *listener) Helper() {}
func (l *listener) Skipf(format string, args ...any) {
	l.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}
func (l *listener) Fatalf(format string, args ...any) {
	l.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestNeedOnAMachineWithNothing(t *testing.T) {
	t.Setenv("PATH", "")
	t.Setenv("HUMANOPS_TEST_SYSTEM", t.TempDir())
	need := func() *listener {
		l := &listener{}
		done := make(chan struct{})
		go func() { defer close(done); (&Tool{Name: "curl", Programs: Curl.Programs, System: Curl.System}).Need(l) }()
		<-done
		return l
	}
	t.Run("skips with a line that says why", func(t *testing.T) {
		t.Setenv(RequireEnv, "")
		require.Equal(t, "curl is not installed; make setup says what to install", need().skipped)
	})
	t.Run("fails where everything is required", func(t *testing.T) {
		t.Setenv(RequireEnv, "1")
		require.Equal(t, "curl is not installed; run make setup", need().failed)
	})
}

func TestEveryToolCanBeProvenAndInstalled(t *testing.T) {
	for _, tool := range append(append([]*Tool{}, Machine...), append(ByNPM, Pinned...)...) {
		require.NotEmpty(t, tool.Programs, tool.Name)
		require.NotEmpty(t, tool.Proof, tool.Name)
		for _, pattern := range tool.System {
			_, err := filepath.Match(pattern, "")
			require.NoError(t, err, tool.Name)
		}
	}
	for _, tool := range Machine {
		require.NotEmpty(t, tool.Debian, tool.Name)
	}
	for _, tool := range Pinned {
		require.NotEmpty(t, tool.Module, tool.Name)
		require.Regexp(t, regexp.MustCompile(`^v\d+\.\d+\.\d+$`), tool.Version, "%s: templ's is the library's in go.mod", tool.Name)
	}
}
