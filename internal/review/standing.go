package review

import (
	"context"

	"humanops-mcp/internal/account"
	loops "humanops-mcp/internal/loop"
	"humanops-mcp/internal/review/ask"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
)

// standingOf tells whether a person may decide a request in its present round, whoever
// has claimed it.
func (s *Service) standingOf(ctx context.Context, tx *store.Tx, r request, loop db.Loop, personID string) (ask.Standing, error) {
	asked, err := ask.AskedOf(ctx, tx, r)
	if err != nil {
		return ask.Standing{}, err
	}
	member, err := loops.IsMember(ctx, tx, r.LoopID, personID)
	if err != nil {
		return ask.Standing{}, err
	}
	p, err := account.Person(ctx, tx, personID)
	if err != nil {
		return ask.Standing{}, err
	}
	st := ask.Place(r, asked, ask.Who{PersonID: personID, Member: member, Owner: p.IsOwner})
	if st.Why != "" {
		return st, nil
	}
	return s.keyed(ctx, tx, loop, personID, st)
}

// keyed adds the demand of a loop whose decisions need a passkey.
func (s *Service) keyed(ctx context.Context, tx *store.Tx, loop db.Loop, personID string, st ask.Standing) (ask.Standing, error) {
	if !loops.Settings(loop).Passkey {
		return st, nil
	}
	has, err := s.Passkeys.HasEnrolled(ctx, tx, loop.ID, personID)
	if err == nil && !has {
		st.Why = ask.NoPasskey
	}
	return st, err
}
