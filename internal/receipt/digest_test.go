package receipt

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"humanops-mcp/schemas"
)

// The samples of RFC 8785, sections 3.2.2 and 3.2.3.
func TestCanonicalFormIsThatOfRFC8785(t *testing.T) {
	for sent, want := range map[string]string{
		`{
		  "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
		  "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
		  "literals": [null, true, false]
		}`: `{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
		`{"\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
		  "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis"}`: "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\"," +
			"\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}",
	} {
		got, err := dropMember([]byte(sent), "no such member")
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
}

// The table of RFC 8785, appendix B.
func TestNumbersAreWrittenAsRFC8785Does(t *testing.T) {
	for bits, want := range map[uint64]string{
		0x0000000000000000: "0", 0x8000000000000000: "0", 0x0000000000000001: "5e-324", 0x8000000000000001: "-5e-324",
		0x7fefffffffffffff: "1.7976931348623157e+308", 0xffefffffffffffff: "-1.7976931348623157e+308",
		0x4340000000000000: "9007199254740992", 0xc340000000000000: "-9007199254740992", 0x4430000000000000: "295147905179352830000",
		0x44b52d02c7e14af5: "9.999999999999997e+22", 0x44b52d02c7e14af6: "1e+23", 0x44b52d02c7e14af7: "1.0000000000000001e+23",
		0x444b1ae4d6e2ef4e: "999999999999999700000", 0x444b1ae4d6e2ef4f: "999999999999999900000", 0x444b1ae4d6e2ef50: "1e+21",
		0x3eb0c6f7a0b5ed8c: "9.999999999999997e-7", 0x3eb0c6f7a0b5ed8d: "0.000001", 0x41b3de4355555553: "333333333.3333332",
		0x41b3de4355555554: "333333333.33333325", 0x41b3de4355555555: "333333333.3333333", 0x41b3de4355555556: "333333333.3333334",
		0x41b3de4355555557: "333333333.33333343", 0xbecbf647612f3696: "-0.0000033333333333333333", 0x43143ff3c1cb0959: "1424953923781206.2",
	} {
		sent := fmt.Sprintf(`{"n":%.20e}`, math.Float64frombits(bits))
		got, err := dropMember([]byte(sent), "no such member")
		require.NoError(t, err)
		require.Equal(t, `{"n":`+want+`}`, string(got))
	}
}

func digestOf(t *testing.T, tool, arguments string) string {
	t.Helper()
	_, _, digest, err := Digest(schemas.Action{Tool: tool, Arguments: json.RawMessage(arguments)})
	require.NoError(t, err)
	return digest
}

func TestDigestCoversToolAndArguments(t *testing.T) {
	canonical, text, digest, err := Digest(schemas.Action{Tool: "transfer_money", Arguments: json.RawMessage(` {"to": "ACME", "amount": 8.2e4} `)})
	require.NoError(t, err)
	require.JSONEq(t, `{"arguments":{"amount":82000,"to":"ACME"},"tool":"transfer_money"}`, string(text))
	require.Equal(t, `{"arguments":{"amount":82000,"to":"ACME"},"tool":"transfer_money"}`, string(text))
	require.Equal(t, `{"amount":82000,"to":"ACME"}`, string(canonical.Arguments))
	require.Equal(t, digest, digestOf(t, canonical.Tool, string(canonical.Arguments)), "the canonical form is its own")

	require.NotEqual(t, digest, digestOf(t, "transfer_money", `{"to":"ACME","amount":820000}`))
	require.NotEqual(t, digest, digestOf(t, "transfer", `{"to":"ACME","amount":82000}`))
	require.NotEqual(t, digest, digestOf(t, "transfer_money", `{"to":"ACME","amount":"82000"}`))
	require.Equal(t, digestOf(t, "restart", ``), digestOf(t, "restart", `{}`))
	require.Equal(t, digestOf(t, "restart", `null`), digestOf(t, "restart", ` { } `))
}

func TestActionsThatReadersDisagreeAboutAreRefused(t *testing.T) {
	for name, arguments := range map[string]string{
		"a name given twice":             `{"amount":82000,"amount":820000}`,
		"a name given twice, escaped":    `{"amount":82000,"\u0061mount":820000}`,
		"a name given twice, deep":       `{"a":[{"b":1,"b":2}]}`,
		"an integer beyond 2^53":         `{"n":9007199254740993}`,
		"the next even one":              `{"n":9007199254740994}`,
		"a negative one":                 `{"n":-9007199254740993}`,
		"one with a point":               `{"n":9007199254740993.0}`,
		"one with an exponent":           `{"n":1e300}`,
		"more digits than a double has":  `{"n":82000.00000000000001}`,
		"a number too large":             `{"n":1e400}`,
		"a number too small":             `{"n":1e-400}`,
		"a very small one":               `{"n":1e-999999999}`,
		"a very long one":                `{"n":0.` + strings.Repeat("0", 500) + `1e500}`,
		"a lone surrogate":               `{"n":"\ud800"}`,
		"a lone surrogate in a name":     `{"\udc00":1}`,
		"invalid UTF-8":                  "{\"n\":\"\xff\"}",
		"an array":                       `[1]`,
		"a text":                         `"x"`,
		"two objects":                    `{} {}`,
		"an object cut off":              `{"n":1`,
		"more than 256 KiB":              `{"n":"` + strings.Repeat("x", maxArguments) + `"}`,
		"objects in objects without end": strings.Repeat(`{"n":`, 200) + "1" + strings.Repeat("}", 200),
	} {
		_, _, _, err := Digest(schemas.Action{Tool: "x", Arguments: json.RawMessage(arguments)})
		require.Equal(t, schemas.CodeInvalid, schemas.ErrorCode(err), name)
		require.ErrorContains(t, err, "action.arguments", name)
	}
	for _, tool := range []string{"", strings.Repeat("x", 201), "\xff"} {
		_, _, _, err := Digest(schemas.Action{Tool: tool})
		require.ErrorContains(t, err, "action.tool")
	}
}

func TestNumbersThatEveryReaderTakesTheSamePass(t *testing.T) {
	for sent, want := range map[string]string{
		"9007199254740992": "9007199254740992", "-9007199254740992": "-9007199254740992", "0.1": "0.1", "1.10": "1.1", "-0": "0",
		"0e999999999": "0", "1e3": "1000", "1e-7": "1e-7", "123456.789": "123456.789", "3.141592653589793": "3.141592653589793",
	} {
		canonical, _, _, err := Digest(schemas.Action{Tool: "x", Arguments: json.RawMessage(`{"n":` + sent + `}`)})
		require.NoError(t, err, sent)
		require.Equal(t, `{"n":`+want+`}`, string(canonical.Arguments))
	}
}

func FuzzDigestIgnoresOrderAndWhitespace(f *testing.F) {
	for _, seed := range []string{`{}`, `{"b":[1,2.5,{"z":null,"a":"é"}],"a":true}`, `{"amount":8.2e4,"to":"\u0041CME\n"}`, `{"😀":1,"דּ":2}`, `{"n":-0.0}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, arguments string) {
		canonical, _, digest, err := Digest(schemas.Action{Tool: "x", Arguments: json.RawMessage(arguments)})
		if err != nil {
			return
		}
		turned, err := backwards([]byte(canonical.Arguments))
		require.NoError(t, err)
		require.Equal(t, digest, digestOf(t, "x", string(turned)))
	})
}

// backwards turns the members of every object round and spreads the text out.
func backwards(raw []byte) ([]byte, error) {
	value := jsontext.Value(raw)
	switch value.Kind() {
	case '{':
		d := jsontext.NewDecoder(strings.NewReader(string(raw)))
		if _, err := d.ReadToken(); err != nil {
			return nil, err
		}
		members := ""
		for d.PeekKind() != '}' {
			name, err := d.ReadValue()
			if err != nil {
				return nil, err
			}
			head := string(name)
			member, err := d.ReadValue()
			if err != nil {
				return nil, err
			}
			inner, err := backwards(member.Clone())
			if err != nil {
				return nil, err
			}
			members = head + " : " + string(inner) + "\n,\t" + members
		}
		return []byte("{ " + strings.TrimSuffix(members, "\n,\t") + " }"), nil
	default:
		return raw, nil
	}
}
