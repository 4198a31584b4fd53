package review

import (
	"database/sql"
	"encoding/json"
	"time"
)

func jsonText(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own plain types: cannot fail
	}
	return string(raw)
}

// clockTime is a time of day as sentences give it.
func clockTime(t time.Time) string { return t.UTC().Format("2 Jan 15:04 UTC") }

func nullText(text string) sql.NullString { return sql.NullString{String: text, Valid: text != ""} }
