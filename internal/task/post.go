package task

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/check"
	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/ledger"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/webhook"
	"humanops-mcp/schemas"
)

// maxNotified bounds the names in an answer, not who is told.
const maxNotified = 20

const nobodyInReach = "The task is posted, but nobody can be reached yet, so nobody will see it. " +
	"Ask the user to run `humanops-mcp people add me` (or add another person by name) and to open the link that it prints."

// owned is in with a copy of what it points to, because checkPost trims texts in place
// and the caller may go on using its own.
func owned(in schemas.PostTaskRequest) schemas.PostTaskRequest {
	in.ProofRequirements = slices.Clone(in.ProofRequirements)
	if in.Location != nil {
		place := *in.Location
		in.Location = &place
	}
	return in
}

// PostTask creates a task: the reward goes into escrow, people are told and the clocks
// are set, all in the caller's transaction.
func (s *Service) PostTask(ctx context.Context, tx *store.Tx, in schemas.PostTaskRequest) (schemas.PostTaskResponse, error) {
	c := account.From(ctx)
	in = owned(in)
	if err := checkPost(&in, tx.Now(), s.cfg.PrivateCallbacks); err != nil {
		return schemas.PostTaskResponse{}, err
	}
	if c.Mode == account.Live {
		if err := checkType(in.TaskType, s.cfg.AllowedTypes); err != nil {
			return schemas.PostTaskResponse{}, err
		}
	}
	assignee, err := s.assignee(ctx, tx, in.AssignTo)
	if err != nil {
		return schemas.PostTaskResponse{}, err
	}
	t := newTask(c, in, assignee, tx)
	earlier, err := s.mayPost(ctx, tx, t, in.AllowDuplicate)
	if err != nil {
		return schemas.PostTaskResponse{}, err
	}
	if earlier != "" {
		return s.duplicate(ctx, tx, earlier)
	}
	if t, err = s.open(ctx, tx, t, in); err != nil {
		return schemas.PostTaskResponse{}, err
	}
	return s.announce(ctx, tx, t, assignee)
}

// assignee finds the person that a task is meant for.
func (s *Service) assignee(ctx context.Context, tx *store.Tx, idOrName string) (db.Person, error) {
	if idOrName == "" {
		return db.Person{}, nil
	}
	if account.From(ctx).Mode == account.Test {
		return s.simulatedAssignee(ctx, tx, idOrName)
	}
	p, err := s.Accounts.FindPerson(ctx, tx, idOrName)
	switch {
	case schemas.ErrorCode(err) == schemas.CodeNotFound:
		return p, schemas.Invalid("assign_to", "names nobody here; got "+check.Quote(idOrName, maxShown)+". get_balance lists the people; the owner adds one with `humanops-mcp people add NAME`")
	case err != nil:
		return p, err
	case !p.IsOperator:
		return p, schemas.Invalid("assign_to", "must name a person who does tasks; "+p.Name+" has no operator role")
	}
	return p, nil
}

func newTask(c account.Caller, in schemas.PostTaskRequest, assignee db.Person, tx *store.Tx) task {
	requirements, err := json.Marshal(in.ProofRequirements)
	if err != nil {
		panic(err) // strings: cannot fail
	}
	now, asked := store.Micros(tx.Now()), assignee.ID
	if assignee.Simulated {
		asked = in.AssignTo // one may stand in for several
	}
	t := db.Task{
		ID: ident.New(schemas.KindTask.Prefix()), AgentID: c.AgentID, Mode: c.Mode, Status: string(schemas.Posted),
		Title: in.Title, Description: in.Description, TaskType: string(in.TaskType), Reward: int64(in.RewardUSD), Asset: ledger.Asset(c.Mode),
		Deadline: store.Micros(in.Deadline), ProofRequirements: string(requirements), DigitalInstructions: in.DigitalInstructions,
		AgentPublicKey: in.AgentPublicKey, AssignTo: nullText(assignee.ID),
		EstimateApproval: in.EstimateApproval, ContentHash: contentHash(c.Mode, &in, asked), CreatedAt: now, UpdatedAt: now,
	}
	if l := in.Location; l != nil {
		t.Lat, t.Lng, t.Address = nullFloat(l.Lat), nullFloat(l.Lng), l.Address
	}
	return task{t, change.Line{ID: t.ID, AgentID: t.AgentID, Mode: t.Mode, CreatedAt: now}}
}

// mayPost takes the agent's lock and then looks for an equal task and at the day's
// limits. It gives the id of the earlier task when this one repeats it.
func (s *Service) mayPost(ctx context.Context, tx *store.Tx, t task, allowDuplicate bool) (earlier string, err error) {
	agent, err := account.LockAgent(ctx, tx, t.AgentID)
	if err != nil {
		return "", fmt.Errorf("find the agent that posts: %w", err)
	}
	earlier, err = tx.DuplicateOf(ctx, db.DuplicateOfParams{
		AgentID: t.AgentID, ContentHash: t.ContentHash, PostedSince: store.Micros(tx.Now().Add(-duplicateWindow)),
	})
	switch {
	case err != nil && !store.NotFound(err):
		return "", err
	case err == nil && !allowDuplicate:
		return earlier, nil
	case t.Mode != account.Live:
		return "", nil
	}
	return "", s.spend(ctx, tx, t, agent.Tier, account.Day{Began: agent.Day, Spent: agent.DaySpent, Posted: agent.DayPosted})
}

// open takes the escrow, makes the task and keeps its callback.
func (s *Service) open(ctx context.Context, tx *store.Tx, t task, in schemas.PostTaskRequest) (task, error) {
	if err := ledger.Hold(ctx, tx, rewardOf(t), schemas.Money(t.Reward)); err != nil {
		return t, err
	}
	by := change.Actor{ID: t.AgentID, Via: account.From(ctx).Via}
	t, err := s.life.Open(ctx, tx, t, change.Opening[Event]{Event: Post, By: by, With: Posted{schemas.Money(t.Reward), t.Title}})
	if err != nil {
		return t, err
	}
	return t, s.Webhooks.Subscribe(ctx, tx, webhook.Callback{
		SubjectID: t.ID, AgentID: t.AgentID, Mode: t.Mode, URL: in.CallbackURL, Secret: in.CallbackSecret, Style: webhook.Marketplace,
	})
}

// announce tells the people who could take the task, and builds the answer from what is at hand.
func (s *Service) announce(ctx context.Context, tx *store.Tx, t task, assignee db.Person) (schemas.PostTaskResponse, error) {
	out := schemas.PostTaskResponse{TaskView: s.brief(row{Task: t, AssignedName: assignee.Name})}
	people, err := s.Accounts.InReach(ctx, tx, t.Mode)
	if err != nil {
		return out, err
	}
	if assignee.ID != "" {
		people = only(people, assignee.ID)
	}
	out.PeopleInReach, out.Notified = len(people), names(people)
	if t.Mode == account.Test {
		return out, s.scheduleSimulation(ctx, tx, t)
	}
	if len(people) == 0 {
		out.Hint = nobodyInReach
		if assignee.ID != "" {
			out.Hint = fmt.Sprintf("The task is posted, but %s cannot be reached yet. Ask the user to run `humanops-mcp people add %q` and to give %s the link that it prints.",
				assignee.Name, assignee.Name, assignee.Name)
		}
		return out, nil
	}
	return out, s.tellPosted(ctx, tx, t, people, assignee.ID != "")
}

func names(people []schemas.PersonBrief) []string {
	list := make([]string, 0, min(len(people), maxNotified))
	for _, p := range people[:min(len(people), maxNotified)] {
		list = append(list, p.Name)
	}
	return list
}

func only(people []schemas.PersonBrief, id string) []schemas.PersonBrief {
	for _, p := range people {
		if p.OperatorID == id {
			return []schemas.PersonBrief{p}
		}
	}
	return nil
}

// duplicate answers with the task that was posted before.
func (s *Service) duplicate(ctx context.Context, tx *store.Tx, id string) (schemas.PostTaskResponse, error) {
	view, err := s.fullView(ctx, tx, id)
	if err != nil {
		return schemas.PostTaskResponse{}, err
	}
	people, err := s.Accounts.InReach(ctx, tx, account.From(ctx).Mode)
	return schemas.PostTaskResponse{
		TaskView: view, PeopleInReach: len(people), Duplicate: true,
		Hint: "This is the task that was posted within the last 10 minutes; no second one was made. Send allow_duplicate: true to post it once more.",
	}, err
}
