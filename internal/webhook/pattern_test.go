package webhook_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/webhook"
	"humanops-mcp/schemas"
)

func TestListens(t *testing.T) {
	for _, c := range []struct {
		name     string
		patterns []string
		event    string
		want     bool
	}{
		{"everything", []string{"*"}, "loop.updated", true},
		{"one event", []string{"request.completed"}, "request.completed", true},
		{"not another", []string{"request.completed"}, "request.timeout", false},
		{"a family", []string{"request.*"}, "request.timeout", true},
		{"not another family", []string{"request.*"}, "loop.updated", false},
		{"what is left out is left out", []string{"*", "!request.created"}, "request.created", false},
		{"in any order", []string{"!request.created", "request.*"}, "request.created", false},
		{"only what is left out: all else", []string{"!system.*"}, "request.created", true},
		{"of one loop", []string{"loop.aaaa.*"}, "request.created", true},
		{"of another loop", []string{"loop.bbbb.*"}, "request.created", false},
		{"some of one loop", []string{"loop.aaaa.request.*"}, "loop.updated", false},
		{"the loop family is every loop's", []string{"loop.*"}, "loop.updated", true},
		{"the loop family is no request's", []string{"loop.*"}, "request.created", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, webhook.Listens(c.patterns, c.event, "aaaa"))
		})
	}
}

func TestPatterns(t *testing.T) {
	loop := func(name string) (string, error) {
		if name == "moderation" {
			return "aaaa", nil
		}
		return "", schemas.NewError(schemas.CodeNotFound, "Loop not found")
	}
	t.Run("takes every documented name, and finds a loop by its slug", func(t *testing.T) {
		got, err := webhook.Patterns([]string{"*", " request.* ", "!system.*", "user.joined", "loop.moderation.*", "!loop.moderation.request.created", "request.*"}, loop)
		require.NoError(t, err)
		require.Equal(t, []string{"*", "request.*", "!system.*", "user.joined", "loop.aaaa.*", "!loop.aaaa.request.created"}, got)
	})
	t.Run("takes nothing for everything", func(t *testing.T) {
		got, err := webhook.Patterns(nil, loop)
		require.NoError(t, err)
		require.Equal(t, []string{"*"}, got)
	})
	for text, want := range map[string]string{
		"request.complete":   "did you mean request.completed?",
		"requests.*":         "did you mean request.*?",
		"":                   "must be an event or a pattern",
		"request":            "must be an event or a pattern",
		"req*":               "must be an event or a pattern",
		"!":                  "must be an event or a pattern",
		"loop.elsewhere.*":   "names no loop that you can see",
		"loop.moderation.xy": "must be an event or a pattern",
	} {
		t.Run("refuses "+text, func(t *testing.T) {
			_, err := webhook.Patterns([]string{text}, loop)
			require.Equal(t, schemas.CodeInvalid, schemas.ErrorCode(err))
			require.ErrorContains(t, err, "events[0]")
			require.ErrorContains(t, err, want)
		})
	}
}

func TestCheckAddress(t *testing.T) {
	for _, address := range []string{
		"", "example.com", "http://example.com/", "ftp://example.com/", "https://", "https://me:pw@example.com/", "https://example.com/#x",
		"https://localhost/", "https://a.localhost/", "https://127.0.0.1/", "https://[::1]/", "https://10.1.2.3/", "https://[::ffff:10.1.2.3]/", "https://169.254.169.254/",
	} {
		require.Equal(t, schemas.CodeInvalid, schemas.ErrorCode(webhook.CheckAddress("url", address, false)), address)
	}
	require.NoError(t, webhook.CheckAddress("url", "https://example.com:8443/hook?x=1", false))
	require.NoError(t, webhook.CheckAddress("url", "http://127.0.0.1:8080/hook", true))
	require.Error(t, webhook.CheckAddress("url", "ftp://127.0.0.1/", true))
}
