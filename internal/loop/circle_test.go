package loop_test

import (
	"context"
	"database/sql"
	"log/slog"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/event"
	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/loop"
	"humanops-mcp/internal/passkey"
	"humanops-mcp/internal/passkey/passkeytest"
	"humanops-mcp/internal/receipt"
	"humanops-mcp/internal/review"
	"humanops-mcp/internal/seal"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/internal/webhook"
	"humanops-mcp/schemas"
)

const circleURL = "https://humans.example.com"

// circles is a house with an owner and an agent, for tests of loops and their people.
type circles struct {
	*loop.Service
	reviews  *review.Service
	t        *testing.T
	store    *store.Store
	clock    *clock.Fake
	accounts *account.Service
	keys     *passkey.Service
	agent    account.Caller // live
	owner    account.Caller
}

func eachCircle(t *testing.T, c loop.Config, test func(t *testing.T, h *circles)) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		c.PublicURL = circleURL
		h := &circles{
			t: t, store: s, clock: clk, accounts: account.NewService(account.Config{PublicURL: circleURL}),
			keys: passkey.NewService(passkey.Config{PublicURL: circleURL}),
		}
		sealer, log := seal.New(make([]byte, 32)), slog.New(slog.DiscardHandler)
		h.Service = loop.NewService(loop.Deps{Accounts: h.accounts, Passkeys: h.keys}, c)
		h.reviews = review.NewService(review.Deps{
			Store: s, Accounts: h.accounts, Loops: h.Service, Clock: clk, Sealer: sealer, Passkeys: h.keys, Webhooks: webhook.New(webhook.Config{Store: s, Sealer: sealer, Clock: clk}, log),
			Changes:  change.New(change.Deps{Store: s, Feed: event.NewFeed(s, clk, log), Clock: clk}),
			Receipts: receipt.NewService(receipt.Config{Issuer: circleURL}, sealer),
		}, review.Config{PublicURL: circleURL})
		h.settle()
		test(t, h)
	})
}

// settle makes the house as the first start does.
func (h *circles) settle() {
	h.write(func(ctx context.Context, tx *store.Tx) error {
		if _, err := h.accounts.EnsureHouse(ctx, tx); err != nil {
			return err
		}
		if err := h.EnsureLoops(ctx, tx); err != nil {
			return err
		}
		owner, err := h.accounts.OwnerID(ctx, tx)
		if err != nil {
			return err
		}
		agent, err := h.accounts.LocalAgentID(ctx, tx)
		h.owner = account.Caller{PersonID: owner, Name: "Owner", Owner: true, Operator: true, Via: "page"}
		h.agent = account.Caller{AgentID: agent, Name: "local", KeyID: "key_1", Mode: account.Live, Via: "api"}
		return err
	})
}

func (h *circles) try(unit func(ctx context.Context, tx *store.Tx) error) error {
	return h.store.Write(h.t.Context(), func(tx *store.Tx) error { return unit(h.t.Context(), tx) })
}

func (h *circles) write(unit func(ctx context.Context, tx *store.Tx) error) {
	h.t.Helper()
	require.NoError(h.t, h.try(unit))
}

// call makes a call as somebody.
func call[In, Out any](h *circles, as account.Caller, f func(context.Context, *store.Tx, In) (Out, error), in In) (out Out, err error) {
	err = h.store.Write(h.t.Context(), func(tx *store.Tx) (err error) {
		out, err = f(account.With(h.t.Context(), as), tx, in)
		return err
	})
	return out, err
}

// must is call that succeeds.
func must[In, Out any](h *circles, as account.Caller, f func(context.Context, *store.Tx, In) (Out, error), in In) Out {
	h.t.Helper()
	out, err := call(h, as, f, in)
	require.NoError(h.t, err)
	return out
}

// refused is call that fails.
func refused[In, Out any](h *circles, code schemas.Code, message string, as account.Caller, f func(context.Context, *store.Tx, In) (Out, error), in In) {
	h.t.Helper()
	_, err := call(h, as, f, in)
	require.Error(h.t, err)
	require.Equal(h.t, code, schemas.ErrorCode(err), err)
	require.ErrorContains(h.t, err, message)
}

// person adds somebody to the house.
func (h *circles) person(name string, roles ...string) account.Caller {
	h.t.Helper()
	p := must(h, h.owner, h.accounts.AddPerson, schemas.AddPersonRequest{Name: name, Roles: roles})
	c := account.Caller{PersonID: p.OperatorID, Name: name, Operator: true, Via: "page"}
	for _, role := range roles {
		c.Owner = c.Owner || role == "owner"
	}
	return c
}

// another makes an agent that is not the house's.
func (h *circles) another(mode string) account.Caller {
	a := must(h, account.Caller{}, h.accounts.RegisterAgent, schemas.RegisterAgentRequest{Name: "Other", Email: ident.New("bot") + "@example.com"})
	return account.Caller{AgentID: a.AgentID, Name: "Other", KeyID: "key_2", Mode: mode, Via: "api"}
}

func (h *circles) loop(as account.Caller, name string) schemas.Loop {
	h.t.Helper()
	return must(h, as, h.CreateLoop, schemas.CreateLoopRequest{Name: name}).Loop
}

func (h *circles) add(loop string, person account.Caller) schemas.Member {
	h.t.Helper()
	return must(h, h.owner, h.AddMember, schemas.AddMemberRequest{LoopID: loop, UserID: person.PersonID}).Member
}

// device registers a passkey of a person.
func (h *circles) device(of account.Caller) *passkeytest.Device {
	h.t.Helper()
	d := passkeytest.New(h.t, "humans.example.com", circleURL)
	var c passkey.Ceremony
	h.write(func(ctx context.Context, tx *store.Tx) (err error) {
		c, err = h.keys.BeginRegistration(ctx, tx, of.PersonID)
		return err
	})
	h.write(func(ctx context.Context, tx *store.Tx) error {
		_, err := h.keys.FinishRegistration(ctx, tx, of.PersonID, "", d.Create(c))
		return err
	})
	return d
}

// request writes a row as a review request leaves it, with everything that hangs on it.
func (h *circles) request(loopID, status string) string {
	id := ident.Hex()
	h.write(func(ctx context.Context, tx *store.Tx) error {
		if err := tx.InsertSubject(ctx, db.InsertSubjectParams{ID: id, Kind: review.Name, AgentID: h.agent.AgentID, Mode: "live", State: "pending", CreatedAt: 1}); err != nil {
			return err
		}
		return tx.InsertReview(ctx, db.InsertReviewParams{
			ID: id, LoopID: loopID, AgentID: h.agent.AgentID, Mode: "live", ProcessingType: "deferred", Type: "markdown", Priority: "medium", PriorityRank: 2,
			RequestText: "?", Media: "{}", Platform: "api", ResponseType: "boolean", ResponseConfig: "{}", OnTimeout: "cancel", TimeoutSeconds: 60,
			Tags: "[]", ContentHash: id, TimeoutAt: 1, CreatedAt: 1, TaskID: sql.NullString{},
		})
	})
	if status == "pending" {
		return id
	}
	for _, text := range []string{
		`UPDATE reviews SET status = 'completed', ended_at = 1, response_source = 'human', response = '{}' WHERE id = $1`,
		`UPDATE subjects SET state = 'completed', finished = TRUE, ended_at = 1, entries = 1 WHERE id = $1`,
		`INSERT INTO review_rounds (review_id, round, request_text, response, response_value, decision, opened_at, ended_at) VALUES ($1, 1, '', '', '', '', 1, 1)`,
		`INSERT INTO review_recipients (review_id, person_id, reason, created_at) VALUES ($1, (SELECT MIN(id) FROM people), 'loop', 1)`,
		`INSERT INTO review_votes (review_id, round, person_id, response, value, decision, via, created_at) VALUES ($1, 1, (SELECT MIN(id) FROM people), '', '', '', '', 1)`,
		`INSERT INTO review_links (id, token_hash, review_id, person_id, created_at, expires_at) VALUES ('l', 'l', $1, (SELECT MIN(id) FROM people), 1, 1)`,
		`INSERT INTO trail (subject_id, n, kind, actor, via, data, previous, hash, created_at) VALUES ($1, 1, '', '', '', '{}', '', '', 1)`,
		`INSERT INTO review_feedback (review_id, id, agent_id, body, created_at) VALUES ($1, 'f', (SELECT MIN(id) FROM agents), '{}', 1)`,
		`INSERT INTO receipts (review_id, round, nonce, digest, decision, body, expires_at, created_at) VALUES ($1, 1, 'n', '', '', '', 1, 1)`,
	} {
		storetest.Exec(h.t, h.store, text, id)
	}
	return id
}

// count counts what a query counts.
func (h *circles) count(text string, args ...any) int {
	h.t.Helper()
	list := storetest.Texts(h.t, h.store, text, args...)
	require.Len(h.t, list, 1)
	n, err := strconv.Atoi(list[0])
	require.NoError(h.t, err)
	return n
}

// end withdraws a request.
func (h *circles) end(id string) {
	storetest.Exec(h.t, h.store, `UPDATE reviews SET status = 'cancelled', ended_at = 1, response_source = 'cancelled' WHERE id = $1`, id)
	storetest.Exec(h.t, h.store, `UPDATE subjects SET state = 'cancelled', finished = TRUE, ended_at = 1, claimed_by = '', claimed_at = 0 WHERE id = $1`, id)
}
