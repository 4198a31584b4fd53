package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
)

func TestBodyTime(t *testing.T) {
	const pause = 50 * time.Millisecond
	half := func(t *testing.T, handler http.HandlerFunc) *bufio.Reader {
		t.Helper()
		srv := httptest.NewServer(withBodyTime(handler, pause, time.Hour))
		t.Cleanup(srv.Close)
		conn, err := net.Dial("tcp", srv.Listener.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
		_, err = fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf of it")
		require.NoError(t, err)
		return bufio.NewReader(conn)
	}
	t.Run("a caller that goes silent within a body is cut off", func(t *testing.T) {
		read := make(chan error, 1)
		half(t, func(_ http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			read <- err
		})
		var timeout net.Error
		require.ErrorAs(t, <-read, &timeout)
		require.True(t, timeout.Timeout())
	})
	t.Run("also when nobody reads the body", func(t *testing.T) {
		conn := half(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
		_, err := io.ReadAll(conn)
		require.NoError(t, err, "the server ends the connection")
	})
	t.Run("a long answer is no silence", func(t *testing.T) {
		srv := httptest.NewServer(withBodyTime(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			select {
			case <-r.Context().Done():
				w.WriteHeader(http.StatusTeapot)
			case <-clock.System().After(3 * pause):
			}
		}), pause, time.Hour))
		defer srv.Close()
		resp, err := http.Post(srv.URL, "text/plain", http.NoBody)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.StatusCode)
		resp, err = http.Post(srv.URL, "text/plain", io.LimitReader(zeros{}, 1000))
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.StatusCode)
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
