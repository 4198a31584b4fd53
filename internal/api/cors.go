package api

import (
	"net/http"
	"slices"

	"humanops-mcp/internal/api/dialect"
)

// listed tells whether a page of an origin that the dialect lists sent the request,
// and lets that page read the answer. Cookies prove nobody to this API, and none are asked
// for: such a page needs a key.
func listed(c *dialect.CORS, w http.ResponseWriter, r *http.Request) bool {
	if c == dialect.NoCORS {
		return false
	}
	header := w.Header()
	header.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" || !slices.Contains(c.Origins, origin) {
		return false
	}
	header.Set("Access-Control-Allow-Origin", origin)
	header.Set("Access-Control-Expose-Headers", c.Expose)
	if preflight(r) {
		header.Set("Access-Control-Allow-Methods", c.Methods)
		header.Set("Access-Control-Allow-Headers", c.Headers)
		header.Set("Access-Control-Max-Age", "600")
	}
	return true
}

// preflight is a browser's question whether it may send a request.
func preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}
