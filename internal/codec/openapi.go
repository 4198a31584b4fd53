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
	components := object{"Error": errorSchema(), "ReviewError": reviewErrorSchema()}
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

func operation(info schemas.Info, answers huma.Registry) object {
	op := object{
		"operationId": operationID(info),
		"summary":     info.Summary,
		"tags":        []string{string(info.Contract)},
		"security":    security(info.Access),
		"responses": object{
			strconv.Itoa(info.Status): object{"description": "Success", "content": answer(info, answers)},
			"default":                 object{"description": "An error", "content": jsonContent(object{"$ref": componentPrefix + errorName(info)})},
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
	id := strings.ToLower(info.Method) + "_" + strings.Join(words, "_")
	if info.Contract == schemas.Reviews {
		return "reviews_" + id // the marketplace has some of the same paths
	}
	return id
}

func errorName(info schemas.Info) string {
	if info.Contract == schemas.Reviews {
		return "ReviewError"
	}
	return "Error"
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
	if info.Contract == schemas.Reviews {
		s.Properties = map[string]*huma.Schema{"file": one}
		s.Required = []string{"file"}
		return
	}
	s.Properties["files"] = &huma.Schema{Type: huma.TypeArray, Items: one, Description: "The files, each a part called files"}
}

func answer(info schemas.Info, answers huma.Registry) object {
	switch {
	case info.Kind == schemas.Binary:
		return object{"application/octet-stream": object{"schema": object{"type": "string", "format": "binary"}}}
	case info.Kind == schemas.Events:
		return object{"text/event-stream": object{"schema": object{
			"type": "string", "description": "One event (completed, timeout or cancelled) with the request as data, then the end; comments keep the connection alive",
		}}}
	case info.Contract == schemas.Reviews:
		return jsonContent(object{
			"type": "object", "required": []string{"error", "msg"}, "additionalProperties": true,
			"properties": object{
				"error":    object{"type": "boolean", "const": false},
				"msg":      object{"type": "string"},
				"data":     answers.Schema(info.Out, true, ""),
				"warnings": object{"type": "array", "items": object{"type": "string"}},
			},
		})
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

func reviewErrorSchema() object {
	s := errorSchema()
	s["required"] = []string{"error", "msg", "code"}
	properties := s["properties"].(object)
	properties["error"] = object{"type": "boolean", "const": true}
	properties["msg"] = object{"type": "string", "description": "The contract's words where it has some"}
	properties["data"] = object{"type": []string{"string", "object"}, "description": "What is wrong, or how much of the allowance is used"}
	return s
}

// open allows members that the schema does not name: answers may gain some.
func open(s *huma.Schema) *huma.Schema {
	out := *s
	if out.AdditionalProperties == false {
		out.AdditionalProperties = nil
	}
	return &out
}
