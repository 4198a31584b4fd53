// Package receipt turns decisions into signed receipts: the digest of an action, the
// signature over a receipt, the keys and their rotation. What is hashed and what is
// signed is always the RFC 8785 form, so that any language can check it.
package receipt

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/gowebpki/jcs"

	"humanops-mcp/schemas"
)

const (
	maxArguments = 256 << 10
	maxDepth     = 100
	maxTool      = 200
	// maxDigits bounds a number's text, before it is computed with.
	maxDigits = 400
)

// exact is 2⁵³: up to there every integer has a double of its own.
var exact = new(big.Rat).SetInt64(1 << 53)

// Digest gives an action's canonical form, the RFC 8785 text of {arguments, tool} and
// the SHA-256 of that text. Whatever other readers could understand differently is
// refused: names given twice, numbers that no double holds, broken text.
func Digest(a schemas.Action) (canonical schemas.Action, text []byte, digest string, err error) {
	tool, err := quoted(a.Tool)
	if err != nil {
		return canonical, nil, "", err
	}
	arguments, err := canonicalArguments(a.Arguments)
	if err != nil {
		return canonical, nil, "", err
	}
	whole := append(append(append(append([]byte(`{"arguments":`), arguments...), `,"tool":`...), tool...), '}')
	if text, err = jcs.Transform(whole); err != nil {
		return canonical, nil, "", fmt.Errorf("canonical form of an action: %w", err)
	}
	sum := sha256.Sum256(text)
	return schemas.Action{Tool: a.Tool, Arguments: arguments}, text, hex.EncodeToString(sum[:]), nil
}

func quoted(tool string) ([]byte, error) {
	if tool == "" || utf8.RuneCountInString(tool) > maxTool || !utf8.ValidString(tool) {
		return nil, schemas.Invalid("action.tool", "must be 1 to 200 characters of valid UTF-8. Example: transfer_money")
	}
	return jsontext.AppendQuote(nil, tool)
}

func canonicalArguments(raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) > maxArguments {
		return nil, wrongArguments("must be at most 256 KiB; got %d KiB. Put large content behind an address, and its hash into the arguments", len(raw)>>10)
	}
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || string(raw) == "null" {
		return json.RawMessage("{}"), nil
	}
	if raw[0] != '{' {
		return nil, wrongArguments(`must be a JSON object. Example: {"amount": 82000}`)
	}
	if err := check(raw); err != nil {
		return nil, err
	}
	canonical, err := jcs.Transform(raw)
	if err != nil {
		return nil, wrongArguments("must be one JSON object that has a canonical form (RFC 8785)")
	}
	return canonical, nil
}

func wrongArguments(format string, args ...any) error {
	return schemas.Invalid("action.arguments", fmt.Sprintf(format, args...))
}

// check reads every token. The decoder refuses duplicate names, invalid UTF-8 and lone
// surrogates.
func check(raw []byte) error {
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	for {
		token, err := d.ReadToken()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, jsontext.ErrDuplicateName):
			return wrongArguments("must not have the same name twice in one object: readers differ in which of them counts")
		case err != nil:
			return wrongArguments("must be one JSON object in valid UTF-8 without lone surrogates; it breaks off at byte %d", d.InputOffset())
		case d.StackDepth() > maxDepth:
			return wrongArguments("must be nested at most %d deep", maxDepth)
		case token.Kind() == '0' && !keeps(token.String()):
			return wrongArguments("must not have the number %.40s: many readers would take another number for it. Integers are kept within ±9007199254740992 (2^53), other numbers to about 15 digits; send it as a string", token.String())
		}
	}
}

// keeps tells whether a number means the same once it is read as a double, which is what
// RFC 8785 and most readers do.
func keeps(literal string) bool {
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil || len(literal) > maxDigits {
		return false
	}
	if f == 0 {
		mantissa, _, _ := strings.Cut(strings.ToLower(literal), "e")
		return !strings.ContainsAny(mantissa, "123456789")
	}
	sent, sentOK := new(big.Rat).SetString(literal)
	read, readOK := new(big.Rat).SetString(strconv.FormatFloat(f, 'g', -1, 64))
	if !sentOK || !readOK || sent.Cmp(read) != 0 {
		return false
	}
	return !sent.IsInt() || new(big.Rat).Abs(sent).Cmp(exact) <= 0
}

// canonicalWithout is the RFC 8785 form of an object without one of its members.
func canonicalWithout(v any, member string) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return dropMember(raw, member)
}

func dropMember(raw []byte, member string) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, err
	}
	delete(members, member)
	rest, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	return jcs.Transform(rest)
}
