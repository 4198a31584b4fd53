// Package dialect says what a contract's dialect is: one value that holds everything in
// which a contract differs from the others on the wire. It holds no rules of the domain.
package dialect

import (
	"net/http"
	"time"

	"humanops-mcp/internal/codec"
	"humanops-mcp/schemas"
)

// Dialect is how one contract is spoken. No field may be left out, and Missing names those
// that are: where a contract has nothing of a kind, its value says so (NoScopes, NoQuota,
// NoCORS, NotPolled).
type Dialect struct {
	// Contract brings name, prefixes and the names of parts with files.
	Contract schemas.Contract

	// Audience is what an agent's key must be for, to open the contract.
	Audience string
	// Scopes are the parts of the contract that a key can be limited to.
	Scopes *Scopes
	// Unproved words why a caller who is not known is not let in. Its code makes the status.
	Unproved func(Attempt) error
	// Challenges are the WWW-Authenticate headers of a 401.
	Challenges []string

	// Statuses gives every code its HTTP status; StatusOfRule is that of a conflict with a
	// standing rule. Nothing else has a say in a status, the words least of all.
	Statuses     map[schemas.Code]int
	StatusOfRule int
	// Refuse makes the body of an error.
	Refuse func(Refusal) any
	// Answer makes the body of a success. out is a pointer to what the service gave.
	Answer func(out any, about About) ([]byte, error)
	// Polled tells what callers that come again go by.
	Polled func(out any, now time.Time) Poll

	// Busy is the message for too many calls within a minute.
	Busy string
	// Quota is the hour's allowance of each key.
	Quota *Quota
	// CORS lets pages of other origins in.
	CORS *CORS

	// Document is the contract's part in the OpenAPI document.
	Document codec.Shape
}

// Scopes limit a key to parts of a contract.
type Scopes struct {
	Needed func(schemas.Info) string // for an endpoint; "" is none
	Denied string                    // the message for a key without it
}

// Attempt is a call whose caller is not known.
type Attempt struct {
	Info       schemas.Info
	Key, Token string // what came; both are "" where nothing did, or two different things
	IsKey      bool   // what came has the form of a key
	IsSession  bool   // the token has the form of a session
	Err        error  // why it was not taken; nil where nothing came
}

// Refusal is a failed call.
type Refusal struct {
	Err       *schemas.Error // nil for a failure of the server's own, of which nothing is told
	Status    int
	RequestID string
	Test      bool   // the caller's key is of test mode
	Used      *Usage // set where the hour's allowance is used up
}

// About is what goes with an answer.
type About struct {
	Warnings []string
	Test     bool // the caller's key is of test mode
}

// Poll is what a caller that comes again goes by.
type Poll struct {
	Revision   string // what the answer's ETag says; "" for an answer without
	RetryAfter int    // seconds; 0 says nothing
}

// Quota is how many calls a key has an hour, and how it is told.
type Quota struct {
	PerHour                 int                     `zero:"no limit"`
	Unlimited               int                     // the limit that is told where there is none
	Limit, Remaining, Reset string                  // the headers that every answer has
	Uncounted               func(schemas.Info) bool // endpoints whose calls are few by themselves
	Exceeded                string                  // the message
}

// Usage is where a key stands within its hour.
type Usage struct {
	Limit, Count int
	ResetAt      time.Time
}

// Remaining is how many calls are left.
func (u Usage) Remaining() int { return u.Limit - u.Count }

// CORS lets pages of the listed origins call, with a key: cookies prove nobody.
type CORS struct {
	Origins []string `zero:"none are listed"`
	Methods string
	Headers string // that such a page may send
	Expose  string // that it may read
}

// Status is the HTTP status of an error; 0 where its code is none of ours. No error is a
// failure of the server's own.
func (d *Dialect) Status(e *schemas.Error) int {
	switch {
	case e == nil:
		return http.StatusInternalServerError
	case e.Rule && e.Code == schemas.CodeConflict:
		return d.StatusOfRule
	}
	return d.Statuses[e.Code]
}
