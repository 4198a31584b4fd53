package store

import (
	"errors"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"

	"humanops-mcp/schemas"
)

// Everything in which the two databases' SQL differs stands in this file.

// PostgreSQL's codes for errors that callers act on.
const (
	pgSerializationFailure = "40001"
	pgDeadlockDetected     = "40P01"
	pgBadText              = "22021"
)

var rewritten sync.Map // PostgreSQL's text → SQLite's

// sqliteText turns a query into SQLite's dialect: numbered placeholders are written ?1, and
// rows need no locks because there is one writer. A list of ids (see IDs) is read by another
// function; queries hand it to PostgreSQL as an array, because of a function's rows it
// expects a hundred, and would rather read a whole table. Queries hold no $ in literals.
func sqliteText(text string) string {
	if out, ok := rewritten.Load(text); ok {
		return out.(string)
	}
	out := strings.NewReplacer(
		"$", "?",
		"= ANY (ARRAY(SELECT json_array_elements_text(", "IN (SELECT value FROM (SELECT value FROM json_each(",
		"FOR UPDATE SKIP LOCKED", "",
		"FOR UPDATE", "",
		"FOR KEY SHARE", "",
		"FOR SHARE", "",
		"json_array_elements_text(", "json_each(",
	).Replace(strings.TrimSpace(text))
	rewritten.Store(text, out)
	return out
}

// worthRetrying tells whether the same transaction may succeed when run again.
func worthRetrying(err error) bool {
	code := pgCode(err)
	return code == pgSerializationFailure || code == pgDeadlockDetected
}

// errText is the answer where PostgreSQL refuses a text that SQLite would take.
var errText = schemas.NewError(schemas.CodeInvalid, "A text, an id or a cursor in the request is not valid UTF-8, or holds the character U+0000. Send it without.")

// spoken turns the database's refusal of somebody's words into a sentence.
func spoken(err error) error {
	if pgCode(err) == pgBadText {
		return errText
	}
	return err
}

func pgCode(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}
