package dialect

import (
	"time"

	"humanops-mcp/schemas"
)

// What a contract says that has nothing of a kind.
var (
	NoScopes = &Scopes{Needed: func(schemas.Info) string { return "" }}
	NoQuota  = &Quota{Uncounted: func(schemas.Info) bool { return true }}
	NoCORS   = &CORS{}
)

// NotPolled is for a contract whose answers carry no version.
func NotPolled(any, time.Time) Poll { return Poll{} }
