package e2e

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	rest "humanops-mcp/client"
	"humanops-mcp/internal/notify/notifytest"
	"humanops-mcp/internal/toolchain"
	"humanops-mcp/schemas"
)

var mailedLink = regexp.MustCompile(noticeURL + `/r/[A-Za-z0-9_-]+`)

// A reviewer is told by mail, whose link mail scanners open too; they ask for changes on
// their phone, the agent sends a second version, and they approve that.
func TestBrowser_a_reviewer_decides_by_the_link_in_their_mail(t *testing.T) {
	chrome := toolchain.Chromium.Need(t)
	mails := notifytest.Serve(t, 0)
	p := serve(t, mailSettings(mails)...)
	p.run("people", "add", "Ada", "--email", "ada@example.com", "--reviewer")
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	agent := p.stdio(ctx)
	asked, result := call[askedReview](t, ctx, agent, "request_human_review", map[string]any{"question": "Publish **this** post about bees?", "priority": "critical"})
	require.Contains(t, textOf(result), "Ada")
	link := mailed(t, p, mails, "Publish")

	scan(t, link)
	review := func() schemas.Review {
		got, err := p.api(rest.Options{APIKey: p.cred.LiveKey}).GetReview(ctx, schemas.ReviewRequest{RequestID: asked.RequestID})
		require.NoError(t, err)
		return got.Request
	}
	require.Equal(t, schemas.ReviewPending, review().Status, "opening a link decides nothing")

	tab := phone(t, ctx, chrome)
	run := func(what string, actions ...chromedp.Action) {
		t.Helper()
		err := chromedp.Run(tab, actions...)
		if err != nil {
			snapshot(t, tab, what)
		}
		require.NoError(t, err, what)
	}
	var wide bool
	run("ask for changes", chromedp.Navigate(link), chromedp.WaitVisible(`form[data-answer]`),
		chromedp.Evaluate(`document.documentElement.scrollWidth > 390`, &wide),
		chromedp.SendKeys(`textarea[name=comment]`, "Name the flowers."), chromedp.Click(`button[name=answer][value=needs_changes]`), chromedp.WaitVisible(`#outcome`))
	require.False(t, wide, "the page fits a phone")
	require.Equal(t, schemas.NeedsChanges, review().Decision)
	require.Equal(t, "link", review().DecidedVia)

	status, result := call[struct{ Items []askedReview }](t, ctx, agent, "check_status", map[string]any{"ids": []string{asked.RequestID}})
	require.Equal(t, "needs_you", status.Items[0].State)
	require.Contains(t, textOf(result), "Name the flowers.")
	call[askedReview](t, ctx, agent, "request_human_review", map[string]any{"question": "Publish this post about bees and clover?", "revises": asked.RequestID})
	second := mailed(t, p, mails, "clover")
	run("approve the second version", chromedp.Navigate(second), chromedp.WaitVisible(`form[data-answer]`),
		chromedp.Poll(`document.body.innerText.includes("Name the flowers.")`, nil), chromedp.Click(`button[name=answer][value=approved]`), chromedp.WaitVisible(`#outcome`))
	require.Equal(t, schemas.Approved, review().Decision)
	require.Equal(t, 2, review().Round)
	run("the first link says who decided", chromedp.Navigate(link), chromedp.WaitVisible(`#outcome`), chromedp.Poll(`document.body.innerText.includes("Ada")`, nil))
}

// mailed is the link of the mail that holds a word, at the address that is served here.
func mailed(t *testing.T, p *platform, mails *notifytest.MailServer, word string) string {
	t.Helper()
	link := mailedLink.FindString(await(t, mails.All, word, "ada@example.com"))
	require.NotEmpty(t, link)
	return strings.Replace(link, noticeURL, p.url, 1)
}

// scan opens a link as mail scanners do.
func scan(t *testing.T, link string) {
	t.Helper()
	for range 20 {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			request, err := http.NewRequest(method, link, nil)
			require.NoError(t, err)
			response, err := http.DefaultClient.Do(request)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
		}
	}
}
