// Package fill makes houses that have been used for years, for tests and benchmarks of what
// a long history costs: through the real schema, on both databases, in minutes for a
// million tasks. Everything in them fits together, as a check confirms.
package fill

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/event"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
)

// Size is how much a house has done. Two houses of different sizes did the same lately, and
// have the same going on: in what else they differ is history.
type Size struct {
	Tasks   int
	Reviews int
	Open    int // of the tasks; a third as many of the reviews
	Now     time.Time
}

// What is in every house. The first of each holds most of the tasks and reviews.
const (
	agents  = 5
	people  = 20
	loops   = 10
	lately  = 200 // tasks that ended in the last days
	days    = 40  // how long lately is
	history = 360 // days before those
	slice   = 2000
)

// House fills the database of a store that was opened by storetest, or attached to it. A
// house that an owner set up already keeps its owner and its agent, who then hold most.
func House(t testing.TB, s *store.Store, size Size) {
	t.Helper()
	if size.Now.IsZero() {
		size.Now = storetest.Start
	}
	w := newWriter(t, s)
	h := &house{w: w, size: size, random: rand.New(rand.NewPCG(7, 11)), balance: map[account]int64{}, held: map[string]int64{}, stored: map[string]int64{}, uploaded: map[string]int64{}}
	h.settle(t, s)
	h.live(t)
	h.balances()
	w.flush(t)
	w.close(t)
	for person, bytes := range h.stored {
		storetest.Exec(t, s, "UPDATE people SET stored_bytes = stored_bytes + $1 WHERE id = $2", bytes, person)
	}
	anchor(t, s)
	if s.Kind() == "postgres" {
		storetest.Exec(t, s, "VACUUM ANALYZE")
	}
}

// anchor covers all trails, as the hourly job would have done.
func anchor(t testing.TB, s *store.Store) {
	t.Helper()
	ctx := t.Context()
	for covered := int64(-1); ; {
		var now int64
		require.NoError(t, s.Write(ctx, func(tx *store.Tx) error {
			if err := event.Anchor(ctx, tx); err != nil {
				return err
			}
			last, err := tx.LastAnchor(ctx)
			now = last.Seq
			return err
		}))
		if now == covered {
			return
		}
		covered = now
	}
}

// house is a house being filled.
type house struct {
	w        *writer
	size     Size
	random   *rand.Rand
	agents   []string
	people   []string
	loops    []string
	webhook  string
	seq      int64
	first    int64             // seq before the first entry
	balance  map[account]int64 // of accounts that many transactions move
	held     map[string]int64  // of what agents have
	uploaded map[string]int64  // by agents, in bytes
	stored   map[string]int64  // proof that people have handed in, in bytes
}

type account struct{ kind, owner string }

// settle makes who is there before anything happens.
func (h *house) settle(t testing.TB, s *store.Store) {
	t.Helper()
	require.NoError(t, s.Read(t.Context(), func(tx *store.Tx) (err error) { return h.found(t.Context(), tx) }))
	at := h.began()
	for i := len(h.agents); i < agents; i++ {
		id := h.id("ag_")
		h.agents = append(h.agents, id)
		h.w.put("agents", id, "Agent "+letter(i), "", "", "", pick(i == 0, "HOUSE", "STANDARD"), at)
	}
	for i := len(h.people); i < people; i++ {
		id := h.id("op_")
		h.people = append(h.people, id)
		h.w.put("people", id, "Filled "+letter(i), "filled "+lower(i), "", i == 0, true, at+int64(i), at)
	}
	for i := range loops {
		id := h.hex(24)
		h.loops = append(h.loops, id)
		h.w.put("loops", id, "filled-"+lower(i), h.agents[i%agents], "live", h.people[0], "Circle "+letter(i), at+int64(i), at)
		for n, person := range h.people {
			h.w.put("loop_members", id, person, "active", pick(n == 0, "admin", "member"), h.people[0], at+int64(n), at)
		}
	}
	h.webhook = h.id("wh_")
	h.w.put("webhooks", h.webhook, h.agents[0], "live", "https://example.com/hook", `["*"]`, "", false, at, at)
}

// found takes up who is there already.
func (h *house) found(ctx context.Context, tx *store.Tx) error {
	id, err := tx.HouseAgentID(ctx)
	if err == nil {
		h.agents = append(h.agents, id)
	} else if !store.NotFound(err) {
		return err
	}
	owner, err := tx.PersonOwner(ctx)
	if err == nil {
		h.people = append(h.people, owner.ID)
	} else if !store.NotFound(err) {
		return err
	}
	h.seq, err = tx.LastSeq(ctx)
	h.first = h.seq
	return err
}

func (h *house) began() int64 {
	return store.Micros(h.size.Now.Add(-(days + history + 1) * 24 * time.Hour))
}

// live does everything in the order in which it happened.
func (h *house) live(t testing.TB) {
	t.Helper()
	reviews := 0
	for i := range h.size.Tasks {
		h.task(t, i)
		for want := (i + 1) * h.size.Reviews / h.size.Tasks; reviews < want; reviews++ {
			h.review(t, reviews)
		}
		if i%slice == slice-1 {
			h.w.flush(t)
		}
	}
}

// when is the moment at which the i-th of n was made: the open ones today, some lately, and
// all others evenly before.
func (h *house) when(i, n, open int) int64 {
	const day = 24 * time.Hour
	left := n - i // 1 for the newest
	age := time.Hour + time.Duration(left)*8*time.Hour/time.Duration(open+1)
	switch {
	case left <= open:
	case left <= open+lately:
		age = day + time.Duration(left-open)*(days-1)*day/lately
	default:
		age = days*day + time.Duration(left-open-lately)*(history*day/time.Duration(n))
	}
	return store.Micros(h.size.Now.Add(-age))
}

// most gives the first of a list four times out of five, and any of the others else.
func (h *house) most(list []string) string {
	if h.random.IntN(5) > 0 {
		return list[0]
	}
	return list[1+h.random.IntN(len(list)-1)]
}

func pick[T any](is bool, yes, no T) T {
	if is {
		return yes
	}
	return no
}

func letter(i int) string { return string(rune('A' + i)) }
func lower(i int) string  { return string(rune('a' + i)) }

const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// id is as ident.New makes them, but the same in every run.
func (h *house) id(prefix string) string { return prefix + h.text(letters, 16) }

func (h *house) hex(n int) string { return h.text("0123456789abcdef", n) }

func (h *house) text(of string, n int) string {
	out := make([]byte, n)
	for i := 0; i < n; {
		for bits, k := h.random.Uint64(), 0; k < 10 && i < n; k++ {
			out[i] = of[bits%64%uint64(len(of))]
			bits /= 64
			i++
		}
	}
	return string(out)
}
