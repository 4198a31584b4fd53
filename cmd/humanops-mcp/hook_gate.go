package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"humanops-mcp/client"
	"humanops-mcp/internal/config"
	"humanops-mcp/internal/daemon"
	"humanops-mcp/internal/receipt"
	"humanops-mcp/schemas"
)

const (
	hookWait     = 30 * time.Second // of one question whether somebody decided
	hookLastWord = 10 * time.Second // for withdrawing what nobody decided
	maxHookText  = 1500
	maxHookTitle = 100
)

// gate is one call that waits for people.
type gate struct {
	*program
	agent, executor *client.Client
	options         hookOptions
	in              hookInput
	action          schemas.Action
	digest          string
}

// newGate connects to the platform, and makes the digest of exactly what will run.
func (p *program) newGate(ctx context.Context, cfg *config.Config, o hookOptions, in hookInput) (*gate, error) {
	if cfg.Reviews.URL != "" {
		return nil, fmt.Errorf("reviews go to %s, and this hook needs the loops of this computer: it checks their receipts", cfg.Reviews.URL)
	}
	g := &gate{program: p, options: o, in: in, action: schemas.Action{Tool: in.Tool, Arguments: in.Input}}
	var err error
	if _, _, g.digest, err = receipt.Digest(g.action); err != nil {
		return nil, err
	}
	keys := func(pick func(*daemon.Credentials) string) *local {
		return &local{cfg: cfg, options: func(c *daemon.Credentials) client.Options { return client.Options{APIKey: pick(c)} }}
	}
	if g.agent, err = keys(func(c *daemon.Credentials) string { return c.LiveKey }).connect(ctx); err != nil {
		return nil, err
	}
	g.executor, err = keys(func(c *daemon.Credentials) string { return c.ExecutorKey }).connect(ctx)
	return g, err
}

// judge asks, waits, and uses the approval up.
func (g *gate) judge(ctx context.Context) verdict {
	ctx, cancel := context.WithTimeout(ctx, g.options.timeout)
	defer cancel()
	created, err := g.agent.CreateReview(ctx, g.request())
	if err != nil {
		return deny("Denied, because nobody in the loop %q could be asked: %v", g.options.loop, err)
	}
	if created.ActionDigest != g.digest {
		return deny("Denied: request %s is about another call.", created.RequestID)
	}
	r, err := g.wait(ctx, created.RequestID)
	if err != nil {
		g.withdraw(ctx, created.RequestID)
		return deny("Denied: nobody decided request %s within %s (%v). Tell the user; do not work around it.", created.RequestID, g.options.timeout, err)
	}
	if v, refused := g.refusal(r); refused {
		return v
	}
	if err := g.consume(ctx, r); err != nil {
		return deny("Denied, although request %s was approved: %v", r.ID, err)
	}
	return verdict{allow: true, reason: fmt.Sprintf("Approved by %s (request %s), once.", decider(r), r.ID)}
}

func (g *gate) request() schemas.CreateReviewRequest {
	background, err := json.Marshal(map[string]string{"cwd": g.in.Folder, "session_id": g.in.SessionID, "permission_mode": g.in.PermissionMode})
	if err != nil {
		background = nil // it only helps the reviewer
	}
	return schemas.CreateReviewRequest{LoopID: g.options.loop, NewReview: schemas.NewReview{
		ProcessingType: "time-sensitive", Type: "markdown", Priority: "high", Title: g.title(), RequestText: g.text(),
		Context: background, TimeoutSeconds: int(g.options.timeout.Seconds()), ResponseType: "boolean",
		ResponseConfig: json.RawMessage(`{"true_label":"Allow","false_label":"Deny","allow_edits":false}`), DefaultResponse: json.RawMessage("false"), OnTimeout: "default",
		Platform: "api", AgentName: "Claude Code", Action: &g.action,
	}}
}

// title tells one question from the next in lists and messages.
func (g *gate) title() string {
	title := "Claude Code: " + g.in.Tool
	if command, _ := g.in.command(); command != "" {
		title += ": " + strings.Join(strings.Fields(command), " ")
	}
	return clipped(title, maxHookTitle)
}

// text says in words what the action shows whole.
func (g *gate) text() string {
	text := "Claude Code wants to use " + g.in.Tool + " in " + g.in.Folder + "."
	if command, _ := g.in.command(); command != "" {
		text += "\n\n```\n" + strings.ReplaceAll(clipText(command), "```", "'''") + "\n```"
	}
	return text
}

func clipText(s string) string { return clipped(s, maxHookText) }

func clipped(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + " …"
}

// wait asks again and again, in bounded pieces, until somebody decided.
func (g *gate) wait(ctx context.Context, id string) (schemas.Review, error) {
	for {
		out, err := g.agent.WaitReview(ctx, schemas.WaitReviewRequest{RequestID: id, TimeoutSeconds: int(hookWait.Seconds())})
		if err != nil || !out.Pending {
			return out.Request, err
		}
		if err := ctx.Err(); err != nil {
			return out.Request, err
		}
	}
}

// withdraw takes back what nobody decided, so that nobody approves it for nothing.
func (g *gate) withdraw(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hookLastWord)
	defer cancel()
	if _, err := g.agent.CancelReview(ctx, schemas.CancelReviewRequest{RequestID: id, Reason: "Claude Code waits no longer"}); err != nil {
		fmt.Fprintf(g.stderr, "humanops-mcp: request %s could not be withdrawn: %v\n", id, err)
	}
}

func decider(r schemas.Review) string {
	if r.ResponseByUser == nil {
		return "a person"
	}
	return plain(r.ResponseByUser.Name)
}

// refusal tells why a decision does not allow the call.
func (g *gate) refusal(r schemas.Review) (verdict, bool) {
	said := ""
	if r.Comment != "" {
		said = fmt.Sprintf(" Their comment: %q", plain(r.Comment))
	}
	switch {
	case r.Status == schemas.ReviewTimeout, r.Status == schemas.ReviewCancelled:
		return deny("Denied: nobody decided request %s in time, or it was withdrawn. Tell the user; do not work around it.", r.ID), true
	case r.Status != schemas.ReviewCompleted, r.Decision != schemas.Approved, r.ResponseSource != schemas.SourceHuman:
		return deny("Denied by %s (request %s).%s", decider(r), r.ID, said), true
	case r.EditedAction != nil:
		return deny("Denied as it was asked: %s approved only these arguments (request %s): %s%s Call the tool with exactly these; it is asked about again.", decider(r), r.ID, r.EditedAction.Arguments, said), true
	}
	return verdict{}, false
}

// consume checks the receipt against what will run, and uses it up.
func (g *gate) consume(ctx context.Context, r schemas.Review) error {
	got, err := g.executor.GetReceipt(ctx, schemas.ReviewRequest{RequestID: r.ID})
	if err != nil {
		return err
	}
	keys, err := g.executor.GetReceiptKeys(ctx)
	if err != nil {
		return err
	}
	if err := receipt.Verify(got.Receipt, keys); err != nil {
		return err
	}
	if err := g.covers(got.Receipt, r); err != nil {
		return err
	}
	_, err = g.executor.ConsumeReceipt(ctx, schemas.ConsumeReceiptRequest{RequestID: r.ID, Nonce: got.Receipt.Nonce, Action: &g.action})
	return err
}

// covers tells whether an authentic receipt lets exactly this call go ahead.
func (g *gate) covers(receipted schemas.Receipt, r schemas.Review) error {
	switch {
	case receipted.RequestID != r.ID || receipted.Round != r.Round:
		return errors.New("its receipt is of another request")
	case receipted.ActionDigest != g.digest:
		return errors.New("its receipt covers another call")
	}
	return g.usable(receipted)
}
