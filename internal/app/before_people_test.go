package app

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/passkey"
	"humanops-mcp/internal/passkey/passkeytest"
)

// status is where a task of before stands.
func (b *before) status(name string) string {
	b.t.Helper()
	return b.shows(name).text("status")
}

func (b *before) shows(name string) answer {
	b.t.Helper()
	task := b.thing(b.facts.Tasks, name)
	return b.must(b.as(task.Caller), "GET", "/api/v1/tasks/"+task.ID, nil)
}

// own is what a task's agent does with it, act what an operator does.
func (b *before) own(name, verb string, body any) answer {
	b.t.Helper()
	task := b.thing(b.facts.Tasks, name)
	return b.must(b.as(task.Caller), "POST", "/api/v1/tasks/"+task.ID+"/"+verb, body)
}

func (b *before) act(person, name, verb string, body any) {
	b.t.Helper()
	b.must(b.as(person), "POST", "/api/v1/operator/tasks/"+b.thing(b.facts.Tasks, name).ID+"/"+verb, body)
}

func (b *before) decide(caller, name string, submission int, word string, reasons ...string) {
	b.t.Helper()
	b.must(b.as(caller), "POST", "/api/v1/tasks/"+b.thing(b.facts.Tasks, name).ID+"/decision",
		map[string]any{"submission": submission, "decision": word, "reasons": reasons})
}

// deposit is what an agent can spend, earned what a person has been paid.
func (b *before) deposit(caller string) float64 {
	b.t.Helper()
	return b.must(b.as(caller), "GET", "/api/v1/agents/balance", nil).body["deposit_balance"].(float64)
}

func (b *before) earned(person string) float64 {
	b.t.Helper()
	return b.must(b.as(person), "GET", "/api/v1/operator/earnings", nil).body["total_earned"].(float64)
}

func (b *before) requireExact(t *testing.T) {
	t.Helper()
	report := b.must(b.as("owner"), "GET", "/platform/v1/check", nil)
	require.Equal(t, "true", report.text("exact"), report.raw)
}

func TestAfterAnUpgradeTasksGoOn(t *testing.T) {
	eachBefore(t, shortly, func(t *testing.T, b *before) {
		b.work() // what waited is not what this is about
		t.Run("one that was posted is taken, begun, submitted, approved and paid", func(t *testing.T) {
			before := b.earned("Ada")
			b.act("Ada", "posted for Ada", "accept", map[string]any{"estimate_minutes": 30})
			b.act("Ada", "posted for Ada", "start", nil)
			b.finish(t, "Ada", "posted for Ada", 1)
			require.InDelta(t, before+3, b.earned("Ada"), 0)
		})
		t.Run("one in progress is submitted, approved and paid", func(t *testing.T) {
			before := b.earned("Cleo")
			b.finish(t, "Cleo", "in progress", 1)
			require.InDelta(t, before+4, b.earned("Cleo"), 0)
		})
		t.Run("one whose changes were asked for is submitted again", func(t *testing.T) { b.finish(t, "Dan", "in progress after changes", 2) })
		t.Run("one that Guardian rejected once is rejected once more, and then people look at it", func(t *testing.T) {
			for _, want := range []string{"IN_PROGRESS", "MANUAL_REVIEW"} {
				b.act("Eli", "in progress after Guardian", "proof", multipartBody{files: []file{{"door.jpg", photoBytes(t)}}})
				b.work()
				require.Equal(t, want, b.status("in progress after Guardian"))
			}
		})
		t.Run("an estimate that waits is approved", func(t *testing.T) {
			b.own("estimate pending", "estimate/approve", map[string]any{"estimate_id": b.shows("estimate pending").text("estimate.estimate_id")})
			require.Equal(t, "ACCEPTED", b.status("estimate pending"))
		})
		t.Run("a question is answered, and the one who asked reads it", func(t *testing.T) {
			open := b.shows("accepted").body["open_questions"].([]any)
			question := open[0].(map[string]any)["message_id"]
			b.own("accepted", "messages", map[string]any{"text": "Beware of it.", "reply_to": question})
			got := b.must(b.as("Ada"), "GET", "/api/v1/tasks/"+b.facts.Tasks["accepted"].ID+"/messages", nil)
			require.Contains(t, got.raw, "Beware of it.")
		})
		t.Run("a submission is decided on the owner's page, and pays who made it", func(t *testing.T) {
			before := b.earned("Ada")
			b.form(t, "owner's browser", "/reviews/"+b.facts.Reviews["proof of manual review"].ID, approval)

			require.Equal(t, "PAID", b.status("manual review"))
			require.InDelta(t, before+12.5, b.earned("Ada"), 0)
			require.Equal(t, "approved", b.sees("proof of manual review").text("data.request.decision"), "its review ends with it")
		})
		t.Run("a submission is decided by its review, by who had claimed it", func(t *testing.T) {
			b.answer("Rita", "proof of manual review, claimed", "reject", map[string]any{"comment": "Another house"})
			require.Equal(t, "DISPUTED", b.status("manual review, claimed"))
		})
		t.Run("an open dispute is settled by refund, and the money comes back", func(t *testing.T) {
			before := b.deposit("house live")
			b.decide("owner", "disputed", 1, "refund", "It is another house")
			require.Equal(t, "CANCELLED", b.status("disputed"))
			require.InDelta(t, before+20, b.deposit("house live"), 0)
			require.Equal(t, "rejected", b.sees("proof of disputed").text("data.request.decision"))
		})
		t.Run("one that nobody took is withdrawn, and the money comes back", func(t *testing.T) {
			before := b.deposit("house live")
			b.own("posted", "cancel", nil)
			require.InDelta(t, before+6, b.deposit("house live"), 0)
		})
		b.requireExact(t)
	})
}

// finish submits a task's proof, and has its agent approve it.
func (b *before) finish(t *testing.T, person, name string, submission int) {
	t.Helper()
	b.act(person, name, "proof", multipartBody{files: []file{{"facade.jpg", photoBytes(t)}}})
	require.Equal(t, "SUBMITTED", b.status(name))
	b.work() // Guardian is content
	require.Equal(t, "PAID", b.status(name))
	require.Len(t, b.shows(name).body["submissions"], submission)
}

// answer is a person's answer to a review as it stands.
func (b *before) answer(person, name string, value any, more map[string]any) {
	b.t.Helper()
	require.Empty(b.t, b.tryAnswer(person, name, value, more))
}

// tryAnswer gives what was refused, "" for nothing.
func (b *before) tryAnswer(person, name string, value any, more map[string]any) string {
	b.t.Helper()
	r := b.sees(name)
	seen := r.body["data"].(map[string]any)["request"].(map[string]any)
	body := map[string]any{"response_data": value, "round": seen["round"], "version": seen["version"], "action_digest": r.text("data.request.action_digest")}
	for member, v := range more {
		body[member] = v
	}
	out := b.send(b.as(person), "POST", "/v1/requests/"+r.text("data.request.id")+"/respond", body)
	if out.status == http.StatusOK {
		return ""
	}
	return out.raw
}

// requireDecided makes sure that a review ended so.
func (b *before) requireDecided(t *testing.T, name, decision, by string) {
	t.Helper()
	r := b.sees(name)
	require.Equal(t, []string{"completed", decision, by}, []string{r.text("data.request.status"), r.text("data.request.decision"), r.text("data.request.response_by_user.name")}, name)
}

func (b *before) form(t *testing.T, browser, path string, fields url.Values) {
	t.Helper()
	out := b.send(b.browserOf(browser), "POST", path, fields.Encode())
	require.Equal(t, http.StatusSeeOther, out.status, "%s: %s", path, out.raw)
}

func TestAfterAnUpgradeReviewsGoOn(t *testing.T) {
	eachBefore(t, shortly, func(t *testing.T, b *before) {
		t.Run("a pending one is decided", func(t *testing.T) {
			b.answer("Tess", "pending", true, nil)
			b.requireDecided(t, "pending", "approved", "Tess")
		})
		t.Run("one that was changed after it was asked is decided at the version that was looked at", func(t *testing.T) {
			require.Contains(t, b.tryAnswer("Sam", "changed after it was asked", "approved", map[string]any{"version": 1}), "Look at it again")
			b.answer("Sam", "changed after it was asked", "approved", nil)
		})
		t.Run("a claimed one is decided by who claimed it, and by nobody else", func(t *testing.T) {
			require.Contains(t, b.tryAnswer("Tess", "claimed", "approved", nil), "Sam")
			b.answer("Sam", "claimed", "approved", nil)
			b.requireDecided(t, "claimed", "approved", "Sam")
		})
		t.Run("one that was meant for Sam is decided by Sam alone", func(t *testing.T) {
			require.NotEmpty(t, b.tryAnswer("Tess", "assigned to Sam", "approved", nil))
			b.answer("Sam", "assigned to Sam", "approved", nil)
		})
		t.Run("turns go on where they stood", func(t *testing.T) {
			first := b.sees("by turns").body["data"].(map[string]any)["request"].(map[string]any)["broadcasted_to"].([]any)[0].(map[string]any)["name"]
			next := b.must(b.as("house live"), "POST", "/v1/loops/legal/requests", map[string]any{"request_text": "Whose turn is it?", "response_type": "boolean"})
			require.Equal(t, "1", next.text("data.broadcasted_to"))
			require.NotContains(t, next.body["data"].(map[string]any)["told"], first)
		})
		t.Run("a half-finished second round is decided, and the first stays readable", func(t *testing.T) {
			require.Contains(t, b.tryAnswer("Rita", "second round", "approved", map[string]any{"round": 1}), "round 2")
			b.answer("Rita", "second round", "approved", nil)
			b.requireDecided(t, "second round", "approved", "Rita")
			require.Contains(t, b.sees("second round").raw, "Say who wrote it")
		})
		t.Run("the second round of a quorum needs one more answer", func(t *testing.T) {
			require.Contains(t, b.tryAnswer("Tess", "second round of a quorum", "approved", nil), "already")
			b.answer("Rita", "second round of a quorum", "approved", nil)
			b.requireDecided(t, "second round of a quorum", "approved", "Rita")
			b.must(b.as("house live"), "GET", "/v1/requests/"+b.facts.Reviews["second round of a quorum"].ID+"/receipt", nil)
		})
		t.Run("answers that were in count: quorum, median, steps", func(t *testing.T) {
			b.answer("Tess", "quorum, one answer in", "approved", nil)
			b.requireDecided(t, "quorum, one answer in", "approved", "Tess")
			b.answer("Tess", "all, two answers in", 30, nil)
			b.answer("owner", "all, two answers in", 40, nil)
			require.Equal(t, "25", b.sees("all, two answers in").text("data.request.response_value"))
			b.answer("owner", "second step", true, nil)
			b.requireDecided(t, "second step", "approved", b.name("owner"))
			b.answer("Tess", "parallel steps, one answer in", true, nil)
			b.answer("Rita", "parallel steps, one answer in", true, nil)
			b.requireDecided(t, "parallel steps, one answer in", "approved", "Rita")
		})
		t.Run("changes are asked for, and the agent asks again", func(t *testing.T) {
			b.must(b.as("house live"), "POST", "/v1/requests/"+b.facts.Reviews["changes needed, not asked again"].ID+"/rounds", map[string]any{"request_text": "Ann signs it."})
			b.answer("Rita", "changes needed, not asked again", "approved", nil)
			require.Equal(t, "2", b.sees("changes needed, not asked again").text("data.request.round"))
		})
		t.Run("an escalation goes on by hand where it stood", func(t *testing.T) {
			require.Equal(t, "2", b.sees("escalated by hand").text("data.request.escalations"))
			b.must(b.as("Rita"), "POST", "/v1/requests/"+b.facts.Reviews["escalated by hand"].ID+"/escalate", nil)
			require.Equal(t, "3", b.sees("escalated by hand").text("data.request.escalations"))
		})
		t.Run("an unused approval is used up once, a used one never again", func(t *testing.T) {
			for _, name := range []string{"receipt unused", "receipt unused, edited"} {
				require.Equal(t, []int{http.StatusOK, http.StatusConflict}, []int{b.consume(name), b.consume(name)}, name)
			}
			require.Equal(t, http.StatusConflict, b.consume("receipt used"))
		})
		t.Run("an enrolled passkey decides, and nothing else does", func(t *testing.T) {
			require.Contains(t, b.tryAnswer("Tess", "passkey wanted", true, nil), "passkey")
			b.decideByPasskey(t, "Tess", "passkey wanted")
			require.Equal(t, "passkey", b.sees("passkey wanted").text("data.request.decided_via"))
		})
		t.Run("a link in a mail that went out decides", func(t *testing.T) {
			form := with(who{}, "form", map[string]string{"Content-Type": "application/x-www-form-urlencoded"})
			out := b.send(form, "POST", b.facts.Secrets["link of Rita to linked"], "answer=false&round=1&action_digest=")
			require.Equal(t, http.StatusSeeOther, out.status, out.raw)
			b.requireDecided(t, "linked", "rejected", "Rita")
			require.Equal(t, "link", b.sees("linked").text("data.request.decided_via"))
		})
		b.requireDoorsOfLoops(t)
	})
}

func (b *before) name(person string) string {
	b.t.Helper()
	for _, p := range b.must(b.as("owner"), "GET", "/platform/v1/people?limit=100", nil).body["data"].([]any) {
		if p := p.(map[string]any); p["operator_id"] == b.facts.IDs[person] {
			return p["name"].(string)
		}
	}
	return ""
}

// consume uses an approval up, and gives the status.
func (b *before) consume(name string) int {
	b.t.Helper()
	id := b.thing(b.facts.Reviews, name).ID
	got := b.must(b.as("executor"), "GET", "/v1/requests/"+id+"/receipt", nil)
	action := got.body["data"].(map[string]any)["action"]
	return b.send(b.as("executor"), "POST", "/v1/requests/"+id+"/receipt/consume", map[string]any{"nonce": got.text("data.receipt.nonce"), "action": action}).status
}

// decideByPasskey approves as a browser does, with the passkey that was registered before.
func (b *before) decideByPasskey(t *testing.T, person, name string) {
	t.Helper()
	device := passkeytest.Restore(t, "localhost", b.facts.PublicURL, []byte(b.facts.Secrets["passkey of "+person]))
	r := b.sees(name)
	path := "/reviews/" + r.text("data.request.id")
	form := url.Values{"answer": {"true"}, "round": {"1"}, "action_digest": {r.text("data.request.action_digest")}}
	var ceremony passkey.Ceremony
	begun := b.send(with(b.browserOf(person), "script", map[string]string{"Accept": "application/json"}), "POST", path+"/passkey", form.Encode())
	require.NoError(t, json.Unmarshal([]byte(begun.raw), &ceremony), begun.raw)
	raw, err := json.Marshal(device.Get(ceremony))
	require.NoError(t, err)
	form.Set("assertion", string(raw))
	b.form(t, person, path, form)
}

// requireDoorsOfLoops tries what lets people in: invitations and sign-in links.
func (b *before) requireDoorsOfLoops(t *testing.T) {
	join := func(person, code string) answer {
		return b.send(b.as(person), "POST", "/v1/loops/join", map[string]any{"invite_code": b.facts.Secrets[code]})
	}
	t.Run("an invitation lets in, one that was ended does not", func(t *testing.T) {
		require.Equal(t, http.StatusOK, join("Ada", "code of moderation").status)
		require.Equal(t, "pending", join("Bob", "code of by an agent").text("data.member.status"))
		require.NotEqual(t, http.StatusOK, join("Ada", "revoked code of free").status)
	})
	t.Run("somebody who waited is admitted, and decides", func(t *testing.T) {
		loop := b.facts.IDs["loop by an agent"]
		b.must(b.as("owner"), "POST", "/v1/loops/"+loop+"/members", map[string]any{"user_id": "Pia"})
		asked := b.must(b.as("house live"), "POST", "/v1/loops/"+loop+"/requests", map[string]any{"request_text": "May Pia decide?", "response_type": "boolean"})
		b.must(b.as("Pia"), "POST", "/v1/requests/"+asked.text("data.request_id")+"/respond", map[string]any{"response_data": true})
	})
	t.Run("a sign-in link signs in once", func(t *testing.T) {
		for _, want := range []int{http.StatusSeeOther, http.StatusGone} {
			require.Equal(t, want, b.send(who{}, "POST", b.facts.Secrets["sign-in link of Pia"], nil).status)
		}
		require.Equal(t, http.StatusGone, b.send(who{}, "POST", b.facts.Secrets["used sign-in link of Olga"], nil).status)
	})
	t.Run("a call that was made under a key gets the same answer again", func(t *testing.T) {
		for key, made := range map[string]thing{"/v1/loops/free/requests": b.facts.Reviews["ordered"], "/api/v1/tasks": b.facts.Tasks["ordered"]} {
			out := b.send(keyed(b.as("house live"), "order "+key), "POST", key, b.facts.Secrets["ordered at "+key])
			require.Equal(t, http.StatusCreated, out.status, out.raw)
			require.Equal(t, "true", out.header.Get("Idempotent-Replayed"))
			require.Contains(t, out.raw, made.ID)
		}
	})
}
