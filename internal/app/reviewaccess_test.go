package app

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/schemas"
)

// ofReviews tells the routes that reviewCases has.
func ofReviews(info schemas.Info) bool {
	return info.Contract.Name() == schemas.Reviews.Name() || strings.HasSuffix(info.Path, "/availability")
}

// reviewObject is a loop of the house's live agent with Rita in it, and what there is in
// it: a request, a webhook, a file.
type reviewObject struct {
	loop, request, nonce string
	webhook, delivery    string
	upload, code         string
	crowd                crowd
}

// reviewCase is what a route of reviews needs to succeed.
type reviewCase struct {
	make  func(h *house, o *reviewObject) // beyond the loop
	open  bool                            // it is about nothing that is anybody's
	query string
	body  func(h *house, o reviewObject) any
	// want are the statuses of callers whom neither the route's Access nor their not being
	// in the loop explains.
	want func(c crowd) map[string]int
}

func with1(name string, value any) func(*house, reviewObject) any {
	return func(*house, reviewObject) any { return map[string]any{name: value} }
}

// request makes a request in the loop, and has done what brings it to a state.
func request(steps ...func(h *house, o *reviewObject)) func(h *house, o *reviewObject) {
	return func(h *house, o *reviewObject) {
		h.made++
		body := map[string]any{
			"request_text": fmt.Sprintf("Publish post %d?", h.made), "default_response": "rejected",
			"action": map[string]any{"tool": "publish", "arguments": map[string]any{"post": h.made}},
		}
		body["response_type"] = "single_select"
		body["response_config"] = map[string]any{"options": []string{"approved", "rejected", "needs_changes"}}
		o.request = h.must(h.live(), "POST", "/v1/loops/"+o.loop+"/requests", body).text("data.request_id")
		for _, step := range steps {
			step(h, o)
		}
	}
}

func claim(h *house, o *reviewObject) {
	h.must(o.crowd.rita, "POST", "/v1/requests/"+o.request+"/claim", nil)
}

func answered(word string) func(h *house, o *reviewObject) {
	return func(h *house, o *reviewObject) {
		h.must(o.crowd.rita, "POST", "/v1/requests/"+o.request+"/respond", h.answer(o.request, word))
		if word == "approved" {
			o.nonce = h.must(h.live(), "GET", "/v1/requests/"+o.request+"/receipt", nil).text("data.receipt.nonce")
		}
	}
}

func praised(h *house, o *reviewObject) {
	h.must(h.live(), "POST", "/v1/requests/"+o.request+"/feedback", map[string]any{"feedback": map[string]any{"rating": 5}})
}

// answer is the body of a decision on the request as it stands.
func (h *house) answer(request, word string) map[string]any {
	seen := h.must(h.live(), "GET", "/v1/requests/"+request, nil)
	return map[string]any{"response_data": word, "round": 1, "action_digest": seen.text("data.request.action_digest")}
}

func hooked(h *house, o *reviewObject) {
	for _, old := range h.must(h.live(), "GET", "/v1/webhooks", nil).body["data"].(map[string]any)["webhooks"].([]any) {
		h.must(h.live(), "DELETE", "/v1/webhooks/"+old.(map[string]any)["id"].(string), nil)
	}
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	h.t.Cleanup(receiver.Close)
	o.webhook = h.must(h.live(), "POST", "/v1/webhooks", map[string]any{"url": receiver.URL, "loop_id": o.loop}).text("data.id")
	request()(h, o)
	h.work()
	list := h.must(h.live(), "GET", "/v1/webhooks/"+o.webhook+"/deliveries", nil)
	deliveries := list.body["data"].(map[string]any)["deliveries"].([]any)
	require.NotEmpty(h.t, deliveries, list.raw)
	o.delivery = deliveries[0].(map[string]any)["id"].(string)
}

func uploaded(h *house, o *reviewObject) {
	file := h.must(h.live(), "POST", "/v1/upload/document", multipartBody{files: []file{{"list.csv", []byte("a,b\n1,2\n")}}})
	url := file.text("data.url")
	o.upload = url[strings.LastIndex(url, "/")+1:]
	h.must(h.live(), "POST", "/v1/loops/"+o.loop+"/requests", map[string]any{
		"request_text": "Is list " + o.upload + " complete?", "type": "file", "file_url": url,
	}) // who sees the request sees its file
}

func invited(h *house, o *reviewObject) {
	h.made++
	o.loop = h.must(h.owner(), "POST", "/v1/loops", map[string]any{"name": fmt.Sprintf("Joined %d", h.made)}).text("data.loop.id")
	o.code = h.must(h.owner(), "POST", "/v1/loops/"+o.loop+"/invitations", nil).text("data.invite_code")
}

// notTheOwner: a webhook is whoever's made it.
func notTheOwner(crowd) map[string]int {
	return map[string]int{"the owner by the command's token": 404}
}

// reviewCases has one entry for each route of reviews.
func reviewCases() map[string]reviewCase {
	named := func(h *house, _ reviewObject) any {
		h.made++
		return map[string]any{"name": fmt.Sprintf("Name %d", h.made)}
	}
	asking := func(h *house, _ reviewObject) any {
		h.made++
		return map[string]any{"content": fmt.Sprintf("Post %d", h.made)}
	}
	decided := func(h *house, o reviewObject) any { return h.answer(o.request, "rejected") }
	hours := with1("time_zone", "Europe/Vienna")
	document := func(*house, reviewObject) any { return multipartBody{files: []file{{"list.csv", []byte("a,b\n")}}} }
	photo := func(h *house, _ reviewObject) any { return multipartBody{files: []file{{"a.jpg", photoBytes(h.t)}}} }
	everyAgent := func(status int) func(crowd) map[string]int {
		return func(c crowd) map[string]int {
			return map[string]int{"the same agent's test key": status, c.elseAgent.name: status, c.elseTest.name: status}
		}
	}
	return map[string]reviewCase{
		schemas.CheckKey.Info().Pattern():          {open: true},
		schemas.CreateLoop.Info().Pattern():        {open: true, body: named},
		schemas.ListLoops.Info().Pattern():         {open: true},
		schemas.GetLoop.Info().Pattern():           {},
		schemas.UpdateLoop.Info().Pattern():        {body: named},
		schemas.DeleteLoop.Info().Pattern():        {},
		schemas.ListMembers.Info().Pattern():       {},
		schemas.AddMember.Info().Pattern():         {body: with1("user_id", "Bob")},
		schemas.RemoveMember.Info().Pattern():      {},
		schemas.CreateInvitation.Info().Pattern():  {},
		schemas.RevokeInvitations.Info().Pattern(): {},
		schemas.JoinLoop.Info().Pattern(): {make: invited, open: true, body: func(_ *house, o reviewObject) any {
			return map[string]any{"invite_code": o.code}
		}},
		schemas.CreateReview.Info().Pattern(): {body: asking},
		schemas.CreateReviews.Info().Pattern(): {want: everyAgent(200), body: func(h *house, o reviewObject) any {
			return map[string]any{"requests": []any{asking(h, o), asking(h, o)}}
		}},
		schemas.ListLoopReviews.Info().Pattern():    {},
		schemas.ListReviews.Info().Pattern():        {open: true},
		schemas.GetReview.Info().Pattern():          {make: request()},
		schemas.GetReviewResponse.Info().Pattern():  {make: request()},
		schemas.GetReviewStatus.Info().Pattern():    {make: request()},
		schemas.UpdateReview.Info().Pattern():       {make: request(), body: with1("priority", "high")},
		schemas.OpenRound.Info().Pattern():          {make: request(answered("needs_changes")), body: with1("request_text", "And now?")},
		schemas.CancelReview.Info().Pattern():       {make: request()},
		schemas.CancelReviewByPost.Info().Pattern(): {make: request(claim)},
		schemas.AddFeedback.Info().Pattern():        {make: request(answered("rejected")), body: with1("feedback", map[string]any{"rating": 4})},
		schemas.GetFeedback.Info().Pattern():        {make: request(answered("rejected"), praised)},
		schemas.WaitReview.Info().Pattern():         {make: request(), query: "?timeout=0"},
		schemas.WaitAny.Info().Pattern():            {make: request(), query: "?ids={request_id}"},
		schemas.ReviewEvents.Info().Pattern():       {make: request(answered("approved"))},
		schemas.AcknowledgeReviews.Info().Pattern(): {make: request(), want: everyAgent(200), body: func(_ *house, o reviewObject) any {
			return map[string]any{"items": []any{map[string]any{"request_id": o.request, "version": 1}}}
		}},
		schemas.FindPrecedents.Info().Pattern(): {open: true},
		schemas.GetReviewAudit.Info().Pattern(): {make: request()},
		schemas.ClaimReview.Info().Pattern():    {make: request()},
		schemas.ReleaseReview.Info().Pattern():  {make: request(claim)},
		schemas.DecideReview.Info().Pattern():   {make: request(), body: decided},
		schemas.EscalateReview.Info().Pattern(): {make: request()},
		schemas.GetReceipt.Info().Pattern():     {make: request(answered("approved"))},
		schemas.ConsumeReceipt.Info().Pattern(): {make: request(answered("approved")), body: func(h *house, o reviewObject) any {
			return map[string]any{"nonce": o.nonce, "action_digest": h.answer(o.request, "")["action_digest"]}
		}},
		schemas.CreateWebhook.Info().Pattern():   {open: true, body: with1("url", "https://example.com/hook")},
		schemas.ListWebhooks.Info().Pattern():    {open: true},
		schemas.GetWebhook.Info().Pattern():      {make: hooked, want: notTheOwner},
		schemas.UpdateWebhook.Info().Pattern():   {make: hooked, want: notTheOwner, body: with1("name", "Other")},
		schemas.DeleteWebhook.Info().Pattern():   {make: hooked, want: notTheOwner},
		schemas.TestWebhook.Info().Pattern():     {make: hooked, want: notTheOwner},
		schemas.ListDeliveries.Info().Pattern():  {make: hooked, want: notTheOwner},
		schemas.Redeliver.Info().Pattern():       {make: hooked, want: notTheOwner},
		schemas.UploadDocument.Info().Pattern():  {open: true, body: document},
		schemas.UploadImage.Info().Pattern():     {open: true, body: photo},
		schemas.GetUpload.Info().Pattern():       {make: uploaded},
		schemas.GetAvailability.Info().Pattern(): {},
		schemas.PutAvailability.Info().Pattern(): {body: hours},
	}
}

// build makes a fresh object for a case.
func (rc reviewCase) build(h *house, c crowd) reviewObject {
	h.t.Helper()
	o := reviewObject{loop: "shared_circle", crowd: c}
	about := rc.make == nil && !rc.open // the loop itself
	if about || h.send(h.owner(), "GET", "/v1/loops/shared_circle", nil).status == http.StatusNotFound {
		o.loop = h.circle(about, c.ritaID)
	}
	if rc.make != nil {
		rc.make(h, &o)
	}
	return o
}

// circle makes a loop of the live agent with one person in it.
func (h *house) circle(fresh bool, personID string) string {
	h.t.Helper()
	h.made++
	body := map[string]any{"name": fmt.Sprintf("Circle %d", h.made)}
	if !fresh {
		body["slug"] = "shared_circle"
	}
	loop := h.must(h.live(), "POST", "/v1/loops", body).text("data.loop.id")
	h.must(h.owner(), "POST", "/v1/loops/"+loop+"/members", map[string]any{"user_id": personID})
	return loop
}

func (rc reviewCase) try(h *house, c who, info schemas.Info, prefix string, o reviewObject) answer {
	h.t.Helper()
	fill := strings.NewReplacer("{loop_id}", o.loop, "{request_id}", o.request, "{user_id}", o.crowd.ritaID, "{person_id}", o.crowd.ritaID,
		"{webhook_id}", o.webhook, "{delivery_id}", o.delivery, "{upload_id}", o.upload)
	path := fill.Replace(prefix + info.Path + rc.query)
	require.NotContains(h.t, path, "//", "the case fills in the whole path: %s", info.Pattern())
	var body any
	if rc.body != nil {
		body = rc.body(h, o)
	}
	return h.send(c, info.Method, path, body)
}

// expected is the status that a caller gets.
func (rc reviewCase) expected(info schemas.Info, c who, all crowd) int {
	if info.Access&c.kind == 0 {
		return http.StatusForbidden
	}
	if rc.want != nil {
		if status := rc.want(all)[c.name]; status != 0 {
			return status
		}
	}
	insider := c.name == "the house's live key" || c.name == all.rita.name || c.kind&(schemas.Owner|schemas.Executor) != 0
	if !rc.open && !insider {
		return http.StatusNotFound
	}
	return info.Status
}

// Every route of reviews, under every prefix, for every kind of caller: whoever is not
// meant changes nothing.
func TestEveryRouteOfReviewsServesOnlyThoseItIsFor(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		crowd := h.crowd()
		cases := reviewCases()
		for _, info := range schemas.All() {
			if !ofReviews(info) {
				continue
			}
			rc := cases[info.Pattern()]
			for _, prefix := range info.Contract.Prefixes() {
				refused := rc.build(h, crowd)
				for _, c := range crowd.known {
					want := rc.expected(info, c, crowd)
					if want >= 300 {
						h.unchanged(func() { rc.check(t, h, c, info, prefix, refused, want) })
						continue
					}
					rc.check(t, h, c, info, prefix, rc.build(h, crowd), want)
				}
				h.unchanged(func() {
					for _, c := range crowd.strangers {
						rc.check(t, h, c, info, prefix, refused, http.StatusUnauthorized)
					}
				})
			}
		}
	}, "HUMANOPS_ALLOW_PRIVATE_WEBHOOKS=true")
}

func (rc reviewCase) check(t *testing.T, h *house, c who, info schemas.Info, prefix string, o reviewObject, want int) {
	t.Helper()
	got := rc.try(h, c, info, prefix, o)
	require.Equal(t, want, got.status, "%s%s by %s: %s", prefix, info.Path, c.name, got.raw)
	if info.Contract.Name() != schemas.Reviews.Name() {
		return
	}
	for _, name := range []string{"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset"} {
		require.Len(t, got.header.Values(name), 1, info.Pattern())
	}
	if info.Kind != schemas.Binary && info.Kind != schemas.Events || want >= 300 {
		require.Equal(t, want >= 300, got.body["error"], "%s: %s", info.Pattern(), got.raw)
		require.NotEmpty(t, got.text("msg"))
	}
	if want == http.StatusUnauthorized {
		require.Equal(t, "unauthenticated", got.text("code"))
		require.NotEmpty(t, got.header.Get("WWW-Authenticate"))
	}
}

// A request that is someone else's reads as one that never was.
func TestAForeignReviewIsNotThereInAnyState(t *testing.T) {
	h := newHouse(t)
	crowd := h.crowd()
	for state, steps := range map[string][]func(*house, *reviewObject){
		"pending": nil, "claimed": {claim}, "approved": {answered("approved")}, "needs_changes": {answered("needs_changes")},
	} {
		t.Run(state, func(t *testing.T) {
			o := reviewCase{make: request(steps...)}.build(h, crowd)
			for _, c := range []who{crowd.elseAgent, crowd.elseTest, h.sandbox(), crowd.bob} {
				for _, path := range []string{"", "/response", "/status"} {
					theirs := h.send(c, "GET", "/v1/requests/"+o.request+path, nil)
					never := h.send(c, "GET", "/v1/requests/"+strings.Repeat("0", 24)+path, nil)
					require.Equal(t, 404, theirs.status, theirs.raw)
					require.Equal(t, "Request not found", theirs.text("msg"))
					for _, member := range []string{"error", "msg", "code", "data"} {
						require.Equal(t, never.body[member], theirs.body[member])
					}
				}
			}
		})
	}
}

// The keys that an agent can have, in every way that they can be sent, against everything
// that only people do.
func TestNoKeyOfAnAgentDecidesClaimsOrJoins(t *testing.T) {
	h := newHouse(t)
	crowd := h.crowd()
	narrow := h.must(h.live(), "POST", "/api/v1/agents/keys", map[string]any{"name": "reviews", "audience": "reviews"}).text("api_key")
	keys := []who{h.live(), h.sandbox(), crowd.elseAgent, crowd.elseTest, byKey("a key for reviews", narrow),
		byToken("the live key as a bearer", schemas.Agent, h.creds.LiveKey), h.executor()}
	o := reviewCase{make: request()}.build(h, crowd)
	invitation := reviewObject{crowd: crowd}
	invited(h, &invitation)
	done := reviewCase{make: request(answered("approved"))}.build(h, crowd)
	digest := h.answer(done.request, "")["action_digest"]
	for _, prefix := range schemas.Reviews.Prefixes() {
		own := prefix + "/requests/" + o.request
		h.unchanged(func() {
			for _, c := range keys {
				for what, call := range map[string]struct {
					method, path string
					body         any
				}{
					"decide":  {"POST", own + "/respond", h.answer(o.request, "approved")},
					"claim":   {"POST", own + "/claim", nil},
					"release": {"POST", own + "/release", nil},
					"join":    {"POST", prefix + "/loops/join", map[string]any{"invite_code": invitation.code}},
					"admit":   {"POST", prefix + "/loops/" + o.loop + "/members", map[string]any{"user_id": "Bob"}},
					"invite":  {"POST", prefix + "/loops/" + o.loop + "/invitations", nil},
					"loosen":  {"PUT", prefix + "/loops/" + o.loop, map[string]any{"settings": map[string]any{"accept_unattended": true}}},
				} {
					got := h.send(c, call.method, call.path, call.body)
					require.Contains(t, []int{403, 404}, got.status, "%s by %s: %s", what, c.name, got.raw)
					require.Equal(t, true, got.body["error"])
				}
				if c.kind == schemas.Agent {
					consume := map[string]any{"nonce": done.nonce, "action_digest": digest}
					require.Equal(t, 403, h.send(c, "POST", prefix+"/requests/"+done.request+"/receipt/consume", consume).status, c.name)
				}
			}
		})
	}
	t.Run("and the executor consumes, once", func(t *testing.T) {
		path := "/v1/requests/" + done.request + "/receipt/consume"
		consume := map[string]any{"nonce": done.nonce, "action_digest": digest}
		require.Equal(t, 200, h.send(h.executor(), "POST", path, consume).status)
		require.GreaterOrEqual(t, h.send(h.executor(), "POST", path, consume).status, 400)
	})
	t.Run("and nothing but that", func(t *testing.T) {
		for _, path := range []string{"/v1/requests", "/v1/requests/" + done.request, "/v1/loops", "/v1/test", "/api/v1/tasks", "/platform/v1/status"} {
			require.Equal(t, 403, h.send(h.executor(), "GET", path, nil).status, path)
		}
		got := h.send(with(h.executor(), "mcp", map[string]string{"Accept": "application/json, text/event-stream"}), "POST", "/mcp", initialize)
		require.Equal(t, 401, got.status)
	})
}

func TestThePublicKeysOfReceiptsAreForEverybody(t *testing.T) {
	h := newHouse(t)
	got := h.send(who{}, "GET", schemas.ReceiptKeysPath, nil)
	require.Equal(t, 200, got.status, got.raw)
	require.Equal(t, "public, max-age=300", got.header.Get("Cache-Control"))
	require.Len(t, got.body["keys"], 1)
	require.Equal(t, "OKP", got.body["keys"].([]any)[0].(map[string]any)["kty"])
	before := got.raw
	h.close()
	h.open()
	require.True(t, bytes.Equal([]byte(before), []byte(h.send(who{}, "GET", schemas.ReceiptKeysPath, nil).raw)), "a start keeps them")
	h.must(h.owner(), "POST", "/platform/v1/receipt-keys/rotate", nil)
	require.Len(t, h.send(who{}, "GET", schemas.ReceiptKeysPath, nil).body["keys"], 2)
}
