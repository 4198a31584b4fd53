package change

import (
	"context"
	"strconv"
	"strings"
	"time"

	"humanops-mcp/internal/check"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

const (
	maxWaitedFor = 50
	maxShown     = 64 // letters of a caller's words in a sentence
	maxWait      = 50 * time.Second
	// Forever is a wait without a time-out.
	Forever time.Duration = -1
)

// Until waits until over says so of the subject, for limit, or until ctx ends; which of
// them it was, the caller sees by looking. It holds nothing meanwhile but a subscription
// and a timer: it listens first and then reads, so that no change falls between the two.
// Whoever may not see the subject is refused.
func (c *Changes) Until(ctx context.Context, id string, limit time.Duration, over func(Line) bool) error {
	return c.until(ctx, []string{id}, limit, func(lines []Line) bool { return over(lines[0]) })
}

func (c *Changes) until(ctx context.Context, ids []string, limit time.Duration, over func([]Line) bool) error {
	changed, cancel := c.Feed.Subscribe(ids...)
	defer cancel()
	lines, err := c.firstLook(ctx, ids)
	if err != nil || over(lines) || limit == 0 {
		return err
	}
	var timer <-chan time.Time
	if limit > 0 {
		timer = c.Clock.After(limit)
	}
	for {
		select {
		case <-timer:
			return nil
		case <-ctx.Done():
			return nil // the caller has gone, or the platform ends: they see how things stand
		case <-changed:
		}
		if lines, err = c.look(ctx, ids); err != nil || over(lines) {
			return err
		}
	}
}

// firstLook reads the lines of what is waited for, each of which the caller may see.
func (c *Changes) firstLook(ctx context.Context, ids []string) (lines []Line, err error) {
	err = c.Store.Read(ctx, func(tx *store.Tx) error {
		for _, id := range ids {
			line, err := c.visible(ctx, tx, id)
			if err != nil {
				return err
			}
			lines = append(lines, line)
		}
		return nil
	})
	return lines, err
}

// visible reads a line for a caller who may see its subject.
func (c *Changes) visible(ctx context.Context, tx *store.Tx, id string) (Line, error) {
	line, err := tx.FindSubject(ctx, id)
	if store.NotFound(err) || line.State == Deleted {
		return line, c.missing(id)
	}
	if err != nil {
		return line, err
	}
	k, err := c.kindOf(line)
	if err != nil {
		return line, err
	}
	if err := k.view().Admit(ctx, id); err != nil {
		return line, err
	}
	return line, k.view().Visible(ctx, tx, line)
}

// missing is the refusal of the kind whose ids look like this one: nothing else is known.
func (c *Changes) missing(id string) error {
	for _, k := range c.kinds {
		if k.owns(id) {
			return k.view().Missing(id)
		}
	}
	return schemas.NewError(schemas.CodeNotFound, "There is nothing called "+strconv.Quote(id)+" here.")
}

// look reads lines again after a wake-up, in the order of the ids.
func (c *Changes) look(ctx context.Context, ids []string) ([]Line, error) {
	var rows []db.Subject
	err := c.Store.Peek(ctx, func(tx *store.Tx) (err error) {
		rows, err = tx.FindSubjects(ctx, store.IDs(ids))
		return err
	})
	if err != nil {
		return nil, err
	}
	byID := make(map[string]Line, len(rows))
	for _, row := range rows {
		byID[row.ID] = row
	}
	lines := make([]Line, len(ids))
	for i, id := range ids {
		line, found := byID[id]
		if !found || line.State == Deleted {
			return nil, c.missing(id)
		}
		lines[i] = line
	}
	return lines, nil
}

// At is a subject's line as it is now. Whether the caller may see it is not asked.
func (c *Changes) At(ctx context.Context, id string) (Line, error) {
	lines, err := c.look(ctx, []string{id})
	if err != nil {
		return Line{}, err
	}
	return lines[0], nil
}

// reference names a subject and the version that the caller knows; 0 means any change from
// now on.
type reference struct {
	id      string
	version int64
}

// Wait answers when one of the named subjects has moved past the version given, or after
// the time-out, with all of them as the caller may see them.
func (c *Changes) Wait(ctx context.Context, in schemas.WaitRequest) (out schemas.WaitResponse, err error) {
	refs, limit, err := parseWait(in)
	if err != nil {
		return out, err
	}
	ids := make([]string, len(refs))
	for i, r := range refs {
		ids[i] = r.id
	}
	if err := c.admitted(ctx, ids); err != nil {
		return out, err
	}
	moved := func(lines []Line) (any bool) {
		for i, l := range lines {
			if refs[i].version == 0 {
				refs[i].version = l.Version
			}
			any = any || l.Version > refs[i].version
		}
		return any
	}
	if err := c.until(ctx, ids, limit, moved); err != nil {
		return out, err
	}
	return c.show(ctx, ids, moved)
}

// admitted refuses a key that is not for what it names, whether that is there or not.
func (c *Changes) admitted(ctx context.Context, ids []string) error {
	for _, id := range ids {
		for _, k := range c.kinds {
			if !k.owns(id) {
				continue
			}
			if err := k.view().Admit(ctx, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// show gives the subjects as they are now. It answers a caller whose wait was cut off, too.
func (c *Changes) show(ctx context.Context, ids []string, moved func([]Line) bool) (out schemas.WaitResponse, err error) {
	ctx, cancel := LastLook(ctx)
	defer cancel()
	err = c.Store.Read(ctx, func(tx *store.Tx) error {
		out = schemas.WaitResponse{Items: []schemas.TaskView{}}
		lines := make([]Line, len(ids))
		for i, id := range ids {
			if lines[i], err = c.visible(ctx, tx, id); err != nil {
				return err
			}
			if err = c.named(lines[i].Kind).view().Show(ctx, tx, id, &out); err != nil {
				return err
			}
		}
		out.Changed = moved(lines)
		return nil
	})
	return out, err
}

// LastLook is for reading what a caller is answered whose wait was cut off: a while longer
// than they waited.
func LastLook(ctx context.Context) (context.Context, context.CancelFunc) {
	const atMost = 5 * time.Second
	return context.WithTimeout(context.WithoutCancel(ctx), atMost)
}

func parseWait(in schemas.WaitRequest) (refs []reference, limit time.Duration, err error) {
	var p check.Problems
	limit = time.Duration(in.TimeoutSeconds) * time.Second
	if limit < 0 || limit > maxWait {
		p.Add("timeout", "must be between 0 and 50 seconds; got %d", in.TimeoutSeconds)
	}
	for part := range strings.SplitSeq(in.IDs, ",") {
		id, version, given := strings.Cut(strings.TrimSpace(part), ":")
		r := reference{id: id}
		if given {
			r.version, err = strconv.ParseInt(version, 10, 64)
		}
		if id == "" || err != nil || r.version < 0 {
			p.Add("ids", "must be task ids with commas between them, each with or without :version; got %s. Example: task_abc:3", check.Quote(part, maxShown))
			break
		}
		refs = append(refs, r)
	}
	if len(refs) > maxWaitedFor {
		p.Add("ids", "must be at most %d; got %d", maxWaitedFor, len(refs))
	}
	return refs, limit, p.Err()
}

// Seen is a version of a subject that its agent has been shown.
type Seen struct {
	ID      string
	Version int64
}

const maxSeen = 100

// Acknowledge records which versions an agent has been shown, so that NEW means new. What
// is not the agent's, or of another kind, is passed over.
func (l *Life[R, S, E, F]) Acknowledge(ctx context.Context, tx *store.Tx, agentID, mode string, seen []Seen) error {
	if n := len(seen); n < 1 || n > maxSeen {
		return schemas.Invalid("items", "must be 1 to "+strconv.Itoa(maxSeen)+"; got "+strconv.Itoa(n))
	}
	for _, item := range seen {
		err := tx.SeeSubject(ctx, db.SeeSubjectParams{ID: item.ID, Kind: l.kind.Name, AgentID: agentID, Mode: mode, Seen: item.Version})
		if err != nil {
			return err
		}
	}
	return nil
}
