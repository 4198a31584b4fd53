package bench

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/client"
	"humanops-mcp/tools"
)

// BenchmarkCheckStatusInProcess is check_status without a transport: what the tool, the
// client, the API and the database cost together. Profile this one.
func BenchmarkCheckStatusInProcess(b *testing.B) {
	api, _ := inProcess(b)
	server, err := tools.New(tools.Options{Version: "bench", Client: func(context.Context) (*client.Client, error) { return api, nil }})
	require.NoError(b, err)
	posted, err := api.PostTask(b.Context(), benchTask(counter.Add(1)))
	require.NoError(b, err)
	for name, args := range map[string]any{"all": map[string]any{}, "one": map[string]any{"ids": []string{posted.TaskID}}} {
		message, err := json.Marshal(map[string]any{
			"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": map[string]any{"name": "check_status", "arguments": args},
		})
		require.NoError(b, err)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				server.HandleMessage(b.Context(), message)
			}
		})
	}
}

// BenchmarkCheckStatusServedHere is check_status over /mcp with client and platform in this
// process: the one to profile for what the transport adds.
func BenchmarkCheckStatusServedHere(b *testing.B) {
	a, key, _ := platformHere(b)
	server := httptest.NewServer(a.Handler())
	defer server.Close()
	c := httpClient(b, server.URL+"/mcp", key)
	callTool(b, c, "post_task", benchArgs)
	for b.Loop() {
		callTool(b, c, "check_status", nil)
	}
}
