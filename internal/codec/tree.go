package codec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"humanops-mcp/internal/check"
	"humanops-mcp/schemas"
)

const (
	maxDepth   = 32
	maxInteger = 1 << 53 // beyond it, other JSON readers lose digits
)

// node is a JSON value as it was sent: numbers keep their text.
type node struct {
	kind    jsontext.Kind // '{' '[' '"' '0' 't' 'f' 'n'; 0 is absent
	text    string        // of a string, unescaped, or of a number
	members []member
	items   []node
	raw     []byte // the value as it was sent
	exact   bool   // append writes raw: nobody here knows what the bytes mean
}

type member struct {
	name  string
	value node
}

func (n *node) find(name string) int {
	for i := range n.members {
		if n.members[i].name == name {
			return i
		}
	}
	return -1
}

// append writes n as JSON.
func (n node) append(b []byte) []byte {
	if n.exact {
		return append(b, n.raw...)
	}
	switch n.kind {
	case '{':
		b = append(b, '{')
		for i, m := range n.members {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, m.name), ':')
			b = m.value.append(b)
		}
		return append(b, '}')
	case '[':
		b = append(b, '[')
		for i, item := range n.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = item.append(b)
		}
		return append(b, ']')
	case '"':
		return appendString(b, n.text)
	case '0':
		return append(b, n.text...)
	case 't':
		return append(b, "true"...)
	case 'f':
		return append(b, "false"...)
	default:
		return append(b, "null"...)
	}
}

func appendString(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s) // fails only on bad UTF-8, which parse has refused
	return b
}

// parse reads one JSON value. What breaks the syntax is an error at once; what can be
// read past (a name given twice, an integer too large) goes into the report.
func parse(raw []byte, rep *report) (node, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return node{kind: '{'}, nil
	}
	if at := invalidUTF8(raw); at >= 0 {
		return node{}, schemas.NewError(schemas.CodeInvalid, fmt.Sprintf("The JSON is not valid UTF-8 at byte %d; send UTF-8.", at))
	}
	p := parser{raw: raw, dec: jsontext.NewDecoder(bytes.NewReader(raw), jsontext.AllowDuplicateNames(true)), report: rep}
	root, err := p.value("")
	if err == nil {
		_, err = p.dec.ReadToken()
		if errors.Is(err, io.EOF) {
			return root, nil
		}
		if err == nil {
			return node{}, schemas.NewError(schemas.CodeInvalid, "There is more than one JSON value; send one.")
		}
	}
	return node{}, syntaxError(raw, p.dec.InputOffset(), err)
}

func invalidUTF8(raw []byte) int {
	if utf8.Valid(raw) {
		return -1
	}
	for i := 0; i < len(raw); {
		r, size := utf8.DecodeRune(raw[i:])
		if r == utf8.RuneError && size <= 1 {
			return i
		}
		i += size
	}
	return -1
}

// syntaxError says where, not what: the body is never quoted.
func syntaxError(raw []byte, offset int64, err error) error {
	var known *schemas.Error
	if errors.As(err, &known) {
		return err
	}
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) && syntactic.ByteOffset > offset {
		offset = syntactic.ByteOffset
	}
	before := raw[:min(int(offset), len(raw))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	message := fmt.Sprintf("The JSON cannot be read: the syntax breaks at line %d, column %d.", line, column)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		message = "The JSON cannot be read: it ends before it is complete."
	}
	return schemas.NewError(schemas.CodeInvalid, message)
}

type parser struct {
	raw    []byte
	dec    *jsontext.Decoder
	report *report
}

// value reads the next value and remembers the bytes that it came in.
func (p *parser) value(path string) (node, error) {
	start := int(p.dec.InputOffset())
	n, err := p.next(path)
	if err == nil {
		n.raw = bytes.TrimLeft(p.raw[start:p.dec.InputOffset()], " \t\r\n:,")
	}
	return n, err
}

func (p *parser) next(path string) (node, error) {
	token, err := p.dec.ReadToken()
	if err != nil {
		return node{}, err
	}
	if p.dec.StackDepth() > maxDepth {
		return node{}, schemas.NewError(schemas.CodeInvalid, fmt.Sprintf("The JSON is nested deeper than %d levels.", maxDepth))
	}
	switch kind := token.Kind(); kind {
	case '{':
		return p.object(path)
	case '[':
		return p.array(path)
	case '0':
		text := token.String()
		if tooLarge(text) {
			p.report.add(path, fmt.Sprintf("must be within ±%d, the integers that JSON carries exactly; got %s", int64(maxInteger), check.Shorten(text, maxShown)))
		}
		return node{kind: kind, text: text}, nil
	case '"':
		return node{kind: kind, text: token.String()}, nil
	default:
		return node{kind: kind}, nil
	}
}

func (p *parser) object(path string) (node, error) {
	n, seen := node{kind: '{'}, map[string]bool{}
	for p.dec.PeekKind() != '}' {
		token, err := p.dec.ReadToken()
		if err != nil {
			return node{}, err
		}
		name := token.String()
		value, err := p.value(join(path, name))
		if err != nil {
			return node{}, err
		}
		if seen[name] {
			p.report.add(join(path, name), "is given more than once; send it once")
			continue
		}
		seen[name] = true
		n.members = append(n.members, member{name, value})
	}
	_, err := p.dec.ReadToken()
	return n, err
}

func (p *parser) array(path string) (node, error) {
	n := node{kind: '['}
	for i := 0; p.dec.PeekKind() != ']'; i++ {
		item, err := p.value(path + "[" + strconv.Itoa(i) + "]")
		if err != nil {
			return node{}, err
		}
		n.items = append(n.items, item)
	}
	_, err := p.dec.ReadToken()
	return n, err
}

func tooLarge(text string) bool {
	if strings.ContainsAny(text, ".eE") {
		return false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return err != nil || n > maxInteger || n < -maxInteger
}
