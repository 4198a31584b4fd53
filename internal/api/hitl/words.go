package hitl

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"humanops-mcp/internal/answer"
	"humanops-mcp/internal/api/dialect"
	"humanops-mcp/schemas"
)

// Issue is the contract's data about a body that cannot be read.
type Issue struct {
	Field string `json:"field"`
	Issue string `json:"issue"`
}

// Words are the contract's message for an error and what stands in data (contract §1.3).
// Several problems are all in data, as one string. Of the server's own failures (nil)
// nothing is told.
func Words(err *schemas.Error) (msg string, data any) {
	switch {
	case err == nil:
		return "Internal server error", dialect.Internal
	case err.Code != schemas.CodeInvalid && err.Message != "":
		return err.Message, nil
	case len(err.Fields) == 0 && unreadable(err.Message):
		return "Invalid request body", Issue{"body", err.Message}
	case len(err.Fields) == 0:
		return err.Message, nil
	case all(err.Fields, isConfiguration):
		return "Invalid response configuration", joined(err.Fields)
	case all(err.Fields, isPage):
		return "Invalid pagination parameters", joined(err.Fields)
	case all(err.Fields, isShape):
		return "Invalid request body", issue(err.Fields)
	case err.Message != "" && !unreadable(err.Message):
		return err.Message, joined(err.Fields)
	}
	return "Validation failed", joined(err.Fields)
}

func all(fields []schemas.FieldError, is func(schemas.FieldError) bool) bool {
	return !slices.ContainsFunc(fields, func(f schemas.FieldError) bool { return !is(f) })
}

func isConfiguration(f schemas.FieldError) bool {
	return f.Field == "response_config" || strings.HasPrefix(f.Field, "response_config.")
}

func isPage(f schemas.FieldError) bool {
	return f.Field == "limit" || f.Field == "offset" || f.Field == "cursor"
}

// shapes are problems with what kind of JSON it is, and not with what it says.
var shapes = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(The JSON )?must be (a string|a number|a whole number|true or false|an array|a JSON object|a time in RFC 3339)\b|^is given more than once|^must be spelt `)
})

func isShape(f schemas.FieldError) bool {
	return shapes().MatchString(f.Message) && !isAnswer(f.Field) // any JSON may be an answer
}

func isAnswer(field string) bool {
	name, _, _ := strings.Cut(field, ".")
	name, _, _ = strings.Cut(name, "[")
	return name == "default_response" || name == "response_data"
}

// unreadable tells whether a sentence is about JSON that could not be taken apart.
func unreadable(message string) bool {
	for _, start := range []string{"The JSON ", "The body ", "There is more than one JSON value", "Nothing was sent"} {
		if strings.HasPrefix(message, start) {
			return true
		}
	}
	return false
}

func issue(fields []schemas.FieldError) Issue {
	first := Issue{fields[0].Field, fields[0].Message}
	if first.Field == "" {
		first.Field = "body"
	}
	if len(fields) > 1 {
		first.Issue += "; " + joined(fields[1:])
	}
	return first
}

func joined(fields []schemas.FieldError) string {
	sentences := make([]string, len(fields))
	for i, f := range fields {
		sentences[i] = sentence(f)
	}
	return strings.Join(sentences, "; ")
}

// sentence is a problem as the contract words it; what came, and an example, are in the
// list of fields.
func sentence(f schemas.FieldError) string {
	if f.Message == answer.OptionsRequired {
		return f.Message
	}
	message, _, _ := strings.Cut(f.Message, "; got ")
	message, _, _ = strings.Cut(message, ". Example: ")
	switch {
	case f.Field == "request_text" && message == "must not be empty", f.Field == "content" && strings.HasPrefix(message, "is taken as request_text"):
		return "request_text must be between 1 and 2000 characters"
	case strings.HasPrefix(message, "must have between ") && strings.HasSuffix(message, " characters"):
		message = "must be between " + strings.TrimPrefix(message, "must have between ")
	case strings.HasPrefix(message, "must be one of ") && !strings.HasPrefix(message, "must be one of: "):
		message = "must be one of: " + strings.TrimPrefix(message, "must be one of ")
	}
	return strings.TrimSpace(f.Field + " " + message)
}
