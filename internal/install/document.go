package install

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/tailscale/hujson"
)

// document is a JSON file, perhaps with comments and trailing commas, that is edited in
// place: what is not touched keeps its bytes.
type document struct {
	bom     []byte
	root    hujson.Value
	newline string
	unit    string // one step of indentation
	changed bool
}

var byteOrderMark = []byte("\xef\xbb\xbf")

func parse(raw []byte) (*document, error) {
	d := &document{newline: "\n", unit: "  "}
	if rest, ok := bytes.CutPrefix(raw, byteOrderMark); ok {
		d.bom, raw = byteOrderMark, rest
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		raw = []byte("{}\n")
	}
	if bytes.Contains(raw, []byte("\r\n")) {
		d.newline = "\r\n"
	}
	root, err := hujson.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("it is not JSON (%s)", strings.TrimPrefix(err.Error(), "hujson: "))
	}
	if _, ok := root.Value.(*hujson.Object); !ok {
		return nil, errors.New("it does not hold a JSON object")
	}
	d.root = root
	d.unit = indentOf(root.Value.(*hujson.Object), d.unit)
	return d, nil
}

// indentOf is the indentation of the object's first member that has a line of its own.
func indentOf(o *hujson.Object, fallback string) string {
	for _, m := range o.Members {
		extra := string(m.Name.BeforeExtra)
		if at := strings.LastIndexByte(extra, '\n'); at >= 0 && at+1 < len(extra) && strings.TrimSpace(extra[at:]) == "" {
			return extra[at+1:]
		}
	}
	return fallback
}

func (d *document) bytes() []byte { return append(bytes.Clone(d.bom), d.root.Pack()...) }

func (d *document) top() *hujson.Object {
	o, _ := d.root.Value.(*hujson.Object) // parse made sure
	return o
}

// member finds a member by name; of duplicates the last, as JSON readers do.
func member(o *hujson.Object, name string) *hujson.Value {
	for i := len(o.Members) - 1; i >= 0; i-- {
		if lit, ok := o.Members[i].Name.Value.(hujson.Literal); ok && lit.String() == name {
			return &o.Members[i].Value
		}
	}
	return nil
}

func object(o *hujson.Object, name string) (*hujson.Object, error) {
	v := member(o, name)
	if v == nil {
		return nil, nil
	}
	inner, ok := v.Value.(*hujson.Object)
	if !ok {
		return nil, fmt.Errorf("its %q is not an object", name)
	}
	return inner, nil
}

// set makes section.name hold the fields; members of it that are not among them stay.
func (d *document) set(section, name string, fields []field) error {
	servers, err := d.descend(d.top(), section, 1)
	if err != nil {
		return err
	}
	entry, err := d.descend(servers, name, 2)
	if err != nil {
		return err
	}
	for _, f := range fields {
		if err := d.put(entry, f, 3); err != nil {
			return err
		}
	}
	return nil
}

// descend is the named object within o, made when it is missing.
func (d *document) descend(o *hujson.Object, name string, depth int) (*hujson.Object, error) {
	inner, err := object(o, name)
	if inner != nil || err != nil {
		return inner, err
	}
	inner = &hujson.Object{}
	d.add(o, name, inner, depth)
	return inner, nil
}

func (d *document) put(o *hujson.Object, f field, depth int) error {
	raw, err := encode(f.value)
	if err != nil {
		return err
	}
	value, err := hujson.Parse(raw)
	if err != nil {
		return err
	}
	old := member(o, f.name)
	if old == nil {
		d.add(o, f.name, value.Value, depth)
		return nil
	}
	if same(*old, raw) {
		return nil
	}
	old.Value = value.Value
	d.changed = true
	return nil
}

// encode writes JSON on one line, as people write short lists: ["a", "b"].
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	list, ok := v.([]string)
	if !ok {
		return bytes.TrimSpace(b.Bytes()), nil
	}
	parts := make([]string, 0, len(list))
	for _, item := range list {
		raw, err := encode(item)
		if err != nil {
			return nil, err
		}
		parts = append(parts, string(raw))
	}
	return []byte("[" + strings.Join(parts, ", ") + "]"), nil
}

func same(v hujson.Value, raw []byte) bool {
	var a, b any
	if json.Unmarshal(standard(v), &a) != nil || json.Unmarshal(raw, &b) != nil {
		return false
	}
	return reflect.DeepEqual(a, b)
}

func standard(v hujson.Value) []byte {
	v = v.Clone()
	v.Standardize()
	return v.Pack()
}

// add appends a member on a line of its own. Comments that stood before the closing
// brace stay where they were, in front of the new member.
func (d *document) add(o *hujson.Object, name string, value hujson.ValueTrimmed, depth int) {
	line := d.newline + strings.Repeat(d.unit, depth)
	before := append(hujson.Extra(bytes.TrimRight(o.AfterExtra, " \t\r\n")), line...)
	added := hujson.ObjectMember{
		Name:  hujson.Value{BeforeExtra: before, Value: hujson.String(name)},
		Value: hujson.Value{BeforeExtra: hujson.Extra(" "), Value: value},
	}
	if n := len(o.Members); n > 0 && o.Members[n-1].Value.AfterExtra != nil {
		added.Value.AfterExtra = hujson.Extra{} // the file has commas after last members
	}
	o.Members = append(o.Members, added)
	o.AfterExtra = hujson.Extra(d.newline + strings.Repeat(d.unit, depth-1))
	d.changed = true
}

// remove takes section.name out. Comments before it are kept: they may be about more.
func (d *document) remove(section, name string) error {
	servers, err := object(d.top(), section)
	if servers == nil || err != nil {
		return err
	}
	for i := len(servers.Members) - 1; i >= 0; i-- {
		if lit, ok := servers.Members[i].Name.Value.(hujson.Literal); ok && lit.String() == name {
			cut(servers, i)
			d.changed = true
		}
	}
	return nil
}

func cut(o *hujson.Object, i int) {
	gone := o.Members[i]
	last := i == len(o.Members)-1
	o.Members = append(o.Members[:i], o.Members[i+1:]...)
	kept := bytes.TrimRight(gone.Name.BeforeExtra, " \t\r\n")
	next := &o.AfterExtra
	if !last {
		next = &o.Members[i].Name.BeforeExtra
	}
	if len(kept) > 0 {
		*next = append(hujson.Extra(bytes.Clone(kept)), *next...)
	}
	if before := beforeLast(o, last); before != nil && gone.Value.AfterExtra != nil && before.AfterExtra == nil {
		before.AfterExtra = hujson.Extra{} // the file has commas after last members
	} else if before != nil && gone.Value.AfterExtra == nil {
		*next = append(bytes.TrimRight(before.AfterExtra, " \t\r\n"), *next...)
		before.AfterExtra = nil
	}
	if len(o.Members) == 0 && len(bytes.TrimSpace(o.AfterExtra)) == 0 {
		o.AfterExtra = nil
	}
}

// beforeLast is the value that comes last now, when the last one was taken out.
func beforeLast(o *hujson.Object, last bool) *hujson.Value {
	if !last || len(o.Members) == 0 {
		return nil
	}
	return &o.Members[len(o.Members)-1].Value
}

// command is what the entry starts.
func (d *document) command(section, name string) string {
	servers, err := object(d.top(), section)
	if servers == nil || err != nil {
		return ""
	}
	entry, err := object(servers, name)
	if entry == nil || err != nil {
		return ""
	}
	v := member(entry, "command")
	if v == nil {
		return ""
	}
	lit, _ := v.Value.(hujson.Literal) // a command that is no string is no command
	return lit.String()
}
