// Package ask is what an agent asks people: a request as it is kept, the bounds of what may
// be asked, who was asked, and who of them has a say.
package ask

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"humanops-mcp/internal/answer"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// Request is a review request as it is kept, with its line among the subjects.
type Request struct {
	db.Review
	Line change.Line
}

// Find reads a request; store.NotFound when there is none.
func Find(ctx context.Context, tx *store.Tx, id string) (Request, error) {
	row, err := tx.FindReview(ctx, id)
	return Request{row.Review, row.Subject}, err
}

// WithLines puts their lines to requests that were listed.
func WithLines(ctx context.Context, tx *store.Tx, rows []db.Review) ([]Request, error) {
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	lines, err := change.Lines(ctx, tx, ids)
	list := make([]Request, len(rows))
	for i, r := range rows {
		list[i] = Request{r, lines[r.ID]}
	}
	return list, err
}

// OfLines reads the requests that belong to lines, in the lines' order.
func OfLines(ctx context.Context, tx *store.Tx, lines []change.Line) ([]Request, error) {
	if len(lines) == 0 {
		return nil, nil
	}
	ids, at := make([]string, len(lines)), map[string]int{}
	for i, line := range lines {
		ids[i], at[line.ID] = line.ID, i
	}
	rows, err := tx.ReviewsByIDs(ctx, store.IDs(ids))
	list := make([]Request, len(lines))
	for _, r := range rows {
		list[at[r.ID]] = Request{r, lines[at[r.ID]]}
	}
	return slices.DeleteFunc(list, func(r Request) bool { return r.ID == "" }), err // a line without its row is the check's to tell of
}

// In is the status that a request is in.
func (r Request) In() schemas.ReviewStatus { return schemas.ReviewStatus(r.Status) }

// IsProof tells whether it decides on a task's proof.
func (r Request) IsProof() bool { return r.TaskID.Valid }

// Agreement is how many people decide.
func (r Request) Agreement() (mode schemas.ReviewMode) {
	if r.ReviewMode != "" && json.Unmarshal([]byte(r.ReviewMode), &mode) != nil {
		return schemas.ReviewMode{}
	}
	return mode
}

// Spec is how it can be answered.
func (r Request) Spec() (answer.Spec, error) {
	return answer.Parse(r.ResponseType, json.RawMessage(r.ResponseConfig))
}

// Media are the files that a request shows.
type Media struct {
	ImageURL string `json:"image_url,omitempty"`
	FileURL  string `json:"file_url,omitempty"`
	FileType string `json:"file_type,omitempty"`
	FileName string `json:"file_name,omitempty"`
	VideoURL string `json:"video_url,omitempty"`
	AudioURL string `json:"audio_url,omitempty"`
}

// Action is an action as it is kept; nil for "".
func Action(canonical string) *schemas.Action {
	if canonical == "" {
		return nil
	}
	a := new(schemas.Action)
	store.ReadJSON(canonical, a)
	return a
}

// ClockTime is a time of day as sentences give it.
func ClockTime(t time.Time) string { return t.UTC().Format("2 Jan 15:04 UTC") }
