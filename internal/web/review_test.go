package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

// asked is a request of the house's agent in the default loop.
func (h *house) asked(change func(in *schemas.NewReview)) string {
	h.t.Helper()
	in := schemas.CreateReviewRequest{LoopID: "default", NewReview: schemas.NewReview{
		ProcessingType: "deferred", Type: "markdown", Priority: "medium", RequestText: "Publish this post?", ResponseType: "boolean",
		ResponseConfig: json.RawMessage(`{"true_label":"Publish","false_label":"Keep back"}`), DefaultResponse: json.RawMessage(`false`), Platform: "api",
		AgentName: "Scribe", AllowDuplicate: true,
	}}
	if change != nil {
		change(&in.NewReview)
	}
	var id string
	h.write(func(ctx context.Context, tx *store.Tx) error {
		out, err := h.reviews.CreateReview(account.With(ctx, h.agent), tx, in)
		id = out.RequestID
		return err
	})
	return id
}

func (h *house) review(id string) (out schemas.Review) {
	h.t.Helper()
	h.write(func(ctx context.Context, tx *store.Tx) error {
		got, err := h.reviews.GetReview(account.With(ctx, h.agent), tx, schemas.ReviewRequest{RequestID: id})
		out = got.Request
		return err
	})
	return out
}

// member is a browser of somebody who decides in the default loop.
func (h *house) member(name string) *browser {
	h.t.Helper()
	b := h.person(name)
	h.write(func(ctx context.Context, tx *store.Tx) error {
		_, err := h.loops.AddMember(account.With(ctx, h.owner), tx, schemas.AddMemberRequest{LoopID: "default", UserID: name})
		return err
	})
	return b
}

// mailed is the path of the link that went out last.
func (h *house) mailed() string {
	h.t.Helper()
	h.work()
	require.NotEmpty(h.t, h.links)
	return strings.TrimPrefix(h.reviews.LinkURL(h.links[len(h.links)-1]), publicURL)
}

// filled is the form on a review's page with the fields that it hides, and more.
func filled(t *testing.T, page answer, more url.Values) url.Values {
	t.Helper()
	out := url.Values{}
	for _, m := range regexp.MustCompile(`<input type="hidden" name="(round|action_digest)" value="([^"]*)"`).FindAllStringSubmatch(page.Body, -1) {
		out.Set(m[1], m[2])
	}
	require.NotEmpty(t, out.Get("round"), page.Body)
	for name, values := range more {
		out[name] = values
	}
	return out
}

func TestInbox(t *testing.T) {
	h := newHouse(t)
	ada, grace, owner := h.member("Ada"), h.member("Grace"), h.person("me")

	t.Run("an empty one says so", func(t *testing.T) {
		require.Contains(t, ada.get("/").Body, "Nothing to decide.")
	})
	low := h.asked(func(in *schemas.NewReview) { in.Priority, in.RequestText = "low", "The low one" })
	h.clock.Advance(time.Minute)
	critical := h.asked(func(in *schemas.NewReview) { in.Priority, in.RequestText = "critical", "The critical one" })
	t.Run("the critical stands first, with loop, agent and the time left", func(t *testing.T) {
		page := ada.get("/").Body
		require.Less(t, strings.Index(page, "/reviews/"+critical), strings.Index(page, "/reviews/"+low))
		require.Positive(t, strings.Index(page, "/reviews/"+critical))
		require.Contains(t, page, "Scribe")
		require.Contains(t, page, "Default")
		require.Regexp(t, `Decide by\s*<time datetime="2030-`, page)
	})
	t.Run("a row has a status only where it tells something", func(t *testing.T) {
		require.NotContains(t, ada.get("/").Body, "Waiting for a decision")
	})
	t.Run("what somebody has claimed says who", func(t *testing.T) {
		require.Equal(t, http.StatusSeeOther, grace.post("/reviews/"+low+"/claim", nil).Status)
		require.Contains(t, ada.get("/").Body, "Claimed by Grace")
	})
	t.Run("what one decided stands there for a while", func(t *testing.T) {
		page := ada.get("/reviews/" + critical)
		require.Equal(t, http.StatusSeeOther, ada.post("/reviews/"+critical, filled(t, page, url.Values{"answer": {"true"}})).Status)
		require.Contains(t, ada.get("/").Body, "Decided by you lately")
		require.NotContains(t, grace.get("/").Body, "Decided by you lately")
	})
	t.Run("strangers to the loop have an empty one, owners see all", func(t *testing.T) {
		require.NotContains(t, h.person("Eve").get("/").Body, "/reviews/"+low)
		require.Contains(t, owner.get("/").Body, "/reviews/"+low)
	})
}

func TestReviewPage(t *testing.T) {
	h := newHouse(t)
	ada, grace := h.member("Ada"), h.member("Grace")

	t.Run("a press on a button decides, and the page says who did", func(t *testing.T) {
		id := h.asked(nil)
		page := ada.get("/reviews/" + id)
		require.Equal(t, http.StatusOK, page.Status)
		require.Contains(t, page.Body, "These are the words of")
		require.Contains(t, page.Body, `name="answer" value="true"`)
		require.Contains(t, page.Body, "Approves it")
		got := ada.post("/reviews/"+id, filled(t, page, url.Values{"answer": {"true"}, "comment": {"Go\r\nahead"}}))
		require.Equal(t, http.StatusSeeOther, got.Status, got.Body)
		r := h.review(id)
		require.Equal(t, schemas.Approved, r.Decision)
		require.Equal(t, "page", r.DecidedVia)
		require.Equal(t, "Go\nahead", r.Comment)
		after := grace.get("/reviews/" + id)
		require.Contains(t, after.Body, "Approved by Ada, on the page.")
		require.NotContains(t, after.Body, "data-answer")
	})
	t.Run("a question without labels is answered by yes or no, an action is approved or rejected", func(t *testing.T) {
		id := h.asked(func(in *schemas.NewReview) { in.ResponseConfig = nil })
		page := ada.get("/reviews/" + id)
		require.Regexp(t, `(?s)value="true"><strong dir="auto">Yes</strong>.*value="false"><strong dir="auto">No</strong>`, page.Body)
		require.NotContains(t, page.Body, "Approves it")
		require.NotContains(t, page.Body, "when you do not approve")
		require.Contains(t, page.Body, "this counts: No")
		require.Equal(t, http.StatusSeeOther, ada.post("/reviews/"+id, filled(t, page, url.Values{"answer": {"true"}})).Status)
		require.Contains(t, ada.get("/reviews/"+id).Body, "Answer: Yes")
		require.JSONEq(t, `{"boolean":true,"boolean_label":"True"}`, string(h.review(id).ResponseData))
		id = h.asked(func(in *schemas.NewReview) {
			in.ResponseConfig, in.Action = nil, &schemas.Action{Tool: "pay", Arguments: json.RawMessage(`{}`)}
		})
		page = ada.get("/reviews/" + id)
		require.Regexp(t, `(?s)value="true"><strong dir="auto">Approve</strong>.*value="false"><strong dir="auto">Reject</strong>`, page.Body)
		require.Contains(t, page.Body, "when you do not approve")
	})
	t.Run("who comes too late sees how it ended", func(t *testing.T) {
		id := h.asked(nil)
		late := filled(t, grace.get("/reviews/"+id), url.Values{"answer": {"true"}})
		require.Equal(t, http.StatusSeeOther, ada.post("/reviews/"+id, filled(t, ada.get("/reviews/"+id), url.Values{"answer": {"false"}})).Status)
		got := grace.post("/reviews/"+id, late)
		require.Equal(t, http.StatusConflict, got.Status)
		require.Contains(t, got.Body, "Rejected by Ada")
		require.Contains(t, got.Body, `role="alert"`)
		require.Equal(t, schemas.Rejected, h.review(id).Decision)
	})
	t.Run("nothing chosen keeps the words and says so at the field", func(t *testing.T) {
		id := h.asked(nil)
		got := ada.post("/reviews/"+id, filled(t, ada.get("/reviews/"+id), url.Values{"comment": {"kept words"}}))
		require.Equal(t, http.StatusBadRequest, got.Status)
		require.Contains(t, got.Body, "kept words")
		require.Contains(t, got.Body, `class="wrong" id="answer-0-error"`)
		got = ada.post("/reviews/"+id, filled(t, ada.get("/reviews/"+id), url.Values{"answer": {"true"}, "comment": {strings.Repeat("ä", 2001)}}))
		require.Equal(t, http.StatusBadRequest, got.Status)
		require.Contains(t, got.Body, "The comment may have 2000 characters; this one has 2001.")
		require.Equal(t, schemas.ReviewPending, h.review(id).Status)
	})
	t.Run("a form of another round decides nothing", func(t *testing.T) {
		id := h.asked(nil)
		for _, round := range []string{"2", "", "x"} {
			form := filled(t, ada.get("/reviews/"+id), url.Values{"answer": {"true"}})
			form.Set("round", round)
			require.GreaterOrEqual(t, ada.post("/reviews/"+id, form).Status, 400, round)
		}
		require.Equal(t, schemas.ReviewPending, h.review(id).Status)
	})
	t.Run("others have no such page", func(t *testing.T) {
		id, eve := h.asked(nil), h.person("Eve")
		for _, path := range []string{"", "/audit", "/files/up_1", "/photos/1"} {
			require.Equal(t, http.StatusNotFound, eve.get("/reviews/"+id+path).Status, path)
			require.Equal(t, http.StatusUnauthorized, h.browser().get("/reviews/"+id+path).Status, path)
		}
		for _, path := range []string{"", "/claim", "/release", "/escalate", "/passkey"} {
			require.Equal(t, http.StatusNotFound, eve.post("/reviews/"+id+path, url.Values{"round": {"1"}, "answer": {"true"}}).Status, path)
			require.Equal(t, http.StatusUnauthorized, h.browser().post("/reviews/"+id+path, nil).Status, path)
			require.Equal(t, http.StatusForbidden, ada.post("/reviews/"+id+path, nil, "Origin", "https://evil.example").Status, path)
		}
		require.Equal(t, http.StatusNotFound, ada.get("/reviews/"+id+"/audit").Status, "the trail is for owners")
		require.Equal(t, schemas.ReviewPending, h.review(id).Status)
	})
	t.Run("owners read the trail", func(t *testing.T) {
		id, owner := h.asked(nil), h.person("me")
		require.Contains(t, owner.get("/reviews/"+id).Body, "/reviews/"+id+"/audit")
		got := owner.get("/reviews/" + id + "/audit")
		require.Equal(t, http.StatusOK, got.Status)
		require.Contains(t, got.Body, "Hash: <code>")
		require.Equal(t, http.StatusNotFound, owner.get("/reviews/"+id+"/audit?after=x").Status)
	})
}

func TestEveryResponseType(t *testing.T) {
	h := newHouse(t)
	ada := h.member("Ada")
	for _, c := range []struct{ kind, config, fallback, bad, good, want string }{
		{"boolean", `{}`, `false`, "answer=perhaps", "answer=false", `false`},
		{"single_select", `{"options":["x","y y"]}`, `"x"`, "answer=z", "answer=y+y", `"y y"`},
		{"multi_select", `{"options":["x","y","z"],"max_selections":2}`, `["x"]`, "answer=x&answer=y&answer=z", "answer=x&answer=z", `["x","z"]`},
		{"rating", `{"scale_min":1,"scale_max":5}`, `3`, "answer=9", "answer=4", `4`},
		{"number", `{"min_value":0,"max_value":10,"decimal_places":1}`, `1`, "answer=ten", "answer=2.5", `2.5`},
		{"text", `{"min_length":3}`, `"none"`, "answer=x", "answer=+a+text+", `"a text"`},
		{"editable_text", `{"draft_text":"A draft","max_length":20}`, `"A draft"`, "answer=A+text+that+is+far+too+long", "answer=A+better+one", `"A better one"`},
		{"form", `{"type":"object","required":["name"],"properties":{"name":{"type":"string"},"ok":{"type":"boolean"},"n":{"type":"integer","minimum":1}}}`,
			`{"name":"none"}`, "answer.name=&answer.n=0", "answer.name=Ada&answer.n=3&answer.ok=true", `{"name":"Ada","n":3,"ok":true}`},
	} {
		t.Run(c.kind+" is answered by a plain form", func(t *testing.T) {
			id := h.asked(func(in *schemas.NewReview) {
				in.ResponseType, in.ResponseConfig, in.DefaultResponse = c.kind, json.RawMessage(c.config), json.RawMessage(c.fallback)
			})
			send := func(query string) answer {
				more, err := url.ParseQuery(query)
				require.NoError(t, err)
				more.Set("comment", "kept words")
				return ada.post("/reviews/"+id, filled(t, ada.get("/reviews/"+id), more))
			}
			got := send(c.bad)
			require.Equal(t, http.StatusBadRequest, got.Status, got.Body)
			require.Contains(t, got.Body, "kept words")
			require.Regexp(t, `class="wrong" id="answer-\d+-error"`, got.Body)
			require.Equal(t, schemas.ReviewPending, h.review(id).Status)
			got = send(c.good)
			require.Equal(t, http.StatusSeeOther, got.Status, got.Body)
			require.JSONEq(t, c.want, string(h.review(id).ResponseValue))
			require.Equal(t, http.StatusOK, ada.get("/reviews/"+id).Status)
		})
	}
}

func TestMailedLink(t *testing.T) {
	h := newHouse(t)
	h.member("Ada")

	t.Run("a scanner that opens it a hundred times changes nothing", func(t *testing.T) {
		id := h.asked(nil)
		link := h.mailed()
		for i := range 100 {
			method := []string{http.MethodGet, http.MethodHead}[i%2]
			require.Equal(t, http.StatusOK, h.browser().do(method, link, "", nil).Status)
		}
		r := h.review(id)
		require.Equal(t, schemas.ReviewPending, r.Status)
		require.Equal(t, int64(1), r.Version)
	})
	t.Run("its button decides without signing in, and signs nobody in", func(t *testing.T) {
		id := h.asked(nil)
		link, b := h.mailed(), h.browser()
		page := b.get(link)
		require.Contains(t, page.Body, "You came by the link in a message to")
		require.NotContains(t, page.Body, link+"/claim")
		got := b.post(link, filled(t, page, url.Values{"answer": {"true"}}))
		require.Equal(t, http.StatusSeeOther, got.Status, got.Body)
		require.Equal(t, link, got.Header.Get("Location"))
		require.Equal(t, "link", h.review(id).DecidedVia)
		require.Contains(t, h.browser().get(link).Body, "by the link in the mail")
		require.NotContains(t, b.get("/").Body, "Sign out")
		require.Equal(t, http.StatusConflict, b.post(link, filled(t, page, url.Values{"answer": {"false"}})).Status)
		require.Equal(t, schemas.Approved, h.review(id).Decision)
	})
	t.Run("another site cannot press it, nobody can guess it, and it opens nothing else", func(t *testing.T) {
		id, other := h.asked(nil), h.asked(nil)
		link := h.mailed()
		require.Equal(t, http.StatusForbidden, h.browser().post(link, url.Values{"round": {"1"}, "answer": {"true"}}, "Origin", "https://evil.example").Status)
		require.Equal(t, http.StatusNotFound, h.browser().get("/r/none").Status)
		require.Equal(t, http.StatusNotFound, h.browser().post("/r/none", nil).Status)
		require.Equal(t, http.StatusUnauthorized, h.browser().get("/reviews/"+id).Status)
		require.Equal(t, http.StatusNotFound, h.browser().post(link+"/claim", nil).Status)
		require.Equal(t, schemas.ReviewPending, h.review(other).Status)
	})
	t.Run("it expires", func(t *testing.T) {
		id := h.asked(nil)
		link := h.mailed()
		h.clock.Advance(73 * time.Hour)
		require.Equal(t, http.StatusGone, h.browser().get(link).Status)
		require.Equal(t, http.StatusGone, h.browser().post(link, url.Values{"round": {"1"}, "answer": {"true"}}).Status)
		require.Equal(t, schemas.ReviewPending, h.review(id).Status)
	})
}

func TestClaims(t *testing.T) {
	h := newHouse(t)
	ada, grace := h.member("Ada"), h.member("Grace")
	id := h.asked(nil)

	t.Run("a script renews the lease and learns how long it lasts", func(t *testing.T) {
		got := ada.post("/reviews/"+id+"/claim", nil, "Accept", "application/json")
		require.Equal(t, http.StatusOK, got.Status)
		require.JSONEq(t, `{"lease_seconds":600}`, got.Body)
		require.Contains(t, ada.get("/reviews/"+id).Body, `data-claim="mine"`)
	})
	t.Run("the others are told whose it is", func(t *testing.T) {
		page := grace.get("/reviews/" + id).Body
		require.Equal(t, 1, strings.Count(ada.get("/reviews/"+id).Body, "Claimed by you"))
		require.Contains(t, page, "has claimed this until")
		require.NotContains(t, page, "It is claimed by", "once is enough")
		got := grace.post("/reviews/"+id+"/claim", nil, "Accept", "application/json")
		require.Equal(t, http.StatusConflict, got.Status)
		require.Contains(t, got.Body, "Ada")
		require.Contains(t, grace.post("/reviews/"+id+"/claim", nil).Body, "Ada")
		require.Equal(t, http.StatusConflict, grace.post("/reviews/"+id, url.Values{"round": {"1"}, "answer": {"true"}}).Status)
	})
	t.Run("a page that is left gives it back, as a beacon does", func(t *testing.T) {
		got := ada.do(http.MethodPost, "/reviews/"+id+"/release", "text/plain;charset=UTF-8", nil)
		require.Equal(t, http.StatusSeeOther, got.Status)
		require.Equal(t, schemas.ReviewPending, h.review(id).Status)
		require.Contains(t, grace.get("/reviews/"+id).Body, `data-claim="free"`)
	})
}

func TestActions(t *testing.T) {
	h := newHouse(t)
	ada := h.member("Ada")
	transfer := func(arguments string) string {
		return h.asked(func(in *schemas.NewReview) {
			in.Action = &schemas.Action{Tool: "transfer_money", Arguments: json.RawMessage(arguments)}
		})
	}
	t.Run("it is shown whole, with its digest", func(t *testing.T) {
		long := strings.Repeat("z", 100_000)
		id := transfer(`{"amount":82000,"memo":"` + long + `END"}`)
		page := ada.get("/reviews/" + id)
		require.Contains(t, page.Body, "zzEND")
		require.Contains(t, page.Body, h.review(id).ActionDigest)
	})
	t.Run("a decision about another action is refused", func(t *testing.T) {
		id := transfer(`{"amount":82000}`)
		form := filled(t, ada.get("/reviews/"+id), url.Values{"answer": {"true"}})
		form.Set("action_digest", strings.Repeat("0", 64))
		require.Equal(t, http.StatusConflict, ada.post("/reviews/"+id, form).Status)
		form.Del("action_digest")
		require.GreaterOrEqual(t, ada.post("/reviews/"+id, form).Status, 400)
		require.Equal(t, schemas.ReviewPending, h.review(id).Status)
	})
	t.Run("arguments that were changed are what is approved", func(t *testing.T) {
		id := transfer(`{"amount":820000,"to":"Ada"}`)
		form := filled(t, ada.get("/reviews/"+id), url.Values{"answer": {"true"}, "edited_arguments": {"{\r\n \"amount\": 82000, \"to\": \"Ada\"}"}})
		require.Equal(t, http.StatusSeeOther, ada.post("/reviews/"+id, form).Status)
		require.JSONEq(t, `{"amount":82000,"to":"Ada"}`, string(h.review(id).EditedAction.Arguments))
		require.Contains(t, ada.get("/reviews/"+id).Body, "Approved with changed arguments")
	})
	t.Run("no edit is offered where the request wants none", func(t *testing.T) {
		id := h.asked(func(in *schemas.NewReview) {
			in.Action = &schemas.Action{Tool: "Bash", Arguments: json.RawMessage(`{"command":"rm -rf build"}`)}
			in.ResponseConfig = json.RawMessage(`{"allow_edits":false}`)
		})
		page := ada.get("/reviews/" + id)
		require.NotContains(t, page.Body, "edited_arguments")
		got := ada.post("/reviews/"+id, filled(t, page, url.Values{"answer": {"true"}, "edited_arguments": {`{"command":"ls"}`}}))
		require.Equal(t, http.StatusBadRequest, got.Status)
		require.Contains(t, got.Body, "can only be approved as it was asked")
		require.Equal(t, http.StatusSeeOther, ada.post("/reviews/"+id, filled(t, page, url.Values{"answer": {"true"}})).Status)
	})
	t.Run("arguments that stay are no change, and those of a rejection do not count", func(t *testing.T) {
		for given, decision := range map[string]string{"true": schemas.Approved, "false": schemas.Rejected} {
			id := transfer(`{"amount":1,"hidden":"` + "\u202e" + `"}`)
			page := ada.get("/reviews/" + id)
			shown := regexp.MustCompile(`(?s)name="edited_arguments"[^>]*>(.*?)</textarea>`).FindStringSubmatch(page.Body)[1]
			shown = strings.NewReplacer("&#34;", `"`, "&amp;", "&").Replace(shown)
			if given == "false" {
				shown = "not even JSON"
			}
			got := ada.post("/reviews/"+id, filled(t, page, url.Values{"answer": {given}, "edited_arguments": {strings.ReplaceAll(shown, "\n", "\r\n")}}))
			require.Equal(t, http.StatusSeeOther, got.Status, got.Body)
			require.Equal(t, decision, h.review(id).Decision)
			require.Nil(t, h.review(id).EditedAction)
		}
	})
	t.Run("arguments that are no JSON are kept and explained", func(t *testing.T) {
		id := transfer(`{"amount":1}`)
		for _, typed := range []string{`{"amount": 2`, `[2]`, ``, `{"amount":9007199254740993}`, `{"amount":1,"amount":2}`} {
			got := ada.post("/reviews/"+id, filled(t, ada.get("/reviews/"+id), url.Values{"answer": {"true"}, "edited_arguments": {typed}}))
			require.Equal(t, http.StatusBadRequest, got.Status, typed)
			require.Contains(t, got.Body, `id="answer-edited_arguments-error"`, typed)
			require.Contains(t, got.Body, strings.ReplaceAll(typed, `"`, "&#34;")+"</textarea>")
		}
		require.Equal(t, schemas.ReviewPending, h.review(id).Status)
	})
}

func TestWordsOfAgents(t *testing.T) {
	h := newHouse(t)
	ada := h.member("Ada")
	id := h.asked(func(in *schemas.NewReview) {
		in.Title, in.RequestText, in.AgentName = attack, "Look: "+attack+"\n\n![x](https://evil.example/pixel.png)", attack
		in.Context = json.RawMessage(`{"<script>alert(1)</script>":"<img src=x onerror=alert(2)>"}`)
		in.Type, in.ImageURL = "image", "https://evil.example/pixel.png"
		in.Action = &schemas.Action{Tool: "<script>alert(1)</script>", Arguments: json.RawMessage(`{"a":"<script>alert(1)</script>","b":"` + "\u202e" + `"}`)}
		in.ResponseConfig = json.RawMessage(`{"true_label":"<script>alert(1)</script>","false_label":"\"><img src=x onerror=alert(2)>"}`)
	})
	for _, path := range []string{"/", "/reviews/" + id} {
		t.Run("are words on "+path, func(t *testing.T) {
			got := ada.get(path)
			require.NotContains(t, got.Body, "<script>alert")
			require.NotContains(t, got.Body, "<img src=x")
			require.NotContains(t, got.Body, `src="https://evil.example`)
			require.Contains(t, got.Body, "&lt;script&gt;")
			require.Contains(t, got.Header.Get("Content-Security-Policy"), "default-src 'none'")
			require.NotContains(t, got.Header.Get("Content-Security-Policy"), "unsafe")
		})
	}
	t.Run("with characters that are not seen are flagged", func(t *testing.T) {
		got := ada.get("/reviews/" + id)
		require.Contains(t, got.Body, "characters that cannot be seen")
		require.NotContains(t, got.Body, "\u202e")
	})
}

func TestFilesOfReviews(t *testing.T) {
	h := newHouse(t)
	ada := h.member("Ada")
	up, err := h.uploads.UploadFile(account.With(t.Context(), h.agent), schemas.Empty{}, []schemas.File{fileOf("a.jpg", jpegOf(t, 1))}, true)
	require.NoError(t, err)
	other, err := h.uploads.UploadFile(account.With(t.Context(), h.agent), schemas.Empty{}, []schemas.File{fileOf("b.jpg", jpegOf(t, 2))}, true)
	require.NoError(t, err)
	id := h.asked(func(in *schemas.NewReview) { in.Type, in.ImageURL = "image", up.URL })
	name := func(address string) string { return address[strings.LastIndex(address, "/")+1:] }

	t.Run("an uploaded image is shown", func(t *testing.T) {
		require.Contains(t, ada.get("/reviews/"+id).Body, fmt.Sprintf(`<img src="/reviews/%s/files/%s"`, id, name(up.URL)))
		got := ada.get("/reviews/" + id + "/files/" + name(up.URL))
		require.Equal(t, http.StatusOK, got.Status)
		require.Equal(t, "image/jpeg", got.Header.Get("Content-Type"))
		require.Contains(t, got.Header.Get("Content-Security-Policy"), "sandbox")
		require.Equal(t, http.StatusOK, h.browser().get(h.mailed()+"/files/"+name(up.URL)).Status)
	})
	t.Run("a file that the request does not show stays closed", func(t *testing.T) {
		require.Equal(t, http.StatusNotFound, ada.get("/reviews/"+id+"/files/"+name(other.URL)).Status)
		require.Equal(t, http.StatusNotFound, h.person("Eve").get("/reviews/"+id+"/files/"+name(up.URL)).Status)
	})
}
