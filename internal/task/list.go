package task

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/check"
	"humanops-mcp/internal/keyset"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// How lists page.
var (
	newestFirst = keyset.List{From: keyset.Newest, Usual: 20}
	oldestFirst = keyset.List{From: keyset.Oldest, Usual: 20}
)

// GetTask gives a task's full state.
func (s *Service) GetTask(ctx context.Context, tx *store.Tx, in schemas.TaskRequest) (schemas.TaskView, error) {
	return s.fullView(ctx, tx, in.TaskID)
}

// ByIDs gives what a list shows of some tasks, by id. It is for whoever may see them: that
// is not asked here.
func (s *Service) ByIDs(ctx context.Context, tx *store.Tx, ids []string) (map[string]schemas.TaskView, error) {
	found, err := tx.TasksByIDs(ctx, store.IDs(ids))
	if err != nil || len(found) == 0 {
		return nil, err
	}
	rows, err := named(ctx, tx, found)
	out := make(map[string]schemas.TaskView, len(rows))
	for _, r := range rows {
		out[r.Task.ID] = s.brief(r)
	}
	return out, err
}

// ListTasks lists the caller's tasks, newest first: an agent's own of its key's mode,
// the owner's all that are live.
func (s *Service) ListTasks(ctx context.Context, tx *store.Tx, in schemas.ListTasksRequest) (schemas.Page[schemas.TaskView], error) {
	f, err := filterOf(in)
	if err != nil {
		return schemas.Page[schemas.TaskView]{}, err
	}
	c := account.From(ctx)
	q, err := f.search(ctx, tx, c)
	if err != nil {
		return schemas.Page[schemas.TaskView]{}, err
	}
	found, page, err := q.find(ctx, tx)
	if err != nil {
		return schemas.Page[schemas.TaskView]{}, err
	}
	rows, err := named(ctx, tx, found)
	if err != nil {
		return schemas.Page[schemas.TaskView]{}, err
	}
	out := schemas.Page[schemas.TaskView]{Data: make([]schemas.TaskView, 0, len(rows)), Pagination: page}
	for _, r := range rows {
		v, err := s.listed(ctx, tx, r)
		if err != nil {
			return out, err
		}
		out.Data = append(out.Data, v)
	}
	if c.Mode == account.Test {
		out.MarkSandbox()
	}
	return out, nil
}

// listed is a task in a list, which says what the contract's does and where things stand;
// GetTask has the rest.
func (s *Service) listed(ctx context.Context, tx *store.Tx, r row) (schemas.TaskView, error) {
	v, err := s.withQuestions(ctx, tx, r)
	v.Description, v.DigitalInstructions, v.ProofRequirements, v.Timestamps = "", "", nil, nil
	return v, err
}

// filter is what ListTasks looks for.
type filter struct {
	keyset.Window
	match
	statuses   []string // none for all
	endedSince int64
}

func filterOf(in schemas.ListTasksRequest) (f filter, err error) {
	if f.Window, err = newestFirst.Window(in.PageRequest); err != nil {
		return f, err
	}
	if f.statuses, err = statusFilter(in.Status); err != nil {
		return f, err
	}
	if f.taskType, err = typeFilter(in.TaskType); err != nil {
		return f, err
	}
	f.endedSince = store.Micros(in.EndedSince)
	if q := strings.TrimSpace(in.Query); q != "" {
		f.titleAsIs = "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(q) + "%"
		f.titleLike = strings.ToLower(f.titleAsIs)
	}
	return f, nil
}

// statusFilter reads words of either vocabulary and the two groups; nothing when none is
// asked for, or all are.
func statusFilter(words string) ([]string, error) {
	if strings.TrimSpace(words) == "" {
		return nil, nil
	}
	wanted := map[schemas.TaskStatus]bool{}
	for word := range strings.SplitSeq(words, ",") {
		word = strings.TrimSpace(word)
		status, known := schemas.ParseTaskStatus(strings.ToUpper(word))
		switch group := strings.ToLower(word); {
		case group == "open" || group == "done":
			for _, s := range schemas.TaskStatuses {
				wanted[s] = wanted[s] || s.Final() == (group == "done")
			}
		case known:
			wanted[status] = true
		default:
			return nil, schemas.Invalid("status", fmt.Sprintf("must be statuses with commas between them, or open, or done; got %s. The statuses are %s", check.Quote(word, maxShown), statusNames()))
		}
	}
	return statusesWhere(func(s schemas.TaskStatus) bool { return wanted[s] }), nil
}

// statusesWhere are those that are wanted; none when all are.
func statusesWhere(wanted func(schemas.TaskStatus) bool) (list []string) {
	for _, s := range schemas.TaskStatuses {
		if wanted(s) {
			list = append(list, string(s))
		}
	}
	if len(list) == len(schemas.TaskStatuses) {
		return nil
	}
	return list
}

func statusNames() string {
	list := make([]string, len(schemas.TaskStatuses))
	for i, s := range schemas.TaskStatuses {
		list[i] = string(s)
	}
	return strings.Join(list, ", ")
}

func typeFilter(t schemas.TaskType) (string, error) {
	if t == "" || slices.Contains(schemas.TaskTypes, t) {
		return string(t), nil
	}
	return "", schemas.Invalid("task_type", fmt.Sprintf("must be one of %s; got %s", typeNames(), check.Quote(string(t), maxShown)))
}

// search leads to no status of the caller's tasks but the wanted ones.
func (f filter) search(ctx context.Context, tx *store.Tx, c account.Caller) (search, error) {
	q := search{Window: f.Window, match: f.match}
	switch {
	case f.endedSince > 0:
		return f.lately(ctx, tx, c)
	case len(f.statuses) == 0:
		q.ways = []way{allOf(c)}
	}
	for _, status := range f.statuses {
		q.ways = append(q.ways, inStatus(c, status, 0))
	}
	return q, nil
}

// lately leads to what is open and to what ended since. Where too much did to be put in
// order, it is sifted out of all that ended.
func (f filter) lately(ctx context.Context, tx *store.Tx, c account.Caller) (search, error) {
	q := search{Window: f.Window, match: f.match}
	var done []string
	for _, status := range schemas.TaskStatuses {
		switch word := string(status); {
		case len(f.statuses) > 0 && !slices.Contains(f.statuses, word):
		case status.Final():
			done = append(done, word)
		default:
			q.ways = append(q.ways, inStatus(c, word, 0))
		}
	}
	if len(done) == 0 {
		return q, nil
	}
	n, err := endedOf(c, finals{true, true, true}, f.endedSince).count(ctx, tx, look{limit: keyset.CountTo})
	if err != nil {
		return q, err
	}
	in := func(s schemas.TaskStatus) bool { return slices.Contains(done, string(s)) }
	wanted := finals{in(schemas.Paid), in(schemas.Cancelled), in(schemas.Expired)}
	if n <= keyset.MaxTotal {
		q.ways = append(q.ways, endedOf(c, wanted, f.endedSince))
		return q, nil
	}
	for _, status := range done {
		q.ways = append(q.ways, inStatus(c, status, f.endedSince))
	}
	if wanted == (finals{true, true, true}) && f.match == (match{}) {
		q.least = n
	}
	return q, nil
}

// allOf is an agent's tasks, or all that are live for the owner, who has none.
func allOf(c account.Caller) way {
	if c.AgentID == "" {
		return ofOwner()
	}
	return ofAgent(c.AgentID, c.Mode)
}

func inStatus(c account.Caller, status string, since int64) way {
	if c.AgentID == "" {
		return ofOwnerIn(status, since)
	}
	return ofAgentIn(c.AgentID, c.Mode, status, since)
}

func endedOf(c account.Caller, in finals, since int64) way {
	if c.AgentID == "" {
		return ofOwnerEnded(in, since)
	}
	return ofAgentEnded(c.AgentID, c.Mode, in, since)
}

// ListOpenTasks lists what an operator could take, or what they have or had.
func (s *Service) ListOpenTasks(ctx context.Context, tx *store.Tx, in schemas.ListOpenTasksRequest) (schemas.Page[schemas.OperatorTask], error) {
	w, err := newestFirst.Window(in.PageRequest)
	if err != nil {
		return schemas.Page[schemas.OperatorTask]{}, err
	}
	taskType, err := typeFilter(in.TaskType)
	if err != nil {
		return schemas.Page[schemas.OperatorTask]{}, err
	}
	c, now := account.From(ctx), store.Micros(tx.Now())
	ways := []way{ofPool(now), ofAssigned(c.PersonID, now)}
	if in.Mine {
		ways = []way{ofOperator(c.PersonID)}
	}
	found, page, err := search{Window: w, match: match{taskType: taskType}, ways: ways}.find(ctx, tx)
	if err != nil {
		return schemas.Page[schemas.OperatorTask]{}, err
	}
	list, err := s.operatorViews(ctx, tx, found)
	return schemas.Page[schemas.OperatorTask]{Data: list, Pagination: page}, err
}

func (s *Service) operatorViews(ctx context.Context, tx *store.Tx, list []db.Task) ([]schemas.OperatorTask, error) {
	rows, err := named(ctx, tx, list)
	views := make([]schemas.OperatorTask, len(rows))
	for i, r := range rows {
		views[i] = s.operatorView(r.Task, r.AgentName, account.From(ctx))
	}
	return views, err
}

// Work is what an operator has to do with.
type Work struct {
	InHand, Pending []schemas.OperatorTask // the newest first; Pending, which others decide on, at most pendingShown
}

const pendingShown = 100

// GetWork gives what the operator has not done with.
func (s *Service) GetWork(ctx context.Context, tx *store.Tx) (out Work, err error) {
	person := account.From(ctx).PersonID
	ids, err := s.life.Claims(ctx, tx, person)
	if err != nil {
		return out, err
	}
	held, err := tx.NewestTasks(ctx, db.NewestTasksParams{Ids: store.IDs(ids), RowLimit: int64(len(ids)), RowOffset: 0})
	if err != nil {
		return out, err
	}
	if out.InHand, err = s.operatorViews(ctx, tx, held); err != nil {
		return out, err
	}
	pending, err := tx.PendingTasks(ctx, db.PendingTasksParams{OperatorID: person, RowLimit: pendingShown})
	if err != nil {
		return out, err
	}
	out.Pending, err = s.operatorViews(ctx, tx, pending)
	return out, err
}
