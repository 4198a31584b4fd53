package api

import (
	"context"
	"net/http"
	"net/url"
	"reflect"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/api/dialect"
	"humanops-mcp/internal/codec"
	"humanops-mcp/schemas"
)

// Surface is everything that Routes serves: over HTTP, and what only reads also to callers
// in this process, as the values that it is.
type Surface struct {
	http.Handler
	api *api
}

// direct answers one endpoint for the caller of ctx.
type direct func(ctx context.Context, in any) (any, error)

// Answer reads for an agent in this process, through the same credentials, limits, checks
// and services as over HTTP. false says that the call has to be made over HTTP: it is none
// that only reads, or it failed, which is worded there.
func (s *Surface) Answer(ctx context.Context, info schemas.Info, key string, in any) (any, bool) {
	a := s.api
	run, known := a.direct[info.Pattern()]
	if !known {
		return nil, false
	}
	r := (&http.Request{Method: info.Method, URL: &url.URL{Path: info.Path}, Header: http.Header{"X-Api-Key": {key}}}).WithContext(ctx)
	admitted, err := a.admit(&discard{header: http.Header{}}, r, &info, a.dialect(info))
	if err != nil {
		return nil, false
	}
	out, err := run(admitted.Context(), in)
	return out, err == nil
}

// asValues makes a method that reads one for callers in this process.
func asValues[In, Out any](fn alone[In, Out]) direct {
	return func(ctx context.Context, in any) (any, error) {
		arg, err := checked(in.(In))
		if err != nil {
			return nil, err
		}
		out, err := fn(ctx, arg)
		if account.From(ctx).Mode == account.Test {
			dialect.Mark(&out)
		}
		return out, err
	}
}

// checked is an argument after the checks, and with the defaults, that it would have met as
// JSON.
func checked[In any](in In) (out In, err error) {
	if reflect.TypeFor[In]().NumField() == 0 {
		return in, nil
	}
	raw, err := codec.Encode(in)
	if err != nil {
		return out, err
	}
	_, err = codec.Decode(raw, &out, codec.Options{})
	return out, err
}
