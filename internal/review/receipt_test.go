package review_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/receipt"
	"humanops-mcp/schemas"
)

func (d *desk) receiptOf(ctx context.Context, id string) schemas.ReceiptAnswer {
	d.t.Helper()
	return run(d, ctx, d.GetReceipt, schemas.ReviewRequest{RequestID: id})
}

// approved is a request to transfer $82,000 that Ada has approved, with its nonce.
func (d *desk) approved() (id, nonce string) {
	d.t.Helper()
	id = d.ask(d.agent, "Transfer $82,000 to ACME?", func(q *schemas.NewReview) { q.Action = transfer("82000") })
	d.decide(d.ada, id, "true", nil)
	return id, d.receiptOf(d.agent, id).Receipt.Nonce
}

func use(id, nonce string, a *schemas.Action) schemas.ConsumeReceiptRequest {
	return schemas.ConsumeReceiptRequest{RequestID: id, Nonce: nonce, Action: a}
}

func TestAReceiptSaysWhatWasApproved(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		id, _ := d.approved()
		out := d.receiptOf(d.agent, id)
		keys := run(d, d.agent, d.Receipts.Keys, schemas.Empty{})
		require.NoError(t, receipt.Verify(out.Receipt, keys))
		require.Equal(t, []string{personOf(d.ada)}, out.Receipt.DecidedBy)
		require.Equal(t, "page", out.Receipt.DecidedVia)
		require.True(t, out.Receipt.DecidedAt.Equal(*d.get(d.agent, id).ResponseAt), "%s", out.Receipt.DecidedAt)
		require.Equal(t, "live", out.Receipt.Mode)
		_, _, digest, err := receipt.Digest(out.Action)
		require.NoError(t, err)
		require.Equal(t, digest, out.Receipt.ActionDigest)
		require.Nil(t, out.ConsumedAt)
		for _, ctx := range []context.Context{d.owner, d.executor} {
			require.Equal(t, out, d.receiptOf(ctx, id))
		}
		for _, ctx := range []context.Context{d.stranger, d.testExecutor, d.sandbox, d.bob} {
			fails(d, schemas.CodeNotFound, ctx, d.GetReceipt, schemas.ReviewRequest{RequestID: id})
		}
	})
}

func TestAnApprovalIsUsedOnce(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		id, nonce := d.approved()
		out := run(d, d.executor, d.ConsumeReceipt, use(id, nonce, transfer("8.2e4")))
		require.Equal(t, "approved", out.Decision)
		require.Equal(t, "Payments (key_live)", out.ConsumedBy)
		for _, ctx := range []context.Context{d.executor, d.owner} {
			e := fails(d, schemas.CodeConflict, ctx, d.ConsumeReceipt, use(id, nonce, transfer("82000")))
			require.Contains(t, e.Message, "used already, by Payments (key_live) at 2 Mar 09:00 UTC")
		}
		require.NotNil(t, d.receiptOf(d.agent, id).ConsumedAt)
		require.Equal(t, out.ConsumedAt, *d.get(d.agent, id).ReceiptConsumedAt)
		require.Equal(t, out.ConsumedAt, *run(d, d.agent, d.ListReviews, schemas.ListReviewsRequest{}).Requests[0].ReceiptConsumedAt)
		trail := run(d, d.agent, d.GetReviewAudit, schemas.ReviewAuditRequest{RequestID: id})
		require.Equal(t, "review.receipt_consumed", trail.Entries[len(trail.Entries)-1].Kind)

		byDigest, nonce := d.approved()
		require.True(t, d.get(d.agent, byDigest).ReceiptAvailable)
		require.Nil(t, d.get(d.agent, byDigest).ReceiptConsumedAt, "not used yet")
		digest := d.receiptOf(d.executor, byDigest).Receipt.ActionDigest
		run(d, d.owner, d.ConsumeReceipt, schemas.ConsumeReceiptRequest{RequestID: byDigest, Nonce: nonce, ActionDigest: digest})
	})
}

func TestOnlyOneOfManyUsesAnApproval(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		id, nonce := d.approved()
		var group sync.WaitGroup
		results := make(chan error, 10)
		for range cap(results) {
			group.Go(func() {
				_, err := try(d, d.executor, d.ConsumeReceipt, use(id, nonce, transfer("82000")))
				results <- err
			})
		}
		group.Wait()
		close(results)
		good := 0
		for err := range results {
			if err == nil {
				good++
				continue
			}
			require.Equal(t, schemas.CodeConflict, schemas.ErrorCode(err), "%v", err)
		}
		require.Equal(t, 1, good)
	})
}

func TestNothingElseThanWhatWasApprovedGoesAhead(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		id, nonce := d.approved()
		refuse := func(code schemas.Code, ctx context.Context, in schemas.ConsumeReceiptRequest, says string) {
			t.Helper()
			require.Contains(t, fails(d, code, ctx, d.ConsumeReceipt, in).Error(), says)
		}
		refuse(schemas.CodeConflict, d.executor, use(id, nonce, transfer("820000")), "not what was decided")
		refuse(schemas.CodeConflict, d.executor, use(id, nonce, &schemas.Action{Tool: "transfer", Arguments: transfer("82000").Arguments}), "not what was decided")
		refuse(schemas.CodeConflict, d.executor, use(id, "another", transfer("82000")), "nonce")
		refuse(schemas.CodeInvalid, d.executor, use(id, nonce, nil), "is required")
		refuse(schemas.CodeInvalid, d.executor, use(id, nonce, transfer("82000,\"amount\":820000")), "the same name twice")
		refuse(schemas.CodeInvalid, d.executor, schemas.ConsumeReceiptRequest{RequestID: id, Nonce: nonce, Action: transfer("82000"), ActionDigest: "00"}, "not the digest")
		refuse(schemas.CodeForbidden, d.agent, use(id, nonce, transfer("82000")), "executor")
		refuse(schemas.CodeForbidden, d.ada, use(id, nonce, transfer("82000")), "executor")
		refuse(schemas.CodeNotFound, d.testExecutor, use(id, nonce, transfer("82000")), "Request not found")
		d.clock.Advance(24 * time.Hour)
		refuse(schemas.CodeConflict, d.executor, use(id, nonce, transfer("82000")), "expired")

		rejected := d.ask(d.agent, "Transfer?", func(q *schemas.NewReview) { q.Action = transfer("82000") })
		refuse(schemas.CodeNotFound, d.executor, use(rejected, nonce, transfer("82000")), "comes with the decision")
		d.decide(d.ada, rejected, "false", nil)
		refuse(schemas.CodeConflict, d.executor, use(rejected, d.receiptOf(d.agent, rejected).Receipt.Nonce, transfer("82000")), "rejected, not approved")
		plain := d.ask(d.agent, "Publish?", nil)
		d.decide(d.ada, plain, "true", nil)
		refuse(schemas.CodeNotFound, d.owner, use(plain, nonce, transfer("82000")), "with an action")
	})
}

func TestEditedArgumentsBindTheEdit(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		id := d.ask(d.agent, "Transfer?", func(q *schemas.NewReview) { q.Action = transfer("820000") })
		d.decide(d.ada, id, "true", func(in *schemas.DecideReviewRequest) { in.EditedArguments = transfer("82000").Arguments })
		out := d.receiptOf(d.agent, id)
		require.JSONEq(t, string(transfer("82000").Arguments), string(out.Action.Arguments))
		require.NotEqual(t, out.Receipt.OriginalActionDigest, out.Receipt.ActionDigest)
		fails(d, schemas.CodeConflict, d.executor, d.ConsumeReceipt, use(id, out.Receipt.Nonce, transfer("820000")))
		run(d, d.executor, d.ConsumeReceipt, use(id, out.Receipt.Nonce, transfer("82000")))
		v := d.get(d.agent, id)
		require.JSONEq(t, string(transfer("82000").Arguments), string(v.EditedAction.Arguments))
		require.JSONEq(t, string(transfer("820000").Arguments), string(v.Action.Arguments))
	})
}

func TestATestReceiptIsOnlyForATestExecutor(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		id := d.ask(d.sandbox, "Transfer?", func(q *schemas.NewReview) { q.Action = transfer("5") })
		d.pass(2 * time.Second)
		out := d.receiptOf(d.sandbox, id)
		require.True(t, out.Sandbox)
		require.Equal(t, "test", out.Receipt.Mode)
		require.Equal(t, "simulated", out.Receipt.ResponseSource)
		for _, ctx := range []context.Context{d.executor, d.owner} {
			fails(d, schemas.CodeNotFound, ctx, d.ConsumeReceipt, use(id, out.Receipt.Nonce, transfer("5")))
		}
		used := run(d, d.testExecutor, d.ConsumeReceipt, use(id, out.Receipt.Nonce, transfer("5")))
		require.True(t, used.Sandbox)
	})
}

func TestAReceiptIsOfThePresentRound(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		id := d.ask(d.agent, "Transfer?", func(q *schemas.NewReview) {
			q.Action, q.DefaultResponse = transfer("5"), json.RawMessage(`"rejected"`)
			q.ResponseType, q.ResponseConfig = "single_select", json.RawMessage(`{"options":["approved","rejected","needs_changes"]}`)
		})
		d.decide(d.ada, id, `"needs_changes"`, nil)
		first := d.receiptOf(d.agent, id).Receipt
		require.Equal(t, "needs_changes", first.Decision)
		run(d, d.agent, d.OpenRound, schemas.OpenRoundRequest{RequestID: id, Action: transfer("4")})
		fails(d, schemas.CodeNotFound, d.agent, d.GetReceipt, schemas.ReviewRequest{RequestID: id})
		fails(d, schemas.CodeNotFound, d.executor, d.ConsumeReceipt, use(id, first.Nonce, transfer("5")))
		d.decide(d.bob, id, `"approved"`, nil)
		second := d.receiptOf(d.agent, id).Receipt
		require.Equal(t, 2, second.Round)
		fails(d, schemas.CodeConflict, d.executor, d.ConsumeReceipt, use(id, first.Nonce, transfer("4")))
		run(d, d.executor, d.ConsumeReceipt, use(id, second.Nonce, transfer("4")))
		require.Equal(t, account.Live, second.Mode)
	})
}
