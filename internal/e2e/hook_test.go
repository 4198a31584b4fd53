package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	rest "humanops-mcp/client"
	"humanops-mcp/schemas"
)

// ruling is what the hook tells the coding agent.
type ruling struct {
	Output struct {
		Event    string `json:"hookEventName"`
		Decision string `json:"permissionDecision"`
		Reason   string `json:"permissionDecisionReason"`
	} `json:"hookSpecificOutput"`
}

// gateLine is the README's own line that tries the hook.
func gateLine(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(raw), "<!-- gate:begin -->\n```sh\n")
	line, _, found := strings.Cut(rest, "\n```\n<!-- gate:end -->")
	require.True(t, found, "the README lost its line about the hook")
	return line
}

// gate runs a line of shell in which humanops-mcp is the program under test.
func gate(t *testing.T, p *platform, line string) func() ruling {
	t.Helper()
	bin := t.TempDir()
	require.NoError(t, os.Symlink(binary, filepath.Join(bin, "humanops-mcp")))
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "bash", "-c", line)
	cmd.Env = append(append([]string{}, p.env...), "PATH="+bin+":"+os.Getenv("PATH"))
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	require.NoError(t, cmd.Start())
	return func() (r ruling) {
		require.NoError(t, cmd.Wait(), complaints.String())
		require.NoError(t, json.Unmarshal(out.Bytes(), &r), out.String())
		require.Equal(t, "PreToolUse", r.Output.Event)
		return r
	}
}

// waitingRequest is the one request that is open.
func waitingRequest(t *testing.T, p *platform) schemas.Review {
	t.Helper()
	api := p.api(rest.Options{APIKey: p.cred.LiveKey})
	var found schemas.Review
	require.Eventually(t, func() bool {
		list, err := api.ListReviews(context.Background(), schemas.ListReviewsRequest{Status: "open"})
		if err != nil || len(list.Requests) != 1 {
			return false
		}
		found = list.Requests[0]
		return true
	}, 20*time.Second, 50*time.Millisecond, "the hook asks nobody")
	return found
}

// The hook gates a coding agent's command, and denies whatever nobody has allowed.
func TestHook(t *testing.T) {
	p := serve(t)
	line := gateLine(t)
	t.Run("allows what a person approved, once", func(t *testing.T) {
		said := gate(t, p, line)
		asked := waitingRequest(t, p)
		require.Equal(t, "Bash", asked.Action.Tool)
		require.JSONEq(t, `{"command":"rm -rf build"}`, string(asked.Action.Arguments))
		p.run("reviews", "approve", asked.ID)
		require.Equal(t, "allow", said().Output.Decision)
		receipt, err := p.api(rest.Options{APIKey: p.cred.LiveKey}).GetReceipt(context.Background(), schemas.ReviewRequest{RequestID: asked.ID})
		require.NoError(t, err)
		require.NotNil(t, receipt.ConsumedAt)
	})
	t.Run("denies what a person rejected, and says why", func(t *testing.T) {
		said := gate(t, p, line)
		p.run("reviews", "reject", waitingRequest(t, p).ID, "--comment", "Keep the build.")
		got := said()
		require.Equal(t, "deny", got.Output.Decision)
		require.Contains(t, got.Output.Reason, "Keep the build.")
	})
	t.Run("takes no changed command, only the one that was asked about", func(t *testing.T) {
		said := gate(t, p, line)
		asked := waitingRequest(t, p)
		owner := p.api(rest.Options{Token: p.cred.OwnerToken})
		decision := schemas.DecideReviewRequest{
			RequestID: asked.ID, ResponseData: json.RawMessage(`true`), ActionDigest: asked.ActionDigest,
			EditedArguments: json.RawMessage(`{"command":"rm -rf build/tmp"}`),
		}
		_, err := owner.DecideReview(context.Background(), decision)
		require.ErrorContains(t, err, "only be approved as it was asked")
		decision.EditedArguments = nil
		_, err = owner.DecideReview(context.Background(), decision)
		require.NoError(t, err)
		require.Equal(t, "allow", said().Output.Decision)
	})
	t.Run("denies when it cannot ask anybody", func(t *testing.T) {
		got := gate(t, p, strings.Replace(line, "hook claude-code", "hook claude-code --loop nowhere", 1))()
		require.Equal(t, "deny", got.Output.Decision)
	})
}
