package task

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"

	"humanops-mcp/internal/ident"
	"humanops-mcp/schemas"
)

// position is where a page begins: beyond the row with this time and id.
type position struct {
	time int64
	id   string
}

// Where lists begin.
var (
	oldestFirst = position{}
	newestFirst = position{time: math.MaxInt64}
)

// window is a page request, checked.
type window struct {
	at            position
	limit, offset int64
}

func windowOf(in schemas.PageRequest, start position) (window, error) {
	var p problems
	w := window{at: start, limit: 20, offset: int64(in.Offset)}
	if in.Limit != 0 {
		w.limit = int64(in.Limit)
	}
	if w.limit < 1 || w.limit > 100 {
		p.add("limit", "must be between 1 and 100; got %d", w.limit)
	}
	if w.offset < 0 || w.offset > 10_000 {
		p.add("offset", "must be between 0 and 10000; got %d. Use cursor for long lists", w.offset)
	}
	if in.Cursor != "" {
		w.at, w.offset = p.cursor(in.Cursor), 0
	}
	return w, p.err()
}

func (p *problems) cursor(text string) position {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	micros, id, found := strings.Cut(string(raw), "|")
	at := position{id: id}
	if err == nil {
		at.time, err = strconv.ParseInt(micros, 10, 64)
	}
	if err != nil || !found || !ident.Plain(id) {
		p.add("cursor", "must be the next_cursor of the page before; leave it out to begin at the first page")
	}
	return at
}

// cut shortens rows, of which one more than the limit was asked for, to the page.
func cut[R any](w window, rows []R, total int64, at func(R) position) ([]R, schemas.Pagination) {
	page := schemas.Pagination{Limit: int(w.limit), Offset: int(w.offset), Total: int(total)}
	if int64(len(rows)) > w.limit {
		rows = rows[:w.limit]
		last := at(rows[len(rows)-1])
		page.NextCursor = base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(last.time, 10) + "|" + last.id))
	}
	return rows, page
}

// whole tells whether so many rows, out of one more than the limit, are all there are:
// then nothing needs counting.
func (w window) whole(rows int) bool {
	return w.offset == 0 && w.at == newestFirst && int64(rows) <= w.limit
}
