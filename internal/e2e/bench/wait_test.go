package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/client"
	"humanops-mcp/schemas"
)

const (
	asked         = 1000
	waitersOfEach = 10
	decisionsASec = 100
)

// served is a platform of the built program, and who may use it.
type served struct {
	address, liveKey, ownerToken string
	pid                          int
}

func servePlatform(b *testing.B, ours string) served {
	b.Helper()
	env, dir := folder(b, ours)
	cmd := command(ours, env, "serve")
	require.NoError(b, cmd.Start())
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	var status struct {
		Address string
		PID     int
	}
	require.Eventually(b, func() bool {
		out, err := command(ours, env, "status", "--json").Output()
		return err == nil && json.Unmarshal(out, &status) == nil && status.Address != ""
	}, 20*time.Second, 50*time.Millisecond)
	var keys struct {
		LiveKey    string `json:"live_key"`
		OwnerToken string `json:"owner_token"`
	}
	raw, err := os.ReadFile(filepath.Join(dir, "credentials"))
	require.NoError(b, err)
	require.NoError(b, json.Unmarshal(raw, &keys))
	return served{status.Address, keys.LiveKey, keys.OwnerToken, status.PID}
}

// askMany makes the requests that everybody then waits for.
func (p served) askMany(b *testing.B) []string {
	b.Helper()
	api, err := client.New(client.Options{BaseURL: "http://" + p.address, APIKey: p.liveKey})
	require.NoError(b, err)
	ids := make([]string, asked)
	for i := range ids {
		out, err := api.CreateReview(b.Context(), schemas.CreateReviewRequest{LoopID: "default", NewReview: schemas.NewReview{RequestText: fmt.Sprintf("Number %d?", i)}})
		require.NoError(b, err)
		ids[i] = out.RequestID
	}
	return ids
}

// parked is a caller that waits on a connection of its own.
type parked struct {
	id   string
	conn net.Conn
}

// park opens a connection for each waiter of each request and sends its wait.
func park(b *testing.B, address, key string, ids []string) []parked {
	b.Helper()
	waiters := make([]parked, 0, len(ids)*waitersOfEach)
	for _, id := range ids {
		for range waitersOfEach {
			conn, err := net.Dial("tcp", address)
			require.NoError(b, err)
			_, err = fmt.Fprintf(conn, "GET /v1/api/requests/%s/wait?timeout=300 HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", id, address, key)
			require.NoError(b, err)
			waiters = append(waiters, parked{id, conn})
		}
	}
	return waiters
}

// leave ends the waits: two servers' at once would be more connections than one process
// may have.
func leave(waiters []parked) {
	for _, w := range waiters {
		w.conn.Close()
	}
}

// settled waits until a process's memory has stopped growing.
func settled(b *testing.B, pid int) float64 {
	b.Helper()
	last := resident(b, pid)
	require.Eventually(b, func() bool {
		now := resident(b, pid)
		grown := now - last
		last = now
		return grown < 0.5
	}, 2*time.Minute, 3*time.Second)
	return last
}

// BenchmarkParkedWaits is what 10,000 callers cost who wait for a decision, against the
// same callers of bare net/http.
func BenchmarkParkedWaits(b *testing.B) {
	ours, bare := binaries(b)
	platform := servePlatform(b, ours)
	ids := platform.askMany(b)
	address, pid := startBare(b, bare, "park")
	idle, bareIdle := settled(b, platform.pid), settled(b, pid)
	for range b.N {
		waiters := park(b, platform.address, platform.liveKey, ids)
		mine := settled(b, platform.pid)
		leave(waiters)
		waiters = park(b, address, platform.liveKey, ids)
		theirs := settled(b, pid)
		leave(waiters)
		b.ReportMetric(mine-idle, "MB-parked")
		b.ReportMetric((mine-idle)/(theirs-bareIdle), "x-bare-parked")
		b.ReportMetric(mine/theirs, "x-bare-whole")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkWake is how long after a decision was sent its ten waiters have it, while a
// hundred decisions a second are made.
func BenchmarkWake(b *testing.B) {
	ours, _ := binaries(b)
	platform := servePlatform(b, ours)
	for range b.N {
		wakeAll(b, platform)
	}
	b.ReportMetric(0, "ns/op")
}

func wakeAll(b *testing.B, platform served) {
	b.Helper()
	ids := platform.askMany(b)
	waiters := park(b, platform.address, platform.liveKey, ids)
	defer leave(waiters)
	settled(b, platform.pid)
	answered := make([]time.Time, len(waiters))
	var waiting sync.WaitGroup
	for i, w := range waiters {
		waiting.Go(func() {
			if resp, err := http.ReadResponse(bufio.NewReaderSize(w.conn, 512), nil); err == nil && resp.StatusCode == http.StatusOK {
				answered[i] = time.Now()
			}
		})
	}
	sent := decideAll(b, platform, ids)
	waiting.Wait()
	delays := make([]time.Duration, len(waiters))
	for i, w := range waiters {
		require.False(b, answered[i].IsZero(), "a waiter got no answer")
		delays[i] = answered[i].Sub(sent[w.id])
	}
	slices.Sort(delays)
	b.ReportMetric(float64(delays[len(delays)/2].Microseconds())/1000, "ms-p50")
	b.ReportMetric(float64(delays[len(delays)*99/100].Microseconds())/1000, "ms-p99")
}

// decideAll sends the decisions at their pace, whether or not the ones before are done.
func decideAll(b *testing.B, platform served, ids []string) map[string]time.Time {
	b.Helper()
	api, err := client.New(client.Options{BaseURL: "http://" + platform.address, Token: platform.ownerToken})
	require.NoError(b, err)
	sent := map[string]time.Time{}
	failures := make([]error, len(ids))
	pace := time.NewTicker(time.Second / decisionsASec)
	defer pace.Stop()
	var deciding sync.WaitGroup
	for i, id := range ids {
		<-pace.C
		sent[id] = time.Now()
		deciding.Go(func() {
			_, failures[i] = api.DecideReview(context.Background(), schemas.DecideReviewRequest{RequestID: id, ResponseData: json.RawMessage(`"approved"`)})
		})
	}
	deciding.Wait()
	for _, err := range failures {
		require.NoError(b, err)
	}
	return sent
}
