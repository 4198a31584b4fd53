// Package keyset pages lists by a position in them, so that a page costs the same however
// far into the list it lies. Where a page begins travels as an opaque cursor.
package keyset

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"

	"humanops-mcp/internal/check"
	"humanops-mcp/internal/ident"
	"humanops-mcp/schemas"
)

// The bounds of every page request.
const (
	MaxLimit  = 100
	MaxOffset = 10_000
)

// MaxTotal is how far what matches is counted: what a longer list costs does not grow with
// it. CountTo is where a query that counts stops.
const (
	MaxTotal = 10_000
	CountTo  = MaxTotal + 1
)

// Counted is a count that stopped at CountTo as callers get it: exact up to MaxTotal, or
// that there are more.
func Counted(rows int64) (total int, more bool) {
	return int(min(rows, MaxTotal)), rows > MaxTotal
}

// Position is a place in a list that is ordered by time and id.
type Position struct {
	Time int64
	ID   string
}

// At is the position beyond the row with this time and id.
func At(time int64, id string) Position { return Position{time, id} }

// Where lists begin: with what is oldest, or with what is newest, first.
var (
	Oldest = Position{}
	Newest = Position{Time: math.MaxInt64}
)

// Cursor is the position as clients hand it back.
func (p Position) Cursor() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(p.Time, 10) + "|" + p.ID))
}

// Parse reads a cursor; false when it is none that Cursor made.
func Parse(cursor string) (Position, bool) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	micros, id, found := strings.Cut(string(raw), "|")
	if err != nil || !found || !ident.Plain(id) {
		return Position{}, false
	}
	at, err := strconv.ParseInt(micros, 10, 64)
	return Position{at, id}, err == nil
}

// List says how a list pages: where its first page begins, how long a page is when
// nothing is said, and what it does with requests out of bounds.
type List struct {
	From    Position
	Usual   int64
	Lenient bool         // takes the nearest window instead of refusing; only a cursor can be wrong
	Refusal func() error // instead of the problems by field, where the list has its own words
}

// Window is a page request, checked.
type Window struct {
	At            Position
	Limit, Offset int64
	ByCursor      bool
}

// Window checks a page request, in which 0 and "" are what was not said. A cursor wins
// over an offset.
func (l List) Window(in schemas.PageRequest) (Window, error) {
	w := Window{At: l.From, Limit: l.Usual, Offset: int64(in.Offset)}
	if in.Limit > 0 || in.Limit < 0 && !l.Lenient {
		w.Limit = int64(in.Limit)
	}
	if l.Lenient {
		w.Limit, w.Offset = min(w.Limit, MaxLimit), min(max(w.Offset, 0), MaxOffset)
	}
	p := w.problems()
	if in.Cursor != "" {
		if w.At, w.ByCursor = Parse(in.Cursor); !w.ByCursor {
			p.Add("cursor", "must be the next_cursor of the page before; leave it out to begin at the first page")
		}
		w.Offset = 0
	}
	if len(p) > 0 && l.Refusal != nil {
		return w, l.Refusal()
	}
	return w, p.Err()
}

func (w Window) problems() (p check.Problems) {
	if w.Limit < 1 || w.Limit > MaxLimit {
		p.Add("limit", "must be between 1 and %d; got %d", MaxLimit, w.Limit)
	}
	if w.Offset < 0 || w.Offset > MaxOffset {
		p.Add("offset", "must be between 0 and %d; got %d. Use cursor for long lists", MaxOffset, w.Offset)
	}
	return p
}

// Whole tells whether so many rows, out of one more than the limit, are all there are:
// then nothing needs counting.
func (w Window) Whole(rows int) bool {
	return w.Offset == 0 && !w.ByCursor && int64(rows) <= w.Limit
}

// Cut shortens rows, of which one more than the limit was asked for, to the page. next is
// the cursor of the page after it, "" when there is none.
func Cut[R any](w Window, rows []R, at func(R) Position) (page []R, next string) {
	if int64(len(rows)) <= w.Limit {
		return rows, ""
	}
	page = rows[:w.Limit]
	return page, at(page[w.Limit-1]).Cursor()
}

// Page cuts rows, of which one more than the limit was asked for, to a page of views.
func Page[R, T any](w Window, total int64, rows []R, at func(R) Position, view func(R) T) schemas.Page[T] {
	rows, next := Cut(w, rows, at)
	page := schemas.Page[T]{Data: make([]T, 0, len(rows)), Pagination: w.Pagination(total, next)}
	for _, row := range rows {
		page.Data = append(page.Data, view(row))
	}
	return page
}

// Pagination tells where the page stands, of rows that were counted up to CountTo.
func (w Window) Pagination(total int64, next string) schemas.Pagination {
	counted, more := Counted(total)
	return schemas.Pagination{Limit: int(w.Limit), Offset: int(w.Offset), Total: counted, TotalMore: more, NextCursor: next}
}
