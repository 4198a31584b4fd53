package answer

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"humanops-mcp/schemas"
)

// choices are the options of a select.
type choices struct {
	options    []Option
	allowOther bool
	help       string
}

func parseChoices(c *config) choices {
	ch := choices{allowOther: c.flag("allow_other", false), help: c.either(maxHelp, "prompt", "guidelines")}
	c.flag("randomize_order", false)
	items, ok := itemsOf(c.find("options"))
	if !ok || len(items) == 0 {
		c.add("", OptionsRequired)
		return ch
	}
	if len(items) > maxOptions {
		c.add("options", fmt.Sprintf("must have between 1 and %d items; got %d", maxOptions, len(items)))
		return ch
	}
	for i, raw := range items {
		o := parseOption(c, fmt.Sprintf("options[%d]", i), raw)
		if ch.find(o.Value) != nil && o.Value != "" {
			c.add(fmt.Sprintf("options[%d]", i), "has the same value as another option; values must differ")
		}
		ch.options = append(ch.options, o)
	}
	return ch
}

// parseOption reads an option: a string is its value and its label, letter for letter.
func parseOption(c *config, name string, raw json.RawMessage) Option {
	if text, ok := textOf(raw); ok {
		c.checkValue(name, text)
		return Option{Value: text, Label: text}
	}
	members, ok := membersOf(raw)
	if !ok {
		c.add(name, "must be a string or an object with value and label; got "+got(raw))
		return Option{}
	}
	in := &config{path: c.path + "." + name, ordered: members}
	o := Option{Description: in.text("description", maxHelp), Color: in.color("color", "")}
	if value, ok := textOf(in.find("value")); ok {
		in.checkValue("value", value)
		o.Value = value
	} else {
		in.add("value", "is required and must be a string")
	}
	if o.Label = in.text("label", maxLabel); o.Label == "" {
		o.Label = o.Value
	}
	c.problems.Join(in.problems)
	return o
}

func (c *config) checkValue(name, value string) {
	if n := utf8.RuneCountInString(value); n < 1 || n > maxValue {
		c.add(name, fmt.Sprintf("must have between 1 and %d characters; got %d", maxValue, n))
	}
}

func (ch choices) find(value string) *Option {
	for i := range ch.options {
		if ch.options[i].Value == value {
			return &ch.options[i]
		}
	}
	return nil
}

// pick reads one chosen value.
func (ch choices) pick(field string, raw json.RawMessage) (Option, error) {
	value, ok := textOf(raw)
	if !ok {
		return Option{}, schemas.Invalid(field, "must be a string, the value of an option; got "+got(raw))
	}
	if o := ch.find(value); o != nil {
		return *o, nil
	}
	if other := strings.TrimSpace(value); ch.allowOther && other != "" && utf8.RuneCountInString(other) <= maxValue {
		if o := ch.find(other); o != nil {
			return *o, nil
		}
		return Option{Value: other, Label: other}, nil
	}
	return Option{}, schemas.Invalid(field, "must be one of: "+ch.known()+"; got "+got(raw))
}

func (ch choices) known() string {
	values := make([]string, len(ch.options))
	for i, o := range ch.options {
		values[i] = o.Value
	}
	return strings.Join(values, ", ")
}

func (ch choices) fields(kind string, required bool) []Field {
	f := Field{Name: fieldName, Label: "Your answer", Kind: kind, Options: slices.Clone(ch.options), Required: required && !ch.allowOther, Help: ch.help}
	if !ch.allowOther {
		return []Field{f}
	}
	return []Field{f, {Name: otherName, Label: "Something else", Kind: "text", MaxLength: maxValue}}
}

// single is single_select.
type single struct{ choices }

func parseSingle(c *config) kind {
	c.flag("required", true)
	return single{parseChoices(c)}
}

func (s single) check(field string, raw json.RawMessage) (Answer, error) {
	if members, ok := membersOf(raw); ok {
		value, err := main(field, members, "selected_value", "selected_label")
		if err != nil {
			return Answer{}, err
		}
		field, raw = field+".selected_value", value
	}
	o, err := s.pick(field, raw)
	if err != nil {
		return Answer{}, err
	}
	return s.answer(o), nil
}

func (s single) answer(o Option) Answer {
	a := Answer{
		Data:     object("selected_value", quote(o.Value), "selected_label", quote(o.Label)),
		Value:    quote(o.Value),
		Decision: schemas.Answered, // what is typed freely decides nothing
	}
	if s.find(o.Value) != nil {
		a.Decision = schemas.Meaning(o.Value)
	}
	return a
}

// other tells whether the answer is none of the options.
func (s single) other(a Answer) bool {
	value, _ := textOf(a.Value)
	return s.find(value) == nil
}

// all is empty where anything may be typed.
func (s single) all() []Answer {
	if s.allowOther {
		return nil
	}
	out := make([]Answer, len(s.options))
	for i, o := range s.options {
		out[i] = s.answer(o)
	}
	return out
}

func (s single) fields() []Field { return s.choices.fields("radio", true) }

func (s single) fromForm(form map[string][]string) (json.RawMessage, error) {
	chosen := form[fieldName]
	other := entered(form, otherName)
	switch {
	case len(chosen) > 1 || len(chosen) == 1 && chosen[0] != "" && s.allowOther && other != "":
		return nil, schemas.Invalid(fieldName, "must be exactly one choice")
	case len(chosen) == 1 && chosen[0] != "":
		return quote(chosen[0]), nil
	case s.allowOther && other != "":
		return quote(other), nil
	}
	return nil, schemas.Invalid(fieldName, "is required: choose one")
}

func (s single) simulated(steer string) json.RawMessage {
	// Where other answers may be typed, Rejection and Approval know none: look at the options.
	for _, o := range s.options {
		if schemas.Meaning(o.Value) == steered(steer) {
			return s.answer(o).Data
		}
	}
	return s.answer(s.options[0]).Data
}

// multi is multi_select.
type multi struct {
	choices
	low, high int
}

func parseMulti(c *config) kind {
	m := multi{choices: parseChoices(c)}
	if len(m.options) == 0 {
		return m
	}
	most := len(m.options)
	if m.allowOther {
		most++
	}
	m.low = c.whole("min_selections", 0, most, 0)
	m.high = c.whole("max_selections", 1, maxOptions, most)
	if c.flag("required", false) {
		m.low = max(m.low, 1)
	}
	if m.low > m.high {
		c.add("min_selections", "must not be above max_selections")
	}
	return m
}

func (m multi) check(field string, raw json.RawMessage) (Answer, error) {
	if members, ok := membersOf(raw); ok {
		value, err := main(field, members, "selected_values", "selected_labels")
		if err != nil {
			return Answer{}, err
		}
		field, raw = field+".selected_values", value
	}
	items, ok := itemsOf(raw)
	if !ok {
		return Answer{}, schemas.Invalid(field, "must be an array of option values; got "+got(raw))
	}
	if len(items) < m.low || len(items) > m.high {
		return Answer{}, schemas.Invalid(field, fmt.Sprintf("must have between %d and %d selections; got %d", m.low, m.high, len(items)))
	}
	chosen, err := m.pickAll(field, items)
	if err != nil {
		return Answer{}, err
	}
	return m.answer(chosen), nil
}

// pickAll reads the chosen options and puts them in the order of the options.
func (m multi) pickAll(field string, items []json.RawMessage) ([]Option, error) {
	var chosen []Option
	for i, item := range items {
		name := fmt.Sprintf("%s[%d]", field, i)
		o, err := m.pick(name, item)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(chosen, func(c Option) bool { return c.Value == o.Value }) {
			return nil, schemas.Invalid(name, "is selected twice; select each option once")
		}
		chosen = append(chosen, o)
	}
	slices.SortStableFunc(chosen, func(a, b Option) int { return m.place(a.Value) - m.place(b.Value) })
	return chosen, nil
}

func (m multi) place(value string) int {
	if i := slices.IndexFunc(m.options, func(o Option) bool { return o.Value == value }); i >= 0 {
		return i
	}
	return len(m.options)
}

func (m multi) answer(chosen []Option) Answer {
	values, labels := make([]json.RawMessage, len(chosen)), make([]json.RawMessage, len(chosen))
	for i, o := range chosen {
		values[i], labels[i] = quote(o.Value), quote(o.Label)
	}
	return Answer{
		Data:     object("selected_values", array(values), "selected_labels", array(labels)),
		Value:    array(values),
		Decision: schemas.Answered,
	}
}

// other tells whether the answer holds something that is none of the options.
func (m multi) other(a Answer) bool {
	items, _ := itemsOf(a.Value)
	return slices.ContainsFunc(items, func(raw json.RawMessage) bool {
		value, _ := textOf(raw)
		return m.find(value) == nil
	})
}

func (m multi) fields() []Field {
	fields := m.choices.fields("checkbox", m.low > 0)
	fields[0].Help = strings.TrimSpace(fields[0].Help + " " + choose(m.low, m.high, len(m.options)))
	return fields
}

// choose says how many of the options to tick, where not any number will do.
func choose(low, high, all int) string {
	switch {
	case low == high:
		return fmt.Sprintf("Choose %d.", low)
	case low > 0 && high < all:
		return fmt.Sprintf("Choose %d to %d.", low, high)
	case low > 0:
		return fmt.Sprintf("Choose at least %d.", low)
	case high < all:
		return fmt.Sprintf("Choose at most %d.", high)
	}
	return ""
}

func (m multi) fromForm(form map[string][]string) (json.RawMessage, error) {
	values := []json.RawMessage{}
	for _, value := range form[fieldName] {
		if value != "" {
			values = append(values, quote(value))
		}
	}
	if other := entered(form, otherName); m.allowOther && other != "" {
		values = append(values, quote(other))
	}
	if len(values) < m.low || len(values) > m.high {
		return nil, schemas.Invalid(fieldName, fmt.Sprintf("must have between %d and %d selections; got %d", m.low, m.high, len(values)))
	}
	return array(values), nil
}

func (m multi) simulated(string) json.RawMessage {
	return m.answer(m.options[:min(max(m.low, 1), m.high, len(m.options))]).Data
}

// main takes an answer's object form apart: the member that answers, and members that only
// follow from it, which are worked out anew.
func main(field string, members []member, name string, derived ...string) (json.RawMessage, error) {
	var value json.RawMessage
	for _, m := range members {
		switch {
		case m.name == name:
			value = m.raw
		case !slices.Contains(derived, m.name):
			return nil, schemas.Invalid(field, "must be "+name+", alone or in an object; "+got(quote(m.name))+" is not known there")
		}
	}
	if value == nil {
		return nil, schemas.Invalid(field+"."+name, "is required")
	}
	return value, nil
}
