package web_test

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/blob"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/event"
	"humanops-mcp/internal/guardian"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/loop"
	"humanops-mcp/internal/notify"
	"humanops-mcp/internal/passkey"
	"humanops-mcp/internal/receipt"
	"humanops-mcp/internal/review"
	"humanops-mcp/internal/seal"
	"humanops-mcp/internal/signedlink"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/internal/task"
	"humanops-mcp/internal/upload"
	"humanops-mcp/internal/web"
	"humanops-mcp/internal/webhook"
	"humanops-mcp/schemas"
)

const publicURL = "https://house.example"

// house is a whole installation without its network: real storage, services and jobs.
type house struct {
	t        *testing.T
	server   *httptest.Server
	store    *store.Store
	clock    *clock.Fake
	accounts *account.Service
	tasks    *task.Service
	reviews  *review.Service
	loops    *loop.Service
	uploads  *upload.Service
	passkeys *passkey.Service
	runner   *job.Runner
	agent    account.Caller
	owner    account.Caller
	links    []string // ids of the links that notices carried
}

func newHouse(t *testing.T) *house {
	t.Helper()
	clk := clock.NewFake(time.Date(2030, 2, 7, 14, 0, 0, 0, time.UTC))
	log := slog.New(slog.DiscardHandler)
	h := &house{t: t, clock: clk, store: storetest.OpenAt(t, clk)}
	h.accounts = account.NewService(account.Config{PublicURL: publicURL, LocalCredit: 1000 * schemas.USD})
	blobs, err := blob.Open(t.TempDir())
	require.NoError(t, err)
	sealer := seal.New(bytes.Repeat([]byte{7}, 32))
	h.passkeys = passkey.NewService(passkey.Config{PublicURL: publicURL})
	changes := change.New(change.Deps{Store: h.store, Feed: event.NewFeed(h.store, clk, log), Clock: clk, Logger: log})
	hooks := webhook.New(webhook.Config{Store: h.store, Sealer: sealer, Clock: clk}, log)
	loops := loop.NewService(loop.Deps{Accounts: h.accounts, Passkeys: h.passkeys}, loop.Config{PublicURL: publicURL, Mail: true})
	h.loops = loops
	h.reviews = review.NewService(review.Deps{
		Store: h.store, Accounts: h.accounts, Changes: changes, Webhooks: hooks, Loops: loops, Clock: clk, Logger: log, Sealer: sealer,
		Passkeys: h.passkeys, Receipts: receipt.NewService(receipt.Config{Issuer: publicURL}, sealer),
	}, review.Config{PublicURL: publicURL, Mail: true})
	h.uploads = upload.NewService(upload.Deps{Store: h.store, Blobs: blobs, Shown: h.reviews.ShowsUpload}, publicURL)
	h.tasks = task.NewService(task.Deps{
		Store: h.store, Accounts: h.accounts, Reviews: h.reviews, Blobs: blobs, Guardian: guardian.New(guardian.Config{}), Clock: clk, Logger: log,
		Changes: changes, Webhooks: hooks, Links: signedlink.New(sealer.Derive("proof links"), publicURL, clk),
	}, task.Config{PublicURL: publicURL})
	h.runner = job.NewRunner(h.store, clk, log)
	h.tasks.RegisterJobs(h.runner)
	h.reviews.RegisterJobs(h.runner)
	changes.RegisterJobs(h.runner)
	notify.Kind.Handle(h.runner, h.notice)
	job.Kind[any]("webhook.send").Handle(h.runner, func(context.Context, *store.Tx, job.Job[any]) error { return nil })
	h.write(func(ctx context.Context, tx *store.Tx) error {
		if _, err := h.accounts.EnsureHouse(ctx, tx); err != nil {
			return err
		}
		if err := h.loops.EnsureLoops(ctx, tx); err != nil {
			return err
		}
		owner, err := h.accounts.OwnerID(ctx, tx)
		if err != nil {
			return err
		}
		h.owner = account.Caller{PersonID: owner, Owner: true, Via: "page"}
		id, err := h.accounts.LocalAgentID(ctx, tx)
		h.agent = account.Caller{AgentID: id, Mode: account.Live, Via: "api"}
		return err
	})
	h.server = httptest.NewServer(web.New(web.Deps{
		Store: h.store, Accounts: h.accounts, Tasks: h.tasks, Reviews: h.reviews, Loops: h.loops, Uploads: h.uploads, Passkeys: h.passkeys, Clock: clk, Logger: log, Config: web.Config{PublicURL: publicURL},
	}))
	t.Cleanup(h.server.Close)
	return h
}

// notice keeps the links that a mail would carry.
func (h *house) notice(_ context.Context, _ *store.Tx, j job.Job[notify.Letter]) error {
	if id := j.Args.LinkID; id != "" {
		h.links = append(h.links, id)
	}
	return nil
}

func (h *house) write(do func(ctx context.Context, tx *store.Tx) error) {
	h.t.Helper()
	require.NoError(h.t, h.store.Write(h.t.Context(), func(tx *store.Tx) error { return do(h.t.Context(), tx) }))
}

// work runs the jobs that are due.
func (h *house) work() {
	h.t.Helper()
	_, err := h.runner.RunDue(h.t.Context())
	require.NoError(h.t, err)
}

// invite makes a person's one-time link, as a path.
func (h *house) invite(name string) string {
	h.t.Helper()
	var link string
	h.write(func(ctx context.Context, tx *store.Tx) error {
		p, err := h.accounts.AddPerson(ctx, tx, schemas.AddPersonRequest{Name: name, Email: strings.ToLower(name) + "@house.example", Roles: []string{"operator"}})
		link = strings.TrimPrefix(p.URL, publicURL)
		return err
	})
	return link
}

func (h *house) post(change func(in *schemas.PostTaskRequest)) string {
	h.t.Helper()
	in := schemas.PostTaskRequest{
		Title: "Photo of storefront", Description: "Take 2 clear photos.\nBe polite.", TaskType: "PHOTO", RewardUSD: 15 * schemas.USD,
		Deadline: h.clock.Now().Add(4 * time.Hour), ProofRequirements: []string{"Full facade photo", "Close-up of signage"},
		Location: &schemas.Location{Address: "123 Main St, Austin, TX"}, AllowDuplicate: true,
	}
	if change != nil {
		change(&in)
	}
	var id string
	h.write(func(ctx context.Context, tx *store.Tx) error {
		out, err := h.tasks.PostTask(account.With(ctx, h.agent), tx, in)
		id = out.TaskID
		return err
	})
	return id
}

func (h *house) task(id string) (out schemas.TaskView) {
	h.t.Helper()
	h.write(func(ctx context.Context, tx *store.Tx) (err error) {
		out, err = h.tasks.GetTask(account.With(ctx, h.agent), tx, schemas.TaskRequest{TaskID: id})
		return err
	})
	return out
}

// browser keeps cookies and follows nothing.
type browser struct {
	t      *testing.T
	base   string
	client *http.Client
}

// answer is what came back.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

func (h *house) browser() *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(h.t, err)
	return &browser{h.t, h.server.URL, &http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// person is a browser in which somebody has signed in.
func (h *house) person(name string) *browser {
	h.t.Helper()
	b := h.browser()
	require.Equal(h.t, http.StatusSeeOther, b.post(h.invite(name), nil).Status)
	return b
}

func (b *browser) do(method, path, kind string, body io.Reader, header ...string) answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.base+path, body)
	require.NoError(b.t, err)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := b.client.Do(r)
	require.NoError(b.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	return answer{resp.StatusCode, resp.Header, string(text)}
}

func (b *browser) get(path string) answer {
	b.t.Helper()
	return b.do(http.MethodGet, path, "", nil)
}

func (b *browser) post(path string, form url.Values, header ...string) answer {
	b.t.Helper()
	return b.do(http.MethodPost, path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()), header...)
}

// file is one part of an upload.
type file struct {
	name string
	data []byte
}

func (b *browser) upload(path string, fields map[string]string, files ...file) answer {
	b.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range fields {
		require.NoError(b.t, form.WriteField(name, value))
	}
	for _, f := range files {
		part, err := form.CreateFormFile("files", f.name)
		require.NoError(b.t, err)
		_, err = part.Write(f.data)
		require.NoError(b.t, err)
	}
	require.NoError(b.t, form.Close())
	return b.do(http.MethodPost, path, form.FormDataContentType(), &body)
}

// jpegOf is a real photo, its own for each seed.
func jpegOf(t *testing.T, seed uint8) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 640, 480))
	for y := range 480 {
		for x := range 640 {
			img.Set(x, y, color.RGBA{uint8(x / 3), uint8(y / 2), seed, 255})
		}
	}
	var out bytes.Buffer
	require.NoError(t, jpeg.Encode(&out, img, nil))
	return out.Bytes()
}

// started is a task that the person in the browser is at work on.
func (h *house) started(b *browser) string {
	h.t.Helper()
	id := h.post(nil)
	require.Equal(h.t, http.StatusSeeOther, b.post("/tasks/"+id+"/accept", nil).Status)
	require.Equal(h.t, http.StatusSeeOther, b.post("/tasks/"+id+"/start", nil).Status)
	return id
}

// submitted is a task with two photos that waits for a decision.
func (h *house) submitted(b *browser, note string) string {
	h.t.Helper()
	id := h.started(b)
	got := b.upload("/tasks/"+id+"/proof", map[string]string{"note": note}, file{"facade.jpg", jpegOf(h.t, 1)}, file{"sign.jpg", jpegOf(h.t, 2)})
	require.Equal(h.t, http.StatusSeeOther, got.Status, got.Body)
	h.work()
	require.Equal(h.t, string(schemas.ManualReview), h.task(id).Status)
	return id
}

// again hands in the next submission of a task that was sent back.
func (h *house) again(b *browser, id string) {
	h.t.Helper()
	h.clock.Advance(time.Minute)
	got := b.upload("/tasks/"+id+"/proof", map[string]string{"note": "Once more"}, file{"closer.jpg", jpegOf(h.t, 3)})
	require.Equal(h.t, http.StatusSeeOther, got.Status, got.Body)
	h.work()
	require.Equal(h.t, string(schemas.ManualReview), h.task(id).Status)
}

// proof is the page on which an owner decides a task's proof, found as an old link finds it.
func (b *browser) proof(task string) string {
	b.t.Helper()
	got := b.get("/decide/" + task)
	require.Equal(b.t, http.StatusSeeOther, got.Status, got.Body)
	to := got.Header.Get("Location")
	require.Regexp(b.t, `^/reviews/[0-9a-f]{24}$`, to)
	return to
}

// decide fills in the form on that page and sends it.
func (b *browser) decide(task, word, reasons string) answer {
	b.t.Helper()
	to := b.proof(task)
	form := url.Values{"comment": {reasons}}
	if word != "" {
		form.Set("answer", word)
	}
	return b.post(to, filled(b.t, b.get(to), form))
}

func fileOf(name string, data []byte) schemas.File {
	return schemas.File{Name: name, Size: int64(len(data)), Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
}
