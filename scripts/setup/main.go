// Setup installs what the tests need and proves that it works, before the first test
// runs: Debian's packages as root on Debian, npm's as its lock file pins them, and the
// linter. scripts/setup.sh starts it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"humanops-mcp/internal/toolchain"
)

// patience is how long installing may take: a browser and a database over a slow line.
const patience = 30 * time.Minute

func main() {
	if err := setUp(os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "setup:", err)
		os.Exit(1)
	}
}

// setUp says where each tool is. What depends on another comes after it: npm brings Node.
func setUp(out io.Writer) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := settle(ctx, out, toolchain.Machine, installPackages); err != nil {
		return err
	}
	if err := bringByNPM(ctx, out); err != nil {
		return err
	}
	return settle(ctx, out, []*toolchain.Tool{toolchain.Linter}, toolchain.Build)
}

// settle proves the tools, has those installed that fail, and proves them again.
func settle(ctx context.Context, out io.Writer, tools []*toolchain.Tool, install func(ctx context.Context, lacking []*toolchain.Tool) error) error {
	lacking, reasons := unproven(tools)
	if len(lacking) > 0 {
		for _, reason := range reasons {
			fmt.Fprintln(out, "setup:", reason)
		}
		if err := install(ctx, lacking); err != nil {
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
func installPackages(ctx context.Context, lacking []*toolchain.Tool) error {
	var packages []string
	for _, tool := range lacking {
		packages = append(packages, tool.Debian...)
	}
	if !mayInstall(ctx) {
		return fmt.Errorf("install these (Debian's names), then run it again: %s\n"+
			`setup: plain "go test ./..." runs without them and says what it skips`, strings.Join(packages, " "))
	}
	if err := run(ctx, "apt-get", "update", "-qq"); err != nil {
		return err
	}
	return run(ctx, "apt-get", append([]string{"install", "-y", "-qq", "--no-install-recommends"}, packages...)...)
}

// mayInstall asks id, as a script would.
func mayInstall(ctx context.Context) bool {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return false
	}
	out, err := exec.CommandContext(ctx, "id", "-u").Output()
	return err == nil && strings.TrimSpace(string(out)) == "0"
}

// bringByNPM installs anew, too, when the lock file is not the one that was installed.
func bringByNPM(ctx context.Context, out io.Writer) error {
	folder := filepath.Join(toolchain.Root(), toolchain.NodeFolder)
	locked, err := os.ReadFile(filepath.Join(folder, "package-lock.json"))
	if err != nil {
		return err
	}
	note := filepath.Join(folder, "node_modules", ".installed-lock.json")
	install := func(ctx context.Context, _ []*toolchain.Tool) error {
		npm, err := toolchain.NPM.Find()
		if err != nil {
			return err
		}
		if err := run(ctx, npm, "ci", "--prefix", folder, "--silent"); err != nil {
			return err
		}
		return os.WriteFile(note, locked, 0o600)
	}
	if installed, _ := os.ReadFile(note); string(installed) != string(locked) {
		if err := install(ctx, nil); err != nil {
			return err
		}
	}
	return settle(ctx, out, toolchain.ByNPM, install)
}

// run shows what a command said only if it failed.
func run(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}
