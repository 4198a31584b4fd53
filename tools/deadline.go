package tools

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"humanops-mcp/internal/clock"
	"humanops-mcp/schemas"
)

const (
	defaultDeadline = "24h"
	deadlineMemory  = 24 * time.Hour
	maxDeadlines    = 1000
)

var (
	durationForm = regexp.MustCompile(`^(\d+(\.\d+)?[wdhm])+$`)
	durationPart = regexp.MustCompile(`(\d+(?:\.\d+)?)([wdhm])`)
	unitLength   = map[string]time.Duration{"w": 7 * 24 * time.Hour, "d": 24 * time.Hour, "h": time.Hour, "m": time.Minute}
)

// parseDeadline reads RFC 3339, or a time from now such as 4h, 90m, 2d, 1d12h.
func parseDeadline(text string, now time.Time) (t time.Time, relative bool, err error) {
	text = strings.TrimSpace(text)
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.UTC(), false, nil
	}
	compact := strings.ToLower(strings.ReplaceAll(text, " ", ""))
	if len(compact) > 20 || !durationForm.MatchString(compact) {
		return time.Time{}, false, schemas.Invalid("deadline", fmt.Sprintf("must be RFC 3339 or a time from now; got %.40q. Example: 4h, 2d or 2030-02-07T18:00:00Z", text))
	}
	hours := 0.0
	for _, part := range durationPart.FindAllStringSubmatch(compact, -1) {
		n, _ := strconv.ParseFloat(part[1], 64)
		hours += n * unitLength[part[2]].Hours()
	}
	if hours <= 0 || hours > 366*24 {
		return time.Time{}, false, schemas.Invalid("deadline", fmt.Sprintf("must be between 1 minute and 366 days from now; got %.40q. Example: 4h", text))
	}
	return now.Add(time.Duration(hours * float64(time.Hour))).Truncate(time.Second), true, nil
}

// deadlines remembers what "4h" meant the first time a key was used, so that a call
// repeated under its key says the same and is recognised.
type deadlines struct {
	clock clock.Clock
	mu    sync.Mutex
	kept  map[string]keptDeadline
}

type keptDeadline struct{ deadline, keptUntil time.Time }

// resolve reads text; with a key, a time from now counts from the key's first use.
func (d *deadlines) resolve(text, key string) (time.Time, error) {
	now := d.clock.Now()
	t, relative, err := parseDeadline(text, now)
	if err != nil || !relative || key == "" {
		return t, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	id := key + "\n" + text
	if kept, ok := d.kept[id]; ok && now.Before(kept.keptUntil) {
		return kept.deadline, nil
	}
	if len(d.kept) >= maxDeadlines || d.kept == nil {
		d.kept = map[string]keptDeadline{}
	}
	d.kept[id] = keptDeadline{t, now.Add(deadlineMemory)}
	return t, nil
}
