package web_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

func TestRoundsOnThePage(t *testing.T) {
	h := newHouse(t)
	ada := h.member("Ada")
	id := h.asked(func(in *schemas.NewReview) {
		in.RequestText, in.ResponseType, in.DefaultResponse = "Pay 820000 to Ada", "single_select", json.RawMessage(`"rejected"`)
		in.ResponseConfig = json.RawMessage(`{"options":["approved","rejected","needs_changes"]}`)
	})
	first := filled(t, ada.get("/reviews/"+id), url.Values{"answer": {"needs_changes"}, "comment": {"One zero too many"}})
	require.Equal(t, http.StatusSeeOther, ada.post("/reviews/"+id, first).Status)
	require.Contains(t, ada.get("/reviews/"+id).Body, "Changes requested by Ada")
	h.write(func(ctx context.Context, tx *store.Tx) error {
		_, err := h.reviews.OpenRound(account.With(ctx, h.agent), tx, schemas.OpenRoundRequest{RequestID: id, RequestText: "Pay 82000 to Ada"})
		return err
	})

	t.Run("the earlier round and what changed stand on the page", func(t *testing.T) {
		page := ada.get("/reviews/" + id).Body
		require.Contains(t, page, "One zero too many")
		require.Regexp(t, `<del>.*820000 </del>`, page)
		require.Regexp(t, `<ins>.*82000 </ins>`, page)
	})
	t.Run("a form of the round before decides nothing, and nothing stays chosen", func(t *testing.T) {
		got := ada.post("/reviews/"+id, first)
		require.Equal(t, http.StatusConflict, got.Status)
		require.Contains(t, got.Body, "One zero too many", "the comment is kept")
		require.Equal(t, schemas.ReviewPending, h.review(id).Status)
	})
	t.Run("the new round is decided by its own form", func(t *testing.T) {
		form := filled(t, ada.get("/reviews/"+id), url.Values{"answer": {"approved"}})
		require.Equal(t, "2", form.Get("round"))
		require.Equal(t, http.StatusSeeOther, ada.post("/reviews/"+id, form).Status)
		require.Equal(t, schemas.Approved, h.review(id).Decision)
	})
}

func TestSeveralReviewers(t *testing.T) {
	h := newHouse(t)
	ada, grace := h.member("Ada"), h.member("Grace")
	id := h.asked(func(in *schemas.NewReview) {
		in.ReviewMode = &schemas.ReviewMode{Mode: "quorum", Threshold: 2}
		in.Action = &schemas.Action{Tool: "deploy", Arguments: json.RawMessage(`{"to":"production"}`)}
	})
	form := filled(t, ada.get("/reviews/"+id), url.Values{"answer": {"false"}, "comment": {"not before the audit"}})
	require.Equal(t, http.StatusSeeOther, ada.post("/reviews/"+id, form).Status)

	t.Run("the others learn how many answered, not what", func(t *testing.T) {
		page := grace.get("/reviews/" + id).Body
		require.Contains(t, page, "1 answer is in.")
		require.NotContains(t, page, "not before the audit")
		require.Contains(t, ada.get("/reviews/"+id).Body, "not before the audit", "one's own")
	})
	t.Run("there is nothing to claim, and no arguments to change", func(t *testing.T) {
		page := grace.get("/reviews/" + id).Body
		require.NotContains(t, page, "/claim")
		require.NotContains(t, page, "edited_arguments")
		require.Equal(t, http.StatusConflict, grace.post("/reviews/"+id+"/claim", nil).Status)
	})
	t.Run("all is told once it is decided", func(t *testing.T) {
		require.Equal(t, http.StatusSeeOther, grace.post("/reviews/"+id, filled(t, grace.get("/reviews/"+id), url.Values{"answer": {"false"}})).Status)
		require.Contains(t, grace.get("/reviews/"+id).Body, "not before the audit")
	})
}

func TestEscalateOnThePage(t *testing.T) {
	h := newHouse(t)
	ada := h.member("Ada")
	h.write(func(ctx context.Context, tx *store.Tx) error {
		_, err := h.loops.UpdateLoop(account.With(ctx, h.owner), tx, schemas.UpdateLoopRequest{LoopID: "default", Settings: &schemas.LoopSettings{
			Escalation: []schemas.EscalationPolicy{{Steps: []schemas.EscalationStep{{AfterSeconds: 600, To: []string{"owner"}}}}},
		}})
		return err
	})
	id := h.asked(nil)
	require.Contains(t, ada.get("/reviews/"+id).Body, "Ask others instead")
	got := ada.post("/reviews/"+id+"/escalate", url.Values{"reason": {"Not mine to say"}})
	require.Equal(t, http.StatusSeeOther, got.Status, got.Body)
	require.Equal(t, 1, h.review(id).Escalations)
	require.NotContains(t, ada.get("/reviews/"+id).Body, "Ask others instead", "there is no further step")
}
