package answer

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/url"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"humanops-mcp/schemas"
)

// words is a string, a date or a file.
type words struct {
	kind      string // string, date or file
	low, high int
	unbounded bool // high is everybody's limit, and none of the agent's
	pattern   *regexp.Regexp
}

func parseWords(in *config, kind string) entry {
	if kind != "string" {
		in.only("a "+kind, "type", "title", "description", "default")
		return words{kind: kind, high: maxText}
	}
	in.only("a string", "type", "minLength", "maxLength", "pattern", "format", "title", "description", "default")
	w := words{kind: "string", low: in.whole("minLength", 0, maxText, 0), high: in.whole("maxLength", 1, maxText, maxText), unbounded: in.find("maxLength") == nil}
	if w.low > w.high {
		in.add("minLength", "must not be above maxLength")
	}
	switch format := in.text("format", maxValue); format {
	case "date", "file":
		w.kind = format
	case "":
	default:
		in.add("format", "must be date or file, or left out; got "+got(quote(format)))
	}
	if pattern := in.text("pattern", maxPattern); pattern != "" {
		compiled, err := regexp.Compile(pattern)
		if err != nil {
			in.add("pattern", "must be a regular expression in RE2 syntax")
		}
		w.pattern = compiled
	}
	return w
}

func (w words) read(field string, raw json.RawMessage) (json.RawMessage, error) {
	text, ok := textOf(raw)
	if !ok {
		return nil, schemas.Invalid(field, "must be a string; got "+got(raw))
	}
	if rule := w.broken(text); rule != "" {
		return nil, schemas.Invalid(field, rule+"; got "+got(raw))
	}
	return quote(text), nil
}

// broken is the rule that a text breaks, or "".
func (w words) broken(text string) string {
	n := utf8.RuneCountInString(text)
	switch {
	case n < w.low || n > w.high:
		return fmt.Sprintf("must have between %d and %d characters", w.low, w.high)
	case w.pattern != nil && !w.pattern.MatchString(text):
		return "must match the pattern " + w.pattern.String()
	case w.kind == "date" && !isDate(text):
		return "must be a date such as 2030-02-07"
	case w.kind == "file" && !isFile(text):
		return "must be the id of an uploaded file or an https address"
	}
	return ""
}

func isDate(text string) bool {
	_, err := time.Parse(time.DateOnly, text)
	return err == nil
}

var uploadID = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
})

// isFile takes an upload's id and the address of a file, ours or another.
func isFile(text string) bool {
	if uploadID().MatchString(text) {
		return true
	}
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

// long is from how many characters on a page gives a text several lines.
const long = 200

func (w words) show(f Field) Field {
	f.MinLength, f.MaxLength = w.low, w.high
	switch {
	case w.kind != "string":
		f.Kind, f.MinLength, f.MaxLength = w.kind, 0, 0
	case w.unbounded && w.low <= long:
		f.Kind, f.MaxLength = "text", 0
	case w.high > long:
		f.Kind = "textarea"
	default:
		f.Kind = "text"
	}
	return f
}

func (w words) fromForm(field string, values []string) (json.RawMessage, error) {
	if len(values) == 0 {
		return nil, nil
	}
	text := strings.TrimSpace(plainLines(values[0]))
	if text == "" {
		return nil, nil
	}
	return w.read(field, quote(text))
}

func (w words) sample() json.RawMessage {
	if w.kind == "date" {
		return quote("2030-01-01")
	}
	text := prose{low: w.low, high: w.high}.sample()
	if w.pattern == nil || w.broken(text) == "" {
		return quote(text)
	}
	tree, err := syntax.Parse(w.pattern.String(), syntax.Perl)
	if err != nil {
		return quote(text)
	}
	for _, repeats := range []int{0, 1, 2, 3, 4, 8, 16, w.low, w.high} {
		if found := matching(tree, repeats); w.broken(found) == "" {
			return quote(found)
		}
	}
	return quote(text)
}

// matching writes a text that most likely matches, with repeats rounds wherever the
// pattern leaves their number open.
func matching(tree *syntax.Regexp, repeats int) string {
	switch tree.Op {
	case syntax.OpLiteral:
		return string(tree.Rune)
	case syntax.OpCharClass:
		return oneOf(tree.Rune)
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return "a"
	case syntax.OpCapture, syntax.OpConcat:
		var out strings.Builder
		for _, sub := range tree.Sub {
			out.WriteString(matching(sub, repeats))
		}
		return out.String()
	case syntax.OpAlternate:
		return matching(tree.Sub[0], repeats)
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		return again(tree, repeats)
	default:
		return ""
	}
}

// oneOf is a character of a class, a common one where there is one.
func oneOf(ranges []rune) string {
	for i := 0; i+1 < len(ranges); i += 2 {
		if common := max(ranges[i], '0'); common <= ranges[i+1] {
			return string(common)
		}
	}
	return " "
}

func again(tree *syntax.Regexp, repeats int) string {
	low, high := tree.Min, tree.Max
	switch tree.Op {
	case syntax.OpStar:
		low, high = 0, -1
	case syntax.OpPlus:
		low, high = 1, -1
	case syntax.OpQuest:
		low, high = 0, 1
	default:
	}
	n := max(low, repeats)
	if high >= 0 {
		n = min(n, high)
	}
	one := matching(tree.Sub[0], min(repeats, 1)) // nested rounds multiply
	return strings.Repeat(one, min(n, maxText/max(len(one), 1)))
}

// quantity is a number or an integer.
type quantity struct {
	low, high *big.Rat
	integer   bool
}

func parseQuantity(in *config, integer bool) entry {
	in.only("a number", "type", "minimum", "maximum", "title", "description", "default")
	q := quantity{low: in.number("minimum"), high: in.number("maximum"), integer: integer}
	if q.low != nil && q.high != nil && q.low.Cmp(q.high) > 0 {
		in.add("minimum", "must not be above maximum")
	} else if integer && q.low != nil && q.high != nil && q.ceiling().Cmp(q.high) > 0 {
		in.add("minimum", "must leave a whole number up to maximum")
	}
	return q
}

func (q quantity) read(field string, raw json.RawMessage) (json.RawMessage, error) {
	n := numberOf(raw)
	switch {
	case n == nil || q.integer && !n.IsInt():
		want := "a number with at most 10 decimal places"
		if q.integer {
			want = "a whole number"
		}
		return nil, schemas.Invalid(field, "must be "+want+"; got "+got(raw))
	case q.low != nil && n.Cmp(q.low) < 0:
		return nil, schemas.Invalid(field, "must be at least "+decimal(q.low)+"; got "+got(raw))
	case q.high != nil && n.Cmp(q.high) > 0:
		return nil, schemas.Invalid(field, "must be at most "+decimal(q.high)+"; got "+got(raw))
	}
	return json.RawMessage(decimal(n)), nil
}

func (q quantity) show(f Field) Field {
	f.Kind, f.Min, f.Max = "number", float(q.low), float(q.high)
	if q.integer {
		f.Step = float(big.NewRat(1, 1))
	}
	return f
}

func (q quantity) fromForm(field string, values []string) (json.RawMessage, error) {
	if len(values) == 0 || strings.TrimSpace(values[0]) == "" {
		return nil, nil
	}
	raw, err := numeral(field, strings.TrimSpace(values[0]))
	if err != nil {
		return nil, err
	}
	return q.read(field, raw)
}

// ceiling is the lowest whole number within bounds.
func (q quantity) ceiling() *big.Rat {
	if q.low == nil {
		return nil
	}
	up := new(big.Int).Neg(q.low.Num())
	up.Div(up, q.low.Denom()) // Div rounds down: of -a/b, so that its negative is rounded up
	return new(big.Rat).SetInt(up.Neg(up))
}

func (q quantity) sample() json.RawMessage {
	for _, n := range []*big.Rat{big.NewRat(1, 1), q.ceiling(), q.low} {
		if n == nil {
			continue
		}
		if raw, err := q.read("", json.RawMessage(decimal(n))); err == nil {
			return raw
		}
	}
	floor := new(big.Int).Div(q.high.Num(), q.high.Denom()) // 1 was too much, and there is no minimum
	return json.RawMessage(floor.String())
}

// truth is a boolean.
type truth struct{}

func (truth) read(field string, raw json.RawMessage) (json.RawMessage, error) {
	if string(raw) == "true" || string(raw) == "false" {
		return raw, nil
	}
	return nil, schemas.Invalid(field, "must be true or false; got "+got(raw))
}

func (truth) show(f Field) Field {
	f.Kind, f.Options = "select", []Option{{Value: "true", Label: "Yes"}, {Value: "false", Label: "No"}}
	if f.Required {
		f.Kind = "radio"
	}
	return f
}

func (truth) fromForm(field string, values []string) (json.RawMessage, error) {
	if len(values) == 0 || values[0] == "" {
		return nil, nil
	}
	return yesNo(field, values[0])
}

func (truth) sample() json.RawMessage { return json.RawMessage("true") }

// enum is one of a few strings or numbers, in canonical JSON.
type enum struct{ values []json.RawMessage }

func parseEnum(in *config, kind string) enum {
	raw := in.find("enum")
	items, ok := itemsOf(raw)
	if !ok || len(items) == 0 || len(items) > maxChoices {
		in.add("enum", fmt.Sprintf("must be an array of between 1 and %d values; got %s", maxChoices, got(raw)))
		return enum{[]json.RawMessage{quote("")}}
	}
	if _, text := textOf(items[0]); kind == "" && text {
		kind = "string"
	} else if kind == "" {
		kind = "number"
	}
	e := enum{}
	for i, item := range items {
		value, ok := constant(item, kind)
		if !ok {
			in.add("enum["+strconv.Itoa(i)+"]", "must be "+constants[kind]+"; got "+got(item))
		} else if e.holds(value) {
			in.add("enum["+strconv.Itoa(i)+"]", "is there twice; values must differ")
		}
		e.values = append(e.values, value)
	}
	return e
}

var constants = map[string]string{
	"": "strings or numbers", "string": "a string of 1 to 200 characters",
	"number": "a number", "integer": "a whole number",
}

// constant is an enum's value in canonical form.
func constant(raw json.RawMessage, kind string) (json.RawMessage, bool) {
	if text, ok := textOf(raw); ok {
		n := utf8.RuneCountInString(text)
		return quote(text), (kind == "" || kind == "string") && n > 0 && n <= maxLabel
	}
	n := numberOf(raw)
	if n == nil {
		return nil, false
	}
	return json.RawMessage(decimal(n)), kind == "" || kind == "number" || kind == "integer" && n.IsInt()
}

func (e enum) holds(value json.RawMessage) bool { return e.place(value) >= 0 }

func (e enum) place(value json.RawMessage) int {
	return slices.IndexFunc(e.values, func(v json.RawMessage) bool { return string(v) == string(value) })
}

func (e enum) read(field string, raw json.RawMessage) (json.RawMessage, error) {
	value, _ := constant(raw, "")
	if value == nil || !e.holds(value) {
		return nil, schemas.Invalid(field, "must be one of: "+e.known()+"; got "+got(raw))
	}
	return value, nil
}

func (e enum) known() string {
	shown := make([]string, 0, len(e.values))
	for _, value := range e.values[:min(len(e.values), maxOptions)] {
		shown = append(shown, plain(value))
	}
	if len(e.values) > maxOptions {
		shown = append(shown, "…")
	}
	return strings.Join(shown, ", ")
}

func (e enum) options() []Option {
	out := make([]Option, len(e.values))
	for i, value := range e.values {
		out[i] = Option{Value: plain(value), Label: plain(value)}
	}
	return out
}

func (e enum) show(f Field) Field {
	f.Kind, f.Options = "select", e.options()
	if f.Required && len(e.values) <= maxRadios { // a radio button cannot be taken back
		f.Kind = "radio"
	}
	return f
}

// entered finds what a page sent among the values.
func (e enum) entered(field, text string) (json.RawMessage, error) {
	for _, value := range e.values {
		if plain(value) == text {
			return value, nil
		}
	}
	return nil, schemas.Invalid(field, "must be one of: "+e.known())
}

func (e enum) fromForm(field string, values []string) (json.RawMessage, error) {
	if len(values) == 0 || values[0] == "" {
		return nil, nil
	}
	return e.entered(field, values[0])
}

func (e enum) sample() json.RawMessage { return e.values[0] }

// several is an array of an enum's values, each at most once.
type several struct {
	enum
	low, high int
}

func parseSeveral(in *config) entry {
	in.only("an array", "type", "items", "minItems", "maxItems", "uniqueItems", "title", "description", "default")
	s := several{enum: enum{[]json.RawMessage{quote("")}}}
	if !in.flag("uniqueItems", true) {
		in.add("uniqueItems", "must be true or left out: each value can be chosen once")
	}
	members, ok := membersOf(in.find("items"))
	if !ok {
		in.add("items", "must be an object with an enum: a form supports arrays of an enum only")
		return s
	}
	items := &config{path: in.path + ".items", ordered: members}
	items.only("an enum", "type", "enum", "title", "description")
	if kind := items.text("type", maxValue); items.find("enum") == nil || constants[kind] == "" {
		items.add("enum", "is required: a form supports arrays of an enum only")
	} else {
		s.enum = parseEnum(items, kind)
	}
	in.problems.Join(items.problems)
	s.low = in.whole("minItems", 0, maxItems, 0)
	s.high = in.whole("maxItems", 1, maxItems, len(s.values))
	if s.low > min(s.high, len(s.values)) {
		in.add("minItems", "must not be above maxItems or the number of values")
	}
	return s
}

func (s several) read(field string, raw json.RawMessage) (json.RawMessage, error) {
	items, ok := itemsOf(raw)
	if !ok {
		return nil, schemas.Invalid(field, "must be an array; got "+got(raw))
	}
	if len(items) < s.low || len(items) > s.high {
		return nil, schemas.Invalid(field, fmt.Sprintf("must have between %d and %d items; got %d", s.low, s.high, len(items)))
	}
	values := make([]json.RawMessage, 0, len(items))
	for i, item := range items {
		value, err := s.enum.read(field+"["+strconv.Itoa(i)+"]", item)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(values, func(v json.RawMessage) bool { return string(v) == string(value) }) {
			return nil, schemas.Invalid(field+"["+strconv.Itoa(i)+"]", "is there twice; choose each value once")
		}
		values = append(values, value)
	}
	slices.SortFunc(values, func(a, b json.RawMessage) int { return s.place(a) - s.place(b) })
	return array(values), nil
}

func (s several) show(f Field) Field {
	f.Kind, f.Options = "checkbox", s.options()
	f.Required = f.Required && s.low > 0
	f.Help = strings.TrimSpace(f.Help + " " + choose(s.low, s.high, len(f.Options)))
	return f
}

// fromForm cannot tell an empty choice from none: where it may be empty, it is.
func (s several) fromForm(field string, values []string) (json.RawMessage, error) {
	chosen := make([]json.RawMessage, 0, len(values))
	for _, text := range values {
		if text == "" {
			continue
		}
		value, err := s.entered(field, text)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, value)
	}
	if len(chosen) == 0 && s.low > 0 {
		return nil, nil
	}
	return s.read(field, array(chosen))
}

func (s several) sample() json.RawMessage { return array(s.values[:max(s.low, min(1, s.high))]) }
