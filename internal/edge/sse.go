package edge

import (
	"context"
	"net/http"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"humanops-mcp/internal/ident"
)

// SSE serves the old HTTP+SSE transport at /sse and /message, for clients that know
// nothing newer.
func SSE(s *server.MCPServer, o Options) http.Handler {
	o = o.filled()
	bound := &sessions{clock: o.Clock}
	inner := server.NewSSEServer(s,
		server.WithUseFullURLForMessageEndpoint(false),
		server.WithKeepAlive(true),
		server.WithKeepAliveInterval(25*time.Second),
		server.WithSSEDisableLocalhostProtection(true), // guard checks the host, and knows the public name
		server.WithSessionIDGenerator(func(ctx context.Context, _ *http.Request) (string, error) {
			id := ident.Secret("sse_")
			bound.bind(id, fingerprint(ctx))
			context.AfterFunc(ctx, func() { bound.forget(id) }) // the session is as long as its stream
			return id, nil
		}),
	)
	return o.guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			inner.ServeHTTP(w, r)
			return
		}
		if _, ok := o.read(w, r); !ok {
			return
		}
		if !bound.belongs(r.URL.Query().Get("sessionId"), fingerprint(r.Context())) {
			refuse(w, http.StatusNotFound, "There is no such session. Open /sse again.")
			return
		}
		// With this header the library asks for others that streamable HTTP alone has.
		// A modern client that comes this way is answered, not left waiting.
		r.Header.Del(mcp.HeaderProtocolVersion)
		inner.ServeHTTP(w, r)
	}))
}
