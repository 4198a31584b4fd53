package fill

import (
	"testing"
)

// review makes the i-th review request, with everything that belongs to it.
func (h *house) review(t testing.TB, i int) {
	t.Helper()
	open := h.size.Open / 3
	at := h.when(i, h.size.Reviews, open)
	agent, reviewer := h.most(h.agents), h.most(h.people)
	s := subject{id: h.hex(24), kind: "review", agent: agent}
	s.steps = []step{{"review.created", agent, "api", "pending", at}}
	state := "completed"
	switch {
	case i >= h.size.Reviews-open:
		state = pick(i%5 == 0, "claimed", "pending")
	case i%10 == 0:
		state = "timeout"
	case i%20 == 1:
		state = "cancelled"
	}
	switch state {
	case "claimed":
		s.steps = append(s.steps, step{"review.claim", reviewer, "page", "claimed", at + 5*minute})
		s.claimedBy = reviewer
	case "completed":
		s.steps = append(s.steps, step{"review.claim", reviewer, "page", "claimed", at + 5*minute}, step{"review.decide", reviewer, "page", "completed", at + 9*minute})
	case "timeout":
		s.steps = append(s.steps, step{"review.timeout", "system", "timeout", "timeout", at + hour})
	case "cancelled":
		s.steps = append(s.steps, step{"review.cancel", agent, "api", "cancelled", at + 3*minute})
	}
	s.finished = state != "pending" && state != "claimed"
	s.needs = pick(s.finished, "", "people")
	h.tell(t, s)
	h.keepReview(s, reviewer, i)
}

// keepReview writes the rows of a review.
func (h *house) keepReview(s subject, reviewer string, i int) {
	state, first, last := s.steps[len(s.steps)-1].to, s.steps[0].at, s.steps[len(s.steps)-1].at
	decided := state == "completed"
	source := map[string]string{"completed": "human", "timeout": "default", "cancelled": "cancelled"}[state]
	rank := map[string]int{"pending": 0, "claimed": 1, "completed": 2, "timeout": 3, "cancelled": 4}[state]
	var claimedBy, decidedBy any
	if s.claimedBy != "" {
		claimedBy = s.claimedBy
	}
	if decided {
		decidedBy = reviewer
	}
	loop := h.most(h.loops)
	h.w.put("reviews", s.id, loop, s.agent, "live", state, "deferred", "markdown", pick(i%10 == 0, "high", "medium"), pick(i%10 == 0, 1, 2), rank,
		"Refund an order", "May I refund order 4711?", "refund an order may i refund order 4711?", "api", "boolean", "{}", "cancel", 3600,
		h.hex(64), claimedBy, last+forever, pick(decided, `true`, ""), pick(decided, "true", ""), pick(s.finished, "true", ""), source, pick(decided, "approved", ""),
		decidedBy, pick(decided, "page", ""), first, first, last, pick(s.finished, last, 0))
	for n := range 3 {
		h.w.put("review_recipients", s.id, h.people[(i+n)%len(h.people)], "loop", "sent", first, loop, first, !s.finished, first)
	}
	if !decided {
		return
	}
	h.w.put("review_votes", s.id, 1, reviewer, "true", "true", "approved", "page", last)
	if i%2 == 0 {
		h.w.put("receipts", s.id, 1, h.id("n_"), h.hex(64), "approved", "{}", last+24*hour, last)
	}
	if i%20 == 5 {
		h.w.put("review_feedback", s.id, h.id("fb_"), s.agent, "{}", last)
		h.w.put("review_rounds", s.id, 1, "May I?", "true", "true", "needs_changes", first, first+minute)
	}
	if i >= h.size.Reviews-lately {
		h.w.put("review_links", h.id("lnk_"), h.hex(64), s.id, reviewer, first, first+72*hour)
	}
}
