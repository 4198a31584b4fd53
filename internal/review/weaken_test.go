package review

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

// stranger joins by a code under a name of their choice, as the join page does it.
func (sc *scene) stranger(code, name string) (context.Context, error) {
	var who context.Context
	err := sc.store.Write(sc.t.Context(), func(tx *store.Tx) error {
		p, _, _, err := sc.JoinAsNew(sc.t.Context(), tx, code, name, "")
		who = account.With(sc.t.Context(), account.Caller{PersonID: p.ID, Name: p.Name, Via: "page"})
		return err
	})
	return who, err
}

func escalatesTo(name string) schemas.LoopSettings {
	return schemas.LoopSettings{Escalation: []schemas.EscalationPolicy{{Steps: []schemas.EscalationStep{{AfterSeconds: 60, To: []string{name}}}}}}
}

// Whoever has an agent's code chooses their name; the agent can escalate its own request.
func TestNobodyJoinsUnderANameThatDecidesElsewhere(t *testing.T) {
	onBoth(t, Config{}, func(t *testing.T, sc *scene) {
		code := do(sc, sc.agent, sc.CreateLoop, schemas.CreateLoopRequest{Name: "Bait"}).InviteCode
		update := func(s schemas.LoopSettings) {
			do(sc, sc.owner, sc.UpdateLoop, schemas.UpdateLoopRequest{LoopID: sc.loop.ID, Settings: &s})
		}
		t.Run("that of a group which an escalation names, not even after the group is deleted", func(t *testing.T) {
			do(sc, sc.owner, sc.PutGroup, schemas.PutGroupRequest{Group: "Legal", Members: []string{"Bob"}})
			_, err := sc.stranger(code, "legal")
			denied(t, err, schemas.CodeConflict, "already somebody called")
			update(escalatesTo("Legal"))
			do(sc, sc.owner, sc.DeleteGroup, schemas.GroupRequest{Group: "Legal"})
			for _, name := range []string{"legal", "Ｌｅｇａｌ", "Le\u034fgal"} {
				_, err = sc.stranger(code, name)
				denied(t, err, schemas.CodeConflict, "already somebody called")
			}
		})
		t.Run("that of a person who has left and whom an escalation still names", func(t *testing.T) {
			sc.person("Carol")
			update(escalatesTo("carol"))
			do(sc, sc.owner, sc.Accounts.RemovePerson, schemas.PersonRequest{PersonID: "Carol"})
			_, err := sc.stranger(code, "Carol")
			denied(t, err, schemas.CodeConflict, "already somebody called")
		})
		t.Run("that of a circle which has to approve", func(t *testing.T) {
			sc.person("Dan")
			update(schemas.LoopSettings{Mode: &schemas.ReviewMode{Steps: []schemas.ReviewStep{{To: []string{"Dan"}}}}})
			do(sc, sc.owner, sc.Accounts.RemovePerson, schemas.PersonRequest{PersonID: "Dan"})
			_, err := sc.stranger(code, "Dan")
			denied(t, err, schemas.CodeConflict, "already somebody called")
			update(schemas.LoopSettings{})
		})
		t.Run("and any other name waits for the owner as before", func(t *testing.T) {
			who, err := sc.stranger(code, "Erin")
			require.NoError(t, err)
			_, err = sc.answer(who, sc.asked(nil), "true")
			denied(t, err, schemas.CodeNotFound, "Request not found")
		})
	})
}

func TestWhoWasRemovedFromALoopNoLongerDecidesWhatWasEscalatedToThem(t *testing.T) {
	onBoth(t, Config{}, func(t *testing.T, sc *scene) {
		sc.set(schemas.LoopSettings{Routing: "round_robin", Escalation: escalatesTo("loop").Escalation})
		mallory := sc.joined("Mallory")
		id := sc.asked(func(r *schemas.NewReview) { r.AssignTo = []string{"Ada"} })
		sc.pass(61 * time.Second)
		require.Equal(t, 1, sc.get(id).Escalations)
		do(sc, sc.owner, sc.RemoveMember, schemas.MemberRequest{LoopID: sc.loop.ID, UserID: idOf(mallory)})
		_, err := sc.answer(mallory, id, "true")
		require.Error(t, err, "the owner has taken them out")
		require.Equal(t, schemas.ReviewPending, sc.get(id).Status)
		require.Equal(t, "approved", sc.decided(sc.bob, id, "true").Decision, "the others of that step still may")

		again := sc.joined("Malory")
		id = sc.asked(func(r *schemas.NewReview) { r.ResponseType, r.DefaultResponse, r.AssignTo = "", nil, []string{"Ada"} })
		sc.pass(61 * time.Second)
		sc.decided(sc.ada, id, `"needs_changes"`)
		do(sc, sc.owner, sc.RemoveMember, schemas.MemberRequest{LoopID: sc.loop.ID, UserID: idOf(again)})
		do(sc, sc.agent, sc.OpenRound, schemas.OpenRoundRequest{RequestID: id, RequestText: "And now?"})
		_, err = sc.answer(again, id, `"approved"`)
		require.Error(t, err, "nor in the next round")
	})
}

// The owner says how a loop decides; an agent that may say less decides for itself.
func TestARequestAsksForNoLessAgreementThanItsLoop(t *testing.T) {
	onBoth(t, Config{}, func(t *testing.T, sc *scene) {
		quorum := func(threshold int, open bool) *schemas.ReviewMode {
			return &schemas.ReviewMode{Mode: "quorum", Threshold: threshold, Open: open}
		}
		steps := &schemas.ReviewMode{Steps: []schemas.ReviewStep{{To: []string{"Ada"}}, {To: []string{"Bob"}}}}
		less := func(words string, loop, own *schemas.ReviewMode, people ...string) {
			sc.set(schemas.LoopSettings{Mode: loop})
			sc.refusedAsking(words, func(r *schemas.NewReview) { r.ReviewMode, r.AssignTo = own, people })
		}
		const mode = "review_mode must not ask for less agreement than the loop"
		less(mode, quorum(2, false), &schemas.ReviewMode{Mode: "first"})
		less(mode, quorum(2, false), quorum(1, false))
		less(mode, quorum(2, false), quorum(2, true))
		less(mode, quorum(2, false), &schemas.ReviewMode{Mode: "all"}, "Ada")
		less(mode, quorum(2, false), &schemas.ReviewMode{Steps: steps.Steps[:1]})
		less(mode, steps, &schemas.ReviewMode{Steps: steps.Steps[:1]})
		less(mode, &schemas.ReviewMode{Mode: "all"}, quorum(1, false))
		less("assign_to does not go with a loop", &schemas.ReviewMode{Mode: "all"}, nil, "Ada")
		less("assign_to does not go with a loop", &schemas.ReviewMode{Mode: "all"}, &schemas.ReviewMode{Mode: "all"}, "Ada")

		sc.set(schemas.LoopSettings{Mode: quorum(1, true)})
		id := sc.asked(func(r *schemas.NewReview) { r.ReviewMode = quorum(2, false) })
		sc.decided(sc.ada, id, "true")
		require.Equal(t, schemas.ReviewPending, sc.get(id).Status, "more is welcome")
		sc.set(schemas.LoopSettings{Mode: &schemas.ReviewMode{Mode: "all"}})
		sc.asked(func(r *schemas.NewReview) { r.ReviewMode = &schemas.ReviewMode{Mode: "all"} })
	})
}

func TestAnAgentTakesNothingBackOfWhatAPersonSetInItsLoop(t *testing.T) {
	onBoth(t, Config{}, func(t *testing.T, sc *scene) {
		made := do(sc, sc.agent, sc.CreateLoop, schemas.CreateLoopRequest{Name: "Pay", Slug: "pay"})
		id := made.Loop.ID
		for _, name := range []string{"Ada", "Bob"} {
			do(sc, sc.owner, sc.AddMember, schemas.AddMemberRequest{LoopID: id, UserID: name})
		}
		do(sc, sc.agent, sc.RemoveMember, schemas.MemberRequest{LoopID: id, UserID: "Ada"})
		do(sc, sc.owner, sc.UpdateLoop, schemas.UpdateLoopRequest{LoopID: id, Settings: &schemas.LoopSettings{FailClosed: true, Mode: &schemas.ReviewMode{Mode: "all"}}})
		_, err := attempt(sc, sc.agent, sc.RemoveMember, schemas.MemberRequest{LoopID: id, UserID: "Bob"})
		denied(t, err, schemas.CodeForbidden, "only an owner")
		_, err = attempt(sc, sc.agent, sc.DeleteLoop, schemas.DeleteLoopRequest{LoopID: id})
		denied(t, err, schemas.CodeForbidden, "only an owner")
		who, err := sc.stranger(made.InviteCode, "Erin")
		require.NoError(t, err)
		do(sc, sc.agent, sc.RemoveMember, schemas.MemberRequest{LoopID: id, UserID: idOf(who)})
		do(sc, sc.owner, sc.RemoveMember, schemas.MemberRequest{LoopID: id, UserID: "Bob"})
		do(sc, sc.owner, sc.DeleteLoop, schemas.DeleteLoopRequest{LoopID: id})
	})
}

// Somebody is taken out because their word is no longer trusted.
func TestTheAnswerOfWhoWasTakenOutNoLongerCounts(t *testing.T) {
	onBoth(t, Config{}, func(t *testing.T, sc *scene) {
		for name, takeOut := range map[string]func(string){
			"Mallory": func(id string) {
				do(sc, sc.owner, sc.RemoveMember, schemas.MemberRequest{LoopID: sc.loop.ID, UserID: id})
			},
			"Malory": func(id string) {
				do(sc, sc.owner, sc.Accounts.RemovePerson, schemas.PersonRequest{PersonID: id})
			},
		} {
			mallory := sc.joined(name)
			id := sc.asked(quorumOf(2, 0))
			over := sc.asked(quorumOf(1, 0))
			sc.decided(mallory, over, "true")
			sc.decided(mallory, id, "true")
			takeOut(idOf(mallory))
			sc.decided(sc.ada, id, "true")
			require.Equal(t, schemas.ReviewPending, sc.get(id).Status, "two of those who are still there")
			v := sc.decided(sc.bob, id, "true")
			require.Equal(t, "approved", v.Decision)
			require.Len(t, v.Answers, 2)
			require.Len(t, sc.get(over).Answers, 1, "what was decided stays as it was")
		}
	})
}

func TestNobodyJoinsUnderANameThatLooksLikeAnothers(t *testing.T) {
	onBoth(t, Config{}, func(t *testing.T, sc *scene) {
		code := do(sc, sc.agent, sc.CreateLoop, schemas.CreateLoopRequest{Name: "Bait"}).InviteCode
		for _, name := range []string{
			"Аda", "Owneг", "Ownεr", // a letter of Cyrillic or Greek
			"Ａｄａ", "𝐀𝐝𝐚", // other forms of the same letters
			"Ada\u034f", "Ada\u3164", "Ada\u2800", "A\ufe01da", // characters that are not seen
		} {
			_, err := sc.stranger(code, name)
			require.Error(t, err, "%+q", name)
		}
		for _, name := range []string{"Ада", "Άδα", "李 Ada", "Zoë", "علی", "Ann ❤️"} {
			_, err := sc.stranger(code, name)
			require.NoError(t, err, name)
		}
	})
}
