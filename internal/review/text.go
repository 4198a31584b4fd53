package review

import (
	"database/sql"
	"time"
)

// clockTime is a time of day as sentences give it.
func clockTime(t time.Time) string { return t.UTC().Format("2 Jan 15:04 UTC") }

func nullText(text string) sql.NullString { return sql.NullString{String: text, Valid: text != ""} }
