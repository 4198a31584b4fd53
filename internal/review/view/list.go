package view

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/keyset"
	"humanops-mcp/internal/review/ask"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// listedBytes is how much of a context or an action a list shows; the request itself has
// the rest.
const listedBytes = 8 << 10

// The orders of a list.
const (
	newestFirst = "created_at_desc"
	oldestFirst = "created_at_asc"
	mostUrgent  = "priority_desc"
	byStatus    = "status_asc"
)

// filter is what a list looks for, checked.
type filter struct {
	statuses []string // in the order of a life; all of them for a list of everything
	loopID   string
	rest
	sort string
	keyset.Window
}

// ListReviews lists an agent's own requests of its key's mode, or those that a person may
// see: an owner all that are live.
func (s *Reader) ListReviews(ctx context.Context, tx *store.Tx, in schemas.ListReviewsRequest) (schemas.ReviewList, error) {
	f, err := filterOf(in)
	if err != nil {
		return schemas.ReviewList{}, err
	}
	if in.LoopID != "" {
		loop, err := s.loops.Find(ctx, tx, in.LoopID)
		if err != nil {
			return schemas.ReviewList{}, err
		}
		f.loopID = loop.ID
	}
	return s.list(ctx, tx, f)
}

// ListLoopReviews lists the requests of one loop.
func (s *Reader) ListLoopReviews(ctx context.Context, tx *store.Tx, in schemas.ListLoopReviewsRequest) (schemas.ReviewList, error) {
	loop, err := s.loops.Find(ctx, tx, in.LoopID)
	if err != nil {
		return schemas.ReviewList{}, err
	}
	f, err := filterOf(schemas.ListReviewsRequest{
		Status: in.Status, Priority: in.Priority, Limit: in.Limit, Offset: in.Offset, Cursor: in.Cursor, Sort: in.Sort,
	})
	if err != nil {
		return schemas.ReviewList{}, err
	}
	f.loopID = loop.ID
	out, err := s.list(ctx, tx, f)
	out.LoopID = loop.ID
	return out, err
}

func (s *Reader) list(ctx context.Context, tx *store.Tx, f filter) (schemas.ReviewList, error) {
	c := account.From(ctx)
	found, err := f.find(ctx, tx, c)
	if err != nil {
		return schemas.ReviewList{}, err
	}
	out := f.page(found)
	if out.Requests, err = s.listedAll(ctx, tx, found.rows); err != nil {
		return schemas.ReviewList{}, err
	}
	account.MarkTest(&out.Sandboxed, c.Mode)
	return out, nil
}

// Lines gives the requests of lines as a list shows them, in the lines' order. Those that
// are about a task which besides tells of are left out. It is for whoever may see them: that
// is not asked here.
func (s *Reader) Lines(ctx context.Context, tx *store.Tx, lines []change.Line, besides func(taskID string) bool) ([]schemas.Review, error) {
	views := make([]schemas.Review, 0, len(lines))
	list, err := ask.OfLines(ctx, tx, lines)
	list = slices.DeleteFunc(list, func(r ask.Request) bool { return r.TaskID.Valid && besides(r.TaskID.String) })
	if err != nil || len(list) == 0 {
		return views, err
	}
	around, err := s.around(ctx, tx, list)
	if err != nil {
		return nil, err
	}
	for _, r := range list {
		views = append(views, s.listed(r, around))
	}
	return views, nil
}

// Listed is a request as a list shows it, with its loop.
func (s *Reader) Listed(ctx context.Context, tx *store.Tx, r ask.Request) (schemas.Review, db.Loop, error) {
	around, err := s.around(ctx, tx, []ask.Request{r})
	if err != nil {
		return schemas.Review{}, db.Loop{}, err
	}
	return s.listed(r, around), around.loops[r.LoopID], nil
}

// listed is a request in a list: without what is large, and whole otherwise.
func (s *Reader) listed(r ask.Request, a around) schemas.Review {
	if len(r.Context) > listedBytes {
		r.Context = ""
	}
	if len(r.Action) > listedBytes {
		r.Action = ""
	}
	if len(r.EditedAction) > listedBytes {
		r.EditedAction = ""
	}
	return s.brief(r, a)
}

// page says where the page stands among all that match.
func (f filter) page(p found) schemas.ReviewList {
	out := schemas.ReviewList{Requests: []schemas.Review{}, Count: len(p.rows), HasMore: p.next != ""}
	out.Total, out.TotalMore = keyset.Counted(p.total)
	out.TotalMore = out.TotalMore || p.more
	out.Pagination = schemas.ReviewPagination{Limit: int(f.Limit), Offset: int(f.Offset)}
	if next := int(f.Offset + f.Limit); p.matches && !f.ByCursor {
		out.Pagination.NextOffset = &next
	}
	if f.byTime() {
		out.Pagination.NextCursor = p.next
	}
	return out
}

func (f filter) byTime() bool { return f.sort == newestFirst || f.sort == oldestFirst }

func filterOf(in schemas.ListReviewsRequest) (f filter, err error) {
	if f.statuses, err = statusFilter(in.Status); err != nil {
		return f, err
	}
	if f.ranks, err = rankFilter(in.Priority); err != nil {
		return f, err
	}
	f.endedSince = store.Micros(in.EndedSince)
	if q := strings.ToLower(strings.TrimSpace(in.Query)); q != "" {
		f.textLike = "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(q) + "%"
	}
	if in.Tag != "" {
		quoted, err := json.Marshal(in.Tag)
		if err != nil {
			return f, err
		}
		f.tag = string(quoted)
	}
	return f, f.readWindow(in)
}

// pages are those of a list of requests.
var pages = keyset.List{From: keyset.Newest, Usual: 50, Refusal: schemas.WrongPage}

// readWindow reads the pagination's parameters.
func (f *filter) readWindow(in schemas.ListReviewsRequest) (err error) {
	f.sort = newestFirst
	if in.Sort != "" {
		f.sort = in.Sort
	}
	if f.Window, err = pages.Window(schemas.PageRequest{Limit: in.Limit, Offset: in.Offset, Cursor: in.Cursor}); err != nil {
		return err
	}
	if !slices.Contains([]string{newestFirst, oldestFirst, mostUrgent, byStatus}, f.sort) || f.ByCursor && !f.byTime() {
		return schemas.WrongPage()
	}
	return nil
}

// statusFilter reads statuses and the two groups. Nothing asked for is all of them.
func statusFilter(words string) ([]string, error) {
	if strings.TrimSpace(words) == "" {
		return everyStatus, nil
	}
	wanted := map[string]bool{}
	for word := range strings.SplitSeq(words, ",") {
		word = strings.ToLower(strings.TrimSpace(word))
		group := word == "open" || word == "done"
		if !group && !slices.Contains(everyStatus, word) {
			return nil, schemas.NewError(schemas.CodeInvalid, "Invalid status filter value")
		}
		for _, status := range schemas.ReviewStatuses {
			if word == string(status) || group && status.Final() == (word == "done") {
				wanted[string(status)] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(everyStatus), func(status string) bool { return !wanted[status] }), nil
}

// rankFilter reads priorities into ",0,3,", the form that the queries look in. Nothing
// asked for is "".
func rankFilter(words string) (string, error) {
	if strings.TrimSpace(words) == "" {
		return "", nil
	}
	wanted := ","
	for word := range strings.SplitSeq(words, ",") {
		word = strings.ToLower(strings.TrimSpace(word))
		if !slices.Contains(schemas.ReviewPriorities, word) {
			return "", schemas.Invalid("priority", "must be one of: low, medium, high, critical")
		}
		wanted += strconv.FormatInt(ask.PriorityRank(word), 10) + ","
	}
	return wanted, nil
}
