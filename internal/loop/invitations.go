package loop

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"time"

	"rsc.io/qr"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/notify"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

const (
	codeAlphabet   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	agentCode      = 9  // characters, as the contract prints it; it admits nobody
	ownerCode      = 12 // characters; whoever has it is in
	maxInvitations = 50 // of one loop at a time
)

var errCode = schemas.NewError(schemas.CodeNotFound,
	"This invitation does not exist or has ended. Mind capital letters, or ask whoever invited you for a new one.")

// newCode draws a code without bias: bytes beyond the last whole multiple are redrawn.
func newCode(length int) string {
	const limit = 256 - 256%len(codeAlphabet)
	out, buf := make([]byte, 0, length), make([]byte, 2*length)
	for len(out) < length {
		rand.Read(buf) //nolint:errcheck // crypto/rand.Read never fails: it ends the program
		for _, b := range buf {
			if int(b) < limit && len(out) < length {
				out = append(out, codeAlphabet[int(b)%len(codeAlphabet)])
			}
		}
	}
	return string(out)
}

// invite makes a code, of which only the hash is kept. One that a person makes lets in
// whoever has it, except into a loop that demands passkeys; an agent's lets nobody in
// before an owner does.
func (s *Service) invite(ctx context.Context, tx *store.Tx, loop db.Loop) (schemas.Invitation, error) {
	c, now := account.From(ctx), tx.Now()
	length, admits := agentCode, false
	if c.Owner {
		length, admits = ownerCode, !Settings(loop).Passkey
	}
	code, expires := newCode(length), now.Add(s.cfg.InviteTTL)
	err := tx.InsertInvitation(ctx, db.InsertInvitationParams{
		ID: ident.New("inv_"), LoopID: loop.ID, CodeHash: ident.Hash(code), Admits: admits, CreatedBy: c.ID(),
		CreatedAt: store.Micros(now), ExpiresAt: store.Micros(expires),
	})
	if err != nil {
		return schemas.Invitation{}, err
	}
	out := schemas.Invitation{
		LoopID: loop.ID, InviteCode: code, Admits: admits, ExpiresAt: expires,
		JoinURL: s.address("/join/" + code), QRCodeURL: s.address("/qr/" + code + ".png"),
	}
	picture, err := s.JoinQR(code)
	out.QRCodeBase64 = "data:image/png;base64," + base64.StdEncoding.EncodeToString(picture)
	return out, err
}

// JoinQR is the QR code of an invitation's page as a PNG, whether there is such an
// invitation or not. A code that none could have gives CodeNotFound.
func (s *Service) JoinQR(code string) ([]byte, error) {
	if len(code) != agentCode && len(code) != ownerCode || strings.Trim(code, codeAlphabet) != "" {
		return nil, errCode
	}
	picture, err := qr.Encode(s.address("/join/"+code), qr.M)
	if err != nil {
		return nil, err
	}
	return picture.PNG(), nil
}

// CreateInvitation makes another code for a loop.
func (s *Service) CreateInvitation(ctx context.Context, tx *store.Tx, in schemas.LoopRequest) (schemas.Invitation, error) {
	loop, err := s.changeable(ctx, tx, in.LoopID)
	if err != nil {
		return schemas.Invitation{}, err
	}
	now := store.Micros(tx.Now())
	if err := tx.DeleteDeadInvitations(ctx, db.DeleteDeadInvitationsParams{LoopID: loop.ID, Now: now}); err != nil {
		return schemas.Invitation{}, err
	}
	n, err := tx.CountInvitations(ctx, db.CountInvitationsParams{LoopID: loop.ID, Now: now})
	if err == nil && n >= maxInvitations {
		err = schemas.NewError(schemas.CodeUnprocessable, "This loop has 50 invitations that still work, which is the limit. End them all first, then make a new one.")
	}
	if err != nil {
		return schemas.Invitation{}, err
	}
	return s.invite(ctx, tx, loop)
}

// RevokeInvitations ends every code of a loop. Who has joined stays.
func (s *Service) RevokeInvitations(ctx context.Context, tx *store.Tx, in schemas.LoopRequest) (schemas.InvitationsRevoked, error) {
	loop, err := s.changeable(ctx, tx, in.LoopID)
	if err != nil {
		return schemas.InvitationsRevoked{}, err
	}
	n, err := tx.RevokeInvitations(ctx, db.RevokeInvitationsParams{LoopID: loop.ID, RevokedAt: store.Micros(tx.Now())})
	return schemas.InvitationsRevoked{LoopID: loop.ID, Revoked: int(n)}, err
}

func findInvitation(ctx context.Context, tx *store.Tx, code string) (db.InvitationByHashRow, error) {
	row, err := tx.InvitationByHash(ctx, db.InvitationByHashParams{CodeHash: ident.Hash(strings.TrimSpace(code)), Now: store.Micros(tx.Now())})
	if store.NotFound(err) || err == nil && row.Loop.Mode != account.Live {
		return row, errCode
	}
	return row, err
}

// Invited is what an invitation's page says.
type Invited struct {
	LoopName    string
	Description string
	Inviter     string // the person's or the agent's name
	ByAgent     bool   // the name is one that an agent gave itself
	Admits      bool   // else whoever joins waits for an owner
	ExpiresAt   time.Time
}

// PeekInvitation tells what an invitation is for, and leaves it as it is.
func (s *Service) PeekInvitation(ctx context.Context, tx *store.Tx, code string) (Invited, error) {
	row, err := findInvitation(ctx, tx, code)
	if err != nil {
		return Invited{}, err
	}
	out := Invited{
		LoopName: row.Loop.Name, Description: row.Loop.Description,
		Admits: s.admits(row), ExpiresAt: store.Time(row.LoopInvitation.ExpiresAt),
	}
	if person, err := account.Person(ctx, tx, row.LoopInvitation.CreatedBy); err == nil {
		out.Inviter = person.Name
		return out, nil
	} else if !store.NotFound(err) {
		return out, err
	}
	agent, err := account.Agent(ctx, tx, row.LoopInvitation.CreatedBy)
	out.Inviter, out.ByAgent = agent.Name, true
	return out, err
}

// admits tells whether an invitation lets people in at once now: a loop may have begun to
// demand passkeys since it was made.
func (s *Service) admits(row db.InvitationByHashRow) bool {
	return row.LoopInvitation.Admits && !Settings(row.Loop).Passkey
}

// JoinLoop brings the calling person into a loop.
func (s *Service) JoinLoop(ctx context.Context, tx *store.Tx, in schemas.JoinLoopRequest) (schemas.MemberAnswer, error) {
	c := account.From(ctx)
	if c.PersonID == "" {
		return schemas.MemberAnswer{}, schemas.Forbidden("Only people join loops: sign in first.")
	}
	row, err := findInvitation(ctx, tx, in.InviteCode)
	if err != nil {
		return schemas.MemberAnswer{}, err
	}
	person, err := account.Person(ctx, tx, c.PersonID)
	if err != nil {
		return schemas.MemberAnswer{}, err
	}
	return s.join(ctx, tx, row, person)
}

// JoinAsNew brings somebody who is not known here yet into a loop: it adds the person
// under a name that nobody has and signs them in. Until an owner admits them they see
// only that they wait.
func (s *Service) JoinAsNew(ctx context.Context, tx *store.Tx, code, name, email string) (person db.Person, session string, m schemas.Member, err error) {
	row, err := findInvitation(ctx, tx, code)
	if err != nil {
		return person, "", m, err
	}
	if err = roomFor(ctx, tx, row.Loop.ID); err != nil {
		return person, "", m, err
	}
	if person, err = s.Accounts.AddGuest(ctx, tx, name, email); err != nil {
		return person, "", m, err
	}
	if err = s.nameFree(ctx, tx, person.Name); err != nil { // as it is kept, not as it was sent
		return person, "", m, err
	}
	joined, err := s.join(ctx, tx, row, person)
	if err != nil {
		return person, "", m, err
	}
	session, err = s.Accounts.CreateSession(ctx, tx, person.ID, account.SessionBrowser)
	return person, session, joined.Member, err
}

// nameFree refuses a guest the name of a group, and every name by which some loop's
// settings choose people, even of people who are gone: those settings would mean the guest
// from then on, and whoever is told by an escalation may decide.
func (s *Service) nameFree(ctx context.Context, tx *store.Tx, name string) error {
	if _, err := findGroup(ctx, tx, name); !store.NotFound(err) {
		return cmp.Or(err, account.NameTaken(name))
	}
	kept, err := tx.SettingsOfLoops(ctx)
	if err != nil {
		return err
	}
	for _, text := range kept {
		for _, chosen := range namesIn(Settings(db.Loop{Settings: text})) {
			if account.NameKey(chosen) == account.NameKey(name) {
				return account.NameTaken(name)
			}
		}
	}
	return nil
}

// namesIn are the names by which settings choose people.
func namesIn(settings schemas.LoopSettings) (names []string) {
	for _, policy := range settings.Escalation {
		for _, step := range policy.Steps {
			names = append(names, step.To...)
		}
	}
	if settings.Mode != nil {
		for _, step := range settings.Mode.Steps {
			names = append(names, step.To...)
		}
	}
	return names
}

func (s *Service) join(ctx context.Context, tx *store.Tx, row db.InvitationByHashRow, person db.Person) (schemas.MemberAnswer, error) {
	var err error
	if s.admits(row) {
		err = s.admit(ctx, tx, row.Loop, person, "", row.LoopInvitation.ID)
	} else {
		err = s.wait(ctx, tx, row, person)
	}
	if err != nil {
		return schemas.MemberAnswer{}, err
	}
	m, err := viewMember(ctx, tx, row.Loop.ID, person.ID)
	return schemas.MemberAnswer{LoopID: row.Loop.ID, Member: m}, err
}

// wait makes a person pending, unless they are in the loop already, and tells the owners.
func (s *Service) wait(ctx context.Context, tx *store.Tx, row db.InvitationByHashRow, person db.Person) error {
	_, err := tx.MemberOf(ctx, db.MemberOfParams{LoopID: row.Loop.ID, PersonID: person.ID})
	if !store.NotFound(err) {
		return err
	}
	if err := roomFor(ctx, tx, row.Loop.ID); err != nil {
		return err
	}
	_, err = tx.InsertMember(ctx, db.InsertMemberParams{
		LoopID: row.Loop.ID, PersonID: person.ID, Status: statusPending, Role: roleMember,
		AddedBy: row.LoopInvitation.ID, CreatedAt: store.Micros(tx.Now()), JoinedAt: 0,
	})
	if err != nil {
		return err
	}
	return notify.Kind.Enqueue(ctx, tx, notify.Letter{
		ToOwner: true, Kind: "loop.waiting", Link: s.address("/loops/" + row.Loop.ID),
		Subject: "Somebody waits to join: " + row.Loop.Name,
		Body: "A person who calls themselves " + person.Name + " wants to join the loop " + row.Loop.Name +
			". They see and decide nothing until you add them. Do so only if you know who it is.",
	}, job.Options{Owner: row.Loop.AgentID, Priority: job.PriorityOf(row.Loop.Mode)})
}
