package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/api/dialect"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

type (
	inTx[In, Out any]  = func(ctx context.Context, tx *store.Tx, in In) (Out, error)
	alone[In, Out any] = func(ctx context.Context, in In) (Out, error)
)

// mount puts one endpoint on the mux, under every prefix of its contract, behind
// authentication and limits.
func (a *api) mount(info schemas.Info, serve func(w http.ResponseWriter, r *http.Request) error) {
	a.mounted = append(a.mounted, info)
	d := a.dialect(info)
	handler := func(w http.ResponseWriter, r *http.Request) {
		known, err := a.admit(w, r, &info, d)
		if err == nil {
			err = serve(w, known)
		}
		if err != nil {
			a.fail(w, r, err)
		}
	}
	for _, pattern := range info.Patterns() {
		a.mux.HandleFunc(pattern, handler)
	}
}

// admit proves the caller, counts the call, and gives the request that carries the caller.
// It is apart from the handler so that calls that wait do not hold the room that it takes.
func (a *api) admit(w http.ResponseWriter, r *http.Request, info *schemas.Info, d *dialect.Dialect) (*http.Request, error) {
	caller, err := a.authenticate(r, *info, d)
	rec := recordOf(r)
	rec.caller, rec.via, rec.test = caller.ID(), caller.Via, caller.Mode == account.Test
	if err == nil {
		err = a.limit(w, r, caller, *info, d)
	}
	if err != nil {
		return nil, err
	}
	return r.WithContext(account.With(r.Context(), caller)), nil
}

// limit counts the call against its caller, or its address where there is no caller; and
// against the hour's allowance of its contract, whose headers tell of nothing else.
func (a *api) limit(w http.ResponseWriter, r *http.Request, caller account.Caller, info schemas.Info, d *dialect.Dialect) (err error) {
	limiter, key := a.callers, caller.ID()+caller.Mode
	if key == "" {
		limiter, key = a.strangers, recordOf(r).ip
		if info.Access&schemas.Link != 0 {
			limiter = a.callers // a page of signed photos is many calls
		}
	}
	quota := a.quotaOf(info.Contract)
	left := quota.of(caller.KeyID)
	switch {
	case limiter != nil && limiter.OnLimit(w, r, key):
		err = &schemas.Error{Code: schemas.CodeRateLimited, Message: d.Busy, RetryAfterSeconds: 60}
	case !quota.Uncounted(info):
		left, err = quota.take(caller.KeyID)
	}
	quota.show(w, left)
	return err
}

// options of an endpoint that changes something.
type options[Out any] struct {
	object func(Out) string // set where the answer holds a secret: the id of what was made
	spell  spelling         // set where the body comes in several spellings
}

// spelling turns a body of any spelling into the one that the schemas describe.
type spelling func(raw []byte) (canonical []byte, warnings []string, err error)

// write mounts an endpoint that changes something: one transaction, and with an
// Idempotency-Key at most once.
func write[In, Out any](a *api, e schemas.Endpoint[In, Out], fn inTx[In, Out]) {
	mountWrite(a, e.Info(), fn, options[Out]{})
}

// writeSecret mounts an endpoint whose answer holds a secret: the answer is not kept,
// only the id of what was made. An answer for which object is "" holds none.
func writeSecret[In, Out any](a *api, e schemas.Endpoint[In, Out], fn inTx[In, Out], object func(Out) string) {
	mountWrite(a, e.Info(), fn, options[Out]{object: object})
}

// spelt is write for a body that comes in several spellings.
func spelt[In, Out any](a *api, e schemas.Endpoint[In, Out], spell spelling, fn inTx[In, Out]) {
	mountWrite(a, e.Info(), fn, options[Out]{spell: spell})
}

func mountWrite[In, Out any](a *api, info schemas.Info, fn inTx[In, Out], o options[Out]) {
	a.mount(info, func(w http.ResponseWriter, r *http.Request) error {
		body, err := readBody(w, r)
		if err != nil {
			return err
		}
		once, err := repeatable(r, info, body)
		if err != nil {
			return err
		}
		var in In
		warnings, err := decodeAs(r, o.spell, body, &in)
		if err != nil {
			return err
		}
		ans, err := once.write(r.Context(), a.Store, func(tx *store.Tx) (kept, error) {
			out, err := fn(r.Context(), tx, in)
			if err != nil {
				return kept{}, err
			}
			fresh := kept{answer: answer{status: info.Status}}
			if o.object != nil {
				fresh.objectID = o.object(out)
			}
			fresh.body, err = a.encode(r.Context(), info, &out, warnings)
			return fresh, err
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

// reading makes a method that needs a transaction one that arranges its own.
func reading[In, Out any](a *api, fn inTx[In, Out]) alone[In, Out] {
	return func(ctx context.Context, in In) (out Out, err error) {
		err = a.Store.Read(ctx, func(tx *store.Tx) error {
			out, err = fn(ctx, tx, in)
			return err
		})
		return out, err
	}
}

// read mounts an endpoint that changes nothing and sees one moment.
func read[In, Out any](a *api, e schemas.Endpoint[In, Out], fn inTx[In, Out]) {
	once := reading(a, fn)
	a.direct[e.Info().Pattern()] = asValues(once)
	call(a, e, once)
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
		return respond(a, w, r, info, in, fn, warnings)
	})
}

// parked mounts an endpoint that waits. Thousands may wait at once, so what the answer
// needs is not there while they do: until only waits, and answer is called when it is over.
func parked[In, Out any](a *api, e schemas.Endpoint[In, Out], until func(ctx context.Context, in In) error, answer alone[In, Out]) {
	info := e.Info()
	a.mount(info, func(w http.ResponseWriter, r *http.Request) error {
		var in In
		warnings, err := decode(r, nil, &in)
		if err != nil {
			return err
		}
		if err := until(r.Context(), in); err != nil {
			return err
		}
		return respond(a, w, r, info, in, answer, warnings)
	})
}

func respond[In, Out any](a *api, w http.ResponseWriter, r *http.Request, info schemas.Info, in In, fn alone[In, Out], warnings []string) error {
	out, err := fn(r.Context(), in)
	if err != nil {
		return err
	}
	if info.Method == http.MethodGet && polled(w, r, a.dialect(info).Polled(&out, a.Clock.Now())) {
		quota := a.quotaOf(info.Contract)
		quota.show(w, quota.giveBack(account.From(r.Context()).KeyID))
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	raw, err := a.encode(r.Context(), info, &out, warnings)
	if err != nil {
		return err
	}
	a.writeJSON(w, info.Status, raw)
	return nil
}

// polled sets what callers that come again go by. It tells whether the caller knows the
// version already.
func polled(w http.ResponseWriter, r *http.Request, p dialect.Poll) (unchanged bool) {
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	if p.Revision == "" {
		return false
	}
	tag := `"` + p.Revision + `"`
	w.Header().Set("ETag", tag)
	for _, known := range strings.Split(strings.Join(r.Header.Values("If-None-Match"), ","), ",") {
		known = strings.TrimPrefix(strings.TrimSpace(known), "W/")
		if known == tag || known == "*" {
			return true
		}
	}
	return false
}

// encode writes an answer in its contract's shape, marked where it belongs to test mode,
// with its warnings. out is a pointer to the answer.
func (a *api) encode(ctx context.Context, info schemas.Info, out any, warnings []string) ([]byte, error) {
	return a.dialect(info).Answer(out, dialect.About{Warnings: warnings, Test: account.From(ctx).Mode == account.Test})
}
