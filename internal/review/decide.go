package review

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/answer"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/check"
	loops "humanops-mcp/internal/loop"
	"humanops-mcp/internal/passkey"
	"humanops-mcp/internal/quorum"
	"humanops-mcp/internal/receipt"
	"humanops-mcp/internal/review/ask"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

const (
	maxComment   = 2000
	viaPasskey   = "passkey"
	viaPolicy    = "policy"
	viaSimulated = "simulated"

	onlyPeople = "An agent's key never decides a review. A person does: on the request's page, by the link in their mail, or with their own token."
)

// ballotPaper is a checked answer before it counts.
type ballotPaper struct {
	person   string
	via      string
	answer   answer.Answer
	comment  string
	edited   string // canonical action, where the reviewer changed its arguments
	digest   string // of the edited action
	circles  []int64
	evidence json.RawMessage // of the passkey
	source   string
}

func (p ballotPaper) by() change.Actor { return change.Actor{ID: p.person, Via: p.via} }

// DecideReview is a person's answer. Of two that would each decide, one wins, and the
// other learns how the request ended.
func (s *Service) DecideReview(ctx context.Context, tx *store.Tx, in schemas.DecideReviewRequest) (schemas.ReviewAnswer, error) {
	l, err := s.lockAsPerson(ctx, tx, in.RequestID, onlyPeople)
	if err != nil {
		return schemas.ReviewAnswer{}, err
	}
	paper, err := s.weigh(ctx, tx, l, in)
	if err != nil {
		return schemas.ReviewAnswer{}, err
	}
	if loops.Settings(l.loop).Passkey {
		if err := s.proven(ctx, tx, l, in, &paper); err != nil {
			return schemas.ReviewAnswer{}, err
		}
	}
	r, err := s.count(ctx, tx, l.request, paper)
	if err != nil {
		return schemas.ReviewAnswer{}, err
	}
	return s.answerWith(ctx, tx, r, schemas.Responded)
}

// BeginDecision checks a decision and begins the passkey ceremony that it needs: the
// assertion covers the request, its round, the action's digest, the answer and the edit.
func (s *Service) BeginDecision(ctx context.Context, tx *store.Tx, in schemas.DecideReviewRequest) (passkey.Ceremony, error) {
	l, err := s.lockAsPerson(ctx, tx, in.RequestID, onlyPeople)
	if err != nil {
		return passkey.Ceremony{}, err
	}
	if _, err := s.weigh(ctx, tx, l, in); err != nil {
		return passkey.Ceremony{}, err
	}
	return s.Passkeys.Begin(ctx, tx, l.caller.PersonID, "decide", assertedOf(l.request, in))
}

func assertedOf(r request, in schemas.DecideReviewRequest) string {
	return passkey.DecisionSubject(r.ID, int(r.Round), r.ActionDigest, in.ResponseData, in.EditedArguments)
}

// weigh checks everything about a decision but its passkey.
func (s *Service) weigh(ctx context.Context, tx *store.Tx, l locked, in schemas.DecideReviewRequest) (ballotPaper, error) {
	paper := ballotPaper{person: l.caller.PersonID, via: l.caller.Via, comment: in.Comment, source: schemas.SourceHuman}
	if l.In().Final() {
		return paper, s.life.Refusal(ctx, tx, l.request)
	}
	st, err := s.standingOf(ctx, tx, l.request, l.loop, l.caller.PersonID)
	switch {
	case err != nil:
		return paper, err
	case st.Why != "":
		return paper, schemas.Forbidden(st.Why)
	case l.Line.ClaimedBy != "" && l.Line.ClaimedBy != l.caller.PersonID:
		return paper, s.held(ctx, tx, l.request)
	}
	if err := sameThing(l.request, in); err != nil {
		return paper, err
	}
	paper.circles = st.Circles
	return paper, s.checkAnswer(l.request, in, &paper)
}

// sameThing makes sure that the decision is about what its maker looked at.
func sameThing(r request, in schemas.DecideReviewRequest) error {
	switch {
	case in.Round == 0 && r.Round > 1:
		return schemas.Invalid("round", fmt.Sprintf("is needed from the second round on: the number of the round that was looked at. Example: %d", r.Round))
	case in.Round != 0 && int64(in.Round) != r.Round:
		return conflict(r, fmt.Sprintf("The request is in round %d, and the decision names round %d. Look at it again, then decide on round %d.", r.Round, in.Round, r.Round))
	case in.Version == 0 && r.TextVersion > 0:
		return schemas.Invalid("version", fmt.Sprintf("is needed because the agent changed the request after it had asked: the version that was looked at. Example: %d", r.Line.Version))
	case in.Version < r.TextVersion:
		return conflict(r, fmt.Sprintf("The agent changed the request after version %d was looked at. Look at it again, then decide.", in.Version))
	case in.ActionDigest == "" && r.ActionDigest != "":
		return schemas.Invalid("action_digest", "is needed because the request has an action: send the action_digest of the action that was looked at")
	case in.ActionDigest != r.ActionDigest:
		return conflict(r, "The decision names another action than the one that waits. Look at the request again, then decide on its action_digest.")
	}
	return nil
}

func (s *Service) checkAnswer(r request, in schemas.DecideReviewRequest, paper *ballotPaper) error {
	spec, err := r.Spec()
	if err != nil {
		return err
	}
	var p check.Problems
	p.Text("comment", &paper.comment, 0, maxComment)
	if paper.answer, err = spec.Check("response_data", in.ResponseData); err != nil {
		if err = p.Take(err); err != nil {
			return err
		}
	}
	if r.IsProof() {
		paper.answer.Decision = meaningForTask(paper.answer.Value)
	}
	if len(in.EditedArguments) > 0 && len(p) == 0 {
		if err = p.Take(paper.edit(r, spec, in.EditedArguments)); err != nil {
			return err
		}
	}
	if r.TaskID.Valid && len(p) == 0 && paper.answer.Decision != schemas.Approved && paper.comment == "" {
		p.Add("comment", `must say why, because the one who did the task reads it. Example: "The signage is out of focus"`)
	}
	return p.Err()
}

// edit takes the arguments as the reviewer changed them. They are bound like the others:
// by the digest of the whole action.
func (p *ballotPaper) edit(r request, spec answer.Spec, arguments json.RawMessage) error {
	switch {
	case r.Action == "":
		return schemas.Invalid("edited_arguments", "is given, but the request has no action whose arguments could be changed")
	case !spec.AllowsEdits():
		return schemas.Invalid("edited_arguments", "is given, but this request can only be approved as it was asked: whoever asks cannot use changed arguments. Reject it and say in the comment what to change")
	case p.answer.Decision != schemas.Approved:
		return schemas.Invalid("edited_arguments", "only goes with an approval; the answer here is "+p.answer.Decision)
	case quorum.Several(r.Agreement()):
		return schemas.Invalid("edited_arguments", "is only possible where one person decides, since the others approve what was asked. Ask for changes instead")
	}
	edited := *ask.Action(r.Action)
	edited.Arguments = arguments
	_, text, digest, err := receipt.Digest(edited)
	var e *schemas.Error
	if errors.As(err, &e) {
		for i := range e.Fields {
			e.Fields[i].Field = strings.Replace(e.Fields[i].Field, "action.arguments", "edited_arguments", 1)
		}
	}
	if err == nil && digest != r.ActionDigest {
		p.edited, p.digest = string(text), digest
	}
	return err
}

// proven checks the passkey that a loop demands. A token of the command line is refused
// whatever comes with it: whoever has a shell here has that token.
func (s *Service) proven(ctx context.Context, tx *store.Tx, l locked, in schemas.DecideReviewRequest, paper *ballotPaper) error {
	switch {
	case l.caller.Via == "cli":
		return schemas.Forbidden("This loop takes decisions only with a passkey, and the command line has none. Open " + s.Page(l.ID) + " and decide there.")
	case in.Assertion == nil:
		return schemas.Forbidden("This loop takes decisions only with a passkey. Open " + s.Page(l.ID) + " and decide there.")
	}
	proof, err := s.Passkeys.Verify(ctx, tx, l.caller.PersonID, "decide", assertedOf(l.request, in), *in.Assertion)
	if err != nil {
		return err
	}
	enrolled, err := s.Passkeys.Enrolled(ctx, tx, l.loop.ID, proof.PasskeyID)
	if err == nil && !enrolled {
		err = schemas.Forbidden("This passkey is not enrolled in the loop. Use one that an owner has enrolled there.")
	}
	paper.via, paper.evidence = viaPasskey, proof.Evidence
	return err
}

// count writes an answer down and sees what the answers amount to.
func (s *Service) count(ctx context.Context, tx *store.Tx, r request, paper ballotPaper) (request, error) {
	if err := s.cast(ctx, tx, r, paper); err != nil {
		return r, err
	}
	v, votes, err := s.tally(ctx, tx, r)
	switch {
	case err != nil:
		return r, err
	case v.Decided:
		return s.close(ctx, tx, r, paper, v, votes)
	}
	return s.life.Move(ctx, tx, r, move{Event: Answer, By: paper.by(), With: Answered{Answers: len(votes)},
		Edit: func(r *request) { r.Step = v.Step }})
}

// tally is what the answers so far amount to.
func (s *Service) tally(ctx context.Context, tx *store.Tx, r request) (quorum.Verdict, []db.ReviewVote, error) {
	spec, err := r.Spec()
	if err != nil {
		return quorum.Verdict{}, nil, err
	}
	votes, err := tx.VotesInRound(ctx, db.VotesInRoundParams{ReviewID: r.ID, Round: r.Round})
	if err != nil {
		return quorum.Verdict{}, nil, err
	}
	list, err := ask.AskedOf(ctx, tx, r)
	return quorum.Outcome(ask.Circles(r, list), r.Agreement().Order, ask.Ballots(votes), quorum.MeaningOf(spec, json.RawMessage(r.DefaultResponse))), votes, err
}

// recount looks again at requests that somebody who left was asked to decide: their answer
// was dropped, and maybe nobody can agree any more.
func (s *Service) recount(ctx context.Context, tx *store.Tx, ids, dropped []string) error {
	for _, id := range ids {
		r, err := s.life.Lock(ctx, tx, id)
		if err != nil {
			return err
		}
		v, votes, err := s.tally(ctx, tx, r)
		if err != nil {
			return err
		}
		if slices.Contains(dropped, id) {
			r, err = s.life.Move(ctx, tx, r, move{Event: Answer, By: change.System, With: Answered{len(votes), "somebody who had answered left"},
				Edit: func(r *request) {
					if !v.Decided {
						r.Step = v.Step
					}
				}})
		}
		if err == nil && v.Decided {
			_, err = s.close(ctx, tx, r, ballotPaper{person: change.System.ID, via: change.System.Via}, v, votes)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// close ends the round with a verdict, where it may count.
func (s *Service) close(ctx context.Context, tx *store.Tx, r request, paper ballotPaper, v quorum.Verdict, votes []db.ReviewVote) (request, error) {
	if v.Source == schemas.SourcePolicy {
		counts, err := s.mayCount(ctx, tx, r, v.Answer)
		if err != nil {
			return r, err
		}
		if !counts {
			return s.lapse(ctx, tx, r, Timeout, "The answers cannot agree any more, and by now only a rejection may count without them in this loop.")
		}
	}
	return s.conclude(ctx, tx, r, paper, v, votes)
}

// cast keeps an answer for each circle in which it counts, once.
func (s *Service) cast(ctx context.Context, tx *store.Tx, r request, paper ballotPaper) error {
	var added int64
	for _, step := range paper.circles {
		n, err := tx.InsertReviewVote(ctx, db.InsertReviewVoteParams{
			ReviewID: r.ID, Round: r.Round, Step: step, PersonID: paper.person, Response: string(paper.answer.Data), Value: string(paper.answer.Value),
			Decision: paper.answer.Decision, Comment: paper.comment, EditedAction: paper.edited, Via: paper.via,
			Assertion: string(paper.evidence), CreatedAt: store.Micros(tx.Now()),
		})
		if err != nil {
			return err
		}
		added += n
	}
	if added == 0 {
		return conflict(r, "You have answered this request already. It waits for the others.")
	}
	return nil
}

// conclude ends the round with what people decided, and issues the receipt.
func (s *Service) conclude(ctx context.Context, tx *store.Tx, r request, paper ballotPaper, v quorum.Verdict, votes []db.ReviewVote) (request, error) {
	comment, err := s.comments(ctx, tx, r, v, votes)
	if err != nil {
		return r, err
	}
	moved, err := s.life.Move(ctx, tx, r, move{Event: Decide, By: paper.by(), With: concluded(r, paper, v, votes, comment),
		Edit: func(r *request) {
			r.Effective, r.Decision, r.ResponseSource = string(v.Answer.Value), v.Answer.Decision, v.Source
			if v.Source == schemas.SourcePolicy {
				r.DecidedVia = viaPolicy
				return
			}
			if paper.source == schemas.SourceSimulated {
				r.ResponseSource = schemas.SourceSimulated
			}
			r.Response, r.ResponseValue, r.Comment, r.EditedAction = string(v.Answer.Data), string(v.Answer.Value), comment, paper.edited
			r.DecidedBy.Valid, r.DecidedBy.String, r.DecidedVia = true, paper.person, paper.via
		}})
	if err != nil {
		return r, err
	}
	if err := s.issue(ctx, tx, moved, paper, v, votes); err != nil {
		return r, err
	}
	return moved, s.passOn(ctx, tx, moved, paper)
}

// comments are the words of those whose answers decided: of one as they are, of several
// with their names.
func (s *Service) comments(ctx context.Context, tx *store.Tx, r request, v quorum.Verdict, votes []db.ReviewVote) (string, error) {
	var parts []string
	for _, vote := range votes {
		if vote.Comment == "" || !decides(v, vote) {
			continue
		}
		if !quorum.Several(r.Agreement()) {
			return vote.Comment, nil
		}
		p, err := account.Person(ctx, tx, vote.PersonID)
		if err != nil {
			return "", err
		}
		parts = append(parts, p.Name+": "+vote.Comment)
	}
	return strings.Join(parts, "\n"), nil
}

func decides(v quorum.Verdict, vote db.ReviewVote) bool {
	for _, person := range v.By {
		if person == vote.PersonID {
			return true
		}
	}
	return false
}

// concluded has every answer: until now the trail only said that there was one.
func concluded(r request, paper ballotPaper, v quorum.Verdict, votes []db.ReviewVote, comment string) Concluded {
	out := Concluded{
		Decided: Decided{v.Answer.Decision, v.Source}, Value: v.Answer.Value, DecidedBy: v.By, Answers: make([]Vote, len(votes)),
		Comment: comment, ActionDigest: r.ActionDigest,
	}
	for i, a := range votes {
		out.Answers[i] = Vote{a.Step, a.PersonID, json.RawMessage(a.Value), a.Decision, a.Via}
	}
	if v.Source == schemas.SourceHuman && paper.source == schemas.SourceSimulated {
		out.Source = schemas.SourceSimulated
	}
	if paper.edited != "" {
		out.EditedDigest = paper.digest
	}
	return out
}

// issue signs the receipt of a decision about an action. Its audit_head is the hash of
// the entry of the decision itself.
func (s *Service) issue(ctx context.Context, tx *store.Tx, r request, paper ballotPaper, v quorum.Verdict, votes []db.ReviewVote) error {
	if r.Action == "" || v.Source != schemas.SourceHuman {
		return nil
	}
	out := schemas.Receipt{
		RequestID: r.ID, LoopID: r.LoopID, Round: int(r.Round), Mode: r.Mode, ActionDigest: r.ActionDigest, Decision: r.Decision,
		ResponseSource: r.ResponseSource, DecidedBy: v.By, DecidedVia: r.DecidedVia, DecidedAt: store.Time(r.EndedAt), AuditHead: r.Line.Head,
	}
	if paper.edited != "" {
		out.ActionDigest, out.OriginalActionDigest = paper.digest, r.ActionDigest
	}
	var evidence []json.RawMessage
	for _, vote := range votes {
		if vote.Assertion != "" && decides(v, vote) {
			evidence = append(evidence, json.RawMessage(vote.Assertion))
		}
	}
	if len(evidence) > 0 {
		out.Passkeys = json.RawMessage(store.JSON(evidence))
	}
	_, err := s.Receipts.Issue(ctx, tx, out)
	return err
}

// isAgent tells whether a caller is an agent's key.
func isAgent(c account.Caller) bool { return c.AgentID != "" }
