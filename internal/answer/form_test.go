package answer

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const visit = `{"type":"object","title":"Visit","required":["name","stars","ok","when","where"],"properties":{
	"name":{"type":"string","title":"Who","minLength":2,"maxLength":10,"pattern":"^[A-Z]"},
	"stars":{"type":"integer","minimum":1,"maximum":5},
	"price":{"type":"number","minimum":0.5,"default":2.5},
	"ok":{"type":"boolean","description":"Is it open?"},
	"when":{"type":"string","format":"date"},
	"where":{"enum":["north","south"]},
	"size":{"type":"integer","enum":[1,2]},
	"tags":{"type":"array","items":{"type":"string","enum":["a","b","c"]},"minItems":1,"uniqueItems":true,"default":["b"]},
	"photo":{"type":"file"},
	"notes":{"type":"string"}}}`

func TestAFormIsAnsweredFieldByField(t *testing.T) {
	a, err := spec(t, "form", visit).Check("response_data", json.RawMessage(`{
		"where":"south","name":"Ann","stars":4.0,"ok":false,"when":"2030-02-28","tags":["c","a"],"size":2,"photo":"https://example.com/a.jpg","notes":null}`))
	require.NoError(t, err)
	require.Equal(t, `{"name":"Ann","stars":4,"ok":false,"when":"2030-02-28","where":"south","size":2,"tags":["a","c"],"photo":"https://example.com/a.jpg"}`, string(a.Value))
	require.Equal(t, a.Value, a.Data)
	require.Equal(t, "answered", a.Decision)
}

func TestAFormsProblemsComeAtOnce(t *testing.T) {
	_, err := spec(t, "form", visit).Check("response_data", json.RawMessage(`{
		"name":"ann","stars":9,"price":0,"ok":"yes","when":"2030-02-30","size":3,"tags":[],"photo":"ftp://x/y","more":1}`))
	for _, says := range []string{
		`response_data must hold only the form's fields; "more" is none`, "response_data.name must match the pattern ^[A-Z]",
		"response_data.stars must be at most 5; got 9", "response_data.price must be at least 0.5; got 0", "response_data.ok must be true or false",
		"response_data.when must be a date", "response_data.where is required", "response_data.size must be one of: 1, 2; got 3",
		"response_data.tags must have between 1 and 3 items; got 0", "response_data.photo must be the id of an uploaded file",
	} {
		require.ErrorContains(t, err, says)
	}
}

func TestASchemaOutsideTheSubsetIsRefusedByName(t *testing.T) {
	property := func(text string) string { return `{"type":"object","properties":{"a":` + text + `}}` }
	cases := map[string]string{
		`{}`:                                `response_config.type must be "object"`,
		`{"type":"object"}`:                 "response_config.properties must be an object with between 1 and 50 properties",
		`{"type":"object","properties":{}}`: "with between 1 and 50 properties",
		`{"type":"object","properties":{"a":{"type":"boolean"}},"allOf":[]}`:                  `uses "allOf", which a form does not support`,
		`{"type":"object","properties":{"a":{"type":"boolean"}},"additionalProperties":true}`: "additionalProperties must be false",
		`{"type":"object","properties":{"a":{"type":"boolean"}},"required":["b"]}`:            `required[0] must be the name of a property; got "b"`,
		`{"type":"object","properties":{"a b":{"type":"boolean"}}}`:                           "must have names of 1 to 64 letters",
		property(`true`):                                                 "response_config.properties.a must be an object",
		property(`{"$ref":"#/x"}`):                                       "properties.a.type must be one of",
		property(`{"type":["string","null"]}`):                           "properties.a.type must be a string",
		property(`{"type":"object","properties":{}}`):                    "properties.a.type must be one of",
		property(`{"type":"string","format":"email"}`):                   `properties.a.format must be date or file, or left out; got "email"`,
		property(`{"type":"string","contentEncoding":"base64"}`):         `uses "contentEncoding", which a string does not support`,
		property(`{"type":"string","pattern":"(?=x)"}`):                  "must be a regular expression in RE2 syntax",
		property(`{"type":"string","minLength":3,"maxLength":2}`):        "minLength must not be above maxLength",
		property(`{"type":"number","exclusiveMinimum":1}`):               `uses "exclusiveMinimum", which a number does not support`,
		property(`{"type":"number","minimum":2,"maximum":1}`):            "minimum must not be above maximum",
		property(`{"type":"integer","minimum":1.2,"maximum":1.8}`):       "must leave a whole number",
		property(`{"enum":[]}`):                                          "must be an array of between 1 and 100 values",
		property(`{"enum":["a","a"]}`):                                   "enum[1] is there twice",
		property(`{"enum":["a",1]}`):                                     "enum[1] must be a string",
		property(`{"enum":[null]}`):                                      "enum[0] must be a number",
		property(`{"type":"array","items":{"type":"string"}}`):           "a form supports arrays of an enum only",
		property(`{"type":"array"}`):                                     "a form supports arrays of an enum only",
		property(`{"type":"array","items":{"enum":["x"]},"minItems":2}`): "minItems must not be above",
		property(`{"type":"integer","minimum":3,"default":1}`):           "properties.a.default must be at least 3; got 1",
		property(`{"type":"boolean","type":"string"}`):                   "must be a JSON object with each name given once",
	}
	for config, says := range cases {
		_, err := Parse("form", json.RawMessage(config))
		require.ErrorContains(t, err, says, config)
	}
}

func TestAPageAsksForEveryProperty(t *testing.T) {
	fields := spec(t, "form", visit).Fields()
	kinds := map[string]string{}
	for _, f := range fields {
		kinds[f.Name] = f.Kind
	}
	require.Equal(t, map[string]string{
		"answer.name": "text", "answer.stars": "number", "answer.price": "number", "answer.ok": "radio", "answer.when": "date", "answer.where": "radio",
		"answer.size": "select", "answer.tags": "checkbox", "answer.photo": "file", "answer.notes": "text",
	}, kinds)
	require.Equal(t, "Who", fields[0].Label)
	require.True(t, fields[0].Required)
	require.Equal(t, "2.5", fields[2].Value)
	require.Equal(t, []string{"b"}, fields[7].Values)
	require.Equal(t, "Is it open?", fields[3].Help)
}

func TestAShortTextHasOneLine(t *testing.T) {
	for property, want := range map[string]string{
		`{"type":"string"}`: "text", `{"type":"string","maxLength":200}`: "text", `{"type":"string","maxLength":201}`: "textarea",
		`{"type":"string","minLength":300}`: "textarea", `{"type":"string","default":"a\nb"}`: "textarea",
	} {
		f := spec(t, "form", `{"type":"object","properties":{"a":`+property+`}}`).Fields()[0]
		require.Equal(t, want, f.Kind, property)
	}
}

func TestAPagesFieldsBecomeAnAnswer(t *testing.T) {
	s := spec(t, "form", visit)
	raw, err := s.FromForm(map[string][]string{
		"answer.name": {" Ann "}, "answer.stars": {"4"}, "answer.price": {""}, "answer.ok": {"true"}, "answer.when": {"2030-01-01"},
		"answer.where": {"north"}, "answer.size": {"1"}, "answer.tags": {"b", "a"}, "answer.notes": {"one\r\ntwo"}, "comment": {"fine"},
	})
	require.NoError(t, err)
	require.JSONEq(t, `{"name":"Ann","stars":4,"ok":true,"when":"2030-01-01","where":"north","size":1,"tags":["a","b"],"notes":"one\ntwo"}`, string(raw))
	_, err = s.Check("response_data", raw)
	require.NoError(t, err)

	_, err = s.FromForm(map[string][]string{"answer.stars": {"many"}, "answer.where": {"west"}})
	for _, says := range []string{"answer.name is required", `answer.stars must be a number`, "answer.ok is required", "answer.where must be one of: north, south"} {
		require.ErrorContains(t, err, says)
	}
}

func TestAPageOfEachTypeGivesAnAnswerThatPasses(t *testing.T) {
	cases := []struct {
		kind, config string
		form         map[string][]string
		want         string
	}{
		{"single_select", `{"options":["a","b"]}`, map[string][]string{"answer": {"b"}}, `"b"`},
		{"single_select", `{"options":["a"],"allow_other":true}`, map[string][]string{"answer": {""}, "answer_other": {" mine "}}, `"mine"`},
		{"multi_select", `{"options":["a","b"]}`, map[string][]string{"answer": {"b", "a"}}, `["a","b"]`},
		{"multi_select", `{"options":["a","b"],"allow_other":true}`, map[string][]string{"answer": {"b"}, "answer_other": {"mine"}}, `["b","mine"]`},
		{"multi_select", `{"options":["a","b"]}`, nil, `[]`},
		{"rating", `{}`, map[string][]string{"answer": {"3"}}, `3`},
		{"number", `{}`, map[string][]string{"answer": {"+1.50"}}, `1.5`},
		{"boolean", `{}`, map[string][]string{"answer": {"false"}}, `false`},
		{"text", `{}`, map[string][]string{"answer": {"a\r\nb "}}, `"a\nb"`},
		{"editable_text", `{"draft_text":"a\nb"}`, map[string][]string{"answer": {"a\r\nb"}}, `"a\nb"`},
	}
	for _, c := range cases {
		s := spec(t, c.kind, c.config)
		raw, err := s.FromForm(c.form)
		require.NoError(t, err, c.kind)
		a, err := s.Check("response_data", raw)
		require.NoError(t, err, c.kind)
		require.Equal(t, c.want, string(a.Value))
	}
	for kind, config := range map[string]string{
		"single_select": `{"options":["a"]}`, "multi_select": `{"options":["a"],"min_selections":1}`, "rating": `{}`, "number": `{}`, "boolean": `{}`,
		"text": `{"required":true}`, "editable_text": `{"draft_text":"a"}`,
	} {
		_, err := spec(t, kind, config).FromForm(map[string][]string{})
		require.ErrorContains(t, err, "answer", "%s: nothing was entered", kind)
	}
	_, err := spec(t, "single_select", `{"options":["a","b"]}`).FromForm(map[string][]string{"answer": {"a", "b"}})
	require.ErrorContains(t, err, "answer must be exactly one choice")
}

func TestAPageSaysHowManyOptionsToChoose(t *testing.T) {
	for config, words := range map[string]string{
		`{"options":["a","b","c"],"min_selections":1,"max_selections":2}`: "Choose 1 to 2.",
		`{"options":["a","b","c"],"min_selections":2}`:                    "Choose at least 2.",
		`{"options":["a","b","c"],"max_selections":2}`:                    "Choose at most 2.",
		`{"options":["a","b"],"min_selections":2,"max_selections":2}`:     "Choose 2.",
		`{"options":["a","b"]}`:                                           "",
	} {
		f := spec(t, "multi_select", config).Fields()[0]
		require.Equal(t, words, f.Help, config)
		require.Equal(t, strings.Contains(config, "min_selections"), f.Required, config)
	}
	tags := spec(t, "form", `{"type":"object","properties":{"tags":{"type":"array","items":{"enum":["x","y","z"]},"maxItems":2}}}`).Fields()[0]
	require.Equal(t, "Choose at most 2.", tags.Help)
}

func TestARatingIsChosenAmongItsPlaces(t *testing.T) {
	f := spec(t, "rating", `{"min":1,"max":3,"labels":{"1":"poor"}}`).Fields()[0]
	require.Equal(t, "radio", f.Kind)
	require.Equal(t, []Option{{Value: "1", Label: "1 – poor"}, {Value: "2", Label: "2"}, {Value: "3", Label: "3"}}, f.Options)
	f = spec(t, "rating", `{"min":0,"max":100}`).Fields()[0]
	require.Equal(t, "number", f.Kind)
	require.InDelta(t, 100, *f.Max, 0)
}

// specs are configurations for what must hold of all.
var specs = map[string][]string{
	"single_select": {`{"options":["Approve","Reject","needs changes"]}`, `{"options":["a"],"allow_other":true}`, `{"options":["reject","approve"],"allow_other":true}`},
	"multi_select":  {`{"options":["a","b","c"],"min_selections":2}`, `{"options":["a"],"allow_other":true}`, `{"options":["a","b"]}`},
	"rating":        {`{}`, `{"min":0,"max":1,"step":0.3}`, `{"scale_min":-5,"scale_max":5,"scale_step":2.5}`},
	"number":        {`{}`, `{"min":10,"max":20}`, `{"max":-3,"step":2}`, `{"min":0.25,"max":0.75,"decimal_places":2}`, `{"step":5,"max":-2}`, `{"min":2.5,"step":2}`},
	"boolean":       {`{}`},
	"text":          {`{}`, `{"min_length":30}`, `{"max_length":3}`, `{"min_length":10,"max_length":10}`},
	"editable_text": {`{"draft_text":"a draft"}`, `{"draft_text":"a","min_length":20}`, `{"draft_text":""}`},
	"form": {visit, `{"type":"object","properties":{"a":{"type":"string","pattern":"^[0-9]{3}-[a-f]+$"}},"required":["a"]}`,
		`{"type":"object","properties":{"a":{"type":"string","minLength":30,"pattern":"^[^a-z]*$"}},"required":["a"]}`,
		`{"type":"object","properties":{"a":{"type":"integer","maximum":-1},"b":{"type":"integer","minimum":1.5},"c":{"type":"number","minimum":0.1,"maximum":0.2}},"required":["a","b","c"]}`},
}

func TestASimulatedAnswerPassesItsOwnCheck(t *testing.T) {
	for _, kind := range slices.Sorted(maps.Keys(specs)) {
		for _, config := range specs[kind] {
			s := spec(t, kind, config)
			for _, steer := range []string{"", "approve", "reject", "changes"} {
				raw := s.Simulated(steer)
				_, err := s.Check("response_data", raw)
				require.NoError(t, err, "%s %s %q: %s", kind, config, steer, raw)
			}
		}
	}
	s := spec(t, "single_select", specs["single_select"][0])
	require.Contains(t, string(s.Simulated("")), `"Approve"`)
	require.Contains(t, string(s.Simulated("reject")), `"Reject"`)
	require.Contains(t, string(s.Simulated("changes")), `"needs changes"`)
	require.Contains(t, string(spec(t, "boolean", `{}`).Simulated("changes")), "false", "with two answers, changes means no")
}

func FuzzParseAndCheck(f *testing.F) {
	for kind, configs := range specs {
		for _, config := range configs {
			for _, raw := range []string{`"Approve"`, `["a","b"]`, `4`, `-2.5`, `true`, `{"selected_value":"a"}`, `{"rating":3}`, `{"name":"Ann"}`, `"\ud800"`, `1e400`, `{"revised_text":" x "}`} {
				f.Add(kind, config, raw)
			}
		}
	}
	f.Fuzz(func(t *testing.T, kind, config, raw string) {
		s, err := Parse(kind, json.RawMessage(config))
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		s.Fields()
		s.Decides()
		s.Simulated("")
		a, err := s.Check("response_data", json.RawMessage(raw))
		if err != nil {
			require.NotEmpty(t, strings.TrimSpace(err.Error()))
			return
		}
		fromData, err := s.Check("response_data", a.Data)
		require.NoError(t, err)
		require.Equal(t, a, fromData, "checking the answer again changes nothing")
		fromValue, err := s.Check("response_data", a.Value)
		require.NoError(t, err)
		require.Equal(t, a, fromValue, "both forms are the same answer")
		require.True(t, json.Valid(a.Data) && json.Valid(a.Value))
	})
}
