package task

import (
	"context"
	"slices"

	"humanops-mcp/internal/change"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

// Undecided tells whether a task in this status waits for a decision of its agent.
func Undecided(status schemas.TaskStatus) bool {
	return status == schemas.EstimatePending || status == schemas.ManualReview
}

// Lines gives the tasks of lines as a list shows them, in the lines' order. It is for
// whoever may see them: that is not asked here.
func (s *Service) Lines(ctx context.Context, tx *store.Tx, lines []change.Line) ([]schemas.TaskView, error) {
	views := make([]schemas.TaskView, 0, len(lines))
	if len(lines) == 0 {
		return views, nil
	}
	tasks, err := ofLines(ctx, tx, lines)
	if err != nil {
		return nil, err
	}
	rows, err := withPeople(ctx, tx, tasks)
	for i := 0; i < len(rows) && err == nil; i++ {
		var v schemas.TaskView
		v, err = s.listed(ctx, tx, rows[i])
		views = append(views, v)
	}
	return views, err
}

// ofLines reads the rows that belong to lines.
func ofLines(ctx context.Context, tx *store.Tx, lines []change.Line) ([]task, error) {
	ids, at := make([]string, len(lines)), map[string]int{}
	for i, line := range lines {
		ids[i], at[line.ID] = line.ID, i
	}
	found, err := tx.TasksByIDs(ctx, store.IDs(ids))
	tasks := make([]task, len(lines))
	for _, t := range found {
		tasks[at[t.ID]] = task{t, lines[at[t.ID]]}
	}
	return slices.DeleteFunc(tasks, func(t task) bool { return t.ID == "" }), err // a line without its row is the check's to tell of
}
