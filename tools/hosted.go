package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"humanops-mcp/schemas"
	"humanops-mcp/tools/brief"
	"humanops-mcp/tools/untrusted"
)

const (
	maxLinks     = 20
	maxLink      = 2000
	maxDepth     = 8
	maxHostedWay = 64 // characters of a member's name
)

// hostedResult reads a result of the hosted marketplace. It documents that photos and
// the check's result come with the task, and not under which names: so links are looked
// for below members that speak of proof or photos, and a verdict below guardian.
func hostedResult(ctx context.Context, c *call, in GetTaskResultArgs) (reply[TaskResult], error) {
	var r reply[TaskResult]
	if in.Submission != 0 {
		return r, undocumented("earlier submissions")
	}
	t, err := c.GetTask(ctx, schemas.TaskRequest{TaskID: in.TaskID})
	if err != nil {
		return r, err
	}
	raw, err := c.TaskDocument(ctx, in.TaskID)
	if err != nil {
		return r, err
	}
	var found hostedProof
	var document any
	if json.Unmarshal(raw, &document) == nil {
		found.walk("", document, 0)
	}
	b := brief.Task(t, false)
	r.data = TaskResult{TaskID: t.TaskID, State: b.State, Status: t.Status, Links: found.links, Verdict: found.verdict, EscrowUSD: &t.EscrowUSD, Next: b.Next, TestMode: mode(t.Sandboxed)}
	if schemas.TaskStatus(t.Status) == schemas.Paid {
		r.data.Next = "Done and paid. Give the user the links."
	}
	r.text = hostedText(b, r.data)
	return r, nil
}

type hostedProof struct {
	links   []string
	verdict *Verdict
}

func (h *hostedProof) walk(way string, v any, depth int) {
	if depth > maxDepth {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			if len(name) > maxHostedWay {
				continue
			}
			if strings.HasPrefix(strings.ToLower(name), "guardian") || name == "verification" {
				h.judge(inner)
			}
			h.walk(way+"."+strings.ToLower(name), inner, depth+1)
		}
	case []any:
		for _, inner := range v {
			h.walk(way, inner, depth+1)
		}
	case string:
		h.link(way, v)
	}
	slices.Sort(h.links)
}

func (h *hostedProof) link(way, value string) {
	speaks := strings.Contains(way, "proof") || strings.Contains(way, "photo")
	plain := len(value) <= maxLink && strings.HasPrefix(value, "https://") && !strings.ContainsAny(value, " \n\t\"<>")
	if speaks && plain && len(h.links) < maxLinks && !slices.Contains(h.links, value) {
		h.links = append(h.links, value)
	}
}

func (h *hostedProof) judge(v any) {
	members, ok := v.(map[string]any)
	if !ok {
		return
	}
	out := &Verdict{}
	out.Decision, _ = members["decision"].(string)
	out.Decision = untrusted.Name(out.Decision)
	if confidence, ok := members["confidence"].(float64); ok && confidence >= 0 && confidence <= 100 {
		out.Confidence = int(confidence)
	}
	reasons, _ := members["reasons"].([]any)
	for _, reason := range reasons[:min(len(reasons), maxLinks)] {
		if text, ok := reason.(string); ok {
			out.Reasons = append(out.Reasons, untrusted.Text(text, untrusted.MaxReason))
		}
	}
	h.verdict = out
}

func hostedText(b brief.Item, r TaskResult) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s %q is %s.\n", r.TaskID, b.Title, r.Status)
	if r.Verdict != nil {
		fmt.Fprintf(&s, "Automatic check: %s, confidence %d of 100.\n", r.Verdict.Decision, r.Verdict.Confidence)
		s.WriteString(untrusted.Quote("Its reasons, drawn from the proof", strings.Join(r.Verdict.Reasons, "\n")))
	}
	for _, link := range r.Links {
		s.WriteString("Proof: " + link + "\n")
	}
	return s.String() + r.Next
}
