package schemas

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProofDecisions(t *testing.T) {
	t.Run("are what the wire takes and gives", func(t *testing.T) {
		for _, wire := range []any{Decision{}, DecideTaskRequest{}} {
			field, ok := reflect.TypeOf(wire).FieldByName("Decision")
			require.True(t, ok)
			require.ElementsMatch(t, ProofWords(ProofDecisions), strings.Split(field.Tag.Get("enum"), ","), "%T", wire)
		}
	})
	t.Run("have all their words, and mean something to a review", func(t *testing.T) {
		for _, d := range ProofDecisions {
			require.True(t, d.Proof || d.Dispute, d.Word)
			require.Contains(t, []string{Approved, NeedsChanges, Rejected}, d.Means, d.Word)
			for _, words := range []string{d.Label, d.Effect, d.Done} {
				require.NotEmpty(t, words, d.Word)
			}
			found, ok := FindProofDecision(d.Word)
			require.True(t, ok)
			require.Equal(t, d, found)
		}
		_, ok := FindProofDecision("approved")
		require.False(t, ok, "a review's word is none of them")
	})
	t.Run("settle a dispute for one or the other, and decide a submission in three ways", func(t *testing.T) {
		require.Equal(t, []string{ProofApprove, ProofRefund}, ProofWords(ProofDecisionsOn(true)))
		require.Equal(t, []string{ProofApprove, ProofRequestChanges, ProofReject}, ProofWords(ProofDecisionsOn(false)))
	})
}

func TestAWordMeansTheSameEverywhere(t *testing.T) {
	for word, decision := range map[string]string{
		"approve": Approved, " OK ": Approved, "Declined": Rejected, "no": Rejected, "Needs changes": NeedsChanges, "request-changes": NeedsChanges,
		"": Answered, "refund": Answered, "approve it": Answered, "blue": Answered,
	} {
		require.Equal(t, decision, Meaning(word), "%q", word)
	}
}
