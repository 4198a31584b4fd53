package loop

import (
	"context"
	"fmt"
	"slices"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/notify"
	"humanops-mcp/internal/oncall"
	"humanops-mcp/internal/passkey"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

const (
	roleMember = "member"
	roleAdmin  = "admin"

	statusActive  = "active"
	statusPending = "pending"

	maxMembers = 500 // of one loop
)

// Member is a person who may be asked in a loop, with what routing needs to know. Whoever
// is named in an escalation need not be a member: their role is empty then.
type Member struct {
	db.Person
	Role         string
	LastAssigned int64
	Availability oncall.Rules
	Enrolled     bool // a passkey of theirs counts in the loop
}

// Active lists a loop's active members, the oldest first.
func (s *Service) Active(ctx context.Context, tx *store.Tx, loopID string) ([]Member, error) {
	rows, err := tx.ActiveMembers(ctx, loopID)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.LoopMember.PersonID
	}
	people, err := account.People(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	enrolled, err := passkey.EnrolledIn(ctx, tx, loopID)
	out := make([]Member, len(rows))
	for i, row := range rows {
		id := row.LoopMember.PersonID
		out[i] = Member{
			Person: people[id], Role: row.LoopMember.Role, LastAssigned: row.LoopMember.LastAssignedAt,
			Availability: rulesOf(row.TimeZone, row.Hours, row.AbsentFrom, row.AbsentUntil), Enrolled: enrolled[id],
		}
	}
	return out, err
}

// IsMember tells whether a person is an active member of a loop.
func IsMember(ctx context.Context, tx *store.Tx, loopID, personID string) (bool, error) {
	return tx.ActiveMember(ctx, db.ActiveMemberParams{LoopID: loopID, PersonID: personID})
}

// Active lists the ids of a loop's active members.
func Active(ctx context.Context, tx *store.Tx, loopID string) ([]string, error) {
	return tx.ActiveMemberIDs(ctx, loopID)
}

// Of lists the loops that a person is an active member of.
func Of(ctx context.Context, tx *store.Tx, personID string) ([]string, error) {
	return tx.ActiveLoopsOf(ctx, personID)
}

// NoteAssigned notes that something went to a member by routing, whose turn it was.
func NoteAssigned(ctx context.Context, tx *store.Tx, loopID, personID string) error {
	return tx.TouchAssigned(ctx, db.TouchAssignedParams{LoopID: loopID, PersonID: personID, LastAssignedAt: store.Micros(tx.Now())})
}

// Union adds people to a list, each once.
func Union(list, more []Member) []Member {
	for _, m := range more {
		if !slices.ContainsFunc(list, func(have Member) bool { return have.ID == m.ID }) {
			list = append(list, m)
		}
	}
	return list
}

// Named finds people by id or name, the members of groups, all owners ("owner") and all
// active members ("loop"), each once. Groups come before people, and neither before the
// words that have a meaning: nobody gets into an escalation by choosing a name.
func (s *Service) Named(ctx context.Context, tx *store.Tx, loop db.Loop, names []string) ([]Member, error) {
	members, err := s.Active(ctx, tx, loop.ID)
	if err != nil {
		return nil, err
	}
	var out []Member
	for _, name := range names {
		people, err := s.whoIs(ctx, tx, members, name)
		if err != nil {
			return nil, err
		}
		for _, p := range people {
			if slices.ContainsFunc(out, func(m Member) bool { return m.ID == p.ID }) {
				continue
			}
			m, err := s.memberOf(ctx, tx, loop, members, p)
			if err != nil {
				return nil, err
			}
			out = append(out, m)
		}
	}
	return out, nil
}

func (s *Service) whoIs(ctx context.Context, tx *store.Tx, members []Member, name string) ([]db.Person, error) {
	switch account.NameKey(name) {
	case "owner", "owners":
		return account.Owners(ctx, tx)
	case "loop":
		people := make([]db.Person, 0, len(members))
		for _, m := range members {
			people = append(people, m.Person)
		}
		return people, nil
	}
	group, err := findGroup(ctx, tx, name)
	if err == nil {
		return groupMembers(ctx, tx, group.ID)
	}
	if !store.NotFound(err) {
		return nil, err
	}
	person, err := s.Accounts.FindPerson(ctx, tx, name)
	if schemas.ErrorCode(err) == schemas.CodeNotFound {
		return nil, schemas.NewError(schemas.CodeInvalid, fmt.Sprintf("There is no person and no group called %s. Name a person or a group of this house, owner for its owners, or loop for everybody in the loop.", Quote(name)))
	}
	return []db.Person{person}, err
}

// memberOf is what routing needs to know of a person, whether they are a member or not.
func (s *Service) memberOf(ctx context.Context, tx *store.Tx, loop db.Loop, members []Member, p db.Person) (Member, error) {
	if i := slices.IndexFunc(members, func(m Member) bool { return m.ID == p.ID }); i >= 0 {
		return members[i], nil
	}
	m := Member{Person: p}
	var err error
	if m.Availability, err = availabilityOf(ctx, tx, p.ID); err != nil {
		return m, err
	}
	m.Enrolled, err = s.Passkeys.HasEnrolled(ctx, tx, loop.ID, p.ID)
	return m, err
}

// addActive makes a person an active member, or leaves them what they are.
func addActive(ctx context.Context, tx *store.Tx, loopID, personID, role, by string) error {
	now := store.Micros(tx.Now())
	_, err := tx.InsertMember(ctx, db.InsertMemberParams{
		LoopID: loopID, PersonID: personID, Status: statusActive, Role: role, AddedBy: by, CreatedAt: now, JoinedAt: now,
	})
	return err
}

// ListMembers lists a loop's members.
func (s *Service) ListMembers(ctx context.Context, tx *store.Tx, in schemas.LoopRequest) (schemas.MemberList, error) {
	loop, err := s.Find(ctx, tx, in.LoopID)
	if err != nil {
		return schemas.MemberList{}, err
	}
	members, err := membersSeen(ctx, tx, loop)
	if err != nil {
		return schemas.MemberList{}, err
	}
	out := schemas.MemberList{Members: members, TotalCount: len(members)}
	for _, m := range members {
		if m.Status == statusActive {
			out.ActiveCount++
		} else {
			out.PendingCount++
		}
	}
	out.Statistics = statistics(tx.Now(), out.Members)
	account.MarkTest(&out.Sandboxed, loop.Mode)
	return out, nil
}

// statistics are about when people joined; avg_join_time_days is how long ago, on average.
func statistics(now time.Time, members []schemas.Member) (out schemas.MemberStatistics) {
	days, n := 0.0, 0.0
	for _, m := range members {
		if m.JoinedAt == nil {
			continue
		}
		n++
		days += now.Sub(*m.JoinedAt).Hours() / 24
		if out.NewestMemberJoined == nil || m.JoinedAt.After(*out.NewestMemberJoined) {
			out.NewestMemberJoined = m.JoinedAt
		}
		if out.OldestMemberJoined == nil || m.JoinedAt.Before(*out.OldestMemberJoined) {
			out.OldestMemberJoined = m.JoinedAt
		}
	}
	if n > 0 {
		out.AvgJoinTimeDays = days / n
	}
	return out
}

func memberView(row db.LoopMember, p db.Person, enrolled bool) schemas.Member {
	return schemas.Member{
		UserID: p.ID, Name: p.Name, Email: p.Email, Status: row.Status, Role: row.Role,
		JoinedAt: store.TimePointer(row.JoinedAt), LastActive: store.TimePointer(p.LastSeenAt), Passkey: enrolled,
	}
}

// viewMember is one member of a loop.
func viewMember(ctx context.Context, tx *store.Tx, loopID, personID string) (schemas.Member, error) {
	row, err := tx.MemberOf(ctx, db.MemberOfParams{LoopID: loopID, PersonID: personID})
	if err != nil {
		return schemas.Member{}, err
	}
	p, err := account.Person(ctx, tx, personID)
	if err != nil {
		return schemas.Member{}, err
	}
	enrolled, err := passkey.EnrolledIn(ctx, tx, loopID)
	return memberView(row, p, enrolled[personID]), err
}

// AddMember puts a person into a loop, or admits one who waits. In a loop that demands
// passkeys it enrols those that the person has now; whoever registers one later has to be
// added again.
func (s *Service) AddMember(ctx context.Context, tx *store.Tx, in schemas.AddMemberRequest) (schemas.MemberAnswer, error) {
	var none schemas.MemberAnswer
	loop, err := s.changeable(ctx, tx, in.LoopID)
	if err != nil {
		return none, err
	}
	person, err := s.Accounts.FindPerson(ctx, tx, in.UserID)
	if err != nil {
		return none, err
	}
	if err := s.enrolWith(ctx, tx, loop, person.ID, in); err != nil {
		return none, err
	}
	if err := s.admit(ctx, tx, loop, person, in.Role, account.From(ctx).PersonID); err != nil {
		return none, err
	}
	m, err := viewMember(ctx, tx, loop.ID, person.ID)
	return schemas.MemberAnswer{LoopID: loop.ID, Member: m}, err
}

// enrolWith enrols a person's passkeys, where the loop demands them and the assertion is
// over these passkeys.
func (s *Service) enrolWith(ctx context.Context, tx *store.Tx, loop db.Loop, personID string, in schemas.AddMemberRequest) error {
	if !Settings(loop).Passkey {
		return nil
	}
	keys, err := s.Passkeys.List(ctx, tx, personID)
	if err != nil {
		return err
	}
	if err := s.govern(ctx, tx, loop, addition(personID, in.Role, keys), in.Assertion); err != nil {
		return err
	}
	for _, k := range keys {
		if err := s.Passkeys.Enrol(ctx, tx, loop.ID, k.ID, account.From(ctx).PersonID); err != nil {
			return err
		}
	}
	return nil
}

// admit makes a person an active member, whatever they were, and tells those who waited.
func (s *Service) admit(ctx context.Context, tx *store.Tx, loop db.Loop, person db.Person, role, by string) error {
	was, err := tx.MemberOf(ctx, db.MemberOfParams{LoopID: loop.ID, PersonID: person.ID})
	switch {
	case store.NotFound(err):
		if err := roomFor(ctx, tx, loop.ID); err != nil {
			return err
		}
		if role == "" {
			role = roleMember
		}
		if err := addActive(ctx, tx, loop.ID, person.ID, role, by); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		if _, err := tx.AdmitMember(ctx, db.AdmitMemberParams{LoopID: loop.ID, PersonID: person.ID, Role: role, AddedBy: by, Now: store.Micros(tx.Now())}); err != nil {
			return err
		}
		if was.Status == statusActive {
			return nil
		}
		if err := s.tellAdmitted(ctx, tx, loop, person.ID); err != nil {
			return err
		}
	}
	return announceMember(ctx, tx, "loop.member_joined", loop.ID, person.ID)
}

func roomFor(ctx context.Context, tx *store.Tx, loopID string) error {
	n, err := tx.CountMembers(ctx, loopID)
	if err == nil && n.Active+n.Pending >= maxMembers {
		err = schemas.NewError(schemas.CodeUnprocessable, fmt.Sprintf("This loop has %d members, which is the limit. Remove somebody who is not asked any more, then try again.", maxMembers))
	}
	return err
}

func (s *Service) tellAdmitted(ctx context.Context, tx *store.Tx, loop db.Loop, personID string) error {
	return notify.Kind.Enqueue(ctx, tx, notify.Letter{
		PersonIDs: []string{personID}, Subject: "You are in: " + loop.Name, Kind: "loop.admitted",
		Body: "You were admitted to the loop " + loop.Name + ", and are asked from now on.", Link: s.address("/"),
	}, job.Options{Owner: loop.AgentID, Priority: job.PriorityOf(loop.Mode)})
}

// memberNamed finds a member by the person's id or name.
func memberNamed(ctx context.Context, tx *store.Tx, loopID, idOrName string) (db.LoopMember, error) {
	id, err := account.IDNamed(ctx, tx, idOrName)
	if err != nil {
		return db.LoopMember{}, err
	}
	m, err := tx.MemberOf(ctx, db.MemberOfParams{LoopID: loopID, PersonID: id})
	if store.NotFound(err) {
		err = schemas.NewError(schemas.CodeNotFound, "Member not found in this loop")
	}
	return m, err
}
