// Package page holds the pages that people see: small templ components and the view
// structs that they show. It decides nothing; handlers fill the structs.
//
// Everything a person or an agent wrote is printed as escaped, plain text.
package page

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"humanops-mcp/schemas"
)

// Stamp is a moment as a page shows it: exact in UTC, and in words seen from now.
type Stamp struct {
	At, Now time.Time
}

// to is another moment, seen from the same now.
func (s Stamp) to(t time.Time) Stamp { return Stamp{t, s.Now} }

func (s Stamp) machine() string { return s.At.UTC().Format(time.RFC3339) }
func (s Stamp) exact() string   { return s.At.UTC().Format("2 Jan 2006, 15:04 UTC") }

// words is the moment seen from now: "in 4 hours", "2 days ago".
func (s Stamp) words() string {
	if s.At.After(s.Now) {
		return "in " + strings.TrimSpace(humanize.RelTime(s.At, s.Now, "", ""))
	}
	return humanize.RelTime(s.At, s.Now, "ago", "")
}

// chip is a status in the reader's words, with the colour it stands in.
type chip struct{ word, class string }

var chips = map[schemas.TaskStatus]chip{
	schemas.Posted:          {"Open", "info"},
	schemas.EstimatePending: {"Estimate sent", "wait"},
	schemas.Accepted:        {"Accepted", "go"},
	schemas.InProgress:      {"In progress", "go"},
	schemas.Submitted:       {"Being checked", "wait"},
	schemas.ManualReview:    {"Waiting for a decision", "wait"},
	schemas.Verified:        {"Approved", "go"},
	schemas.Paid:            {"Paid", "go"},
	schemas.Disputed:        {"Disputed", "bad"},
	schemas.Cancelled:       {"Cancelled", ""},
	schemas.Expired:         {"Expired", ""},
}

func chipOf(status string) chip {
	s, _ := schemas.ParseTaskStatus(status)
	if c, ok := chips[s]; ok {
		return c
	}
	return chip{status, ""}
}

// step is one part of a task's life as the indicator shows it.
type step struct {
	word          string
	done, current bool
}

// steps places a status on the five steps that a reader thinks in. A task that ended
// without payment shows no steps.
func steps(status string) []step {
	s, _ := schemas.ParseTaskStatus(status)
	at := map[schemas.TaskStatus]int{
		schemas.Posted: 0, schemas.EstimatePending: 0, schemas.Accepted: 1, schemas.InProgress: 2,
		schemas.Submitted: 3, schemas.ManualReview: 3, schemas.Disputed: 3, schemas.Verified: 4, schemas.Paid: 4,
	}
	here, ok := at[s]
	if !ok {
		return nil
	}
	words := []string{"Open", "Accepted", "At work", "Checked", "Paid"}
	out := make([]step, len(words))
	for i, w := range words {
		out[i] = step{w, i < here || s == schemas.Paid, i == here}
	}
	return out
}

// kindWords turns API_KEY_PROCUREMENT into "Api key procurement".
func kindWords(t schemas.TaskType) string {
	words := strings.ToLower(strings.ReplaceAll(string(t), "_", " "))
	if words == "" {
		return ""
	}
	return strings.ToUpper(words[:1]) + words[1:]
}

func reward(m schemas.Money) string {
	if m == 0 {
		return "No reward"
	}
	return m.Dollars()
}

// span is a length of time: 90 → "1 h 30 min".
func span(minutes int) string {
	var parts []string
	for _, unit := range []struct {
		size int
		word string
	}{{24 * 60, "d"}, {60, "h"}, {1, "min"}} {
		if n := minutes / unit.size; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, unit.word))
			minutes %= unit.size
		}
	}
	if len(parts) == 0 {
		return "0 min"
	}
	return strings.Join(parts, " ")
}

func coordinates(lat, lng float64) string {
	return strconv.FormatFloat(lat, 'f', 5, 64) + ", " + strconv.FormatFloat(lng, 'f', 5, 64)
}

// mapLink opens the place in the reader's own map; nothing is loaded from elsewhere.
func mapLink(l schemas.Location) string {
	if l.Lat == nil || l.Lng == nil {
		return "geo:0,0?q=" + url.QueryEscape(l.Address)
	}
	point := strconv.FormatFloat(*l.Lat, 'f', -1, 64) + "," + strconv.FormatFloat(*l.Lng, 'f', -1, 64)
	link := "geo:" + point + "?q=" + point
	if l.Address != "" {
		link += url.QueryEscape("(" + l.Address + ")")
	}
	return link
}

func placeWords(l schemas.Location) string {
	if l.Address != "" {
		return l.Address
	}
	if l.Lat == nil || l.Lng == nil {
		return ""
	}
	return coordinates(*l.Lat, *l.Lng)
}

func claimed(p schemas.ClaimedPlace) schemas.Location {
	return schemas.Location{Lat: &p.Lat, Lng: &p.Lng}
}

func accuracy(p schemas.ClaimedPlace) string {
	if p.AccuracyM <= 0 {
		return ""
	}
	return fmt.Sprintf(", within %.0f m", p.AccuracyM)
}

// verdictWords says plainly who looked, and what they looked at.
func verdictWords(v schemas.Verdict) string {
	switch v.Method {
	case "vision":
		return fmt.Sprintf("A vision model looked at the photos and gives %d of 100: %s.", v.Confidence, findingWords(v.Decision))
	case "completeness":
		return "Only completeness was checked: that the files came in. Nothing has looked at what the photos show."
	case "simulated":
		return fmt.Sprintf("A simulated check of test mode gives %d of 100: %s.", v.Confidence, findingWords(v.Decision))
	case "timeout":
		return "The automatic check did not answer in time, so a person must look."
	}
	return fmt.Sprintf("The check gives %d of 100: %s.", v.Confidence, findingWords(v.Decision))
}

func findingWords(decision string) string {
	switch decision {
	case "approved":
		return "they show what was asked"
	case "rejected":
		return "they do not show what was asked"
	}
	return "it cannot tell for sure"
}

func decisionWords(d schemas.Decision) string {
	word := done(d.Decision)
	if word == "" {
		word = d.Decision
	}
	via := map[string]string{
		"api": "by the agent, through the API", "page": "by a person, on the page", "link": "by a person, by the link in the mail",
		"passkey": "by a person, with a passkey", "cli": "by the owner, by command",
		"guardian": "by the automatic check", "timeout": "because nobody decided in time",
	}[d.DecidedVia]
	if via == "" {
		return word
	}
	return word + " " + via
}

func isOneOf(status string, states ...schemas.TaskStatus) bool {
	s, _ := schemas.ParseTaskStatus(status)
	return slices.Contains(states, s)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

func taskPath(task string) string { return "/tasks/" + url.PathEscape(task) }
