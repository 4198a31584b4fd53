package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	rest "humanops-mcp/client"
	"humanops-mcp/schemas"
)

// hostileFor is how long the hostile load lasts; HUMANOPS_HOSTILE_SECONDS sets it.
func hostileFor() time.Duration {
	seconds, err := strconv.Atoi(os.Getenv("HUMANOPS_HOSTILE_SECONDS"))
	if err != nil {
		seconds = 3
	}
	return time.Duration(seconds) * time.Second
}

// hostile is what callers of bad will do, each several at a time and without a pause.
var hostile = map[string]func(ctx context.Context, p *platform, n int64){
	"keys that nobody has": func(ctx context.Context, p *platform, n int64) {
		send(ctx, p, http.MethodGet, "/api/v1/tasks", fmt.Sprintf("ho_live_%d", n), nil)
	},
	"a body without an end": func(ctx context.Context, p *platform, _ int64) {
		send(ctx, p, http.MethodPost, "/api/v1/tasks", p.cred.TestKey, io.LimitReader(endless{}, 64<<20))
	},
	"JSON of a hundred thousand levels": func(ctx context.Context, p *platform, _ int64) {
		send(ctx, p, http.MethodPost, "/v1/requests", p.cred.TestKey, strings.NewReader(`{"request_text":`+strings.Repeat("[", 100_000)))
	},
	"messages that are no protocol": func(ctx context.Context, p *platform, n int64) {
		send(ctx, p, http.MethodPost, "/mcp", p.cred.TestKey, strings.NewReader(fmt.Sprintf(`[{"jsonrpc":"2.0","id":%d,"method":"x"}`, n)))
	},
	"a request that is never finished": func(ctx context.Context, p *platform, _ int64) {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(p.url, "http://"))
		if err != nil {
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		fmt.Fprintf(conn, "POST /api/v1/tasks HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: %s\r\nContent-Length: 100000\r\n\r\n{", p.cred.TestKey)
		_, _ = io.Copy(io.Discard, conn) // until the deadline
	},
	"test tasks, as long as there is an end to the work they make": func(ctx context.Context, p *platform, n int64) {
		if n > 1000 {
			<-ctx.Done()
			return
		}
		simulateUntilKilled(ctx, p.api(rest.Options{APIKey: p.cred.TestKey}))
	},
}

type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

// send sends and forgets: what matters is what it does to others.
func send(ctx context.Context, p *platform, method, path, key string, body io.Reader) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, p.url+path, body)
	if err != nil {
		return
	}
	request.Header.Set("X-API-Key", key)
	request.Header.Set("Authorization", "Bearer "+key)
	request.Header.Set("Content-Type", "application/json")
	if response, err := http.DefaultClient.Do(request); err == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
		response.Body.Close()
	}
}

// While strangers and a test key do their worst, an agent with a live key is served, and
// afterwards nothing is wrong.
func TestHostile_load_takes_nothing_from_a_live_agent(t *testing.T) { onBoth(t, hostileLoad) }

func hostileLoad(t *testing.T, settings ...string) {
	p := serve(t, append(settings, "HUMANOPS_MARKETPLACE_SIMULATED_STEP=5ms")...)
	p.run("people", "add", "Ada")
	ctx, cancel := context.WithTimeout(t.Context(), hostileFor())
	defer cancel()
	var callers sync.WaitGroup
	var sent atomic.Int64
	for _, act := range hostile {
		for range 3 {
			callers.Go(func() {
				for ctx.Err() == nil {
					act(ctx, p, sent.Add(1))
				}
			})
		}
	}
	worst, posted := honest(t, ctx, p)
	callers.Wait()
	t.Logf("%d hostile calls in %s; %d tasks posted beside them, the slowest in %s; %d MiB resident", sent.Load(), hostileFor(), posted, worst, residentMiB(t, p.pid))
	require.Positive(t, posted)
	require.Less(t, worst, 10*time.Second)
	require.Less(t, residentMiB(t, p.pid), 512)
	require.NotContains(t, p.logs(), "failed by a panic")
	requireAllPaid(t, p)
	report, err := p.api(rest.Options{Token: p.cred.OwnerToken}).GetCheck(t.Context(), schemas.CheckRequest{})
	require.NoError(t, err)
	require.True(t, report.Exact, report.Problem)
}

// honest posts one task after the other, each of which has to succeed, and gives how long
// the slowest took and how many there were.
func honest(t *testing.T, ctx context.Context, p *platform) (worst time.Duration, posted int) {
	t.Helper()
	api := p.api(rest.Options{APIKey: p.cred.LiveKey})
	for ; ctx.Err() == nil; posted++ {
		begin := time.Now()
		_, err := api.PostTask(t.Context(), freeTask(fmt.Sprintf("honest %d", posted)))
		require.NoError(t, err)
		worst = max(worst, time.Since(begin))
	}
	return worst, posted
}

// residentMiB is the memory that a process has; 0 where there is no /proc.
func residentMiB(t *testing.T, pid int) int {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(raw, []byte("VmRSS:"))
	var kib int
	_, err = fmt.Sscanf(string(rest), "%d", &kib)
	require.NoError(t, err)
	return kib >> 10
}
