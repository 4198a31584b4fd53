// Package toolchain knows the programs that tests and generators need beside Go: where
// each is looked for, how it is proven to work by running it, and what installs it. Setup
// and tests ask it the same question, so that what setup proves is what the tests run.
package toolchain

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Tool is one program that something here needs.
type Tool struct {
	Name     string   // as people know it
	Programs []string // what the file may be called, the best name first
	Own      []string // folders looked through before the PATH, from the repository's root
	System   []string // folders of the distribution, as patterns, looked through after it
	By       *Tool    // what runs it, where it is a script
	Proof    []Run    // each must succeed
	Debian   []string // the packages that bring it
	Module   string   // or what go install builds it from,
	Version  string   // pinned

	once  sync.Once
	file  string
	fault error
}

// Run is one run of a tool that proves something. It happens in a folder of its own,
// which {dir} stands for.
type Run struct {
	Program string // beside the tool, when it is not the tool itself
	Args    []string
	Input   string
	Says    string // must be part of what it prints
}

// patience is how long one proof may take: a browser's first start on a busy machine.
const patience = time.Minute

// Find gives the first of the tool's places whose program passes every proof. The error
// says what was tried and what each said. One process proves it once.
func (t *Tool) Find() (string, error) {
	t.once.Do(func() { t.file, t.fault = t.search() })
	return t.file, t.fault
}

// Forget makes the next Find look anew, after something was installed.
func (t *Tool) Forget() { t.once = sync.Once{} }

// Command runs the tool: the file itself, or what runs it with the file.
func (t *Tool) Command(ctx context.Context, args ...string) (*exec.Cmd, error) {
	file, err := t.Find()
	if err != nil {
		return nil, err
	}
	return t.command(ctx, file, args)
}

func (t *Tool) command(ctx context.Context, file string, args []string) (*exec.Cmd, error) {
	if t.By != nil {
		return t.By.Command(ctx, append([]string{file}, args...)...)
	}
	return exec.CommandContext(ctx, file, args...), nil
}

func (t *Tool) search() (string, error) {
	var tried []string
	for _, file := range t.places() {
		err := t.prove(file)
		if err == nil {
			return file, nil
		}
		tried = append(tried, fmt.Sprintf("%s: %v", file, err))
	}
	if len(tried) == 0 {
		return "", fmt.Errorf("%s is not installed", t.Name)
	}
	return "", fmt.Errorf("no %s here does what is needed of it; %s", t.Name, strings.Join(tried, "; "))
}

// places are the files that may be the tool, each once.
func (t *Tool) places() []string {
	var files []string
	for _, folder := range t.folders() {
		for _, program := range t.Programs {
			file := filepath.Join(folder, program)
			if filepath.IsAbs(file) && !slices.Contains(files, file) && executable(file) {
				files = append(files, file)
			}
		}
	}
	return files
}

func (t *Tool) folders() (folders []string) {
	for _, folder := range t.Own {
		if !filepath.IsAbs(folder) {
			folder = filepath.Join(Root(), folder)
		}
		folders = append(folders, folder)
	}
	folders = append(folders, filepath.SplitList(os.Getenv("PATH"))...)
	for _, pattern := range t.System {
		found, _ := filepath.Glob(filepath.Join(systemRoot(), pattern)) // only a bad pattern fails, and they are constants
		slices.Reverse(found)                                           // the newest version first
		folders = append(folders, found...)
	}
	return folders
}

func executable(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// prove makes every run, in a folder that goes away again.
func (t *Tool) prove(file string) error {
	dir, err := os.MkdirTemp("", "proof-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, run := range t.Proof {
		if err := t.try(run, file, dir); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tool) try(run Run, file, dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if run.Program != "" {
		file = filepath.Join(filepath.Dir(file), run.Program)
	}
	args := slices.Clone(run.Args)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "{dir}", dir)
	}
	cmd, err := t.command(ctx, file, args)
	if err != nil {
		return err
	}
	cmd.Dir, cmd.Stdin, cmd.WaitDelay = dir, strings.NewReader(run.Input), time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w%s", strings.Join(append([]string{filepath.Base(file)}, run.Args...), " "), err, lastLine(out))
	}
	if !strings.Contains(string(out), run.Says) {
		return fmt.Errorf("%s does not say %q%s", filepath.Base(file), run.Says, lastLine(out))
	}
	return nil
}

// lastLine is where most programs say what is wrong.
func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return ": " + last
	}
	return ""
}

// Root is the repository's folder: the one above that has go.mod.
var Root = sync.OnceValue(func() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	return ""
})

// systemRoot is where the distribution's folders begin; a test of setup moves it.
func systemRoot() string {
	if root := os.Getenv("HUMANOPS_TEST_SYSTEM"); root != "" {
		return root
	}
	return "/"
}
