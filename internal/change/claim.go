package change

import (
	"context"

	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
)

// Claim gives a subject into somebody's hands, in the Edit of the move that does: until
// the lease ends, or for as long as the states last that Kind.Claimed names when until is
// zero. Times are microseconds.
func Claim(l *Line, holder string, at, until int64) {
	l.ClaimedBy, l.ClaimedAt, l.LeaseUntil = holder, at, until
}

// Renew gives whoever has the subject a lease until then. That wakes nobody and makes no
// entry: they are still at it. Whose claim has ended meanwhile is refused as by Move.
func (l *Life[R, S, E, F]) Renew(ctx context.Context, tx *store.Tx, r R, until int64) (R, error) {
	renewed := r
	line := l.kind.Line(&renewed)
	if line.ClaimedBy == "" {
		return r, l.refusal(ctx, tx, r, nil)
	}
	line.LeaseUntil = until
	next, err := l.nextClock(ctx, tx, renewed)
	if err != nil {
		return r, err
	}
	if line.ClockAt == 0 || next.At < line.ClockAt { // a later end is found when the clock of before rings
		line.ClockAt = next.At
	}
	n, err := tx.RenewClaim(ctx, db.RenewClaimParams{
		ID: line.ID, ClaimedBy: line.ClaimedBy, Version: line.Version, LeaseUntil: line.LeaseUntil, ClockAt: line.ClockAt,
	})
	if err != nil {
		return r, err
	}
	if n == 0 {
		return r, l.lost(ctx, tx, r, always)
	}
	return renewed, l.setClock(ctx, tx, *l.kind.Line(&r), renewed)
}

// Claims are the subjects of this kind that somebody has in hand.
func (l *Life[R, S, E, F]) Claims(ctx context.Context, tx *store.Tx, holder string) ([]string, error) {
	return tx.ClaimsOf(ctx, db.ClaimsOfParams{ClaimedBy: holder, Kind: l.kind.Name})
}
