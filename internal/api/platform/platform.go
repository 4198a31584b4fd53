// Package platform is the dialect of our own administration.
package platform

import (
	"net/http"

	"humanops-mcp/internal/api/dialect"
	"humanops-mcp/schemas"
)

// Dialect is how the platform is spoken: our own way in everything. A key for the
// marketplace opens it, as far as agents may call it at all.
func Dialect() dialect.Dialect {
	return dialect.Dialect{
		Contract: schemas.Platform,
		Audience: schemas.Marketplace.Name(), Scopes: dialect.NoScopes, Unproved: dialect.Unproved, Challenges: dialect.Challenges,
		Statuses: dialect.Statuses, StatusOfRule: http.StatusConflict, Refuse: dialect.Refuse, Answer: dialect.Answer, Polled: dialect.NotPolled,
		Busy: dialect.Busy, Quota: dialect.NoQuota, CORS: dialect.NoCORS, Document: dialect.Shape(),
	}
}
