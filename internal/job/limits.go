package job

import (
	"maps"
	"slices"
	"sync"

	"humanops-mcp/internal/store/db"
)

const (
	// workers is how many jobs a runner works on at once, beside those of limited kinds.
	// Most wait for the network or the database; what needs much of the processor limits
	// itself.
	workers = 64
	// perLane is how many jobs of one lane a runner works on at once.
	perLane = 4
	// leastPart is how many jobs a claim takes from a queue, if it has them, before it
	// looks at the next: each costs a statement.
	leastPart = 8
)

// group is kinds that share workers of their own.
type group struct {
	kinds []string // none: all that no other group has
	most  int64
}

// share is how many workers one owner has at most, so that there is always one for
// somebody else. The house has no share: it is everybody's.
func (g *group) share() int64 { return (g.most + 1) / 2 }

// party is an owner within a group.
type party struct {
	group *group
	owner string
}

// tally counts the jobs that are being worked on.
type tally struct {
	groups  map[*group]int64
	parties map[party]int64
	lanes   map[string]int64
}

// limits know what may be worked on, and what is. What waits for slow or dead hosts has few
// workers of its own, and no owner has all, so that nothing else waits with it.
type limits struct {
	mu     *sync.Mutex
	others *group
	byName map[string]*group
	byKind map[string]*group
	busy   tally
}

func newLimits() limits {
	return limits{
		mu: new(sync.Mutex), others: &group{most: workers}, byName: map[string]*group{}, byKind: map[string]*group{},
		busy: tally{groups: map[*group]int64{}, parties: map[party]int64{}, lanes: map[string]int64{}},
	}
}

// Limit gives kinds workers of their own: all that were named with one group, and at
// most so many of them at a time.
func (r *Runner) Limit(name string, most int, kinds ...string) { r.limits.add(name, most, kinds) }

func (l limits) add(name string, most int, kinds []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.byName[name]
	if g == nil {
		g = &group{}
		l.byName[name] = g
	}
	g.most = int64(most)
	for _, kind := range kinds {
		if l.byKind[kind] == nil {
			l.byKind[kind] = g
			g.kinds = append(g.kinds, kind)
		}
	}
}

func (l limits) begin(jobs []db.Job) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, j := range jobs {
		l.count(l.busy, j, 1)
	}
}

func (l limits) end(j db.Job) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count(l.busy, j, -1)
}

// count adds to what a job counts against; what comes to nothing is forgotten.
func (l limits) count(t tally, j db.Job, n int64) {
	g := l.group(j.Kind)
	add(t.groups, g, n)
	if j.Owner != "" {
		add(t.parties, party{g, j.Owner}, n)
	}
	if j.Lane != "" {
		add(t.lanes, j.Lane, n)
	}
}

func add[K comparable](counts map[K]int64, key K, n int64) {
	if counts[key] += n; counts[key] == 0 {
		delete(counts, key)
	}
}

func (l limits) group(kind string) *group {
	if g := l.byKind[kind]; g != nil {
		return g
	}
	return l.others
}

// room is what may be worked on beside what is. It is a copy, from which a claim takes as
// it goes.
type room struct {
	limits
	taken tally
}

func (l limits) room() room {
	l.mu.Lock()
	defer l.mu.Unlock()
	return room{l, tally{maps.Clone(l.busy.groups), maps.Clone(l.busy.parties), maps.Clone(l.busy.lanes)}}
}

func (r room) take(jobs []db.Job) {
	for _, j := range jobs {
		r.count(r.taken, j, 1)
	}
}

// groups are all that there are.
func (r room) groups() []*group { return slices.AppendSeq([]*group{r.others}, maps.Values(r.byName)) }

// freeOf is how many workers of a group have nothing to do.
func (r room) freeOf(g *group) int64 { return max(0, g.most-r.taken.groups[g]) }

// of is how many jobs of a queue may begin.
func (r room) of(q db.NextQueuesRow) int64 {
	g := r.group(q.Kind)
	n := r.freeOf(g)
	if q.Owner != "" {
		n = min(n, g.share()-r.taken.parties[party{g, q.Owner}])
	}
	if q.Lane != "" {
		n = min(n, perLane-r.taken.lanes[q.Lane])
	}
	return max(0, n)
}

// full is what has no room, in the words of the query that steps over it.
type full struct {
	kinds, limited, owners, lanes string
	others                        bool
}

// full tells the query what to step over: what has no room, and every other group than the
// one that is asked for, if one is.
func (r room) full(only *group) full {
	closed := func(g *group) bool { return r.freeOf(g) == 0 || only != nil && g != only }
	f := full{kinds: ",", limited: ",", owners: ",", lanes: ",", others: closed(r.others)}
	for kind, g := range r.byKind {
		f.limited += kind + ","
		if closed(g) {
			f.kinds += kind + ","
		}
	}
	for party, busy := range r.taken.parties {
		if busy >= party.group.share() {
			f.owners += party.entries()
		}
	}
	for lane, busy := range r.taken.lanes {
		if busy >= perLane {
			f.lanes += lane + ","
		}
	}
	return f
}

// entries are the party's with each kind of its group; with none for the group of all
// others.
func (p party) entries() (out string) {
	if len(p.group.kinds) == 0 {
		return " " + p.owner + ","
	}
	for _, kind := range p.group.kinds {
		out += kind + " " + p.owner + ","
	}
	return out
}
