package account

import (
	"context"

	"humanops-mcp/internal/notify"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// People reads people by id, those too who are gone: what they did keeps their names.
func People(ctx context.Context, tx *store.Tx, ids []string) (map[string]db.Person, error) {
	people := map[string]db.Person{}
	list := store.IDs(ids)
	if list == store.IDs(nil) {
		return people, nil
	}
	rows, err := tx.PeopleByIDs(ctx, list)
	for _, p := range rows {
		people[p.ID] = p
	}
	return people, err
}

// Person reads one person by id, also one who is gone; store.NotFound for an unknown id.
func Person(ctx context.Context, tx *store.Tx, id string) (db.Person, error) {
	return tx.PersonByID(ctx, id)
}

// AgentNames reads the names of agents by id.
func AgentNames(ctx context.Context, tx *store.Tx, ids []string) (map[string]string, error) {
	names := map[string]string{}
	rows, err := tx.AgentsByIDs(ctx, store.IDs(ids))
	for _, a := range rows {
		names[a.ID] = a.Name
	}
	return names, err
}

// Agent reads an agent by id.
func Agent(ctx context.Context, tx *store.Tx, id string) (db.Agent, error) {
	return tx.AgentByID(ctx, id)
}

// LockAgent keeps everything that needs an agent's lock in one order: what it posts, asks
// and uploads.
func LockAgent(ctx context.Context, tx *store.Tx, id string) (db.LockAgentRow, error) {
	return tx.LockAgent(ctx, id)
}

// LockPerson keeps what one person does in one order: it is taken before what they do it to.
func LockPerson(ctx context.Context, tx *store.Tx, id string) (db.Person, error) {
	return tx.LockPerson(ctx, id)
}

// AddStored counts bytes of proof that a person has handed in. Only who has their lock knows
// what they had before.
func AddStored(ctx context.Context, tx *store.Tx, id string, bytes int64) error {
	return tx.AddStoredBytes(ctx, db.AddStoredBytesParams{ID: id, Bytes: bytes})
}

// HoldPerson keeps a person from being removed while they act, and tells whether they are
// still there. Others may still refer to them.
func HoldPerson(ctx context.Context, tx *store.Tx, id string) (here bool, err error) {
	removed, err := tx.HoldPerson(ctx, id)
	return removed == 0, err
}

// LockOwners keeps the house's owners as they are.
func LockOwners(ctx context.Context, tx *store.Tx) error {
	_, err := tx.LockOwners(ctx)
	return err
}

// Owners are the owners of the house, the first one first.
func Owners(ctx context.Context, tx *store.Tx) ([]db.Person, error) { return tx.Owners(ctx) }

// SimulatedPeople are those of test mode who are there.
func SimulatedPeople(ctx context.Context, tx *store.Tx) ([]db.PeopleSimulatedRow, error) {
	return tx.PeopleSimulated(ctx)
}

// IDNamed is the id of the person who is meant by an id or a name; what it was given when
// that is nobody's.
func IDNamed(ctx context.Context, tx *store.Tx, idOrName string) (string, error) {
	_, err := tx.PersonByID(ctx, idOrName)
	if !store.NotFound(err) {
		return idOrName, err
	}
	p, err := tx.PersonByName(ctx, nameKey(idOrName))
	if store.NotFound(err) {
		return idOrName, nil
	}
	return p.ID, err
}

// IsName tells whether somebody of the house is called that.
func IsName(ctx context.Context, tx *store.Tx, name string) (bool, error) {
	_, err := tx.PersonByName(ctx, nameKey(name))
	if store.NotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// CheckKey tells an agent about its key. How many calls are left is the API's to say.
func CheckKey(ctx context.Context, tx *store.Tx, _ schemas.Empty) (schemas.KeyCheck, error) {
	c := From(ctx)
	agent, err := tx.AgentByID(ctx, c.AgentID)
	if err != nil {
		return schemas.KeyCheck{}, err
	}
	out := schemas.KeyCheck{
		APIKeyID: c.KeyID, UserID: agent.ID, Email: agent.Email, AccountStatus: "active", Permissions: c.Scopes, Mode: c.Mode,
	}
	if len(out.Permissions) == 0 {
		out.Permissions = Scopes
	}
	MarkTest(&out.Sandboxed, c.Mode)
	return out, nil
}

// Simulated are the people of test mode. They are made where there are none.
func (s *Service) Simulated(ctx context.Context, tx *store.Tx) ([]db.PeopleSimulatedRow, error) {
	people, err := tx.PeopleSimulated(ctx)
	if err != nil || len(people) > 0 {
		return people, err
	}
	if err := s.EnsureSimulated(ctx, tx); err != nil {
		return nil, err
	}
	return tx.PeopleSimulated(ctx)
}

// Addressees finds people as letters reach them: by id, and the owners where they are
// wanted. Who has left or is simulated has no address.
func Addressees(ctx context.Context, tx *store.Tx, ids []string, owners bool) ([]notify.Addressee, error) {
	known, err := People(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	var list []notify.Addressee
	for _, id := range ids {
		if p, found := known[id]; found {
			list = append(list, addressee(p))
		}
	}
	if !owners {
		return list, nil
	}
	rows, err := tx.Owners(ctx)
	for _, p := range rows {
		list = append(list, addressee(p))
	}
	return list, err
}

func addressee(p db.Person) notify.Addressee {
	a := notify.Addressee{ID: p.ID, Name: p.Name, Email: p.Email}
	if p.RemovedAt != 0 || p.Simulated {
		a.Email = ""
	}
	return a
}
