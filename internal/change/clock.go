package change

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"humanops-mcp/internal/job"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
)

// Clock is something that time will do to a subject. Of two that are due at one moment the
// one that was named first rings.
type Clock[E ~string] struct {
	Name  string        // end, claim; stands in the trail and in the warning
	At    int64         // microseconds; 0 for a clock that is not set
	Event E             // what happens then
	Warn  time.Duration // how long before people are warned, but at most halfway; 0 for not at all
	Since int64         // from when it runs
}

// The kinds of job.
const (
	clockKind job.Kind[clockArgs] = "change.clock"
	windKind  job.Kind[windArgs]  = "change.wind"
)

const (
	// ringsAtOnce bounds what one ring does; whatever is left rings again.
	ringsAtOnce = 50
	// windSlice is how many overdue clocks are set again in one transaction.
	windSlice = 500
)

// clockArgs names the subject whose clock has run out.
type clockArgs struct {
	SubjectID string `json:"subject_id"`
}

// windArgs say behind which clock to go on.
type windArgs struct {
	At        int64  `json:"at"`
	SubjectID string `json:"subject_id"`
}

// RegisterJobs tells the runner how to ring, and to look for clocks that never rang.
func (c *Changes) RegisterJobs(r *job.Runner) {
	clockKind.Handle(r, c.ring)
	windKind.Handle(r, func(ctx context.Context, tx *store.Tx, j job.Job[windArgs]) error { return c.wind(ctx, tx, j.Args) })
	r.Every("change.clocks.hourly", time.Hour, func(ctx context.Context, tx *store.Tx) error { return c.wind(ctx, tx, windArgs{}) })
}

// ring does what time does to a subject. Its clocks may have moved since this one was set,
// and the subject gone on or away, so everything is looked at again.
func (c *Changes) ring(ctx context.Context, tx *store.Tx, j job.Job[clockArgs]) error {
	line, err := tx.LockSubject(ctx, j.Args.SubjectID)
	if store.NotFound(err) {
		return nil
	}
	if err != nil || line.ClockAt == 0 {
		return err
	}
	k, err := c.kindOf(line)
	if err != nil {
		return err
	}
	return k.ring(ctx, tx, line.ID)
}

func (l *Life[R, S, E, F]) ring(ctx context.Context, tx *store.Tx, id string) error {
	r, err := l.kind.Find(ctx, tx, id)
	if err != nil {
		return err
	}
	for range ringsAtOnce {
		next, err := l.nextClock(ctx, tx, r)
		if err != nil {
			return err
		}
		if next.At == 0 || store.Micros(tx.Now()) < next.At {
			break
		}
		if r, err = l.timeUp(ctx, tx, r, next); err != nil {
			return err
		}
	}
	return l.rewind(ctx, tx, r)
}

func (l *Life[R, S, E, F]) timeUp(ctx context.Context, tx *store.Tx, r R, c Clock[E]) (R, error) {
	switch {
	case c.Event == l.kind.Warn && c.Event != "":
		return l.Move(ctx, tx, r, Move[R, E, F]{
			Event: l.kind.Warn, By: Timeout, Quiet: true, With: Warned{Clock: c.Name}, Edit: func(r *R) { l.kind.Line(r).Warned += mark(c.Name) },
		})
	case l.kind.Ring != nil:
		return l.kind.Ring(ctx, tx, r, c)
	}
	return l.Move(ctx, tx, r, Move[R, E, F]{Event: c.Event, By: Timeout})
}

// Warned is the payload of a warning: which clock is about to ring.
type Warned struct {
	Clock string `json:"clock"`
}

func mark(name string) string { return "," + name + "," }

// Rewarn has people warned again before a clock that was moved on purpose.
func Rewarn(l *Line, name string) { l.Warned = strings.ReplaceAll(l.Warned, mark(name), "") }

// nextClock is what time will do next; the zero Clock when nothing.
func (l *Life[R, S, E, F]) nextClock(ctx context.Context, tx *store.Tx, r R) (next Clock[E], err error) {
	if l.ended(l.state(r)) || l.kind.Clocks == nil {
		return next, nil
	}
	clocks, err := l.kind.Clocks(ctx, tx, r)
	if err != nil {
		return next, err
	}
	return Next(*l.kind.Line(&r), clocks, l.kind.Lapse, l.kind.Warn), nil
}

// Next is the first of some clocks, of the claim's end, and of the warnings that were not
// given yet: a warning has its clock's name, its own time and the event warn; there is none
// where that is empty.
func Next[E ~string](l Line, clocks []Clock[E], lapse, warn E) (next Clock[E]) {
	clocks = append(slices.Clone(clocks), Clock[E]{Name: "lease", At: l.LeaseUntil, Event: lapse})
	for _, c := range clocks {
		next = sooner(next, c)
	}
	for _, c := range clocks {
		if warn != "" && c.At > 0 && c.Warn > 0 && !strings.Contains(l.Warned, mark(c.Name)) {
			c.At, c.Event = c.At-min(c.Warn.Microseconds(), (c.At-c.Since)/2), warn
			next = sooner(next, c)
		}
	}
	return next
}

func sooner[E ~string](a, b Clock[E]) Clock[E] {
	if b.At > 0 && (a.At == 0 || b.At < a.At) {
		return b
	}
	return a
}

// setClock has the subject's clock ring when it is due. The key carries the time, so that
// a clock that has moved is set again, and the same one only once.
func (l *Life[R, S, E, F]) setClock(ctx context.Context, tx *store.Tx, was Line, now R) error {
	line := l.kind.Line(&now)
	if line.ClockAt == 0 || line.ClockAt == was.ClockAt {
		return nil
	}
	return set(ctx, tx, *line)
}

func set(ctx context.Context, tx *store.Tx, l Line) error {
	return clockKind.Enqueue(ctx, tx, clockArgs{l.ID}, job.Options{
		RunAt: store.Time(l.ClockAt), UniqueKey: string(clockKind) + ":" + l.ID + ":" + strconv.FormatInt(l.ClockAt, 10),
		Owner: l.AgentID, Priority: job.PriorityOf(l.Mode),
	})
}

// rewind sets the clock of a subject that has rung, or whose clocks moved without a change.
func (l *Life[R, S, E, F]) rewind(ctx context.Context, tx *store.Tx, r R) error {
	next, err := l.nextClock(ctx, tx, r)
	if err != nil {
		return err
	}
	line := *l.kind.Line(&r)
	if line.ClockAt != next.At {
		if _, err := tx.SetClock(ctx, db.SetClockParams{ID: line.ID, Version: line.Version, ClockAt: next.At}); err != nil {
			return err
		}
	}
	if line.ClockAt = next.At; next.At == 0 {
		return nil
	}
	return set(ctx, tx, line)
}

// wind sets overdue clocks again, so that no subject stays where it is because the job of
// its clock failed for good.
func (c *Changes) wind(ctx context.Context, tx *store.Tx, behind windArgs) error {
	overdue, err := tx.OverdueSubjects(ctx, db.OverdueSubjectsParams{Now: store.Micros(tx.Now()), AfterClock: behind.At, AfterID: behind.SubjectID, RowLimit: windSlice})
	if err != nil {
		return err
	}
	for _, row := range overdue {
		if err := set(ctx, tx, Line{ID: row.ID, ClockAt: row.ClockAt, AgentID: row.AgentID, Mode: row.Mode}); err != nil {
			return err
		}
	}
	if len(overdue) < windSlice {
		return nil
	}
	last := overdue[len(overdue)-1]
	return windKind.Enqueue(ctx, tx, windArgs{last.ClockAt, last.ID}, job.Options{UniqueKey: string(windKind)})
}
