package app

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReviewsOverHTTPGoToTheConfiguredService(t *testing.T) {
	far := newHouse(t)
	near := newHouse(t, "HITL_API_URL="+far.url+"/v1", "HITL_API_KEY="+far.creds.LiveKey)
	const question = `{"question":"Publish this post?"}`
	asked := func(h *house) int {
		return strings.Count(h.must(h.live(), "GET", "/v1/api/requests", nil).raw, `"request_text"`)
	}
	t.Run("for the house's own agent, whose tasks stay here", func(t *testing.T) {
		require.Contains(t, near.useTool(near.live(), "request_human_review", question), "Nothing is approved")
		require.Contains(t, near.useTool(near.live(), "post_task", storefrontTask), "POSTED")
		require.Equal(t, 1, asked(far))
		require.Zero(t, asked(near))
		require.Equal(t, 1, total(t, near))
	})
	t.Run("and for nobody else", func(t *testing.T) {
		require.Contains(t, near.useTool(near.sandbox(), "request_human_review", question), "Reviews go to")
		require.Equal(t, 1, asked(far))
	})
}

func TestATestKeyAsksASimulatedReviewer(t *testing.T) {
	h := newHouse(t)
	out := h.useTool(h.sandbox(), "request_human_review", `{"question":"Pay?","action":{"tool":"pay","arguments":{"usd":5}}}`)
	require.Contains(t, out, "TEST MODE")
	require.Contains(t, out, "The simulated reviewer is quick, and approves nothing real")
}
