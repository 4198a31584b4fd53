package view

import (
	"time"

	"humanops-mcp/schemas"
)

// patience is how long to wait before asking again, by how long the round is open.
var patience = []struct {
	age     time.Duration
	seconds int
}{{time.Hour, 300}, {10 * time.Minute, 120}, {2 * time.Minute, 60}, {0, 25}}

// RetryAfter is how many seconds who asked for a request does well to wait. It grows while
// nobody decides: people take minutes or hours.
func RetryAfter(r schemas.Review, now time.Time) int {
	age := now.Sub(r.BroadcastedAt)
	for _, p := range patience {
		if age >= p.age {
			return p.seconds
		}
	}
	return patience[len(patience)-1].seconds
}
