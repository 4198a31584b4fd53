package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"humanops-mcp/client"
	"humanops-mcp/internal/codec"
	"humanops-mcp/schemas"
)

func (p *program) loopsCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:     "loops",
		Short:   "Make loops, the circles of people who decide reviews, and say how they work",
		Example: "  humanops-mcp loops list\n  humanops-mcp loops invite default --qr",
	}, p.loopsListCommand(), p.loopsAddCommand(), p.loopsShowCommand(), p.loopsInviteCommand(), p.loopsMembersCommand(), p.loopsSetCommand())
}

const oneLoop = "one loop, by slug or id; see loops list"

func (p *program) loopsListCommand() *cobra.Command {
	return p.jsonFlag(&cobra.Command{
		Use:     "list",
		Short:   "List the loops",
		Example: "  humanops-mcp loops list\n  humanops-mcp loops list --json",
		Args:    noArguments,
		RunE: p.withOwner(func(ctx context.Context, c *client.Client, _ []string) error {
			loops := []schemas.Loop{}
			in := schemas.ListLoopsRequest{Limit: 100}
			for {
				page, err := c.ListLoops(ctx, in)
				if err != nil {
					return err
				}
				loops = append(loops, page.Loops...)
				if in.Cursor = page.NextCursor; in.Cursor == "" {
					break
				}
			}
			if p.json {
				return p.printJSON(loops)
			}
			rows := [][]string{{"SLUG", "NAME", "MEMBERS", "WAITING", "ID"}}
			for _, l := range loops {
				rows = append(rows, []string{l.Slug, plain(l.Name), itoa(l.MemberCount), itoa(l.PendingCount), l.ID})
			}
			return p.table(rows)
		}),
	})
}

func (p *program) loopsAddCommand() *cobra.Command {
	var in schemas.CreateLoopRequest
	cmd := &cobra.Command{
		Use:     "add NAME",
		Short:   "Make a loop of the house, with you in it",
		Example: "  humanops-mcp loops add \"Content moderation\" --slug content_moderation",
		Args:    arguments(cobra.ExactArgs(1), "one name"),
		RunE: p.withOwner(func(ctx context.Context, c *client.Client, args []string) error {
			in.Name = args[0]
			out, err := c.CreateLoop(ctx, in)
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(out)
			}
			p.say("Loop %s (%s) is there. Invite people: humanops-mcp loops invite %s --qr", out.Loop.Slug, out.Loop.ID, out.Loop.Slug)
			return nil
		}),
	}
	cmd.Flags().StringVar(&in.Slug, "slug", "", "Stands for the id everywhere; made from the name when left out")
	cmd.Flags().StringVar(&in.Description, "description", "", "What is decided in it")
	cmd.Flags().StringVar(&in.Icon, "icon", "", "An emoji or an icon's name")
	return p.jsonFlag(cmd)
}

func (p *program) loopsShowCommand() *cobra.Command {
	return p.jsonFlag(&cobra.Command{
		Use:     "show LOOP",
		Short:   "Show a loop, its settings and what keeps its people from being reached",
		Example: "  humanops-mcp loops show default",
		Args:    arguments(cobra.ExactArgs(1), oneLoop),
		RunE: p.withOwner(func(ctx context.Context, c *client.Client, args []string) error {
			out, err := c.GetLoop(ctx, schemas.LoopRequest{LoopID: args[0]})
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(out)
			}
			return p.printLoop(out.Loop)
		}),
	})
}

func (p *program) printLoop(l schemas.Loop) error {
	settings, err := json.Marshal(l.Settings)
	if err != nil {
		return err
	}
	rows := [][]string{
		{"loop", l.Slug + " (" + l.ID + ")"}, {"name", plain(l.Name)}, {"description", plain(l.Description)},
		{"members", itoa(l.MemberCount) + ", " + itoa(l.PendingCount) + " waiting to be admitted"}, {"settings", string(settings)},
	}
	for _, problem := range l.Problems {
		rows = append(rows, []string{"problem", plain(problem)})
	}
	return p.table(rows)
}

func (p *program) loopsInviteCommand() *cobra.Command {
	var qr bool
	cmd := &cobra.Command{
		Use:     "invite LOOP",
		Short:   "Make a code with which people join a loop at once",
		Example: "  humanops-mcp loops invite default\n  humanops-mcp loops invite default --qr",
		Args:    arguments(cobra.ExactArgs(1), oneLoop),
		RunE: p.withOwner(func(ctx context.Context, c *client.Client, args []string) error {
			out, err := c.CreateInvitation(ctx, schemas.LoopRequest{LoopID: args[0]})
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(out)
			}
			p.say("Whoever opens this before %s joins the loop. Give it to nobody else:\n\n  %s\n", when(out.ExpiresAt), out.JoinURL)
			p.say("Code: %s", out.InviteCode)
			if !qr {
				return nil
			}
			return p.printQR(out.JoinURL)
		}),
	}
	cmd.Flags().BoolVar(&qr, "qr", false, "Draw the address as a QR code too")
	return p.jsonFlag(cmd)
}

func (p *program) loopsMembersCommand() *cobra.Command {
	var add, remove []string
	cmd := &cobra.Command{
		Use:   "members LOOP",
		Short: "List a loop's members; admit, add or remove people",
		Example: `  humanops-mcp loops members default
  humanops-mcp loops members default --add Ada
  humanops-mcp loops members default --remove Grace`,
		Args: arguments(cobra.ExactArgs(1), oneLoop),
		RunE: p.withOwner(func(ctx context.Context, c *client.Client, args []string) error {
			for _, name := range add {
				if _, err := c.AddMember(ctx, schemas.AddMemberRequest{LoopID: args[0], UserID: name}); err != nil {
					return err
				}
			}
			for _, name := range remove {
				if _, err := c.RemoveMember(ctx, schemas.MemberRequest{LoopID: args[0], UserID: name}); err != nil {
					return err
				}
			}
			return p.printMembers(ctx, c, args[0])
		}),
	}
	cmd.Flags().StringArrayVar(&add, "add", nil, "Add this person, or admit who waits; by name or id, may be repeated")
	cmd.Flags().StringArrayVar(&remove, "remove", nil, "Remove this person; what they had claimed returns to the others")
	return p.jsonFlag(cmd)
}

func (p *program) printMembers(ctx context.Context, c *client.Client, loop string) error {
	list, err := c.ListMembers(ctx, schemas.LoopRequest{LoopID: loop})
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(list)
	}
	rows := [][]string{{"NAME", "ID", "STATUS", "ROLE", "PASSKEY", "MAIL"}}
	for _, m := range list.Members {
		rows = append(rows, []string{plain(m.Name), m.UserID, m.Status, m.Role, either(m.Passkey, "yes", "no"), plain(m.Email)})
	}
	return p.table(rows)
}

const setLong = `Change a loop: name, description, icon, or a setting. What is not named stays as it is.

Settings: fail_closed, passkey, accept_unattended (true or false), routing (broadcast,
round_robin, least_loaded), lease_seconds, claim_seconds, decide_seconds, warn_seconds (a
number, or a length of time such as 10m), review_mode.mode (first, all, quorum),
review_mode.threshold, review_mode.of, escalation (JSON). An empty value takes a setting away.

Once a loop demands passkeys, its settings change only on the page, with a passkey.`

func (p *program) loopsSetCommand() *cobra.Command {
	return p.jsonFlag(&cobra.Command{
		Use:   "set LOOP KEY=VALUE...",
		Short: "Change a loop's name or settings",
		Long:  setLong,
		Example: `  humanops-mcp loops set payments fail_closed=true decide_seconds=30m
  humanops-mcp loops set payments review_mode.mode=quorum review_mode.threshold=2
  humanops-mcp loops set payments 'escalation=[{"steps":[{"after_seconds":900,"to":["owner"]}]}]'`,
		Args: arguments(cobra.MinimumNArgs(2), "a loop and at least one KEY=VALUE, such as fail_closed=true"),
		RunE: p.withOwner(func(ctx context.Context, c *client.Client, args []string) error {
			now, err := c.GetLoop(ctx, schemas.LoopRequest{LoopID: args[0]})
			if err != nil {
				return err
			}
			change, err := loopChange(args[0], now.Loop.Settings, args[1:])
			if err != nil {
				return err
			}
			out, err := c.UpdateLoop(ctx, change)
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(out)
			}
			return p.printLoop(out.Loop)
		}),
	})
}

// loopChange puts KEY=VALUE pairs over the settings there are.
func loopChange(loop string, now schemas.LoopSettings, pairs []string) (schemas.UpdateLoopRequest, error) {
	out := schemas.UpdateLoopRequest{LoopID: loop}
	texts := map[string]**string{"name": &out.Name, "description": &out.Description, "icon": &out.Icon}
	settings, err := membersOf(now)
	if err != nil {
		return out, err
	}
	changed := false
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return out, fmt.Errorf("%q is not KEY=VALUE. Example: fail_closed=true", pair)
		}
		if text, is := texts[key]; is {
			*text = &value
			continue
		}
		if err := setMember(settings, strings.Split(key, "."), value); err != nil {
			return out, err
		}
		changed = true
	}
	if !changed {
		return out, nil
	}
	raw, err := json.Marshal(settings)
	if err != nil {
		return out, err
	}
	out.Settings = &schemas.LoopSettings{}
	_, err = codec.Decode(raw, out.Settings, codec.Options{Strict: true})
	return out, err
}

func membersOf(v any) (map[string]any, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	members := map[string]any{}
	return members, json.Unmarshal(raw, &members)
}

// setMember sets a member by its dotted name; an empty value takes it away.
func setMember(into map[string]any, path []string, value string) error {
	if len(path) > 1 {
		inner, ok := into[path[0]].(map[string]any)
		if !ok {
			inner = map[string]any{}
			into[path[0]] = inner
		}
		return setMember(inner, path[1:], value)
	}
	key := path[0]
	if key == "" {
		return errors.New("a key is missing before the =. Example: fail_closed=true")
	}
	if value == "" {
		delete(into, key)
		return nil
	}
	into[key] = settingOf(key, value)
	return nil
}

// settingOf reads a value: a length of time for seconds, else JSON, else a word.
func settingOf(key, value string) any {
	if d, err := time.ParseDuration(value); err == nil && strings.HasSuffix(key, "_seconds") {
		return int(d.Seconds())
	}
	var parsed any
	if json.Unmarshal([]byte(value), &parsed) == nil {
		return parsed
	}
	return value
}
