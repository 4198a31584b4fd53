package passkey

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
)

// DecisionSubject is what a decision's assertion covers: which request and round, the
// digest of the action that waits, the answer, and the arguments as the reviewer changed
// them, if they did. The answer and the edit are covered by their bytes.
func DecisionSubject(requestID string, round int, digest string, value, edited json.RawMessage) string {
	return subject("decision", requestID, strconv.Itoa(round), digest, string(value), string(edited))
}

// GovernSubject is what an assertion covers that changes a loop: which loop, and the
// change in full.
func GovernSubject(loopID, what string) string { return subject("govern", loopID, what) }

// RemovalSubject is what an assertion covers that removes a passkey.
func RemovalSubject(passkeyID string) string { return subject("remove passkey", passkeyID) }

// subject joins parts so that no two lists of parts read the same.
func subject(parts ...string) string {
	for i, part := range parts {
		parts[i] = strconv.Quote(part)
	}
	return strings.Join(parts, " ")
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return -1
}
