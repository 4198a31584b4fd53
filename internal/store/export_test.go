package store

import "humanops-mcp/internal/store/db"

// DBTX is what a transaction's statements run on, for tests of how the database does them.
func DBTX(tx *Tx) db.DBTX { return tx.db }

// CallbackTexts are what the upgrade does for each callback that waits, in SQLite's words.
func CallbackTexts() []string { return []string{sqliteText(deliverCallback), sqliteText(sendCallback)} }
