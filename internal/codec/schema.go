package codec

import (
	"cmp"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"humanops-mcp/schemas"
)

// moneyFormat marks amounts in schemas; OpenAPI's registry of formats has it.
const moneyFormat = "decimal"

func init() {
	// Huma lets every array be null, and null then passes minItems.
	huma.DefaultArrayNullable = false
}

// amount stands for schemas.Money in schemas: huma would describe the int64 inside.
type amount struct{}

// Schema describes an amount of money.
func (amount) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeNumber, Format: moneyFormat}
}

func newRegistry(prefix string, namer func(reflect.Type, string) string) huma.Registry {
	r := huma.NewMapRegistry(prefix, namer)
	r.RegisterTypeAlias(reflect.TypeFor[schemas.Money](), reflect.TypeFor[amount]())
	return r
}

// Param is a field that travels outside the body.
type Param struct {
	Name string // in the path or query
	JSON string // as a member
	In   string // "path" or "query"
}

// plan is what Decode knows of a type.
type plan struct {
	schema *huma.Schema // no references in it
	params []Param
	body   []string // names of the fields that travel in the body
}

var plans sync.Map

func planFor(t reflect.Type) *plan {
	if found, ok := plans.Load(t); ok {
		return found.(*plan)
	}
	p := &plan{schema: inlineSchema(t)}
	p.params, p.body = fieldsOf(t)
	made, _ := plans.LoadOrStore(t, p)
	return made.(*plan)
}

// Params lists the fields of t that travel in the path or the query.
func Params(t reflect.Type) []Param { return planFor(t).params }

// BodyNames lists the members of t that travel in the body.
func BodyNames(t reflect.Type) []string { return planFor(t).body }

// Schema is the JSON Schema of t: one flat object, references resolved. Body, path and
// query fields are all members of it.
func Schema(t reflect.Type) json.RawMessage {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	s := withoutWidths(planFor(t).schema)
	if s.Type == huma.TypeObject && len(s.Properties) == 0 && s.AdditionalProperties == false {
		// Some clients insist on properties, which huma leaves out when there are none.
		return json.RawMessage(`{"type":"object","properties":{},"additionalProperties":false}`)
	}
	raw, err := json.Marshal(s)
	if err != nil {
		panic("codec: schema of " + t.String() + ": " + err.Error())
	}
	return raw
}

func inlineSchema(t reflect.Type) *huma.Schema {
	r := newRegistry("#/$defs/", func(t reflect.Type, hint string) string {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t.Name() == "" {
			return hint
		}
		return t.PkgPath() + "." + t.Name()
	})
	return inline(r, huma.SchemaFromType(r, t), nil)
}

// inline copies s with every reference resolved. A type that contains itself ends in
// an object of any shape.
func inline(r huma.Registry, s *huma.Schema, within []string) *huma.Schema {
	out := *s
	if s.Ref != "" {
		if slices.Contains(within, s.Ref) {
			return &huma.Schema{Type: huma.TypeObject, Description: s.Description, AdditionalProperties: true}
		}
		out = *inline(r, r.SchemaFromRef(s.Ref), append(slices.Clone(within), s.Ref))
		if s.Description != "" {
			out.Description = s.Description
		}
		if len(s.Examples) > 0 {
			out.Examples = s.Examples
		}
		return &out
	}
	if s.Items != nil {
		out.Items = inline(r, s.Items, within)
	}
	if values, ok := s.AdditionalProperties.(*huma.Schema); ok {
		out.AdditionalProperties = inline(r, values, within)
	}
	out.Properties = maps.Clone(s.Properties)
	for name, property := range out.Properties {
		out.Properties[name] = inline(r, property, within)
	}
	return &out
}

// withoutWidths drops formats such as int64, which tell a model nothing.
func withoutWidths(s *huma.Schema) *huma.Schema {
	out := *s
	if s.Type == huma.TypeInteger || s.Type == huma.TypeNumber {
		out.Format = ""
	}
	if s.Items != nil {
		out.Items = withoutWidths(s.Items)
	}
	if values, ok := s.AdditionalProperties.(*huma.Schema); ok {
		out.AdditionalProperties = withoutWidths(values)
	}
	out.Properties = maps.Clone(s.Properties)
	for name, property := range out.Properties {
		out.Properties[name] = withoutWidths(property)
	}
	return &out
}

// fieldsOf sorts t's fields by the way they travel.
func fieldsOf(t reflect.Type) (params []Param, body []string) {
	if t.Kind() != reflect.Struct {
		return nil, nil
	}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && !f.IsExported():
			panic("codec: " + t.String() + " embeds " + f.Name + ", which the schema would leave out: export it")
		case !f.IsExported() || name == "-" || f.Anonymous && name == "":
		case f.Tag.Get("path") != "":
			params = append(params, Param{Name: f.Tag.Get("path"), JSON: name, In: "path"})
		case f.Tag.Get("query") != "":
			params = append(params, Param{Name: f.Tag.Get("query"), JSON: name, In: "query"})
		default:
			body = append(body, cmp.Or(name, f.Name))
		}
	}
	return params, body
}

// overlay puts values that came as text (path, query, form) into the object. What the
// body says of a path or query field does not count.
func (p *plan) overlay(root *node, params map[string]string, rep *report) {
	if root.kind != '{' {
		return
	}
	for _, param := range p.params {
		if i := root.find(param.JSON); i >= 0 {
			root.members = slices.Delete(root.members, i, i+1)
			rep.warn(param.JSON + " in the body was ignored: it belongs in the " + param.In)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		property, ok := p.schema.Properties[name]
		if !ok || params[name] == "" && property.Type != huma.TypeString {
			continue
		}
		if !utf8.ValidString(params[name]) {
			rep.add(name, "must be valid UTF-8")
			continue
		}
		root.members = append(root.members, member{name, fromText(property, params[name])})
	}
}

// fromText reads a parameter by the type it should have; what does not fit stays a
// string, which the checks then describe.
func fromText(s *huma.Schema, text string) node {
	switch s.Type {
	case huma.TypeBoolean:
		switch text {
		case "true", "1":
			return node{kind: 't'}
		case "false", "0":
			return node{kind: 'f'}
		}
	case huma.TypeInteger, huma.TypeNumber, huma.TypeArray, huma.TypeObject:
		var rep report
		if n, err := parse([]byte(text), &rep); err == nil && len(rep.problems) == 0 && n.kind != '"' && n.kind != 'n' {
			return n
		}
	}
	return node{kind: '"', text: text}
}
