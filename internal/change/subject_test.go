package change_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/change"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/notify"
	"humanops-mcp/internal/notify/notifytest"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/internal/webhook"
	"humanops-mcp/schemas"
)

// What another kind of subject costs is promised: everything that this package's tests show
// of errands stands in one file, their words and followers too.
func TestAnotherKindCostsUnder120Lines(t *testing.T) {
	raw, err := os.ReadFile("errand_test.go")
	require.NoError(t, err)
	require.Less(t, strings.Count(string(raw), "\n"), 120)
}

// heard is an address that keeps what it is told: the id of each event, from the header and
// from the body.
type heard struct {
	url string
	mu  sync.Mutex
	ids []string
}

func listen(t *testing.T) *heard {
	h := &heard{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body struct {
			EventID string `json:"event_id"`
		}
		err := json.NewDecoder(r.Body).Decode(&body)
		h.mu.Lock()
		defer h.mu.Unlock()
		if err == nil && body.EventID == r.Header.Get("X-Delivery-Id") {
			h.ids = append(h.ids, body.EventID)
		}
	}))
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

func TestOneEventIsTheSameForEverybodyWhoFollows(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		address := listen(t)
		var followed []happened
		w.life.Follow(func(_ context.Context, _ *store.Tx, h happened) error { followed = append(followed, h); return nil })
		e := w.fresh()
		w.write(func(tx *store.Tx) error {
			followed = nil
			_, err := w.life.Open(t.Context(), tx, e, change.Opening[verb]{Event: post, By: agent, Beside: func(ctx context.Context, tx *store.Tx) error {
				return w.hooks.Subscribe(ctx, tx, webhook.Callback{SubjectID: e.ID, AgentID: agent.ID, Mode: e.Mode, URL: address.url, Style: webhook.Marketplace})
			}})
			return err
		})
		w.do(e.ID, take, ada)
		w.do(e.ID, finish, ada)
		w.work()
		w.number()

		var told, kept, numbered, delivered []string
		for _, h := range followed {
			told = append(told, h.ID)
		}
		for _, entry := range w.trail(e.ID) {
			kept = append(kept, entry.EventID)
		}
		w.read(func(tx *store.Tx) error {
			rows, err := tx.TrailAfter(t.Context(), db.TrailAfterParams{Count: 100})
			for _, row := range rows {
				require.Equal(t, e.ID, row.SubjectID)
				numbered = append(numbered, row.EventID)
			}
			return err
		})
		for _, d := range w.deliveries(e.ID) {
			require.Equal(t, "delivered", d.State)
			delivered = append(delivered, d.EventID)
		}
		require.Len(t, kept, 3)
		require.Equal(t, kept, told, "followers")
		require.Equal(t, kept, numbered, "the feed")
		require.ElementsMatch(t, kept, delivered, "the log of deliveries")
		require.ElementsMatch(t, kept, address.ids, "the address itself")
		for _, id := range kept {
			require.Regexp(t, "^ev_", id)
		}
		require.Equal(t, []state{"", open, taken}, []state{state(followed[0].Was.State), state(followed[1].Was.State), state(followed[2].Was.State)})
		require.Equal(t, w.get(e.ID), followed[2].Now, "followers see the subject as it is kept")
	})
}

func TestATrailSaysWhoByWhatFromWhereAndWhereTo(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		id := w.posted().ID
		w.clock.Advance(time.Minute)
		w.do(id, take, ada)
		w.clock.Advance(time.Minute)
		w.do(id, finish, ada)
		type said struct {
			From, To string
			Version  int
		}
		for i, want := range []struct {
			kind string
			by   change.Actor
			said
		}{
			{"errand.post", agent, said{"", "open", 1}},
			{"errand.take", ada, said{"open", "taken", 2}},
			{"errand.finish", ada, said{"taken", "done", 3}},
		} {
			got := w.trail(id)[i]
			var data said
			require.NoError(t, json.Unmarshal(got.Data, &data))
			require.Equal(t, want.said, data)
			require.Equal(t, []any{i + 1, want.kind, want.by}, []any{got.N, got.Kind, change.Actor{ID: got.Actor, Via: got.Via}})
			require.Equal(t, storetest.Start.Add(time.Duration(i)*time.Minute), got.At)
		}

		t.Run("and tells when an entry was altered", func(t *testing.T) {
			storetest.Exec(t, w.store, "UPDATE trail SET actor = 'op_eve' WHERE subject_id = $1 AND n = 2", id)
			require.ErrorContains(t, w.check(id), "the trail of "+id+" is not as it was written: entry 2 is not what was hashed")
		})
	})
}

func TestALineSaysWhatEverybodyMayKnow(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.posted()
		start, due := store.Micros(storetest.Start), store.Micros(storetest.Start.Add(dueIn))
		want := change.Line{
			ID: e.ID, Kind: "errand", AgentID: agent.ID, Mode: "live", State: "open", Needs: change.NeedsPeople, Version: 1, Seen: 1,
			ClockAt: due - warnedBefore.Microseconds(), Entries: 1, CreatedAt: start, UpdatedAt: start,
		}
		line := func() change.Line {
			t.Helper()
			var lines map[string]change.Line
			w.read(func(tx *store.Tx) (err error) {
				lines, err = change.Lines(t.Context(), tx, []string{e.ID, "er_other"})
				return err
			})
			require.Len(t, lines, 1)
			got := lines[e.ID]
			require.NotEmpty(t, got.Head)
			got.Head = ""
			return got
		}
		require.Equal(t, want, line())

		w.clock.Advance(time.Minute)
		now := start + time.Minute.Microseconds()
		w.do(e.ID, take, ada)
		want.State, want.Version, want.Entries, want.UpdatedAt = "taken", 2, 2, now
		want.ClaimedBy, want.ClaimedAt, want.LeaseUntil = ada.ID, now, now+lease.Microseconds()
		want.ClockAt = want.LeaseUntil - warnedBefore.Microseconds()
		require.Equal(t, want, line())

		w.do(e.ID, finish, ada)
		want.State, want.Finished, want.Needs, want.Version, want.Entries, want.EndedAt = "done", true, change.NeedsNothing, 3, 3, now
		want.ClaimedBy, want.ClaimedAt, want.LeaseUntil, want.ClockAt = "", 0, 0, 0
		require.Equal(t, want, line())
	})
}

func TestALetterHasTheWordsOfTheKindThatWritesIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		post := notifytest.Serve(t, 0)
		w := newWorld(t, s, clk, func(*kind) {}, notify.Config{
			SMTP: notify.SMTP{Host: "127.0.0.1", Port: post.Port, TLS: "none"}, From: "humans@example.com",
			People: func(_ context.Context, _ *store.Tx, ids []string, _ bool) (list []notify.Addressee, err error) {
				for _, id := range ids {
					if id == ada.ID {
						list = append(list, notify.Addressee{ID: id, Name: "Ada", Email: "ada@example.com"})
					}
				}
				return list, nil
			},
		})
		id := w.posted().ID
		w.work()
		require.Empty(t, post.All(), "nobody has it yet")
		w.do(id, take, ada)
		w.work()
		require.Len(t, post.All(), 1)
		require.Contains(t, post.All()[0], "Your errand")
		require.Contains(t, post.All()[0], "It is yours.")
		w.read(func(tx *store.Tx) error {
			how, err := tx.GetFact(t.Context(), id+".letter")
			require.Equal(t, notify.Sent, how)
			return err
		})
	})
}

func TestRegisterPanicsOnAMistakeOfTheProgram(t *testing.T) {
	changes := change.New(change.Deps{})
	change.Register(changes, errands())
	require.PanicsWithValue(t, "change: the kind errand is incomplete, or registered twice", func() { change.Register(changes, errands()) })
	for missing, edit := range map[string]func(*kind){
		"name": func(k *kind) { k.Name = "" }, "life": func(k *kind) { k.Life = nil }, "line": func(k *kind) { k.Line = nil },
		"row": func(k *kind) { k.Find = nil }, "ids": func(k *kind) { k.Owns = nil },
		"admission": func(k *kind) { k.View.Admit = nil }, "sight": func(k *kind) { k.View.Visible = nil },
		"refusal": func(k *kind) { k.View.Missing = nil }, "show": func(k *kind) { k.View.Show = nil },
	} {
		t.Run("without its "+missing, func(t *testing.T) {
			k := errands()
			k.Name = "other"
			edit(&k)
			require.Panics(t, func() { change.Register(changes, k) })
		})
	}
	t.Run("and takes a kind that leaves out what has a default", func(t *testing.T) {
		k := errands()
		least := kind{Name: "least", Life: k.Life, Owns: k.Owns, Find: k.Find, Line: k.Line, View: k.View}
		require.NotPanics(t, func() { change.Register(changes, least) })
	})
}

func TestAKindOfWhichOnlyTheLineIsKept(t *testing.T) {
	onOne(t, func(k *kind) {
		*k = kind{Name: k.Name, Life: k.Life, Owns: k.Owns, Line: k.Line, View: k.View, Find: func(ctx context.Context, tx *store.Tx, id string) (e errand, err error) {
			e.Line, err = tx.FindSubject(ctx, id)
			return e, err
		}}
	}, func(t *testing.T, w *world) {
		e := w.posted()
		require.Equal(t, []any{"open", change.NeedsNothing, int64(0), false}, []any{e.State, e.Needs, e.ClockAt, e.Finished})
		e = w.do(e.ID, take, ada)
		require.Empty(t, e.ClaimedBy, "no state is named in which it is claimed")
		e = w.do(e.ID, finish, ada)
		require.True(t, e.Finished)
		require.Equal(t, []string{"post", "take", "finish"}, w.kinds(e.ID))
	})
}

func TestWhatAnAgentHasSeen(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		id := w.posted().ID
		news := func() int64 { e := w.get(id); return e.Version - e.Seen }
		see := func(agentID, mode string, version int64) error {
			return w.store.Write(t.Context(), func(tx *store.Tx) error {
				return w.life.Acknowledge(t.Context(), tx, agentID, mode, []change.Seen{{ID: "er_other", Version: 1}, {ID: id, Version: version}})
			})
		}
		w.do(id, take, agent)
		require.Zero(t, news(), "what it did itself is no news to it")
		w.do(id, lapse, change.Timeout)
		require.EqualValues(t, 1, news())
		w.do(id, take, agent)
		require.EqualValues(t, 2, news(), "what it did after that takes no news away")
		require.NoError(t, see("ag_2", "live", 4))
		require.NoError(t, see(agent.ID, "test", 4))
		require.NoError(t, see(agent.ID, "live", 5))
		require.EqualValues(t, 2, news(), "another agent, another mode, a version that is not there")
		require.NoError(t, see(agent.ID, "live", 4))
		require.Zero(t, news())
		require.NoError(t, see(agent.ID, "live", 2))
		require.Zero(t, news(), "nothing is unseen again")

		for _, n := range []int{0, 101} {
			err := w.store.Write(t.Context(), func(tx *store.Tx) error {
				return w.life.Acknowledge(t.Context(), tx, agent.ID, "live", make([]change.Seen, n))
			})
			require.Equal(t, schemas.CodeInvalid, schemas.ErrorCode(err))
			require.ErrorContains(t, err, "must be 1 to 100")
		}
	})
}
