package loop

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/check"
	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/keyset"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

const maxGroups = 200

// findGroup finds a group by id or name.
func findGroup(ctx context.Context, tx *store.Tx, idOrName string) (db.PeopleGroup, error) {
	return tx.GroupNamed(ctx, db.GroupNamedParams{ID: idOrName, NameKey: account.NameKey(idOrName)})
}

var groupPages = keyset.List{From: keyset.Oldest, Usual: 20, Lenient: true}

// ListGroups lists the groups of the house, oldest first.
func (s *Service) ListGroups(ctx context.Context, tx *store.Tx, in schemas.PageRequest) (schemas.Page[schemas.Group], error) {
	var none schemas.Page[schemas.Group]
	p, err := groupPages.Window(in)
	if err != nil {
		return none, err
	}
	total, err := tx.CountGroups(ctx)
	if err != nil {
		return none, err
	}
	rows, err := tx.ListGroups(ctx, db.ListGroupsParams{After: p.At.Time, AfterID: p.At.ID, RowLimit: int32(p.Limit + 1), RowOffset: int32(p.Offset)})
	if err != nil {
		return none, err
	}
	rows, next := keyset.Cut(p, rows, func(g db.PeopleGroup) keyset.Position { return keyset.At(g.CreatedAt, g.ID) })
	out := schemas.Page[schemas.Group]{Data: make([]schemas.Group, 0, len(rows)), Pagination: p.Pagination(total, next)}
	for _, row := range rows {
		group, err := groupView(ctx, tx, row)
		if err != nil {
			return none, err
		}
		out.Data = append(out.Data, group)
	}
	return out, nil
}

// groupMembers are the people of a group, those first who have been here longest.
func groupMembers(ctx context.Context, tx *store.Tx, groupID string) ([]db.Person, error) {
	ids, err := tx.GroupMembers(ctx, groupID)
	if err != nil {
		return nil, err
	}
	known, err := account.People(ctx, tx, ids)
	people := slices.Collect(maps.Values(known))
	slices.SortFunc(people, func(a, b db.Person) int {
		return cmp.Or(cmp.Compare(a.CreatedAt, b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return people, err
}

func groupView(ctx context.Context, tx *store.Tx, g db.PeopleGroup) (schemas.Group, error) {
	out := schemas.Group{ID: g.ID, Name: g.Name, Members: []schemas.PersonBrief{}, CreatedAt: store.Time(g.CreatedAt)}
	people, err := groupMembers(ctx, tx, g.ID)
	for _, p := range people {
		out.Members = append(out.Members, schemas.PersonBrief{OperatorID: p.ID, Name: p.Name})
	}
	return out, err
}

// PutGroup makes a group, or replaces the members of one that is there.
func (s *Service) PutGroup(ctx context.Context, tx *store.Tx, in schemas.PutGroupRequest) (schemas.Group, error) {
	group, err := findGroup(ctx, tx, in.Group)
	if store.NotFound(err) {
		group, err = newGroup(ctx, tx, check.Label(in.Group))
	}
	if err != nil {
		return schemas.Group{}, err
	}
	ids, err := s.groupPeople(ctx, tx, in.Members)
	if err != nil {
		return schemas.Group{}, err
	}
	if err := tx.DeleteGroupMembers(ctx, group.ID); err != nil {
		return schemas.Group{}, err
	}
	for _, id := range ids {
		if err := tx.InsertGroupMember(ctx, db.InsertGroupMemberParams{GroupID: group.ID, PersonID: id}); err != nil {
			return schemas.Group{}, err
		}
	}
	return groupView(ctx, tx, group)
}

func (s *Service) groupPeople(ctx context.Context, tx *store.Tx, names []string) ([]string, error) {
	ids := make([]string, 0, len(names))
	for i, name := range names {
		p, err := s.Accounts.FindPerson(ctx, tx, name)
		if schemas.ErrorCode(err) == schemas.CodeNotFound {
			return nil, schemas.Invalid(fmt.Sprintf("members[%d]", i), "must name a person of this house. "+err.Error())
		}
		if err != nil {
			return nil, err
		}
		ids = append(ids, p.ID)
	}
	return ids, nil
}

// named are the kinds by whose ids people are named, too.
var named = []schemas.Kind{schemas.KindOperator, schemas.KindGroup}

// newGroup refuses names that mean something else where people are named.
func newGroup(ctx context.Context, tx *store.Tx, name string) (db.PeopleGroup, error) {
	var none db.PeopleGroup
	key := account.NameKey(name)
	if key == "" || account.ReservedName(name) || slices.Contains(named, schemas.KindOf(key)) {
		return none, schemas.Invalid("group", fmt.Sprintf("must be a name of its own; %s is empty or means something else. Example: legal", Quote(name)))
	}
	taken, err := account.IsName(ctx, tx, name)
	if err != nil {
		return none, err
	}
	if taken {
		return none, schemas.NewError(schemas.CodeConflict, fmt.Sprintf("There is a person called %s. Give the group another name.", Quote(name)))
	}
	n, err := tx.CountGroups(ctx)
	if err != nil {
		return none, err
	}
	if n >= maxGroups {
		return none, schemas.NewError(schemas.CodeUnprocessable, fmt.Sprintf("There are %d groups already, which is the limit. Delete one that is not used any more, then try again.", maxGroups))
	}
	if _, err := tx.InsertGroup(ctx, db.InsertGroupParams{ID: ident.New(schemas.KindGroup.Prefix()), Name: name, NameKey: key, CreatedAt: store.Micros(tx.Now())}); err != nil {
		return none, err
	}
	return findGroup(ctx, tx, name)
}

// DeleteGroup deletes a group; its people stay. Escalations that name it tell nobody by it
// any more, and the loop's problems say so.
func (s *Service) DeleteGroup(ctx context.Context, tx *store.Tx, in schemas.GroupRequest) (schemas.Empty, error) {
	group, err := findGroup(ctx, tx, in.Group)
	if store.NotFound(err) {
		return schemas.Empty{}, schemas.NewError(schemas.CodeNotFound, fmt.Sprintf("There is no group called %s.", Quote(in.Group)))
	}
	if err != nil {
		return schemas.Empty{}, err
	}
	if err := tx.DeleteGroupMembers(ctx, group.ID); err != nil {
		return schemas.Empty{}, err
	}
	_, err = tx.DeleteGroup(ctx, group.ID)
	return schemas.Empty{}, err
}
