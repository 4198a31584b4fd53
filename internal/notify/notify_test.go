package notify_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/notify"
	"humanops-mcp/internal/notify/notifytest"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
)

type world struct {
	store    *store.Store
	clock    *clock.Fake
	runner   *job.Runner
	notifier *notify.Notifier
	log      *bytes.Buffer
}

func newWorld(t *testing.T, c notify.Config) *world {
	clk := clock.NewFake(storetest.Start)
	return newWorldOn(t, storetest.OpenAt(t, clk), clk, c)
}

func newWorldOn(t *testing.T, s *store.Store, clk *clock.Fake, c notify.Config) *world {
	w := &world{store: s, clock: clk, log: &bytes.Buffer{}}
	log := slog.New(slog.NewTextHandler(w.log, nil))
	w.runner = job.NewRunner(w.store, clk, log)
	c.People = account.Addressees
	w.notifier = notify.New(c, w.store, log)
	w.notifier.RegisterJobs(w.runner)
	w.person(t, db.InsertPersonParams{ID: "op_ana", Name: "Ana", Email: "ana@example.com", IsOperator: true})
	w.person(t, db.InsertPersonParams{ID: "op_bo", Name: "Bo", IsOperator: true})
	w.person(t, db.InsertPersonParams{ID: "op_owner", Name: "Olga", Email: "olga@example.com", IsOwner: true})
	w.person(t, db.InsertPersonParams{ID: "op_sim", Name: "Sim", Email: "sim@example.com", IsOperator: true, Simulated: true})
	return w
}

func (w *world) person(t *testing.T, p db.InsertPersonParams) {
	p.NameKey, p.CreatedAt = strings.ToLower(p.Name), store.Micros(storetest.Start)
	require.NoError(t, w.store.Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.InsertPerson(t.Context(), p)
		return err
	}))
}

func (w *world) tell(t *testing.T, a notify.Letter) {
	require.NoError(t, w.store.Write(t.Context(), func(tx *store.Tx) error {
		return notify.Kind.Enqueue(t.Context(), tx, a, job.Options{})
	}))
	w.run(t)
}

func (w *world) run(t *testing.T) {
	_, err := w.runner.RunDue(t.Context())
	require.NoError(t, err)
}

func byMail(s *notifytest.MailServer) notify.Config {
	return notify.Config{SMTP: notify.SMTP{Host: "127.0.0.1", Port: s.Port, TLS: "none"}, From: "HumanOps <humans@example.com>"}
}

func posted(people ...string) notify.Letter {
	return notify.Letter{PersonIDs: people, Subject: "New task: Photo of storefront", Body: "Take 2 clear photos.", Link: "https://ops.example.com/tasks/task_1", Kind: "task.posted"}
}

// chatServer takes what shoutrrr's generic service posts.
type chatServer struct {
	url string

	mu   sync.Mutex
	got  []string
	fail bool
}

func serveChat(t *testing.T) *chatServer {
	s := &chatServer{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.fail {
			http.Error(w, "no", http.StatusInternalServerError)
			return
		}
		s.got = append(s.got, string(body))
	}))
	t.Cleanup(server.Close)
	s.url = "generic+" + server.URL + "/secret-token"
	return s
}

func (s *chatServer) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.got...)
}

func TestMail(t *testing.T) {
	t.Run("reaches each person with an address once, with a Message-ID of its own", func(t *testing.T) {
		s := notifytest.Serve(t, 0)
		w := newWorld(t, byMail(s))
		a := posted("op_ana", "op_ana", "op_bo", "op_sim", "op_nobody")
		a.ToOwner = true
		w.tell(t, a)
		ids := map[string]bool{}
		to := map[string]bool{}
		for _, raw := range s.All() {
			m, err := mail.ReadMessage(strings.NewReader(raw))
			require.NoError(t, err)
			require.Equal(t, "New task: Photo of storefront", m.Header.Get("Subject"))
			require.Equal(t, "Mon, 02 Mar 2026 09:00:00 +0000", m.Header.Get("Date"))
			body, err := io.ReadAll(m.Body)
			require.NoError(t, err)
			require.Equal(t, "Take 2 clear photos.\n\nhttps://ops.example.com/tasks/task_1", strings.TrimSpace(string(body)))
			require.Regexp(t, `^<job_\w+@example\.com>$`, m.Header.Get("Message-ID"))
			require.Empty(t, m.Header.Get("User-Agent")+m.Header.Get("X-Mailer"), "a mail advertises no library")
			ids[m.Header.Get("Message-ID")], to[m.Header.Get("To")] = true, true
		}
		require.Len(t, ids, 2)
		require.Equal(t, map[string]bool{`"Ana" <ana@example.com>`: true, `"Olga" <olga@example.com>`: true}, to)
		require.Empty(t, w.log.String())
	})

	t.Run("is tried again under the same Message-ID", func(t *testing.T) {
		s := notifytest.Serve(t, 1)
		w := newWorld(t, byMail(s))
		w.tell(t, posted("op_ana"))
		require.Empty(t, s.All())
		w.clock.Advance(time.Minute)
		w.run(t)
		require.Len(t, s.All(), 1)
	})

	t.Run("cannot be given another header by a task's title", func(t *testing.T) {
		s := notifytest.Serve(t, 0)
		w := newWorld(t, byMail(s))
		a := posted("op_ana")
		a.Subject = "New task: x\r\nBcc: victim@example.com\r\n\r\nhello"
		w.tell(t, a)
		m, err := mail.ReadMessage(strings.NewReader(s.All()[0]))
		require.NoError(t, err)
		require.Empty(t, m.Header.Get("Bcc"))
		require.Contains(t, m.Header.Get("Subject"), "New task: x Bcc: victim@example.com hello")
	})

	t.Run("refuses a server without encryption unless told otherwise", func(t *testing.T) {
		s := notifytest.Serve(t, 0)
		c := byMail(s)
		c.SMTP.TLS = ""
		w := newWorld(t, c)
		w.tell(t, posted("op_ana"))
		require.Empty(t, s.All())
		require.Contains(t, w.log.String(), "STARTTLS")
	})
}

func TestChat(t *testing.T) {
	t.Run("gets one message a notice, not one a person", func(t *testing.T) {
		s := serveChat(t)
		w := newWorld(t, notify.Config{ChatURLs: []string{s.url}})
		w.tell(t, posted("op_ana", "op_bo", "op_owner"))
		require.Equal(t, []string{"New task: Photo of storefront\nTake 2 clear photos.\n\nhttps://ops.example.com/tasks/task_1"}, s.all())
	})

	t.Run("does not call everybody on a task's word", func(t *testing.T) {
		s := serveChat(t)
		w := newWorld(t, notify.Config{ChatURLs: []string{s.url}})
		a := posted()
		a.Body = "@everyone <!channel> look"
		w.tell(t, a)
		require.NotContains(t, s.all()[0], "@everyone")
		require.NotContains(t, s.all()[0], "<!channel>")
	})

	t.Run("is retried alone, and its address stays out of log and database", func(t *testing.T) {
		chat, post := serveChat(t), notifytest.Serve(t, 0)
		chat.fail = true
		c := byMail(post)
		c.ChatURLs = []string{chat.url}
		w := newWorld(t, c)
		w.tell(t, posted("op_ana"))
		for range 10 {
			w.clock.Advance(time.Hour)
			w.run(t)
		}
		require.Len(t, post.All(), 1)
		require.Contains(t, w.log.String(), "could not be delivered")
		require.NotContains(t, w.log.String(), "secret-token")
	})

	t.Run("keeps its address out of the log when nobody answers", func(t *testing.T) {
		server := httptest.NewServer(http.NotFoundHandler())
		server.Close()
		w := newWorld(t, notify.Config{ChatURLs: []string{"generic+" + server.URL + "/secret-token"}})
		w.tell(t, posted())
		require.Contains(t, w.log.String(), "send a notice by generic+http")
		require.NotContains(t, w.log.String(), "secret-token")
	})

	t.Run("answers a wrong address with a hint, without repeating it", func(t *testing.T) {
		w := newWorld(t, notify.Config{ChatURLs: []string{"slack://secret-token"}})
		w.tell(t, posted())
		require.Contains(t, w.log.String(), "a slack address in notify_urls cannot be used")
		require.NotContains(t, w.log.String(), "secret-token")
	})

	t.Run("is dropped when its address left the configuration", func(t *testing.T) {
		s := serveChat(t)
		s.fail = true
		w := newWorld(t, notify.Config{ChatURLs: []string{s.url}})
		w.tell(t, posted())
		log := slog.New(slog.NewTextHandler(w.log, nil))
		w.runner = job.NewRunner(w.store, w.clock, log)
		notify.New(notify.Config{}, w.store, log).RegisterJobs(w.runner)
		w.clock.Advance(time.Minute)
		w.log.Reset()
		w.run(t)
		require.Empty(t, w.log.String())
	})
}

func TestNothingConfigured(t *testing.T) {
	t.Run("ends quietly", func(t *testing.T) {
		w := newWorld(t, notify.Config{})
		a := posted("op_ana")
		a.ToOwner = true
		w.tell(t, a)
		require.Empty(t, w.log.String())
	})
}
