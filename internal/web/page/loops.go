package page

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"humanops-mcp/schemas"
)

// How much the form for a loop's settings has room for.
const (
	MaxPolicies = 5
	MaxSteps    = 10
	MaxCircles  = 10

	stepsShown   = 5
	circlesShown = 3
)

// LoopsPage lists the loops of the house, for owners.
type LoopsPage struct {
	Frame
	Loops []schemas.Loop
	Next  string
	Form  Form
}

// LoopPage is one loop, for owners.
type LoopPage struct {
	Frame
	Loop       schemas.Loop
	People     []schemas.Person
	Invitation *schemas.Invitation // just made
	Form       Form
	Settings   Form
	Localhost  string
	Now        Stamp
}

func (v LoopPage) members(status string) []schemas.Member {
	var out []schemas.Member
	for _, m := range v.Loop.Members {
		if m.Status == status {
			out = append(out, m)
		}
	}
	return out
}

// ofTheHouse tells whether the loop is one of the two that are always there.
func (v LoopPage) ofTheHouse() bool { return v.Loop.Slug == "default" || v.Loop.Slug == "proof" }

// Instant is a time as a form carries it unseen.
func Instant(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func (v LoopPage) path() string { return loopPath(v.Loop.ID) }

func loopPath(id string) string { return "/loops/" + url.PathEscape(id) }

// used is how many numbered places a form needs: those that hold something, one to add,
// and never fewer than are shown at first.
func used(f Form, shown, most int, holds func(i int) []string) int {
	n := shown
	for i := range most {
		for _, field := range holds(i) {
			if f.Values[field] != "" || len(f.Lists[field]) > 0 && f.Lists[field][0] != "" {
				n = max(n, i+2)
			}
		}
	}
	return min(n, most)
}

func policies(f Form) int {
	return used(f, 1, MaxPolicies, func(i int) []string {
		var out []string
		for s := range MaxSteps {
			out = append(out, fmt.Sprintf("p%d_s%d_to", i, s), fmt.Sprintf("p%d_s%d_after", i, s))
		}
		return out
	})
}

func stepsOf(f Form, p int) int {
	return used(f, stepsShown, MaxSteps, func(i int) []string {
		return []string{fmt.Sprintf("p%d_s%d_to", p, i), fmt.Sprintf("p%d_s%d_after", p, i)}
	})
}

func circles(f Form) int {
	return used(f, circlesShown, MaxCircles, func(i int) []string { return []string{fmt.Sprintf("c%d_to", i)} })
}

// SettingsFields names what repeats in the form, in its order.
func SettingsFields(f Form) []string {
	out := []string{"fail_closed", "passkey", "accept_unattended", "routing", "open", "order"}
	for i := range circles(f) {
		for _, field := range []string{"to", "mode", "threshold"} {
			out = append(out, fmt.Sprintf("c%d_%s", i, field))
		}
	}
	for p := range policies(f) {
		for _, field := range []string{"priorities", "repeat", "last"} {
			out = append(out, fmt.Sprintf("p%d_%s", p, field))
		}
		for i := range stepsOf(f, p) {
			for _, field := range []string{"after", "to", "channels"} {
				out = append(out, fmt.Sprintf("p%d_s%d_%s", p, i, field))
			}
		}
	}
	return out
}

// Span is a length of time as the form takes it: 600 is 10 min.
func Span(seconds int) string {
	switch {
	case seconds <= 0:
		return ""
	case seconds%86400 == 0:
		return strconv.Itoa(seconds/86400) + " d"
	case seconds%3600 == 0:
		return strconv.Itoa(seconds/3600) + " h"
	case seconds%60 == 0:
		return strconv.Itoa(seconds/60) + " min"
	}
	return strconv.Itoa(seconds) + " s"
}

var settingLabels = map[string]string{
	"after_seconds": "The time", "to": "Who is told", "channels": "The channels", "priorities": "The priorities", "repeat": "How often it repeats",
	"last": "What follows", "threshold": "How many equal answers", "of": "How many people", "mode": "Who decides", "order": "The order",
	"lease_seconds": "The lease of a claim", "claim_seconds": "The time to claim", "decide_seconds": "The time to decide", "warn_seconds": "The warning",
	"steps": "The steps", "escalation": "The escalation", "passkey": "Demanding passkeys", "routing": "The routing", "fail_closed": "Failing closed",
}

// SettingLabel is a setting's name in words.
func SettingLabel(name string) string {
	if label := settingLabels[name]; label != "" {
		return label
	}
	return fieldName(name)
}

type pick struct{ value, label string }

var (
	routings   = []pick{{"broadcast", "Tell everybody; one claims it"}, {"round_robin", "One after the other, in turn"}, {"least_loaded", "Whoever has the least before them"}}
	modes      = []pick{{"first", "The first answer counts"}, {"all", "Everybody has to answer"}, {"quorum", "So many equal answers decide"}}
	orders     = []pick{{"sequential", "One circle after the other"}, {"parallel", "All circles at once"}}
	lasts      = []pick{{"keep_open", "Leave it to the request's own time-out"}, {"default", "The default answer counts"}, {"cancel", "Cancel the request"}}
	priorities = []pick{{"low", "Low"}, {"medium", "Medium"}, {"high", "High"}, {"critical", "Critical"}}
	channels   = []pick{{"mail", "Mail"}, {"chat", "Chat"}, {"page", "Page"}}
)

func settingsSummary(l schemas.Loop) string {
	parts := []string{plural(l.MemberCount, "member", "members")}
	if l.PendingCount > 0 {
		parts = append(parts, plural(l.PendingCount, "waits to be admitted", "wait to be admitted"))
	}
	if l.Settings.FailClosed {
		parts = append(parts, "fails closed")
	}
	if l.Settings.Passkey {
		parts = append(parts, "passkeys only")
	}
	return strings.Join(parts, " · ")
}

// GroupsPage lists the groups, for owners.
type GroupsPage struct {
	Frame
	Groups []schemas.Group
	People []schemas.Person
	Form   Form
}

func membersOf(g schemas.Group) string {
	names := make([]string, len(g.Members))
	for i, p := range g.Members {
		names[i] = p.Name
	}
	return strings.Join(names, ", ")
}
