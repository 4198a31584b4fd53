// Package codec turns JSON into typed values and back, by the tags of package schemas.
//
// One set of tags yields three things: the JSON Schema a model reads (Schema), the
// OpenAPI document (OpenAPI) and the checks on what arrives (Decode). The
// schema comes from huma's engine; the checks walk that schema here, because every
// problem has to be told at once, as a sentence, and without echoing what was sent.
package codec

import (
	"bytes"
	"encoding/json"
	"reflect"

	jsonv2 "github.com/go-json-experiment/json"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"humanops-mcp/schemas"
)

// Options steer Decode.
type Options struct {
	// Strict makes members nobody knows an error; otherwise they are ignored with a warning.
	Strict bool
	// Params are values that came outside the body (path, query, form), by JSON name.
	// When set, path and query fields are taken from here only.
	Params map[string]string
}

// Decode reads raw into v, a pointer to a struct, and checks every rule of its tags. All
// problems come back at once as the Fields of a *schemas.Error. Empty input counts as
// an object without members.
func Decode(raw []byte, v any, o Options) (warnings []string, err error) {
	plan := planFor(reflect.TypeOf(v).Elem())
	var rep report
	root, err := parse(raw, &rep)
	if err != nil {
		return nil, err
	}
	if o.Params != nil {
		plan.overlay(&root, o.Params, &rep)
	}
	c := checker{report: &rep, strict: o.Strict}
	root = c.value("", plan.schema, root)
	if err := rep.err(len(bytes.TrimSpace(raw)) == 0 && len(plan.body) > 0); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(root.append(nil), v); err != nil {
		// The checks are stricter than encoding/json, so this is a type of Go that they
		// do not know. Its message may quote the input: it is not passed on.
		return nil, schemas.NewError(schemas.CodeInvalid, "The JSON does not have the documented shape.")
	}
	return rep.warnings, nil
}

var encoding = jsonv2.JoinOptions(jsonv1.DefaultOptionsV1(), jsonv2.FormatNilSliceAsNull(false), jsonv2.FormatNilMapAsNull(false))

// Encode writes v as encoding/json does, except that empty lists are [] and never null,
// as the published schemas promise.
func Encode(v any) ([]byte, error) { return jsonv2.Marshal(v, encoding) }
