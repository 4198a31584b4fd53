package tools

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"humanops-mcp/schemas"
	"humanops-mcp/tools/brief"
)

// ListTasksArgs filters the list.
type ListTasksArgs struct {
	Kind     schemas.Kind     `json:"kind,omitempty" enum:"task,review" doc:"Default both"`
	Status   string           `json:"status,omitempty" maxLength:"200" doc:"Statuses with commas, or open, or done"`
	TaskType schemas.TaskType `json:"task_type,omitempty" maxLength:"40" doc:"Such as PHOTO"`
	Query    string           `json:"query,omitempty" maxLength:"100" doc:"Words of the title"`
	Limit    int              `json:"limit,omitempty" minimum:"1" maximum:"100" doc:"Of each kind; default 20"`
	Cursor   string           `json:"cursor,omitempty" maxLength:"420" doc:"next_cursor of the page before"`
}

// TaskList is one page.
type TaskList struct {
	Items      []TaskRow `json:"items"`
	Total      int       `json:"total"`
	TotalMore  bool      `json:"total_more,omitempty" doc:"More match than were counted"`
	NextCursor string    `json:"next_cursor,omitempty"`
	TestMode
}

// TaskRow is a task or a review in a list.
type TaskRow struct {
	TaskID    string         `json:"task_id,omitempty"`
	RequestID string         `json:"request_id,omitempty"`
	State     string         `json:"state"`
	Status    string         `json:"status"`
	Title     string         `json:"title"`
	RewardUSD *schemas.Money `json:"reward_usd,omitempty"`
	CreatedAt string         `json:"created_at,omitempty"`

	created time.Time
}

// cursorMark stands between the cursors of the two kinds.
const cursorMark = "~"

// listing is one page on its way: both kinds, the newest first.
type listing struct {
	*call
	in   ListTasksArgs
	out  TaskList
	next [2]string // cursors of tasks and reviews
}

func listTasks(ctx context.Context, c *call, in ListTasksArgs) (reply[TaskList], error) {
	var r reply[TaskList]
	l := &listing{call: c, in: in, out: TaskList{Items: []TaskRow{}}}
	ofTasks, ofReviews, both := strings.Cut(in.Cursor, cursorMark)
	if both && ofTasks == "" {
		l.in.Kind = schemas.KindReview
	} else if in.Cursor != "" && ofReviews == "" {
		l.in.Kind = schemas.KindTask
	}
	if err := l.load(ctx, ofTasks, ofReviews); err != nil {
		return r, err
	}
	slices.SortStableFunc(l.out.Items, func(a, b TaskRow) int { return b.created.Compare(a.created) })
	if l.next[0] != "" || l.next[1] != "" {
		l.out.NextCursor = strings.TrimSuffix(l.next[0]+cursorMark+l.next[1], cursorMark)
	}
	r.data = l.out
	r.text = l.out.text()
	return r, nil
}

func (l *listing) load(ctx context.Context, ofTasks, ofReviews string) error {
	tasks, reviews := l.split()
	wantTasks := l.in.Kind != schemas.KindReview && (tasks != "" || l.in.Status == "")
	wantReviews := l.in.Kind != schemas.KindTask && l.in.TaskType == "" && (reviews != "" || l.in.Status == "")
	var errTasks, errReviews error
	if wantTasks {
		errTasks = l.addTasks(ctx, tasks, ofTasks)
	}
	if wantReviews {
		errReviews = l.addReviews(ctx, reviews, ofReviews)
	}
	switch {
	case errTasks != nil && (!wantReviews || errReviews != nil || !notServed(errTasks)):
		return errTasks
	case errReviews != nil && (!wantTasks || !noReviews(errReviews)):
		return errReviews
	}
	return nil
}

// split gives each kind its own statuses; open and done mean both.
func (l *listing) split() (tasks, reviews string) {
	var ofTasks, ofReviews []string
	for word := range strings.SplitSeq(l.in.Status, ",") {
		word = strings.TrimSpace(word)
		switch {
		case word == "":
		case word == "open", word == "done":
			ofTasks, ofReviews = append(ofTasks, word), append(ofReviews, word)
		case slices.Contains(schemas.ReviewStatuses, schemas.ReviewStatus(word)):
			ofReviews = append(ofReviews, word)
		default:
			ofTasks = append(ofTasks, word)
		}
	}
	return strings.Join(ofTasks, ","), strings.Join(ofReviews, ",")
}

func (l *listing) addTasks(ctx context.Context, status, cursor string) error {
	if err := l.market(ctx); err != nil {
		return err
	}
	extended, err := l.Extended(ctx)
	if err != nil {
		return err
	}
	in := l.in
	in.Status, in.Cursor = status, cursor
	page, err := listPage(ctx, l.call, in, extended)
	if err != nil {
		return err
	}
	for _, t := range page.Data {
		b := brief.Task(t, extended)
		l.out.Items = append(l.out.Items, TaskRow{
			TaskID: b.TaskID, State: b.State, Status: b.Status, Title: b.Title, RewardUSD: b.RewardUSD, CreatedAt: brief.Moment(t.CreatedAt), created: t.CreatedAt,
		})
	}
	l.next[0] = page.Pagination.NextCursor
	l.add(page.Pagination.Total, page.Pagination.TotalMore, page.Sandboxed)
	return nil
}

func (l *listing) addReviews(ctx context.Context, status, cursor string) error {
	service, err := l.reviewsThatAre(ctx)
	if err != nil {
		return err
	}
	in := schemas.ListReviewsRequest{Status: status, Query: l.in.Query, Limit: l.in.Limit, Cursor: cursor}
	if in.Limit == 0 {
		in.Limit = 20
	}
	keep := func(schemas.ReviewStatus) bool { return true }
	if !service.extended {
		if l.in.Query != "" {
			return undocumentedReview("filters by words (query)")
		}
		in.Cursor, in.Status = "", ""
		in.Offset, _ = strconv.Atoi(cursor)
		keep = reviewFilter(status)
	}
	list, err := service.ListReviews(ctx, in)
	if err != nil {
		return err
	}
	told := 0 // proof stands in the list already, as its task
	for _, one := range list.Requests {
		if l.tells(one.TaskID) {
			told++
			continue
		}
		if keep(one.Status) {
			b := brief.Review(one, service.extended)
			l.out.Items = append(l.out.Items, TaskRow{
				RequestID: b.RequestID, State: b.State, Status: b.Status, Title: b.Title, CreatedAt: brief.Moment(one.CreatedAt), created: one.CreatedAt,
			})
		}
	}
	l.next[1] = list.Pagination.NextCursor
	if end := in.Offset + len(list.Requests); !service.extended && list.HasMore {
		l.next[1] = strconv.Itoa(end)
	}
	l.add(list.Total-told, list.TotalMore, list.Sandboxed)
	return nil
}

// tells tells whether a task stands in the list.
func (l *listing) tells(task string) bool {
	return task != "" && slices.ContainsFunc(l.out.Items, func(row TaskRow) bool { return row.TaskID == task })
}

// reviewFilter picks statuses where the service takes only one.
func reviewFilter(text string) func(schemas.ReviewStatus) bool {
	words := strings.Split(text, ",")
	return func(s schemas.ReviewStatus) bool {
		return text == "" || slices.ContainsFunc(words, func(word string) bool {
			return word == string(s) || (word == "open" && !s.Final()) || (word == "done" && s.Final())
		})
	}
}

func (l *listing) add(total int, more bool, s schemas.Sandboxed) {
	l.out.Total += total
	l.out.TotalMore = l.out.TotalMore || more
	if s.Sandbox {
		l.out.TestMode = mode(s)
	}
}

// farthest is how many of a kind a page counts, or looks through for words.
const farthest = 10_000

// count is how many match; of words, where the search stopped.
func (l TaskList) count() string {
	if l.TotalMore && l.Total < farthest {
		return strconv.Itoa(l.Total) + ", among the 10,000 newest."
	}
	return schemas.Count(l.Total, l.TotalMore) + "."
}

func (l TaskList) text() string {
	var text strings.Builder
	for _, row := range l.Items {
		pays := ""
		if row.RewardUSD != nil {
			pays = ", " + row.RewardUSD.Dollars()
		}
		fmt.Fprintf(&text, "- %s %q: %s%s\n", row.TaskID+row.RequestID, row.Title, row.Status, pays)
	}
	fmt.Fprintf(&text, "%d of %s", len(l.Items), l.count())
	if l.NextCursor != "" {
		text.WriteString(" More with cursor " + strconv.Quote(l.NextCursor) + ".")
	}
	text.WriteString(" check_status says what one needs; get_task_result shows proof and answers.")
	return text.String()
}
