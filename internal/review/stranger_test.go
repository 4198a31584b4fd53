package review

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/schemas"
)

// Whoever reaches the port can register and gets a test key. The people of the house are
// none of their business.
func TestATestKeyLearnsNothingOfThePeopleOfTheHouse(t *testing.T) {
	onBoth(t, Config{}, func(t *testing.T, sc *scene) {
		do(sc, sc.owner, sc.UpdateLoop, schemas.UpdateLoopRequest{LoopID: sc.loop.ID, Settings: &schemas.LoopSettings{
			FailClosed: true, Mode: &schemas.ReviewMode{Steps: []schemas.ReviewStep{{To: []string{"Ada"}}}},
			Escalation: []schemas.EscalationPolicy{{Steps: []schemas.EscalationStep{{AfterSeconds: 60, To: []string{"Bob"}, Channels: []string{"mail"}}}}},
		}})
		own := do(sc, sc.sandbox, sc.CreateLoop, schemas.CreateLoopRequest{Name: "Mine"})
		seen := []any{own, do(sc, sc.sandbox, sc.ListLoops, schemas.ListLoopsRequest{})}
		for _, loop := range []string{sc.loop.ID, "default", own.Loop.ID} {
			list := do(sc, sc.sandbox, sc.ListMembers, schemas.LoopRequest{LoopID: loop})
			require.NotEmpty(t, list.Members, "whoever would decide: simulated people")
			require.Equal(t, len(list.Members), list.ActiveCount)
			got := do(sc, sc.sandbox, sc.GetLoop, schemas.LoopRequest{LoopID: loop})
			require.Equal(t, got.Loop.MemberCount, len(got.Loop.Members))
			seen = append(seen, list, got)
		}
		text, err := json.Marshal(seen)
		require.NoError(t, err)
		for _, secret := range []string{`"Ada"`, `"Bob"`, `"Owner"`, "@example.com"} {
			require.False(t, strings.Contains(string(text), secret), secret)
		}
		require.True(t, strings.Contains(string(text), `"fail_closed":true`), "what concerns a request is told")

		whole := do(sc, sc.agent, sc.GetLoop, schemas.LoopRequest{LoopID: sc.loop.ID}).Loop
		require.Len(t, whole.Members, 2, "a live key sees who decides")
		require.Len(t, whole.Settings.Escalation, 1)
	})
}

func TestATestKeysWebhookHearsNothingOfThePeopleOfTheHouse(t *testing.T) {
	onBoth(t, Config{}, func(t *testing.T, sc *scene) {
		do(sc, sc.sandbox, sc.CreateLoop, schemas.CreateLoopRequest{Name: "Mine"})
		do(sc, sc.sandbox, sc.CreateWebhook, schemas.CreateWebhookRequest{URL: "https://example.com/hook", Events: []string{"loop.*"}})
		do(sc, sc.owner, sc.Accounts.AddPerson, schemas.AddPersonRequest{Me: true, Email: "owner@example.com"})
		do(sc, sc.owner, sc.Accounts.AddPerson, schemas.AddPersonRequest{Name: "Second", Roles: []string{"owner"}})
		do(sc, sc.owner, sc.Accounts.RemovePerson, schemas.PersonRequest{PersonID: idOf(sc.owner)})
		bodies := storetest.Texts(t, sc.store, "SELECT body FROM webhook_deliveries")
		require.Len(t, bodies, 1)
		require.NotContains(t, bodies[0], "owner@example.com")
	})
}

func TestATestKeyKeepsNoNameFromTheHouse(t *testing.T) {
	onBoth(t, Config{}, func(t *testing.T, sc *scene) {
		made := do(sc, sc.agent, sc.Accounts.RegisterAgent, schemas.RegisterAgentRequest{Name: "Stranger", Email: "s@example.com"})
		stranger := account.With(t.Context(), account.Caller{AgentID: made.AgentID, Mode: account.Test, Via: "api"})
		squatted := do(sc, stranger, sc.CreateLoop, schemas.CreateLoopRequest{Name: "Payments", Slug: "payments"}).Loop
		_, err := attempt(sc, stranger, sc.CreateLoop, schemas.CreateLoopRequest{Name: "Payments", Slug: "payments"})
		denied(t, err, schemas.CodeConflict, "is taken")
		_, err = attempt(sc, sc.sandbox, sc.CreateLoop, schemas.CreateLoopRequest{Name: "Payments", Slug: "payments"})
		denied(t, err, schemas.CodeConflict, "is taken")

		ours := do(sc, sc.owner, sc.CreateLoop, schemas.CreateLoopRequest{Name: "Payments", Slug: "payments"}).Loop
		require.Equal(t, "payments", ours.Slug)
		require.Equal(t, ours.ID, do(sc, sc.agent, sc.GetLoop, schemas.LoopRequest{LoopID: "payments"}).Loop.ID)
		require.NotEqual(t, "payments", do(sc, stranger, sc.GetLoop, schemas.LoopRequest{LoopID: squatted.ID}).Loop.Slug, "theirs is still there")

		mine := do(sc, sc.sandbox, sc.CreateLoop, schemas.CreateLoopRequest{Name: "Trial", Slug: "trial"}).Loop
		_, err = attempt(sc, sc.agent, sc.CreateLoop, schemas.CreateLoopRequest{Name: "Trial", Slug: "trial"})
		denied(t, err, schemas.CodeConflict, "is taken")
		require.Equal(t, "trial", do(sc, sc.sandbox, sc.GetLoop, schemas.LoopRequest{LoopID: mine.ID}).Loop.Slug, "an agent takes nothing from itself")
	})
}
