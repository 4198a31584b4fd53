package check_test

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/check"
	"humanops-mcp/schemas"
)

func TestProblems(t *testing.T) {
	t.Run("none is no error", func(t *testing.T) {
		var p check.Problems
		require.NoError(t, p.Err())
		require.NoError(t, p.Take(nil))
	})

	t.Run("come all at once, by field", func(t *testing.T) {
		var p check.Problems
		p.Add("limit", "must be at most %d", 3)
		require.NoError(t, p.Take(schemas.Invalid("to", "is unknown")))
		p.Join(check.Problems{{Field: "tags[1]", Message: "is empty"}})
		err := p.Err()
		require.Equal(t, schemas.CodeInvalid, schemas.ErrorCode(err))
		require.EqualError(t, err, "limit must be at most 3; to is unknown; tags[1] is empty")
	})

	t.Run("do not swallow an error of another kind", func(t *testing.T) {
		var p check.Problems
		broken := errors.New("the disk is full")
		require.Equal(t, broken, p.Take(broken))
		conflict := schemas.NewError(schemas.CodeConflict, "Somebody was first.")
		require.Equal(t, error(conflict), p.Take(conflict))
		require.Empty(t, p)
		p.Add("a", "is wrong")
		require.Equal(t, broken, p.With(broken))
		require.EqualError(t, p.With(schemas.Invalid("b", "too")), "a is wrong; b too")
	})

	t.Run("are no echo of what came", func(t *testing.T) {
		var p check.Problems
		for i := range 2 * check.MaxProblems {
			p.Add(strconv.Itoa(i), "is wrong")
		}
		require.Len(t, p, check.MaxProblems)
		require.NoError(t, p.Take(schemas.Invalid("late", "is wrong")))
		require.Len(t, p, check.MaxProblems)
		var whole check.Problems
		whole.Add("first", "is wrong")
		whole.Join(p)
		require.Len(t, whole, check.MaxProblems)
		require.Equal(t, "first", whole[0].Field)
	})
}

func TestTexts(t *testing.T) {
	for name, tt := range map[string]struct {
		given       string
		line        bool
		least, most int
		kept, wrong string
	}{
		"are trimmed":                                {" a\n b ", false, 0, 9, "a\n b", ""},
		"lose control characters, not line ends":     {"a\x00\tb\x07\r\n", false, 0, 9, "a\tb", ""},
		"keep their marks of direction":              {"\u200fא", false, 0, 9, "\u200fא", ""},
		"may be empty":                               {"  ", false, 0, 9, "", ""},
		"may have to be there":                       {" \x00 ", false, 1, 9, "", "f must have at least 1 character; got none"},
		"that have to be there pass when they are":   {"a", false, 1, 9, "a", ""},
		"are as long as they have characters":        {"éé", false, 0, 2, "éé", ""},
		"are not too long":                           {"ééé", false, 0, 2, "ééé", "f must have at most 2 characters; got 3"},
		"are valid":                                  {"\xff", false, 0, 9, "\xff", "f must be valid UTF-8"},
		"of one line have one space for what breaks": {" a\r\n\t b ", true, 0, 9, "a b", ""},
		"of one line are valid":                      {"a\xff \n", true, 0, 9, "a\xff \n", "f must be valid UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			var p check.Problems
			text, read := tt.given, p.Text
			if tt.line {
				read = p.Line
			}
			read("f", &text, tt.least, tt.most)
			require.Equal(t, tt.kept, text)
			if tt.wrong == "" {
				require.NoError(t, p.Err())
			} else {
				require.EqualError(t, p.Err(), tt.wrong)
			}
		})
	}
}

func TestBounds(t *testing.T) {
	var p check.Problems
	low, fits, odd := -0.5, 0.5, math.NaN()
	p.Within("lat", nil, 0, 1)
	p.Within("lat", &fits, 0, 1)
	p.OneOf("size", "thumb", []string{"thumb", "large"})
	require.True(t, p.Items("tags", 2, 2))
	require.Empty(t, p)

	p.Within("lat", &low, 0, 1)
	p.Within("lng", &odd, 0, 1)
	p.OneOf("size", "huge", []string{"thumb", "large"})
	require.False(t, p.Items("tags", 3, 2))
	require.EqualError(t, p.Err(), "lat must be between 0 and 1; got -0.5; lng must be between 0 and 1; got NaN; "+
		"size must be one of: thumb, large; tags must have at most 2 items; got 3")
}

func TestForeignWords(t *testing.T) {
	t.Run("are shortened by characters", func(t *testing.T) {
		require.Equal(t, "", check.Shorten("", 2))
		require.Equal(t, "éé", check.Shorten("éé", 2))
		require.Equal(t, "éé…", check.Shorten("ééé", 2))
		require.Equal(t, strings.Repeat("x", 40)+"…", check.Shorten(strings.Repeat("x", 1<<20), 40))
	})

	t.Run("cannot end their quotation, nor hide in it", func(t *testing.T) {
		require.Equal(t, `"Ada"`, check.Quote("Ada", 9))
		require.Equal(t, `"a\"…"`, check.Quote(`a"bc`, 2))
		require.Equal(t, `"a\n\u202e\xff"`, check.Quote("a\n\u202e\xff", 9))
	})

	t.Run("have clean forms", func(t *testing.T) {
		require.Equal(t, "Ada Lovelace", check.Label(" Ada \n\u0085Love\x00lace\u202e"))
		require.Equal(t, "👨\u200d👩", check.Label("👨\u200d👩"), "joiners stay")
		require.Equal(t, "a\nb c", check.Lines(" a\nb\x07 c\u200e\n"))
		require.Equal(t, "a b", check.OneLine("\ta\r\n b "))
	})
}
