package task

import (
	"context"
	"fmt"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/check"
	"humanops-mcp/internal/event"
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
	t, c, err := lockOwn(ctx, tx, in.TaskID)
	if err != nil {
		return schemas.Message{}, err
	}
	if !t.OperatorID.Valid {
		return schemas.Message{}, s.conflict(t, "No operator has the task (it is "+s.word(t.Status)+"), so nobody would read the message. Write once somebody has accepted it.")
	}
	return s.write(ctx, tx, t, message{in, "agent", actorOf(c)})
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
	return s.write(ctx, tx, t, message{in, "operator", actorOf(c)})
}

type message struct {
	schemas.PostMessageRequest
	sender string
	by     actor
}

func checkMessage(in *schemas.PostMessageRequest) error {
	var p check.Problems
	p.Text("text", &in.Text, 1, maxText)
	return p.Err()
}

// write adds the message and moves the task's version on, so that whoever waits hears of it.
func (s *Service) write(ctx context.Context, tx *store.Tx, t db.Task, m message) (schemas.Message, error) {
	if schemas.TaskStatus(t.Status).Final() {
		return schemas.Message{}, s.conflict(t, "The task is over ("+s.word(t.Status)+"), so no more messages can be written.")
	}
	moved := t
	count := &moved.AgentMessages
	if m.sender == "operator" {
		count = &moved.OperatorMessages
	}
	if *count++; *count > maxMessages {
		return schemas.Message{}, s.conflict(t, fmt.Sprintf("Each side may write %d messages on a task, and these are used up.", maxMessages))
	}
	if err := s.checkReply(ctx, tx, t, m.ReplyTo); err != nil {
		return schemas.Message{}, err
	}
	written := db.Message{ID: ident.New("msg_"), TaskID: t.ID, Sender: m.sender, AuthorID: m.by.id, Body: m.Text, ReplyTo: nullText(m.ReplyTo), CreatedAt: store.Micros(tx.Now())}
	if err := tx.InsertMessage(ctx, db.InsertMessageParams(written)); err != nil {
		return schemas.Message{}, err
	}
	moved, err := s.save(ctx, tx, t, moved, m.by)
	if err != nil {
		return schemas.Message{}, err
	}
	err = event.Record(ctx, tx, event.Event{Kind: "task.message", SubjectID: t.ID, AgentID: t.AgentID, Actor: m.by.id, Via: m.by.via,
		Data: map[string]any{"message_id": written.ID, "from": m.sender, "version": moved.Version}})
	if err != nil {
		return schemas.Message{}, err
	}
	view := messageView(written)
	markIfTest(&view.Sandboxed, t)
	return view, s.tellMessage(ctx, tx, moved, m.sender)
}

func (s *Service) checkReply(ctx context.Context, tx *store.Tx, t db.Task, id string) error {
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
	t, err := tx.FindTask(ctx, in.TaskID)
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
	markIfTest(&out.Sandboxed, t)
	return out, nil
}
