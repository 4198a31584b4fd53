package review

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"humanops-mcp/schemas"
)

// faults collects everything that is wrong with a request.
type faults []schemas.FieldError

func (f *faults) add(field, format string, args ...any) {
	*f = append(*f, schemas.FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
}

// take adds the problems of an error with fields, and gives back any other error.
func (f *faults) take(err error) error {
	var e *schemas.Error
	if !errors.As(err, &e) || len(e.Fields) == 0 {
		return err
	}
	*f = append(*f, e.Fields...)
	return nil
}

func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return &schemas.Error{Code: schemas.CodeInvalid, Fields: f}
}

// text trims a text in place, drops the control characters that nobody can see, and
// checks its length in characters.
func (f *faults) text(field string, value *string, most int) {
	if !utf8.ValidString(*value) {
		f.add(field, "must be valid UTF-8")
		return
	}
	*value = strings.TrimSpace(strings.Map(visible, *value))
	if n := utf8.RuneCountInString(*value); n > most {
		f.add(field, "must have at most %d characters; got %d", most, n)
	}
}

// line is text that stands on one line: whatever breaks it is one space.
func (f *faults) line(field string, value *string, most int) {
	if utf8.ValidString(*value) {
		*value = strings.Join(strings.Fields(*value), " ")
	}
	f.text(field, value, most)
}

// visible drops control characters, except those that set lines apart.
func visible(r rune) rune {
	if unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' {
		return -1
	}
	return r
}
