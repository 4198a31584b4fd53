package api

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"humanops-mcp/internal/api/dialect"
	"humanops-mcp/internal/clock"
	"humanops-mcp/schemas"
)

const (
	quotaWindow = time.Hour
	maxCounted  = 10_000 // keys; beyond it those whose hour is over are forgotten
)

// quota counts the calls of each key of one contract within the hour that begins with its
// first.
type quota struct {
	*dialect.Quota
	clock clock.Clock

	mu   sync.Mutex
	used map[string]*dialect.Usage // by key id
}

func newQuota(rule *dialect.Quota, clk clock.Clock) *quota {
	return &quota{Quota: rule, clock: clk, used: map[string]*dialect.Usage{}}
}

// untouched is what a caller has who has used nothing.
func (q *quota) untouched() dialect.Usage {
	u := dialect.Usage{Limit: q.Unlimited, ResetAt: q.clock.Now().Add(quotaWindow)}
	if q.PerHour > 0 {
		u.Limit = q.PerHour
	}
	return u
}

// of is where a key stands now.
func (q *quota) of(keyID string) dialect.Usage {
	q.mu.Lock()
	defer q.mu.Unlock()
	if u := q.used[keyID]; u != nil && q.clock.Now().Before(u.ResetAt) {
		return *u
	}
	return q.untouched()
}

// take counts a call. Without a limit, and for people, nothing is counted.
func (q *quota) take(keyID string) (dialect.Usage, error) {
	if q.PerHour <= 0 || keyID == "" {
		return q.untouched(), nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.clock.Now()
	u := q.used[keyID]
	if u == nil || !now.Before(u.ResetAt) {
		q.forget(now)
		u = &dialect.Usage{Limit: q.PerHour, ResetAt: now.Add(quotaWindow)}
		q.used[keyID] = u
	}
	if u.Count >= u.Limit {
		return *u, &quotaError{*u, q.Exceeded, int(u.ResetAt.Sub(now)/time.Second) + 1}
	}
	u.Count++
	return *u, nil
}

// giveBack takes a call out of the count: one that told the caller nothing new.
func (q *quota) giveBack(keyID string) dialect.Usage {
	q.mu.Lock()
	if u := q.used[keyID]; u != nil && u.Count > 0 {
		u.Count--
	}
	q.mu.Unlock()
	return q.of(keyID)
}

func (q *quota) forget(now time.Time) {
	if len(q.used) < maxCounted {
		return
	}
	for key, u := range q.used {
		if !now.Before(u.ResetAt) {
			delete(q.used, key)
		}
	}
}

// show sets the contract's headers, which every answer has.
func (q *quota) show(w http.ResponseWriter, u dialect.Usage) {
	if q.Limit == "" {
		return
	}
	header := w.Header()
	header.Set(q.Limit, strconv.Itoa(u.Limit))
	header.Set(q.Remaining, strconv.Itoa(u.Remaining()))
	header.Set(q.Reset, strconv.FormatInt(u.ResetAt.Unix(), 10))
}

// quotaError refuses a call for whose key the hour's allowance is used up.
type quotaError struct {
	usage             dialect.Usage
	message           string
	retryAfterSeconds int
}

func (o *quotaError) Error() string { return o.message }

// Unwrap makes it an error of the API.
func (o *quotaError) Unwrap() error {
	return &schemas.Error{Code: schemas.CodeRateLimited, Message: o.message, RetryAfterSeconds: o.retryAfterSeconds}
}
