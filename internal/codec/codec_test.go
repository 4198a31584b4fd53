package codec_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/codec"
	"humanops-mcp/schemas"
)

const goodTask = `{"title":"Photo of storefront","description":"Two photos.","task_type":"PHOTO","reward_usd":15,
 "location":{"lat":30.2672,"lng":-97.7431},"deadline":"2030-02-07T18:00:00Z","proof_requirements":["Facade"]}`

func decodeTask(t *testing.T, raw string, strict bool) (schemas.PostTaskRequest, []string, map[string]string, string) {
	t.Helper()
	var in schemas.PostTaskRequest
	warnings, err := codec.Decode([]byte(raw), &in, codec.Options{Strict: strict})
	if err == nil {
		return in, warnings, nil, ""
	}
	var e *schemas.Error
	require.True(t, errors.As(err, &e), "%T", err)
	require.Equal(t, schemas.CodeInvalid, e.Code)
	fields := map[string]string{}
	for _, f := range e.Fields {
		fields[f.Field] = f.Message
	}
	return in, warnings, fields, e.Error()
}

func with(member string) string { return strings.Replace(goodTask, "{", "{"+member+",", 1) }

func TestDecode(t *testing.T) {
	t.Run("reads what follows the rules", func(t *testing.T) {
		in, warnings, fields, _ := decodeTask(t, goodTask, true)
		require.Empty(t, fields)
		require.Empty(t, warnings)
		require.Equal(t, 15*schemas.USD, in.RewardUSD)
		require.Equal(t, time.Date(2030, 2, 7, 18, 0, 0, 0, time.UTC), in.Deadline.UTC())
		require.InDelta(t, 30.2672, *in.Location.Lat, 1e-9)
	})
	t.Run("tells every problem at once with its example", func(t *testing.T) {
		_, _, fields, text := decodeTask(t, `{"title":"","reward_usd":"abc","deadline":"tomorrow","task_type":"PHOTOS",
			"location":{"lat":91,"address":7},"proof_requirements":["a",3]}`, false)
		require.Equal(t, map[string]string{
			"title":                 `must not be empty. Example: "Photo of storefront"`,
			"description":           `is required. Example: "Take 2 clear photos showing the full facade and signage."`,
			"reward_usd":            `must be a number; got "abc". Example: 15`,
			"deadline":              `must be a time in RFC 3339 with its zone; got "tomorrow". Example: "2030-02-07T18:00:00Z"`,
			"task_type":             `must be one of VERIFICATION, PHOTO, DELIVERY, INSPECTION, CAPTCHA_SOLVING, FORM_FILLING, CONTENT_REVIEW, DATA_VALIDATION, BROWSER_NAVIGATION, ACCOUNT_CREATION, API_KEY_PROCUREMENT, PHONE_VERIFICATION, SUBSCRIPTION_SETUP; got "PHOTOS"`,
			"location.lat":          `must be between -90 and 90; got 91. Example: 30.2672`,
			"location.address":      `must be a string; got 7. Example: "123 Main St, Austin, TX"`,
			"proof_requirements[1]": `must be a string; got 3`,
		}, fields)
		require.Contains(t, text, `reward_usd must be a number; got "abc". Example: 15`)
	})
	t.Run("keeps unknown members as warnings, or refuses them when strict", func(t *testing.T) {
		_, warnings, fields, _ := decodeTask(t, with(`"titel":1`), false)
		require.Empty(t, fields)
		require.Equal(t, []string{"titel is not a known field and was ignored; did you mean title?"}, warnings)
		_, _, fields, _ = decodeTask(t, with(`"titel":1`), true)
		require.Equal(t, map[string]string{"titel": "is not a known field; did you mean title?"}, fields)
	})
	t.Run("takes null for absent", func(t *testing.T) {
		_, _, fields, _ := decodeTask(t, with(`"assign_to":null`), true)
		require.Empty(t, fields)
		_, _, fields, _ = decodeTask(t, `{"title":null}`, true)
		require.Contains(t, fields["title"], "is required")
	})
}

func TestDecodeRefuses(t *testing.T) {
	for name, c := range map[string]struct{ raw, field, want string }{
		"a case variant beside the name":     {with(`"Reward_USD":1`), "Reward_USD", "must be spelt reward_usd: names are case-sensitive"},
		"a case variant instead of the name": {strings.Replace(goodTask, "reward_usd", "REWARD_USD", 1), "REWARD_USD", "must be spelt reward_usd: names are case-sensitive"},
		"a case variant deeper down":         {strings.Replace(goodTask, `"lat"`, `"Lat"`, 1), "location.Lat", "must be spelt lat: names are case-sensitive"},
		"a name given twice":                 {with(`"reward_usd":1`), "reward_usd", "is given more than once; send it once"},
		"seven decimals of money":            {strings.Replace(goodTask, ":15,", ":1.1234567,", 1), "reward_usd", "must have at most 6 decimals; got 1.1234567. Example: 12.50"},
		"too much money":                     {strings.Replace(goodTask, ":15,", `:"10000.000001",`, 1), "reward_usd", `must be between 0 and 10000; got "10000.000001". Example: 15`},
		"an exponent in money":               {strings.Replace(goodTask, ":15,", `:1e1,`, 1), "reward_usd", `must be a decimal amount of dollars; got "1e1". Example: 12.50`},
		"an integer beyond 2^53":             {with(`"x":9007199254740993`), "x", "must be within ±9007199254740992, the integers that JSON carries exactly; got 9007199254740993"},
		"a long title":                       {strings.Replace(goodTask, "Photo of storefront", strings.Repeat("é", 100_000), 1), "title", `must have between 1 and 200 characters; got 100000. Example: "Photo of storefront"`},
		"an array for the object":            {`[]`, "", "The JSON must be a JSON object; got an array"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, fields, _ := decodeTask(t, c.raw, false)
			require.Equal(t, c.want, fields[c.field], "%v", fields)
		})
	}
	for name, c := range map[string]struct{ raw, want string }{
		"bad UTF-8":            {"{\"title\":\"a\xff\"}", "The JSON is not valid UTF-8 at byte 11; send UTF-8."},
		"a broken string":      {`{"title":"a`, "The JSON cannot be read: it ends before it is complete."},
		"broken syntax":        {"{\n \"title\": secret}", "The JSON cannot be read: the syntax breaks at line 2, column 11."},
		"two values":           {`{} {}`, "There is more than one JSON value; send one."},
		"deep nesting":         {strings.Repeat(`{"a":`, 33) + "1" + strings.Repeat("}", 33), "The JSON is nested deeper than 32 levels."},
		"a lone surrogate":     {`{"title":"\ud800"}`, "The JSON cannot be read: the syntax breaks at line 1, column 11."},
		"nothing where needed": {"  ", "Nothing was sent, and a JSON object is needed"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, _, text := decodeTask(t, c.raw, false)
			require.Contains(t, text, c.want)
		})
	}
	t.Run("many problems without echoing them all", func(t *testing.T) {
		_, _, fields, _ := decodeTask(t, with(`"proof_requirements2":0,`+strings.TrimSuffix(strings.Repeat(`"q":1,`, 500), ",")), false)
		require.LessOrEqual(t, len(fields), 50)
		var members []string
		for range 500 {
			members = append(members, "7")
		}
		_, _, fields, _ = decodeTask(t, `{"proof_requirements":[`+strings.Join(members, ",")+`]}`, false)
		require.Len(t, fields, 50)
	})
}

type sample struct {
	Name   string          `json:"name" minLength:"1" maxLength:"5" pattern:"^[a-z]+$" patternDescription:"be lower-case letters"`
	Count  int             `json:"count,omitempty" minimum:"1" maximum:"100"`
	Ratio  *float64        `json:"ratio" exclusiveMinimum:"0"`
	Email  string          `json:"email,omitempty" format:"email"`
	Site   string          `json:"site,omitempty" format:"uri"`
	Flag   bool            `json:"flag,omitempty"`
	Pay    schemas.Money   `json:"pay,omitzero" minimum:"0.5" maximum:"7"`
	Tags   map[string]int  `json:"tags,omitempty"`
	Any    json.RawMessage `json:"any,omitempty"`
	At     time.Time       `json:"at,omitzero"`
	Hidden func()          `json:"-"`
	Inner
}

// Inner is exported because huma leaves out embedded structs that are not.
type Inner struct {
	Note string `json:"note,omitempty" maxLength:"3"`
}

func TestDecodeSample(t *testing.T) {
	for name, c := range map[string]struct{ raw, want string }{
		"pattern in words":        {`{"name":"A1"}`, `name must be lower-case letters; got "A1"`},
		"one bound":               {`{"name":"a","ratio":0}`, `ratio must be above 0; got 0`},
		"a fraction for a whole":  {`{"name":"a","count":1.5}`, `count must be a whole number; got 1.5`},
		"a huge exponent":         {`{"name":"a","count":1e400}`, `count must be a whole number; got 1e400`},
		"e-mail":                  {`{"name":"a","email":"x"}`, `email must be an e-mail address; got "x"`},
		"url":                     {`{"name":"a","site":"x"}`, `site must be a full URL; got "x"`},
		"boolean":                 {`{"name":"a","flag":"yes"}`, `flag must be true or false; got "yes"`},
		"money in dollars":        {`{"name":"a","pay":0.4}`, `pay must be between 0.5 and 7; got 0.4`},
		"values of a map":         {`{"name":"a","tags":{"x":"y"}}`, `tags.x must be a whole number; got "y"`},
		"fields of embedded ones": {`{"name":"a","note":"long"}`, `note must have at most 3 characters; got 4`},
		"fields that are hidden":  {`{"name":"a","-":1,"Hidden":2}`, `Hidden is not a known field`},
	} {
		t.Run("names "+name, func(t *testing.T) {
			var v sample
			_, err := codec.Decode([]byte(c.raw), &v, codec.Options{Strict: true})
			require.ErrorContains(t, err, c.want)
		})
	}
	t.Run("takes 15.0 for a whole number and money as text", func(t *testing.T) {
		var v sample
		_, err := codec.Decode([]byte(`{"name":"a","count":15.0,"pay":"1.5","any":{"x":[1,null]}}`), &v, codec.Options{})
		require.NoError(t, err)
		require.Equal(t, 15, v.Count)
		require.Equal(t, schemas.Money(1_500_000), v.Pay)
		require.JSONEq(t, `{"x":[1,null]}`, string(v.Any))
	})
}

func TestDecodeParams(t *testing.T) {
	decode := func(body string, params map[string]string) (in schemas.ListTasksRequest, warnings []string, err error) {
		warnings, err = codec.Decode([]byte(body), &in, codec.Options{Params: params})
		return in, warnings, err
	}
	t.Run("fill in defaults", func(t *testing.T) {
		in, _, err := decode("", map[string]string{"offset": "3", "q": "12"})
		require.NoError(t, err)
		require.Equal(t, 20, in.Limit)
		require.Equal(t, 3, in.Offset)
		require.Equal(t, "12", in.Query)
	})
	t.Run("are checked by the same sentences", func(t *testing.T) {
		_, _, err := decode("", map[string]string{"limit": "0", "offset": "x"})
		require.EqualError(t, err, `limit must be between 1 and 100; got 0; offset must be a whole number; got "x"`)
	})
	t.Run("win over the body", func(t *testing.T) {
		var in schemas.CancelTaskRequest
		warnings, err := codec.Decode([]byte(`{"task_id":"task_b","reason":"r"}`), &in, codec.Options{Params: map[string]string{"task_id": "task_a"}})
		require.NoError(t, err)
		require.Equal(t, schemas.CancelTaskRequest{TaskID: "task_a", Reason: "r"}, in)
		require.Equal(t, []string{"task_id in the body was ignored: it belongs in the path"}, warnings)
	})
}

func TestWhatIsWrittenIsReadByTheSameRules(t *testing.T) {
	in, _, _, _ := decodeTask(t, goodTask, true)
	require.NoError(t, readAgain(t, &in))
	in.RewardUSD, in.Deadline, in.ProofRequirements = 10_001*schemas.USD, time.Time{}, nil
	err := readAgain(t, &in)
	require.ErrorContains(t, err, "reward_usd must be between 0 and 10000; got 10001. Example: 15")
	require.ErrorContains(t, err, "deadline is required")
	require.ErrorContains(t, err, "proof_requirements must have between 1 and 20 items; got 0")
}

// readAgain writes a typed value and reads it, strictly.
func readAgain(t *testing.T, in *schemas.PostTaskRequest) error {
	t.Helper()
	raw, err := codec.Encode(in)
	require.NoError(t, err)
	_, err = codec.Decode(raw, new(schemas.PostTaskRequest), codec.Options{Strict: true})
	return err
}

func TestEncodeWritesEmptyListsAsLists(t *testing.T) {
	raw, err := codec.Encode(schemas.Page[schemas.Key]{})
	require.NoError(t, err)
	require.JSONEq(t, `{"data":[],"pagination":{"limit":0,"offset":0,"total":0}}`, string(raw))
	for _, info := range schemas.All() {
		if info.Out == nil {
			continue
		}
		v := reflect.New(info.Out).Interface()
		mine, err := codec.Encode(v)
		require.NoError(t, err)
		std, err := json.Marshal(v)
		require.NoError(t, err)
		require.JSONEq(t, strings.NewReplacer(`:[]`, `:null`, `:{}`, `:null`).Replace(string(mine)), strings.NewReplacer(`:[]`, `:null`, `:{}`, `:null`).Replace(string(std)), info.Path)
	}
}

func TestSchema(t *testing.T) {
	for _, info := range schemas.All() {
		raw := string(codec.Schema(info.In))
		require.True(t, json.Valid([]byte(raw)))
		require.NotContains(t, raw, "$ref", info.Path)
		require.NotContains(t, raw, `"null"`, info.Path)
		require.Contains(t, raw, `"type":"object"`)
		require.Contains(t, raw, `"properties":`)
		if info.Out != nil {
			require.NotContains(t, string(codec.Schema(info.Out)), "$ref", info.Path)
		}
	}
	var s struct {
		Required   []string
		Properties map[string]map[string]any
	}
	require.NoError(t, json.Unmarshal(codec.Schema(reflect.TypeFor[schemas.PostTaskRequest]()), &s))
	require.Equal(t, []string{"title", "description", "task_type", "reward_usd", "deadline", "proof_requirements"}, s.Required)
	require.Equal(t, "number", s.Properties["reward_usd"]["type"])
	require.InDelta(t, 10000, s.Properties["reward_usd"]["maximum"], 0)
	require.Equal(t, "object", s.Properties["location"]["type"])
	require.Equal(t, "array", s.Properties["proof_requirements"]["type"])
	require.NoError(t, json.Unmarshal(codec.Schema(reflect.TypeFor[schemas.CancelTaskRequest]()), &s))
	require.Contains(t, s.Properties, "task_id", "path fields are members too")

	t.Run("ends a type that contains itself", func(t *testing.T) {
		type tree struct {
			Name     string `json:"name"`
			Children []tree `json:"children,omitempty"`
		}
		require.NotContains(t, string(codec.Schema(reflect.TypeFor[tree]())), "$ref")
	})
	require.JSONEq(t, `{"type":"object","properties":{},"additionalProperties":false}`, string(codec.Schema(reflect.TypeFor[schemas.Empty]())))
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{goodTask, `{}`, `[`, `{"a":{"a":1e999}}`, "{\"\xff\":1}", `{"reward_usd":"-"}`, `{"location":{"lat":1e-400}}`} {
		f.Add([]byte(seed), "5")
	}
	f.Fuzz(func(t *testing.T, raw []byte, limit string) {
		var list schemas.ListTasksRequest
		_, _ = codec.Decode(raw, &list, codec.Options{Params: map[string]string{"limit": limit}})
		var in, again schemas.PostTaskRequest
		if _, err := codec.Decode(raw, &in, codec.Options{}); err != nil {
			return
		}
		written, err := codec.Encode(&in)
		require.NoError(t, err)
		_, err = codec.Decode(written, &again, codec.Options{Strict: true})
		require.NoError(t, err)
		rewritten, err := codec.Encode(&again)
		require.NoError(t, err)
		require.Equal(t, string(written), string(rewritten))
	})
}

// What a receipt will be made over must be what was sent.
func TestAnyJSONPassesToTheByte(t *testing.T) {
	type call struct {
		Tool      string            `json:"tool"`
		Arguments json.RawMessage   `json:"arguments"`
		Items     []json.RawMessage `json:"items,omitempty"`
	}
	exact := "{ \"b\" :\t1.50, \"a\":[1e3 ,\"\\u00e9\\/\\n\"],\n\"c\":{}, \"n\":null }"
	var got call
	_, err := codec.Decode([]byte("{\"tool\":\"pay\" , \"arguments\" : "+exact+" ,\"items\":[ "+exact+" , 5.0,\"\\u0041\" ]}"), &got, codec.Options{})
	require.NoError(t, err)
	require.Equal(t, exact, string(got.Arguments))
	require.Equal(t, []json.RawMessage{[]byte(exact), []byte("5.0"), []byte(`"\u0041"`)}, got.Items)
	for what, bad := range map[string]string{"a member twice": `{"a":1,"a":2}`, "an integer that others round": `{"a":9007199254740993}`} {
		_, err := codec.Decode([]byte(`{"tool":"pay","arguments":`+bad+`}`), &got, codec.Options{})
		require.ErrorContains(t, err, "arguments.a", what)
	}
}
