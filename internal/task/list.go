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
	found, total, err := f.find(ctx, tx, c)
	if err != nil {
		return schemas.Page[schemas.TaskView]{}, err
	}
	found, next := keyset.Cut(f.Window, found, func(t db.Task) keyset.Position { return keyset.At(t.CreatedAt, t.ID) })
	rows, err := named(ctx, tx, found)
	if err != nil {
		return schemas.Page[schemas.TaskView]{}, err
	}
	out := schemas.Page[schemas.TaskView]{Data: make([]schemas.TaskView, 0, len(rows)), Pagination: f.Pagination(total, next)}
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
	statuses, taskType   string
	titleLike, titleAsIs string // in lower case, and as it was sent
	endedSince           int64
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

// statusFilter reads words of either vocabulary and the two groups into ",A,B,", the
// form that the queries look in. Nothing asked for is "".
func statusFilter(words string) (string, error) {
	if strings.TrimSpace(words) == "" {
		return "", nil
	}
	var wanted []string
	for word := range strings.SplitSeq(words, ",") {
		word = strings.TrimSpace(word)
		status, known := schemas.ParseTaskStatus(strings.ToUpper(word))
		switch group := strings.ToLower(word); {
		case group == "open" || group == "done":
			for _, s := range schemas.TaskStatuses {
				if s.Final() == (group == "done") {
					wanted = append(wanted, string(s))
				}
			}
		case known:
			wanted = append(wanted, string(status))
		default:
			return "", schemas.Invalid("status", fmt.Sprintf("must be statuses with commas between them, or open, or done; got %s. The statuses are %s", check.Quote(word, maxShown), statusNames()))
		}
	}
	return "," + strings.Join(wanted, ",") + ",", nil
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

// find reads one row more than the page holds, and counts what matches.
func (f filter) find(ctx context.Context, tx *store.Tx, c account.Caller) ([]db.Task, int64, error) {
	rows, err := f.rows(ctx, tx, c)
	if err != nil || f.Whole(len(rows)) {
		return rows, int64(len(rows)), err
	}
	mode := account.Live
	if c.AgentID != "" {
		mode = c.Mode
	}
	total, err := tx.CountTasks(ctx, db.CountTasksParams{
		AgentID: c.AgentID, Mode: mode, Statuses: f.statuses, TaskType: f.taskType, TitleLike: f.titleLike, TitleAsIs: f.titleAsIs, EndedSince: f.endedSince,
	})
	return rows, total, err
}

func (f filter) rows(ctx context.Context, tx *store.Tx, c account.Caller) ([]db.Task, error) {
	if c.AgentID != "" {
		return tx.ListAgentTasks(ctx, db.ListAgentTasksParams{
			AgentID: c.AgentID, Mode: c.Mode, Statuses: f.statuses, TaskType: f.taskType, TitleLike: f.titleLike, TitleAsIs: f.titleAsIs, EndedSince: f.endedSince,
			Before: f.At.Time, BeforeID: f.At.ID, RowLimit: f.Limit + 1, RowOffset: f.Offset,
		})
	}
	return tx.ListOwnerTasks(ctx, db.ListOwnerTasksParams{
		Statuses: f.statuses, TaskType: f.taskType, TitleLike: f.titleLike, TitleAsIs: f.titleAsIs, EndedSince: f.endedSince,
		Before: f.At.Time, BeforeID: f.At.ID, RowLimit: f.Limit + 1, RowOffset: f.Offset,
	})
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
	list := poolTasks
	if in.Mine {
		list = heldTasks
	}
	c := account.From(ctx)
	found, total, err := list(ctx, tx, c.PersonID, taskType, w)
	if err != nil {
		return schemas.Page[schemas.OperatorTask]{}, err
	}
	rows, err := named(ctx, tx, found)
	if err != nil {
		return schemas.Page[schemas.OperatorTask]{}, err
	}
	at := func(r row) keyset.Position { return keyset.At(r.Task.CreatedAt, r.Task.ID) }
	return keyset.Page(w, total, rows, at, func(r row) schemas.OperatorTask { return s.operatorView(r.Task, r.AgentName, c) }), nil
}

func poolTasks(ctx context.Context, tx *store.Tx, operatorID, taskType string, w keyset.Window) ([]db.Task, int64, error) {
	now := store.Micros(tx.Now())
	total, err := tx.CountPoolTasks(ctx, db.CountPoolTasksParams{Now: now, OperatorID: operatorID, TaskType: taskType})
	if err != nil {
		return nil, 0, err
	}
	rows, err := tx.ListPoolTasks(ctx, db.ListPoolTasksParams{
		Now: now, OperatorID: operatorID, TaskType: taskType, Before: w.At.Time, BeforeID: w.At.ID, RowLimit: w.Limit + 1, RowOffset: w.Offset,
	})
	return rows, total, err
}

func heldTasks(ctx context.Context, tx *store.Tx, operatorID, taskType string, w keyset.Window) ([]db.Task, int64, error) {
	total, err := tx.CountOperatorTasks(ctx, db.CountOperatorTasksParams{OperatorID: operatorID, TaskType: taskType})
	if err != nil {
		return nil, 0, err
	}
	rows, err := tx.ListOperatorTasks(ctx, db.ListOperatorTasksParams{
		OperatorID: operatorID, TaskType: taskType, Before: w.At.Time, BeforeID: w.At.ID, RowLimit: w.Limit + 1, RowOffset: w.Offset,
	})
	return rows, total, err
}
