package review

import (
	"context"
	"encoding/json"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/ident"
	loops "humanops-mcp/internal/loop"
	"humanops-mcp/internal/notify"
	"humanops-mcp/internal/review/ask"
	"humanops-mcp/internal/review/view"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// AddFeedback keeps what the agent thinks of an answer, once, and tells the reviewer.
func (s *Service) AddFeedback(ctx context.Context, tx *store.Tx, in schemas.AddFeedbackRequest) (schemas.FeedbackAnswer, error) {
	body, err := ask.CheckedFeedback(in.Feedback)
	if err != nil {
		return schemas.FeedbackAnswer{}, err
	}
	r, err := view.Visible(ctx, tx, in.RequestID, s.life.Lock)
	if err != nil {
		return schemas.FeedbackAnswer{}, err
	}
	if r.Status != string(schemas.ReviewCompleted) {
		return schemas.FeedbackAnswer{}, &schemas.Error{Code: schemas.CodeInvalid, Message: "Feedback can only be added to completed requests", State: r.Status}
	}
	reviewer, err := s.reviewerInReach(ctx, tx, r)
	if err != nil {
		return schemas.FeedbackAnswer{}, err
	}
	f := db.InsertFeedbackParams{
		ReviewID: r.ID, ID: ident.Hex(), AgentID: r.AgentID, Body: body, Notified: reviewer != "", CreatedAt: store.Micros(tx.Now()),
	}
	n, err := tx.InsertFeedback(ctx, f)
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
	return feedbackView(r, db.ReviewFeedback(f)), err
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
	r, err := view.Visible(ctx, tx, in.RequestID, ask.Find)
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
