package page

import (
	"bytes"
	"encoding/json"
	"strings"
)

// node is a JSON value as a reader sees it: words, a list, or named values in their order.
type node struct {
	text  string
	list  []node
	named []member
}

type member struct {
	name  string
	value node
}

// deepest is how far values inside values are laid out; what lies deeper is shown as JSON.
const deepest = 5

// tree reads raw; a value that cannot be read is shown as it came.
func tree(raw json.RawMessage) node {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	n, err := readNode(d, 0)
	if err != nil {
		return node{text: plain(string(raw))}
	}
	return n
}

func readNode(d *json.Decoder, depth int) (node, error) {
	if depth > deepest {
		var raw json.RawMessage
		err := d.Decode(&raw)
		return node{text: prettyJSON(raw)}, err
	}
	token, err := d.Token()
	if err != nil {
		return node{}, err
	}
	switch token {
	case json.Delim('{'):
		return readNamed(d, depth)
	case json.Delim('['):
		return readList(d, depth)
	}
	return node{text: scalar(token)}, nil
}

func readNamed(d *json.Decoder, depth int) (node, error) {
	out := node{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return out, err
		}
		value, err := readNode(d, depth+1)
		if err != nil {
			return out, err
		}
		out.named = append(out.named, member{scalar(name), value})
	}
	_, err := d.Token()
	if len(out.named) == 0 {
		out.text = "{}"
	}
	return out, err
}

func readList(d *json.Decoder, depth int) (node, error) {
	out := node{}
	for d.More() {
		value, err := readNode(d, depth+1)
		if err != nil {
			return out, err
		}
		out.list = append(out.list, value)
	}
	_, err := d.Token()
	if len(out.list) == 0 {
		out.text = "[]"
	}
	return out, err
}

func scalar(token json.Token) string {
	switch v := token.(type) {
	case string:
		return plain(v)
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "true"
		}
		return "false"
	}
	return "null"
}

// fieldName is a member's name as a label: risk_score becomes Risk score.
func fieldName(name string) string {
	words := strings.TrimSpace(strings.ReplaceAll(name, "_", " "))
	if words == "" {
		return name
	}
	first := []rune(words)
	return strings.ToUpper(string(first[:1])) + string(first[1:])
}
