package change

import (
	"context"

	"humanops-mcp/internal/event"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
)

// Deleted is the state of a subject whose rows are gone.
const Deleted = "deleted"

// Delete takes subjects away whose rows go in the same transaction, and locks them first.
// What was said goes with them; their trails keep their places and hashes, so that the
// anchors still fit. Nobody is woken: who waits for one hears of it when their time is up, so
// a kind deletes what has ended.
func Delete(ctx context.Context, tx *store.Tx, ids []string) error {
	list := store.IDs(ids)
	if _, err := tx.LockSubjects(ctx, list); err != nil {
		return err
	}
	if err := tx.EndSubjects(ctx, db.EndSubjectsParams{Ids: list, Now: store.Micros(tx.Now())}); err != nil {
		return err
	}
	return event.Forget(ctx, tx, ids)
}
