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
	for _, r := range open.Requests {
		switch row := s.reviewRow(r); {
		case r.May != nil && r.May.Decide:
			v.Reviews = append(v.Reviews, row)
		case r.ClaimedBy != "" && isAsked(r, caller.PersonID):
			v.Claimed = append(v.Claimed, row)
		case caller.Owner:
			v.Elsewhere = append(v.Elsewhere, row)
		}
	}
	v.MoreReviews = max(0, open.Total-len(open.Requests))
	return s.fillDecided(ctx, tx, caller, v)
}

func (s *server) fillDecided(ctx context.Context, tx *store.Tx, caller account.Caller, v *page.StartView) error {
	done, err := s.Reviews.ListReviews(ctx, tx, schemas.ListReviewsRequest{Status: "done", EndedSince: s.Clock.Now().Add(-recently), Limit: 100})
	for _, r := range done.Requests {
		if r.ResponseBy != nil && *r.ResponseBy == caller.PersonID && len(v.Decided) < decidedShown {
			v.Decided = append(v.Decided, s.reviewRow(r))
		}
	}
	return err
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

func (s *server) reviewRow(r schemas.Review) page.ReviewRow {
	return page.ReviewRow{Review: r, Until: page.Stamp{At: r.Deadline(), Now: s.Clock.Now()}}
}
