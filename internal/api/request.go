package api

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"humanops-mcp/internal/codec"
	"humanops-mcp/schemas"
)

// maxBody bounds a JSON body.
const maxBody = 1 << 20

// readBody takes the whole JSON body; a GET has none.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	if r.ContentLength > maxBody {
		drain(r)
		return nil, &http.MaxBytesError{Limit: maxBody} // before keeping any of it
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		drain(r) // of a body that came in pieces, without its length
		return nil, brokenOff(err)
	}
	if len(raw) == 0 {
		return nil, nil
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return nil, schemas.NewError(schemas.CodeUnsupported, "The body must not be compressed; send it without Content-Encoding.")
	}
	return raw, jsonOnly(r.Header.Get("Content-Type"))
}

// drain takes what is too large, within reason, and drops it. A caller who is still sending
// when the connection closes may see a reset in place of the answer. One who asks first is
// answered at once.
func drain(r *http.Request) {
	if r.ContentLength <= 16*maxBody && r.Header.Get("Expect") == "" {
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, 16*maxBody)) // it is refused either way
	}
}

func brokenOff(err error) error {
	if errors.As(err, new(*http.MaxBytesError)) {
		return err
	}
	return schemas.NewError(schemas.CodeInvalid, "The body broke off before it was complete.")
}

func jsonOnly(contentType string) error {
	if contentType == "" {
		return nil
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err == nil && (media == "application/json" || strings.HasSuffix(media, "+json")) {
		return nil
	}
	return schemas.NewError(schemas.CodeUnsupported, fmt.Sprintf("The body must be JSON: send Content-Type: application/json; got %.60q.", contentType))
}

// decode reads the path, the query and the body into in.
func decode[In any](r *http.Request, body []byte, in *In) (warnings []string, err error) {
	params, warnings, err := outside(r, reflect.TypeFor[In]())
	if err != nil {
		return nil, err
	}
	more, err := codec.Decode(body, in, codec.Options{Params: params})
	return append(warnings, more...), err
}

// decodeAs is decode for a body that may come in another spelling.
func decodeAs[In any](r *http.Request, spell spelling, body []byte, in *In) ([]string, error) {
	if spell == nil || len(body) == 0 {
		return decode(r, body, in)
	}
	canonical, warnings, err := spell(body)
	if err != nil {
		return nil, err
	}
	more, err := decode(r, canonical, in)
	return append(warnings, more...), err
}

// outside gathers what travels in the path and the query, by JSON name.
func outside(r *http.Request, t reflect.Type) (params map[string]string, warnings []string, err error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, nil, schemas.NewError(schemas.CodeInvalid, "The query string cannot be read: percent-encode its values.")
	}
	params = map[string]string{}
	var known []string
	for _, p := range codec.Params(t) {
		if p.In == "path" {
			params[p.JSON] = r.PathValue(p.Name)
			continue
		}
		known = append(known, p.Name)
		values := query[p.Name]
		if len(values) > 1 {
			return nil, nil, schemas.Invalid(p.Name, "is given more than once; send it once")
		}
		if len(values) == 1 {
			params[p.JSON] = values[0]
		}
	}
	return params, unknown("query parameter", keys(query), known), nil
}

const maxUnknown = 20 // told; more would be an echo

func unknown(what string, names, known []string) (warnings []string) {
	for _, name := range names {
		if slices.Contains(known, name) || len(warnings) == maxUnknown {
			continue
		}
		hint := ""
		if nearest := codec.Nearest(name, known); nearest != "" {
			hint = "; did you mean " + nearest + "?"
		}
		warnings = append(warnings, "The "+what+" "+strconv.Quote(fmt.Sprintf("%.40s", name))+" is not known and was ignored"+hint)
	}
	return warnings
}

func keys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
