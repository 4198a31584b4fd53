package client

import (
	"context"

	"humanops-mcp/schemas"
)

// CreateWebhook tells an address of what happens (reviews contract §1.7).
func (c *Client) CreateWebhook(ctx context.Context, in schemas.CreateWebhookRequest) (schemas.WebhookCreated, error) {
	return call(ctx, c, schemas.CreateWebhook, in)
}

// ListWebhooks lists the caller's webhooks, of which there are at most 50.
func (c *Client) ListWebhooks(ctx context.Context) (schemas.WebhookList, error) {
	return call(ctx, c, schemas.ListWebhooks, schemas.Empty{})
}

// GetWebhook gives one.
func (c *Client) GetWebhook(ctx context.Context, in schemas.WebhookRequest) (schemas.WebhookAnswer, error) {
	return call(ctx, c, schemas.GetWebhook, in)
}

// UpdateWebhook changes what is given.
func (c *Client) UpdateWebhook(ctx context.Context, in schemas.UpdateWebhookRequest) (schemas.WebhookAnswer, error) {
	return call(ctx, c, schemas.UpdateWebhook, in)
}

// DeleteWebhook ends a webhook.
func (c *Client) DeleteWebhook(ctx context.Context, in schemas.WebhookRequest) (schemas.WebhookDeleted, error) {
	return call(ctx, c, schemas.DeleteWebhook, in)
}

// ListDeliveries is the log of a webhook's deliveries, newest first, kept 30 days.
func (c *Client) ListDeliveries(ctx context.Context, in schemas.ListDeliveriesRequest) (schemas.DeliveryList, error) {
	return call(ctx, c, schemas.ListDeliveries, in)
}

// TestWebhook sends a webhook.test event now and tells how it went.
func (c *Client) TestWebhook(ctx context.Context, in schemas.WebhookRequest) (schemas.WebhookTested, error) {
	return callWithin(ctx, c, schemas.TestWebhook, in, webhookTimeout)
}

// UploadDocument keeps a document for a request: at most 50 MB.
func (c *Client) UploadDocument(ctx context.Context, file schemas.File) (schemas.Uploaded, error) {
	return upload(ctx, c, schemas.UploadDocument, schemas.Empty{}, []schemas.File{file})
}

// UploadImage keeps an image for a request: at most 10 MB.
func (c *Client) UploadImage(ctx context.Context, file schemas.File) (schemas.Uploaded, error) {
	return upload(ctx, c, schemas.UploadImage, schemas.Empty{}, []schemas.File{file})
}

// GetUpload gives an uploaded file back.
func (c *Client) GetUpload(ctx context.Context, in schemas.UploadRequest) (schemas.Content, error) {
	return download(ctx, c, schemas.GetUpload, in, uploadTimeout, 0)
}
