package app

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// useTool calls a tool over /mcp, as one message of the newest protocol.
func (h *house) useTool(caller who, name, arguments string) string {
	h.t.Helper()
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":%s,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",`+
		`"io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"}}}}`, name, arguments)
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.url+"/mcp", strings.NewReader(body))
	require.NoError(h.t, err)
	for name, value := range caller.headers {
		r.Header.Set(name, value)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
		"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": name,
	} {
		r.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	require.NoError(h.t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(h.t, err)
	return string(raw)
}

const storefrontTask = `{"title":"Photo of storefront","description":"Take 2 photos.","task_type":"PHOTO","reward_usd":15,"proof_requirements":["Facade"]}`

func TestToolsOverHTTPGoToTheConfiguredMarketplace(t *testing.T) {
	far := newHouse(t)
	near := newHouse(t, "HUMANOPS_API_URL="+far.url, "HUMANOPS_API_KEY="+far.creds.LiveKey)
	t.Run("for the house's own agent", func(t *testing.T) {
		require.Contains(t, near.useTool(near.live(), "post_task", storefrontTask), "POSTED")
		require.Equal(t, 1, total(t, far))
		require.Zero(t, total(t, near))
	})
	t.Run("and for nobody else, who would spend the owner's money there", func(t *testing.T) {
		stranger := near.must(who{}, "POST", "/api/v1/agents/register", map[string]any{"name": "Stranger", "email": "s@example.com"}).text("api_key")
		for _, caller := range []who{near.sandbox(), byKey("a stranger", stranger)} {
			require.Contains(t, near.useTool(caller, "post_task", storefrontTask), "own agent only", caller.name)
		}
		require.Equal(t, 1, total(t, far))
	})
}

func total(t *testing.T, h *house) int {
	t.Helper()
	return strings.Count(h.must(h.live(), "GET", "/api/v1/tasks", nil).raw, `"task_id"`)
}

func TestSandboxServesNoLiveKeyOverHTTP(t *testing.T) {
	h := newHouse(t, "HUMANOPS_SANDBOX=true")
	require.Contains(t, h.useTool(h.live(), "post_task", storefrontTask), "Sandbox is on")
	require.Zero(t, total(t, h))
	require.Contains(t, h.useTool(h.sandbox(), "get_balance", `{}`), `"mode":"test"`)
}

func TestTrustedProxiesMayBeAddresses(t *testing.T) {
	require.Equal(t, "[10.0.0.0/8 127.0.0.1/32 ::1/128]", fmt.Sprint(networks([]string{"10.0.0.0/8", "127.0.0.1", "::1"})))
}

func TestAllowedHostsReachTheTools(t *testing.T) {
	h := newHouse(t, "HUMANOPS_ALLOWED_HOSTS=humans.lan")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+"/mcp", strings.NewReader(initialize))
	require.NoError(t, err)
	r.Host = "humans.lan"
	r.Header.Set("X-API-Key", h.creds.LiveKey)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
}
