package review_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/event"
	"humanops-mcp/internal/job"
	loops "humanops-mcp/internal/loop"
	"humanops-mcp/internal/passkey"
	"humanops-mcp/internal/receipt"
	"humanops-mcp/internal/review"
	"humanops-mcp/internal/seal"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/internal/trail"
	"humanops-mcp/internal/webhook"
	"humanops-mcp/schemas"
)

const deskURL = "https://house.test"

type circle = loops.Service

// desk is a review service with an agent, its test key, an owner and three people, of whom
// Ada and Bob sit in the default loop.
type desk struct {
	*review.Service
	*circle
	t              *testing.T
	store          *store.Store
	clock          *clock.Fake
	feed           *event.Feed
	runner         *job.Runner
	keys           account.Credentials
	accounts       *account.Service
	agent, sandbox context.Context
	stranger       context.Context // another agent
	owner          context.Context
	ada, bob, cy   context.Context
	executor       context.Context
	testExecutor   context.Context
	waits          chan struct{} // one for each wait that begins
}

// telling is a clock that tells when somebody begins to wait.
type telling struct {
	*clock.Fake
	waits chan struct{}
}

func (c telling) After(d time.Duration) <-chan time.Time {
	ch := c.Fake.After(d)
	c.waits <- struct{}{}
	return ch
}

func newDesk(t *testing.T, s *store.Store, clk *clock.Fake) *desk {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	d := &desk{t: t, store: s, clock: clk, feed: event.NewFeed(s, clk, log), runner: job.NewRunner(s, clk, log), waits: make(chan struct{}, 100)}
	d.accounts = account.NewService(account.Config{PublicURL: deskURL})
	sealer := seal.New(bytes.Repeat([]byte{7}, seal.KeySize))
	changes := change.New(change.Deps{Store: s, Feed: d.feed, Clock: telling{clk, d.waits}, Logger: log})
	passkeys := passkey.NewService(passkey.Config{PublicURL: deskURL})
	d.circle = loops.NewService(loops.Deps{Accounts: d.accounts, Passkeys: passkeys}, loops.Config{PublicURL: deskURL})
	d.Service = review.NewService(review.Deps{
		Store: s, Accounts: d.accounts, Changes: changes, Webhooks: webhook.New(webhook.Config{Store: s, Sealer: sealer, Clock: clk}, log), Clock: clk, Logger: log, Sealer: sealer,
		Loops: d.circle, Passkeys: passkeys,
		Receipts: receipt.NewService(receipt.Config{Issuer: deskURL}, sealer),
	}, review.Config{PublicURL: deskURL + "/"})
	d.RegisterJobs(d.runner)
	changes.RegisterJobs(d.runner)
	for _, kind := range []string{"notify", "webhook.send"} {
		job.Kind[any](kind).Handle(d.runner, func(context.Context, *store.Tx, job.Job[any]) error { return nil })
	}
	d.settle()
	return d
}

func (d *desk) settle() {
	ctx := d.t.Context()
	d.write(func(tx *store.Tx) error {
		keys, err := d.accounts.EnsureHouse(ctx, tx)
		require.NoError(d.t, err)
		d.keys = *keys
		return d.EnsureLoops(ctx, tx)
	})
	d.write(func(tx *store.Tx) error {
		live, err := d.accounts.AuthenticateKey(ctx, tx, d.keys.LiveKey)
		require.NoError(d.t, err)
		test, err := d.accounts.AuthenticateKey(ctx, tx, d.keys.TestKey)
		require.NoError(d.t, err)
		owner, err := d.accounts.AuthenticateToken(ctx, tx, d.keys.OwnerToken)
		require.NoError(d.t, err)
		live.Via, test.Via, owner.Via = "api", "api", "page"
		d.agent, d.sandbox, d.owner = account.With(ctx, live), account.With(ctx, test), account.With(ctx, owner)
		live.AgentID = "ag_other"
		d.stranger = account.With(ctx, live)
		return nil
	})
	d.executor = account.With(ctx, account.Caller{KeyID: "key_live", Name: "Payments", Mode: account.Live, Executor: true, Via: "api"})
	d.testExecutor = account.With(ctx, account.Caller{KeyID: "key_test", Name: "Payments", Mode: account.Test, Executor: true, Via: "api"})
	d.ada, d.bob, d.cy = d.person("Ada"), d.person("Bob"), d.person("Cy")
	for _, name := range []string{"Ada", "Bob"} {
		run(d, d.owner, d.AddMember, schemas.AddMemberRequest{LoopID: "default", UserID: name})
	}
}

func (d *desk) person(name string) context.Context {
	var p schemas.PersonWithLink
	d.write(func(tx *store.Tx) (err error) {
		p, err = d.accounts.AddPerson(d.owner, tx, schemas.AddPersonRequest{Name: name, Email: name + "@example.com"})
		return err
	})
	return account.With(d.t.Context(), account.Caller{PersonID: p.OperatorID, Name: name, Operator: true, Via: "page"})
}

func (d *desk) write(unit func(tx *store.Tx) error) {
	d.t.Helper()
	require.NoError(d.t, d.store.Write(d.t.Context(), unit))
}

// try runs one call in its own transaction, as the API does.
func try[In, Out any](d *desk, ctx context.Context, call func(context.Context, *store.Tx, In) (Out, error), arg In) (out Out, err error) {
	err = d.store.Write(ctx, func(tx *store.Tx) (err error) {
		out, err = call(ctx, tx, arg)
		return err
	})
	return out, err
}

// run is try for what has to succeed.
func run[In, Out any](d *desk, ctx context.Context, call func(context.Context, *store.Tx, In) (Out, error), arg In) Out {
	d.t.Helper()
	out, err := try(d, ctx, call, arg)
	require.NoError(d.t, err)
	return out
}

// fails runs a call that has to be refused with a code, and gives the error.
func fails[In, Out any](d *desk, code schemas.Code, ctx context.Context, call func(context.Context, *store.Tx, In) (Out, error), arg In) *schemas.Error {
	d.t.Helper()
	_, err := try(d, ctx, call, arg)
	require.Equal(d.t, code, schemas.ErrorCode(err), "%v", err)
	var e *schemas.Error
	require.ErrorAs(d.t, err, &e)
	return e
}

func question(text string) schemas.NewReview {
	return schemas.NewReview{
		ProcessingType: "time-sensitive", Type: "markdown", Priority: "medium", RequestText: text, TimeoutSeconds: 3600,
		ResponseType: "boolean", ResponseConfig: json.RawMessage(`{}`), DefaultResponse: json.RawMessage(`false`), Platform: "api", AllowDuplicate: true,
	}
}

// ask makes a request and gives its id.
func (d *desk) ask(ctx context.Context, text string, edit func(*schemas.NewReview)) string {
	d.t.Helper()
	q := question(text)
	if edit != nil {
		edit(&q)
	}
	return run(d, ctx, d.CreateReview, schemas.CreateReviewRequest{LoopID: "default", NewReview: q}).RequestID
}

func transfer(amount string) *schemas.Action {
	return &schemas.Action{Tool: "transfer_money", Arguments: json.RawMessage(`{"to":"ACME","amount":` + amount + `}`)}
}

// decide answers as a person.
func (d *desk) decide(ctx context.Context, id, value string, edit func(*schemas.DecideReviewRequest)) schemas.Review {
	d.t.Helper()
	r := d.get(ctx, id)
	in := schemas.DecideReviewRequest{RequestID: id, ResponseData: json.RawMessage(value), Comment: "As agreed", Round: r.Round, ActionDigest: r.ActionDigest}
	if edit != nil {
		edit(&in)
	}
	return run(d, ctx, d.DecideReview, in).Request
}

func (d *desk) get(ctx context.Context, id string) schemas.Review {
	d.t.Helper()
	return run(d, ctx, d.GetReview, schemas.ReviewRequest{RequestID: id}).Request
}

// pass lets time go by with the jobs that become due.
func (d *desk) pass(by time.Duration) {
	d.t.Helper()
	d.clock.Advance(by)
	_, err := d.runner.RunDue(d.t.Context())
	require.NoError(d.t, err)
}

func personOf(ctx context.Context) string { return account.From(ctx).PersonID }

func eachDesk(t *testing.T, test func(t *testing.T, d *desk)) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) { test(t, newDesk(t, s, clk)) })
}

func TestARequestIsSeenByThoseItConcerns(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		id := d.ask(d.agent, "Publish this post?", nil)
		secret := d.ask(d.sandbox, "Publish this post?", nil)
		for _, ctx := range []context.Context{d.agent, d.owner, d.ada, d.bob} {
			require.Equal(t, id, d.get(ctx, id).ID)
		}
		for name, ctx := range map[string]context.Context{"test key": d.sandbox, "another agent": d.stranger, "not in the loop": d.cy, "executor": d.executor, "nobody": t.Context()} {
			e := fails(d, schemas.CodeNotFound, ctx, d.GetReview, schemas.ReviewRequest{RequestID: id})
			require.Equal(t, "Request not found", e.Message, name)
		}
		fails(d, schemas.CodeNotFound, d.owner, d.GetReview, schemas.ReviewRequest{RequestID: secret})
		fails(d, schemas.CodeNotFound, d.ada, d.GetReview, schemas.ReviewRequest{RequestID: secret})
		fails(d, schemas.CodeNotFound, d.agent, d.GetReviewStatus, schemas.ReviewRequest{RequestID: "0123456789abcdef01234567"})
		v := d.get(d.sandbox, secret)
		require.True(t, v.Sandbox)
		require.Contains(t, v.SandboxNotice, "live key")
		require.Empty(t, v.BroadcastedTo)
	})
}

func TestAViewSaysEverythingAboutADecision(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		id := d.ask(d.agent, "Pay the invoice?", func(q *schemas.NewReview) {
			q.Action, q.Tags, q.Context, q.Title = transfer("82000"), []string{"money"}, json.RawMessage(`{"invoice": 7}`), "Invoice"
			q.FileURL, q.FileName = "https://files.example.com/7.pdf", "7.pdf"
		})
		open := d.get(d.agent, id)
		require.Equal(t, "null", string(open.ResponseData))
		require.Nil(t, open.ResponseBy)
		require.Nil(t, open.May, "an agent is told nothing about what people may do")
		require.Equal(t, []string{"money"}, open.Tags)
		require.Equal(t, "7.pdf", open.FileName)
		require.JSONEq(t, `{"amount":82000,"to":"ACME"}`, string(open.Action.Arguments))
		require.Len(t, open.ActionDigest, 64)
		require.Len(t, open.BroadcastedTo, 3)
		require.Equal(t, deskURL+"/reviews/"+id, open.ReviewURL)
		require.True(t, d.get(d.ada, id).May.Claim)

		run(d, d.ada, d.ClaimReview, schemas.ReviewRequest{RequestID: id})
		held := d.get(d.bob, id)
		require.Equal(t, "Ada", held.ClaimedByName)
		require.False(t, held.May.Decide)
		require.Contains(t, held.May.Why, "claimed by Ada")
		require.True(t, d.get(d.ada, id).May.Release)

		d.clock.Advance(90 * time.Second)
		d.decide(d.ada, id, "true", nil)
		v := d.get(d.agent, id)
		require.Equal(t, schemas.ReviewCompleted, v.Status)
		require.JSONEq(t, `{"boolean":true,"boolean_label":"True"}`, string(v.ResponseData))
		require.Equal(t, "true", string(v.ResponseValue))
		require.Equal(t, "true", string(v.EffectiveResponse))
		require.Equal(t, "human", v.ResponseSource)
		require.Equal(t, "approved", v.Decision)
		require.Equal(t, personOf(d.ada), *v.ResponseBy)
		require.Equal(t, schemas.ReviewPerson{UserID: personOf(d.ada), Name: "Ada", Email: "Ada@example.com"}, *v.ResponseByUser)
		require.InDelta(t, 90, *v.ResponseTimeSeconds, 0.001)
		require.True(t, v.ReceiptAvailable)
		require.True(t, v.New)
		require.Equal(t, "It is over already.", d.get(d.bob, id).May.Why)

		flat := run(d, d.agent, d.GetReviewResponse, schemas.ReviewRequest{RequestID: id})
		require.Equal(t, "approved", *flat.Decision)
		require.Equal(t, "As agreed", flat.Reasoning)
		require.Equal(t, personOf(d.ada), *flat.ReviewerID)
		require.InDelta(t, 90, *flat.ProcessingTime, 0.001)
		require.Equal(t, schemas.ReviewCompleted, run(d, d.agent, d.GetReviewStatus, schemas.ReviewRequest{RequestID: id}).Status)
	})
}

func TestADefaultIsNotPassedOffAsAnAnswer(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		id := d.ask(d.agent, "Publish this post?", nil)
		for range 4 {
			d.pass(20 * time.Minute)
		}
		v := d.get(d.agent, id)
		require.Equal(t, schemas.ReviewTimeout, v.Status)
		require.Equal(t, "null", string(v.ResponseData))
		require.Nil(t, v.ResponseBy)
		require.Nil(t, v.ResponseAt)
		require.Nil(t, v.ResponseTimeSeconds)
		require.Equal(t, "false", string(v.EffectiveResponse))
		require.Equal(t, "default", v.ResponseSource)
	})
}

func TestSeveralAnswersStayHiddenUntilAllIsDecided(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		blind := d.ask(d.agent, "Blind?", func(q *schemas.NewReview) { q.ReviewMode = &schemas.ReviewMode{Mode: "quorum", Threshold: 2} })
		open := d.ask(d.agent, "Open?", func(q *schemas.NewReview) {
			q.ReviewMode = &schemas.ReviewMode{Mode: "quorum", Threshold: 2, Open: true}
		})
		d.decide(d.ada, blind, "true", nil)
		d.decide(d.ada, open, "true", nil)
		for _, ctx := range []context.Context{d.agent, d.bob, d.owner} {
			v := d.get(ctx, blind)
			require.Empty(t, v.Answers)
			require.Equal(t, 1, v.AnswersIn)
			require.Len(t, d.get(ctx, open).Answers, 1)
		}
		mine := d.get(d.ada, blind)
		require.Len(t, mine.Answers, 1)
		require.Contains(t, mine.May.Why, "answered already")
		require.False(t, d.get(d.bob, blind).May.Claim, "nobody claims what several decide")
		d.decide(d.bob, blind, "true", nil)
		require.Len(t, d.get(d.agent, blind).Answers, 2)
	})
}

func TestEarlierRoundsStayReadable(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		id := d.ask(d.agent, "First draft", func(q *schemas.NewReview) {
			q.ResponseType, q.ResponseConfig = "single_select", json.RawMessage(`{"options":["approved","rejected","needs_changes"]}`)
			q.DefaultResponse = json.RawMessage(`"rejected"`)
		})
		d.decide(d.ada, id, `"needs_changes"`, func(in *schemas.DecideReviewRequest) { in.Comment = "Shorter, please" })
		flat := run(d, d.agent, d.GetReviewResponse, schemas.ReviewRequest{RequestID: id})
		require.Equal(t, []string{"Shorter, please"}, flat.Feedback.RequiredChanges)
		run(d, d.agent, d.OpenRound, schemas.OpenRoundRequest{RequestID: id, RequestText: "Second draft"})
		v := d.get(d.agent, id)
		require.Equal(t, 2, v.Round)
		require.Equal(t, "Second draft", v.RequestText)
		require.Equal(t, schemas.ReviewPending, v.Status)
		require.Equal(t, "null", string(v.ResponseData))
		require.Len(t, v.Rounds, 1)
		require.Equal(t, "First draft", v.Rounds[0].RequestText)
		require.Equal(t, "Shorter, please", v.Rounds[0].Comment)
		require.Equal(t, "Ada", v.Rounds[0].ResponseBy.Name)
	})
}

func TestWhatTheAgentHasSeenIsNotNew(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		id := d.ask(d.agent, "Publish?", nil)
		require.False(t, d.get(d.agent, id).New, "what the agent did itself is no news")
		d.decide(d.ada, id, "true", nil)
		v := d.get(d.agent, id)
		require.True(t, v.New)
		seen := schemas.AcknowledgeReviewsRequest{Items: []schemas.SeenReview{{RequestID: id, Version: v.Version}}}
		run(d, d.stranger, d.AcknowledgeReviews, seen)
		require.True(t, d.get(d.agent, id).New, "nobody else can see it for the agent")
		run(d, d.agent, d.AcknowledgeReviews, seen)
		require.False(t, d.get(d.agent, id).New)
		fails(d, schemas.CodeInvalid, d.agent, d.AcknowledgeReviews, schemas.AcknowledgeReviewsRequest{})
	})
}

func TestTheTrailCanBeReadAndChecked(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		id := d.ask(d.agent, "Pay?", func(q *schemas.NewReview) { q.Action = transfer("82000") })
		d.decide(d.ada, id, "true", nil)
		all := run(d, d.agent, d.GetReviewAudit, schemas.ReviewAuditRequest{RequestID: id})
		require.GreaterOrEqual(t, len(all.Entries), 2)
		require.False(t, all.HasMore)
		previous := ""
		for i, e := range all.Entries {
			require.Equal(t, i+1, e.N)
			require.Equal(t, previous, e.Previous)
			hash, err := trail.Hash(e)
			require.NoError(t, err)
			require.Equal(t, e.Hash, hash)
			previous = e.Hash
		}
		require.Equal(t, previous, d.get(d.agent, id).AuditHead)
		page := run(d, d.owner, d.GetReviewAudit, schemas.ReviewAuditRequest{RequestID: id, After: 1, Limit: 1})
		require.Equal(t, all.Entries[1:2], page.Entries)
		fails(d, schemas.CodeNotFound, d.stranger, d.GetReviewAudit, schemas.ReviewAuditRequest{RequestID: id})
	})
}
