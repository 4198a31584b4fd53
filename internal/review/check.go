package review

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"humanops-mcp/internal/webhook"
	"humanops-mcp/schemas"
)

// The bounds of a request, as the schema states them; they are checked again on the typed
// value, because not every caller comes through a decoder.
const (
	maxTitle     = 200
	maxQuestion  = 2000
	maxContext   = 64 << 10
	maxMediaURL  = 2000
	maxTags      = 20
	maxTag       = 50
	maxReason    = 500
	minTimeout   = 60
	maxUrgent    = 24 * 60 * 60      // of time-sensitive requests, in seconds
	maxDeferred  = 30 * 24 * 60 * 60 // of deferred ones, which is their default too
	maxNames     = 50
	maxThreshold = 50
)

const (
	timeSensitive = "time-sensitive"
	deferred      = "deferred"
)

var (
	byPriority = []string{critical, "high", "medium", "low"} // in the order of a queue
	platforms  = []string{"api", "n8n", "zapier", "web_portal", "mobile", "webhook"}
	types      = []string{"markdown", "image", "file", "video", "audio"}
)

// usualAnswers are what a request without a response type can be answered with.
const usualAnswers = `{"options":[{"value":"approved","label":"Approved"},{"value":"rejected","label":"Rejected"},{"value":"needs_changes","label":"Needs changes"}]}`

// withDefaults fills what was left out.
func withDefaults(in *schemas.NewReview) {
	for _, d := range []struct {
		value    *string
		fallback string
	}{{&in.ProcessingType, deferred}, {&in.Type, "markdown"}, {&in.Priority, "medium"}, {&in.Platform, "api"}} {
		orElse(d.value, d.fallback)
	}
	if in.ProcessingType == deferred && in.TimeoutSeconds == 0 {
		in.TimeoutSeconds = maxDeferred
	}
	if in.ResponseType == "" {
		if in.ResponseType = "single_select"; in.Action != nil {
			in.ResponseType = "boolean"
		} else if absent(in.ResponseConfig) || string(bytes.TrimSpace(in.ResponseConfig)) == "{}" {
			in.ResponseConfig = json.RawMessage(usualAnswers)
		}
	}
	if absent(in.ResponseConfig) {
		in.ResponseConfig = json.RawMessage("{}")
	}
	if absent(in.DefaultResponse) {
		in.DefaultResponse = nil
	}
	if in.OnTimeout == "" {
		if in.OnTimeout = "default"; in.DefaultResponse == nil {
			in.OnTimeout = "cancel"
		}
	}
}

// absent tells what was not sent from what is false, 0 or empty.
func absent(raw json.RawMessage) bool {
	trimmed := bytes.TrimSpace(raw)
	return len(trimmed) == 0 || string(trimmed) == "null"
}

// checkNew trims a new request's texts and checks every bound that needs no database. The
// sentences are the contract's where it has one.
func checkNew(in *schemas.NewReview, privateCallbacks bool) error {
	withDefaults(in)
	var f faults
	f.line("title", &in.Title, maxTitle)
	f.question(&in.RequestText)
	f.oneOf("type", in.Type, types)
	f.oneOf("priority", in.Priority, []string{"low", "medium", "high", critical})
	f.oneOf("platform", in.Platform, platforms)
	f.oneOf("on_timeout", in.OnTimeout, []string{"default", "cancel"})
	f.timeout(in.ProcessingType, in.TimeoutSeconds)
	f.media(in)
	f.context(in.Context)
	f.line("platform_version", &in.PlatformVersion, 50)
	f.line("agent_name", &in.AgentName, 100)
	in.Tags = f.tags(in.Tags)
	f.callback(in.CallbackURL, privateCallbacks)
	f.secret(in.CallbackURL, in.CallbackSecret)
	if in.OnTimeout == "default" && in.DefaultResponse == nil {
		f.add("default_response", `is needed with on_timeout "default": it counts when nobody decides in time. Send one, or on_timeout "cancel"`)
	}
	if len(in.AssignTo) > maxNames {
		f.add("assign_to", "must have at most %d items; got %d", maxNames, len(in.AssignTo))
	}
	return f.err()
}

func (f *faults) question(text *string) {
	before := len(*f)
	f.text("request_text", text, maxQuestion)
	if n := utf8.RuneCountInString(*text); len(*f) > before || n == 0 {
		*f = append((*f)[:before], schemas.FieldError{Field: "request_text", Message: "must be between 1 and 2000 characters"})
	}
}

func (f *faults) oneOf(field, value string, words []string) {
	if !slices.Contains(words, value) {
		f.add(field, "must be one of: %s", strings.Join(words, ", "))
	}
}

func (f *faults) timeout(processing string, seconds int) {
	switch {
	case processing != timeSensitive && processing != deferred:
		f.add("processing_type", "must be one of: time-sensitive, deferred")
	case processing == timeSensitive && seconds == 0:
		f.add("timeout_seconds", "is required for time-sensitive requests")
	case processing == timeSensitive && (seconds < minTimeout || seconds > maxUrgent):
		f.add("timeout_seconds", "must be between 60 and 86400 for time-sensitive requests; got %d", seconds)
	case seconds < minTimeout || seconds > maxDeferred:
		f.add("timeout_seconds", "must be between 60 and 2592000 (30 days) for deferred requests; got %d", seconds)
	}
}

// media checks the addresses of what is to be looked at, and that the one is there that
// the request is about.
func (f *faults) media(in *schemas.NewReview) {
	addresses := map[string]string{"image": in.ImageURL, "file": in.FileURL, "video": in.VideoURL, "audio": in.AudioURL}
	for _, kind := range types[1:] {
		address := addresses[kind]
		if address != "" {
			f.address(kind+"_url", address)
		} else if in.Type == kind {
			f.add(kind+"_url", "is required for %s requests", kind)
		}
	}
	f.line("file_type", &in.FileType, 100)
	f.line("file_name", &in.FileName, 200)
}

func (f *faults) address(field, address string) {
	u, err := url.Parse(address)
	if err != nil || len(address) > maxMediaURL || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil {
		f.add(field, "must be an http or https address of at most %d characters without a user name; got %.80q. Example: https://example.com/photo.jpg", maxMediaURL, address)
	}
}

func (f *faults) context(raw json.RawMessage) {
	switch {
	case absent(raw):
	case len(raw) > maxContext:
		f.add("context", "must be at most 64 KiB; got %d KiB. Put large content behind an address", len(raw)>>10)
	case bytes.TrimSpace(raw)[0] != '{' || !json.Valid(raw):
		f.add("context", `must be a JSON object. Example: {"user_id": "u_17"}`)
	}
}

func (f *faults) tags(tags []string) []string {
	if len(tags) > maxTags {
		f.add("tags", "must have at most %d items; got %d", maxTags, len(tags))
		return nil
	}
	tags = slices.Clone(tags) // trimmed in place, and the caller keeps theirs
	for i := range tags {
		field := fmt.Sprintf("tags[%d]", i)
		if f.line(field, &tags[i], maxTag); tags[i] == "" {
			f.add(field, "must have at least 1 character; got none")
		}
	}
	return tags
}

func (f *faults) callback(address string, private bool) {
	if address == "" {
		return
	}
	if err := f.take(webhook.CheckAddress("callback_url", address, private)); err != nil {
		f.add("callback_url", "%s", err.Error())
	}
}

func (f *faults) secret(address, secret string) {
	if secret != "" && address == "" {
		f.add("callback_secret", "is given without a callback_url; send both")
	}
	if n := utf8.RuneCountInString(secret); n > maxSecret {
		f.add("callback_secret", "must have at most %d characters; got %d", maxSecret, n)
	}
}

func priorityRank(priority string) int64 { return int64(slices.Index(byPriority, priority)) }

// mediaOf is what the request shows, as it is kept.
func mediaOf(in *schemas.NewReview) media {
	return media{ImageURL: in.ImageURL, FileURL: in.FileURL, FileType: in.FileType, FileName: in.FileName, VideoURL: in.VideoURL, AudioURL: in.AudioURL}
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// contentHash is equal for the same question asked twice by one agent.
func contentHash(mode, loopID string, in *schemas.NewReview, digest string) string {
	asked := *in
	asked.Action, asked.CallbackSecret, asked.AllowDuplicate, asked.Spelling = nil, "", false, ""
	sum := sha256.Sum256([]byte(jsonText([]any{mode, loopID, digest, asked})))
	return hex.EncodeToString(sum[:])
}
