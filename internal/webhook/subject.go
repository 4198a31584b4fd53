package webhook

import (
	"context"
	"database/sql"

	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
)

// Callback is the address that one subject's agent gave along with it.
type Callback struct {
	SubjectID, AgentID, Mode string
	URL, Secret              string // no secret: deliveries are not signed
	Style                    Style
}

// Subscribe keeps a subject's callback; nothing when it has none. The address was checked.
func (s *Service) Subscribe(ctx context.Context, tx *store.Tx, c Callback) error {
	if c.URL == "" {
		return nil
	}
	id, sealed := ident.New("wh_"), ""
	if c.Secret != "" {
		var err error
		if sealed, err = s.config.Sealer.Seal(Purpose, id, c.Secret); err != nil {
			return err
		}
	}
	return tx.InsertWebhook(ctx, db.InsertWebhookParams{
		ID: id, AgentID: c.AgentID, Mode: c.Mode, LoopID: sql.NullString{}, SubjectID: c.SubjectID, Style: c.Style.name, Name: "", Url: c.URL,
		Events: `["*"]`, Secret: sealed, Enabled: true, CreatedAt: store.Micros(tx.Now()),
	})
}

// Resubscribe gives a subject's callback another address, or takes it away with "": what
// was on its way goes to the new address, or nowhere.
func (s *Service) Resubscribe(ctx context.Context, tx *store.Tx, c Callback) error {
	n, err := tx.MoveCallback(ctx, db.MoveCallbackParams{SubjectID: c.SubjectID, Url: c.URL, Enabled: c.URL != "", UpdatedAt: store.Micros(tx.Now())})
	if err != nil || n > 0 {
		return err
	}
	return s.Subscribe(ctx, tx, c)
}

// Addresses are the callback addresses of subjects, by the subject's id.
func Addresses(ctx context.Context, tx *store.Tx, subjectIDs []string) (map[string]string, error) {
	rows, err := tx.CallbackAddresses(ctx, store.IDs(subjectIDs))
	addresses := make(map[string]string, len(rows))
	for _, row := range rows {
		addresses[row.SubjectID] = row.Url
	}
	return addresses, err
}

// Forget deletes the callbacks of subjects that are deleted, with what was on its way.
func Forget(ctx context.Context, tx *store.Tx, subjectIDs []string) error {
	ids := store.IDs(subjectIDs)
	if err := tx.DeleteDeliveriesAbout(ctx, ids); err != nil {
		return err
	}
	return tx.DeleteCallbacks(ctx, ids)
}

// ForgetLoop deletes the subscriptions to one loop, which is deleted, with their logs: its
// addresses have nothing more to hear.
func ForgetLoop(ctx context.Context, tx *store.Tx, loopID string) error {
	if err := tx.DeleteDeliveriesIn(ctx, loopID); err != nil {
		return err
	}
	return tx.DeleteWebhooksIn(ctx, loopID)
}
