package e2e

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/toolchain"
	"humanops-mcp/schemas"
)

// An owner follows an old link to a proof, in a browser that runs no scripts, and decides
// with the keys alone: Tab, arrows, and a reason on each line.
func TestBrowser_an_owner_decides_on_proof_by_keyboard_and_without_scripts(t *testing.T) {
	chrome := toolchain.Chromium.Need(t)
	s := newScene(t)
	var owner schemas.PersonWithLink
	require.NoError(t, json.Unmarshal([]byte(s.run("people", "add", "me", "--json")), &owner))
	id := s.post(nil)
	s.ada.does(id, "From the street")
	awaitStatus(t, s.ctx, s.agent, id, schemas.ManualReview)

	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	tab := phone(t, ctx, chrome)
	run := func(what string, actions ...chromedp.Action) {
		t.Helper()
		err := chromedp.Run(tab, actions...)
		if err != nil {
			snapshot(t, tab, what)
		}
		require.NoError(t, err, what)
	}
	var at string
	var wide bool
	run("sign in", emulation.SetScriptExecutionDisabled(true), chromedp.Navigate(owner.URL), chromedp.Click(`form button[type=submit]`), chromedp.WaitVisible(`form[action$="sign-out"]`))
	run("follow the old link", chromedp.Navigate(s.url+"/decide/"+id), chromedp.WaitVisible(`form[data-answer]`), chromedp.Location(&at),
		chromedp.Evaluate(`document.documentElement.scrollWidth > 390`, &wide))
	require.Contains(t, at, "/reviews/")
	require.False(t, wide, "the page fits a phone")
	run("choose with the arrows, write two reasons, send", chromedp.Focus(`form[data-answer] input[type=radio]`),
		chromedp.KeyEvent(" "), chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.Tab),
		chromedp.KeyEvent("Too dark"), chromedp.KeyEvent(kb.Enter), chromedp.KeyEvent("No sign"), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter),
		chromedp.WaitVisible(`#outcome`))
	task := s.get(id)
	require.Equal(t, string(schemas.InProgress), task.Status)
	decision := task.Submissions[0].Decision
	require.Equal(t, schemas.ProofRequestChanges, decision.Decision)
	require.Equal(t, []string{"Too dark", "No sign"}, decision.Reasons)
	require.Equal(t, "page", decision.DecidedVia)
}
