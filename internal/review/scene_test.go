package review

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/event"
	"humanops-mcp/internal/job"
	loops "humanops-mcp/internal/loop"
	"humanops-mcp/internal/notify"
	"humanops-mcp/internal/passkey"
	"humanops-mcp/internal/receipt"
	"humanops-mcp/internal/review/ask"
	"humanops-mcp/internal/seal"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/internal/trail"
	"humanops-mcp/internal/webhook"
	"humanops-mcp/schemas"
)

const sceneURL = "https://house.test"

type (
	hooks  = webhook.Service
	circle = loops.Service
)

// scene is a house with people, jobs and two agents' keys, without its network.
type scene struct {
	*Service
	*hooks
	*circle
	Accounts *account.Service
	Passkeys *passkey.Service
	t        testing.TB
	store    *store.Store
	clock    *clock.Fake
	runner   *job.Runner
	loop     schemas.Loop    // Ada and Bob decide in it
	agent    context.Context // the local agent, live
	sandbox  context.Context // the same with a test key
	owner    context.Context // by the page
	ada, bob context.Context
	telling  sync.Mutex
	told     []notify.Letter
	tasks    *stubLife
}

// onBoth runs a test on both databases.
func onBoth(t *testing.T, c Config, test func(t *testing.T, sc *scene)) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) { test(t, sceneOn(t, s, clk, c)) })
}

func newScene(t testing.TB, c Config) *scene {
	clk := clock.NewFake(storetest.Start)
	return sceneOn(t, storetest.OpenAt(t, clk), clk, c)
}

func sceneOn(t testing.TB, s *store.Store, clk *clock.Fake, c Config) *scene {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	sealer := seal.New(bytes.Repeat([]byte{7}, 32))
	sc := &scene{t: t, store: s, clock: clk, runner: job.NewRunner(s, clk, log)}
	c.PublicURL = sceneURL
	changes := change.New(change.Deps{Store: s, Feed: event.NewFeed(s, clk, log), Clock: clk, Logger: log})
	sc.hooks = webhook.New(webhook.Config{Store: s, Sealer: sealer, Clock: clk, AllowPrivate: c.PrivateCallbacks}, log)
	sc.Accounts, sc.Passkeys = account.NewService(account.Config{PublicURL: sceneURL}), passkey.NewService(passkey.Config{PublicURL: sceneURL})
	sc.circle = loops.NewService(loops.Deps{Accounts: sc.Accounts, Passkeys: sc.Passkeys}, loops.Config{PublicURL: sceneURL, Mail: c.Mail, Chat: c.Chat})
	sc.Service = NewService(Deps{
		Store: s, Accounts: sc.Accounts, Changes: changes, Webhooks: sc.hooks, Loops: sc.circle, Clock: clk, Logger: log,
		Sealer: sealer, Passkeys: sc.Passkeys, Receipts: receipt.NewService(receipt.Config{Issuer: sceneURL}, sealer),
	}, c)
	sc.tasks = stubs(changes)
	sc.Service.RegisterJobs(sc.runner)
	changes.RegisterJobs(sc.runner)
	sc.hooks.RegisterJobs(sc.runner)
	notify.Kind.Handle(sc.runner, func(_ context.Context, _ *store.Tx, j job.Job[notify.Letter]) error {
		sc.telling.Lock()
		defer sc.telling.Unlock()
		sc.told = append(sc.told, j.Args)
		return nil
	})
	sc.settle()
	return sc
}

func (sc *scene) settle() {
	sc.write(func(tx *store.Tx) error {
		ctx := sc.t.Context()
		_, err := sc.Accounts.EnsureHouse(ctx, tx)
		require.NoError(sc.t, err)
		require.NoError(sc.t, sc.EnsureLoops(ctx, tx))
		owner, err := sc.Accounts.OwnerID(ctx, tx)
		require.NoError(sc.t, err)
		agent, err := sc.Accounts.LocalAgentID(ctx, tx)
		require.NoError(sc.t, err)
		sc.owner = account.With(ctx, account.Caller{PersonID: owner, Name: "Owner", Owner: true, Via: "page"})
		sc.agent = account.With(ctx, account.Caller{AgentID: agent, KeyID: "key_live", Mode: account.Live, Via: "api"})
		sc.sandbox = account.With(ctx, account.Caller{AgentID: agent, KeyID: "key_test", Mode: account.Test, Via: "api"})
		return nil
	})
	sc.ada, sc.bob = sc.person("Ada"), sc.person("Bob")
	sc.loop = sc.newLoop("Desk", sc.ada, sc.bob)
}

func (sc *scene) write(unit func(tx *store.Tx) error) {
	sc.t.Helper()
	require.NoError(sc.t, sc.store.Write(sc.t.Context(), unit))
}

// attempt runs one call in its own transaction, as the API does.
func attempt[In, Out any](sc *scene, ctx context.Context, call func(context.Context, *store.Tx, In) (Out, error), in In) (out Out, err error) {
	err = sc.store.Write(ctx, func(tx *store.Tx) (err error) {
		out, err = call(ctx, tx, in)
		return err
	})
	return out, err
}

// do is attempt for what has to succeed.
func do[In, Out any](sc *scene, ctx context.Context, call func(context.Context, *store.Tx, In) (Out, error), in In) Out {
	sc.t.Helper()
	out, err := attempt(sc, ctx, call, in)
	require.NoError(sc.t, err)
	return out
}

// denied requires an error of a code with some words, and gives it.
func denied(t testing.TB, err error, code schemas.Code, words string) *schemas.Error {
	t.Helper()
	require.Equal(t, code, schemas.ErrorCode(err), "%v", err)
	require.ErrorContains(t, err, words)
	var e *schemas.Error
	require.ErrorAs(t, err, &e)
	return e
}

func (sc *scene) person(name string) context.Context {
	p := do(sc, sc.owner, sc.Accounts.AddPerson, schemas.AddPersonRequest{Name: name, Email: strings.ToLower(name) + "@example.com"})
	return account.With(sc.t.Context(), account.Caller{PersonID: p.OperatorID, Name: name, Operator: true, Via: "page"})
}

func (sc *scene) newLoop(name string, people ...context.Context) schemas.Loop {
	sc.t.Helper()
	loop := do(sc, sc.owner, sc.CreateLoop, schemas.CreateLoopRequest{Name: name}).Loop
	for _, p := range people {
		do(sc, sc.owner, sc.AddMember, schemas.AddMemberRequest{LoopID: loop.ID, UserID: account.From(p).PersonID})
	}
	sc.exec("DELETE FROM loop_members WHERE loop_id = $1 AND person_id = $2", loop.ID, idOf(sc.owner)) // who made it is in it
	return loop
}

// set changes the settings of the scene's loop.
func (sc *scene) set(settings schemas.LoopSettings) {
	sc.t.Helper()
	sc.exec("UPDATE loops SET settings = $1 WHERE id = $2", store.JSON(settings), sc.loop.ID)
}

func (sc *scene) exec(text string, args ...any) {
	sc.t.Helper()
	storetest.Exec(sc.t, sc.store, text, args...)
}

// plain is a question that yes and no answer.
func plain() schemas.NewReview {
	return schemas.NewReview{
		RequestText: "Publish this post?", ResponseType: "boolean", DefaultResponse: json.RawMessage("false"),
		ProcessingType: "time-sensitive", TimeoutSeconds: 3600, AllowDuplicate: true,
	}
}

// wire is a question about an action.
func wire() schemas.NewReview {
	r := plain()
	r.Action = &schemas.Action{Tool: "transfer_money", Arguments: json.RawMessage(`{"amount": 82000, "to": "ACME"}`)}
	return r
}

func (sc *scene) request(edit func(*schemas.NewReview)) schemas.CreateReviewRequest {
	r := plain()
	if edit != nil {
		edit(&r)
	}
	return schemas.CreateReviewRequest{LoopID: sc.loop.Slug, NewReview: r}
}

// asked makes a request and gives its id.
func (sc *scene) asked(edit func(*schemas.NewReview)) string {
	sc.t.Helper()
	return do(sc, sc.agent, sc.CreateReview, sc.request(edit)).RequestID
}

// refusedAsking makes a request that is refused with some words about it.
func (sc *scene) refusedAsking(words string, edit func(*schemas.NewReview)) {
	sc.t.Helper()
	_, err := attempt(sc, sc.agent, sc.CreateReview, sc.request(edit))
	denied(sc.t, err, schemas.CodeInvalid, words)
}

// answer is a decision of a person about the newest round as it is.
func (sc *scene) answer(who context.Context, id, raw string) (schemas.Review, error) {
	sc.t.Helper()
	out, err := attempt(sc, who, sc.DecideReview, sc.reply(id, raw))
	return out.Request, err
}

func (sc *scene) reply(id, raw string) schemas.DecideReviewRequest {
	r := sc.row(id)
	return schemas.DecideReviewRequest{RequestID: id, ResponseData: json.RawMessage(raw), Round: int(r.Round), ActionDigest: r.ActionDigest}
}

func (sc *scene) decided(who context.Context, id, raw string) schemas.Review {
	sc.t.Helper()
	v, err := sc.answer(who, id, raw)
	require.NoError(sc.t, err)
	return v
}

func (sc *scene) get(id string) schemas.Review {
	sc.t.Helper()
	return do(sc, sc.agent, sc.GetReview, schemas.ReviewRequest{RequestID: id}).Request
}

func (sc *scene) row(id string) (r request) {
	sc.t.Helper()
	sc.write(func(tx *store.Tx) (err error) {
		r, err = ask.Find(sc.t.Context(), tx, id)
		return err
	})
	return r
}

// work runs the jobs that are due.
func (sc *scene) work() {
	sc.t.Helper()
	_, err := sc.runner.RunDue(sc.t.Context())
	require.NoError(sc.t, err)
}

// pass lets time go by, with the jobs that come due.
func (sc *scene) pass(d time.Duration) {
	sc.t.Helper()
	sc.clock.Advance(d)
	sc.work()
}

func idOf(who context.Context) string { return account.From(who).PersonID }

func by(who context.Context, via string) context.Context {
	c := account.From(who)
	c.Via = via
	return account.With(who, c)
}

// trail reads the audit trail and checks its chain to the head that the request has.
func (sc *scene) trail(id string) []schemas.AuditEntry {
	sc.t.Helper()
	out := do(sc, sc.agent, sc.GetReviewAudit, schemas.ReviewAuditRequest{RequestID: id, Limit: 200})
	previous := ""
	for i, e := range out.Entries {
		require.Equal(sc.t, i+1, e.N)
		require.Equal(sc.t, previous, e.Previous)
		hash, err := trail.Hash(e)
		require.NoError(sc.t, err)
		require.Equal(sc.t, hash, e.Hash, "the entry is what was hashed")
		previous = e.Hash
	}
	r := sc.row(id)
	require.Equal(sc.t, previous, r.Line.Head)
	require.EqualValues(sc.t, len(out.Entries), r.Line.Entries)
	return out.Entries
}

func kinds(entries []schemas.AuditEntry) []string {
	list := make([]string, len(entries))
	for i, e := range entries {
		list[i] = strings.TrimPrefix(e.Kind, "review.")
	}
	return list
}

// letters are the notices about a request, as kind:name.
func (sc *scene) letters(id string) []string {
	sc.telling.Lock()
	defer sc.telling.Unlock()
	var list []string
	for _, a := range sc.told {
		if a.About != id {
			continue
		}
		for _, person := range a.PersonIDs {
			name := ""
			sc.write(func(tx *store.Tx) error {
				p, err := tx.PersonByID(sc.t.Context(), person)
				name = p.Name
				return err
			})
			list = append(list, strings.TrimPrefix(a.Kind, "review.")+":"+name)
		}
	}
	return list
}
