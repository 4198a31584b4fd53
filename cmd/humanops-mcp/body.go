package main

import (
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	bodyPause = time.Minute      // between two pieces of a request's body
	bodyTime  = 20 * time.Minute // for all of it: an upload by a slow phone
)

// withBodyTime cuts off who begins to send and then goes silent: the server has no limit
// for a whole request, because answers may wait for people.
func withBodyTime(next http.Handler, pause, whole time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			b := &timedBody{ReadCloser: r.Body, connection: http.NewResponseController(w), pause: pause, end: time.Now().Add(whole)}
			b.allow()
			r.Body = b
		}
		next.ServeHTTP(w, r)
	})
}

// timedBody moves the connection's deadline on with every piece, and takes it away at the
// end: from then on a long answer must not be taken for a silent caller.
type timedBody struct {
	io.ReadCloser
	connection *http.ResponseController
	pause      time.Duration
	end        time.Time
	renew      time.Time // a deadline just set need not be moved for every piece
}

func (b *timedBody) Read(p []byte) (int, error) {
	b.allow()
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		_ = b.connection.SetReadDeadline(time.Time{}) // best effort, as below
	}
	return n, err
}

func (b *timedBody) allow() {
	now := time.Now() // a connection's deadlines are the machine's time
	if now.Before(b.renew) {
		return
	}
	b.renew = now.Add(b.pause / 20)
	until := now.Add(b.pause)
	if until.After(b.end) {
		until = b.end
	}
	_ = b.connection.SetReadDeadline(until) // best effort: some listeners have no deadlines
}
