package task

import (
	"context"
	"fmt"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/check"
	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/keyset"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// PostMessage writes to the operator who has the task.
func (s *Service) PostMessage(ctx context.Context, tx *store.Tx, in schemas.PostMessageRequest) (schemas.Message, error) {
	if err := checkMessage(&in); err != nil {
		return schemas.Message{}, err
	}
	t, c, err := s.lockOwn(ctx, tx, in.TaskID)
	if err != nil {
		return schemas.Message{}, err
	}
	if !t.OperatorID.Valid {
		return schemas.Message{}, s.conflict(t, "No operator has the task (it is "+s.word(t.Status)+"), so nobody would read the message. Write once somebody has accepted it.")
	}
	return s.write(ctx, tx, t, message{in, "agent", c.Actor()})
}

// PostOperatorMessage asks the agent something, or answers it.
func (s *Service) PostOperatorMessage(ctx context.Context, tx *store.Tx, in schemas.PostMessageRequest) (schemas.Message, error) {
	if err := checkMessage(&in); err != nil {
		return schemas.Message{}, err
	}
	t, c, err := s.lockHeld(ctx, tx, in.TaskID)
	if err != nil {
		return schemas.Message{}, err
	}
	return s.write(ctx, tx, t, message{in, "operator", c.Actor()})
}

type message struct {
	schemas.PostMessageRequest
	sender string
	by     change.Actor
}

// count is how many messages its side has written.
func (m message) count(t *task) *int64 {
	if m.sender == "operator" {
		return &t.OperatorMessages
	}
	return &t.AgentMessages
}

func checkMessage(in *schemas.PostMessageRequest) error {
	var p check.Problems
	p.Text("text", &in.Text, 1, maxText)
	return p.Err()
}

// write adds the message and moves the task's version on, so that whoever waits hears of it.
func (s *Service) write(ctx context.Context, tx *store.Tx, t task, m message) (schemas.Message, error) {
	if schemas.TaskStatus(t.Status).Final() {
		return schemas.Message{}, s.conflict(t, "The task is over ("+s.word(t.Status)+"), so no more messages can be written.")
	}
	if *m.count(&t) >= maxMessages {
		return schemas.Message{}, s.conflict(t, fmt.Sprintf("Each side may write %d messages on a task, and these are used up.", maxMessages))
	}
	if err := s.checkReply(ctx, tx, t, m.ReplyTo); err != nil {
		return schemas.Message{}, err
	}
	written := db.InsertMessageParams{
		ID: ident.New("msg_"), TaskID: t.ID, Sender: m.sender, AuthorID: m.by.ID, Body: m.Text, ReplyTo: nullText(m.ReplyTo), CreatedAt: store.Micros(tx.Now()),
	}
	if err := tx.InsertMessage(ctx, written); err != nil {
		return schemas.Message{}, err
	}
	moved, err := s.life.Note(ctx, tx, t, change.Note[task]{
		Kind: "message", By: m.by, With: Wrote{written.ID, m.sender}, News: true, Edit: func(t *task) { *m.count(t)++ },
	})
	if err != nil {
		return schemas.Message{}, err
	}
	view := messageView(db.Message(written))
	account.MarkTest(&view.Sandboxed, t.Mode)
	return view, s.tellMessage(ctx, tx, moved, m.sender)
}

func (s *Service) checkReply(ctx context.Context, tx *store.Tx, t task, id string) error {
	if id == "" {
		return nil
	}
	to, err := tx.FindMessage(ctx, id)
	if store.NotFound(err) || err == nil && to.TaskID != t.ID {
		return schemas.Invalid("reply_to", "must be the message_id of a message on this task; got "+check.Quote(id, maxShown))
	}
	return err
}

// ListMessages lists a task's messages, oldest first.
func (s *Service) ListMessages(ctx context.Context, tx *store.Tx, in schemas.ListMessagesRequest) (schemas.Page[schemas.Message], error) {
	c := account.From(ctx)
	t, err := s.life.Find(ctx, tx, in.TaskID)
	if store.NotFound(err) || err == nil && !c.SeesTasksOf(t.AgentID, t.Mode) && !holds(c, t) {
		return schemas.Page[schemas.Message]{}, noTask(in.TaskID)
	}
	if err != nil {
		return schemas.Page[schemas.Message]{}, err
	}
	w, err := oldestFirst.Window(in.PageRequest)
	if err != nil {
		return schemas.Page[schemas.Message]{}, err
	}
	rows, err := tx.ListTaskMessages(ctx, db.ListTaskMessagesParams{TaskID: t.ID, After: w.At.Time, AfterID: w.At.ID, RowLimit: w.Limit + 1, RowOffset: w.Offset})
	if err != nil {
		return schemas.Page[schemas.Message]{}, err
	}
	at := func(m db.Message) keyset.Position { return keyset.At(m.CreatedAt, m.ID) }
	out := keyset.Page(w, t.AgentMessages+t.OperatorMessages, rows, at, messageView)
	account.MarkTest(&out.Sandboxed, t.Mode)
	return out, nil
}
