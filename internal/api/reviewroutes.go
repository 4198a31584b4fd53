package api

import (
	"context"
	"net/http"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/api/hitl"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

// loopRoutes are those of loops, of who is in them, and of when people may be asked.
func (a *api) loopRoutes() {
	loops := a.Loops
	read(a, schemas.CheckKey, a.checkKey)
	mountWrite(a, schemas.CreateLoop.Info(), loops.CreateLoop, options[schemas.LoopCreated]{
		spell: hitl.Loop, object: func(out schemas.LoopCreated) string { return out.Loop.ID },
	})
	read(a, schemas.ListLoops, loops.ListLoops)
	read(a, schemas.GetLoop, loops.GetLoop)
	spelt(a, schemas.UpdateLoop, hitl.Loop, loops.UpdateLoop)
	write(a, schemas.DeleteLoop, loops.DeleteLoop)
	read(a, schemas.ListMembers, loops.ListMembers)
	write(a, schemas.AddMember, loops.AddMember)
	write(a, schemas.RemoveMember, loops.RemoveMember)
	writeSecret(a, schemas.CreateInvitation, loops.CreateInvitation, func(out schemas.Invitation) string { return "an invitation to " + out.LoopID })
	write(a, schemas.RevokeInvitations, loops.RevokeInvitations)
	write(a, schemas.JoinLoop, loops.JoinLoop)
	read(a, schemas.ListGroups, loops.ListGroups)
	write(a, schemas.PutGroup, loops.PutGroup)
	write(a, schemas.DeleteGroup, loops.DeleteGroup)
	read(a, schemas.GetAvailability, loops.GetAvailability)
	write(a, schemas.PutAvailability, loops.PutAvailability)
}

// reviewRoutes are those of review requests and their receipts.
func (a *api) reviewRoutes() {
	reviews := a.Reviews
	spelt(a, schemas.CreateReview, hitl.NewReview, reviews.CreateReview)
	a.batch(hitl.NewReview, reviews.CreateReview)
	read(a, schemas.ListLoopReviews, reviews.ListLoopReviews)
	read(a, schemas.ListReviews, reviews.ListReviews)
	read(a, schemas.GetReview, reviews.GetReview)
	read(a, schemas.GetReviewResponse, reviews.GetReviewResponse)
	read(a, schemas.GetReviewStatus, reviews.GetReviewStatus)
	spelt(a, schemas.UpdateReview, hitl.Update, reviews.UpdateReview)
	spelt(a, schemas.OpenRound, hitl.Round, reviews.OpenRound)
	write(a, schemas.CancelReview, reviews.CancelReview)
	write(a, schemas.CancelReviewByPost, reviews.CancelReview)
	spelt(a, schemas.AddFeedback, hitl.Feedback, reviews.AddFeedback)
	read(a, schemas.GetFeedback, reviews.GetFeedback)
	parked(a, schemas.WaitReview, reviews.AwaitReview, reviews.AnswerWait)
	call(a, schemas.WaitAny, a.Changes.Wait)
	stream(a, schemas.ReviewEvents, reviews.GetReviewStatus, reviews.FollowReview)
	write(a, schemas.AcknowledgeReviews, reviews.AcknowledgeReviews)
	read(a, schemas.FindPrecedents, reviews.FindPrecedents)
	read(a, schemas.GetReviewAudit, reviews.GetReviewAudit)
	write(a, schemas.ClaimReview, reviews.ClaimReview)
	write(a, schemas.ReleaseReview, reviews.ReleaseReview)
	spelt(a, schemas.DecideReview, hitl.Decision, reviews.DecideReview)
	write(a, schemas.EscalateReview, reviews.EscalateReview)

	read(a, schemas.GetReceipt, reviews.GetReceipt)
	write(a, schemas.ConsumeReceipt, reviews.ConsumeReceipt)
	read(a, schemas.GetReceiptKeys, a.Receipts.Keys)
	write(a, schemas.RotateReceiptKey, a.Receipts.RotateReceiptKey)
	a.mux.HandleFunc("GET "+schemas.ReceiptKeysPath, a.receiptKeys)
}

// hookRoutes are those of webhooks and uploaded files.
func (a *api) hookRoutes() {
	hooks := a.Webhooks
	mountWrite(a, schemas.CreateWebhook.Info(), hooks.CreateWebhook, options[schemas.WebhookCreated]{
		spell: hitl.Webhook, object: func(out schemas.WebhookCreated) string { return out.ID },
	})
	read(a, schemas.ListWebhooks, hooks.ListWebhooks)
	read(a, schemas.GetWebhook, hooks.GetWebhook)
	writeSecret(a, schemas.UpdateWebhook, hooks.UpdateWebhook, func(out schemas.WebhookAnswer) string {
		if out.Secret == "" {
			return ""
		}
		return "a new secret of " + out.Webhook.ID
	})
	write(a, schemas.DeleteWebhook, hooks.DeleteWebhook)
	call(a, schemas.TestWebhook, hooks.TestWebhook)
	read(a, schemas.ListDeliveries, hooks.ListDeliveries)
	write(a, schemas.Redeliver, hooks.Redeliver)
	uploadFile(a, schemas.UploadDocument, documents, a.uploaded(false))
	uploadFile(a, schemas.UploadImage, images, a.uploaded(true))
	download(a, schemas.GetUpload, a.Uploads.GetUpload)
}

func (a *api) uploaded(image bool) func(context.Context, schemas.Empty, []schemas.File) (schemas.Uploaded, error) {
	return func(ctx context.Context, in schemas.Empty, files []schemas.File) (schemas.Uploaded, error) {
		return a.Uploads.UploadFile(ctx, in, files, image)
	}
}

// checkKey adds what only this part knows: how much the key has used.
func (a *api) checkKey(ctx context.Context, tx *store.Tx, in schemas.Empty) (schemas.KeyCheck, error) {
	out, err := account.CheckKey(ctx, tx, in)
	used := a.quotaOf(schemas.CheckKey.Contract).of(account.From(ctx).KeyID)
	out.RateLimit = schemas.Quota{Limit: used.Limit, Remaining: used.Remaining(), ResetAt: used.ResetAt.UTC()}
	return out, err
}

// receiptKeys serves the public keys at their well-known address, to anybody and without
// an envelope: programs that verify receipts expect a plain set of keys.
func (a *api) receiptKeys(w http.ResponseWriter, r *http.Request) {
	keys, err := reading(a, a.Receipts.Keys)(r.Context(), schemas.Empty{})
	if err != nil {
		a.fail(w, r, err)
		return
	}
	raw, err := a.encode(r.Context(), schemas.GetReceiptKeys.Info(), &keys, nil)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=300")
	a.writeJSON(w, http.StatusOK, raw)
}
