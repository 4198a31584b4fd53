package review

import (
	"context"

	"humanops-mcp/internal/change"
	"humanops-mcp/internal/receipt"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/webhook"
	"humanops-mcp/schemas"
)

// contents are the requests, as their loops know them.
type contents struct{ *Service }

// Leave takes a person out of what is asked in a loop, or with "" in all of them: what they
// had claimed goes back to the others, their answers in what is open count no more, and
// what several people decide is counted again.
func (s contents) Leave(ctx context.Context, tx *store.Tx, personID, loopID string) (func() error, error) {
	awaited, err := tx.AwaitedFrom(ctx, db.AwaitedFromParams{PersonID: personID, LoopID: loopID})
	return func() error { return s.left(ctx, tx, personID, loopID, awaited) }, err
}

func (s contents) left(ctx context.Context, tx *store.Tx, personID, loopID string, awaited []string) error {
	dropped, err := tx.DropOpenAnswers(ctx, db.DropOpenAnswersParams{PersonID: personID, LoopID: loopID})
	if err != nil {
		return err
	}
	if err := s.dropAsked(ctx, tx, personID, loopID); err != nil {
		return err
	}
	if err := s.unclaim(ctx, tx, personID, loopID); err != nil {
		return err
	}
	return s.recount(ctx, tx, awaited, dropped)
}

// dropAsked takes back the ways in that a person had besides being in the loop.
func (s contents) dropAsked(ctx context.Context, tx *store.Tx, personID, loopID string) error {
	if loopID == "" {
		return tx.DeleteReviewLinksOf(ctx, personID)
	}
	return tx.DropEscalated(ctx, db.DropEscalatedParams{PersonID: personID, LoopID: loopID})
}

// Open counts the open requests of a loop, and the answers that those have in this round.
func (s contents) Open(ctx context.Context, tx *store.Tx, loopID string) (open, answers int64, err error) {
	if open, err = tx.CountOpenReviewsIn(ctx, loopID); err != nil {
		return 0, 0, err
	}
	answers, err = tx.CountOpenAnswersIn(ctx, loopID)
	return open, answers, err
}

// Delete deletes the requests of a loop and every row that hangs on them. Their lines are
// locked first: nobody hangs anything more on them.
func (s contents) Delete(ctx context.Context, tx *store.Tx, loopID string) (schemas.DeletedData, error) {
	ids, err := tx.ReviewsIn(ctx, loopID)
	if err != nil {
		return schemas.DeletedData{}, err
	}
	for _, forget := range []func(context.Context, *store.Tx, []string) error{change.Delete, webhook.Forget, receipt.Forget} {
		if err := forget(ctx, tx, ids); err != nil {
			return schemas.DeletedData{}, err
		}
	}
	n, err := tx.CountReviewsIn(ctx, loopID)
	if err != nil {
		return schemas.DeletedData{}, err
	}
	out := schemas.DeletedData{RequestsDeleted: int(n.Requests), ResponsesDeleted: int(n.Responses)}
	for _, remove := range []func(context.Context, string) error{
		tx.DeleteRoundsIn, tx.DeleteRecipientsIn, tx.DeleteVotesIn, tx.DeleteReviewLinksIn, tx.DeleteUploadsNamedIn, tx.DeleteFeedbackIn, tx.DeleteReviewsIn,
	} {
		if err := remove(ctx, loopID); err != nil {
			return out, err
		}
	}
	return out, nil
}
