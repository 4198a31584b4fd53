package app

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// fixture is what a route needs to succeed for whoever owns the object.
type fixture struct {
	state  string // of the task that it is about; "" for none
	key    bool   // it is about an agent's key
	person bool   // it is about a person of the house
	group  bool   // it is about a group of people
	job    bool   // it is about a job that failed
	passes bool   // others' objects are passed over, not refused
	query  func(o object) string
	body   func(o object) any
}

func noBody(object) any { return nil }

func decision(word string) func(object) any {
	return func(object) any {
		return map[string]any{"submission": 1, "decision": word, "reasons": []string{"Blurred"}}
	}
}

// fixtures has one entry for each route: a new route without one fails the test.
func (h *house) fixtures() map[string]fixture {
	text := func(object) any { return map[string]any{"text": "Which door?"} }
	named := func(object) any { h.made++; return map[string]any{"name": fmt.Sprintf("Name %d", h.made)} }
	return map[string]fixture{
		schemas.RegisterAgent.Info().Pattern(): {body: func(object) any {
			h.made++
			return map[string]any{"name": "Bot", "email": fmt.Sprintf("bot%d@example.com", h.made)}
		}},
		schemas.GetBalance.Info().Pattern(): {},
		schemas.CreateKey.Info().Pattern():  {body: named},
		schemas.ListKeys.Info().Pattern():   {},
		schemas.RevokeKey.Info().Pattern():  {key: true},
		schemas.PostTask.Info().Pattern(): {body: func(object) any {
			return h.newTask(func(b map[string]any) { b["reward_usd"] = 0; b["assign_to"] = "Bob" })
		}},
		schemas.ListTasks.Info().Pattern():       {},
		schemas.GetOverview.Info().Pattern():     {},
		schemas.GetTask.Info().Pattern():         {state: "POSTED"},
		schemas.CancelTask.Info().Pattern():      {state: "ACCEPTED"},
		schemas.ApproveEstimate.Info().Pattern(): {state: "ESTIMATE_PENDING", body: func(o object) any { return map[string]any{"estimate_id": o.estimate} }},
		schemas.RejectEstimate.Info().Pattern():  {state: "ESTIMATE_PENDING"},
		schemas.PostMessage.Info().Pattern():     {state: "IN_PROGRESS", body: text},
		schemas.ListMessages.Info().Pattern():    {state: "IN_PROGRESS"},
		schemas.DecideTask.Info().Pattern():      {state: "MANUAL_REVIEW", body: decision("approve")},
		schemas.GetProof.Info().Pattern():        {state: "MANUAL_REVIEW"},
		schemas.Wait.Info().Pattern():            {state: "POSTED", query: func(o object) string { return "?ids=" + o.task }},
		schemas.AcknowledgeTasks.Info().Pattern(): {state: "POSTED", passes: true, body: func(o object) any {
			return map[string]any{"items": []any{map[string]any{"task_id": o.task, "version": 1}}}
		}},
		schemas.ListOpenTasks.Info().Pattern():       {},
		schemas.GetOpenTask.Info().Pattern():         {state: "POSTED"},
		schemas.AcceptTask.Info().Pattern():          {state: "POSTED"},
		schemas.StartTask.Info().Pattern():           {state: "ACCEPTED"},
		schemas.SubmitProof.Info().Pattern():         {state: "IN_PROGRESS", body: func(object) any { return multipartBody{fields: map[string]string{"note": "Done"}} }},
		schemas.ReleaseTask.Info().Pattern():         {state: "IN_PROGRESS"},
		schemas.PostOperatorMessage.Info().Pattern(): {state: "IN_PROGRESS", body: text},
		schemas.GetEarnings.Info().Pattern():         {},
		schemas.AddPerson.Info().Pattern():           {body: named},
		schemas.ListPeople.Info().Pattern():          {},
		schemas.RemovePerson.Info().Pattern():        {person: true},
		schemas.CreateLink.Info().Pattern():          {person: true},
		schemas.GetStatus.Info().Pattern():           {},
		schemas.GetBackup.Info().Pattern():           {},
		schemas.GetCheck.Info().Pattern():            {},
		schemas.GetCheckProgress.Info().Pattern():    {},
		schemas.ListJobs.Info().Pattern():            {},
		schemas.RetryJob.Info().Pattern():            {job: true},
		schemas.ListGroups.Info().Pattern():          {},
		schemas.PutGroup.Info().Pattern():            {body: func(object) any { return map[string]any{"members": []string{"Bob"}} }},
		schemas.DeleteGroup.Info().Pattern():         {group: true},
		schemas.GetReceiptKeys.Info().Pattern():      {},
		schemas.RotateReceiptKey.Info().Pattern():    {},
		schemas.CreateHouseKey.Info().Pattern(): {body: func(object) any {
			h.made++
			return map[string]any{"name": fmt.Sprintf("Key %d", h.made), "audience": "executor"}
		}},
	}
}

// crowd is every kind of caller except the operator that belongs to an object.
type crowd struct {
	strangers []who // nothing that counts as proof
	known     []who
	elseAgent who // live key of another agent
	elseTest  who // test key of the same other agent
	bob       who // an operator
	rita      who // a person who only reviews
	ritaID    string
}

func (h *house) crowd() crowd {
	h.t.Helper()
	registered := h.must(who{}, "POST", "/api/v1/agents/register", map[string]any{"name": "Other", "email": "other@example.com"})
	liveKey := ident.Secret("ho_live_")
	h.write(func(ctx context.Context, tx *store.Tx) error {
		return tx.InsertKey(ctx, db.InsertKeyParams{
			ID: ident.New("key_"), AgentID: registered.text("agent_id"), Name: "live", Prefix: liveKey[:20] + "..",
			KeyHash: ident.Hash(liveKey), Audience: account.AudienceAll, Mode: account.Live, CreatedAt: store.Micros(tx.Now()),
		})
	})
	revoked := h.must(h.live(), "POST", "/api/v1/agents/keys", map[string]any{"name": "revoked"})
	h.must(h.live(), "DELETE", "/api/v1/agents/keys/"+revoked.text("id"), nil)
	removed, removedID := h.person("Removed")
	h.must(h.owner(), "DELETE", "/platform/v1/people/"+removedID, nil)
	c := crowd{elseAgent: byKey("another agent's live key", liveKey), elseTest: byKey("another agent's test key", registered.text("api_key"))}
	c.bob, _ = h.person("Bob")
	c.rita, c.ritaID = h.reviewer("Rita")
	cookie := who{name: "the owner by a browser's cookie", headers: map[string]string{"Cookie": "humanops_session=" + h.browser()}}
	linked := who{name: "the owner by the command's token in a cookie", headers: map[string]string{"Cookie": "humanops_session=" + h.creds.OwnerToken}}
	removed.name = "a person who was removed"
	c.strangers = []who{
		{name: "nobody"}, cookie, linked, removed,
		byKey("a key that never was", "ho_live_"+strings.Repeat("x", 42)), byKey("garbage", "'; DROP TABLE tasks; --"),
		byKey("a revoked key", revoked.text("api_key")),
		byToken("a token that never was", 0, "hos_"+strings.Repeat("x", 42)),
		byToken("the master key", 0, h.creds.MasterKey),
		{name: "an empty bearer", headers: map[string]string{"Authorization": "Bearer "}},
		{name: "a key by basic authentication", headers: map[string]string{"Authorization": "Basic " + h.creds.LiveKey}},
		{name: "two keys at once", headers: map[string]string{"X-API-Key": h.creds.LiveKey, "Authorization": "Bearer " + h.creds.OwnerToken + "x"}},
	}
	c.known = []who{h.live(), h.sandbox(), c.elseAgent, c.elseTest, c.bob, c.rita, h.owner(), h.executor()}
	return c
}

// browser signs the owner in as a browser does, by a link, and gives the cookie's value.
func (h *house) browser() string {
	h.t.Helper()
	link := h.must(h.owner(), "POST", "/platform/v1/people", map[string]any{"name": "me", "roles": []string{"owner"}}).text("url")
	res := h.send(who{}, "POST", strings.TrimPrefix(link, h.url), nil)
	require.Equal(h.t, http.StatusSeeOther, res.status)
	for _, c := range (&http.Response{Header: res.header}).Cookies() {
		if c.Name == "humanops_session" {
			return c.Value
		}
	}
	require.Fail(h.t, "no session cookie")
	return ""
}

// proofPage is the page on which a browser's owner decides a task's proof, found as an old
// link finds it.
func (h *house) proofPage(browser who, task string) string {
	h.t.Helper()
	got := h.send(browser, "GET", "/decide/"+task, nil)
	require.Equal(h.t, http.StatusSeeOther, got.status, got.raw)
	to := got.header.Get("Location")
	require.Regexp(h.t, `^/reviews/[0-9a-f]{24}$`, to)
	return to
}

// reviewOf is the id of the review in which a task's proof is decided.
func (h *house) reviewOf(task string) (id string) {
	h.t.Helper()
	h.write(func(ctx context.Context, tx *store.Tx) (err error) {
		id, _, err = h.app.reviews.OfTask(ctx, tx, task)
		return err
	})
	return id
}

// approval is that page's form, filled in.
var approval = url.Values{"round": {"1"}, "answer": {"approve"}}

// owns tells whether the object is the caller's.
func (o object) owns(c who) bool {
	switch {
	case c.kind&schemas.Agent != 0:
		return c.name == o.agent.name
	case c.kind&schemas.Owner != 0:
		return o.mode == account.Live
	}
	return c.name == o.operator.name
}

// make builds the object that a fixture is about.
func (f fixture) make(h *house, crowd crowd) object {
	switch {
	case f.state != "":
		return h.task(h.live(), f.state)
	case f.key:
		h.made++
		key := h.must(h.live(), "POST", "/api/v1/agents/keys", map[string]any{"name": fmt.Sprintf("key %d", h.made)})
		return object{agent: h.live(), key: key.text("id"), mode: account.Live}
	case f.person:
		h.made++
		_, id := h.person(fmt.Sprintf("Person %d", h.made))
		return object{person: id, mode: account.Live}
	case f.group:
		h.made++
		name := fmt.Sprintf("group%d", h.made)
		h.must(h.owner(), "PUT", "/platform/v1/groups/"+name, map[string]any{"members": []string{"Bob"}})
		return object{group: name, mode: account.Live}
	case f.job:
		return object{job: h.failedJob(), mode: account.Live}
	}
	return object{operator: crowd.bob, group: "night-shift"}
}

func (h *house) try(c who, info schemas.Info, f fixture, o object) answer {
	h.t.Helper()
	path := strings.NewReplacer("{task_id}", o.task, "{n}", "1", "{key_id}", o.key, "{person_id}", o.person, "{group}", o.group, "{job_id}", o.job).Replace(info.Contract.Prefix() + info.Path)
	require.NotContains(h.t, path, "//", "the fixture fills in the whole path")
	if f.query != nil {
		path += f.query(o)
	}
	if f.body == nil {
		f.body = noBody
	}
	return h.send(c, info.Method, path, f.body(o))
}

// denied is the status of a call that is not to succeed, or 0.
func denied(info schemas.Info, f fixture, o object, c who) int {
	about := o.task+o.key+o.person != "" && !f.passes
	switch {
	case info.Access == schemas.Anyone:
		return 0
	case info.Access&c.kind == 0:
		return http.StatusForbidden
	case about && !o.owns(c):
		return http.StatusNotFound
	}
	return 0
}

func TestEveryRouteHasAFixture(t *testing.T) {
	fixtures, reviews := (&house{}).fixtures(), reviewCases()
	for _, info := range schemas.All() {
		if ofReviews(info) {
			require.Contains(t, reviews, info.Pattern(), "say in reviewCases how this route succeeds")
			delete(reviews, info.Pattern())
			continue
		}
		require.Contains(t, fixtures, info.Pattern(), "say in fixtures how this route succeeds")
		delete(fixtures, info.Pattern())
	}
	require.Empty(t, fixtures, "these are routes no more")
	require.Empty(t, reviews, "these are routes no more")
}

// Whoever is not meant gets the status that the route's Access says, and changes nothing;
// whoever is meant gets the route's own status.
func TestEveryRouteServesOnlyThoseItIsFor(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		crowd := h.crowd()
		all := h.fixtures()
		for _, info := range schemas.All() {
			if ofReviews(info) {
				continue
			}
			f, ok := all[info.Pattern()]
			require.True(t, ok, info.Pattern())
			o := f.make(h, crowd)
			callers := append([]who{}, crowd.known...)
			if info.Access == schemas.Anyone {
				callers = callers[:4] // without credentials an address has few calls in a minute
			}
			if o.operator.name != "" && o.operator.name != crowd.bob.name {
				callers = append(callers, o.operator)
			}
			h.refusals(t, crowd, info, f, o, callers)
			for _, c := range callers {
				if denied(info, f, o, c) != 0 {
					continue
				}
				want := info.Status
				if info.Pattern() == schemas.GetBackup.Info().Pattern() && h.app.store.Kind() == "postgres" {
					want = http.StatusUnprocessableEntity // pg_dump does it there
				}
				fresh := f.make(h, crowd)
				if c.name == o.operator.name {
					c = fresh.operator
				}
				got := h.try(c, info, f, fresh)
				require.Equal(t, want, got.status, "%s by %s: %s", info.Pattern(), c.name, got.raw)
			}
		}
	})
}

// refusals makes every call on the object that must fail.
func (h *house) refusals(t *testing.T, crowd crowd, info schemas.Info, f fixture, o object, callers []who) {
	t.Helper()
	if info.Access == schemas.Anyone {
		return
	}
	h.unchanged(func() {
		for _, c := range crowd.strangers {
			got := h.try(c, info, f, o)
			require.Equal(t, http.StatusUnauthorized, got.status, "%s by %s: %s", info.Pattern(), c.name, got.raw)
			require.Equal(t, "unauthenticated", got.text("code"))
			require.NotEmpty(t, got.header.Get("WWW-Authenticate"))
		}
		for _, c := range callers {
			want := denied(info, f, o, c)
			if want == 0 {
				continue
			}
			got := h.try(c, info, f, o)
			require.Equal(t, want, got.status, "%s by %s: %s", info.Pattern(), c.name, got.raw)
			require.NotEmpty(t, got.text("error"))
		}
	})
}

// A foreign task does not show even the state that it is in.
func TestAForeignTaskIsNotThereInAnyState(t *testing.T) {
	h := newHouse(t)
	crowd := h.crowd()
	all := h.fixtures()
	for _, state := range reached {
		t.Run(state, func(t *testing.T) {
			o := h.task(h.live(), state)
			for _, info := range schemas.All() {
				f := all[info.Pattern()]
				if f.state == "" || f.passes {
					continue
				}
				h.refusals(t, crowd, info, f, o, append([]who{o.operator}, crowd.known...))
			}
			missing := o
			missing.task = "task_0000000000000000"
			mine, none := h.send(crowd.bob, "GET", "/api/v1/operator/tasks/"+o.task, nil), h.send(crowd.bob, "GET", "/api/v1/operator/tasks/"+missing.task, nil)
			require.Equal(t, none.status, mine.status)
			require.Equal(t, strings.ReplaceAll(none.raw, missing.task, o.task), mine.raw, "one that is foreign reads as one that never was")
		})
	}
}

func TestTheOwnerSeesEveryAgentsLiveTasks(t *testing.T) {
	h := newHouse(t)
	crowd := h.crowd()
	o := h.task(crowd.elseAgent, "MANUAL_REVIEW")
	for _, info := range schemas.All() {
		f := h.fixtures()[info.Pattern()]
		if f.state == "" || f.passes {
			continue
		}
		h.refusals(t, crowd, info, f, o, append([]who{o.operator}, crowd.known...))
	}
	require.Equal(t, 200, h.send(h.owner(), "GET", "/api/v1/tasks/"+o.task, nil).status)
	require.Contains(t, h.send(h.owner(), "GET", "/api/v1/tasks", nil).raw, o.task)
	require.NotContains(t, h.send(h.live(), "GET", "/api/v1/tasks", nil).raw, o.task)
}

func TestTestAndLiveModeDoNotSeeEachOther(t *testing.T) {
	h := newHouse(t)
	crowd := h.crowd()
	tested := h.post(h.sandbox(), nil)
	for range 30 { // each simulated step is a second after the one before
		h.clk.Advance(2 * time.Second)
		h.work()
	}
	require.Equal(t, "PAID", h.must(h.sandbox(), "GET", "/api/v1/tasks/"+tested, nil).text("status"))
	lived := h.task(h.live(), "MANUAL_REVIEW")
	o := object{agent: h.sandbox(), task: tested, mode: account.Test}

	t.Run("neither by id", func(t *testing.T) {
		for _, info := range schemas.All() {
			f := h.fixtures()[info.Pattern()]
			if f.state == "" || f.passes {
				continue
			}
			h.refusals(t, crowd, info, f, o, append([]who{lived.operator}, crowd.known...))
		}
	})
	t.Run("nor in lists", func(t *testing.T) {
		sandbox, live := h.must(h.sandbox(), "GET", "/api/v1/tasks", nil), h.must(h.live(), "GET", "/api/v1/tasks", nil)
		require.Contains(t, sandbox.raw, tested)
		require.NotContains(t, sandbox.raw, lived.task)
		require.Contains(t, live.raw, lived.task)
		require.NotContains(t, live.raw, tested)
		require.NotContains(t, h.must(h.owner(), "GET", "/api/v1/tasks", nil).raw, tested)
		require.NotContains(t, h.must(lived.operator, "GET", "/api/v1/operator/tasks", nil).raw, tested)
		require.NotContains(t, h.must(h.sandbox(), "GET", "/api/v1/agents/keys", nil).raw, "ho_live_")
	})
	t.Run("nor by seeing: a foreign version is not marked as seen", func(t *testing.T) {
		h.unchanged(func() {
			body := map[string]any{"items": []any{map[string]any{"task_id": lived.task, "version": 99}}}
			h.must(h.sandbox(), "POST", "/api/v1/tasks/acknowledge", body)
			h.must(crowd.elseAgent, "POST", "/api/v1/tasks/acknowledge", body)
		})
	})
	t.Run("nor in money", func(t *testing.T) {
		require.Equal(t, "999", h.must(h.live(), "GET", "/api/v1/agents/balance", nil).text("deposit_balance"))
	})
	t.Run("nor does a test key revoke or see a live one", func(t *testing.T) {
		key := h.must(h.live(), "POST", "/api/v1/agents/keys", map[string]any{"name": "second"})
		require.Equal(t, 404, h.send(h.sandbox(), "DELETE", "/api/v1/agents/keys/"+key.text("id"), nil).status)
		require.Equal(t, 200, h.send(byKey("second", key.text("api_key")), "GET", "/api/v1/agents/balance", nil).status)
	})
}

func TestAnAgentNeverActsAsAPerson(t *testing.T) {
	h := newHouse(t)
	crowd := h.crowd()
	agents := []who{h.live(), h.sandbox(), crowd.elseAgent, crowd.elseTest, {"the live key as a bearer", schemas.Agent, map[string]string{"Authorization": "Bearer " + h.creds.LiveKey}}}
	for verb, state := range map[string]string{"accept": "POSTED", "start": "ACCEPTED", "proof": "IN_PROGRESS", "release": "IN_PROGRESS", "messages": "IN_PROGRESS"} {
		t.Run("it cannot "+verb, func(t *testing.T) {
			o := h.task(h.live(), state)
			h.unchanged(func() {
				for _, agent := range agents {
					var body any = map[string]any{"text": "Hello"}
					if verb == "proof" {
						body = multipartBody{files: []file{{"facade.jpg", photoBytes(t)}}}
					}
					got := h.send(agent, "POST", "/api/v1/operator/tasks/"+o.task+"/"+verb, body)
					require.Equal(t, 403, got.status, "%s: %s", agent.name, got.raw)
					require.Contains(t, got.text("error"), "never acts as a person")
				}
			})
		})
	}
	t.Run("it cannot settle a dispute, not even its own", func(t *testing.T) {
		o := h.task(h.live(), "DISPUTED")
		h.unchanged(func() {
			for _, word := range []string{"approve", "refund", "reject", "request_changes"} {
				got := h.send(h.live(), "POST", "/api/v1/tasks/"+o.task+"/decision", decision(word)(o))
				require.Equal(t, 403, got.status, got.raw)
				require.Contains(t, got.text("error"), "only the owner, a person")
			}
			for _, agent := range []who{h.sandbox(), crowd.elseAgent, crowd.elseTest} {
				require.Equal(t, 404, h.send(agent, "POST", "/api/v1/tasks/"+o.task+"/decision", decision("approve")(o)).status)
			}
			require.Equal(t, 403, h.send(o.operator, "POST", "/api/v1/tasks/"+o.task+"/decision", decision("approve")(o)).status)
		})
		require.Equal(t, "CANCELLED", h.must(h.owner(), "POST", "/api/v1/tasks/"+o.task+"/decision", decision("refund")(o)).text("status"))
	})
	t.Run("nor does anything of a person's sign an agent in", func(t *testing.T) {
		for _, path := range []string{"/platform/v1/status", "/platform/v1/people", "/platform/v1/backup", "/platform/v1/check"} {
			require.Equal(t, 403, h.send(h.live(), "GET", path, nil).status, path)
			require.Equal(t, 403, h.send(crowd.bob, "GET", path, nil).status, path)
		}
	})
}
