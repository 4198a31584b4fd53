// Package overview is one look at everything that an agent has before it: the lines of its
// tasks and reviews that are open or ended lately, and then their rows.
package overview

import (
	"cmp"
	"context"
	"slices"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/review"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/task"
	"humanops-mcp/schemas"
)

const (
	shown  = 50 // of each kind
	lately = 24 * time.Hour
)

// Service looks for agents.
type Service struct {
	tasks   *task.Service
	reviews *review.Service
}

// NewService makes the service.
func NewService(tasks *task.Service, reviews *review.Service) *Service {
	return &Service{tasks, reviews}
}

// GetOverview gives what the calling agent has before it, in its key's mode.
func (s *Service) GetOverview(ctx context.Context, tx *store.Tx, _ schemas.Empty) (schemas.Overview, error) {
	c := account.From(ctx)
	l := look{agentID: c.AgentID, mode: c.Mode, since: store.Micros(tx.Now().Add(-lately))}
	lines, err := l.lines(ctx, tx)
	if err != nil {
		return schemas.Overview{}, err
	}
	out := schemas.Overview{Tasks: []schemas.TaskView{}, Reviews: []schemas.Review{}}
	if err := s.addTasks(ctx, tx, l, lines, &out); err != nil {
		return out, err
	}
	if review.MayRead(c) {
		err = s.addReviews(ctx, tx, l, lines, &out)
	}
	account.MarkTest(&out.Sandboxed, c.Mode)
	return out, err
}

// look says whose lines are wanted.
type look struct {
	agentID, mode string
	since         int64
}

// lines reads more of each kind than is shown, where there are more.
func (l look) lines(ctx context.Context, tx *store.Tx) ([]change.Line, error) {
	rows, err := tx.CurrentLines(ctx, db.CurrentLinesParams{AgentID: l.agentID, Mode: l.mode, EndedSince: l.since, RowLimit: shown + 1})
	lines := make([]change.Line, len(rows))
	for i, row := range rows {
		lines[i] = change.Line(row)
	}
	return lines, err
}

func (s *Service) addTasks(ctx context.Context, tx *store.Tx, l look, lines []change.Line, out *schemas.Overview) (err error) {
	mine, more := pick(lines, task.Name)
	if more {
		if out.TasksLeft, err = l.left(ctx, tx, task.Name, len(mine)); err != nil {
			return err
		}
	}
	out.Tasks, err = s.tasks.Lines(ctx, tx, mine)
	return err
}

// addReviews leaves out the reviews of proof whose tasks are told of: what proof needs of
// the agent, its task says.
func (s *Service) addReviews(ctx context.Context, tx *store.Tx, l look, lines []change.Line, out *schemas.Overview) (err error) {
	mine, more := pick(lines, review.Name)
	if more {
		if out.ReviewsLeft, err = l.left(ctx, tx, review.Name, len(mine)); err != nil {
			return err
		}
	}
	out.Reviews, err = s.reviews.Lines(ctx, tx, mine, func(taskID string) bool {
		return slices.ContainsFunc(out.Tasks, func(t schemas.TaskView) bool { return t.TaskID == taskID })
	})
	return err
}

// left counts those that are not shown.
func (l look) left(ctx context.Context, tx *store.Tx, kind string, besides int) (int, error) {
	n, err := tx.CountCurrentLines(ctx, db.CountCurrentLinesParams{
		AgentID: l.agentID, Mode: l.mode, Kind: kind, EndedSince: l.since, CountTo: int64(schemas.MaxLeft + besides),
	})
	return min(int(n)-besides, schemas.MaxLeft), err
}

// pick takes a kind's lines: the newest first. Where there is no room for all, those that
// the agent has to decide on come before them.
func pick(lines []change.Line, kind string) (picked []change.Line, more bool) {
	known := map[string]bool{}
	for _, line := range lines {
		if line.Kind == kind && !known[line.ID] {
			known[line.ID] = true
			picked = append(picked, line)
		}
	}
	more = len(picked) > shown
	slices.SortFunc(picked, func(a, b change.Line) int {
		return cmp.Or(cmp.Compare(urgency(b, more), urgency(a, more)), cmp.Compare(b.CreatedAt, a.CreatedAt), cmp.Compare(b.ID, a.ID))
	})
	return picked[:min(len(picked), shown)], more
}

// urgency puts a line before newer ones.
func urgency(l change.Line, decisionsFirst bool) int {
	if decisionsFirst && task.Undecided(schemas.TaskStatus(l.State)) {
		return 1
	}
	return 0
}
