package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"github.com/pressly/goose/v3"

	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/trail"
	"humanops-mcp/schemas"
)

// chainsVersion is the migration that SQL alone cannot do: it makes chains of the events
// that tasks have had, and deliveries of the callbacks that are on their way.
const chainsVersion = 6

// chains is that migration, in the placeholders of one database.
func chains(dialect goose.Dialect) *goose.Migration {
	return goose.NewGoMigration(chainsVersion, &goose.GoFunc{RunTx: upgradeOn(dialect).run}, nil)
}

// upgradeOn is an upgrade in the placeholders of a database.
func upgradeOn(dialect goose.Dialect) upgrade {
	if dialect == goose.DialectSQLite3 {
		return upgrade{text: sqliteText}
	}
	return upgrade{text: func(text string) string { return text }}
}

type upgrade struct {
	text func(string) string
	tx   *sql.Tx
}

func (u upgrade) run(ctx context.Context, tx *sql.Tx) error {
	u.tx = tx
	if err := u.chainTasks(ctx); err != nil {
		return wrap("making the trails of tasks", err)
	}
	if err := u.planCallbacks(ctx); err != nil {
		return wrap("planning the callbacks of tasks", err)
	}
	return u.exec(ctx, "DROP TABLE events")
}

func (u upgrade) exec(ctx context.Context, text string, args ...any) error {
	_, err := u.tx.ExecContext(ctx, u.text(text), args...)
	return err
}

// collect reads all rows of a query.
func collect[T any](ctx context.Context, u upgrade, scan func(*sql.Rows) (T, error), text string, args ...any) (list []T, err error) {
	rows, err := u.tx.QueryContext(ctx, u.text(text), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		item, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	return list, rows.Err()
}

// chainTasks goes through the tasks in slices, so that the memory it takes does not grow
// with their number.
func (u upgrade) chainTasks(ctx context.Context) error {
	for after := ""; ; {
		tasks, err := collect(ctx, u, scanTask, "SELECT id, state, version, updated_at FROM subjects WHERE kind = 'task' AND id > $1 ORDER BY id LIMIT 500", after)
		if err != nil || len(tasks) == 0 {
			return err
		}
		for _, t := range tasks {
			if err := u.chainTask(ctx, t); err != nil {
				return err
			}
		}
		after = tasks[len(tasks)-1].id
	}
}

// pastTask is a task as the upgrade found it.
type pastTask struct {
	id, state          string
	version, updatedAt int64
}

func scanTask(rows *sql.Rows) (t pastTask, err error) {
	err = rows.Scan(&t.id, &t.state, &t.version, &t.updatedAt)
	return t, err
}

// pastEvent is an event as it was kept before there were trails.
type pastEvent struct {
	schemas.AuditEntry
	seq     sql.NullInt64
	version int64  // of the task, which orders the events of one moment
	to      string // the state it led to, "" for none
}

func scanEvent(rows *sql.Rows) (e pastEvent, err error) {
	var data string
	var at int64
	if err = rows.Scan(&e.EventID, &e.seq, &e.Kind, &e.Actor, &e.Via, &data, &at); err != nil {
		return e, err
	}
	var known struct {
		Version int64
		To      string
	}
	if json.Unmarshal([]byte(data), &known) == nil {
		e.version, e.to = known.Version, known.To
	}
	e.Data, e.At = json.RawMessage(data), Time(at)
	return e, nil
}

func (u upgrade) chainTask(ctx context.Context, t pastTask) error {
	id := t.id
	events, err := collect(ctx, u, scanEvent, "SELECT id, seq, kind, actor, via, data, created_at FROM events WHERE subject_id = $1", id)
	if err != nil || len(events) == 0 {
		return err
	}
	slices.SortFunc(events, func(a, b pastEvent) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.version, b.version), cmp.Compare(a.EventID, b.EventID))
	})
	events = append(events, foundOtherwise(t, events)...)
	head := ""
	for n, e := range events {
		if head, err = u.chainEvent(ctx, id, n, head, e); err != nil {
			return wrap("event "+e.EventID+" of "+id, err)
		}
	}
	return u.exec(ctx, "UPDATE subjects SET entries = $1, head = $2 WHERE id = $3", len(events), head, id)
}

// foundOtherwise is an entry of the upgrade's own, for a task that is not in the state that
// its last event led to: somebody changed it by hand. From here on a trail ends in the state
// of its subject.
func foundOtherwise(t pastTask, events []pastEvent) []pastEvent {
	last := t.state
	for _, e := range events {
		last = cmp.Or(e.to, last)
	}
	if last == t.state {
		return nil
	}
	data := JSON(map[string]any{"from": last, "to": t.state, "version": t.version})
	return []pastEvent{{AuditEntry: schemas.AuditEntry{
		EventID: ident.New("ev_"), Kind: "task.found", Actor: "system", Via: "system", At: Time(t.updatedAt), Data: json.RawMessage(data),
	}}}
}

// chainEvent makes an event the entry after the n-th one, whose hash is head, and gives its hash.
func (u upgrade) chainEvent(ctx context.Context, id string, n int, head string, e pastEvent) (string, error) {
	entry, err := trail.Link(n, head, e.AuditEntry)
	if err != nil {
		return "", err
	}
	return entry.Hash, u.exec(ctx, `INSERT INTO trail (subject_id, n, event_id, seq, kind, actor, via, data, previous, hash, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		id, entry.N, e.EventID, e.seq, e.Kind, e.Actor, e.Via, string(e.Data), entry.Previous, entry.Hash, Micros(e.At))
}

// pastCallback is a change of a task's status on its way to the task's address.
type pastCallback struct {
	jobID    string
	lane     string
	priority int64
	attempts int64
	runAt    int64
	args     struct {
		TaskID         string    `json:"task_id"`
		EventID        string    `json:"event_id"`
		Status         string    `json:"status"`
		PreviousStatus string    `json:"previous_status"`
		At             time.Time `json:"at"`
	}
}

func scanCallback(rows *sql.Rows) (c pastCallback, err error) {
	var args string
	var createdAt int64
	if err = rows.Scan(&c.jobID, &c.lane, &c.priority, &args, &c.attempts, &c.runAt, &createdAt); err != nil {
		return c, err
	}
	if err = json.Unmarshal([]byte(args), &c.args); err != nil {
		return c, wrap("arguments of job "+c.jobID, err)
	}
	c.args.EventID = cmp.Or(c.args.EventID, c.jobID)
	if c.args.At.IsZero() {
		c.args.At = Time(createdAt)
	}
	return c, nil
}

func (u upgrade) planCallbacks(ctx context.Context) error {
	waiting, err := collect(ctx, u, scanCallback,
		"SELECT id, lane, priority, args, attempts, run_at, created_at FROM jobs WHERE kind IN ('webhook', 'webhook.deliver') AND state <> 'failed' ORDER BY id")
	if err != nil {
		return err
	}
	for _, c := range waiting {
		if err := u.planCallback(ctx, c); err != nil {
			return wrap("job "+c.jobID, err)
		}
		if err := u.exec(ctx, "DELETE FROM jobs WHERE id = $1 AND EXISTS (SELECT 1 FROM subjects WHERE id = $2)", c.jobID, c.args.TaskID); err != nil {
			return err
		}
	}
	return nil
}

// What a callback becomes. The index of subjects' webhooks is for those that have one: a
// query has to say so, or reads all webhooks for each callback.
const (
	deliverCallback = `INSERT INTO webhook_deliveries (id, webhook_id, subject_id, event_id, event, body, state, attempts, created_at)
SELECT $1, w.id, w.subject_id, $2, 'task.status_changed', $3, 'waiting', $4, $5 FROM webhooks w WHERE w.subject_id = $6 AND w.subject_id <> ''`
	sendCallback = `INSERT INTO jobs (id, kind, unique_key, args, state, run_at, created_at, lane, priority, owner)
SELECT $1, 'webhook.send', $2, $3, 'scheduled', $4, $5, $6, $7, w.agent_id FROM webhooks w WHERE w.subject_id = $8 AND w.subject_id <> ''`
)

func (u upgrade) planCallback(ctx context.Context, c pastCallback) error {
	body, err := json.Marshal(struct {
		Event          string    `json:"event"`
		TaskID         string    `json:"task_id"`
		Status         string    `json:"status"`
		PreviousStatus string    `json:"previous_status"`
		Timestamp      time.Time `json:"timestamp"`
	}{"task.status_changed", c.args.TaskID, c.args.Status, c.args.PreviousStatus, c.args.At.UTC()})
	if err != nil {
		return err
	}
	id := ident.New("whd_")
	made, err := u.tx.ExecContext(ctx, u.text(deliverCallback),
		id, c.args.EventID, string(body), c.attempts, Micros(c.args.At), c.args.TaskID)
	if err != nil {
		return err
	}
	if n, err := made.RowsAffected(); err != nil || n == 0 {
		return err // the task has no address
	}
	args, err := json.Marshal(map[string]any{"delivery_id": id, "attempt": c.attempts})
	if err != nil {
		return err
	}
	return u.exec(ctx, sendCallback,
		ident.New("job_"), "webhook.send:"+id, string(args), c.runAt, Micros(c.args.At), c.lane, c.priority, c.args.TaskID)
}
