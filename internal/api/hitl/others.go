package hitl

import (
	"encoding/json"
	"slices"

	"humanops-mcp/schemas"
)

// Decision turns a person's answer into schemas.DecideReviewRequest's: the oldest spelling
// calls it decision and reasoning.
func Decision(raw []byte) (canonical []byte, warnings []string, err error) {
	b, err := read(raw, "decision", "response", "reasoning")
	if b == nil || err != nil {
		return raw, nil, err
	}
	for _, names := range [][2]string{{"response", "response_data"}, {"decision", "response_data"}, {"reasoning", "comment"}} {
		if err := b.rename(names[0], names[1]); err != nil {
			return nil, nil, err
		}
	}
	return b.bytes(), nil, nil
}

// Webhook turns the body of a new webhook into schemas.CreateWebhookRequest's.
func Webhook(raw []byte) (canonical []byte, warnings []string, err error) {
	b, err := read(raw)
	if b == nil || err != nil {
		return raw, nil, err
	}
	if event, ok := textOf(b.get("events")); ok { // one name or pattern, without the list
		b.set("events", slices.Concat(json.RawMessage("["), quote(event), json.RawMessage("]")))
	}
	return b.bytes(), nil, nil
}

// Loop turns the body of a new loop, or of a change, into the documented one. The oldest
// guide's settings counted approvals and approved by themselves.
func Loop(raw []byte) (canonical []byte, warnings []string, err error) {
	b, err := read(raw)
	if b == nil || err != nil || b.get("settings") == nil {
		return raw, nil, err
	}
	settings, err := read(b.get("settings"), "required_approvals", "auto_approve_after", "priority")
	if settings == nil || err != nil {
		return raw, nil, err
	}
	old := len(settings.members)
	if settings.take("auto_approve_after") != nil {
		warnings = append(warnings, "settings.auto_approve_after was ignored: nothing is approved without a person")
	}
	if settings.take("priority") != nil {
		warnings = append(warnings, "settings.priority was ignored: give each request its priority")
	}
	if needed := settings.take("required_approvals"); needed != nil && string(needed) != "1" {
		if settings.get("review_mode") != nil {
			return nil, nil, schemas.Invalid("settings.required_approvals", "is another spelling of settings.review_mode; send one of them")
		}
		settings.set("review_mode", slices.Concat(json.RawMessage(`{"mode":"quorum","threshold":`), needed, json.RawMessage("}")))
	}
	if len(settings.members) == 0 && old > 0 {
		b.take("settings") // what is left sets nothing
	} else {
		b.set("settings", settings.bytes())
	}
	return b.bytes(), warnings, nil
}

// known are feedback's documented members.
var known = []string{"rating", "accuracy", "timeliness", "helpfulness", "comment", "would_recommend", "tags", "follow_up_needed", "category"}

// Feedback turns the body of feedback into schemas.AddFeedbackRequest's: some clients send
// the members without the object around them.
func Feedback(raw []byte) (canonical []byte, warnings []string, err error) {
	b, err := read(raw, "feedback")
	if b == nil || err != nil {
		return raw, nil, err
	}
	flat := slices.ContainsFunc(b.members, func(m member) bool { return slices.Contains(known, m.name) })
	if b.find("feedback") < 0 && flat {
		wrapped := &body{}
		wrapped.set("feedback", b.bytes())
		return wrapped.bytes(), nil, nil
	}
	return b.bytes(), nil, nil
}
