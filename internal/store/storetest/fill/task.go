package fill

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/store"
	"humanops-mcp/internal/trail"
	"humanops-mcp/schemas"
)

const (
	minute  = int64(60_000_000)
	hour    = 60 * minute
	forever = 30 * 24 * hour // until the clock of what is open rings
)

// step is an entry of a life.
type step struct {
	kind, actor, via, to string
	at                   int64
}

// subject is a line with the life behind it.
type subject struct {
	id, kind, agent string
	needs           string
	claimedBy       string
	finished        bool
	steps           []step
}

// tell writes the trail of a subject and its line. What goes on has a clock, and its job.
func (h *house) tell(t testing.TB, s subject) {
	t.Helper()
	head, from := "", ""
	for n, e := range s.steps {
		data := fmt.Sprintf(`{"to":%q,"version":%d}`, e.to, n+1)
		if from != "" {
			data = fmt.Sprintf(`{"from":%q,"to":%q,"version":%d}`, from, e.to, n+1)
		}
		id := h.id("ev_")
		hash := h.link(t, n, head, schemas.AuditEntry{EventID: id, Kind: e.kind, Actor: e.actor, Via: e.via, At: store.Time(e.at), Data: json.RawMessage(data)})
		h.seq++
		h.w.put("trail", s.id, n+1, id, h.seq, e.kind, e.actor, e.via, data, head, hash, e.at)
		head, from = hash, e.to
	}
	h.line(s, head)
}

// proved is of how many entries the hash is made by trail, too, to see that they agree.
const proved = 500

// link is the hash of the entry behind the n-th: what trail.Link makes, without going through
// JSON, which would take a third of the time. Nothing here has to be escaped.
func (h *house) link(t testing.TB, n int, head string, e schemas.AuditEntry) string {
	t.Helper()
	text := fmt.Sprintf(`{"actor":"%s","at":"%s","data":%s,"event_id":"%s","kind":"%s","n":%d,"previous":"%s","via":"%s"}`,
		e.Actor, e.At.Format(time.RFC3339Nano), e.Data, e.EventID, e.Kind, n+1, head, e.Via)
	sum := sha256.Sum256([]byte(text))
	hash := hex.EncodeToString(sum[:])
	if h.seq < h.first+proved {
		entry, err := trail.Link(n, head, e)
		require.NoError(t, err)
		require.Equal(t, entry.Hash, hash)
	}
	return hash
}

func (h *house) line(s subject, head string) {
	first, last := s.steps[0], s.steps[len(s.steps)-1]
	claimedAt, clockAt, endedAt := int64(0), int64(0), int64(0)
	if s.claimedBy != "" {
		claimedAt = last.at
	}
	if s.finished {
		endedAt = last.at
	} else {
		clockAt = last.at + forever
		h.w.put("jobs", h.id("job_"), "change.clock", s.agent, "change.clock:"+s.id+":"+strconv.FormatInt(clockAt, 10),
			`{"subject_id":"`+s.id+`"}`, "scheduled", clockAt, last.at)
	}
	h.w.put("subjects", s.id, s.kind, s.agent, "live", last.to, s.finished, s.needs, len(s.steps), len(s.steps), s.claimedBy, claimedAt, clockAt,
		len(s.steps), head, first.at, last.at, endedAt)
}

// task makes the i-th task, with everything that belongs to it.
func (h *house) task(t testing.TB, i int) {
	t.Helper()
	at := h.when(i, h.size.Tasks, h.size.Open)
	agent, operator := h.most(h.agents), h.most(h.people)
	s := subject{id: h.id("task_"), kind: "task", agent: agent}
	s.steps = []step{{"task.posted", agent, "api", "POSTED", at}}
	add := func(event, actor, via, to string, after int64) {
		s.steps = append(s.steps, step{"task." + event, actor, via, to, at + after})
	}
	accept := func() { add("accept", operator, "page", "ACCEPTED", 20*minute) }
	start := func() { add("start", operator, "page", "IN_PROGRESS", 40*minute) }
	if i >= h.size.Tasks-h.size.Open {
		// The busiest person has nothing in hand, and may take something.
		operator = h.people[1+i%(people-1)]
		switch i % 20 {
		case 0:
			accept()
		case 10:
			accept()
			start()
		default:
		}
	} else {
		switch i % 20 {
		case 0:
			add("cancel", agent, "api", "CANCELLED", hour)
		case 1:
			add("deadline", "system", "timeout", "EXPIRED", 20*hour)
		default:
			accept()
			start()
			add("submit", operator, "page", "SUBMITTED", 90*minute)
			add("guardian_approve", "guardian", "guardian", "VERIFIED", 91*minute)
			add("settle", "system", "system", "PAID", 91*minute)
		}
	}
	h.keepTask(t, s, operator, i)
}

// keepTask writes the rows of a task.
func (h *house) keepTask(t testing.TB, s subject, operator string, i int) {
	t.Helper()
	state, first, last := s.steps[len(s.steps)-1].to, s.steps[0].at, s.steps[len(s.steps)-1].at
	s.finished = state == "PAID" || state == "CANCELLED" || state == "EXPIRED"
	s.needs = pick(s.finished, "", "people")
	if state == "ACCEPTED" || state == "IN_PROGRESS" {
		s.claimedBy = operator
	}
	reward := int64(1+i%20) * 1_000_000
	done := state == "PAID"
	passed := func(n int) int64 {
		if len(s.steps) > n && (done || !s.finished) {
			return s.steps[n].at
		}
		return 0
	}
	var whose any = operator
	if state == "POSTED" || s.finished && !done {
		whose = nil
	}
	h.tell(t, s)
	h.w.put("tasks", s.id, s.agent, "live", state, "Photo of storefront "+strconv.Itoa(i), "Take two clear photos that show the whole facade and the signage.",
		pick(i%3 == 0, "VERIFICATION", "PHOTO"), 30.2672, -97.7431, "123 Main St, Austin, TX", reward, "house", last+forever,
		`["Full facade photo","Close-up of signage"]`, "auto", h.hex(64), whose, pick(done, 1, 0), pick(done, 1, 0),
		first, last, passed(1), passed(2), passed(3), passed(4), pick(done, last, 0), pick(s.finished && !done, last, 0))
	h.money(s, operator, state, reward, last)
	if done {
		h.w.put("submissions", s.id, 1, operator, "Done as asked.", s.steps[3].at)
		h.stored[operator] += 1000
		h.w.put("proof_files", s.id, 1, 1, operator, h.hex(64), "image/jpeg", 1000, 1600, 1200, h.hex(64), 800, h.hex(64), 200, "image/jpeg", s.steps[3].at)
	}
	if i%5 == 0 {
		question := h.id("msg_")
		h.w.put("messages", question, s.id, "operator", operator, "Is the back door meant?", nil, first+25*minute)
		h.w.put("messages", h.id("msg_"), s.id, "agent", s.agent, "No, the front.", question, first+30*minute)
	}
	h.around(s, i)
}

// around writes what is kept for a while, or for some only.
func (h *house) around(s subject, i int) {
	last := s.steps[len(s.steps)-1].at
	if i >= h.size.Tasks-lately-h.size.Open {
		h.w.put("webhook_deliveries", h.id("whd_"), h.webhook, s.id, h.id("ev_"), "task.status_changed", `{"event":"task.status_changed"}`, "delivered", 1, 200, last, last)
		h.w.put("idempotency_keys", s.agent, h.id("idem_"), h.hex(64), 201, "{}", s.id, last, last+24*hour)
	}
	if i%100 == 0 {
		h.uploaded[s.agent] += 1000
		h.w.put("uploads", h.id("up_"), s.agent, "live", "plan.pdf", "application/pdf", 1000, h.hex(64), last)
	}
	if i < 20 {
		h.w.put("jobs", h.id("job_"), "webhook.send", s.agent, "", "{}", "failed", last, last)
	}
}

// money moves a task's reward: into escrow, and out of it when the task is over.
func (h *house) money(s subject, operator, state string, reward, at int64) {
	held := account{"escrow", s.id}
	from := account{"deposit", s.agent}
	h.transfer("hold", s.id, from, held, reward, s.steps[0].at)
	switch {
	case state == "PAID":
		h.transfer("release", s.id, held, account{"earnings", operator}, reward, at)
	case s.finished:
		h.transfer("refund", s.id, held, from, reward, at)
	}
	h.w.put("accounts", held.id(), s.id, "escrow", "house", pick(s.finished, 0, reward), 0, s.steps[0].at)
	h.held[s.agent] += pick(s.finished, 0, reward)
}

func (a account) id() string { return a.kind + ":house:" + a.owner }

func (h *house) transfer(kind, subject string, from, to account, amount, at int64) {
	id := h.id("lt_")
	h.w.put("ledger_transactions", id, kind, subject, "house", at)
	for whose, change := range map[account]int64{from: -amount, to: amount} {
		h.w.put("ledger_entries", id, whose.id(), change)
		if whose.kind != "escrow" {
			h.balance[whose] += change
		}
	}
}

// balances gives every agent what it spent, and ten thousand more, and writes the accounts.
func (h *house) balances() {
	at := h.began()
	for _, agent := range h.agents {
		own := account{"deposit", agent}
		h.transfer("issue", own.id(), account{"issuer", "house"}, own, 10_000_000_000-min(h.balance[own], 0), at)
	}
	for agent, bytes := range h.uploaded {
		h.w.put("upload_totals", agent, bytes)
	}
	for whose, balance := range h.balance {
		h.w.put("accounts", whose.id(), whose.owner, whose.kind, "house", balance, pick(whose.kind == "deposit", h.held[whose.owner], 0), at)
	}
}
