package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/notify/notifytest"
	"humanops-mcp/schemas"
)

// box keeps what arrived.
type box struct {
	mu  sync.Mutex
	got []string
}

func (b *box) put(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got = append(b.got, text)
}

func (b *box) all() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.got...)
}

// await gives the first text that holds all the words.
func await(t *testing.T, all func() []string, words ...string) string {
	t.Helper()
	found := ""
	require.Eventually(t, func() bool {
		for _, text := range all() {
			if holdsAll(text, words) {
				found = text
				return true
			}
		}
		return false
	}, 15*time.Second, 20*time.Millisecond, "nothing with %q among %q", words, all())
	return found
}

func holdsAll(text string, words []string) bool {
	for _, word := range words {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

const noticeURL = "https://humans.example.com"

func mailSettings(m *notifytest.MailServer) []string {
	return []string{
		"HUMANOPS_SMTP_HOST=127.0.0.1", fmt.Sprintf("HUMANOPS_SMTP_PORT=%d", m.Port), "HUMANOPS_SMTP_TLS=none",
		"HUMANOPS_SMTP_FROM=Humans <humans@example.com>", "HUMANOPS_PUBLIC_URL=" + noticeURL,
	}
}

// requireNoCapability checks that a notice opens nothing by itself: its only address is
// the task's page, which asks for a sign-in.
func requireNoCapability(t *testing.T, p *platform, text, taskID string) {
	t.Helper()
	require.Contains(t, text, noticeURL+"/tasks/"+taskID)
	for _, secret := range []string{"hol_", "hos_", "ho_live_", "ho_test_", "signature=", "/sign-in/", p.cred.OwnerToken} {
		require.NotContains(t, text, secret)
	}
	_, body, _ := strings.Cut(text, "\n\n") // the header names the mail library's home, too
	for _, word := range strings.Fields(body) {
		if strings.HasPrefix(word, "http") {
			require.Equal(t, noticeURL+"/tasks/"+taskID, word)
		}
	}
	status, page := get(t, p.url+"/tasks/"+taskID, nil)
	require.NotEqual(t, http.StatusOK, status)
	require.NotContains(t, page, "signage")
}

// requireOneLink checks that a mail about a review holds its reader's own link, and no
// other address.
func requireOneLink(t *testing.T, text string) {
	t.Helper()
	_, body, _ := strings.Cut(text, "\n\n")
	links := 0
	for _, word := range strings.Fields(body) {
		if strings.HasPrefix(word, "http") {
			require.Regexp(t, "^"+mailedLink.String()+"$", word)
			links++
		}
	}
	require.Equal(t, 1, links)
}

func TestNotice_by_mail(t *testing.T) {
	mails := notifytest.Serve(t, 0)
	s := newScene(t, mailSettings(mails)...)
	s.run("people", "add", "me", "--email", "owner@example.com")
	bob := s.worker("Bob", "--email", "bob@example.com")

	t.Run("goes to people who could take a new task", func(t *testing.T) {
		id := s.post(map[string]any{"title": "For anybody"})
		mail := await(t, mails.All, "bob@example.com", "New task: For anybody")
		require.Contains(t, mail, "$15.00")
		requireNoCapability(t, s.platform, mail, id)
	})
	t.Run("goes to the one person asked", func(t *testing.T) {
		id := s.post(map[string]any{"title": "For Bob", "assign_to": "Bob"})
		requireNoCapability(t, s.platform, await(t, mails.All, "bob@example.com", "A task for you: For Bob"), id)
		bob.does(id, "done")
		awaitStatus(t, s.ctx, s.agent, id, schemas.ManualReview)
		requireOneLink(t, await(t, mails.All, "owner@example.com", "Proof to look at: For Bob"))
		s.review(id, 1, "approve")
		for _, to := range []string{"owner@example.com", "bob@example.com"} {
			requireNoCapability(t, s.platform, await(t, mails.All, to, "Done: For Bob", "$15.00"), id)
		}
	})
	t.Run("never to others, nor in test mode, and a title makes no line of its own", func(t *testing.T) {
		for _, mail := range mails.All() {
			if strings.Contains(mail, "A task for you: For Bob") {
				require.Contains(t, mail, "bob@example.com")
			}
		}
		before := len(mails.All())
		test := s.streamable(s.ctx, s.cred.TestKey)
		call[schemas.PostTaskResponse](t, s.ctx, test, "post_task", storefront(map[string]any{"title": "Simulated"}))
		id := s.post(map[string]any{"title": "Sly\r\nBcc: everybody@example.com"})
		mail := await(t, mails.All, "bob@example.com", "Sly")
		for line := range strings.Lines(mail) {
			require.False(t, strings.HasPrefix(line, "Bcc:"), line)
		}
		requireNoCapability(t, s.platform, mail, id)
		for _, mail := range mails.All()[before:] {
			require.NotContains(t, mail, "Simulated")
		}
	})
}

func TestNotice_by_chat(t *testing.T) {
	var chat box
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		chat.put(string(raw))
	}))
	t.Cleanup(hook.Close)
	address := "generic+" + hook.URL + "/hook?template=json&token=chat-secret"
	s := newScene(t, "HUMANOPS_NOTIFY_URLS="+address, "HUMANOPS_PUBLIC_URL="+noticeURL)
	id := s.post(map[string]any{"title": "Told by @everyone"})
	for _, words := range []string{"New task: Told by", "Done: Told by"} {
		if strings.HasPrefix(words, "Done") {
			s.ada.does(id, "")
			awaitStatus(t, s.ctx, s.agent, id, schemas.ManualReview)
			s.review(id, 1, "approve")
		}
		text := await(t, chat.all, words)
		require.Contains(t, text, noticeURL+"/tasks/"+id)
		require.NotContains(t, text, "@everyone", "a title calls nobody")
		require.NotContains(t, text, "hol_")
	}
	require.NotContains(t, s.logs(), "chat-secret")
}

// A channel that is down holds up nothing else.
func TestNotice_a_dead_mail_server_stops_no_task(t *testing.T) {
	mails := notifytest.Serve(t, 0)
	settings := mailSettings(mails)
	settings[1] = "HUMANOPS_SMTP_PORT=1"
	s := newScene(t, settings...)
	s.worker("Bob", "--email", "bob@example.com").does(s.post(nil), "")
	s.requireBooks(985*schemas.USD, 15*schemas.USD)
}
