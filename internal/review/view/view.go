// Package view is how callers see review requests: one with everything about it, lists, and
// what was decided before.
package view

import (
	"context"
	"encoding/json"
	"strings"

	"humanops-mcp/internal/account"
	loops "humanops-mcp/internal/loop"
	"humanops-mcp/internal/passkey"
	"humanops-mcp/internal/review/ask"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// Missing is the contract's sentence, also for what is somebody else's.
func Missing() error { return schemas.NewError(schemas.CodeNotFound, "Request not found") }

// Reader reads requests for callers, who are in the context.
type Reader struct {
	publicURL string
	loops     *loops.Service
	passkeys  *passkey.Service
}

// NewReader makes a reader. Pages are under publicURL.
func NewReader(publicURL string, l *loops.Service, p *passkey.Service) *Reader {
	return &Reader{strings.TrimSuffix(publicURL, "/"), l, p}
}

// Finder reads a request, or reads and locks it: ask.Find, or a life's Lock.
type Finder func(ctx context.Context, tx *store.Tx, id string) (ask.Request, error)

// Visible reads a request that the caller may see: an agent its own of the key's mode, an
// owner every live one, a person those of their loops and those they are asked.
func Visible(ctx context.Context, tx *store.Tx, id string, find Finder) (ask.Request, error) {
	r, err := find(ctx, tx, id)
	if store.NotFound(err) {
		return r, Missing()
	}
	if err != nil {
		return r, err
	}
	return r, MayRead(ctx, tx, Subject{r.ID, r.LoopID, r.AgentID, r.Mode})
}

// Subject is the little of a request that says who may see it.
type Subject struct{ ID, LoopID, AgentID, Mode string }

// MayRead refuses a caller who may not see a request, as if it were not there.
func MayRead(ctx context.Context, tx *store.Tx, r Subject) error {
	c := account.From(ctx)
	switch {
	case c.SeesTasksOf(r.AgentID, r.Mode):
		return nil
	case c.AgentID != "", c.PersonID == "", r.Mode != account.Live:
		return Missing()
	}
	asked, err := tx.WasAsked(ctx, db.WasAskedParams{ReviewID: r.ID, PersonID: c.PersonID})
	if err != nil || asked {
		return err
	}
	member, err := loops.IsMember(ctx, tx, r.LoopID, c.PersonID)
	if err == nil && !member {
		return Missing()
	}
	return err
}

// GetReview gives a request's full state.
func (s *Reader) GetReview(ctx context.Context, tx *store.Tx, in schemas.ReviewRequest) (out schemas.ReviewAnswer, err error) {
	out.Request, err = s.ByID(ctx, tx, in.RequestID)
	out.Sandboxed = out.Request.Sandboxed
	return out, err
}

// ByID is a request as the caller may see it.
func (s *Reader) ByID(ctx context.Context, tx *store.Tx, id string) (schemas.Review, error) {
	r, err := Visible(ctx, tx, id, ask.Find)
	if err != nil {
		return schemas.Review{}, err
	}
	return s.Of(ctx, tx, r)
}

// GetReviewResponse gives the outcome as the oldest clients read it.
func (s *Reader) GetReviewResponse(ctx context.Context, tx *store.Tx, in schemas.ReviewRequest) (schemas.ReviewResponse, error) {
	r, err := Visible(ctx, tx, in.RequestID, ask.Find)
	if err != nil {
		return schemas.ReviewResponse{}, err
	}
	out := schemas.ReviewResponse{
		ID: r.ID, RequestID: r.ID, LoopID: r.LoopID, Status: schemas.ReviewStatus(r.Status), Decision: Text(r.Decision),
		Response: OrNull(r.Response), EffectiveResponse: maybe(r.Effective), ResponseSource: r.ResponseSource,
		Reasoning: r.Comment, Timestamp: store.TimePointer(r.EndedAt), CompletedAt: store.TimePointer(r.EndedAt), UpdatedAt: store.Time(r.UpdatedAt), Version: r.Line.Version,
	}
	if r.DecidedBy.Valid {
		out.ReviewerID = &r.DecidedBy.String
	}
	if r.Decision == schemas.NeedsChanges {
		out.Feedback = &schemas.ReviewFeedback{RequiredChanges: []string{}}
		if r.Comment != "" {
			out.Feedback.RequiredChanges = []string{r.Comment}
		}
	}
	out.ProcessingTime = answeredIn(r)
	account.MarkTest(&out.Sandboxed, r.Mode)
	return out, nil
}

// GetReviewStatus says only where a request is.
func (s *Reader) GetReviewStatus(ctx context.Context, tx *store.Tx, in schemas.ReviewRequest) (schemas.ReviewState, error) {
	r, err := Visible(ctx, tx, in.RequestID, ask.Find)
	if err != nil {
		return schemas.ReviewState{}, err
	}
	out := schemas.ReviewState{
		ID: r.ID, RequestID: r.ID, Status: schemas.ReviewStatus(r.Status), Decision: Text(r.Decision),
		Round: int(r.Round), UpdatedAt: store.Time(r.UpdatedAt), Version: r.Line.Version,
	}
	account.MarkTest(&out.Sandboxed, r.Mode)
	return out, nil
}

// Of is a request with everything about it, for the caller of ctx.
func (s *Reader) Of(ctx context.Context, tx *store.Tx, r ask.Request) (schemas.Review, error) {
	around, err := s.around(ctx, tx, []ask.Request{r})
	if err != nil {
		return schemas.Review{}, err
	}
	v := s.brief(r, around)
	if v.Rounds, err = rounds(ctx, tx, r); err != nil {
		return v, err
	}
	err = s.AddAnswers(ctx, tx, &v, r)
	return v, err
}

// brief is a request without its earlier rounds and single answers.
func (s *Reader) brief(r ask.Request, a around) schemas.Review {
	v := schemas.Review{
		ID: r.ID, LoopID: r.LoopID, LoopName: a.loops[r.LoopID].Name, CreatorID: a.loops[r.LoopID].CreatorID,
		AgentID: r.AgentID, AgentName: r.AgentName, APIKeyID: r.KeyID, Mode: r.Mode,
		ProcessingType: r.ProcessingType, Type: r.Type, Priority: r.Priority, Title: r.Title, RequestText: r.RequestText,
		Context: maybe(r.Context), Platform: r.Platform, PlatformVersion: r.PlatformVersion,
		ResponseType: r.ResponseType, ResponseConfig: maybe(r.ResponseConfig), DefaultResponse: maybe(r.DefaultResponse),
		OnTimeout: r.OnTimeout, TimeoutAt: store.Time(r.TimeoutAt), EndsAt: s.EndsAt(a.loops[r.LoopID], r), CallbackURL: a.callbacks[r.ID],
		Action: ask.Action(r.Action), ActionDigest: r.ActionDigest, TaskID: r.TaskID.String, ReviewMode: Mode(r.ReviewMode),
		BroadcastedTo: a.recipients[r.ID], BroadcastedAt: store.Time(r.RoundAt),
		Status: schemas.ReviewStatus(r.Status), Version: r.Line.Version, New: r.Line.Version > r.Line.Seen,
		Round: int(r.Round), Step: int(r.Step), AnswersIn: a.answers[r.ID], Escalations: int(r.EscalationStep),
		FeedbackGiven: a.feedback[r.ID], AuditHead: r.Line.Head, ReviewURL: s.Page(r.ID),
		CreatedAt: store.Time(r.CreatedAt), UpdatedAt: store.Time(r.UpdatedAt), May: s.may(r, a),
	}
	if v.BroadcastedTo == nil {
		v.BroadcastedTo = []schemas.Recipient{}
	}
	addMedia(&v, r.Media)
	consumed, given := a.receipts[r.ID]
	v.ReceiptAvailable, v.ReceiptConsumedAt = given, consumed
	store.ReadJSON(r.Tags, &v.Tags)
	addClaim(&v, r, a)
	addOutcome(&v, r, a)
	account.MarkTest(&v.Sandboxed, r.Mode)
	return v
}

func addMedia(v *schemas.Review, text string) {
	var m ask.Media
	store.ReadJSON(text, &m)
	v.ImageURL, v.FileURL, v.FileType, v.FileName = m.ImageURL, m.FileURL, m.FileType, m.FileName
	v.VideoURL, v.AudioURL = m.VideoURL, m.AudioURL
}

func addClaim(v *schemas.Review, r ask.Request, a around) {
	if r.Line.ClaimedBy == "" {
		return
	}
	v.ClaimedBy, v.ClaimedByName = r.Line.ClaimedBy, a.people[r.Line.ClaimedBy].Name
	v.ClaimedAt, v.ClaimEndsAt = store.TimePointer(r.Line.ClaimedAt), store.TimePointer(r.Line.LeaseUntil)
}

// addOutcome says what was decided, and apart from it what counts: a default is never
// passed off as a person's answer.
func addOutcome(v *schemas.Review, r ask.Request, a around) {
	v.ResponseData, v.ResponseValue = OrNull(r.Response), maybe(r.ResponseValue)
	v.Comment, v.Decision, v.DecidedVia = r.Comment, r.Decision, r.DecidedVia
	v.EffectiveResponse, v.ResponseSource = maybe(r.Effective), r.ResponseSource
	v.EditedAction, v.CancelReason = ask.Action(r.EditedAction), r.CancelReason
	v.ResponseTimeSeconds = answeredIn(r)
	if v.ResponseTimeSeconds != nil {
		v.ResponseAt = store.TimePointer(r.EndedAt)
	}
	if r.DecidedBy.Valid {
		p := a.people[r.DecidedBy.String]
		v.ResponseBy, v.ResponseByUser = &p.UserID, &p
	}
}

// answeredIn is how many seconds people took, nil when it was not they who decided.
func answeredIn(r ask.Request) *float64 {
	if r.Status != string(schemas.ReviewCompleted) || r.EndedAt == 0 {
		return nil
	}
	seconds := max(0, store.Time(r.EndedAt).Sub(store.Time(r.RoundAt)).Seconds())
	return &seconds
}

// rounds reads the rounds before this one.
func rounds(ctx context.Context, tx *store.Tx, r ask.Request) ([]schemas.ReviewRound, error) {
	if r.Round <= 1 {
		return nil, nil
	}
	rows, err := tx.ListRounds(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, row := range rows {
		ids = append(ids, row.DecidedBy)
	}
	people, err := peopleNamed(ctx, tx, ids)
	list := make([]schemas.ReviewRound, 0, len(rows))
	for _, row := range rows {
		round := schemas.ReviewRound{
			Round: int(row.Round), RequestText: row.RequestText, Action: ask.Action(row.Action), Context: maybe(row.Context),
			ResponseData: OrNull(row.Response), Comment: row.Comment, Decision: row.Decision, ResponseAt: store.Time(row.EndedAt),
		}
		if p, ok := people[row.DecidedBy]; ok {
			round.ResponseBy = &p
		}
		list = append(list, round)
	}
	return list, err
}

// AddAnswers shows the answers of several people: all of them once the round is over or
// where the request says so; until then each reviewer only their own.
func (s *Reader) AddAnswers(ctx context.Context, tx *store.Tx, v *schemas.Review, r ask.Request) error {
	if v.AnswersIn == 0 {
		return nil
	}
	votes, err := tx.VotesInRound(ctx, db.VotesInRoundParams{ReviewID: r.ID, Round: r.Round})
	if err != nil {
		return err
	}
	ids := make([]string, len(votes))
	for i, vote := range votes {
		ids[i] = vote.PersonID
	}
	people, err := peopleNamed(ctx, tx, ids)
	caller := account.From(ctx).PersonID
	for _, vote := range votes {
		if !v.Status.Final() && !v.ReviewMode.Open && (caller == "" || vote.PersonID != caller) {
			continue
		}
		v.Answers = append(v.Answers, schemas.ReviewVote{
			Step: int(vote.Step), User: people[vote.PersonID],
			ResponseData: OrNull(vote.Response), Decision: vote.Decision, Comment: vote.Comment,
			DecidedVia: vote.Via, At: store.Time(vote.CreatedAt),
		})
	}
	return err
}

// Page is a request's page, for people who sign in.
func (s *Reader) Page(id string) string {
	return s.publicURL + "/reviews/" + id
}

// Mode is how many people decide, as callers see it; nil when the first answer counts.
func Mode(text string) *schemas.ReviewMode {
	if text == "" {
		return nil
	}
	m := new(schemas.ReviewMode)
	store.ReadJSON(text, m)
	return m
}

func maybe(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}

// OrNull is JSON as it is kept; null for nothing.
func OrNull(text string) json.RawMessage {
	if text == "" {
		return json.RawMessage("null")
	}
	return json.RawMessage(text)
}

// Text is a text that may be left out.
func Text(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
