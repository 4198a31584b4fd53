package app

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/schemas"
)

// look is what an agent has before it: ids of tasks and of reviews.
func (h *house) look(c who) (tasks, reviews []string, whole answer) {
	h.t.Helper()
	whole = h.must(c, "GET", "/api/v1/overview", nil)
	for _, t := range whole.body["tasks"].([]any) {
		tasks = append(tasks, t.(map[string]any)["task_id"].(string))
	}
	for _, r := range whole.body["reviews"].([]any) {
		reviews = append(reviews, r.(map[string]any)["id"].(string))
	}
	return tasks, reviews, whole
}

func (h *house) asks(c who) string {
	h.t.Helper()
	h.made++
	return h.must(c, "POST", "/v1/api/loops/default/requests", map[string]any{"request_text": fmt.Sprintf("Publish %d?", h.made)}).text("data.request_id")
}

func TestOverview(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		const tick = time.Second
		h.task(h.live(), "CANCELLED")
		h.must(h.live(), "DELETE", "/v1/api/requests/"+h.asks(h.live()), nil)
		h.clk.Advance(25 * time.Hour)
		ended := h.task(h.live(), "CANCELLED").task
		h.clk.Advance(tick)
		open := h.post(h.live(), nil)
		asked := h.asks(h.live())
		h.clk.Advance(tick)
		withdrawn := h.asks(h.live())
		h.must(h.live(), "DELETE", "/v1/api/requests/"+withdrawn, nil)

		t.Run("holds what is open and what ended in the last 24 hours, the newest first", func(t *testing.T) {
			tasks, reviews, whole := h.look(h.live())
			require.Equal(t, []string{open, ended}, tasks)
			require.Equal(t, []string{withdrawn, asked}, reviews)
			require.NotContains(t, whole.body, "tasks_left")
			require.NotContains(t, whole.raw, "description", "as in a list")
		})
		t.Run("is of the key's mode", func(t *testing.T) {
			tasks, reviews, whole := h.look(h.sandbox())
			require.Empty(t, tasks)
			require.Empty(t, reviews)
			require.Equal(t, schemas.SandboxNotice, whole.text("sandbox_notice"))
		})
		t.Run("has no reviews for a key that is for tasks alone", func(t *testing.T) {
			key := h.must(h.owner(), "POST", "/platform/v1/keys", map[string]any{"name": "Tasks", "audience": "marketplace"}).text("api_key")
			tasks, reviews, _ := h.look(byKey("a key for tasks", key))
			require.Equal(t, []string{open, ended}, tasks)
			require.Empty(t, reviews)
		})
		t.Run("tells of a proof once, by its task", func(t *testing.T) {
			task := h.task(h.live(), "MANUAL_REVIEW").task
			require.NotEmpty(t, h.reviewOf(task))
			tasks, reviews, _ := h.look(h.live())
			require.Contains(t, tasks, task)
			require.Equal(t, []string{withdrawn, asked}, reviews)
		})
		t.Run("puts what waits for the agent before what is newer, where there is no room for all", func(t *testing.T) {
			tasks, _, _ := h.look(h.live())
			waits := tasks[0]
			for range 50 {
				h.clk.Advance(tick)
				h.post(h.live(), nil)
			}
			tasks, _, whole := h.look(h.live())
			require.Len(t, tasks, 50)
			require.Equal(t, waits, tasks[0])
			require.Equal(t, "3", whole.text("tasks_left"))
			require.NotContains(t, tasks, open)
			told := h.tool(t, "check_status", `{}`).raw
			require.Contains(t, told, "list_tasks has 3 more")
			require.Contains(t, told, "One of them waits for you")
		})
	})
}
