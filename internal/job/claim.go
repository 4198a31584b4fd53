package job

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
)

const (
	// atOnce is how many scheduled jobs become ready in one look.
	atOnce = 1000
	// lookAhead is how many queues a claim compares for who has waited longest.
	lookAhead = 32
)

var priorities = []Priority{Live, Test}

// next is when there is something to do, 0 for never. What is ready but has no room counts
// once a worker becomes free, which wakes the runner.
func (r *Runner) next(ctx context.Context) (next int64, err error) {
	err = r.store.Read(ctx, func(tx *store.Tx) error {
		times, err := tx.NextJobTimes(ctx)
		if err != nil {
			return err
		}
		if next = times.RunAt; next == 0 || times.LeaseUntil != 0 && times.LeaseUntil < next {
			next = times.LeaseUntil
		}
		some, err := anyReady(ctx, tx, r.limits.room())
		if some {
			next = store.Micros(r.clock.Now())
		}
		return err
	})
	return next, err
}

func anyReady(ctx context.Context, tx *store.Tx, room room) (bool, error) {
	if !slices.ContainsFunc(room.groups(), func(g *group) bool { return room.freeOf(g) > 0 }) {
		return false, nil
	}
	for _, p := range priorities {
		queues, err := queuesAfter(ctx, tx, queue{}, p, room.full(nil), 1)
		if err != nil || len(queues) > 0 {
			return len(queues) > 0, err
		}
	}
	return false, nil
}

// queue is where jobs wait for each other: those of one kind, owner and lane.
type queue struct{ kind, owner, lane string }

func placeOf(q db.NextQueuesRow) queue { return queue{q.Kind, q.Owner, q.Lane} }

// queuesAfter are the next queues of a priority that have a job ready and room for it.
func queuesAfter(ctx context.Context, tx *store.Tx, after queue, priority Priority, f full, most int32) ([]db.NextQueuesRow, error) {
	return tx.NextQueues(ctx, db.NextQueuesParams{
		Count: most, Kind: after.kind, Owner: after.owner, Lane: after.lane, FullKinds: f.kinds, OthersFull: f.others, Limited: f.limited,
		FullOwners: f.owners, FullLanes: f.lanes, Priority: int64(priority),
	})
}

// claim leases due jobs under a token of its own: what a claim lost to another one, it can
// no longer complete.
func (r *Runner) claim(ctx context.Context) (jobs []db.Job, token string, err error) {
	var c claim
	err = r.store.Write(ctx, func(tx *store.Tx) error {
		now := r.clock.Now()
		if _, err := tx.RescueJobs(ctx, db.RescueJobsParams{Now: store.Micros(now), LeaseBefore: store.Micros(now)}); err != nil {
			return err
		}
		if _, err := tx.ReadyJobs(ctx, db.ReadyJobsParams{Now: store.Micros(now), Count: atOnce}); err != nil {
			return err
		}
		c = claim{token: ident.New("lease_"), until: store.Micros(now.Add(lease)), room: r.limits.room(), turns: maps.Clone(r.turns)}
		for _, g := range c.room.groups() {
			for _, p := range priorities {
				if err := c.fill(ctx, tx, turn{g, p}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	r.turns = c.turns
	slices.SortFunc(c.jobs, func(a, b db.Job) int {
		return cmp.Or(cmp.Compare(a.RunAt, b.RunAt), cmp.Compare(a.CreatedAt, b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return c.jobs, c.token, nil
}

// turn is what the free workers of a group go round by themselves.
type turn struct {
	group    *group
	priority Priority
}

// claim is a claim under way.
type claim struct {
	token string
	until int64
	room  room
	turns map[turn]queue
	jobs  []db.Job
}

// fill gives a group's free workers jobs of a priority, page by page of the queues that have
// room, until no worker is free or nothing is left. Where there are more than a page, the
// next claim goes on behind it, so that each comes into one.
func (c *claim) fill(ctx context.Context, tx *store.Tx, t turn) error {
	for c.room.freeOf(t.group) > 0 {
		from, before := c.turns[t], len(c.jobs)
		page, err := queuesAfter(ctx, tx, from, t.priority, c.room.full(t.group), lookAhead)
		if err != nil {
			return err
		}
		last := len(page) < lookAhead
		if c.turns[t] = (queue{}); !last {
			c.turns[t] = placeOf(page[lookAhead-1])
		}
		more, err := c.serve(ctx, tx, t, page)
		if err != nil {
			return err
		}
		allServed := last && from == queue{} && !more
		if othersWereFaster := !last && len(c.jobs) == before; allServed || othersWereFaster {
			return nil
		}
	}
	return nil
}

// serve gives each queue of a page its part of the free workers, the one whose job has
// waited longest first, and tells whether one may have more.
func (c *claim) serve(ctx context.Context, tx *store.Tx, t turn, page []db.NextQueuesRow) (more bool, err error) {
	slices.SortStableFunc(page, func(a, b db.NextQueuesRow) int { return cmp.Compare(a.Since, b.Since) })
	part := max(leastPart, c.room.freeOf(t.group)/max(1, int64(len(page))))
	for _, q := range page {
		n := min(c.room.of(q), part)
		if n == 0 {
			continue
		}
		jobs, err := tx.ClaimJobs(ctx, db.ClaimJobsParams{
			Priority: int64(t.priority), Kind: q.Kind, Owner: q.Owner, Lane: q.Lane, Count: n, LeaseBy: c.token, LeaseUntil: c.until,
		})
		if err != nil {
			return false, err
		}
		c.room.take(jobs)
		c.jobs = append(c.jobs, jobs...)
		more = more || int64(len(jobs)) == n
	}
	return more, nil
}
