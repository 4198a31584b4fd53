package account

import (
	"encoding/base64"
	"strconv"
	"strings"

	"humanops-mcp/internal/ident"
	"humanops-mcp/schemas"
)

const (
	defaultLimit = 20
	maxLimit     = 100
)

// position is where a page begins: after the row with this time and id.
type position struct {
	time int64
	id   string
}

// window is a page request, checked.
type window struct {
	after         position
	limit, offset int
}

func newWindow(in schemas.PageRequest) (window, error) {
	w := window{limit: defaultLimit, offset: min(max(in.Offset, 0), 10000)}
	if in.Limit > 0 {
		w.limit = min(in.Limit, maxLimit)
	}
	if in.Cursor == "" {
		return w, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(in.Cursor)
	micros, id, found := strings.Cut(string(raw), "|")
	w.after.id = id
	if err == nil {
		w.after.time, err = strconv.ParseInt(micros, 10, 64)
	}
	if err != nil || !found || !ident.Plain(id) {
		return window{}, schemas.Invalid("cursor", "must be the next_cursor of an earlier page; leave it out to begin at the first page.")
	}
	w.offset = 0
	return w, nil
}

func (p position) cursor() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(p.time, 10) + "|" + p.id))
}

// pageOf cuts rows, of which one more than the limit was asked for, to a page.
func pageOf[R, T any](w window, total int64, rows []R, at func(R) position, view func(R) T) schemas.Page[T] {
	page := schemas.Page[T]{
		Data:       make([]T, 0, min(len(rows), w.limit)),
		Pagination: schemas.Pagination{Limit: w.limit, Offset: w.offset, Total: int(total)},
	}
	if len(rows) > w.limit {
		rows = rows[:w.limit]
		page.Pagination.NextCursor = at(rows[len(rows)-1]).cursor()
	}
	for _, row := range rows {
		page.Data = append(page.Data, view(row))
	}
	return page
}
