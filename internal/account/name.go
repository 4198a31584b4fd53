package account

import (
	"fmt"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"humanops-mcp/internal/check"
	"humanops-mcp/schemas"
)

// cleanName makes a name safe to show on one line: control and direction characters go,
// runs of space become one. The joiners stay, because some scripts need them.
func cleanName(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r):
			return ' '
		case r == utf8.RuneError, check.Hides(r), blank(r):
			return -1
		}
		return r
	}, name)
	return norm.NFC.String(check.OneLine(name))
}

// blank tells whether a character counts as a letter or a mark but is not seen.
func blank(r rune) bool {
	return r >= 0xFE00 && r <= 0xFE0E || r >= 0xE0100 && r <= 0xE01EF || strings.ContainsRune("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0", r)
}

// alike are the alphabets whose letters look like those of the Latin one.
var alike = []*unicode.RangeTable{unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Cherokee, unicode.Coptic, unicode.Lisu}

// guestName is a name that somebody whom nobody here knows gave themselves: in the plain
// forms of its letters, and not Latin with letters among it that only look Latin.
func guestName(name string) (string, error) {
	name = norm.NFKC.String(name)
	latin := strings.ContainsFunc(name, func(r rune) bool { return unicode.Is(unicode.Latin, r) })
	if latin && strings.ContainsFunc(name, func(r rune) bool { return unicode.In(r, alike...) }) {
		return "", schemas.Invalid("name", "must not mix letters of alphabets that look alike. Example: Ada Lovelace")
	}
	return checkedName(name, 200)
}

// nameKey is the form in which names are compared: lower case, without joiners.
func nameKey(name string) string {
	return strings.ToLower(strings.NewReplacer("\u200c", "", "\u200d", "").Replace(cleanName(name)))
}

// checkedName cleans a name and refuses one that is empty or too long after that.
func checkedName(name string, most int) (string, error) {
	clean := cleanName(name)
	n := utf8.RuneCountInString(clean)
	if nameKey(clean) == "" || n > most {
		return "", schemas.Invalid("name", fmt.Sprintf("must have 1 to %d visible characters; got %d. Example: Ada", most, n))
	}
	return clean, nil
}

// checkedEmail refuses what is not a plain address. An empty one passes.
func checkedEmail(email string) (string, error) {
	email = strings.TrimSpace(email)
	if email == "" {
		return "", nil
	}
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Address != email || len(email) > 254 {
		return "", schemas.Invalid("email", fmt.Sprintf("must be an email address; got %.80q. Example: ada@example.com", email))
	}
	return email, nil
}
