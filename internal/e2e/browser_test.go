package e2e

import (
	"context"
	"encoding/json"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	rest "humanops-mcp/client"
	"humanops-mcp/internal/toolchain"
	"humanops-mcp/schemas"
)

// The whole of the product, once: a person opens their link on a phone, takes the task,
// sends two photos; the agent gets them as images, approves, and the escrow pays.
func TestBrowser_a_person_does_a_task_and_the_agent_sees_the_photos(t *testing.T) {
	chrome := toolchain.Chromium.Need(t)
	p := serve(t)
	var person schemas.PersonWithLink
	require.NoError(t, json.Unmarshal([]byte(p.run("people", "add", "Ada", "--json")), &person))

	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
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
	run("sign in by the link", chromedp.Navigate(person.URL), chromedp.Click(`form button[type=submit]`), chromedp.WaitVisible(`form[action$="sign-out"]`))

	agent := p.stdio(ctx)
	posted, result := call[schemas.PostTaskResponse](t, ctx, agent, "post_task", map[string]any{
		"title": "Photo of storefront", "description": "Take 2 clear photos showing the full facade and signage.",
		"task_type": "PHOTO", "reward_usd": 15, "deadline": "4h", "proof_requirements": []string{"Full facade photo", "Close-up of signage"},
	})
	require.Contains(t, textOf(result), "check_status")

	run("open the task", chromedp.Navigate(p.url+"/"), chromedp.Click(`a[href*="`+posted.TaskID+`"]`), chromedp.WaitVisible(`form[action$="/accept"]`), chromedp.Click(`form[action$="/accept"] button[type=submit]`))
	run("start", chromedp.WaitVisible(`form[action$="/start"]`), chromedp.Click(`form[action$="/start"] button[type=submit]`))
	run("send two photos",
		chromedp.WaitReady(`form[action$="/proof"] input[type=file][multiple]`),
		chromedp.SetUploadFiles(`form[action$="/proof"] input[type=file][multiple]`, []string{photo(t, "facade.jpg"), photo(t, "sign.jpg")}),
		chromedp.SendKeys(`form[action$="/proof"] textarea[name=note]`, "Both taken from across the street."),
		chromedp.Click(`form[action$="/proof"] button[type=submit]`),
		chromedp.WaitNotPresent(`form[action$="/proof"]`))

	status := awaitReview(t, ctx, agent, posted.TaskID)
	require.Equal(t, 1, status.Submission)
	got, result := call[map[string]any](t, ctx, agent, "get_task_result", map[string]any{"task_id": posted.TaskID})
	require.Equal(t, 2, imagesOf(result), "both photos arrive as images: %v", got)
	call[map[string]any](t, ctx, agent, "review_proof", map[string]any{"task_id": posted.TaskID, "submission": 1, "decision": "approve"})

	paid, err := p.api(rest.Options{APIKey: p.cred.LiveKey}).GetTask(ctx, schemas.TaskRequest{TaskID: posted.TaskID})
	require.NoError(t, err)
	require.Equal(t, string(schemas.Paid), paid.Status)
	require.Zero(t, paid.EscrowUSD)
	balance, err := p.api(rest.Options{APIKey: p.cred.LiveKey}).GetBalance(ctx)
	require.NoError(t, err)
	require.Equal(t, 985*schemas.USD, balance.DepositBalance)
	require.Zero(t, balance.EscrowBalance)
	run("the person sees the payment", chromedp.Navigate(p.url+"/"), chromedp.WaitVisible(`body`), chromedp.Poll(`document.body.innerText.includes("$15.00")`, nil))
}

type taskStatus struct {
	Status     string `json:"status"`
	Submission int    `json:"submission"`
}

// awaitReview waits as an agent would: by check_status, until it is its turn.
func awaitReview(t *testing.T, ctx context.Context, agent mcpCaller, id string) taskStatus {
	t.Helper()
	for {
		status, _ := call[struct {
			Items []taskStatus `json:"items"`
		}](t, ctx, agent, "check_status", map[string]any{"ids": []string{id}, "wait_seconds": 20})
		require.Len(t, status.Items, 1)
		if status.Items[0].Status == string(schemas.ManualReview) {
			return status.Items[0]
		}
		require.NoError(t, ctx.Err())
	}
}

// phone opens a tab of 390 by 844 points, the size of a common phone.
func phone(t *testing.T, parent context.Context, chrome string) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chrome), chromedp.NoSandbox, chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true), chromedp.UserDataDir(t.TempDir()))
	allocator, cancel := chromedp.NewExecAllocator(parent, options...)
	t.Cleanup(cancel)
	tab, cancelTab := chromedp.NewContext(allocator)
	t.Cleanup(cancelTab)
	require.NoError(t, chromedp.Run(tab, emulation.SetDeviceMetricsOverride(390, 844, 2, true)))
	return tab
}

// snapshot keeps a picture of a page on which a step failed.
func snapshot(t *testing.T, tab context.Context, step string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tab), 10*time.Second)
	defer cancel()
	var png []byte
	err := chromedp.Run(ctx, chromedp.ActionFunc(func(ctx context.Context) (err error) {
		png, err = page.CaptureScreenshot().Do(ctx)
		return err
	}))
	if err != nil {
		return
	}
	file := filepath.Join(os.TempDir(), "e2e-failed-step.png")
	if os.WriteFile(file, png, 0o600) == nil {
		t.Logf("%s: see %s", step, file)
	}
}

// photo writes a real 3000x2000 JPEG.
func photo(t *testing.T, name string) string {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 3000, 2000))
	for y := range 2000 {
		for x := range 3000 {
			img.Set(x, y, color.RGBA{uint8(x / 12), uint8(y / 8), uint8((x ^ y) & 0xff), 255})
		}
	}
	file := filepath.Join(t.TempDir(), name)
	out, err := os.Create(file)
	require.NoError(t, err)
	defer out.Close()
	require.NoError(t, jpeg.Encode(out, img, &jpeg.Options{Quality: 85}))
	return file
}
