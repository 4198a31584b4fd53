package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"humanops-mcp/client"
	"humanops-mcp/schemas"
)

// How often it is looked how far a check is, and when one that tells nothing is given up.
const lookEvery, silentCheck = time.Second, time.Minute

const checkLong = `Check that books, trails, anchors and states fit together: of what goes on, and of what was written
since a check found everything exact; with --full, of everything. It reads a little at a time and
holds nobody up. How far it is goes to standard error, or with --watch to whoever asks for it.
The exit code is 1 when something does not fit.`

func (p *program) checkCommand() *cobra.Command {
	var in schemas.CheckRequest
	var watch bool
	cmd := &cobra.Command{
		Use: "check", Short: "Check that what is kept fits together", Long: checkLong, Args: noArguments,
		Example: "  humanops-mcp check\n  humanops-mcp check --full\n  humanops-mcp check --watch",
		RunE: p.withOwner(func(ctx context.Context, c *client.Client, _ []string) error {
			if watch {
				return p.watchCheck(ctx, c)
			}
			return p.check(ctx, c, in)
		}),
	}
	cmd.Flags().BoolVar(&in.Full, "full", false, "Look at everything, whatever was looked at before")
	cmd.Flags().BoolVar(&watch, "watch", false, "Show how far the check is that runs, until it ends")
	return p.jsonFlag(cmd)
}

func (p *program) check(ctx context.Context, c *client.Client, in schemas.CheckRequest) error {
	began := p.clock.Now()
	watching, stop := context.WithCancel(ctx)
	var followed sync.WaitGroup
	followed.Go(func() { p.follow(watching, c, began) })
	report, err := c.GetCheck(ctx, in)
	stop()
	followed.Wait()
	if err != nil {
		return err
	}
	if p.json {
		return errors.Join(p.printJSON(report), outcome(report.Exact))
	}
	p.say("%s", reportOf(report))
	return outcome(report.Exact)
}

// outcome fails where something does not fit, which was said already.
func outcome(exact bool) error {
	if exact {
		return nil
	}
	return errSilent
}

// follow says how far the check is that began here, until ctx ends.
func (p *program) follow(ctx context.Context, c *client.Client, began time.Time) {
	for p.paused(ctx) {
		if at, err := c.GetCheckProgress(ctx); err == nil && at.EndedAt.IsZero() && !at.StartedAt.Before(began.Add(-lookEvery)) {
			fmt.Fprintln(p.stderr, progressLine(at))
		}
	}
}

// watchCheck shows a check that runs, until it ends.
func (p *program) watchCheck(ctx context.Context, c *client.Client) error {
	for {
		at, err := c.GetCheckProgress(ctx)
		switch {
		case err != nil:
			return err
		case at.StartedAt.IsZero():
			p.say("Nothing was checked yet.")
			return nil
		case !at.EndedAt.IsZero():
			p.say("%s The last check ended at %s: %s.", progressLine(at), when(at.EndedAt), either(at.Exact, "exact", "not exact; humanops-mcp check says why"))
			return outcome(at.Exact)
		case p.clock.Now().Sub(at.UpdatedAt) > silentCheck:
			return fmt.Errorf("the check that began at %s has told nothing since %s: it was cut off", when(at.StartedAt), when(at.UpdatedAt))
		}
		p.say("%s", progressLine(at))
		p.paused(ctx)
	}
}

// paused waits until it is time to look again; false once ctx has ended.
func (p *program) paused(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-p.clock.After(lookEvery):
		return true
	}
}

func progressLine(at schemas.CheckProgress) string {
	return fmt.Sprintf("%s: %s transactions, %s of %s entries under anchors, %s tasks and reviews with %s entries%s.",
		at.Stage, humanize.Comma(at.Transactions), humanize.Comma(at.Anchored), humanize.Comma(at.EntriesTotal),
		humanize.Comma(at.Subjects), humanize.Comma(at.Entries), either(at.Problems == 0, "", ", "+itoa(at.Problems)+" problems"))
}

func reportOf(r schemas.CheckReport) string {
	if !r.Exact {
		return "NOT EXACT: " + plain(r.Problem) + "\nKeep a backup (humanops-mcp backup FILE) and report it."
	}
	looked := fmt.Sprintf("%s transactions, %s tasks and reviews with %s entries", humanize.Comma(r.Transactions), humanize.Comma(r.Subjects), humanize.Comma(r.Entries))
	if r.Full {
		return "Exact. Everything was looked at: " + looked + "."
	}
	return fmt.Sprintf("Exact. What goes on and what was written since %s was looked at: %s. Everything was looked at %s.", when(r.Since), looked, when(r.FullAt))
}
