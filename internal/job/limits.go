package job

import (
	"sync"

	"humanops-mcp/internal/store/db"
)

const (
	// workers is how many jobs a runner works on at once, beside those of limited kinds.
	// Most wait for the network or the database; what needs much of the processor limits
	// itself.
	workers = 32
	// perLane is how many jobs of one lane a runner works on at once.
	perLane = 4
)

// group is kinds that share workers of their own.
type group struct {
	kinds string // ",a,b,"
	most  int64
	busy  int64
}

func (g *group) free() int64 { return g.most - g.busy }

// limits know how many jobs of which kind and lane are being worked on. What waits for
// slow or dead hosts has few workers of its own, so that nothing else waits with it.
type limits struct {
	mu     *sync.Mutex
	others *group
	byName map[string]*group
	byKind map[string]*group
	lanes  map[string]int
}

func newLimits() limits {
	return limits{
		mu: new(sync.Mutex), others: &group{most: workers}, byName: map[string]*group{}, byKind: map[string]*group{}, lanes: map[string]int{},
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
		g = &group{kinds: ","}
		l.byName[name] = g
	}
	g.most = int64(most)
	for _, kind := range kinds {
		if l.byKind[kind] == nil {
			l.byKind[kind] = g
			g.kinds += kind + ","
		}
	}
}

// room describes what may be claimed now, as the queries want it.
func (l limits) room() db.NextJobTimesParams {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := db.NextJobTimesParams{Limited: ",", WithRoom: ",", FullLanes: l.full(), OthersFull: l.others.free() <= 0}
	for _, g := range l.byName {
		p.Limited += g.kinds
		if g.free() > 0 {
			p.WithRoom += g.kinds
		}
	}
	return p
}

// claims are the claims that free workers allow: one for the unlimited kinds and one for
// each group.
func (l limits) claims() []db.ClaimJobsParams {
	room := l.room()
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []db.ClaimJobsParams
	if n := l.others.free(); n > 0 {
		out = append(out, db.ClaimJobsParams{Limited: room.Limited, FullLanes: room.FullLanes, Count: n})
	}
	for _, g := range l.byName {
		if n := g.free(); n > 0 {
			out = append(out, db.ClaimJobsParams{Limited: room.Limited, WithRoom: g.kinds, OthersFull: true, FullLanes: room.FullLanes, Count: n})
		}
	}
	return out
}

func (l limits) full() string {
	out := ","
	for lane, busy := range l.lanes {
		if busy >= perLane {
			out += lane + ","
		}
	}
	return out
}

// split tells which of the claimed jobs their lanes have room for.
func (l limits) split(jobs []db.Job) (kept, excess []db.Job) {
	l.mu.Lock()
	defer l.mu.Unlock()
	more := map[string]int{}
	for _, j := range jobs {
		if j.Lane != "" && l.lanes[j.Lane]+more[j.Lane] >= perLane {
			excess = append(excess, j)
			continue
		}
		more[j.Lane]++
		kept = append(kept, j)
	}
	return kept, excess
}

func (l limits) begin(jobs []db.Job) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, j := range jobs {
		l.of(j).busy++
		if j.Lane != "" {
			l.lanes[j.Lane]++
		}
	}
}

func (l limits) end(j db.Job) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of(j).busy--
	if j.Lane == "" {
		return
	}
	if l.lanes[j.Lane]--; l.lanes[j.Lane] == 0 {
		delete(l.lanes, j.Lane)
	}
}

func (l limits) of(j db.Job) *group {
	if g := l.byKind[j.Kind]; g != nil {
		return g
	}
	return l.others
}
