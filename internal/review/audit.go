package review

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"humanops-mcp/internal/event"
	"humanops-mcp/internal/receipt"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// link makes the next entry of a request's audit trail, which holds the hash of the one
// before it, and puts its number and hash into r.
func link(r *db.Review, kind string, by actor, at time.Time, data any) (schemas.AuditEntry, error) {
	raw := json.RawMessage("{}")
	if data != nil {
		var err error
		if raw, err = json.Marshal(data); err != nil {
			return schemas.AuditEntry{}, fmt.Errorf("audit data of %s: %w", kind, err)
		}
	}
	entry := schemas.AuditEntry{
		N: int(r.AuditCount) + 1, Kind: kind, Actor: by.id, Via: by.via,
		At: store.Time(store.Micros(at)), Data: raw, Previous: r.AuditHead,
	}
	var err error
	if entry.Hash, err = receipt.AuditHash(entry); err != nil {
		return entry, err
	}
	r.AuditCount, r.AuditHead = int64(entry.N), entry.Hash
	return entry, nil
}

// write keeps an entry and records it as an event, which wakes those who wait.
func (s *Service) write(ctx context.Context, tx *store.Tx, r db.Review, e schemas.AuditEntry) error {
	err := tx.InsertReviewAudit(ctx, db.InsertReviewAuditParams{
		ReviewID: r.ID, N: int64(e.N), Kind: e.Kind, Actor: e.Actor, Via: e.Via, Data: string(e.Data),
		Previous: e.Previous, Hash: e.Hash, CreatedAt: store.Micros(e.At),
	})
	if err != nil {
		return err
	}
	return event.Record(ctx, tx, event.Event{
		Kind: e.Kind, SubjectID: r.ID, AgentID: r.AgentID, Actor: e.Actor, Via: e.Via,
		Data: map[string]any{"status": r.Status, "version": r.Version, "round": r.Round},
	})
}

// record adds an entry to the trail beside a change of the request itself: a receipt was
// consumed, feedback was given. The caller has the request's lock.
func (s *Service) record(ctx context.Context, tx *store.Tx, r *db.Review, kind, by, via string, data any) error {
	count := r.AuditCount
	entry, err := link(r, kind, actor{by, via}, tx.Now(), data)
	if err != nil {
		return err
	}
	n, err := tx.SetReviewAudit(ctx, db.SetReviewAuditParams{ID: r.ID, AuditCount: r.AuditCount, AuditHead: r.AuditHead, FromCount: count})
	if err != nil {
		return err
	}
	if n == 0 {
		return &schemas.Error{Code: schemas.CodeConflict, State: r.Status, Message: "The request changed at the same moment. Look at it again before you go on."}
	}
	return s.write(ctx, tx, *r, entry)
}
