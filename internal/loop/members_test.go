package loop_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/loop"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/schemas"
)

func (h *circles) join(as account.Caller, code string) schemas.Member {
	h.t.Helper()
	return must(h, as, h.JoinLoop, schemas.JoinLoopRequest{InviteCode: code}).Member
}

func (h *circles) invitation(loop string) schemas.Invitation {
	h.t.Helper()
	return must(h, h.owner, h.CreateInvitation, schemas.LoopRequest{LoopID: loop})
}

// notices counts the notices of a kind that are about to go out.
func (h *circles) notices(kind string) int {
	return h.count("SELECT COUNT(*) FROM jobs WHERE kind = 'notify' AND args LIKE $1", `%"kind":"`+kind+`"%`)
}

// joinAsNew is what the join page does for somebody who is not known here.
func (h *circles) joinAsNew(code, name, email string) (c account.Caller, m schemas.Member, err error) {
	err = h.try(func(ctx context.Context, tx *store.Tx) error {
		person, session, member, err := h.JoinAsNew(ctx, tx, code, name, email)
		if err != nil {
			return err
		}
		m = member
		c, err = h.accounts.AuthenticateToken(ctx, tx, session)
		require.Equal(h.t, person.ID, c.PersonID)
		return err
	})
	return c, m, err
}

func TestWhoJoinsByAnAgentsCodeWaitsForAnOwner(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		made := must(h, h.agent, h.CreateLoop, schemas.CreateLoopRequest{Name: "Ops"})
		ada := h.person("Ada")
		joined := h.join(ada, made.InviteCode)
		require.Equal(t, "pending", joined.Status)
		require.Nil(t, joined.JoinedAt)
		require.Equal(t, 1, h.notices("loop.waiting"))
		require.Equal(t, "pending", h.join(ada, made.InviteCode).Status, "joining again changes nothing")
		require.Equal(t, 1, h.notices("loop.waiting"))

		refused(h, schemas.CodeNotFound, "Loop not found", ada, h.GetLoop, schemas.LoopRequest{LoopID: made.Loop.ID})
		require.Empty(t, must(h, ada, h.ListLoops, schemas.ListLoopsRequest{}).Loops)
		h.write(func(ctx context.Context, tx *store.Tx) error {
			waiting, err := h.Waiting(ctx, tx, ada.PersonID)
			require.Equal(t, []string{"Ops"}, waiting)
			return err
		})
		listed := must(h, h.agent, h.ListMembers, schemas.LoopRequest{LoopID: made.Loop.ID})
		require.Equal(t, []int{2, 1, 1}, []int{listed.TotalCount, listed.ActiveCount, listed.PendingCount})

		require.Equal(t, "active", h.add(made.Loop.ID, ada).Status)
		require.Equal(t, 1, h.notices("loop.admitted"))
		must(h, ada, h.GetLoop, schemas.LoopRequest{LoopID: made.Loop.ID})
	})
}

func TestAnOwnersInvitationLetsPeopleInAtOnce(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		loop := h.loop(h.agent, "Ops")
		invitation := h.invitation(loop.Slug)
		require.True(t, invitation.Admits)
		require.Equal(t, h.clock.Now().Add(7*24*time.Hour), invitation.ExpiresAt)
		ada := h.person("Ada")
		require.Equal(t, "active", h.join(ada, " "+invitation.InviteCode+" ").Status)
		require.Zero(t, h.notices("loop.waiting"))

		pending := must(h, h.agent, h.CreateLoop, schemas.CreateLoopRequest{Name: "Other"})
		h.join(ada, pending.InviteCode)
		require.Equal(t, "active", h.join(ada, h.invitation(pending.Loop.ID).InviteCode).Status, "who waits is let in by a better code")
	})
}

func TestACodeThatEndedLetsNobodyIn(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		loop := h.loop(h.owner, "Ops")
		ada := h.person("Ada")
		revoked := h.invitation(loop.ID)
		require.Equal(t, 2, must(h, h.owner, h.RevokeInvitations, schemas.LoopRequest{LoopID: loop.ID}).Revoked, "that of the loop's making too")
		expired := h.invitation(loop.ID)
		h.clock.Advance(7 * 24 * time.Hour)
		for _, code := range []string{revoked.InviteCode, expired.InviteCode, "ABCDEFGHIJKL", "", "\x00"} {
			refused(h, schemas.CodeNotFound, "invitation", ada, h.JoinLoop, schemas.JoinLoopRequest{InviteCode: code})
			_, _, err := h.joinAsNew(code, "Eve", "")
			require.Equal(t, schemas.CodeNotFound, schemas.ErrorCode(err))
		}
		require.Zero(t, must(h, h.owner, h.RevokeInvitations, schemas.LoopRequest{LoopID: loop.ID}).Revoked)
		refused(h, schemas.CodeForbidden, "Only people", h.agent, h.JoinLoop, schemas.JoinLoopRequest{InviteCode: expired.InviteCode})
		for range 50 {
			h.invitation(loop.ID)
		}
		refused(h, schemas.CodeUnprocessable, "50 invitations", h.owner, h.CreateInvitation, schemas.LoopRequest{LoopID: loop.ID})
	})
}

func TestSomebodyNewJoinsUnderANameOfTheirOwn(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		made := must(h, h.agent, h.CreateLoop, schemas.CreateLoopRequest{Name: "Ops", Description: "Watches"})
		h.write(func(ctx context.Context, tx *store.Tx) error {
			peek, err := h.PeekInvitation(ctx, tx, made.InviteCode)
			require.Equal(t, loop.Invited{LoopName: "Ops", Description: "Watches", Inviter: "local", ByAgent: true, ExpiresAt: peek.ExpiresAt}, peek)
			return err
		})
		eve, member, err := h.joinAsNew(made.InviteCode, " Eve \u202e", "eve@example.com")
		require.NoError(t, err)
		require.Equal(t, "Eve", eve.Name)
		require.False(t, eve.Owner || eve.Operator, "no role comes with an invitation")
		require.Equal(t, "pending", member.Status)
		require.Equal(t, "eve@example.com", member.Email)
		require.Equal(t, 1, h.notices("loop.waiting"))

		before := h.count("SELECT COUNT(*) FROM people")
		for name, code := range map[string]schemas.Code{
			"eve": schemas.CodeConflict, "OWNER": schemas.CodeInvalid, "me": schemas.CodeInvalid, "loop": schemas.CodeInvalid, " ": schemas.CodeInvalid,
		} {
			_, _, err := h.joinAsNew(made.InviteCode, name, "")
			require.Equal(t, code, schemas.ErrorCode(err), name)
		}
		_, _, err = h.joinAsNew(made.InviteCode, "Mallory", "not an address")
		require.Equal(t, schemas.CodeInvalid, schemas.ErrorCode(err))
		require.Equal(t, before, h.count("SELECT COUNT(*) FROM people"))

		_, member, err = h.joinAsNew(h.invitation(made.Loop.ID).InviteCode, "Frank", "")
		require.NoError(t, err)
		require.Equal(t, "active", member.Status)
	})
}

func TestTheQRCodeIsOnlyForWhatCouldBeACode(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		for _, code := range []string{"ABC123DEF", "ABC123DEF456"} {
			picture, err := h.JoinQR(code)
			require.NoError(t, err)
			require.Contains(t, string(picture), "PNG")
		}
		for _, code := range []string{"", "abc123def", "ABC123DE", "ABC 23DEF", "ABC123DEF4567890"} {
			_, err := h.JoinQR(code)
			require.Equal(t, schemas.CodeNotFound, schemas.ErrorCode(err), code)
		}
	})
}

func TestMembersAreAddedByNameAndRemoved(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		loop := h.loop(h.agent, "Ops")
		ada := h.person("Ada")
		m := must(h, h.owner, h.AddMember, schemas.AddMemberRequest{LoopID: loop.ID, UserID: "ada", Role: "admin"}).Member
		require.Equal(t, []string{ada.PersonID, "admin", "active"}, []string{m.UserID, m.Role, m.Status})
		require.Equal(t, "admin", h.add(loop.ID, ada).Role, "adding again changes no role that is not given")
		refused(h, schemas.CodeNotFound, "There is no person", h.owner, h.AddMember, schemas.AddMemberRequest{LoopID: loop.ID, UserID: "Nobody"})

		refused(h, schemas.CodeConflict, "Loop creator cannot be removed", h.agent, h.RemoveMember, schemas.MemberRequest{LoopID: loop.ID, UserID: h.owner.PersonID})
		refused(h, schemas.CodeNotFound, "Member not found in this loop", h.agent, h.RemoveMember, schemas.MemberRequest{LoopID: loop.ID, UserID: "op_nobody"})
		got := must(h, h.agent, h.RemoveMember, schemas.MemberRequest{LoopID: loop.ID, UserID: "ADA"})
		require.Equal(t, ada.PersonID, got.UserID)
		refused(h, schemas.CodeNotFound, "Member not found in this loop", h.agent, h.RemoveMember, schemas.MemberRequest{LoopID: loop.ID, UserID: ada.PersonID})
	})
}

func TestWhatARemovedMemberHadClaimedReturnsToTheOthers(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		here, there := h.loop(h.agent, "Here"), h.loop(h.agent, "There")
		ada := h.person("Ada")
		h.add(here.ID, ada)
		h.add(there.ID, ada)
		claimed := func(loop string) string {
			id := h.request(loop, "pending")
			storetest.Exec(t, h.store, `UPDATE reviews SET status = 'claimed', claimed_by = $1, timeout_at = $2 WHERE id = $3`,
				ada.PersonID, store.Micros(h.clock.Now().Add(time.Hour)), id)
			storetest.Exec(t, h.store, `UPDATE subjects SET state = 'claimed', claimed_by = $1, claimed_at = 1 WHERE id = $2`, ada.PersonID, id)
			return id
		}
		one, two := claimed(here.ID), claimed(there.ID)
		must(h, h.owner, h.RemoveMember, schemas.MemberRequest{LoopID: here.ID, UserID: "Ada"})
		status := func(id, status string) int {
			return h.count("SELECT COUNT(*) FROM reviews WHERE id = $1 AND status = $2", id, status)
		}
		require.Equal(t, 1, status(one, "pending"))
		require.Equal(t, 1, status(two, "claimed"))
		must(h, h.owner, h.accounts.RemovePerson, schemas.PersonRequest{PersonID: "Ada"})
		require.Equal(t, 1, status(two, "pending"))
	})
}

func TestWhoIsRemovedFromTheHouseIsGoneFromEverything(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		second := h.person("Second", "owner")
		loop := h.loop(second, "Theirs")
		must(h, h.owner, h.PutGroup, schemas.PutGroupRequest{Group: "legal", Members: []string{"Second", "Owner"}})
		h.device(second)
		must(h, h.owner, h.accounts.RemovePerson, schemas.PersonRequest{PersonID: "Second"})
		got := must(h, h.owner, h.GetLoop, schemas.LoopRequest{LoopID: loop.ID})
		require.Equal(t, h.owner.PersonID, got.Loop.CreatorID)
		require.Zero(t, got.Loop.MemberCount)
		require.Contains(t, got.Warnings[0], "no active members")
		for _, table := range []string{"loop_members", "people_group_members", "passkeys", "passkey_ceremonies"} {
			require.Zero(t, h.count("SELECT COUNT(*) FROM "+table+" WHERE person_id = $1", second.PersonID), table)
		}
	})
}

func TestStatisticsSayWhenMembersJoined(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		loop := h.loop(h.agent, "Ops")
		first := h.clock.Now()
		h.clock.Advance(48 * time.Hour)
		h.add(loop.ID, h.person("Ada"))
		h.clock.Advance(24 * time.Hour)
		got := must(h, h.agent, h.ListMembers, schemas.LoopRequest{LoopID: loop.ID})
		require.InDelta(t, 2.0, got.Statistics.AvgJoinTimeDays, 0.001)
		require.Equal(t, first, *got.Statistics.OldestMemberJoined)
		require.Equal(t, first.Add(48*time.Hour), *got.Statistics.NewestMemberJoined)
		require.Equal(t, "Owner", got.Members[0].Name)
	})
}

func TestALoopHasAtMostFiveHundredMembers(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		made := must(h, h.owner, h.CreateLoop, schemas.CreateLoopRequest{Name: "Crowd"})
		h.write(func(ctx context.Context, tx *store.Tx) error {
			for i := range 499 {
				id, name := ident.New("op_"), fmt.Sprint("person ", i)
				if _, err := tx.InsertPerson(ctx, db.InsertPersonParams{ID: id, Name: name, NameKey: name, CreatedAt: 1}); err != nil {
					return err
				}
				if _, err := tx.InsertMember(ctx, db.InsertMemberParams{LoopID: made.Loop.ID, PersonID: id, Status: "active", Role: "member", AddedBy: "x", CreatedAt: 1}); err != nil {
					return err
				}
			}
			return nil
		})
		late := h.person("Late")
		refused(h, schemas.CodeUnprocessable, "500 members", h.owner, h.AddMember, schemas.AddMemberRequest{LoopID: made.Loop.ID, UserID: "Late"})
		refused(h, schemas.CodeUnprocessable, "500 members", late, h.JoinLoop, schemas.JoinLoopRequest{InviteCode: made.InviteCode})
		_, _, err := h.joinAsNew(made.InviteCode, "Later", "")
		require.Equal(t, schemas.CodeUnprocessable, schemas.ErrorCode(err))
	})
}

func TestGroupsAreMadeChangedListedAndDeleted(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		h.person("Ada")
		h.person("Bob")
		put := func(name string, members ...string) (schemas.Group, error) {
			return call(h, h.owner, h.PutGroup, schemas.PutGroupRequest{Group: name, Members: members})
		}
		legal, err := put("Legal  team", "Ada", "bob", "Ada")
		require.NoError(t, err)
		require.Equal(t, "Legal team", legal.Name)
		require.Len(t, legal.Members, 2)
		again, err := put("LEGAL TEAM", "Bob")
		require.NoError(t, err)
		require.Equal(t, legal.ID, again.ID)
		require.Equal(t, "Bob", again.Members[0].Name)
		for name, code := range map[string]schemas.Code{"ada": schemas.CodeConflict, "owner": schemas.CodeInvalid, " ": schemas.CodeInvalid, "op_x": schemas.CodeInvalid} {
			_, err := put(name)
			require.Equal(t, code, schemas.ErrorCode(err), name)
		}
		_, err = put("Legal team", "Nobody")
		require.ErrorContains(t, err, "members[0]")
		for i := range 199 {
			_, err := put(fmt.Sprint("group ", i))
			require.NoError(t, err)
		}
		_, err = put("one too many")
		require.Equal(t, schemas.CodeUnprocessable, schemas.ErrorCode(err))

		seen, in := map[string]bool{}, schemas.PageRequest{Limit: 90}
		for {
			page := must(h, h.owner, h.ListGroups, in)
			require.Equal(t, 200, page.Pagination.Total)
			for _, g := range page.Data {
				require.False(t, seen[g.ID])
				seen[g.ID] = true
			}
			if page.Pagination.NextCursor == "" {
				break
			}
			in.Cursor = page.Pagination.NextCursor
		}
		require.Len(t, seen, 200)
		must(h, h.owner, h.DeleteGroup, schemas.GroupRequest{Group: "legal team"})
		refused(h, schemas.CodeNotFound, "no group", h.owner, h.DeleteGroup, schemas.GroupRequest{Group: legal.ID})
	})
}

func TestPeopleSetTheirOwnAvailabilityAndOwnersEverybodys(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		ada, bob := h.person("Ada"), h.person("Bob")
		require.True(t, must(h, ada, h.GetAvailability, schemas.PersonRequest{PersonID: "me"}).AvailableNow)
		office := schemas.AvailabilityRules{TimeZone: "America/New_York", Hours: []schemas.Hours{{Days: []string{"mon"}, From: "09:00", Until: "17:00"}}}
		got := must(h, ada, h.PutAvailability, schemas.PutAvailabilityRequest{PersonID: "me", AvailabilityRules: office})
		require.False(t, got.AvailableNow, "it is four in the morning there")
		require.Equal(t, time.Date(2026, 3, 2, 14, 0, 0, 0, time.UTC), *got.NextAt)
		require.Equal(t, office, got.AvailabilityRules)
		require.Equal(t, got, must(h, h.owner, h.GetAvailability, schemas.PersonRequest{PersonID: "Ada"}))

		until := h.clock.Now().Add(time.Hour)
		away := schemas.AvailabilityRules{AbsentUntil: &until}
		require.Equal(t, until, *must(h, h.owner, h.PutAvailability, schemas.PutAvailabilityRequest{PersonID: ada.PersonID, AvailabilityRules: away}).NextAt)
		refused(h, schemas.CodeNotFound, "only your own", bob, h.GetAvailability, schemas.PersonRequest{PersonID: ada.PersonID})
		refused(h, schemas.CodeNotFound, "only your own", bob, h.PutAvailability, schemas.PutAvailabilityRequest{PersonID: "Ada"})
		refused(h, schemas.CodeInvalid, "time_zone", bob, h.PutAvailability, schemas.PutAvailabilityRequest{PersonID: "me", AvailabilityRules: schemas.AvailabilityRules{TimeZone: "Nowhere"}})
	})
}
