package loop_test

import (
	"encoding/base64"
	"fmt"
	"image/png"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/loop"
	"humanops-mcp/schemas"
)

func TestTheFirstStartMakesTheHousesLoopsWithTheOwnersInThem(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		for _, slug := range []string{"default", "proof"} {
			loop := must(h, h.agent, h.GetLoop, schemas.LoopRequest{LoopID: slug}).Loop
			require.True(t, schemas.IsHex(loop.ID))
			require.Equal(t, h.owner.PersonID, loop.CreatorID)
			require.Len(t, loop.Members, 1)
			require.Equal(t, "admin", loop.Members[0].Role)
		}
		second := h.person("Second", "owner")
		h.write(h.EnsureLoops)
		h.write(h.EnsureLoops)
		loop := must(h, second, h.GetLoop, schemas.LoopRequest{LoopID: "default"}).Loop
		require.Equal(t, 2, loop.MemberCount)
		require.Equal(t, 2, must(h, h.owner, h.ListLoops, schemas.ListLoopsRequest{}).Total)
	})
}

func TestAnAgentMakesALoopWithItsOwnerInIt(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		made := must(h, h.agent, h.CreateLoop, schemas.CreateLoopRequest{Name: " Content \n moderation\u202e", Description: "Who\tlooks\nat posts", Icon: "🛡️"})
		require.Equal(t, "Content moderation", made.Loop.Name)
		require.Equal(t, "content_moderation", made.Loop.Slug)
		require.Equal(t, h.owner.PersonID, made.Loop.CreatorID)
		require.Equal(t, 1, made.Loop.MemberCount)
		require.Equal(t, "active", made.Loop.Members[0].Status)
		require.NotNil(t, made.Loop.Members[0].JoinedAt)
		require.Regexp(t, `^[A-Z0-9]{9}$`, made.InviteCode)
		require.Equal(t, circleURL+"/join/"+made.InviteCode, made.JoinURL)
		require.Equal(t, circleURL+"/qr/"+made.InviteCode+".png", made.QRCodeURL)
		picture, found := strings.CutPrefix(made.QRCodeBase64, "data:image/png;base64,")
		require.True(t, found)
		_, err := png.Decode(base64.NewDecoder(base64.StdEncoding, strings.NewReader(picture)))
		require.NoError(t, err)
		require.Zero(t, h.count("SELECT COUNT(*) FROM loop_invitations WHERE code_hash = $1", made.InviteCode), "only its hash is kept")
		require.False(t, made.Sandbox)
		require.Empty(t, made.Loop.Problems)
	})
}

func TestASlugIsUnique(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		make := func(name, slug string) (schemas.LoopCreated, error) {
			return call(h, h.agent, h.CreateLoop, schemas.CreateLoopRequest{Name: name, Slug: slug})
		}
		for i, slug := range []string{"night_shift", "night_shift_2", "night_shift_3"} {
			made, err := make("Night  shift!", "")
			require.NoError(t, err)
			require.Equal(t, slug, made.Loop.Slug, i)
		}
		for name, slug := range map[string]string{
			"審査": "loop", "Join": "join_2", "default": "default_2", "0123456789abcdef01234567": "loop_0123456789abcdef01234567",
			strings.Repeat("ab ", 33): "ab_ab_ab_ab_ab_ab_ab_ab_ab_ab_ab_ab",
		} {
			made, err := make(name, "")
			require.NoError(t, err)
			require.Equal(t, slug, made.Loop.Slug)
		}
		made, err := make("Seed", "content_moderation")
		require.NoError(t, err)
		require.Equal(t, made.Loop.ID, must(h, h.agent, h.GetLoop, schemas.LoopRequest{LoopID: "content_moderation"}).Loop.ID)
		require.Equal(t, made.Loop.ID, must(h, h.agent, h.GetLoop, schemas.LoopRequest{LoopID: strings.ToUpper(made.Loop.ID)}).Loop.ID)
		for slug, code := range map[string]schemas.Code{
			"content_moderation": schemas.CodeConflict, "join": schemas.CodeConflict, "proof": schemas.CodeConflict,
			"0123456789abcdef01234567": schemas.CodeInvalid, "Ünder": schemas.CodeInvalid, "-a": schemas.CodeInvalid,
		} {
			_, err := make("Another", slug)
			require.Equal(t, code, schemas.ErrorCode(err), slug)
		}
	})
}

func TestALoopBelongsToItsAgentAndMode(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		loop := h.loop(h.agent, "Mine")
		sandbox := h.agent
		sandbox.Mode = account.Test
		member, stranger := h.person("Member"), h.person("Stranger")
		h.add(loop.ID, member)
		for name, c := range map[string]account.Caller{"another agent": h.another(account.Live), "another mode": sandbox, "a stranger": stranger, "nobody": {}} {
			for _, id := range []string{loop.ID, loop.Slug} {
				_, err := call(h, c, h.GetLoop, schemas.LoopRequest{LoopID: id})
				require.EqualError(t, err, "Loop not found", name)
				require.Equal(t, schemas.CodeNotFound, schemas.ErrorCode(err))
			}
			refused(h, schemas.CodeNotFound, "Loop not found", c, h.DeleteLoop, schemas.DeleteLoopRequest{LoopID: loop.ID})
		}
		for _, c := range []account.Caller{h.agent, h.owner, member} {
			must(h, c, h.GetLoop, schemas.LoopRequest{LoopID: loop.ID})
		}
		for _, unknown := range []string{"nope", ident.Hex()} {
			refused(h, schemas.CodeNotFound, "Loop not found", h.owner, h.GetLoop, schemas.LoopRequest{LoopID: unknown})
		}
		for _, odd := range []string{"", "a\x00b", strings.Repeat("a", 100), "'; DROP"} {
			refused(h, schemas.CodeInvalid, "Invalid loop ID format", h.owner, h.GetLoop, schemas.LoopRequest{LoopID: odd})
		}
		name := "Yours"
		refused(h, schemas.CodeForbidden, "Access denied to this loop", member, h.UpdateLoop, schemas.UpdateLoopRequest{LoopID: loop.ID, Name: &name})
		refused(h, schemas.CodeForbidden, "Access denied to this loop", h.agent, h.UpdateLoop, schemas.UpdateLoopRequest{LoopID: "default", Name: &name})
		refused(h, schemas.CodeForbidden, "Access denied to this loop", h.agent, h.DeleteLoop, schemas.DeleteLoopRequest{LoopID: "proof"})
		refused(h, schemas.CodeForbidden, "Access denied to this loop", h.agent, h.RemoveMember, schemas.MemberRequest{LoopID: "default", UserID: "Owner"})

		practice := must(h, sandbox, h.CreateLoop, schemas.CreateLoopRequest{Name: "Practice"})
		require.True(t, practice.Sandbox)
		refused(h, schemas.CodeNotFound, "Loop not found", h.owner, h.GetLoop, schemas.LoopRequest{LoopID: practice.Loop.ID})
		refused(h, schemas.CodeNotFound, "invitation", member, h.JoinLoop, schemas.JoinLoopRequest{InviteCode: practice.InviteCode})
	})
}

func TestAnAgentNeverSetsSettings(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		open := &schemas.LoopSettings{AcceptUnattended: true}
		refused(h, schemas.CodeForbidden, "Only a person", h.agent, h.CreateLoop, schemas.CreateLoopRequest{Name: "A", Settings: open})
		loop := h.loop(h.agent, "A")
		refused(h, schemas.CodeForbidden, "Only a person", h.agent, h.UpdateLoop, schemas.UpdateLoopRequest{LoopID: loop.ID, Settings: open})
		got := must(h, h.owner, h.UpdateLoop, schemas.UpdateLoopRequest{LoopID: loop.ID, Settings: open})
		require.Equal(t, *open, got.Loop.Settings)
		made := must(h, h.owner, h.CreateLoop, schemas.CreateLoopRequest{Name: "House", Settings: open})
		require.Equal(t, *open, made.Loop.Settings)
		require.Empty(t, made.Loop.AgentID)
		require.Regexp(t, `^[A-Z0-9]{12}$`, made.InviteCode)
	})
}

func TestUpdatingALoopChangesWhatIsGiven(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		loop := h.loop(h.agent, "Before")
		_, err := call(h, h.agent, h.UpdateLoop, schemas.UpdateLoopRequest{LoopID: loop.ID})
		require.EqualError(t, err, "At least one field must be provided for update")
		require.Equal(t, schemas.CodeInvalid, schemas.ErrorCode(err))
		name, blank, icon := "After", " \u200e ", "star"
		h.clock.Advance(time.Hour)
		got := must(h, h.agent, h.UpdateLoop, schemas.UpdateLoopRequest{LoopID: loop.Slug, Name: &name, Icon: &icon})
		require.Equal(t, []string{"After", "star", "before"}, []string{got.Loop.Name, got.Loop.Icon, got.Loop.Slug})
		require.Equal(t, time.Hour, got.Loop.UpdatedAt.Sub(got.Loop.CreatedAt))
		refused(h, schemas.CodeInvalid, "name", h.agent, h.UpdateLoop, schemas.UpdateLoopRequest{LoopID: loop.ID, Name: &blank})
		refused(h, schemas.CodeInvalid, "name", h.agent, h.CreateLoop, schemas.CreateLoopRequest{Name: blank})
	})
}

func TestDeletingALoopTakesEverythingInItAlong(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		loop := h.loop(h.agent, "Short-lived")
		h.add(loop.ID, h.person("Ada"))
		waiting := h.request(loop.ID, "pending")
		_, err := call(h, h.agent, h.DeleteLoop, schemas.DeleteLoopRequest{LoopID: loop.ID})
		require.EqualError(t, err, "Cannot delete loop with active requests")
		require.Equal(t, schemas.CodeConflict, schemas.ErrorCode(err))
		require.Equal(t, 1, h.count("SELECT COUNT(*) FROM reviews WHERE id = $1", waiting))
		h.end(waiting)
		h.request(loop.ID, "completed")

		got := must(h, h.agent, h.DeleteLoop, schemas.DeleteLoopRequest{LoopID: loop.ID})
		require.Equal(t, loop.ID, got.LoopID)
		require.Equal(t, schemas.DeletedData{MembersRemoved: 2, RequestsDeleted: 2, ResponsesDeleted: 1}, got.DeletedData)
		for _, table := range []string{"reviews", "review_rounds", "review_recipients", "review_votes", "review_links", "review_feedback", "receipts", "loop_invitations"} {
			require.Zero(t, h.count("SELECT COUNT(*) FROM "+table), table)
		}
		require.Zero(t, h.count("SELECT COUNT(*) FROM trail WHERE data <> ''"), "their trails say nothing any more")
		require.Equal(t, 1, h.count("SELECT COUNT(*) FROM trail"), "and keep their places")
		refused(h, schemas.CodeNotFound, "Loop not found", h.agent, h.GetLoop, schemas.LoopRequest{LoopID: loop.ID})
		refused(h, schemas.CodeConflict, "belong to the house", h.owner, h.DeleteLoop, schemas.DeleteLoopRequest{LoopID: "default"})
	})
}

func TestLoopsAreListedPageByPage(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		ada := h.person("Ada")
		for i := range 7 {
			h.clock.Advance(time.Duration(i%2) * time.Second) // some at the same time
			h.add(h.loop(h.agent, fmt.Sprint("Loop ", i)).ID, ada)
		}
		h.loop(h.another(account.Live), "Hidden")
		for who, expected := range map[*account.Caller]int{&h.agent: 9, &h.owner: 10, &ada: 7} {
			var seen []string
			in := schemas.ListLoopsRequest{Limit: 3}
			for {
				got := must(h, *who, h.ListLoops, in)
				require.Equal(t, expected, got.Total)
				require.Equal(t, len(got.Loops), got.Count)
				for _, l := range got.Loops {
					require.NotContains(t, seen, l.ID)
					require.Positive(t, l.MemberCount)
					require.Empty(t, l.Members)
					seen = append(seen, l.ID)
				}
				if got.NextCursor == "" {
					break
				}
				in.Cursor = got.NextCursor
			}
			require.Len(t, seen, expected)
		}
		skipped := must(h, h.agent, h.ListLoops, schemas.ListLoopsRequest{Offset: 8})
		require.Len(t, skipped.Loops, 1)
		refused(h, schemas.CodeInvalid, "cursor", h.agent, h.ListLoops, schemas.ListLoopsRequest{Cursor: "!!"})
	})
}

func TestAnAgentHasAtMostTwoHundredLoops(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		for range 200 {
			h.loop(h.agent, "Same")
		}
		refused(h, schemas.CodeUnprocessable, "200 loops", h.agent, h.CreateLoop, schemas.CreateLoopRequest{Name: "Same"})
		h.loop(h.owner, "Same")
		for _, l := range must(h, h.agent, h.ListLoops, schemas.ListLoopsRequest{Limit: 100}).Loops {
			if l.AgentID == h.agent.AgentID {
				require.Regexp(t, regexp.MustCompile(`^same(_[0-9]+|_[0-9a-f]{12})?$`), l.Slug)
			}
		}
	})
}

func TestAKeyIsChecked(t *testing.T) {
	eachCircle(t, loop.Config{}, func(t *testing.T, h *circles) {
		got := must(h, h.agent, account.CheckKey, schemas.Empty{})
		require.Equal(t, "key_1", got.APIKeyID)
		require.Equal(t, h.agent.AgentID, got.UserID)
		require.Equal(t, []string{"loops:read", "loops:write", "requests:read", "requests:write"}, got.Permissions)
		narrow := h.another(account.Test)
		narrow.Scopes = []string{"loops:read"}
		got = must(h, narrow, account.CheckKey, schemas.Empty{})
		require.Equal(t, []string{"loops:read"}, got.Permissions)
		require.True(t, got.Sandbox)
	})
}
