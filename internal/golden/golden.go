// Package golden compares what the code makes with the files in which it is published, and
// writes them when make generate asks for it. It is the only way to a generated file from
// a test, so that one variable reaches all of them and nothing else.
package golden

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/toolchain"
)

const (
	updateEnv = "HUMANOPS_TEST_UPDATE"
	prefix    = "TestGolden" // make generate runs the tests that are named so

	shownLines, shownWidth = 40, 200
)

func updating() bool { return os.Getenv(updateEnv) == "1" }

// File compares got with the file at path, from the test's folder.
func File(t testing.TB, path string, got []byte) {
	t.Helper()
	require.True(t, strings.HasPrefix(t.Name(), prefix), "name this test %s…, or make generate does not reach %s", prefix, path)
	want, err := os.ReadFile(path)
	if err == nil && bytes.Equal(want, got) {
		return
	}
	if updating() {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644)) //nolint:gosec // published
		return
	}
	require.NoError(t, err, "make generate writes it")
	t.Fatalf("%s is not what the code makes now.\n%s\n%s", path, shown(diff.Diff(path, want, "now", got)), advice(t))
}

// Part compares the part of a file between two markers, which stay.
func Part(t testing.TB, path, begin, end, got string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	before, rest, opened := strings.Cut(string(raw), begin)
	_, after, closed := strings.Cut(rest, end)
	require.True(t, opened && closed, "%s lost its markers %q and %q", path, begin, end)
	File(t, path, []byte(before+begin+got+end+after))
}

// Folder compares every file of a folder, by name; one that nothing makes any more has to go.
func Folder(t testing.TB, path string, got map[string][]byte) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(got)) {
		File(t, filepath.Join(path, name), got[name])
	}
	entries, err := os.ReadDir(path)
	require.NoError(t, err)
	for _, entry := range entries {
		if _, made := got[entry.Name()]; made {
			continue
		}
		stale := filepath.Join(path, entry.Name())
		if !updating() {
			t.Fatalf("nothing makes %s any more.\n%s", stale, advice(t))
		}
		require.NoError(t, os.Remove(stale))
	}
}

// advice is how to write the file; the test alone is quicker than everything.
func advice(t testing.TB) string {
	here, err := os.Getwd()
	if err == nil {
		here, err = filepath.Rel(toolchain.Root(), here)
	}
	require.NoError(t, err)
	name, _, _ := strings.Cut(t.Name(), "/")
	return fmt.Sprintf("If that is meant: make generate, or %s=1 go test ./%s -run '^%s$'; then look at git diff.", updateEnv, filepath.ToSlash(here), name)
}

// shown is the beginning of a difference, in lines that fit. The first line repeats the
// names of the two that follow.
func shown(difference []byte) string {
	lines := strings.Split(strings.TrimSpace(string(difference)), "\n")[1:]
	more := len(lines) - shownLines
	lines = lines[:min(len(lines), shownLines)]
	for i, line := range lines {
		if len(line) > shownWidth {
			lines[i] = strings.ToValidUTF8(line[:shownWidth], "") + "…"
		}
	}
	if more > 0 {
		lines = append(lines, fmt.Sprintf("… and %d lines more", more))
	}
	return strings.Join(lines, "\n")
}
