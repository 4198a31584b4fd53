package toolchain

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Build has go install make the pinned tools, in the project's own folder.
func Build(ctx context.Context, tools []*Tool) error {
	for _, tool := range tools {
		if err := tool.build(ctx); err != nil {
			return err
		}
	}
	return nil
}

// build takes the Go that make was told to take. It leaves this module's flags out: the
// tool is a module of its own.
func (t *Tool) build(ctx context.Context) error {
	fmt.Fprintf(os.Stderr, "building %s %s (minutes the first time)\n", t.Name, t.Version)
	cmd := exec.CommandContext(ctx, cmp.Or(os.Getenv("GO"), "go"), "install", t.Module+"@"+t.Version)
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOBIN="+filepath.Join(Root(), Bin))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	t.Forget()
	return nil
}
