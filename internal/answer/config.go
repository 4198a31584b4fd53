package answer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"humanops-mcp/internal/check"
	"humanops-mcp/schemas"
)

const (
	maxText    = 5000 // characters of a text
	maxOptions = 20
	maxValue   = 100 // characters of an option's value
	maxLabel   = 200
	maxHelp    = 1000
	maxShown   = 40 // characters of what came, in a message
)

type member struct {
	name string
	raw  json.RawMessage
}

// config reads a configuration's members and gathers what is wrong. Members that are null
// count as absent, false and 0 as given.
type config struct {
	path     string
	ordered  []member
	problems check.Problems
}

func readConfig(path string, raw json.RawMessage) (*config, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		raw = json.RawMessage("{}")
	}
	members, ok := membersOf(raw)
	if !ok {
		return nil, schemas.Invalid(path, "must be a JSON object with each name given once; got "+got(raw))
	}
	return &config{path: path, ordered: members}, nil
}

func (c *config) add(name, message string) {
	field := c.path
	if name != "" {
		field += "." + name
	}
	c.problems.Add(field, "%s", message)
}

func (c *config) find(name string) json.RawMessage {
	for _, m := range c.ordered {
		if m.name == name && string(m.raw) != "null" {
			return m.raw
		}
	}
	return nil
}

// text is a string of at most limit characters.
func (c *config) text(name string, limit int) string {
	raw := c.find(name)
	if raw == nil {
		return ""
	}
	text, ok := textOf(raw)
	switch {
	case !ok:
		c.add(name, "must be a string; got "+got(raw))
	case utf8.RuneCountInString(text) > limit:
		c.add(name, fmt.Sprintf("must have at most %d characters; got %d", limit, utf8.RuneCountInString(text)))
	default:
		return text
	}
	return ""
}

func (c *config) either(limit int, names ...string) string {
	for _, name := range names {
		if text := c.text(name, limit); text != "" {
			return text
		}
	}
	return ""
}

// flag is true or false; fallback where it is absent.
func (c *config) flag(name string, fallback bool) bool {
	switch raw := c.find(name); string(raw) {
	case "":
		return fallback
	case "true":
		return true
	case "false":
		return false
	default:
		c.add(name, "must be true or false; got "+got(raw))
		return fallback
	}
}

// whole is a whole number within bounds.
func (c *config) whole(name string, low, high, fallback int) int {
	raw := c.find(name)
	if raw == nil {
		return fallback
	}
	n := numberOf(raw)
	if n == nil || !n.IsInt() || n.Cmp(big.NewRat(int64(low), 1)) < 0 || n.Cmp(big.NewRat(int64(high), 1)) > 0 {
		c.add(name, fmt.Sprintf("must be a whole number between %d and %d; got %s", low, high, got(raw)))
		return fallback
	}
	return int(n.Num().Int64())
}

// number is a number under the first of its names that is given; where two of them are,
// they must agree.
func (c *config) number(names ...string) *big.Rat {
	var found *big.Rat
	said := ""
	for _, name := range names {
		raw := c.find(name)
		if raw == nil {
			continue
		}
		n := numberOf(raw)
		switch {
		case n == nil:
			c.add(name, "must be a number with at most 10 decimal places; got "+got(raw))
		case found != nil && found.Cmp(n) != 0:
			c.add(name, "must be the same as "+said+", or left out")
		case found == nil:
			found, said = n, name
		}
	}
	return found
}

var plainColor = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(#[0-9a-fA-F]{3,8}|[a-zA-Z]{1,30})$`)
})

// color is a colour that a page can show; anything else is left out there.
func (c *config) color(name, fallback string) string {
	if color := c.text(name, maxValue); plainColor().MatchString(color) {
		return color
	}
	return fallback
}

// membersOf are the members of a JSON object, in their order; false when raw is something
// else or gives a name twice.
func membersOf(raw json.RawMessage) ([]member, bool) {
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	if token, err := dec.ReadToken(); err != nil || token.Kind() != '{' {
		return nil, false
	}
	var out []member
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, false
		}
		m := member{name: name.String()}
		value, err := dec.ReadValue()
		if err != nil {
			return nil, false
		}
		m.raw = bytes.Clone(value)
		out = append(out, m)
	}
	return out, ended(dec)
}

// itemsOf are the items of a JSON array.
func itemsOf(raw json.RawMessage) ([]json.RawMessage, bool) {
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	if token, err := dec.ReadToken(); err != nil || token.Kind() != '[' {
		return nil, false
	}
	out := []json.RawMessage{}
	for kind := dec.PeekKind(); kind != ']' && kind > 0; kind = dec.PeekKind() {
		value, err := dec.ReadValue()
		if err != nil {
			return nil, false
		}
		out = append(out, bytes.Clone(value))
	}
	return out, ended(dec)
}

// ended reads the closing bracket and makes sure that nothing follows it.
func ended(dec *jsontext.Decoder) bool {
	if _, err := dec.ReadToken(); err != nil {
		return false
	}
	_, err := dec.ReadToken()
	return errors.Is(err, io.EOF)
}

// textOf is a JSON string's text. U+0000, which no page and no database likes, is refused.
func textOf(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	return string(text), err == nil && !bytes.ContainsRune(text, 0)
}

// quote writes text as JSON. It is always valid UTF-8 here, so nothing can fail.
func quote(text string) json.RawMessage {
	out, _ := jsontext.AppendQuote(nil, strings.ToValidUTF8(text, "\uFFFD"))
	return out
}

// object writes members as JSON in the order given: name, value, name, value …
func object(pairs ...any) json.RawMessage {
	out := []byte{'{'}
	for i := 0; i < len(pairs); i += 2 {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(out, quote(pairs[i].(string))...), ':')
		out = append(out, pairs[i+1].(json.RawMessage)...)
	}
	return append(out, '}')
}

func array(items []json.RawMessage) json.RawMessage {
	out := []byte{'['}
	for i, item := range items {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, item...)
	}
	return append(out, ']')
}

func flagOf(b bool) json.RawMessage { return json.RawMessage(strconv.FormatBool(b)) }

// got describes what came, shortened.
func got(raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return "nothing"
	}
	switch raw[0] {
	case '"':
		text, ok := textOf(raw)
		if !ok {
			return "a string that cannot be used"
		}
		return check.Quote(text, maxShown)
	case '{':
		return "an object"
	case '[':
		return "an array"
	}
	return check.Shorten(string(raw), maxShown)
}
