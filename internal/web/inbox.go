package web

import (
	"cmp"
	"context"
	"slices"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/web/page"
	"humanops-mcp/schemas"
)

const (
	// decidedShown is how many of their own decisions the start page shows somebody, and
	// recently how far back it looks for them.
	decidedShown = 5
	recently     = 14 * 24 * time.Hour
)

// fillReviews is what waits for somebody to decide, what others have taken, and what they
// decided lately.
func (s *server) fillReviews(ctx context.Context, tx *store.Tx, caller account.Caller, v *page.StartView) error {
	waiting, err := s.Loops.Waiting(ctx, tx, caller.PersonID)
	if err != nil {
		return err
	}
	v.Admission = waiting
	open, err := s.Reviews.ListReviews(ctx, tx, schemas.ListReviewsRequest{Status: "open", Sort: "priority_desc", Limit: 100})
	if err != nil {
		return err
	}
	sortInbox(open.Requests)
	rows, err := s.reviewRows(ctx, tx, open.Requests)
	if err != nil {
		return err
	}
	for i, r := range open.Requests {
		switch row := rows[i]; {
		case r.May != nil && r.May.Decide:
			v.Reviews = append(v.Reviews, row)
		case r.ClaimedBy != "" && isAsked(r, caller.PersonID):
			v.Claimed = append(v.Claimed, row)
		case caller.Owner:
			v.Elsewhere = append(v.Elsewhere, row)
		}
	}
	v.MoreReviews, v.Countless = max(0, open.Total-len(open.Requests)), open.TotalMore
	v.Waiting = slices.DeleteFunc(v.Waiting, func(t page.TaskRow) bool { return listed(t, v.Unasked, v.Reviews, v.Claimed, v.Elsewhere) })
	return s.fillDecided(ctx, tx, caller, v)
}

func (s *server) fillDecided(ctx context.Context, tx *store.Tx, caller account.Caller, v *page.StartView) error {
	theirs, err := s.Reviews.Decided(ctx, tx, caller, s.Clock.Now().Add(-recently), decidedShown)
	if err != nil {
		return err
	}
	v.Decided, err = s.reviewRows(ctx, tx, theirs)
	return err
}

// listed tells whether the proof of somebody's own work stands on the page already, as
// something to decide.
func listed(work page.TaskRow, unasked []page.TaskRow, reviews ...[]page.ReviewRow) bool {
	return slices.ContainsFunc(unasked, func(t page.TaskRow) bool { return t.Href == work.Href }) ||
		slices.ContainsFunc(slices.Concat(reviews...), func(r page.ReviewRow) bool { return r.Task != nil && taskHref(r.Task.TaskID) == work.Href })
}

var ranks = map[string]int{"critical": 0, "high": 1, "medium": 2, "low": 3}

// sortInbox puts what is most urgent first, and of that what waits longest.
func sortInbox(list []schemas.Review) {
	slices.SortStableFunc(list, func(a, b schemas.Review) int {
		return cmp.Or(cmp.Compare(ranks[a.Priority], ranks[b.Priority]), a.CreatedAt.Compare(b.CreatedAt))
	})
}

func isAsked(r schemas.Review, person string) bool {
	return slices.ContainsFunc(r.BroadcastedTo, func(p schemas.Recipient) bool { return p.UserID == person })
}

// reviewRows are requests as a list shows them: of proof with the task that it is about.
func (s *server) reviewRows(ctx context.Context, tx *store.Tx, list []schemas.Review) ([]page.ReviewRow, error) {
	var ids []string
	for _, r := range list {
		ids = append(ids, r.TaskID)
	}
	tasks, err := s.Tasks.ByIDs(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	rows := make([]page.ReviewRow, len(list))
	for i, r := range list {
		rows[i] = page.ReviewRow{Review: r, Until: page.Stamp{At: r.Deadline(), Now: s.Clock.Now()}}
		if task, ok := tasks[r.TaskID]; ok {
			rows[i].Task = &task
		}
	}
	return rows, nil
}
