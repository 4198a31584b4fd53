package hitl

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"humanops-mcp/schemas"
)

// maxText is how long request_text may be.
const maxText = 2000

// aside are members of the oldest spelling that reviewers see as part of the context.
var aside = []string{"ai_analysis", "metadata", "flag_reason", "confidence_score", "category"}

// kinds are the oldest spelling's words for what is looked at.
var kinds = map[string]string{
	"text": "markdown", "markdown": "markdown", "image": "image", "video": "video", "audio": "audio", "document": "file", "file": "file",
}

// addresses are the members that hold where it lies.
var addresses = map[string]string{"image": "image_url", "video": "video_url", "audio": "audio_url", "file": "file_url"}

var priorities = map[string]string{"normal": "medium", "urgent": "critical"}

// Without a response_type the oldest spelling means these three answers, and that silence
// is no approval.
const (
	threeAnswers = `{"options":[{"value":"approved","label":"Approved"},{"value":"rejected","label":"Rejected"},{"value":"needs_changes","label":"Needs changes"}]}`
	silence      = `"rejected"`
)

// NewReview turns the body of a new request into schemas.NewReview's.
func NewReview(raw []byte) (canonical []byte, warnings []string, err error) {
	b, err := read(raw, append([]string{"content", "content_type"}, aside...)...)
	if b == nil || err != nil {
		return raw, nil, err
	}
	b.take("spelling")
	spelling := "envelope"
	if b.get("content") != nil && b.get("request_text") == nil {
		spelling = "seed"
	}
	if err := b.content(spelling == "seed"); err != nil {
		return nil, nil, err
	}
	if spelling == "seed" {
		b.priority()
		b.threeAnswers()
	}
	if err := b.aside(); err != nil {
		return nil, nil, err
	}
	b.set("spelling", quote(spelling))
	return b.bytes(), nil, nil
}

// content reads content and content_type.
func (b *body) content(seed bool) error {
	raw := b.get("content")
	if raw != nil && !seed {
		return schemas.Invalid("content", "is another spelling of request_text; send one of them")
	}
	kind, err := b.kind()
	if err != nil {
		return err
	}
	if raw == nil {
		b.take("content")
		return nil
	}
	text, ok := textOf(raw)
	switch n := utf8.RuneCountInString(text); {
	case !ok:
		return schemas.Invalid("content", "must be a string")
	case n < 1 || n > maxText:
		return schemas.Invalid("content", fmt.Sprintf("is taken as request_text, which must be between 1 and %d characters; got %d", maxText, n))
	}
	if err := b.address(kind, text); err != nil {
		return err
	}
	return b.rename("content", "request_text")
}

// kind turns content_type into type and gives it.
func (b *body) kind() (string, error) {
	raw := b.take("content_type")
	if raw == nil {
		kind, _ := textOf(b.get("type"))
		return kind, nil
	}
	said, _ := textOf(raw)
	kind, ok := kinds[said]
	if !ok {
		return "", schemas.Invalid("content_type", "must be one of: text, image, video, document")
	}
	if given, ok := textOf(b.get("type")); ok && given != kind {
		return "", schemas.Invalid("content_type", "is another spelling of type; send one of them")
	}
	b.set("type", quote(kind))
	return kind, nil
}

var link = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`https?://[^\s<>"'()\[\]]+`)
})

// address finds where an image, a video or a file lies: in its own member, or in the text.
func (b *body) address(kind, text string) error {
	name := addresses[kind]
	if name == "" || b.get(name) != nil {
		return nil
	}
	found := strings.TrimRight(link().FindString(text), ".,;:!?")
	if found == "" {
		return schemas.Invalid(name, "is required; send it beside content, or put the address into content")
	}
	b.set(name, quote(found))
	return nil
}

// priority reads the oldest spelling's words.
func (b *body) priority() {
	said, _ := textOf(b.get("priority"))
	if priority, ok := priorities[said]; ok {
		b.set("priority", quote(priority))
	}
}

func (b *body) threeAnswers() {
	if b.get("response_type") != nil {
		return
	}
	b.set("response_type", quote("single_select"))
	if b.get("response_config") != nil {
		return
	}
	b.set("response_config", json.RawMessage(threeAnswers))
	onTimeout, _ := textOf(b.get("on_timeout"))
	if b.get("default_response") == nil && onTimeout != "cancel" {
		b.set("default_response", json.RawMessage(silence))
	}
}

// aside moves what stands beside the context into it.
func (b *body) aside() error {
	var moved []member
	for _, name := range aside {
		if raw := b.take(name); raw != nil {
			moved = append(moved, member{name, raw})
		}
	}
	if len(moved) == 0 {
		return nil
	}
	context := &body{}
	if raw := b.get("context"); raw != nil {
		var err error
		if context, err = read(raw); err != nil {
			return err
		}
		if context == nil {
			return schemas.Invalid("context", "must be a JSON object")
		}
	}
	for _, m := range moved {
		if context.find(m.name) >= 0 {
			return schemas.Invalid(m.name, "is in context already; send it once")
		}
		context.set(m.name, m.raw)
	}
	b.set("context", context.bytes())
	return nil
}

// Round turns the body of a further round into schemas.OpenRoundRequest's.
func Round(raw []byte) (canonical []byte, warnings []string, err error) {
	b, err := read(raw, append([]string{"content", "content_type"}, aside...)...)
	if b == nil || err != nil {
		return raw, nil, err
	}
	b.take("content_type") // the request keeps its type
	if b.get("content") != nil {
		if err := b.content(b.get("request_text") == nil); err != nil {
			return nil, nil, err
		}
	}
	if err := b.aside(); err != nil {
		return nil, nil, err
	}
	return b.bytes(), nil, nil
}

// Update turns the body of a change into schemas.UpdateReviewRequest's. The contract's own
// tool speaks of updates, in an object.
func Update(raw []byte) (canonical []byte, warnings []string, err error) {
	b, err := read(raw, append([]string{"content", "content_type", "updates"}, aside...)...)
	if b == nil || err != nil {
		return raw, nil, err
	}
	if inner := b.take("updates"); inner != nil {
		if len(b.members) > 0 {
			return nil, nil, schemas.Invalid("updates", "holds all that is to be changed; send nothing beside it")
		}
		return Update(inner)
	}
	if b.get("content") != nil {
		seed := b.get("request_text") == nil
		if err := b.content(seed); err != nil {
			return nil, nil, err
		}
		b.priority()
	}
	if err := b.aside(); err != nil {
		return nil, nil, err
	}
	return b.bytes(), nil, nil
}
