package review

import (
	"context"
	"strconv"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

const maxSeen = 100

// AcknowledgeReviews records which versions the agent has been shown, so that NEW means
// new. A request that is not the agent's is passed over.
func (s *Service) AcknowledgeReviews(ctx context.Context, tx *store.Tx, in schemas.AcknowledgeReviewsRequest) (schemas.Empty, error) {
	if n := len(in.Items); n < 1 || n > maxSeen {
		return schemas.Empty{}, schemas.Invalid("items", "must be 1 to "+strconv.Itoa(maxSeen)+"; got "+strconv.Itoa(n))
	}
	c := account.From(ctx)
	for _, item := range in.Items {
		err := tx.SeeReview(ctx, db.SeeReviewParams{Seen: item.Version, ID: item.RequestID, AgentID: c.AgentID, Mode: c.Mode})
		if err != nil {
			return schemas.Empty{}, err
		}
	}
	return schemas.Empty{}, nil
}
