package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"humanops-mcp/client"
	"humanops-mcp/internal/answer"
	"humanops-mcp/schemas"
)

func (p *program) reviewsCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:     "reviews",
		Short:   "List and show review requests, and decide on them as a person",
		Example: "  humanops-mcp reviews list --status open\n  humanops-mcp reviews approve 65f1a2b3c4d5e6f708192a3b",
	}, p.reviewsListCommand(), p.reviewsShowCommand(),
		p.decideCommand("approve", "Approve a request, as the owner", answer.Spec.Approval),
		p.decideCommand("reject", "Reject a request, as the owner", answer.Spec.Rejection),
		p.reviewsAnswerCommand(), p.reviewsCancelCommand(), p.reviewsEscalateCommand())
}

const oneReview = "one request id; see reviews list"

func (p *program) reviewsListCommand() *cobra.Command {
	var in schemas.ListReviewsRequest
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List review requests, newest first",
		Example: "  humanops-mcp reviews list\n  humanops-mcp reviews list --status open --loop default",
		Args:    noArguments,
		RunE: p.withOwner(func(ctx context.Context, c *client.Client, _ []string) error {
			list, err := c.ListReviews(ctx, in)
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(list)
			}
			return p.printReviews(list)
		}),
	}
	cmd.Flags().StringVar(&in.Status, "status", "", "Only these statuses, with commas; open and done stand for groups")
	cmd.Flags().StringVar(&in.LoopID, "loop", "", "Only of this loop, by slug or id")
	cmd.Flags().StringVar(&in.Query, "query", "", "Only with these words")
	cmd.Flags().IntVar(&in.Limit, "limit", 20, "How many, 1 to 100")
	cmd.Flags().StringVar(&in.Cursor, "cursor", "", "Go on where the last page ended")
	return p.jsonFlag(cmd)
}

func (p *program) printReviews(list schemas.ReviewList) error {
	next := list.Pagination.NextCursor
	switch {
	case len(list.Requests) > 0:
	case next != "":
		p.say("None among the 10,000 newest. Older ones: --cursor %s", next)
		return nil
	default:
		p.say("No review requests.")
		return nil
	}
	rows := [][]string{{"ID", "STATUS", "DECISION", "PRIORITY", "UNTIL", "LOOP", "WHAT"}}
	for _, r := range list.Requests {
		rows = append(rows, []string{r.ID, string(r.Status), either(r.Decision == "", "-", r.Decision), r.Priority, when(r.Deadline()), plain(r.LoopName), heading(r) + either(r.Sandbox, " (test)", "")})
	}
	if err := p.table(rows); err != nil {
		return err
	}
	if next != "" {
		p.say("\n%d of %s. More: --cursor %s", len(list.Requests), schemas.Count(list.Total, list.TotalMore), next)
	}
	return nil
}

const maxHeading = 60

// heading is what is asked, in a line.
func heading(r schemas.Review) string {
	text := r.Title
	if text == "" {
		text = r.RequestText
	}
	runes := []rune(plain(text))
	if len(runes) > maxHeading {
		return string(runes[:maxHeading]) + " …"
	}
	return string(runes)
}

func (p *program) reviewsShowCommand() *cobra.Command {
	return p.jsonFlag(&cobra.Command{
		Use:     "show REQUEST_ID",
		Short:   "Show a request: what is asked, its action, who was asked, what was answered",
		Example: "  humanops-mcp reviews show 65f1a2b3c4d5e6f708192a3b",
		Args:    arguments(cobra.ExactArgs(1), oneReview),
		RunE: p.withOwner(func(ctx context.Context, c *client.Client, args []string) error {
			out, err := c.GetReview(ctx, schemas.ReviewRequest{RequestID: args[0]})
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(out)
			}
			return p.printReview(out.Request)
		}),
	})
}

func (p *program) printReview(r schemas.Review) error {
	rows := [][]string{
		{"request", r.ID + either(r.Sandbox, " (test mode)", "")}, {"loop", plain(r.LoopName)}, {"asked by", plain(r.AgentName)},
		{"status", string(r.Status) + either(r.ClaimedByName == "", "", ", claimed by "+plain(r.ClaimedByName))}, {"priority", r.Priority},
		{"until", until(r)}, {"round", itoa(r.Round)},
	}
	for _, to := range r.BroadcastedTo {
		rows = append(rows, []string{"asked", plain(to.Name) + either(to.NotificationSent, ", told", "") + either(to.NotificationError == "", "", ", not told: "+plain(to.NotificationError))})
	}
	if len(r.Context) > 0 {
		rows = append(rows, []string{"context", plain(string(r.Context))})
	}
	if r.Action != nil {
		rows = append(rows, []string{"tool", plain(r.Action.Tool)}, []string{"arguments", plain(string(r.Action.Arguments))}, []string{"digest", r.ActionDigest})
	}
	rows = append(rows, answerRows(r)...)
	if err := p.table(rows); err != nil {
		return err
	}
	p.say("\n%s", paragraphs(r.RequestText))
	if !r.Status.Final() {
		p.say("\nDecide: humanops-mcp reviews approve|reject %s%s\n    or: %s", r.ID, either(r.Round > 1, " --round "+itoa(r.Round), ""), r.ReviewURL)
	}
	return nil
}

// until is when a request ends without a decision, and what counts then.
func until(r schemas.Review) string {
	switch {
	case r.Deadline().Before(r.TimeoutAt):
		return when(r.Deadline()) + ", when the escalation of its loop ends it"
	case r.TaskID != "":
		return when(r.TimeoutAt) + ", then the task goes on by its own rules: tasks show " + r.TaskID
	}
	return when(r.TimeoutAt) + ", then " + either(r.OnTimeout == "cancel", "cancelled", string(r.DefaultResponse))
}

// paragraphs is plain with the line ends kept.
func paragraphs(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = plain(lines[i])
	}
	return strings.Join(lines, "\n")
}

func answerRows(r schemas.Review) [][]string {
	var rows [][]string
	if r.Status.Final() {
		rows = append(rows, []string{"outcome", strings.TrimSpace(r.Decision + " " + string(r.EffectiveResponse) + " (" + r.ResponseSource + ")")})
	}
	if who := decidedBy(r); who != "" {
		rows = append(rows, []string{"decided by", who})
	}
	if r.Comment != "" {
		rows = append(rows, []string{"comment", plain(r.Comment)})
	}
	if r.EditedAction != nil {
		rows = append(rows, []string{"edited to", plain(string(r.EditedAction.Arguments))})
	}
	for _, v := range r.Answers {
		rows = append(rows, []string{"answer", plain(v.User.Name) + ": " + v.Decision + either(v.Comment == "", "", ", "+plain(v.Comment))})
	}
	return rows
}

// decidedBy names whoever decided: of several people all whose answers made the decision.
func decidedBy(r schemas.Review) string {
	var names []string
	for _, vote := range r.Deciders() {
		names = append(names, plain(vote.User.Name))
	}
	switch {
	case r.ResponseByUser == nil:
		return ""
	case len(names) > 0 && r.IsMedian():
		return strings.Join(names, ", ") + "; the median of their answers counts"
	case len(names) > 1:
		return strings.Join(names, ", ")
	}
	return plain(r.ResponseByUser.Name) + " via " + r.DecidedVia
}

// decideCommand makes approve and reject, which pick the answer that means it.
func (p *program) decideCommand(verb, short string, pick func(answer.Spec) (answer.Answer, bool)) *cobra.Command {
	var in schemas.DecideReviewRequest
	cmd := &cobra.Command{
		Use:     verb + " REQUEST_ID",
		Short:   short,
		Long:    short + ".\n\nThe decision is about what reviews show prints. From the second round on, name the round that\nyou looked at. A loop that demands a passkey takes no decision from a terminal.",
		Example: "  humanops-mcp reviews " + verb + " 65f1a2b3c4d5e6f708192a3b\n  humanops-mcp reviews " + verb + ` 65f1a2b3c4d5e6f708192a3b --comment "As agreed on Monday"`,
		Args:    arguments(cobra.ExactArgs(1), oneReview),
		RunE: p.withOwner(func(ctx context.Context, c *client.Client, args []string) error {
			return p.decide(ctx, c, args[0], in, func(spec answer.Spec) (json.RawMessage, error) {
				a, ok := pick(spec)
				if !ok {
					return nil, fmt.Errorf("the request is answered with %s, and no answer of it means %s. Answer it with: humanops-mcp reviews answer %s VALUE", spec.Type(), verb, args[0])
				}
				return a.Value, nil
			})
		}),
	}
	decisionFlags(cmd, &in)
	return p.jsonFlag(cmd)
}

func decisionFlags(cmd *cobra.Command, in *schemas.DecideReviewRequest) {
	cmd.Flags().StringVar(&in.Comment, "comment", "", "What the agent is told")
	cmd.Flags().IntVar(&in.Round, "round", 0, "The round that you looked at; needed from the second on")
}

// decide looks at the request, makes the answer and sends it for exactly what it saw.
func (p *program) decide(ctx context.Context, c *client.Client, id string, in schemas.DecideReviewRequest, respond func(answer.Spec) (json.RawMessage, error)) error {
	now, err := c.GetReview(ctx, schemas.ReviewRequest{RequestID: id})
	if err != nil {
		return err
	}
	r := now.Request
	if may := r.May; may != nil && may.Passkey {
		return fmt.Errorf("the loop %s takes decisions only with a passkey, and a terminal has none. Open %s and decide there", plain(r.LoopName), r.ReviewURL)
	}
	spec, err := answer.Parse(r.ResponseType, r.ResponseConfig)
	if err != nil {
		return err
	}
	in.RequestID, in.Version, in.ActionDigest = id, r.Version, r.ActionDigest
	if in.ResponseData, err = respond(spec); err != nil {
		return err
	}
	out, err := c.DecideReview(ctx, in)
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(out)
	}
	r = out.Request
	p.say("%s is %s now%s.", r.ID, r.Status, either(r.Decision == "", "; your answer counts, others are still asked", ": "+r.Decision))
	return nil
}

func (p *program) reviewsAnswerCommand() *cobra.Command {
	var in schemas.DecideReviewRequest
	cmd := &cobra.Command{
		Use:     "answer REQUEST_ID VALUE",
		Short:   "Answer a request with a value, as the owner",
		Long:    "Answer a request with a value, as the owner: an option's value, a text, a number, true or\nfalse, or JSON, such as [\"a\",\"b\"] for several options.",
		Example: "  humanops-mcp reviews answer 65f1a2b3c4d5e6f708192a3b Tuesday\n  humanops-mcp reviews answer 65f1a2b3c4d5e6f708192a3b needs_changes --comment \"Name the price\"",
		Args:    arguments(cobra.ExactArgs(2), "a request id and the answer"),
		RunE: p.withOwner(func(ctx context.Context, c *client.Client, args []string) error {
			return p.decide(ctx, c, args[0], in, func(spec answer.Spec) (json.RawMessage, error) { return typed(spec, args[1]) })
		}),
	}
	decisionFlags(cmd, &in)
	return p.jsonFlag(cmd)
}

// typed reads an answer as a word where that is one, else as JSON.
func typed(spec answer.Spec, text string) (json.RawMessage, error) {
	word, err := json.Marshal(text)
	if err != nil {
		return nil, err
	}
	_, problem := spec.Check("VALUE", word)
	if problem == nil || !json.Valid([]byte(text)) {
		return word, problem
	}
	_, problem = spec.Check("VALUE", json.RawMessage(text))
	return json.RawMessage(text), problem
}

func (p *program) reviewsCancelCommand() *cobra.Command {
	var in schemas.CancelReviewRequest
	cmd := &cobra.Command{
		Use:     "cancel REQUEST_ID",
		Short:   "Cancel a request; its agent is told",
		Example: "  humanops-mcp reviews cancel 65f1a2b3c4d5e6f708192a3b --reason \"Asked twice\"",
		Args:    arguments(cobra.ExactArgs(1), oneReview),
		RunE: p.withOwner(func(ctx context.Context, c *client.Client, args []string) error {
			in.RequestID = args[0]
			out, err := c.CancelReview(ctx, in)
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(out)
			}
			p.say("%s is cancelled; it was %s.", out.RequestID, out.PreviousStatus)
			return nil
		}),
	}
	cmd.Flags().StringVar(&in.Reason, "reason", "", "Why; the agent reads it")
	return p.jsonFlag(cmd)
}

func (p *program) reviewsEscalateCommand() *cobra.Command {
	var in schemas.EscalateReviewRequest
	cmd := &cobra.Command{
		Use:     "escalate REQUEST_ID",
		Short:   "Go to the next step of a request's escalation now",
		Example: "  humanops-mcp reviews escalate 65f1a2b3c4d5e6f708192a3b --reason \"Ada is ill\"",
		Args:    arguments(cobra.ExactArgs(1), oneReview),
		RunE: p.withOwner(func(ctx context.Context, c *client.Client, args []string) error {
			in.RequestID = args[0]
			out, err := c.EscalateReview(ctx, in)
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(out)
			}
			p.say("%s was escalated; that was step %d.", out.Request.ID, out.Request.Escalations)
			return nil
		}),
	}
	cmd.Flags().StringVar(&in.Reason, "reason", "", "Why")
	return p.jsonFlag(cmd)
}
