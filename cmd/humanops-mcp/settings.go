package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"humanops-mcp/internal/config"
)

func (p *program) configCommand() *cobra.Command {
	var example bool
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show every setting, its value and where it came from",
		Long: `Show every setting, its value and where it came from: a flag, an environment variable,
the file, or the default. Secrets are not shown.`,
		Example: `  humanops-mcp config
  humanops-mcp config --json
  humanops-mcp config --example > ~/.config/humanops-mcp/config.yaml`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if example {
				_, err := fmt.Fprint(p.stdout, config.Example())
				return err
			}
			cfg, err := p.load(cmd)
			if err != nil {
				return err
			}
			return p.printConfig(cfg)
		},
	}
	cmd.Flags().BoolVar(&example, "example", false, "Print a configuration file with every key, its default and its meaning")
	return p.jsonFlag(cmd)
}

func (p *program) printConfig(cfg *config.Config) error {
	values := cfg.Effective()
	if p.json {
		return p.printJSON(map[string]any{"file": cfg.File(), "settings": values})
	}
	if cfg.File() == "" {
		p.say("There is no configuration file; humanops-mcp config --example prints one for ~/.config/humanops-mcp/config.yaml.\n")
	} else {
		p.say("The configuration file is %s.\n", cfg.File())
	}
	rows := [][]string{{"KEY", "VALUE", "FROM"}}
	for _, v := range values {
		value := v.Value
		if value == "" {
			value = "-"
		}
		rows = append(rows, []string{v.Key, plain(value), v.Source})
	}
	return p.table(rows)
}
