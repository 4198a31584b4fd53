package main

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"humanops-mcp/internal/config"
	"humanops-mcp/internal/edge"
	"humanops-mcp/tools"
)

func (p *program) stdioCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "stdio",
		Aliases: []string{"mcp"},
		Short:   "Speak MCP on standard input and output, for MCP clients",
		Long: `Speak MCP on standard input and output. MCP clients start this; see install.

It finds the platform of the data folder, or starts it in the background, where it stays
when the client is closed, so that people can go on with their tasks.`,
		Example: `  humanops-mcp stdio
  humanops-mcp stdio --sandbox
  humanops-mcp stdio --read-only`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.runStdio(cmd) },
	}
	config.AddFlags(cmd.Flags(), "stdio")
	return cmd
}

// startDelay lets the client's first messages be answered before the platform is started.
const startDelay = 200 * time.Millisecond

// roomToStart is how far the heap may grow until then, in percent of the 4 MB at which it
// would be collected.
const roomToStart = 400

func (p *program) runStdio(cmd *cobra.Command) error {
	collect := debug.SetGCPercent(roomToStart) // a collection would be half of the time to the first answer
	cfg, err := p.load(cmd)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	connect := agent(cfg)
	s, err := tools.New(tools.Options{
		Client: connect, Reviews: reviews(cfg), ReviewsUp: reviewsUp(cfg), ReadOnly: cfg.ReadOnly, Toolsets: cfg.Toolsets, Version: version(), Conformance: cfg.Conformance,
		Keyless: cfg.Remote() && cfg.Marketplace.APIKey == "", Clock: p.clock, Logger: p.logger(cfg),
	})
	if err != nil {
		return err
	}
	go func() {
		select {
		case <-ctx.Done():
		case <-p.clock.After(startDelay):
			debug.SetGCPercent(collect)
			if _, err := connect(ctx); err != nil && ctx.Err() == nil {
				p.logger(cfg).Warn("the platform is not up yet; the next call tries again", "error", err)
			}
		}
	}()
	return ignoreCanceled(edge.Stdio(ctx, s, p.stdin, p.stdout))
}
