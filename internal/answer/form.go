package answer

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"humanops-mcp/internal/check"
	"humanops-mcp/schemas"
)

const (
	maxProperties = 50
	maxChoices    = 100 // of an enum
	maxItems      = 100
	maxPattern    = 200 // characters
)

// form is several answers at once: an object that a JSON Schema describes.
type form struct{ properties []property }

// property is one of them.
type property struct {
	name, title, help string
	required          bool
	preset            json.RawMessage // default, checked; nil for none
	entry             entry
}

// entry is what a property may hold.
type entry interface {
	read(field string, raw json.RawMessage) (json.RawMessage, error)
	show(f Field) Field
	fromForm(field string, values []string) (json.RawMessage, error) // nil when nothing was entered
	sample() json.RawMessage
}

var propertyName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
})

func parseForm(c *config) kind {
	c.only("a form", "type", "properties", "required", "title", "description", "additionalProperties", "$schema")
	if kind := c.text("type", maxValue); kind != "object" {
		c.add("type", `must be "object"`)
	}
	c.text("title", maxLabel)
	c.text("description", maxHelp)
	c.text("$schema", maxLabel)
	if c.flag("additionalProperties", false) {
		c.add("additionalProperties", "must be false or left out: a form has only the fields it names")
	}
	members, ok := membersOf(c.find("properties"))
	if !ok || len(members) == 0 || len(members) > maxProperties {
		c.add("properties", fmt.Sprintf("must be an object with between 1 and %d properties", maxProperties))
		return form{}
	}
	f := form{}
	for _, m := range members {
		f.properties = append(f.properties, parseProperty(c, m))
	}
	f.require(c)
	return f
}

// only refuses members that are not in the subset: one that says more than we check would
// be a promise broken.
func (c *config) only(what string, known ...string) {
	for _, m := range c.ordered {
		if !slices.Contains(known, m.name) {
			c.add("", fmt.Sprintf("uses %s, which %s does not support; it supports %s", got(quote(m.name)), what, strings.Join(known, ", ")))
		}
	}
}

// require marks the properties that must be answered.
func (f form) require(c *config) {
	raw := c.find("required")
	if raw == nil {
		return
	}
	names, ok := itemsOf(raw)
	if !ok {
		c.add("required", "must be an array of property names; got "+got(raw))
	}
	for i, raw := range names {
		name, _ := textOf(raw)
		at := slices.IndexFunc(f.properties, func(p property) bool { return p.name == name })
		if at < 0 {
			c.add(fmt.Sprintf("required[%d]", i), "must be the name of a property; got "+got(raw))
			continue
		}
		f.properties[at].required = true
	}
}

func parseProperty(c *config, m member) property {
	p := property{name: m.name}
	if !propertyName().MatchString(m.name) {
		c.add("properties", "must have names of 1 to 64 letters, digits, _, . and -; got "+got(quote(m.name)))
		return p
	}
	members, ok := membersOf(m.raw)
	if !ok {
		c.add("properties."+m.name, "must be an object; got "+got(m.raw))
		return p
	}
	in := &config{path: c.path + ".properties." + m.name, ordered: members}
	p.title, p.help = in.text("title", maxLabel), in.text("description", maxHelp)
	if p.title == "" {
		p.title = m.name
	}
	p.entry = parseEntry(in)
	p.parsePreset(in)
	c.problems.Join(in.problems)
	return p
}

func (p *property) parsePreset(in *config) {
	raw := in.find("default")
	if raw == nil || len(in.problems) > 0 {
		return
	}
	value, err := p.entry.read("default", raw)
	if err != nil {
		in.add("default", fieldsOf(err)[0].Message)
		return
	}
	p.preset = value
}

func parseEntry(in *config) entry {
	switch kind := in.text("type", maxValue); {
	case kind == "array":
		return parseSeveral(in)
	case in.find("enum") != nil && (kind == "" || kind == "string" || kind == "number" || kind == "integer"):
		in.only("an enum", "type", "enum", "title", "description", "default")
		return parseEnum(in, kind)
	case kind == "string" || kind == "date" || kind == "file":
		return parseWords(in, kind)
	case kind == "number" || kind == "integer":
		return parseQuantity(in, kind == "integer")
	case kind == "boolean":
		in.only("a boolean", "type", "title", "description", "default")
		return truth{}
	default:
		in.add("type", "must be one of: string, number, integer, boolean, array, date, file; or left out beside enum")
		return truth{}
	}
}

func (f form) check(field string, raw json.RawMessage) (Answer, error) {
	members, ok := membersOf(raw)
	if !ok {
		return Answer{}, schemas.Invalid(field, "must be an object with the form's fields; got "+got(raw))
	}
	given := map[string]json.RawMessage{}
	var wrong check.Problems
	for _, m := range members {
		if !slices.ContainsFunc(f.properties, func(p property) bool { return p.name == m.name }) {
			wrong.Add(field, "must hold only the form's fields; %s is none", got(quote(m.name)))
		} else if string(m.raw) != "null" {
			given[m.name] = m.raw
		}
	}
	var pairs []any
	for _, p := range f.properties {
		value, err := p.read(field, given[p.name])
		if err != nil {
			wrong.Join(fieldsOf(err))
		} else if value != nil {
			pairs = append(pairs, p.name, value)
		}
	}
	if err := wrong.Err(); err != nil {
		return Answer{}, err
	}
	value := object(pairs...)
	return Answer{Data: value, Value: value, Decision: schemas.Answered}, nil
}

// fieldsOf are the problems of an error that was made here.
func fieldsOf(err error) []schemas.FieldError {
	var known *schemas.Error
	if errors.As(err, &known) && len(known.Fields) > 0 {
		return known.Fields
	}
	return []schemas.FieldError{{Message: err.Error()}}
}

// read checks one property; nil is one that was left out and may be.
func (p property) read(field string, raw json.RawMessage) (json.RawMessage, error) {
	field += "." + p.name
	if raw == nil && p.required {
		return nil, schemas.Invalid(field, "is required")
	}
	if raw == nil {
		return nil, nil
	}
	return p.entry.read(field, raw)
}

func (f form) fields() []Field {
	out := make([]Field, len(f.properties))
	for i, p := range f.properties {
		out[i] = p.entry.show(Field{Name: fieldName + "." + p.name, Label: p.title, Help: p.help, Required: p.required})
		out[i].prefill(p.preset)
		if out[i].Kind == "text" && strings.Contains(out[i].Value, "\n") {
			out[i].Kind = "textarea" // one line would lose the others
		}
	}
	return out
}

// prefill shows a property's default.
func (f *Field) prefill(preset json.RawMessage) {
	if items, ok := itemsOf(preset); ok {
		for _, item := range items {
			f.Values = append(f.Values, plain(item))
		}
	} else if preset != nil {
		f.Value = plain(preset)
	}
}

// plain is a JSON value as a page holds it.
func plain(raw json.RawMessage) string {
	if text, ok := textOf(raw); ok {
		return text
	}
	return string(raw)
}

func (f form) fromForm(in map[string][]string) (json.RawMessage, error) {
	var pairs []any
	var wrong check.Problems
	for _, p := range f.properties {
		name := fieldName + "." + p.name
		value, err := p.entry.fromForm(name, in[name])
		switch {
		case err != nil:
			wrong.Join(fieldsOf(err))
		case value != nil:
			pairs = append(pairs, p.name, value)
		case p.required:
			wrong.Add(name, "is required")
		}
	}
	if err := wrong.Err(); err != nil {
		return nil, err
	}
	return object(pairs...), nil
}

func (f form) simulated(string) json.RawMessage {
	var pairs []any
	for _, p := range f.properties {
		if p.preset != nil {
			pairs = append(pairs, p.name, p.preset)
		} else if p.required {
			pairs = append(pairs, p.name, p.entry.sample())
		}
	}
	return object(pairs...)
}
