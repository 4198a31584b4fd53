package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"humanops-mcp/internal/config"
	"humanops-mcp/internal/daemon"
	"humanops-mcp/internal/install"
	"humanops-mcp/schemas"
)

// check is one finding of doctor. Optional ones are shown but are no failure.
type check struct {
	Name     string `json:"name"`
	OK       bool   `json:"ok"`
	Optional bool   `json:"optional,omitempty"`
	Found    string `json:"found"`
	Fix      string `json:"fix,omitempty"`
}

func (p *program) doctorCommand() *cobra.Command {
	return p.jsonFlag(&cobra.Command{
		Use:     "doctor",
		Short:   "Check everything, and say how to mend what is wrong",
		Long:    "Check the program, its data, port and keys, each MCP client, and whether people can be reached. Nothing is changed or started; the exit code is 1 when something is wrong.",
		Example: "  humanops-mcp doctor",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.load(cmd)
			if err != nil {
				return err
			}
			return p.doctor(cmd.Context(), cfg)
		},
	})
}

func (p *program) doctor(ctx context.Context, cfg *config.Config) error {
	files := daemon.Paths(cfg.DataDir)
	checks := []check{p.checkProgram(), checkData(files)}
	checks = append(checks, p.checkPlatform(ctx, cfg, files)...)
	checks = append(checks, checkKeys(cfg, files))
	checks = append(checks, p.checkClients()...)
	failed := false
	for i, c := range checks {
		failed = failed || (!c.OK && !c.Optional)
		if c.OK {
			checks[i].Fix = "" // nothing to mend
		}
	}
	if err := p.printChecks(checks); err != nil {
		return err
	}
	if failed {
		return errSilent
	}
	return nil
}

func (p *program) printChecks(checks []check) error {
	if p.json {
		return p.printJSON(checks)
	}
	for _, c := range checks {
		mark := either(c.OK, "✓", either(c.Optional, "-", "✗"))
		p.say("%s %-15s %s", mark, c.Name, c.Found)
		if !c.OK && c.Fix != "" {
			p.say("  %-15s → %s", "", c.Fix)
		}
	}
	return nil
}

func (p *program) checkProgram() check {
	c := check{Name: "program"}
	path, err := os.Executable()
	if err != nil {
		c.Found, c.Fix = err.Error(), "install the program again"
		return c
	}
	c.Found = path + ", version " + version()
	if strings.Contains(filepath.ToSlash(path), "/go-build") {
		c.Found += ", in a temporary folder"
		c.Fix = "build it to a place where it stays: go build -o ~/bin/humanops-mcp ./cmd/humanops-mcp"
		return c
	}
	c.OK = true
	return c
}

// checkData looks at the data folder without making it.
func checkData(files daemon.Files) check {
	c := check{Name: "data", Found: files.Data}
	_, err := os.Stat(files.Data)
	if errors.Is(err, fs.ErrNotExist) {
		c.OK, c.Found = true, files.Data+", made on the first start"
		return c
	}
	if err == nil {
		err = files.Prepare()
	}
	if err != nil {
		c.Found, c.Fix = err.Error(), "see above, or choose another folder with --data-dir"
		return c
	}
	c.OK = true
	return c
}

func (p *program) checkPlatform(ctx context.Context, cfg *config.Config, files daemon.Files) []check {
	state, running, err := files.Running()
	switch {
	case err != nil:
		return []check{{Name: "platform", Found: err.Error(), Fix: "see " + files.Log}}
	case !running:
		return []check{
			{Name: "platform", Optional: true, Found: "not running", Fix: "MCP clients start it by themselves; to start it now: humanops-mcp serve"},
			checkPort(ctx, cfg),
		}
	case !files.Healthy(ctx):
		return []check{{Name: "platform", Found: "process " + itoa(state.PID) + " does not answer", Fix: "humanops-mcp stop; its log is " + files.Log}}
	}
	status, err := p.askStatus(ctx, cfg)
	if err != nil {
		return []check{{Name: "platform", Found: err.Error(), Fix: "humanops-mcp stop; the next call starts it again"}}
	}
	checks := []check{{Name: "platform", OK: true, Found: "process " + itoa(state.PID) + ", " + status.PublicURL}}
	if status.Version != version() {
		checks[0].Found += ", version " + status.Version
		checks[0].OK, checks[0].Fix = false, "it is another version than this program ("+version()+"): humanops-mcp stop; the next call starts this one"
	}
	return append(checks, checkReach(status), checkJobs(status.JobsFailed), p.checkLedger(ctx, cfg))
}

// checkLedger lets the platform add up its books, and look whether what else it keeps fits.
func (p *program) checkLedger(ctx context.Context, cfg *config.Config) check {
	c := check{Name: "ledger", Fix: "keep a backup (humanops-mcp backup FILE) and report it: what is kept does not fit together"}
	owner, err := p.owner(ctx, cfg)
	if err != nil {
		c.Found, c.Fix = err.Error(), "humanops-mcp stop; the next call starts it again"
		return c
	}
	report, err := owner.GetCheck(ctx, schemas.CheckRequest{})
	switch {
	case err != nil:
		c.Found, c.Fix = "it could not be checked: "+err.Error(), "see the platform's log"
	case report.Exact:
		c.OK, c.Found = true, "exact"
	default:
		c.Found = report.Problem
	}
	return c
}

func checkReach(status schemas.PlatformStatus) check {
	people := status.PeopleInReach
	c := check{Name: "people", OK: people > 0, Found: itoa(people) + " can be reached", Fix: "humanops-mcp people add me"}
	if advice := phoneAdvice(status.PublicURL); c.OK && advice != "" {
		c.Found += ". " + advice
	}
	return c
}

func checkJobs(failed int) check {
	return check{Name: "jobs", OK: failed == 0, Found: itoa(failed) + " failed", Fix: "humanops-mcp jobs --state failed"}
}

func checkPort(ctx context.Context, cfg *config.Config) check {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return check{Name: "port", Found: cfg.Listen + " cannot be opened", Fix: "choose another with --listen, HUMANOPS_LISTEN, or listen in the configuration file"}
	}
	if err := listener.Close(); err != nil {
		return check{Name: "port", Found: err.Error()}
	}
	return check{Name: "port", OK: true, Found: cfg.Listen + " is free"}
}

func checkKeys(cfg *config.Config, files daemon.Files) check {
	c := check{Name: "keys"}
	if cfg.Remote() {
		c.OK, c.Found = cfg.Marketplace.APIKey != "", "for "+cfg.Marketplace.URL
		c.Fix = "set HUMANOPS_API_KEY, or let the agent call register_agent"
		return c
	}
	_, err := daemon.ReadCredentials(files.Credentials)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.OK, c.Found = true, "made on the first start"
	case err != nil:
		c.Found, c.Fix = err.Error(), "see above"
	default:
		c.OK, c.Found = true, files.Credentials
	}
	return c
}

func (p *program) checkClients() []check {
	machine, err := p.machine()
	if err != nil {
		return []check{{Name: "clients", Found: err.Error(), Fix: "set HOME"}}
	}
	var checks []check
	installed := 0
	for _, target := range install.Clients() {
		c := checkClient(target, machine)
		if c.OK {
			installed++
		}
		checks = append(checks, c)
	}
	if installed == 0 {
		checks = append(checks, check{Name: "clients", Found: "none is set up", Fix: "humanops-mcp install " + strings.Join(install.Names(), "|")})
	}
	return checks
}

func checkClient(target install.Client, machine install.Machine) check {
	c := check{Name: target.Name, Optional: true, Fix: "humanops-mcp install " + target.Name}
	path, err := target.Path(machine, false)
	if err == nil {
		c.Found, err = target.Installed(path)
	}
	switch {
	case err != nil:
		c.Optional, c.Found = false, err.Error()
	case c.Found == "":
		c.Found = "not set up"
	default:
		if _, err := exec.LookPath(c.Found); err != nil {
			c.Optional, c.Found = false, fmt.Sprintf("starts %s, which is not there", c.Found)
			return c
		}
		c.OK = true
	}
	return c
}
