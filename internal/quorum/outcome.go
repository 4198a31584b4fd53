// Package quorum is how the answers of several people become one decision: by the first of
// them, by all, by so many equal ones, in one circle of people or in several.
package quorum

import (
	"encoding/json"
	"slices"

	"humanops-mcp/internal/answer"
	"humanops-mcp/schemas"
)

// The modes of a circle.
const (
	First  = "first"
	All    = "all"
	Quorum = "quorum"
)

// The orders of steps. Sequential is the one that counts when none is named.
const (
	Sequential = "sequential"
	Parallel   = "parallel"
)

// Circle is some people who decide together.
type Circle struct {
	Step      int64 // 0 where there are no steps, else counted from 1
	Mode      string
	Threshold int
	People    []string // may answer
	Needed    []string // have to, where all have to
}

// Ballot is one person's answer in a circle.
type Ballot struct {
	Step   int64
	Person string
	Answer answer.Answer
}

// Verdict is what the answers so far amount to.
type Verdict struct {
	Decided bool
	Answer  answer.Answer
	Source  string   // human; policy when no agreement can be reached any more
	By      []string // whose answers decided
	Step    int64    // of sequential steps: the one to be asked now
}

// Meaning is what a response type makes of disagreement.
type Meaning struct {
	Fallback answer.Answer                                 // when no agreement can be reached
	Median   func([]json.RawMessage) (answer.Answer, bool) // of numbers
}

// Outcome is the one rule of how answers become a decision. It looks at the answers in
// the order in which they came, decides as soon as the outcome is certain, and whatever
// comes after that changes nothing.
func Outcome(circles []Circle, order string, ballots []Ballot, m Meaning) Verdict {
	for n := range ballots {
		if v := standingVerdict(circles, order, ballots[:n+1], m); v.Decided {
			return v
		}
	}
	return standingVerdict(circles, order, ballots, m)
}

func standingVerdict(circles []Circle, order string, ballots []Ballot, m Meaning) Verdict {
	if len(circles) == 1 && circles[0].Step == 0 {
		return circles[0].verdict(ballots, m)
	}
	approvals := make([]Verdict, 0, len(circles))
	for _, c := range circles {
		v := c.verdict(ballots, m)
		switch {
		case v.Decided && v.Answer.Decision != schemas.Approved:
			return v
		case v.Decided:
			approvals = append(approvals, v)
		case order != Parallel:
			return Verdict{Step: c.Step}
		}
	}
	if len(approvals) < len(circles) {
		return Verdict{}
	}
	return joined(approvals)
}

// joined is the approval of all circles: the last one's answer, and everybody's.
func joined(approvals []Verdict) Verdict {
	v := approvals[len(approvals)-1]
	v.By = nil
	for _, a := range approvals {
		for _, person := range a.By {
			if !slices.Contains(v.By, person) {
				v.By = append(v.By, person)
			}
		}
	}
	return v
}

// verdict is what a circle's own answers amount to. An answer of somebody who is not in
// the circle does not count.
func (c Circle) verdict(ballots []Ballot, m Meaning) Verdict {
	own := make([]Ballot, 0, len(ballots))
	for _, b := range ballots {
		if b.Step == c.Step && (slices.Contains(c.People, b.Person) || c.Step == 0 && c.Mode != All && c.Mode != Quorum) {
			own = append(own, b)
		}
	}
	switch c.Mode {
	case All:
		return c.all(own, m)
	case Quorum:
		return c.quorum(own, m)
	}
	switch {
	case len(own) > 0:
		return human(own[0].Answer, own[:1])
	case c.Step > 0 && len(c.People) == 0:
		return policy(m)
	}
	return Verdict{}
}

func human(a answer.Answer, by []Ballot) Verdict {
	v := Verdict{Decided: true, Answer: a, Source: schemas.SourceHuman}
	for _, b := range by {
		v.By = append(v.By, b.Person)
	}
	return v
}

func policy(m Meaning) Verdict {
	return Verdict{Decided: true, Answer: m.Fallback, Source: schemas.SourcePolicy}
}

// all wants everybody's answer. One that rejects or asks for changes decides at once.
func (c Circle) all(own []Ballot, m Meaning) Verdict {
	values := make([]json.RawMessage, 0, len(own))
	same := true
	for i, b := range own {
		if b.Answer.Decision == schemas.Rejected || b.Answer.Decision == schemas.NeedsChanges {
			return human(b.Answer, own[i:i+1])
		}
		values = append(values, b.Answer.Value)
		same = same && agree(own[0].Answer, b.Answer)
	}
	for _, person := range c.Needed {
		if !slices.ContainsFunc(own, func(b Ballot) bool { return b.Person == person }) {
			return disagreed((same || m.Median != nil) && !slices.ContainsFunc(c.Needed, c.lost), m)
		}
	}
	if len(own) == 0 {
		return Verdict{}
	}
	if m.Median != nil {
		if a, ok := m.Median(values); ok {
			return human(a, own)
		}
	}
	if same {
		return human(own[0].Answer, own)
	}
	return policy(m)
}

// lost tells whether somebody's answer will never come: they may not give it any more.
func (c Circle) lost(person string) bool { return !slices.Contains(c.People, person) }

// disagreed is undecided while all may still agree.
func disagreed(mayAgree bool, m Meaning) Verdict {
	if mayAgree {
		return Verdict{}
	}
	return policy(m)
}

// agree tells whether two answers say the same: equal values, or both an approval.
func agree(a, b answer.Answer) bool {
	return string(a.Value) == string(b.Value) || a.Decision == schemas.Approved && b.Decision == schemas.Approved
}

// quorum wants threshold equal answers. When no answer can get there any more, that
// decides too.
func (c Circle) quorum(own []Ballot, m Meaning) Verdict {
	most := 0
	for _, b := range own {
		alike := slices.DeleteFunc(slices.Clone(own), func(o Ballot) bool { return string(o.Answer.Value) != string(b.Answer.Value) })
		if len(alike) >= c.Threshold {
			return human(b.Answer, alike)
		}
		most = max(most, len(alike))
	}
	if most+len(c.People)-len(own) < c.Threshold {
		return policy(m)
	}
	return Verdict{}
}
