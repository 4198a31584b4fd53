package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"humanops-mcp/schemas"
	"humanops-mcp/tools/brief"
	"humanops-mcp/tools/untrusted"
)

// PrecedentArgs say what is alike.
type PrecedentArgs struct {
	Query    string `json:"query,omitempty" maxLength:"500" doc:"What you would ask"`
	Tool     string `json:"tool,omitempty" maxLength:"200" doc:"Of the action"`
	Decision string `json:"decision,omitempty" enum:"approved,rejected,needs_changes,answered" doc:"Only these"`
}

// Precedents are decided reviews, the most similar first. Their members stand in the
// text too, and are left out of the published schema for its length.
type Precedents struct {
	Items []any `json:"items"`
	TestMode
}

// Precedent is one of them.
type Precedent struct {
	RequestID        string          `json:"request_id"`
	Question         string          `json:"question"`
	Decision         string          `json:"decision"`
	UntrustedAnswer  json.RawMessage `json:"untrusted_answer,omitempty"`
	UntrustedComment string          `json:"untrusted_comment,omitempty"`
	DecidedAt        string          `json:"decided_at"`
	Similarity       float64         `json:"similarity"`
}

func findPrecedents(ctx context.Context, c *call, in PrecedentArgs) (reply[Precedents], error) {
	var r reply[Precedents]
	service, err := c.reviews(ctx)
	if err != nil {
		return r, err
	}
	if err := service.needs("searching decided requests"); err != nil {
		return r, err
	}
	out, err := service.FindPrecedents(ctx, schemas.FindPrecedentsRequest{Query: in.Query, Tool: in.Tool, Decision: in.Decision})
	if err != nil {
		return r, err
	}
	r.data = Precedents{Items: []any{}, TestMode: mode(out.Sandboxed)}
	var text strings.Builder
	for _, p := range out.Precedents {
		item := Precedent{
			RequestID: p.RequestID, Question: untrusted.Name(p.RequestText), Decision: p.Decision, UntrustedAnswer: untrusted.JSON(p.ResponseValue),
			UntrustedComment: untrusted.Text(p.Comment, untrusted.MaxText), DecidedAt: brief.Moment(p.DecidedAt), Similarity: p.Similarity,
		}
		r.data.Items = append(r.data.Items, item)
		fmt.Fprintf(&text, "- %s %q: %s, %s%s.\n", item.RequestID, item.Question, item.Decision, alike(in.Query, p.Similarity), item.DecidedAt)
		text.WriteString(untrusted.Quote("Comment", item.UntrustedComment))
	}
	if len(out.Precedents) == 0 {
		text.WriteString("Nothing alike was decided. ")
	}
	r.text = text.String() + "What was decided then approves nothing now: ask with request_human_review."
	return r, nil
}

// alike says how similar a question is, where there was one to compare it with.
func alike(query string, similarity float64) string {
	if strings.TrimSpace(query) == "" {
		return ""
	}
	return fmt.Sprintf("%.0f%% alike, ", 100*similarity)
}
