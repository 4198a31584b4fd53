package tools

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"humanops-mcp/schemas"
	"humanops-mcp/tools/brief"
)

const (
	defaultLoop    = "default"
	maxRequestText = 2000
	minTimeout     = 60
	maxSoon        = 24 * 60 * 60      // seconds of a time-sensitive request
	maxTimeout     = 30 * 24 * 60 * 60 // seconds of any
)

// timeout is how long people have, in seconds. What a point in time meant at first is
// remembered, so that a repeated call says the same.
func (a *asking) timeout() (int, error) {
	text := strings.TrimSpace(a.in.Timeout)
	if text == "" {
		text = defaultDeadline
	}
	end, _, err := parseDeadline(text, a.clock.Now())
	if err != nil {
		return 0, schemas.Invalid("timeout", fmt.Sprintf("must be a time from now, 1m to 30d, or RFC 3339; got %.40q. Example: 4h or 2d", text))
	}
	seconds := int(end.Sub(a.clock.Now().Truncate(time.Second)).Seconds())
	if seconds < minTimeout || seconds > maxTimeout {
		return 0, schemas.Invalid("timeout", fmt.Sprintf("must be between 1 minute and 30 days from now; got %.40q. Example: 4h", text))
	}
	return seconds, nil
}

// body makes the review in the contract's words.
func (a *asking) body(seconds int) (schemas.NewReview, error) {
	text, context, err := a.texts()
	if err != nil {
		return schemas.NewReview{}, err
	}
	out := schemas.NewReview{
		ProcessingType: "time-sensitive", Type: "markdown", Priority: "medium", RequestText: text, Context: context, TimeoutSeconds: seconds,
		Platform: "api", Action: a.action(),
	}
	if seconds > maxSoon {
		out.ProcessingType = "deferred"
	}
	if a.in.Priority != "" {
		out.Priority = a.in.Priority
	}
	kind := a.answers()
	out.ResponseType, out.ResponseConfig = kind.name, kind.config
	out.DefaultResponse, err = kind.fallback(a.in.OnTimeout)
	out.OnTimeout = "default"
	if out.DefaultResponse == nil {
		out.OnTimeout = "cancel"
	}
	return out, err
}

func (a *asking) action() *schemas.Action {
	if a.in.Action == nil {
		return nil
	}
	return &schemas.Action{Tool: a.in.Action.Tool, Arguments: a.in.Action.Arguments}
}

// texts puts question and content where they have room: together in the text, or the
// content into the context, which holds more.
func (a *asking) texts() (string, json.RawMessage, error) {
	question, content := strings.TrimSpace(a.in.Question), a.in.Content
	both := strings.TrimSpace(question + "\n\n" + content)
	switch {
	case a.in.ResponseType == "editable_text":
		return question, a.in.Context, nil // the content is the draft
	case utf8.RuneCountInString(both) <= maxRequestText:
		return both, a.in.Context, nil
	case question == "":
		question = "Please decide on the content in the context."
	}
	members := map[string]json.RawMessage{}
	if len(a.in.Context) > 0 && json.Unmarshal(a.in.Context, &members) != nil {
		return "", nil, schemas.Invalid("context", `must be an object. Example: {"amount": 12}`)
	}
	if _, taken := members["content"]; taken {
		return "", nil, schemas.Invalid("content", "is too long for the text, and context has a member content already; rename that")
	}
	members["content"], _ = json.Marshal(content) // a string can always be written
	context, err := json.Marshal(members)
	return question, context, err
}

// answers is what people may answer.
type answers struct {
	name    string
	config  json.RawMessage
	options []string // of a choice
}

var approval = answers{"single_select", json.RawMessage(`{"options":[{"value":"approved","label":"Approve"},{"value":"rejected","label":"Reject"},{"value":"needs_changes","label":"Needs changes"}]}`),
	[]string{schemas.Approved, schemas.Rejected, schemas.NeedsChanges}}

func (a *asking) answers() answers {
	in := a.in
	switch {
	case len(in.Form) > 0:
		return answers{name: "form", config: in.Form}
	case len(in.Options) > 0:
		config, _ := json.Marshal(map[string]any{"options": in.Options}) // strings can always be written
		kind := in.ResponseType
		if kind == "" {
			kind = "single_select"
		}
		return answers{kind, config, in.Options}
	case in.ResponseType == "editable_text":
		config, _ := json.Marshal(map[string]string{"draft_text": in.Content})
		return answers{name: in.ResponseType, config: config}
	case in.ResponseType == "rating":
		return answers{name: in.ResponseType, config: json.RawMessage(`{"scale_min":1,"scale_max":5}`)}
	case in.ResponseType == "" || in.ResponseType == "approval":
		return approval
	}
	return answers{name: in.ResponseType, config: json.RawMessage("{}")}
}

// fallback is the answer that counts when nobody decides; nil cancels.
func (k answers) fallback(wish string) (json.RawMessage, error) {
	wish = strings.TrimSpace(wish)
	switch {
	case slices.Contains(k.options, wish):
		return k.choice(wish), nil
	case wish == "" || wish == "reject":
		return k.rejection(), nil
	case wish == "cancel":
		return nil, nil
	}
	return k.answer(wish)
}

// rejection is the answer that rejects, if there is one.
func (k answers) rejection() json.RawMessage {
	if k.name == "boolean" {
		return json.RawMessage("false")
	}
	i := slices.IndexFunc(k.options, func(option string) bool { return brief.Meaning(quoted(option)) == schemas.Rejected })
	if i < 0 || k.name != "single_select" {
		return nil
	}
	return k.choice(k.options[i])
}

func (k answers) choice(option string) json.RawMessage {
	if k.name != "multi_select" {
		return quoted(option)
	}
	raw, _ := json.Marshal([]string{option})
	return raw
}

func quoted(text string) json.RawMessage {
	raw, _ := json.Marshal(text) // a string can always be written
	return raw
}

// answer reads an answer that is no choice.
func (k answers) answer(wish string) (json.RawMessage, error) {
	switch k.name {
	case "text", "editable_text":
		return quoted(wish), nil
	case "boolean", "rating", "number", "form":
		if json.Valid([]byte(wish)) {
			return json.RawMessage(wish), nil
		}
	}
	known := "an answer of " + k.name + " as JSON"
	if len(k.options) > 0 {
		known = "one of " + strings.Join(k.options, ", ")
	}
	return nil, schemas.Invalid("on_timeout", fmt.Sprintf("must be reject, cancel, or %s; got %.60q. Example: reject", known, wish))
}
