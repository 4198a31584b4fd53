package web

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"humanops-mcp/internal/web/page"
	"humanops-mcp/schemas"
)

// formLimit bounds a form without files.
const formLimit = 64 << 10

// labels are the fields' names as their pages print them.
var labels = map[string]string{
	"estimate_days": "Days", "estimate_hours": "Hours", "estimate_minutes": "Minutes", "estimate_note": "The note",
	"note": "The note", "text": "The message", "reason": "The reason", "files": "The photos",
	"comment": "The comment", "edited_arguments": "The arguments", "name": "The name", "email": "The address", "description": "The description",
	"user_id": "The person", "group": "The group", "members": "The people", "time_zone": "The time zone", "hours": "The hours",
	"absent_from": "The beginning of the absence", "absent_until": "The end of the absence",
	"lat": "The location", "lng": "The location", "accuracy_m": "The location",
}

// form is a form as it came in, with what is wrong with it.
type form struct {
	page.Form
	names map[string]string // of fields that are not the same on every page, as it prints them
}

func newForm(name string) *form {
	return &form{Form: page.Form{Name: name, Values: map[string]string{}, Lists: map[string][]string{}, Errors: map[string]string{}}}
}

// readForm reads a form without files and keeps all that was typed.
func readForm(w http.ResponseWriter, r *http.Request, name string) (*form, error) {
	return readFormUpTo(w, r, name, formLimit)
}

func readFormUpTo(w http.ResponseWriter, r *http.Request, name string, limit int64) (*form, error) {
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	err := r.ParseForm()
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, schemas.NewError(schemas.CodeTooLarge, "That text is far too long. Go back and shorten it.")
	case err != nil:
		return nil, schemas.NewError(schemas.CodeInvalid, "The form did not arrive as it was sent. Go back and send it again.")
	}
	f := newForm(name)
	for field, values := range r.PostForm {
		for _, value := range values {
			f.keep(field, value)
		}
	}
	return f, nil
}

// keep remembers a value as text that every database takes: valid UTF-8, no NUL, and
// line ends as one character, so that a length means what the reader counts.
func (f *form) keep(field, value string) {
	value = strings.ToValidUTF8(value, "\uFFFD")
	value = strings.ReplaceAll(value, "\x00", "")
	value = strings.ReplaceAll(value, "\r\n", "\n")
	if len(f.Lists[field]) == 0 {
		f.Values[field] = value
	}
	f.Lists[field] = append(f.Lists[field], value)
}

// mark notes what is wrong with a field; the first word about it stands.
func (f *form) mark(field, message string) {
	if f.Errors[field] == "" {
		f.Errors[field] = message
	}
}

// text is a field's trimmed text.
func (f *form) text(field string, limit int) string {
	text := strings.TrimSpace(f.Values[field])
	if n := utf8.RuneCountInString(text); n > limit {
		f.mark(field, fmt.Sprintf("%s may have %d characters; this one has %d. Shorten it.", f.label(field), limit, n))
	}
	return text
}

// label is a field's name as this page prints it.
func (f *form) label(field string) string { return cmp.Or(f.names[field], labels[field]) }

// number is a field's whole number; an empty field is 0.
func (f *form) number(field string, highest int) int {
	text := strings.TrimSpace(f.Values[field])
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > highest {
		f.mark(field, fmt.Sprintf("%s must be a whole number from 0 to %d.", labels[field], highest))
	}
	return n
}

// decimal is a field's number, nil when the field is empty.
func (f *form) decimal(field string, lowest, highest float64) *float64 {
	text := strings.TrimSpace(f.Values[field])
	if text == "" {
		return nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= lowest && n <= highest) {
		f.mark(field, "The location that came with the form is none. Add it again, or send the proof without it.")
		f.Values[field] = ""
		return nil
	}
	return &n
}

// wrong is an error when anything is marked.
func (f *form) wrong() error {
	if !f.Wrong() {
		return nil
	}
	return schemas.NewError(schemas.CodeInvalid, "")
}

// blame puts an error's words at the fields they are about, and the rest above the form.
func (f *form) blame(e *schemas.Error) {
	if e.Message != "" {
		f.Alert = e.Message
	}
	var rest []string
	for _, problem := range e.Fields {
		field, _, _ := strings.Cut(problem.Field, "[")
		if f.Has(field) {
			f.mark(field, f.said(problem))
			continue
		}
		rest = append(rest, f.said(problem))
	}
	f.Alert = strings.TrimSpace(strings.Join(append([]string{f.Alert}, rest...), " "))
}

// said is a problem in the words of this form.
func (f *form) said(problem schemas.FieldError) string {
	if name := f.names[problem.Field]; name != "" {
		return labelled(name, problem.Message)
	}
	return said(problem)
}

// said is a field's problem as a sentence that begins with the field's printed name.
func said(problem schemas.FieldError) string {
	field, _, _ := strings.Cut(problem.Field, "[")
	message := strings.TrimPrefix(problem.Message, problem.Field+" ")
	if _, file, named := strings.Cut(message, "; "); named && field == "files" && strings.HasPrefix(file, `"`) {
		return file // it names the file, which says more than the rule about all of them
	}
	label := labels[field]
	if label == "" {
		label = problem.Field
	}
	return labelled(label, message)
}

// labelled begins a rule with the name of what it is about; a whole sentence stays.
func labelled(label, message string) string {
	first, _, _ := strings.Cut(message, " ")
	if !slices.Contains([]string{"must", "may", "is", "are", "has", "needs", "cannot", "uses"}, first) {
		return message
	}
	return label + " " + message
}
