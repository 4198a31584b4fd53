// Pinned runs a program of the version that the project pins, and builds it first where
// it is not there yet:
//
//	go run ./scripts/pinned golangci-lint run
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"

	"humanops-mcp/internal/toolchain"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pinned:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("name a program: one of %v", names())
	}
	at := slices.Index(names(), args[0])
	if at < 0 {
		return fmt.Errorf("%s is not pinned; choose from %v", args[0], names())
	}
	tool := toolchain.Pinned[at]
	if _, err := tool.Find(); err != nil {
		if err := toolchain.Build(ctx, []*toolchain.Tool{tool}); err != nil {
			return err
		}
	}
	cmd, err := tool.Command(ctx, args[1:]...)
	if err != nil {
		return err
	}
	return attached(cmd)
}

func attached(cmd *exec.Cmd) error {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

func names() (list []string) {
	for _, tool := range toolchain.Pinned {
		list = append(list, tool.Name)
	}
	return list
}
