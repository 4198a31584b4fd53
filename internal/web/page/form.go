package page

import (
	"slices"
	"strconv"
	"strings"

	"humanops-mcp/internal/answer"

	"github.com/a-h/templ"
)

// Form is what a person sent and what is wrong with it, so that nothing they typed is lost.
type Form struct {
	Name   string              // which form of the page it is
	Alert  string              // what went wrong as a whole
	Values map[string]string   // by field
	Lists  map[string][]string // by field, all that was sent
	Errors map[string]string   // by field
	// Order names the fields of a form that is not the same on every page. Their names may
	// be anybody's words, so that their ids are numbers.
	Order []string
}

// Wrong tells whether there is anything to say about the form.
func (f Form) Wrong() bool { return f.Alert != "" || len(f.Errors) > 0 }

// of is the form when it is the named one, else an empty form of that name.
func (f Form) of(name string) Form {
	if f.Name == name {
		return f
	}
	return Form{Name: name}
}

// ordered is the form with fields of its own.
func (f Form) ordered(fields []string) Form {
	f.Order = fields
	return f
}

func (f Form) id(field string) string {
	if i := slices.Index(f.Order, field); i >= 0 {
		return f.Name + "-" + strconv.Itoa(i)
	}
	return f.Name + "-" + field
}
func (f Form) errorID(field string) string { return f.id(field) + "-error" }
func (f Form) hintID(field string) string  { return f.id(field) + "-hint" }

// or is what was typed, or else the value that stands there beforehand.
func (f Form) or(field, value string) string {
	if typed, ok := f.Values[field]; ok {
		return typed
	}
	return value
}

// checked tells whether one of a field's choices was made; beforehand holds those that are
// made until a form was sent.
func (f Form) checked(field, choice string, beforehand ...string) bool {
	if f.Values == nil {
		return slices.Contains(beforehand, choice)
	}
	return slices.Contains(f.Lists[field], choice)
}

func (f Form) describedBy(field, hint string) string {
	switch wrong := f.Errors[field] != ""; {
	case wrong && hint != "":
		return f.errorID(field) + " " + f.hintID(field)
	case wrong:
		return f.errorID(field)
	case hint != "":
		return f.hintID(field)
	}
	return ""
}

func (f Form) invalid(field string) string {
	if f.Errors[field] != "" {
		return "true"
	}
	return ""
}

// describe is the set of attributes that ties a control to its hint and its error.
func (f Form) describe(field, hint string) templ.Attributes {
	out := templ.Attributes{}
	if by := f.describedBy(field, hint); by != "" {
		out["aria-describedby"] = by
	}
	if f.invalid(field) != "" {
		out["aria-invalid"] = "true"
	}
	return out
}

// fieldsOf lists, in the order they stand on the page, the fields of each form.
var fieldsOf = map[string][]string{
	"accept":     {"estimate_days", "estimate_hours", "estimate_minutes", "estimate_note"},
	"proof":      {"files", "note", "lat", "lng", "accuracy_m"},
	"message":    {"text"},
	"release":    {"reason"},
	"answer":     {"comment", "edited_arguments"},
	"escalate":   {"reason"},
	"join":       {"name", "email"},
	"loop":       {"name", "description"},
	"member":     {"user_id"},
	"settings":   {"name", "description", "lease", "claim", "decide", "warn", "mode", "threshold", "of", "escalation"},
	"hours":      {"time_zone", "hours", "absent_from", "absent_until"},
	"deletion":   {"typed_name"},
	"group":      {"group", "members"},
	"invitation": {},
	"passkey":    {},
}

// target is the control that the summary's link leads to; hidden fields have none.
func (f Form) target(field string) string {
	switch field {
	case "lat", "lng", "accuracy_m":
		return ""
	}
	return f.id(field)
}

type problem struct{ target, message string }

func (f Form) problems() []problem {
	var out []problem
	for _, field := range slices.Concat(f.Order, fieldsOf[f.Name]) {
		if m := f.Errors[field]; m != "" {
			out = append(out, problem{f.target(field), m})
		}
	}
	return out
}

// Has tells whether the form shows the field, and so a word about it.
func (f Form) Has(field string) bool {
	return slices.Contains(f.Order, field) || HasField(f.Name, field)
}

// HasField tells whether the named form shows the field, and so a word about it.
func HasField(form, field string) bool { return slices.Contains(fieldsOf[form], field) }

func numberText(n *float64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatFloat(*n, 'f', -1, 64)
}

// bounds says in words what a number may be.
func bounds(f answer.Field) string {
	var parts []string
	switch {
	case f.Min != nil && f.Max != nil:
		parts = append(parts, "From "+numberText(f.Min)+" to "+numberText(f.Max))
	case f.Min != nil:
		parts = append(parts, "At least "+numberText(f.Min))
	case f.Max != nil:
		parts = append(parts, "At most "+numberText(f.Max))
	}
	if f.Step != nil && len(parts) > 0 {
		parts = append(parts, "in steps of "+numberText(f.Step))
	}
	if f.MinLength > 0 {
		parts = append(parts, "At least "+plural(f.MinLength, "character", "characters"))
	}
	if f.MaxLength > 0 && (f.Kind == "textarea" || f.Kind == "text") {
		parts = append(parts, "Up to "+plural(f.MaxLength, "character", "characters"))
	}
	if len(parts) == 0 {
		return plain(f.Help)
	}
	for i, part := range parts[1:] {
		parts[i+1] = strings.ToLower(part[:1]) + part[1:]
	}
	return strings.TrimSpace(plain(f.Help) + " " + strings.Join(parts, ", ") + ".")
}

func fieldLabel(f answer.Field) string {
	if f.Label != "" {
		return plain(f.Label)
	}
	return "Your answer"
}

func optionLabel(o answer.Option) string {
	label := plain(o.Label)
	if label == "" {
		label = plain(o.Value)
	}
	return label
}

func optionID(f Form, field string, n int) string { return f.id(field) + "-" + strconv.Itoa(n) }
