package loop_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/loop"
	"humanops-mcp/schemas"
)

// An answer that was given before a loop demanded passkeys has none, and would count
// towards a decision that says it was made with passkeys.
func TestAnswersWithoutAPasskeyDoNotCountOnceTheLoopDemandsThem(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		loop, device, ada := h.loop(h.agent, "Deploy"), h.device(h.owner), h.person("Ada")
		must(h, h.owner, h.AddMember, schemas.AddMemberRequest{LoopID: loop.ID, UserID: "Ada"})
		asked := must(h, h.agent, h.reviews.CreateReview, schemas.CreateReviewRequest{LoopID: loop.ID, NewReview: schemas.NewReview{
			RequestText: "Deploy?", ResponseType: "boolean", ReviewMode: &schemas.ReviewMode{Mode: "quorum", Threshold: 2},
		}})
		must(h, ada, h.reviews.DecideReview, schemas.DecideReviewRequest{RequestID: asked.RequestID, ResponseData: json.RawMessage("true")})
		in := schemas.UpdateLoopRequest{LoopID: loop.ID, Settings: &demanding}
		in.Assertion = confirm(h, h.owner, h.ConfirmUpdateLoop, in, device)
		refused(h, schemas.CodeConflict, "answered without a passkey", h.owner, h.UpdateLoop, in)

		must(h, h.agent, h.reviews.CancelReview, schemas.CancelReviewRequest{RequestID: asked.RequestID})
		in.Assertion = confirm(h, h.owner, h.ConfirmUpdateLoop, in, device)
		require.True(t, must(h, h.owner, h.UpdateLoop, in).Loop.Settings.Passkey)
	})
}
