package notify

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
	"github.com/stretchr/testify/require"
)

func TestEveryServiceThatThereIsCanBeUsed(t *testing.T) {
	left := []string{"generic", "logger", "smtp"} // webhook stands in for the first
	for _, name := range new(router.ServiceRouter).ListServices() {
		_, ours := services[name]
		require.NotEqual(t, slices.Contains(left, name), ours, name)
	}
	for _, address := range []string{"ntfy://ntfy.sh/my-topic", "discord://token@123456789", "gotify://host/AzyoeNS.D4iJLVa"} {
		_, err := senderAt(address)
		require.NoError(t, err, address)
	}
	for _, address := range []string{"smtp://host", "logger://", "ntfy+https://ntfy.sh/x", "nobody://x", "://", "generic://host/x?template=mine"} {
		_, err := senderAt(address)
		require.Error(t, err, address)
	}
}

func TestAnyWebhookCanBePostedTo(t *testing.T) {
	var got *http.Request
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		got, body = r, string(raw)
	}))
	defer server.Close()
	post := func(address string) {
		s, err := senderAt(address)
		require.NoError(t, err)
		require.NoError(t, sendWithin(s, "Hello", time.Minute))
	}
	t.Run("as text, under its own address", func(t *testing.T) {
		post("generic+" + server.URL + "/hook?token=x")
		require.Equal(t, "Hello", body)
		require.Equal(t, "text/plain", got.Header.Get("Content-Type"))
		require.Equal(t, "/hook?token=x", got.URL.RequestURI())
		require.Equal(t, "POST", got.Method)
	})
	t.Run("as JSON, with members and headers that the address names", func(t *testing.T) {
		post("generic://" + server.Listener.Addr().String() + "/hook?disabletls=yes&template=json&messagekey=text&method=PUT&@X-Key=k&$channel=ops")
		var members map[string]string
		require.NoError(t, json.Unmarshal([]byte(body), &members))
		require.Equal(t, map[string]string{"text": "Hello", "channel": "ops"}, members)
		require.Equal(t, "application/json", got.Header.Get("Content-Type"))
		require.Equal(t, "k", got.Header.Get("X-Key"))
		require.Equal(t, "PUT", got.Method)
	})
}

// slow never answers; broken breaks.
type (
	slow   struct{}
	broken struct{}
)

func (slow) Send(string, *types.Params) error   { select {} }
func (broken) Send(string, *types.Params) error { panic("no") }

func TestAServiceThatDoesNotAnswerHoldsNobodyUp(t *testing.T) {
	require.ErrorIs(t, sendWithin(slow{}, "Hello", time.Millisecond), errSlow)
	require.ErrorContains(t, sendWithin(broken{}, "Hello", time.Minute), "panic")
}
