package api

import (
	"net/http"
	"slices"
)

// listed tells whether a page of an origin that the configuration lists sent the request,
// and lets that page read the answer. Cookies prove nobody to this API, and none are asked
// for: such a page needs a key.
func (a *api) listed(w http.ResponseWriter, r *http.Request) bool {
	header := w.Header()
	header.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" || !slices.Contains(a.Config.ReviewOrigins, origin) {
		return false
	}
	header.Set("Access-Control-Allow-Origin", origin)
	header.Set("Access-Control-Expose-Headers", "ETag, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-Id, Idempotent-Replayed")
	if preflight(r) {
		header.Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")
		header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key, If-None-Match")
		header.Set("Access-Control-Max-Age", "600")
	}
	return true
}

// preflight is a browser's question whether it may send a request.
func preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}
