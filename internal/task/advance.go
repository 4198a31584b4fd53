package task

import (
	"context"
	"fmt"
	"strconv"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/event"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/ledger"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/webhook"
	"humanops-mcp/schemas"
)

// move is one event in a task's life, with who caused it and what changes beside the state.
type move struct {
	event  Event
	by     actor
	fits   bool             // of an accept
	former string           // the operator who no longer has it, to be told
	edit   func(t *db.Task) // columns that change with it
	data   map[string]any   // what the event tells beside from and to
}

// actor is who acts, and how.
type actor struct{ id, via string }

var (
	system   = actor{"system", "system"}
	timeout  = actor{"system", "timeout"}
	byItself = actor{"guardian", "guardian"}
)

func actorOf(c account.Caller) actor { return actor{c.ID(), c.Via} }

// advance moves a task on: one conditional update that only one caller can win, the
// money, the event and the jobs that follow, all in the same transaction.
func (s *Service) advance(ctx context.Context, tx *store.Tx, t db.Task, m move) (db.Task, error) {
	next, err := Life.Next(schemas.TaskStatus(t.Status), m.event, factsOf(t, m.fits))
	if err != nil {
		return t, s.inWords(err)
	}
	moved := t
	moved.Status = string(next)
	if m.edit != nil {
		m.edit(&moved)
	}
	enter(&moved, store.Micros(tx.Now()))
	if moved, err = s.save(ctx, tx, t, moved, m.by); err != nil {
		return t, err
	}
	if err := s.payUp(ctx, tx, moved); err != nil {
		return t, err
	}
	if err := s.record(ctx, tx, t, moved, m); err != nil {
		return t, err
	}
	return moved, s.follow(ctx, tx, t, moved, m)
}

// save writes the task if nobody else has moved it, as its next version. What an agent
// did itself is no news to it.
func (s *Service) save(ctx context.Context, tx *store.Tx, was, t db.Task, by actor) (db.Task, error) {
	t.Version = was.Version + 1
	if by.id == was.AgentID && was.SeenVersion == was.Version {
		t.SeenVersion = t.Version
	}
	t.UpdatedAt = store.Micros(tx.Now())
	n, err := tx.SaveTask(ctx, db.SaveTaskParams{
		Status: t.Status, Version: t.Version, SeenVersion: t.SeenVersion, UpdatedAt: t.UpdatedAt, Deadline: t.Deadline,
		OperatorID: t.OperatorID, EstimateID: t.EstimateID, EstimateMinutes: t.EstimateMinutes, EstimateNote: t.EstimateNote,
		EstimateState: t.EstimateState, Submission: t.Submission, ChangesRequested: t.ChangesRequested,
		GuardianRejections: t.GuardianRejections, FileCount: t.FileCount, AgentMessages: t.AgentMessages,
		OperatorMessages: t.OperatorMessages, AcceptedAt: t.AcceptedAt, StartBy: t.StartBy, StartedAt: t.StartedAt,
		SubmittedAt: t.SubmittedAt, ReviewSince: t.ReviewSince, VerifiedAt: t.VerifiedAt, PaidAt: t.PaidAt, EndedAt: t.EndedAt,
		ID: was.ID, FromStatus: was.Status, FromVersion: was.Version,
	})
	if err != nil || n == 1 {
		return t, err
	}
	now, err := tx.FindTask(ctx, was.ID)
	if err != nil {
		return t, err
	}
	return t, s.conflict(now, fmt.Sprintf("Somebody else was faster: the task is %s now. Look at it again before you go on.", s.word(now.Status)))
}

// payUp empties a finished task's escrow: to the operator when it is paid, back to the
// agent otherwise. There is no other way out of escrow.
func (s *Service) payUp(ctx context.Context, tx *store.Tx, t db.Task) (err error) {
	switch schemas.TaskStatus(t.Status) {
	case schemas.Paid:
		_, err = ledger.Release(ctx, tx, t.ID, t.Asset, t.OperatorID.String)
	case schemas.Cancelled, schemas.Expired:
		_, err = ledger.Refund(ctx, tx, t.ID, t.Asset, t.AgentID)
	default: // the escrow stays
	}
	return err
}

func (s *Service) record(ctx context.Context, tx *store.Tx, was, t db.Task, m move) error {
	data := map[string]any{"from": was.Status, "to": t.Status, "version": t.Version}
	for name, value := range m.data {
		data[name] = value
	}
	return event.Record(ctx, tx, event.Event{
		Kind: "task." + string(m.event), SubjectID: t.ID, AgentID: t.AgentID, Actor: m.by.id, Via: m.by.via, Data: data,
	})
}

// follow enqueues what comes of a change: the clock of the new state, the agent's
// webhook, the review that asks people, the notices to them, and in test mode the next
// simulated step.
func (s *Service) follow(ctx context.Context, tx *store.Tx, was, t db.Task, m move) error {
	if err := s.schedule(ctx, tx, t); err != nil {
		return err
	}
	if err := s.callBack(ctx, tx, was, t); err != nil {
		return err
	}
	if err := s.followReview(ctx, tx, was, t, m); err != nil {
		return err
	}
	if t.Mode == "test" {
		return s.scheduleSimulation(ctx, tx, t)
	}
	return s.tell(ctx, tx, t, m)
}

func (s *Service) callBack(ctx context.Context, tx *store.Tx, was, t db.Task) error {
	if t.CallbackUrl == "" || was.Status == t.Status {
		return nil
	}
	change := webhook.Args{TaskID: t.ID, Status: s.word(t.Status), PreviousStatus: s.word(was.Status)}
	return webhook.Kind.Enqueue(ctx, tx, change, job.Options{Owner: t.AgentID, Priority: job.PriorityOf(t.Mode)})
}

// timerArgs names the task whose clock has run out.
type timerArgs struct {
	TaskID string `json:"task_id"`
}

// schedule sets the task's next clock. The key carries the time, so that a clock that
// has moved is set again, and the same one only once.
func (s *Service) schedule(ctx context.Context, tx *store.Tx, t db.Task) error {
	_, at := nextClock(t, s.silences)
	if at == 0 {
		return nil
	}
	return timerKind.Enqueue(ctx, tx, timerArgs{t.ID}, job.Options{
		Owner: t.AgentID, Priority: job.PriorityOf(t.Mode),
		RunAt: store.Time(at), UniqueKey: "task.timer:" + t.ID + ":" + strconv.FormatInt(at, 10),
	})
}
