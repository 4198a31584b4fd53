// Package marketplace is the dialect of the marketplace's contract.
package marketplace

import (
	"net/http"

	"humanops-mcp/internal/api/dialect"
	"humanops-mcp/schemas"
)

// Dialect is how the marketplace is spoken. The contract's error body has only a sentence
// in it, so ours fits.
func Dialect() dialect.Dialect {
	return dialect.Dialect{
		Contract: schemas.Marketplace,
		Audience: schemas.Marketplace.Name(), Scopes: dialect.NoScopes, Unproved: dialect.Unproved, Challenges: dialect.Challenges,
		Statuses: dialect.Statuses, StatusOfRule: http.StatusConflict, Refuse: dialect.Refuse, Answer: dialect.Answer, Polled: dialect.NotPolled,
		Busy: dialect.Busy, Quota: dialect.NoQuota, CORS: dialect.NoCORS, Document: dialect.Shape(),
	}
}
