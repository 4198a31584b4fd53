package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	rest "humanops-mcp/client"
	"humanops-mcp/internal/passkey"
	"humanops-mcp/internal/passkey/passkeytest"
	"humanops-mcp/internal/toolchain"
	"humanops-mcp/schemas"
)

// vault is a platform with a loop that takes decisions only by the owner's passkey,
// which is in a browser of its own, and a request that waits there.
type vault struct {
	*platform
	t     *testing.T
	run   func(what string, actions ...chromedp.Action)
	site  string // as browsers have to call it: passkeys need a host name
	loop  schemas.Loop
	asked schemas.ReviewCreated
}

func serveVault(t *testing.T) *vault {
	chrome := toolchain.Chromium.Need(t)
	g := &vault{platform: serve(t), t: t}
	g.site = strings.Replace(g.url, "127.0.0.1", "localhost", 1)
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	t.Cleanup(cancel)
	tab := phone(t, ctx, chrome)
	g.run = func(what string, actions ...chromedp.Action) {
		t.Helper()
		err := chromedp.Run(tab, actions...)
		if err != nil {
			snapshot(t, tab, what)
		}
		require.NoError(t, err, what)
	}
	g.run("an authenticator", webauthn.Enable(), chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := webauthn.AddVirtualAuthenticator(&webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		}).Do(ctx)
		return err
	}))
	g.demandPasskeys()
	made, err := g.api(rest.Options{APIKey: g.cred.LiveKey}).CreateReview(ctx, schemas.CreateReviewRequest{LoopID: "payments", NewReview: schemas.NewReview{
		RequestText: "Pay the invoice?", Action: &schemas.Action{Tool: "transfer_money", Arguments: json.RawMessage(`{"amount_usd":82000}`)},
	}})
	require.NoError(t, err)
	g.asked = made
	return g
}

// demandPasskeys has the owner register a passkey and make the loop ask for it.
func (g *vault) demandPasskeys() {
	g.t.Helper()
	require.NoError(g.t, json.Unmarshal([]byte(g.platform.run("loops", "add", "payments", "--json")), &struct {
		Loop *schemas.Loop `json:"loop"`
	}{&g.loop}))
	g.run("sign in", chromedp.Navigate(g.signInLink()), chromedp.Click(`form button[type=submit]`), chromedp.WaitVisible(`form[action$="sign-out"]`))
	g.run("register a passkey", chromedp.Navigate(g.site+"/people/me"), chromedp.SendKeys(`#passkey-name`, "My phone"),
		chromedp.Click(`form[data-register] button`), chromedp.WaitVisible(`ul.people`))
	g.run("demand it", chromedp.Navigate(g.site+"/loops/payments"), chromedp.Click(`input[name=passkey]`),
		chromedp.Click(`form[data-passkey$="/passkey"] button.main`), chromedp.WaitVisible(`.note.good`))
}

func (g *vault) signInLink() string {
	g.t.Helper()
	var owner schemas.PersonWithLink
	require.NoError(g.t, json.Unmarshal([]byte(g.platform.run("people", "add", "me", "--json")), &owner))
	return strings.Replace(owner.URL, g.url, g.site, 1)
}

// requireUndecided makes sure that whatever was tried has not decided anything.
func (g *vault) requireUndecided(after string) {
	g.t.Helper()
	got, err := g.api(rest.Options{APIKey: g.cred.LiveKey}).GetReview(context.Background(), schemas.ReviewRequest{RequestID: g.asked.RequestID})
	require.NoError(g.t, err, after)
	require.False(g.t, got.Request.Status.Final(), "%s decided it: %s by %s", after, got.Request.Decision, got.Request.DecidedVia)
	require.False(g.t, got.Request.ReceiptAvailable, after)
	loop, err := g.api(rest.Options{Token: g.cred.OwnerToken}).GetLoop(context.Background(), schemas.LoopRequest{LoopID: "payments"})
	require.NoError(g.t, err, after)
	require.True(g.t, loop.Loop.Settings.Passkey, "%s switched the demand off", after)
}

// An agent with a shell on the same machine tries each command, each endpoint with each
// credential that lies there, and the owner's own pages, to approve itself.
func TestBrowser_an_agent_with_a_shell_cannot_approve_itself_in_a_passkey_loop(t *testing.T) {
	g := serveVault(t)
	g.tryCommands()
	g.tryEndpoints()
	g.tryPages()

	g.run("the owner approves with the passkey", chromedp.Navigate(g.site+"/reviews/"+g.asked.RequestID),
		chromedp.Click(`button[name=answer][value=true]`), chromedp.WaitVisible(`#outcome`))
	ctx := context.Background()
	got, err := g.api(rest.Options{APIKey: g.cred.LiveKey}).GetReceipt(ctx, schemas.ReviewRequest{RequestID: g.asked.RequestID})
	require.NoError(t, err)
	require.Equal(t, "passkey", got.Receipt.DecidedVia)
	require.Contains(t, string(got.Receipt.Passkeys), "authenticator_data")
	executor := g.api(rest.Options{APIKey: g.cred.ExecutorKey})
	raised := schemas.Action{Tool: "transfer_money", Arguments: json.RawMessage(`{"amount_usd":820000}`)}
	_, err = executor.ConsumeReceipt(ctx, schemas.ConsumeReceiptRequest{RequestID: g.asked.RequestID, Nonce: got.Receipt.Nonce, Action: &raised})
	require.Equal(t, schemas.CodeConflict, schemas.ErrorCode(err), "82,000 was approved, and 820,000 is tried")
	_, err = executor.ConsumeReceipt(ctx, schemas.ConsumeReceiptRequest{RequestID: g.asked.RequestID, Nonce: got.Receipt.Nonce, Action: &got.Action})
	require.NoError(t, err)
}

func (g *vault) tryCommands() {
	id := g.asked.RequestID
	for _, line := range []string{
		"reviews approve " + id, "reviews answer " + id + " true", "reviews approve " + id + " --round 1", "reviews escalate " + id,
		"loops set payments passkey=false", "loops set payments passkey=", "loops set payments review_mode.mode=quorum review_mode.threshold=1",
		"loops set payments fail_closed=false", "loops set payments accept_unattended=true", `loops set payments escalation=[{"steps":[{"after_seconds":30,"to":["owner"]}]}]`,
		"people add Mallory --reviewer --loop payments", "people add Eve --role owner", "loops members payments --add Mallory", "loops members payments --add Eve",
		"loops invite payments", "keys create --audience executor --name mine", "keys create --audience all --name mine", "keys rotate-receipt-key",
		"people remove Eve", "people remove me", "hook claude-code --loop payments --timeout 1m --print-settings", "status", "doctor", "people list", "loops list", "tasks list",
	} {
		out, _ := g.command(strings.Fields(line)...).CombinedOutput()
		g.requireUndecided("humanops-mcp " + line + "\n" + string(out))
	}
}

// tryEndpoints calls every endpoint that changes something with everything that lies in the
// credentials file, and a body that says yes in every way.
func (g *vault) tryEndpoints() {
	fill := strings.NewReplacer("{request_id}", g.asked.RequestID, "{loop_id}", "payments", "{user_id}", "Mallory", "{person_id}", "Mallory", "{group}", "owner",
		"{task_id}", "task_x", "{n}", "1", "{key_id}", "key_x", "{webhook_id}", "wh_x", "{delivery_id}", "whd_x", "{upload_id}", "up_x")
	body := map[string]any{
		"response_data": true, "decision": "approved", "round": 1, "action_digest": g.asked.ActionDigest, "nonce": "x", "user_id": "Mallory", "role": "admin",
		"name": "x", "settings": map[string]any{}, "default_response": true, "timeout_seconds": 60, "assertion": map[string]any{"ceremony": "x", "credential": map[string]any{}},
		"invite_code": "ABC123DEF", "audience": "executor", "members": []string{"Mallory"}, "feedback": map[string]any{"rating": 5},
	}
	raw, err := json.Marshal(body)
	require.NoError(g.t, err)
	for _, e := range schemas.All() {
		withdraws := e.Path == "/requests/{request_id}" && e.Method == http.MethodDelete || e.Path == "/requests/{request_id}/cancel"
		if e.Method == http.MethodGet || withdraws { // an agent may always withdraw what it asked
			continue
		}
		for _, key := range []string{g.cred.LiveKey, g.cred.TestKey, g.cred.ExecutorKey, g.cred.OwnerToken} {
			for _, pattern := range e.Patterns() {
				_, path, _ := strings.Cut(pattern, " ")
				g.send(e.Method, g.url+fill.Replace(path), "application/json", string(raw), key, http.DefaultClient)
				g.requireUndecided(pattern)
			}
		}
	}
}

func (g *vault) send(method, address, media, body, key string, through *http.Client) (int, string) {
	g.t.Helper()
	request, err := http.NewRequest(method, address, strings.NewReader(body))
	require.NoError(g.t, err)
	request.Header.Set("Content-Type", media)
	if key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}
	response, err := through.Do(request)
	require.NoError(g.t, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	require.NoError(g.t, err)
	return response.StatusCode, string(answer)
}

// tryPages signs in as the owner by a link that a command makes, with a passkey of its own
// making, and does there what the owner could do.
func (g *vault) tryPages() {
	jar, err := cookiejar.New(nil)
	require.NoError(g.t, err)
	browser := &http.Client{Jar: jar, Timeout: 30 * time.Second}
	form := func(path string, fields url.Values) (int, string) {
		return g.send(http.MethodPost, g.site+path, "application/x-www-form-urlencoded", fields.Encode(), "", browser)
	}
	g.send(http.MethodPost, g.signInLink(), "application/x-www-form-urlencoded", "", "", browser)
	review, loop := "/reviews/"+g.asked.RequestID, "/loops/"+g.loop.ID

	device := passkeytest.New(g.t, "localhost", g.site)
	begun := ceremony(g.t, func() (int, string) { return form("/people/me/passkeys/begin", url.Values{"name": {"soft"}}) })
	form("/people/me/passkeys", url.Values{"name": {"soft"}, "assertion": {written(g.t, device.Create(begun))}})
	g.requireUndecided("registering another passkey")

	yes := url.Values{"answer": {"true"}, "round": {"1"}, "action_digest": {g.asked.ActionDigest}}
	form(review, yes)
	g.requireUndecided("the owner's session alone")
	for path, fields := range map[string]url.Values{
		review:            yes,
		loop:              {"change": {"settings"}, "name": {"payments"}},
		loop + "/members": {"change": {"member"}, "user_id": {"Mallory"}, "person": {"Mallory"}, "name": {"Mallory"}},
	} {
		form(path, fields)
		g.requireUndecided(path + " without a passkey")
		code, answer := form(path+"/passkey", fields)
		if code != http.StatusOK {
			continue
		}
		var c passkey.Ceremony
		if json.Unmarshal([]byte(answer), &c) != nil || c.ID == "" {
			continue
		}
		signed := url.Values{"assertion": {written(g.t, device.Get(c))}}
		for name, values := range fields {
			signed[name] = values
		}
		code, answer = form(path, signed)
		require.GreaterOrEqual(g.t, code, 400, answer)
		g.requireUndecided(path + " with a passkey that nobody enrolled")
	}
}

func ceremony(t *testing.T, begin func() (int, string)) passkey.Ceremony {
	t.Helper()
	code, answer := begin()
	require.Equal(t, http.StatusOK, code, answer)
	var c passkey.Ceremony
	require.NoError(t, json.Unmarshal([]byte(answer), &c))
	return c
}

func written(t *testing.T, a schemas.Assertion) string {
	t.Helper()
	raw, err := json.Marshal(a)
	require.NoError(t, err)
	return string(raw)
}
