package view

import (
	"cmp"
	"context"
	"slices"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/keyset"
	loops "humanops-mcp/internal/loop"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// found is one page of what a list looked for.
type found struct {
	rows    []db.Review
	next    string // the cursor of the page behind it
	matches bool   // more is known to match behind it
	total   int64
	more    bool // total is not all
}

// list is a list that is being made: whose requests, and where they are found.
type list struct {
	filter
	scope
	sources []source
}

// find finds a page and counts what matches. Neither reads more than keyset.MaxTotal places
// of each source, however many requests there are.
func (f filter) find(ctx context.Context, tx *store.Tx, c account.Caller) (found, error) {
	s, err := f.scopeOf(ctx, tx, c)
	if err != nil {
		return found{}, err
	}
	l := list{filter: f, scope: s}
	if l.sources, err = s.sourcesFor(ctx, tx, f); err != nil {
		return found{}, err
	}
	keys, stop, err := l.keys(ctx, tx)
	if err != nil {
		return found{}, err
	}
	out := found{total: int64(len(keys)), more: stop.is}
	if !f.Whole(len(keys)) {
		total, more, err := l.count(ctx, tx, stop)
		if err != nil {
			return out, err
		}
		out.total, out.more = max(out.total, total), more
	}
	keys, out.next = keyset.Cut(f.Window, keys, key.position)
	out.matches = out.next != ""
	if !out.matches && stop.is && f.byTime() {
		out.next = stop.at.Cursor()
	}
	out.rows, err = rowsOf(ctx, tx, keys)
	return out, err
}

// rowsOf reads the requests at some places, in their order.
func rowsOf(ctx context.Context, tx *store.Tx, keys []key) ([]db.Review, error) {
	ids, place := make([]string, len(keys)), make(map[string]int, len(keys))
	for i, k := range keys {
		ids[i], place[k.ID] = k.ID, i
	}
	rows, err := tx.ReviewsByIDs(ctx, store.IDs(ids))
	slices.SortFunc(rows, func(a, b db.Review) int { return cmp.Compare(place[a.ID], place[b.ID]) })
	return rows, err
}

// stop is where a list stopped looking, with the request there as the last one looked at.
type stop struct {
	is bool
	at keyset.Position
}

// keys are the places of the page and of one more.
func (l list) keys(ctx context.Context, tx *store.Tx) (keys []key, end stop, err error) {
	at := l.stretch()
	if l.ByCursor {
		at.beyond = l.At
	}
	if l.looks() {
		if end, err = l.bound(ctx, tx, at); err != nil {
			return nil, end, err
		}
	}
	if at.limit = l.Offset + l.Limit + 1; l.byTime() {
		keys, err = l.merged(ctx, tx, end.in(at))
	} else {
		keys, err = l.ranked(ctx, tx, end.in(at))
	}
	slices.SortFunc(keys, l.compare)
	keys = keys[min(int64(len(keys)), l.Offset):]
	return keys[:min(int64(len(keys)), l.Limit+1)], end, err
}

// stretch is all of the list, from its beginning.
func (l list) stretch() span {
	if l.sort == oldestFirst {
		return span{oldest: true, beyond: keyset.Oldest, until: keyset.Newest}
	}
	return span{beyond: keyset.Newest, until: keyset.Oldest}
}

// in is what of a stretch lies before the stop.
func (s stop) in(at span) span {
	if s.is {
		at.until = s.at
	}
	return at
}

// looks tells whether the list has to look at requests that it may not show.
func (l list) looks() bool {
	return !l.byTime() || l.rest != rest{} || slices.ContainsFunc(l.sources, func(s source) bool {
		a, ok := s.(ofAsked)
		return ok && !a.all()
	})
}

// bound is where looking stops: so that of the sources that have more than keyset.MaxTotal
// requests no more than that are looked at together, and the others as far.
func (l list) bound(ctx context.Context, tx *store.Tx, at span) (end stop, err error) {
	at.skim = true
	var long []source
	var last key
	for _, s := range l.sources {
		at.offset, at.limit = keyset.MaxTotal-1, 2
		keys, err := s.keys(ctx, tx, at, rest{})
		if err != nil {
			return end, err
		}
		if len(keys) == 2 {
			long, last = append(long, s), keys[0]
		}
	}
	if len(long) == 1 {
		return stop{true, last.position()}, nil
	}
	for _, s := range long {
		at.offset, at.limit = int64(keyset.MaxTotal/len(long))-1, 1
		keys, err := s.keys(ctx, tx, at, rest{})
		if err != nil {
			return end, err
		}
		if p := keys[0].position(); !end.is || at.sooner(p, end.at) {
			end = stop{true, p}
		}
	}
	return end, nil
}

// merged are the places of every source together.
func (l list) merged(ctx context.Context, tx *store.Tx, at span) (keys []key, err error) {
	for _, s := range l.sources {
		more, err := s.keys(ctx, tx, at, l.rest)
		if err != nil {
			return nil, err
		}
		keys = append(keys, more...)
	}
	return keys, nil
}

// ranked are the places of a list that is not in the order of time.
func (l list) ranked(ctx context.Context, tx *store.Tx, at span) ([]key, error) {
	keys, err := l.scope.ranked(ctx, tx, l.filter, at)
	if err != nil {
		return nil, err
	}
	at.limit = keyset.CountTo // all, since the first in time need not be the first
	asked, err := list{filter: l.filter, sources: l.asked()}.merged(ctx, tx, at)
	return append(keys, asked...), err
}

func (l list) asked() (only []source) {
	for _, s := range l.sources {
		if _, ok := s.(ofAsked); ok {
			only = append(only, s)
		}
	}
	return only
}

// count counts what matches, from the list's beginning and as far as it looks.
func (l list) count(ctx context.Context, tx *store.Tx, end stop) (total int64, more bool, err error) {
	at := l.stretch()
	if l.ByCursor && l.looks() {
		if end, err = l.bound(ctx, tx, at); err != nil {
			return 0, false, err
		}
	}
	at, counted := end.in(at), l.sources
	if l.endedSince == 0 || l.agentID == "" {
		counted = l.asked()
		if total, err = l.scope.count(ctx, tx, l.filter, at); err != nil {
			return 0, false, err
		}
	}
	at.limit = keyset.CountTo
	keys, err := list{filter: l.filter, sources: counted}.merged(ctx, tx, at)
	total += int64(len(keys))
	return total, end.is || total > keyset.MaxTotal, err
}

// compare puts places in the list's order.
func (f filter) compare(a, b key) int {
	inTime := cmp.Or(cmp.Compare(a.CreatedAt, b.CreatedAt), cmp.Compare(a.ID, b.ID))
	switch f.sort {
	case newestFirst:
		return -inTime
	case mostUrgent:
		return cmp.Or(cmp.Compare(a.PriorityRank, b.PriorityRank), inTime)
	case byStatus:
		return cmp.Or(cmp.Compare(a.stage(), b.stage()), inTime)
	}
	return inTime
}

// key is a request's place in a list.
type key struct {
	ID           string
	CreatedAt    int64
	PriorityRank int64
	Status       string
}

func (k key) position() keyset.Position { return keyset.At(k.CreatedAt, k.ID) }

func (k key) stage() int {
	return slices.Index(schemas.ReviewStatuses, schemas.ReviewStatus(k.Status))
}

// scope is whose requests a list is of. Exactly one of the three is set.
type scope struct {
	mode     string
	agentID  string   // an agent's own
	house    bool     // all
	loops    []string // those in some loops
	personID string   // and, where it is set, those that this person was asked about in others
}

func (f filter) scopeOf(ctx context.Context, tx *store.Tx, c account.Caller) (scope, error) {
	s := scope{mode: account.Live}
	if c.AgentID != "" {
		s.mode = c.Mode
	}
	switch {
	case c.AgentID != "":
		s.agentID = c.AgentID
	case f.loopID != "":
		s.loops = []string{f.loopID}
	case c.Owner:
		s.house = true
	default:
		mine, err := loops.Of(ctx, tx, c.PersonID)
		s.loops, s.personID = mine, c.PersonID
		return s, err
	}
	return s, nil
}

// sourcesFor are where the requests are found that the filter wants.
func (s scope) sourcesFor(ctx context.Context, tx *store.Tx, f filter) (list []source, err error) {
	floor := int64(0)
	if f.endedSince > 0 && s.agentID != "" {
		floor, err = tx.OldestEndedSince(ctx, db.OldestEndedSinceParams{AgentID: s.agentID, Mode: s.mode, Since: f.endedSince, CountTo: keyset.CountTo})
		if err != nil {
			return nil, err
		}
	}
	for _, status := range f.statuses {
		over := schemas.ReviewStatus(status).Final() && f.endedSince > 0
		if s.agentID == "" {
			list = append(list, s.within(status)...)
		} else if own := s.ofAgent(f.loopID, status); !over {
			list = append(list, own)
		} else if floor > 0 {
			list = append(list, floored{own, keyset.At(floor, "")})
		}
	}
	asked, err := s.elsewhere(ctx, tx, f)
	return append(list, asked...), err
}

// ofAgent are the agent's requests, of one loop where it is named.
func (s scope) ofAgent(loopID, status string) source {
	if loopID != "" {
		return ofAgentIn{s, loopID, status}
	}
	return ofAgent{s, status}
}

func (s scope) within(status string) (list []source) {
	if s.house {
		return []source{ofHouse{s, status}}
	}
	for _, id := range s.loops {
		list = append(list, ofLoop{s, id, status})
	}
	return list
}

// elsewhere are the loops in which the person was asked and is not a member.
func (s scope) elsewhere(ctx context.Context, tx *store.Tx, f filter) (list []source, err error) {
	if s.personID == "" {
		return nil, nil
	}
	for _, open := range []bool{true, false} {
		statuses := statusesThatAre(f.statuses, open)
		if len(statuses) == 0 {
			continue
		}
		ids, err := tx.LoopsAskedIn(ctx, db.LoopsAskedInParams{PersonID: s.personID, Open: open})
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			if !slices.Contains(s.loops, id) {
				list = append(list, ofAsked{s, id, open, statuses})
			}
		}
	}
	return list, nil
}
