package view

import (
	"context"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/keyset"
	loops "humanops-mcp/internal/loop"
	"humanops-mcp/internal/review/ask"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// Decided lists what the calling person decided since a time and may still see, the last
// decision first.
func (s *Reader) Decided(ctx context.Context, tx *store.Tx, c account.Caller, since time.Time, most int64) ([]schemas.Review, error) {
	mine, err := loops.Of(ctx, tx, c.PersonID)
	if err != nil {
		return nil, err
	}
	rows, err := tx.DecidedBy(ctx, db.DecidedByParams{
		PersonID: c.PersonID, Since: store.Micros(since), Everything: c.Owner, Loops: store.IDs(mine), RowLimit: most,
	})
	if err != nil {
		return nil, err
	}
	return s.listedAll(ctx, tx, rows)
}

// listedAll are requests as lists show them.
func (s *Reader) listedAll(ctx context.Context, tx *store.Tx, rows []db.Review) ([]schemas.Review, error) {
	list, err := ask.WithLines(ctx, tx, rows)
	if err != nil {
		return nil, err
	}
	around, err := s.around(ctx, tx, list)
	if err != nil {
		return nil, err
	}
	out := make([]schemas.Review, len(list))
	for i, r := range list {
		out[i] = s.listed(r, around)
	}
	return out, nil
}

// ShowsUpload tells whether a person can see a request in which an agent's file stands: as
// a member of its loop, or because they were asked.
func (*Reader) ShowsUpload(ctx context.Context, tx *store.Tx, f db.Upload, personID string) (bool, error) {
	mine, err := loops.Of(ctx, tx, personID)
	if err != nil {
		return false, err
	}
	named := "%" + ask.UploadPath + f.ID + "%"
	shown, err := tx.UploadShownIn(ctx, db.UploadShownInParams{UploadID: f.ID, Loops: store.IDs(mine), AgentID: f.AgentID, Named: named})
	if err != nil || shown {
		return shown, err
	}
	return tx.UploadShownTo(ctx, db.UploadShownToParams{UploadID: f.ID, PersonID: personID, AgentID: f.AgentID, Named: named, Most: keyset.MaxTotal})
}
