package review

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

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
