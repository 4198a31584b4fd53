package tools_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	mcpclient "github.com/mark3labs/mcp-go/client"
	"github.com/stretchr/testify/require"

	"humanops-mcp/client"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/e2e/fakehitl"
	"humanops-mcp/tools"
)

// hostedReviews is an agent whose reviews go to the hosted service, whose fake fails the
// test at anything that service does not document.
func hostedReviews(t *testing.T, change ...func(*tools.Options)) (*mcpclient.Client, *fakehitl.Service, *clock.Fake) {
	t.Helper()
	service := fakehitl.Serve(t)
	made, err := client.New(client.Options{BaseURL: service.URL + "/v1", APIKey: fakehitl.Key, HTTPClient: &http.Client{}})
	require.NoError(t, err)
	m := newOurs()
	m.answer("GET /api/v1/tasks", 200, `{"data":[],"pagination":{"total":0}}`)
	reviews := func(o *tools.Options) {
		o.Reviews = func(context.Context) (*client.Client, error) { return made, nil }
	}
	c, clk := agent(t, m, false, append(change, reviews)...)
	return c, service, clk
}

func TestHostedReviews(t *testing.T) {
	t.Run("asking sends every required member and no other", func(t *testing.T) {
		c, service, _ := hostedReviews(t)
		out := call(t, c, "request_human_review", object{
			"question": "Pay?", "loop": "payments", "action": object{"tool": "pay", "arguments": object{"usd": 5}}, "context": object{"by": "me"}, "idempotency_key": "k",
		})
		require.False(t, out.IsError, out.text)
		require.Contains(t, out.text, "2 people are asked")
		require.Contains(t, out.text, "Nothing is approved")
		body := service.Created()[0]
		require.Equal(t, "rejected", body["default_response"])
		require.Equal(t, object{"by": "me", "action": object{"tool": "pay", "arguments": object{"usd": 5.0}}}, body["context"])
		require.Equal(t, fakehitl.Payments, service.Loop(out.data["request_id"].(string)))
	})
	t.Run("the same call is one request there too, though the service knows no keys", func(t *testing.T) {
		c, service, _ := hostedReviews(t)
		for range 2 {
			call(t, c, "request_human_review", object{"question": "?", "loop": fakehitl.Moderation})
		}
		require.Len(t, service.Created(), 1)
	})
	for name, test := range map[string]struct {
		args object
		want string
	}{
		"a loop has to be named where there are several":    {object{"question": "?"}, "Choose from: Content moderation, Payments"},
		"an answer that counts when nobody decides, needed": {object{"question": "?", "loop": "payments", "response_type": "text"}, "on_timeout must be an answer here"},
		"a form is not documented":                          {object{"question": "?", "loop": "payments", "form": object{}}, "documents nothing for forms"},
		"another round is not documented":                   {object{"question": "?", "revises": oneID}, "ask anew without it"},
	} {
		t.Run(name, func(t *testing.T) {
			c, service, _ := hostedReviews(t)
			out := call(t, c, "request_human_review", test.args)
			require.True(t, out.IsError)
			require.Contains(t, out.text, test.want)
			require.Empty(t, service.Created())
		})
	}
	t.Run("an answer in object form is understood, in the one vocabulary", func(t *testing.T) {
		c, service, _ := hostedReviews(t)
		id := ask(t, c, object{"question": "?"})
		service.Answer(id, map[string]any{"selected_value": "needs_changes", "selected_label": "Needs changes"})
		out := call(t, c, "check_status", object{})
		item := out.data["items"].([]any)[0].(object)
		require.Equal(t, "needs_you", item["state"])
		require.Equal(t, "needs_changes", item["decision"])
		require.Contains(t, call(t, c, "get_task_result", object{"task_id": id}).text, "CHANGES WANTED")
	})
	t.Run("a default is never passed off as a person's decision", func(t *testing.T) {
		c, service, _ := hostedReviews(t)
		id := ask(t, c, object{"question": "?", "options": []string{"Yes", "No"}, "on_timeout": "Yes"})
		service.TimeOut(id)
		out := call(t, c, "check_status", object{"task_id": id})
		require.Contains(t, out.text, `the default "Yes" counts, which is no person's decision`)
		require.Equal(t, "failed", out.data["items"].([]any)[0].(object)["state"])
	})
	t.Run("a wait asks again at growing intervals, because every call counts there", func(t *testing.T) {
		c, service, clk := hostedReviews(t)
		id := ask(t, c, object{"question": "?"})
		before := service.Count("GET /v1/api/requests/{id}")
		done := make(chan answered, 1)
		go func() { done <- call(t, c, "check_status", object{"task_id": id, "wait_seconds": 45}) }()
		for {
			clk.Advance(time.Second)
			select {
			case out := <-done:
				require.Equal(t, false, out.data["changed"])
				require.Equal(t, 1+3, service.Count("GET /v1/api/requests/{id}")-before, "at once, and after 5, 15 and 35 seconds")
				return
			case <-clock.System().After(time.Millisecond):
			}
		}
	})
	t.Run("it is cancelled by DELETE", func(t *testing.T) {
		c, service, _ := hostedReviews(t)
		id := ask(t, c, object{"question": "?"})
		require.False(t, call(t, c, "cancel_task", object{"task_id": id, "reason": "Not needed"}).IsError)
		require.Equal(t, 1, service.Count("DELETE /v1/api/requests/{id}"))
		require.Contains(t, call(t, c, "cancel_task", object{"task_id": id}).text, "Request cannot be cancelled in current state")
	})
	t.Run("it is listed, and groups of statuses are sorted out here", func(t *testing.T) {
		c, service, _ := hostedReviews(t)
		first, second := ask(t, c, object{"question": "One?"}), ask(t, c, object{"question": "Two?"})
		service.Answer(first, true)
		out := call(t, c, "list_tasks", object{"status": "open"})
		require.Contains(t, out.text, second)
		require.NotContains(t, out.text, first)
	})
	t.Run("precedents are not documented", func(t *testing.T) {
		c, _, _ := hostedReviews(t)
		require.Contains(t, call(t, c, "find_precedents", object{"query": "x"}).text, "documents nothing for searching")
	})
	t.Run("a service that is down does not hide the tasks", func(t *testing.T) {
		m := newOurs()
		m.answer("GET /api/v1/tasks", 200, `{"data":[`+view("task_1", "POSTED", 1, "")+`],"pagination":{"total":1}}`)
		down, err := client.New(client.Options{BaseURL: "http://127.0.0.1:1", Timeout: 50 * time.Millisecond})
		require.NoError(t, err)
		c, _ := agent(t, m, false, func(o *tools.Options) {
			o.Reviews = func(context.Context) (*client.Client, error) { return down, nil }
		})
		out := call(t, c, "check_status", object{})
		require.Contains(t, out.text, "- task_1")
		require.Contains(t, out.text, "Reviews could not be read: The review service at http://127.0.0.1:1")
	})
}

// ask asks in the loop of moderators.
func ask(t *testing.T, c *mcpclient.Client, args object) string {
	t.Helper()
	args["loop"] = "Content moderation"
	out := call(t, c, "request_human_review", args)
	require.False(t, out.IsError, out.text)
	return out.data["request_id"].(string)
}

func TestOfficialTools(t *testing.T) {
	official := func(o *tools.Options) { o.Toolsets = []string{"hitl"} }
	text := func(t *testing.T, out answered) object {
		t.Helper()
		require.False(t, out.IsError, out.text)
		var value object
		require.NoError(t, json.Unmarshal([]byte(out.text), &value), "the text is JSON")
		return value
	}
	c, service, _ := hostedReviews(t, official)
	loops := text(t, call(t, c, "list_loops", object{}))["loops"].([]any)
	require.Equal(t, "Content moderation", loops[0].(object)["name"])

	made := text(t, call(t, c, "create_request", object{
		"loop_id": fakehitl.Moderation, "request_text": "Publish?", "response_type": "boolean", "default_response": false,
	}))
	id := made["request_id"].(string)
	require.Equal(t, false, service.Created()[0]["default_response"], "false is a default")
	require.Len(t, text(t, call(t, c, "list_requests", object{"status": "pending", "limit": 5}))["requests"], 1)

	changed := text(t, call(t, c, "update_request", object{"request_id": id, "updates": object{"priority": "high"}}))
	require.Equal(t, "high", changed["request"].(object)["priority"])
	require.Contains(t, call(t, c, "update_request", object{"request_id": id, "updates": object{"status": "completed"}}).text, "status", "nothing else can be changed")

	service.Answer(id, map[string]any{"boolean": true, "boolean_label": "Yes\u202e"})
	got := text(t, call(t, c, "get_request", object{"request_id": id}))["request"].(object)
	require.Equal(t, object{"boolean": true, "boolean_label": "Yes"}, got["response_data"])
	text(t, call(t, c, "add_request_feedback", object{"request_id": id, "feedback": object{"rating": 5}}))
	require.Contains(t, call(t, c, "cancel_request", object{"request_id": id}).text, "Request cannot be cancelled in current state")
	require.Contains(t, call(t, c, "create_request", object{"loop_id": fakehitl.Moderation, "request_text": "x", "response_type": "text"}).text, "default_response is required")
}
