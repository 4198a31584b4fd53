package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"humanops-mcp/internal/config"
)

func (p *program) hookCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:     "hook",
		Short:   "Have a person approve what a coding agent is about to do",
		Example: "  humanops-mcp hook claude-code --print-settings",
	}, p.claudeCodeCommand())
}

const hookLong = `A PreToolUse hook for Claude Code: before a tool runs, people of a loop see the exact call
and allow or deny it. The approval is a signed receipt over exactly this call; it is checked
and used up here, once, with the executor's key of this computer.

It fails closed. Whatever goes wrong (nobody answers, the platform is down, a reviewer
changed the arguments) denies the call and says why. What only Claude Code can see, a hook
that it could not start or that it killed, is denied by onFailure in the settings that
--print-settings prints; that needs Claude Code 2.1.295 or newer.

--match narrows Bash to the commands that a regular expression finds; the others go the
ordinary way of Claude Code's permissions. It is a convenience and no fence: a shell has many
ways to say the same.`

const (
	defaultHookTime = 10 * time.Minute
	maxHookInput    = 1 << 20
	// hookMargin is what Claude Code gives the hook beyond its own time, to say no.
	hookMargin = time.Minute
)

// hookOptions are the flags.
type hookOptions struct {
	loop, match, matcher string
	timeout              time.Duration
	print                bool
}

func (p *program) claudeCodeCommand() *cobra.Command {
	var o hookOptions
	cmd := &cobra.Command{
		Use:   "claude-code",
		Short: "A PreToolUse hook for Claude Code that asks people first",
		Long:  hookLong,
		Example: `  humanops-mcp hook claude-code --print-settings
  humanops-mcp hook claude-code --print-settings --matcher 'Bash|Write|Edit' --loop payments --timeout 30m
  humanops-mcp hook claude-code --match '\b(rm|git push|terraform apply)\b'`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.print {
				return p.printSettings(cmd, o)
			}
			return p.runHook(cmd, o)
		},
	}
	cmd.Flags().StringVar(&o.loop, "loop", "default", "Who is asked: a loop's slug or id")
	cmd.Flags().DurationVar(&o.timeout, "timeout", defaultHookTime, "How long people have, 1m to 24h")
	cmd.Flags().StringVar(&o.match, "match", "", "Ask only about Bash commands in which this regular expression is found")
	cmd.Flags().BoolVar(&o.print, "print-settings", false, "Print the entry for Claude Code's settings.json")
	cmd.Flags().StringVar(&o.matcher, "matcher", "Bash", "For --print-settings: the tools to ask about")
	return cmd
}

// hookInput is what Claude Code says about the call.
type hookInput struct {
	Event          string          `json:"hook_event_name"`
	Tool           string          `json:"tool_name"`
	Input          json.RawMessage `json:"tool_input"`
	SessionID      string          `json:"session_id"`
	Folder         string          `json:"cwd"`
	PermissionMode string          `json:"permission_mode"`
}

// verdict is what the hook says about the call.
type verdict struct {
	allow  bool
	silent bool // the call is none that is asked about
	reason string
}

func deny(format string, args ...any) verdict {
	return verdict{reason: fmt.Sprintf(format, args...)}
}

// runHook asks people and answers Claude Code. The answer is JSON with exit code 0; where
// not even that is possible the exit code is 2, which denies too. No other exit code may
// leave here: Claude Code takes it for a broken hook and runs the tool.
func (p *program) runHook(cmd *cobra.Command, o hookOptions) error {
	v := p.judge(cmd, o)
	if v.silent {
		return nil
	}
	decision := either(v.allow, "allow", "deny")
	err := p.printJSON(map[string]any{"hookSpecificOutput": map[string]any{
		"hookEventName": "PreToolUse", "permissionDecision": decision, "permissionDecisionReason": v.reason,
	}})
	if err != nil {
		return &usageError{fmt.Errorf("denied: the answer cannot be written: %w", err), cmd.CommandPath()}
	}
	return nil
}

// judge never panics and never fails: whatever happens is a verdict.
func (p *program) judge(cmd *cobra.Command, o hookOptions) (v verdict) {
	defer func() {
		if recover() != nil {
			v = deny("Denied: the approval hook broke.")
		}
	}()
	in, err := p.readHook()
	if err != nil {
		return deny("Denied: %v.", err)
	}
	asked, err := o.asks(in)
	if err != nil {
		return deny("Denied: %v.", err)
	}
	if !asked {
		return verdict{silent: true}
	}
	cfg, err := p.load(cmd)
	if err != nil {
		return deny("Denied: %v.", err)
	}
	g, err := p.newGate(cmd.Context(), cfg, o, in)
	if err != nil {
		return deny("Denied, because nobody could be asked: %v.", err)
	}
	return g.judge(cmd.Context())
}

func (p *program) readHook() (hookInput, error) {
	var in hookInput
	raw, err := io.ReadAll(io.LimitReader(p.stdin, maxHookInput+1))
	switch {
	case err != nil:
		return in, fmt.Errorf("the call cannot be read: %w", err)
	case len(raw) > maxHookInput:
		return in, errors.New("the call is larger than 1 MiB, which nobody can look through")
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return in, fmt.Errorf("the call cannot be read: %w", err)
	}
	if in.Event != "PreToolUse" || in.Tool == "" {
		return in, fmt.Errorf("this is a PreToolUse hook, and the event is %.40q; mend it with: humanops-mcp hook claude-code --print-settings", in.Event)
	}
	return in, nil
}

// asks tells whether people are asked about the call.
func (o hookOptions) asks(in hookInput) (bool, error) {
	if o.timeout < time.Minute || o.timeout > 24*time.Hour {
		return true, fmt.Errorf("--timeout must be between 1m and 24h; got %s", o.timeout)
	}
	if o.match == "" {
		return true, nil
	}
	found, err := regexp.Compile(o.match)
	if err != nil {
		return true, fmt.Errorf("--match is no regular expression: %w", err)
	}
	command, ok := in.command()
	return !ok || in.Tool != "Bash" || found.MatchString(command), nil
}

// command is what a shell would run, by its exact name: a struct would take any case of it.
func (in hookInput) command() (string, bool) {
	var arguments map[string]json.RawMessage
	var command string
	ok := json.Unmarshal(in.Input, &arguments) == nil && json.Unmarshal(arguments["command"], &command) == nil
	return command, ok
}

// printSettings prints what belongs into settings.json.
func (p *program) printSettings(cmd *cobra.Command, o hookOptions) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	if _, err := o.asks(hookInput{}); err != nil {
		return &usageError{err, cmd.CommandPath()}
	}
	words := []string{program, "hook", "claude-code", "--loop", o.loop, "--timeout", o.timeout.String()}
	if o.match != "" {
		words = append(words, "--match", o.match)
	}
	for _, flag := range []string{"config", config.FlagName("data_dir")} {
		if f := cmd.Flags().Lookup(flag); f != nil && f.Changed {
			words = append(words, "--"+flag, f.Value.String())
		}
	}
	for i := range words {
		words[i] = shellQuote(words[i])
	}
	hook := map[string]any{"type": "command", "command": strings.Join(words, " "), "timeout": int((o.timeout + hookMargin).Seconds()), "onFailure": "block"}
	return p.printJSON(map[string]any{"hooks": map[string]any{
		"PreToolUse": []any{map[string]any{"matcher": o.matcher, "hooks": []any{hook}}},
	}})
}

var plainWord = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z0-9_./:=@%+,-]+$`)
})

// shellQuote writes a word so that a shell reads it as it is.
func shellQuote(word string) string {
	if plainWord().MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
