package keyset_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/keyset"
	"humanops-mcp/schemas"
)

func TestCursors(t *testing.T) {
	t.Run("lead back to their position", func(t *testing.T) {
		for _, p := range []keyset.Position{keyset.Oldest, keyset.Newest, keyset.At(1_800_000_000_000_000, "task_Ab9"), keyset.At(-5, "0123abcd")} {
			at, ok := keyset.Parse(p.Cursor())
			require.True(t, ok, p)
			require.Equal(t, p, at)
		}
	})

	t.Run("handed out before still work", func(t *testing.T) {
		at, ok := keyset.Parse("MTgwMDAwMDAwMDAwMDAwMHx0YXNrX0FiOQ")
		require.True(t, ok)
		require.Equal(t, keyset.At(1_800_000_000_000_000, "task_Ab9"), at)
	})

	t.Run("that nobody handed out are refused", func(t *testing.T) {
		for _, forged := range []string{"", "1", "|", "x|task_1", "1|\x00", "1|\xff", "1|' OR 1=1", "99999999999999999999|task_1"} {
			_, ok := keyset.Parse(base64.RawURLEncoding.EncodeToString([]byte(forged)))
			require.False(t, ok, forged)
		}
		_, ok := keyset.Parse("not base64!")
		require.False(t, ok)
	})
}

func TestWindows(t *testing.T) {
	list := keyset.List{From: keyset.Newest, Usual: 20}
	cursor := keyset.At(7, "task_1").Cursor()

	t.Run("have defaults", func(t *testing.T) {
		w, err := list.Window(schemas.PageRequest{})
		require.NoError(t, err)
		require.Equal(t, keyset.Window{At: keyset.Newest, Limit: 20}, w)
	})

	t.Run("begin at the cursor, whatever the offset", func(t *testing.T) {
		w, err := list.Window(schemas.PageRequest{Limit: 100, Offset: 5, Cursor: cursor})
		require.NoError(t, err)
		require.Equal(t, keyset.Window{At: keyset.At(7, "task_1"), Limit: 100, ByCursor: true}, w)
	})

	t.Run("out of bounds are refused with every problem", func(t *testing.T) {
		_, err := list.Window(schemas.PageRequest{Limit: 101, Offset: -1, Cursor: "x"})
		require.EqualError(t, err, "limit must be between 1 and 100; got 101; offset must be between 0 and 10000; got -1. Use cursor for long lists; "+
			"cursor must be the next_cursor of the page before; leave it out to begin at the first page")
		_, err = list.Window(schemas.PageRequest{Limit: -1, Offset: 10_001})
		require.ErrorContains(t, err, "limit must be between 1 and 100; got -1; offset must")
	})

	t.Run("of a lenient list are the nearest there are", func(t *testing.T) {
		lenient := keyset.List{From: keyset.Oldest, Usual: 50, Lenient: true}
		w, err := lenient.Window(schemas.PageRequest{Limit: 1000, Offset: 20_000})
		require.NoError(t, err)
		require.Equal(t, keyset.Window{At: keyset.Oldest, Limit: 100, Offset: 10_000}, w)
		w, err = lenient.Window(schemas.PageRequest{Limit: -3, Offset: -3})
		require.NoError(t, err)
		require.Equal(t, keyset.Window{At: keyset.Oldest, Limit: 50}, w)
		_, err = lenient.Window(schemas.PageRequest{Cursor: "x"})
		require.ErrorContains(t, err, "cursor must be")
	})

	t.Run("are refused in the list's own words where it has some", func(t *testing.T) {
		own := schemas.NewError(schemas.CodeInvalid, "Invalid pagination parameters")
		worded := keyset.List{Usual: 50, Refusal: func() error { return own }}
		for _, in := range []schemas.PageRequest{{Limit: 101}, {Offset: -1}, {Cursor: "x"}} {
			_, err := worded.Window(in)
			require.Equal(t, error(own), err)
		}
		_, err := worded.Window(schemas.PageRequest{})
		require.NoError(t, err)
	})
}

func TestPages(t *testing.T) {
	list := keyset.List{From: keyset.Oldest, Usual: 2}
	at := func(id string) keyset.Position { return keyset.At(int64(len(id)), id) }
	first, err := list.Window(schemas.PageRequest{})
	require.NoError(t, err)

	t.Run("are cut to the limit and name the next", func(t *testing.T) {
		rows, next := keyset.Cut(first, []string{"a", "bb", "ccc"}, at)
		require.Equal(t, []string{"a", "bb"}, rows)
		second, err := list.Window(schemas.PageRequest{Cursor: next})
		require.NoError(t, err)
		require.Equal(t, keyset.At(2, "bb"), second.At)
		rows, next = keyset.Cut(second, []string{"ccc"}, at)
		require.Equal(t, []string{"ccc"}, rows)
		require.Empty(t, next)
		require.False(t, second.Whole(1), "there were rows before")
	})

	t.Run("that hold everything need no counting", func(t *testing.T) {
		require.True(t, first.Whole(2))
		require.False(t, first.Whole(3))
		later, err := list.Window(schemas.PageRequest{Offset: 1})
		require.NoError(t, err)
		require.False(t, later.Whole(0))
	})

	t.Run("of views say where they stand", func(t *testing.T) {
		page := keyset.Page(first, 3, []string{"a", "bb", "ccc"}, at, strings.ToUpper)
		require.Equal(t, []string{"A", "BB"}, page.Data)
		require.Equal(t, schemas.Pagination{Limit: 2, Total: 3, NextCursor: at("bb").Cursor()}, page.Pagination)
		none := keyset.Page(first, 0, nil, at, strings.ToUpper)
		require.NotNil(t, none.Data)
		require.Equal(t, schemas.Pagination{Limit: 2}, none.Pagination)
	})
}

func TestTotalsAreExactUpToTenThousand(t *testing.T) {
	for rows, want := range map[int64]schemas.Pagination{
		0:                  {Limit: 20},
		keyset.MaxTotal:    {Limit: 20, Total: 10_000},
		keyset.CountTo:     {Limit: 20, Total: 10_000, TotalMore: true},
		keyset.CountTo + 5: {Limit: 20, Total: 10_000, TotalMore: true},
	} {
		require.Equal(t, want, keyset.Window{Limit: 20}.Pagination(rows, ""), rows)
	}
}
