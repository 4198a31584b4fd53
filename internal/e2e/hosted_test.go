package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/e2e/fakehosted"
	"humanops-mcp/schemas"
	"humanops-mcp/tools"
	"humanops-mcp/tools/brief"
)

// hosted is an agent whose stdio process is set up for a remote marketplace.
func hosted(t *testing.T, ctx context.Context, url string, extra ...string) (mcpClient, *platform) {
	t.Helper()
	p := newFolder(t, append([]string{"HUMANOPS_API_URL=" + url}, extra...)...)
	t.Cleanup(func() { requireNoPlatform(t, p) })
	return p.stdio(ctx), p
}

// requireNoPlatform checks that nothing was started or written in the data folder.
func requireNoPlatform(t *testing.T, p *platform) {
	t.Helper()
	found, err := os.ReadDir(p.dir)
	require.NoError(t, err)
	require.Empty(t, found, "a remote marketplace needs no platform here")
}

func storefront(more map[string]any) map[string]any {
	args := map[string]any{
		"title": "Photo of storefront", "description": "Take 2 clear photos showing the full facade and signage.",
		"task_type": "PHOTO", "reward_usd": 15, "deadline": "4h", "proof_requirements": []string{"Full facade photo", "Close-up of signage"},
	}
	for name, value := range more {
		args[name] = value
	}
	return args
}

// refused calls a tool, which must fail as a result, and gives what the model reads.
func refused(t *testing.T, ctx context.Context, c mcpCaller, tool string, args map[string]any) string {
	t.Helper()
	var request mcp.CallToolRequest
	request.Params.Name, request.Params.Arguments = tool, args
	result, err := c.CallTool(ctx, request)
	require.NoError(t, err, "a refusal is a failed result, never a protocol error")
	require.True(t, result.IsError, "%s: %s", tool, textOf(result))
	return textOf(result)
}

func TestHosted_the_tools_work_with_documented_endpoints_only(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	market := fakehosted.Serve(t)
	agent, _ := hosted(t, ctx, market.URL, "HUMANOPS_API_KEY="+fakehosted.Key)
	look := func(id string, wait int) brief.Item {
		report, _ := call[tools.StatusReport](t, ctx, agent, "check_status", map[string]any{"task_id": id, "wait_seconds": wait})
		require.Len(t, report.Items, 1)
		return report.Items[0]
	}

	t.Run("post, wait until it is done, result", func(t *testing.T) {
		args := storefront(map[string]any{"idempotency_key": "storefront-1", "address": "123 Main St", "lat": 30.2672, "lng": -97.7431})
		posted, result := call[tools.PostedTask](t, ctx, agent, "post_task", args)
		require.Equal(t, "POSTED", posted.Status)
		require.Nil(t, posted.PeopleInReach, "the hosted service does not tell")
		require.Contains(t, textOf(result), "check_status")
		again, _ := call[tools.PostedTask](t, ctx, agent, "post_task", args)
		require.Equal(t, posted.TaskID, again.TaskID, "the key travels")
		require.Equal(t, []string{"storefront-1"}, market.Keys())
		require.Equal(t, map[string]any{"lat": 30.2672, "lng": -97.7431, "address": "123 Main St"}, market.Sent("POST /api/v1/tasks")["location"])

		market.Coming(posted.TaskID, "PENDING", "ACCEPTED", "IN_PROGRESS", "SUBMITTED", "MANUAL_REVIEW", "VERIFIED", "COMPLETED")
		var seen []string
		for status := ""; status != "PAID"; seen = append(seen, status) {
			require.NoError(t, ctx.Err())
			status = look(posted.TaskID, 10).Status
		}
		require.Equal(t, []string{"ACCEPTED", "SUBMITTED", "VERIFIED", "PAID"}, seen, "each wait ends at the next change that it sees")

		market.Set(posted.TaskID, map[string]any{
			"operator":        map[string]any{"name": "Jane D.", "rating": 4.8},
			"proof_photos":    []string{"https://cdn.example.com/1.jpg", "https://cdn.example.com/2.jpg"},
			"guardian_result": map[string]any{"decision": "approved", "confidence": 94, "reasons": []string{"Signage is readable"}},
		})
		got, result := call[tools.TaskResult](t, ctx, agent, "get_task_result", map[string]any{"task_id": posted.TaskID})
		require.Equal(t, []string{"https://cdn.example.com/1.jpg", "https://cdn.example.com/2.jpg"}, got.Links)
		require.Equal(t, 94, got.Verdict.Confidence)
		require.Contains(t, textOf(result), "https://cdn.example.com/1.jpg")
	})
	t.Run("an estimate waits for the agent, who approves or rejects it", func(t *testing.T) {
		posted, _ := call[tools.PostedTask](t, ctx, agent, "post_task", storefront(map[string]any{"title": "Estimate"}))
		estimated := func() brief.Item {
			market.Set(posted.TaskID, map[string]any{"status": "ESTIMATE_PENDING"})
			began := time.Now()
			brief := look(posted.TaskID, 20)
			require.Less(t, time.Since(began), 10*time.Second, "what waits for the agent is not waited for")
			require.NotNil(t, brief.Estimate)
			require.Contains(t, brief.Next, "reply_to_operator")
			require.NotContains(t, brief.Next, "0 minutes", "the service does not document the estimate's length")
			return brief
		}
		out, _ := call[tools.Outcome](t, ctx, agent, "reply_to_operator", map[string]any{
			"task_id": posted.TaskID, "reply_to": estimated().Estimate.ID, "decision": "reject", "text": "Too slow",
		})
		require.Equal(t, "POSTED", out.Status)
		require.Equal(t, "Too slow", market.Sent("POST /api/v1/tasks/{id}/estimate/reject")["reason"])
		out, _ = call[tools.Outcome](t, ctx, agent, "reply_to_operator", map[string]any{
			"task_id": posted.TaskID, "reply_to": estimated().Estimate.ID, "decision": "approve",
		})
		require.Equal(t, "ACCEPTED", out.Status)
	})
	t.Run("cancel gives the reward back, and a refusal is the service's own sentence", func(t *testing.T) {
		posted, _ := call[tools.PostedTask](t, ctx, agent, "post_task", storefront(map[string]any{"title": "Cancel"}))
		out, _ := call[tools.Cancelled](t, ctx, agent, "cancel_task", map[string]any{"task_id": posted.TaskID, "reason": "Not needed"})
		require.Equal(t, "CANCELLED", out.Status)
		require.Equal(t, 15*schemas.USD, *out.RefundedUSD)
		require.Contains(t, refused(t, ctx, agent, "cancel_task", map[string]any{"task_id": posted.TaskID}), "it is CANCELLED")
		require.Contains(t, refused(t, ctx, agent, "cancel_task", map[string]any{"task_id": "task_nobody"}), "Task not found")
		require.Contains(t, refused(t, ctx, agent, "post_task", storefront(map[string]any{"reward_usd": 500})), "Insufficient balance")
	})
	t.Run("list pages by offset and understands both vocabularies", func(t *testing.T) {
		for i := range 5 {
			call[tools.PostedTask](t, ctx, agent, "post_task", storefront(map[string]any{"title": fmt.Sprintf("List %d", i)}))
		}
		var titles []string
		cursor := ""
		for page := 0; page == 0 || cursor != ""; page++ {
			args := map[string]any{"limit": 3}
			if cursor != "" {
				args["cursor"] = cursor
			}
			got, _ := call[tools.TaskList](t, ctx, agent, "list_tasks", args)
			for _, row := range got.Items {
				titles = append(titles, row.Title)
			}
			cursor = got.NextCursor
		}
		require.Equal(t, []string{"List 4", "List 3", "List 2", "List 1", "List 0", "Cancel", "Estimate", "Photo of storefront"}, titles)
		for _, word := range []string{"PAID", "COMPLETED"} {
			got, _ := call[tools.TaskList](t, ctx, agent, "list_tasks", map[string]any{"status": word})
			require.Len(t, got.Items, 1, word)
		}
		all, _ := call[tools.StatusReport](t, ctx, agent, "check_status", nil)
		require.Len(t, all.Items, 8)
	})
	t.Run("balance is what the service documents", func(t *testing.T) {
		got, _ := call[tools.BalanceReport](t, ctx, agent, "get_balance", nil)
		require.Equal(t, 450*schemas.USD, got.Deposit)
		require.Nil(t, got.PeopleInReach)
	})
	t.Run("what the service cannot do is said, not tried", func(t *testing.T) {
		posted, _ := call[tools.PostedTask](t, ctx, agent, "post_task", storefront(map[string]any{"title": "Cannot"}))
		for tool, args := range map[string]map[string]any{
			"review_proof":      {"task_id": posted.TaskID, "submission": 1, "decision": "approve"},
			"reply_to_operator": {"task_id": posted.TaskID, "reply_to": "msg_1", "text": "The blue door"},
			"list_tasks":        {"query": "storefront"},
			"get_task_result":   {"task_id": posted.TaskID, "submission": 1},
			"post_task":         storefront(map[string]any{"title": "For Ada", "assign_to": "Ada"}),
		} {
			require.Contains(t, refused(t, ctx, agent, tool, args), "no documented endpoint", tool)
		}
		got, _ := call[tools.TaskList](t, ctx, agent, "list_tasks", nil)
		require.NotContains(t, fmt.Sprint(got.Items), "For Ada", "a task meant for one person is not shown to strangers")
	})
}

func TestHosted_without_a_key(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	market := fakehosted.Serve(t)
	agent, _ := hosted(t, ctx, market.URL)
	t.Run("register_agent is offered, and says where the key goes", func(t *testing.T) {
		require.Contains(t, toolNames(t, ctx, agent), "register_agent")
		got, result := call[tools.Registered](t, ctx, agent, "register_agent", map[string]any{"name": "Bot", "email": "bot@example.com"})
		require.Equal(t, fakehosted.Key, got.APIKey)
		require.Contains(t, textOf(result), "HUMANOPS_API_KEY")
		require.Contains(t, refused(t, ctx, agent, "register_agent", map[string]any{"name": "Bot", "email": "taken@example.com"}), "already exists")
	})
	t.Run("every other tool says how to set one", func(t *testing.T) {
		for tool, args := range map[string]map[string]any{
			"get_balance": nil, "post_task": storefront(nil), "list_tasks": nil, "check_status": nil,
			"get_task_result": {"task_id": "task_x"}, "cancel_task": {"task_id": "task_x"},
		} {
			text := refused(t, ctx, agent, tool, args)
			require.Contains(t, text, "register_agent", tool)
			require.Contains(t, text, "HUMANOPS_API_KEY", tool)
		}
	})
	t.Run("with a key register_agent is not offered", func(t *testing.T) {
		keyed, _ := hosted(t, ctx, market.URL, "HUMANOPS_API_KEY="+fakehosted.Key)
		require.NotContains(t, toolNames(t, ctx, keyed), "register_agent")
	})
}

func toolNames(t *testing.T, ctx context.Context, c mcpClient) []string {
	t.Helper()
	list, err := c.ListTools(ctx, mcp.ListToolsRequest{})
	require.NoError(t, err)
	var names []string
	for _, tool := range list.Tools {
		names = append(names, tool.Name)
	}
	return names
}

// mcpClient is an MCP client that can list, too.
type mcpClient interface {
	mcpCaller
	ListTools(ctx context.Context, request mcp.ListToolsRequest) (*mcp.ListToolsResult, error)
}

func TestHosted_settings_that_would_leak_or_mislead_end_the_start(t *testing.T) {
	for name, test := range map[string]struct {
		env  []string
		says []string
	}{
		"a key without an address names both choices": {
			[]string{"HUMANOPS_API_KEY=ho_live_x"}, []string{"HUMANOPS_API_URL", "https://api.humanops.io", "remove the key"},
		},
		"a live key in a remote sandbox": {
			[]string{"HUMANOPS_API_URL=https://api.humanops.example", "HUMANOPS_API_KEY=ho_live_x", "HUMANOPS_SANDBOX=true"}, []string{"ho_test_"},
		},
		"plain http to another machine": {
			[]string{"HUMANOPS_API_URL=http://192.0.2.1", "HUMANOPS_API_KEY=ho_live_x"}, []string{"https://", "allow_insecure_http"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newFolder(t, test.env...)
			cmd := p.command("stdio")
			cmd.Stdin = strings.NewReader("")
			var stdout, stderr strings.Builder
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			require.Error(t, cmd.Run())
			require.Empty(t, stdout.String(), "standard output is the protocol's")
			for _, words := range test.says {
				require.Contains(t, stderr.String(), words)
			}
			require.NotContains(t, stderr.String(), "ho_live_x")
			requireNoPlatform(t, p)
		})
	}
}

func TestHosted_a_redirect_does_not_carry_the_key_away(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var reached atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer elsewhere.Close()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	defer front.Close()
	agent, _ := hosted(t, ctx, front.URL, "HUMANOPS_API_KEY="+fakehosted.Key)
	require.Contains(t, refused(t, ctx, agent, "get_balance", nil), "is not sent there")
	require.Contains(t, refused(t, ctx, agent, "post_task", storefront(nil)), "is not sent there")
	require.Zero(t, reached.Load())
}

// Another humanops-mcp as the remote: the tools work over the network as they do at
// home, with the photos.
func TestRemote_another_instance_serves_every_tool(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	house := serve(t)
	ada := house.worker("Ada")
	agent, _ := hosted(t, ctx, house.url, "HUMANOPS_API_KEY="+house.cred.LiveKey)

	posted, result := call[tools.PostedTask](t, ctx, agent, "post_task", storefront(map[string]any{"assign_to": "Ada", "estimate_approval": "manual"}))
	require.Equal(t, []string{"Ada"}, posted.Notified)
	require.Contains(t, textOf(result), "Ada")
	ada.accepts(posted.TaskID, 45)
	brief := awaitStatus(t, ctx, agent, posted.TaskID, schemas.EstimatePending)
	require.Equal(t, 45, brief.Estimate.Minutes)
	call[tools.Outcome](t, ctx, agent, "reply_to_operator", map[string]any{"task_id": posted.TaskID, "reply_to": brief.Estimate.ID, "decision": "approve"})
	ada.starts(posted.TaskID)
	asked := ada.asks(posted.TaskID, "Which door?")
	call[tools.Outcome](t, ctx, agent, "reply_to_operator", map[string]any{"task_id": posted.TaskID, "reply_to": asked.MessageID, "text": "The blue one"})
	ada.submits(posted.TaskID, "Both taken.", smallPhoto("a.jpg"), smallPhoto("b.jpg"))
	awaitStatus(t, ctx, agent, posted.TaskID, schemas.ManualReview)
	_, result = call[tools.TaskResult](t, ctx, agent, "get_task_result", map[string]any{"task_id": posted.TaskID})
	require.Equal(t, 2, imagesOf(result))
	out, _ := call[tools.Outcome](t, ctx, agent, "review_proof", map[string]any{"task_id": posted.TaskID, "submission": 1, "decision": "approve"})
	require.Equal(t, "PAID", out.Status)
	balance, _ := call[tools.BalanceReport](t, ctx, agent, "get_balance", nil)
	require.Equal(t, 985*schemas.USD, balance.Deposit)
	require.Equal(t, 1, *balance.PeopleInReach)

	t.Run("in sandbox with its test key", func(t *testing.T) {
		test, _ := hosted(t, ctx, house.url, "HUMANOPS_API_KEY="+house.cred.TestKey, "HUMANOPS_SANDBOX=true")
		posted, _ := call[tools.PostedTask](t, ctx, test, "post_task", storefront(nil))
		require.True(t, posted.Sandbox)
	})
	t.Run("with a key it does not know", func(t *testing.T) {
		wrong, _ := hosted(t, ctx, house.url, "HUMANOPS_API_KEY=ho_live_wrong")
		require.NotContains(t, refused(t, ctx, wrong, "get_balance", nil), "ho_live_wrong")
	})
}
