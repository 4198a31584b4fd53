//go:build unix

package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"humanops-mcp/client"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/daemon"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
)

// brokenJob ID writes a job that cannot be read into the folder of a platform that is
// stopped; whoever starts it next finds it due.
func brokenJob(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	s, err := store.Open(ctx, store.Options{Path: filepath.Join(ts.Getenv("DATA"), "humanops.db")})
	ts.Check(err)
	ts.Check(s.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.EnqueueJob(ctx, db.EnqueueJobParams{ID: args[0], Kind: "notify", Args: `{"subject":7,"body":"orchid"}`, RunAt: 1, CreatedAt: 1})
		return err
	}))
	ts.Check(s.Close())
}

// awaitFailed waits until a job has failed.
func awaitFailed(ts *testscript.TestScript, _ bool, _ []string) {
	c := platformOf(ts, func(c *daemon.Credentials) client.Options { return client.Options{Token: c.OwnerToken} })
	late := clock.System().After(patience)
	for {
		status, err := c.GetStatus(context.Background())
		ts.Check(err)
		if status.JobsFailed > 0 {
			return
		}
		select {
		case <-late:
			ts.Fatalf("no job failed within %s", patience)
		case <-clock.System().After(20 * time.Millisecond):
		}
	}
}
