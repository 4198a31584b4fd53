package app

import (
	"context"
	"errors"
	"strconv"
	"time"

	"humanops-mcp/internal/event"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
)

const (
	heartbeatFact     = "heartbeat"
	heartbeatInterval = 20 * time.Second
	// A shorter gap is a restart, not an outage that cost people time.
	downtimeThreshold = 2 * time.Minute
)

// resume makes what reviews need to be there, takes up what a platform that ended left
// behind, and gives people back the time that it was down.
func (a *App) resume(ctx context.Context) error {
	if err := a.changes.Resume(ctx); err != nil { // of a start that was cut off
		return err
	}
	if err := a.store.Write(ctx, func(tx *store.Tx) error { return a.takeUp(ctx, tx) }); err != nil {
		return err
	}
	if err := a.changes.Resume(ctx); err != nil {
		return err
	}
	// Whoever is asked anew has the time that is left after that.
	return a.store.Write(ctx, func(tx *store.Tx) error { return a.tasks.AskForWaiting(ctx, tx) })
}

func (a *App) takeUp(ctx context.Context, tx *store.Tx) error {
	if err := a.reclaim(ctx, tx); err != nil {
		return err
	}
	if err := a.loops.EnsureLoops(ctx, tx); err != nil {
		return err
	}
	if err := a.receipts.EnsureKey(ctx, tx); err != nil {
		return err
	}
	if err := a.extend(ctx, tx); err != nil {
		return err
	}
	return beat(ctx, tx)
}

// reclaim spares the jobs of a killed platform the wait for their leases. PostgreSQL may
// have other replicas at work, so there the leases decide.
func (a *App) reclaim(ctx context.Context, tx *store.Tx) error {
	if a.store.Kind() != "sqlite" {
		return nil
	}
	return errors.Join(job.Reclaim(ctx, tx), event.Reclaim(ctx, tx))
}

// extend plans to move the clocks by the time that the platform was down. Of replicas that
// start together only the first finds the old heartbeat.
func (a *App) extend(ctx context.Context, tx *store.Tx) error {
	last, err := tx.LockFact(ctx, heartbeatFact)
	if store.NotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	micros, err := strconv.ParseInt(last, 10, 64)
	if err != nil {
		return err
	}
	down := tx.Now().Sub(store.Time(micros))
	if down < downtimeThreshold {
		return nil
	}
	a.opts.Logger.Info("deadlines move by the time the platform was down", "downtime", down.Round(time.Second).String())
	return a.changes.Extend(ctx, tx, down)
}

func (a *App) heartbeat(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-a.opts.Clock.After(heartbeatInterval):
		}
		err := a.store.Write(ctx, func(tx *store.Tx) error { return beat(ctx, tx) })
		if err != nil && ctx.Err() == nil {
			a.opts.Logger.Error("heartbeat not written", "error", err)
		}
	}
}

func beat(ctx context.Context, tx *store.Tx) error {
	return tx.PutFact(ctx, db.PutFactParams{Name: heartbeatFact, Value: strconv.FormatInt(store.Micros(tx.Now()), 10)})
}
