package review

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

	decides3 = meaning{fallback: no}
	colours  = meaning{fallback: red}
)

func votes(step int64, answers ...answer.Answer) []ballot {
	var out []ballot
	for i, a := range answers {
		out = append(out, ballot{step: step, person: fmt.Sprintf("p%d", i+1), answer: a})
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

func asking(mode string, threshold, n int) circle {
	return circle{mode: mode, threshold: threshold, people: people(n), needed: people(n)}
}

func one(c circle) []circle { return []circle{c} }

func TestOutcome(t *testing.T) {
	for name, c := range map[string]struct {
		circle  circle
		m       meaning
		answers []answer.Answer
		want    string // value:source, "" while it is open
	}{
		"the first answer decides":                              {asking(modeFirst, 0, 3), decides3, []answer.Answer{no}, "no:human"},
		"of the first nothing is certain before it":             {asking(modeFirst, 0, 3), decides3, nil, ""},
		"all wait for the last approval":                        {asking(modeAll, 0, 3), decides3, []answer.Answer{yes, yes}, ""},
		"all approve":                                           {asking(modeAll, 0, 3), decides3, []answer.Answer{yes, yes, yes}, "yes:human"},
		"of all one rejection decides at once":                  {asking(modeAll, 0, 3), decides3, []answer.Answer{yes, no}, "no:human"},
		"of all one wish for changes decides at once":           {asking(modeAll, 0, 3), decides3, []answer.Answer{changes}, "changes:human"},
		"of all two different answers can never agree":          {asking(modeAll, 0, 3), colours, []answer.Answer{blue, red}, "red:policy"},
		"a quorum is reached before all have answered":          {asking(modeQuorum, 2, 3), decides3, []answer.Answer{yes, yes}, "yes:human"},
		"a quorum waits while any answer can still reach it":    {asking(modeQuorum, 2, 3), decides3, []answer.Answer{yes, no}, ""},
		"a quorum of all is lost with the first that differs":   {asking(modeQuorum, 3, 3), decides3, []answer.Answer{yes, no}, "no:policy"},
		"a quorum split into three is lost":                     {asking(modeQuorum, 2, 3), colours, []answer.Answer{blue, red, changes}, "red:policy"},
		"a quorum of four is lost when two and one are too few": {asking(modeQuorum, 3, 4), decides3, []answer.Answer{yes, yes, no, no}, "no:policy"},
		"a quorum counts answers, not what they mean":           {asking(modeQuorum, 2, 3), decides3, []answer.Answer{yes, said("ok", schemas.Approved)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, short2(outcome(one(c.circle), "", votes(0, c.answers...), c.m)))
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
		m := meaning{median: spec.Median}
		require.Empty(t, short2(outcome(one(asking(modeAll, 0, 3)), "", votes(0, cast[:2]...), m)), "different numbers are no disagreement")
		require.Equal(t, "4:human", short2(outcome(one(asking(modeAll, 0, 3)), "", votes(0, cast...), m)))
	})
	t.Run("the answer of somebody who is not asked does not count", func(t *testing.T) {
		stranger := []ballot{{person: "x", answer: yes}}
		require.False(t, outcome(one(asking(modeQuorum, 1, 2)), "", stranger, decides3).decided)
		require.False(t, outcome(one(asking(modeAll, 0, 1)), "", stranger, decides3).decided)
	})
	t.Run("who was told later may answer, but need not where all have to", func(t *testing.T) {
		c := asking(modeAll, 0, 2)
		c.people = append(c.people, "p3")
		require.Equal(t, "yes:human", short2(outcome(one(c), "", votes(0, yes, yes), decides3)))
		require.Equal(t, "no:human", short2(outcome(one(c), "", []ballot{{person: "p3", answer: no}}, decides3)))
	})
}

func short2(v verdict) string {
	if !v.decided {
		return ""
	}
	var value any
	_ = json.Unmarshal(v.answer.Value, &value)
	return fmt.Sprint(value) + ":" + v.source
}

func TestSteps(t *testing.T) {
	circles := []circle{{step: 1, mode: modeFirst, people: []string{"p1", "p2"}}, {step: 2, mode: modeQuorum, threshold: 2, people: people(3)}}
	first := []ballot{{step: 1, person: "p1", answer: yes}}
	t.Run("come one after the other", func(t *testing.T) {
		require.Equal(t, verdict{step: 1}, outcome(circles, sequential, nil, decides3))
		require.Equal(t, verdict{step: 2}, outcome(circles, sequential, first, decides3))
		v := outcome(circles, sequential, append(first, votes(2, yes, yes)...), decides3)
		require.Equal(t, "yes:human", short2(v))
		require.ElementsMatch(t, []string{"p1", "p2"}, v.by)
	})
	t.Run("end with the first that does not approve", func(t *testing.T) {
		require.Equal(t, "no:human", short2(outcome(circles, sequential, []ballot{{step: 1, person: "p2", answer: no}}, decides3)))
		require.Equal(t, "changes:human", short2(outcome(circles, parallel, []ballot{{step: 1, person: "p2", answer: changes}}, decides3)))
	})
	t.Run("at once are done when all have approved", func(t *testing.T) {
		require.Equal(t, verdict{}, outcome(circles, parallel, votes(2, yes, yes), decides3))
		require.Equal(t, "yes:human", short2(outcome(circles, parallel, append(votes(2, yes, yes), first...), decides3)))
		require.Equal(t, "no:human", short2(outcome(circles, parallel, append(votes(2, yes, yes), ballot{step: 1, person: "p1", answer: no}), decides3)))
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
		c := asking([]string{modeFirst, modeAll, modeQuorum}[random.IntN(3)], 1+random.IntN(n), n)
		var cast []ballot
		for _, i := range random.Perm(n) {
			cast = append(cast, ballot{person: c.people[i], answer: values[random.IntN(len(values))]})
		}
		var decided *verdict
		for k := 0; k <= len(cast); k++ {
			v := outcome(one(c), "", cast[:k], colours)
			if decided != nil {
				require.Equal(t, *decided, v, "%+v %+v", c, cast)
			} else if v.decided {
				decided = &v
			}
			if v.decided && v.source == schemas.SourceHuman {
				require.NotEmpty(t, v.by)
				require.Subset(t, c.people, v.by)
			}
		}
		require.NotNil(t, decided, "everybody has answered, and nothing is decided: %+v %+v", c, cast)
	}
}

// TestQuorumDecidesAsSoonAsItIsCertain compares with trying every way in which the others
// could still answer.
func TestQuorumDecidesAsSoonAsItIsCertain(t *testing.T) {
	values := []answer.Answer{yes, no, changes}
	for n := 1; n <= 4; n++ {
		for threshold := 1; threshold <= n; threshold++ {
			c := asking(modeQuorum, threshold, n)
			eachWay(values, n, func(all []answer.Answer) {
				for k := range n + 1 {
					got := outcome(one(c), "", votes(0, all[:k]...), decides3)
					require.Equal(t, certain(c, all[:k], values), got.decided, "%d of %d after %v", threshold, n, all[:k])
				}
			})
		}
	}
}

// certain tells whether every way to go on ends alike.
func certain(c circle, so []answer.Answer, values []answer.Answer) bool {
	ends := map[string]bool{}
	eachWay(values, len(c.people)-len(so), func(rest []answer.Answer) {
		counts, first := map[string]int{}, ""
		for _, a := range append(append([]answer.Answer{}, so...), rest...) {
			counts[string(a.Value)]++
			if first == "" && counts[string(a.Value)] >= c.threshold {
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
