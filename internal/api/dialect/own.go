package dialect

import (
	"net/http"
	"reflect"

	"humanops-mcp/internal/codec"
	"humanops-mcp/schemas"
)

// What our own contracts have in common, and others may take from: statuses, an error that
// is a sentence with details, answers without anything around them.

// Statuses gives each code its HTTP status.
var Statuses = map[schemas.Code]int{
	schemas.CodeInvalid:         http.StatusBadRequest,
	schemas.CodeUnauthenticated: http.StatusUnauthorized,
	schemas.CodePaymentRequired: http.StatusPaymentRequired,
	schemas.CodeForbidden:       http.StatusForbidden,
	schemas.CodeNotFound:        http.StatusNotFound,
	schemas.CodeNotAllowed:      http.StatusMethodNotAllowed,
	schemas.CodeConflict:        http.StatusConflict,
	schemas.CodeGone:            http.StatusGone,
	schemas.CodeTooLarge:        http.StatusRequestEntityTooLarge,
	schemas.CodeUnsupported:     http.StatusUnsupportedMediaType,
	schemas.CodeUnprocessable:   http.StatusUnprocessableEntity,
	schemas.CodeRateLimited:     http.StatusTooManyRequests,
	schemas.CodeInternal:        http.StatusInternalServerError,
	schemas.CodeUnavailable:     http.StatusServiceUnavailable,
}

// Challenges are the ways to prove who calls.
var Challenges = []string{`ApiKey realm="humanops-mcp", header="X-API-Key"`, `Bearer realm="humanops-mcp"`}

// Busy is the message for too many calls within a minute.
const Busy = "Too many calls within a minute. Wait, then try again."

// Internal is all that is told of a failure of the server's own.
const Internal = "Something went wrong on the server. Try again; if it stays, tell whoever runs it the request_id."

// Details are ours, and the same in every contract that has room for them.
type Details struct {
	Code              schemas.Code         `json:"code"`
	Fields            []schemas.FieldError `json:"fields,omitempty"`
	State             string               `json:"state,omitempty"`
	RetryAfterSeconds int                  `json:"retry_after_seconds,omitempty"`
	RequestID         string               `json:"request_id,omitempty"`
	schemas.Sandboxed
}

// Details are what is known of the failure beyond its words.
func (r Refusal) Details() Details {
	d := Details{Code: schemas.CodeInternal, RequestID: r.RequestID}
	if r.Test {
		d.MarkSandbox()
	}
	if e := r.Err; e != nil {
		d.Code, d.Fields, d.State, d.RetryAfterSeconds = e.Code, e.Fields, e.State, e.RetryAfterSeconds
	}
	return d
}

// envelope is our own error body. The marketplace's contract has only error in it.
type envelope struct {
	Error string `json:"error"`
	Details
}

// Refuse makes our own error body.
func Refuse(r Refusal) any {
	more := r.Details()
	if r.Err == nil {
		return envelope{Internal, more}
	}
	more.RequestID = ""
	return envelope{r.Err.Error(), more}
}

// Extras are members that any answer may carry.
type Extras struct {
	Warnings []string `json:"warnings,omitempty"`
	schemas.Sandboxed
}

// Mark marks an answer that can say so itself as one of test mode.
func Mark(out any) bool {
	marked, ok := out.(interface{ MarkSandbox() })
	if ok {
		marked.MarkSandbox()
	}
	return ok
}

// Answer writes an answer as it is, with its warnings and the mark of test mode as further
// members.
func Answer(out any, about About) ([]byte, error) {
	more := Extras{Warnings: about.Warnings}
	if about.Test && !Mark(out) {
		more.MarkSandbox()
	}
	raw, err := codec.Encode(out)
	if err != nil {
		return nil, err
	}
	tail, err := codec.Encode(more)
	if err != nil || len(tail) == len("{}") || raw[len(raw)-1] != '}' {
		return raw, err
	}
	if len(raw) == len("{}") {
		return tail, nil
	}
	return append(append(raw[:len(raw)-1], ','), tail[1:]...), nil
}

const people = schemas.Operator | schemas.Owner | schemas.Reviewer

// Unproved says what was wrong with what came, or what would have been needed.
func Unproved(a Attempt) error {
	access, sentence := a.Info.Access, "A person's token is needed: send it as Authorization: Bearer."
	switch {
	case a.Err != nil:
		return a.Err
	case access&schemas.Agent != 0 && access&people != 0:
		sentence = "Credentials are needed: send an agent's key as X-API-Key, or a person's token as Authorization: Bearer."
	case access&schemas.Agent != 0:
		sentence = "An agent's key is needed: send it as X-API-Key. POST /api/v1/agents/register gives one."
	}
	return schemas.NewError(schemas.CodeUnauthenticated, sentence)
}

// Shape is how our own answers look in the OpenAPI document.
func Shape() codec.Shape {
	return codec.Shape{Errors: "Error", Error: ErrorSchema(), Answer: func(data any) any { return data }}
}

// ErrorSchema describes our own error body.
func ErrorSchema() map[string]any {
	type object = map[string]any
	return object{
		"type":     "object",
		"required": []string{"error", "code"},
		"properties": object{
			"error":               object{"type": "string", "description": "What happened and what to do next"},
			"code":                object{"type": "string"},
			"fields":              object{"type": "array", "items": codec.Schema(reflect.TypeFor[schemas.FieldError]())},
			"state":               object{"type": "string", "description": "The state that the object is in"},
			"retry_after_seconds": object{"type": "integer"},
			"request_id":          object{"type": "string"},
			"sandbox":             object{"type": "boolean", "description": "True in test mode"},
			"sandbox_notice":      object{"type": "string"},
		},
	}
}
