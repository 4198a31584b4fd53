package client

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// isLocal tells whether a transport does not leave this process.
func isLocal(rt http.RoundTripper) bool {
	_, ok := rt.(inProcess)
	return ok
}

// InProcess calls a handler of the same process, without a connection.
func InProcess(h http.Handler) http.RoundTripper { return inProcess{h} }

type inProcess struct{ handler http.Handler }

// RoundTrip runs the handler in the caller's goroutine and keeps the whole answer: the
// client bounds what it reads, and a hand-over between goroutines would cost more than
// the call.
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	in.RemoteAddr = "in process"
	in.Host = cmp.Or(r.Host, r.URL.Host)
	if in.Body == nil {
		in.Body = http.NoBody
	}
	a := &answer{header: make(http.Header)}
	if err := t.serve(a, in); err != nil {
		return nil, err
	}
	a.WriteHeader(http.StatusOK)
	return &http.Response{
		Status: fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.sent, Body: io.NopCloser(&a.body), ContentLength: int64(a.body.Len()), Request: r,
	}, nil
}

func (t inProcess) serve(a *answer, r *http.Request) (err error) {
	defer r.Body.Close()
	defer func() {
		if recover() != nil {
			err = errors.New("the platform broke off the call")
		}
	}()
	t.handler.ServeHTTP(a, r)
	return r.Context().Err()
}

// answer is the http.ResponseWriter of an in-process call.
type answer struct {
	header http.Header
	sent   http.Header // as it was when the status was written
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if status >= 200 && a.status == 0 {
		a.status, a.sent = status, a.header.Clone()
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}
