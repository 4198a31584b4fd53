package task

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/photo"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// In test mode simulated operators do the task, a simulated Guardian looks at it, and a
// simulated owner settles disputes, one step after the other. What happens depends on
// the task alone; words in the title steer it to the other states.
const (
	simulateNobody   = "[simulate: nobody]"   // nobody accepts: POSTED until it is EXPIRED
	simulateEstimate = "[simulate: estimate]" // the estimate is too long: ESTIMATE_PENDING until the agent answers
	simulateNoShow   = "[simulate: no-show]"  // ACCEPTED, never started, and back to POSTED
	simulateSilent   = "[simulate: silent]"   // IN_PROGRESS, never submitted: EXPIRED
	simulateQuestion = "[simulate: question]" // asks something and submits once the agent has answered
	simulateUnsure   = "[simulate: unsure]"   // Guardian is unsure: MANUAL_REVIEW; rejected there: DISPUTED, then refunded
	simulateReject   = "[simulate: reject]"   // Guardian rejects twice: IN_PROGRESS again; then MANUAL_REVIEW
)

const simulatedPhotos = 4 // at most, one for each requirement

// step is what a simulated person does next.
type step string

const (
	stepNone    step = ""
	stepAccept  step = "accept"
	stepStart   step = "start"
	stepAsk     step = "ask"
	stepSubmit  step = "submit"
	stepVerdict step = "verdict"
	stepRefund  step = "refund"
)

// nextStep is the rule of the simulation.
func nextStep(t task) step {
	title := strings.ToLower(t.Title)
	is := func(word string) bool { return strings.Contains(title, word) }
	switch schemas.TaskStatus(t.Status) {
	case schemas.Posted:
		if is(simulateNobody) || is(simulateNoShow) && t.line.Version > 1 {
			return stepNone
		}
		return stepAccept
	case schemas.Accepted:
		if is(simulateNoShow) {
			return stepNone
		}
		return stepStart
	case schemas.InProgress:
		return workStep(t, is)
	case schemas.Submitted:
		return stepVerdict
	case schemas.Disputed:
		return stepRefund
	default: // it is over, or the agent's turn
		return stepNone
	}
}

func workStep(t task, is func(string) bool) step {
	switch {
	case is(simulateSilent):
		return stepNone
	case is(simulateQuestion) && t.OperatorMessages == 0:
		return stepAsk
	case is(simulateQuestion) && t.AgentMessages == 0:
		return stepNone
	}
	return stepSubmit
}

// stepArgs name the state in which the step is to be taken.
type stepArgs struct {
	TaskID string `json:"task_id"`
	Status string `json:"status"`
}

// scheduleSimulation has the next step follow. A verdict waits for the photos' copies.
func (s *Service) scheduleSimulation(ctx context.Context, tx *store.Tx, t task) error {
	if schemas.TaskStatus(t.Status) == schemas.Submitted {
		return nil
	}
	return s.simulateNext(ctx, tx, t)
}

func (s *Service) simulateNext(ctx context.Context, tx *store.Tx, t task) error {
	if nextStep(t) == stepNone {
		return nil
	}
	return simulateKind.Enqueue(ctx, tx, stepArgs{t.ID, t.Status}, job.Options{
		Owner: t.AgentID, Priority: job.PriorityOf(t.Mode),
		RunAt: tx.Now().Add(s.cfg.SimulatedStep), UniqueKey: "task.simulate:" + t.ID + ":" + strconv.FormatInt(t.line.Version, 10),
	})
}

// simulate takes one step. Photos are drawn before the transaction that uses them.
func (s *Service) simulate(ctx context.Context, j job.Job[stepArgs]) (job.Finish, error) {
	args := j.Args
	var t task
	err := s.Store.Read(ctx, func(tx *store.Tx) (err error) {
		t, err = s.life.Find(ctx, tx, args.TaskID)
		return err
	})
	if err != nil || t.Status != args.Status || t.Mode != account.Test {
		return nil, err
	}
	var photos []staged
	if nextStep(t) == stepSubmit {
		if photos, err = s.stage(ctx, simulatedFiles(t)); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context, tx *store.Tx) error {
		t, err := s.life.Lock(ctx, tx, args.TaskID)
		if err != nil || t.Status != args.Status {
			return err
		}
		return s.take(ctx, tx, t, photos)
	}, nil
}

func (s *Service) take(ctx context.Context, tx *store.Tx, t task, photos []staged) (err error) {
	by := change.Actor{ID: t.OperatorID.String, Via: "system"}
	switch nextStep(t) {
	case stepAccept:
		err = s.simulateAccept(ctx, tx, t)
	case stepStart:
		_, err = s.life.Move(ctx, tx, t, move{Event: Start, By: by})
	case stepAsk:
		question := schemas.PostMessageRequest{TaskID: t.ID, Text: "Simulated question: shall I also photograph the back?"}
		_, err = s.write(ctx, tx, t, message{question, "operator", by})
	case stepSubmit:
		proof := schemas.SubmitProofRequest{TaskID: t.ID, Note: "Simulated: nobody was there. " + t.Address}
		_, err = s.submit(ctx, tx, t, proof, photos, by)
	case stepVerdict:
		_, err = s.applyVerdict(ctx, tx, t, simulatedVerdict(t, tx.Now()))
	case stepRefund:
		d := schemas.Decision{Decision: schemas.ProofRefund, Reasons: []string{"Simulated: the owner refunds."}, DecidedBy: "simulated owner", DecidedVia: "page", DecidedAt: tx.Now()}
		err = s.decide(ctx, tx, t, d, change.System)
	case stepNone:
	}
	return err
}

func (s *Service) simulateAccept(ctx context.Context, tx *store.Tx, t task) error {
	now, deadline := tx.Now(), store.Time(t.Deadline)
	if !now.Before(deadline) {
		return nil
	}
	people, err := s.Accounts.Simulated(ctx, tx)
	if err != nil {
		return err
	}
	who := people[(seed(t)+uint64(t.line.Version))%uint64(len(people))].ID
	if t.AssignTo.Valid {
		who = t.AssignTo.String
	}
	_, err = s.accept(ctx, tx, t, who, change.Actor{ID: who, Via: "system"}, simulatedEstimate(t, now), "Simulated estimate")
	return err
}

// simulatedAssignee is the simulated person who was named, or the first of them standing
// in for whoever was. Real people are not looked at: a test key, which anybody gets,
// learns no names.
func (s *Service) simulatedAssignee(ctx context.Context, tx *store.Tx, idOrName string) (db.Person, error) {
	people, err := s.Accounts.Simulated(ctx, tx)
	if err != nil {
		return db.Person{}, err
	}
	named := people[0]
	for _, p := range people {
		if p.ID == idOrName || strings.EqualFold(p.Name, idOrName) {
			named = p
		}
	}
	return db.Person{ID: named.ID, Name: named.Name, IsOperator: true, Simulated: true}, nil
}

// simulatedEstimate is between a quarter and three quarters of an hour, or none when
// that would not fit and the agent has not asked to be asked.
func simulatedEstimate(t task, now time.Time) int64 {
	minutes := int64(15 + seed(t)%31)
	switch {
	case strings.Contains(strings.ToLower(t.Title), simulateEstimate):
		return int64(store.Time(t.Deadline).Sub(now)/time.Minute) + 60
	case t.EstimateApproval == "auto" && !fits(minutes, "auto", now, store.Time(t.Deadline)):
		return 0
	}
	return minutes
}

// seed makes the simulation the same each time for the same task.
func seed(t task) uint64 {
	n, err := strconv.ParseUint(t.ContentHash[:min(len(t.ContentHash), 15)], 16, 64)
	if err != nil {
		return 1
	}
	return n
}

// simulatedFiles draws a photo for each requirement when it is opened.
func simulatedFiles(t task) []schemas.File {
	wanted := requirements(t)
	wanted = wanted[:min(len(wanted), simulatedPhotos)]
	files := make([]schemas.File, len(wanted))
	for i, requirement := range wanted {
		lines := []string{t.Title, requirement, t.Address, fmt.Sprintf("Photo %d of %d, submission %d", i+1, len(wanted), t.Submission+1)}
		number := seed(t) + uint64(t.Submission)*simulatedPhotos + uint64(i)
		files[i] = schemas.File{Name: fmt.Sprintf("simulated-%d.jpg", i+1), Open: func() (io.ReadCloser, error) {
			raw, err := photo.Simulated(number, lines)
			return io.NopCloser(bytes.NewReader(raw)), err
		}}
	}
	return files
}

func simulatedVerdict(t task, now time.Time) schemas.Verdict {
	v := schemas.Verdict{Decision: "approved", Confidence: 97, Method: "simulated", CheckedAt: now, Reasons: []string{"Simulated: every requirement is met."}}
	switch title := strings.ToLower(t.Title); {
	case strings.Contains(title, simulateUnsure):
		v.Decision, v.Confidence, v.Reasons = "unsure", 70, []string{"Simulated: one photo could show something else."}
	case strings.Contains(title, simulateReject):
		v.Decision, v.Confidence, v.Reasons = "rejected", 30, []string{"Simulated: the photos do not show what was asked for."}
	}
	for _, requirement := range requirements(t) {
		v.Findings = append(v.Findings, schemas.Finding{Requirement: requirement, Score: v.Confidence, Reason: v.Reasons[0]})
	}
	return v
}
