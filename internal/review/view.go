package review

import (
	"context"
	"encoding/json"
	"strings"

	"humanops-mcp/internal/account"
	loops "humanops-mcp/internal/loop"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// noReview is the contract's sentence, also for what is somebody else's.
func noReview() error { return schemas.NewError(schemas.CodeNotFound, "Request not found") }

// findVisible reads a request that the caller may see: an agent its own of the key's
// mode, an owner every live one, a person those of their loops and those they are asked.
func (s *Service) findVisible(ctx context.Context, tx *store.Tx, id string) (request, error) {
	return readVisible(ctx, tx, id, s.life.Find)
}

// lockVisible is findVisible for changing the request in the same transaction.
func (s *Service) lockVisible(ctx context.Context, tx *store.Tx, id string) (request, error) {
	return readVisible(ctx, tx, id, s.life.Lock)
}

// finder reads a request, or reads and locks it.
type finder func(ctx context.Context, tx *store.Tx, id string) (request, error)

func readVisible(ctx context.Context, tx *store.Tx, id string, find finder) (request, error) {
	r, err := find(ctx, tx, id)
	if store.NotFound(err) {
		return r, noReview()
	}
	if err != nil {
		return r, err
	}
	return r, mayRead(ctx, tx, subject{r.ID, r.LoopID, r.AgentID, r.Mode})
}

// subject is the little of a request that says who may see it.
type subject struct{ id, loopID, agentID, mode string }

func mayRead(ctx context.Context, tx *store.Tx, r subject) error {
	c := account.From(ctx)
	switch {
	case c.SeesTasksOf(r.agentID, r.mode):
		return nil
	case c.AgentID != "", c.PersonID == "", r.mode != account.Live:
		return noReview()
	}
	asked, err := tx.WasAsked(ctx, db.WasAskedParams{ReviewID: r.id, PersonID: c.PersonID})
	if err != nil || asked {
		return err
	}
	member, err := loops.IsMember(ctx, tx, r.loopID, c.PersonID)
	if err == nil && !member {
		return noReview()
	}
	return err
}

// GetReview gives a request's full state.
func (s *Service) GetReview(ctx context.Context, tx *store.Tx, in schemas.ReviewRequest) (out schemas.ReviewAnswer, err error) {
	out.Request, err = s.viewOf(ctx, tx, in.RequestID)
	out.Sandboxed = out.Request.Sandboxed
	return out, err
}

// viewOf is a request as the caller may see it.
func (s *Service) viewOf(ctx context.Context, tx *store.Tx, id string) (schemas.Review, error) {
	r, err := s.findVisible(ctx, tx, id)
	if err != nil {
		return schemas.Review{}, err
	}
	return s.view(ctx, tx, r)
}

// GetReviewResponse gives the outcome as the oldest clients read it.
func (s *Service) GetReviewResponse(ctx context.Context, tx *store.Tx, in schemas.ReviewRequest) (schemas.ReviewResponse, error) {
	r, err := s.findVisible(ctx, tx, in.RequestID)
	if err != nil {
		return schemas.ReviewResponse{}, err
	}
	out := schemas.ReviewResponse{
		ID: r.ID, RequestID: r.ID, LoopID: r.LoopID, Status: schemas.ReviewStatus(r.Status), Decision: textPointer(r.Decision),
		Response: orNull(r.Response), EffectiveResponse: maybe(r.Effective), ResponseSource: r.ResponseSource,
		Reasoning: r.Comment, Timestamp: store.TimePointer(r.EndedAt), CompletedAt: store.TimePointer(r.EndedAt), UpdatedAt: store.Time(r.UpdatedAt), Version: r.line.Version,
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
func (s *Service) GetReviewStatus(ctx context.Context, tx *store.Tx, in schemas.ReviewRequest) (schemas.ReviewState, error) {
	r, err := s.findVisible(ctx, tx, in.RequestID)
	if err != nil {
		return schemas.ReviewState{}, err
	}
	out := schemas.ReviewState{
		ID: r.ID, RequestID: r.ID, Status: schemas.ReviewStatus(r.Status), Decision: textPointer(r.Decision),
		Round: int(r.Round), UpdatedAt: store.Time(r.UpdatedAt), Version: r.line.Version,
	}
	account.MarkTest(&out.Sandboxed, r.Mode)
	return out, nil
}

// view is a request with everything about it, for the caller of ctx.
func (s *Service) view(ctx context.Context, tx *store.Tx, r request) (schemas.Review, error) {
	around, err := s.around(ctx, tx, []request{r})
	if err != nil {
		return schemas.Review{}, err
	}
	v := s.brief(r, around)
	if v.Rounds, err = rounds(ctx, tx, r); err != nil {
		return v, err
	}
	err = s.addAnswers(ctx, tx, &v, r)
	return v, err
}

// media are the files that a request shows.
type media struct {
	ImageURL string `json:"image_url,omitempty"`
	FileURL  string `json:"file_url,omitempty"`
	FileType string `json:"file_type,omitempty"`
	FileName string `json:"file_name,omitempty"`
	VideoURL string `json:"video_url,omitempty"`
	AudioURL string `json:"audio_url,omitempty"`
}

// brief is a request without its earlier rounds and single answers.
func (s *Service) brief(r request, a around) schemas.Review {
	v := schemas.Review{
		ID: r.ID, LoopID: r.LoopID, LoopName: a.loops[r.LoopID].Name, CreatorID: a.loops[r.LoopID].CreatorID,
		AgentID: r.AgentID, AgentName: r.AgentName, APIKeyID: r.KeyID, Mode: r.Mode,
		ProcessingType: r.ProcessingType, Type: r.Type, Priority: r.Priority, Title: r.Title, RequestText: r.RequestText,
		Context: maybe(r.Context), Platform: r.Platform, PlatformVersion: r.PlatformVersion,
		ResponseType: r.ResponseType, ResponseConfig: maybe(r.ResponseConfig), DefaultResponse: maybe(r.DefaultResponse),
		OnTimeout: r.OnTimeout, TimeoutAt: store.Time(r.TimeoutAt), EndsAt: s.endsAt(a.loops[r.LoopID], r), CallbackURL: a.callbacks[r.ID],
		Action: action(r.Action), ActionDigest: r.ActionDigest, TaskID: r.TaskID.String, ReviewMode: reviewMode(r.ReviewMode),
		BroadcastedTo: a.recipients[r.ID], BroadcastedAt: store.Time(r.RoundAt),
		Status: schemas.ReviewStatus(r.Status), Version: r.line.Version, New: r.line.Version > r.line.Seen,
		Round: int(r.Round), Step: int(r.Step), AnswersIn: a.answers[r.ID], Escalations: int(r.EscalationStep),
		FeedbackGiven: a.feedback[r.ID], AuditHead: r.line.Head, ReviewURL: s.page(r.ID),
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
	var m media
	store.ReadJSON(text, &m)
	v.ImageURL, v.FileURL, v.FileType, v.FileName = m.ImageURL, m.FileURL, m.FileType, m.FileName
	v.VideoURL, v.AudioURL = m.VideoURL, m.AudioURL
}

func addClaim(v *schemas.Review, r request, a around) {
	if r.line.ClaimedBy == "" {
		return
	}
	v.ClaimedBy, v.ClaimedByName = r.line.ClaimedBy, a.people[r.line.ClaimedBy].Name
	v.ClaimedAt, v.ClaimEndsAt = store.TimePointer(r.line.ClaimedAt), store.TimePointer(r.line.LeaseUntil)
}

// addOutcome says what was decided, and apart from it what counts: a default is never
// passed off as a person's answer.
func addOutcome(v *schemas.Review, r request, a around) {
	v.ResponseData, v.ResponseValue = orNull(r.Response), maybe(r.ResponseValue)
	v.Comment, v.Decision, v.DecidedVia = r.Comment, r.Decision, r.DecidedVia
	v.EffectiveResponse, v.ResponseSource = maybe(r.Effective), r.ResponseSource
	v.EditedAction, v.CancelReason = action(r.EditedAction), r.CancelReason
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
func answeredIn(r request) *float64 {
	if r.Status != string(schemas.ReviewCompleted) || r.EndedAt == 0 {
		return nil
	}
	seconds := max(0, store.Time(r.EndedAt).Sub(store.Time(r.RoundAt)).Seconds())
	return &seconds
}

// rounds reads the rounds before this one.
func rounds(ctx context.Context, tx *store.Tx, r request) ([]schemas.ReviewRound, error) {
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
			Round: int(row.Round), RequestText: row.RequestText, Action: action(row.Action), Context: maybe(row.Context),
			ResponseData: orNull(row.Response), Comment: row.Comment, Decision: row.Decision, ResponseAt: store.Time(row.EndedAt),
		}
		if p, ok := people[row.DecidedBy]; ok {
			round.ResponseBy = &p
		}
		list = append(list, round)
	}
	return list, err
}

// addAnswers shows the answers of several people: all of them once the round is over or
// where the request says so; until then each reviewer only their own.
func (s *Service) addAnswers(ctx context.Context, tx *store.Tx, v *schemas.Review, r request) error {
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
			ResponseData: orNull(vote.Response), Decision: vote.Decision, Comment: vote.Comment,
			DecidedVia: vote.Via, At: store.Time(vote.CreatedAt),
		})
	}
	return err
}

// page is a request's page, for people who sign in.
func (s *Service) page(id string) string {
	return strings.TrimSuffix(s.cfg.PublicURL, "/") + "/reviews/" + id
}

func action(canonical string) *schemas.Action {
	if canonical == "" {
		return nil
	}
	a := new(schemas.Action)
	store.ReadJSON(canonical, a)
	return a
}

func reviewMode(text string) *schemas.ReviewMode {
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

func orNull(text string) json.RawMessage {
	if text == "" {
		return json.RawMessage("null")
	}
	return json.RawMessage(text)
}

func textPointer(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
