package review

import (
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/schemas"
)

// TestEveryStateAndEvent holds the whole table: each event in each status, with each
// combination of facts, leads where it says here, and everything else is refused.
func TestEveryStateAndEvent(t *testing.T) {
	open := map[schemas.ReviewStatus]map[Event]schemas.ReviewStatus{
		"pending": {
			Claim: "claimed", Answer: "pending", Decide: "completed", Update: "pending", Warn: "pending",
			ClaimLate: "pending", Escalate: "pending", Cancel: "cancelled",
		},
		"claimed": {
			Renew: "claimed", Release: "pending", LeaseEnd: "pending", Decide: "completed", Warn: "claimed",
			Escalate: "claimed", Cancel: "cancelled",
		},
	}
	bools := []bool{false, true}
	for _, state := range schemas.ReviewStatuses {
		for _, event := range Life.Events() {
			for _, cancels := range bools {
				for _, changes := range bools {
					for _, round := range []int64{1, maxRounds - 1, maxRounds} {
						for _, last := range bools {
							f := Facts{Cancels: cancels, LastCancels: last, Changes: changes, Round: round}
							want := open[state][event]
							switch {
							case event == Timeout && !state.Final(), event == Exhausted && state == schemas.ReviewPending:
								want = schemas.ReviewTimeout
								if event == Timeout && cancels || event == Exhausted && last {
									want = schemas.ReviewCancelled
								}
							case event == NextRound && state == schemas.ReviewCompleted && changes && round < maxRounds:
								want = schemas.ReviewPending
							}
							got, err := Life.Next(state, event, f)
							require.Equal(t, want, got, "%s in %s with %+v", event, state, f)
							if want == "" {
								require.Equal(t, schemas.CodeConflict, schemas.ErrorCode(err))
							}
						}
					}
				}
			}
		}
	}
	require.Equal(t, schemas.ReviewPending, Life.States()[0], "a life begins pending")
	require.True(t, Life.Final(schemas.ReviewTimeout))
	require.True(t, Life.Final(schemas.ReviewCancelled))
	require.Len(t, Life.Events(), 14)
}
