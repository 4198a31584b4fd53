package check

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"humanops-mcp/schemas"
)

// MaxProblems is how many problems are told at once; more would be an echo of what came.
const MaxProblems = 50

// Problems are everything that is wrong with a request, in the order in which it was
// found. The zero value is a request without any.
type Problems []schemas.FieldError

// Add notes a problem with a field: the rule, what came and an example. Beyond
// MaxProblems nothing more is noted.
func (p *Problems) Add(field, format string, args ...any) {
	if len(*p) < MaxProblems {
		*p = append(*p, schemas.FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
	}
}

// Take notes the problems that another check found, and gives back an error that is no
// list of problems: it ends the request whatever else is wrong.
func (p *Problems) Take(err error) error {
	var e *schemas.Error
	if !errors.As(err, &e) || len(e.Fields) == 0 {
		return err
	}
	p.Join(e.Fields)
	return nil
}

// Join notes the problems of a part of the request.
func (p *Problems) Join(others Problems) {
	*p = append(*p, others[:min(len(others), MaxProblems-len(*p))]...)
}

// Err is the refusal that tells all problems, with schemas.CodeInvalid; nil without any.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	return &schemas.Error{Code: schemas.CodeInvalid, Fields: p}
}

// With is err together with the problems found before it.
func (p Problems) With(err error) error {
	if taken := p.Take(err); taken != nil {
		return taken
	}
	return p.Err()
}

// Text trims a text in place, drops the control characters that nobody can see, and
// checks its length in characters.
func (p *Problems) Text(field string, value *string, least, most int) {
	if !utf8.ValidString(*value) {
		p.Add(field, "must be valid UTF-8")
		return
	}
	*value = strings.TrimSpace(strings.Map(visible, *value))
	if *value == "" && least > 0 {
		p.Add(field, "must have at least %d character; got none", least)
	}
	p.Length(field, *value, most)
}

// Line is Text that stands on one line: whatever breaks it is one space.
func (p *Problems) Line(field string, value *string, least, most int) {
	if utf8.ValidString(*value) {
		*value = OneLine(*value)
	}
	p.Text(field, value, least, most)
}

// Length checks that a value is not too long, in characters, and leaves it as it is.
func (p *Problems) Length(field, value string, most int) {
	if n := utf8.RuneCountInString(value); n > most {
		p.Add(field, "must have at most %d characters; got %d", most, n)
	}
}

// Items checks that a list is not too long, and tells whether it is short enough to look at.
func (p *Problems) Items(field string, n, most int) bool {
	if n > most {
		p.Add(field, "must have at most %d items; got %d", most, n)
	}
	return n <= most
}

// Within checks that a number, where there is one, lies within bounds.
func (p *Problems) Within(field string, value *float64, least, most float64) {
	if value != nil && !(*value >= least && *value <= most) { // also refuses NaN
		p.Add(field, "must be between %g and %g; got %g", least, most, *value)
	}
}

// OneOf checks that a word is one of those that are known.
func (p *Problems) OneOf(field, word string, known []string) {
	if !slices.Contains(known, word) {
		p.Add(field, "must be one of: %s", strings.Join(known, ", "))
	}
}
