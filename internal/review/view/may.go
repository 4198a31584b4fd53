package view

import (
	"humanops-mcp/internal/account"
	loops "humanops-mcp/internal/loop"
	"humanops-mcp/internal/oncall"
	"humanops-mcp/internal/quorum"
	"humanops-mcp/internal/review/ask"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

// may tells a person what they may do with a request now, nil to a program.
func (s *Reader) may(r ask.Request, a around) *schemas.ReviewerMay {
	c := a.caller
	if c.PersonID == "" {
		return nil
	}
	settings := loops.Settings(a.loops[r.LoopID])
	m := &schemas.ReviewerMay{Passkey: settings.Passkey}
	if schemas.ReviewStatus(r.Status).Final() {
		m.Why = "It is over already."
		return m
	}
	m.Why = a.why(r, settings)
	m.Decide = m.Why == ""
	m.Claim = m.Decide && !quorum.Several(r.Agreement())
	m.Release = r.Line.ClaimedBy == c.PersonID
	m.Escalate = furtherStep(settings, r) && (c.Owner || a.standing(r).Why == "")
	return m
}

// furtherStep tells whether an escalation has another step to go.
func furtherStep(settings schemas.LoopSettings, r ask.Request) bool {
	plan, ok := oncall.PlanFor(settings.Escalation, r.Priority)
	if !ok {
		return false
	}
	_, _, ok = plan.Step(int(r.EscalationStep))
	return ok
}

// why says why the caller may not decide, nothing when they may. It is what a decision
// would be refused with, for a whole page of requests at once.
func (a around) why(r ask.Request, settings schemas.LoopSettings) string {
	if r.Mode == account.Test {
		return "It is a test: a simulated reviewer decides."
	}
	st := a.standing(r)
	switch {
	case st.Why != "":
		return st.Why
	case a.hasAnswered(r, st):
		return "You have answered already; others are still to answer."
	case r.Line.ClaimedBy != "" && r.Line.ClaimedBy != a.caller.PersonID:
		return "It is claimed by " + a.people[r.Line.ClaimedBy].Name + " until " + ask.ClockTime(store.Time(r.Line.LeaseUntil)) + "."
	case settings.Passkey && !a.mine.enrolled[r.LoopID]:
		return ask.NoPasskey
	}
	return ""
}

func (a around) standing(r ask.Request) ask.Standing {
	return ask.Place(r, a.mine.asked[r.ID], ask.Who{PersonID: a.caller.PersonID, Member: a.mine.member[r.LoopID], Owner: a.caller.Owner})
}

// hasAnswered tells whether the caller has given every answer that is asked of them now.
func (a around) hasAnswered(r ask.Request, st ask.Standing) bool {
	if !quorum.Several(r.Agreement()) {
		return false
	}
	for _, step := range st.Circles {
		if !a.mine.answered[r.ID][step] {
			return false
		}
	}
	return true
}
