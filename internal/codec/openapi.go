package codec

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"humanops-mcp/schemas"
)

type object = map[string]any

const componentPrefix = "#/components/schemas/"

// Shape is how a contract's answers look in the document.
type Shape struct {
	Operations string             `zero:"nothing stands before them"` // before the ids of operations
	Errors     string             // the name of the error body's schema
	Error      map[string]any     // that schema
	Answer     func(data any) any // the schema of an answer whose data has the given one
}

// OpenAPI describes the endpoints as an OpenAPI 3.1 document; shapeOf says how the answers
// of their contracts look. The same endpoints give the same bytes.
func OpenAPI(endpoints []schemas.Info, shapeOf func(schemas.Contract) Shape) json.RawMessage {
	answers := newRegistry(componentPrefix, huma.DefaultSchemaNamer)
	paths, components := map[string]object{}, object{}
	for _, info := range endpoints {
		path, shape := info.Contract.Prefix()+info.Path, shapeOf(info.Contract)
		if paths[path] == nil {
			paths[path] = object{}
		}
		paths[path][strings.ToLower(info.Method)] = operation(info, shape, answers)
		components[shape.Errors] = shape.Error
	}
	for name, s := range answers.Map() {
		components[name] = open(s)
	}
	document := object{
		"openapi": "3.1.0",
		"info": object{
			"title":       "humanops-mcp",
			"version":     "1",
			"description": "Amounts are exact decimal USD. Unknown request fields are ignored, and named in the answer's member warnings. Answers may gain members. The paths under /v1/api are served under /v1 too, with the same answers.",
		},
		"paths": paths,
		"components": object{
			"schemas": components,
			"securitySchemes": object{
				"ApiKey": object{"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An agent's or an executor's key; also accepted as a bearer token"},
				"Bearer": object{"type": "http", "scheme": "bearer", "description": "A person's session token"},
			},
		},
	}
	raw, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		panic("codec: OpenAPI: " + err.Error())
	}
	return append(raw, '\n')
}

func operation(info schemas.Info, shape Shape, answers huma.Registry) object {
	op := object{
		"operationId": shape.Operations + operationID(info),
		"summary":     info.Summary,
		"tags":        []string{info.Contract.Name()},
		"security":    security(info.Access),
		"responses": object{
			strconv.Itoa(info.Status): object{"description": "Success", "content": answer(info, shape, answers)},
			"default":                 object{"description": "An error", "content": jsonContent(object{"$ref": componentPrefix + shape.Errors})},
		},
	}
	if parameters := parameters(info); len(parameters) > 0 {
		op["parameters"] = parameters
	}
	if body := requestBody(info); body != nil {
		op["requestBody"] = body
	}
	return op
}

func operationID(info schemas.Info) string {
	words := strings.FieldsFunc(info.Path, func(r rune) bool { return strings.ContainsRune("/{}", r) })
	return strings.ToLower(info.Method) + "_" + strings.Join(words, "_")
}

func security(access schemas.Access) []object {
	needs := []object{}
	if access&(schemas.Agent|schemas.Executor) != 0 {
		needs = append(needs, object{"ApiKey": []string{}})
	}
	if access&(schemas.Operator|schemas.Owner|schemas.Reviewer) != 0 {
		needs = append(needs, object{"Bearer": []string{}})
	}
	if access&schemas.Link != 0 {
		needs = append(needs, object{}) // a signed link carries its proof in the query
	}
	return needs
}

func parameters(info schemas.Info) []object {
	var list []object
	s := planFor(info.In).schema
	for _, p := range Params(info.In) {
		property := *s.Properties[p.JSON]
		description := property.Description
		property.Description = ""
		parameter := object{"name": p.Name, "in": p.In, "schema": &property}
		if description != "" {
			parameter["description"] = description
		}
		if p.In == "path" || slices.Contains(s.Required, p.JSON) {
			parameter["required"] = true
		}
		list = append(list, parameter)
	}
	if info.Method == http.MethodPost {
		list = append(list, object{
			"name": "Idempotency-Key", "in": "header", "schema": object{"type": "string", "maxLength": 255},
			"description": "A repeated call with the same key and body within 24 hours gets the first call's answer",
		})
	}
	return list
}

func requestBody(info schemas.Info) object {
	if info.Method == http.MethodGet || len(BodyNames(info.In)) == 0 && info.Kind != schemas.Multipart {
		return nil
	}
	s := *planFor(info.In).schema
	s.Properties = maps.Clone(s.Properties)
	s.Required = slices.Clone(s.Required)
	for _, p := range Params(info.In) {
		delete(s.Properties, p.JSON)
		s.Required = slices.DeleteFunc(s.Required, func(name string) bool { return name == p.JSON })
	}
	s.AdditionalProperties = nil
	if info.Kind == schemas.Multipart {
		addFiles(&s, info)
		return object{"required": true, "content": object{"multipart/form-data": object{"schema": &s}}}
	}
	return object{"required": len(s.Required) > 0, "content": jsonContent(&s)}
}

// addFiles names the parts that hold files: one, or several.
func addFiles(s *huma.Schema, info schemas.Info) {
	one := &huma.Schema{Type: huma.TypeString, Format: "binary"}
	parts := info.Contract.Files()
	if s.Properties == nil {
		s.Properties = map[string]*huma.Schema{}
	}
	if parts.One {
		s.Properties[parts.Name], s.Required = one, append(s.Required, parts.Name)
		return
	}
	s.Properties[parts.Name] = &huma.Schema{Type: huma.TypeArray, Items: one, Description: "The files, each a part called " + parts.Name}
}

func answer(info schemas.Info, shape Shape, answers huma.Registry) object {
	switch info.Kind {
	case schemas.Binary:
		return object{"application/octet-stream": object{"schema": object{"type": "string", "format": "binary"}}}
	case schemas.Events:
		return object{"text/event-stream": object{"schema": object{
			"type": "string", "description": "One event (completed, timeout or cancelled) with the request as data, then the end; comments keep the connection alive",
		}}}
	default:
		return jsonContent(shape.Answer(answers.Schema(info.Out, true, "")))
	}
}

func jsonContent(schema any) object { return object{"application/json": object{"schema": schema}} }

// open allows members that the schema does not name: answers may gain some.
func open(s *huma.Schema) *huma.Schema {
	out := *s
	if out.AdditionalProperties == false {
		out.AdditionalProperties = nil
	}
	return &out
}
