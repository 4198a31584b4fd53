package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"humanops-mcp/schemas"
)

const (
	waitSlice = 5 * time.Second // between signs of life
	maxIDs    = 50
	lately    = 24 * time.Hour
)

// CheckStatusArgs names tasks, or none for all that matter.
type CheckStatusArgs struct {
	IDs         []string `json:"ids,omitempty" maxItems:"50" doc:"Task ids"`
	TaskID      string   `json:"task_id,omitempty" maxLength:"64" doc:"Or one id"`
	WaitSeconds int      `json:"wait_seconds,omitempty" minimum:"0" maximum:"45" doc:"Wait this long for a change; default 0"`
}

// StatusReport is where the tasks are.
type StatusReport struct {
	Items            []TaskBrief `json:"items"`
	Changed          bool        `json:"changed" doc:"Something is new"`
	PollAfterSeconds int         `json:"poll_after_seconds,omitempty"`
	Next             string      `json:"next"`
	TestMode
}

func checkStatus(ctx context.Context, c *call, in CheckStatusArgs) (reply[StatusReport], error) {
	var r reply[StatusReport]
	extended, err := c.Extended(ctx)
	if err != nil {
		return r, err
	}
	w := watch{call: c, extended: extended, wait: time.Duration(in.WaitSeconds) * time.Second}
	if err := w.load(ctx, in); err != nil {
		return r, err
	}
	if err := w.until(ctx); err != nil {
		return r, err
	}
	r.data = w.report()
	r.text = r.data.text()
	w.acknowledge(ctx)
	return r, nil
}

// watch looks at some tasks until one of them changes.
type watch struct {
	*call
	extended bool
	wait     time.Duration
	tasks    []schemas.TaskView
	changed  bool
	more     int // further tasks that one answer has no room for
	sandbox  schemas.Sandboxed
}

// load fetches the tasks as they are.
func (w *watch) load(ctx context.Context, in CheckStatusArgs) error {
	ids := slices.Clone(in.IDs)
	if in.TaskID != "" {
		ids = append(ids, in.TaskID)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) == 0 {
		return w.loadLately(ctx)
	}
	for _, id := range ids {
		if id == "" || strings.ContainsAny(id, ",:/") {
			return schemas.Invalid("ids", fmt.Sprintf("must hold task ids; got %.40q. Example: task_a1B2c3D4e5F6g7H8", id))
		}
	}
	return w.fetch(ctx, ids)
}

// fetch asks for the named tasks, at once where the server can.
func (w *watch) fetch(ctx context.Context, ids []string) error {
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
func (w *watch) loadLately(ctx context.Context) error {
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
	w.more = page.Pagination.Total - len(w.tasks)
	return err
}

// loadUndecided puts first what only the agent can move on, so that it does not fall
// behind the newest tasks.
func (w *watch) loadUndecided(ctx context.Context) error {
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
func (w *watch) recent(tasks []schemas.TaskView) []schemas.TaskView {
	since := w.clock.Now().Add(-lately)
	return slices.DeleteFunc(tasks, func(t schemas.TaskView) bool {
		return schemas.TaskStatus(t.Status).Final() && changedAt(t).Before(since)
	})
}

// changedAt is when the task last changed, as far as the server tells.
func changedAt(t schemas.TaskView) time.Time {
	if !t.UpdatedAt.IsZero() {
		return t.UpdatedAt
	}
	return t.CreatedAt
}

// until waits, in slices with a sign of life after each, for as long as nothing is new
// and nothing waits for the agent.
func (w *watch) until(ctx context.Context) error {
	pause := time.Second // hosted servers are asked at growing intervals
	for waited := time.Duration(0); waited < w.wait && w.worthWaiting(); {
		slice := min(waitSlice, w.wait-waited)
		if !w.extended {
			slice = min(pause, w.wait-waited)
			pause = min(pause*2, waitSlice)
		}
		if err := w.slice(ctx, slice); err != nil {
			return err
		}
		waited += slice
		if !w.changed {
			w.progress(int(waited.Seconds()), int(w.wait.Seconds()), "Still waiting for a person")
		}
	}
	return nil
}

func (w *watch) worthWaiting() bool {
	if w.changed {
		return false
	}
	open := false
	for _, t := range w.tasks {
		b := brief(t, w.extended)
		if t.New || b.needsAgent(w.extended) {
			return false
		}
		open = open || !b.over()
	}
	return open
}

// slice waits a little for a change of the open tasks.
func (w *watch) slice(ctx context.Context, d time.Duration) error {
	var ids, versions []string
	for _, t := range w.tasks {
		if !schemas.TaskStatus(t.Status).Final() && len(ids) < maxIDs {
			ids = append(ids, t.TaskID)
			versions = append(versions, fmt.Sprintf("%s:%d", t.TaskID, t.Version))
		}
	}
	if w.extended {
		out, err := w.Wait(ctx, schemas.WaitRequest{IDs: strings.Join(versions, ","), TimeoutSeconds: int(d.Seconds())})
		w.merge(out.Items)
		w.changed = w.changed || out.Changed
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-w.clock.After(d):
	}
	for _, id := range ids {
		t, err := w.GetTask(ctx, schemas.TaskRequest{TaskID: id})
		if err != nil {
			return err
		}
		w.merge([]schemas.TaskView{t})
	}
	return nil
}

// merge puts newer views in place of older ones and notes what changed.
func (w *watch) merge(views []schemas.TaskView) {
	for _, v := range views {
		i := slices.IndexFunc(w.tasks, func(t schemas.TaskView) bool { return t.TaskID == v.TaskID })
		if i < 0 {
			continue
		}
		if w.tasks[i].Status != v.Status || w.tasks[i].Version != v.Version {
			v.New, w.changed = true, true
		}
		w.tasks[i] = v
	}
}

// acknowledge records what the agent has now seen. It is not worth failing for: the
// worst is that something is marked NEW twice.
func (w *watch) acknowledge(ctx context.Context) {
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

func (w *watch) report() StatusReport {
	r := StatusReport{Changed: w.changed, TestMode: mode(w.sandbox)}
	due, open, poll := 0, 0, time.Duration(0)
	for _, t := range w.tasks {
		b := brief(t, w.extended)
		r.Items = append(r.Items, b)
		r.Changed = r.Changed || b.New
		r.Sandbox = r.Sandbox || t.Sandbox
		if b.over() {
			continue
		}
		open++
		if b.needsAgent(w.extended) {
			due++
		}
		if p := pollAfter(t, w.clock.Now()); poll == 0 || p < poll {
			poll = p
		}
	}
	if r.Sandbox {
		r.SandboxNotice = schemas.SandboxNotice
	}
	if open > 0 && due == 0 {
		r.PollAfterSeconds = int(poll.Seconds())
	}
	r.Next = r.next(due, open)
	if w.more > 0 {
		r.Next = fmt.Sprintf("These are the newest %d and those that wait for you; list_tasks has %d more. ", len(r.Items), w.more) + r.Next
	}
	return r
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

func (r StatusReport) next(due, open int) string {
	switch {
	case len(r.Items) == 0:
		return "Nothing is open and nothing ended in the last 24 hours. post_task asks a person for something."
	case due == 1:
		return "One of them waits for you: do what its line says."
	case due > 0:
		return fmt.Sprintf("%d of them wait for you: do what their line says.", due)
	case open == 0:
		return "All of them are over. Look at proof with get_task_result, tell the user, and end your turn."
	case r.PollAfterSeconds <= 15:
		return fmt.Sprintf("It should move soon: ask again in %d seconds, or with wait_seconds 30.", r.PollAfterSeconds)
	}
	return fmt.Sprintf("People need time. Tell the user where it stands and end your turn; ask again in about %d minutes or when the user asks.", r.PollAfterSeconds/60)
}

func (r StatusReport) text() string {
	var b strings.Builder
	for _, item := range r.Items {
		b.WriteString(item.line())
	}
	return b.String() + r.Next
}
