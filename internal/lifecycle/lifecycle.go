// Package lifecycle is what everything with a state shares: a table that says which event
// leads from which state to which, and nothing else does.
package lifecycle

import (
	"fmt"
	"slices"
	"strings"

	"humanops-mcp/schemas"
)

// Rule is one row: in From, on Event, when the guard holds, the next state is To. Of
// several rules for a state and an event the first whose guard holds is taken.
type Rule[S, E ~string, G any] struct {
	From  S
	Event E
	To    S
	Guard Guard[G] // the zero guard always holds
}

// Guard is a condition on what is known besides the state, with its words in the drawing.
type Guard[G any] struct {
	Label string
	Holds func(G) bool
}

// When makes a guard: When("fits before the deadline", func(f Facts) bool { … }).
func When[G any](label string, holds func(G) bool) Guard[G] {
	return Guard[G]{Label: label, Holds: holds}
}

func (g Guard[G]) holds(given G) bool { return g.Holds == nil || g.Holds(given) }

// Table is a whole life. It is a pure value: who stores the state makes the change
// conditional on the state that the table was asked about.
type Table[S, E ~string, G any] struct {
	noun   string
	states []S
	events []E
	rules  []Rule[S, E, G]
}

// New makes the table of a noun ("task"). A life begins in the first rule's state; states
// and events are listed and drawn in the order in which rules start from them. It panics
// on a rule that can never be taken, because an earlier one always wins.
func New[S, E ~string, G any](noun string, rules []Rule[S, E, G]) *Table[S, E, G] {
	t := &Table[S, E, G]{noun: noun, rules: rules}
	for i, r := range rules {
		if slices.ContainsFunc(rules[:i], func(o Rule[S, E, G]) bool {
			return o.From == r.From && o.Event == r.Event && o.Guard.Holds == nil
		}) {
			panic(fmt.Sprintf("lifecycle: in %s an earlier rule always wins over %s --%s--> %s", noun, r.From, r.Event, r.To))
		}
		t.states = add(t.states, r.From)
		t.events = add(t.events, r.Event)
	}
	for _, r := range rules {
		t.states = add(t.states, r.To)
	}
	return t
}

func add[T comparable](list []T, item T) []T {
	if slices.Contains(list, item) {
		return list
	}
	return append(list, item)
}

// Noun is what the life is of.
func (t *Table[S, E, G]) Noun() string { return t.noun }

// States lists every state.
func (t *Table[S, E, G]) States() []S { return slices.Clone(t.states) }

// Events lists every event.
func (t *Table[S, E, G]) Events() []E { return slices.Clone(t.events) }

// Next is the state after event, or a conflict that names the state it is in.
func (t *Table[S, E, G]) Next(state S, event E, given G) (S, error) {
	for _, r := range t.rules {
		if r.From == state && r.Event == event && r.Guard.holds(given) {
			return r.To, nil
		}
	}
	return "", t.refusal(state, event)
}

// Can tells whether any rule lets event happen in state.
func (t *Table[S, E, G]) Can(state S, event E) bool {
	return slices.Contains(t.From(event), state)
}

// From lists the states in which event may happen.
func (t *Table[S, E, G]) From(event E) []S {
	var from []S
	for _, s := range t.states {
		if slices.ContainsFunc(t.rules, func(r Rule[S, E, G]) bool { return r.From == s && r.Event == event }) {
			from = append(from, s)
		}
	}
	return from
}

// Final tells whether nothing can happen any more.
func (t *Table[S, E, G]) Final(state S) bool {
	return !slices.ContainsFunc(t.rules, func(r Rule[S, E, G]) bool { return r.From == state })
}

func (t *Table[S, E, G]) refusal(state S, event E) *schemas.Error {
	doing := strings.ReplaceAll(string(event), "_", " ")
	message := fmt.Sprintf("The %s is %s; %q is not possible now", t.noun, state, doing)
	switch from := t.From(event); {
	case t.Final(state):
		message += ", and nothing more will happen to it."
	case slices.Contains(from, state):
		message += " because a condition for it does not hold."
	case len(from) > 0:
		message += ", only when it is " + words(from) + "."
	default:
		message += "."
	}
	return &schemas.Error{Code: schemas.CodeConflict, Message: message, State: string(state)}
}

func words[S ~string](states []S) string {
	names := make([]string, len(states))
	for i, s := range states {
		names[i] = string(s)
	}
	return strings.Join(names, " or ")
}

// Mermaid draws the table.
func (t *Table[S, E, G]) Mermaid() string {
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n")
	fmt.Fprintf(&b, "    [*] --> %s\n", t.states[0])
	for _, s := range t.states {
		for _, r := range t.rules {
			if r.From != s {
				continue
			}
			label := string(r.Event)
			if r.Guard.Label != "" {
				label += " (" + r.Guard.Label + ")"
			}
			fmt.Fprintf(&b, "    %s --> %s: %s\n", r.From, r.To, label)
		}
		if t.Final(s) {
			fmt.Fprintf(&b, "    %s --> [*]\n", s)
		}
	}
	return b.String()
}
