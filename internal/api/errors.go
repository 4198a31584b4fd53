package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"humanops-mcp/internal/api/dialect"
	"humanops-mcp/schemas"
)

// fail answers with err, in the dialect of the contract that the path belongs to. What is
// not a *schemas.Error is logged and never shown.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	d := a.Config.Dialects.At(r.URL.Path)
	refusal := refusalOf(r, a.known(d, r, err))
	var over *quotaError
	if errors.As(err, &over) {
		refusal.Used = &over.usage
	}
	refuse(d, w, refusal)
}

// known is what may be said of err; nil is nothing.
func (a *api) known(d *dialect.Dialect, r *http.Request, err error) *schemas.Error {
	var known *schemas.Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return schemas.NewError(schemas.CodeTooLarge, fmt.Sprintf("The body is larger than %s; send less.", size(tooLarge.Limit)))
	case errors.As(err, &known) && known.Code != schemas.CodeInternal && d.Status(known) != 0:
		return known
	}
	a.unexpected(r, err)
	return nil
}

func (a *api) unexpected(r *http.Request, err error) {
	rec := recordOf(r)
	if r.Context().Err() != nil {
		a.Logger.Debug("The caller went away", "request_id", rec.id, "route", r.Pattern, "error", err)
	} else {
		a.Logger.Error("A request failed", "request_id", rec.id, "route", r.Pattern, "error", err)
	}
}

// refusalOf is what a dialect is told of a failed request. No error means one of the
// server's own.
func refusalOf(r *http.Request, e *schemas.Error) dialect.Refusal {
	rec := recordOf(r)
	return dialect.Refusal{Err: e, RequestID: rec.id, Test: rec.test}
}

// refuse writes an error as the dialect words it.
func refuse(d *dialect.Dialect, w http.ResponseWriter, refusal dialect.Refusal) {
	e := refusal.Err
	refusal.Status = d.Status(e)
	if refusal.Status == http.StatusUnauthorized {
		for _, challenge := range d.Challenges {
			w.Header().Add("WWW-Authenticate", challenge)
		}
	}
	if e != nil && e.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.RetryAfterSeconds))
	}
	writeBody(w, refusal.Status, d.Refuse(refusal))
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
