package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"humanops-mcp/client"
	"humanops-mcp/schemas"
)

func (p *program) tasksCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:     "tasks",
		Short:   "List and show tasks, and decide on proof as a person",
		Example: "  humanops-mcp tasks list --status open\n  humanops-mcp tasks show task_abc",
	}, p.tasksListCommand(), p.tasksShowCommand(), p.tasksDecideCommand())
}

func (p *program) tasksListCommand() *cobra.Command {
	var in schemas.ListTasksRequest
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List tasks, newest first",
		Example: "  humanops-mcp tasks list\n  humanops-mcp tasks list --status MANUAL_REVIEW,DISPUTED",
		Args:    noArguments,
		RunE: p.withOwner(func(ctx context.Context, c *client.Client, _ []string) error {
			page, err := c.ListTasks(ctx, in)
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(page)
			}
			return p.printTasks(page)
		}),
	}
	cmd.Flags().StringVar(&in.Status, "status", "", "Only these statuses, with commas; open and done stand for groups")
	cmd.Flags().StringVar(&in.Query, "query", "", "Only titles with these words")
	cmd.Flags().IntVar(&in.Limit, "limit", 20, "How many, 1 to 100")
	cmd.Flags().StringVar(&in.Cursor, "cursor", "", "Go on where the last page ended")
	return p.jsonFlag(cmd)
}

func (p *program) printTasks(page schemas.Page[schemas.TaskView]) error {
	if len(page.Data) == 0 {
		p.say("No tasks.")
		return nil
	}
	rows := [][]string{{"ID", "STATUS", "REWARD", "DEADLINE", "TITLE"}}
	for _, t := range page.Data {
		rows = append(rows, []string{t.TaskID, t.Status, t.RewardUSD.Dollars(), when(t.Deadline), plain(t.Title) + either(t.Sandbox, " (test)", "")})
	}
	if err := p.table(rows); err != nil {
		return err
	}
	if next := page.Pagination.NextCursor; next != "" {
		p.say("\n%d of %s. More: --cursor %s", len(page.Data), page.Pagination.Count(), next)
	}
	return nil
}

func (p *program) tasksShowCommand() *cobra.Command {
	return p.jsonFlag(&cobra.Command{
		Use:     "show TASK_ID",
		Short:   "Show a task, its proof and what Guardian says",
		Example: "  humanops-mcp tasks show task_abc",
		Args:    arguments(cobra.ExactArgs(1), "one task id; see tasks list"),
		RunE: p.withOwner(func(ctx context.Context, c *client.Client, args []string) error {
			task, err := c.GetTask(ctx, schemas.TaskRequest{TaskID: args[0]})
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(task)
			}
			return p.printTask(task)
		}),
	})
}

func (p *program) printTask(t schemas.TaskView) error {
	rows := [][]string{
		{"task", t.TaskID + either(t.Sandbox, " (test mode)", "")}, {"title", plain(t.Title)}, {"status", t.Status},
		{"reward", t.RewardUSD.Dollars() + ", " + t.EscrowUSD.Dollars() + " held"}, {"deadline", when(t.Deadline)},
	}
	if t.Operator != nil {
		rows = append(rows, []string{"operator", plain(t.Operator.Name)})
	}
	for _, want := range t.ProofRequirements {
		rows = append(rows, []string{"wanted", plain(want)})
	}
	for _, proof := range t.Submissions {
		rows = append(rows, proofRows(proof)...)
	}
	if err := p.table(rows); err != nil {
		return err
	}
	if status, _ := schemas.ParseTaskStatus(t.Status); status == schemas.ManualReview || status == schemas.Disputed {
		p.say("\nDecide: humanops-mcp tasks decide %s %s --submission %d", t.TaskID, schemas.ProofApprove, t.Submission)
	}
	return nil
}

func proofRows(proof schemas.Proof) [][]string {
	rows := [][]string{{"submission " + itoa(proof.Submission), when(proof.SubmittedAt) + ", " + itoa(len(proof.Files)) + " files"}}
	if proof.Note != "" {
		rows = append(rows, []string{"", "note: " + plain(proof.Note)})
	}
	for _, f := range proof.Files {
		rows = append(rows, []string{"", strings.TrimSpace(f.MIME + " " + f.URL)})
	}
	if v := proof.Verdict; v != nil {
		rows = append(rows, []string{"", fmt.Sprintf("guardian (%s): %s, %d of 100; %s", v.Method, v.Decision, v.Confidence, plain(strings.Join(v.Reasons, " ")))})
	}
	if d := proof.Decision; d != nil {
		rows = append(rows, []string{"", fmt.Sprintf("decided: %s, by %s via %s; %s", d.Decision, plain(d.DecidedBy), d.DecidedVia, plain(strings.Join(d.Reasons, " ")))})
	}
	return rows
}

func (p *program) tasksDecideCommand() *cobra.Command {
	var in schemas.DecideTaskRequest
	decisions := schemas.ProofWords(schemas.ProofDecisions)
	cmd := &cobra.Command{
		Use:   "decide TASK_ID " + strings.Join(decisions, "|"),
		Short: "Decide on a submission, as the owner",
		Long: `Decide on a submission, as the owner. Name the submission that you looked at, so that a
newer one is not decided unseen. Every decision but approve needs a reason: the person who
did the task reads it. A dispute is settled with approve or refund.`,
		Example: `  humanops-mcp tasks decide task_abc approve --submission 1
  humanops-mcp tasks decide task_abc request_changes --submission 1 --reason "The sign is cut off"`,
		Args: arguments(cobra.ExactArgs(2), "a task id and a decision: "+strings.Join(decisions, ", ")),
		RunE: p.withOwner(func(ctx context.Context, c *client.Client, args []string) error {
			in.TaskID, in.Decision = args[0], args[1]
			task, err := c.DecideTask(ctx, in)
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(task)
			}
			p.say("%s is %s now; %s held.", task.TaskID, task.Status, task.EscrowUSD.Dollars())
			return nil
		}),
	}
	cmd.Flags().IntVar(&in.Submission, "submission", 0, "Number of the submission, from tasks show (required)")
	cmd.Flags().StringArrayVar(&in.Reasons, "reason", nil, "Why; may be repeated")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if in.Submission < 1 {
			return &usageError{fmt.Errorf("%s needs --submission N, the number of the submission you looked at; tasks show prints it", cmd.CommandPath()), cmd.CommandPath()}
		}
		return nil
	}
	return p.jsonFlag(cmd)
}
