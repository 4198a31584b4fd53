package ask

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"time"

	"humanops-mcp/internal/check"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/webhook"
	"humanops-mcp/schemas"
)

// The bounds of a request, as the schema states them; they are checked again on the typed
// value, because not every caller comes through a decoder.
const (
	MaxTitle    = 200
	MaxQuestion = 2000
	maxContext  = 64 << 10
	maxMediaURL = 2000
	maxTags     = 20
	maxTag      = 50
	MaxReason   = 500
	minTimeout  = 60
	maxUrgent   = 24 * 60 * 60      // of time-sensitive requests, in seconds
	maxDeferred = 30 * 24 * 60 * 60 // of deferred ones, which is their default too
	maxNames    = 50
)

// How a request is processed.
const (
	timeSensitive = "time-sensitive"
	Deferred      = "deferred"
)

// Critical is the priority that waits for nobody's working hours.
const Critical = "critical"

var (
	platforms = []string{"api", "n8n", "zapier", "web_portal", "mobile", "webhook"}
	types     = []string{"markdown", "image", "file", "video", "audio"}
)

// usualAnswers are what a request without a response type can be answered with.
const usualAnswers = `{"options":[{"value":"approved","label":"Approved"},{"value":"rejected","label":"Rejected"},{"value":"needs_changes","label":"Needs changes"}]}`

// withDefaults fills what was left out.
func withDefaults(in *schemas.NewReview) {
	for _, d := range []struct {
		value    *string
		fallback string
	}{{&in.ProcessingType, Deferred}, {&in.Type, "markdown"}, {&in.Priority, "medium"}, {&in.Platform, "api"}} {
		set(d.value, d.fallback)
	}
	if in.ProcessingType == Deferred && in.TimeoutSeconds == 0 {
		in.TimeoutSeconds = maxDeferred
	}
	if in.ResponseType == "" {
		if in.ResponseType = "single_select"; in.Action != nil {
			in.ResponseType = "boolean"
		} else if Absent(in.ResponseConfig) || string(bytes.TrimSpace(in.ResponseConfig)) == "{}" {
			in.ResponseConfig = json.RawMessage(usualAnswers)
		}
	}
	if Absent(in.ResponseConfig) {
		in.ResponseConfig = json.RawMessage("{}")
	}
	if Absent(in.DefaultResponse) {
		in.DefaultResponse = nil
	}
	if in.OnTimeout == "" {
		if in.OnTimeout = "default"; in.DefaultResponse == nil {
			in.OnTimeout = "cancel"
		}
	}
}

// set fills what is empty.
func set(value *string, fallback string) {
	if *value == "" {
		*value = fallback
	}
}

// Absent tells what was not sent from what is false, 0 or empty.
func Absent(raw json.RawMessage) bool {
	trimmed := bytes.TrimSpace(raw)
	return len(trimmed) == 0 || string(trimmed) == "null"
}

// CheckNew trims a new request's texts and checks every bound that needs no database. The
// sentences are the contract's where it has one.
func CheckNew(in *schemas.NewReview, privateCallbacks bool) error {
	withDefaults(in)
	var p check.Problems
	p.Line("title", &in.Title, 0, MaxTitle)
	CheckQuestion(&p, &in.RequestText)
	p.OneOf("type", in.Type, types)
	p.OneOf("priority", in.Priority, schemas.ReviewPriorities)
	p.OneOf("platform", in.Platform, platforms)
	p.OneOf("on_timeout", in.OnTimeout, []string{"default", "cancel"})
	CheckTimeout(&p, in.ProcessingType, in.TimeoutSeconds)
	checkMedia(&p, in)
	CheckContext(&p, in.Context)
	p.Line("platform_version", &in.PlatformVersion, 0, 50)
	p.Line("agent_name", &in.AgentName, 0, 100)
	in.Tags = CheckedTags(&p, in.Tags)
	webhook.CheckCallback(&p, in.CallbackURL, in.CallbackSecret, privateCallbacks)
	if in.OnTimeout == "default" && in.DefaultResponse == nil {
		p.Add("default_response", `is needed with on_timeout "default": it counts when nobody decides in time. Send one, or on_timeout "cancel"`)
	}
	p.Items("assign_to", len(in.AssignTo), maxNames)
	return p.Err()
}

// CheckQuestion checks what is asked.
func CheckQuestion(p *check.Problems, text *string) {
	var own check.Problems
	if own.Text("request_text", text, 1, MaxQuestion); len(own) > 0 {
		p.Add("request_text", "must be between 1 and %d characters", MaxQuestion)
	}
}

// CheckTimeout checks how long people have.
func CheckTimeout(p *check.Problems, processing string, seconds int) {
	switch {
	case processing != timeSensitive && processing != Deferred:
		p.Add("processing_type", "must be one of: time-sensitive, deferred")
	case processing == timeSensitive && seconds == 0:
		p.Add("timeout_seconds", "is required for time-sensitive requests")
	case processing == timeSensitive && (seconds < minTimeout || seconds > maxUrgent):
		p.Add("timeout_seconds", "must be between 60 and 86400 for time-sensitive requests; got %d", seconds)
	case seconds < minTimeout || seconds > maxDeferred:
		p.Add("timeout_seconds", "must be between 60 and 2592000 (30 days) for deferred requests; got %d", seconds)
	}
}

// checkMedia checks the addresses of what is to be looked at, and that the one is there that
// the request is about.
func checkMedia(p *check.Problems, in *schemas.NewReview) {
	addresses := map[string]string{"image": in.ImageURL, "file": in.FileURL, "video": in.VideoURL, "audio": in.AudioURL}
	for _, kind := range types[1:] {
		address := addresses[kind]
		if address != "" {
			CheckMediaAddress(p, kind+"_url", address)
		} else if in.Type == kind {
			p.Add(kind+"_url", "is required for %s requests", kind)
		}
	}
	p.Line("file_type", &in.FileType, 0, 100)
	p.Line("file_name", &in.FileName, 0, 200)
}

// CheckMediaAddress checks the address of something to be looked at.
func CheckMediaAddress(p *check.Problems, field, address string) {
	u, err := url.Parse(address)
	if err != nil || len(address) > maxMediaURL || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil {
		p.Add(field, "must be an http or https address of at most %d characters without a user name; got %.80q. Example: https://example.com/photo.jpg", maxMediaURL, address)
	}
}

// CheckContext checks what the agent adds for people.
func CheckContext(p *check.Problems, raw json.RawMessage) {
	switch {
	case Absent(raw):
	case len(raw) > maxContext:
		p.Add("context", "must be at most 64 KiB; got %d KiB. Put large content behind an address", len(raw)>>10)
	case bytes.TrimSpace(raw)[0] != '{' || !json.Valid(raw):
		p.Add("context", `must be a JSON object. Example: {"user_id": "u_17"}`)
	}
}

// CheckedTags are tags, each in one line.
func CheckedTags(p *check.Problems, tags []string) []string {
	if !p.Items("tags", len(tags), maxTags) {
		return nil
	}
	tags = slices.Clone(tags) // trimmed in place, and the caller keeps theirs
	for i := range tags {
		p.Line(fmt.Sprintf("tags[%d]", i), &tags[i], 1, maxTag)
	}
	return tags
}

// PriorityRank is where a priority stands in a queue: the most urgent at 0.
func PriorityRank(priority string) int64 {
	return int64(len(schemas.ReviewPriorities) - 1 - slices.Index(schemas.ReviewPriorities, priority))
}

// MediaOf is what the request shows, as it is kept.
func MediaOf(in *schemas.NewReview) Media {
	return Media{ImageURL: in.ImageURL, FileURL: in.FileURL, FileType: in.FileType, FileName: in.FileName, VideoURL: in.VideoURL, AudioURL: in.AudioURL}
}

// Seconds is a duration.
func Seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// ContentHash is equal for the same question asked twice by one agent.
func ContentHash(mode, loopID string, in *schemas.NewReview, digest string) string {
	asked := *in
	asked.Action, asked.CallbackSecret, asked.AllowDuplicate, asked.Spelling = nil, "", false, ""
	sum := sha256.Sum256([]byte(store.JSON([]any{mode, loopID, digest, asked})))
	return hex.EncodeToString(sum[:])
}
