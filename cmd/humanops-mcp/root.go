package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/config"
	"humanops-mcp/schemas"
)

const (
	exitOK = iota
	exitFailed
	exitUsage
)

// program is one run of the command line and the world it runs in.
type program struct {
	env            []string
	stdin          io.Reader
	stdout, stderr io.Writer
	clock          clock.Clock
	configFile     string
	json           bool
	version        bool
}

// usageError is a command line that cannot be understood.
type usageError struct {
	err     error
	command string
}

func (e *usageError) Error() string { return e.err.Error() }

// errSilent ends with a failure that has been reported already.
var errSilent = errors.New("reported")

// run executes one command line and returns the exit code: 0 done, 1 failed, 2 not
// understood.
func run(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p := &program{env: env, stdin: stdin, stdout: stdout, stderr: stderr, clock: clock.System()}
	root := p.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return p.report(root.ExecuteContext(ctx))
}

func (p *program) report(err error) int {
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errSilent):
		return exitFailed
	case errors.As(err, &usage):
		fmt.Fprintf(p.stderr, "humanops-mcp: %s\nSee: %s --help\n", usage.Error(), usage.command)
		return exitUsage
	}
	fmt.Fprintf(p.stderr, "humanops-mcp: %s\n", sentence(err))
	return exitFailed
}

// sentence words an error for a terminal; several problems go on a line each.
func sentence(err error) string {
	var e *schemas.Error
	if !errors.As(err, &e) || len(e.Fields) == 0 || e.Message == "" {
		return err.Error()
	}
	var b strings.Builder
	b.WriteString(e.Message + ":")
	for _, f := range e.Fields {
		b.WriteString("\n  " + f.Field + " " + f.Message)
	}
	return b.String()
}

const rootLong = `humanops-mcp gives AI agents people.

An agent posts a task, a person does it and proves it with photos, the agent looks at
the proof and decides, and the reward is paid. Or an agent asks before it acts, and people
approve, refuse or answer. Without any configuration this program is
the whole platform; every MCP client on this computer shares it.

Begin with:
  humanops-mcp demo                     see a task's whole life, with a simulated person
  humanops-mcp people add me            a link for your own phone
  humanops-mcp reviews list             what agents ask you to decide
  humanops-mcp install claude-desktop   or claude-code, cursor, vscode`

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "humanops-mcp",
		Short:         "Give AI agents people",
		Long:          rootLong,
		Example:       "  humanops-mcp serve\n  humanops-mcp people add me\n  humanops-mcp install claude-code",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArguments,
		RunE:          p.bare,
	}
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return &usageError{err, c.CommandPath()} })
	root.PersistentFlags().StringVar(&p.configFile, "config", "", "Configuration file (default ~/.config/humanops-mcp/config.yaml)")
	// Cobra's own flag would bring text/template into the program, and with it every method
	// that a template could name: 8 MB.
	root.Flags().BoolVarP(&p.version, "version", "v", false, "version for humanops-mcp")
	config.AddFlags(root.PersistentFlags(), "all")
	config.AddFlags(root.Flags(), "stdio")
	root.AddCommand(p.serveCommand(), p.stdioCommand(), p.statusCommand(), p.stopCommand(), p.installCommand(), p.uninstallCommand(),
		p.doctorCommand(), p.checkCommand(), p.peopleCommand(), p.tasksCommand(), p.jobsCommand(), p.demoCommand(), p.configCommand(), p.backupCommand(), p.verifyCommand(),
		p.reviewsCommand(), p.loopsCommand(), p.keysCommand(), p.hookCommand(), p.versionCommand())
	return root
}

// bare is the program without a command: MCP when a client starts it, help for a person.
func (p *program) bare(cmd *cobra.Command, _ []string) error {
	if p.version {
		p.say("humanops-mcp %s", version())
		return nil
	}
	if file, ok := p.stdin.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return cmd.Help()
	}
	return p.runStdio(cmd)
}

// noArguments refuses arguments, and helps with a misspelt command.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !cmd.HasSubCommands() {
		return &usageError{fmt.Errorf("%s takes no arguments; got %q", cmd.CommandPath(), args[0]), cmd.CommandPath()}
	}
	hint := ""
	if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
		hint = "; did you mean " + strings.Join(similar, " or ") + "?"
	}
	return &usageError{fmt.Errorf("%q is not a command of %s%s", args[0], cmd.CommandPath(), hint), cmd.CommandPath()}
}

// arguments turns cobra's complaint about arguments into a usage error.
func arguments(check cobra.PositionalArgs, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return &usageError{fmt.Errorf("%s needs %s", cmd.CommandPath(), what), cmd.CommandPath()}
		}
		return nil
	}
}

// group is a command that only holds others.
func group(cmd *cobra.Command, sub ...*cobra.Command) *cobra.Command {
	cmd.Args = noArguments
	cmd.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	cmd.AddCommand(sub...)
	return cmd
}

// load reads the configuration and says what looks like a mistake.
func (p *program) load(cmd *cobra.Command) (*config.Config, error) {
	cfg, warnings, err := config.Load(config.Source{File: p.configFile, Env: p.env, Flags: cmd.Flags()})
	for _, w := range warnings {
		fmt.Fprintf(p.stderr, "humanops-mcp: warning: %s\n", w)
	}
	return cfg, err
}

func (p *program) logger(cfg *config.Config) *slog.Logger {
	level := slog.LevelInfo
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		level = slog.LevelInfo // the configuration was checked
	}
	return slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: level}))
}

func (p *program) jsonFlag(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().BoolVar(&p.json, "json", false, "Answer in JSON, for programs")
	return cmd
}
