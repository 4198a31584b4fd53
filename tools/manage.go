package tools

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"humanops-mcp/schemas"
	"humanops-mcp/tools/brief"
	"humanops-mcp/tools/untrusted"
)

// CancelTaskArgs names the task or the review.
type CancelTaskArgs struct {
	TaskID string `json:"task_id" maxLength:"64" doc:"Of a task or a review"`
	Reason string `json:"reason,omitempty" maxLength:"500" doc:"Why"`
}

// Cancelled tells what came back.
type Cancelled struct {
	TaskID      string         `json:"task_id"`
	State       string         `json:"state"`
	Status      string         `json:"status"`
	RefundedUSD *schemas.Money `json:"refunded_usd,omitempty"`
	TestMode
}

func cancelTask(ctx context.Context, c *call, in CancelTaskArgs) (reply[Cancelled], error) {
	if schemas.KindReview.Owns(in.TaskID) {
		return cancelReview(ctx, c, in)
	}
	if err := c.market(ctx); err != nil {
		return reply[Cancelled]{}, err
	}
	if in.Reason != "" { // the hosted marketplace takes none
		extended, err := c.Extended(ctx)
		if err != nil {
			return reply[Cancelled]{}, err
		}
		if !extended {
			in.Reason = ""
		}
	}
	out, err := c.CancelTask(ctx, schemas.CancelTaskRequest{TaskID: in.TaskID, Reason: in.Reason})
	if err != nil {
		return reply[Cancelled]{}, err
	}
	return reply[Cancelled]{
		data: Cancelled{out.TaskID, brief.Failed, out.Status, &out.RefundedUSD, mode(out.Sandboxed)},
		text: fmt.Sprintf("%s is %s and %s came back. Nothing more to do.", out.TaskID, out.Status, out.RefundedUSD.Dollars()),
	}, nil
}

func cancelReview(ctx context.Context, c *call, in CancelTaskArgs) (reply[Cancelled], error) {
	service, err := c.reviews(ctx)
	if err != nil {
		return reply[Cancelled]{}, err
	}
	out, err := service.CancelReview(ctx, schemas.CancelReviewRequest{RequestID: in.TaskID, Reason: in.Reason})
	if err != nil {
		return reply[Cancelled]{}, err
	}
	return reply[Cancelled]{
		data: Cancelled{TaskID: in.TaskID, State: brief.Failed, Status: string(schemas.ReviewCancelled), TestMode: mode(out.Sandboxed)},
		text: in.TaskID + " is cancelled: nobody is asked any more, and nothing is approved.",
	}, nil
}

func listPage(ctx context.Context, c *call, in ListTasksArgs, extended bool) (schemas.Page[schemas.TaskView], error) {
	request := schemas.ListTasksRequest{Status: in.Status, TaskType: in.TaskType, Query: in.Query}
	request.Limit, request.Cursor = in.Limit, in.Cursor
	if extended {
		return c.ListTasks(ctx, request)
	}
	if in.TaskType != "" || in.Query != "" {
		return schemas.Page[schemas.TaskView]{}, undocumented("filters by type or title")
	}
	return hostedPage(ctx, c, in)
}

// hostedPage lists with what the hosted marketplace documents: one status in its own
// words, limit and offset. Groups and several statuses are filtered here.
func hostedPage(ctx context.Context, c *call, in ListTasksArgs) (schemas.Page[schemas.TaskView], error) {
	request := schemas.ListTasksRequest{}
	request.Limit = in.Limit
	request.Offset, _ = strconv.Atoi(in.Cursor)
	if request.Offset < 0 {
		request.Offset = 0
	}
	wanted := statusFilter(in.Status)
	if status, ok := schemas.ParseTaskStatus(in.Status); ok {
		request.Status = status.Hosted()
	}
	page, err := c.ListTasks(ctx, request)
	if err != nil {
		return page, err
	}
	if end := request.Offset + len(page.Data); end < page.Pagination.Total && len(page.Data) > 0 {
		page.Pagination.NextCursor = strconv.Itoa(end)
	}
	page.Data = slices.DeleteFunc(page.Data, func(t schemas.TaskView) bool { return !wanted(schemas.TaskStatus(t.Status)) })
	return page, nil
}

func statusFilter(text string) func(schemas.TaskStatus) bool {
	if text == "" {
		return func(schemas.TaskStatus) bool { return true }
	}
	words := strings.Split(text, ",")
	return func(s schemas.TaskStatus) bool {
		return slices.ContainsFunc(words, func(word string) bool {
			word = strings.TrimSpace(word)
			known, _ := schemas.ParseTaskStatus(strings.ToUpper(word))
			return known == s || (word == "open" && !s.Final()) || (word == "done" && s.Final())
		})
	}
}

// BalanceReport is what an agent needs before it posts.
type BalanceReport struct {
	Mode          string         `json:"mode,omitempty"`
	Deposit       schemas.Money  `json:"deposit_balance"`
	Escrow        schemas.Money  `json:"escrow_balance"`
	DailyLeft     *schemas.Money `json:"daily_left_usd,omitempty"`
	MaxReward     *schemas.Money `json:"max_reward_usd,omitempty"`
	ResetsAt      string         `json:"resets_at,omitempty"`
	PeopleInReach *int           `json:"people_in_reach,omitempty"`
	People        []PersonBrief  `json:"people,omitempty"`
	TestMode
}

// PersonBrief is a person as assign_to takes them.
type PersonBrief struct {
	OperatorID string `json:"operator_id"`
	Name       string `json:"name"`
}

func getBalance(ctx context.Context, c *call, _ schemas.Empty) (reply[BalanceReport], error) {
	var r reply[BalanceReport]
	b, err := c.GetBalance(ctx)
	if err != nil {
		return r, err
	}
	extended, err := c.Extended(ctx)
	if err != nil {
		return r, err
	}
	r.data = BalanceReport{Mode: b.Mode, Deposit: b.DepositBalance, Escrow: b.EscrowBalance, TestMode: mode(b.Sandboxed)}
	r.text = fmt.Sprintf("%s to spend, %s held for open tasks.", b.DepositBalance.Dollars(), b.EscrowBalance.Dollars())
	if extended {
		r.data.extend(b)
		r.text += balanceText(b)
	}
	return r, nil
}

func (r *BalanceReport) extend(b schemas.Balance) {
	if b.Limits.DailyCap > 0 { // no limit binds test tasks
		r.DailyLeft, r.MaxReward, r.ResetsAt = &b.Limits.DailyLeft, &b.Limits.MaxReward, brief.Moment(b.Limits.ResetsAt)
	}
	r.PeopleInReach = &b.PeopleInReach
	for _, p := range b.People {
		r.People = append(r.People, PersonBrief{p.OperatorID, untrusted.Name(p.Name)})
	}
}

func balanceText(b schemas.Balance) string {
	text := " Mode " + b.Mode + "."
	if b.Limits.DailyCap > 0 {
		text = fmt.Sprintf(" Mode %s: %s of today's %s left, at most %s a task.", b.Mode, b.Limits.DailyLeft.Dollars(), b.Limits.DailyCap.Dollars(), b.Limits.MaxReward.Dollars())
	}
	if b.PeopleInReach == 0 && !b.Sandbox {
		return text + " Nobody can be reached: a task would wait until the user runs: humanops-mcp people add me"
	}
	return text + " " + brief.People(b.PeopleInReach) + " could act now."
}

// Registered is the new agent and its key.
type Registered struct {
	AgentID string `json:"agent_id"`
	APIKey  string `json:"api_key" doc:"Shown once"`
	Tier    string `json:"tier"`
	Next    string `json:"next"`
	TestMode
}

func registered(a schemas.RegisterAgentResponse) (Registered, string) {
	next := "Ask the user to set HUMANOPS_API_KEY to this key in the client's configuration and to restart this server. The key is not shown again."
	return Registered{a.AgentID, a.APIKey, a.Tier, next, mode(a.Sandboxed)},
		fmt.Sprintf("Registered as %s (%s). API key: %s\n%s", a.AgentID, a.Tier, a.APIKey, next)
}
