package loop

import (
	"context"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/passkey"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// RemoveMember takes a person out of a loop, with their enrolled passkeys; what they had
// claimed in it goes back to the others.
func (s *Service) RemoveMember(ctx context.Context, tx *store.Tx, in schemas.MemberRequest) (schemas.MemberRemoved, error) {
	var none schemas.MemberRemoved
	loop, err := s.changeable(ctx, tx, in.LoopID)
	if err != nil {
		return none, err
	}
	m, err := memberNamed(ctx, tx, loop.ID, in.UserID)
	if err != nil {
		return none, err
	}
	if m.PersonID == loop.CreatorID {
		return none, schemas.Against("", "Loop creator cannot be removed")
	}
	if err := s.govern(ctx, tx, loop, removal(m.PersonID), in.Assertion); err != nil {
		return none, err
	}
	if m.Status == statusActive {
		if err := asSet(ctx, loop); err != nil {
			return none, err
		}
	}
	if err := s.leave(ctx, tx, loop.ID, m.PersonID); err != nil {
		return none, err
	}
	out := schemas.MemberRemoved{LoopID: loop.ID, UserID: m.PersonID, RemovedAt: tx.Now()}
	account.MarkTest(&out.Sandboxed, loop.Mode)
	return out, nil
}

// leave takes a person out of a loop, with all that follows.
func (s *Service) leave(ctx context.Context, tx *store.Tx, loopID, personID string) error {
	gone, err := s.contents.Leave(ctx, tx, personID, loopID)
	if err != nil {
		return err
	}
	if err := passkey.Disenrol(ctx, tx, loopID, personID); err != nil {
		return err
	}
	if _, err := tx.DeleteMember(ctx, db.DeleteMemberParams{LoopID: loopID, PersonID: personID}); err != nil {
		return err
	}
	if err := gone(); err != nil {
		return err
	}
	return announceMember(ctx, tx, "loop.member_left", loopID, personID)
}

// forget takes a person who was removed from the house out of everything.
func (s *Service) forget(ctx context.Context, tx *store.Tx, personID string) error {
	loops, err := tx.LoopsOfPerson(ctx, personID)
	if err != nil {
		return err
	}
	gone, err := s.contents.Leave(ctx, tx, personID, "")
	if err != nil {
		return err
	}
	if err := tx.DeleteMembershipsOf(ctx, personID); err != nil {
		return err
	}
	if err := tx.DeleteGroupMembershipsOf(ctx, personID); err != nil {
		return err
	}
	if err := gone(); err != nil {
		return err
	}
	if err := s.Passkeys.Forget(ctx, tx, personID); err != nil {
		return err
	}
	if err := s.succeed(ctx, tx, personID); err != nil {
		return err
	}
	for _, loopID := range loops {
		if err := announceMember(ctx, tx, "loop.member_left", loopID, personID); err != nil {
			return err
		}
	}
	return nil
}

// succeed gives the loops of a creator who left to an owner who is there.
func (s *Service) succeed(ctx context.Context, tx *store.Tx, personID string) error {
	owner, err := s.Accounts.OwnerID(ctx, tx)
	if err != nil {
		return err
	}
	return tx.SetCreator(ctx, db.SetCreatorParams{CreatorID: owner, FormerID: personID})
}

// Waiting names the loops in which a person waits to be admitted.
func (s *Service) Waiting(ctx context.Context, tx *store.Tx, personID string) ([]string, error) {
	return tx.LoopsWaitedFor(ctx, personID)
}
