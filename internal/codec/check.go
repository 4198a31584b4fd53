package codec

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json/jsontext"

	"humanops-mcp/schemas"
)

// checker walks a value along its schema, reports every problem, and returns the value
// as it is to be read: without unknown members and nulls, with defaults filled in.
type checker struct {
	report *report
	strict bool
}

func (c *checker) value(path string, s *huma.Schema, n node) node {
	if s.Nullable && n.kind == 'n' {
		return n
	}
	switch s.Type {
	case huma.TypeObject:
		return c.object(path, s, n)
	case huma.TypeArray:
		return c.array(path, s, n)
	case huma.TypeString:
		c.text(path, s, n)
	case huma.TypeBoolean:
		if n.kind != 't' && n.kind != 'f' {
			c.report.add(path, "must be true or false; got "+n.got()+example(s))
		}
	case huma.TypeInteger, huma.TypeNumber:
		return c.number(path, s, n)
	case "":
		n.exact = len(n.raw) > 0 // any JSON: it goes on as it came, to the byte
	}
	return n
}

func (c *checker) object(path string, s *huma.Schema, n node) node {
	if n.kind != '{' {
		c.wrongType(path, s, n, "a JSON object")
		return n
	}
	out := node{kind: '{'}
	values, _ := s.AdditionalProperties.(*huma.Schema)
	for _, m := range n.members {
		property, known := s.Properties[m.name]
		if !known {
			property = values
		}
		switch {
		case property == nil:
			c.unknown(path, s, m.name)
		case m.value.kind == 'n' && !property.Nullable:
			// Null means absent: many clients send it for what they leave out.
		default:
			out.members = append(out.members, member{m.name, c.value(join(path, m.name), property, m.value)})
		}
	}
	c.absent(path, s, &out)
	return out
}

// absent reports required members that are missing and fills in defaults.
func (c *checker) absent(path string, s *huma.Schema, n *node) {
	for _, name := range s.Required {
		if s.Properties[name].Nullable {
			continue // a pointer: absent and null are the same
		}
		i := n.find(name)
		if i < 0 || isZeroTime(s.Properties[name], n.members[i].value) {
			c.report.add(join(path, name), "is required"+example(s.Properties[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if property := s.Properties[name]; property.Default != nil && n.find(name) < 0 {
			if value, ok := fromGo(property.Default); ok {
				n.members = append(n.members, member{name, value})
			}
		}
	}
}

// isZeroTime: a typed value that nobody set carries year 1.
func isZeroTime(s *huma.Schema, n node) bool {
	return s.Format == "date-time" && n.text == "0001-01-01T00:00:00Z"
}

func fromGo(v any) (node, bool) {
	raw, err := json.Marshal(v)
	if err != nil {
		return node{}, false
	}
	n, err := parse(raw, &report{})
	return n, err == nil
}

func (c *checker) unknown(path string, s *huma.Schema, name string) {
	for known := range s.Properties {
		if strings.EqualFold(known, name) {
			c.report.add(join(path, name), "must be spelt "+known+": names are case-sensitive")
			return
		}
	}
	if c.report.full(c.strict) {
		return // comparing names costs, and nobody would read the result
	}
	hint := didYouMean(name, slices.Collect(maps.Keys(s.Properties)))
	if c.strict {
		c.report.add(join(path, name), "is not a known field"+hint)
		return
	}
	c.report.warn(join(path, name) + " is not a known field and was ignored" + hint)
}

func (c *checker) array(path string, s *huma.Schema, n node) node {
	if n.kind != '[' {
		c.wrongType(path, s, n, "an array")
		return n
	}
	if outside(len(n.items), s.MinItems, s.MaxItems) {
		c.report.add(path, "must have "+bounds(count(s.MinItems), count(s.MaxItems))+" items; got "+strconv.Itoa(len(n.items))+example(s))
	}
	out := node{kind: '[', items: make([]node, len(n.items))}
	for i, item := range n.items {
		out.items[i] = c.value(fmt.Sprintf("%s[%d]", path, i), s.Items, item)
	}
	return out
}

func outside(n int, low, high *int) bool {
	return low != nil && n < *low || high != nil && n > *high
}

func (c *checker) wrongType(path string, s *huma.Schema, n node, want string) {
	message := "must be " + want + "; got " + n.got() + example(s)
	if path == "" {
		message = "The JSON " + message
	}
	c.report.add(path, message)
}

func (c *checker) text(path string, s *huma.Schema, n node) {
	if n.kind != '"' {
		want := "a string"
		if s.Format == "date-time" {
			want = "a time in RFC 3339"
		}
		c.wrongType(path, s, n, want)
		return
	}
	length := utf8.RuneCountInString(n.text)
	switch {
	case strings.ContainsRune(n.text, 0):
		c.report.add(path, "must not hold the character U+0000")
	case length == 0 && s.MinLength != nil && *s.MinLength > 0:
		c.report.add(path, "must not be empty"+example(s))
	case outside(length, s.MinLength, s.MaxLength):
		c.report.add(path, "must have "+bounds(count(s.MinLength), count(s.MaxLength))+" characters; got "+strconv.Itoa(length)+example(s))
	case len(s.Enum) > 0 && !slices.Contains(s.Enum, any(n.text)):
		c.report.add(path, "must be one of "+list(s.Enum)+"; got "+n.got())
	case s.Pattern != "" && !pattern(s.Pattern).MatchString(n.text):
		c.report.add(path, "must "+patternRule(s)+"; got "+n.got()+example(s))
	default:
		c.format(path, s, n)
	}
}

func (c *checker) format(path string, s *huma.Schema, n node) {
	switch s.Format {
	case "date-time":
		var t time.Time
		if t.UnmarshalText([]byte(n.text)) == nil {
			return
		}
		hint := example(s)
		if hint == "" {
			hint = `. Example: "2030-02-07T18:00:00Z"`
		}
		c.report.add(path, "must be a time in RFC 3339 with its zone; got "+n.got()+hint)
	case "email":
		if a, err := mail.ParseAddress(n.text); err != nil || a.Address != n.text {
			c.report.add(path, "must be an e-mail address; got "+n.got()+example(s))
		}
	case "uri":
		if u, err := url.Parse(n.text); err != nil || u.Scheme == "" || u.Host == "" {
			c.report.add(path, "must be a full URL; got "+n.got()+example(s))
		}
	}
}

func list(values []any) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = fmt.Sprint(v)
	}
	return strings.Join(words, ", ")
}

var patterns sync.Map

func pattern(text string) *regexp.Regexp {
	if found, ok := patterns.Load(text); ok {
		return found.(*regexp.Regexp)
	}
	compiled := regexp.MustCompile(text)
	patterns.Store(text, compiled)
	return compiled
}

func patternRule(s *huma.Schema) string {
	if s.PatternDescription != "" {
		return s.PatternDescription
	}
	return "match " + s.Pattern
}

func (c *checker) number(path string, s *huma.Schema, n node) node {
	if s.Format == moneyFormat {
		return c.money(path, s, n)
	}
	want := "a number"
	if s.Type == huma.TypeInteger {
		want = "a whole number"
	}
	f, err := strconv.ParseFloat(n.text, 64)
	if n.kind != '0' || err != nil || s.Type == huma.TypeInteger && f != math.Trunc(f) {
		c.wrongType(path, s, n, want)
		return n
	}
	if s.Type == huma.TypeInteger {
		if math.Abs(f) > maxInteger {
			c.bounds(path, s, n)
			return n
		}
		n.text = strconv.FormatInt(int64(f), 10) // 15.0 is a whole number, but not to encoding/json
	}
	if s.Minimum != nil && f < *s.Minimum || s.Maximum != nil && f > *s.Maximum ||
		s.ExclusiveMinimum != nil && f <= *s.ExclusiveMinimum || s.ExclusiveMaximum != nil && f >= *s.ExclusiveMaximum {
		c.bounds(path, s, n)
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, any(f)) {
		c.report.add(path, "must be one of "+list(s.Enum)+"; got "+n.got())
	}
	return n
}

func (c *checker) bounds(path string, s *huma.Schema, n node) {
	rule := "within the range of whole numbers"
	switch {
	case s.Minimum != nil || s.Maximum != nil:
		rule = bounds(number(s.Minimum), number(s.Maximum))
	case s.ExclusiveMinimum != nil:
		rule = "above " + number(s.ExclusiveMinimum)
	case s.ExclusiveMaximum != nil:
		rule = "below " + number(s.ExclusiveMaximum)
	}
	c.report.add(path, "must be "+rule+"; got "+n.got()+example(s))
}

// money takes a number or a string that holds one, exact to six decimals.
func (c *checker) money(path string, s *huma.Schema, n node) node {
	if n.kind != '0' && n.kind != '"' {
		c.wrongType(path, s, n, "a number")
		return n
	}
	amount, err := schemas.ParseMoney(n.text)
	if err != nil {
		if n.kind == '"' && !startsLikeNumber(n.text) {
			c.wrongType(path, s, n, "a number")
			return n
		}
		c.report.add(path, err.Error())
		return n
	}
	if s.Minimum != nil && amount < dollars(*s.Minimum) || s.Maximum != nil && amount > dollars(*s.Maximum) {
		c.bounds(path, s, n)
	}
	return node{kind: jsontext.Kind('0'), text: amount.String()}
}

func startsLikeNumber(text string) bool {
	return strings.Trim(text, "-.0123456789") == "" && text != ""
}

func dollars(f float64) schemas.Money { return schemas.Money(math.Round(f * float64(schemas.USD))) }
