package golden

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// listener is a test that may fail without failing ours.
type listener struct {
	testing.TB
	name, said string
	failed     bool
}

func (l *listener) Name() string { return l.name }
func (l *listener) Helper()      {}
func (l *listener) FailNow()     { l.failed = true; runtime.Goexit() }
func (l *listener) Errorf(format string, args ...any) {
	l.said += fmt.Sprintf(format, args...)
}
func (l *listener) Fatalf(format string, args ...any) {
	l.Errorf(format, args...)
	l.FailNow()
}

// listen runs what a test of that name would run.
func listen(name string, run func(t testing.TB)) *listener {
	l := &listener{name: name}
	done := make(chan struct{})
	go func() { defer close(done); run(l) }()
	<-done
	return l
}

func lines(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("line %d", i))
	}
	return list
}

func written(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.txt")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func content(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(raw)
}

func TestFile(t *testing.T) {
	t.Setenv(updateEnv, "")
	before := lines(500)
	after := lines(500)
	after[250] = "changed"
	was, is := strings.Join(before, "\n")+"\n", strings.Join(after, "\n")+"\n"

	t.Run("says nothing of a file that is as it should be", func(t *testing.T) {
		require.False(t, listen("TestGoldenX", func(tb testing.TB) { File(tb, written(t, was), []byte(was)) }).failed)
	})
	t.Run("shows the lines that differ, some around them, and the command that writes it", func(t *testing.T) {
		l := listen("TestGoldenX/sub", func(tb testing.TB) { File(tb, written(t, was), []byte(is)) })
		require.True(t, l.failed)
		require.Contains(t, l.said, "\n-line 250\n+changed\n")
		require.Contains(t, l.said, " line 249\n")
		require.NotContains(t, l.said, "line 200")
		require.Contains(t, l.said, "HUMANOPS_TEST_UPDATE=1 go test ./internal/golden -run '^TestGoldenX$'")
		require.Less(t, strings.Count(l.said, "\n"), 20)
	})
	t.Run("shows no more than a screen of a file that is new throughout", func(t *testing.T) {
		l := listen("TestGoldenX", func(tb testing.TB) {
			File(tb, written(t, was), []byte(strings.ReplaceAll(was, "line", strings.Repeat("x", 1000))))
		})
		require.True(t, l.failed)
		require.Contains(t, l.said, "lines more")
		require.Less(t, strings.Count(l.said, "\n"), 50)
		require.Less(t, len(l.said), 20_000)
	})
	t.Run("names a file that is not there", func(t *testing.T) {
		l := listen("TestGoldenX", func(tb testing.TB) { File(tb, filepath.Join(t.TempDir(), "none"), nil) })
		require.True(t, l.failed)
		require.Contains(t, l.said, "make generate writes it")
	})
	t.Run("refuses a test that make generate would not run", func(t *testing.T) {
		require.True(t, listen("TestX", func(tb testing.TB) { File(tb, written(t, was), []byte(was)) }).failed)
	})
	t.Run("writes when asked to", func(t *testing.T) {
		t.Setenv(updateEnv, "1")
		path := written(t, was)
		require.False(t, listen("TestGoldenX", func(tb testing.TB) { File(tb, path, []byte(is)) }).failed)
		require.Equal(t, is, content(t, path))
	})
}

func TestPart(t *testing.T) {
	path := written(t, "before\n<!-- begin -->\nold\n<!-- end -->\nafter\n")
	part := func(tb testing.TB) { Part(tb, path, "<!-- begin -->\n", "<!-- end -->", "new\n") }
	t.Setenv(updateEnv, "")
	require.Contains(t, listen("TestGoldenX", part).said, "-old\n+new\n")
	t.Setenv(updateEnv, "1")
	require.False(t, listen("TestGoldenX", part).failed)
	require.Equal(t, "before\n<!-- begin -->\nnew\n<!-- end -->\nafter\n", content(t, path))
	require.Contains(t, listen("TestGoldenX", func(tb testing.TB) { Part(tb, path, "<!-- gone -->", "<!-- end -->", "") }).said, "lost its markers")
}

func TestFolder(t *testing.T) {
	dir := filepath.Dir(written(t, "made by nothing"))
	folder := func(tb testing.TB) { Folder(tb, dir, map[string][]byte{"a.txt": []byte("a")}) }
	t.Setenv(updateEnv, "1")
	require.False(t, listen("TestGoldenX", folder).failed)
	require.NoFileExists(t, filepath.Join(dir, "file.txt"))
	require.FileExists(t, filepath.Join(dir, "a.txt"))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "b.txt"), nil, 0o600))
	t.Setenv(updateEnv, "")
	require.Contains(t, listen("TestGoldenX", folder).said, "nothing makes "+filepath.Join(dir, "b.txt"))
}
