package client

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"strings"

	"humanops-mcp/schemas"
)

// maxEvent is what one line of an event stream may weigh.
const maxEvent = 4 << 20

// ReviewEvent is how a request's round ended: completed, timeout or cancelled.
type ReviewEvent struct {
	Event   string
	Request schemas.Review
}

// FollowReview waits, without a limit of its own, for the one event that ends the
// request's round. A stream that breaks off before is an error: ask again.
func (c *Client) FollowReview(ctx context.Context, in schemas.ReviewRequest) (ReviewEvent, error) {
	e := schemas.ReviewEvents.Info()
	r, p, err := c.prepare(ctx, e, in)
	if err != nil {
		return ReviewEvent{}, err
	}
	resp, err := c.send(r.SetHeader("Accept", "text/event-stream").SetDoNotParseResponse(true), e, p)
	if err != nil {
		return ReviewEvent{}, err
	}
	defer resp.RawBody().Close()
	event, data := firstEvent(resp.RawBody())
	switch {
	case ctx.Err() != nil:
		return ReviewEvent{}, ctx.Err()
	case event == "":
		return ReviewEvent{}, schemas.NewError(schemas.CodeUnavailable, c.at(e.Contract)+" ended the stream before the request was decided. Follow it again.")
	}
	out := ReviewEvent{Event: event}
	var wrapped schemas.ReviewAnswer
	if err := c.decode(e.Contract, data, &wrapped); err != nil {
		return out, err
	}
	if out.Request = wrapped.Request; out.Request.ID == "" {
		err = c.decode(e.Contract, data, &out.Request)
	}
	return out, err
}

// firstEvent reads server-sent events up to the first that has a name and data; comments
// between them only keep the connection open.
func firstEvent(r io.Reader) (event string, data json.RawMessage) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxEvent)
	var text []string
	for lines.Scan() {
		line := strings.TrimSuffix(lines.Text(), "\r")
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "" && event != "" && len(text) > 0:
			return event, json.RawMessage(strings.Join(text, "\n"))
		case line == "":
			event, text = "", nil
		case field == "event":
			event = value
		case field == "data":
			text = append(text, value)
		}
	}
	return "", nil
}
