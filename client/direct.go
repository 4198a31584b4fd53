package client

import (
	"context"

	"humanops-mcp/schemas"
)

// Direct answers agents' reads from a server in this process as the values that they are,
// after the same credentials, limits and checks as over HTTP. What it does not answer is
// asked over HTTP, where also what went wrong is worded.
type Direct interface {
	Answer(ctx context.Context, e schemas.Info, key string, in any) (out any, ok bool)
}

// direct asks without HTTP, where that can be.
func direct[In, Out any](ctx context.Context, c *Client, e schemas.Endpoint[In, Out], in In) (out Out, ok bool) {
	if c.direct == nil || c.key == "" || c.token != "" {
		return out, false
	}
	answer, ok := c.direct.Answer(ctx, e.Info(), c.key, in)
	if ok {
		out, ok = answer.(Out)
	}
	return out, ok
}
