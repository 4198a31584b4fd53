package review

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"strings"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/receipt"
	"humanops-mcp/internal/review/ask"
	"humanops-mcp/internal/review/view"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// GetReceipt gives the receipt of a decided request and the action that it covers.
func (s *Service) GetReceipt(ctx context.Context, tx *store.Tx, in schemas.ReviewRequest) (schemas.ReceiptAnswer, error) {
	r, err := findReceiptable(ctx, tx, in.RequestID, ask.Find)
	if err != nil {
		return schemas.ReceiptAnswer{}, err
	}
	kept, signed, err := receiptOf(ctx, tx, r)
	if err != nil {
		return schemas.ReceiptAnswer{}, err
	}
	out := schemas.ReceiptAnswer{Receipt: signed, Action: *approvedAction(r), ConsumedAt: store.TimePointer(kept.ConsumedAt)}
	account.MarkTest(&out.Sandboxed, r.Mode)
	return out, nil
}

// findReceiptable reads a request as those may who ask for receipts: its agent, the
// owner, and executors of its mode.
func findReceiptable(ctx context.Context, tx *store.Tx, id string, find view.Finder) (request, error) {
	c := account.From(ctx)
	r, err := find(ctx, tx, id)
	switch {
	case store.NotFound(err):
		return r, view.Missing()
	case err != nil:
		return r, err
	case c.Executor && c.Mode == r.Mode && r.Action != "", c.SeesTasksOf(r.AgentID, r.Mode):
		return r, nil
	}
	return r, view.Missing()
}

// receiptOf is the receipt of the request's present round.
func receiptOf(ctx context.Context, tx *store.Tx, r request) (kept db.Receipt, signed schemas.Receipt, err error) {
	kept, err = receipt.Latest(ctx, tx, r.ID)
	switch {
	case store.NotFound(err), err == nil && kept.Round != r.Round:
		return kept, signed, noReceipt(r)
	case err != nil:
		return kept, signed, err
	}
	if err := json.Unmarshal([]byte(kept.Body), &signed); err != nil {
		return kept, signed, fmt.Errorf("read the receipt of %s: %w", r.ID, err)
	}
	return kept, signed, nil
}

func noReceipt(r request) error {
	why := "It ended without a decision by people, so there is none."
	switch {
	case r.Action == "":
		why = "Only requests with an action have one."
	case !schemas.ReviewStatus(r.Status).Final():
		why = "It comes with the decision: wait for it."
	}
	return &schemas.Error{Code: schemas.CodeNotFound, Message: "This request has no receipt. " + why, State: r.Status}
}

// approvedAction is what the receipt covers: the action as a reviewer changed it, else as
// it was asked.
func approvedAction(r request) *schemas.Action {
	if r.EditedAction != "" {
		return ask.Action(r.EditedAction)
	}
	return ask.Action(r.Action)
}

// ConsumeReceipt uses an approval up. Of all calls for one receipt exactly one succeeds,
// and only for exactly the action that was approved.
func (s *Service) ConsumeReceipt(ctx context.Context, tx *store.Tx, in schemas.ConsumeReceiptRequest) (schemas.ReceiptConsumed, error) {
	c := account.From(ctx)
	if !c.Executor && !c.Owner {
		return schemas.ReceiptConsumed{}, schemas.Forbidden("Only an executor's key and the owner may use an approval up. The owner makes such a key with POST /platform/v1/keys and audience executor.")
	}
	digest, err := consumedDigest(in)
	if err != nil {
		return schemas.ReceiptConsumed{}, err
	}
	r, err := findReceiptable(ctx, tx, in.RequestID, s.life.Lock)
	if err != nil {
		return schemas.ReceiptConsumed{}, err
	}
	kept, _, err := receiptOf(ctx, tx, r)
	if err != nil {
		return schemas.ReceiptConsumed{}, err
	}
	if err := fits(kept, r, in.Nonce, digest, store.Micros(tx.Now())); err != nil {
		return schemas.ReceiptConsumed{}, err
	}
	return s.consume(ctx, tx, r, kept, c)
}

// consumedDigest is the digest of what is about to be done.
func consumedDigest(in schemas.ConsumeReceiptRequest) (string, error) {
	if in.Action == nil {
		if in.ActionDigest == "" {
			return "", schemas.Invalid("action", "is required, or action_digest: what is about to be done")
		}
		return strings.ToLower(in.ActionDigest), nil
	}
	_, _, digest, err := receipt.Digest(*in.Action)
	if err == nil && in.ActionDigest != "" && !strings.EqualFold(in.ActionDigest, digest) {
		return "", schemas.Invalid("action_digest", "is not the digest of the action that came with it; leave it out, or send the right one")
	}
	return digest, err
}

// fits refuses whatever the receipt does not cover.
func fits(kept db.Receipt, r request, nonce, digest string, now int64) error {
	switch {
	case !same(nonce, kept.Nonce):
		return conflict(r, "The nonce is not that of this request's receipt. Do not go on; GET the receipt and compare.")
	case !same(digest, kept.Digest):
		return conflict(r, "What is about to be done is not what was decided: its digest differs from the receipt's. Do not go on; ask for a review of exactly this action.")
	case kept.Decision != schemas.Approved:
		return conflict(r, "The decision is "+kept.Decision+", not approved. Do not go on.")
	case kept.ConsumedAt != 0:
		return used(r, kept)
	case now >= kept.ExpiresAt:
		return conflict(r, "The receipt expired at "+ask.ClockTime(store.Time(kept.ExpiresAt))+". Do not go on; ask for a new review.")
	}
	return nil
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// consume writes the use down.
func (s *Service) consume(ctx context.Context, tx *store.Tx, r request, kept db.Receipt, c account.Caller) (schemas.ReceiptConsumed, error) {
	first, err := receipt.Use(ctx, tx, kept, consumerName(c))
	if err != nil {
		return schemas.ReceiptConsumed{}, err
	}
	if !first {
		return schemas.ReceiptConsumed{}, conflict(r, "This approval was used at the same moment. It counts once: do not go on; ask for a new review.")
	}
	_, err = s.life.Note(ctx, tx, r, change.Note[request]{Kind: "receipt_consumed", By: c.Actor(), With: Consumed{kept.Digest, kept.Round}})
	out := schemas.ReceiptConsumed{
		RequestID: r.ID, ActionDigest: kept.Digest, Decision: kept.Decision, ConsumedAt: store.Time(store.Micros(tx.Now())), ConsumedBy: consumerName(c),
	}
	account.MarkTest(&out.Sandboxed, r.Mode)
	return out, err
}

// consumerName is who used an approval up, for whoever comes second.
func consumerName(c account.Caller) string {
	if c.Name == "" {
		return c.ID()
	}
	return c.Name + " (" + c.ID() + ")"
}

func used(r request, kept db.Receipt) error {
	return conflict(r, "This approval was used already, by "+kept.ConsumedBy+" at "+ask.ClockTime(store.Time(kept.ConsumedAt))+". It counts once: do not go on; ask for a new review.")
}
