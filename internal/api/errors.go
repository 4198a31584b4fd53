package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"humanops-mcp/schemas"
)

// statuses is the one table from code to HTTP status.
var statuses = map[schemas.Code]int{
	schemas.CodeInvalid:         http.StatusBadRequest,
	schemas.CodeUnauthenticated: http.StatusUnauthorized,
	schemas.CodePaymentRequired: http.StatusPaymentRequired,
	schemas.CodeForbidden:       http.StatusForbidden,
	schemas.CodeNotFound:        http.StatusNotFound,
	schemas.CodeConflict:        http.StatusConflict,
	schemas.CodeGone:            http.StatusGone,
	schemas.CodeTooLarge:        http.StatusRequestEntityTooLarge,
	schemas.CodeUnsupported:     http.StatusUnsupportedMediaType,
	schemas.CodeUnprocessable:   http.StatusUnprocessableEntity,
	schemas.CodeRateLimited:     http.StatusTooManyRequests,
	schemas.CodeInternal:        http.StatusInternalServerError,
	schemas.CodeUnavailable:     http.StatusServiceUnavailable,
}

// envelope is the marketplace's error body. The contract has only error; the rest is ours.
type envelope struct {
	Error string `json:"error"`
	details
}

// details are ours, and the same in every contract.
type details struct {
	Code              schemas.Code         `json:"code"`
	Fields            []schemas.FieldError `json:"fields,omitempty"`
	State             string               `json:"state,omitempty"`
	RetryAfterSeconds int                  `json:"retry_after_seconds,omitempty"`
	RequestID         string               `json:"request_id,omitempty"`
	schemas.Sandboxed
}

const internalSentence = "Something went wrong on the server. Try again; if it stays, tell whoever runs it the request_id."

// fail answers with err. What is not a *schemas.Error is logged and never shown.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, known := a.known(r, err)
	var over *quotaError
	if errors.As(err, &over) {
		w.Header().Set("Retry-After", strconv.Itoa(over.RetryAfterSeconds))
		writeBody(w, status, over.refusal(recordOf(r)))
		return
	}
	a.writeError(w, r, status, known)
}

// known is the status of err and what may be said of it.
func (a *api) known(r *http.Request, err error) (int, *schemas.Error) {
	var known *schemas.Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		known = schemas.NewError(schemas.CodeTooLarge, fmt.Sprintf("The body is larger than %s; send less.", size(tooLarge.Limit)))
	case errors.As(err, &known) && known.Code != schemas.CodeInternal && statuses[known.Code] != 0:
	default:
		a.unexpected(r, err)
		return http.StatusInternalServerError, nil
	}
	if contractOf(r) == schemas.Reviews {
		return reviewStatus(known), known
	}
	return statuses[known.Code], known
}

func (a *api) unexpected(r *http.Request, err error) {
	rec := recordOf(r)
	if r.Context().Err() != nil {
		a.Logger.Debug("The caller went away", "request_id", rec.id, "route", r.Pattern, "error", err)
	} else {
		a.Logger.Error("A request failed", "request_id", rec.id, "route", r.Pattern, "error", err)
	}
}

func (a *api) writeError(w http.ResponseWriter, r *http.Request, status int, e *schemas.Error) {
	if status == http.StatusUnauthorized {
		w.Header().Add("WWW-Authenticate", `ApiKey realm="humanops-mcp", header="X-API-Key"`)
		w.Header().Add("WWW-Authenticate", `Bearer realm="humanops-mcp"`)
	}
	if e != nil && e.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.RetryAfterSeconds))
	}
	refuse(w, r, status, e)
}

// refuse writes an error in the envelope of the contract that the path belongs to. No
// error means one of the server's own, of which nothing is told.
func refuse(w http.ResponseWriter, r *http.Request, status int, e *schemas.Error) {
	rec := recordOf(r)
	more := details{Code: schemas.CodeInternal, RequestID: rec.id, Sandboxed: rec.sandboxed()}
	if e != nil {
		more.Code, more.Fields, more.State, more.RetryAfterSeconds, more.RequestID = e.Code, e.Fields, e.State, e.RetryAfterSeconds, ""
	}
	switch {
	case contractOf(r) == schemas.Reviews:
		more.RequestID = rec.id
		writeBody(w, status, reviewRefusal(e, more))
	case e == nil:
		writeBody(w, status, envelope{internalSentence, more})
	default:
		writeBody(w, status, envelope{e.Error(), more})
	}
}

func writeBody(w http.ResponseWriter, status int, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		status, raw = http.StatusInternalServerError, []byte(`{"error":"Something went wrong on the server.","code":"internal"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(raw, '\n')) // the caller may be gone
}

func (a *api) writeJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the caller may be gone
}

func quoted(s string) string {
	raw, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(raw)
}

// size is a limit as people read it.
func size(bytes int64) string {
	if bytes >= 1<<20 {
		return strconv.FormatInt(bytes>>20, 10) + " MiB"
	}
	return strconv.FormatInt(bytes>>10, 10) + " KiB"
}
