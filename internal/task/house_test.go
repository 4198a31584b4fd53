package task_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"sync"
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
	"humanops-mcp/internal/ledger"
	"humanops-mcp/internal/loop"
	"humanops-mcp/internal/passkey"
	"humanops-mcp/internal/photo"
	"humanops-mcp/internal/receipt"
	"humanops-mcp/internal/review"
	"humanops-mcp/internal/seal"
	"humanops-mcp/internal/signedlink"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/internal/task"
	"humanops-mcp/internal/webhook"
	"humanops-mcp/schemas"
)

// house is a whole installation without its network: services, jobs and people.
type house struct {
	*task.Service
	t        testing.TB
	store    *store.Store
	clock    *clock.Fake
	accounts *account.Service
	reviews  *review.Service
	loops    *loop.Service
	runner   *job.Runner
	feed     *event.Feed
	agent    context.Context // the local agent, live
	sandbox  context.Context // the same with its test key
	owner    context.Context
	ada, bob context.Context // operators
	telling  sync.Mutex
	told     []string      // the notices and callbacks that would go out
	waiting  chan struct{} // one for each call that begins to wait
}

// announcing is a clock that tells when somebody begins to wait.
type announcing struct {
	*clock.Fake
	waiting chan struct{}
}

func (a announcing) After(d time.Duration) <-chan time.Time {
	ch := a.Fake.After(d)
	a.waiting <- struct{}{}
	return ch
}

func newHouse(t testing.TB, cfg task.Config) *house {
	clk := clock.NewFake(storetest.Start)
	return houseOn(t, storetest.OpenAt(t, clk), clk, cfg)
}

// seeingHouse is a house whose Guardian asks the model at url.
func seeingHouse(t testing.TB, url string) *house {
	clk := clock.NewFake(storetest.Start)
	return build(t, storetest.OpenAt(t, clk), clk, task.Config{}, guardian.Config{URL: url, Model: "eye", Clock: clk})
}

func houseOn(t testing.TB, s *store.Store, clk *clock.Fake, cfg task.Config) *house {
	return build(t, s, clk, cfg, guardian.Config{Clock: clk})
}

func build(t testing.TB, s *store.Store, clk *clock.Fake, cfg task.Config, eye guardian.Config) *house {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	blobs, err := blob.Open(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, blobs.Close()) })
	key := bytes.Repeat([]byte{7}, 32)
	h := &house{t: t, store: s, clock: clk, runner: job.NewRunner(s, clk, log), feed: event.NewFeed(s, clk, log), waiting: make(chan struct{}, 100)}
	changes := change.New(change.Deps{Store: s, Feed: h.feed, Clock: announcing{clk, h.waiting}, Logger: log})
	hooks := webhook.New(webhook.Config{Store: s, Sealer: seal.New(key), Clock: clk}, log)
	h.accounts = account.NewService(account.Config{PublicURL: "https://house.test", LocalCredit: 1000 * schemas.USD})
	cfg.PublicURL = "https://house.test"
	passkeys := passkey.NewService(passkey.Config{PublicURL: "https://house.test"})
	loops := loop.NewService(loop.Deps{Accounts: h.accounts, Passkeys: passkeys}, loop.Config{PublicURL: "https://house.test", Mail: true})
	h.loops = loops
	reviews := review.NewService(review.Deps{
		Store: s, Accounts: h.accounts, Changes: changes, Webhooks: hooks, Loops: loops, Clock: clk, Logger: log, Sealer: seal.New(key),
		Passkeys: passkeys,
		Receipts: receipt.NewService(receipt.Config{Issuer: "https://house.test"}, seal.New(key)),
	}, review.Config{PublicURL: "https://house.test", Mail: true})
	h.reviews = reviews
	h.Service = task.NewService(task.Deps{
		Store: s, Reviews: reviews, Accounts: h.accounts, Blobs: blobs, Guardian: guardian.New(eye), Changes: changes, Webhooks: hooks, Clock: clk, Logger: log,
		Links: signedlink.New(key, "https://house.test", clk),
	}, cfg)
	h.RegisterJobs(h.runner)
	reviews.RegisterJobs(h.runner)
	changes.RegisterJobs(h.runner)
	for _, kind := range []string{"notify", "webhook.send"} {
		job.Kind[json.RawMessage](kind).Handle(h.runner, func(_ context.Context, _ *store.Tx, j job.Job[json.RawMessage]) error {
			h.telling.Lock()
			defer h.telling.Unlock()
			h.told = append(h.told, string(j.Args))
			return nil
		})
	}
	h.settle()
	return h
}

func (h *house) settle() {
	var keys *account.Credentials
	ctx := h.t.Context()
	h.write(func(tx *store.Tx) (err error) {
		if keys, err = h.accounts.EnsureHouse(ctx, tx); err != nil {
			return err
		}
		return h.loops.EnsureLoops(ctx, tx)
	})
	h.write(func(tx *store.Tx) error {
		live, err := h.accounts.AuthenticateKey(ctx, tx, keys.LiveKey)
		require.NoError(h.t, err)
		test, err := h.accounts.AuthenticateKey(ctx, tx, keys.TestKey)
		require.NoError(h.t, err)
		owner, err := h.accounts.AuthenticateToken(ctx, tx, keys.OwnerToken)
		require.NoError(h.t, err)
		live.Via, test.Via = "api", "api"
		h.agent, h.sandbox, h.owner = account.With(ctx, live), account.With(ctx, test), account.With(ctx, owner)
		return nil
	})
	h.ada, h.bob = h.person("Ada"), h.person("Bob")
}

func (h *house) person(name string) context.Context {
	var p schemas.PersonWithLink
	h.write(func(tx *store.Tx) (err error) {
		p, err = h.accounts.AddPerson(h.owner, tx, schemas.AddPersonRequest{Name: name, Email: name + "@example.com"})
		return err
	})
	return account.With(h.t.Context(), account.Caller{PersonID: p.OperatorID, Name: name, Operator: true, Via: "page"})
}

func (h *house) write(unit func(tx *store.Tx) error) {
	h.t.Helper()
	require.NoError(h.t, h.store.Write(h.t.Context(), unit))
}

// in runs one call in its own transaction, as the API does.
func in[In, Out any](h *house, ctx context.Context, call func(context.Context, *store.Tx, In) (Out, error), arg In) (out Out, err error) {
	err = h.store.Write(ctx, func(tx *store.Tx) (err error) {
		out, err = call(ctx, tx, arg)
		return err
	})
	return out, err
}

// must is in for what has to succeed.
func must[In, Out any](h *house, ctx context.Context, call func(context.Context, *store.Tx, In) (Out, error), arg In) Out {
	h.t.Helper()
	out, err := in(h, ctx, call, arg)
	require.NoError(h.t, err)
	return out
}

func (h *house) request() schemas.PostTaskRequest {
	lat, lng := 30.2672, -97.7431
	return schemas.PostTaskRequest{
		Title: "Photo of storefront", Description: "Take 2 clear photos showing the full facade and signage.", TaskType: "PHOTO",
		Location:  &schemas.Location{Lat: &lat, Lng: &lng, Address: "123 Main St, Austin, TX"},
		RewardUSD: 15 * schemas.USD, Deadline: h.clock.Now().Add(4 * time.Hour), ProofRequirements: []string{"Full facade photo", "Close-up of signage"},
	}
}

func (h *house) post(edit func(*schemas.PostTaskRequest)) string {
	h.t.Helper()
	return h.postAs(h.agent, edit)
}

func (h *house) postAs(ctx context.Context, edit func(*schemas.PostTaskRequest)) string {
	h.t.Helper()
	r := h.request()
	r.AllowDuplicate = true
	if edit != nil {
		edit(&r)
	}
	return must(h, ctx, h.PostTask, r).TaskID
}

func (h *house) get(id string) schemas.TaskView {
	h.t.Helper()
	return h.getAs(h.agent, id)
}

func (h *house) getAs(ctx context.Context, id string) schemas.TaskView {
	h.t.Helper()
	return must(h, ctx, h.GetTask, schemas.TaskRequest{TaskID: id})
}

// begin posts a task and brings it to IN_PROGRESS in Ada's hands.
func (h *house) begin(edit func(*schemas.PostTaskRequest)) string {
	h.t.Helper()
	id := h.post(edit)
	must(h, h.ada, h.AcceptTask, schemas.AcceptTaskRequest{TaskID: id})
	must(h, h.ada, h.StartTask, schemas.TaskRequest{TaskID: id})
	return id
}

// review brings a task with one photo to MANUAL_REVIEW.
func (h *house) review(edit func(*schemas.PostTaskRequest)) string {
	h.t.Helper()
	id := h.begin(edit)
	_, err := h.SubmitProof(h.ada, schemas.SubmitProofRequest{TaskID: id, Note: "Here it is", Files: []schemas.File{picture(h.t, 1), picture(h.t, 2)}})
	require.NoError(h.t, err)
	h.work()
	require.Equal(h.t, "MANUAL_REVIEW", h.get(id).Status)
	return id
}

// work runs the jobs that are due.
func (h *house) work() {
	h.t.Helper()
	_, err := h.runner.RunDue(h.t.Context())
	require.NoError(h.t, err)
}

// pass lets time go by in steps, with the jobs of each.
func (h *house) pass(steps int, each time.Duration) {
	h.t.Helper()
	for range steps {
		h.clock.Advance(each)
		h.work()
	}
}

// exact checks every invariant of the ledger.
func (h *house) exact() {
	h.t.Helper()
	h.write(func(tx *store.Tx) error { return ledger.Check(h.t.Context(), tx) })
}

func picture(t testing.TB, seed uint64) schemas.File {
	t.Helper()
	raw, err := photo.Simulated(seed, []string{"a test"})
	require.NoError(t, err)
	return upload(fmt.Sprintf("photo%d.jpg", seed), raw)
}

func upload(name string, raw []byte) schemas.File {
	return schemas.File{Name: name, Size: int64(len(raw)), Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil }}
}

// refused requires an error of a code, and gives it.
func refused(t testing.TB, err error, code schemas.Code) *schemas.Error {
	t.Helper()
	require.Equal(t, code, schemas.ErrorCode(err), "%v", err)
	var e *schemas.Error
	require.ErrorAs(t, err, &e)
	return e
}

// away lets the platform have been away for so long.
func (h *house) away(d time.Duration) {
	h.t.Helper()
	h.write(func(tx *store.Tx) error { return h.Changes.Extend(h.t.Context(), tx, d) })
	require.NoError(h.t, h.Changes.Resume(h.t.Context()))
}
