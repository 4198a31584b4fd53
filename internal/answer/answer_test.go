package answer

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/check"
	"humanops-mcp/schemas"
)

func spec(t *testing.T, kind, config string) Spec {
	t.Helper()
	s, err := Parse(kind, json.RawMessage(config))
	require.NoError(t, err, "%s %s", kind, config)
	return s
}

func TestEverySpellingOfAConfigurationIsRead(t *testing.T) {
	cases := map[string]struct{ kind, config, answer, data, value, decision string }{
		"options as strings": {"single_select", `{"options":["Approve","Needs Work!"]}`, `"Needs Work!"`,
			`{"selected_value":"Needs Work!","selected_label":"Needs Work!"}`, `"Needs Work!"`, "answered"},
		"options as objects": {"single_select", `{"options":[{"value":"approve","label":"Approve it","description":"Go","color":"#00ff00"},{"value":"no","label":"No"}]}`, `"approve"`,
			`{"selected_value":"approve","selected_label":"Approve it"}`, `"approve"`, "approved"},
		"the object form": {"single_select", `{"options":["yes","no"]}`, `{"selected_value":"no","selected_label":"anything"}`,
			`{"selected_value":"no","selected_label":"no"}`, `"no"`, "rejected"},
		"something else": {"single_select", `{"options":["yes","no"],"allow_other":true,"randomize_order":true,"prompt":"Which?"}`, `" approve "`,
			`{"selected_value":"approve","selected_label":"approve"}`, `"approve"`, "answered"},
		"several, in the order of the options": {"multi_select", `{"options":["a","b",{"value":"c","label":"C"}],"min_selections":1,"max_selections":2}`, `["c","a"]`,
			`{"selected_values":["a","c"],"selected_labels":["a","C"]}`, `["a","c"]`, "answered"},
		"none of several": {"multi_select", `{"options":["a"]}`, `{"selected_values":[]}`, `{"selected_values":[],"selected_labels":[]}`, `[]`, "answered"},
		"a rating's scale_*": {"rating", `{"scale_min":0,"scale_max":1,"scale_step":0.1,"labels":{"0.3":"poor"}}`, `0.30`,
			`{"rating":0.3,"rating_label":"poor"}`, `0.3`, "answered"},
		"a rating's min and max":           {"rating", `{"min":1,"max":10}`, `{"rating":1e1}`, `{"rating":10,"rating_label":"10"}`, `10`, "answered"},
		"a rating's min_value and step":    {"rating", `{"min_value":0,"max_value":10,"step":2.5,"show_numeric_labels":false}`, `7.5`, `{"rating":7.5,"rating_label":"7.5"}`, `7.5`, "answered"},
		"a rating's labels as a list":      {"rating", `{"scale_min":1,"scale_max":2,"labels":["bad","good"]}`, `2`, `{"rating":2,"rating_label":"good"}`, `2`, "answered"},
		"a rating without a configuration": {"rating", `{}`, `5`, `{"rating":5,"rating_label":"5"}`, `5`, "answered"},
		"a number": {"number", `{"min_value":0,"max_value":100,"decimal_places":2,"allow_negative":false,"prefix":"$","suffix":" net"}`, `42.5`,
			`{"number":42.5,"formatted_value":"$42.50 net"}`, `42.5`, "answered"},
		"a number's min, max, unit": {"number", `{"min":-5,"max":5,"step":0.5,"unit":" kg","placeholder":"kilos","validation_message":"Half kilos"}`, `{"number":-2.5,"formatted_value":"?"}`,
			`{"number":-2.5,"formatted_value":"-2.5 kg"}`, `-2.5`, "answered"},
		"zero":                     {"number", `{}`, `-0.0`, `{"number":0,"formatted_value":"0"}`, `0`, "answered"},
		"yes":                      {"boolean", `{}`, `true`, `{"boolean":true,"boolean_label":"True"}`, `true`, "approved"},
		"no":                       {"boolean", `{"true_label":"Ship","false_label":"Hold","true_color":"#16a34a"}`, `{"boolean":false}`, `{"boolean":false,"boolean_label":"Hold"}`, `false`, "rejected"},
		"text":                     {"text", `{"guidelines":"Be brief"}`, `"  hello "`, `"hello"`, `"hello"`, "answered"},
		"text without limits":      {"text", ``, `""`, `""`, `""`, "answered"},
		"a draft left as it is":    {"editable_text", `{"draft_text":"  a\n  b\n"}`, `"  a\r\n  b"`, `{"revised_text":"  a\n  b\n","was_edited":false}`, `"  a\n  b\n"`, "answered"},
		"a draft that was changed": {"editable_text", `{"draft_text":"a"}`, `{"revised_text":"b","was_edited":false}`, `{"revised_text":"b","was_edited":true}`, `"b"`, "answered"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			a, err := spec(t, c.kind, c.config).Check("response_data", json.RawMessage(c.answer))
			require.NoError(t, err)
			require.Equal(t, c.data, string(a.Data))
			require.Equal(t, c.value, string(a.Value))
			require.Equal(t, c.decision, a.Decision)
		})
	}
}

func TestAConfigurationThatMakesNoSenseIsRefused(t *testing.T) {
	many := `"a","b","c","d","e","f","g","h","i","j","k","l","m","n","o","p","q","r","s","t","u"`
	cases := map[string]struct{ kind, config, says string }{
		"no options":               {"single_select", `{}`, "response_config options array required for select response type"},
		"null options":             {"multi_select", `{"options":null}`, "response_config options array required for select response type"},
		"options that are none":    {"single_select", `{"options":"a,b"}`, "options array required for select response type"},
		"an empty list":            {"single_select", `{"options":[]}`, "options array required for select response type"},
		"too many":                 {"single_select", `{"options":[` + many + `]}`, "response_config.options must have between 1 and 20 items; got 21"},
		"a value twice":            {"single_select", `{"options":["a",{"value":"a"}]}`, "response_config.options[1] has the same value"},
		"a long value":             {"single_select", `{"options":["` + strings.Repeat("x", 101) + `"]}`, "must have between 1 and 100 characters; got 101"},
		"a number as a value":      {"single_select", `{"options":[{"value":1}]}`, "response_config.options[0].value is required and must be a string"},
		"an option of a number":    {"single_select", `{"options":[1]}`, "response_config.options[0] must be a string or an object"},
		"another spelling":         {"single_select", `{"Options":["a"]}`, "options array required"},
		"names twice":              {"single_select", `{"options":["a"],"options":["b"]}`, "with each name given once"},
		"not an object":            {"boolean", `[]`, "response_config must be a JSON object"},
		"limits crossed":           {"multi_select", `{"options":["a","b"],"min_selections":2,"max_selections":1}`, "min_selections must not be above max_selections"},
		"more than there are":      {"multi_select", `{"options":["a","b"],"min_selections":3}`, "response_config.min_selections must be a whole number between 0 and 2; got 3"},
		"a scale upside down":      {"rating", `{"min":5,"max":1}`, "must be below scale_max; got 5 and 1"},
		"two spellings disagree":   {"rating", `{"scale_min":1,"min":0}`, "response_config.min must be the same as scale_min"},
		"a step of nothing":        {"rating", `{"scale_step":0}`, "scale_step must be above 0"},
		"a scale without end":      {"rating", `{"min":0,"max":1000000}`, "must leave at most 1000 places"},
		"labels that do not fit":   {"rating", `{"labels":["a","b"]}`, "one label for each of the 5 places; got 2"},
		"a range upside down":      {"number", `{"min_value":2,"max_value":1}`, "must not be above max_value"},
		"places":                   {"number", `{"decimal_places":11}`, "must be a whole number between 0 and 10; got 11"},
		"an enormous exponent":     {"number", `{"max_value":1e999999999}`, "response_config.max_value must be a number"},
		"a flag as a word":         {"number", `{"allow_negative":"no"}`, `must be true or false; got "no"`},
		"negative only":            {"number", `{"allow_negative":false,"max_value":-1}`, "max_value must not be"},
		"a length of nothing":      {"text", `{"max_length":0}`, "must be a whole number between 1 and 5000; got 0"},
		"lengths crossed":          {"text", `{"min_length":10,"max_length":5}`, "min_length must not be above max_length"},
		"a label that is a list":   {"boolean", `{"true_label":[]}`, "response_config.true_label must be a string; got an array"},
		"no draft":                 {"editable_text", `{}`, "response_config.draft_text is required"},
		"a draft that is too long": {"editable_text", `{"draft_text":"abc","max_length":2}`, "must have at most 2 characters"},
		"an unknown type":          {"stars", `{}`, "response_type must be one of"},
		"all at once":              {"text", `{"min_length":-1,"max_length":9000}`, "min_length must be a whole number between 0 and 5000; got -1; response_config.max_length"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(c.kind, json.RawMessage(c.config))
			require.ErrorContains(t, err, c.says)
			require.Equal(t, schemas.CodeInvalid, schemas.ErrorCode(err))
		})
	}
}

func TestAnAnswerOutsideTheRulesIsRefused(t *testing.T) {
	cases := map[string]struct{ kind, config, answer, says string }{
		"an unknown option":         {"single_select", `{"options":["Approve","Reject"]}`, `"approve"`, `must be one of: Approve, Reject; got "approve"`},
		"two options":               {"single_select", `{"options":["a","b"]}`, `["a"]`, "must be a string, the value of an option; got an array"},
		"an unknown member":         {"single_select", `{"options":["a"]}`, `{"selected_value":"a","value":"b"}`, `"value" is not known there`},
		"a label without a value":   {"single_select", `{"options":["a"]}`, `{"selected_label":"a"}`, "response_data.selected_value is required"},
		"a name twice":              {"single_select", `{"options":["a","b"]}`, `{"selected_value":"a","selected_value":"b"}`, "each name given once"},
		"something else, too long":  {"single_select", `{"options":["a"],"allow_other":true}`, `"` + strings.Repeat("x", 101) + `"`, "must be one of: a"},
		"one option twice":          {"multi_select", `{"options":["a","b"]}`, `["a","a"]`, "response_data[1] is selected twice"},
		"too few":                   {"multi_select", `{"options":["a","b"],"required":true}`, `[]`, "must have between 1 and 2 selections; got 0"},
		"too many":                  {"multi_select", `{"options":["a","b"],"max_selections":1}`, `["a","b"]`, "must have between 0 and 1 selections; got 2"},
		"one that is not there":     {"multi_select", `{"options":["a","b"]}`, `["c"]`, "response_data[0] must be one of: a, b"},
		"a bare string of several":  {"multi_select", `{"options":["a","b"]}`, `"a"`, "must be an array"},
		"a rating off its step":     {"rating", `{"scale_min":1,"scale_max":5}`, `2.5`, "must be on a step of 1 from 1; got 2.5"},
		"a rating off a fine step":  {"rating", `{"min":0,"max":1,"step":0.1}`, `0.35`, "must be on a step of 0.1 from 0; got 0.35"},
		"a rating above":            {"rating", `{"scale_min":1,"scale_max":5}`, `6`, "must be between 1 and 5; got 6"},
		"a rating as a string":      {"rating", `{}`, `"4"`, `must be a number; got "4"`},
		"a number below":            {"number", `{"min":1}`, `0`, "must be at least 1; got 0"},
		"a number above":            {"number", `{"max_value":1}`, `1.01`, "must be at most 1; got 1.01"},
		"too many decimals":         {"number", `{"decimal_places":2}`, `1.001`, "must have at most 2 decimal places"},
		"a sign":                    {"number", `{"allow_negative":false}`, `-1`, "must not be negative; got -1"},
		"off a number's step":       {"number", `{"step":0.25,"min":0.1}`, `0.5`, "must be on a step of 0.25"},
		"an integer too large":      {"number", `{}`, `9007199254740993`, "must be a number within"},
		"an exponent too large":     {"number", `{}`, `1e400000000`, "must be a number within"},
		"a boolean as a string":     {"boolean", `{}`, `"true"`, `must be true or false; got "true"`},
		"a boolean as a number":     {"boolean", `{}`, `1`, "must be true or false; got 1"},
		"null":                      {"boolean", `{}`, `null`, "must be true or false; got null"},
		"nothing":                   {"boolean", `{}`, ``, "response_data is required"},
		"text that is only spaces":  {"text", `{"required":true}`, `"   "`, "must not be empty"},
		"text that is trimmed away": {"text", `{"min_length":3}`, `" ab "`, "must have between 3 and 5000 characters; got 2"},
		"text that is too long":     {"text", `{"max_length":2}`, `"äöü"`, "must have between 0 and 2 characters; got 3"},
		"text as an object":         {"text", `{}`, `{"text":"a"}`, "must be a string; got an object"},
		"text with U+0000":          {"text", `{}`, `"a\u0000"`, "must be a string; got a string that cannot be used"},
		"an edit too long":          {"editable_text", `{"draft_text":"a","max_length":2}`, `"abc"`, "must have between 0 and 2 characters"},
		"no JSON":                   {"text", `{}`, `"a" "b"`, "must be JSON"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := spec(t, c.kind, c.config).Check("response_data", json.RawMessage(c.answer))
			require.ErrorContains(t, err, c.says)
			require.Equal(t, schemas.CodeInvalid, schemas.ErrorCode(err))
		})
	}
}

func TestADefaultIsCheckedLikeAnAnswer(t *testing.T) {
	a, err := spec(t, "multi_select", `{"options":["no_issues","b"]}`).Default(json.RawMessage(` "no_issues" `))
	require.NoError(t, err)
	require.Equal(t, `["no_issues"]`, string(a.Value), "a bare string is one selection")

	for kind, value := range map[string]string{"boolean": "false", "number": "0", "text": `""`} { // present, not missing
		a, err := spec(t, kind, `{}`).Default(json.RawMessage(value))
		require.NoError(t, err)
		require.Equal(t, value, string(a.Value))
	}

	_, err = spec(t, "single_select", `{"options":["approve","reject"]}`).Default(json.RawMessage(`"escalate"`))
	require.ErrorContains(t, err, "default_response must be one of: approve, reject")
	for _, kind := range []string{"single_select", "multi_select"} {
		_, err = spec(t, kind, `{"options":["approve","reject"],"allow_other":true}`).Default(json.RawMessage(`"escalate"`))
		require.ErrorContains(t, err, "default_response must be among the options")
	}
	_, err = spec(t, "rating", `{"min":1,"max":5}`).Default(json.RawMessage(`1.5`))
	require.ErrorContains(t, err, "default_response must be on a step")
	_, err = spec(t, "boolean", `{}`).Default(nil)
	require.ErrorContains(t, err, "default_response is required")
}

func TestWhatAnAnswerMeans(t *testing.T) {
	for value, want := range map[string]string{
		"Approve": "approved", "ACCEPTED": "approved", "allow": "approved", "Yes": "approved", "ok": "approved", "accept": "approved", "approved": "approved",
		"reject": "rejected", "Denied": "rejected", "decline": "rejected", "declined": "rejected", "NO": "rejected", "refuse": "rejected", "deny": "rejected", "rejected": "rejected",
		"needs-changes": "needs_changes", "Request changes": "needs_changes", "changes": "needs_changes", "modify": "needs_changes", "revise": "needs_changes",
		"escalate": "answered", "maybe": "answered", "approve it": "answered",
	} {
		require.Equal(t, want, schemas.Meaning(value), value)
	}
}

func TestAConfigurationMaySayThatEditsAreNotWanted(t *testing.T) {
	for config, want := range map[string]bool{`{}`: true, `{"allow_edits":true}`: true, `{"allow_edits":null}`: true, `{"allow_edits":false}`: false} {
		require.Equal(t, want, spec(t, "boolean", config).AllowsEdits(), config)
		withOptions := strings.Replace(strings.Replace(config, "{", `{"options":["approve","reject"],`, 1), ",}", "}", 1)
		require.Equal(t, want, spec(t, "single_select", withOptions).AllowsEdits(), config)
	}
	_, err := Parse("boolean", json.RawMessage(`{"allow_edits":"no"}`))
	require.ErrorContains(t, err, "allow_edits must be true or false")
}

func TestATypeDecidesOnlyWhenEveryAnswerMeansSomething(t *testing.T) {
	for config, want := range map[string]bool{
		`{"options":["approve","reject"]}`:                    true,
		`{"options":["approved","rejected","needs_changes"]}`: true,
		`{"options":["approve","reject","escalate"]}`:         false,
		`{"options":["approve","reject"],"allow_other":true}`: false,
	} {
		require.Equal(t, want, spec(t, "single_select", config).Decides(), config)
	}
	require.True(t, spec(t, "boolean", `{}`).Decides())
	for _, kind := range []string{"text", "rating", "number"} {
		require.False(t, spec(t, kind, `{}`).Decides(), kind)
	}

	s := spec(t, "single_select", `{"options":["Later","Deny","Allow"]}`)
	no, ok := s.Rejection()
	require.True(t, ok)
	require.Equal(t, `"Deny"`, string(no.Value))
	yes, ok := s.Approval()
	require.True(t, ok)
	require.Equal(t, `{"selected_value":"Allow","selected_label":"Allow"}`, string(yes.Data))
	_, ok = spec(t, "text", `{}`).Approval()
	require.False(t, ok)
}

func TestOnlySomeTypesAreCounted(t *testing.T) {
	for kind, want := range map[string]bool{"boolean": true, "rating": true, "number": true, "text": false} {
		require.Equal(t, want, spec(t, kind, `{}`).Countable(), kind)
	}
	require.True(t, spec(t, "single_select", `{"options":["a"]}`).Countable())
	require.False(t, spec(t, "single_select", `{"options":["a"],"allow_other":true}`).Countable())
	require.False(t, spec(t, "multi_select", `{"options":["a"]}`).Countable())
}

func TestTheMedianIsAPossibleAnswer(t *testing.T) {
	values := func(texts ...string) (out []json.RawMessage) {
		for _, text := range texts {
			out = append(out, json.RawMessage(text))
		}
		return out
	}
	rating := spec(t, "rating", `{"min":1,"max":5}`)
	for _, c := range []struct {
		spec Spec
		in   []json.RawMessage
		want string
	}{
		{rating, values("5", "1", "4"), "4"},
		{rating, values("5", "3"), "4"},
		{rating, values("5", "4"), "4"}, // 4.5 is no place on the scale
		{spec(t, "number", `{}`), values("10", "2.5", "3", "1"), "2.75"},
		{spec(t, "number", `{}`), values("0.0000000001", "0"), "0"}, // a finer mean cannot be said
	} {
		a, ok := c.spec.Median(c.in)
		require.True(t, ok)
		require.Equal(t, c.want, string(a.Value), "%s", c.in)
	}
	_, ok := rating.Median(nil)
	require.False(t, ok)
	_, ok = spec(t, "boolean", `{}`).Median(values("true"))
	require.False(t, ok)
	_, ok = rating.Median(values(`"5"`))
	require.False(t, ok)
}

func TestManyProblemsAreNotAllRepeated(t *testing.T) {
	many := func(of string) string { return strings.Repeat(of+",", 200) + of }
	for kind, config := range map[string]string{
		"form":   `{"type":"object","properties":{"a":{"type":"boolean"}},"required":[` + many(`"x"`) + `]}`,
		"rating": `{"min":1,"max":500,"labels":[` + many(`1`) + `]}`,
	} {
		_, err := Parse(kind, json.RawMessage(config))
		var known *schemas.Error
		require.ErrorAs(t, err, &known)
		require.LessOrEqual(t, len(known.Fields), check.MaxProblems)
	}
	_, err := Parse("rating", json.RawMessage(`{"labels":{`+strings.TrimSuffix(numbered(1001), ",")+`}}`))
	require.ErrorContains(t, err, "response_config.labels must have at most 1000 labels; got 1001")
	_, err = spec(t, "form", `{"type":"object","properties":{"a":{"type":"boolean"}}}`).Check("response_data", json.RawMessage("{"+strings.TrimSuffix(numbered(1001), ",")+"}"))
	var known *schemas.Error
	require.ErrorAs(t, err, &known)
	require.Len(t, known.Fields, check.MaxProblems)
}

// numbered are members that nobody knows.
func numbered(n int) string {
	var out strings.Builder
	for i := range n {
		out.WriteString(`"n` + strconv.Itoa(i) + `":"x",`)
	}
	return out.String()
}
