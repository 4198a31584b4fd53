//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/toolchain"
)

// machine is a scratch copy of the project and of what a machine has: nothing but stubs
// is on the PATH or in the distribution's folders, so nothing real is found or installed.
type machine struct {
	t      *testing.T
	path   string // the only folder of the PATH
	system string // where the distribution's folders begin
	depot  string // what apt-get brings: the files to lay over system
	log    string // what was asked of apt-get, npm and go install
	root   string // the project
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	dir := t.TempDir()
	m := &machine{
		t: t, path: filepath.Join(dir, "path"), system: filepath.Join(dir, "system"),
		depot: filepath.Join(dir, "depot"), log: filepath.Join(dir, "log"), root: filepath.Join(dir, "project"),
	}
	for _, folder := range []string{m.path, m.system, m.depot} {
		require.NoError(t, os.Mkdir(folder, 0o755))
	}
	m.copyProject()
	for _, name := range []string{"bash", "dirname", "cp", "mkdir"} {
		m.link(name)
	}
	// go install is noted, and makes a program that tells its version.
	m.write(m.path, "go", `if [ "$1" = install ]; then
  echo "go $*" >>"`+m.log+`"
  file="$GOBIN/$(name=${2%@*}; echo "${name##*/}")"; mkdir -p "$GOBIN"
  echo '#!/bin/sh' >"$file"; echo "echo ${2#*@v}" >>"$file"; /bin/chmod +x "$file"; exit
fi
exec "`+which(t, "go")+`" "$@"`)
	return m
}

// copyProject takes what setup is made of.
func (m *machine) copyProject() {
	m.t.Helper()
	for _, pattern := range []string{"go.mod", "scripts/setup.sh", "scripts/setup/main.go", "internal/toolchain/*.go", toolchain.NodeFolder + "/package-lock.json"} {
		files, err := filepath.Glob(filepath.Join(toolchain.Root(), pattern))
		require.NoError(m.t, err)
		require.NotEmpty(m.t, files, pattern)
		for _, file := range files {
			name, err := filepath.Rel(toolchain.Root(), file)
			require.NoError(m.t, err)
			raw, err := os.ReadFile(file)
			require.NoError(m.t, err)
			require.NoError(m.t, os.MkdirAll(filepath.Dir(filepath.Join(m.root, name)), 0o755))
			require.NoError(m.t, os.WriteFile(filepath.Join(m.root, name), raw, 0o755)) //nolint:gosec // scripts are run
		}
	}
}

func which(t *testing.T, name string) string {
	t.Helper()
	file, err := exec.LookPath(name)
	require.NoError(t, err)
	return file
}

func (m *machine) link(name string) {
	m.t.Helper()
	require.NoError(m.t, os.Symlink(which(m.t, name), filepath.Join(m.path, name)))
}

// write puts a shell script into a folder.
func (m *machine) write(folder, name, script string) {
	m.t.Helper()
	require.NoError(m.t, os.MkdirAll(folder, 0o755))
	require.NoError(m.t, os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755)) //nolint:gosec // it is run
}

// python is an interpreter that has only some modules.
func python(modules string) string {
	return `for module in requests flask django cryptography; do
  case "$2" in *$module*) case " ` + modules + ` " in *" $module "*) ;; *) echo "ModuleNotFoundError: No module named '$module'"; exit 1 ;; esac ;; esac
done`
}

const (
	allModules = "requests flask django cryptography"
	browser    = `echo "<html><body><p>shown</p></body></html>"`
	linter     = `echo "golangci-lint has version 2.15.0 built with go"`
)

// has puts everything that Debian brings under root.
func (m *machine) has(root string) {
	m.t.Helper()
	bin, postgres := filepath.Join(root, "usr/bin"), filepath.Join(root, "usr/lib/postgresql/15/bin")
	m.write(bin, "python3", python(allModules))
	m.write(bin, "chromium", browser)
	m.write(postgres, "initdb", "echo initdb PostgreSQL 15")
	m.write(postgres, "postgres", "echo postgres PostgreSQL 15")
	m.write(bin, "curl", "echo curl; echo Protocols: http")
	m.write(bin, "gcc", "exit 0")
	m.write(bin, "npm", m.npm())
	m.write(bin, "node", `echo "no TypeScript"`) // too old
}

// npm ci lays the pinned Node and the protocol's tools.
func (m *machine) npm() string {
	modules := filepath.Join(m.root, toolchain.NodeFolder, "node_modules")
	return `echo "npm $1" >>"` + m.log + `"; [ "$1" = ci ] || { echo 10; exit; }
mkdir -p "` + modules + `" && cp -r "` + m.depot + `/npm/." "` + modules + `"`
}

func (m *machine) npmHas(node string) {
	m.t.Helper()
	modules := filepath.Join(m.depot, "npm")
	bin := filepath.Dir(toolchain.Node.Own[0])
	m.write(filepath.Join(modules, filepath.Base(bin), "bin"), "node", node)
	m.write(filepath.Join(modules, ".bin"), "mcp-inspector", "")
	m.write(filepath.Join(modules, ".bin"), "conformance", "")
}

const newNode = `case "$*" in *features*) echo strip ;; *) echo "--transport 0.1.16" ;; esac`

// user is who runs it; apt-get installs what the depot has.
func (m *machine) user(id string) {
	m.t.Helper()
	m.write(m.path, "id", "echo "+id)
	m.write(m.path, "apt-get", `echo "apt-get $*" >>"`+m.log+`"; [ "$1" = install ] || exit 0; cp -r "`+m.depot+`/debian/." "`+m.system+`"`)
	require.NoError(m.t, os.MkdirAll(filepath.Join(m.depot, "debian"), 0o755))
}

// setUp runs the script and gives what it said, what it asked others for, and whether it succeeded.
func (m *machine) setUp() (said, asked string, ok bool) {
	m.t.Helper()
	cmd := exec.Command(filepath.Join(m.root, "scripts", "setup.sh"))
	cmd.Env = append(m.environment(), "HOME="+m.root, "GOFLAGS=", "GOPROXY=off")
	for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
		value, err := exec.Command("go", "env", name).Output()
		require.NoError(m.t, err)
		cmd.Env = append(cmd.Env, name+"="+strings.TrimSpace(string(value)))
	}
	out, err := cmd.CombinedOutput()
	raw, _ := os.ReadFile(m.log)
	return string(out), string(raw), err == nil
}

func (m *machine) environment() []string {
	return []string{"PATH=" + m.path, "HUMANOPS_TEST_SYSTEM=" + m.system, "GOPATH=" + filepath.Join(m.root, "gopath"), "GOTOOLCHAIN=local"}
}

func TestSetup(t *testing.T) {
	t.Run("installs nothing where everything works, and says where it is", func(t *testing.T) {
		t.Parallel()
		m := newMachine(t)
		m.has(m.system)
		m.npmHas(newNode)
		m.user("0")
		m.write(m.path, "golangci-lint", linter)
		said, asked, ok := m.setUp()
		require.True(t, ok, said)
		require.NotContains(t, asked, "apt-get")
		require.NotContains(t, asked, "go install")
		require.Contains(t, said, "PostgreSQL is "+m.system+"/usr/lib/postgresql/15/bin/initdb")
		require.Contains(t, said, "golangci-lint is "+m.path+"/golangci-lint")

		again, asked, ok := m.setUp()
		require.True(t, ok, again)
		require.Equal(t, 1, strings.Count(asked, "npm ci"), "a second run has nothing to do: %s", asked)
	})
	t.Run("installs everything on a bare machine, as root", func(t *testing.T) {
		t.Parallel()
		m := newMachine(t)
		m.user("0")
		m.has(filepath.Join(m.depot, "debian"))
		m.npmHas(newNode)
		said, asked, ok := m.setUp()
		require.True(t, ok, said)
		require.Contains(t, asked, "apt-get install -y -qq --no-install-recommends gcc libc6-dev python3 python3-requests python3-flask python3-django python3-cryptography postgresql chromium curl nodejs npm\n")
		require.Contains(t, asked, "go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0")
		require.Contains(t, said, "Node 22 is "+m.root, "the pinned one, not the distribution's old one")
	})
	t.Run("lists everything on a bare machine and fails, as anybody else", func(t *testing.T) {
		t.Parallel()
		m := newMachine(t)
		m.user("1000")
		said, asked, ok := m.setUp()
		require.False(t, ok)
		require.Empty(t, asked)
		require.Contains(t, said, "Chromium is not installed")
		require.Contains(t, said, "install these (Debian's names), then run it again: gcc libc6-dev python3 ")
	})
	t.Run("fails when what it installed does not work", func(t *testing.T) {
		t.Parallel()
		m := newMachine(t)
		m.has(m.system)
		m.user("0")
		m.write(filepath.Join(m.system, "usr/bin"), "chromium", "echo no display >&2; exit 1")
		said, asked, ok := m.setUp()
		require.False(t, ok)
		require.Contains(t, asked, "apt-get install -y -qq --no-install-recommends chromium\n")
		require.Contains(t, said, "installed, and still: ")
		require.Contains(t, said, "no display")
	})
}

func TestSetupIsNotMisled(t *testing.T) {
	working := func(t *testing.T) *machine {
		t.Helper()
		m := newMachine(t)
		m.has(m.system)
		m.npmHas(newNode)
		m.user("0")
		m.write(m.path, "golangci-lint", linter)
		return m
	}
	t.Run("by two Pythons that have all modules only together", func(t *testing.T) {
		m := working(t)
		m.write(m.path, "python3", python("requests flask"))
		m.write(filepath.Join(m.system, "usr/bin"), "python3", python("django"))
		m.write(filepath.Join(m.depot, "debian/usr/bin"), "python3", python(allModules))
		said, asked, ok := m.setUp()
		require.True(t, ok, said)
		require.Contains(t, asked, "apt-get install -y -qq --no-install-recommends python3 python3-requests python3-flask python3-django python3-cryptography\n")
		require.Contains(t, said, "No module named 'django'")
		chosen := filepath.Join(m.system, "usr/bin/python3")
		require.Contains(t, said, " is "+chosen+"\n")
		t.Run("and the tests take the one that setup chose", func(t *testing.T) {
			for _, pair := range m.environment() {
				name, value, _ := strings.Cut(pair, "=")
				t.Setenv(name, value)
			}
			toolchain.Python.Forget()
			t.Cleanup(toolchain.Python.Forget)
			require.Equal(t, chosen, toolchain.Python.Need(t))
		})
	})
	t.Run("by a browser that does not start, when another does", func(t *testing.T) {
		t.Parallel()
		m := working(t)
		m.write(m.path, "chromium", "exit 1")
		said, asked, ok := m.setUp()
		require.True(t, ok, said)
		require.NotContains(t, asked, "apt-get")
		require.Contains(t, said, "Chromium is "+m.system)
	})
	t.Run("by initdb without its server", func(t *testing.T) {
		t.Parallel()
		m := working(t)
		m.write(m.path, "initdb", "echo initdb PostgreSQL 16")
		said, asked, ok := m.setUp()
		require.True(t, ok, said)
		require.NotContains(t, asked, "apt-get")
		require.Contains(t, said, "PostgreSQL is "+m.system)
	})
	t.Run("by a compiler without its library", func(t *testing.T) {
		t.Parallel()
		m := working(t)
		m.user("1000")
		m.write(filepath.Join(m.system, "usr/bin"), "gcc", "echo 'stdlib.h: No such file or directory'; exit 1")
		said, asked, ok := m.setUp()
		require.False(t, ok)
		require.NotContains(t, asked, "apt-get")
		require.Contains(t, said, "stdlib.h")
		require.Contains(t, said, "run it again: gcc libc6-dev\n")
	})
	t.Run("by another version of the linter", func(t *testing.T) {
		t.Parallel()
		m := working(t)
		m.write(m.path, "golangci-lint", "echo 1.64.0")
		said, asked, ok := m.setUp()
		require.True(t, ok, said)
		require.Contains(t, asked, "go install")
		require.Contains(t, said, "golangci-lint is "+filepath.Join(m.root, toolchain.Bin, "golangci-lint"))
	})
	t.Run("by modules of another lock file", func(t *testing.T) {
		t.Parallel()
		m := working(t)
		_, _, ok := m.setUp()
		require.True(t, ok)
		require.NoError(t, os.WriteFile(filepath.Join(m.root, toolchain.NodeFolder, "package-lock.json"), []byte("{}"), 0o600))
		_, asked, ok := m.setUp()
		require.True(t, ok)
		require.Equal(t, 2, strings.Count(asked, "npm ci"))
	})
	t.Run("by a Node that npm brought and that cannot run here", func(t *testing.T) {
		t.Parallel()
		m := working(t)
		m.npmHas("exit 126")
		said, _, ok := m.setUp()
		require.False(t, ok)
		require.Contains(t, said, "no Node 22 here does what is needed of it")
	})
}
