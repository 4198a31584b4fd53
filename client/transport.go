package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
)

// localTransport marks the transports that do not leave this machine.
type localTransport interface{ local() }

func isLocal(rt http.RoundTripper) bool {
	_, ok := rt.(localTransport)
	return ok
}

// Socket reaches a platform over its owner-only unix socket.
func Socket(path string) http.RoundTripper {
	dialer := &net.Dialer{}
	return socket{&http.Transport{
		MaxIdleConnsPerHost: 16,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", path)
		},
	}}
}

type socket struct{ *http.Transport }

func (socket) local() {}

// InProcess calls a handler of the same process, without a connection.
func InProcess(h http.Handler) http.RoundTripper { return inProcess{h} }

type inProcess struct{ handler http.Handler }

func (inProcess) local() {}

// RoundTrip runs the handler beside the caller and hands over the answer as soon as
// its header is written; the body follows through a pipe.
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	in := r.Clone(ctx)
	in.RequestURI = r.URL.RequestURI()
	in.RemoteAddr = "127.0.0.1:0"
	in.Host = r.URL.Host
	if r.Host != "" {
		in.Host = r.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	reader, writer := io.Pipe()
	a := &answer{header: make(http.Header), body: writer, ready: make(chan struct{})}
	go t.serve(a, in)
	select {
	case <-a.ready:
	case <-ctx.Done():
		cancel()
		reader.CloseWithError(r.Context().Err())
		return nil, r.Context().Err()
	}
	if a.failed != nil {
		cancel()
		return nil, a.failed
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.sent, Body: body{reader, cancel}, ContentLength: -1, Request: r,
	}, nil
}

func (t inProcess) serve(a *answer, r *http.Request) {
	defer r.Body.Close()
	defer func() {
		if p := recover(); p != nil {
			a.fail(errors.New("the platform broke off the call"))
			return
		}
		a.WriteHeader(http.StatusOK)
		a.body.Close()
	}()
	t.handler.ServeHTTP(a, r)
}

// answer is the http.ResponseWriter of an in-process call.
type answer struct {
	header http.Header
	sent   http.Header // as it was when the status was written
	status int
	failed error
	body   *io.PipeWriter
	once   sync.Once
	ready  chan struct{}
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if status < 200 {
		return
	}
	a.once.Do(func() {
		a.status, a.sent = status, a.header.Clone()
		close(a.ready)
	})
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// Flush has nothing to do: the pipe holds nothing back.
func (a *answer) Flush() { a.WriteHeader(http.StatusOK) }

func (a *answer) fail(err error) {
	a.once.Do(func() {
		a.failed = err
		close(a.ready)
	})
	a.body.CloseWithError(err)
}

// body ends the call when its reader is done with it.
type body struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b body) Close() error {
	err := b.ReadCloser.Close()
	b.cancel()
	return err
}
