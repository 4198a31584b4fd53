package quorum

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/answer"
	"humanops-mcp/schemas"
)

func said(value, decision string) answer.Answer {
	raw := json.RawMessage(`"` + value + `"`)
	return answer.Answer{Data: raw, Value: raw, Decision: decision}
}

var (
	yes     = said("yes", schemas.Approved)
	no      = said("no", schemas.Rejected)
	changes = said("changes", schemas.NeedsChanges)
	red     = said("red", schemas.Answered)
	blue    = said("blue", schemas.Answered)

	decides3 = Meaning{Fallback: no}
	colours  = Meaning{Fallback: red}
)

func votes(step int64, answers ...answer.Answer) []Ballot {
	var out []Ballot
	for i, a := range answers {
		out = append(out, Ballot{Step: step, Person: fmt.Sprintf("p%d", i+1), Answer: a})
	}
	return out
}

func people(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("p%d", i+1))
	}
	return out
}

func asking(mode string, threshold, n int) Circle {
	return Circle{Mode: mode, Threshold: threshold, People: people(n), Needed: people(n)}
}

func one(c Circle) []Circle { return []Circle{c} }

func TestOutcome(t *testing.T) {
	for name, c := range map[string]struct {
		circle  Circle
		m       Meaning
		answers []answer.Answer
		want    string // value:source, "" while it is open
	}{
		"the first answer decides":                              {asking(First, 0, 3), decides3, []answer.Answer{no}, "no:human"},
		"of the first nothing is certain before it":             {asking(First, 0, 3), decides3, nil, ""},
		"all wait for the last approval":                        {asking(All, 0, 3), decides3, []answer.Answer{yes, yes}, ""},
		"all approve":                                           {asking(All, 0, 3), decides3, []answer.Answer{yes, yes, yes}, "yes:human"},
		"of all one rejection decides at once":                  {asking(All, 0, 3), decides3, []answer.Answer{yes, no}, "no:human"},
		"of all one wish for changes decides at once":           {asking(All, 0, 3), decides3, []answer.Answer{changes}, "changes:human"},
		"of all two different answers can never agree":          {asking(All, 0, 3), colours, []answer.Answer{blue, red}, "red:policy"},
		"a quorum is reached before all have answered":          {asking(Quorum, 2, 3), decides3, []answer.Answer{yes, yes}, "yes:human"},
		"a quorum waits while any answer can still reach it":    {asking(Quorum, 2, 3), decides3, []answer.Answer{yes, no}, ""},
		"a quorum of all is lost with the first that differs":   {asking(Quorum, 3, 3), decides3, []answer.Answer{yes, no}, "no:policy"},
		"a quorum split into three is lost":                     {asking(Quorum, 2, 3), colours, []answer.Answer{blue, red, changes}, "red:policy"},
		"a quorum of four is lost when two and one are too few": {asking(Quorum, 3, 4), decides3, []answer.Answer{yes, yes, no, no}, "no:policy"},
		"a quorum counts answers, not what they mean":           {asking(Quorum, 2, 3), decides3, []answer.Answer{yes, said("ok", schemas.Approved)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, short2(Outcome(one(c.circle), "", votes(0, c.answers...), c.m)))
		})
	}
	t.Run("numbers of all become their median", func(t *testing.T) {
		spec, err := answer.Parse("rating", json.RawMessage(`{"scale_min":1,"scale_max":5}`))
		require.NoError(t, err)
		var cast []answer.Answer
		for _, raw := range []string{"5", "1", "4"} {
			a, err := spec.Check("x", json.RawMessage(raw))
			require.NoError(t, err)
			cast = append(cast, a)
		}
		m := Meaning{Median: spec.Median}
		require.Empty(t, short2(Outcome(one(asking(All, 0, 3)), "", votes(0, cast[:2]...), m)), "different numbers are no disagreement")
		require.Equal(t, "4:human", short2(Outcome(one(asking(All, 0, 3)), "", votes(0, cast...), m)))
	})
	t.Run("the answer of somebody who is not asked does not count", func(t *testing.T) {
		stranger := []Ballot{{Person: "x", Answer: yes}}
		require.False(t, Outcome(one(asking(Quorum, 1, 2)), "", stranger, decides3).Decided)
		require.False(t, Outcome(one(asking(All, 0, 1)), "", stranger, decides3).Decided)
	})
	t.Run("who was told later may answer, but need not where all have to", func(t *testing.T) {
		c := asking(All, 0, 2)
		c.People = append(c.People, "p3")
		require.Equal(t, "yes:human", short2(Outcome(one(c), "", votes(0, yes, yes), decides3)))
		require.Equal(t, "no:human", short2(Outcome(one(c), "", []Ballot{{Person: "p3", Answer: no}}, decides3)))
	})
}

func short2(v Verdict) string {
	if !v.Decided {
		return ""
	}
	var value any
	_ = json.Unmarshal(v.Answer.Value, &value)
	return fmt.Sprint(value) + ":" + v.Source
}

func TestSteps(t *testing.T) {
	circles := []Circle{{Step: 1, Mode: First, People: []string{"p1", "p2"}}, {Step: 2, Mode: Quorum, Threshold: 2, People: people(3)}}
	first := []Ballot{{Step: 1, Person: "p1", Answer: yes}}
	t.Run("come one after the other", func(t *testing.T) {
		require.Equal(t, Verdict{Step: 1}, Outcome(circles, Sequential, nil, decides3))
		require.Equal(t, Verdict{Step: 2}, Outcome(circles, Sequential, first, decides3))
		v := Outcome(circles, Sequential, append(first, votes(2, yes, yes)...), decides3)
		require.Equal(t, "yes:human", short2(v))
		require.ElementsMatch(t, []string{"p1", "p2"}, v.By)
	})
	t.Run("end with the first that does not approve", func(t *testing.T) {
		require.Equal(t, "no:human", short2(Outcome(circles, Sequential, []Ballot{{Step: 1, Person: "p2", Answer: no}}, decides3)))
		require.Equal(t, "changes:human", short2(Outcome(circles, Parallel, []Ballot{{Step: 1, Person: "p2", Answer: changes}}, decides3)))
	})
	t.Run("at once are done when all have approved", func(t *testing.T) {
		require.Equal(t, Verdict{}, Outcome(circles, Parallel, votes(2, yes, yes), decides3))
		require.Equal(t, "yes:human", short2(Outcome(circles, Parallel, append(votes(2, yes, yes), first...), decides3)))
		require.Equal(t, "no:human", short2(Outcome(circles, Parallel, append(votes(2, yes, yes), Ballot{Step: 1, Person: "p1", Answer: no}), decides3)))
	})
}

// TestOneOutcome tries random circles, answers and orders: once the answers decide, no
// further answer changes anything, and while they do not, some further answer still can
// make a difference.
func TestOneOutcome(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	values := []answer.Answer{yes, no, changes, red, blue}
	for range 20_000 {
		n := 1 + random.IntN(6)
		c := asking([]string{First, All, Quorum}[random.IntN(3)], 1+random.IntN(n), n)
		var cast []Ballot
		for _, i := range random.Perm(n) {
			cast = append(cast, Ballot{Person: c.People[i], Answer: values[random.IntN(len(values))]})
		}
		var decided *Verdict
		for k := 0; k <= len(cast); k++ {
			v := Outcome(one(c), "", cast[:k], colours)
			if decided != nil {
				require.Equal(t, *decided, v, "%+v %+v", c, cast)
			} else if v.Decided {
				decided = &v
			}
			if v.Decided && v.Source == schemas.SourceHuman {
				require.NotEmpty(t, v.By)
				require.Subset(t, c.People, v.By)
			}
		}
		require.NotNil(t, decided, "everybody has answered, and nothing is Decided: %+v %+v", c, cast)
	}
}

// TestQuorumDecidesAsSoonAsItIsCertain compares with trying every way in which the others
// could still answer.
func TestQuorumDecidesAsSoonAsItIsCertain(t *testing.T) {
	values := []answer.Answer{yes, no, changes}
	for n := 1; n <= 4; n++ {
		for threshold := 1; threshold <= n; threshold++ {
			c := asking(Quorum, threshold, n)
			eachWay(values, n, func(all []answer.Answer) {
				for k := range n + 1 {
					got := Outcome(one(c), "", votes(0, all[:k]...), decides3)
					require.Equal(t, certain(c, all[:k], values), got.Decided, "%d of %d after %v", threshold, n, all[:k])
				}
			})
		}
	}
}

// certain tells whether every way to go on ends alike.
func certain(c Circle, so []answer.Answer, values []answer.Answer) bool {
	ends := map[string]bool{}
	eachWay(values, len(c.People)-len(so), func(rest []answer.Answer) {
		counts, first := map[string]int{}, ""
		for _, a := range append(append([]answer.Answer{}, so...), rest...) {
			counts[string(a.Value)]++
			if first == "" && counts[string(a.Value)] >= c.Threshold {
				first = string(a.Value)
			}
		}
		ends[first] = true
	})
	return len(ends) == 1
}

func eachWay(values []answer.Answer, n int, try func([]answer.Answer)) {
	if n == 0 {
		try(nil)
		return
	}
	eachWay(values, n-1, func(rest []answer.Answer) {
		for _, v := range values {
			try(append(append([]answer.Answer{}, rest...), v))
		}
	})
}
