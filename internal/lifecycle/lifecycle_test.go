package lifecycle_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/lifecycle"
	"humanops-mcp/schemas"
)

type (
	state string
	event string
	given struct{ fits bool }
	rule  = lifecycle.Rule[state, event, given]
)

var (
	fits  = lifecycle.When("fits", func(g given) bool { return g.fits })
	rules = []rule{
		{From: "POSTED", Event: "accept", To: "ACCEPTED", Guard: fits},
		{From: "POSTED", Event: "accept", To: "PENDING", Guard: lifecycle.When[given]("does not fit", nil)},
		{From: "PENDING", Event: "approve_estimate", To: "ACCEPTED", Guard: fits},
		{From: "ACCEPTED", Event: "finish", To: "DONE"},
	}
)

func table() *lifecycle.Table[state, event, given] { return lifecycle.New("task", rules) }

func TestNext(t *testing.T) {
	t.Run("follows the table and refuses all else, over the full product", func(t *testing.T) {
		type key struct {
			state state
			event event
			fits  bool
		}
		want := map[key]state{
			{"POSTED", "accept", true}:            "ACCEPTED",
			{"POSTED", "accept", false}:           "PENDING",
			{"PENDING", "approve_estimate", true}: "ACCEPTED",
			{"ACCEPTED", "finish", true}:          "DONE",
			{"ACCEPTED", "finish", false}:         "DONE",
		}
		tbl := table()
		for _, s := range tbl.States() {
			for _, e := range tbl.Events() {
				for _, fits := range []bool{true, false} {
					next, err := tbl.Next(s, e, given{fits})
					expected, allowed := want[key{s, e, fits}]
					require.Equal(t, expected, next, "%s %s %v", s, e, fits)
					require.Equal(t, !allowed, err != nil, "%s %s %v", s, e, fits)
				}
			}
		}
	})

	for _, tc := range []struct {
		name, state, event, message string
	}{
		{"names the states in which it would be possible", "POSTED", "finish", `The task is POSTED; "finish" is not possible now, only when it is ACCEPTED.`},
		{"says that a final state is final", "DONE", "accept", `The task is DONE; "accept" is not possible now, and nothing more will happen to it.`},
		{"says that a condition does not hold", "PENDING", "approve_estimate", `The task is PENDING; "approve estimate" is not possible now because a condition for it does not hold.`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := table().Next(state(tc.state), event(tc.event), given{})
			var e *schemas.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, schemas.CodeConflict, e.Code)
			require.Equal(t, tc.state, e.State)
			require.Equal(t, tc.message, e.Message)
		})
	}
}

func TestNew(t *testing.T) {
	t.Run("refuses a rule that an earlier one always wins over", func(t *testing.T) {
		require.Panics(t, func() {
			lifecycle.New("task", append(rules[:4:4], rule{From: "ACCEPTED", Event: "finish", To: "POSTED"}))
		})
	})
	t.Run("lists states and events in the order of the rules", func(t *testing.T) {
		require.Equal(t, []state{"POSTED", "PENDING", "ACCEPTED", "DONE"}, table().States())
		require.Equal(t, []event{"accept", "approve_estimate", "finish"}, table().Events())
	})
}

func TestQuestions(t *testing.T) {
	tbl := table()
	require.Equal(t, []state{"POSTED"}, tbl.From("accept"))
	require.True(t, tbl.Can("PENDING", "approve_estimate"))
	require.False(t, tbl.Can("PENDING", "finish"))
	require.True(t, tbl.Final("DONE"))
	require.False(t, tbl.Final("ACCEPTED"))
}

func TestMermaid(t *testing.T) {
	require.Equal(t, `stateDiagram-v2
    [*] --> POSTED
    POSTED --> ACCEPTED: accept (fits)
    POSTED --> PENDING: accept (does not fit)
    PENDING --> ACCEPTED: approve_estimate (fits)
    ACCEPTED --> DONE: finish
    DONE --> [*]
`, table().Mermaid())
}
