package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"humanops-mcp/client"
	"humanops-mcp/schemas"
)

const jobsLong = `What the platform does by itself: it rings clocks, sends notices and callbacks, looks at photos. The
table shows what waits, when it is due, what runs at this moment, and what failed for good and why.
What is done is not kept.`

// jobsCommand lists by itself, and as jobs list, where the other lists are.
func (p *program) jobsCommand() *cobra.Command {
	jobs := p.jobsListCommand()
	jobs.Use, jobs.Short = "jobs", "List what the platform has to do, does and failed to do; try it again"
	jobs.Example = "  humanops-mcp jobs\n  humanops-mcp jobs --state failed\n  humanops-mcp jobs retry job_4f9c2b7e1a"
	jobs.AddCommand(p.jobsListCommand(), p.jobsRetryCommand())
	return jobs
}

func (p *program) jobsListCommand() *cobra.Command {
	var in schemas.ListJobsRequest
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List jobs, those that are or were due first at the top",
		Long:    jobsLong,
		Example: "  humanops-mcp jobs list --state failed\n  humanops-mcp jobs list --kind webhook.send",
		Args:    noArguments,
		RunE: p.withOwner(func(ctx context.Context, c *client.Client, _ []string) error {
			page, err := c.ListJobs(ctx, in)
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(page)
			}
			return p.printJobs(in, page)
		}),
	}
	cmd.Flags().StringVar((*string)(&in.State), "state", "", "Only those: waiting, running or failed")
	cmd.Flags().StringVar(&in.Kind, "kind", "", "Only this kind, such as webhook.send")
	cmd.Flags().IntVar(&in.Limit, "limit", 20, "How many, 1 to 100")
	cmd.Flags().StringVar(&in.Cursor, "cursor", "", "Go on where the last page ended")
	return p.jsonFlag(cmd)
}

func (p *program) printJobs(in schemas.ListJobsRequest, page schemas.Page[schemas.Job]) error {
	if len(page.Data) == 0 {
		p.say("%s", noJobs(in))
		return nil
	}
	rows := [][]string{{"ID", "KIND", "STATE", "DUE", "ATTEMPTS", "FOR", "WHY NOT DONE"}}
	failed := ""
	for _, j := range page.Data {
		rows = append(rows, []string{j.ID, plain(j.Kind), string(j.State), when(j.RunAt), itoa(j.Attempts), either(j.Owner == "", "the house", plain(j.Owner)), reasonOf(j)})
		if j.State == schemas.JobFailed {
			failed = j.ID
		}
	}
	if err := p.table(rows); err != nil {
		return err
	}
	if next := page.Pagination.NextCursor; next != "" {
		p.say("\n%d of %s. More: --cursor %s", len(page.Data), page.Pagination.Count(), next)
	}
	if failed != "" {
		p.say("\nOnce the reason is gone, try one again: humanops-mcp jobs retry %s", failed)
	}
	return nil
}

// reasonOf is what is known of why a job is not done.
func reasonOf(j schemas.Job) string {
	var reasons []string
	if j.LastError != "" {
		reasons = append(reasons, plain(j.LastError))
	}
	if j.Deaths > 0 {
		reasons = append(reasons, "the platform ended "+itoa(j.Deaths)+" times in the middle of it")
	}
	return strings.Join(reasons, "; ")
}

func noJobs(in schemas.ListJobsRequest) string {
	what := map[schemas.JobState]string{
		"": "waits, runs or failed", schemas.JobWaiting: "waits", schemas.JobRunning: "runs at this moment", schemas.JobFailed: "failed",
	}[in.State]
	return "No job" + either(in.Kind == "", "", " of the kind "+in.Kind) + " " + what + "."
}

func (p *program) jobsRetryCommand() *cobra.Command {
	return p.jsonFlag(&cobra.Command{
		Use:     "retry JOB_ID",
		Short:   "Have a job that failed run again now, with all its attempts",
		Long:    "Have a job that failed run again now, with all its attempts. Do so once the reason is gone.",
		Example: "  humanops-mcp jobs retry job_4f9c2b7e1a",
		Args:    arguments(cobra.ExactArgs(1), "one job id; see jobs --state failed"),
		RunE: p.withOwner(func(ctx context.Context, c *client.Client, args []string) error {
			job, err := c.RetryJob(ctx, schemas.JobRequest{JobID: args[0]})
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(job)
			}
			p.say("Job %s (%s) runs again now.", job.ID, job.Kind)
			return nil
		}),
	})
}
