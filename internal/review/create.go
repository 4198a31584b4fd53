package review

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/answer"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/check"
	"humanops-mcp/internal/ident"
	loops "humanops-mcp/internal/loop"
	"humanops-mcp/internal/quorum"
	"humanops-mcp/internal/receipt"
	"humanops-mcp/internal/review/ask"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/webhook"
	"humanops-mcp/schemas"
)

// maxTold bounds the names in an answer, not who is told.
const maxTold = 20

const (
	nobodyInReach = "The request is made, but nobody who may decide it can be reached: nobody has signed in yet, and neither mail nor chat reaches them. " +
		"Ask the user to run `humanops-mcp people add me` and to open the link that it prints."
	testModeHint = "Test mode: nobody is asked, and a simulated reviewer answers. To reach people, use a live key: " +
		"the house's own is in its credentials file, and the owner makes others (POST /platform/v1/keys). " +
		"[simulate: nobody], [simulate: reject], [simulate: changes] or [simulate: slow] in the title or text steer the simulation."
	sameRequest = "The same is asked already and is open: this is that request, and no second one was made. Send allow_duplicate: true to ask once more."
)

// CreateReview asks the people of a loop. The request, who is asked, the notices, the
// webhooks and the clocks are all in the caller's transaction.
func (s *Service) CreateReview(ctx context.Context, tx *store.Tx, in schemas.CreateReviewRequest) (schemas.ReviewCreated, error) {
	c := account.From(ctx)
	if !isAgent(c) {
		return schemas.ReviewCreated{}, schemas.Forbidden("Only an agent's key asks for reviews.")
	}
	loop, err := s.Loops.Find(ctx, tx, in.LoopID)
	if err != nil {
		return schemas.ReviewCreated{}, err
	}
	if err := loops.Hold(ctx, tx, loop.ID); err != nil {
		return schemas.ReviewCreated{}, err
	}
	agent, err := account.LockAgent(ctx, tx, c.AgentID)
	if err != nil {
		return schemas.ReviewCreated{}, fmt.Errorf("find the agent that asks: %w", err)
	}
	orElse(&in.AgentName, agent.Name)
	d, err := s.draft(ctx, tx, loop, in.NewReview)
	if err != nil {
		return schemas.ReviewCreated{}, err
	}
	if !in.AllowDuplicate {
		earlier, err := tx.OpenDuplicateOf(ctx, db.OpenDuplicateOfParams{AgentID: d.row.AgentID, ContentHash: d.row.ContentHash})
		if !store.NotFound(err) {
			return s.duplicate(ctx, tx, loop, earlier, err)
		}
	}
	return s.open(ctx, tx, loop, d)
}

// draft is a request that was checked and is not made yet.
type draft struct {
	row      request
	mode     *schemas.ReviewMode
	assignTo []string
	callback webhook.Callback
}

func (s *Service) draft(ctx context.Context, tx *store.Tx, loop db.Loop, in schemas.NewReview) (draft, error) {
	settings := loops.Settings(loop)
	var p check.Problems
	if err := p.Take(quorum.Within(settings.Mode, &in)); err != nil {
		return draft{}, err
	}
	if err := p.Take(ask.CheckNew(&in, s.cfg.PrivateCallbacks)); err != nil {
		return draft{}, err
	}
	mode, err := quorum.CheckMode("review_mode", in.ReviewMode)
	if err := p.Take(err); err != nil {
		return draft{}, err
	}
	if mode != nil && len(mode.Steps) > 0 && len(in.AssignTo) > 0 {
		p.Add("assign_to", "does not go with review_mode.steps: both say who is asked. Leave one of them out")
	}
	spec, err := answer.Parse(in.ResponseType, in.ResponseConfig)
	if err != nil {
		return draft{}, p.With(err)
	}
	byDefault, err := checkDefault(spec, in.DefaultResponse, settings)
	if err := p.Take(err); err != nil {
		return draft{}, err
	}
	act, err := checkAction(spec, in.Action)
	if err := p.Take(err); err != nil {
		return draft{}, err
	}
	if len(p) == 0 {
		if err := p.Take(quorum.Suits(mode, spec, byDefault)); err != nil {
			return draft{}, err
		}
	}
	if err := p.Err(); err != nil {
		return draft{}, err
	}
	row := s.row(account.From(ctx), loop, tx, &in, mode, string(byDefault), act)
	callback := webhook.Callback{SubjectID: row.ID, AgentID: row.AgentID, Mode: row.Mode, URL: in.CallbackURL, Secret: in.CallbackSecret, Style: webhook.Reviews}
	return draft{row, mode, in.AssignTo, callback}, nil
}

// checkDefault gives a default as its one value. Where a loop fails closed, silence can
// only reject.
func checkDefault(spec answer.Spec, raw json.RawMessage, settings schemas.LoopSettings) (json.RawMessage, error) {
	if ask.Absent(raw) {
		return nil, nil
	}
	a, err := spec.Default(raw)
	if err != nil {
		return nil, err
	}
	if settings.FailClosed && a.Decision != schemas.Rejected {
		return nil, schemas.Invalid("default_response", `must mean a rejection, because the loop is fail-closed: silence may not approve. Send one that rejects, or leave it out with on_timeout "cancel"`)
	}
	return a.Value, nil
}

// bound is an action as it is kept.
type bound struct{ text, digest string }

func checkAction(spec answer.Spec, a *schemas.Action) (bound, error) {
	if a == nil {
		return bound{}, nil
	}
	_, text, digest, err := receipt.Digest(*a)
	if err != nil {
		return bound{}, err
	}
	if !spec.Decides() {
		return bound{}, schemas.Invalid("response_type", "must be one whose every answer approves, rejects or asks for changes, because the request has an action. Example: boolean")
	}
	return bound{string(text), digest}, nil
}

func (s *Service) row(c account.Caller, loop db.Loop, tx *store.Tx, in *schemas.NewReview, mode *schemas.ReviewMode, byDefault string, act bound) request {
	now := store.Micros(tx.Now())
	r := db.Review{
		ID: ident.Hex(), LoopID: loop.ID, AgentID: c.AgentID, KeyID: c.KeyID, Mode: c.Mode, Status: string(schemas.ReviewPending), Round: 1, ProcessingType: in.ProcessingType, Type: in.Type,
		Priority: in.Priority, PriorityRank: ask.PriorityRank(in.Priority), Title: in.Title, RequestText: in.RequestText,
		SearchText: searchText(in.Title, in.RequestText), Media: store.JSON(ask.MediaOf(in)), Context: string(in.Context),
		Platform: in.Platform, PlatformVersion: in.PlatformVersion, AgentName: in.AgentName,
		ResponseType: in.ResponseType, ResponseConfig: string(in.ResponseConfig), DefaultResponse: byDefault, OnTimeout: in.OnTimeout,
		TimeoutSeconds: int64(in.TimeoutSeconds), Tags: store.JSON(append([]string{}, in.Tags...)),
		Action: act.text, ActionDigest: act.digest, ContentHash: ask.ContentHash(c.Mode, loop.ID, in, act.digest),
		TimeoutAt: store.Micros(tx.Now().Add(ask.Seconds(in.TimeoutSeconds))), CreatedAt: now, RoundAt: now, UpdatedAt: now,
	}
	if ask.Absent(in.Context) {
		r.Context = ""
	}
	if mode != nil {
		r.ReviewMode = store.JSON(mode)
		if len(mode.Steps) > 0 && mode.Order == quorum.Sequential {
			r.Step = 1
		}
	}
	return fresh(r)
}

// fresh is a request that is not in the database yet.
func fresh(r db.Review) request {
	return request{Review: r, Line: change.Line{ID: r.ID, AgentID: r.AgentID, Mode: r.Mode, CreatedAt: r.CreatedAt}}
}

func searchText(title, text string) string { return strings.ToLower(title + "\n" + text) }

// open makes the request and asks.
func (s *Service) open(ctx context.Context, tx *store.Tx, loop db.Loop, d draft) (schemas.ReviewCreated, error) {
	r := d.row
	var asked []group
	if r.Mode == account.Live {
		var err error
		if asked, err = s.choose(ctx, tx, loop, &r, d); err != nil {
			return schemas.ReviewCreated{}, err
		}
		s.setClocks(loop, &r, tx.Now(), r.Restricted && d.mode == nil && len(d.assignTo) == 0)
	}
	r, err := s.insert(ctx, tx, r, asked)
	if err == nil {
		err = s.Webhooks.Subscribe(ctx, tx, d.callback)
	}
	if err != nil {
		return schemas.ReviewCreated{}, err
	}
	if r.Mode == account.Test {
		return s.openedInTest(ctx, tx, loop, r)
	}
	out := s.created(loop, r)
	for _, g := range asked {
		if r.Step > 0 && g.step != r.Step {
			continue
		}
		told, err := s.askEach(ctx, tx, r, g.people, g.step)
		if err != nil {
			return out, err
		}
		out.NotificationsSent += told
	}
	s.sayWho(&out, r, asked)
	return out, nil
}

func (s *Service) openedInTest(ctx context.Context, tx *store.Tx, loop db.Loop, r request) (schemas.ReviewCreated, error) {
	out := s.created(loop, r)
	out.Hint = testModeHint
	out.MarkSandbox()
	people, err := s.Accounts.Simulated(ctx, tx)
	if err != nil {
		return out, err
	}
	out.BroadcastedTo = len(people)
	for _, p := range people {
		out.Told = append(out.Told, p.Name)
	}
	return out, s.scheduleSimulation(ctx, tx, r)
}

// insert makes the request and writes down who is asked.
func (s *Service) insert(ctx context.Context, tx *store.Tx, r request, asked []group) (request, error) {
	said := Created{Mode: r.Mode, LoopID: r.LoopID, ActionDigest: r.ActionDigest}
	for _, g := range asked {
		for _, m := range g.people {
			said.Asked = append(said.Asked, m.ID)
		}
	}
	by := change.System
	if !r.IsProof() {
		by = change.Actor{ID: r.AgentID, Via: account.From(ctx).Via}
	}
	return s.life.Open(ctx, tx, r, change.Opening[Event]{Event: Create, By: by, With: said, Beside: func(ctx context.Context, tx *store.Tx) error {
		for _, g := range asked {
			if _, err := s.addAsked(ctx, tx, r.ID, g.people, g.step, g.reason, tx.Now()); err != nil {
				return err
			}
		}
		return nil
	}})
}

// created is the answer about a request that was made or opened again.
func (s *Service) created(loop db.Loop, r request) schemas.ReviewCreated {
	return schemas.ReviewCreated{
		RequestID: r.ID, LoopID: r.LoopID, Status: r.In(), Version: r.Line.Version, Round: int(r.Round), ProcessingType: r.ProcessingType,
		Type: r.Type, Priority: r.Priority, ResponseType: r.ResponseType, TimeoutAt: store.Time(r.TimeoutAt), EndsAt: s.EndsAt(loop, r),
		PollingURL: schemas.Reviews.Prefix() + "/requests/" + r.ID, ReviewURL: s.Page(r.ID), ActionDigest: r.ActionDigest,
	}
}

// sayWho names those who are asked now, and says when nobody of them can know.
func (s *Service) sayWho(out *schemas.ReviewCreated, r request, asked []group) {
	var people []loops.Member
	for _, g := range asked {
		if r.Step == 0 || g.step == r.Step {
			people = loops.Union(people, g.people)
		}
	}
	out.BroadcastedTo = len(people)
	inReach := out.NotificationsSent > 0
	for i, m := range people {
		inReach = inReach || m.LastSeenAt > 0
		if i < maxTold {
			out.Told = append(out.Told, m.Name)
		}
	}
	if !inReach {
		out.Hint = nobodyInReach
	}
}

// duplicate answers with the request that asks the same.
func (s *Service) duplicate(ctx context.Context, tx *store.Tx, loop db.Loop, id string, err error) (schemas.ReviewCreated, error) {
	if err != nil {
		return schemas.ReviewCreated{}, err
	}
	r, err := s.life.Find(ctx, tx, id)
	if err != nil {
		return schemas.ReviewCreated{}, err
	}
	out := s.created(loop, r)
	out.Duplicate, out.Hint = true, sameRequest
	account.MarkTest(&out.Sandboxed, r.Mode)
	asked, err := ask.AskedOf(ctx, tx, r)
	seen := map[string]bool{}
	for _, a := range asked {
		if seen[a.PersonID] {
			continue
		}
		seen[a.PersonID] = true
		if len(out.Told) < maxTold {
			out.Told = append(out.Told, a.Name)
		}
	}
	out.BroadcastedTo = len(seen)
	return out, err
}
