package review

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"unicode/utf8"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/ident"
	loops "humanops-mcp/internal/loop"
	"humanops-mcp/internal/notify"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

const (
	maxFeedback        = 16 << 10
	maxFeedbackComment = 1000
	maxFeedbackTags    = 20
	maxTagLength       = 50
)

// AddFeedback keeps what the agent thinks of an answer, once, and tells the reviewer.
func (s *Service) AddFeedback(ctx context.Context, tx *store.Tx, in schemas.AddFeedbackRequest) (schemas.FeedbackAnswer, error) {
	body, err := checkedFeedback(in.Feedback)
	if err != nil {
		return schemas.FeedbackAnswer{}, err
	}
	r, err := s.lockVisible(ctx, tx, in.RequestID)
	if err != nil {
		return schemas.FeedbackAnswer{}, err
	}
	if r.Status != string(schemas.ReviewCompleted) {
		return schemas.FeedbackAnswer{}, &schemas.Error{Code: schemas.CodeInvalid, Message: "Feedback can only be added to completed requests", State: r.Status}
	}
	f := db.ReviewFeedback{ReviewID: r.ID, ID: ident.Hex(), AgentID: r.AgentID, Body: body, CreatedAt: store.Micros(tx.Now())}
	reviewer, err := s.reviewerInReach(ctx, tx, r)
	if err != nil {
		return schemas.FeedbackAnswer{}, err
	}
	f.Notified = reviewer != ""
	n, err := tx.InsertFeedback(ctx, db.InsertFeedbackParams(f))
	if err != nil {
		return schemas.FeedbackAnswer{}, err
	}
	if n == 0 {
		return schemas.FeedbackAnswer{}, conflict(r, "Feedback was given on this request already, and it is given once. GET the feedback to read it.")
	}
	if err := s.tellReviewer(ctx, tx, r, reviewer); err != nil {
		return schemas.FeedbackAnswer{}, err
	}
	c := account.From(ctx)
	_, err = s.life.Note(ctx, tx, r, change.Note[request]{Kind: "feedback", By: c.Actor(), With: Rated{f.ID}})
	return feedbackView(r, f), err
}

// reviewerInReach is whoever decided, when a notice can reach them; else "".
func (s *Service) reviewerInReach(ctx context.Context, tx *store.Tx, r request) (string, error) {
	if !r.DecidedBy.Valid || r.Mode != account.Live {
		return "", nil
	}
	p, err := account.Person(ctx, tx, r.DecidedBy.String)
	if err != nil || p.RemovedAt != 0 || s.unreached(loops.Member{Person: p}, []string{notify.Mail}) != "" {
		return "", err
	}
	return p.ID, nil
}

func (s *Service) tellReviewer(ctx context.Context, tx *store.Tx, r request, personID string) error {
	if personID == "" {
		return nil
	}
	return s.notice(ctx, tx, notice{
		ReviewID: r.ID, PersonID: personID, Kind: noticeFeedback, Subject: "Feedback on your answer",
		Body: "The agent has told how your answer to a request served. It is on the request's page.",
	})
}

// GetFeedback reads the feedback back.
func (s *Service) GetFeedback(ctx context.Context, tx *store.Tx, in schemas.ReviewRequest) (schemas.FeedbackAnswer, error) {
	r, err := s.findVisible(ctx, tx, in.RequestID)
	if err != nil {
		return schemas.FeedbackAnswer{}, err
	}
	f, err := tx.FindFeedback(ctx, r.ID)
	if store.NotFound(err) {
		return schemas.FeedbackAnswer{}, &schemas.Error{Code: schemas.CodeNotFound, Message: "No feedback was given on this request yet.", State: r.Status}
	}
	return feedbackView(r, f), err
}

func feedbackView(r request, f db.ReviewFeedback) schemas.FeedbackAnswer {
	out := schemas.FeedbackAnswer{
		RequestID: f.ReviewID, Feedback: json.RawMessage(f.Body), FeedbackID: f.ID,
		SubmittedAt: store.Time(f.CreatedAt), ReviewerNotified: f.Notified,
	}
	account.MarkTest(&out.Sandboxed, r.Mode)
	return out
}

// The members of feedback that the contract knows, with their checks. Others pass.
var feedbackMembers = map[string]func(any) error{
	"rating": isGrade, "accuracy": isGrade, "timeliness": isGrade, "helpfulness": isGrade,
	"comment": isComment, "would_recommend": isBool("would_recommend"), "follow_up_needed": isBool("follow_up_needed"),
	"tags": isTags, "category": isCategory,
}

// checkedFeedback gives the feedback in compact form.
func checkedFeedback(raw json.RawMessage) (string, error) {
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
