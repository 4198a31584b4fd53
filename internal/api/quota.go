package api

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"humanops-mcp/internal/clock"
	"humanops-mcp/schemas"
)

const (
	quotaWindow = time.Hour
	unlimited   = 1_000_000 // what is told where there is no limit
	maxCounted  = 10_000    // keys; beyond it those whose hour is over are forgotten
)

// quota counts the calls of each key within the hour that begins with its first.
type quota struct {
	limit int
	clock clock.Clock

	mu   sync.Mutex
	used map[string]*usage // by key id
}

// usage is where a key stands.
type usage struct {
	limit, count int
	resetAt      time.Time
}

func newQuota(limit int, clk clock.Clock) *quota {
	return &quota{limit: limit, clock: clk, used: map[string]*usage{}}
}

// untouched is what a caller has who has used nothing.
func (q *quota) untouched() usage {
	u := usage{limit: unlimited, resetAt: q.clock.Now().Add(quotaWindow)}
	if q.limit > 0 {
		u.limit = q.limit
	}
	return u
}

// of is where a key stands now.
func (q *quota) of(keyID string) usage {
	q.mu.Lock()
	defer q.mu.Unlock()
	if u := q.used[keyID]; u != nil && q.clock.Now().Before(u.resetAt) {
		return *u
	}
	return q.untouched()
}

// take counts a call. Without a limit, and for people, nothing is counted.
func (q *quota) take(keyID string) (usage, error) {
	if q.limit <= 0 || keyID == "" {
		return q.untouched(), nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.clock.Now()
	u := q.used[keyID]
	if u == nil || !now.Before(u.resetAt) {
		q.forget(now)
		u = &usage{limit: q.limit, resetAt: now.Add(quotaWindow)}
		q.used[keyID] = u
	}
	if u.count >= u.limit {
		return *u, &quotaError{*u, int(u.resetAt.Sub(now)/time.Second) + 1}
	}
	u.count++
	return *u, nil
}

// giveBack takes a call out of the count: one that told the caller nothing new.
func (q *quota) giveBack(keyID string) usage {
	q.mu.Lock()
	if u := q.used[keyID]; u != nil && u.count > 0 {
		u.count--
	}
	q.mu.Unlock()
	return q.of(keyID)
}

func (q *quota) forget(now time.Time) {
	if len(q.used) < maxCounted {
		return
	}
	for key, u := range q.used {
		if !now.Before(u.resetAt) {
			delete(q.used, key)
		}
	}
}

func (u usage) remaining() int { return u.limit - u.count }

// write sets the contract's three headers, which every answer has.
func (u usage) write(w http.ResponseWriter) {
	header := w.Header()
	header.Set("X-RateLimit-Limit", strconv.Itoa(u.limit))
	header.Set("X-RateLimit-Remaining", strconv.Itoa(u.remaining()))
	header.Set("X-RateLimit-Reset", strconv.FormatInt(u.resetAt.Unix(), 10))
}

// quotaError refuses a call for whose key the hour's allowance is used up.
type quotaError struct {
	usage
	RetryAfterSeconds int
}

func (o *quotaError) Error() string { return "API key request limit exceeded" }

// Unwrap makes it an error of the API.
func (o *quotaError) Unwrap() error {
	return &schemas.Error{Code: schemas.CodeRateLimited, Message: o.Error(), RetryAfterSeconds: o.RetryAfterSeconds}
}

// allowance is the contract's account of a key, which one of its pages has in data and
// another at the top.
type allowance struct {
	UsageCount int       `json:"usage_count"`
	UsageLimit int       `json:"usage_limit"`
	Remaining  int       `json:"remaining"`
	ResetAt    time.Time `json:"reset_at"`
}

func (o *quotaError) refusal(rec *record) any {
	told := allowance{o.count, o.limit, o.remaining(), o.resetAt.UTC()}
	return struct {
		refused
		allowance
	}{refused{true, o.Error(), told, details{
		Code: schemas.CodeRateLimited, RetryAfterSeconds: o.RetryAfterSeconds, RequestID: rec.id, Sandboxed: rec.sandboxed(),
	}}, told}
}

// uncounted tells whether calls of an endpoint wait, and so are few by themselves.
func uncounted(info schemas.Info) bool {
	return info.Kind == schemas.Events || strings.HasSuffix(info.Path, "/wait")
}
