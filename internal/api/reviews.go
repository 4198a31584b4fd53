package api

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/api/hitl"
	"humanops-mcp/internal/codec"
	"humanops-mcp/schemas"
)

// What the reviews contract has of its own: its envelope, its words for who is not let
// in, its scopes, and what clients that poll are told.

// contractOf is the contract that a path belongs to; its envelope holds the answer, even
// where nothing is served.
func contractOf(r *http.Request) schemas.Contract {
	if r.URL.Path == "/v1" || strings.HasPrefix(r.URL.Path, "/v1/") {
		return schemas.Reviews
	}
	return schemas.Marketplace
}

// refused is the contract's error body; what is in details is ours.
type refused struct {
	Error bool   `json:"error"`
	Msg   string `json:"msg"`
	Data  any    `json:"data,omitempty"`
	details
}

func reviewRefusal(e *schemas.Error, more details) refused {
	if e == nil {
		return refused{Error: true, Msg: "Internal server error", Data: internalSentence, details: more}
	}
	msg, data := hitl.Words(e)
	return refused{true, msg, data, more}
}

// badRequests are conflicts that the contract calls bad requests.
var badRequests = map[string]bool{
	"Request cannot be cancelled in current state":     true,
	"Feedback can only be added to completed requests": true,
	"Cannot delete loop with active requests":          true,
	"No active members found in the loop":              true,
	"Loop creator cannot be removed":                   true,
}

func reviewStatus(e *schemas.Error) int {
	if badRequests[e.Message] {
		return http.StatusBadRequest
	}
	return statuses[e.Code]
}

// unproved says in the contract's words why nobody was let in.
func unproved(r *http.Request, info schemas.Info) error {
	message := "Invalid API key format"
	key, token, err := credentials(r)
	switch {
	case err != nil, key == "" && token == "":
		message = "Missing or invalid authorization header"
	case info.Path == schemas.CheckKey.Path, strings.HasPrefix(token, "hos_"):
		message = "Invalid authorization token"
	case account.IsKey(cmp.Or(key, token)):
		message = "Invalid API key"
	}
	return schemas.NewError(schemas.CodeUnauthenticated, message)
}

// scopeOf is the scope that a key needs for an endpoint of reviews; "" is none.
func scopeOf(info schemas.Info) string {
	if info.Contract != schemas.Reviews || info.Path == schemas.CheckKey.Path {
		return ""
	}
	part := "requests"
	if info.Path == "/loops" || strings.HasPrefix(info.Path, "/loops/") && !strings.Contains(info.Path, "/requests") {
		part = "loops"
	}
	if info.Method == http.MethodGet {
		return part + ":read"
	}
	return part + ":write"
}

// sayer gives the contract's message, flattener what clients of the oldest spelling read
// at the top, and marker the mark of test mode.
type (
	sayer     interface{ Said() string }
	flattener interface{ Flat() map[string]any }
	marker    interface{ MarkSandbox() }
)

// reserved are the envelope's own members.
var reserved = []string{"error", "msg", "data", "warnings", "sandbox", "sandbox_notice"}

// wrap puts an answer into the contract's envelope.
func wrap[Out any](ctx context.Context, out *Out, warnings []string) ([]byte, error) {
	more := extras{Warnings: warnings}
	if account.From(ctx).Mode == account.Test {
		more.MarkSandbox()
		if marked, ok := any(out).(marker); ok {
			marked.MarkSandbox()
		}
	}
	msg := "Success"
	if said, ok := any(out).(sayer); ok {
		msg = said.Said()
	}
	data, err := codec.Encode(out)
	if err != nil {
		return nil, err
	}
	body := append([]byte(`{"error":false,"msg":`+quoted(msg)+`,"data":`), data...)
	if flat, ok := any(out).(flattener); ok {
		members := flat.Flat()
		for _, name := range keys(members) {
			if slices.Contains(reserved, name) {
				continue
			}
			value, err := json.Marshal(members[name])
			if err != nil {
				return nil, err
			}
			body = append(append(body, ","+quoted(name)+":"...), value...)
		}
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

// paced tells a poller how a request stands and since when.
type paced interface {
	Standing() (status schemas.ReviewStatus, since time.Time)
}

// polled sets what pollers go by: the version as ETag, and when to ask again. It tells
// whether the caller knows the version already.
func (a *api) polled(w http.ResponseWriter, r *http.Request, out any) (unchanged bool) {
	if waited, ok := out.(*schemas.ReviewWait); ok && waited.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(waited.RetryAfter))
	}
	if p, ok := out.(paced); ok {
		if status, since := p.Standing(); !status.Final() {
			w.Header().Set("Retry-After", strconv.Itoa(pace(a.Clock.Now().Sub(since))))
		}
	}
	revised, ok := out.(interface{ Revision() string })
	if !ok {
		return false
	}
	tag := `"` + revised.Revision() + `"`
	w.Header().Set("ETag", tag)
	for _, known := range strings.Split(strings.Join(r.Header.Values("If-None-Match"), ","), ",") {
		known = strings.TrimPrefix(strings.TrimSpace(known), "W/")
		if known == tag || known == "*" {
			return true
		}
	}
	return false
}

// pace is after how many seconds to ask again: seldom, where people take their time.
func pace(age time.Duration) int {
	switch {
	case age < time.Minute:
		return 5
	case age < 10*time.Minute:
		return 15
	}
	return 60
}
