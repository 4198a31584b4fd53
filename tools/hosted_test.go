package tools_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What the hosted marketplace does not document is never sent to it.
func TestHosted(t *testing.T) {
	t.Run("a task for one person is refused, because strangers would see it", func(t *testing.T) {
		m := newMarket()
		c, _ := agent(t, m, true)
		out := call(t, c, "post_task", storefront(object{"assign_to": "Ada"}))
		require.True(t, out.IsError)
		require.Contains(t, out.text, "assign_to")
		require.Zero(t, m.count("POST /api/v1/tasks"))
	})
	t.Run("how estimates and duplicates are handled is left to it", func(t *testing.T) {
		m := newMarket()
		m.answer("POST /api/v1/tasks", 201, `{"task_id":"task_1","status":"PENDING"}`)
		c, _ := agent(t, m, true)
		out := call(t, c, "post_task", storefront(object{"estimate_approval": "auto", "allow_duplicate": true}))
		require.False(t, out.IsError, out.text)
		require.NotContains(t, m.bodies["POST /api/v1/tasks"], "estimate_approval")
		require.NotContains(t, m.bodies["POST /api/v1/tasks"], "allow_duplicate")
	})
	t.Run("a reason to cancel stays here", func(t *testing.T) {
		m := newMarket()
		m.answer("POST /api/v1/tasks/{id}/cancel", 200, `{"task_id":"task_1","status":"CANCELLED","refunded_usd":15}`)
		c, _ := agent(t, m, true)
		out := call(t, c, "cancel_task", object{"task_id": "task_1", "reason": "Not needed"})
		require.False(t, out.IsError, out.text)
		require.Empty(t, m.bodies["POST /api/v1/tasks/{id}/cancel"])
	})
	t.Run("an estimate waits for the agent and is not waited for", func(t *testing.T) {
		m := newMarket()
		m.answer("GET /api/v1/tasks/{id}", 200, `{"task_id":"task_1","title":"x","status":"ESTIMATE_PENDING"}`)
		c, clk := agent(t, m, true)
		before := clk.Now()
		out := call(t, c, "check_status", object{"task_id": "task_1", "wait_seconds": 45})
		require.Equal(t, before, clk.Now())
		require.Contains(t, out.text, "waits for you")
		require.NotContains(t, out.text, "0 minutes")
		require.Equal(t, 1, m.count("GET /api/v1/tasks/{id}"))
	})
}
