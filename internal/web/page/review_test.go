package page

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"humanops-mcp/internal/answer"
	"humanops-mcp/schemas"
)

func render(t *testing.T, c templ.Component) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, c.Render(t.Context(), &out))
	return out.String()
}

func reviewOf(change func(r *schemas.Review)) schemas.Review {
	r := schemas.Review{
		ID: "65f1a2b3c4d5e6f7a8b9c0d1", LoopID: "65f1a2b3c4d5e6f7a8b9c0d2", LoopName: "Payments " + attack, AgentName: "Book-keeper " + attack, Mode: "live",
		Priority: "critical", RequestText: "Pay the **invoice**?\n\n" + attack + "\n\n![seen](https://evil.example/x.png \"hover\")\n\n[click](javascript:alert(1)) <https://elsewhere.example/a>",
		Context: json.RawMessage(`{"risk_score":0.7,"flags":["new payee"],"nested":{"<b>":"` + "\u202e" + `x"}}`), ResponseType: "boolean",
		Action:       &schemas.Action{Tool: "transfer_money", Arguments: json.RawMessage(`{"amount":82000,"to":"` + "\u202eevil" + `"}`)},
		ActionDigest: strings.Repeat("ab", 32), Status: schemas.ReviewPending, Round: 1, CreatedAt: now.Add(-time.Hour), UpdatedAt: now, TimeoutAt: now.Add(time.Hour),
		BroadcastedTo: []schemas.Recipient{{UserID: "op_1", Name: "Ada"}, {UserID: "op_2", Name: "Grace"}},
		May:           &schemas.ReviewerMay{Decide: true, Claim: true, Escalate: true},
	}
	if change != nil {
		change(&r)
	}
	return r
}

func reviewPage(t string, config string, change func(v *ReviewPage)) ReviewPage {
	v := ReviewPage{
		Frame: Frame{Title: "Review", Name: "Ada", Wide: true, Owner: true, Scripts: []string{"review.js", "passkey.js"}}, Me: "op_1", Base: "/reviews/65f1a2b3c4d5e6f7a8b9c0d1",
		Owner: true, Now: at(0), Lease: 600, Review: reviewOf(func(r *schemas.Review) { r.ResponseType = t }),
		Media: []Medium{{Label: "Image", Href: "/reviews/1/files/up_1", Show: true}, {Label: "File on another server", Href: "https://evil.example/a", Address: "https://evil.example/a"}},
	}
	spec, err := answer.Parse(t, json.RawMessage(config))
	if err != nil {
		panic(err)
	}
	v.Fields = spec.Fields()
	if change != nil {
		change(&v)
	}
	return v
}

// configs are the response types, each with words that try to break out.
var configs = map[string]string{
	"text":          `{"min_length":3,"max_length":100,"placeholder":"\"><b>"}`,
	"single_select": `{"options":[{"value":"a\"><script>","label":"<script>alert(1)</script>","description":"<img src=x onerror=1>"},"b"]}`,
	"multi_select":  `{"options":["a","b","c"],"max_selections":2}`,
	"rating":        `{"scale_min":1,"scale_max":5,"labels":{"1":"<script>","5":"good"}}`,
	"number":        `{"min_value":0,"max_value":100,"prefix":"<b>$","decimal_places":2}`,
	"boolean":       `{"true_label":"Pay it","false_label":"Do not"}`,
	"editable_text": `{"draft_text":"</textarea><script>alert(1)</script>"}`,
	"form": `{"type":"object","required":["name","plan"],"properties":{"name":{"type":"string","title":"<script>Name"},"n":{"type":"number","minimum":1},
		"i":{"type":"integer"},"ok":{"type":"boolean"},"plan":{"enum":["x","y"]},"many":{"type":"array","items":{"enum":["p","q"]}},"day":{"type":"date"},"file":{"type":"file"}}}`,
}

func reviewSamples() map[string]templ.Component {
	out := map[string]templ.Component{}
	for kind, config := range configs {
		out["review-"+kind] = Review(reviewPage(kind, config, nil))
		out["review-wrong-"+kind] = Review(reviewPage(kind, config, func(v *ReviewPage) {
			v.Form = Form{Name: "answer", Values: map[string]string{"comment": attack}, Lists: map[string][]string{"answer": {"a"}}, Order: v.order(),
				Errors: map[string]string{v.Fields[0].Name: "Your answer is required.", "comment": "Too long."}}
		}))
	}
	means := func(v *ReviewPage) {
		v.Means = map[string]string{}
		for i, o := range v.Fields[0].Options {
			v.Means[o.Value] = []string{schemas.Approved, schemas.Rejected}[i]
		}
	}
	out["review-buttons"] = Review(reviewPage("boolean", `{}`, means))
	out["review-link"] = Review(reviewPage("boolean", `{}`, func(v *ReviewPage) { means(v); v.As, v.Name, v.Owner = "Ada", "", false }))
	out["review-passkey"] = Review(reviewPage("boolean", `{}`, func(v *ReviewPage) {
		means(v)
		v.Review.May.Passkey, v.Passkey = true, PasskeyHelp{Missing: true, Localhost: ""}
	}))
	until := now.Add(8 * time.Minute)
	out["review-claimed"] = Review(reviewPage("boolean", `{}`, func(v *ReviewPage) {
		v.Review.Status, v.Review.ClaimedBy, v.Review.ClaimedByName, v.Review.ClaimEndsAt = schemas.ReviewClaimed, "op_2", "Grace", &until
		v.Review.May = &schemas.ReviewerMay{Why: "It is claimed by Grace."}
	}))
	out["review-blind"] = Review(reviewPage("boolean", `{}`, func(v *ReviewPage) {
		v.Review.ReviewMode, v.Review.AnswersIn = &schemas.ReviewMode{Mode: "quorum", Threshold: 2}, 1
	}))
	for _, status := range []schemas.ReviewStatus{schemas.ReviewCompleted, schemas.ReviewTimeout, schemas.ReviewCancelled} {
		out["review-"+string(status)] = Review(reviewPage("boolean", `{}`, func(v *ReviewPage) { finish(v, status) }))
	}
	out["review-round"] = Review(reviewPage("boolean", `{}`, func(v *ReviewPage) {
		v.Review.Round = 2
		v.Review.Rounds = []schemas.ReviewRound{{Round: 1, RequestText: "Pay the bill?", Action: &schemas.Action{Tool: "transfer_money", Arguments: json.RawMessage(`{"amount":820000}`)},
			Comment: "Too much " + attack, Decision: schemas.NeedsChanges, ResponseBy: &schemas.ReviewPerson{Name: "Grace"}, ResponseAt: now}}
	}))
	out["review-proof"] = Review(reviewPage("boolean", `{}`, func(v *ReviewPage) {
		v.Review.TaskID, v.Review.BroadcastedTo = "task_1", nil
		v.Task = &Seen{Task: schemas.TaskView{TaskID: "task_1", Title: "Photo", ProofRequirements: []string{"Facade"}, Submissions: submissions(), Description: attack}, Submission: 1, Photos: "/reviews/1/photos/", Now: at(0)}
	}))
	out["audit"] = Audit(AuditPage{Frame: Frame{Title: "Audit", Name: "Ada"}, Review: reviewOf(nil), Base: "/reviews/1", Now: at(0),
		Trail: schemas.ReviewAudit{HasMore: true, Entries: []schemas.AuditEntry{{N: 1, Kind: "created", Actor: "ag_1", Via: "api", At: now, Data: json.RawMessage(`{"a":"<script>"}`), Hash: "ab"}}}})
	return out
}

func finish(v *ReviewPage, status schemas.ReviewStatus) {
	v.Review.Status, v.Review.May = status, &schemas.ReviewerMay{Why: "It is over already."}
	switch status {
	case schemas.ReviewCompleted:
		v.Review.Decision, v.Review.ResponseSource, v.Review.DecidedVia = schemas.Approved, schemas.SourceHuman, "link"
		v.Review.ResponseByUser, v.Review.EffectiveResponse, v.Review.Comment = &schemas.ReviewPerson{Name: "Grace"}, json.RawMessage(`true`), attack
		v.Review.EditedAction = &schemas.Action{Tool: "transfer_money", Arguments: json.RawMessage(`{"amount":100}`)}
	case schemas.ReviewTimeout:
		v.Review.Decision, v.Review.ResponseSource, v.Review.EffectiveResponse = schemas.Rejected, schemas.SourceDefault, json.RawMessage(`false`)
	case schemas.ReviewCancelled:
		v.Review.ResponseSource, v.Review.CancelReason = schemas.SourceCancelled, attack
	case schemas.ReviewPending, schemas.ReviewClaimed:
	}
}

func houseSamples() map[string]templ.Component {
	owner := Frame{Title: "Loop", Name: "Ada", Owner: true, Scripts: []string{"passkey.js"}}
	loop := schemas.Loop{ID: "65f1a2b3c4d5e6f7a8b9c0d2", Slug: "payments", Name: attack, AgentID: "ag_1", Problems: []string{"Step 1 reaches nobody."}, MemberCount: 1, PendingCount: 1,
		Members: []schemas.Member{{UserID: "op_1", Name: "Ada", Status: "active", Role: "admin"}, {UserID: "op_2", Name: attack, Status: "pending"}}, Settings: schemas.LoopSettings{Passkey: true}}
	settings := Form{Name: "settings", Values: map[string]string{"name": attack, "p0_s5_to": "Ada"}, Errors: map[string]string{"p0_s5_to": "Who is told must be somebody."}}
	settings.Order = SettingsFields(settings)
	people := []schemas.Person{{OperatorID: "op_1", Name: "Ada"}}
	row := ReviewRow{Review: reviewOf(nil), Until: at(time.Hour)}
	inboxPage := startPage()
	proof := row
	proof.Task = &schemas.TaskView{TaskID: "task_1", Status: "MANUAL_REVIEW", TaskType: "PHOTO", Location: austin, RewardUSD: 15 * schemas.USD, Operator: &schemas.Performer{Name: attack}}
	inboxPage.Unasked = inboxPage.Waiting
	inboxPage.Reviews, inboxPage.Claimed, inboxPage.Elsewhere, inboxPage.Decided, inboxPage.Admission = []ReviewRow{row, proof}, []ReviewRow{row}, []ReviewRow{row}, []ReviewRow{row}, []string{attack}
	return map[string]templ.Component{
		"inbox":      Start(inboxPage),
		"join":       Join(JoinPage{Frame: Frame{Title: "Join"}, Loop: attack, Inviter: attack, ByAgent: true, Action: "/join/A"}),
		"join-known": Join(JoinPage{Frame: Frame{Title: "Join", Name: "Ada"}, Loop: "Payments", Inviter: "Ada", Admits: true, Action: "/join/A"}),
		"loops":      Loops(LoopsPage{Frame: owner, Loops: []schemas.Loop{loop}, Next: "x"}),
		"loop": Loop(LoopPage{Frame: owner, Loop: loop, People: people, Settings: settings, Form: settings, Now: at(0),
			Invitation: &schemas.Invitation{InviteCode: "ABC123DEF", JoinURL: "https://house.example/join/ABC123DEF", ExpiresAt: now.Add(time.Hour)}}),
		"groups": Groups(GroupsPage{Frame: owner, People: people, Groups: []schemas.Group{{ID: "grp_1", Name: attack, Members: []schemas.PersonBrief{{Name: "Ada"}}}}}),
		"me": Me(MePage{Frame: owner, Now: at(0), Passkeys: []PasskeyRow{{ID: "k1", Name: attack, Created: at(-time.Hour), Used: at(-time.Minute)}},
			Hours: Form{Name: "hours", Values: map[string]string{"from4": "09:00"}, Lists: map[string][]string{"days4": {"mon"}}}}),
	}
}

func TestWordsOfAnAgent(t *testing.T) {
	shown := render(t, markdown("# Head\n\n**bold** <script>alert(1)</script> <b>x</b>\n\n<div onclick=a>block</div>\n\n[//]: # (hidden note)\n\n<!-- hidden comment -->"))
	t.Run("HTML stays text", func(t *testing.T) {
		require.Contains(t, shown, "&lt;script&gt;alert(1)&lt;/script&gt;")
		require.Contains(t, shown, "&lt;div onclick=a&gt;")
		require.NotContains(t, shown, "<div")
	})
	t.Run("nothing is hidden in comments and link definitions", func(t *testing.T) {
		require.Contains(t, shown, "hidden note")
		require.Contains(t, shown, "hidden comment")
	})
	t.Run("headings stand below those of the page", func(t *testing.T) { require.Contains(t, shown, "<h3>Head</h3>") })
	t.Run("an image is a link that shows its address", func(t *testing.T) {
		shown := render(t, markdown(`![a picture](https://evil.example/pixel.png?u=1 "over")`))
		require.NotContains(t, shown, "<img")
		require.Contains(t, shown, `rel="noopener noreferrer nofollow"`)
		require.Contains(t, shown, "(https://evil.example/pixel.png?u=1 — over)")
	})
	t.Run("a link shows where it leads, and leads nowhere by script", func(t *testing.T) {
		require.Contains(t, render(t, markdown("[my bank](https://evil.example/)")), `my bank</a> <span class="address">(https://evil.example/)</span>`)
		for _, address := range []string{"javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "//evil.example", "&#106;avascript:alert(1)", "java&#10;script:alert(1)"} {
			require.NotContains(t, render(t, markdown("[x]("+address+")")), "<a ", address)
		}
	})
	t.Run("a table, a list and code are laid out without inline style", func(t *testing.T) {
		shown := render(t, markdown("| a | b |\n|:-:|---|\n| 1 | 2 |\n\n- x\n- y\n\n```js\nlet a = \"<b>\";\n```"))
		require.Contains(t, shown, "<table>")
		require.NotContains(t, shown, "style=")
		require.Contains(t, shown, "&lt;b&gt;")
	})
	t.Run("characters that are not seen are shown by number, also those written as entities", func(t *testing.T) {
		for _, source := range []string{"pay\u202e0001", "pay&#x202e;0001", "pay&rlm;", "a\u200bb", "a\u00adb", "tag\U000e0041", "\u2066x\u2069", "`a\u202e`"} {
			require.Contains(t, render(t, markdown(source)), "⟦U+", source)
			require.True(t, hidesMarkdown(source), source)
		}
		for _, source := range []string{"grüß Gott", "家族 👨‍👩‍👧", "می\u200cخواهم", "a\tb\nc", "naïve — “quoted” …", "❤️"} {
			require.NotContains(t, render(t, markdown(source)), "⟦", source)
			require.False(t, hidesMarkdown(source), source)
		}
	})
}

func TestJSONForReaders(t *testing.T) {
	t.Run("arguments are whole, and the same JSON", func(t *testing.T) {
		raw := json.RawMessage(`{"a":"` + "\u202e" + `x","tag":"` + "\U000e0041" + `","list":[1,{"deep":true}],"n":0.1,"long":"` + strings.Repeat("y", 100_000) + `"}`)
		shown := prettyJSON(raw)
		require.JSONEq(t, string(raw), shown)
		require.Contains(t, shown, `\u202e`)
		require.NotContains(t, shown, "\u202e")
		require.True(t, hidesJSON(raw))
		require.True(t, hidesJSON(json.RawMessage(`{"a":"\u200b"}`)), "also where it came escaped")
	})
	t.Run("values keep their order and their digits", func(t *testing.T) {
		n := tree(json.RawMessage(`{"z":1.50,"a":{"b":[true,null,"x"]},"e":{},"f":[]}`))
		require.Equal(t, "z", n.named[0].name)
		require.Equal(t, "1.50", n.named[0].value.text)
		require.Equal(t, "null", n.named[1].value.named[0].value.list[1].text)
		require.Equal(t, "{}", n.named[2].value.text)
	})
	t.Run("what lies deep is shown as JSON", func(t *testing.T) {
		require.Contains(t, render(t, tree(json.RawMessage(strings.Repeat(`{"a":`, 40)+`"bottom"`+strings.Repeat(`}`, 40))).show()), "bottom")
	})
}

func TestTheHeadSaysWhatFollowsWhenNobodyDecides(t *testing.T) {
	for name, test := range map[string]struct{ config, fallback, onTimeout, words string }{
		"an option is named as its button is": {`{"false_label":"Hold it"}`, "false", "default", "If nobody does, this counts: Hold it<"},
		"hidden characters are written out":   {`{}`, `"\u202ex"`, "default", "this counts: ⟦U+202E⟧x<"},
		"several are a list":                  {`{}`, `["a","b"]`, "default", "this counts: a, b<"},
		"it is withdrawn":                     {`{}`, "false", "cancel", "it is withdrawn and nothing is approved"},
		"there is no default":                 {`{}`, "", "default", "it is withdrawn and nothing is approved"},
	} {
		t.Run(name, func(t *testing.T) {
			out := render(t, Review(reviewPage("boolean", test.config, func(v *ReviewPage) {
				v.Review.DefaultResponse, v.Review.OnTimeout = json.RawMessage(test.fallback), test.onTimeout
			})))
			require.Contains(t, out, test.words)
		})
	}
	final := reviewPage("boolean", `{}`, func(v *ReviewPage) {
		v.Review.Status, v.Review.DefaultResponse = schemas.ReviewCompleted, json.RawMessage("false")
	})
	require.NotContains(t, render(t, Review(final)), "If nobody does")
}

func TestAChoiceOnProofSaysWhatItDoesToTheMoney(t *testing.T) {
	options := make([]answer.Option, len(schemas.ProofDecisions))
	for i, d := range schemas.ProofDecisions {
		options[i] = answer.Option{Value: d.Word, Label: d.Label, Description: d.Effect}
	}
	shown := func(change func(t *schemas.TaskView)) (out []string) {
		task := schemas.TaskView{EscrowUSD: 15 * schemas.USD, ChangesLeft: 2, Operator: &schemas.Performer{Name: "Ada"}}
		change(&task)
		for _, o := range ProofOptions(task, options) {
			out = append(out, o.Label+": "+o.Description)
		}
		return out
	}
	require.Equal(t, []string{
		"Approve: The operator is paid. $15.00 goes to Ada. This is final.",
		"Request changes: The operator submits again. Ada reads your reasons and has 24 hours more. Possible 2 more times.",
		"Reject: Opens a dispute, which an owner settles. $15.00 stays held until then.",
		"Refund: The agent gets the reward back. $15.00 goes back, and the task ends. This is final.",
	}, shown(func(*schemas.TaskView) {}))
	require.Equal(t, []string{
		"Approve: The task is done. This is final.", "Reject: Opens a dispute, which an owner settles.", "Refund: Ends the task. This is final.",
	}, shown(func(t *schemas.TaskView) { t.EscrowUSD, t.ChangesLeft, t.Operator = 0, 0, nil }), "no reward is paid, and what is used up is not offered")
}

func TestAProofSaysWhatFollowsWhenNobodyDecides(t *testing.T) {
	require.Contains(t, render(t, Review(proofPage(schemas.ManualReview))), "If nobody does, the task goes into dispute")
	require.Contains(t, render(t, Review(proofPage(schemas.Disputed))), "If nobody does, the operator is paid.")
	early, soon := proofPage(schemas.Disputed), now.Add(time.Minute)
	early.Review.EndsAt = &soon
	require.Contains(t, render(t, Review(early)), "If nobody does, people are asked anew.")
}

func TestARowSaysHowManyHaveAnswered(t *testing.T) {
	require.Empty(t, rowChip(reviewOf(nil)).word)
	require.Equal(t, "2 answers in", rowChip(reviewOf(func(r *schemas.Review) { r.AnswersIn = 2 })).word)
	require.Equal(t, "Claimed", rowChip(reviewOf(func(r *schemas.Review) { r.Status = schemas.ReviewClaimed })).word)
	require.Equal(t, "Claimed by Grace", rowChip(reviewOf(func(r *schemas.Review) { r.Status, r.ClaimedByName = schemas.ReviewClaimed, "Grace" })).word)
}

func TestTheHeadNamesTheEndThatComesFirst(t *testing.T) {
	v := reviewPage("boolean", `{}`, nil)
	early := now.Add(20 * time.Minute)
	v.Review.EndsAt = &early
	require.Contains(t, render(t, Review(v)), `<time datetime="`+v.Now.to(early).machine()+`"`)
	require.NotContains(t, render(t, Review(v)), v.Now.to(v.Review.TimeoutAt).machine())
}

func TestOnlyThoseWhoTakeTasksHearOfPhotos(t *testing.T) {
	require.Contains(t, render(t, SignIn(SignInView{Person: "Ada", Tasks: true})), "photograph")
	require.NotContains(t, render(t, SignIn(SignInView{Person: "Ada"})), "photograph")
}

func TestPasskeyHelpStandsWhereItIsNeeded(t *testing.T) {
	v := LoopPage{Loop: schemas.Loop{ID: "l", Name: "Payments"}, Localhost: "http://localhost:1/loops/l", Now: at(0), Settings: Form{Name: "settings"}}
	shown := render(t, Loop(v))
	require.Less(t, strings.Index(shown, "Demand passkeys"), strings.Index(shown, "an address made of numbers"))
	v.Loop.Settings.Passkey = true
	shown = render(t, Loop(v))
	require.Less(t, strings.Index(shown, "an address made of numbers"), strings.Index(shown, "Demand passkeys"))
	require.Equal(t, 1, strings.Count(shown, "an address made of numbers"))
}

func TestTheLimitsOfATextAreOneSentence(t *testing.T) {
	v := reviewPage("text", `{"min_length":5,"max_length":200}`, nil)
	require.Equal(t, "At least 5 characters, up to 200 characters.", bounds(v.Fields[0]))
}

func TestTheTrailNamesPeopleAndTheAgent(t *testing.T) {
	v := AuditPage{Review: reviewOf(func(r *schemas.Review) {
		r.AgentID, r.AgentName, r.ResponseByUser = "ag_1", "Book\u202ekeeper", &schemas.ReviewPerson{UserID: "op_3", Name: "Eve"}
	})}
	require.Equal(t, "Book⟦U+202E⟧keeper (ag_1)", v.who("ag_1"))
	require.Equal(t, "Ada (op_1)", v.who("op_1"))
	require.Equal(t, "Eve (op_3)", v.who("op_3"))
	require.Equal(t, "op_9", v.who("op_9"))
}

func TestDifferences(t *testing.T) {
	t.Run("words that went and came stand beside those that stayed", func(t *testing.T) {
		require.Equal(t, []change{{"", "pay "}, {"del", "820000 "}, {"ins", "82000 "}, {"", "to Ada"}}, diffWords("pay 820000 to Ada", "pay 82000 to Ada"))
	})
	t.Run("both texts can be read out of it", func(t *testing.T) {
		for _, pair := range [][2]string{{"", "a"}, {"a b c", ""}, {"one\ntwo\nthree", "zero\none\nthree\nfour"}, {"x", "x"}, {strings.Repeat("a ", 3000), strings.Repeat("b ", 3000)}} {
			var before, after strings.Builder
			for _, c := range diffWords(pair[0], pair[1]) {
				if c.kind != "ins" {
					before.WriteString(c.text)
				}
				if c.kind != "del" {
					after.WriteString(c.text)
				}
			}
			require.Equal(t, pair[0], before.String())
			require.Equal(t, pair[1], after.String())
		}
	})
}

func TestDecidingButtons(t *testing.T) {
	v := reviewPage("boolean", `{"true_label":"Reject","false_label":"Approve","true_color":"#dc2626"}`, func(v *ReviewPage) {
		v.Means = map[string]string{v.Fields[0].Options[0].Value: schemas.Approved, v.Fields[0].Options[1].Value: schemas.Rejected}
	})
	doc, err := html.Parse(strings.NewReader(render(t, Review(v))))
	require.NoError(t, err)
	for _, b := range find(elements(doc), "button") {
		if strings.Contains(attr(b, "class"), "verdict yes") {
			require.Contains(t, text(b), "Approves it", "whatever the agent calls it")
			return
		}
	}
	t.Fatal("no button approves")
}
