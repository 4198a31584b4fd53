// Package hitl is the reviews contract's dialect: its value, which says how answers and
// errors look, who may call and how often; and its decoders, which turn a body of any
// spelling that was ever documented into the one that package schemas describes. It holds
// no rules: what it does not know passes through, to be checked with the rest.
package hitl

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"humanops-mcp/internal/check"
	"humanops-mcp/schemas"
)

type member struct {
	name string
	raw  json.RawMessage
}

// body is a JSON object whose values keep their bytes.
type body struct{ members []member }

// read takes a body apart. What is no JSON object is nil without an error: whoever decodes
// it says what is wrong. The other spellings' names are held to their case here, as the
// documented ones are by their decoder: none may override another unseen.
func read(raw []byte, aliases ...string) (*body, error) {
	members, ok := split(raw)
	if !ok {
		return nil, nil
	}
	seen := make(map[string]bool, len(members))
	for _, m := range members {
		if seen[m.name] {
			return nil, schemas.Invalid(check.Shorten(m.name, maxName), "is given more than once; send it once")
		}
		seen[m.name] = true
	}
	b := &body{members}
	return b, b.cased(aliases)
}

// split gives the members of a JSON object, also those of the same name; false when raw is
// something else.
func split(raw []byte) (out []member, ok bool) {
	dec := jsontext.NewDecoder(bytes.NewReader(raw), jsontext.AllowDuplicateNames(true))
	if token, err := dec.ReadToken(); err != nil || token.Kind() != '{' {
		return nil, false
	}
	for dec.PeekKind() == '"' {
		token, err := dec.ReadToken()
		if err != nil {
			return nil, false
		}
		name := token.String() // the token does not outlive the next
		value, err := dec.ReadValue()
		if err != nil {
			return nil, false
		}
		out = append(out, member{name, bytes.Clone(value)})
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, false
	}
	_, err := dec.ReadToken()
	return out, errors.Is(err, io.EOF)
}

func (b *body) cased(aliases []string) error {
	for _, m := range b.members {
		for _, alias := range aliases {
			if m.name != alias && strings.EqualFold(m.name, alias) {
				return schemas.Invalid(check.Shorten(m.name, maxName), "must be spelt "+alias+": names are case-sensitive")
			}
		}
	}
	return nil
}

func (b *body) find(name string) int {
	for i := range b.members {
		if b.members[i].name == name {
			return i
		}
	}
	return -1
}

// get is a member's value; null counts as absent, false and 0 do not.
func (b *body) get(name string) json.RawMessage {
	i := b.find(name)
	if i < 0 || string(b.members[i].raw) == "null" {
		return nil
	}
	return b.members[i].raw
}

func (b *body) set(name string, raw json.RawMessage) {
	if i := b.find(name); i >= 0 {
		b.members[i].raw = raw
		return
	}
	b.members = append(b.members, member{name, raw})
}

// take removes a member and gives its value.
func (b *body) take(name string) json.RawMessage {
	raw := b.get(name)
	if i := b.find(name); i >= 0 {
		b.members = append(b.members[:i], b.members[i+1:]...)
	}
	return raw
}

// rename moves a value from another spelling's name to the documented one, where that is
// free. Both at once would be two answers to one question.
func (b *body) rename(from, to string) error {
	raw := b.take(from)
	if raw == nil {
		return nil
	}
	if b.get(to) != nil {
		return schemas.Invalid(from, "is another spelling of "+to+"; send one of them")
	}
	b.set(to, raw)
	return nil
}

func (b *body) bytes() []byte {
	out := []byte{'{'}
	for i, m := range b.members {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(out, quote(m.name)...), ':')
		out = append(out, m.raw...)
	}
	return append(out, '}')
}

// textOf is a JSON string's text.
func textOf(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	return string(text), err == nil
}

// quote writes text as JSON; what came through the decoder is valid UTF-8.
func quote(text string) json.RawMessage {
	out, _ := jsontext.AppendQuote(nil, strings.ToValidUTF8(text, "\uFFFD"))
	return out
}

// maxName is how much of a name is repeated in a message.
const maxName = 64
