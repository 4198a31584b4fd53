package tools

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"humanops-mcp/schemas"
	"humanops-mcp/tools/brief"
)

const (
	waitSlice = 5 * time.Second // between signs of life
	maxIDs    = 50
	lately    = 24 * time.Hour
)

// CheckStatusArgs names tasks and reviews, or none for all that matter.
type CheckStatusArgs struct {
	IDs         []string `json:"ids,omitempty" maxItems:"50" doc:"Of tasks and reviews"`
	TaskID      string   `json:"task_id,omitempty" maxLength:"64" doc:"Or one id"`
	WaitSeconds int      `json:"wait_seconds,omitempty" minimum:"0" maximum:"45" doc:"For a change"`
}

// StatusReport is where the tasks and reviews are.
type StatusReport struct {
	Items            []brief.Item `json:"items"`
	Changed          bool         `json:"changed"`
	PollAfterSeconds int          `json:"poll_after_seconds,omitempty"`
	Next             string       `json:"next"`
	TestMode
}

func checkStatus(ctx context.Context, c *call, in CheckStatusArgs) (reply[StatusReport], error) {
	var r reply[StatusReport]
	w := watch{call: c, wait: time.Duration(in.WaitSeconds) * time.Second}
	if err := w.load(ctx, in); err != nil {
		return r, err
	}
	if err := w.until(ctx); err != nil {
		return r, err
	}
	r.data = w.report()
	r.text = r.data.text()
	for _, p := range w.parts {
		p.acknowledge(ctx)
	}
	return r, nil
}

// part is what is watched at one service: some tasks, or some reviews.
type part interface {
	// rest tells whether something is new or waits for the agent, and whether anything
	// is still open.
	rest() (ready, open bool)
	// slice waits at most so long for a change.
	slice(ctx context.Context, d time.Duration) (changed bool, err error)
	// pause is how long to wait until services that cannot wait are asked again.
	pause() time.Duration
	report(r *StatusReport) (due, open int, poll time.Duration)
	acknowledge(ctx context.Context)
}

// watch looks at tasks and reviews until one of them changes.
type watch struct {
	*call
	wait    time.Duration
	parts   []part
	changed bool
	silent  string // why one of the services could not be asked
}

// load fetches what was named, or what matters.
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
	var tasks, reviews []string
	for _, id := range ids {
		switch {
		case id == "" || strings.ContainsAny(id, ",:/"):
			return schemas.Invalid("ids", fmt.Sprintf("must hold ids of tasks and reviews; got %.40q. Example: task_a1B2c3D4e5F6g7H8", id))
		case schemas.KindReview.Owns(id):
			reviews = append(reviews, id)
		default:
			tasks = append(tasks, id)
		}
	}
	if len(tasks) > 0 {
		if err := w.add(taskPart(ctx, w.call, tasks)); err != nil {
			return err
		}
	}
	if len(reviews) > 0 {
		return w.add(reviewPart(ctx, w.call, reviews))
	}
	return nil
}

func (w *watch) add(p part, err error) error {
	if err == nil {
		w.parts = append(w.parts, p)
	}
	return err
}

// loadLately fetches what is open and what ended in the last 24 hours. One service that
// cannot be asked does not hide the other.
func (w *watch) loadLately(ctx context.Context) error {
	if w.loadOverview(ctx) {
		return nil
	}
	errTasks, errReviews := w.loadBoth(ctx)
	switch {
	case len(w.parts) == 0, ctx.Err() != nil:
		return errTasks
	case schemas.ErrorCode(errTasks) == schemas.CodeUnauthenticated:
		return errTasks // a key is missing, and the answer would not show it
	case errTasks != nil && !notServed(errTasks):
		w.silent = "Tasks could not be read: " + errTasks.Error()
	case errReviews != nil && !noReviews(errReviews):
		w.silent = "Reviews could not be read: " + errReviews.Error()
	}
	return nil
}

// loadBoth asks for tasks and reviews at the same time, once it is known where: the two
// lists are most of what looking costs.
func (w *watch) loadBoth(ctx context.Context) (errTasks, errReviews error) {
	if err := w.market(ctx); err != nil {
		return err, w.add(reviewPart(ctx, w.call, nil))
	}
	var tasks, reviews part
	var other sync.WaitGroup
	other.Go(func() {
		defer func() {
			if p := recover(); p != nil { // the handler's own recovery does not reach here
				errReviews = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		reviews, errReviews = reviewPart(ctx, w.call, nil)
	})
	tasks, errTasks = taskPart(ctx, w.call, nil)
	other.Wait()
	if errTasks == nil && errReviews == nil {
		tellOnce(tasks, reviews)
	}
	return w.add(tasks, errTasks), w.add(reviews, errReviews)
}

// tellOnce leaves out the reviews of proof whose tasks are told of: what proof needs of the
// agent, its task says.
func tellOnce(tasks, reviews part) {
	told, ofTasks := tasks.(*taskWatch)
	asked, ofReviews := reviews.(*reviewWatch)
	if ofTasks && ofReviews {
		asked.reviews = slices.DeleteFunc(asked.reviews, func(r schemas.Review) bool { return told.tells(r.TaskID) })
	}
}

// notServed tells whether the caller's key is for other things.
func notServed(err error) bool {
	return slices.Contains([]schemas.Code{schemas.CodeForbidden, schemas.CodeNotFound}, schemas.ErrorCode(err))
}

// noReviews tells whether there simply are none: the key is for other things, or nothing
// there serves reviews.
func noReviews(err error) bool {
	return notServed(err) || schemas.ErrorCode(err) == schemas.CodeUnsupported
}

// until waits, in slices with a sign of life after each, for as long as nothing is new
// and nothing waits for the agent.
func (w *watch) until(ctx context.Context) error {
	for waited := time.Duration(0); waited < w.wait && w.worthWaiting(); {
		slice := min(waitSlice, w.wait-waited)
		for _, p := range w.parts {
			slice = min(slice, p.pause())
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
	anyOpen := false
	for _, p := range w.parts {
		ready, open := p.rest()
		if ready {
			return false
		}
		anyOpen = anyOpen || open
	}
	return anyOpen
}

// slice waits a little for a change of anything that is open, wherever it is served.
func (w *watch) slice(ctx context.Context, d time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		changed bool
		err     error
	}
	outcomes := make(chan outcome, len(w.parts))
	waiters := 0
	for _, p := range w.parts {
		if _, open := p.rest(); !open {
			continue
		}
		waiters++
		go func() {
			changed, err := p.slice(ctx, d)
			outcomes <- outcome{changed, err}
		}()
	}
	var failure error
	for range waiters {
		o := <-outcomes
		if o.changed {
			w.changed = true
			cancel() // the others have waited long enough
		}
		if o.err != nil && (failure == nil || errors.Is(failure, context.Canceled)) {
			failure = o.err
		}
	}
	if w.changed {
		return nil
	}
	return failure
}

func (w *watch) report() StatusReport {
	r := StatusReport{Items: []brief.Item{}, Changed: w.changed}
	due, open, soonest := 0, 0, time.Duration(0)
	for _, p := range w.parts {
		d, o, poll := p.report(&r)
		due, open = due+d, open+o
		if soonest == 0 || (poll > 0 && poll < soonest) {
			soonest = poll
		}
	}
	if open > 0 && due == 0 {
		r.PollAfterSeconds = int(soonest.Seconds())
	}
	r.Next = strings.TrimSpace(r.Next + r.next(due, open) + " " + w.silent)
	return r
}

// add puts one more item into the report and counts it.
func (r *StatusReport) add(b brief.Item, due, open *int) {
	r.Items = append(r.Items, b)
	r.Changed = r.Changed || b.New
	if b.State == brief.NeedsYou {
		*due++
	}
	if !b.Over() {
		*open++
	}
}

// more says that there are others, which one answer has no room for.
func (r *StatusReport) more(what string, shown, left int) {
	switch {
	case left >= schemas.MaxLeft:
		r.Next += fmt.Sprintf("These are the newest %d %s and those that wait for you; list_tasks has %d or more others. ", shown, what, schemas.MaxLeft)
	case left > 0:
		r.Next += fmt.Sprintf("These are the newest %d %s and those that wait for you; list_tasks has %d more. ", shown, what, left)
	}
}

func (r StatusReport) next(due, open int) string {
	switch {
	case len(r.Items) == 0:
		return "Nothing is open and nothing ended in the last 24 hours. post_task asks a person for something, request_human_review for a decision."
	case due == 1:
		return "One of them waits for you: do what its line says."
	case due > 0:
		return fmt.Sprintf("%d of them wait for you: do what their line says.", due)
	case open == 0:
		return "All of them are over. Look at proof and answers with get_task_result, tell the user, and end your turn."
	case r.PollAfterSeconds <= 15:
		return fmt.Sprintf("It should move soon: ask again in %d seconds, or with wait_seconds 30.", r.PollAfterSeconds)
	case r.PollAfterSeconds < 120:
		return "People need time. Tell the user where it stands and end your turn; ask again in about a minute or when the user asks."
	}
	return fmt.Sprintf("People need time. Tell the user where it stands and end your turn; ask again in about %d minutes or when the user asks.", r.PollAfterSeconds/60)
}

func (r StatusReport) text() string {
	var b strings.Builder
	for _, item := range r.Items {
		b.WriteString(item.Line())
	}
	return b.String() + r.Next
}
