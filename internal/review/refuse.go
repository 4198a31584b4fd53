package review

import (
	"context"
	"fmt"
	"strings"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/quorum"
	"humanops-mcp/internal/review/ask"
	"humanops-mcp/internal/review/view"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

// conflict refuses because of the status that the request is in, and names it.
func conflict(r request, sentence string) error {
	return &schemas.Error{Code: schemas.CodeConflict, Message: sentence, State: r.Status}
}

// ending is how a request ended and who decided, or "" while it is open.
func (s *Service) ending(ctx context.Context, tx *store.Tx, r request) (string, error) {
	at := ask.ClockTime(store.Time(r.EndedAt))
	switch schemas.ReviewStatus(r.Status) {
	case schemas.ReviewCompleted:
		who, err := s.decider(ctx, tx, r)
		return fmt.Sprintf("The request is completed: %s %s at %s. Nothing more can be decided on it.", who, verb(r), at), err
	case schemas.ReviewTimeout:
		return fmt.Sprintf("Nobody decided in time, so the request ended with its default (timeout) at %s. Nothing more can be decided on it.", at), nil
	case schemas.ReviewCancelled:
		return fmt.Sprintf("The request was cancelled at %s. Nothing more can be decided on it.", at), nil
	default: // it is open
		return "", nil
	}
}

func (s *Service) decider(ctx context.Context, tx *store.Tx, r request) (string, error) {
	if !r.DecidedBy.Valid {
		return "the answers of several people together", nil
	}
	if quorum.Several(r.Agreement()) {
		if who, err := s.deciders(ctx, tx, r); who != "" || err != nil {
			return who, err
		}
	}
	p, err := account.Person(ctx, tx, r.DecidedBy.String)
	return p.Name, err
}

// deciders are those of several people whose answers made the decision, and not only who
// was last.
func (s *Service) deciders(ctx context.Context, tx *store.Tx, r request) (string, error) {
	v := decided(r)
	v.AnswersIn = 1
	err := s.AddAnswers(ctx, tx, &v, r)
	var names []string
	for _, vote := range v.Deciders() {
		names = append(names, vote.User.Name)
	}
	switch n := len(names); {
	case n > maxDeciders:
		return fmt.Sprintf("%d people", n), err
	case n > 1:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1], err
	}
	return strings.Join(names, ""), err
}

// maxDeciders are named; more are counted.
const maxDeciders = 3

// decided is the little of a request that says whose answers made the decision.
func decided(r request) schemas.Review {
	return schemas.Review{
		Status: r.In(), ReviewMode: view.Mode(r.ReviewMode), ResponseType: r.ResponseType, Decision: r.Decision, ResponseData: view.OrNull(r.Response),
	}
}

func verb(r request) string {
	switch r.Decision {
	case schemas.Approved:
		return "approved it"
	case schemas.Rejected:
		return "rejected it"
	case schemas.NeedsChanges:
		return "asked for changes"
	}
	if decided(r).IsMedian() && r.DecidedBy.Valid {
		return "answered it, and the median of the answers counts,"
	}
	return "answered it"
}

// held tells who has claimed a request.
func (s *Service) held(ctx context.Context, tx *store.Tx, r request) error {
	p, err := account.Person(ctx, tx, r.Line.ClaimedBy)
	if err != nil {
		return err
	}
	return conflict(r, fmt.Sprintf("The request is claimed by %s until %s. Wait until it is free again, or ask %s to release it.",
		p.Name, ask.ClockTime(store.Time(r.Line.LeaseUntil)), p.Name))
}
