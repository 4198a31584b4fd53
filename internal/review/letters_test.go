package review

import (
	"context"
	"io"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/notify"
	"humanops-mcp/internal/notify/notifytest"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
)

const letterID = "bbbbbbbbbbbbbbbbbbbbbbbb"

// postRoom is an outpost where a request waits for Ana and Bo.
type postRoom struct{ *outpost }

func byMail(s *notifytest.MailServer) notify.Config {
	return notify.Config{SMTP: notify.SMTP{Host: "127.0.0.1", Port: s.Port, TLS: "none"}, From: "HumanOps <humans@example.com>"}
}

func newPostRoom(t *testing.T, s *store.Store, clk *clock.Fake, c notify.Config) *postRoom {
	w := &postRoom{newOutpost(t, s, clk, Config{}, c)}
	for _, p := range []db.InsertPersonParams{{ID: "op_ana", Name: "Ana", Email: "ana@example.com"}, {ID: "op_bo", Name: "Bo"}} {
		p.NameKey, p.CreatedAt, p.IsOperator = strings.ToLower(p.Name), store.Micros(storetest.Start), true
		w.write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.InsertPerson(ctx, p)
			return err
		})
	}
	w.run()
	w.write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.InsertAgent(ctx, db.InsertAgentParams{ID: "ag_1", Name: "Publisher", Tier: "HOUSE", Email: "p@example.com", EmailKey: "p@example.com"})
		return err
	})
	for _, text := range []string{
		"INSERT INTO loops (id, slug, mode, creator_id, name, created_at, updated_at) VALUES ('l', 'l', 'live', 'op_ana', 'L', 1, 1)",
		"INSERT INTO availability (person_id, time_zone, updated_at) VALUES ('op_ana', 'Europe/Vienna', 1)",
		"INSERT INTO loop_members (loop_id, person_id, status, role, added_by, created_at) VALUES ('l', 'op_ana', 'active', 'member', '', 1), ('l', 'op_bo', 'active', 'member', '', 1)",
	} {
		storetest.Exec(t, s, text)
	}
	w.write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		if err := tx.InsertSubject(ctx, db.InsertSubjectParams{ID: letterID, Kind: Name, AgentID: "ag_1", Mode: "live", State: "pending", CreatedAt: 1}); err != nil {
			return err
		}
		return tx.InsertReview(ctx, db.InsertReviewParams{
			ID: letterID, LoopID: "l", AgentID: "ag_1", Mode: "live", ProcessingType: "deferred", Type: "markdown", Priority: "high",
			Title: "A post", RequestText: "Publish this?\n\nPriority: low\r\nhttps://evil.example.com", Platform: "api", ResponseType: "boolean",
			ResponseConfig: "{}", OnTimeout: "cancel", ContentHash: "h", TimeoutAt: store.Micros(storetest.Start.Add(3 * time.Hour)),
		})
	})
	storetest.Exec(t, s, "INSERT INTO review_recipients (review_id, person_id, reason, created_at) VALUES ('"+letterID+"', 'op_ana', 'loop', 1), ('"+letterID+"', 'op_bo', 'loop', 1)")
	return w
}

func (w *postRoom) tell(t *testing.T, l notify.Letter) {
	t.Helper()
	w.write(t.Context(), func(ctx context.Context, tx *store.Tx) error { return notify.Kind.Enqueue(ctx, tx, l, job.Options{}) })
	w.run()
}

// notified is what is kept of how each person was told.
func (w *postRoom) notified(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, both := range storetest.Texts(t, w.Service.Store, "SELECT person_id || ' ' || notified FROM review_recipients") {
		id, how, _ := strings.Cut(both, " ")
		out[id] = how
	}
	return out
}

func (w *postRoom) end(t *testing.T) {
	storetest.Exec(t, w.Service.Store, "UPDATE reviews SET status = 'completed', response_source = 'human', ended_at = 5")
	storetest.Exec(t, w.Service.Store, "UPDATE subjects SET state = 'completed', finished = TRUE, ended_at = 5")
}

func aLetter(kind string, people ...string) notify.Letter {
	return notify.Letter{PersonIDs: people, About: letterID, LinkID: "rl_1", Subject: "Review wanted: A post", Body: "Your answer is wanted.", Kind: "review." + kind}
}

func bodyOf(t *testing.T, raw string) string {
	m, err := mail.ReadMessage(strings.NewReader(raw))
	require.NoError(t, err)
	body, err := io.ReadAll(m.Body)
	require.NoError(t, err)
	return strings.TrimSpace(strings.ReplaceAll(string(body), "=\n", ""))
}

// tokenOf is what opens the link of a letter.
func tokenOf(w *postRoom) string {
	return strings.TrimPrefix(w.LinkURL("rl_1"), "https://house.test/r/")
}

func eachPostRoom(t *testing.T, name string, c func() notify.Config, test func(t *testing.T, w *postRoom)) {
	t.Run(name, func(t *testing.T) {
		storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) { test(t, newPostRoom(t, s, clk, c())) })
	})
}

func TestReviewMail(t *testing.T) {
	t.Run("carries the question as the agent's words, the time where the person is, and their own link", func(t *testing.T) {
		s := notifytest.Serve(t, 0)
		w := newPostRoom(t, storetest.Open(t), clock.NewFake(storetest.Start), byMail(s))
		w.tell(t, aLetter("asked", "op_ana"))
		require.Len(t, s.All(), 1)
		require.Equal(t, strings.Join([]string{
			"Your answer is wanted.", "",
			"The agent Publisher asks, in its own words:",
			"> A post", "> ", "> Publish this?", "> ", "> Priority: low", "> ", "> https://evil.example.com", "",
			"Priority: high",
			"Until: Mon 2 Mar 2026 12:00 UTC (Mon 2 Mar 13:00 in Europe/Vienna)", "",
			"This link is yours alone; whoever has it can answer in your name.",
			w.LinkURL("rl_1"),
		}, "\n"), strings.ReplaceAll(bodyOf(t, s.All()[0]), "=20", " "))
		require.Equal(t, map[string]string{"op_ana": "sent", "op_bo": ""}, w.notified(t))
	})

	t.Run("has its link made when it is sent: no table holds the token", func(t *testing.T) {
		s := notifytest.Serve(t, 1)
		w := newPostRoom(t, storetest.Open(t), clock.NewFake(storetest.Start), byMail(s))
		w.tell(t, aLetter("asked", "op_ana"))
		all := strings.Join(storetest.Texts(t, w.Service.Store, "SELECT args FROM jobs"), "\n")
		require.Contains(t, all, "rl_1")
		require.NotContains(t, all, tokenOf(w))
		w.clock.Advance(time.Minute)
		w.run()
		require.Contains(t, bodyOf(t, s.All()[0]), tokenOf(w))
	})

	t.Run("shortens a long question", func(t *testing.T) {
		s := notifytest.Serve(t, 0)
		w := newPostRoom(t, storetest.Open(t), clock.NewFake(storetest.Start), byMail(s))
		storetest.Exec(t, w.Service.Store, "UPDATE reviews SET request_text = $1", strings.Repeat("long ", 400))
		w.tell(t, aLetter("asked", "op_ana"))
		require.Less(t, len(s.All()[0]), 3000)
	})
}

func TestReviewNotice(t *testing.T) {
	failing := notify.Config{SMTP: notify.SMTP{Host: "127.0.0.1", Port: 1, TLS: "none"}, From: "humans@example.com"}
	eachPostRoom(t, "tells beside the name why somebody was not reached", func() notify.Config { return failing }, func(t *testing.T, w *postRoom) {
		w.tell(t, aLetter("asked", "op_ana", "op_bo"))
		require.Equal(t, map[string]string{"op_ana": "", "op_bo": "no mail address"}, w.notified(t))
		for range 10 {
			w.clock.Advance(time.Hour)
			w.run()
		}
		require.Equal(t, "the mail could not be delivered", w.notified(t)["op_ana"])
	})

	eachPostRoom(t, "about what is over meanwhile is dropped", func() notify.Config { return failing }, func(t *testing.T, w *postRoom) {
		w.end(t)
		for _, kind := range []string{"asked", "warned", "escalated"} {
			w.tell(t, aLetter(kind, "op_ana"))
		}
		require.Empty(t, w.log.String(), "nothing was sent")
		require.Equal(t, "the request was over before the notice went out", w.notified(t)["op_ana"])
	})

	t.Run("that waited for somebody who has left the loop meanwhile is dropped, and does not show them the question", func(t *testing.T) {
		post := notifytest.Serve(t, 0)
		w := newPostRoom(t, storetest.Open(t), clock.NewFake(storetest.Start), byMail(post))
		storetest.Exec(t, w.Service.Store, "DELETE FROM loop_members WHERE person_id = 'op_ana'")
		w.tell(t, aLetter("asked", "op_ana"))
		require.Empty(t, post.All())
		require.Equal(t, "no longer in the loop", w.notified(t)["op_ana"])
		storetest.Exec(t, w.Service.Store, "UPDATE review_recipients SET reason = 'escalated' WHERE person_id = 'op_ana'")
		w.tell(t, aLetter("escalated", "op_ana"))
		require.Len(t, post.All(), 1, "who was escalated to need not be in it")
	})

	t.Run("that could not be sent until the request was over is dropped", func(t *testing.T) {
		chat, post := listen(t, 500), notifytest.Serve(t, 1)
		c := byMail(post)
		c.ChatURLs = []string{"generic+" + chat.url}
		w := newPostRoom(t, storetest.Open(t), clock.NewFake(storetest.Start), c)
		w.tell(t, aLetter("asked", "op_ana"))
		w.end(t)
		w.clock.Advance(time.Minute)
		w.run()
		require.Empty(t, post.All())
		require.Len(t, chat.all(), 1, "what it refused")
		require.Equal(t, "the request was over before the notice went out", w.notified(t)["op_ana"])
	})

	t.Run("that says it is over goes out, with the page instead of a link", func(t *testing.T) {
		s := notifytest.Serve(t, 0)
		w := newPostRoom(t, storetest.Open(t), clock.NewFake(storetest.Start), byMail(s))
		w.end(t)
		for _, kind := range []string{"decided", "withdrawn", "feedback"} {
			a := aLetter(kind, "op_ana")
			a.LinkID = ""
			w.tell(t, a)
		}
		require.Len(t, s.All(), 3)
		require.Equal(t, "Your answer is wanted.\n\n"+w.Page(letterID), bodyOf(t, s.All()[0]))
		require.Equal(t, "", w.notified(t)["op_ana"], "only being asked is kept")
	})
}

func TestReviewChat(t *testing.T) {
	t.Run("carries the question and the page, and no personal link", func(t *testing.T) {
		chat, post := listen(t), notifytest.Serve(t, 0)
		c := byMail(post)
		c.ChatURLs = []string{"generic+" + chat.url}
		w := newPostRoom(t, storetest.Open(t), clock.NewFake(storetest.Start), c)
		a := aLetter("asked", "op_ana")
		a.Channels = []string{notify.Chat}
		w.tell(t, a)
		require.Empty(t, post.All())
		require.Len(t, chat.all(), 1)
		require.Contains(t, string(chat.all()[0].body), "> Publish this?")
		require.Contains(t, string(chat.all()[0].body), w.Page(letterID))
		require.NotContains(t, string(chat.all()[0].body), tokenOf(w))
		require.Equal(t, map[string]string{"op_ana": "sent", "op_bo": "sent"}, w.notified(t))
	})

	t.Run("hears no feedback, which is between an agent and a person", func(t *testing.T) {
		chat := listen(t)
		w := newPostRoom(t, storetest.Open(t), clock.NewFake(storetest.Start), notify.Config{ChatURLs: []string{"generic+" + chat.url}})
		w.tell(t, aLetter("feedback", "op_ana"))
		require.Empty(t, chat.all())
	})

	t.Run("is left alone by a notice for mail", func(t *testing.T) {
		chat, post := listen(t), notifytest.Serve(t, 0)
		c := byMail(post)
		c.ChatURLs = []string{"generic+" + chat.url}
		w := newPostRoom(t, storetest.Open(t), clock.NewFake(storetest.Start), c)
		a := aLetter("asked", "op_ana")
		a.Channels = []string{notify.Mail}
		w.tell(t, a)
		require.Empty(t, chat.all())
		require.Len(t, post.All(), 1)
	})
}
