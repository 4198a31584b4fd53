// Package install writes this program into the configuration of MCP clients, and takes
// it out again. Everything else in those files stays as it is, comments too.
package install

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Name is what the server is called in a client's configuration.
const Name = "humanops"

// Machine is what the place of a configuration depends on.
type Machine struct {
	OS   string            // as runtime.GOOS
	Home string            // the user's home folder
	Env  map[string]string // XDG_CONFIG_HOME, APPDATA
	Dir  string            // the project's folder, for --project
}

// Client is an MCP client that can be set up.
type Client struct {
	Name    string // on the command line
	Title   string // as its makers write it
	section string // the member that holds the servers
	typed   bool   // entries say "type": "stdio"
	Restart string // what the user does to see it
	user    func(Machine) string
	project string // below the project's folder; "" when it has none
}

// Clients lists the known clients.
func Clients() []Client {
	return []Client{
		{Name: "claude-desktop", Title: "Claude Desktop", section: "mcpServers", Restart: "Quit Claude Desktop and open it again.",
			user: func(m Machine) string { return m.appFolder("Claude", "claude_desktop_config.json") }},
		{Name: "claude-code", Title: "Claude Code", section: "mcpServers", typed: true, Restart: "Start a new session, or type /mcp in a running one.",
			user: func(m Machine) string { return filepath.Join(m.Home, ".claude.json") }, project: ".mcp.json"},
		{Name: "cursor", Title: "Cursor", section: "mcpServers", Restart: "Cursor picks it up; see Settings, MCP.",
			user: func(m Machine) string { return filepath.Join(m.Home, ".cursor", "mcp.json") }, project: filepath.Join(".cursor", "mcp.json")},
		{Name: "vscode", Title: "VS Code", section: "servers", typed: true, Restart: "Run \"MCP: List Servers\" in VS Code and start it.",
			user: func(m Machine) string { return m.appFolder("Code", "User", "mcp.json") }, project: filepath.Join(".vscode", "mcp.json")},
	}
}

// Find is the client of that name.
func Find(name string) (Client, error) {
	var names []string
	for _, c := range Clients() {
		if c.Name == name {
			return c, nil
		}
		names = append(names, c.Name)
	}
	return Client{}, fmt.Errorf("%q is not a client that can be set up; choose one of %s", name, strings.Join(names, ", "))
}

// appFolder is a path in the folder where desktop programs keep their settings.
func (m Machine) appFolder(elem ...string) string {
	base := filepath.Join(m.Home, ".config")
	switch {
	case m.OS == "darwin":
		base = filepath.Join(m.Home, "Library", "Application Support")
	case m.OS == "windows" && m.Env["APPDATA"] != "":
		base = m.Env["APPDATA"]
	case m.OS == "windows":
		base = filepath.Join(m.Home, "AppData", "Roaming")
	case filepath.IsAbs(m.Env["XDG_CONFIG_HOME"]):
		base = m.Env["XDG_CONFIG_HOME"]
	}
	return filepath.Join(append([]string{base}, elem...)...)
}

// Path is the client's configuration file: the user's, or the project's.
func (c Client) Path(m Machine, project bool) (string, error) {
	if !project {
		return c.user(m), nil
	}
	if c.project == "" {
		return "", fmt.Errorf("%s has no configuration for a project; leave out --project", c.Title)
	}
	return filepath.Join(m.Dir, c.project), nil
}

// Entry is how a client starts this program.
type Entry struct {
	Command string // absolute
	Args    []string
	Env     map[string]string
	Private bool // Env holds a key
}

// Change is a configuration file before and after. Nothing is written until Apply.
type Change struct {
	Path   string
	Before []byte // nil when there is no file
	After  []byte
	// Private says that After holds a key, so that nobody else may read the file.
	Private bool
}

// Needed tells whether there is anything to write.
func (c Change) Needed() bool { return !bytes.Equal(c.Before, c.After) }

// Install works out the file with the entry in it.
func (c Client) Install(path string, e Entry) (Change, error) {
	change, err := c.change(path, func(d *document) error { return d.set(c.section, Name, c.fields(e)) })
	change.Private = e.Private
	return change, err
}

// Uninstall works out the file without the entry.
func (c Client) Uninstall(path string) (Change, error) {
	return c.change(path, func(d *document) error { return d.remove(c.section, Name) })
}

// Installed is the program that the client's configuration starts, "" when it has none.
func (c Client) Installed(path string) (string, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	d, err := parse(raw)
	if err != nil {
		return "", damaged(path, err)
	}
	return d.command(c.section, Name), nil
}

func (c Client) change(path string, edit func(*document) error) (Change, error) {
	before, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Change{}, err
	}
	d, err := parse(before)
	if err == nil {
		err = edit(d)
	}
	if err != nil {
		return Change{}, damaged(path, err)
	}
	change := Change{Path: path, Before: before, After: before}
	if d.changed {
		change.After = d.bytes()
	}
	return change, nil
}

func damaged(path string, err error) error {
	return fmt.Errorf("%s was left as it is, because it cannot be edited safely: %w. Mend it, or add the entry by hand (install --print shows it)", path, err)
}

// field is one member of the client's entry.
type field struct {
	name  string
	value any
}

func (c Client) fields(e Entry) []field {
	var out []field
	if c.typed {
		out = append(out, field{"type", "stdio"})
	}
	out = append(out, field{"command", e.Command}, field{"args", e.Args})
	if len(e.Env) > 0 {
		out = append(out, field{"env", e.Env})
	}
	return out
}

// Apply writes the change and returns the path of the backup, "" when there was no
// file before. The file is replaced as a whole; links to it stay links.
func (c Change) Apply(now time.Time) (backup string, err error) {
	if !c.Needed() {
		return "", nil
	}
	path, mode := c.Path, fs.FileMode(0o600)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	if c.Private {
		mode &= 0o700
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	if c.Before != nil {
		backup = path + ".backup-" + now.Format("20060102-150405.000")
		if err := os.WriteFile(backup, c.Before, mode); err != nil {
			return "", fmt.Errorf("the backup could not be written, so nothing was changed: %w", err)
		}
	}
	return backup, replace(path, c.After, mode)
}

func replace(path string, content []byte, mode fs.FileMode) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temp.Name()))
		}
	}()
	_, err = temp.Write(content)
	if err = errors.Join(err, temp.Chmod(mode), temp.Sync(), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}

// Snippet is the entry alone, as it would stand in an otherwise empty file.
func (c Client) Snippet(e Entry) (string, error) {
	d, err := parse(nil)
	if err == nil {
		err = d.set(c.section, Name, c.fields(e))
	}
	if err != nil {
		return "", err
	}
	return string(d.bytes()), nil
}

// Names lists the clients' names.
func Names() []string {
	var names []string
	for _, c := range Clients() {
		names = append(names, c.Name)
	}
	return names
}
