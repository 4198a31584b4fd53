package hitl

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/codec"
	"humanops-mcp/schemas"
)

type decoder = func([]byte) ([]byte, []string, error)

func TestEverySpellingBecomesTheDocumentedBody(t *testing.T) {
	const three = `"response_type":"single_select","response_config":` + threeAnswers + `,"default_response":"rejected"`
	cases := map[string]struct {
		decode     decoder
		body, want string
	}{
		"the envelope's body stays as it is": {NewReview, `{"processing_type":"deferred","request_text":"Go?","default_response":false,"response_config":{},"context":{"a":1.50}}`,
			`{"processing_type":"deferred","request_text":"Go?","default_response":false,"response_config":{},"context":{"a":1.50},"spelling":"envelope"}`},
		"the seed's content": {NewReview, `{"content":"Hi <b>","content_type":"text","priority":"normal","ai_analysis":{"confidence":0.10,"flags":["x"]},"metadata":{"user_id":"7"}}`,
			`{"request_text":"Hi <b>","type":"markdown","priority":"medium",` + three + `,"context":{"ai_analysis":{"confidence":0.10,"flags":["x"]},"metadata":{"user_id":"7"}},"spelling":"seed"}`},
		"urgent, with a context of its own": {NewReview, `{"content":"Hi","priority":"urgent","context":{"a":1},"flag_reason":"spam","confidence_score":0,"category":null}`,
			`{"content":null,"request_text":"Hi","priority":"critical","context":{"a":1,"flag_reason":"spam","confidence_score":0},` + three + `,"spelling":"seed"}`},
		"an image's address in the text": {NewReview, `{"content":"Look: https://example.com/a.png.","content_type":"image"}`,
			`{"request_text":"Look: https://example.com/a.png.","type":"image","image_url":"https://example.com/a.png",` + three + `,"spelling":"seed"}`},
		"an image's address beside it": {NewReview, `{"content":"Look","content_type":"image","image_url":"https://example.com/b.png"}`,
			`{"request_text":"Look","type":"image","image_url":"https://example.com/b.png",` + three + `,"spelling":"seed"}`},
		"a document": {NewReview, `{"content":"https://example.com/c.pdf","content_type":"document"}`,
			`{"request_text":"https://example.com/c.pdf","type":"file","file_url":"https://example.com/c.pdf",` + three + `,"spelling":"seed"}`},
		"the seed with a type of answer": {NewReview, `{"content":"Hi","response_type":"boolean","default_response":false}`,
			`{"request_text":"Hi","response_type":"boolean","default_response":false,"spelling":"seed"}`},
		"the seed without a default": {NewReview, `{"content":"Hi","on_timeout":"cancel"}`,
			`{"request_text":"Hi","on_timeout":"cancel","response_type":"single_select","response_config":` + threeAnswers + `,"spelling":"seed"}`},
		"nobody sets the spelling":        {NewReview, `{"request_text":"Hi","spelling":"seed"}`, `{"request_text":"Hi","spelling":"envelope"}`},
		"content_type beside an envelope": {NewReview, `{"request_text":"Hi","content_type":"video","video_url":"https://example.com/v"}`, `{"request_text":"Hi","type":"video","video_url":"https://example.com/v","spelling":"envelope"}`},
		"a round in the seed's words":     {Round, `{"content":"Again","metadata":{"n":2}}`, `{"request_text":"Again","context":{"metadata":{"n":2}}}`},
		"a round":                         {Round, `{"draft_text":"b"}`, `{"draft_text":"b"}`},
		"a change in the tool's words":    {Update, `{"updates":{"priority":"high"}}`, `{"priority":"high"}`},
		"a change in the seed's words":    {Update, `{"content":"New","priority":"urgent"}`, `{"request_text":"New","priority":"critical"}`},
		"a decision":                      {Decision, `{"decision":"approved","reasoning":"Fine"}`, `{"response_data":"approved","comment":"Fine"}`},
		"a response":                      {Decision, `{"response":{"boolean":true}}`, `{"response_data":{"boolean":true}}`},
		"an answer as documented":         {Decision, `{"response_data":false}`, `{"response_data":false}`},
		"one event":                       {Webhook, `{"url":"https://a","events":"request.*"}`, `{"url":"https://a","events":["request.*"]}`},
		"the oldest settings":             {Loop, `{"name":"a","settings":{"required_approvals":2,"fail_closed":true}}`, `{"name":"a","settings":{"fail_closed":true,"review_mode":{"mode":"quorum","threshold":2}}}`},
		"settings that set nothing":       {Loop, `{"name":"a","settings":{"required_approvals":1,"auto_approve_after":3600,"priority":"high"}}`, `{"name":"a"}`},
		"feedback without its object":     {Feedback, `{"rating":5}`, `{"feedback":{"rating":5}}`},
		"feedback":                        {Feedback, `{"feedback":{"rating":5}}`, `{"feedback":{"rating":5}}`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, _, err := c.decode([]byte(c.body))
			require.NoError(t, err)
			require.JSONEq(t, strings.Replace(c.want, `"content":null,`, "", 1), string(got))
		})
	}
}

func TestValuesKeepTheirBytes(t *testing.T) {
	got, _, err := NewReview([]byte(`{"request_text" : "Hi", "context": { "z":1.0, "a":12345678901234567890 }, "metadata":{ "n": 1e2 }}`))
	require.NoError(t, err)
	require.Equal(t, `{"request_text":"Hi","context":{"z":1.0,"a":12345678901234567890,"metadata":{ "n": 1e2 }},"spelling":"envelope"}`, string(got))
}

func TestSettingsOfTheOldestGuideAreToldOf(t *testing.T) {
	_, warnings, err := Loop([]byte(`{"settings":{"auto_approve_after":60,"priority":"high"}}`))
	require.NoError(t, err)
	require.Equal(t, []string{
		"settings.auto_approve_after was ignored: nothing is approved without a person",
		"settings.priority was ignored: give each request its priority",
	}, warnings)
}

func TestABodyThatSaysTwoThingsIsRefused(t *testing.T) {
	cases := []struct {
		decode     decoder
		body, says string
	}{
		{NewReview, `{"content":"a","request_text":"b"}`, "content is another spelling of request_text; send one of them"},
		{NewReview, `{"content":"a","content":"b"}`, "content is given more than once; send it once"},
		{NewReview, `{"request_text":"a","request_text":"b"}`, "request_text is given more than once"},
		{NewReview, `{"Content":"a"}`, "Content must be spelt content: names are case-sensitive"},
		{NewReview, `{"request_text":"a","METADATA":{}}`, "METADATA must be spelt metadata"},
		{NewReview, `{"content":5}`, "content must be a string"},
		{NewReview, `{"content":""}`, "content is taken as request_text, which must be between 1 and 2000 characters; got 0"},
		{NewReview, `{"content":"` + strings.Repeat("ä", 2001) + `"}`, "between 1 and 2000 characters; got 2001"},
		{NewReview, `{"content":"a","content_type":"image"}`, "image_url is required"},
		{NewReview, `{"content":"a","content_type":"hologram"}`, "content_type must be one of: text, image, video, document"},
		{NewReview, `{"request_text":"a","type":"image","content_type":"video"}`, "content_type is another spelling of type"},
		{NewReview, `{"content":"a","context":"b","metadata":{}}`, "context must be a JSON object"},
		{NewReview, `{"content":"a","context":{"metadata":1},"metadata":{}}`, "metadata is in context already"},
		{NewReview, `{"content":"a","context":{"x":1,"x":2},"metadata":{}}`, "x is given more than once"},
		{Update, `{"updates":{"priority":"high"},"priority":"low"}`, "updates holds all that is to be changed"},
		{Decision, `{"decision":"approved","response_data":"rejected"}`, "decision is another spelling of response_data"},
		{Decision, `{"Decision":"approved"}`, "Decision must be spelt decision"},
		{Loop, `{"settings":{"required_approvals":2,"review_mode":{}}}`, "settings.required_approvals is another spelling"},
	}
	for _, c := range cases {
		_, _, err := c.decode([]byte(c.body))
		require.ErrorContains(t, err, c.says, c.body)
		require.Equal(t, schemas.CodeInvalid, schemas.ErrorCode(err))
	}
}

func TestWhatIsNoObjectIsLeftToTheDecoder(t *testing.T) {
	for _, decode := range []decoder{NewReview, Round, Update, Decision, Webhook, Loop, Feedback} {
		for _, raw := range []string{``, `[]`, `"a"`, `{`, `{"a":1`, `{"a":1}{}`, `{"a" 1}`, `nul`, "{\"a\":\"\xff\"}"} {
			got, _, err := decode([]byte(raw))
			require.NoError(t, err, raw)
			require.Equal(t, raw, string(got))
		}
	}
}

func FuzzTheDecoders(f *testing.F) {
	for _, raw := range []string{`{"content":"Hi","metadata":{}}`, `{"updates":{"updates":{}}}`, `{"settings":{"required_approvals":2}}`, `{"context":null}`, `{"rating":1}`} {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, decode := range []decoder{NewReview, Round, Update, Decision, Webhook, Loop, Feedback} {
			once, _, err := decode(raw)
			if err != nil || !json.Valid(once) {
				continue
			}
			_, _, err = decode(once)
			require.NoError(t, err, "what is canonical is accepted: %s", once)
		}
	})
}

// said is what the words are for a body that is decoded as a new request.
func said(t *testing.T, body string) (string, any) {
	t.Helper()
	canonical, _, err := NewReview([]byte(body))
	if err == nil {
		_, err = codec.Decode(canonical, &schemas.NewReview{}, codec.Options{})
	}
	require.Error(t, err)
	var known *schemas.Error
	require.ErrorAs(t, err, &known)
	return Words(known)
}

func TestErrorsSpeakTheContractsWords(t *testing.T) {
	long := strings.Repeat("x", 2001)
	cases := map[string]struct{ msg, data string }{
		`{"request_text":"` + long + `"}`: {"Validation failed", "request_text must be between 1 and 2000 characters"},
		`{"request_text":""}`:             {"Validation failed", "request_text must be between 1 and 2000 characters"},
		`{"content":"` + long + `"}`:      {"Validation failed", "request_text must be between 1 and 2000 characters"},
		`{}`:                              {"Validation failed", "request_text is required"},
		`{"request_text":"a","priority":"urgent"}`:                 {"Validation failed", "priority must be one of: low, medium, high, critical"},
		`{"request_text":"a","title":"` + long + `"}`:              {"Validation failed", "title must have at most 200 characters"},
		`{"request_text":"","priority":"x","timeout_seconds":"y"}`: {"Validation failed", "request_text must be between 1 and 2000 characters; priority must be one of: low, medium, high, critical; timeout_seconds must be a whole number"},
		`{"request_text":"a","timeout_seconds":59}`:                {"Validation failed", "timeout_seconds must be between 60 and 2592000"},
	}
	for body, want := range cases {
		msg, data := said(t, body)
		require.Equal(t, want.msg, msg)
		require.Equal(t, want.data, data)
	}

	for body, want := range map[string]Issue{
		`{"request_text":5}`:                     {"request_text", `must be a string; got 5. Example: "Publish this post?"`},
		`{"request_text":"a","request_text":""}`: {"request_text", "is given more than once; send it once"},
		`{"request_text":"a","Priority":"low"}`:  {"Priority", "must be spelt priority: names are case-sensitive"},
		`[1]`:                                    {"body", "The JSON must be a JSON object; got an array"},
		`{"request_text":`:                       {"body", "The JSON cannot be read: it ends before it is complete."},
	} {
		msg, data := said(t, body)
		require.Equal(t, "Invalid request body", msg, body)
		require.Equal(t, want, data, body)
	}
}

func TestErrorsOfTheServicesSpeakThemToo(t *testing.T) {
	invalid := schemas.CodeInvalid
	cases := []struct {
		err  *schemas.Error
		msg  string
		data any
	}{
		{schemas.Invalid("response_config", "options array required for select response type"), "Invalid response configuration", "options array required for select response type"},
		{schemas.Invalid("response_config.scale_min", "must be below scale_max; got 5 and 1"), "Invalid response configuration", "response_config.scale_min must be below scale_max"},
		{schemas.Invalid("default_response", "must be a string, the value of an option; got 5"), "Validation failed", "default_response must be a string, the value of an option"},
		{schemas.Invalid("timeout_seconds", "is required for time-sensitive requests"), "Validation failed", "timeout_seconds is required for time-sensitive requests"},
		{schemas.NewError(invalid, "At least one field must be provided for update"), "At least one field must be provided for update", nil},
		{schemas.NewError(invalid, "Invalid loop ID format"), "Invalid loop ID format", nil},
		{schemas.NewError(schemas.CodeNotFound, "Request not found"), "Request not found", nil},
		{schemas.NewError(schemas.CodeForbidden, "Access denied to this loop"), "Access denied to this loop", nil},
		{schemas.NewError(invalid, "The body broke off before it was complete."), "Invalid request body", Issue{"body", "The body broke off before it was complete."}},
		{schemas.Invalid("limit", "must be between 1 and 100; got 0"), "Invalid pagination parameters", "limit must be between 1 and 100"},
		{&schemas.Error{Code: invalid, Message: "Invalid feedback", Fields: []schemas.FieldError{{Field: "rating", Message: "must be between 1 and 5"}}}, "Invalid feedback", "rating must be between 1 and 5"},
		{&schemas.Error{Code: schemas.CodeConflict, Fields: []schemas.FieldError{{Field: "round", Message: "is over"}}}, "Validation failed", "round is over"},
	}
	for _, c := range cases {
		msg, data := Words(c.err)
		require.Equal(t, c.msg, msg)
		require.Equal(t, c.data, data)
	}
}
