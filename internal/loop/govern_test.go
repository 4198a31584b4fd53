package loop_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/loop"
	"humanops-mcp/internal/passkey"
	"humanops-mcp/internal/passkey/passkeytest"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

var demanding = schemas.LoopSettings{Passkey: true}

// confirm answers what a change asks to be confirmed.
func confirm[In any](h *circles, as account.Caller, begin func(context.Context, *store.Tx, In) (loop.Confirmation, error), in In, d *passkeytest.Device) *schemas.Assertion {
	h.t.Helper()
	c := must(h, as, begin, in)
	require.True(h.t, c.Needed)
	a := d.Get(c.Ceremony)
	return &a
}

// guarded is a loop that demands passkeys, and the owner's device that is enrolled in it.
func (h *circles) guarded() (schemas.Loop, *passkeytest.Device) {
	h.t.Helper()
	loop, device := h.loop(h.agent, "Deploy"), h.device(h.owner)
	in := schemas.UpdateLoopRequest{LoopID: loop.ID, Settings: &demanding}
	in.Assertion = confirm(h, h.owner, h.ConfirmUpdateLoop, in, device)
	return must(h, h.owner, h.UpdateLoop, in).Loop, device
}

func (h *circles) enrolled(loop string, who account.Caller) (has bool) {
	h.write(func(ctx context.Context, tx *store.Tx) (err error) {
		has, err = h.keys.HasEnrolled(ctx, tx, loop, who.PersonID)
		return err
	})
	return has
}

func (h *circles) passkeys(of account.Caller) (list []passkey.Passkey) {
	h.write(func(ctx context.Context, tx *store.Tx) (err error) {
		list, err = h.keys.List(ctx, tx, of.PersonID)
		return err
	})
	return list
}

func TestTurningPasskeysOnTakesOneAndEnrolsThatOne(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		loop := h.loop(h.agent, "Deploy")
		in := schemas.UpdateLoopRequest{LoopID: loop.ID, Settings: &demanding}
		refused(h, schemas.CodeForbidden, "confirmed with a passkey", h.owner, h.UpdateLoop, in)
		refused(h, schemas.CodeForbidden, "no passkey yet", h.owner, h.ConfirmUpdateLoop, in)
		refused(h, schemas.CodeInvalid, "turned on afterwards", h.owner, h.CreateLoop, schemas.CreateLoopRequest{Name: "X", Settings: &demanding})

		h.device(h.owner) // one that nobody confirms with
		device := h.device(h.owner)
		in.Assertion = confirm(h, h.owner, h.ConfirmUpdateLoop, in, device)
		got := must(h, h.owner, h.UpdateLoop, in).Loop
		require.True(t, got.Settings.Passkey)
		require.True(t, got.Settings.FailClosed, "no default approves where only a passkey does")
		require.True(t, got.Members[0].Passkey)
		require.Equal(t, 1, h.count("SELECT COUNT(*) FROM loop_passkeys"))
		refused(h, schemas.CodeGone, "used", h.owner, h.UpdateLoop, in)
	})
}

func TestOnlyAnActiveMemberTurnsPasskeysOnAndNotInTheProofLoop(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		second := h.person("Second", "owner")
		device := h.device(second)
		for _, id := range []string{h.loop(h.owner, "Deploy").ID, "proof"} {
			in := schemas.UpdateLoopRequest{LoopID: id, Settings: &demanding}
			in.Assertion = confirm(h, second, h.ConfirmUpdateLoop, in, device)
			_, err := call(h, second, h.UpdateLoop, in)
			require.Error(t, err, id)
		}
		require.Zero(t, h.count("SELECT COUNT(*) FROM loop_passkeys"))
	})
}

func TestAConfirmationIsForOneChangeOnly(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		loop, device := h.guarded()
		off := schemas.UpdateLoopRequest{LoopID: loop.ID, Settings: &schemas.LoopSettings{}}
		tighter := schemas.UpdateLoopRequest{LoopID: loop.ID, Settings: &schemas.LoopSettings{Passkey: true, AcceptUnattended: true}}
		off.Assertion = confirm(h, h.owner, h.ConfirmUpdateLoop, tighter, device)
		refused(h, schemas.CodeGone, "begun for something else", h.owner, h.UpdateLoop, off)
		ada := h.person("Ada")
		add := schemas.AddMemberRequest{LoopID: loop.ID, UserID: ada.PersonID}
		add.Assertion = confirm(h, h.owner, h.ConfirmDeleteLoop, schemas.DeleteLoopRequest{LoopID: loop.ID}, device)
		refused(h, schemas.CodeGone, "begun for something else", h.owner, h.AddMember, add)

		tighter.Assertion = confirm(h, h.owner, h.ConfirmUpdateLoop, tighter, device)
		require.True(t, must(h, h.owner, h.UpdateLoop, tighter).Loop.Settings.AcceptUnattended)
		off.Assertion = confirm(h, h.owner, h.ConfirmUpdateLoop, off, device)
		require.False(t, must(h, h.owner, h.UpdateLoop, off).Loop.Settings.Passkey)
		require.False(t, must(h, h.owner, h.ConfirmUpdateLoop, off).Needed)
		require.False(t, must(h, h.owner, h.ConfirmDeleteLoop, schemas.DeleteLoopRequest{LoopID: loop.ID}).Needed)
	})
}

func TestAMembersPasskeysAreEnrolledByAnOwnersConfirmation(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		loop, device := h.guarded()
		ada := h.person("Ada")
		add := schemas.AddMemberRequest{LoopID: loop.ID, UserID: "Ada"}
		adas := h.device(ada)
		begun := must(h, h.owner, h.ConfirmAddMember, add)
		require.Equal(t, h.passkeys(ada), begun.Enrols, "the owner sees what they enrol")
		answer := device.Get(begun.Ceremony)
		add.Assertion = &answer
		require.True(t, must(h, h.owner, h.AddMember, add).Member.Passkey)
		require.True(t, h.enrolled(loop.ID, ada))

		h.device(ada)
		require.Equal(t, 2, h.count("SELECT COUNT(*) FROM loop_passkeys"), "a later one counts only after Ada is added again")
		first := schemas.MemberRequest{LoopID: loop.ID, UserID: "Ada"}
		refused(h, schemas.CodeForbidden, "demands passkeys", h.owner, h.RemoveMember, first)
		first.Assertion = confirm(h, h.owner, h.ConfirmRemoveMember, first, device)
		must(h, h.owner, h.RemoveMember, first)
		require.False(t, h.enrolled(loop.ID, ada))

		bob := h.person("Bob", "owner")
		again := schemas.AddMemberRequest{LoopID: loop.ID, UserID: "Ada"}
		refused(h, schemas.CodeForbidden, "no passkey yet", bob, h.ConfirmAddMember, again)
		h.device(bob)
		again.Assertion = confirm(h, h.owner, h.ConfirmAddMember, again, adas)
		refused(h, schemas.CodeForbidden, "could not be verified", h.owner, h.AddMember, again)

		gone := schemas.DeleteLoopRequest{LoopID: loop.ID}
		gone.Assertion = confirm(h, h.owner, h.ConfirmDeleteLoop, gone, device)
		must(h, h.owner, h.DeleteLoop, gone)
	})
}

// An agent with a shell on the same machine has the owner's session of the commands, can
// add people and sign in as anybody, and has a passkey of its own in software. None of it
// makes a passkey of the agent's count in the loop, or the loop demand none.
func TestAnAgentWithAShellGetsNoPasskeyIntoALoopThatDemandsThem(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		loop, device := h.guarded()
		enrolledBefore := h.count("SELECT COUNT(*) FROM loop_passkeys WHERE loop_id = $1", loop.ID)
		shell := h.owner
		shell.Via = "cli"
		soft := h.device(shell) // registered under the owner's own name
		accomplice := h.person("Accomplice", "owner")
		accomplices := h.device(accomplice)
		off := schemas.UpdateLoopRequest{LoopID: loop.ID, Settings: &schemas.LoopSettings{}}
		add := schemas.AddMemberRequest{LoopID: loop.ID, UserID: accomplice.PersonID}

		t.Run("with a session alone", func(t *testing.T) {
			for _, c := range []account.Caller{shell, accomplice} {
				refused(h, schemas.CodeForbidden, "demands passkeys", c, h.UpdateLoop, off)
				refused(h, schemas.CodeForbidden, "demands passkeys", c, h.AddMember, add)
				refused(h, schemas.CodeForbidden, "demands passkeys", c, h.DeleteLoop, schemas.DeleteLoopRequest{LoopID: loop.ID})
			}
		})
		t.Run("with the key that made the loop", func(t *testing.T) {
			refused(h, schemas.CodeForbidden, "Only a person", h.agent, h.UpdateLoop, off)
			refused(h, schemas.CodeForbidden, "demands passkeys", h.agent, h.DeleteLoop, schemas.DeleteLoopRequest{LoopID: loop.ID})
			refused(h, schemas.CodeForbidden, "demands passkeys", h.agent, h.RemoveMember, h.memberOf(loop.ID, device))
			refused(h, schemas.CodeForbidden, "demands passkeys", h.agent, h.ConfirmDeleteLoop, schemas.DeleteLoopRequest{LoopID: loop.ID})
		})
		t.Run("with a passkey of its own under the owner's name", func(t *testing.T) {
			in := off
			in.Assertion = confirm(h, shell, h.ConfirmUpdateLoop, in, soft)
			refused(h, schemas.CodeForbidden, "not enrolled in the loop", shell, h.UpdateLoop, in)
			more := add
			more.Assertion = confirm(h, shell, h.ConfirmAddMember, more, soft)
			refused(h, schemas.CodeForbidden, "not enrolled in the loop", shell, h.AddMember, more)
		})
		t.Run("with another owner's passkey", func(t *testing.T) {
			in := off
			in.Assertion = confirm(h, accomplice, h.ConfirmUpdateLoop, in, accomplices)
			refused(h, schemas.CodeForbidden, "not enrolled in the loop", accomplice, h.UpdateLoop, in)
		})
		t.Run("by joining with an owner's invitation", func(t *testing.T) {
			invitation := h.invitation(loop.ID)
			require.False(t, invitation.Admits)
			require.Equal(t, "pending", h.join(accomplice, invitation.InviteCode).Status)
		})
		t.Run("by becoming an owner before the next start", func(t *testing.T) {
			h.write(h.EnsureLoops)
			require.False(t, h.enrolled(loop.ID, accomplice))
		})
		t.Run("by making room for its own", func(t *testing.T) {
			for _, key := range h.passkeys(h.owner) {
				err := h.try(func(ctx context.Context, tx *store.Tx) error {
					return h.keys.Remove(ctx, tx, h.owner.PersonID, key.ID, nil)
				})
				if h.count("SELECT COUNT(*) FROM loop_passkeys WHERE passkey_id = $1", key.ID) > 0 {
					require.Equal(t, schemas.CodeForbidden, schemas.ErrorCode(err))
				}
			}
		})
		t.Run("by slipping one in while the owner adds somebody", func(t *testing.T) {
			ada := h.person("Ada")
			in := schemas.AddMemberRequest{LoopID: loop.ID, UserID: "Ada"}
			in.Assertion = confirm(h, h.owner, h.ConfirmAddMember, in, device)
			h.device(ada) // after the owner saw that she has none
			refused(h, schemas.CodeGone, "begun for something else", h.owner, h.AddMember, in)
		})
		t.Run("by a second loop in which its own counts", func(t *testing.T) {
			mine := h.loop(shell, "Mine")
			soft := h.device(shell)
			in := schemas.UpdateLoopRequest{LoopID: mine.ID, Settings: &demanding}
			in.Assertion = confirm(h, shell, h.ConfirmUpdateLoop, in, soft)
			must(h, shell, h.UpdateLoop, in)
			other := off
			other.Assertion = confirm(h, shell, h.ConfirmUpdateLoop, other, soft)
			refused(h, schemas.CodeForbidden, "not enrolled in the loop", shell, h.UpdateLoop, other)
		})
		require.Equal(t, enrolledBefore, h.count("SELECT COUNT(*) FROM loop_passkeys WHERE loop_id = $1", loop.ID))
		require.True(t, must(h, h.owner, h.GetLoop, schemas.LoopRequest{LoopID: loop.ID}).Loop.Settings.Passkey)
	})
}

func (h *circles) memberOf(loop string, d *passkeytest.Device) schemas.MemberRequest {
	h.t.Helper()
	ada := h.person("Member")
	add := schemas.AddMemberRequest{LoopID: loop, UserID: ada.PersonID}
	add.Assertion = confirm(h, h.owner, h.ConfirmAddMember, add, d)
	must(h, h.owner, h.AddMember, add)
	return schemas.MemberRequest{LoopID: loop, UserID: ada.PersonID}
}

func TestAnInvitationFromBeforePasskeysWereDemandedAdmitsNobody(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		loop := h.loop(h.owner, "Deploy")
		invitation, device := h.invitation(loop.ID), h.device(h.owner)
		in := schemas.UpdateLoopRequest{LoopID: loop.ID, Settings: &demanding}
		in.Assertion = confirm(h, h.owner, h.ConfirmUpdateLoop, in, device)
		must(h, h.owner, h.UpdateLoop, in)
		require.Equal(t, "pending", h.join(h.person("Ada"), invitation.InviteCode).Status)
	})
}

func TestSettingsThatCannotWorkAreRefused(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		loop := h.loop(h.owner, "Ops")
		h.person("Ada")
		step := func(to ...string) []schemas.EscalationStep {
			return []schemas.EscalationStep{{AfterSeconds: 60, To: to}}
		}
		for message, s := range map[string]schemas.LoopSettings{
			"settings.escalation[0].steps[0].to[1]":   {Escalation: []schemas.EscalationPolicy{{Steps: step("ada", "Nobody")}}},
			"settings.escalation[1].priorities":       {Escalation: []schemas.EscalationPolicy{{Priorities: []string{"high"}, Steps: step("owner")}, {Priorities: []string{"low", "high"}, Steps: step("owner")}}},
			"for which there is another policy":       {Escalation: []schemas.EscalationPolicy{{Steps: step("owner")}, {Steps: step("owner")}}},
			"must be of low, medium":                  {Escalation: []schemas.EscalationPolicy{{Priorities: []string{"urgent"}, Steps: step("owner")}}},
			"must be of mail, chat, page":             {Escalation: []schemas.EscalationPolicy{{Steps: []schemas.EscalationStep{{AfterSeconds: 60, To: []string{"owner"}, Channels: []string{"fax"}}}}}},
			"settings.review_mode.threshold":          {Mode: &schemas.ReviewMode{Mode: "quorum"}},
			"settings.review_mode.of":                 {Mode: &schemas.ReviewMode{Mode: "quorum", Threshold: 3, Of: 2}},
			"settings.review_mode.steps[0].to[0]":     {Mode: &schemas.ReviewMode{Steps: []schemas.ReviewStep{{To: []string{"Nobody"}}}}},
			"settings.review_mode.steps[0].threshold": {Mode: &schemas.ReviewMode{Steps: []schemas.ReviewStep{{To: []string{"owner"}, Mode: "quorum"}}}},
		} {
			refused(h, schemas.CodeInvalid, message, h.owner, h.UpdateLoop, schemas.UpdateLoopRequest{LoopID: loop.ID, Settings: &s})
		}
		must(h, h.owner, h.PutGroup, schemas.PutGroupRequest{Group: "legal", Members: []string{"Ada"}})
		good := schemas.LoopSettings{
			Mode:       &schemas.ReviewMode{Steps: []schemas.ReviewStep{{To: []string{"Legal"}}, {To: []string{"owner", "loop"}}}},
			Escalation: []schemas.EscalationPolicy{{Priorities: []string{"critical"}, Steps: step("legal")}, {Steps: step("Ada", "loop")}},
		}
		require.Equal(t, good, must(h, h.owner, h.UpdateLoop, schemas.UpdateLoopRequest{LoopID: loop.ID, Settings: &good}).Loop.Settings)
	})
}

func TestAStepThatReachesNobodyIsReported(t *testing.T) {
	for name, c := range map[string]struct {
		config   loop.Config
		channels []string
		email    string
		problem  string
	}{
		"mail without a server":     {loop.Config{}, []string{"mail"}, "bob@example.com", "Step 2 of the escalation for high goes to Bob by mail, but no mail server is configured."},
		"mail without an address":   {loop.Config{Mail: true, Chat: true}, []string{"mail"}, "", "Step 2 of the escalation for high goes to Bob by mail, but Bob has no mail address."},
		"chat without a room":       {loop.Config{Mail: true}, []string{"chat"}, "bob@example.com", "Step 2 of the escalation for high goes to Bob by chat, but no chat address is configured."},
		"nothing at all":            {loop.Config{}, nil, "bob@example.com", "Step 2 of the escalation for high goes to Bob by mail or chat, but no mail server is configured and no chat address is configured."},
		"mail works":                {loop.Config{Mail: true}, []string{"mail", "chat"}, "bob@example.com", ""},
		"chat works for everybody":  {loop.Config{Chat: true}, nil, "", ""},
		"the page is said to do":    {loop.Config{}, []string{"page"}, "", ""},
		"either without an address": {loop.Config{Mail: true}, nil, "", "Step 2 of the escalation for high goes to Bob by mail or chat, but Bob has no mail address and no chat address is configured."},
	} {
		t.Run(name, func(t *testing.T) {
			eachCircle(t, c.config, func(t *testing.T, h *circles) {
				loop := h.loop(h.owner, "Ops")
				must(h, h.owner, h.accounts.AddPerson, schemas.AddPersonRequest{Name: "Bob", Email: c.email})
				s := schemas.LoopSettings{Escalation: []schemas.EscalationPolicy{{Priorities: []string{"high"}, Steps: []schemas.EscalationStep{
					{AfterSeconds: 60, To: []string{"owner"}, Channels: []string{"page"}}, {AfterSeconds: 60, To: []string{"Bob"}, Channels: c.channels},
				}}}}
				got := must(h, h.owner, h.UpdateLoop, schemas.UpdateLoopRequest{LoopID: loop.ID, Settings: &s})
				var expected []string
				if c.problem != "" {
					expected = []string{c.problem}
				}
				require.Equal(t, expected, got.Warnings)
				require.Equal(t, expected, must(h, h.owner, h.GetLoop, schemas.LoopRequest{LoopID: loop.ID}).Loop.Problems)
			})
		})
	}
}

func TestProblemsSayWhoIsMissing(t *testing.T) {
	eachCircle(t, loop.Config{Chat: true}, func(t *testing.T, h *circles) {
		loop := h.loop(h.owner, "Ops")
		h.person("Ada")
		must(h, h.owner, h.PutGroup, schemas.PutGroupRequest{Group: "legal", Members: []string{"Ada"}})
		s := schemas.LoopSettings{
			Mode:       &schemas.ReviewMode{Mode: "quorum", Threshold: 2},
			Escalation: []schemas.EscalationPolicy{{Steps: []schemas.EscalationStep{{AfterSeconds: 60, To: []string{"legal", "Ada"}}}}},
		}
		got := must(h, h.owner, h.UpdateLoop, schemas.UpdateLoopRequest{LoopID: loop.ID, Settings: &s})
		require.Equal(t, []string{"A quorum needs 2 equal answers, but the people of this loop who can decide are only 1."}, got.Warnings)
		must(h, h.owner, h.accounts.RemovePerson, schemas.PersonRequest{PersonID: "Ada"})
		got = must(h, h.owner, h.GetLoop, schemas.LoopRequest{LoopID: loop.ID})
		require.Contains(t, got.Warnings, `Step 1 of the escalation for all priorities names "legal", in which there is nobody.`)
		require.Contains(t, got.Warnings, `Step 1 of the escalation for all priorities names "Ada", which is nobody any more.`)
		h.clock.Advance(time.Minute)
	})
}
