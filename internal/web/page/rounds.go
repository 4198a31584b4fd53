package page

import (
	"encoding/json"
	"slices"

	"humanops-mcp/schemas"
)

// roundBefore is what an earlier round looked like beside the one after it.
type roundBefore struct {
	schemas.ReviewRound
	next later
}

type later struct {
	text    string
	action  *schemas.Action
	context json.RawMessage
}

// rounds are the earlier rounds, the newest first, each with what changed after it.
func (v ReviewPage) rounds() []roundBefore {
	after := later{v.Review.RequestText, v.Review.Action, v.Review.Context}
	var out []roundBefore
	for _, r := range slices.Backward(v.Review.Rounds) {
		out = append(out, roundBefore{r, after})
		after = later{r.RequestText, r.Action, r.Context}
	}
	return out
}

func arguments(a *schemas.Action) string {
	if a == nil {
		return ""
	}
	return plain(a.Tool) + "\n" + prettyJSON(a.Arguments)
}

func (r roundBefore) textChanged() bool   { return r.RequestText != r.next.text }
func (r roundBefore) actionChanged() bool { return arguments(r.Action) != arguments(r.next.action) }
func (r roundBefore) contextChanged() bool {
	return prettyOrNone(r.Context) != prettyOrNone(r.next.context)
}

func prettyOrNone(raw json.RawMessage) string {
	if len(raw) == 0 {
		return ""
	}
	return prettyJSON(raw)
}
