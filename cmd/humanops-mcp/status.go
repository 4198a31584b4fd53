package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"humanops-mcp/internal/config"
	"humanops-mcp/internal/daemon"
	"humanops-mcp/schemas"
)

// statusAnswer is what status --json prints.
type statusAnswer struct {
	Running bool `json:"running"`
	*schemas.PlatformStatus
}

func (p *program) statusCommand() *cobra.Command {
	return p.jsonFlag(&cobra.Command{
		Use:     "status",
		Short:   "Tell whether the platform runs, and how it is doing",
		Long:    "Tell whether the platform of the data folder runs, and how it is doing. It is not started; the exit code is 1 when it does not run.",
		Example: "  humanops-mcp status\n  humanops-mcp status --json",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.load(cmd)
			if err != nil {
				return err
			}
			return p.status(cmd.Context(), cfg)
		},
	})
}

func (p *program) status(ctx context.Context, cfg *config.Config) error {
	files := daemon.Paths(cfg.DataDir)
	state, running, err := files.Running()
	if err != nil {
		return err
	}
	if !running {
		if p.json {
			return errors.Join(p.printJSON(statusAnswer{}), errSilent)
		}
		return daemon.ErrNotRunning
	}
	if !files.Healthy(ctx) {
		return &daemon.RunningError{Data: files.Data, State: daemon.State{}}
	}
	s, err := p.askStatus(ctx, cfg)
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(statusAnswer{Running: true, PlatformStatus: &s})
	}
	return p.printStatus(s, state)
}

func (p *program) askStatus(ctx context.Context, cfg *config.Config) (schemas.PlatformStatus, error) {
	owner, err := p.owner(ctx, cfg)
	if err != nil {
		return schemas.PlatformStatus{}, err
	}
	return owner.GetStatus(ctx)
}

func (p *program) printStatus(s schemas.PlatformStatus, state daemon.State) error {
	return p.table([][]string{
		{"running", "process " + itoa(state.PID) + ", since " + when(s.StartedAt)},
		{"version", s.Version},
		{"pages", s.PublicURL},
		{"listens", s.Address},
		{"data", s.DataDir + " (" + s.Database + ")"},
		{"guardian", s.Guardian},
		{"people", itoa(s.PeopleInReach) + " can be reached"},
		{"tasks", counts(s)},
		{"jobs", itoa(s.JobsWaiting) + " waiting, " + itoa(s.JobsFailed) + " failed"},
	})
}

func counts(s schemas.PlatformStatus) string {
	var parts []string
	for _, status := range schemas.TaskStatuses {
		if n := s.Tasks[string(status)]; n > 0 {
			parts = append(parts, humanize.Comma(int64(n))+either(slices.Contains(s.TasksMore, string(status)), "+ ", " ")+string(status))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

func (p *program) stopCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "stop",
		Short:   "End the platform of the data folder",
		Long:    "End the platform of the data folder: running calls are finished first. The next MCP call or command starts it again.",
		Example: "  humanops-mcp stop",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.load(cmd)
			if err != nil {
				return err
			}
			state, err := daemon.Paths(cfg.DataDir).Stop(cmd.Context())
			if err != nil {
				return err
			}
			p.say("The platform (process %d) has ended.", state.PID)
			return nil
		},
	}
}
