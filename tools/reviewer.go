package tools

import (
	"context"

	"humanops-mcp/client"
	"humanops-mcp/schemas"
)

// reviewer is the review service as the caller.
type reviewer struct {
	*client.Client
	extended bool // it is a humanops-mcp, which serves more than the hosted one documents
}

// market connects to the marketplace, for tools that may not need it.
func (c *call) market(ctx context.Context) error {
	if c.Client != nil {
		return nil
	}
	made, err := c.options.connect(ctx, c.options.Client)
	c.Client = made
	return err
}

// reviews connects to the review service.
func (c *call) reviews(ctx context.Context) (*reviewer, error) {
	if c.options.Reviews != nil {
		made, err := c.options.connect(ctx, c.options.Reviews)
		if err != nil {
			return nil, err
		}
		extended, err := made.ExtendedReviews(ctx)
		return &reviewer{made, extended}, err
	}
	if err := c.market(ctx); err != nil {
		return nil, err
	}
	extended, err := c.Extended(ctx)
	if err == nil && !extended {
		err = undocumented("reviews")
	}
	return &reviewer{c.Client, true}, err
}

// errIdle says that there can be no reviews, because nothing that would hold them runs.
var errIdle = schemas.NewError(schemas.CodeUnsupported, "No reviews were asked for here yet. request_human_review asks people.")

// reviewsThatAre connects to the review service to look at whatever there is, which is no
// reason to start one.
func (c *call) reviewsThatAre(ctx context.Context) (*reviewer, error) {
	if c.options.ReviewsUp != nil && !c.options.ReviewsUp(ctx) {
		return nil, errIdle
	}
	return c.reviews(ctx)
}

// needs refuses what only a humanops-mcp can do when the review service is none.
func (r *reviewer) needs(what string) error {
	if !r.extended {
		return undocumentedReview(what)
	}
	return nil
}

// undocumented refuses what a hosted marketplace cannot do.
func undocumented(what string) error {
	return schemas.NewError(schemas.CodeUnsupported, "This marketplace has no documented endpoint for "+what+". Tell the user to use its own pages for that.")
}

// undocumentedReview refuses what a hosted review service cannot do.
func undocumentedReview(what string) error {
	return schemas.NewError(schemas.CodeUnsupported, "This review service documents nothing for "+what+". Leave it out, or tell the user to use the service's own pages.")
}
