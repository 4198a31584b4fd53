package webhook

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"humanops-mcp/internal/check"
	"humanops-mcp/schemas"
)

// Test is the event that tries an address out. It needs no subscription.
const Test = "webhook.test"

// Events are the events of the reviews contract that are sent.
var Events = []string{
	"request.created", "request.claimed", "request.completed", "request.timeout", "request.cancelled", "request.escalated",
	"loop.created", "loop.updated", "loop.deleted", "loop.member_joined", "loop.member_left",
}

// documented are events that the contract's pages name and that do not happen here.
// Subscribing to them is no mistake of the client's.
var documented = []string{
	"request.assigned", "loop.archived", "user.invited", "user.joined", "system.performance", "system.error",
	"api_key.limit_exceeded", "api_key.quota_warning", Test,
}

const (
	maxPattern = 200
	maxShown   = 64 // characters of what came, in a message
)

// Patterns checks what a webhook subscribes to, and brings it into the form that Listens
// reads: the loop of loop.<id>.<pattern> is looked up, so that a slug will do. Nothing is
// everything.
func Patterns(list []string, loop func(name string) (id string, err error)) ([]string, error) {
	if len(list) == 0 {
		return []string{"*"}, nil
	}
	out := make([]string, 0, len(list))
	for i, text := range list {
		text = strings.TrimSpace(text)
		p, err := pattern(fmt.Sprintf("events[%d]", i), text, loop)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out, nil
}

func pattern(field, text string, loop func(string) (string, error)) (string, error) {
	bare := strings.TrimPrefix(text, "!")
	not := text[:len(text)-len(bare)]
	if len(bare) > maxPattern {
		return "", schemas.Invalid(field, fmt.Sprintf("must have at most %d characters", maxPattern))
	}
	if known(bare) {
		return text, nil
	}
	name, rest, ofLoop := strings.Cut(strings.TrimPrefix(bare, "loop."), ".")
	if !ofLoop || !strings.HasPrefix(bare, "loop.") || !known(rest) {
		return "", unknown(field, bare)
	}
	id, err := loop(name)
	if schemas.ErrorCode(err) == schemas.CodeNotFound {
		return "", schemas.Invalid(field, fmt.Sprintf("names no loop that you can see; got %s. List the loops (GET /v1/api/loops) and use an id or slug from there", check.Quote(name, maxShown)))
	}
	return not + "loop." + id + "." + rest, err
}

// known tells whether text is an event, or a family of them, that means something.
func known(text string) bool {
	family, isFamily := strings.CutSuffix(text, "*")
	if isFamily && family == "" {
		return true
	}
	for _, event := range slices.Concat(Events, documented) {
		if text == event || isFamily && strings.HasSuffix(family, ".") && strings.HasPrefix(event, family) {
			return true
		}
	}
	return false
}

func unknown(field, text string) error {
	hint := ""
	best := max(2, len(text)/3) + 1
	if len(text) <= maxPattern/2 {
		for _, event := range append([]string{"*", "request.*", "loop.*"}, Events...) {
			if d := levenshtein.ComputeDistance(strings.ToLower(text), event); d < best {
				best, hint = d, "; did you mean "+event+"?"
			}
		}
	}
	return schemas.Invalid(field, fmt.Sprintf("must be an event or a pattern; got %s%s Known are %s, and the patterns *, request.*, loop.*, loop.<id>.* and !<pattern>",
		check.Quote(text, maxShown), ending(hint), strings.Join(Events, ", ")))
}

func ending(hint string) string {
	if hint == "" {
		return "."
	}
	return hint
}

// Listens tells whether patterns ask for an event of a loop. What one with ! names is
// left out, whatever else asks for it; where all have a !, the rest is asked for.
func Listens(patterns []string, event, loopID string) bool {
	asked, positive := false, false
	for _, p := range patterns {
		bare, not := strings.CutPrefix(p, "!")
		hit := matches(bare, event, loopID)
		if not && hit {
			return false
		}
		positive = positive || !not
		asked = asked || !not && hit
	}
	return asked || !positive
}

func matches(p, event, loopID string) bool {
	if rest, ofLoop := strings.CutPrefix(p, "loop."+loopID+"."); ofLoop && loopID != "" {
		p = rest
	}
	family, isFamily := strings.CutSuffix(p, "*")
	return p == event || isFamily && strings.HasPrefix(event, family)
}
