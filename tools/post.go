package tools

import (
	"context"
	"fmt"
	"strings"

	"humanops-mcp/client"
	"humanops-mcp/schemas"
	"humanops-mcp/tools/brief"
	"humanops-mcp/tools/untrusted"
)

// PostTaskArgs is flat, because models fill in flat arguments best.
type PostTaskArgs struct {
	Title               string           `json:"title" minLength:"1" maxLength:"200" doc:"One line"`
	Description         string           `json:"description" minLength:"1" maxLength:"10000" doc:"What to do, where, how; a stranger must be able to follow it"`
	TaskType            schemas.TaskType `json:"task_type" enum:"VERIFICATION,PHOTO,DELIVERY,INSPECTION,CAPTCHA_SOLVING,FORM_FILLING,CONTENT_REVIEW,DATA_VALIDATION,BROWSER_NAVIGATION,ACCOUNT_CREATION,API_KEY_PROCUREMENT,PHONE_VERIFICATION,SUBSCRIPTION_SETUP" doc:"Kind of work"`
	RewardUSD           schemas.Money    `json:"reward_usd" minimum:"0" maximum:"10000" doc:"Paid to the person; 0 only with assign_to"`
	ProofRequirements   []string         `json:"proof_requirements" minItems:"1" maxItems:"20" doc:"What the photos must show, one thing each"`
	Deadline            string           `json:"deadline,omitempty" maxLength:"40" doc:"RFC 3339, or from now: 4h, 2d. Default 24h"`
	Address             string           `json:"address,omitempty" maxLength:"500" doc:"Where, for physical tasks"`
	Lat                 *float64         `json:"lat,omitempty" minimum:"-90" maximum:"90" doc:"With lng, if known"`
	Lng                 *float64         `json:"lng,omitempty" minimum:"-180" maximum:"180" doc:"With lat"`
	DigitalInstructions string           `json:"digital_instructions,omitempty" maxLength:"10000" doc:"Steps, for digital tasks"`
	AssignTo            string           `json:"assign_to,omitempty" maxLength:"200" doc:"Only this person, from get_balance"`
	EstimateApproval    string           `json:"estimate_approval,omitempty" enum:"auto,manual" doc:"auto (default) accepts an estimate within the deadline"`
	AllowDuplicate      bool             `json:"allow_duplicate,omitempty" doc:"Though the same was posted within 10 minutes"`
	IdempotencyKey      string           `json:"idempotency_key,omitempty" maxLength:"200" doc:"Repeat a call under its key"`
}

// PostedTask is the new task and who hears of it.
type PostedTask struct {
	TaskID           string        `json:"task_id"`
	Status           string        `json:"status"`
	RewardUSD        schemas.Money `json:"reward_usd"`
	Deadline         string        `json:"deadline"`
	PeopleInReach    *int          `json:"people_in_reach,omitempty"`
	Notified         []string      `json:"notified,omitempty"`
	Duplicate        bool          `json:"duplicate,omitempty"`
	PollAfterSeconds int           `json:"poll_after_seconds"`
	Next             string        `json:"next"`
	TestMode
}

func postTask(ctx context.Context, c *call, in PostTaskArgs) (reply[PostedTask], error) {
	var r reply[PostedTask]
	body, err := in.request(c)
	if err != nil {
		return r, err
	}
	if err := documented(ctx, c, &body); err != nil {
		return r, err
	}
	if in.IdempotencyKey != "" {
		ctx = client.WithIdempotencyKey(ctx, in.IdempotencyKey)
	}
	task, err := c.PostTask(ctx, body)
	if err != nil {
		return r, err
	}
	extended, err := c.Extended(ctx)
	if err != nil {
		extended = false // the task is posted: what else is known of the server matters less
	}
	r.data = posted(task, extended)
	r.text = postedText(task, r.data)
	return r, nil
}

// request makes the marketplace's body.
func (in PostTaskArgs) request(c *call) (schemas.PostTaskRequest, error) {
	when := in.Deadline
	if strings.TrimSpace(when) == "" {
		when = defaultDeadline
	}
	key := ""
	if in.IdempotencyKey != "" {
		key = c.Caller() + "\n" + in.IdempotencyKey
	}
	deadline, err := c.deadline.resolve(when, key)
	if err != nil {
		return schemas.PostTaskRequest{}, err
	}
	if (in.Lat == nil) != (in.Lng == nil) {
		return schemas.PostTaskRequest{}, schemas.Invalid("lat", "and lng belong together: give both, or only an address")
	}
	out := schemas.PostTaskRequest{
		Title: in.Title, Description: in.Description, TaskType: in.TaskType, RewardUSD: in.RewardUSD, Deadline: deadline,
		ProofRequirements: in.ProofRequirements, DigitalInstructions: in.DigitalInstructions, AssignTo: in.AssignTo,
		EstimateApproval: in.EstimateApproval, AllowDuplicate: in.AllowDuplicate,
	}
	if in.Address != "" || in.Lat != nil {
		out.Location = &schemas.Location{Lat: in.Lat, Lng: in.Lng, Address: in.Address}
	}
	return out, nil
}

// documented takes out of a task what the hosted marketplace does not know. One that is
// meant for a single person is refused there: strangers would see it.
func documented(ctx context.Context, c *call, body *schemas.PostTaskRequest) error {
	if body.AssignTo == "" && body.EstimateApproval == "" && !body.AllowDuplicate {
		return nil
	}
	extended, err := c.Extended(ctx)
	switch {
	case err != nil || extended:
		return err
	case body.AssignTo != "":
		return undocumented("asking one person only (assign_to)")
	}
	body.EstimateApproval, body.AllowDuplicate = "", false // it always asks, and always makes another task
	return nil
}

func posted(t schemas.PostTaskResponse, extended bool) PostedTask {
	out := PostedTask{
		TaskID: t.TaskID, Status: t.Status, RewardUSD: t.RewardUSD, Deadline: brief.Moment(t.Deadline),
		Duplicate: t.Duplicate, PollAfterSeconds: 120, TestMode: mode(t.Sandboxed),
	}
	for _, person := range t.Notified {
		out.Notified = append(out.Notified, untrusted.Name(person))
	}
	out.Next = "People need time. Tell the user, end your turn, and call check_status in about 2 minutes or when the user asks."
	switch {
	case t.Duplicate && t.Status != string(schemas.Posted):
		out.Next = "It has gone on meanwhile: check_status says what it needs. To have it done once more, post it with allow_duplicate."
	case t.Sandbox:
		out.PollAfterSeconds = 5
		out.Next = "Simulated people are quick: call check_status with wait_seconds 30."
	case extended && t.PeopleInReach == 0:
		out.PollAfterSeconds = 900
		out.Next = "Nobody can be reached, so nobody will act yet. Tell the user how to mend it, and end your turn."
	}
	if extended {
		out.PeopleInReach = &t.PeopleInReach
	}
	return out
}

func postedText(t schemas.PostTaskResponse, p PostedTask) string {
	var b strings.Builder
	verb, held := "Posted", t.RewardUSD
	if p.Duplicate {
		held = t.EscrowUSD
		verb = "The same task was posted within the last 10 minutes, so nothing new was made (allow_duplicate posts it again)"
	}
	fmt.Fprintf(&b, "%s: %s %q is %s, %s in escrow", verb, p.TaskID, untrusted.Name(t.Title), p.Status, held.Dollars())
	if p.Deadline != "" {
		b.WriteString(", due " + p.Deadline)
	}
	b.WriteString(".\n")
	switch {
	case len(p.Notified) > 0:
		fmt.Fprintf(&b, "Being told: %s.\n", strings.Join(p.Notified, ", "))
	case p.PeopleInReach != nil && *p.PeopleInReach > 0 && p.Status == string(schemas.Posted):
		fmt.Fprintf(&b, "%s could take it; they see it on their page.\n", brief.People(*p.PeopleInReach))
	}
	if t.Hint != "" && !p.Duplicate {
		b.WriteString(t.Hint + "\n")
	} else if p.PeopleInReach != nil && *p.PeopleInReach == 0 && !t.Sandbox {
		b.WriteString("The user makes themselves reachable with: humanops-mcp people add me\n")
	}
	b.WriteString(p.Next)
	return b.String()
}
