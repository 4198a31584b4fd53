package account

import (
	"context"
	"fmt"
	"slices"

	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// reservedNames mean something wherever a person may be named.
var reservedNames = []string{me, "owner", "owners", "loop", "everybody"}

// ReservedName tells whether a name stands for something else where people are named.
func ReservedName(name string) bool { return slices.Contains(reservedNames, nameKey(name)) }

// NameKey is the form in which names are compared.
func NameKey(name string) string { return nameKey(name) }

// AddGuest adds a person without a role, who came by an invitation and chose the name. A
// name that exists is somebody else.
func (s *Service) AddGuest(ctx context.Context, tx *store.Tx, name, email string) (db.Person, error) {
	name, err := guestName(name)
	if err != nil {
		return db.Person{}, err
	}
	if email, err = checkedEmail(email); err != nil {
		return db.Person{}, err
	}
	if ReservedName(name) {
		return db.Person{}, schemas.Invalid("name", fmt.Sprintf("must be your own; %q has a meaning here. Example: Ada Lovelace", name))
	}
	now := store.Micros(tx.Now())
	n, err := tx.InsertPerson(ctx, db.InsertPersonParams{
		ID: ident.New(schemas.KindOperator.Prefix()), Name: name, NameKey: nameKey(name), Email: email, Phone: "",
		IsOwner: false, IsOperator: false, Simulated: false, CreatedAt: now,
	})
	if err != nil {
		return db.Person{}, err
	}
	if n == 0 {
		return db.Person{}, NameTaken(name)
	}
	person, err := tx.PersonByName(ctx, nameKey(name))
	if err != nil {
		return db.Person{}, err
	}
	person.LastSeenAt = now
	return person, tx.TouchPerson(ctx, db.TouchPersonParams{ID: person.ID, LastSeenAt: now})
}

// NameTaken refuses a guest a name that means somebody else.
func NameTaken(name string) error {
	return schemas.NewError(schemas.CodeConflict, fmt.Sprintf(
		"There is already somebody called %.200q here. If that is you, sign in first and open the invitation again; else add something to your name.", cleanName(name)))
}
