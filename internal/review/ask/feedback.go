package ask

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"unicode/utf8"

	"humanops-mcp/schemas"
)

const (
	maxFeedback        = 16 << 10
	maxFeedbackComment = 1000
	maxFeedbackTags    = 20
	maxTagLength       = 50
)

// The members of feedback that the contract knows, with their checks. Others pass.
var feedbackMembers = map[string]func(any) error{
	"rating": isGrade, "accuracy": isGrade, "timeliness": isGrade, "helpfulness": isGrade,
	"comment": isComment, "would_recommend": isBool("would_recommend"), "follow_up_needed": isBool("follow_up_needed"),
	"tags": isTags, "category": isCategory,
}

// CheckedFeedback gives the feedback in compact form.
func CheckedFeedback(raw json.RawMessage) (string, error) {
	if len(raw) > maxFeedback {
		return "", schemas.Invalid("feedback", "must be at most 16 KiB")
	}
	var members map[string]any
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		return "", schemas.Invalid("feedback", `must be a JSON object. Example: {"rating": 5}`)
	}
	known := false
	for _, name := range slices.Sorted(maps.Keys(feedbackMembers)) {
		if members[name] == nil {
			continue
		}
		known = true
		if err := feedbackMembers[name](members[name]); err != nil {
			return "", err
		}
	}
	if !known {
		return "", schemas.Invalid("feedback", "must have at least one of rating, accuracy, timeliness, helpfulness, comment, would_recommend, tags, follow_up_needed, category")
	}
	var compact bytes.Buffer
	err := json.Compact(&compact, raw)
	return compact.String(), err
}

func isGrade(v any) error {
	grade, ok := v.(float64)
	if !ok || grade != math.Trunc(grade) || grade < 1 || grade > 5 {
		return schemas.NewError(schemas.CodeInvalid, "Rating values must be between 1 and 5")
	}
	return nil
}

func isComment(v any) error {
	comment, ok := v.(string)
	if !ok {
		return schemas.Invalid("feedback.comment", "must be a text")
	}
	if utf8.RuneCountInString(comment) > maxFeedbackComment {
		return schemas.NewError(schemas.CodeInvalid, "Comment exceeds maximum length of 1000 characters")
	}
	return nil
}

func isBool(name string) func(any) error {
	return func(v any) error {
		if _, ok := v.(bool); !ok {
			return schemas.Invalid("feedback."+name, "must be true or false")
		}
		return nil
	}
}

func isTags(v any) error {
	list, ok := v.([]any)
	bad := func(tag any) bool {
		text, isText := tag.(string)
		return !isText || utf8.RuneCountInString(text) > maxTagLength
	}
	if !ok || len(list) > maxFeedbackTags || slices.ContainsFunc(list, bad) {
		return schemas.Invalid("feedback.tags", "must be at most 20 texts of up to 50 characters")
	}
	return nil
}

func isCategory(v any) error {
	if !slices.Contains([]any{"positive", "constructive", "issue"}, v) {
		return schemas.Invalid("feedback.category", "must be positive, constructive or issue")
	}
	return nil
}
