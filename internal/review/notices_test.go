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
	"humanops-mcp/internal/notify"
	"humanops-mcp/internal/notify/notifytest"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/schemas"
)

// toldWorld is an outpost with mail and a chat room.
func toldWorld(t *testing.T, s *store.Store, clk *clock.Fake) (*outpost, *notifytest.MailServer, *address) {
	post, room := notifytest.Serve(t, 0), listen(t)
	o := newOutpost(t, s, clk, Config{}, notify.Config{
		SMTP: notify.SMTP{Host: "127.0.0.1", Port: post.Port, TLS: "none"}, From: "HumanOps <humans@example.com>", ChatURLs: []string{"generic+" + room.url},
	})
	o.join("default", o.adaID)
	o.join("default", "Bob")
	o.run()
	return o, post, room
}

// linkIn is the personal link in a mail.
func linkIn(t *testing.T, raw string) (to, token string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(raw))
	require.NoError(t, err)
	body, err := io.ReadAll(m.Body)
	require.NoError(t, err)
	text := strings.ReplaceAll(strings.ReplaceAll(string(body), "=\r\n", ""), "=\n", "")
	_, token, found := strings.Cut(text, "https://house.test/r/")
	require.True(t, found, text)
	return m.Header.Get("To"), strings.Fields(token)[0]
}

func TestNotices(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		o, post, room := toldWorld(t, s, clk)
		before, said := len(post.All()), len(room.all())
		id := o.askYesNo(t, nil)

		t.Run("give each person a link of their own, and the room one message without any", func(t *testing.T) {
			o.run()
			mails := post.All()[before:]
			require.Len(t, mails, 2, "the owner has no address")
			tokens := map[string]string{}
			for _, raw := range mails {
				require.Contains(t, raw, "> Publish this post?")
				to, token := linkIn(t, raw)
				tokens[token] = to
				o.write(o.t.Context(), func(ctx context.Context, tx *store.Tx) error {
					reviewID, personID, err := o.PeekLink(ctx, tx, token)
					require.NoError(t, err)
					require.Equal(t, id, reviewID)
					p, err := tx.PersonByID(ctx, personID)
					require.Contains(t, to, p.Email)
					return err
				})
			}
			require.Len(t, tokens, 2)
			require.Len(t, room.all(), said+1)
			text := string(room.all()[said].body)
			require.Contains(t, text, "https://house.test/reviews/"+id)
			require.NotContains(t, text, "/r/")
			require.Equal(t, "sent", o.column("SELECT notified FROM review_recipients WHERE review_id = $1 AND person_id = $2", id, o.adaID))
		})

		t.Run("that wait for somebody's time are dropped when it is over before", func(t *testing.T) {
			mailed := len(post.All())
			late := o.askYesNo(t, nil)
			o.write(o.t.Context(), func(ctx context.Context, tx *store.Tx) error {
				return o.notice(ctx, tx, notice{ReviewID: late, PersonID: o.adaID, Kind: noticeWarned, Subject: "late", Body: "late", At: clk.Now().Add(time.Minute)})
			})
			mustAs(o, o.owner, o.CancelReview, schemas.CancelReviewRequest{RequestID: late})
			o.run()
			clk.Advance(2 * time.Minute)
			o.run()
			for _, raw := range post.All()[mailed:] {
				require.NotContains(t, raw, "Subject: late")
			}
		})

		t.Run("reach the room when the first person may be asked", func(t *testing.T) {
			other := o.askYesNo(t, nil)
			o.run()
			had := len(room.all())
			o.write(o.t.Context(), func(ctx context.Context, tx *store.Tx) error {
				for person, after := range map[string]time.Duration{o.adaID: 20 * time.Minute, o.ownerID: 10 * time.Minute} {
					n := notice{ReviewID: other, PersonID: person, Kind: noticeWarned, Subject: "hurry", Body: "hurry", Channels: []string{notify.Chat}, At: clk.Now().Add(after)}
					if err := o.notice(ctx, tx, n); err != nil {
						return err
					}
				}
				return nil
			})
			clk.Advance(10*time.Minute - time.Second)
			o.run()
			require.Len(t, room.all(), had)
			clk.Advance(time.Second)
			o.run()
			require.Len(t, room.all(), had+1)
			clk.Advance(10 * time.Minute)
			o.run()
			require.Len(t, room.all(), had+1, "once for all")
		})

		t.Run("tell nobody of test mode", func(t *testing.T) {
			mailed, said := len(post.All()), len(room.all())
			mustAs(o, o.sandbox, o.CreateReview, schemas.CreateReviewRequest{LoopID: "default", NewReview: schemas.NewReview{RequestText: "A test?"}})
			o.run()
			require.Len(t, post.All(), mailed)
			require.Len(t, room.all(), said)
		})
	})
}
