package client

import (
	"context"
	"time"

	"humanops-mcp/schemas"
)

// CreateReview asks the people of a loop (reviews contract §1.6). Bodies of other
// spellings are normalised to this one before they are checked.
func (c *Client) CreateReview(ctx context.Context, in schemas.CreateReviewRequest) (schemas.ReviewCreated, error) {
	return call(ctx, c, schemas.CreateReview, in)
}

// GetReview gives a request's full state: the polling endpoint.
func (c *Client) GetReview(ctx context.Context, in schemas.ReviewRequest) (schemas.ReviewAnswer, error) {
	return call(ctx, c, schemas.GetReview, in)
}

// GetReviewResponse is the oldest spelling's answer.
func (c *Client) GetReviewResponse(ctx context.Context, in schemas.ReviewRequest) (schemas.ReviewResponse, error) {
	return call(ctx, c, schemas.GetReviewResponse, in)
}

// GetReviewStatus is the oldest spelling's short answer.
func (c *Client) GetReviewStatus(ctx context.Context, in schemas.ReviewRequest) (schemas.ReviewState, error) {
	return call(ctx, c, schemas.GetReviewStatus, in)
}

// ListReviews lists requests: an agent's own, or those of a person's loops.
func (c *Client) ListReviews(ctx context.Context, in schemas.ListReviewsRequest) (schemas.ReviewList, error) {
	return call(ctx, c, schemas.ListReviews, in)
}

// ListLoopReviews lists the requests of one loop.
func (c *Client) ListLoopReviews(ctx context.Context, in schemas.ListLoopReviewsRequest) (schemas.ReviewList, error) {
	return call(ctx, c, schemas.ListLoopReviews, in)
}

// UpdateReview changes an open request that nobody has claimed or answered. What people
// decide on (text, action, response) never changes under them.
func (c *Client) UpdateReview(ctx context.Context, in schemas.UpdateReviewRequest) (schemas.ReviewAnswer, error) {
	return call(ctx, c, schemas.UpdateReview, in)
}

// OpenRound answers needs_changes with a new version on the same request.
func (c *Client) OpenRound(ctx context.Context, in schemas.OpenRoundRequest) (schemas.ReviewCreated, error) {
	return call(ctx, c, schemas.OpenRound, in)
}

// CancelReview withdraws a request (reviews contract §1.9): DELETE, with or without a
// body.
func (c *Client) CancelReview(ctx context.Context, in schemas.CancelReviewRequest) (schemas.ReviewCancelledAnswer, error) {
	return call(ctx, c, schemas.CancelReview, in)
}

// CancelReviewByPost is the same for the clients that post it.
func (c *Client) CancelReviewByPost(ctx context.Context, in schemas.CancelReviewRequest) (schemas.ReviewCancelledAnswer, error) {
	return call(ctx, c, schemas.CancelReviewByPost, in)
}

// AddFeedback tells the reviewer how the answer served (reviews contract §1.10).
func (c *Client) AddFeedback(ctx context.Context, in schemas.AddFeedbackRequest) (schemas.FeedbackAnswer, error) {
	return call(ctx, c, schemas.AddFeedback, in)
}

// GetFeedback reads it back.
func (c *Client) GetFeedback(ctx context.Context, in schemas.ReviewRequest) (schemas.FeedbackAnswer, error) {
	return call(ctx, c, schemas.GetFeedback, in)
}

// ClaimReview takes a request before the others do. A claim is a lease: claim again to
// renew it.
func (c *Client) ClaimReview(ctx context.Context, in schemas.ReviewRequest) (schemas.ReviewAnswer, error) {
	return call(ctx, c, schemas.ClaimReview, in)
}

// ReleaseReview gives a claimed request back.
func (c *Client) ReleaseReview(ctx context.Context, in schemas.ReviewRequest) (schemas.ReviewAnswer, error) {
	return call(ctx, c, schemas.ReleaseReview, in)
}

// DecideReview is a person's answer.
func (c *Client) DecideReview(ctx context.Context, in schemas.DecideReviewRequest) (schemas.ReviewAnswer, error) {
	return call(ctx, c, schemas.DecideReview, in)
}

// EscalateReview goes to the next escalation step now.
func (c *Client) EscalateReview(ctx context.Context, in schemas.EscalateReviewRequest) (schemas.ReviewAnswer, error) {
	return call(ctx, c, schemas.EscalateReview, in)
}

// AcknowledgeReviews records which versions the agent has seen, so that NEW means new.
func (c *Client) AcknowledgeReviews(ctx context.Context, in schemas.AcknowledgeReviewsRequest) (schemas.Empty, error) {
	return call(ctx, c, schemas.AcknowledgeReviews, in)
}

// FindPrecedents searches the caller's own decided requests.
func (c *Client) FindPrecedents(ctx context.Context, in schemas.FindPrecedentsRequest) (schemas.PrecedentList, error) {
	return call(ctx, c, schemas.FindPrecedents, in)
}

// GetReviewAudit gives a request's audit trail; each entry holds the hash of the one before.
func (c *Client) GetReviewAudit(ctx context.Context, in schemas.ReviewAuditRequest) (schemas.ReviewAudit, error) {
	return call(ctx, c, schemas.GetReviewAudit, in)
}

// GetReceipt gives the receipt of a decided request with an action.
func (c *Client) GetReceipt(ctx context.Context, in schemas.ReviewRequest) (schemas.ReceiptAnswer, error) {
	return call(ctx, c, schemas.GetReceipt, in)
}

// ConsumeReceipt uses an approval up, once. Only an executor's key and the owner may.
func (c *Client) ConsumeReceipt(ctx context.Context, in schemas.ConsumeReceiptRequest) (schemas.ReceiptConsumed, error) {
	return call(ctx, c, schemas.ConsumeReceipt, in)
}

// GetReceiptKeys lists the public keys for programs that prefer the API.
func (c *Client) GetReceiptKeys(ctx context.Context) (schemas.ReceiptKeys, error) {
	return call(ctx, c, schemas.GetReceiptKeys, schemas.Empty{})
}

// RotateReceiptKey retires the signing key and makes a new one.
func (c *Client) RotateReceiptKey(ctx context.Context) (schemas.ReceiptKeys, error) {
	return call(ctx, c, schemas.RotateReceiptKey, schemas.Empty{})
}

// CreateHouseKey makes a key on behalf of the owner: for an executor, or for an agent's
// reviews.
func (c *Client) CreateHouseKey(ctx context.Context, in schemas.CreateHouseKeyRequest) (schemas.CreateKeyResponse, error) {
	return call(ctx, c, schemas.CreateHouseKey, in)
}

// Redeliver sends a delivery again, under the same delivery id.
func (c *Client) Redeliver(ctx context.Context, in schemas.DeliveryRequest) (schemas.DeliveryAnswer, error) {
	return call(ctx, c, schemas.Redeliver, in)
}

// CreateReviews asks for several reviews at once; each has its own outcome.
func (c *Client) CreateReviews(ctx context.Context, in schemas.CreateReviewsRequest) (schemas.ReviewBatch, error) {
	return callWithin(ctx, c, schemas.CreateReviews, in, batchTimeout)
}

// WaitReview answers when the request's round is over, or after the time-out with the
// request as it is.
func (c *Client) WaitReview(ctx context.Context, in schemas.WaitReviewRequest) (schemas.ReviewWait, error) {
	return callWithin(ctx, c, schemas.WaitReview, in, time.Duration(in.TimeoutSeconds)*time.Second+waitMargin)
}

// WaitAny waits for tasks and reviews alike, under the reviews' prefix.
func (c *Client) WaitAny(ctx context.Context, in schemas.WaitRequest) (schemas.WaitResponse, error) {
	return callWithin(ctx, c, schemas.WaitAny, in, time.Duration(in.TimeoutSeconds)*time.Second+waitMargin)
}
