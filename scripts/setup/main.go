// Setup installs what the tests need and proves that it works, before the first test
// runs: Debian's packages as root on Debian, npm's as its lock file pins them, and the
// linter. scripts/setup.sh starts it.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"humanops-mcp/internal/toolchain"
)

func main() {
	if err := setUp(os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "setup:", err)
		os.Exit(1)
	}
}

// setUp says where each tool is. What depends on another comes after it: npm brings Node.
func setUp(out io.Writer) error {
	if err := settle(out, toolchain.Machine, installPackages); err != nil {
		return err
	}
	if err := bringByNPM(out); err != nil {
		return err
	}
	return settle(out, []*toolchain.Tool{toolchain.Linter}, toolchain.Build)
}

// settle proves the tools, has those installed that fail, and proves them again.
func settle(out io.Writer, tools []*toolchain.Tool, install func(lacking []*toolchain.Tool) error) error {
	lacking, reasons := unproven(tools)
	if len(lacking) > 0 {
		for _, reason := range reasons {
			fmt.Fprintln(out, "setup:", reason)
		}
		if err := install(lacking); err != nil {
			return err
		}
		for _, tool := range tools {
			tool.Forget()
		}
		if _, reasons = unproven(tools); len(reasons) > 0 {
			return fmt.Errorf("installed, and still: %w", errors.Join(reasons...))
		}
	}
	for _, tool := range tools {
		file, _ := tool.Find()
		fmt.Fprintf(out, "setup: %s is %s\n", tool.Name, file)
	}
	return nil
}

func unproven(tools []*toolchain.Tool) (lacking []*toolchain.Tool, reasons []error) {
	for _, tool := range tools {
		if _, err := tool.Find(); err != nil {
			lacking, reasons = append(lacking, tool), append(reasons, err)
		}
	}
	return lacking, reasons
}

// installPackages installs all packages of the tools, since which of them is missing is
// apt's to know.
func installPackages(lacking []*toolchain.Tool) error {
	var packages []string
	for _, tool := range lacking {
		packages = append(packages, tool.Debian...)
	}
	if !mayInstall() {
		return fmt.Errorf("install these (Debian's names), then run it again: %s\n"+
			`setup: plain "go test ./..." runs without them and says what it skips`, strings.Join(packages, " "))
	}
	if err := run("apt-get", "update", "-qq"); err != nil {
		return err
	}
	return run("apt-get", append([]string{"install", "-y", "-qq", "--no-install-recommends"}, packages...)...)
}

// mayInstall asks id, as a script would.
func mayInstall() bool {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return false
	}
	out, err := exec.Command("id", "-u").Output()
	return err == nil && strings.TrimSpace(string(out)) == "0"
}

// bringByNPM installs anew, too, when the lock file is not the one that was installed.
func bringByNPM(out io.Writer) error {
	folder := filepath.Join(toolchain.Root(), toolchain.NodeFolder)
	locked, err := os.ReadFile(filepath.Join(folder, "package-lock.json"))
	if err != nil {
		return err
	}
	note := filepath.Join(folder, "node_modules", ".installed-lock.json")
	install := func([]*toolchain.Tool) error {
		npm, err := toolchain.NPM.Find()
		if err != nil {
			return err
		}
		if err := run(npm, "ci", "--prefix", folder, "--silent"); err != nil {
			return err
		}
		return os.WriteFile(note, locked, 0o600)
	}
	if installed, _ := os.ReadFile(note); string(installed) != string(locked) {
		if err := install(nil); err != nil {
			return err
		}
	}
	return settle(out, toolchain.ByNPM, install)
}

// run shows what a command said only if it failed.
func run(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}
