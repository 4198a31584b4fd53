package notify_test

import (
	"context"
	"io"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/notify"
	"humanops-mcp/internal/notify/notifytest"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
)

const reviewID = "bbbbbbbbbbbbbbbbbbbbbbbb"

// reviewWorld has a request that waits for Ana and Bo.
func reviewWorld(t *testing.T, s *store.Store, clk *clock.Fake, c notify.Config) *world {
	c.ReviewURL = func(id string) string { return "https://ops.example.com/reviews/" + id }
	c.LinkURL = func(id string) string { return "https://ops.example.com/r/token-of-" + id }
	w := newWorldOn(t, s, clk, c)
	w.write(t, func(ctx context.Context, tx *store.Tx) error {
		if _, err := tx.InsertAgent(ctx, db.InsertAgentParams{ID: "ag_1", Name: "Publisher", Tier: "HOUSE"}); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "INSERT INTO loops (id, slug, mode, creator_id, name, created_at, updated_at) VALUES ('l', 'l', 'live', 'op_owner', 'L', 1, 1)")
		require.NoError(t, err)
		_, err = tx.Exec(ctx, "INSERT INTO availability (person_id, time_zone, updated_at) VALUES ('op_ana', 'Europe/Vienna', 1)")
		require.NoError(t, err)
		err = tx.InsertReview(ctx, db.InsertReviewParams{
			ID: reviewID, LoopID: "l", AgentID: "ag_1", Mode: "live", ProcessingType: "deferred", Type: "markdown", Priority: "high",
			Title: "A post", RequestText: "Publish this?\n\nPriority: low\r\nhttps://evil.example.com", Platform: "api", ResponseType: "boolean",
			ResponseConfig: "{}", OnTimeout: "cancel", ContentHash: "h", TimeoutAt: store.Micros(storetest.Start.Add(3 * time.Hour)),
		})
		require.NoError(t, err)
		_, err = tx.Exec(ctx, "INSERT INTO loop_members (loop_id, person_id, status, role, added_by, created_at) VALUES ('l', 'op_ana', 'active', 'member', '', 1), ('l', 'op_bo', 'active', 'member', '', 1)")
		require.NoError(t, err)
		_, err = tx.Exec(ctx, "INSERT INTO review_recipients (review_id, person_id, reason, created_at) VALUES ('"+reviewID+"', 'op_ana', 'loop', 1), ('"+reviewID+"', 'op_bo', 'loop', 1)")
		return err
	})
	return w
}

func (w *world) write(t *testing.T, unit func(ctx context.Context, tx *store.Tx) error) {
	t.Helper()
	require.NoError(t, w.store.Write(t.Context(), func(tx *store.Tx) error { return unit(t.Context(), tx) }))
}

// notified is what is kept of how each person was told.
func (w *world) notified(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	w.write(t, func(ctx context.Context, tx *store.Tx) error {
		rows, err := tx.Query(ctx, "SELECT person_id, notified FROM review_recipients")
		require.NoError(t, err)
		defer rows.Close()
		for rows.Next() {
			var id, text string
			require.NoError(t, rows.Scan(&id, &text))
			out[id] = text
		}
		return rows.Err()
	})
	return out
}

func (w *world) end(t *testing.T) {
	w.write(t, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE reviews SET status = 'completed', response_source = 'human', ended_at = 5")
		return err
	})
}

func asked(kind string, people ...string) notify.Args {
	return notify.Args{PersonIDs: people, ReviewID: reviewID, LinkID: "rl_1", Subject: "Review wanted: A post", Body: "Your answer is wanted.", Kind: "review." + kind}
}

func bodyOf(t *testing.T, raw string) string {
	m, err := mail.ReadMessage(strings.NewReader(raw))
	require.NoError(t, err)
	body, err := io.ReadAll(m.Body)
	require.NoError(t, err)
	return strings.TrimSpace(strings.ReplaceAll(string(body), "=\n", ""))
}

func eachReview(t *testing.T, name string, c func() notify.Config, test func(t *testing.T, w *world)) {
	t.Run(name, func(t *testing.T) {
		storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) { test(t, reviewWorld(t, s, clk, c())) })
	})
}

func TestReviewMail(t *testing.T) {
	t.Run("carries the question as the agent's words, the time where the person is, and their own link", func(t *testing.T) {
		s := notifytest.Serve(t, 0)
		w := reviewWorld(t, storetest.Open(t), clock.NewFake(storetest.Start), byMail(s))
		w.tell(t, asked("asked", "op_ana"))
		require.Len(t, s.All(), 1)
		require.Equal(t, strings.Join([]string{
			"Your answer is wanted.", "",
			"The agent Publisher asks, in its own words:",
			"> A post", "> ", "> Publish this?", "> ", "> Priority: low", "> ", "> https://evil.example.com", "",
			"Priority: high",
			"Until: Mon 2 Mar 2026 12:00 UTC (Mon 2 Mar 13:00 in Europe/Vienna)", "",
			"This link is yours alone; whoever has it can answer in your name.",
			"https://ops.example.com/r/token-of-rl_1",
		}, "\n"), strings.ReplaceAll(bodyOf(t, s.All()[0]), "=20", " "))
		require.Equal(t, map[string]string{"op_ana": "sent", "op_bo": ""}, w.notified(t))
	})

	t.Run("has its link made when it is sent: no table holds the token", func(t *testing.T) {
		s := notifytest.Serve(t, 1)
		w := reviewWorld(t, storetest.Open(t), clock.NewFake(storetest.Start), byMail(s))
		w.tell(t, asked("asked", "op_ana"))
		w.write(t, func(ctx context.Context, tx *store.Tx) error {
			rows, err := tx.Query(ctx, "SELECT args FROM jobs")
			require.NoError(t, err)
			defer rows.Close()
			var all strings.Builder
			for rows.Next() {
				var args string
				require.NoError(t, rows.Scan(&args))
				all.WriteString(args)
			}
			require.Contains(t, all.String(), "rl_1")
			require.NotContains(t, all.String(), "token-of")
			return rows.Err()
		})
		w.clock.Advance(time.Minute)
		w.run(t)
		require.Contains(t, bodyOf(t, s.All()[0]), "token-of-rl_1")
	})

	t.Run("shortens a long question", func(t *testing.T) {
		s := notifytest.Serve(t, 0)
		w := reviewWorld(t, storetest.Open(t), clock.NewFake(storetest.Start), byMail(s))
		w.write(t, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Exec(ctx, "UPDATE reviews SET request_text = $1", strings.Repeat("long ", 400))
			return err
		})
		w.tell(t, asked("asked", "op_ana"))
		require.Less(t, len(s.All()[0]), 3000)
	})
}

func TestReviewNotice(t *testing.T) {
	failing := notify.Config{SMTP: notify.SMTP{Host: "127.0.0.1", Port: 1, TLS: "none"}, From: "humans@example.com"}
	eachReview(t, "tells beside the name why somebody was not reached", func() notify.Config { return failing }, func(t *testing.T, w *world) {
		w.tell(t, asked("asked", "op_ana", "op_bo"))
		require.Equal(t, map[string]string{"op_ana": "", "op_bo": "no mail address"}, w.notified(t))
		for range 10 {
			w.clock.Advance(time.Hour)
			w.run(t)
		}
		require.Equal(t, "the mail could not be delivered", w.notified(t)["op_ana"])
	})

	eachReview(t, "about what is over meanwhile is dropped", func() notify.Config { return failing }, func(t *testing.T, w *world) {
		w.end(t)
		for _, kind := range []string{"asked", "warned", "escalated"} {
			w.tell(t, asked(kind, "op_ana"))
		}
		require.Empty(t, w.log.String(), "nothing was sent")
		require.Equal(t, "the request was over before the notice went out", w.notified(t)["op_ana"])
	})

	t.Run("that waited for somebody who has left the loop meanwhile is dropped, and does not show them the question", func(t *testing.T) {
		post := notifytest.Serve(t, 0)
		w := reviewWorld(t, storetest.Open(t), clock.NewFake(storetest.Start), byMail(post))
		w.write(t, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Exec(ctx, "DELETE FROM loop_members WHERE person_id = 'op_ana'")
			return err
		})
		w.tell(t, asked("asked", "op_ana"))
		require.Empty(t, post.All())
		require.Equal(t, "no longer in the loop", w.notified(t)["op_ana"])
		w.write(t, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Exec(ctx, "UPDATE review_recipients SET reason = 'escalated' WHERE person_id = 'op_ana'")
			return err
		})
		w.tell(t, asked("escalated", "op_ana"))
		require.Len(t, post.All(), 1, "who was escalated to need not be in it")
	})

	t.Run("that could not be sent until the request was over is dropped", func(t *testing.T) {
		chat, post := serveChat(t), notifytest.Serve(t, 1)
		chat.fail = true
		c := byMail(post)
		c.ChatURLs = []string{chat.url}
		w := reviewWorld(t, storetest.Open(t), clock.NewFake(storetest.Start), c)
		w.tell(t, asked("asked", "op_ana"))
		w.end(t)
		chat.mu.Lock()
		chat.fail = false
		chat.mu.Unlock()
		w.clock.Advance(time.Minute)
		w.run(t)
		require.Empty(t, post.All())
		require.Empty(t, chat.all())
		require.Equal(t, "the request was over before the notice went out", w.notified(t)["op_ana"])
	})

	t.Run("that says it is over goes out, with the page instead of a link", func(t *testing.T) {
		s := notifytest.Serve(t, 0)
		w := reviewWorld(t, storetest.Open(t), clock.NewFake(storetest.Start), byMail(s))
		w.end(t)
		for _, kind := range []string{"decided", "withdrawn", "feedback"} {
			a := asked(kind, "op_ana")
			a.LinkID = ""
			w.tell(t, a)
		}
		require.Len(t, s.All(), 3)
		require.Equal(t, "Your answer is wanted.\n\nhttps://ops.example.com/reviews/"+reviewID, bodyOf(t, s.All()[0]))
		require.Equal(t, "", w.notified(t)["op_ana"], "only being asked is kept")
	})
}

func TestReviewChat(t *testing.T) {
	t.Run("carries the question and the page, and no personal link", func(t *testing.T) {
		chat, post := serveChat(t), notifytest.Serve(t, 0)
		c := byMail(post)
		c.ChatURLs = []string{chat.url}
		w := reviewWorld(t, storetest.Open(t), clock.NewFake(storetest.Start), c)
		a := asked("asked", "op_ana")
		a.Channels = []string{notify.Chat}
		w.tell(t, a)
		require.Empty(t, post.All())
		require.Len(t, chat.all(), 1)
		require.Contains(t, chat.all()[0], "> Publish this?")
		require.Contains(t, chat.all()[0], "https://ops.example.com/reviews/"+reviewID)
		require.NotContains(t, chat.all()[0], "token-of")
		require.Equal(t, map[string]string{"op_ana": "sent", "op_bo": "sent"}, w.notified(t))
	})

	t.Run("hears no feedback, which is between an agent and a person", func(t *testing.T) {
		chat := serveChat(t)
		w := reviewWorld(t, storetest.Open(t), clock.NewFake(storetest.Start), notify.Config{ChatURLs: []string{chat.url}})
		w.tell(t, asked("feedback", "op_ana"))
		require.Empty(t, chat.all())
	})

	t.Run("is left alone by a notice for mail", func(t *testing.T) {
		chat, post := serveChat(t), notifytest.Serve(t, 0)
		c := byMail(post)
		c.ChatURLs = []string{chat.url}
		w := reviewWorld(t, storetest.Open(t), clock.NewFake(storetest.Start), c)
		a := asked("asked", "op_ana")
		a.Channels = []string{notify.Mail}
		w.tell(t, a)
		require.Empty(t, chat.all())
		require.Len(t, post.All(), 1)
	})
}
