package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/go-resty/resty/v2"

	"humanops-mcp/schemas"
)

const maxMessage = 2000

func missing(field string) error {
	return schemas.Invalid(field, field+" is missing or not an id")
}

// at names the service and where it is, at the beginning of a sentence.
func (c *Client) at(contract schemas.Contract) string {
	return dialectOf(contract).service + " at " + c.base
}

// unreachable words a failure of the connection.
func (c *Client) unreachable(ctx context.Context, contract schemas.Contract, err error) error {
	var ours *schemas.Error
	switch {
	case errors.As(err, &ours):
		return ours
	case errors.Is(ctx.Err(), context.Canceled):
		return context.Canceled
	case errors.Is(ctx.Err(), context.DeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return schemas.NewError(schemas.CodeUnavailable, c.at(contract)+" did not answer in time. Try again.")
	case errors.Is(err, resty.ErrResponseBodyTooLarge):
		return schemas.NewError(schemas.CodeTooLarge, c.at(contract)+" sent more than this client takes. Ask for less at once.")
	}
	return schemas.NewError(schemas.CodeUnavailable, fmt.Sprintf("%s cannot be reached: %s. Check the address, or start it with: humanops-mcp serve", c.at(contract), cause(err)))
}

// cause is the innermost sentence of a connection error, without the request's URL.
func cause(err error) string {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return clip(err.Error())
}

// envelope is the marketplace's error answer. The hosted service sends only the text.
type envelope struct {
	Error  json.RawMessage      `json:"error"`
	Code   schemas.Code         `json:"code"`
	Fields []schemas.FieldError `json:"fields"`
	State  string               `json:"state"`
}

// refusal turns an error answer into a *schemas.Error.
func (c *Client) refusal(contract schemas.Contract, resp *resty.Response) error {
	e := dialectOf(contract).refusal(refusalBody(resp))
	out := &schemas.Error{Code: e.Code, Message: e.text(), Fields: e.Fields, State: e.State}
	if out.Code == "" {
		out.Code = codeOf(resp.StatusCode())
	}
	if status, ok := schemas.ParseTaskStatus(out.State); ok {
		out.State = string(status)
	}
	if out.Message == "" && len(out.Fields) == 0 {
		out.Message = fmt.Sprintf("%s answered %s.%s", c.at(contract), resp.Status(), advice(out.Code))
	}
	if problems := (&schemas.Error{Fields: out.Fields}).Error(); len(out.Fields) > 0 && out.Message == problems {
		out.Message = "" // the text only repeats the fields: once is enough
	}
	out.RetryAfterSeconds = int(retryAfter(resp.Header()).Seconds())
	return out
}

func refusalBody(resp *resty.Response) []byte {
	if body := resp.Body(); len(body) > 0 || resp.RawResponse == nil {
		return body
	}
	defer resp.RawResponse.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.RawResponse.Body, 1<<20))
	return body
}

// text reads the message, which some services wrap in an object.
func (e envelope) text() string {
	var s string
	if json.Unmarshal(e.Error, &s) == nil {
		return clip(s)
	}
	var wrapped struct{ Message string }
	_ = json.Unmarshal(e.Error, &wrapped)
	return clip(wrapped.Message)
}

func clip(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	cut := maxMessage
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return strings.TrimSpace(s[:cut]) + " …"
}

func advice(code schemas.Code) string {
	switch code {
	case schemas.CodeUnauthenticated:
		return " Check the API key."
	case schemas.CodeNotFound:
		return " Check the address and the id."
	case schemas.CodeUnavailable, schemas.CodeRateLimited, schemas.CodeInternal:
		return " Try again later."
	default:
		return ""
	}
}

var codes = map[int]schemas.Code{
	http.StatusBadRequest: schemas.CodeInvalid, http.StatusUnauthorized: schemas.CodeUnauthenticated,
	http.StatusPaymentRequired: schemas.CodePaymentRequired, http.StatusForbidden: schemas.CodeForbidden,
	http.StatusNotFound: schemas.CodeNotFound, http.StatusConflict: schemas.CodeConflict,
	http.StatusGone: schemas.CodeGone, http.StatusRequestEntityTooLarge: schemas.CodeTooLarge,
	http.StatusUnsupportedMediaType: schemas.CodeUnsupported, http.StatusUnprocessableEntity: schemas.CodeUnprocessable,
	http.StatusTooManyRequests: schemas.CodeRateLimited, http.StatusBadGateway: schemas.CodeUnavailable,
	http.StatusServiceUnavailable: schemas.CodeUnavailable, http.StatusGatewayTimeout: schemas.CodeUnavailable,
}

// codeOf is the code that an HTTP status stands for.
func codeOf(status int) schemas.Code {
	if code, ok := codes[status]; ok {
		return code
	}
	if status >= 400 && status < 500 {
		return schemas.CodeInvalid
	}
	return schemas.CodeInternal
}
