package loop

import (
	"context"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/keyset"
	"humanops-mcp/internal/passkey"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// GetLoop gives a loop with its members.
func (s *Service) GetLoop(ctx context.Context, tx *store.Tx, in schemas.LoopRequest) (schemas.LoopAnswer, error) {
	loop, err := s.Find(ctx, tx, in.LoopID)
	if err != nil {
		return schemas.LoopAnswer{}, err
	}
	return s.loopAnswer(ctx, tx, loop)
}

func (s *Service) loopAnswer(ctx context.Context, tx *store.Tx, loop db.Loop) (out schemas.LoopAnswer, err error) {
	out.Loop, err = s.wholeLoop(ctx, tx, loop.ID)
	out.Warnings = out.Loop.Problems
	account.MarkTest(&out.Sandboxed, loop.Mode)
	return out, err
}

// wholeLoop is a loop with members and problems, read anew.
func (s *Service) wholeLoop(ctx context.Context, tx *store.Tx, id string) (schemas.Loop, error) {
	loop, err := tx.LoopByID(ctx, id)
	if err != nil {
		return schemas.Loop{}, err
	}
	v, err := s.loopView(ctx, tx, loop)
	if err != nil {
		return v, err
	}
	if v.Members, err = membersSeen(ctx, tx, loop); err != nil || account.From(ctx).Mode == account.Test {
		return v, err
	}
	v.Problems, err = s.problems(ctx, tx, loop)
	return v, err
}

func (s *Service) loopView(ctx context.Context, tx *store.Tx, l db.Loop) (schemas.Loop, error) {
	n, err := tx.CountMembers(ctx, l.ID)
	v := schemas.Loop{
		ID: l.ID, Slug: l.Slug, Name: l.Name, Description: l.Description, Icon: l.Icon, CreatorID: l.CreatorID, AgentID: l.AgentID,
		MemberCount: int(n.Active), PendingCount: int(n.Pending), Settings: Settings(l), Status: "active",
		CreatedAt: store.Time(l.CreatedAt), UpdatedAt: store.Time(l.UpdatedAt),
	}
	if err != nil || account.From(ctx).Mode != account.Test {
		return v, err
	}
	simulated, err := account.SimulatedPeople(ctx, tx)
	v.MemberCount, v.PendingCount, v.Settings = len(simulated), 0, nameless(v.Settings)
	return v, err
}

// nameless are settings without the people in them, for test keys: anybody can have one.
func nameless(settings schemas.LoopSettings) schemas.LoopSettings {
	settings.Escalation = nil
	if settings.Mode != nil && len(settings.Mode.Steps) > 0 {
		settings.Mode = nil
	}
	return settings
}

// membersSeen are a loop's members as the caller may see them. To a test key they are the
// simulated people, who answer it.
func membersSeen(ctx context.Context, tx *store.Tx, loop db.Loop) ([]schemas.Member, error) {
	list := []schemas.Member{}
	if account.From(ctx).Mode == account.Test {
		simulated, err := account.SimulatedPeople(ctx, tx)
		for _, p := range simulated {
			list = append(list, schemas.Member{UserID: p.ID, Name: p.Name, Status: statusActive, Role: roleMember, JoinedAt: store.TimePointer(loop.CreatedAt)})
		}
		return list, err
	}
	rows, err := tx.ListMembers(ctx, loop.ID)
	if err != nil {
		return list, err
	}
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.PersonID
	}
	people, err := account.People(ctx, tx, ids)
	if err != nil {
		return list, err
	}
	enrolled, err := passkey.EnrolledIn(ctx, tx, loop.ID)
	for _, row := range rows {
		list = append(list, memberView(row, people[row.PersonID], enrolled[row.PersonID]))
	}
	return list, err
}

var loopPages = keyset.List{From: keyset.Newest, Usual: 50, Lenient: true}

// ListLoops lists the loops that the caller may see, newest first, without their members.
func (s *Service) ListLoops(ctx context.Context, tx *store.Tx, in schemas.ListLoopsRequest) (schemas.LoopList, error) {
	p, err := loopPages.Window(schemas.PageRequest(in))
	if err != nil {
		return schemas.LoopList{}, err
	}
	c := account.From(ctx)
	rows, total, err := loopsOf(ctx, tx, c, p)
	if err != nil {
		return schemas.LoopList{}, err
	}
	out := schemas.LoopList{Loops: make([]schemas.Loop, 0, len(rows))}
	out.Total, out.TotalMore = keyset.Counted(total)
	rows, out.NextCursor = keyset.Cut(p, rows, func(l db.Loop) keyset.Position { return keyset.At(l.CreatedAt, l.ID) })
	for _, row := range rows {
		v, err := s.loopView(ctx, tx, row)
		if err != nil {
			return out, err
		}
		out.Loops = append(out.Loops, v)
	}
	out.Count = len(out.Loops)
	account.MarkTest(&out.Sandboxed, c.Mode)
	return out, nil
}

func loopsOf(ctx context.Context, tx *store.Tx, c account.Caller, p keyset.Window) (rows []db.Loop, total int64, err error) {
	more, skip := int32(p.Limit+1), int32(p.Offset)
	switch {
	case c.AgentID != "":
		if total, err = tx.CountAgentLoops(ctx, db.CountAgentLoopsParams{AgentID: c.AgentID, Mode: c.Mode}); err != nil {
			return nil, 0, err
		}
		rows, err = tx.ListAgentLoops(ctx, db.ListAgentLoopsParams{AgentID: c.AgentID, Mode: c.Mode, Before: p.At.Time, BeforeID: p.At.ID, RowLimit: more, RowOffset: skip})
	case c.Owner:
		if total, err = tx.CountOwnerLoops(ctx, keyset.CountTo); err != nil {
			return nil, 0, err
		}
		rows, err = tx.ListOwnerLoops(ctx, db.ListOwnerLoopsParams{Before: p.At.Time, BeforeID: p.At.ID, RowLimit: more, RowOffset: skip})
	default:
		if total, err = tx.CountPersonLoops(ctx, c.PersonID); err != nil {
			return nil, 0, err
		}
		rows, err = tx.ListPersonLoops(ctx, db.ListPersonLoopsParams{PersonID: c.PersonID, Before: p.At.Time, BeforeID: p.At.ID, RowLimit: more, RowOffset: skip})
	}
	return rows, total, err
}
