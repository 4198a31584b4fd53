package app

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/guardian/guardiantest"
)

// decided is who decided the latest submission, and by what way.
func (h *house) decided(t *testing.T, task string) (by, via string) {
	t.Helper()
	list := h.must(h.live(), "GET", "/api/v1/tasks/"+task, nil).body["submissions"].([]any)
	d, ok := list[len(list)-1].(map[string]any)["decision"].(map[string]any)
	require.True(t, ok, "there is a decision")
	return d["decided_by"].(string), d["decided_via"].(string)
}

func TestADecisionTellsByWhichWayItWasMade(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		approve := map[string]any{"submission": 1, "decision": "approve"}
		ownerID := h.must(h.owner(), "POST", "/platform/v1/people", map[string]any{"name": "me", "roles": []string{"owner"}}).text("operator_id")
		decide := func(t *testing.T, c who) (by, via string) {
			t.Helper()
			o := h.task(h.live(), "MANUAL_REVIEW")
			got := h.must(c, "POST", "/api/v1/tasks/"+o.task+"/decision", approve)
			require.Equal(t, "PAID", got.text("status"))
			return h.decided(t, o.task)
		}
		t.Run("the owner by a command is cli", func(t *testing.T) {
			by, via := decide(t, h.owner())
			require.Equal(t, "cli", via)
			require.Equal(t, ownerID, by)
		})
		t.Run("the owner by the page is page", func(t *testing.T) {
			o := h.task(h.live(), "MANUAL_REVIEW")
			browser := who{name: "browser", headers: map[string]string{
				"Cookie": "humanops_session=" + h.browser(), "Content-Type": "application/x-www-form-urlencoded", "Origin": h.url, "Sec-Fetch-Site": "same-origin",
			}}
			require.Equal(t, http.StatusSeeOther, h.send(browser, "POST", h.proofPage(browser, o.task), approval.Encode()).status)
			by, via := h.decided(t, o.task)
			require.Equal(t, "page", via)
			require.Equal(t, ownerID, by)
		})
		t.Run("an agent is api", func(t *testing.T) {
			by, via := decide(t, h.live())
			require.Equal(t, "api", via)
			require.Regexp(t, "^ag_", by)
		})
		t.Run("an agent through the tools is api, too", func(t *testing.T) {
			o := h.task(h.live(), "MANUAL_REVIEW")
			got := h.tool(t, "review_proof", `{"task_id":"`+o.task+`","submission":1,"decision":"approve"}`)
			require.NotContains(t, got.raw, `"isError":true`)
			by, via := h.decided(t, o.task)
			require.Equal(t, "api", via)
			require.Regexp(t, "^ag_", by)
		})
		t.Run("the owner settles a dispute by command", func(t *testing.T) {
			o := h.task(h.live(), "DISPUTED")
			_, via := h.decided(t, o.task)
			require.Equal(t, "api", via, "the agent's rejection")
			h.must(h.owner(), "POST", "/api/v1/tasks/"+o.task+"/decision", approve)
			_, via = h.decided(t, o.task)
			require.Equal(t, "cli", via)
		})
		t.Run("silence is timeout", func(t *testing.T) {
			o := h.task(h.live(), "DISPUTED")
			h.clk.Advance(15 * 24 * time.Hour)
			h.work()
			require.Equal(t, "PAID", h.must(h.live(), "GET", "/api/v1/tasks/"+o.task, nil).text("status"))
			_, via := h.decided(t, o.task)
			require.Equal(t, "timeout", via)
		})
		t.Run("nobody can say that it was another way", func(t *testing.T) {
			o := h.task(h.live(), "MANUAL_REVIEW")
			got := h.must(h.live(), "POST", "/api/v1/tasks/"+o.task+"/decision", map[string]any{"submission": 1, "decision": "approve", "decided_via": "page", "decided_by": ownerID})
			require.Contains(t, got.text("warnings"), "decided_via")
			_, via := h.decided(t, o.task)
			require.Equal(t, "api", via)
		})
	})
}

func TestGuardiansDecisionIsItsOwn(t *testing.T) {
	model := guardiantest.Serve(t, guardiantest.Scores(97))
	h := newHouse(t, "HUMANOPS_GUARDIAN_URL="+model.URL+"/v1", "HUMANOPS_GUARDIAN_MODEL=fake")
	o := h.task(h.live(), "SUBMITTED")
	h.work()
	require.Equal(t, "PAID", h.must(h.live(), "GET", "/api/v1/tasks/"+o.task, nil).text("status"))
	by, via := h.decided(t, o.task)
	require.Equal(t, "guardian", by)
	require.Equal(t, "guardian", via)
	require.Equal(t, "vision", h.must(h.owner(), "GET", "/platform/v1/status", nil).text("guardian"))
	h.state()
}

// tool calls a tool over HTTP with the house's live key.
func (h *house) tool(t *testing.T, name, arguments string) answer {
	t.Helper()
	c := with(h.live(), "mcp", map[string]string{"Accept": "application/json, text/event-stream"})
	session := h.must(c, "POST", "/mcp", initialize).header.Get("Mcp-Session-Id")
	c = with(c, "session", map[string]string{"Mcp-Session-Id": session})
	return h.must(c, "POST", "/mcp", `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"`+name+`","arguments":`+arguments+`}}`)
}

func TestAnAgentIsToldOfAProofOnce(t *testing.T) {
	h := newHouse(t)
	for _, state := range []string{"MANUAL_REVIEW", "DISPUTED"} {
		task := h.task(h.live(), state).task
		review := h.reviewOf(task)
		require.NotEmpty(t, review)
		for _, tool := range []string{"check_status", "list_tasks"} {
			told := h.tool(t, tool, `{}`).raw
			require.Contains(t, told, task, tool)
			require.NotContains(t, told, review, tool)
		}
		require.Contains(t, h.tool(t, "list_tasks", `{"kind":"review"}`).raw, review)
	}
}
