package review

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/check"
	loops "humanops-mcp/internal/loop"
	"humanops-mcp/internal/quorum"
	"humanops-mcp/internal/review/ask"
	"humanops-mcp/internal/review/view"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// OpenRound asks again, with a new version, after people asked for changes. The request
// stays the same; what was asked and answered before stays readable.
func (s *Service) OpenRound(ctx context.Context, tx *store.Tx, in schemas.OpenRoundRequest) (schemas.ReviewCreated, error) {
	if err := s.holdLoop(ctx, tx, in.RequestID); err != nil {
		return schemas.ReviewCreated{}, err
	}
	l, err := s.lock(ctx, tx, in.RequestID)
	if err != nil {
		return schemas.ReviewCreated{}, err
	}
	if !isAgent(l.caller) {
		return schemas.ReviewCreated{}, schemas.Forbidden("Access denied to this request")
	}
	if err := s.mayReask(l); err != nil {
		return schemas.ReviewCreated{}, err
	}
	next, err := s.nextVersion(l.request, in)
	if err != nil {
		return schemas.ReviewCreated{}, err
	}
	asked, err := ask.AskedOf(ctx, tx, l.request)
	if err != nil {
		return schemas.ReviewCreated{}, err
	}
	if err := s.mayAgree(next, asked); err != nil {
		return schemas.ReviewCreated{}, err
	}
	if err := keepRound(ctx, tx, l.request); err != nil {
		return schemas.ReviewCreated{}, err
	}
	r, err := s.life.Move(ctx, tx, l.request, move{Event: NextRound, By: l.caller.Actor(), With: Reopened{next.ActionDigest},
		Edit: func(r *request) {
			renew(r, next, store.Micros(tx.Now()))
			if r.Mode == account.Live {
				s.setClocks(l.loop, r, tx.Now(), wasRouted(*r, asked))
			}
		}})
	if err != nil {
		return schemas.ReviewCreated{}, err
	}
	return s.reopened(ctx, tx, l.loop, r)
}

// holdLoop keeps the loop from being deleted while a request in it is opened again.
func (s *Service) holdLoop(ctx context.Context, tx *store.Tx, requestID string) error {
	r, err := view.Visible(ctx, tx, requestID, ask.Find)
	if err != nil {
		return err
	}
	if err = loops.Hold(ctx, tx, r.LoopID); errors.Is(err, loops.ErrNone) {
		return view.Missing()
	}
	return err
}

func (s *Service) mayReask(l locked) error {
	demanded := loops.Settings(l.loop).Mode
	switch {
	case l.IsProof():
		return conflict(l.request, "This request decides a task's proof. Its next round begins when the operator submits again.")
	case l.In() == schemas.ReviewCompleted && l.Decision == schemas.NeedsChanges && l.Round >= maxRounds:
		return conflict(l.request, fmt.Sprintf("Changes were asked for in %d rounds, which is the most. Ask with a new request.", maxRounds))
	case l.Decision != schemas.NeedsChanges || l.In() != schemas.ReviewCompleted:
		return conflict(l.request, "A further round is only for a request whose reviewers asked for changes (decision needs_changes). Ask with a new request.")
	case demanded != nil && quorum.Several(*demanded) && !quorum.Same(*demanded, l.Agreement()) && !quorum.Stricter(*demanded, l.Agreement()):
		return conflict(l.request, "The loop now demands the agreement of more people than this request asked for. Ask with a new request.")
	}
	return nil
}

// mayAgree refuses a round that could not be decided any more, because those who would
// have to were taken out.
func (s *Service) mayAgree(r request, asked []ask.Asked) error {
	spec, err := r.Spec()
	if err != nil || r.Mode == account.Test {
		return err
	}
	circles := ask.Circles(r, asked)
	nobody := r.Restricted && !quorum.Several(r.Agreement()) && !wasRouted(r, asked) && len(circles[0].People) == 0
	if v := quorum.Outcome(circles, quorum.Parallel, nil, quorum.MeaningOf(spec, json.RawMessage(r.DefaultResponse))); v.Decided || nobody {
		return conflict(r, "Those who would have to decide this request are not all there any more, so it cannot be decided again. Ask with a new request.")
	}
	return nil
}

// nextVersion is the request as it is asked again: what is left out stays as it was.
func (s *Service) nextVersion(r request, in schemas.OpenRoundRequest) (request, error) {
	var p check.Problems
	if in.RequestText != "" {
		ask.CheckQuestion(&p, &in.RequestText)
		r.RequestText, r.SearchText = in.RequestText, searchText(r.Title, in.RequestText)
	}
	if ask.CheckContext(&p, in.Context); !ask.Absent(in.Context) {
		r.Context = string(in.Context)
	}
	if in.TimeoutSeconds != 0 {
		ask.CheckTimeout(&p, r.ProcessingType, in.TimeoutSeconds)
		r.TimeoutSeconds = int64(in.TimeoutSeconds)
	}
	r.Media = newMedia(&p, r.Media, in)
	if err := redraft(&p, &r, in.DraftText); err != nil {
		return r, err
	}
	spec, err := r.Spec()
	if err != nil {
		return r, p.With(err)
	}
	act, err := checkAction(spec, in.Action)
	if err := p.Take(err); err != nil {
		return r, err
	}
	if in.Action != nil {
		r.Action, r.ActionDigest = act.text, act.digest
	}
	return r, p.Err()
}

func newMedia(p *check.Problems, text string, in schemas.OpenRoundRequest) string {
	var m ask.Media
	store.ReadJSON(text, &m)
	if in.ImageURL != "" {
		ask.CheckMediaAddress(p, "image_url", in.ImageURL)
		m.ImageURL = in.ImageURL
	}
	if in.FileURL != "" {
		ask.CheckMediaAddress(p, "file_url", in.FileURL)
		m.FileURL = in.FileURL
	}
	return store.JSON(m)
}

// redraft puts a new draft into the configuration of editable_text.
func redraft(p *check.Problems, r *request, draft string) error {
	if draft == "" {
		return nil
	}
	if r.ResponseType != "editable_text" {
		p.Add("draft_text", "only goes with response_type editable_text; this request has %s", r.ResponseType)
		return nil
	}
	config := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(r.ResponseConfig), &config); err != nil {
		return err
	}
	config["draft_text"] = json.RawMessage(store.JSON(draft))
	r.ResponseConfig = store.JSON(config)
	return nil
}

// keepRound writes the round that is over down.
func keepRound(ctx context.Context, tx *store.Tx, r request) error {
	return tx.InsertReviewRound(ctx, db.InsertReviewRoundParams{
		ReviewID: r.ID, Round: r.Round, RequestText: r.RequestText, Context: r.Context, Media: r.Media, Action: r.Action, ActionDigest: r.ActionDigest,
		Response: r.Response, ResponseValue: r.ResponseValue, Decision: r.Decision, DecidedBy: r.DecidedBy.String, DecidedVia: r.DecidedVia,
		Comment: r.Comment, OpenedAt: r.RoundAt, EndedAt: r.EndedAt,
	})
}

// renew makes r the next round of itself.
func renew(r *request, next request, now int64) {
	r.RequestText, r.SearchText, r.Context, r.Media = next.RequestText, next.SearchText, next.Context, next.Media
	r.ResponseConfig, r.Action, r.ActionDigest, r.TimeoutSeconds = next.ResponseConfig, next.Action, next.ActionDigest, next.TimeoutSeconds
	r.Round, r.RoundAt, r.Line.Warned, r.TextVersion = r.Round+1, now, "", 0
	r.TimeoutAt = now + ask.Seconds(int(r.TimeoutSeconds)).Microseconds()
	r.Response, r.ResponseValue, r.Effective, r.ResponseSource, r.Decision = "", "", "", "", ""
	r.DecidedBy.Valid, r.DecidedBy.String, r.DecidedVia = false, "", ""
	r.Comment, r.EditedAction, r.CancelReason = "", "", ""
	r.Step = 0
	asksElse(r)
	if mode := r.Agreement(); len(mode.Steps) > 0 && mode.Order != quorum.Parallel {
		r.Step = 1
	}
}

// asksElse keeps a request that changed from passing for the one that was asked at first:
// asking that again makes a new request.
func asksElse(r *request) { r.ContentHash = "changed " + r.ID }

// reopened is the answer about a new round: who is asked is who was asked before.
func (s *Service) reopened(ctx context.Context, tx *store.Tx, loop db.Loop, r request) (schemas.ReviewCreated, error) {
	out := s.created(loop, r)
	account.MarkTest(&out.Sandboxed, r.Mode)
	asked, err := ask.AskedOf(ctx, tx, r)
	if err != nil {
		return out, err
	}
	steps := stepsOf(r, asked)
	people, err := s.membersOf(ctx, tx, r, asked, func(a ask.Asked) bool { return slices.Contains(steps, a.Step) })
	if err != nil {
		return out, err
	}
	for _, m := range people {
		out.BroadcastedTo++
		if s.unreached(m, nil) == "" {
			out.NotificationsSent++
		}
		if len(out.Told) < maxTold {
			out.Told = append(out.Told, m.Name)
		}
	}
	if r.Mode == account.Test {
		out.Hint = testModeHint
	}
	return out, nil
}
