package install

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/golden"
)

var now = time.Date(2026, 11, 22, 6, 30, 0, 0, time.UTC)

var entry = Entry{Command: "/opt/humanops-mcp", Args: []string{"stdio", "--data-dir", "/srv/humans"}}

// TestGolden installs into the file "before" of each archive and compares with "after",
// then takes it out again and compares with "removed".
func TestGolden(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, archives)
	for _, path := range archives {
		name := strings.TrimSuffix(filepath.Base(path), ".txtar")
		t.Run(name, func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			require.NoError(t, err)
			client, err := Find(strings.TrimSpace(string(archive.Comment)))
			require.NoError(t, err)
			before := section(archive, "before")
			after, removed := roundTrip(t, client, before)
			golden.File(t, path, txtar.Format(&txtar.Archive{Comment: archive.Comment, Files: []txtar.File{
				{Name: "before", Data: before}, {Name: "after", Data: after}, {Name: "removed", Data: removed},
			}}))
			archive, err = txtar.ParseFile(path)
			require.NoError(t, err)
			require.Equal(t, string(section(archive, "after")), string(after))
			require.Equal(t, string(section(archive, "removed")), string(removed))
		})
	}
}

func section(a *txtar.Archive, name string) []byte {
	for _, f := range a.Files {
		if f.Name == name {
			return f.Data
		}
	}
	return nil
}

func roundTrip(t *testing.T, client Client, before []byte) (after, removed []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.json")
	require.NoError(t, os.WriteFile(path, before, 0o600))
	install(t, client, path)
	after = read(t, path)
	again, err := client.Install(path, entry)
	require.NoError(t, err)
	require.False(t, again.Needed(), "twice changes nothing")
	command, err := client.Installed(path)
	require.NoError(t, err)
	require.Equal(t, entry.Command, command)
	change, err := client.Uninstall(path)
	require.NoError(t, err)
	_, err = change.Apply(now.Add(time.Second))
	require.NoError(t, err)
	return after, read(t, path)
}

func install(t *testing.T, client Client, path string) string {
	t.Helper()
	change, err := client.Install(path, entry)
	require.NoError(t, err)
	backup, err := change.Apply(now)
	require.NoError(t, err)
	return backup
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	return raw
}

func TestApply(t *testing.T) {
	client, err := Find("claude-code")
	require.NoError(t, err)

	t.Run("makes the file and its folder", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "deep", "down", "config.json")
		require.Empty(t, install(t, client, path), "nothing to back up")
		var got map[string]map[string]struct {
			Type, Command string
			Args          []string
		}
		require.NoError(t, json.Unmarshal(read(t, path), &got))
		require.Equal(t, "stdio", got["mcpServers"]["humanops"].Type)
		require.Equal(t, entry.Command, got["mcpServers"]["humanops"].Command)
		require.Equal(t, entry.Args, got["mcpServers"]["humanops"].Args)
	})
	t.Run("keeps a backup and the file's mode", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "config.json")
		require.NoError(t, os.WriteFile(path, []byte(`{"a": 1}`), 0o600))
		require.NoError(t, os.Chmod(path, 0o640)) //nolint:gosec // the point of the test
		backup := install(t, client, path)
		require.Equal(t, `{"a": 1}`, string(read(t, backup)))
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o640), info.Mode().Perm())
	})
	t.Run("leaves a link a link", func(t *testing.T) {
		dir := t.TempDir()
		target, link := filepath.Join(dir, "real.json"), filepath.Join(dir, "link.json")
		require.NoError(t, os.WriteFile(target, []byte("{}"), 0o600))
		require.NoError(t, os.Symlink(target, link))
		install(t, client, link)
		info, err := os.Lstat(link)
		require.NoError(t, err)
		require.NotZero(t, info.Mode()&os.ModeSymlink)
		require.Contains(t, string(read(t, target)), "humanops")
	})
	t.Run("leaves a damaged file as it is", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "config.json")
		for _, raw := range []string{`{"a": `, `[1]`, `{"mcpServers": []}`} {
			require.NoError(t, os.WriteFile(path, []byte(raw), 0o600))
			_, err := client.Install(path, entry)
			require.ErrorContains(t, err, "was left as it is", raw)
			require.Equal(t, raw, string(read(t, path)))
		}
	})
	t.Run("takes nothing out of a file that has nothing", func(t *testing.T) {
		change, err := client.Uninstall(filepath.Join(t.TempDir(), "none.json"))
		require.NoError(t, err)
		require.False(t, change.Needed())
	})
}

func TestPath(t *testing.T) {
	linux := Machine{OS: "linux", Home: "/home/ada", Dir: "/project"}
	mac := Machine{OS: "darwin", Home: "/Users/ada", Dir: "/project"}
	for _, c := range []struct {
		client  string
		machine Machine
		project bool
		want    string
	}{
		{"claude-desktop", linux, false, "/home/ada/.config/Claude/claude_desktop_config.json"},
		{"claude-desktop", mac, false, "/Users/ada/Library/Application Support/Claude/claude_desktop_config.json"},
		{"claude-desktop", Machine{OS: "windows", Home: "/u", Env: map[string]string{"APPDATA": "/u/Roaming"}}, false, "/u/Roaming/Claude/claude_desktop_config.json"},
		{"claude-code", linux, false, "/home/ada/.claude.json"},
		{"claude-code", linux, true, "/project/.mcp.json"},
		{"cursor", mac, false, "/Users/ada/.cursor/mcp.json"},
		{"cursor", mac, true, "/project/.cursor/mcp.json"},
		{"vscode", linux, false, "/home/ada/.config/Code/User/mcp.json"},
		{"vscode", Machine{OS: "linux", Home: "/h", Env: map[string]string{"XDG_CONFIG_HOME": "/x"}}, false, "/x/Code/User/mcp.json"},
		{"vscode", mac, true, "/project/.vscode/mcp.json"},
	} {
		t.Run(c.client+" on "+c.machine.OS, func(t *testing.T) {
			client, err := Find(c.client)
			require.NoError(t, err)
			path, err := client.Path(c.machine, c.project)
			require.NoError(t, err)
			require.Equal(t, c.want, path)
		})
	}

	t.Run("of a project that the client does not know", func(t *testing.T) {
		client, err := Find("claude-desktop")
		require.NoError(t, err)
		_, err = client.Path(linux, true)
		require.ErrorContains(t, err, "leave out --project")
	})
	t.Run("of an unknown client names those that are known", func(t *testing.T) {
		_, err := Find("emacs")
		require.ErrorContains(t, err, "claude-desktop, claude-code, cursor, vscode")
	})
}
