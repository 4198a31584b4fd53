package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Characters that are not seen, or that turn the direction of others, let a text read
// differently from what it says. Whoever decides sees each of them by its number.

// unseenRune tells whether r cannot be seen, or changes how others are read.
func unseenRune(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp):
		return true
	case r >= 0xFE00 && r <= 0xFE0E, r >= 0xE0100 && r <= 0xE01EF: // variants of the character before
		return true
	}
	return strings.ContainsRune("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800\ufffd", r)
}

// joins tells whether a joiner stands where writing needs one: inside an emoji, or between
// letters of a script that joins.
func joins(before, r, after rune) bool {
	if r != '\u200c' && r != '\u200d' {
		return false
	}
	if unicode.In(before, unicode.So, unicode.Sk) || before == '\ufe0f' {
		return unicode.Is(unicode.So, after)
	}
	scripts := []*unicode.RangeTable{unicode.Arabic, unicode.Devanagari, unicode.Bengali, unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Gujarati, unicode.Gurmukhi, unicode.Oriya}
	return unicode.In(before, scripts...) && unicode.In(after, scripts...)
}

// replaceHidden puts mark's words in the place of every character that is not seen.
func replaceHidden(text string, mark func(r rune) string) string {
	var out strings.Builder
	list := []rune(text)
	for i, r := range list {
		if !unseenRune(r) || i > 0 && i+1 < len(list) && joins(list[i-1], r, list[i+1]) {
			out.WriteRune(r)
			continue
		}
		out.WriteString(mark(r))
	}
	return out.String()
}

// plain is a text with every hidden character written out by its number.
func plain(text string) string {
	return replaceHidden(strings.ReplaceAll(text, "\r\n", "\n"), func(r rune) string { return fmt.Sprintf("⟦U+%04X⟧", r) })
}

// hides tells whether a text holds characters that are not seen.
func hides(texts ...string) bool {
	for _, text := range texts {
		if plain(text) != strings.ReplaceAll(text, "\r\n", "\n") {
			return true
		}
	}
	return false
}

// prettyJSON is raw over several lines, with hidden characters escaped: the same JSON, all
// of it to be seen.
func prettyJSON(raw json.RawMessage) string {
	var out bytes.Buffer
	if json.Indent(&out, raw, "", "  ") != nil {
		return plain(string(raw))
	}
	return replaceHidden(out.String(), func(r rune) string {
		var escaped strings.Builder
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&escaped, `\u%04x`, unit)
		}
		return escaped.String()
	})
}

// hidesJSON tells whether any text in raw holds hidden characters, written out or escaped.
func hidesJSON(raw json.RawMessage) bool {
	if len(raw) == 0 {
		return false
	}
	var value any
	if json.Unmarshal(raw, &value) != nil {
		return hides(string(raw))
	}
	return hidesValue(value)
}

func hidesValue(value any) bool {
	switch v := value.(type) {
	case string:
		return hides(v)
	case []any:
		for _, item := range v {
			if hidesValue(item) {
				return true
			}
		}
	case map[string]any:
		for name, item := range v {
			if hides(name) || hidesValue(item) {
				return true
			}
		}
	}
	return false
}
