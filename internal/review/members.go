package review

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/check"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/notify"
	"humanops-mcp/internal/oncall"
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

// member is a person who may be asked in a loop, with what routing needs to know. Whoever
// is named in an escalation need not be a member: their role is empty then.
type member struct {
	db.Person
	Role         string
	LastAssigned int64
	Availability oncall.Rules
	Enrolled     bool
	Open         int // requests that they have claimed or were assigned
}

// active lists a loop's active members, the oldest first.
func (s *Service) active(ctx context.Context, tx *store.Tx, loopID string) ([]member, error) {
	rows, err := tx.ActiveMembers(ctx, loopID)
	out := make([]member, 0, len(rows))
	for _, row := range rows {
		out = append(out, member{
			Person: row.Person, Role: row.LoopMember.Role, LastAssigned: row.LoopMember.LastAssignedAt,
			Availability: rulesOf(row.TimeZone, row.Hours, row.AbsentFrom, row.AbsentUntil),
			Enrolled:     row.Enrolled > 0, Open: int(row.OpenReviews),
		})
	}
	return out, err
}

// mayDecideIn tells whether a person is an active member of a loop.
func (s *Service) mayDecideIn(ctx context.Context, tx *store.Tx, loop db.Loop, personID string) (bool, error) {
	n, err := tx.CountActiveMember(ctx, db.CountActiveMemberParams{LoopID: loop.ID, PersonID: personID})
	return n > 0, err
}

// named finds people by id or name, the members of groups, all owners ("owner") and all
// active members ("loop"), each once. Groups come before people, and neither before the
// words that have a meaning: nobody gets into an escalation by choosing a name.
func (s *Service) named(ctx context.Context, tx *store.Tx, loop db.Loop, names []string) ([]member, error) {
	members, err := s.active(ctx, tx, loop.ID)
	if err != nil {
		return nil, err
	}
	var out []member
	for _, name := range names {
		people, err := s.whoIs(ctx, tx, members, name)
		if err != nil {
			return nil, err
		}
		for _, p := range people {
			if slices.ContainsFunc(out, func(m member) bool { return m.ID == p.ID }) {
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

func (s *Service) whoIs(ctx context.Context, tx *store.Tx, members []member, name string) ([]db.Person, error) {
	switch account.NameKey(name) {
	case "owner", "owners":
		return tx.Owners(ctx)
	case "loop":
		people := make([]db.Person, 0, len(members))
		for _, m := range members {
			people = append(people, m.Person)
		}
		return people, nil
	}
	group, err := findGroup(ctx, tx, name)
	if err == nil {
		return tx.GroupMembers(ctx, group.ID)
	}
	if !store.NotFound(err) {
		return nil, err
	}
	person, err := s.Accounts.FindPerson(ctx, tx, name)
	if schemas.ErrorCode(err) == schemas.CodeNotFound {
		return nil, schemas.NewError(schemas.CodeInvalid, fmt.Sprintf("There is no person and no group called %s. Name a person or a group of this house, owner for its owners, or loop for everybody in the loop.", quote(name)))
	}
	return []db.Person{person}, err
}

// quote sets a name that came from outside apart in a sentence.
func quote(name string) string { return check.Quote(check.Label(name), maxShown) }

// memberOf is what routing needs to know of a person, whether they are a member or not.
func (s *Service) memberOf(ctx context.Context, tx *store.Tx, loop db.Loop, members []member, p db.Person) (member, error) {
	if i := slices.IndexFunc(members, func(m member) bool { return m.ID == p.ID }); i >= 0 {
		return members[i], nil
	}
	m := member{Person: p}
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
	loop, err := s.findLoop(ctx, tx, in.LoopID)
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
	markTest(&out.Sandboxed, loop.Mode)
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

func memberView(row db.ListMembersRow) schemas.Member {
	return schemas.Member{
		UserID: row.Person.ID, Name: row.Person.Name, Email: row.Person.Email, Status: row.LoopMember.Status, Role: row.LoopMember.Role,
		JoinedAt: timePointer(row.LoopMember.JoinedAt), LastActive: timePointer(row.Person.LastSeenAt), Passkey: row.Enrolled > 0,
	}
}

// viewMember is one member of a loop.
func viewMember(ctx context.Context, tx *store.Tx, loopID, personID string) (schemas.Member, error) {
	row, err := tx.GetMember(ctx, db.GetMemberParams{LoopID: loopID, PersonID: personID})
	if err != nil {
		return schemas.Member{}, err
	}
	return memberView(db.ListMembersRow(row)), nil
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
	if !s.settings(loop).Passkey {
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
	return s.announceMember(ctx, tx, "loop.member_joined", loop.ID, person.ID)
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

// address is one of our pages.
func (s *Service) address(path string) string { return strings.TrimRight(s.cfg.PublicURL, "/") + path }

// memberNamed finds a member by the person's id or name.
func memberNamed(ctx context.Context, tx *store.Tx, loopID, idOrName string) (db.LoopMember, error) {
	id := idOrName
	if p, err := tx.PersonByName(ctx, account.NameKey(idOrName)); err == nil {
		if _, err := tx.PersonByID(ctx, idOrName); store.NotFound(err) {
			id = p.ID
		}
	} else if !store.NotFound(err) {
		return db.LoopMember{}, err
	}
	m, err := tx.MemberOf(ctx, db.MemberOfParams{LoopID: loopID, PersonID: id})
	if store.NotFound(err) {
		err = schemas.NewError(schemas.CodeNotFound, "Member not found in this loop")
	}
	return m, err
}

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
		return none, against("", "Loop creator cannot be removed")
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
	markTest(&out.Sandboxed, loop.Mode)
	return out, nil
}

func (s *Service) leave(ctx context.Context, tx *store.Tx, loopID, personID string) error {
	awaited, err := tx.AwaitedFrom(ctx, db.AwaitedFromParams{PersonID: personID, LoopID: loopID})
	if err != nil {
		return err
	}
	if err := tx.DeleteEnrolmentsIn(ctx, db.DeleteEnrolmentsInParams{LoopID: loopID, PersonID: personID}); err != nil {
		return err
	}
	if _, err := tx.DeleteMember(ctx, db.DeleteMemberParams{LoopID: loopID, PersonID: personID}); err != nil {
		return err
	}
	if err := tx.DropEscalated(ctx, db.DropEscalatedParams{PersonID: personID, LoopID: loopID}); err != nil {
		return err
	}
	dropped, err := tx.DropOpenAnswers(ctx, db.DropOpenAnswersParams{PersonID: personID, LoopID: loopID})
	if err != nil {
		return err
	}
	if err := s.unclaim(ctx, tx, personID, loopID); err != nil {
		return err
	}
	if err := s.recount(ctx, tx, awaited, dropped); err != nil {
		return err
	}
	return s.announceMember(ctx, tx, "loop.member_left", loopID, personID)
}

// forget takes a person who was removed from the house out of everything.
func (s *Service) forget(ctx context.Context, tx *store.Tx, personID string) error {
	loops, err := tx.LoopsOfPerson(ctx, personID)
	if err != nil {
		return err
	}
	awaited, err := tx.AwaitedFrom(ctx, db.AwaitedFromParams{PersonID: personID})
	if err != nil {
		return err
	}
	if err := tx.DeleteMembershipsOf(ctx, personID); err != nil {
		return err
	}
	if err := tx.DeleteGroupMembershipsOf(ctx, personID); err != nil {
		return err
	}
	if err := tx.DeleteReviewLinksOf(ctx, personID); err != nil {
		return err
	}
	dropped, err := tx.DropOpenAnswers(ctx, db.DropOpenAnswersParams{PersonID: personID})
	if err != nil {
		return err
	}
	if err := s.unclaim(ctx, tx, personID); err != nil {
		return err
	}
	if err := s.recount(ctx, tx, awaited, dropped); err != nil {
		return err
	}
	if err := s.Passkeys.Forget(ctx, tx, personID); err != nil {
		return err
	}
	if err := s.succeed(ctx, tx, personID); err != nil {
		return err
	}
	for _, loopID := range loops {
		if err := s.announceMember(ctx, tx, "loop.member_left", loopID, personID); err != nil {
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
