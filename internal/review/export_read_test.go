package review

import (
	"context"

	"humanops-mcp/internal/store"
)

// Link makes a link to a request for a person, as a notice does.
func (s *Service) Link(ctx context.Context, tx *store.Tx, requestAndPerson [2]string) (string, error) {
	return s.newLink(ctx, tx, requestAndPerson[0], requestAndPerson[1], tx.Now())
}
