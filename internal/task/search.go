package task

import (
	"cmp"
	"context"
	"slices"

	"humanops-mcp/internal/keyset"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// A list costs the same however many tasks there are: it follows ways that lead straight to
// what is asked for. Where it has to sift what it comes by, it looks at so many tasks and no
// more, and hands out where it stopped.

// match is what a task has to be that stands on the way. What is empty is any task.
type match struct {
	taskType             string
	titleLike, titleAsIs string // in lower case, and as it was sent
}

// look is a stretch of a way: older than from, down to floor.
type look struct {
	match
	from, floor   keyset.Position
	limit, offset int64
}

// way is a walk along an index, from the newest task to the oldest.
type way struct {
	list  func(ctx context.Context, tx *store.Tx, l look) ([]keyset.Position, error)
	count func(ctx context.Context, tx *store.Tx, l look) (int64, error) // up to the limit, without from and offset
	short bool                                                           // leads to so few that all of them may be looked at
	sifts bool                                                           // passes by what does not match, whatever is looked for
}

// search is a page of what several ways lead to.
type search struct {
	keyset.Window
	match
	ways  []way
	least int64 // so many match, however few a look sees
}

// find reads the page. next_cursor leads on behind what was looked at, and total counts what
// matches in it.
func (s search) find(ctx context.Context, tx *store.Tx) ([]db.Task, schemas.Pagination, error) {
	floor, err := s.floor(ctx, tx, s.At)
	if err != nil {
		return nil, schemas.Pagination{}, err
	}
	lists, err := s.walk(ctx, tx, floor)
	if err != nil {
		return nil, schemas.Pagination{}, err
	}
	rows, err := s.read(ctx, tx, slices.Concat(lists...))
	if err != nil {
		return nil, schemas.Pagination{}, err
	}
	rows, next := keyset.Cut(s.Window, rows, func(t db.Task) keyset.Position { return keyset.At(t.CreatedAt, t.ID) })
	if next == "" && floor != keyset.Oldest {
		next = floor.Cursor()
	}
	total, more, err := s.total(ctx, tx, lists, floor)
	page := s.Pagination(total, next)
	page.TotalMore = page.TotalMore || more
	return rows, page, err
}

// sifted are the ways on which something is passed by that could be anywhere.
func (s search) sifted() (list []way) {
	for _, w := range s.ways {
		if !w.short && (w.sifts || s.match != match{}) {
			list = append(list, w)
		}
	}
	return list
}

// floor is where a look from a place ends, keyset.Oldest when it ends nowhere. What may be
// looked at is shared among the ways, and none is followed further than another.
func (s search) floor(ctx context.Context, tx *store.Tx, from keyset.Position) (floor keyset.Position, err error) {
	ways := s.sifted()
	for _, w := range ways {
		share := int64(keyset.MaxTotal / len(ways))
		last, err := w.list(ctx, tx, look{from: from, limit: 2, offset: share - 1})
		if err != nil {
			return floor, err
		}
		if len(last) == 2 && newer(last[0], floor) < 0 {
			floor = last[0]
		}
	}
	return floor, nil
}

// newer orders places from the newest to the oldest.
func newer(a, b keyset.Position) int {
	return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(b.ID, a.ID))
}

// walk follows each way as far as the page can reach into it; a single way at once to where
// the page begins.
func (s search) walk(ctx context.Context, tx *store.Tx, floor keyset.Position) ([][]keyset.Position, error) {
	skip := s.Offset - s.skipLater()
	l := look{match: s.match, from: s.At, floor: floor, limit: s.skipLater() + s.Limit + 1, offset: skip}
	lists := make([][]keyset.Position, len(s.ways))
	for i, w := range s.ways {
		var err error
		if lists[i], err = w.list(ctx, tx, l); err != nil {
			return nil, err
		}
	}
	return lists, nil
}

// skipLater is how much of the offset can only be left out of what all ways lead to.
func (s search) skipLater() int64 {
	if len(s.ways) == 1 {
		return 0
	}
	return s.Offset
}

// read reads the page and one task more. The database puts tasks of one moment in order, so
// that pages continue each other however it compares ids.
func (s search) read(ctx context.Context, tx *store.Tx, places []keyset.Position) ([]db.Task, error) {
	slices.SortFunc(places, newer)
	skip := s.skipLater()
	first, end := min(int(skip), len(places)), min(int(skip+s.Limit+1), len(places))
	if first == end {
		return nil, nil
	}
	for first > 0 && places[first-1].Time == places[first].Time {
		first--
	}
	for end < len(places) && places[end-1].Time == places[end].Time {
		end++
	}
	ids := make([]string, 0, end-first)
	for _, p := range places[first:end] {
		ids = append(ids, p.ID)
	}
	return tx.NewestTasks(ctx, db.NewestTasksParams{Ids: store.IDs(ids), RowLimit: s.Limit + 1, RowOffset: skip - int64(first)})
}

// total counts what matches, from the newest on: all of it up to keyset.CountTo, or where
// something is sifted as much as one look sees. more says that it ended there.
func (s search) total(ctx context.Context, tx *store.Tx, lists [][]keyset.Position, floor keyset.Position) (sum int64, more bool, err error) {
	if s.ByCursor {
		if floor, err = s.floor(ctx, tx, keyset.Newest); err != nil {
			return 0, false, err
		}
	}
	for i, w := range s.ways {
		n := int64(len(lists[i]))
		if !s.Whole(len(lists[i])) {
			if n, err = w.count(ctx, tx, look{match: s.match, floor: floor, limit: keyset.CountTo - sum}); err != nil {
				return 0, false, err
			}
		}
		if sum += n; sum >= keyset.CountTo {
			break
		}
	}
	return max(sum, s.least), floor != keyset.Oldest, nil
}

// found is a row of every list.
type found struct {
	ID        string
	CreatedAt int64
}

func places[R ~struct {
	ID        string
	CreatedAt int64
}](rows []R, err error) ([]keyset.Position, error) {
	list := make([]keyset.Position, len(rows))
	for i, r := range rows {
		f := found(r)
		list[i] = keyset.At(f.CreatedAt, f.ID)
	}
	return list, err
}
