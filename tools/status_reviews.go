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

// The hosted review service counts every call: it is asked at long intervals.
const (
	hostedPause    = 5 * time.Second
	maxHostedPause = 20 * time.Second
)

// reviewWatch is some reviews at the review service.
type reviewWatch struct {
	*reviewer
	call    *call
	named   bool
	reviews []schemas.Review
	left    int           // further reviews that one answer has no room for
	quiet   time.Duration // of a hosted service: since it was last asked
	next    time.Duration // and when it is asked again
	sandbox schemas.Sandboxed
}

// reviewPart fetches the named reviews as they are; without names, all that matter.
func reviewPart(ctx context.Context, c *call, ids []string) (part, error) {
	connect := c.reviews
	if len(ids) == 0 {
		connect = c.reviewsThatAre
	}
	r, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	w := &reviewWatch{reviewer: r, call: c, named: len(ids) > 0, next: hostedPause}
	if w.named {
		return w, w.fetch(ctx, ids)
	}
	return w, w.loadLately(ctx)
}

// fetch asks for the named reviews, at once where the server can.
func (w *reviewWatch) fetch(ctx context.Context, ids []string) error {
	if w.extended {
		out, err := w.WaitAny(ctx, schemas.WaitRequest{IDs: strings.Join(ids, ",")})
		w.reviews, w.sandbox = out.Reviews, out.Sandboxed
		return err
	}
	for _, id := range ids {
		out, err := w.GetReview(ctx, schemas.ReviewRequest{RequestID: id})
		if err != nil {
			return err
		}
		w.reviews = append(w.reviews, out.Request)
	}
	return nil
}

// loadLately fetches what is open and what ended in the last 24 hours.
func (w *reviewWatch) loadLately(ctx context.Context) error {
	since := w.call.clock.Now().Add(-lately)
	in := schemas.ListReviewsRequest{Limit: 100}
	if w.extended {
		in.Limit, in.EndedSince = maxIDs, since
	}
	list, err := w.ListReviews(ctx, in)
	w.reviews, w.sandbox = list.Requests, list.Sandboxed
	if w.extended {
		w.left = max(0, list.Total-len(list.Requests))
	}
	w.reviews = slices.DeleteFunc(w.reviews, func(r schemas.Review) bool { return r.Status.Final() && r.UpdatedAt.Before(since) })
	return err
}

// rest: a wish for changes that was shown before waits on, and keeps nobody from waiting
// for the others.
func (w *reviewWatch) rest() (ready, open bool) {
	for _, r := range w.reviews {
		b := brief.Review(r, w.extended)
		ready = ready || r.New || (w.named && b.State == brief.NeedsYou)
		open = open || b.State == brief.Waiting
	}
	return ready, open
}

func (w *reviewWatch) pause() time.Duration { return waitSlice }

func (w *reviewWatch) slice(ctx context.Context, d time.Duration) (bool, error) {
	if !w.extended {
		return w.hostedSlice(ctx, d)
	}
	var versions []string
	for _, r := range w.reviews {
		if !r.Status.Final() && len(versions) < maxIDs {
			versions = append(versions, fmt.Sprintf("%s:%d", r.ID, r.Version))
		}
	}
	out, err := w.WaitAny(ctx, schemas.WaitRequest{IDs: strings.Join(versions, ","), TimeoutSeconds: int(d.Seconds())})
	return w.merge(out.Reviews) || out.Changed, err
}

// hostedSlice sleeps, and asks when it is time again.
func (w *reviewWatch) hostedSlice(ctx context.Context, d time.Duration) (bool, error) {
	if err := w.call.sleep(ctx, d); err != nil {
		return false, err
	}
	if w.quiet += d; w.quiet < w.next {
		return false, nil
	}
	w.quiet, w.next = 0, min(2*w.next, maxHostedPause)
	changed := false
	for _, r := range slices.Clone(w.reviews) {
		if r.Status.Final() {
			continue
		}
		out, err := w.GetReview(ctx, schemas.ReviewRequest{RequestID: r.ID})
		if err != nil {
			return changed, err
		}
		changed = w.merge([]schemas.Review{out.Request}) || changed
	}
	return changed, nil
}

// merge puts newer views in place of older ones and tells whether one changed.
func (w *reviewWatch) merge(views []schemas.Review) (changed bool) {
	for _, v := range views {
		i := slices.IndexFunc(w.reviews, func(r schemas.Review) bool { return r.ID == v.ID })
		if i < 0 {
			continue
		}
		if w.reviews[i].Status != v.Status || w.reviews[i].Version != v.Version {
			v.New, changed = true, true
		}
		w.reviews[i] = v
	}
	return changed
}

// acknowledge records what the agent has now seen.
func (w *reviewWatch) acknowledge(ctx context.Context) {
	var seen []schemas.SeenReview
	for _, r := range w.reviews {
		if r.New && r.Version > 0 {
			seen = append(seen, schemas.SeenReview{RequestID: r.ID, Version: r.Version})
		}
	}
	if !w.extended || len(seen) == 0 || ctx.Err() != nil {
		return
	}
	if _, err := w.AcknowledgeReviews(ctx, schemas.AcknowledgeReviewsRequest{Items: seen[:min(len(seen), 100)]}); err != nil {
		w.call.log.Warn("reviews not acknowledged", "error", err)
	}
}

func (w *reviewWatch) report(r *StatusReport) (due, open int, poll time.Duration) {
	r.Sandbox = r.Sandbox || w.sandbox.Sandbox
	for _, one := range w.reviews {
		b := brief.Review(one, w.extended)
		r.add(b, &due, &open)
		r.Sandbox = r.Sandbox || testModeOf(one)
		if p := w.pollAfter(one); b.State == brief.Waiting && (poll == 0 || p < poll) {
			poll = p
		}
	}
	r.more("reviews", len(w.reviews), w.left)
	return due, open, poll
}

func testModeOf(r schemas.Review) bool { return r.Sandbox || r.Mode == "test" }

// pollAfter is when to ask about a review again: later, the longer it has not moved.
func (w *reviewWatch) pollAfter(r schemas.Review) time.Duration {
	age := w.call.clock.Now().Sub(r.UpdatedAt)
	switch {
	case testModeOf(r):
		return 5 * time.Second
	case age < 10*time.Minute && w.extended:
		return time.Minute
	case age < time.Hour:
		return 5 * time.Minute
	}
	return 15 * time.Minute
}
