package answer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"humanops-mcp/schemas"
)

// boolean is yes or no.
type boolean struct {
	yes, no Option
	help    string
}

func parseBoolean(c *config) kind {
	b := boolean{
		yes:  Option{Value: "true", Label: c.text("true_label", maxLabel), Color: c.color("true_color", "#16a34a")},
		no:   Option{Value: "false", Label: c.text("false_label", maxLabel), Color: c.color("false_color", "#dc2626")},
		help: c.either(maxHelp, "prompt", "guidelines"),
	}
	c.flag("required", true)
	if b.yes.Label == "" {
		b.yes.Label = "True"
	}
	if b.no.Label == "" {
		b.no.Label = "False"
	}
	return b
}

func (b boolean) check(field string, raw json.RawMessage) (Answer, error) {
	if members, ok := membersOf(raw); ok {
		value, err := main(field, members, "boolean", "boolean_label")
		if err != nil {
			return Answer{}, err
		}
		field, raw = field+".boolean", value
	}
	switch string(raw) {
	case "true":
		return b.answer(true), nil
	case "false":
		return b.answer(false), nil
	}
	return Answer{}, schemas.Invalid(field, "must be true or false; got "+got(raw))
}

func (b boolean) answer(yes bool) Answer {
	o, decision := b.no, schemas.Rejected
	if yes {
		o, decision = b.yes, schemas.Approved
	}
	return Answer{Data: object("boolean", flagOf(yes), "boolean_label", quote(o.Label)), Value: flagOf(yes), Decision: decision}
}

func (b boolean) all() []Answer { return []Answer{b.answer(true), b.answer(false)} }

func (b boolean) fields() []Field {
	return []Field{{Name: fieldName, Label: "Your answer", Kind: "radio", Options: []Option{b.yes, b.no}, Required: true, Help: b.help}}
}

func (b boolean) fromForm(form map[string][]string) (json.RawMessage, error) {
	return yesNo(fieldName, entered(form, fieldName))
}

func yesNo(field, text string) (json.RawMessage, error) {
	if text == "true" || text == "false" {
		return json.RawMessage(text), nil
	}
	return nil, schemas.Invalid(field, "is required: choose one")
}

func (b boolean) simulated(steer string) json.RawMessage {
	return b.answer(steer != "changes").Data // there is no third answer
}

// prose is text: free words, trimmed.
type prose struct {
	low, high         int
	placeholder, help string
}

func parseProse(c *config) prose {
	p := prose{
		low: c.whole("min_length", 0, maxText, 0), high: c.whole("max_length", 1, maxText, maxText),
		placeholder: c.text("placeholder", maxHelp), help: c.either(maxHelp, "guidelines", "prompt"),
	}
	if c.flag("required", false) {
		p.low = max(p.low, 1)
	}
	if p.low > p.high {
		c.add("min_length", "must not be above max_length")
	}
	return p
}

func parseText(c *config) kind { return parseProse(c) }

// measure tells what is wrong with the length of trimmed text.
func (p prose) measure(field, text string) error {
	n := utf8.RuneCountInString(strings.TrimSpace(text))
	switch {
	case n == 0 && p.low > 0:
		return schemas.Invalid(field, "must not be empty")
	case n < p.low || n > p.high:
		return schemas.Invalid(field, fmt.Sprintf("must have between %d and %d characters; got %d", p.low, p.high, n))
	}
	return nil
}

func (p prose) check(field string, raw json.RawMessage) (Answer, error) {
	text, ok := textOf(raw)
	if !ok {
		return Answer{}, schemas.Invalid(field, "must be a string; got "+got(raw))
	}
	if err := p.measure(field, text); err != nil {
		return Answer{}, err
	}
	value := quote(strings.TrimSpace(text))
	return Answer{Data: value, Value: value, Decision: schemas.Answered}, nil
}

func (p prose) fields() []Field {
	return []Field{{Name: fieldName, Label: "Your answer", Kind: "textarea", Required: p.low > 0, MinLength: p.low, MaxLength: p.high,
		Placeholder: p.placeholder, Help: p.help}}
}

func (p prose) fromForm(form map[string][]string) (json.RawMessage, error) {
	text := entered(form, fieldName)
	if err := p.measure(fieldName, text); err != nil {
		return nil, err
	}
	return quote(text), nil
}

func (p prose) simulated(string) json.RawMessage { return quote(p.sample()) }

// sample is a text of a length that is allowed.
func (p prose) sample() string {
	text := "Simulated"
	if missing := p.low - len(text); missing > 0 {
		text += strings.Repeat(".", missing)
	}
	return text[:min(len(text), p.high)]
}

// editable is a draft that the reviewer may change.
type editable struct {
	prose
	draft string
}

func parseEditable(c *config) kind {
	e := editable{prose: parseProse(c)}
	if raw := c.find("draft_text"); raw == nil {
		c.add("draft_text", "is required")
		return e
	}
	e.draft = plainLines(c.text("draft_text", maxText))
	if n := utf8.RuneCountInString(strings.TrimSpace(e.draft)); n > e.high {
		c.add("draft_text", fmt.Sprintf("must have at most %d characters, as max_length says; got %d", e.high, n))
	}
	return e
}

func (e editable) check(field string, raw json.RawMessage) (Answer, error) {
	if members, ok := membersOf(raw); ok {
		value, err := main(field, members, "revised_text", "was_edited")
		if err != nil {
			return Answer{}, err
		}
		field, raw = field+".revised_text", value
	}
	text, ok := textOf(raw)
	if !ok {
		return Answer{}, schemas.Invalid(field, "must be a string; got "+got(raw))
	}
	if err := e.measure(field, text); err != nil {
		return Answer{}, err
	}
	return e.answer(plainLines(text)), nil
}

// answer keeps the text as it is, with its indents; spaces around it are no edit.
func (e editable) answer(text string) Answer {
	edited := strings.TrimSpace(text) != strings.TrimSpace(e.draft)
	if !edited {
		text = e.draft
	}
	return Answer{Data: object("revised_text", quote(text), "was_edited", flagOf(edited)), Value: quote(text), Decision: schemas.Answered}
}

func (e editable) fields() []Field {
	fields := e.prose.fields()
	fields[0].Label, fields[0].Value = "Edit the text, or leave it as it is", e.draft
	return fields
}

func (e editable) fromForm(form map[string][]string) (json.RawMessage, error) {
	values := form[fieldName]
	if len(values) == 0 {
		return nil, schemas.Invalid(fieldName, "is required")
	}
	text := plainLines(values[0])
	if err := e.measure(fieldName, text); err != nil {
		return nil, err
	}
	return quote(text), nil
}

func (e editable) simulated(steer string) json.RawMessage {
	if steer != "reject" && steer != "changes" && e.measure("", e.draft) == nil {
		return e.answer(e.draft).Data
	}
	return e.answer(e.sample()).Data
}
