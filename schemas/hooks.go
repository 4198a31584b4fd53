package schemas

import (
	"encoding/json"
	"time"
)

// CreateWebhook tells an address of what happens (reviews contract §1.7).
var CreateWebhook = Endpoint[CreateWebhookRequest, WebhookCreated]{Reviews, "POST", "/webhooks", "Create a webhook", 201, Agent | Owner}

// CreateWebhookRequest is the seed's body.
type CreateWebhookRequest struct {
	URL     string   `json:"url" minLength:"1" maxLength:"2000" doc:"Public HTTPS address" example:"https://example.com/webhooks/hitl"`
	Events  []string `json:"events,omitempty" maxItems:"50" doc:"Names or patterns: request.completed, request.*, *, !request.created; all when left out" example:"[\"request.completed\",\"request.escalated\"]"`
	LoopID  string   `json:"loop_id,omitempty" maxLength:"100" doc:"Only of this loop, by id or slug"`
	Type    string   `json:"type,omitempty" maxLength:"20" doc:"global is the same as no loop_id"`
	Secret  string   `json:"secret,omitempty" maxLength:"256" doc:"Signs deliveries; made by the server when left out"`
	Enabled *bool    `json:"enabled,omitempty"`
	Name    string   `json:"name,omitempty" maxLength:"100"`
}

// WebhookCreated holds the secret, which is shown only here.
type WebhookCreated struct {
	Webhook Webhook `json:"webhook"`
	ID      string  `json:"id"`
	Secret  string  `json:"secret" doc:"Shown once"`
	Sandboxed
}

// Said is the message.
func (WebhookCreated) Said() string { return "Webhook created successfully" }

// Flat is what the seed reads at the top.
func (w WebhookCreated) Flat() map[string]any { return map[string]any{"id": w.ID} }

// Webhook is an address that is told.
type Webhook struct {
	ID        string    `json:"id"`
	Name      string    `json:"name,omitempty"`
	URL       string    `json:"url"`
	Events    []string  `json:"events"`
	LoopID    string    `json:"loop_id,omitempty"`
	Enabled   bool      `json:"enabled"`
	Failures  int       `json:"failures" doc:"Deliveries given up in a row; at 20 it is switched off"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// ListWebhooks lists the caller's webhooks, of which there are at most 50.
var ListWebhooks = Endpoint[Empty, WebhookList]{Reviews, "GET", "/webhooks", "List webhooks", 200, Agent | Owner}

// WebhookList is all of them.
type WebhookList struct {
	Webhooks []Webhook `json:"webhooks"`
	Count    int       `json:"count"`
	Sandboxed
}

// Said is the message.
func (WebhookList) Said() string { return "Webhooks retrieved successfully" }

// WebhookRequest names a webhook.
type WebhookRequest struct {
	WebhookID string `path:"webhook_id" json:"webhook_id" maxLength:"64"`
}

// GetWebhook gives one.
var GetWebhook = Endpoint[WebhookRequest, WebhookAnswer]{Reviews, "GET", "/webhooks/{webhook_id}", "Get a webhook", 200, Agent | Owner}

// WebhookAnswer is a webhook after a change.
type WebhookAnswer struct {
	Webhook Webhook `json:"webhook"`
	Secret  string  `json:"secret,omitempty" doc:"A new secret, shown once; the old one still signs too for 24 h"`
	Sandboxed
}

// Said is the message.
func (WebhookAnswer) Said() string { return "Webhook retrieved successfully" }

// UpdateWebhook changes what is given.
var UpdateWebhook = Endpoint[UpdateWebhookRequest, WebhookAnswer]{Reviews, "PATCH", "/webhooks/{webhook_id}", "Update a webhook", 200, Agent | Owner}

// UpdateWebhookRequest holds at least one field beside the id.
type UpdateWebhookRequest struct {
	WebhookID    string    `path:"webhook_id" json:"webhook_id" maxLength:"64"`
	URL          *string   `json:"url,omitempty" minLength:"1" maxLength:"2000"`
	Events       *[]string `json:"events,omitempty" maxItems:"50"`
	Enabled      *bool     `json:"enabled,omitempty"`
	Name         *string   `json:"name,omitempty" maxLength:"100"`
	RotateSecret bool      `json:"rotate_secret,omitempty"`
}

// DeleteWebhook ends a webhook.
var DeleteWebhook = Endpoint[WebhookRequest, WebhookDeleted]{Reviews, "DELETE", "/webhooks/{webhook_id}", "Delete a webhook", 200, Agent | Owner}

// WebhookDeleted confirms it.
type WebhookDeleted struct {
	WebhookID string    `json:"webhook_id"`
	DeletedAt time.Time `json:"deleted_at"`
	Sandboxed
}

// Said is the message.
func (WebhookDeleted) Said() string { return "Webhook deleted successfully" }

// TestWebhook sends a webhook.test event now and tells how it went.
var TestWebhook = Endpoint[WebhookRequest, WebhookTested]{Reviews, "POST", "/webhooks/{webhook_id}/test", "Test a webhook", 200, Agent | Owner}

// WebhookTested is how the address answered.
type WebhookTested struct {
	WebhookID  string `json:"webhook_id"`
	Delivered  bool   `json:"delivered"`
	StatusCode int    `json:"status_code,omitempty"`
	Error      string `json:"error,omitempty"`
	DurationMs int64  `json:"duration_ms"`
	Sandboxed
}

// Said is the message.
func (WebhookTested) Said() string { return "Webhook tested" }

// ListDeliveries is the log of a webhook's deliveries, newest first, kept 30 days.
var ListDeliveries = Endpoint[ListDeliveriesRequest, DeliveryList]{Reviews, "GET", "/webhooks/{webhook_id}/deliveries", "List a webhook's deliveries", 200, Agent | Owner}

// ListDeliveriesRequest pages the log.
type ListDeliveriesRequest struct {
	WebhookID string `path:"webhook_id" json:"webhook_id" maxLength:"64"`
	Limit     int    `query:"limit" json:"limit,omitempty" required:"false" minimum:"1" maximum:"100" default:"50"`
	Cursor    string `query:"cursor" json:"cursor,omitempty" required:"false" maxLength:"200"`
}

// DeliveryList is part of the log.
type DeliveryList struct {
	Deliveries []Delivery `json:"deliveries"`
	Count      int        `json:"count"`
	NextCursor string     `json:"next_cursor,omitempty"`
	Sandboxed
}

// Said is the message.
func (DeliveryList) Said() string { return "Deliveries retrieved successfully" }

// Delivery is one event on its way to one address.
type Delivery struct {
	ID          string          `json:"id" doc:"Sent as X-HITL-Delivery; the same on every attempt"`
	Event       string          `json:"event"`
	RequestID   string          `json:"request_id,omitempty"`
	State       string          `json:"state" enum:"waiting,delivered,failed"`
	Attempts    int             `json:"attempts"`
	StatusCode  int             `json:"status_code,omitempty"`
	LastError   string          `json:"last_error,omitempty"`
	Body        json.RawMessage `json:"body,omitempty"`
	CreatedAt   time.Time       `json:"created_at"`
	DeliveredAt *time.Time      `json:"delivered_at,omitempty"`
}

// Redeliver sends a delivery again, under the same delivery id.
var Redeliver = Endpoint[DeliveryRequest, DeliveryAnswer]{Reviews, "POST", "/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver", "Deliver again", 200, Agent | Owner}

// DeliveryRequest names a delivery.
type DeliveryRequest struct {
	WebhookID  string `path:"webhook_id" json:"webhook_id" maxLength:"64"`
	DeliveryID string `path:"delivery_id" json:"delivery_id" maxLength:"64"`
}

// DeliveryAnswer is a delivery after a change.
type DeliveryAnswer struct {
	Delivery Delivery `json:"delivery"`
	Sandboxed
}

// Said is the message.
func (DeliveryAnswer) Said() string { return "Delivery queued" }

// UploadDocument keeps a document for a request (reviews contract §1.4): at most 50 MB of
// PDF, DOC(X), XLS(X), PPT(X), CSV or TXT, as the part called file.
var UploadDocument = Upload[Empty, Uploaded]{Reviews, "POST", "/upload/document", "Upload a document", 200, Agent}

// UploadImage keeps an image for a request: at most 10 MB of JPEG, PNG, GIF or WebP.
var UploadImage = Upload[Empty, Uploaded]{Reviews, "POST", "/upload/image", "Upload an image", 200, Agent}

// Uploaded is where the file is. Only this house's people and the agent can open it.
type Uploaded struct {
	URL       string `json:"url"`
	FileType  string `json:"file_type"`
	FileName  string `json:"file_name"`
	SizeBytes int64  `json:"size_bytes"`
	Sandboxed
}

// Said is the message.
func (Uploaded) Said() string { return "File uploaded successfully" }

// GetUpload gives an uploaded file back.
var GetUpload = Download[UploadRequest]{Reviews, "GET", "/uploads/{upload_id}", "Get an uploaded file", Agent | Owner | Reviewer}

// UploadRequest names an uploaded file.
type UploadRequest struct {
	UploadID string `path:"upload_id" json:"upload_id" maxLength:"64"`
}
