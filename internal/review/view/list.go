package view

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/keyset"
	loops "humanops-mcp/internal/loop"
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
	statuses, priorities string // ",a,b,"; "" for all
	loopID               string
	textLike, tag        string
	endedSince           int64
	sort                 string
	keyset.Window
	before, after keyset.Position
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
	rows, total, err := f.find(ctx, tx, c)
	if err != nil {
		return schemas.ReviewList{}, err
	}
	out := f.page(rows, total)
	list, err := ask.WithLines(ctx, tx, rows[:out.Count])
	if err != nil {
		return schemas.ReviewList{}, err
	}
	around, err := s.around(ctx, tx, list)
	if err != nil {
		return schemas.ReviewList{}, err
	}
	for _, r := range list {
		out.Requests = append(out.Requests, s.listed(r, around))
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
func (f filter) page(rows []db.Review, total int64) schemas.ReviewList {
	rows, cursor := keyset.Cut(f.Window, rows, func(r db.Review) keyset.Position { return keyset.At(r.CreatedAt, r.ID) })
	out := schemas.ReviewList{Requests: []schemas.Review{}, Count: len(rows), HasMore: cursor != ""}
	out.Total, out.TotalMore = keyset.Counted(total)
	out.Pagination = schemas.ReviewPagination{Limit: int(f.Limit), Offset: int(f.Offset)}
	if next := int(f.Offset + f.Limit); out.HasMore && !f.ByCursor {
		out.Pagination.NextOffset = &next
	}
	if f.byTime() {
		out.Pagination.NextCursor = cursor
	}
	return out
}

func (f filter) byTime() bool { return f.sort == newestFirst || f.sort == oldestFirst }

func filterOf(in schemas.ListReviewsRequest) (f filter, err error) {
	if f.statuses, err = statusFilter(in.Status); err != nil {
		return f, err
	}
	if f.priorities, err = priorityFilter(in.Priority); err != nil {
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
	f.before, f.sort = keyset.Newest, newestFirst
	if in.Sort != "" {
		f.sort = in.Sort
	}
	if f.Window, err = pages.Window(schemas.PageRequest{Limit: in.Limit, Offset: in.Offset, Cursor: in.Cursor}); err != nil {
		return err
	}
	if !slices.Contains([]string{newestFirst, oldestFirst, mostUrgent, byStatus}, f.sort) || f.ByCursor && !f.byTime() {
		return schemas.WrongPage()
	}
	switch {
	case f.sort == newestFirst:
		f.before = f.At
	case f.ByCursor:
		f.after = f.At
	}
	return nil
}

// statusFilter reads statuses and the two groups into ",a,b,", the form that the queries
// look in. Nothing asked for is "".
func statusFilter(words string) (string, error) {
	if strings.TrimSpace(words) == "" {
		return "", nil
	}
	var wanted []string
	for word := range strings.SplitSeq(words, ",") {
		word = strings.ToLower(strings.TrimSpace(word))
		group := word == "open" || word == "done"
		if !group && !slices.Contains(schemas.ReviewStatuses, schemas.ReviewStatus(word)) {
			return "", schemas.NewError(schemas.CodeInvalid, "Invalid status filter value")
		}
		for _, status := range schemas.ReviewStatuses {
			if word == string(status) || group && status.Final() == (word == "done") {
				wanted = append(wanted, string(status))
			}
		}
	}
	return "," + strings.Join(wanted, ",") + ",", nil
}

func priorityFilter(words string) (string, error) {
	if strings.TrimSpace(words) == "" {
		return "", nil
	}
	var wanted []string
	for word := range strings.SplitSeq(words, ",") {
		word = strings.ToLower(strings.TrimSpace(word))
		if !slices.Contains(schemas.ReviewPriorities, word) {
			return "", schemas.Invalid("priority", "must be one of: low, medium, high, critical")
		}
		wanted = append(wanted, word)
	}
	return "," + strings.Join(wanted, ",") + ",", nil
}

// onlyOpen tells whether the filter leaves out everything that is over.
func (f filter) onlyOpen() bool {
	if f.statuses == "" {
		return false
	}
	for status := range strings.SplitSeq(strings.Trim(f.statuses, ","), ",") {
		if schemas.ReviewStatus(status).Final() {
			return false
		}
	}
	return true
}

// scope is whose requests a list is of, and which of them the caller may see.
type scope struct {
	agentID, mode   string // agentID is "" for what people see
	everything      bool
	loops, personID string // loops as store.IDs makes them
}

func scopeOf(ctx context.Context, tx *store.Tx, c account.Caller) (scope, error) {
	if c.AgentID != "" {
		return scope{agentID: c.AgentID, mode: c.Mode, everything: true, loops: store.IDs(nil)}, nil
	}
	mine, err := loops.Of(ctx, tx, c.PersonID)
	return scope{mode: account.Live, everything: c.Owner, loops: store.IDs(mine), personID: c.PersonID}, err
}

// find reads one row more than the page holds, and counts what matches.
func (f filter) find(ctx context.Context, tx *store.Tx, c account.Caller) (rows []db.Review, total int64, err error) {
	s, err := scopeOf(ctx, tx, c)
	if err != nil {
		return nil, 0, err
	}
	if rows, err = f.rows(ctx, tx, s); err != nil || f.Whole(len(rows)) {
		return rows, int64(len(rows)), err
	}
	total, err = tx.CountReviews(ctx, db.CountReviewsParams{
		OnlyOpen: f.onlyOpen(), AgentID: s.agentID, Mode: s.mode, Everything: s.everything, Loops: s.loops, PersonID: s.personID, Statuses: f.statuses,
		Priorities: f.priorities, LoopID: f.loopID, TextLike: f.textLike, Tag: f.tag, EndedSince: f.endedSince,
	})
	return rows, total, err
}

// rows takes the newest straight from an index. Everything else is sorted, which costs
// little where only what is open is asked for: of that there is never much.
func (f filter) rows(ctx context.Context, tx *store.Tx, s scope) ([]db.Review, error) {
	switch {
	case f.sort != newestFirst || f.onlyOpen():
		return tx.SortedReviews(ctx, db.SortedReviewsParams{
			OnlyOpen: f.onlyOpen(), AgentID: s.agentID, Mode: s.mode, Everything: s.everything, Loops: s.loops, PersonID: s.personID, Statuses: f.statuses,
			Priorities: f.priorities, LoopID: f.loopID, TextLike: f.textLike, Tag: f.tag, EndedSince: f.endedSince, Sort: f.sort,
			Before: f.before.Time, BeforeID: f.before.ID, After: f.after.Time, AfterID: f.after.ID, RowLimit: f.Limit + 1, RowOffset: f.Offset,
		})
	case s.agentID != "":
		return tx.NewestOfAgent(ctx, db.NewestOfAgentParams{
			AgentID: s.agentID, Mode: s.mode, Statuses: f.statuses, Priorities: f.priorities, LoopID: f.loopID, TextLike: f.textLike, Tag: f.tag,
			EndedSince: f.endedSince, Before: f.before.Time, BeforeID: f.before.ID, RowLimit: f.Limit + 1, RowOffset: f.Offset,
		})
	}
	return tx.NewestOfPeople(ctx, db.NewestOfPeopleParams{
		Mode: s.mode, Everything: s.everything, Loops: s.loops, PersonID: s.personID, Statuses: f.statuses, Priorities: f.priorities, LoopID: f.loopID,
		TextLike: f.textLike, Tag: f.tag, EndedSince: f.endedSince, Before: f.before.Time, BeforeID: f.before.ID, RowLimit: f.Limit + 1, RowOffset: f.Offset,
	})
}
