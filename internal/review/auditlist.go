package review

import (
	"context"
	"encoding/json"

	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// GetReviewAudit reads a request's audit trail, from the first entry on.
func (s *Service) GetReviewAudit(ctx context.Context, tx *store.Tx, in schemas.ReviewAuditRequest) (schemas.ReviewAudit, error) {
	limit := int64(100)
	if in.Limit > 0 {
		limit = min(int64(in.Limit), 200)
	}
	r, err := s.findVisible(ctx, tx, in.RequestID)
	if err != nil {
		return schemas.ReviewAudit{}, err
	}
	rows, err := tx.ListAudit(ctx, db.ListAuditParams{ReviewID: r.ID, After: int64(in.After), RowLimit: limit + 1})
	if err != nil {
		return schemas.ReviewAudit{}, err
	}
	out := schemas.ReviewAudit{RequestID: r.ID, Entries: make([]schemas.AuditEntry, 0, len(rows)), HasMore: int64(len(rows)) > limit}
	for _, row := range rows[:min(int64(len(rows)), limit)] {
		out.Entries = append(out.Entries, schemas.AuditEntry{
			N: int(row.N), Kind: row.Kind, Actor: row.Actor, Via: row.Via, At: store.Time(row.CreatedAt),
			Data: json.RawMessage(row.Data), Previous: row.Previous, Hash: row.Hash,
		})
	}
	return out, nil
}
