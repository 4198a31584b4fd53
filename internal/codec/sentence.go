package codec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/danielgtaylor/huma/v2"

	"humanops-mcp/internal/check"
	"humanops-mcp/schemas"
)

const (
	maxShown = 40 // characters of what came
	maxName  = 64
)

// report gathers what is wrong.
type report struct {
	problems check.Problems
	warnings []string
}

func (r *report) add(path, message string) {
	r.problems.Add(path, "%s", message)
}

func (r *report) warn(message string) {
	if len(r.warnings) < check.MaxProblems {
		r.warnings = append(r.warnings, message)
	}
}

// full tells whether one more problem, or warning, would not be kept.
func (r *report) full(problems bool) bool {
	if problems {
		return len(r.problems) >= check.MaxProblems
	}
	return len(r.warnings) >= check.MaxProblems
}

func (r *report) err(empty bool) error {
	if len(r.problems) == 0 {
		return nil
	}
	e := &schemas.Error{Code: schemas.CodeInvalid, Fields: r.problems}
	if empty {
		e.Message = "Nothing was sent, and a JSON object is needed"
	}
	return e
}

// join makes a dotted path; names that are not plain words are quoted and shortened.
func join(path, name string) string {
	if len(name) > maxName || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
		name = check.Quote(name, maxShown)
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// got describes what came.
func (n node) got() string {
	switch n.kind {
	case '"':
		return check.Quote(n.text, maxShown)
	case '0':
		return check.Shorten(n.text, maxShown)
	case 't':
		return "true"
	case 'f':
		return "false"
	case '{':
		return "an object"
	case '[':
		return "an array"
	default:
		return "null"
	}
}

// example is " Example: 15" where the schema has one.
func example(s *huma.Schema) string {
	if len(s.Examples) == 0 {
		return ""
	}
	raw, err := Encode(s.Examples[0])
	if err != nil {
		return ""
	}
	return ". Example: " + string(raw)
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// bounds is "between 1 and 100", "at least 1" or "at most 100".
func bounds(low, high string) string {
	switch {
	case low != "" && high != "":
		return "between " + low + " and " + high
	case low != "":
		return "at least " + low
	}
	return "at most " + high
}

func count(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}

func number(f *float64) string {
	if f == nil {
		return ""
	}
	return decimal(*f)
}

// Nearest is the known name that name was most likely meant to be, or "".
func Nearest(name string, known []string) string {
	if len(name) > maxName {
		return ""
	}
	best, limit := "", max(2, len(name)/3)+1
	for _, candidate := range slices.Sorted(slices.Values(known)) {
		if d := levenshtein.ComputeDistance(strings.ToLower(name), candidate); d < limit {
			best, limit = candidate, d
		}
	}
	return best
}

func didYouMean(name string, known []string) string {
	if nearest := Nearest(name, known); nearest != "" {
		return fmt.Sprintf("; did you mean %s?", nearest)
	}
	return ""
}
