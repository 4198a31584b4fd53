package review

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/blob"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/event"
	"humanops-mcp/internal/job"
	loops "humanops-mcp/internal/loop"
	"humanops-mcp/internal/notify"
	"humanops-mcp/internal/passkey"
	"humanops-mcp/internal/receipt"
	"humanops-mcp/internal/seal"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/internal/upload"
	"humanops-mcp/internal/webhook"
	"humanops-mcp/schemas"
)

type files = upload.Service

// outpost is a house with everything that tells the world outside: webhooks, mail, chat
// and files.
type outpost struct {
	*Service
	*hooks
	*circle
	*files
	t      testing.TB
	clock  *clock.Fake
	runner *job.Runner
	log    *bytes.Buffer

	agent, sandbox, stranger, owner, ada, bob context.Context
	agentID, ownerID, adaID                   string
}

func newOutpost(t testing.TB, s *store.Store, clk *clock.Fake, cfg Config, channels notify.Config) *outpost {
	t.Helper()
	o := &outpost{t: t, clock: clk, log: &bytes.Buffer{}}
	log := slog.New(slog.NewTextHandler(o.log, nil))
	blobs, err := blob.Open(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, blobs.Close()) })
	sealer := seal.New(bytes.Repeat([]byte{7}, 32))
	cfg.PublicURL = "https://house.test"
	cfg.Mail, cfg.Chat = channels.SMTP.Host != "", len(channels.ChatURLs) > 0
	accounts := account.NewService(account.Config{PublicURL: cfg.PublicURL})
	changes := change.New(change.Deps{Store: s, Feed: event.NewFeed(s, clk, log), Clock: clk, Logger: log})
	passkeys := passkey.NewService(passkey.Config{PublicURL: cfg.PublicURL})
	o.circle = loops.NewService(loops.Deps{Accounts: accounts, Passkeys: passkeys}, loops.Config{PublicURL: cfg.PublicURL, Mail: cfg.Mail, Chat: cfg.Chat})
	o.hooks = webhook.New(webhook.Config{
		Store: s, Sealer: sealer, Clock: clk, AllowPrivate: cfg.PrivateCallbacks,
		Loop: o.ID,
	}, log)
	o.Service = NewService(Deps{
		Store: s, Accounts: accounts, Changes: changes, Webhooks: o.hooks, Loops: o.circle, Clock: clk, Logger: log, Sealer: sealer,
		Passkeys: passkeys, Receipts: receipt.NewService(receipt.Config{Issuer: cfg.PublicURL}, sealer),
	}, cfg)
	o.files = upload.NewService(upload.Deps{Store: s, Blobs: blobs, Shown: o.ShowsUpload}, cfg.PublicURL)
	o.runner = job.NewRunner(s, clk, log)
	o.Service.RegisterJobs(o.runner)
	changes.RegisterJobs(o.runner)
	o.hooks.RegisterJobs(o.runner)
	channels.People, channels.Authors = account.Addressees, map[string]notify.Author{Name: o.Letters()}
	notify.New(channels, s, log).RegisterJobs(o.runner)
	o.settle(accounts)
	return o
}

func (o *outpost) settle(accounts *account.Service) {
	o.write(o.t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := accounts.EnsureHouse(ctx, tx)
		require.NoError(o.t, err)
		require.NoError(o.t, o.EnsureLoops(ctx, tx))
		o.agentID, err = accounts.LocalAgentID(ctx, tx)
		require.NoError(o.t, err)
		o.ownerID, err = accounts.OwnerID(ctx, tx)
		require.NoError(o.t, err)
		_, err = tx.InsertAgent(ctx, db.InsertAgentParams{ID: "ag_other", Name: "other", Email: "o@example.com", EmailKey: "o@example.com", Tier: "HOUSE"})
		return err
	})
	as := func(c account.Caller) context.Context { c.Via = "api"; return account.With(o.t.Context(), c) }
	o.agent, o.sandbox = as(account.Caller{AgentID: o.agentID, Mode: account.Live}), as(account.Caller{AgentID: o.agentID, Mode: account.Test})
	o.stranger = as(account.Caller{AgentID: "ag_other", Mode: account.Live})
	o.owner = as(account.Caller{PersonID: o.ownerID, Owner: true})
	var ids []string
	for _, name := range []string{"Ada", "Bob"} {
		var added schemas.PersonWithLink
		o.write(o.owner, func(ctx context.Context, tx *store.Tx) (err error) {
			added, err = accounts.AddPerson(ctx, tx, schemas.AddPersonRequest{Name: name, Email: name + "@example.com"})
			return err
		})
		ids = append(ids, added.OperatorID)
	}
	o.adaID, o.ada, o.bob = ids[0], as(account.Caller{PersonID: ids[0]}), as(account.Caller{PersonID: ids[1]})
}

// join makes a person a member of a loop.
func (o *outpost) join(loop, personID string) {
	mustAs(o, o.owner, o.AddMember, schemas.AddMemberRequest{LoopID: loop, UserID: personID})
}

func (o *outpost) write(ctx context.Context, unit func(ctx context.Context, tx *store.Tx) error) {
	o.t.Helper()
	require.NoError(o.t, o.Service.Store.Write(ctx, func(tx *store.Tx) error { return unit(ctx, tx) }))
}

func (o *outpost) run() {
	o.t.Helper()
	_, err := o.runner.RunDue(o.t.Context())
	require.NoError(o.t, err)
}

// callAs runs one endpoint in a transaction of its own.
func callAs[In, Out any](o *outpost, as context.Context, endpoint func(context.Context, *store.Tx, In) (Out, error), in In) (out Out, err error) {
	o.t.Helper()
	err = o.Service.Store.Write(as, func(tx *store.Tx) (err error) {
		out, err = endpoint(as, tx, in)
		return err
	})
	return out, err
}

func mustAs[In, Out any](o *outpost, as context.Context, endpoint func(context.Context, *store.Tx, In) (Out, error), in In) Out {
	o.t.Helper()
	out, err := callAs(o, as, endpoint, in)
	require.NoError(o.t, err)
	return out
}

// onEach runs a test on both databases.
func onEach(t *testing.T, test func(t *testing.T, o *outpost)) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		test(t, newOutpost(t, s, clk, Config{PrivateCallbacks: true}, notify.Config{}))
	})
}

// delivered is what an address was sent.
type delivered struct {
	header http.Header
	body   []byte
}

// address is somebody's server, which answers with the next of its statuses.
type address struct {
	url string

	mu       sync.Mutex
	got      []delivered
	statuses []int
}

func listen(t testing.TB, statuses ...int) *address {
	a := &address{statuses: statuses}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.got = append(a.got, delivered{r.Header, body})
		if len(a.statuses) > 0 {
			w.WriteHeader(a.statuses[0])
			a.statuses = a.statuses[1:]
		}
	}))
	t.Cleanup(server.Close)
	a.url = server.URL + "/hook"
	return a
}

func (a *address) all() []delivered {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]delivered(nil), a.got...)
}

// column reads one text of one row.
func (o *outpost) column(text string, args ...any) string {
	o.t.Helper()
	list := storetest.Texts(o.t, o.Service.Store, text, args...)
	require.NotEmpty(o.t, list, text)
	return list[0]
}
