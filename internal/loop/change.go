package loop

import (
	"context"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/check"
	"humanops-mcp/internal/passkey"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/webhook"
	"humanops-mcp/schemas"
)

// UpdateLoop changes what is given; the settings as a whole, and only for a person.
func (s *Service) UpdateLoop(ctx context.Context, tx *store.Tx, in schemas.UpdateLoopRequest) (schemas.LoopAnswer, error) {
	if in.Name == nil && in.Description == nil && in.Icon == nil && in.Settings == nil {
		return schemas.LoopAnswer{}, schemas.NewError(schemas.CodeInvalid, "At least one field must be provided for update")
	}
	loop, err := s.changeable(ctx, tx, in.LoopID)
	if err != nil {
		return schemas.LoopAnswer{}, err
	}
	if err := rename(&loop, in); err != nil {
		return schemas.LoopAnswer{}, err
	}
	if in.Settings != nil {
		if err := s.changeSettings(ctx, tx, &loop, *in.Settings, in.Assertion); err != nil {
			return schemas.LoopAnswer{}, err
		}
	}
	if err := saveLoop(ctx, tx, loop); err != nil {
		return schemas.LoopAnswer{}, err
	}
	if err := announceLoop(ctx, tx, "loop.updated", loop.ID, nil); err != nil {
		return schemas.LoopAnswer{}, err
	}
	return s.loopAnswer(ctx, tx, loop)
}

func rename(loop *db.Loop, in schemas.UpdateLoopRequest) error {
	if in.Name != nil {
		if loop.Name = check.Label(*in.Name); loop.Name == "" {
			return schemas.Invalid("name", "must have 1 to 100 visible characters. Example: Content moderation")
		}
	}
	if in.Description != nil {
		loop.Description = check.Lines(*in.Description)
	}
	if in.Icon != nil {
		loop.Icon = check.Label(*in.Icon)
	}
	return nil
}

func saveLoop(ctx context.Context, tx *store.Tx, l db.Loop) error {
	n, err := tx.UpdateLoop(ctx, db.UpdateLoopParams{
		ID: l.ID, Version: l.Version, Name: l.Name, Description: l.Description, Icon: l.Icon, Settings: l.Settings, UpdatedAt: store.Micros(tx.Now()),
	})
	if err == nil && n == 0 {
		err = schemas.NewError(schemas.CodeConflict, "Somebody else has just changed this loop. Look at it again before you change it.")
	}
	return err
}

// asSet keeps an agent from undoing what a person has set in its loop, by deleting the loop
// to make it anew or by taking out those who would have to agree.
func asSet(ctx context.Context, loop db.Loop) error {
	if account.From(ctx).Owner || loop.Settings == "{}" {
		return nil
	}
	return schemas.Forbidden("A person has set how this loop decides, so only an owner deletes it or takes people out of it.")
}

// DeleteLoop deletes a loop and everything in it, unless something in it is still open.
func (s *Service) DeleteLoop(ctx context.Context, tx *store.Tx, in schemas.DeleteLoopRequest) (schemas.LoopDeleted, error) {
	loop, err := s.changeable(ctx, tx, in.LoopID)
	if err != nil {
		return schemas.LoopDeleted{}, err
	}
	if loop.Kind != "loop" {
		return schemas.LoopDeleted{}, schemas.NewError(schemas.CodeConflict, "The loops default and proof belong to the house and cannot be deleted.")
	}
	if err := s.govern(ctx, tx, loop, deletion, in.Assertion); err != nil {
		return schemas.LoopDeleted{}, err
	}
	if err := asSet(ctx, loop); err != nil {
		return schemas.LoopDeleted{}, err
	}
	open, _, err := s.contents.Open(ctx, tx, loop.ID)
	if err == nil && open > 0 {
		err = schemas.Against("", "Cannot delete loop with active requests")
	}
	if err != nil {
		return schemas.LoopDeleted{}, err
	}
	if err := announceLoop(ctx, tx, "loop.deleted", loop.ID, nil); err != nil {
		return schemas.LoopDeleted{}, err
	}
	out := schemas.LoopDeleted{LoopID: loop.ID, DeletedAt: tx.Now()}
	account.MarkTest(&out.Sandboxed, loop.Mode)
	out.DeletedData, err = s.deleteAll(ctx, tx, loop.ID)
	return out, err
}

// deleteAll deletes a loop and every row that hangs on it.
func (s *Service) deleteAll(ctx context.Context, tx *store.Tx, loopID string) (schemas.DeletedData, error) {
	out, err := s.contents.Delete(ctx, tx, loopID)
	if err != nil {
		return out, err
	}
	for _, remove := range []func(context.Context, *store.Tx, string) error{passkey.DisenrolAll, webhook.ForgetLoop} {
		if err := remove(ctx, tx, loopID); err != nil {
			return out, err
		}
	}
	if err := tx.DeleteInvitationsIn(ctx, loopID); err != nil {
		return out, err
	}
	members, err := tx.DeleteMembersIn(ctx, loopID)
	if err != nil {
		return out, err
	}
	out.MembersRemoved = int(members)
	_, err = tx.DeleteLoop(ctx, loopID)
	return out, err
}
