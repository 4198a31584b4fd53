package loop

import (
	"context"
	"slices"
	"strings"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/passkey"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// What is asserted when a loop that demands passkeys is changed. Each names the change in
// full, so that an assertion for one is none for another.
const deletion = "delete"

func settingsChange(to schemas.LoopSettings) string { return "settings " + store.JSON(to) }

func removal(personID string) string { return "remove " + personID }

// addition names the passkeys too: one that is registered between the question and the
// answer is not enrolled with the others.
func addition(personID, role string, keys []passkey.Passkey) string {
	words := []string{"add", personID, "as", role, "with"}
	for _, k := range keys {
		words = append(words, k.ID)
	}
	return strings.Join(words, " ")
}

var errNeedsPasskey = schemas.NewError(schemas.CodeForbidden,
	"This loop demands passkeys, and so does changing it. An owner whose passkey is enrolled in it does this on the loop's page.")

// govern lets a change of a loop that demands passkeys through only with an assertion of
// the calling owner, over that very change, by a passkey that is enrolled in the loop.
// Neither a key nor a session is enough, whoever holds it.
func (s *Service) govern(ctx context.Context, tx *store.Tx, loop db.Loop, what string, a *schemas.Assertion) error {
	if !Settings(loop).Passkey {
		return nil
	}
	c := account.From(ctx)
	if !c.Owner || a == nil {
		return errNeedsPasskey
	}
	proof, err := s.Passkeys.Verify(ctx, tx, c.PersonID, passkey.Govern, passkey.GovernSubject(loop.ID, what), *a)
	if err != nil {
		return err
	}
	enrolled, err := s.Passkeys.Enrolled(ctx, tx, loop.ID, proof.PasskeyID)
	if err == nil && !enrolled {
		err = schemas.NewError(schemas.CodeForbidden, "The passkey that confirmed this is not enrolled in the loop. Confirm with one that is.")
	}
	return err
}

// changeSettings replaces the settings. Turning passkeys on takes an assertion too, which
// enrols the passkey that made it: the first one of the loop.
func (s *Service) changeSettings(ctx context.Context, tx *store.Tx, loop *db.Loop, to schemas.LoopSettings, a *schemas.Assertion) error {
	if !account.From(ctx).Owner {
		return errSettings
	}
	if err := s.checkSettings(ctx, tx, *loop, to); err != nil {
		return err
	}
	was := Settings(*loop)
	if err := s.govern(ctx, tx, *loop, settingsChange(to), a); err != nil {
		return err
	}
	if to.Passkey && !was.Passkey {
		if err := s.demandPasskeys(ctx, tx, *loop, to, a); err != nil {
			return err
		}
	}
	loop.Settings = store.JSON(to)
	return nil
}

func (s *Service) demandPasskeys(ctx context.Context, tx *store.Tx, loop db.Loop, to schemas.LoopSettings, a *schemas.Assertion) error {
	me := account.From(ctx).PersonID
	if loop.Kind == proofLoop {
		return schemas.Invalid("settings.passkey", "cannot be turned on for the proof loop: the agent that posted a task may decide on its proof too")
	}
	member, err := IsMember(ctx, tx, loop.ID, me)
	if err != nil {
		return err
	}
	if !member {
		return schemas.NewError(schemas.CodeForbidden, "Only an owner who is an active member of the loop turns passkeys on, since theirs is the first that counts. Add yourself to the loop first.")
	}
	if a == nil {
		return schemas.NewError(schemas.CodeForbidden, "Turning passkeys on has to be confirmed with a passkey of yours. Do it on the loop's page, where you can register one.")
	}
	proof, err := s.Passkeys.Verify(ctx, tx, me, passkey.Govern, passkey.GovernSubject(loop.ID, settingsChange(to)), *a)
	if err != nil {
		return err
	}
	_, answered, err := s.contents.Open(ctx, tx, loop.ID)
	if err == nil && answered > 0 {
		err = schemas.NewError(schemas.CodeConflict, "Requests in this loop were answered without a passkey and still wait for others, and those answers would count. Turn passkeys on once they are over, or cancel them first.")
	}
	if err != nil {
		return err
	}
	// Enrolments from an earlier time say nothing about who has the passkeys now.
	if err := passkey.DisenrolAll(ctx, tx, loop.ID); err != nil {
		return err
	}
	return s.Passkeys.Enrol(ctx, tx, loop.ID, proof.PasskeyID, me)
}

// Confirmation is what has to be confirmed with a passkey before a change is made.
type Confirmation struct {
	Needed   bool
	Ceremony passkey.Ceremony  // its assertion goes into the request
	Enrols   []passkey.Passkey // that will count in the loop; to be shown before confirming
}

// confirm begins the assertion over a change of a loop.
func (s *Service) confirm(ctx context.Context, tx *store.Tx, loop db.Loop, what string) (Confirmation, error) {
	c := account.From(ctx)
	if !c.Owner {
		return Confirmation{}, errNeedsPasskey
	}
	ceremony, err := s.Passkeys.Begin(ctx, tx, c.PersonID, passkey.Govern, passkey.GovernSubject(loop.ID, what))
	return Confirmation{Needed: true, Ceremony: ceremony}, err
}

// ConfirmUpdateLoop begins what UpdateLoop needs for the same request.
func (s *Service) ConfirmUpdateLoop(ctx context.Context, tx *store.Tx, in schemas.UpdateLoopRequest) (Confirmation, error) {
	loop, err := s.Find(ctx, tx, in.LoopID)
	if err != nil || in.Settings == nil || !Settings(loop).Passkey && !in.Settings.Passkey {
		return Confirmation{}, err
	}
	return s.confirm(ctx, tx, loop, settingsChange(*in.Settings))
}

// ConfirmDeleteLoop begins what DeleteLoop needs for the same request.
func (s *Service) ConfirmDeleteLoop(ctx context.Context, tx *store.Tx, in schemas.DeleteLoopRequest) (Confirmation, error) {
	loop, err := s.Find(ctx, tx, in.LoopID)
	if err != nil || !Settings(loop).Passkey {
		return Confirmation{}, err
	}
	return s.confirm(ctx, tx, loop, deletion)
}

// ConfirmAddMember begins what AddMember needs for the same request, and tells which
// passkeys it will enrol.
func (s *Service) ConfirmAddMember(ctx context.Context, tx *store.Tx, in schemas.AddMemberRequest) (Confirmation, error) {
	loop, err := s.Find(ctx, tx, in.LoopID)
	if err != nil || !Settings(loop).Passkey {
		return Confirmation{}, err
	}
	person, err := s.Accounts.FindPerson(ctx, tx, in.UserID)
	if err != nil {
		return Confirmation{}, err
	}
	keys, err := s.Passkeys.List(ctx, tx, person.ID)
	if err != nil {
		return Confirmation{}, err
	}
	out, err := s.confirm(ctx, tx, loop, addition(person.ID, in.Role, keys))
	out.Enrols = slices.Clone(keys)
	return out, err
}

// ConfirmRemoveMember begins what RemoveMember needs for the same request.
func (s *Service) ConfirmRemoveMember(ctx context.Context, tx *store.Tx, in schemas.MemberRequest) (Confirmation, error) {
	loop, err := s.Find(ctx, tx, in.LoopID)
	if err != nil || !Settings(loop).Passkey {
		return Confirmation{}, err
	}
	m, err := memberNamed(ctx, tx, loop.ID, in.UserID)
	if err != nil {
		return Confirmation{}, err
	}
	return s.confirm(ctx, tx, loop, removal(m.PersonID))
}
