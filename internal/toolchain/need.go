package toolchain

import (
	"os"
	"os/exec"
	"testing"
)

// RequireEnv is set by make test: what a test needs must then be there.
const RequireEnv = "HUMANOPS_TEST_REQUIRE"

// Need gives the tool's file. Where there is none the test is skipped, or fails if
// everything is required.
func (t *Tool) Need(tb testing.TB) string {
	tb.Helper()
	file, err := t.Find()
	if err != nil {
		Lacking(tb, err)
	}
	return file
}

// NeedCommand is Command for a test; it ends with the test.
func (t *Tool) NeedCommand(tb testing.TB, args ...string) *exec.Cmd {
	tb.Helper()
	cmd, err := t.Command(tb.Context(), args...)
	if err != nil {
		Lacking(tb, err)
	}
	return cmd
}

// Lacking ends a test that cannot run here: skipped, or failed if everything is required.
func Lacking(tb testing.TB, reason error) {
	tb.Helper()
	if os.Getenv(RequireEnv) == "1" {
		tb.Fatalf("%v; run make setup", reason)
	}
	tb.Skipf("%v; make setup says what to install", reason)
}
