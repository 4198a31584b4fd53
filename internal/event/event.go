// Package event keeps what happened: each subject's trail, an entry at a time, written by
// the transaction that causes it; and the order of all entries, which readers follow once
// they are committed.
package event

import (
	"context"
	"encoding/json"

	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/trail"
	"humanops-mcp/schemas"
)

// The topics signalled through the store.
const (
	recorded = "event.recorded" // to the sequencers: entries without a number
	numbered = "event.numbered" // to the feeds: entries to be read
)

// NewID makes the id of an event: the same in the trail, the feed, webhooks and streams.
func NewID() string { return ident.New("ev_") }

// Append writes an entry that trail.Link made. It exists once tx is committed, and wakes
// whoever waits for its subject.
func Append(ctx context.Context, tx *store.Tx, subjectID string, e schemas.AuditEntry) error {
	err := tx.AppendTrail(ctx, db.AppendTrailParams{
		SubjectID: subjectID, N: int64(e.N), EventID: e.EventID, Kind: e.Kind, Actor: e.Actor, Via: e.Via, Data: string(e.Data),
		Previous: e.Previous, Hash: e.Hash, CreatedAt: store.Micros(e.At),
	})
	if err != nil {
		return err
	}
	return tx.Signal(ctx, recorded)
}

// List reads a subject's trail behind the entry numbered after: at most limit entries.
func List(ctx context.Context, tx *store.Tx, subjectID string, after, limit int64) ([]schemas.AuditEntry, error) {
	rows, err := tx.ListTrail(ctx, db.ListTrailParams{SubjectID: subjectID, After: after, RowLimit: limit})
	list := make([]schemas.AuditEntry, 0, len(rows))
	for _, row := range rows {
		list = append(list, entryOf(row))
	}
	return list, err
}

// Latest reads the last entries of a subject's trail, the newest first.
func Latest(ctx context.Context, tx *store.Tx, subjectID string, limit int64) ([]schemas.AuditEntry, error) {
	rows, err := tx.LatestTrail(ctx, db.LatestTrailParams{SubjectID: subjectID, RowLimit: limit})
	list := make([]schemas.AuditEntry, len(rows))
	for i, row := range rows {
		list[i] = entryOf(row)
	}
	return list, err
}

func entryOf(row db.Trail) schemas.AuditEntry {
	return schemas.AuditEntry{
		N: int(row.N), EventID: row.EventID, Kind: row.Kind, Actor: row.Actor, Via: row.Via, At: store.Time(row.CreatedAt),
		Data: json.RawMessage(row.Data), Previous: row.Previous, Hash: row.Hash,
	}
}

// Reclaim ends the sequencer's lease of a process that died. It is for the start of a
// process that owns its database alone.
func Reclaim(ctx context.Context, tx *store.Tx) error {
	_, err := tx.ClearLeases(ctx)
	return err
}

// Check walks a subject's trail from its beginning and compares it with the number of
// entries and the hash that its line has. each is called with every entry, in order, and may
// find fault with it.
func Check(ctx context.Context, tx *store.Tx, line db.Subject, each func(schemas.AuditEntry) error) error {
	const slice = 500
	n, head := int64(0), ""
	for {
		entries, err := List(ctx, tx, line.ID, n, slice)
		if err != nil {
			return err
		}
		if head, err = trail.Verify(int(n), head, entries); err != nil {
			return broken(line.ID, err.Error())
		}
		for _, e := range entries {
			if err := each(e); err != nil {
				return err
			}
		}
		n += int64(len(entries))
		if len(entries) < slice {
			break
		}
	}
	if n != line.Entries || head != line.Head {
		return broken(line.ID, "entries at its end are missing, or were added")
	}
	return nil
}

func broken(subjectID, why string) error {
	return schemas.NewError(schemas.CodeConflict, "the trail of "+subjectID+" is not as it was written: "+why)
}

// Touched are the subjects of the next entries behind a place in the order of all: each as
// often as it has one. At the end there are none.
func Touched(ctx context.Context, tx *store.Tx, after, limit int64) (subjectIDs []string, last int64, err error) {
	rows, err := tx.FreshAfter(ctx, db.FreshAfterParams{After: after, Count: limit})
	for _, row := range rows {
		subjectIDs, last = append(subjectIDs, row.SubjectID), row.Seq.Int64
	}
	return subjectIDs, last, err
}

// End is the last place in the order of all entries.
func End(ctx context.Context, tx *store.Tx) (int64, error) { return tx.LastSeq(ctx) }

// Forget takes away what the trails of subjects say that are deleted. The entries keep
// their places and hashes, so that the anchors still fit.
func Forget(ctx context.Context, tx *store.Tx, subjectIDs []string) error {
	return tx.ForgetTrail(ctx, store.IDs(subjectIDs))
}
