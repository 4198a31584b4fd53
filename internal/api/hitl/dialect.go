package hitl

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"humanops-mcp/internal/api/dialect"
	"humanops-mcp/schemas"
)

// Settings are what the installation decides about the reviews contract.
type Settings struct {
	PerHour int      // calls of each key; 0 is no bound
	Origins []string // web origins whose pages may call
}

// Dialect is how reviews are spoken.
func Dialect(s Settings) dialect.Dialect {
	return dialect.Dialect{
		Contract: schemas.Reviews,
		Audience: schemas.Reviews.Name(), Scopes: &dialect.Scopes{Needed: scope, Denied: "Access denied to this resource"},
		Unproved: unproved, Challenges: dialect.Challenges,
		Statuses: dialect.Statuses, StatusOfRule: http.StatusBadRequest, Refuse: refuse, Answer: wrap, Polled: polled,
		Busy: "API rate limit exceeded",
		Quota: &dialect.Quota{
			PerHour: s.PerHour, Unlimited: 1_000_000, Uncounted: waits, Exceeded: "API key request limit exceeded",
			Limit: "X-RateLimit-Limit", Remaining: "X-RateLimit-Remaining", Reset: "X-RateLimit-Reset",
		},
		CORS: &dialect.CORS{
			Origins: s.Origins,
			Methods: "GET, POST, PUT, PATCH, DELETE",
			Headers: "Authorization, Content-Type, Idempotency-Key, If-None-Match",
			Expose:  "ETag, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-Id, Idempotent-Replayed",
		},
		Document: shape(),
	}
}

// scope is the scope that a key needs for an endpoint of reviews; "" is none.
func scope(info schemas.Info) string {
	if info.Path == schemas.CheckKey.Path {
		return ""
	}
	part := "requests"
	if info.Path == "/loops" || strings.HasPrefix(info.Path, "/loops/") && !strings.Contains(info.Path, "/requests") {
		part = "loops"
	}
	if info.Method == http.MethodGet {
		return part + ":read"
	}
	return part + ":write"
}

// unproved says in the contract's words why nobody was let in.
func unproved(a dialect.Attempt) error {
	message := "Invalid API key format"
	switch {
	case cmp.Or(a.Key, a.Token) == "":
		message = "Missing or invalid authorization header"
	case a.Info.Path == schemas.CheckKey.Path, a.IsSession:
		message = "Invalid authorization token"
	case a.IsKey:
		message = "Invalid API key"
	}
	return schemas.NewError(schemas.CodeUnauthenticated, message)
}

// waits tells whether calls of an endpoint wait, and so are few by themselves.
func waits(info schemas.Info) bool {
	return info.Kind == schemas.Events || strings.HasSuffix(info.Path, "/wait")
}

// paced tells a poller how a request stands and since when, and revised at which version.
type (
	paced interface {
		Standing() (status schemas.ReviewStatus, since time.Time)
	}
	revised interface{ Revision() string }
)

// polled tells a poller the version, and when to ask again.
func polled(out any, now time.Time) (p dialect.Poll) {
	if waited, ok := out.(*schemas.ReviewWait); ok {
		p.RetryAfter = waited.RetryAfter
	}
	if s, ok := out.(paced); ok {
		if status, since := s.Standing(); !status.Final() {
			p.RetryAfter = pace(now.Sub(since))
		}
	}
	if r, ok := out.(revised); ok {
		p.Revision = r.Revision()
	}
	return p
}

// pace is after how many seconds to ask again: seldom, where people take their time.
func pace(age time.Duration) int {
	switch {
	case age < time.Minute:
		return 5
	case age < 10*time.Minute:
		return 15
	}
	return 60
}
