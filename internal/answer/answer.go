// Package answer knows what may be answered to a review request: the seven response types
// of the reviews contract (§1.6) in every spelling of their configuration, and form, a
// subset of JSON Schema. It is pure: a configuration is parsed into a Spec once, and the
// Spec checks, shows and simulates answers.
package answer

import (
	"bytes"
	"encoding/json"

	"github.com/go-json-experiment/json/jsontext"

	"humanops-mcp/schemas"
)

// OptionsRequired is the contract's sentence about a select without options.
const OptionsRequired = "options array required for select response type"

// Answer is a checked answer in both of the contract's forms, and what it means.
type Answer struct {
	Data     json.RawMessage // the object form; of text the string itself
	Value    json.RawMessage // one value, compact: equal answers have equal bytes
	Decision string          // approved, rejected, needs_changes or answered
}

// Spec is a response type with its configuration.
type Spec struct {
	name  string
	kind  kind
	fixed bool // the action's arguments may only be approved as they are
}

// kind is one response type.
type kind interface {
	check(field string, raw json.RawMessage) (Answer, error)
	fields() []Field
	fromForm(form map[string][]string) (json.RawMessage, error)
	simulated(steer string) json.RawMessage
}

// finite is a kind with few possible answers.
type finite interface {
	all() []Answer
}

// Parse reads the configuration of a response type. All problems come at once.
func Parse(responseType string, raw json.RawMessage) (Spec, error) {
	c, err := readConfig("response_config", raw)
	if err != nil {
		return Spec{}, err
	}
	var k kind
	fixed := false
	switch responseType {
	case "single_select":
		k, fixed = parseSingle(c), !c.flag("allow_edits", true)
	case "multi_select":
		k = parseMulti(c)
	case "rating":
		k = parseRating(c)
	case "number":
		k = parseNumber(c)
	case "boolean":
		k, fixed = parseBoolean(c), !c.flag("allow_edits", true)
	case "text":
		k = parseText(c)
	case "editable_text":
		k = parseEditable(c)
	case "form":
		k = parseForm(c)
	default:
		return Spec{}, schemas.Invalid("response_type", "must be one of: text, single_select, multi_select, rating, number, boolean, editable_text, form")
	}
	if err := c.problems.Err(); err != nil {
		return Spec{}, err
	}
	return Spec{responseType, k, fixed}, nil
}

// Type is the response type.
func (s Spec) Type() string { return s.name }

// AllowsEdits tells whether whoever approves an action may change its arguments: yes,
// unless the configuration says "allow_edits": false.
func (s Spec) AllowsEdits() bool { return !s.fixed }

// Check reads an answer, as an object or as one value. Members that follow from others
// (labels, formatted_value, was_edited) are worked out here and never taken from it.
func (s Spec) Check(field string, raw json.RawMessage) (Answer, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return Answer{}, schemas.Invalid(field, "is required")
	}
	if !jsontext.Value(raw).IsValid() {
		return Answer{}, schemas.Invalid(field, "must be JSON with each name given once")
	}
	return s.kind.check(field, raw)
}

// Default checks default_response. A bare string for multi_select means that one option.
func (s Spec) Default(raw json.RawMessage) (Answer, error) {
	const field = "default_response"
	raw = bytes.TrimSpace(raw)
	if s.name == "multi_select" && len(raw) > 0 && raw[0] == '"' {
		raw = append(append([]byte{'['}, raw...), ']')
	}
	a, err := s.Check(field, raw)
	if err != nil {
		return Answer{}, err
	}
	if o, ok := s.kind.(interface{ other(a Answer) bool }); ok && o.other(a) {
		return Answer{}, schemas.Invalid(field, "must be among the options")
	}
	return a, nil
}

// Decides tells whether every possible answer approves, rejects or asks for changes.
func (s Spec) Decides() bool {
	f, ok := s.kind.(finite)
	if !ok {
		return false
	}
	answers := f.all()
	for _, a := range answers {
		if a.Decision == schemas.Answered {
			return false
		}
	}
	return len(answers) > 0
}

// Rejection is the first possible answer that rejects.
func (s Spec) Rejection() (Answer, bool) { return s.meaning(schemas.Rejected) }

// Approval is the first possible answer that approves.
func (s Spec) Approval() (Answer, bool) { return s.meaning(schemas.Approved) }

func (s Spec) meaning(decision string) (Answer, bool) {
	f, ok := s.kind.(finite)
	if !ok {
		return Answer{}, false
	}
	for _, a := range f.all() {
		if a.Decision == decision {
			return a, true
		}
	}
	return Answer{}, false
}

// Countable tells whether the answers of several people can be held against each other.
func (s Spec) Countable() bool {
	switch s.name {
	case "boolean", "rating", "number":
		return true
	case "single_select":
		return len(s.kind.(finite).all()) > 0
	}
	return false
}

// Fields are what a page asks, in order.
func (s Spec) Fields() []Field { return s.kind.fields() }

// FromForm turns a page's fields into an answer for Check.
func (s Spec) FromForm(form map[string][]string) (json.RawMessage, error) {
	return s.kind.fromForm(form)
}

// Simulated is an answer for test mode: one that approves where there is one, or with
// steer "reject" or "changes" the one that does that.
func (s Spec) Simulated(steer string) json.RawMessage {
	if a, ok := s.meaning(steered(steer)); ok {
		return a.Data
	}
	return s.kind.simulated(steer)
}

// steered is the decision that steer asks for.
func steered(steer string) string {
	switch steer {
	case "reject":
		return schemas.Rejected
	case "changes":
		return schemas.NeedsChanges
	}
	return schemas.Approved
}
