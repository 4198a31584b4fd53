package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"humanops-mcp/client"
	"humanops-mcp/internal/config"
	"humanops-mcp/internal/daemon"
	"humanops-mcp/schemas"
)

func (p *program) demoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Watch a task's whole life, with a simulated person and no real money",
		Long: `Post the task "Photo of storefront" with the local test key and follow it: a simulated
person accepts it, goes there, sends photos that say SIMULATED, and is paid. No real
person is asked and no real money moves.`,
		Example: "  humanops-mcp demo",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.load(cmd)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), demoLimit)
			defer cancel()
			return p.demo(ctx, cfg)
		},
	}
}

const (
	demoLimit = 60 * time.Second
	demoWait  = 10 // seconds of one long poll
)

func storefront(deadline time.Time) schemas.PostTaskRequest {
	lat, lng := 30.2672, -97.7431
	return schemas.PostTaskRequest{
		Title:             "Photo of storefront",
		Description:       "Take 2 clear photos showing the full facade and signage.",
		TaskType:          "PHOTO",
		Location:          &schemas.Location{Lat: &lat, Lng: &lng, Address: "123 Main St, Austin, TX"},
		RewardUSD:         15 * schemas.USD,
		Deadline:          deadline,
		ProofRequirements: []string{"Full facade photo", "Close-up of signage"},
		AllowDuplicate:    true,
	}
}

func (p *program) demo(ctx context.Context, cfg *config.Config) error {
	l := &local{cfg: cfg, options: func(c *daemon.Credentials) client.Options { return client.Options{APIKey: c.TestKey} }}
	c, err := l.connect(ctx)
	if err != nil {
		return err
	}
	begun := p.clock.Now()
	posted, err := c.PostTask(ctx, storefront(begun.Add(4*time.Hour)))
	if err != nil {
		return err
	}
	p.say("The agent posts %q for %s, in test mode.\n", posted.Title, posted.RewardUSD.Dollars())
	task := posted.TaskView
	for {
		if err := p.step(ctx, c, task, p.clock.Now().Sub(begun)); err != nil {
			return err
		}
		if status, _ := schemas.ParseTaskStatus(task.Status); status.Final() {
			break
		}
		if task, err = nextVersion(ctx, c, task); err != nil {
			return err
		}
	}
	p.say("\nThat was the whole life of task %s. With real people: humanops-mcp people add me", task.TaskID)
	return nil
}

// nextVersion waits until the task has moved on.
func nextVersion(ctx context.Context, c *client.Client, task schemas.TaskView) (schemas.TaskView, error) {
	for {
		got, err := c.Wait(ctx, schemas.WaitRequest{IDs: fmt.Sprintf("%s:%d", task.TaskID, task.Version), TimeoutSeconds: demoWait})
		if err != nil {
			return task, fmt.Errorf("waiting for task %s, which is %s: %w", task.TaskID, task.Status, err)
		}
		if len(got.Items) == 1 && got.Items[0].Version > task.Version {
			return got.Items[0], nil
		}
	}
}

func (p *program) step(ctx context.Context, c *client.Client, task schemas.TaskView, elapsed time.Duration) error {
	balance, err := c.GetBalance(ctx)
	if err != nil {
		return err
	}
	p.say("%5.1f s  %-14s %-52s held %-7s agent has %s", elapsed.Seconds(), task.Status, happened(task),
		task.EscrowUSD.Dollars(), balance.DepositBalance.Dollars())
	return nil
}

// happened says what the status means, in the task's own figures.
func happened(task schemas.TaskView) string {
	status, _ := schemas.ParseTaskStatus(task.Status)
	switch status {
	case schemas.Posted:
		return "people can see it; the reward is held in escrow"
	case schemas.EstimatePending:
		return "a person told how long it will take"
	case schemas.Accepted:
		return "a simulated person took it"
	case schemas.InProgress:
		return "they are on their way"
	case schemas.Submitted:
		return "they sent their photos; Guardian is looking"
	case schemas.ManualReview:
		return "the proof waits for a decision"
	case schemas.Verified:
		return "the proof was approved" + confidence(task)
	case schemas.Paid:
		return "the person was paid " + task.RewardUSD.Dollars() + confidence(task)
	case schemas.Disputed, schemas.Cancelled, schemas.Expired:
		return "it went wrong: this does not happen in the demo"
	}
	return ""
}

func confidence(task schemas.TaskView) string {
	if n := len(task.Submissions); n > 0 && task.Submissions[n-1].Verdict != nil {
		return fmt.Sprintf(" (Guardian: %d of 100)", task.Submissions[n-1].Verdict.Confidence)
	}
	return ""
}
