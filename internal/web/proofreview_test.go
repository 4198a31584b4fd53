package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/guardian"
	"humanops-mcp/internal/guardian/guardiantest"
	"humanops-mcp/internal/review"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

func TestProofReview(t *testing.T) {
	h := newHouse(t)
	ada, grace := h.person("Ada"), h.person("Grace")
	h.write(func(ctx context.Context, tx *store.Tx) error {
		_, err := h.loops.AddMember(account.With(ctx, h.owner), tx, schemas.AddMemberRequest{LoopID: "proof", UserID: "Grace"})
		return err
	})
	task := h.submitted(ada, "Both from the street.")
	id := h.proofReview(task)

	t.Run("a member of the proof loop sees photos and verdict", func(t *testing.T) {
		got := grace.get("/reviews/" + id)
		require.Equal(t, http.StatusOK, got.Status, got.Body)
		require.Contains(t, got.Body, "/reviews/"+id+"/photos/1?size=large")
		require.Contains(t, got.Body, "Nothing has looked at what the photos show.")
		require.Contains(t, got.Body, "Both from the street.")
		require.Contains(t, got.Body, "The operator is paid")
		photo := grace.get("/reviews/" + id + "/photos/1?size=large")
		require.Equal(t, http.StatusOK, photo.Status)
		require.Equal(t, "image/jpeg", photo.Header.Get("Content-Type"))
	})
	t.Run("others do not", func(t *testing.T) {
		require.Equal(t, http.StatusNotFound, ada.get("/reviews/"+id).Status)
		require.Equal(t, http.StatusNotFound, ada.get("/reviews/"+id+"/photos/1").Status)
	})
	t.Run("nothing but an approval goes without a reason", func(t *testing.T) {
		got := grace.post("/reviews/"+id, filled(t, grace.get("/reviews/"+id), url.Values{"answer": {"reject"}}))
		require.Equal(t, http.StatusBadRequest, got.Status, got.Body)
		require.Contains(t, got.Body, `id="answer-comment-error"`)
		require.Equal(t, schemas.ReviewPending, h.review(id).Status)
	})
}

// proofReview is the open request about a task's submission.
func (h *house) proofReview(task string) string {
	h.t.Helper()
	find := func() (id string) {
		h.write(func(ctx context.Context, tx *store.Tx) error {
			list, err := h.reviews.ListReviews(account.With(ctx, h.owner), tx, schemas.ListReviewsRequest{Status: "open", Limit: 100})
			for _, r := range list.Requests {
				if r.TaskID == task {
					id = r.ID
				}
			}
			return err
		})
		return id
	}
	if id := find(); id != "" {
		return id
	}
	h.write(func(ctx context.Context, tx *store.Tx) error {
		return h.reviews.OpenForTask(ctx, tx, review.TaskReview{TaskID: task, AgentID: h.agent.AgentID, Title: "Photo of storefront", Text: "Look at the proof.", Submission: 1})
	})
	id := find()
	require.NotEmpty(h.t, id)
	return id
}

// looksAtProof puts somebody into the loop of those who look at proof.
func (h *house) looksAtProof(name string) {
	h.t.Helper()
	h.write(func(ctx context.Context, tx *store.Tx) error {
		_, err := h.loops.AddMember(account.With(ctx, h.owner), tx, schemas.AddMemberRequest{LoopID: "proof", UserID: name})
		return err
	})
}

// elsewhere has the agent decide, and not a person on a page.
func (h *house) elsewhere(task, decision string) {
	h.t.Helper()
	in := schemas.DecideTaskRequest{TaskID: task, Submission: h.task(task).Submission, Decision: decision, Reasons: []string{"Too small"}}
	h.write(func(ctx context.Context, tx *store.Tx) error {
		_, err := h.tasks.DecideTask(account.With(ctx, h.agent), tx, in)
		return err
	})
}

func TestTheOldAddressOfDecisionsLeadsToTheOnePage(t *testing.T) {
	h := newHouse(t)
	ada, owner := h.person("Ada"), h.person("me")
	leads := func(task, to string) {
		t.Helper()
		got := owner.get("/decide/" + task)
		require.Equal(t, http.StatusSeeOther, got.Status, got.Body)
		require.Equal(t, to, got.Header.Get("Location"))
		require.Equal(t, http.StatusOK, owner.get(to).Status)
	}
	id := h.submitted(ada, "")
	first := "/reviews/" + h.proofReview(id)

	t.Run("to the review that is open", func(t *testing.T) { leads(id, first) })
	t.Run("to the newest when the one before is over", func(t *testing.T) {
		require.Equal(t, http.StatusSeeOther, owner.decide(id, "request_changes", "Closer").Status)
		leads(id, first)
		h.again(ada, id)
		second := "/reviews/" + h.proofReview(id)
		require.NotEqual(t, first, second)
		leads(id, second)
		require.Equal(t, http.StatusSeeOther, owner.decide(id, "approve", "").Status)
		leads(id, second)
	})
	t.Run("to the newest when the agent decided, which says so", func(t *testing.T) {
		id := h.submitted(ada, "")
		asked := "/reviews/" + h.proofReview(id)
		h.elsewhere(id, "approve")
		leads(id, asked)
		page := owner.get(asked).Body
		require.Contains(t, page, "It was not decided here.")
		require.Contains(t, page, "Approved by the agent, through the API")
	})
	t.Run("to the task where there never was a review, and there owners see all that there is", func(t *testing.T) {
		running := h.started(ada)
		leads(running, "/tasks/"+running)
		require.Contains(t, owner.get("/tasks/"+running).Body, "Nothing has been sent in yet.")
		require.Equal(t, http.StatusSeeOther, ada.post("/tasks/"+running+"/messages", url.Values{"text": {"Which door?"}}).Status)

		model := guardiantest.Serve(t, guardiantest.Scores(97, 97))
		h.tasks.Guardian = guardian.New(guardian.Config{URL: model.URL + "/v1", Model: "fake"})
		got := ada.upload("/tasks/"+running+"/proof", map[string]string{"note": "From the street"}, file{"facade.jpg", jpegOf(t, 1)}, file{"sign.jpg", jpegOf(t, 2)})
		require.Equal(t, http.StatusSeeOther, got.Status, got.Body)
		h.work()
		require.Equal(t, "PAID", h.task(running).Status)
		leads(running, "/tasks/"+running)
		page := owner.get("/tasks/" + running).Body
		for _, want := range []string{
			"There is nothing to decide on this task now.", "From the street", "Which door?", "Approved by the automatic check", "Full facade photo",
			"$15.00", "123 Main St", "/tasks/" + running + "/photos/2?size=large",
		} {
			require.Contains(t, page, want)
		}
		require.Equal(t, http.StatusNotFound, h.person("Grace").get("/tasks/"+running).Status)
	})
	t.Run("and a form that was still open there decides nothing, and its reader is told", func(t *testing.T) {
		h.tasks.Guardian = guardian.New(guardian.Config{})
		id := h.submitted(ada, "")
		got := owner.post("/decide/"+id, url.Values{"submission": {"1"}, "decision": {"approve"}})
		require.Equal(t, http.StatusSeeOther, got.Status)
		require.Equal(t, "/reviews/"+h.proofReview(id), got.Header.Get("Location"))
		require.Contains(t, owner.get(got.Header.Get("Location")).Body, "Nothing was decided: proof is decided on another page now.")
		require.Equal(t, "MANUAL_REVIEW", h.task(id).Status)
	})
	t.Run("but is not there for others, nor for what the owner cannot see", func(t *testing.T) {
		require.Equal(t, http.StatusNotFound, ada.get("/decide/"+id).Status)
		require.Equal(t, http.StatusUnauthorized, h.browser().get("/decide/"+id).Status)
		var simulated string
		h.write(func(ctx context.Context, tx *store.Tx) error {
			out, err := h.tasks.PostTask(account.With(ctx, account.Caller{AgentID: h.agent.AgentID, Mode: account.Test, Via: "api"}), tx, schemas.PostTaskRequest{
				Title: "In test mode", Description: "Look", TaskType: "PHOTO", RewardUSD: 15 * schemas.USD, Deadline: h.clock.Now().Add(time.Hour), ProofRequirements: []string{"A photo"},
			})
			simulated = out.TaskID
			return err
		})
		for _, task := range []string{simulated, "task_none"} {
			require.Equal(t, http.StatusNotFound, owner.get("/decide/"+task).Status)
			require.Equal(t, http.StatusNotFound, owner.post("/decide/"+task, nil).Status)
		}
	})
}

func TestTheOnePageShowsAllThereIsAboutAProof(t *testing.T) {
	h := newHouse(t)
	ada, grace, owner := h.person("Ada"), h.person("Grace"), h.person("me")
	h.looksAtProof("Grace")
	id := h.started(ada)
	require.Equal(t, http.StatusSeeOther, ada.post("/tasks/"+id+"/messages", url.Values{"text": {"Which door?"}}).Status)
	h.again(ada, id)
	require.Equal(t, http.StatusSeeOther, owner.decide(id, "request_changes", "Too dark").Status)
	h.again(ada, id)
	at := owner.proof(id)
	link := h.mailed()

	readers := map[string]string{"an owner": owner.get(at).Body, "somebody who looks at proof": grace.get(at).Body, "whoever comes by the mailed link": h.browser().get(link).Body}
	for who, page := range readers {
		t.Run(who+" sees what was asked, what came in, what was decided before, and what each choice does", func(t *testing.T) {
			for _, want := range []string{
				"Full facade photo", "$15.00", "123 Main St", "Take 2 clear photos.", `<time datetime="2030-02-08T18:00:00Z"`, "Submission 2, by", "Once more",
				"/photos/2?size=large", "Earlier submissions", "/photos/1?size=thumb", "Changes requested by a person, on the page", "Too dark",
				"$15.00 goes to Ada. This is final.", "Possible 1 more time.", "$15.00 stays held until then.",
			} {
				require.Contains(t, page, want)
			}
		})
		t.Run(who+" sees who may decide, until when, and what follows", func(t *testing.T) {
			require.Regexp(t, `(?s)Who is asked</h2><p dir="auto">Grace, Owner</p>`, page)
			require.Contains(t, page, "The agent that posted the task may decide, too.")
			require.Regexp(t, `Decide by\s*<time datetime="2030-02-14T14:0\d:00Z"`, page)
			require.Contains(t, page, "If nobody does, the task goes into dispute")
		})
	}
	t.Run("what agent and operator wrote to each other is for owners", func(t *testing.T) {
		for who, page := range readers {
			require.Equal(t, who == "an owner", strings.Contains(page, "Which door?"), who)
		}
	})
	t.Run("photos of every submission open, small and large, and no others", func(t *testing.T) {
		for _, base := range []string{at, link} {
			for _, photo := range []string{"/photos/1?size=thumb", "/photos/1?size=large", "/photos/2"} {
				require.Equal(t, http.StatusOK, grace.get(base+photo).Status, base+photo)
			}
			require.Equal(t, http.StatusNotFound, grace.get(base+"/photos/1?size=original").Status)
			require.Equal(t, http.StatusNotFound, grace.get(base+"/photos/3").Status)
		}
	})
	t.Run("what cannot be chosen any more is not offered", func(t *testing.T) {
		require.Equal(t, http.StatusSeeOther, grace.decideAt(at, "request_changes", "Still too dark").Status)
		h.again(ada, id)
		page := owner.get(owner.proof(id)).Body
		require.NotContains(t, page, `value="request_changes"`)
		require.Contains(t, page, `value="reject"`)
	})
	t.Run("after a rejection the page leads to the dispute, which owners alone settle", func(t *testing.T) {
		was := owner.proof(id)
		h.clock.Advance(time.Minute)
		require.Equal(t, http.StatusSeeOther, grace.decideAt(was, "reject", "Another shop").Status)
		after := owner.get(was).Body
		require.Contains(t, after, "Rejected by Grace, on the page.")
		dispute := owner.proof(id)
		require.Contains(t, after, `href="`+dispute+`"`)
		for who, reader := range map[string]*browser{"me": owner, "Grace": grace} {
			page := reader.get(dispute).Body
			require.Contains(t, page, "In dispute: Photo of storefront")
			require.Regexp(t, `Who is asked</h2><p dir="auto">Owner</p>`, page)
			require.Contains(t, page, "Only owners of this house settle a dispute.")
			require.Contains(t, page, "If nobody does, the operator is paid.")
			require.Equal(t, who == "me", strings.Contains(page, "data-answer"), who)
		}
		require.Equal(t, http.StatusForbidden, grace.decideAt(dispute, "approve", "").Status)
		h.clock.Advance(time.Minute)
		require.Equal(t, http.StatusSeeOther, owner.decideAt(dispute, "refund", "It is another shop").Status)
		settled := owner.get(dispute).Body
		require.Contains(t, settled, "Refunded. The task is over.")
		require.Contains(t, settled, "Refunded by Owner, on the page.")
		require.NotContains(t, settled, "data-answer")
	})
}

// decideAt fills in the form on a review's page and sends it.
func (b *browser) decideAt(page, word, reasons string) answer {
	b.t.Helper()
	return b.post(page, url.Values{"round": {"1"}, "answer": {word}, "comment": {reasons}})
}

func TestNothingOfTheReasonsIsLost(t *testing.T) {
	h := newHouse(t)
	ada, owner := h.person("Ada"), h.person("me")
	var many []string
	for i := range 40 {
		many = append(many, fmt.Sprintf("Reason %d", i))
	}
	long := strings.TrimSpace(strings.Repeat("too dark ", 120))
	for what, typed := range map[string]string{"a line each": "Too dark\r\n\r\n No sign ", "one long line": long, "many lines": strings.Join(many, "\r\n")} {
		t.Run(what, func(t *testing.T) {
			id := h.submitted(ada, "")
			got := owner.decide(id, "request_changes", typed)
			require.Equal(t, http.StatusSeeOther, got.Status, got.Body)
			kept := h.task(id).Submissions[0].Decision.Reasons
			require.LessOrEqual(t, len(kept), 20)
			require.Equal(t, strings.Fields(typed), strings.Fields(strings.Join(kept, " ")))
			page := ada.get("/tasks/" + id).Body
			for _, reason := range kept {
				require.LessOrEqual(t, len(reason), 500)
				require.Contains(t, page, reason)
			}
			require.Equal(t, http.StatusSeeOther, ada.post("/tasks/"+id+"/release", nil).Status)
		})
	}
	t.Run("what is too long to keep is said, and stays in the form", func(t *testing.T) {
		id := h.submitted(ada, "")
		got := owner.decide(id, "reject", strings.Repeat("ä", 2001))
		require.Equal(t, http.StatusBadRequest, got.Status)
		require.Contains(t, got.Body, "The reasons may have 2000 characters; this one has 2001.")
		require.Contains(t, got.Body, strings.Repeat("ä", 2001))
		require.Equal(t, "MANUAL_REVIEW", h.task(id).Status)
	})
}

func TestAProofStandsOnceOnTheStartPage(t *testing.T) {
	h := newHouse(t)
	ada, grace, owner := h.person("Ada"), h.person("Grace"), h.person("me")
	h.looksAtProof("Grace")
	id := h.submitted(ada, "")
	asked := "/reviews/" + h.proofReview(id)
	once := func(b *browser, title, to string) string {
		t.Helper()
		page := b.get("/").Body
		require.Equal(t, 1, strings.Count(page, title), page)
		require.Equal(t, 1, strings.Count(page, `href="`+to+`"`))
		require.NotContains(t, page, "/decide/")
		return page
	}
	t.Run("with title, reward, place, who did it, whom it waits for and until when", func(t *testing.T) {
		for _, b := range []*browser{owner, grace} {
			page := once(b, "Photo of storefront", asked)
			require.Contains(t, page, "Proof to look at: Photo of storefront</a>")
			require.Contains(t, page, `<span class="pay">$15.00</span>`)
			require.Contains(t, page, "123 Main St")
			require.Contains(t, page, `Photo, by <span dir="auto">Ada</span>`)
			require.Regexp(t, `Asked: Grace, Owner`, page)
			require.Regexp(t, `Decide by\s*<time datetime="2030-02-14`, page)
		}
	})
	t.Run("to who did it, as their own work", func(t *testing.T) { once(ada, "Photo of storefront", "/tasks/"+id) })
	t.Run("when somebody has claimed it", func(t *testing.T) {
		require.Equal(t, http.StatusSeeOther, grace.post(asked+"/claim", nil).Status)
		require.Contains(t, once(owner, "Photo of storefront", asked), "Claimed by Grace")
		require.Equal(t, http.StatusSeeOther, grace.post(asked+"/release", nil).Status)
	})
	t.Run("in dispute, which says that owners settle it", func(t *testing.T) {
		require.Equal(t, http.StatusSeeOther, owner.decide(id, "reject", "Another shop").Status)
		page := owner.get("/").Body
		require.Equal(t, 1, strings.Count(page, "In dispute: Photo of storefront"))
		require.Contains(t, page, "Only owners settle it: Owner")
		require.Equal(t, http.StatusSeeOther, owner.decide(id, "refund", "Another shop").Status)
		require.Contains(t, owner.get("/").Body, "Refunded")
	})
	t.Run("while nobody is asked, because a review ended without a decision", func(t *testing.T) {
		id := h.submitted(ada, "")
		ended := "/reviews/" + h.proofReview(id)
		h.write(func(ctx context.Context, tx *store.Tx) error {
			return h.reviews.CloseForTask(ctx, tx, id, change.System, "The escalation is over.", "")
		})
		page := owner.get("/").Body
		require.Equal(t, 1, strings.Count(page, `href="/tasks/`+id+`"`))
		require.Contains(t, page, "asked about anew within the hour")
		require.Contains(t, owner.get("/tasks/"+id).Body, "people are asked within the hour")
		require.Equal(t, "/tasks/"+id, owner.get("/decide/"+id).Header.Get("Location"), "and not to a review that is over")
		over := owner.get(ended).Body
		require.Contains(t, over, "the proof still waits: people are asked anew within the hour.")
		require.NotContains(t, over, "The submission says what became of it.")
		h.write(func(_ context.Context, tx *store.Tx) error { return h.tasks.AskForWaiting(t.Context(), tx) })
		page = owner.get("/").Body
		require.NotContains(t, page, `href="/tasks/`+id+`"`)
		require.Equal(t, 1, strings.Count(page, `href="/reviews/`+h.proofReview(id)+`"`))
		require.Equal(t, http.StatusSeeOther, owner.decide(id, "approve", "").Status)
	})
	t.Run("also to an owner who did the work: it waits for them, and not for others", func(t *testing.T) {
		h.post(nil)
		own := h.submitted(owner, "")
		page := owner.get("/").Body
		require.Contains(t, page, `href="/reviews/`+h.proofReview(own)+`"`)
		require.NotContains(t, page, `href="/tasks/`+own+`"`)
		require.NotContains(t, page, "Sent in, waiting for others")
		require.Contains(t, owner.get(owner.proof(own)).Body, `href="/tasks/`+own+`"`)
		require.Contains(t, owner.get("/tasks/"+own).Body, `href="/reviews/`+h.proofReview(own)+`"`)
	})
}

func TestDecisionsAreCalledAsTheyAreDeclared(t *testing.T) {
	h := newHouse(t)
	ada, owner := h.person("Ada"), h.person("me")
	choice := regexp.MustCompile(`name="answer" value="(\w+)"[^>]*> ?<strong dir="auto">([^<]+)</strong>`)
	for _, disputed := range []bool{false, true} {
		for _, d := range schemas.ProofDecisionsOn(disputed) {
			t.Run(fmt.Sprintf("%s, disputed %t", d.Word, disputed), func(t *testing.T) {
				id := h.submitted(ada, "")
				if disputed {
					require.Equal(t, http.StatusSeeOther, owner.decide(id, schemas.ProofReject, "Another shop").Status)
					h.clock.Advance(time.Second)
				}
				at := owner.proof(id)
				var offered []string
				for _, m := range choice.FindAllStringSubmatch(owner.get(at).Body, -1) {
					offered = append(offered, m[1]+" "+m[2])
				}
				var declared []string
				for _, d := range schemas.ProofDecisionsOn(disputed) {
					declared = append(declared, d.Word+" "+d.Label)
				}
				require.Equal(t, declared, offered)
				require.Equal(t, http.StatusSeeOther, owner.decideAt(at, d.Word, "Because").Status)
				after := owner.get(at).Body
				require.Contains(t, after, `role="status">`+d.Done+".", "what was just done")
				require.Contains(t, after, d.Done+" by Owner, on the page.", "the outcome")
				require.Contains(t, after, d.Done+" by a person, on the page", "the submission")
				require.Equal(t, d.Word, h.task(id).Submissions[0].Decision.Decision)
				require.Equal(t, d.Means, h.review(strings.TrimPrefix(at, "/reviews/")).Decision)
			})
		}
	}
}

// The former page took any owner's decision; whoever became one later, or is in no loop, was not kept out.
func TestEveryOwnerDecidesOnProof(t *testing.T) {
	h := newHouse(t)
	ada, owner, grace := h.person("Ada"), h.person("me"), h.person("Grace")
	becomes := func(role string) {
		h.write(func(ctx context.Context, tx *store.Tx) error {
			_, err := h.accounts.AddPerson(account.With(ctx, h.owner), tx, schemas.AddPersonRequest{Name: "Grace", Roles: []string{role}})
			return err
		})
	}
	disputed := h.submitted(ada, "")
	require.Equal(t, http.StatusSeeOther, owner.decide(disputed, "reject", "Another shop").Status)
	h.clock.Advance(time.Minute)
	dispute := owner.proof(disputed)
	require.Equal(t, http.StatusNotFound, grace.get(dispute).Status)
	becomes("owner")

	t.Run("of a dispute that was there before they were owners", func(t *testing.T) {
		require.Contains(t, grace.get("/").Body, `href="`+dispute+`"`)
		require.Contains(t, grace.get(dispute).Body, "data-answer")
		require.Equal(t, http.StatusSeeOther, grace.decideAt(dispute, "refund", "It is another shop").Status)
		require.Contains(t, owner.get(dispute).Body, "Refunded by Grace, on the page.")
	})
	t.Run("without being in the loop that looks at it", func(t *testing.T) {
		id := h.submitted(ada, "")
		proof := grace.proof(id)
		require.Contains(t, grace.get(proof).Body, "data-answer")
		require.Equal(t, http.StatusSeeOther, grace.post(proof+"/claim", nil).Status)
		require.Contains(t, owner.get(proof).Body, "has claimed this until")
		require.Equal(t, http.StatusSeeOther, grace.decideAt(proof, "approve", "").Status)
		require.Equal(t, "approve", h.task(id).Submissions[0].Decision.Decision)
	})
}
