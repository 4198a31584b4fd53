package review

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/check"
	"humanops-mcp/internal/ident"
	loops "humanops-mcp/internal/loop"
	"humanops-mcp/internal/review/ask"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// proofTime is how long a proof waits for people when its task sets no time.
const proofTime = 30 * 24 * time.Hour

// maxReasons is how many reasons a decision on a task may have.
const maxReasons = 20

// The answers about a submission, and about a task in dispute.
var proofConfig, disputeConfig = answersOf(schemas.ProofDecisionsOn(false)), answersOf(schemas.ProofDecisionsOn(true))

func answersOf(list []schemas.ProofDecision) string {
	type option struct {
		Value       string `json:"value"`
		Label       string `json:"label"`
		Description string `json:"description"`
	}
	var config struct {
		Options []option `json:"options"`
	}
	for _, d := range list {
		config.Options = append(config.Options, option{d.Word, d.Label, d.Effect})
	}
	return store.JSON(config)
}

// TaskReview is a task's submission that people have to decide on.
type TaskReview struct {
	TaskID, AgentID, Title, Text string
	Submission                   int
	Disputed                     bool // only owners decide
	ExpiresAt                    time.Time
}

// TaskDecision is what a person decided on a submission.
type TaskDecision struct {
	TaskID     string
	Submission int
	Decision   string // the word of a schemas.ProofDecision
	Reasons    []string
	By         change.Actor
}

// DecideTask moves a task on after a person decided its review, in the same transaction.
// The task's row is locked already. What it refuses undoes the decision.
type DecideTask func(ctx context.Context, tx *store.Tx, in TaskDecision) error

// OnTaskDecision says who moves tasks on. It is set once, before anything is decided.
func (s *Service) OnTaskDecision(f DecideTask) { s.onDecided = f }

// OpenForTask asks the people of the proof loop about a submission. A review of the same
// task that is still open ends first. The caller has the task's lock.
func (s *Service) OpenForTask(ctx context.Context, tx *store.Tx, in TaskReview) error {
	loop, err := loops.Proof(ctx, tx)
	if err != nil {
		return fmt.Errorf("find the loop of proofs: %w", err)
	}
	if err := s.CloseForTask(ctx, tx, in.TaskID, change.System, "A newer question about the task took its place.", ""); err != nil {
		return err
	}
	r := proofRow(loop, in, tx.Now())
	asked, err := s.chooseForProof(ctx, tx, loop, &r)
	if err != nil {
		return err
	}
	s.setClocks(loop, &r, tx.Now(), false)
	if r, err = s.insert(ctx, tx, r, asked); err != nil {
		return err
	}
	for _, g := range asked {
		if err := s.ask(ctx, tx, r, g.people, g.step); err != nil {
			return err
		}
	}
	return nil
}

func proofRow(loop db.Loop, in TaskReview, now time.Time) request {
	if in.ExpiresAt.IsZero() {
		in.ExpiresAt = now.Add(proofTime)
	}
	config, kind := proofConfig, "Proof to look at: "
	if in.Disputed {
		config, kind = disputeConfig, "In dispute: "
	}
	at, title := store.Micros(now), cut(kind+check.OneLine(in.Title), ask.MaxTitle)
	r := db.Review{
		ID: ident.Hex(), LoopID: loop.ID, AgentID: in.AgentID, Mode: account.Live, Status: string(schemas.ReviewPending), Round: 1, Disputed: in.Disputed,
		ProcessingType: ask.Deferred, Type: "markdown", Priority: "high", PriorityRank: ask.PriorityRank("high"),
		Title: title, RequestText: cut(in.Text, ask.MaxQuestion), SearchText: searchText(title, in.Text), Media: "{}", Platform: "api",
		ResponseType: "single_select", ResponseConfig: config, OnTimeout: "cancel", TimeoutSeconds: int64(in.ExpiresAt.Sub(now).Seconds()),
		Tags: "[]", TaskSubmission: int64(in.Submission), ContentHash: ident.Hash(fmt.Sprintf("%s:%d:%t", in.TaskID, in.Submission, in.Disputed)),
		TimeoutAt: store.Micros(in.ExpiresAt), CreatedAt: at, RoundAt: at, UpdatedAt: at,
	}
	r.TaskID.Valid, r.TaskID.String = true, in.TaskID
	return fresh(r)
}

func cut(text string, most int) string {
	letters := []rune(text)
	return string(letters[:min(len(letters), most)])
}

// chooseForProof asks the proof loop, and about a dispute the owners alone. Nobody being
// there is no reason to refuse: the task's own clock goes on.
func (s *Service) chooseForProof(ctx context.Context, tx *store.Tx, loop db.Loop, r *request) ([]group, error) {
	if r.Disputed {
		r.Restricted = true
		people, err := s.Loops.Named(ctx, tx, loop, []string{"owner"})
		return []group{{people: people, reason: ask.ReasonEscalated}}, err
	}
	people, err := s.Loops.Active(ctx, tx, loop.ID)
	return []group{{people: people, reason: ask.ReasonLoop}}, err
}

// CloseForTask ends the open review of a task that was decided elsewhere: by a person it
// is completed with their decision, otherwise it is cancelled and says why. The caller
// has the task's lock.
func (s *Service) CloseForTask(ctx context.Context, tx *store.Tx, taskID string, by change.Actor, why, decision string) error {
	id, err := tx.OpenReviewOfTask(ctx, taskID)
	if store.NotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	r, err := s.life.Lock(ctx, tx, id)
	if err != nil || r.In().Final() { // its own clock may have rung at the same moment
		return err
	}
	if decision == "" || !schemas.KindOperator.Owns(by.ID) {
		_, err = s.life.Move(ctx, tx, r, move{Event: Cancel, By: by, With: Ended{why}, Edit: cancelled(by, why)})
		return err
	}
	spec, err := r.Spec()
	if err != nil {
		return err
	}
	a, err := spec.Check("decision", []byte(store.JSON(decision)))
	if err != nil {
		return err
	}
	_, err = s.life.Move(ctx, tx, r, move{Event: Decide, By: by, With: Decided{decision, schemas.SourceHuman}, Edit: func(r *request) {
		r.Response, r.ResponseValue, r.Effective = string(a.Data), string(a.Value), string(a.Value)
		r.Decision, r.ResponseSource, r.Comment = meaningForTask(a.Value), schemas.SourceHuman, why
		r.DecidedBy.Valid, r.DecidedBy.String, r.DecidedVia = true, by.ID, by.Via
	}})
	return err
}

// meaningForTask is what a decision on a task means to its review.
func meaningForTask(value json.RawMessage) string {
	var word string
	store.ReadJSON(string(value), &word)
	d, _ := schemas.FindProofDecision(word)
	return d.Means
}

// passOn moves the task on whose review was decided.
func (s *Service) passOn(ctx context.Context, tx *store.Tx, r request, paper ballotPaper) error {
	if !r.IsProof() || s.onDecided == nil {
		return nil
	}
	var decision string
	store.ReadJSON(r.ResponseValue, &decision)
	d := TaskDecision{TaskID: r.TaskID.String, Submission: int(r.TaskSubmission), Decision: decision, By: paper.by()}
	d.Reasons = reasonsIn(paper.comment)
	return s.onDecided(ctx, tx, d)
}

// reasonsIn are the reasons in a comment: one for each line. Nothing of it is lost: a line
// that is too long is several reasons, and lines that are too many share them.
func reasonsIn(comment string) []string {
	var lines []string
	for line := range strings.Lines(comment) {
		lines = append(lines, broken([]rune(strings.TrimSpace(line)))...)
	}
	if len(lines) <= maxReasons {
		return lines
	}
	packed := []string{lines[0]}
	for _, line := range lines[1:] {
		last := &packed[len(packed)-1]
		if joined := *last + "\n" + line; utf8.RuneCountInString(joined) <= ask.MaxReason {
			*last = joined
			continue
		}
		packed = append(packed, line)
	}
	return packed
}

// broken is a line in parts that each may be a reason, broken between words where it can be.
func broken(line []rune) (parts []string) {
	for len(line) > ask.MaxReason {
		end := ask.MaxReason
		for i := end; i > 0; i-- {
			if unicode.IsSpace(line[i]) {
				end = i
				break
			}
		}
		parts, line = append(parts, strings.TrimSpace(string(line[:end]))), []rune(strings.TrimSpace(string(line[end:])))
	}
	if len(line) > 0 {
		parts = append(parts, string(line))
	}
	return parts
}

// OfTask is the review in which a task's proof is decided, and whether it is open: the open
// one, else the newest; "" when there never was one.
func (s *Service) OfTask(ctx context.Context, tx *store.Tx, taskID string) (id string, open bool, err error) {
	r, err := tx.ReviewOfTask(ctx, taskID)
	if store.NotFound(err) {
		return "", false, nil
	}
	return r.ID, r.EndedAt == 0, err
}

// AboutProof tells which submission a review is about, and whether it settles a dispute. It
// is for whoever may see the review: that is not asked here.
func (s *Service) AboutProof(ctx context.Context, tx *store.Tx, id string) (submission int, disputed bool, err error) {
	r, err := s.life.Find(ctx, tx, id)
	return int(r.TaskSubmission), r.Disputed, err
}

// OpenAbout tells which of some tasks have an open review.
func (s *Service) OpenAbout(ctx context.Context, tx *store.Tx, taskIDs []string) (map[string]bool, error) {
	rows, err := tx.OpenReviewsOfTasks(ctx, store.IDs(taskIDs))
	open := map[string]bool{}
	for _, row := range rows {
		open[row.TaskID] = true
	}
	return open, err
}
