package hitl

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"humanops-mcp/internal/api/dialect"
	"humanops-mcp/internal/codec"
)

// refused is the contract's error body; what is in the details is ours.
type refused struct {
	Error bool   `json:"error"`
	Msg   string `json:"msg"`
	Data  any    `json:"data,omitempty"`
	dialect.Details
}

// allowance is the contract's account of a key, which one of its pages has in data and
// another at the top.
type allowance struct {
	UsageCount int       `json:"usage_count"`
	UsageLimit int       `json:"usage_limit"`
	Remaining  int       `json:"remaining"`
	ResetAt    time.Time `json:"reset_at"`
}

func refuse(r dialect.Refusal) any {
	msg, data := Words(r.Err)
	if r.Used == nil {
		return refused{true, msg, data, r.Details()}
	}
	told := allowance{r.Used.Count, r.Used.Limit, r.Used.Remaining(), r.Used.ResetAt.UTC()}
	return struct {
		refused
		allowance
	}{refused{true, msg, told, r.Details()}, told}
}

// sayer gives the contract's message, and flattener what clients of the oldest spelling
// read at the top.
type (
	sayer     interface{ Said() string }
	flattener interface{ Flat() map[string]any }
)

// reserved are the envelope's own members.
var reserved = []string{"error", "msg", "data", "warnings", "sandbox", "sandbox_notice"}

// wrap puts an answer into the contract's envelope.
func wrap(out any, about dialect.About) ([]byte, error) {
	more := dialect.Extras{Warnings: about.Warnings}
	if about.Test {
		more.MarkSandbox()
		dialect.Mark(out)
	}
	msg := "Success"
	if said, ok := out.(sayer); ok {
		msg = said.Said()
	}
	data, err := codec.Encode(out)
	if err != nil {
		return nil, err
	}
	body := append([]byte(`{"error":false,"msg":`+text(msg)+`,"data":`), data...)
	if body, err = flatten(body, out); err != nil {
		return nil, err
	}
	tail, err := codec.Encode(more)
	if err != nil {
		return nil, err
	}
	if len(tail) > len("{}") {
		return append(append(body, ','), tail[1:]...), nil
	}
	return append(body, '}'), nil
}

// flatten adds what clients of the oldest spelling read at the top.
func flatten(body []byte, out any) ([]byte, error) {
	flat, ok := out.(flattener)
	if !ok {
		return body, nil
	}
	members := flat.Flat()
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if slices.Contains(reserved, name) {
			continue
		}
		value, err := json.Marshal(members[name])
		if err != nil {
			return nil, err
		}
		body = append(append(body, ","+text(name)+":"...), value...)
	}
	return body, nil
}

// text writes a string as JSON, which always works.
func text(s string) string {
	raw, _ := json.Marshal(s)
	return string(raw)
}

// shape is the contract's envelope in the OpenAPI document.
func shape() codec.Shape {
	type object = map[string]any
	refusal := dialect.ErrorSchema()
	refusal["required"] = []string{"error", "msg", "code"}
	properties := refusal["properties"].(object)
	properties["error"] = object{"type": "boolean", "const": true}
	properties["msg"] = object{"type": "string", "description": "The contract's words where it has some"}
	properties["data"] = object{"type": []string{"string", "object"}, "description": "What is wrong, or how much of the allowance is used"}
	answer := func(data any) any {
		return object{
			"type": "object", "required": []string{"error", "msg"}, "additionalProperties": true,
			"properties": object{
				"error":    object{"type": "boolean", "const": false},
				"msg":      object{"type": "string"},
				"data":     data,
				"warnings": object{"type": "array", "items": object{"type": "string"}},
			},
		}
	}
	// The marketplace has some of the same paths.
	return codec.Shape{Operations: "reviews_", Errors: "ReviewError", Error: refusal, Answer: answer}
}
