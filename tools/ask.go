package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"humanops-mcp/schemas"
	"humanops-mcp/tools/brief"
	"humanops-mcp/tools/untrusted"
)

// AskArgs is flat, because models fill in flat arguments best.
type AskArgs struct {
	Question       string          `json:"question,omitempty" maxLength:"2000" doc:"What to decide, in Markdown"`
	Content        string          `json:"content,omitempty" maxLength:"20000" doc:"What to look at, or the draft"`
	Options        []string        `json:"options,omitempty" maxItems:"20" doc:"To choose from; default approve, reject, needs changes"`
	Form           json.RawMessage `json:"form,omitempty" doc:"Or a JSON Schema to fill in"`
	ResponseType   string          `json:"response_type,omitempty" enum:"approval,single_select,multi_select,boolean,rating,number,text,editable_text" doc:"Default approval"`
	Action         *AskedAction    `json:"action,omitempty" doc:"The exact call you want to make"`
	Context        json.RawMessage `json:"context,omitempty" doc:"Object"`
	Loop           string          `json:"loop,omitempty" maxLength:"100" doc:"Whom to ask"`
	Priority       string          `json:"priority,omitempty" enum:"low,medium,high,critical" doc:"Default medium"`
	Timeout        string          `json:"timeout,omitempty" doc:"4h, 2d or RFC 3339; default 24h"`
	OnTimeout      string          `json:"on_timeout,omitempty" doc:"reject (default), cancel, or an answer"`
	Revises        string          `json:"revises,omitempty" maxLength:"64" doc:"request_id that wants changes"`
	IdempotencyKey string          `json:"idempotency_key,omitempty" maxLength:"200" doc:"Repeat a call under its key"`
	WaitSeconds    int             `json:"wait_seconds,omitempty" minimum:"0" maximum:"45" doc:"For the answer"`
}

// AskedAction is a call that waits for approval.
type AskedAction struct {
	Tool      string          `json:"tool" maxLength:"200"`
	Arguments json.RawMessage `json:"arguments,omitempty"`
}

// Asked is the new review and who hears of it.
type Asked struct {
	RequestID        string          `json:"request_id"`
	State            string          `json:"state"`
	Status           string          `json:"status"`
	Told             []string        `json:"told,omitempty"`
	ReviewURL        string          `json:"review_url,omitempty"`
	Duplicate        bool            `json:"duplicate,omitempty"`
	Decision         string          `json:"decision,omitempty"`
	UntrustedAnswer  json.RawMessage `json:"untrusted_answer,omitempty"`
	UntrustedComment string          `json:"untrusted_comment,omitempty"`
	PollAfterSeconds int             `json:"poll_after_seconds,omitempty"`
	Next             string          `json:"next"`
	TestMode
}

func requestHumanReview(ctx context.Context, c *call, in AskArgs) (reply[Asked], error) {
	var r reply[Asked]
	if err := in.check(); err != nil {
		return r, err
	}
	service, err := c.reviews(ctx)
	if err != nil {
		return r, err
	}
	a := &asking{call: c, service: service, in: in}
	created, repeated, err := a.once(ctx)
	if err != nil {
		return r, err
	}
	now, err := a.look(ctx, created, repeated)
	if err != nil {
		return r, err
	}
	r.data = asked(created, now, service.extended)
	r.data.Duplicate = r.data.Duplicate || repeated
	r.text = askedText(created, r.data, now, a.title())
	return r, nil
}

// check refuses what does not fit together.
func (in AskArgs) check() error {
	switch {
	case strings.TrimSpace(in.Question+in.Content) == "":
		return schemas.Invalid("question", "must say what a person is to decide. Example: Publish this post?")
	case len(in.Form) > 0 && (len(in.Options) > 0 || in.ResponseType != ""):
		return schemas.Invalid("form", "stands alone: leave out options and response_type, or the form")
	case len(in.Options) > 0 && in.ResponseType != "" && in.ResponseType != "single_select" && in.ResponseType != "multi_select":
		return schemas.Invalid("options", "belong to single_select or multi_select; leave out options or response_type")
	case len(in.Options) == 0 && (in.ResponseType == "single_select" || in.ResponseType == "multi_select"):
		return schemas.Invalid("options", "must hold what can be chosen with "+in.ResponseType+`. Example: ["Today","Tomorrow"]`)
	case in.ResponseType == "editable_text" && (in.Content == "" || in.Question == ""):
		return schemas.Invalid("content", "must hold the draft, and question what is wanted of it, with editable_text")
	case in.Revises != "" && (len(in.Form) > 0 || len(in.Options) > 0 || in.ResponseType != "" || in.Loop != "" || in.Priority != "" || in.OnTimeout != ""):
		return schemas.Invalid("revises", "asks the same people the same way again: give only question, content, context, action, timeout")
	}
	return nil
}

// asking is one call on its way to people.
type asking struct {
	*call
	service *reviewer
	in      AskArgs
}

func (a *asking) title() string {
	if a.in.Question != "" {
		return untrusted.Name(a.in.Question)
	}
	return untrusted.Name(a.in.Content)
}

// create asks, or opens the next round of what it revises.
func (a *asking) create(ctx context.Context) (schemas.ReviewCreated, error) {
	seconds, err := a.timeout()
	if err != nil {
		return schemas.ReviewCreated{}, err
	}
	if a.in.Revises != "" {
		return a.revise(ctx, seconds)
	}
	body, err := a.body(seconds)
	if err != nil {
		return schemas.ReviewCreated{}, err
	}
	if !a.service.extended {
		return a.createHosted(ctx, body)
	}
	loop := a.in.Loop
	if loop == "" {
		loop = defaultLoop
	}
	created, err := a.service.CreateReview(ctx, schemas.CreateReviewRequest{LoopID: loop, NewReview: body})
	if schemas.ErrorCode(err) != schemas.CodeNotFound {
		return created, err
	}
	found, err := a.findLoop(ctx, loop)
	if err != nil {
		return created, err
	}
	return a.service.CreateReview(ctx, schemas.CreateReviewRequest{LoopID: found, NewReview: body})
}

func (a *asking) revise(ctx context.Context, seconds int) (schemas.ReviewCreated, error) {
	if err := a.service.needs("another round (revises); ask anew without it"); err != nil {
		return schemas.ReviewCreated{}, err
	}
	before, err := a.service.GetReview(ctx, schemas.ReviewRequest{RequestID: a.in.Revises})
	if err != nil {
		return schemas.ReviewCreated{}, err
	}
	a.in.ResponseType = before.Request.ResponseType
	text, context, err := a.texts()
	if err != nil {
		return schemas.ReviewCreated{}, err
	}
	in := schemas.OpenRoundRequest{RequestID: a.in.Revises, RequestText: text, Context: context, Action: a.action()}
	if a.in.ResponseType == "editable_text" {
		in.DraftText = a.in.Content
	}
	if a.in.Timeout != "" {
		in.TimeoutSeconds = seconds
	}
	return a.service.OpenRound(ctx, in)
}

// look gives the review as it is now, after waiting for it when that is wished. A new
// one needs no look without a wait.
func (a *asking) look(ctx context.Context, created schemas.ReviewCreated, repeated bool) (*schemas.Review, error) {
	if a.in.WaitSeconds == 0 && !repeated && !created.Duplicate && a.in.IdempotencyKey == "" {
		return nil, nil
	}
	w := watch{call: a.call, wait: time.Duration(a.in.WaitSeconds) * time.Second}
	if err := w.add(reviewPart(ctx, a.call, []string{created.RequestID})); err != nil {
		return nil, err
	}
	if err := w.until(ctx); err != nil {
		return nil, err
	}
	w.parts[0].acknowledge(ctx)
	found := w.parts[0].(*reviewWatch).reviews
	if len(found) == 0 {
		return nil, schemas.NewError(schemas.CodeNotFound, "Request not found")
	}
	return &found[0], nil
}

func asked(created schemas.ReviewCreated, now *schemas.Review, extended bool) Asked {
	out := Asked{
		RequestID: created.RequestID, State: brief.Waiting, Status: string(created.Status), ReviewURL: created.ReviewURL, Duplicate: created.Duplicate,
		TestMode: mode(created.Sandboxed),
	}
	for _, who := range created.Told {
		out.Told = append(out.Told, untrusted.Name(who))
	}
	if now != nil {
		b := brief.Review(*now, extended)
		out.State, out.Status, out.Decision = b.State, b.Status, b.Decision
		out.UntrustedAnswer, out.UntrustedComment, out.Next = b.UntrustedAnswer, b.UntrustedComment, b.Next
	}
	if out.State != brief.Waiting {
		return out
	}
	out.PollAfterSeconds = 60
	out.Next = brief.NothingApproved + ": do not act before check_status says APPROVED or, where you asked for something else, ANSWERED. Tell the user, end your turn, and call check_status in about a minute or when the user asks."
	switch {
	case out.Sandbox:
		out.PollAfterSeconds = 5
		out.Next = "The simulated reviewer is quick, and approves nothing real: call check_status with wait_seconds 30."
	case created.BroadcastedTo == 0 && extended && now == nil:
		out.PollAfterSeconds = 900
		out.Next = "Nobody in the loop can be asked, so nobody will decide yet, and nothing is approved. Tell the user how to mend it, and end your turn."
	}
	return out
}

func askedText(created schemas.ReviewCreated, out Asked, now *schemas.Review, title string) string {
	var b strings.Builder
	verb := "Asked"
	if out.Duplicate {
		verb = "The same was asked before, so nobody was asked again (another idempotency_key asks anew)"
	}
	fmt.Fprintf(&b, "%s: %s %q is %s.\n", verb, out.RequestID, title, out.Status)
	if out.State != brief.Waiting {
		b.WriteString(brief.Item{UntrustedComment: out.UntrustedComment, UntrustedAnswer: out.UntrustedAnswer, Decision: out.Decision}.Words())
		return b.String() + out.Next
	}
	switch {
	case now != nil && now.Status == schemas.ReviewClaimed:
		b.WriteString(untrusted.Person(now.ClaimedByName) + " is looking at it.\n")
	case len(out.Told) > 0:
		fmt.Fprintf(&b, "Being asked: %s.\n", strings.Join(out.Told, ", "))
	case created.BroadcastedTo > 0:
		fmt.Fprintf(&b, "%s are asked.\n", brief.People(created.BroadcastedTo))
	}
	if created.EndsAt != nil {
		fmt.Fprintf(&b, "They have until %s: the loop's escalation ends it then.\n", brief.Moment(*created.EndsAt))
	}
	if out.ReviewURL != "" {
		b.WriteString("They decide at " + out.ReviewURL + " (after signing in).\n")
	}
	if created.Hint != "" && !out.Duplicate {
		b.WriteString(created.Hint + "\n")
	}
	return b.String() + out.Next
}
