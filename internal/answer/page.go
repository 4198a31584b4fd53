package answer

import (
	"encoding/json"
	"strings"

	"humanops-mcp/schemas"
)

// Field is one thing that a page asks.
type Field struct {
	Name, Label          string
	Kind                 string // radio, checkbox, number, textarea, text, date, select or file
	Options              []Option
	Required             bool
	Min, Max, Step       *float64
	MinLength, MaxLength int
	Placeholder          string
	Prefix, Suffix, Help string
	Value                string   // filled in beforehand
	Values               []string // checked beforehand
}

// Option is something to choose.
type Option struct {
	Value, Label, Description, Color string
}

const (
	fieldName = "answer"       // of the only field; of a form's: answer.<property>
	otherName = "answer_other" // what is typed instead of an option, or beside it
)

// entered is a page field's only value without the spaces around it, with plain line ends.
func entered(form map[string][]string, name string) string {
	values := form[name]
	if len(values) == 0 {
		return ""
	}
	return strings.TrimSpace(plainLines(values[0]))
}

// plainLines undoes the line ends that browsers send.
func plainLines(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }

// numeral turns what was typed into a JSON number.
func numeral(field, text string) (json.RawMessage, error) {
	text = strings.TrimPrefix(text, "+")
	if n := numberOf(json.RawMessage(text)); n != nil {
		return json.RawMessage(decimal(n)), nil
	}
	return nil, schemas.Invalid(field, "must be a number, such as 12 or 12.5; got "+got(quote(text)))
}
