// Suite is go test for a whole repository on one screen: a line for each package, the
// output of what failed, what was skipped and why, and at the end what cost most.
//
//	go run ./scripts/suite -race ./...
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"humanops-mcp/internal/toolchain"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "suite:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	begin := time.Now()
	cmd := exec.CommandContext(ctx, cmp.Or(os.Getenv("GO"), "go"), append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	events, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	r := newReport(out)
	readErr := r.read(json.NewDecoder(events))
	err = errors.Join(readErr, cmd.Wait())
	r.close(time.Since(begin))
	if len(r.skipped) > 0 && os.Getenv(toolchain.RequireEnv) == "1" {
		err = errors.Join(err, fmt.Errorf("%d tests were skipped, and nothing may be; run make setup", len(r.skipped)))
	}
	return err
}
