package account

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"humanops-mcp/internal/check"
	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/keyset"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

const (
	roleOwner    = "owner"
	roleOperator = "operator"
	roleReviewer = "reviewer" // everybody has it; named where somebody has no other
	// me stands for the owner wherever a person is named.
	me = "me"
	// namesShown is how many known names an error lists.
	namesShown = 10
)

// AddPerson adds a person and makes a one-time link for them. A name that exists is the
// same person again, with a new link; details that are given replace the old ones.
func (s *Service) AddPerson(ctx context.Context, tx *store.Tx, in schemas.AddPersonRequest) (schemas.PersonWithLink, error) {
	var none schemas.PersonWithLink
	in, err := checkedPerson(in)
	if err != nil {
		return none, err
	}
	var person db.Person
	created := false
	if in.Me {
		person, err = theOwner(ctx, tx)
	} else {
		person, created, err = addOrFind(ctx, tx, in)
	}
	if err != nil {
		return none, err
	}
	if !created {
		if person, err = updatePerson(ctx, tx, person, in); err != nil {
			return none, err
		}
	}
	return s.withLink(ctx, tx, person, created)
}

// checkedPerson cleans a request and checks every rule; all problems come at once.
func checkedPerson(in schemas.AddPersonRequest) (schemas.AddPersonRequest, error) {
	var p check.Problems
	if nameKey(in.Name) == me {
		in.Me = true
	}
	var err error
	if in.Me && (in.Name == "" || nameKey(in.Name) == me) {
		in.Name = "" // the owner keeps the name they have
	} else if in.Name, err = checkedName(in.Name, 200); p.Take(err) != nil {
		return in, err
	}
	if in.Email, err = checkedEmail(in.Email); p.Take(err) != nil {
		return in, err
	}
	in.Phone = cleanName(in.Phone)
	if len(in.Phone) > 40 {
		p.Add("phone", "must have at most 40 characters; got %d. Example: +43 1 234567", len(in.Phone))
	}
	for i, role := range in.Roles {
		if role != roleOwner && role != roleOperator && role != roleReviewer {
			p.Add(fmt.Sprintf("roles[%d]", i), "must be operator, reviewer or owner; got %.40q. Example: operator", role)
		}
	}
	if err := p.Err(); err != nil {
		return in, err
	}
	if len(in.Roles) == 0 {
		in.Roles = []string{roleOperator}
	}
	return in, nil
}

func addOrFind(ctx context.Context, tx *store.Tx, in schemas.AddPersonRequest) (db.Person, bool, error) {
	n, err := tx.InsertPerson(ctx, db.InsertPersonParams{
		ID: ident.New(schemas.KindOperator.Prefix()), Name: in.Name, NameKey: nameKey(in.Name), Email: in.Email, Phone: in.Phone,
		IsOwner: slices.Contains(in.Roles, roleOwner), IsOperator: slices.Contains(in.Roles, roleOperator),
		Simulated: false, CreatedAt: store.Micros(tx.Now()),
	})
	if err != nil {
		return db.Person{}, false, err
	}
	person, err := tx.PersonByName(ctx, nameKey(in.Name))
	return person, n == 1, err
}

// updatePerson adds roles and replaces what the request gives. Roles are never taken away
// here.
func updatePerson(ctx context.Context, tx *store.Tx, p db.Person, in schemas.AddPersonRequest) (db.Person, error) {
	old := p
	if in.Me && in.Name != "" && nameKey(in.Name) != p.NameKey {
		if _, err := tx.PersonByName(ctx, nameKey(in.Name)); err == nil {
			return p, schemas.NewError(schemas.CodeConflict, fmt.Sprintf("There is already a person called %q. Choose another name for the owner.", in.Name))
		} else if !store.NotFound(err) {
			return p, err
		}
		p.Name, p.NameKey = in.Name, nameKey(in.Name)
	}
	if in.Email != "" {
		p.Email = in.Email
	}
	if in.Phone != "" {
		p.Phone = in.Phone
	}
	p.IsOwner = p.IsOwner || slices.Contains(in.Roles, roleOwner)
	p.IsOperator = p.IsOperator || slices.Contains(in.Roles, roleOperator)
	if p == old {
		return p, nil
	}
	return p, tx.UpdatePerson(ctx, db.UpdatePersonParams{
		ID: p.ID, Name: p.Name, NameKey: p.NameKey, Email: p.Email, Phone: p.Phone, IsOwner: p.IsOwner, IsOperator: p.IsOperator,
	})
}

func (s *Service) withLink(ctx context.Context, tx *store.Tx, p db.Person, created bool) (schemas.PersonWithLink, error) {
	person, err := s.view(ctx, tx, p)
	if err != nil {
		return schemas.PersonWithLink{}, err
	}
	url, expires, err := s.newLink(ctx, tx, p.ID)
	return schemas.PersonWithLink{Person: person, URL: url, ExpiresAt: expires, Created: created}, err
}

// CreateLink makes a new one-time link for a person who is there already.
func (s *Service) CreateLink(ctx context.Context, tx *store.Tx, in schemas.PersonRequest) (schemas.PersonWithLink, error) {
	person, err := s.FindPerson(ctx, tx, in.PersonID)
	if err != nil {
		return schemas.PersonWithLink{}, err
	}
	return s.withLink(ctx, tx, person, false)
}

// oldestFirst is how the lists of an account page.
var oldestFirst = keyset.List{
	From: keyset.Oldest, Usual: 20, Lenient: true,
	Refusal: func() error {
		return schemas.Invalid("cursor", "must be the next_cursor of an earlier page; leave it out to begin at the first page.")
	},
}

// ListPeople lists the people of the house, oldest first.
func (s *Service) ListPeople(ctx context.Context, tx *store.Tx, in schemas.PageRequest) (schemas.Page[schemas.Person], error) {
	var none schemas.Page[schemas.Person]
	w, err := oldestFirst.Window(in)
	if err != nil {
		return none, err
	}
	total, err := tx.PeopleCount(ctx, keyset.CountTo)
	if err != nil {
		return none, err
	}
	rows, err := tx.PeoplePage(ctx, db.PeoplePageParams{
		AfterTime: w.At.Time, AfterID: w.At.ID, MaxRows: int32(w.Limit + 1), SkipRows: int32(w.Offset),
	})
	if err != nil {
		return none, err
	}
	at := func(r db.PeoplePageRow) keyset.Position { return keyset.At(r.Person.CreatedAt, r.Person.ID) }
	return keyset.Page(w, total, rows, at, func(r db.PeoplePageRow) schemas.Person {
		return s.personView(r.Person, r.ActiveTasks)
	}), nil
}

func (s *Service) view(ctx context.Context, tx *store.Tx, p db.Person) (schemas.Person, error) {
	active, err := tx.PersonActiveTasks(ctx, p.ID)
	return s.personView(p, active), err
}

func (s *Service) personView(p db.Person, active int64) schemas.Person {
	roles := []string{}
	if p.IsOwner {
		roles = append(roles, roleOwner)
	}
	if p.IsOperator {
		roles = append(roles, roleOperator)
	}
	if len(roles) == 0 {
		roles = append(roles, roleReviewer)
	}
	return schemas.Person{
		OperatorID: p.ID, Name: p.Name, Email: p.Email, Roles: roles,
		Reachable: p.LastSeenAt > 0 || p.Email != "" && !s.config.NoMail,
		ActiveNow: int(active), LastSeenAt: store.Time(p.LastSeenAt), CreatedAt: store.Time(p.CreatedAt),
	}
}

// RemovePerson signs a person out everywhere, ends their links and gives back their
// tasks. The last owner stays.
func (s *Service) RemovePerson(ctx context.Context, tx *store.Tx, in schemas.PersonRequest) (schemas.Person, error) {
	person, err := s.FindPerson(ctx, tx, in.PersonID)
	if err != nil {
		return schemas.Person{}, err
	}
	if err := keepAnOwner(ctx, tx, person); err != nil {
		return schemas.Person{}, err
	}
	n, err := tx.MarkPersonRemoved(ctx, db.MarkPersonRemovedParams{ID: person.ID, RemovedAt: store.Micros(tx.Now())})
	if err == nil && n == 0 {
		err = s.unknown(ctx, tx, in.PersonID)
	}
	if err != nil {
		return schemas.Person{}, err
	}
	if err := s.shutOut(ctx, tx, person.ID); err != nil {
		return schemas.Person{}, err
	}
	view, err := s.view(ctx, tx, person)
	view.Reachable = false
	return view, err
}

func keepAnOwner(ctx context.Context, tx *store.Tx, p db.Person) error {
	if !p.IsOwner {
		return nil
	}
	owners, err := tx.LockOwners(ctx)
	if err == nil && len(owners) <= 1 {
		return schemas.NewError(schemas.CodeConflict, fmt.Sprintf("%s is the only owner and cannot be removed. Add another person with the role owner first.", p.Name))
	}
	return err
}

func (s *Service) shutOut(ctx context.Context, tx *store.Tx, personID string) error {
	if err := tx.DeleteSessionsOf(ctx, db.DeleteSessionsOfParams{PersonID: personID, Kind: ""}); err != nil {
		return err
	}
	if err := tx.DeleteLinksOf(ctx, personID); err != nil {
		return err
	}
	for _, hook := range s.onRemove {
		if err := hook(ctx, tx, personID); err != nil {
			return err
		}
	}
	return nil
}

// theOwner is the owner who calls, or else the first one.
func theOwner(ctx context.Context, tx *store.Tx) (db.Person, error) {
	if c := From(ctx); c.Owner {
		return tx.PersonByID(ctx, c.PersonID)
	}
	return tx.PersonOwner(ctx)
}

// FindPerson finds a person of the house by id or by name; "me" is the owner who calls,
// or for an agent the first one. The error for one who is not known lists those who are.
func (s *Service) FindPerson(ctx context.Context, tx *store.Tx, idOrName string) (db.Person, error) {
	person, err := tx.PersonByID(ctx, idOrName)
	if err == nil && (person.RemovedAt != 0 || person.Simulated) {
		return db.Person{}, s.unknown(ctx, tx, idOrName)
	}
	if store.NotFound(err) {
		person, err = tx.PersonByName(ctx, nameKey(idOrName))
	}
	if store.NotFound(err) && nameKey(idOrName) == me {
		person, err = theOwner(ctx, tx)
	}
	if store.NotFound(err) {
		return db.Person{}, s.unknown(ctx, tx, idOrName)
	}
	return person, err
}

func (s *Service) unknown(ctx context.Context, tx *store.Tx, name string) error {
	names, err := tx.PeopleNames(ctx, namesShown+1)
	if err != nil {
		return err
	}
	known := "Nobody has been added yet."
	if len(names) > namesShown {
		known = "Known people: " + strings.Join(names[:namesShown], ", ") + " and others."
	} else if len(names) > 0 {
		known = "Known people: " + strings.Join(names, ", ") + "."
	}
	return schemas.NewError(schemas.CodeNotFound, fmt.Sprintf(
		"There is no person called %.80q. %s The owner adds one with: humanops-mcp people add NAME", cleanName(name), known))
}

// InReach lists who could take a task of a mode now: for live tasks the operators who
// have signed in or whom a notice reaches, for test tasks the simulated ones.
func (s *Service) InReach(ctx context.Context, tx *store.Tx, mode string) ([]schemas.PersonBrief, error) {
	out := []schemas.PersonBrief{}
	if mode == Live {
		rows, err := tx.PeopleInReach(ctx, !s.config.NoMail)
		for _, r := range rows {
			out = append(out, schemas.PersonBrief{OperatorID: r.ID, Name: r.Name})
		}
		return out, err
	}
	rows, err := tx.PeopleSimulated(ctx)
	for _, r := range rows {
		out = append(out, schemas.PersonBrief{OperatorID: r.ID, Name: r.Name})
	}
	return out, err
}
