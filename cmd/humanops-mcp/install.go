package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"humanops-mcp/internal/config"
	"humanops-mcp/internal/install"
)

func (p *program) installCommand() *cobra.Command {
	var show, project bool
	cmd := &cobra.Command{
		Use:   "install " + strings.Join(install.Names(), "|"),
		Short: "Add this program to an MCP client's configuration",
		Long: `Add this program to an MCP client's configuration. Everything else in the file stays as it
is, a backup is kept beside it, and doing it twice changes nothing.`,
		Example: `  humanops-mcp install claude-desktop
  humanops-mcp install claude-code --project
  humanops-mcp install vscode --print`,
		ValidArgs: install.Names(),
		Args:      arguments(cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs), "one client: "+strings.Join(install.Names(), ", ")+". For any other, put this program with the argument stdio into its own configuration"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := p.load(cmd)
			if err != nil {
				return err
			}
			return p.install(cfg, args[0], show, project)
		},
	}
	cmd.Flags().BoolVar(&show, "print", false, "Only print the entry; change nothing")
	cmd.Flags().BoolVar(&project, "project", false, "Add it to the project in this folder, not for every project")
	return cmd
}

func (p *program) uninstallCommand() *cobra.Command {
	var project bool
	cmd := &cobra.Command{
		Use:       "uninstall " + strings.Join(install.Names(), "|"),
		Short:     "Take this program out of an MCP client's configuration",
		Example:   "  humanops-mcp uninstall cursor",
		ValidArgs: install.Names(),
		Args:      arguments(cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs), "one client: "+strings.Join(install.Names(), ", ")),
		RunE: func(_ *cobra.Command, args []string) error {
			target, path, err := p.target(args[0], project)
			if err != nil {
				return err
			}
			change, err := target.Uninstall(path)
			if err != nil {
				return err
			}
			return p.apply(target, change, "is not in")
		},
	}
	cmd.Flags().BoolVar(&project, "project", false, "Take it out of the project in this folder")
	return cmd
}

func (p *program) install(cfg *config.Config, name string, show, project bool) error {
	target, path, err := p.target(name, project)
	if err != nil {
		return err
	}
	entry, err := p.entry(cfg)
	if err != nil {
		return err
	}
	p.keepSecrets(&entry, project && !show)
	if show {
		snippet, err := target.Snippet(entry)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.stderr, "This goes into %s:\n", path)
		fmt.Fprint(p.stdout, snippet)
		return nil
	}
	change, err := target.Install(path, entry)
	if err != nil {
		return err
	}
	return p.apply(target, change, "is already in")
}

func (p *program) target(name string, project bool) (install.Client, string, error) {
	target, err := install.Find(name)
	if err != nil {
		return target, "", err
	}
	machine, err := p.machine()
	if err != nil {
		return target, "", err
	}
	path, err := target.Path(machine, project)
	return target, path, err
}

func (p *program) machine() (install.Machine, error) {
	env := environment(p.env)
	home := env["HOME"]
	if runtime.GOOS == "windows" {
		home = env["USERPROFILE"]
	}
	if home == "" {
		return install.Machine{}, errors.New("the home folder is not known, so neither is the client's configuration; set HOME")
	}
	dir, err := os.Getwd()
	return install.Machine{OS: runtime.GOOS, Home: home, Env: env, Dir: dir}, err
}

func environment(pairs []string) map[string]string {
	env := map[string]string{}
	for _, pair := range pairs {
		if name, value, ok := strings.Cut(pair, "="); ok {
			env[name] = value
		}
	}
	return env
}

// entry is how a client starts this program: with what the user set beyond the
// defaults, since a desktop program does not see a terminal's environment.
func (p *program) entry(cfg *config.Config) (install.Entry, error) {
	program, err := os.Executable()
	if err != nil {
		return install.Entry{}, err
	}
	if strings.Contains(filepath.ToSlash(program), "/go-build") {
		return install.Entry{}, errors.New("this program runs from a temporary folder that go run removes. Build it to a place where it stays (go build -o ~/bin/humanops-mcp ./cmd/humanops-mcp) and run install from there")
	}
	entry := install.Entry{Command: program, Args: []string{"stdio"}, Env: p.connection()}
	env := environment(p.env)
	if cfg.Set("data_dir") || env["XDG_DATA_HOME"] != "" {
		entry.Args = append(entry.Args, "--data-dir", cfg.DataDir)
	}
	if file := cfg.File(); file != "" && (p.configFile != "" || env[config.ConfigEnv] != "" || env["XDG_CONFIG_HOME"] != "") {
		entry.Args = append(entry.Args, "--config", file)
	}
	return entry, nil
}

// keepSecrets takes keys out of an entry for a project: its file is shared with others,
// mostly through version control. Elsewhere they make the file private.
func (p *program) keepSecrets(entry *install.Entry, shared bool) {
	for _, name := range config.SecretEnv() {
		switch _, ok := entry.Env[name]; {
		case ok && !shared:
			entry.Private = true
		case ok:
			delete(entry.Env, name)
			fmt.Fprintf(p.stderr, "humanops-mcp: %s is not written into a project's file, which others can read. Set it in the environment of the client, or in config.yaml.\n", name)
		}
	}
}

// connection is what the environment says about the marketplace to use.
func (p *program) connection() map[string]string {
	wanted := map[string]bool{}
	for _, name := range config.FrontEnv() {
		wanted[name] = true
	}
	out := map[string]string{}
	for _, pair := range p.env {
		if name, value, _ := strings.Cut(pair, "="); wanted[name] && value != "" {
			out[name] = value
		}
	}
	return out
}

func (p *program) apply(target install.Client, change install.Change, already string) error {
	if !change.Needed() {
		p.say("%s %s %s; nothing was changed.", install.Name, already, change.Path)
		return nil
	}
	backup, err := change.Apply(p.clock.Now().Local())
	if err != nil {
		return fmt.Errorf("%s could not be changed: %w", change.Path, err)
	}
	p.say("Changed %s.", change.Path)
	if backup != "" {
		p.say("Its backup, as it was before: %s", backup)
	}
	p.say("%s", target.Restart)
	return nil
}
