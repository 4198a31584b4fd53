package app

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/schemas"
)

// The reviews contract as it was documented: every body, under both bothPrefixes, over HTTP.

// bothPrefixes under which the contract is served; its clients use either.
var bothPrefixes = []string{"/v1/api", "/v1"}

// hitl is the agent, with its key as the contract wants it.
func (h *house) hitl() who {
	return byToken("the agent's key as bearer", schemas.Agent, h.creds.LiveKey)
}

// eachPrefix runs a test in one house under both bothPrefixes.
func eachPrefix(t *testing.T, test func(t *testing.T, h *house, prefix string)) {
	t.Helper()
	h := newHouse(t)
	for _, prefix := range bothPrefixes {
		t.Run(strings.Trim(prefix, "/"), func(t *testing.T) { test(t, h, prefix) })
	}
}

// says is a success in the contract's envelope.
func says(t *testing.T, a answer, status int, msg string) answer {
	t.Helper()
	require.Equal(t, status, a.status, a.raw)
	require.Equal(t, false, a.body["error"], a.raw)
	require.Equal(t, msg, a.body["msg"], a.raw)
	require.IsType(t, map[string]any{}, a.body["data"], a.raw)
	return a
}

// refuses is a failure in the contract's envelope. nil data is not looked at.
func refuses(t *testing.T, a answer, status int, msg string, data any) {
	t.Helper()
	require.Equal(t, status, a.status, a.raw)
	require.Equal(t, true, a.body["error"], a.raw)
	require.Equal(t, msg, a.body["msg"], a.raw)
	if data != nil {
		require.Equal(t, data, a.body["data"], a.raw)
	}
}

// body is the contract's documented body with changes; a nil value takes a member out.
func (h *house) body(changes map[string]any) map[string]any {
	h.made++
	out := map[string]any{
		"processing_type": "time-sensitive", "type": "markdown", "priority": "high", "request_text": fmt.Sprintf("Publish post %d?", h.made),
		"context": map[string]any{"post_id": h.made}, "timeout_seconds": 3600, "response_type": "single_select",
		"response_config": map[string]any{"options": []any{
			map[string]any{"value": "approve", "label": "Approve", "description": "Publish it", "color": "#16a34a"},
			map[string]any{"value": "reject", "label": "Reject"},
		}, "required": true},
		"default_response": "reject", "platform": "api", "platform_version": "1.0.0",
	}
	for name, value := range changes {
		if out[name] = value; value == nil {
			delete(out, name)
		}
	}
	return out
}

// seedBody is what the oldest clients send.
func (h *house) seedBody(changes map[string]any) map[string]any {
	h.made++
	out := map[string]any{
		"content": fmt.Sprintf("Post %d", h.made), "content_type": "text", "priority": "normal",
		"ai_analysis": map[string]any{"confidence": 0.82, "flags": []any{"spam"}, "risk_score": 0.4},
		"metadata":    map[string]any{"user_id": "42", "timestamp": "2025-08-29T10:00:00", "source": "content_api"},
	}
	maps.Copy(out, changes)
	return out
}

func (h *house) ask(c who, prefix string, body any) answer {
	h.t.Helper()
	return says(h.t, h.send(c, "POST", prefix+"/loops/default/requests", body), 201, "Request created and broadcasted successfully")
}

// answers is a response type with its configuration and default, on the documented body.
func answers(kind, text string, fallback any) map[string]any {
	return map[string]any{"response_type": kind, "response_config": json.RawMessage(text), "default_response": fallback}
}

// documentedBodies are bodies, an answer to each and what becomes of it.
func documentedBodies() map[string]documented {
	seed := func(changes map[string]any) documented {
		if changes == nil {
			changes = map[string]any{}
		}
		return documented{changes: changes, seed: true, answer: `"needs_changes"`, data: `{"selected_value":"needs_changes","selected_label":"Needs changes"}`, decision: "needs_changes"}
	}
	plain := func(changes map[string]any) documented {
		return documented{changes: changes, answer: `"approve"`, data: `{"selected_value":"approve","selected_label":"Approve"}`, decision: "approved"}
	}
	return map[string]documented{
		"single select, options as objects": plain(nil),
		"single select, options as strings": {changes: answers("single_select", `{"options":["Approve it!","Reject"],"prompt":"Well?"}`, "Reject"),
			answer: `"Approve it!"`, data: `{"selected_value":"Approve it!","selected_label":"Approve it!"}`, decision: "answered"},
		"single select, answered as an object": {changes: map[string]any{}, answer: `{"selected_value":"reject","selected_label":"Reject"}`,
			data: `{"selected_value":"reject","selected_label":"Reject"}`, decision: "rejected"},
		"multi select, default as a bare string": {changes: answers("multi_select", `{"options":["no_issues","spam"],"min_selections":1,"max_selections":2}`, "no_issues"),
			answer: `["spam"]`, data: `{"selected_values":["spam"],"selected_labels":["spam"]}`, decision: "answered"},
		"multi select, default as a list": {changes: answers("multi_select", `{"options":["no_issues","spam"],"allow_other":true}`, []string{"no_issues"}),
			answer: `{"selected_values":["spam","other"]}`, data: `{"selected_values":["spam","other"],"selected_labels":["spam","other"]}`, decision: "answered"},
		"rating by scale_*": {changes: answers("rating", `{"scale_min":1,"scale_max":5,"scale_step":1,"labels":{"1":"Poor","5":"Excellent"}}`, 3),
			answer: `5`, data: `{"rating":5,"rating_label":"Excellent"}`, decision: "answered"},
		"rating by min and max": {changes: answers("rating", `{"min":0,"max":10}`, 0), answer: `{"rating":7}`, data: `{"rating":7,"rating_label":"7"}`, decision: "answered"},
		"rating by min_value and step": {changes: answers("rating", `{"min_value":0,"max_value":5,"step":0.5,"show_numeric_labels":true}`, 2.5),
			answer: `4.5`, data: `{"rating":4.5,"rating_label":"4.5"}`, decision: "answered"},
		"number": {changes: answers("number", `{"min_value":0,"max_value":1000,"decimal_places":2,"allow_negative":false,"prefix":"$","suffix":" USD"}`, 0),
			answer: `42.5`, data: `{"number":42.5,"formatted_value":"$42.50 USD"}`, decision: "answered"},
		"number by min and max": {changes: answers("number", `{"min":1,"max":9,"step":2,"unit":"kg","placeholder":"9","validation_message":"Odd"}`, 1),
			answer: `3`, data: `{"number":3,"formatted_value":"3kg"}`, decision: "answered"},
		"boolean": {changes: answers("boolean", `{"true_label":"Ship","false_label":"Hold","true_color":"#16a34a","false_color":"#dc2626"}`, true),
			answer: `true`, data: `{"boolean":true,"boolean_label":"Ship"}`, decision: "approved"},
		"boolean without a configuration": {changes: answers("boolean", `{}`, false), answer: `false`, data: `{"boolean":false,"boolean_label":"False"}`, decision: "rejected"},
		"text":                            {changes: answers("text", `{"min_length":2,"max_length":100,"placeholder":"Say","required":true}`, "none"), answer: `" Hi "`, data: `"Hi"`, decision: "answered"},
		"text without a configuration":    {changes: answers("text", `{}`, ""), answer: `"Hi"`, data: `"Hi"`, decision: "answered"},
		"editable text": {changes: answers("editable_text", `{"draft_text":"Dear Ann","max_length":500,"min_length":1,"placeholder":"p"}`, "Dear Ann"),
			answer: `{"revised_text":"Dear Bob"}`, data: `{"revised_text":"Dear Bob","was_edited":true}`, decision: "answered"},
		"a form": {changes: answers("form", `{"type":"object","properties":{"amount":{"type":"number","minimum":1},"why":{"enum":["a","b"]}},"required":["amount"]}`, map[string]any{"amount": 1}),
			answer: `{"amount":2.50,"why":"b"}`, data: `{"amount":2.5,"why":"b"}`, decision: "answered"},

		"an image":                   plain(map[string]any{"type": "image", "image_url": "https://example.com/a.png"}),
		"a file":                     plain(map[string]any{"type": "file", "file_url": "https://example.com/a.pdf", "file_type": "application/pdf", "file_name": "a.pdf"}),
		"a video":                    plain(map[string]any{"type": "video", "video_url": "https://example.com/a.mp4"}),
		"a sound":                    plain(map[string]any{"type": "audio", "audio_url": "https://example.com/a.mp3"}),
		"deferred":                   plain(map[string]any{"processing_type": "deferred", "timeout_seconds": nil}),
		"deferred for three days":    plain(map[string]any{"processing_type": "deferred", "timeout_seconds": 259200}),
		"deferred for a week":        plain(map[string]any{"processing_type": "deferred", "timeout_seconds": 604800, "priority": "critical"}),
		"n8n's":                      plain(map[string]any{"platform": "n8n", "platform_version": "1.2", "priority": "low"}),
		"the official tool's":        plain(map[string]any{"tags": []string{"blog", "draft"}, "platform": "api", "callback_url": "https://example.com/hook"}),
		"with members left out":      plain(map[string]any{"processing_type": nil, "type": nil, "priority": nil, "timeout_seconds": nil, "platform": nil, "platform_version": nil, "context": nil}),
		"with members nobody knows":  plain(map[string]any{"estimated_minutes": 5}),
		"the seed's":                 seed(nil),
		"the seed's from a browser":  seed(map[string]any{"ai_analysis": nil, "metadata": nil}),
		"the seed's, urgent":         seed(map[string]any{"priority": "urgent", "flag_reason": "spam", "confidence_score": 0.5, "category": "ads", "context": map[string]any{"a": 1}}),
		"the seed's with an image":   seed(map[string]any{"content_type": "image", "content": "https://example.com/cat.png"}),
		"the seed's with a document": seed(map[string]any{"content_type": "document", "content": "See https://example.com/cat.pdf."}),
		"the seed's with a video":    seed(map[string]any{"content_type": "video", "content": "See it", "video_url": "https://example.com/cat.mp4"}),
	}
}

type documented struct {
	changes                map[string]any
	seed                   bool
	answer, data, decision string
}

// requestMembers are what every request object has (contract §1.8).
var requestMembers = []string{
	"id", "loop_id", "creator_id", "api_key_id", "processing_type", "type", "priority", "request_text", "platform", "response_type", "response_config",
	"timeout_at", "broadcasted_to", "broadcasted_at", "status", "response_by", "response_at", "response_data", "response_time_seconds", "created_at", "updated_at",
}

// TestEveryDocumentedBodyIsAskedAndAnswered is the sequence of the contract's n8n client
// for each body: create, follow the relative polling_url, read response_data.
func TestEveryDocumentedBodyIsAskedAndAnswered(t *testing.T) {
	eachPrefix(t, func(t *testing.T, h *house, prefix string) {
		bodies := documentedBodies()
		for _, name := range slices.Sorted(maps.Keys(bodies)) {
			t.Run(name, func(t *testing.T) { h.askAndAnswer(t, prefix, bodies[name]) })
		}
	})
}

func (h *house) askAndAnswer(t *testing.T, prefix string, c documented) {
	body := h.body(c.changes)
	if c.seed {
		body = h.seedBody(c.changes)
	}
	made := h.ask(h.hitl(), prefix, body)
	id := made.text("data.request_id")
	require.Regexp(t, "^[0-9a-f]{24}$", id)
	require.Equal(t, []string{id, "pending"}, []string{made.text("id"), made.text("status")}, "flat, for the oldest clients")
	require.Equal(t, "pending", made.text("data.status"))
	require.Equal(t, "/v1/api/requests/"+id, made.text("data.polling_url"))
	require.IsType(t, float64(0), made.body["data"].(map[string]any)["broadcasted_to"], "a number here")
	require.Equal(t, "1", made.text("data.broadcasted_to"))
	for _, name := range []string{"processing_type", "type", "priority", "timeout_at", "notifications_sent"} {
		require.Contains(t, made.body["data"], name)
	}

	polled := says(t, h.send(h.hitl(), "GET", made.text("data.polling_url"), nil), 200, "Request retrieved successfully")
	request := polled.body["data"].(map[string]any)["request"].(map[string]any)
	require.Equal(t, "pending", request["status"])
	for _, name := range requestMembers {
		require.Contains(t, request, name)
	}
	require.Nil(t, request["response_data"])
	waiting := h.must(h.hitl(), "GET", prefix+"/requests/"+id+"/response", nil)
	require.Equal(t, []any{"pending", nil}, []any{waiting.body["status"], waiting.body["decision"]})
	require.IsType(t, []any{}, request["broadcasted_to"], "a list there")
	if !c.seed && body["response_config"] != nil {
		sent, err := json.Marshal(body["response_config"])
		require.NoError(t, err)
		got, err := json.Marshal(request["response_config"])
		require.NoError(t, err)
		require.JSONEq(t, string(sent), string(got), "the configuration comes back as it was sent")
	}

	says(t, h.send(h.owner(), "POST", prefix+"/requests/"+id+"/respond", `{"response_data":`+c.answer+`,"comment":"Seen"}`), 200, "Response submitted successfully")
	h.answered(t, prefix, id, c)
}

// answered reads the outcome in each of the three places where clients look for it.
func (h *house) answered(t *testing.T, prefix, id string, c documented) {
	polled := h.must(h.hitl(), "GET", prefix+"/requests/"+id, nil)
	require.Equal(t, []string{id, "completed", c.decision}, []string{polled.text("id"), polled.text("status"), polled.text("decision")})
	request := polled.body["data"].(map[string]any)["request"].(map[string]any)
	data, err := json.Marshal(request["response_data"])
	require.NoError(t, err)
	require.JSONEq(t, c.data, string(data))
	require.NotNil(t, request["response_value"])
	require.Equal(t, request["response_value"], request["effective_response"])
	require.Equal(t, "human", request["response_source"])
	require.Equal(t, request["response_by"], request["response_by_user"].(map[string]any)["user_id"], "an id, and the person beside it")
	require.NotNil(t, request["response_at"])
	require.NotNil(t, request["response_time_seconds"])

	flat := says(t, h.send(h.hitl(), "GET", prefix+"/requests/"+id+"/response", nil), 200, "Response retrieved successfully")
	require.Equal(t, []string{id, "completed", c.decision, "Seen"}, []string{flat.text("id"), flat.text("status"), flat.text("decision"), flat.text("reasoning")})
	require.Equal(t, request["response_by"], flat.body["reviewer_id"])
	state := says(t, h.send(h.hitl(), "GET", prefix+"/requests/"+id+"/status", nil), 200, "Status retrieved successfully")
	require.Equal(t, "completed", state.text("status"))
}

func TestEveryDocumentedRefusalSpeaksTheContractsWords(t *testing.T) {
	long := strings.Repeat("x", 2001)
	validation, configuration := "Validation failed", "Invalid response configuration"
	cases := map[string]struct {
		changes map[string]any
		msg     string
		data    any
	}{
		"2,001 characters":             {map[string]any{"request_text": long}, validation, "request_text must be between 1 and 2000 characters"},
		"no characters":                {map[string]any{"request_text": ""}, validation, "request_text must be between 1 and 2000 characters"},
		"a priority that is none":      {map[string]any{"priority": "urgent"}, validation, "priority must be one of: low, medium, high, critical"},
		"time-sensitive, no time-out":  {map[string]any{"timeout_seconds": nil}, validation, "timeout_seconds is required for time-sensitive requests"},
		"61 days":                      {map[string]any{"processing_type": "deferred", "timeout_seconds": 61 * 86400}, validation, "timeout_seconds must be between 60 and 2592000"},
		"a select without options":     {answers("single_select", `{}`, "a"), configuration, "options array required for select response type"},
		"several without options":      {answers("multi_select", `{"options":[]}`, "a"), configuration, "options array required for select response type"},
		"a default outside options":    {map[string]any{"default_response": "escalate"}, validation, "default_response must be one of: approve, reject"},
		"a rating off its step":        {answers("rating", `{"min":1,"max":5}`, 2.5), validation, "default_response must be on a step of 1 from 1"},
		"a boolean as a word":          {answers("boolean", `{}`, "false"), validation, "default_response must be true or false"},
		"a scale upside down":          {answers("rating", `{"min":5,"max":1}`, 1), configuration, "response_config.scale_min must be below scale_max"},
		"a number as the text":         {map[string]any{"request_text": 5}, "Invalid request body", map[string]any{"field": "request_text", "issue": `must be a string; got 5. Example: "Publish this post?"`}},
		"a list as the time-out":       {map[string]any{"timeout_seconds": []int{1}}, "Invalid request body", map[string]any{"field": "timeout_seconds", "issue": "must be a whole number; got an array"}},
		"an unknown response type":     {map[string]any{"response_type": "stars"}, validation, nil},
		"an image that is nowhere":     {map[string]any{"type": "image"}, validation, nil},
		"a time-out of a whole month":  {map[string]any{"timeout_seconds": 2592000}, validation, nil},
		"content beside request_text":  {map[string]any{"content": "x"}, validation, "content is another spelling of request_text; send one of them"},
		"a configuration without need": {map[string]any{"response_type": "form"}, configuration, nil},
	}
	eachPrefix(t, func(t *testing.T, h *house, prefix string) {
		path := prefix + "/loops/default/requests"
		for _, name := range slices.Sorted(maps.Keys(cases)) {
			t.Run(name, func(t *testing.T) {
				refuses(t, h.send(h.hitl(), "POST", path, h.body(cases[name].changes)), 400, cases[name].msg, cases[name].data)
			})
		}
		refuses(t, h.send(h.hitl(), "POST", path, h.seedBody(map[string]any{"content": long})), 400, validation, "request_text must be between 1 and 2000 characters")
		refuses(t, h.send(h.hitl(), "POST", path, `{"content":"a","content":"b"}`), 400, "Invalid request body", nil)
		refuses(t, h.send(h.hitl(), "POST", path, `{"request_text":`), 400, "Invalid request body", nil)
		refuses(t, h.send(h.hitl(), "POST", path, `{}`), 400, validation, nil)

		several := h.send(h.hitl(), "POST", path, h.body(map[string]any{"request_text": "", "priority": "none"}))
		refuses(t, several, 400, validation, nil)
		require.Contains(t, several.text("data"), "request_text must be between")
		require.Contains(t, several.text("data"), "; ")
		require.Len(t, several.body["fields"], 2, "and each problem by itself")
	})
}

func TestWhoIsNotLetInIsToldInTheContractsWords(t *testing.T) {
	eachPrefix(t, func(t *testing.T, h *house, prefix string) {
		nobody, wrong := who{name: "nobody"}, byToken("a wrong key", schemas.Agent, "hitl_live_"+strings.Repeat("0", 40))
		refuses(t, h.send(nobody, "GET", prefix+"/loops", nil), 401, "Missing or invalid authorization header", nil)
		require.Equal(t, 401, h.send(wrong, "GET", prefix+"/loops", nil).status)
		refuses(t, h.send(byToken("nonsense", schemas.Agent, "nonsense"), "GET", prefix+"/test", nil), 401, "Invalid authorization token", nil)
		key := says(t, h.send(h.hitl(), "GET", prefix+"/test", nil), 200, "API key is valid")
		require.Equal(t, "active", key.text("data.account_status"))
		require.ElementsMatch(t, []any{"loops:read", "loops:write", "requests:read", "requests:write"}, key.body["data"].(map[string]any)["permissions"])
		for _, name := range []string{"api_key_id", "user_id", "email", "rate_limit"} {
			require.Contains(t, key.body["data"], name)
		}

		unknown := strings.Repeat("0", 24)
		refuses(t, h.send(h.hitl(), "GET", prefix+"/requests/"+unknown, nil), 404, "Request not found", nil)
		refuses(t, h.send(h.hitl(), "GET", prefix+"/loops/"+unknown, nil), 404, "Loop not found", nil)
		refuses(t, h.send(h.hitl(), "GET", prefix+"/loops/not%20a%20loop", nil), 400, "Invalid loop ID format", nil)
		refuses(t, h.send(h.hitl(), "POST", prefix+"/loops/nothing_here/requests", h.body(nil)), 404, "Loop not found", nil)
		refuses(t, h.send(h.hitl(), "PUT", prefix+"/loops/default", `{"name":"Mine"}`), 403, "Access denied to this loop", nil)

		large := h.send(h.hitl(), "POST", prefix+"/loops/default/requests", `{"request_text":"`+strings.Repeat("x", 2<<20)+`"}`)
		require.Equal(t, []any{413, true}, []any{large.status, large.body["error"]}, large.raw)
		nowhere := h.send(h.hitl(), "GET", prefix+"/nothing", nil)
		require.Equal(t, []any{404, true}, []any{nowhere.status, nowhere.body["error"]}, nowhere.raw)

		made := h.ask(h.hitl(), prefix, h.body(nil))
		refuses(t, h.send(byToken("the agent's test key", schemas.Agent, h.creds.TestKey), "GET", prefix+"/requests/"+made.text("id"), nil), 404, "Request not found", nil)
		own := h.send(h.hitl(), "POST", prefix+"/requests/"+made.text("id")+"/respond", `{"response_data":"approve"}`)
		require.Equal(t, http.StatusForbidden, own.status, "a key never decides: %s", own.raw)
		require.Equal(t, true, own.body["error"])
	})
}

func TestADocumentedLoop(t *testing.T) {
	eachPrefix(t, func(t *testing.T, h *house, prefix string) {
		made := says(t, h.send(h.hitl(), "POST", prefix+"/loops", map[string]any{"name": "Content moderation", "description": "Posts", "icon": "shield"}), 201, "Loop created successfully with QR code")
		id := made.text("data.loop.id")
		require.Regexp(t, "^[0-9a-f]{24}$", id)
		require.Equal(t, id, made.text("id"))
		require.NotEmpty(t, made.text("data.invite_code"))
		require.True(t, strings.HasPrefix(made.text("data.qr_code_base64"), "data:image/png;base64,"))
		require.Contains(t, made.text("data.qr_code_url"), "/qr/")
		require.Contains(t, made.text("data.join_url"), "/join/"+made.text("data.invite_code"))
		path := prefix + "/loops/" + id

		list := says(t, h.send(h.hitl(), "GET", prefix+"/loops", nil), 200, "Loops retrieved successfully")
		require.Contains(t, list.raw, id)
		require.NotEmpty(t, list.text("data.count"))
		require.Equal(t, "Content moderation", says(t, h.send(h.hitl(), "GET", path, nil), 200, "Loop retrieved successfully").text("data.loop.name"))
		refuses(t, h.send(h.hitl(), "PUT", path, `{}`), 400, "At least one field must be provided for update", nil)
		changed := h.must(h.hitl(), "PUT", path, `{"name":"Posts"}`)
		require.Equal(t, "Posts", changed.text("data.loop.name"))

		members := says(t, h.send(h.hitl(), "GET", path+"/members", nil), 200, "Loop members retrieved successfully")
		require.Equal(t, []string{"1", "1", "0"}, []string{members.text("data.total_count"), members.text("data.active_count"), members.text("data.pending_count")})
		require.Contains(t, members.body["data"].(map[string]any)["statistics"], "avg_join_time_days")
		creator := made.text("data.loop.creator_id")
		refused := h.send(h.hitl(), "DELETE", path+"/members/"+creator, nil)
		require.GreaterOrEqual(t, refused.status, 400)
		require.Equal(t, "Loop creator cannot be removed", refused.text("msg"))
		refuses(t, h.send(h.hitl(), "DELETE", path+"/members/nobody", nil), 404, "Member not found in this loop", nil)

		open := says(t, h.send(h.hitl(), "POST", path+"/requests", h.body(nil)), 201, "Request created and broadcasted successfully")
		refuses(t, h.send(h.hitl(), "DELETE", path, nil), 400, "Cannot delete loop with active requests", nil)
		listed := says(t, h.send(h.hitl(), "GET", path+"/requests", nil), 200, "Requests retrieved successfully")
		require.Equal(t, []string{id, "1"}, []string{listed.text("data.loop_id"), listed.text("data.count")})
		h.must(h.hitl(), "DELETE", prefix+"/requests/"+open.text("id"), nil)
		gone := says(t, h.send(h.hitl(), "DELETE", path, nil), 200, "Loop deleted successfully")
		require.Equal(t, []string{id, "1", "1"}, []string{gone.text("data.loop_id"), gone.text("data.deleted_data.members_removed"), gone.text("data.deleted_data.requests_deleted")})
		refuses(t, h.send(h.hitl(), "GET", path, nil), 404, "Loop not found", nil)
	})
}

func TestADocumentedCancellation(t *testing.T) {
	eachPrefix(t, func(t *testing.T, h *house, prefix string) {
		forms := []struct {
			method, tail string
			body         any
		}{{"DELETE", "", nil}, {"DELETE", "", `{"reason":"Not needed"}`}, {"POST", "/cancel", `{"reason":"Not needed"}`}, {"POST", "/cancel", nil}}
		for i, form := range forms {
			id := h.ask(h.hitl(), prefix, h.body(nil)).text("id")
			previous, refunded := "pending", "true"
			if i%2 == 1 {
				h.must(h.owner(), "POST", prefix+"/requests/"+id+"/claim", nil)
				previous, refunded = "claimed", "false"
			}
			path := prefix + "/requests/" + id + form.tail
			out := says(t, h.send(h.hitl(), form.method, path, form.body), 200, "Request cancelled successfully")
			require.Equal(t, []string{id, "cancelled", previous, refunded},
				[]string{out.text("data.request_id"), out.text("data.status"), out.text("data.previous_status"), out.text("data.refund_info.refunded")})
			require.NotEmpty(t, out.text("data.cancelled_at"))
			refuses(t, h.send(h.hitl(), form.method, path, form.body), 400, "Request cannot be cancelled in current state", nil)
			seen := h.must(h.hitl(), "GET", prefix+"/requests/"+id, nil)
			require.Equal(t, "cancelled", seen.text("data.request.response_source"))
		}
	})
}

func TestADocumentedChange(t *testing.T) {
	eachPrefix(t, func(t *testing.T, h *house, prefix string) {
		path := prefix + "/requests/" + h.ask(h.hitl(), prefix, h.body(nil)).text("id")
		refuses(t, h.send(h.hitl(), "PATCH", path, `{}`), 400, "At least one field must be provided for update", nil)
		for body, want := range map[string]string{`{"priority":"critical"}`: "critical", `{"updates":{"priority":"low"}}`: "low"} {
			require.Equal(t, want, h.must(h.hitl(), "PATCH", path, body).text("data.request.priority"))
		}
		refuses(t, h.send(h.hitl(), "PATCH", path, `{"default_response":"maybe"}`), 400, "Validation failed", "default_response must be one of: approve, reject")
	})
}

func TestADocumentedFeedback(t *testing.T) {
	eachPrefix(t, func(t *testing.T, h *house, prefix string) {
		path := prefix + "/requests/" + h.ask(h.hitl(), prefix, h.body(nil)).text("id")
		all := `{"feedback":{"rating":5,"accuracy":4,"timeliness":5,"helpfulness":3,"comment":"Thanks","would_recommend":true,"tags":["fast"],"follow_up_needed":false,"category":"positive","more":{"a":1}}}`
		refuses(t, h.send(h.hitl(), "POST", path+"/feedback", all), 400, "Feedback can only be added to completed requests", nil)
		h.must(h.owner(), "POST", path+"/respond", `{"response_data":"approve"}`)
		refuses(t, h.send(h.hitl(), "POST", path+"/feedback", `{"feedback":{"rating":6}}`), 400, "Rating values must be between 1 and 5", nil)
		refuses(t, h.send(h.hitl(), "POST", path+"/feedback", map[string]any{"feedback": map[string]any{"comment": strings.Repeat("x", 1001)}}), 400, "Comment exceeds maximum length of 1000 characters", nil)
		given := says(t, h.send(h.hitl(), "POST", path+"/feedback", all), 200, "Feedback submitted successfully")
		require.NotEmpty(t, given.text("data.feedback_id"))
		require.Equal(t, "5", given.text("data.feedback.rating"))
		require.Equal(t, http.StatusConflict, h.send(h.hitl(), "POST", path+"/feedback", all).status, "once")
		require.Equal(t, "Thanks", h.must(h.hitl(), "GET", path+"/feedback", nil).text("data.feedback.comment"))
	})
}

func TestADocumentedList(t *testing.T) {
	eachPrefix(t, func(t *testing.T, h *house, prefix string) {
		for _, priority := range []string{"low", "critical", "high"} {
			h.ask(h.hitl(), prefix, h.body(map[string]any{"priority": priority}))
			h.clk.Advance(time.Second)
		}
		page := says(t, h.send(h.hitl(), "GET", prefix+"/requests?status=pending&limit=2&sort=priority_desc", nil), 200, "Requests retrieved successfully")
		require.Equal(t, "2", page.text("data.count"))
		require.Equal(t, "true", page.text("data.has_more"))
		require.Equal(t, []string{"2", "0", "2"}, []string{page.text("data.pagination.limit"), page.text("data.pagination.offset"), page.text("data.pagination.next_offset")})
		first := page.body["data"].(map[string]any)["requests"].([]any)[0].(map[string]any)
		require.Equal(t, "critical", first["priority"])
		refuses(t, h.send(h.hitl(), "GET", prefix+"/requests?status=lost", nil), 400, "Invalid status filter value", nil)
		for _, query := range []string{"limit=0", "limit=101", "limit=ten", "offset=-1", "cursor=nonsense"} {
			refuses(t, h.send(h.hitl(), "GET", prefix+"/requests?"+query, nil), 400, "Invalid pagination parameters", nil)
		}
	})
}
