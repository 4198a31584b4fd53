package task

import (
	"context"

	"humanops-mcp/internal/keyset"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// Count counts the tasks of a mode by their status; those of which there are none are left
// out. Of a status in more there are more than it counted.
func Count(ctx context.Context, tx *store.Tx, mode string) (counts map[string]int, more []string, err error) {
	counts = map[string]int{}
	for _, status := range schemas.TaskStatuses {
		rows, err := tx.CountTasksIn(ctx, db.CountTasksInParams{Mode: mode, Status: string(status), CountTo: keyset.CountTo})
		if err != nil {
			return nil, nil, err
		}
		n, beyond := keyset.Counted(rows)
		if n > 0 {
			counts[string(status)] = n
		}
		if beyond {
			more = append(more, string(status))
		}
	}
	return counts, more, nil
}
