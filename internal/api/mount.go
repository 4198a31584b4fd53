package api

import (
	"context"
	"net/http"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/codec"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

type (
	inTx[In, Out any]  = func(ctx context.Context, tx *store.Tx, in In) (Out, error)
	alone[In, Out any] = func(ctx context.Context, in In) (Out, error)
)

// mount puts one endpoint on the mux, behind authentication and limits.
func (a *api) mount(info schemas.Info, serve func(w http.ResponseWriter, r *http.Request) error) {
	a.mounted = append(a.mounted, info)
	a.mux.HandleFunc(info.Pattern(), func(w http.ResponseWriter, r *http.Request) {
		caller, err := a.authenticate(r, info.Access)
		rec := recordOf(r)
		rec.caller, rec.via, rec.test = caller.ID(), caller.Via, caller.Mode == account.Test
		if err == nil {
			err = a.limit(w, r, caller, info.Access)
		}
		if err == nil {
			err = serve(w, r.WithContext(account.With(r.Context(), caller)))
		}
		if err != nil {
			a.fail(w, r, err)
		}
	})
}

// limit counts the call against its caller, or its address where there is no caller.
func (a *api) limit(w http.ResponseWriter, r *http.Request, caller account.Caller, access schemas.Access) error {
	limiter, key := a.callers, caller.ID()+caller.Mode
	if key == "" {
		limiter, key = a.strangers, recordOf(r).ip
		if access&schemas.Link != 0 {
			limiter = a.callers // a page of signed photos is many calls
		}
	}
	if limiter == nil || !limiter.OnLimit(w, r, key) {
		return nil
	}
	return &schemas.Error{Code: schemas.CodeRateLimited, Message: "Too many calls within a minute. Wait, then try again.", RetryAfterSeconds: 60}
}

// write mounts an endpoint that changes something: one transaction, and with an
// Idempotency-Key at most once.
func write[In, Out any](a *api, e schemas.Endpoint[In, Out], fn inTx[In, Out]) {
	mountWrite(a, e.Info(), fn, nil)
}

// writeSecret mounts an endpoint whose answer holds a secret: the answer is not kept,
// only the id of what was made.
func writeSecret[In, Out any](a *api, e schemas.Endpoint[In, Out], fn inTx[In, Out], object func(Out) string) {
	mountWrite(a, e.Info(), fn, object)
}

func mountWrite[In, Out any](a *api, info schemas.Info, fn inTx[In, Out], object func(Out) string) {
	a.mount(info, func(w http.ResponseWriter, r *http.Request) error {
		body, err := readBody(w, r)
		if err != nil {
			return err
		}
		once, err := repeatable(r, body)
		if err != nil {
			return err
		}
		var in In
		warnings, err := decode(r, body, &in)
		if err != nil {
			return err
		}
		var ans answer
		err = a.Store.Write(r.Context(), func(tx *store.Tx) error {
			ans, err = once.do(r.Context(), tx, func() (kept, error) {
				out, err := fn(r.Context(), tx, in)
				if err != nil {
					return kept{}, err
				}
				fresh := kept{answer: answer{status: info.Status}}
				if object != nil {
					fresh.objectID = object(out)
				}
				fresh.body, err = encode(r.Context(), &out, warnings)
				return fresh, err
			})
			return err
		})
		if err != nil {
			return err
		}
		if ans.replayed {
			w.Header().Set("Idempotent-Replayed", "true")
		}
		a.writeJSON(w, ans.status, ans.body)
		return nil
	})
}

// read mounts an endpoint that changes nothing and sees one moment.
func read[In, Out any](a *api, e schemas.Endpoint[In, Out], fn inTx[In, Out]) {
	call(a, e, func(ctx context.Context, in In) (out Out, err error) {
		err = a.Store.Read(ctx, func(tx *store.Tx) error {
			out, err = fn(ctx, tx, in)
			return err
		})
		return out, err
	})
}

// call mounts an endpoint that arranges its own transactions.
func call[In, Out any](a *api, e schemas.Endpoint[In, Out], fn alone[In, Out]) {
	info := e.Info()
	a.mount(info, func(w http.ResponseWriter, r *http.Request) error {
		body, err := readBody(w, r)
		if err != nil {
			return err
		}
		var in In
		warnings, err := decode(r, body, &in)
		if err != nil {
			return err
		}
		return respond(a, w, r, info.Status, in, fn, warnings)
	})
}

func respond[In, Out any](a *api, w http.ResponseWriter, r *http.Request, status int, in In, fn alone[In, Out], warnings []string) error {
	out, err := fn(r.Context(), in)
	if err != nil {
		return err
	}
	raw, err := encode(r.Context(), &out, warnings)
	if err != nil {
		return err
	}
	a.writeJSON(w, status, raw)
	return nil
}

// extras are members that any answer may carry.
type extras struct {
	Warnings []string `json:"warnings,omitempty"`
	schemas.Sandboxed
}

// encode writes an answer, marked where it belongs to test mode, with its warnings.
func encode[Out any](ctx context.Context, out *Out, warnings []string) ([]byte, error) {
	more := extras{Warnings: warnings}
	if account.From(ctx).Mode == account.Test {
		if marked, ok := any(out).(interface{ MarkSandbox() }); ok {
			marked.MarkSandbox()
		} else {
			more.MarkSandbox()
		}
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
