package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"humanops-mcp/client"
	"humanops-mcp/schemas"
)

func (p *program) keysCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:     "keys",
		Short:   "Make, list and revoke keys for programs, and rotate the key that signs receipts",
		Example: "  humanops-mcp keys create --audience executor --name deployer\n  humanops-mcp keys list",
	}, p.keysCreateCommand(), p.keysListCommand(), p.keysRevokeCommand(), p.rotateCommand())
}

func (p *program) keysCreateCommand() *cobra.Command {
	var in schemas.CreateHouseKeyRequest
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make a key for an executor, or for an agent of yours",
		Long: `Make a key. It is shown once.

An executor's key uses approvals up, and nothing else: it belongs to the program that
carries an approved action out, and never to the agent that asks for it. The others are
keys of this installation's own agent, for reviews, for the marketplace, or for all.`,
		Example: `  humanops-mcp keys create --audience executor --name deployer
  humanops-mcp keys create --audience reviews --name n8n --scope requests:read --scope requests:write`,
		Args: noArguments,
		RunE: p.withOwner(func(ctx context.Context, c *client.Client, _ []string) error {
			key, err := c.CreateHouseKey(ctx, in)
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(key)
			}
			p.say("Key %s (%s, %s, %s). It is not shown again:\n\n  %s", key.ID, plain(key.Name), key.Audience, key.Mode, key.APIKey)
			return nil
		}),
	}
	cmd.Flags().StringVar(&in.Audience, "audience", "", "executor, reviews, marketplace or all (required)")
	cmd.Flags().StringVar(&in.Name, "name", "", "What it is for (required)")
	cmd.Flags().StringVar(&in.Mode, "mode", "", "live (the default), or test for simulated people")
	cmd.Flags().StringSliceVar(&in.Scopes, "scope", nil, "Of reviews: loops:read, loops:write, requests:read, requests:write; all when left out")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if in.Audience == "" || in.Name == "" {
			return &usageError{errors.New("keys create needs --audience (executor, reviews, marketplace or all) and --name"), cmd.CommandPath()}
		}
		return nil
	}
	return p.jsonFlag(cmd)
}

func (p *program) keysListCommand() *cobra.Command {
	var in schemas.PageRequest
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the keys that are in use: executors' and those of this installation's own agent",
		Example: "  humanops-mcp keys list\n  humanops-mcp keys list --json",
		Args:    noArguments,
		RunE: p.withOwner(func(ctx context.Context, c *client.Client, _ []string) error {
			keys, err := c.ListKeys(ctx, in)
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(keys)
			}
			return p.printKeys(keys)
		}),
	}
	cmd.Flags().IntVar(&in.Limit, "limit", 100, "How many, 1 to 100")
	cmd.Flags().StringVar(&in.Cursor, "cursor", "", "Go on where the last page ended")
	return p.jsonFlag(cmd)
}

func (p *program) printKeys(keys schemas.Page[schemas.Key]) error {
	rows := [][]string{{"ID", "NAME", "AUDIENCE", "MODE", "BEGINS WITH", "MADE", "LAST USED"}}
	for _, k := range keys.Data {
		used := "-"
		if k.LastUsedAt != nil {
			used = when(*k.LastUsedAt)
		}
		rows = append(rows, []string{k.ID, plain(k.Name), k.Audience, k.Mode, k.KeyPrefix, when(k.CreatedAt), used})
	}
	if err := p.table(rows); err != nil {
		return err
	}
	if next := keys.Pagination.NextCursor; next != "" {
		p.say("\n%d of %s. More: --cursor %s", len(keys.Data), keys.Pagination.Count(), next)
	}
	return nil
}

func (p *program) keysRevokeCommand() *cobra.Command {
	return p.jsonFlag(&cobra.Command{
		Use:     "revoke KEY_ID",
		Short:   "End a key at once",
		Long:    "End a key at once. Whatever comes with it from then on is refused.",
		Example: "  humanops-mcp keys revoke key_4f9c2b7e1a",
		Args:    arguments(cobra.ExactArgs(1), "one key id; see keys list"),
		RunE: p.withOwner(func(ctx context.Context, c *client.Client, args []string) error {
			out, err := c.RevokeKey(ctx, schemas.RevokeKeyRequest{KeyID: args[0]})
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(out)
			}
			p.say("Key %s is revoked.", out.ID)
			return nil
		}),
	})
}

func (p *program) rotateCommand() *cobra.Command {
	return p.jsonFlag(&cobra.Command{
		Use:     "rotate-receipt-key",
		Short:   "Retire the key that signs receipts and make a new one",
		Long:    "Retire the key that signs receipts and make a new one. What the old one signed stays verifiable:\nits public half is published on.",
		Example: "  humanops-mcp keys rotate-receipt-key",
		Args:    noArguments,
		RunE: p.withOwner(func(ctx context.Context, c *client.Client, _ []string) error {
			keys, err := c.RotateReceiptKey(ctx)
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(keys)
			}
			rows := [][]string{{"KEY", "MADE", "RETIRED"}}
			for _, k := range keys.Keys {
				retired := "-"
				if k.RetiredAt != nil {
					retired = when(*k.RetiredAt)
				}
				rows = append(rows, []string{k.KeyID, when(k.CreatedAt), retired})
			}
			return p.table(rows)
		}),
	})
}
