package app

import (
	"context"
	"time"

	"humanops-mcp/internal/job"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/upload"
)

// sweepKind removes files that nobody knows: uploads that were refused or cut off.
const sweepKind job.Kind[struct{}] = "proof.sweep"

const (
	sweepAttempts = 2
	orphanAge     = 24 * time.Hour
)

func (a *App) registerSweep() {
	sweepKind.HandleEffect(a.runner, sweepAttempts, a.sweepBlobs, nil)
	a.runner.Every("proof.sweep.hourly", time.Hour, func(ctx context.Context, tx *store.Tx) error {
		return sweepKind.Enqueue(ctx, tx, struct{}{}, job.Options{UniqueKey: string(sweepKind)})
	})
}

func (a *App) sweepBlobs(ctx context.Context, _ job.Job[struct{}]) (job.Finish, error) {
	removed, err := a.blobs.Sweep(ctx, a.opts.Clock.Now().Add(-orphanAge), func(ctx context.Context, sha string) (used bool, err error) {
		err = a.store.Read(ctx, func(tx *store.Tx) error {
			for _, uses := range []func(context.Context, *store.Tx, string) (bool, error){a.tasks.UsesBlob, upload.UsesBlob} {
				if used, err = uses(ctx, tx, sha); used || err != nil {
					return err
				}
			}
			return nil
		})
		return used, err
	})
	if removed > 0 {
		a.opts.Logger.InfoContext(ctx, "removed files that belong to no submission and no upload", "files", removed)
	}
	return nil, err
}
