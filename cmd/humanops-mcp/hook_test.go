package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/client"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/receipt"
	"humanops-mcp/schemas"
)

// gateAt is a gate whose platform answers as the test says.
func gateAt(t *testing.T, timeout time.Duration, routes map[string]string) (*gate, *[]string) {
	t.Helper()
	var asked []string
	mux := http.NewServeMux()
	for pattern, body := range routes {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, pattern)
			if body == "" { // nothing happens
				<-r.Context().Done()
				return
			}
			status := http.StatusOK
			if strings.Contains(body, `"error":true`) {
				status = http.StatusConflict
			}
			w.WriteHeader(status)
			io.WriteString(w, body)
		})
	}
	c, err := client.New(client.Options{APIKey: "k", HTTPClient: &http.Client{Transport: client.InProcess(mux)}})
	require.NoError(t, err)
	g := &gate{
		program: &program{stdout: io.Discard, stderr: io.Discard, clock: clock.System()}, agent: c, executor: c,
		options: hookOptions{loop: "default", timeout: timeout}, in: hookInput{Tool: "Bash", Input: json.RawMessage(`{"command":"rm"}`)},
		action: schemas.Action{Tool: "Bash", Arguments: json.RawMessage(`{"command":"rm"}`)},
	}
	_, _, g.digest, err = receipt.Digest(g.action)
	require.NoError(t, err)
	return g, &asked
}

const (
	hookAsk     = "POST /v1/api/loops/{loop}/requests"
	hookWaits   = "GET /v1/api/requests/{id}/wait"
	hookCancel  = "DELETE /v1/api/requests/{id}"
	hookReceipt = "GET /v1/api/requests/{id}/receipt"
	hookKeys    = "GET /platform/v1/receipt-keys"
	hookConsume = "POST /v1/api/requests/{id}/receipt/consume"
)

func hookDecided(more string) string {
	return fmt.Sprintf(`{"data":{"request":{"id":"r","round":1,"status":"completed",%s}}}`, more)
}

// The hook denies whatever goes wrong, and never uses an approval up for it.
func TestTheHookFailsClosed(t *testing.T) {
	g, _ := gateAt(t, time.Minute, nil)
	askedIt := fmt.Sprintf(`{"data":{"request_id":"r","status":"pending","action_digest":%q}}`, g.digest)
	approved := hookDecided(`"decision":"approved","response_source":"human","response_by_user":{"name":"Ada"}`)
	unsigned := fmt.Sprintf(`{"data":{"receipt":{"version":1,"request_id":"r","round":1,"mode":"live","action_digest":%q,"decision":"approved","key_id":"x","signature":"eA","nonce":"n","expires_at":"2999-01-01T00:00:00Z"}}}`, g.digest)
	for name, c := range map[string]struct {
		routes map[string]string
		want   string
	}{
		"nobody can be asked":               {map[string]string{hookAsk: `{"error":true,"msg":"No active members found in the loop"}`}, "No active members"},
		"the request is about another call": {map[string]string{hookAsk: `{"data":{"request_id":"r","action_digest":"other"}}`}, "about another call"},
		"the wait breaks off":               {map[string]string{hookAsk: askedIt, hookWaits: `{"error":true,"msg":"gone"}`, hookCancel: `{"data":{}}`}, "nobody decided"},
		"a default approved it":             {map[string]string{hookAsk: askedIt, hookWaits: hookDecided(`"decision":"approved","response_source":"default"`)}, "Denied by"},
		"a simulated reviewer approved it":  {map[string]string{hookAsk: askedIt, hookWaits: hookDecided(`"decision":"approved","response_source":"simulated"`)}, "Denied by"},
		"it ran out":                        {map[string]string{hookAsk: askedIt, hookWaits: `{"data":{"request":{"id":"r","status":"timeout","decision":"approved"}}}`}, "nobody decided"},
		"changes are wanted":                {map[string]string{hookAsk: askedIt, hookWaits: hookDecided(`"decision":"needs_changes","response_source":"human","comment":"Use a dry run"`)}, "Use a dry run"},
		"there is no receipt":               {map[string]string{hookAsk: askedIt, hookWaits: approved, hookReceipt: `{"error":true,"msg":"No receipt"}`}, "No receipt"},
		"the keys cannot be had":            {map[string]string{hookAsk: askedIt, hookWaits: approved, hookReceipt: unsigned, hookKeys: `{"error":true,"msg":"x"}`}, "although request r was approved"},
		"the receipt is signed by nobody":   {map[string]string{hookAsk: askedIt, hookWaits: approved, hookReceipt: unsigned, hookKeys: `{"keys":[]}`}, "although request r was approved"},
	} {
		t.Run(name, func(t *testing.T) {
			g, asked := gateAt(t, time.Minute, c.routes)
			v := g.judge(t.Context())
			require.False(t, v.allow)
			require.Contains(t, v.reason, c.want)
			require.NotContains(t, *asked, hookConsume)
		})
	}
	t.Run("nobody decides in time, and the request is withdrawn", func(t *testing.T) {
		g, asked := gateAt(t, 50*time.Millisecond, map[string]string{hookAsk: askedIt, hookWaits: "", hookCancel: `{"data":{}}`})
		v := g.judge(t.Context())
		require.False(t, v.allow)
		require.Contains(t, v.reason, "nobody decided request r within 50ms")
		require.Contains(t, *asked, hookCancel)
	})
	t.Run("Claude Code ends the hook", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		g, _ := gateAt(t, time.Minute, nil)
		require.False(t, g.judge(ctx).allow)
	})
}

func TestTheReceiptIsOfExactlyThisCall(t *testing.T) {
	g, _ := gateAt(t, time.Minute, nil)
	good := schemas.Receipt{Version: 1, RequestID: "r", Round: 1, Mode: "live", Decision: "approved", ActionDigest: g.digest, ExpiresAt: clock.System().Now().Add(time.Hour)}
	for name, spoil := range map[string]func(*schemas.Receipt){
		"another request":  func(r *schemas.Receipt) { r.RequestID = "s" },
		"another round":    func(r *schemas.Receipt) { r.Round = 2 },
		"another call":     func(r *schemas.Receipt) { r.ActionDigest = "x" },
		"test mode":        func(r *schemas.Receipt) { r.Mode = "test" },
		"a rejection":      func(r *schemas.Receipt) { r.Decision = "rejected" },
		"yesterday":        func(r *schemas.Receipt) { r.ExpiresAt = clock.System().Now().Add(-time.Hour) },
		"nothing is wrong": nil,
	} {
		t.Run(name, func(t *testing.T) {
			r := good
			if spoil != nil {
				spoil(&r)
			}
			require.Equal(t, spoil == nil, g.covers(r, schemas.Review{ID: "r", Round: 1}) == nil)
		})
	}
}

func TestTheHookWantsNoChangedArguments(t *testing.T) {
	g, _ := gateAt(t, time.Minute, nil)
	require.JSONEq(t, `{"true_label":"Allow","false_label":"Deny","allow_edits":false}`, string(g.request().ResponseConfig))
}

func TestTheHookQuotesItsCommand(t *testing.T) {
	require.Equal(t, "/usr/bin/humanops-mcp", shellQuote("/usr/bin/humanops-mcp"))
	require.Equal(t, `'it'\''s $HOME'`, shellQuote("it's $HOME"))
	require.Equal(t, "''", shellQuote(""))
}

func TestTheHookAsksAboutEverythingItCannotRead(t *testing.T) {
	o := hookOptions{timeout: time.Minute, match: `\brm\b`}
	for name, c := range map[string]struct {
		in   hookInput
		want bool
	}{
		"a command that is looked for":     {hookInput{Tool: "Bash", Input: json.RawMessage(`{"command":"rm x"}`)}, true},
		"another command":                  {hookInput{Tool: "Bash", Input: json.RawMessage(`{"command":"ls"}`)}, false},
		"a command that is no text":        {hookInput{Tool: "Bash", Input: json.RawMessage(`{"command":["ls"]}`)}, true},
		"a command in another case":        {hookInput{Tool: "Bash", Input: json.RawMessage(`{"command":"rm x","Command":"ls"}`)}, true},
		"a command by another name":        {hookInput{Tool: "Bash", Input: json.RawMessage(`{"script":"ls"}`)}, true},
		"another tool, whatever it is for": {hookInput{Tool: "Write", Input: json.RawMessage(`{"command":"ls"}`)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			asked, err := o.asks(c.in)
			require.NoError(t, err)
			require.Equal(t, c.want, asked)
		})
	}
}

// A name in another case is no name to the tool that runs.
func TestTheHooksTitleTellsOneQuestionFromTheNext(t *testing.T) {
	title := func(tool, input string) string {
		return (&gate{in: hookInput{Tool: tool, Input: json.RawMessage(input)}}).title()
	}
	require.Equal(t, "Claude Code: Bash: rm -rf build", title("Bash", `{"command":"rm  -rf\n build"}`))
	require.Equal(t, "Claude Code: Write", title("Write", `{"file_path":"/x"}`))
	require.Equal(t, maxHookTitle+2, len([]rune(title("Bash", `{"command":"`+strings.Repeat("ä", 500)+`"}`))))
}

func TestTheHookShowsTheCommandThatRuns(t *testing.T) {
	for input, want := range map[string]string{
		`{"command":"rm -rf /","Command":"ls"}`: "Claude Code wants to use Bash in /w.\n\n```\nrm -rf /\n```",
		`{"Command":"ls"}`:                      "Claude Code wants to use Bash in /w.",
		`{"command":"ls"}`:                      "Claude Code wants to use Bash in /w.\n\n```\nls\n```",
	} {
		require.Equal(t, want, (&gate{in: hookInput{Tool: "Bash", Folder: "/w", Input: json.RawMessage(input)}}).text())
	}
}
