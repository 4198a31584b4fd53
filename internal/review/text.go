package review

import (
	"database/sql"
)

func nullText(text string) sql.NullString { return sql.NullString{String: text, Valid: text != ""} }
