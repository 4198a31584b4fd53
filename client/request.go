package client

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// parts is an argument taken apart: what travels in the path, in the query, in the body.
type parts struct {
	path  map[string]string
	query url.Values
	body  map[string]json.RawMessage
}

// takeApart sorts the fields of in by their tags.
func takeApart(in any) (parts, error) {
	p := parts{path: map[string]string{}, query: url.Values{}, body: map[string]json.RawMessage{}}
	raw, err := json.Marshal(in)
	if err != nil {
		return p, fmt.Errorf("encode the request: %w", err)
	}
	if err := json.Unmarshal(raw, &p.body); err != nil {
		return p, fmt.Errorf("encode the request: %w", err)
	}
	p.sort(reflect.ValueOf(in))
	return p, nil
}

func (p parts) sort(v reflect.Value) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.Anonymous && field.Type.Kind() == reflect.Struct {
			p.sort(v.Field(i))
			continue
		}
		if name := field.Tag.Get("path"); name != "" {
			p.path[name] = text(v.Field(i))
			delete(p.body, jsonName(field))
		}
		if name := field.Tag.Get("query"); name != "" {
			if !v.Field(i).IsZero() {
				p.query.Set(name, text(v.Field(i)))
			}
			delete(p.body, jsonName(field))
		}
	}
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// text writes a path or query value; schemas has strings, integers, booleans and times
// there.
func text(v reflect.Value) string {
	if at, ok := v.Interface().(time.Time); ok {
		return at.Format(time.RFC3339Nano)
	}
	switch v.Kind() {
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	default:
		return v.String()
	}
}

// address fills the path's {names} and adds the query.
func (p parts) address(base, pattern string) (string, error) {
	for name, value := range p.path {
		if value == "" || value == "." || value == ".." {
			return "", missing(name)
		}
		pattern = strings.ReplaceAll(pattern, "{"+name+"}", url.PathEscape(value))
	}
	if len(p.query) > 0 {
		pattern += "?" + p.query.Encode()
	}
	return base + pattern, nil
}

// form is the body as form fields.
func (p parts) form() map[string]string {
	fields := make(map[string]string, len(p.body))
	for name, raw := range p.body {
		var s string
		if json.Unmarshal(raw, &s) != nil {
			s = string(raw)
		}
		fields[name] = s
	}
	return fields
}
