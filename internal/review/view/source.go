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
		db.NewestAskedRow | db.OldestAskedRow | db.RankedOfAgentRow | db.RankedOfAgentInRow | db.RankedOfHouseRow | db.RankedOfLoopRow
}

func keysOf[R keyed](rows []R) []key {
	keys := make([]key, len(rows))
	for i, r := range rows {
		keys[i] = key(r)
	}
	return keys
}

// stretches are what a list is counted and sorted in: a status, and a loop where it is of loops.
func (s scope) stretches(f filter, do func(loopID, status string) error) error {
	circles := s.loops
	if s.agentID != "" || s.house {
		circles = []string{f.loopID}
	}
	for _, status := range f.statuses {
		for _, id := range circles {
			if err := do(id, status); err != nil {
				return err
			}
		}
	}
	return nil
}

// ranked are the first places of a list in an order other than that of time, of the
// requests that the stretch begins with, without those that a person was asked about elsewhere.
func (s scope) ranked(ctx context.Context, tx *store.Tx, f filter, at span) (keys []key, err error) {
	err = s.stretches(f, func(loopID, status string) error {
		more, err := s.rankedIn(ctx, tx, f, at, loopID, status)
		keys = append(keys, more...)
		return err
	})
	return keys, err
}

func (s scope) rankedIn(ctx context.Context, tx *store.Tx, f filter, at span, loopID, status string) ([]key, error) {
	since, until := at.until, at.beyond
	switch {
	case s.agentID != "" && loopID != "":
		rows, err := tx.RankedOfAgentIn(ctx, db.RankedOfAgentInParams{
			AgentID: s.agentID, LoopID: loopID, Mode: s.mode, Status: status, Since: since.Time, SinceID: since.ID, Until: until.Time, UntilID: until.ID,
			Ranks: f.ranks, TextLike: f.textLike, Tag: f.tag, EndedSince: f.endedSince, Sort: f.sort, RowLimit: at.limit,
		})
		return keysOf(rows), err
	case s.agentID != "":
		rows, err := tx.RankedOfAgent(ctx, db.RankedOfAgentParams{
			AgentID: s.agentID, Mode: s.mode, Status: status, Since: since.Time, SinceID: since.ID, Until: until.Time, UntilID: until.ID,
			Ranks: f.ranks, TextLike: f.textLike, Tag: f.tag, EndedSince: f.endedSince, Sort: f.sort, RowLimit: at.limit,
		})
		return keysOf(rows), err
	case s.house:
		rows, err := tx.RankedOfHouse(ctx, db.RankedOfHouseParams{
			Mode: s.mode, Status: status, Since: since.Time, SinceID: since.ID, Until: until.Time, UntilID: until.ID,
			Ranks: f.ranks, TextLike: f.textLike, Tag: f.tag, EndedSince: f.endedSince, Sort: f.sort, RowLimit: at.limit,
		})
		return keysOf(rows), err
	}
	rows, err := tx.RankedOfLoop(ctx, db.RankedOfLoopParams{
		LoopID: loopID, Mode: s.mode, Status: status, Since: since.Time, SinceID: since.ID, Until: until.Time, UntilID: until.ID,
		Ranks: f.ranks, TextLike: f.textLike, Tag: f.tag, EndedSince: f.endedSince, Sort: f.sort, RowLimit: at.limit,
	})
	return keysOf(rows), err
}

// count counts what matches in a stretch, of each part up to keyset.CountTo, without what a
// person was asked about elsewhere.
func (s scope) count(ctx context.Context, tx *store.Tx, f filter, at span) (total int64, err error) {
	plain := f.rest == rest{} && (at.until == keyset.Oldest || at.until == keyset.Newest)
	err = s.stretches(f, func(loopID, status string) (err error) {
		var n int64
		switch {
		case total > keyset.MaxTotal: // it is known to be more
		case plain:
			n, err = s.totalIn(ctx, tx, loopID, status)
		default:
			n, err = s.countIn(ctx, tx, f, at, loopID, status)
		}
		total += n
		return err
	})
	return total, err
}

func (s scope) countIn(ctx context.Context, tx *store.Tx, f filter, at span, loopID, status string) (int64, error) {
	since, until := at.until, at.beyond
	if at.oldest {
		since, until = until, since
	}
	switch {
	case s.agentID != "" && loopID != "":
		return tx.CountOfAgentIn(ctx, db.CountOfAgentInParams{
			AgentID: s.agentID, LoopID: loopID, Mode: s.mode, Status: status, Since: since.Time, SinceID: since.ID, Until: until.Time, UntilID: until.ID,
			Ranks: f.ranks, TextLike: f.textLike, Tag: f.tag, EndedSince: f.endedSince, CountTo: keyset.CountTo,
		})
	case s.agentID != "":
		return tx.CountOfAgent(ctx, db.CountOfAgentParams{
			AgentID: s.agentID, Mode: s.mode, Status: status, Since: since.Time, SinceID: since.ID, Until: until.Time, UntilID: until.ID,
			Ranks: f.ranks, TextLike: f.textLike, Tag: f.tag, EndedSince: f.endedSince, CountTo: keyset.CountTo,
		})
	case s.house:
		return tx.CountOfHouse(ctx, db.CountOfHouseParams{
			Mode: s.mode, Status: status, Since: since.Time, SinceID: since.ID, Until: until.Time, UntilID: until.ID,
			Ranks: f.ranks, TextLike: f.textLike, Tag: f.tag, EndedSince: f.endedSince, CountTo: keyset.CountTo,
		})
	}
	return tx.CountOfLoop(ctx, db.CountOfLoopParams{
		LoopID: loopID, Mode: s.mode, Status: status, Since: since.Time, SinceID: since.ID, Until: until.Time, UntilID: until.ID,
		Ranks: f.ranks, TextLike: f.textLike, Tag: f.tag, EndedSince: f.endedSince, CountTo: keyset.CountTo,
	})
}

// totalIn counts everything that is in a status.
func (s scope) totalIn(ctx context.Context, tx *store.Tx, loopID, status string) (int64, error) {
	switch {
	case s.agentID != "" && loopID != "":
		return tx.TotalOfAgentIn(ctx, db.TotalOfAgentInParams{AgentID: s.agentID, LoopID: loopID, Mode: s.mode, Status: status, CountTo: keyset.CountTo})
	case s.agentID != "":
		return tx.TotalOfAgent(ctx, db.TotalOfAgentParams{AgentID: s.agentID, Mode: s.mode, Status: status, CountTo: keyset.CountTo})
	case s.house:
		return tx.TotalOfHouse(ctx, db.TotalOfHouseParams{Mode: s.mode, Status: status, CountTo: keyset.CountTo})
	}
	return tx.TotalOfLoop(ctx, db.TotalOfLoopParams{LoopID: loopID, Mode: s.mode, Status: status, CountTo: keyset.CountTo})
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
