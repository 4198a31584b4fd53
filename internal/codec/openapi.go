package codec

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"humanops-mcp/schemas"
)

type object = map[string]any

const componentPrefix = "#/components/schemas/"

// OpenAPI describes the endpoints as an OpenAPI 3.1 document. The same endpoints give
// the same bytes.
func OpenAPI(endpoints []schemas.Info) json.RawMessage {
	answers := newRegistry(componentPrefix, huma.DefaultSchemaNamer)
	paths := map[string]object{}
	for _, info := range endpoints {
		path := info.Contract.Prefix() + info.Path
		if paths[path] == nil {
			paths[path] = object{}
		}
		paths[path][strings.ToLower(info.Method)] = operation(info, answers)
	}
	components := object{"Error": errorSchema()}
	for name, s := range answers.Map() {
		components[name] = open(s)
	}
	document := object{
		"openapi": "3.1.0",
		"info": object{
			"title":       "humanops-mcp",
			"version":     "1",
			"description": "Amounts are exact decimal USD. Unknown request fields are ignored, and named in the answer's member warnings. Answers may gain members.",
		},
		"paths": paths,
		"components": object{
			"schemas": components,
			"securitySchemes": object{
				"ApiKey": object{"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An agent's key; also accepted as a bearer token"},
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

func operation(info schemas.Info, answers huma.Registry) object {
	op := object{
		"operationId": operationID(info),
		"summary":     info.Summary,
		"tags":        []string{string(info.Contract)},
		"security":    security(info.Access),
		"responses": object{
			strconv.Itoa(info.Status): object{"description": "Success", "content": answer(info, answers)},
			"default":                 object{"description": "An error", "content": jsonContent(object{"$ref": componentPrefix + "Error"})},
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
	if access&schemas.Agent != 0 {
		needs = append(needs, object{"ApiKey": []string{}})
	}
	if access&(schemas.Operator|schemas.Owner) != 0 {
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
	if len(BodyNames(info.In)) == 0 || info.Method == http.MethodGet {
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
		s.Properties["files"] = &huma.Schema{
			Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeString, Format: "binary"},
			Description: "The files, each a part called files",
		}
		return object{"required": true, "content": object{"multipart/form-data": object{"schema": &s}}}
	}
	return object{"required": len(s.Required) > 0, "content": jsonContent(&s)}
}

func answer(info schemas.Info, answers huma.Registry) object {
	if info.Kind == schemas.Binary {
		return object{"application/octet-stream": object{"schema": object{"type": "string", "format": "binary"}}}
	}
	return jsonContent(answers.Schema(info.Out, true, ""))
}

func jsonContent(schema any) object { return object{"application/json": object{"schema": schema}} }

func errorSchema() object {
	return object{
		"type":     "object",
		"required": []string{"error", "code"},
		"properties": object{
			"error":               object{"type": "string", "description": "What happened and what to do next"},
			"code":                object{"type": "string"},
			"fields":              object{"type": "array", "items": inlineSchema(reflect.TypeFor[schemas.FieldError]())},
			"state":               object{"type": "string", "description": "The state that the object is in"},
			"retry_after_seconds": object{"type": "integer"},
			"request_id":          object{"type": "string"},
			"sandbox":             object{"type": "boolean", "description": "True in test mode"},
			"sandbox_notice":      object{"type": "string"},
		},
	}
}

// open allows members that the schema does not name: answers may gain some.
func open(s *huma.Schema) *huma.Schema {
	out := *s
	if out.AdditionalProperties == false {
		out.AdditionalProperties = nil
	}
	return &out
}
