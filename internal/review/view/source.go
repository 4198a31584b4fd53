package view

import (
	"context"

	"humanops-mcp/internal/keyset"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// rest is what a list looks for that no index knows.
type rest struct {
	ranks         string // of the priorities, as ",0,3,"
	textLike, tag string
	endedSince    int64
}

// span is a stretch of a list in the order of time.
type span struct {
	oldest        bool            // the oldest first
	beyond, until keyset.Position // behind this place, and up to that one with it
	offset, limit int64
	skim          bool // it is about the places alone, whatever their status
}

// sooner tells whether a place comes before another.
func (s span) sooner(a, b keyset.Position) bool { return before(a, b) == s.oldest }

func before(a, b keyset.Position) bool { return a.Time < b.Time || a.Time == b.Time && a.ID < b.ID }

func later(a, b keyset.Position) keyset.Position {
	if before(a, b) {
		return b
	}
	return a
}

// source gives requests in the order of time straight from an index.
type source interface {
	keys(ctx context.Context, tx *store.Tx, at span, r rest) ([]key, error)
}

// ofAgent are an agent's requests that are in one status.
type ofAgent struct {
	scope
	status string
}

func (s ofAgent) keys(ctx context.Context, tx *store.Tx, at span, r rest) ([]key, error) {
	p := db.NewestOfAgentParams{
		AgentID: s.agentID, Mode: s.mode, Status: s.status, Beyond: at.beyond.Time, BeyondID: at.beyond.ID, Until: at.until.Time, UntilID: at.until.ID,
		Ranks: r.ranks, TextLike: r.textLike, Tag: r.tag, EndedSince: r.endedSince, RowLimit: at.limit, RowOffset: at.offset,
	}
	if at.oldest {
		rows, err := tx.OldestOfAgent(ctx, db.OldestOfAgentParams(p))
		return keysOf(rows), err
	}
	rows, err := tx.NewestOfAgent(ctx, p)
	return keysOf(rows), err
}

// ofAgentIn are an agent's requests in one loop that are in one status.
type ofAgentIn struct {
	scope
	loopID, status string
}

func (s ofAgentIn) keys(ctx context.Context, tx *store.Tx, at span, r rest) ([]key, error) {
	p := db.NewestOfAgentInParams{
		AgentID: s.agentID, LoopID: s.loopID, Mode: s.mode, Status: s.status, Beyond: at.beyond.Time, BeyondID: at.beyond.ID, Until: at.until.Time, UntilID: at.until.ID,
		Ranks: r.ranks, TextLike: r.textLike, Tag: r.tag, EndedSince: r.endedSince, RowLimit: at.limit, RowOffset: at.offset,
	}
	if at.oldest {
		rows, err := tx.OldestOfAgentIn(ctx, db.OldestOfAgentInParams(p))
		return keysOf(rows), err
	}
	rows, err := tx.NewestOfAgentIn(ctx, p)
	return keysOf(rows), err
}

// ofHouse are all requests that are in one status.
type ofHouse struct {
	scope
	status string
}

func (s ofHouse) keys(ctx context.Context, tx *store.Tx, at span, r rest) ([]key, error) {
	p := db.NewestOfHouseParams{
		Mode: s.mode, Status: s.status, Beyond: at.beyond.Time, BeyondID: at.beyond.ID, Until: at.until.Time, UntilID: at.until.ID,
		Ranks: r.ranks, TextLike: r.textLike, Tag: r.tag, EndedSince: r.endedSince, RowLimit: at.limit, RowOffset: at.offset,
	}
	if at.oldest {
		rows, err := tx.OldestOfHouse(ctx, db.OldestOfHouseParams(p))
		return keysOf(rows), err
	}
	rows, err := tx.NewestOfHouse(ctx, p)
	return keysOf(rows), err
}

// ofLoop are a loop's requests that are in one status.
type ofLoop struct {
	scope
	loopID, status string
}

func (s ofLoop) keys(ctx context.Context, tx *store.Tx, at span, r rest) ([]key, error) {
	p := db.NewestOfLoopParams{
		LoopID: s.loopID, Mode: s.mode, Status: s.status, Beyond: at.beyond.Time, BeyondID: at.beyond.ID, Until: at.until.Time, UntilID: at.until.ID,
		Ranks: r.ranks, TextLike: r.textLike, Tag: r.tag, EndedSince: r.endedSince, RowLimit: at.limit, RowOffset: at.offset,
	}
	if at.oldest {
		rows, err := tx.OldestOfLoop(ctx, db.OldestOfLoopParams(p))
		return keysOf(rows), err
	}
	rows, err := tx.NewestOfLoop(ctx, p)
	return keysOf(rows), err
}

// ofAsked are the requests of a loop that a person was asked about: those that are open, or
// those that are over.
type ofAsked struct {
	scope
	loopID   string
	open     bool
	statuses []string
}

// all tells whether the filter leaves none of them out.
func (s ofAsked) all() bool { return len(s.statuses) == len(statusesThatAre(everyStatus, s.open)) }

func (s ofAsked) keys(ctx context.Context, tx *store.Tx, at span, r rest) ([]key, error) {
	if at.skim {
		s.statuses = statusesThatAre(everyStatus, s.open)
	}
	p := db.NewestAskedParams{
		PersonID: s.personID, Open: s.open, LoopID: s.loopID, Mode: s.mode, Statuses: store.IDs(s.statuses),
		Beyond: at.beyond.Time, BeyondID: at.beyond.ID, Until: at.until.Time, UntilID: at.until.ID,
		Ranks: r.ranks, TextLike: r.textLike, Tag: r.tag, EndedSince: r.endedSince, RowLimit: at.limit, RowOffset: at.offset,
	}
	if at.oldest {
		rows, err := tx.OldestAsked(ctx, db.OldestAskedParams(p))
		return keysOf(rows), err
	}
	rows, err := tx.NewestAsked(ctx, p)
	return keysOf(rows), err
}

// floored is a source in which nothing older than a place matches.
type floored struct {
	source
	floor keyset.Position
}

func (s floored) keys(ctx context.Context, tx *store.Tx, at span, r rest) ([]key, error) {
	if at.oldest {
		at.beyond = later(at.beyond, s.floor)
	} else {
		at.until = later(at.until, s.floor)
	}
	return s.source.keys(ctx, tx, at, r)
}

// keyed are the rows of the queries that find places.
type keyed interface {
	db.NewestOfAgentRow | db.OldestOfAgentRow | db.NewestOfAgentInRow | db.OldestOfAgentInRow | db.NewestOfHouseRow | db.OldestOfHouseRow | db.NewestOfLoopRow | db.OldestOfLoopRow |
		db.NewestAskedRow | db.OldestAskedRow | db.RankedOfAgentRow | db.RankedOfAgentInRow | db.RankedOfHouseRow | db.RankedOfLoopsRow
}

func keysOf[R keyed](rows []R) []key {
	keys := make([]key, len(rows))
	for i, r := range rows {
		keys[i] = key(r)
	}
	return keys
}

// ranked are the first places of a list in an order other than that of time, of the
// requests that the stretch begins with, without those that a person was asked about elsewhere.
func (s scope) ranked(ctx context.Context, tx *store.Tx, f filter, at span) ([]key, error) {
	since, until, statuses := at.until, at.beyond, store.IDs(f.statuses)
	switch {
	case s.agentID != "" && f.loopID != "":
		rows, err := tx.RankedOfAgentIn(ctx, db.RankedOfAgentInParams{
			AgentID: s.agentID, LoopID: f.loopID, Mode: s.mode, Statuses: statuses, Since: since.Time, SinceID: since.ID, Until: until.Time, UntilID: until.ID,
			Ranks: f.ranks, TextLike: f.textLike, Tag: f.tag, EndedSince: f.endedSince, Sort: f.sort, RowLimit: at.limit,
		})
		return keysOf(rows), err
	case s.agentID != "":
		rows, err := tx.RankedOfAgent(ctx, db.RankedOfAgentParams{
			AgentID: s.agentID, Mode: s.mode, Statuses: statuses, Since: since.Time, SinceID: since.ID, Until: until.Time, UntilID: until.ID,
			Ranks: f.ranks, TextLike: f.textLike, Tag: f.tag, EndedSince: f.endedSince, Sort: f.sort, RowLimit: at.limit,
		})
		return keysOf(rows), err
	case s.house:
		rows, err := tx.RankedOfHouse(ctx, db.RankedOfHouseParams{
			Mode: s.mode, Statuses: statuses, Since: since.Time, SinceID: since.ID, Until: until.Time, UntilID: until.ID,
			Ranks: f.ranks, TextLike: f.textLike, Tag: f.tag, EndedSince: f.endedSince, Sort: f.sort, RowLimit: at.limit,
		})
		return keysOf(rows), err
	}
	rows, err := tx.RankedOfLoops(ctx, db.RankedOfLoopsParams{
		Loops: store.IDs(s.loops), Mode: s.mode, Statuses: statuses, Since: since.Time, SinceID: since.ID, Until: until.Time, UntilID: until.ID,
		Ranks: f.ranks, TextLike: f.textLike, Tag: f.tag, EndedSince: f.endedSince, Sort: f.sort, RowLimit: at.limit,
	})
	return keysOf(rows), err
}

// count counts what matches in a stretch, up to keyset.CountTo, without what a person was
// asked about elsewhere.
func (s scope) count(ctx context.Context, tx *store.Tx, f filter, at span) (int64, error) {
	since, until, statuses := at.until, at.beyond, store.IDs(f.statuses)
	if at.oldest {
		since, until = until, since
	}
	switch {
	case s.agentID != "" && f.loopID != "":
		return tx.CountOfAgentIn(ctx, db.CountOfAgentInParams{
			AgentID: s.agentID, LoopID: f.loopID, Mode: s.mode, Statuses: statuses, Since: since.Time, SinceID: since.ID, Until: until.Time, UntilID: until.ID,
			Ranks: f.ranks, TextLike: f.textLike, Tag: f.tag, EndedSince: f.endedSince, CountTo: keyset.CountTo,
		})
	case s.agentID != "":
		return tx.CountOfAgent(ctx, db.CountOfAgentParams{
			AgentID: s.agentID, Mode: s.mode, Statuses: statuses, Since: since.Time, SinceID: since.ID, Until: until.Time, UntilID: until.ID,
			Ranks: f.ranks, TextLike: f.textLike, Tag: f.tag, EndedSince: f.endedSince, CountTo: keyset.CountTo,
		})
	case s.house:
		return tx.CountOfHouse(ctx, db.CountOfHouseParams{
			Mode: s.mode, Statuses: statuses, Since: since.Time, SinceID: since.ID, Until: until.Time, UntilID: until.ID,
			Ranks: f.ranks, TextLike: f.textLike, Tag: f.tag, EndedSince: f.endedSince, CountTo: keyset.CountTo,
		})
	}
	return tx.CountOfLoops(ctx, db.CountOfLoopsParams{
		Loops: store.IDs(s.loops), Mode: s.mode, Statuses: statuses, Since: since.Time, SinceID: since.ID, Until: until.Time, UntilID: until.ID,
		Ranks: f.ranks, TextLike: f.textLike, Tag: f.tag, EndedSince: f.endedSince, CountTo: keyset.CountTo,
	})
}

// everyStatus is every status that a request can be in.
var everyStatus = func() (list []string) {
	for _, status := range schemas.ReviewStatuses {
		list = append(list, string(status))
	}
	return list
}()

// statusesThatAre are those statuses that are open, or those that are not.
func statusesThatAre(list []string, open bool) (those []string) {
	for _, status := range list {
		if schemas.ReviewStatus(status).Final() != open {
			those = append(those, status)
		}
	}
	return those
}
