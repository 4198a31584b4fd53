package schemas

import (
	"errors"
	"strings"
)

// Code is a stable, machine-readable kind of error. Each contract's table turns it
// into an HTTP status and an envelope.
type Code string

// The codes, with the HTTP status the marketplace gives them.
const (
	CodeInvalid         Code = "invalid"            // 400: the request breaks a stated rule
	CodeUnauthenticated Code = "unauthenticated"    // 401: no key, or one that is not valid
	CodePaymentRequired Code = "payment_required"   // 402: the balance cannot cover the escrow
	CodeForbidden       Code = "forbidden"          // 403: known, but not allowed to do this
	CodeNotFound        Code = "not_found"          // 404: missing, or someone else's
	CodeNotAllowed      Code = "method_not_allowed" // 405: served, but not by this method
	CodeConflict        Code = "conflict"           // 409: lost a race, duplicate, or not in that state
	CodeGone            Code = "gone"               // 410: expired
	CodeTooLarge        Code = "too_large"          // 413
	CodeUnsupported     Code = "unsupported"        // 415: a media type that is not taken
	CodeUnprocessable   Code = "unprocessable"      // 422: valid, but over a limit or against a business rule
	CodeRateLimited     Code = "rate_limited"       // 429
	CodeInternal        Code = "internal"           // 500
	CodeUnavailable     Code = "unavailable"        // 503: try again later
)

// FieldError is one problem with one field, as a sentence that names the rule, what
// came and an example.
type FieldError struct {
	Field   string `json:"field" doc:"The field, dotted and indexed: location.lat, proof_requirements[2]"`
	Message string `json:"message" doc:"What is wrong and what to send instead"`
}

// Error is the one error type that crosses a boundary. Message says what happened and
// what to do next.
type Error struct {
	Code    Code
	Message string
	Fields  []FieldError
	// State is the state an object was found in, when that is why the call failed.
	State string
	// Rule says that a conflict is with a standing rule (what has ended cannot be cancelled),
	// and not with somebody who was faster. Some contracts call that a bad request.
	Rule bool
	// RetryAfterSeconds is how long to wait before trying again, when that is known.
	RetryAfterSeconds int
}

func (e *Error) Error() string {
	if len(e.Fields) == 0 {
		return e.Message
	}
	parts := make([]string, 0, len(e.Fields)+1)
	if e.Message != "" {
		parts = append(parts, e.Message)
	}
	for _, f := range e.Fields {
		parts = append(parts, strings.TrimSpace(f.Field+" "+f.Message))
	}
	return strings.Join(parts, "; ")
}

// Errorf-free constructors keep messages whole sentences at the place they are made.

// NewError makes an error of one sentence.
func NewError(code Code, message string) *Error { return &Error{Code: code, Message: message} }

// Forbidden refuses what a caller may not do, and says who may.
func Forbidden(sentence string) *Error { return NewError(CodeForbidden, sentence) }

// Against is a conflict with a standing rule: nobody was faster. The state may be "".
func Against(state, sentence string) *Error {
	return &Error{Code: CodeConflict, Message: sentence, State: state, Rule: true}
}

// Invalid makes an error about one field: Invalid("reward_usd", "must be …").
func Invalid(field, message string) *Error {
	return &Error{Code: CodeInvalid, Fields: []FieldError{{Field: field, Message: message}}}
}

// ErrorCode is the code of err, CodeInternal for a foreign error and "" for nil.
func ErrorCode(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}
