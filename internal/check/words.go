package check

import (
	"strconv"
	"strings"
	"unicode"
)

// Shorten bounds words that came from outside before they stand in a sentence: at most so
// many characters, and … where some are missing.
func Shorten(words string, most int) string {
	n := 0
	for at := range words {
		if n == most {
			return words[:at] + "…"
		}
		n++
	}
	return words
}

// Quote sets words that came from outside apart in a sentence: shortened, in quotation
// marks, and with everything escaped that could end the quotation or hide in it.
func Quote(words string, most int) string { return strconv.Quote(Shorten(words, most)) }

// OneLine makes every run of space and line ends one space.
func OneLine(words string) string { return strings.Join(strings.Fields(words), " ") }

// Label is the clean form of what something is called: on one line, without what hides.
func Label(words string) string {
	return OneLine(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		return shown(r)
	}, words))
}

// Lines is the clean form of a description: line ends stay, what hides does not.
func Lines(words string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		return shown(r)
	}, words))
}

// Hides tells whether a character is one that nobody sees: a control character, or one
// that turns the direction of writing. The joiners are none: some scripts, and emoji, need
// them.
func Hides(r rune) bool {
	const joiners = "\u200c\u200d"
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && !strings.ContainsRune(joiners, r)
}

func shown(r rune) rune {
	if Hides(r) {
		return -1
	}
	return r
}

// visible drops control characters, except those that set lines apart. A text that a
// person or an agent writes keeps its marks of direction.
func visible(r rune) rune {
	if unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' {
		return -1
	}
	return r
}
