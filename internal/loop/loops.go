package loop

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/check"
	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// The loops that every house has.
const (
	defaultLoop = "default"
	proofLoop   = "proof"
)

// Proof is the house's loop of those who look at the proof of tasks.
func Proof(ctx context.Context, tx *store.Tx) (db.Loop, error) { return tx.LoopBySlug(ctx, proofLoop) }

// ByID reads a loop for whoever may act in it already; store.NotFound when it is gone.
func ByID(ctx context.Context, tx *store.Tx, id string) (db.Loop, error) { return tx.LoopByID(ctx, id) }

// ByIDs reads loops by id.
func ByIDs(ctx context.Context, tx *store.Tx, ids []string) (map[string]db.Loop, error) {
	rows, err := tx.LoopsByIDs(ctx, store.IDs(ids))
	loops := make(map[string]db.Loop, len(rows))
	for _, row := range rows {
		loops[row.ID] = row
	}
	return loops, err
}

// Lock reads a loop to change it: nobody else changes it in between.
func Lock(ctx context.Context, tx *store.Tx, id string) (db.Loop, error) {
	loop, err := tx.LockLoop(ctx, id)
	if store.NotFound(err) {
		err = ErrNone
	}
	return loop, err
}

// Hold keeps a loop from being deleted while something is made in it; ErrNone when it has
// been.
func Hold(ctx context.Context, tx *store.Tx, id string) error {
	_, err := tx.HoldLoop(ctx, id)
	if store.NotFound(err) {
		return ErrNone
	}
	return err
}

const maxLoops = 200 // of one agent, and of the house

var (
	// ErrNone is the contract's refusal for a loop that is not there, or not the caller's to see.
	ErrNone       = schemas.NewError(schemas.CodeNotFound, "Loop not found")
	errLoopDenied = schemas.NewError(schemas.CodeForbidden, "Access denied to this loop")
)

var slugPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,49}$`)
})

// reservedSlugs are paths, or the house's own.
var reservedSlugs = map[string]bool{"join": true, defaultLoop: true, proofLoop: true}

// EnsureLoops makes the house's own loops, where there are none, and brings every owner
// into them. It is for each start, and for whenever somebody becomes an owner.
func (s *Service) EnsureLoops(ctx context.Context, tx *store.Tx) error {
	for _, l := range []ownLoop{
		{defaultLoop, "Default", "Whoever decides what agents ask when they name no loop."},
		{proofLoop, "Proof", "Whoever looks at the proof of tasks."},
	} {
		if err := s.ensureLoop(ctx, tx, l); err != nil {
			return err
		}
	}
	return nil
}

// ownLoop is one of the house's own loops.
type ownLoop struct{ kind, name, description string }

func (s *Service) ensureLoop(ctx context.Context, tx *store.Tx, l ownLoop) error {
	loop, err := tx.LoopOfKind(ctx, l.kind)
	if store.NotFound(err) {
		owner, ownerErr := s.Accounts.OwnerID(ctx, tx)
		if ownerErr != nil {
			return ownerErr
		}
		_, err = tx.InsertLoop(ctx, db.InsertLoopParams{
			ID: ident.Hex(), Slug: l.kind, AgentID: "", Mode: account.Live, Kind: l.kind, CreatorID: owner, Name: l.name, Description: l.description,
			Icon: "", Settings: "{}", CreatedAt: store.Micros(tx.Now()),
		})
		if err != nil {
			return err
		}
		loop, err = tx.LoopOfKind(ctx, l.kind)
	}
	if err != nil {
		return err
	}
	owners, err := account.Owners(ctx, tx)
	if err != nil {
		return err
	}
	for _, p := range owners {
		if err := addActive(ctx, tx, loop.ID, p.ID, roleAdmin, "house"); err != nil {
			return err
		}
	}
	return nil
}

// Find finds a loop by id or slug, as the caller may see it: an agent its own of the
// key's mode and the house's, an owner every live one, a person those they are active in.
func (s *Service) Find(ctx context.Context, tx *store.Tx, idOrSlug string) (db.Loop, error) {
	loop, err := loopNamed(ctx, tx, idOrSlug)
	if err != nil {
		return db.Loop{}, err
	}
	c := account.From(ctx)
	switch {
	case c.AgentID != "":
		if loop.AgentID == "" || loop.AgentID == c.AgentID && loop.Mode == c.Mode {
			return loop, nil
		}
		return db.Loop{}, ErrNone
	case loop.Mode != account.Live || c.PersonID == "":
		return db.Loop{}, ErrNone
	case c.Owner:
		return loop, nil
	}
	member, err := IsMember(ctx, tx, loop.ID, c.PersonID)
	if err == nil && !member {
		err = ErrNone
	}
	if err != nil {
		return db.Loop{}, err
	}
	return loop, nil
}

// ID is the id of a loop that the caller may see.
func (s *Service) ID(ctx context.Context, tx *store.Tx, idOrSlug string) (string, error) {
	loop, err := s.Find(ctx, tx, idOrSlug)
	return loop.ID, err
}

func loopNamed(ctx context.Context, tx *store.Tx, idOrSlug string) (loop db.Loop, err error) {
	switch {
	case schemas.IsHex(idOrSlug):
		loop, err = tx.LoopByID(ctx, strings.ToLower(idOrSlug))
	case slugPattern().MatchString(idOrSlug):
		loop, err = tx.LoopBySlug(ctx, idOrSlug)
	default:
		return loop, schemas.NewError(schemas.CodeInvalid, "Invalid loop ID format")
	}
	if store.NotFound(err) {
		err = ErrNone
	}
	return loop, err
}

// changeable finds and locks a loop that the caller may change: an agent its own, an
// owner every one.
func (s *Service) changeable(ctx context.Context, tx *store.Tx, idOrSlug string) (db.Loop, error) {
	loop, err := s.Find(ctx, tx, idOrSlug)
	if err != nil {
		return loop, err
	}
	if c := account.From(ctx); !c.Owner && (c.AgentID == "" || loop.AgentID != c.AgentID) {
		return loop, errLoopDenied
	}
	return Lock(ctx, tx, loop.ID)
}

// Settings are a loop's settings. A loop that demands passkeys fails closed: nothing but
// a person's assertion approves there, so a default must not either. Settings that are
// damaged count as the strictest.
func Settings(l db.Loop) schemas.LoopSettings {
	var out schemas.LoopSettings
	if json.Unmarshal([]byte(l.Settings), &out) != nil {
		out = schemas.LoopSettings{Passkey: true}
	}
	out.FailClosed = out.FailClosed || out.Passkey
	return out
}

// CreateLoop makes a loop, with a code to join it: by an agent's code people come in as
// pending, by an owner's at once.
func (s *Service) CreateLoop(ctx context.Context, tx *store.Tx, in schemas.CreateLoopRequest) (schemas.LoopCreated, error) {
	row, err := s.newLoop(ctx, tx, in)
	if err != nil {
		return schemas.LoopCreated{}, err
	}
	if err := insertLoop(ctx, tx, row, in.Slug); err != nil {
		return schemas.LoopCreated{}, err
	}
	loop, err := tx.LoopByID(ctx, row.ID)
	if err != nil {
		return schemas.LoopCreated{}, err
	}
	if err := addActive(ctx, tx, loop.ID, loop.CreatorID, roleAdmin, loop.CreatorID); err != nil {
		return schemas.LoopCreated{}, err
	}
	if err := s.setUp(ctx, tx, loop, in.Settings); err != nil {
		return schemas.LoopCreated{}, err
	}
	invitation, err := s.invite(ctx, tx, loop)
	if err != nil {
		return schemas.LoopCreated{}, err
	}
	if err := announceLoop(ctx, tx, "loop.created", loop.ID, nil); err != nil {
		return schemas.LoopCreated{}, err
	}
	out := schemas.LoopCreated{
		InviteCode: invitation.InviteCode, QRCodeBase64: invitation.QRCodeBase64, QRCodeURL: invitation.QRCodeURL, JoinURL: invitation.JoinURL,
	}
	account.MarkTest(&out.Sandboxed, loop.Mode)
	out.Loop, err = s.wholeLoop(ctx, tx, loop.ID)
	return out, err
}

// newLoop is a loop that has no slug yet: insertLoop finds one.
func (s *Service) newLoop(ctx context.Context, tx *store.Tx, in schemas.CreateLoopRequest) (db.InsertLoopParams, error) {
	c := account.From(ctx)
	row := db.InsertLoopParams{
		ID: ident.Hex(), Slug: "", AgentID: c.AgentID, Mode: account.Live, Kind: "loop", CreatorID: c.PersonID, Name: check.Label(in.Name),
		Description: check.Lines(in.Description), Icon: check.Label(in.Icon), Settings: "{}", CreatedAt: store.Micros(tx.Now()),
	}
	if row.Name == "" {
		return row, schemas.Invalid("name", "must have 1 to 100 visible characters. Example: Content moderation")
	}
	if c.AgentID != "" {
		if in.Settings != nil {
			return row, errSettings
		}
		owner, err := s.Accounts.OwnerID(ctx, tx)
		if err != nil {
			return row, err
		}
		row.Mode, row.CreatorID = c.Mode, owner
	}
	n, err := tx.CountLoopsOfAgent(ctx, c.AgentID)
	if err == nil && n >= maxLoops {
		err = schemas.NewError(schemas.CodeUnprocessable, fmt.Sprintf("There are %d loops already, which is the limit. Delete one that is not used any more, then try again.", maxLoops))
	}
	return row, err
}

var errSettings = schemas.NewError(schemas.CodeForbidden, "Only a person sets a loop's settings. Leave settings out, and ask an owner to set them on the loop's page.")

// setUp stores a new loop's settings, now that its id and first member are there.
func (s *Service) setUp(ctx context.Context, tx *store.Tx, loop db.Loop, settings *schemas.LoopSettings) error {
	if settings == nil {
		return nil
	}
	if settings.Passkey {
		return schemas.Invalid("settings.passkey", "is turned on afterwards, on the loop's page, with a passkey of yours")
	}
	if err := s.checkSettings(ctx, tx, loop, *settings); err != nil {
		return err
	}
	loop.Settings = store.JSON(*settings)
	return saveLoop(ctx, tx, loop)
}

// insertLoop gives the loop its slug: the one asked for, or the first free one made from
// the name.
func insertLoop(ctx context.Context, tx *store.Tx, row db.InsertLoopParams, slug string) error {
	if slug != "" {
		if !slugPattern().MatchString(slug) || schemas.IsHex(slug) {
			return schemas.Invalid("slug", fmt.Sprintf("must have 1 to 50 of a-z, 0-9, _ and -, begin with a letter or digit, and not look like an id; got %.60q. Example: content_moderation", slug))
		}
		taken, err := tryInsert(ctx, tx, row, slug)
		if err == nil && taken {
			err = schemas.NewError(schemas.CodeConflict, fmt.Sprintf("The slug %q is taken. Choose another, or leave it out.", slug))
		}
		return err
	}
	base := slugOf(row.Name)
	for n := 1; n < maxLoops; n++ {
		candidate := base
		if n > 1 {
			candidate += "_" + strconv.Itoa(n)
		}
		if taken, err := tryInsert(ctx, tx, row, candidate); err != nil || !taken {
			return err
		}
	}
	_, err := tryInsert(ctx, tx, row, base+"_"+ident.Hex()[:12])
	return err
}

// tryInsert inserts a loop unless its slug is taken. A live loop takes it from another
// agent's test mode: anybody can have a test key, and would keep names from the house.
func tryInsert(ctx context.Context, tx *store.Tx, row db.InsertLoopParams, slug string) (taken bool, err error) {
	if reservedSlugs[slug] {
		return true, nil
	}
	if row.Mode == account.Live {
		err := tx.YieldSlug(ctx, db.YieldSlugParams{Slug: slug, Instead: "test_" + ident.Hex(), AgentID: row.AgentID})
		if err != nil {
			return false, err
		}
	}
	row.Slug = slug
	n, err := tx.InsertLoop(ctx, row)
	return n == 0, err
}

// slugOf makes a slug of a name, with room for a number after it.
func slugOf(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '-'
	})
	slug := strings.Trim(strings.Join(words, "_"), "_-")
	slug = strings.TrimRight(slug[:min(len(slug), 36)], "_-")
	if slug == "" {
		return "loop"
	}
	if schemas.IsHex(slug) {
		return "loop_" + slug
	}
	return slug
}
