package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"humanops-mcp/client"
)

func (p *program) backupCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write a consistent copy of the database and all files",
		Long: `Write a consistent copy of the database and all proof files, as a tar archive, while the
platform goes on working. The credentials file is not in it; keep a copy of that apart,
because stored secrets cannot be read without its master key.`,
		Example: "  humanops-mcp backup humanops.tar",
		Args:    arguments(cobra.ExactArgs(1), "one file to write"),
		RunE: p.withOwner(func(ctx context.Context, c *client.Client, args []string) error {
			return p.backup(ctx, c, args[0], force)
		}),
	}
	cmd.Flags().BoolVar(&force, "force", false, "Replace the file when it exists")
	return cmd
}

// backup writes beside the file and renames, so that FILE is never half a backup.
func (p *program) backup(ctx context.Context, c *client.Client, path string, force bool) (err error) {
	if _, err := os.Lstat(path); err == nil && !force {
		return fmt.Errorf("%s exists; choose another name or use --force", path)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".backup-*")
	if err != nil {
		return fmt.Errorf("the backup cannot be written there: %w", err)
	}
	defer func() {
		if removed := os.Remove(temp.Name()); !errors.Is(removed, fs.ErrNotExist) {
			err = errors.Join(err, removed)
		}
	}()
	size, err := download(ctx, c, temp)
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return fmt.Errorf("the backup is not complete and was removed: %w", err)
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return err
	}
	p.say("Wrote %s (%s). Keep a copy of the credentials file apart from it.", path, humanize.Bytes(uint64(size))) //nolint:gosec // a size is not negative
	return nil
}

func download(ctx context.Context, c *client.Client, w io.Writer) (int64, error) {
	content, err := c.GetBackup(ctx)
	if err != nil {
		return 0, err
	}
	size, err := io.Copy(w, content.Body)
	return size, errors.Join(err, content.Body.Close())
}
