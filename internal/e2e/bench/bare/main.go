// Command bare is the baseline of the benchmarks: mcp-go with one tool that answers at
// once, on stdio or, with an address as its argument, on streamable HTTP; with "park" after
// the address, net/http alone, whose every request stays unanswered.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	s := server.NewMCPServer("bare", "1", server.WithToolCapabilities(false))
	s.AddTool(mcp.NewTool("echo"), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultText("ok"), nil
	})
	if len(os.Args) < 2 {
		return server.ServeStdio(s)
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", os.Args[1])
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, listener.Addr())
	if len(os.Args) > 2 && os.Args[2] == "park" {
		return http.Serve(listener, http.HandlerFunc(park)) //nolint:gosec // a baseline on loopback
	}
	return http.Serve(listener, server.NewStreamableHTTPServer(s)) //nolint:gosec // a baseline on loopback
}

// park is the least that a wait can be: the caller stays until it goes.
func park(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
