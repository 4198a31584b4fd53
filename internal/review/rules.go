package review

import (
	"encoding/json"
	"slices"

	"humanops-mcp/internal/answer"
	"humanops-mcp/schemas"
)

// The modes of a circle.
const (
	modeFirst  = "first"
	modeAll    = "all"
	modeQuorum = "quorum"
)

// sequential is the order in which steps are asked when none is named.
const (
	sequential = "sequential"
	parallel   = "parallel"
)

// circle is some people who decide together.
type circle struct {
	step      int64 // 0 where there are no steps, else counted from 1
	mode      string
	threshold int
	people    []string // may answer
	needed    []string // have to, where all have to
}

// ballot is one person's answer in a circle.
type ballot struct {
	step   int64
	person string
	answer answer.Answer
}

// verdict is what the answers so far amount to.
type verdict struct {
	decided bool
	answer  answer.Answer
	source  string   // human; policy when no agreement can be reached any more
	by      []string // whose answers decided
	step    int64    // of sequential steps: the one to be asked now
}

// meaning is what a response type makes of disagreement.
type meaning struct {
	fallback answer.Answer                                 // when no agreement can be reached
	median   func([]json.RawMessage) (answer.Answer, bool) // of numbers
}

// outcome is the one rule of how answers become a decision. It looks at the answers in
// the order in which they came, decides as soon as the outcome is certain, and whatever
// comes after that changes nothing.
func outcome(circles []circle, order string, ballots []ballot, m meaning) verdict {
	for n := range ballots {
		if v := standingVerdict(circles, order, ballots[:n+1], m); v.decided {
			return v
		}
	}
	return standingVerdict(circles, order, ballots, m)
}

func standingVerdict(circles []circle, order string, ballots []ballot, m meaning) verdict {
	if len(circles) == 1 && circles[0].step == 0 {
		return circles[0].verdict(ballots, m)
	}
	approvals := make([]verdict, 0, len(circles))
	for _, c := range circles {
		v := c.verdict(ballots, m)
		switch {
		case v.decided && v.answer.Decision != schemas.Approved:
			return v
		case v.decided:
			approvals = append(approvals, v)
		case order != parallel:
			return verdict{step: c.step}
		}
	}
	if len(approvals) < len(circles) {
		return verdict{}
	}
	return joined(approvals)
}

// joined is the approval of all circles: the last one's answer, and everybody's.
func joined(approvals []verdict) verdict {
	v := approvals[len(approvals)-1]
	v.by = nil
	for _, a := range approvals {
		for _, person := range a.by {
			if !slices.Contains(v.by, person) {
				v.by = append(v.by, person)
			}
		}
	}
	return v
}

// verdict is what a circle's own answers amount to. An answer of somebody who is not in
// the circle does not count.
func (c circle) verdict(ballots []ballot, m meaning) verdict {
	own := make([]ballot, 0, len(ballots))
	for _, b := range ballots {
		if b.step == c.step && (slices.Contains(c.people, b.person) || c.step == 0 && c.mode != modeAll && c.mode != modeQuorum) {
			own = append(own, b)
		}
	}
	switch c.mode {
	case modeAll:
		return c.all(own, m)
	case modeQuorum:
		return c.quorum(own, m)
	}
	switch {
	case len(own) > 0:
		return human(own[0].answer, own[:1])
	case c.step > 0 && len(c.people) == 0:
		return policy(m)
	}
	return verdict{}
}

func human(a answer.Answer, by []ballot) verdict {
	v := verdict{decided: true, answer: a, source: schemas.SourceHuman}
	for _, b := range by {
		v.by = append(v.by, b.person)
	}
	return v
}

func policy(m meaning) verdict {
	return verdict{decided: true, answer: m.fallback, source: schemas.SourcePolicy}
}

// all wants everybody's answer. One that rejects or asks for changes decides at once.
func (c circle) all(own []ballot, m meaning) verdict {
	values := make([]json.RawMessage, 0, len(own))
	same := true
	for i, b := range own {
		if b.answer.Decision == schemas.Rejected || b.answer.Decision == schemas.NeedsChanges {
			return human(b.answer, own[i:i+1])
		}
		values = append(values, b.answer.Value)
		same = same && agree(own[0].answer, b.answer)
	}
	for _, person := range c.needed {
		if !slices.ContainsFunc(own, func(b ballot) bool { return b.person == person }) {
			return disagreed((same || m.median != nil) && !slices.ContainsFunc(c.needed, c.lost), m)
		}
	}
	if len(own) == 0 {
		return verdict{}
	}
	if m.median != nil {
		if a, ok := m.median(values); ok {
			return human(a, own)
		}
	}
	if same {
		return human(own[0].answer, own)
	}
	return policy(m)
}

// lost tells whether somebody's answer will never come: they may not give it any more.
func (c circle) lost(person string) bool { return !slices.Contains(c.people, person) }

// disagreed is undecided while all may still agree.
func disagreed(mayAgree bool, m meaning) verdict {
	if mayAgree {
		return verdict{}
	}
	return policy(m)
}

// agree tells whether two answers say the same: equal values, or both an approval.
func agree(a, b answer.Answer) bool {
	return string(a.Value) == string(b.Value) || a.Decision == schemas.Approved && b.Decision == schemas.Approved
}

// quorum wants threshold equal answers. When no answer can get there any more, that
// decides too.
func (c circle) quorum(own []ballot, m meaning) verdict {
	most := 0
	for _, b := range own {
		alike := slices.DeleteFunc(slices.Clone(own), func(o ballot) bool { return string(o.answer.Value) != string(b.answer.Value) })
		if len(alike) >= c.threshold {
			return human(b.answer, alike)
		}
		most = max(most, len(alike))
	}
	if most+len(c.people)-len(own) < c.threshold {
		return policy(m)
	}
	return verdict{}
}
