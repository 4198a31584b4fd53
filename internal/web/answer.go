package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"humanops-mcp/internal/answer"
	"humanops-mcp/internal/web/page"
	"humanops-mcp/schemas"
)

// answerLimit bounds an answer's form: arguments of an action may have 256 KiB, which
// grow on their way.
const answerLimit = 2 << 20

// asks tells the form which fields the answer has on this page.
func (f *form) asks(v page.ReviewPage) {
	f.names = map[string]string{"comment": "The " + strings.ToLower(v.CommentLabel())}
	for _, field := range v.Fields {
		f.Order = append(f.Order, field.Name)
		f.names[field.Name] = page.Plain(field.Label)
		if field.Label == "" {
			f.names[field.Name] = "Your answer"
		}
	}
}

// readAnswer turns the form into a decision and marks what cannot be read.
func readAnswer(f *form, v page.ReviewPage, spec answer.Spec) schemas.DecideReviewRequest {
	in := schemas.DecideReviewRequest{
		RequestID: v.Review.ID, Comment: f.text("comment", 2000), ActionDigest: f.Values["action_digest"],
		Assertion: readAssertion(f),
	}
	round, err := strconv.Atoi(f.Values["round"])
	if err != nil || round < 1 {
		f.Alert = "The form did not say which round it is about. Look at the request again and answer."
	}
	in.Round = round
	if version, err := strconv.ParseInt(f.Values["version"], 10, 64); err == nil {
		in.Version = version // the service says when it is needed
	}
	if v.Task != nil {
		f.needsReasons(in.Comment)
	}
	raw, err := spec.FromForm(f.Lists)
	if err == nil {
		in.ResponseData = raw
		err = f.edits(&in, v.Review.Action, spec)
	}
	f.markAll(err)
	return in
}

// edits reads changed arguments. They count only where the answer approves.
func (f *form) edits(in *schemas.DecideReviewRequest, action *schemas.Action, spec answer.Spec) error {
	a, err := spec.Check("response_data", in.ResponseData)
	typed, sent := f.Values["edited_arguments"]
	if err != nil || action == nil || !sent || a.Decision != schemas.Approved {
		return err
	}
	typed = strings.TrimSpace(typed)
	if typed == strings.TrimSpace(page.EditableArguments(action.Arguments)) {
		return nil
	}
	if in.EditedArguments = compactObject(typed); in.EditedArguments == nil {
		f.mark("edited_arguments", "This is no JSON object. Mend it, or put the arguments back as they were.")
	}
	return nil
}

// compactObject is a JSON object without the spaces between its parts, nil for anything else.
func compactObject(text string) json.RawMessage {
	var out bytes.Buffer
	if !strings.HasPrefix(text, "{") || json.Compact(&out, []byte(text)) != nil {
		return nil
	}
	return out.Bytes()
}

// markAll puts the problems of an answer at the fields of the page.
func (f *form) markAll(err error) {
	var e *schemas.Error
	if !errors.As(err, &e) {
		return
	}
	for _, problem := range answerFields(e, f.Order).Fields {
		if f.Has(problem.Field) {
			f.mark(problem.Field, f.said(problem))
		}
	}
	if len(f.Errors) == 0 {
		f.Alert = e.Error()
	}
}

// answerFields renames an error's fields to those of the page: what programs know as
// response_data.x is answer.x here.
func answerFields(e *schemas.Error, order []string) *schemas.Error {
	out := *e
	out.Fields = nil
	for _, p := range e.Fields {
		name, _, _ := strings.Cut(p.Field, "[")
		if rest, ok := strings.CutPrefix(name, "response_data"); ok {
			name = "answer" + rest
		}
		if !slices.Contains(order, name) && strings.HasPrefix(name, "answer") && len(order) > 0 {
			name = order[0]
		}
		out.Fields = append(out.Fields, schemas.FieldError{Field: name, Message: strings.TrimPrefix(p.Message, p.Field+" ")})
	}
	return &out
}

// readAssertion is what the device said, nil where it was not asked.
func readAssertion(f *form) *schemas.Assertion {
	raw := f.Values["assertion"]
	delete(f.Values, "assertion")
	var a schemas.Assertion
	if raw == "" || json.Unmarshal([]byte(raw), &a) != nil {
		return nil
	}
	return &a
}
