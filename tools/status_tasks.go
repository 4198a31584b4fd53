package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"humanops-mcp/schemas"
	"humanops-mcp/tools/brief"
)

// taskWatch is some tasks at the marketplace.
type taskWatch struct {
	*call
	extended bool
	asked    int // how often a hosted marketplace was asked
	tasks    []schemas.TaskView
	left     int // further tasks that one answer has no room for
	sandbox  schemas.Sandboxed
}

// taskPart fetches the named tasks as they are; without names, all that matter.
func taskPart(ctx context.Context, c *call, ids []string) (part, error) {
	if err := c.market(ctx); err != nil {
		return nil, err
	}
	extended, err := c.Extended(ctx)
	if err != nil {
		return nil, err
	}
	w := &taskWatch{call: c, extended: extended}
	if len(ids) > 0 {
		return w, w.fetch(ctx, ids)
	}
	return w, w.loadLately(ctx)
}

// fetch asks for the named tasks, at once where the server can.
func (w *taskWatch) fetch(ctx context.Context, ids []string) error {
	if w.extended {
		out, err := w.Wait(ctx, schemas.WaitRequest{IDs: strings.Join(ids, ",")})
		w.tasks, w.sandbox = out.Items, out.Sandboxed
		return err
	}
	w.tasks = nil
	for _, id := range ids {
		t, err := w.GetTask(ctx, schemas.TaskRequest{TaskID: id})
		if err != nil {
			return err
		}
		w.tasks = append(w.tasks, t)
	}
	return nil
}

// loadLately fetches what is open and what ended in the last 24 hours.
func (w *taskWatch) loadLately(ctx context.Context) error {
	in := schemas.ListTasksRequest{PageRequest: schemas.PageRequest{Limit: 100}}
	if w.extended {
		in.Limit, in.EndedSince = maxIDs, w.clock.Now().Add(-lately)
	}
	page, err := w.ListTasks(ctx, in)
	w.tasks, w.sandbox = w.recent(page.Data), page.Sandboxed
	if err != nil || !w.extended || page.Pagination.Total <= len(page.Data) {
		return err
	}
	err = w.loadUndecided(ctx)
	w.left = page.Pagination.Total - len(w.tasks)
	return err
}

// loadUndecided puts first what only the agent can move on, so that it does not fall
// behind the newest tasks.
func (w *taskWatch) loadUndecided(ctx context.Context) error {
	undecided := string(schemas.EstimatePending) + "," + string(schemas.ManualReview)
	page, err := w.ListTasks(ctx, schemas.ListTasksRequest{Status: undecided, PageRequest: schemas.PageRequest{Limit: maxIDs}})
	for _, t := range w.tasks {
		if !slices.ContainsFunc(page.Data, func(u schemas.TaskView) bool { return u.TaskID == t.TaskID }) {
			page.Data = append(page.Data, t)
		}
	}
	w.tasks = page.Data
	return err
}

// recent leaves out what ended before the last 24 hours.
func (w *taskWatch) recent(tasks []schemas.TaskView) []schemas.TaskView {
	since := w.clock.Now().Add(-lately)
	return slices.DeleteFunc(tasks, func(t schemas.TaskView) bool {
		return schemas.TaskStatus(t.Status).Final() && changedAt(t).Before(since)
	})
}

// tells tells whether a task is among them.
func (w *taskWatch) tells(id string) bool {
	return slices.ContainsFunc(w.tasks, func(t schemas.TaskView) bool { return t.TaskID == id })
}

// changedAt is when the task last changed, as far as the server tells.
func changedAt(t schemas.TaskView) time.Time {
	if !t.UpdatedAt.IsZero() {
		return t.UpdatedAt
	}
	return t.CreatedAt
}

func (w *taskWatch) rest() (ready, open bool) {
	for _, t := range w.tasks {
		b := brief.Task(t, w.extended)
		ready = ready || t.New || b.State == brief.NeedsYou
		open = open || !b.Over()
	}
	return ready, open
}

// pause grows with each time that a hosted marketplace was asked.
func (w *taskWatch) pause() time.Duration {
	if w.extended {
		return waitSlice
	}
	return min(time.Second<<min(w.asked, 8), waitSlice)
}

func (w *taskWatch) slice(ctx context.Context, d time.Duration) (bool, error) {
	var ids, versions []string
	for _, t := range w.tasks {
		if !schemas.TaskStatus(t.Status).Final() && len(ids) < maxIDs {
			ids = append(ids, t.TaskID)
			versions = append(versions, fmt.Sprintf("%s:%d", t.TaskID, t.Version))
		}
	}
	if w.extended {
		out, err := w.Wait(ctx, schemas.WaitRequest{IDs: strings.Join(versions, ","), TimeoutSeconds: int(d.Seconds())})
		return w.merge(out.Items) || out.Changed, err
	}
	w.asked++
	if err := w.sleep(ctx, d); err != nil {
		return false, err
	}
	changed := false
	for _, id := range ids {
		t, err := w.GetTask(ctx, schemas.TaskRequest{TaskID: id})
		if err != nil {
			return false, err
		}
		changed = w.merge([]schemas.TaskView{t}) || changed
	}
	return changed, nil
}

// sleep waits, for services that cannot.
func (c *call) sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-c.clock.After(d):
		return nil
	}
}

// merge puts newer views in place of older ones and tells whether one changed.
func (w *taskWatch) merge(views []schemas.TaskView) (changed bool) {
	for _, v := range views {
		i := slices.IndexFunc(w.tasks, func(t schemas.TaskView) bool { return t.TaskID == v.TaskID })
		if i < 0 {
			continue
		}
		if w.tasks[i].Status != v.Status || w.tasks[i].Version != v.Version {
			v.New, changed = true, true
		}
		w.tasks[i] = v
	}
	return changed
}

// acknowledge records what the agent has now seen. It is not worth failing for: the
// worst is that something is marked NEW twice.
func (w *taskWatch) acknowledge(ctx context.Context) {
	var seen []schemas.SeenTask
	for _, t := range w.tasks {
		if t.New && t.Version > 0 {
			seen = append(seen, schemas.SeenTask{TaskID: t.TaskID, Version: t.Version})
		}
	}
	if !w.extended || len(seen) == 0 || ctx.Err() != nil {
		return
	}
	if _, err := w.AcknowledgeTasks(ctx, schemas.AcknowledgeRequest{Items: seen[:min(len(seen), 100)]}); err != nil {
		w.log.Warn("tasks not acknowledged", "error", err)
	}
}

func (w *taskWatch) report(r *StatusReport) (due, open int, poll time.Duration) {
	r.Sandbox = r.Sandbox || w.sandbox.Sandbox
	for _, t := range w.tasks {
		b := brief.Task(t, w.extended)
		r.add(b, &due, &open)
		r.Sandbox = r.Sandbox || t.Sandbox
		if p := pollAfter(t, w.clock.Now()); !b.Over() && (poll == 0 || p < poll) {
			poll = p
		}
	}
	r.more("tasks", len(w.tasks), w.left)
	return due, open, poll
}

// pollAfter is when to ask about a task again: later, the longer it has not moved.
func pollAfter(t schemas.TaskView, now time.Time) time.Duration {
	age := now.Sub(changedAt(t))
	switch {
	case t.Sandbox:
		return 5 * time.Second
	case t.Status == string(schemas.Submitted), t.Status == string(schemas.Verified):
		return 15 * time.Second
	case age < 10*time.Minute:
		return 2 * time.Minute
	case age < time.Hour:
		return 5 * time.Minute
	}
	return 15 * time.Minute
}
