package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"humanops-mcp/internal/loop"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/web/page"
	"humanops-mcp/schemas"
)

func (s *server) showLoops(w http.ResponseWriter, r *http.Request) error {
	return s.renderLoops(w, r, http.StatusOK, page.Form{})
}

func (s *server) renderLoops(w http.ResponseWriter, r *http.Request, status int, form page.Form) error {
	v := page.LoopsPage{Form: form}
	err := s.Store.Read(r.Context(), func(tx *store.Tx) error {
		list, err := s.Loops.ListLoops(r.Context(), tx, schemas.ListLoopsRequest{Limit: 100, Cursor: r.URL.Query().Get("after")})
		v.Loops, v.Next = list.Loops, list.NextCursor
		return err
	})
	if err != nil {
		return err
	}
	v.Frame = s.frame(w, r, "Loops")
	if form.Wrong() {
		v.Title = "Error: " + v.Title
	}
	return s.render(w, r, status, page.Loops(v))
}

func (s *server) createLoop(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r, "loop")
	if err != nil {
		return err
	}
	in := schemas.CreateLoopRequest{Name: f.text("name", 100), Description: f.text("description", 500)}
	if in.Name == "" {
		f.mark("name", "Give the loop a name.")
	}
	var made schemas.LoopCreated
	if err = f.wrong(); err == nil {
		err = s.Store.Write(r.Context(), func(tx *store.Tx) (err error) {
			made, err = s.Loops.CreateLoop(r.Context(), tx, in)
			return err
		})
	}
	if err == nil {
		s.done(w, r, "loop-made", loopPath(made.Loop.ID))
		return nil
	}
	e, ok := asMendable(err)
	if !ok {
		return err
	}
	f.blame(e)
	return s.renderLoops(w, r, statusOf(e.Code), f.Form)
}

func loopPath(id string) string { return "/loops/" + url.PathEscape(id) }

func (s *server) showLoop(w http.ResponseWriter, r *http.Request) error {
	return s.renderLoop(w, r, http.StatusOK, page.Form{}, nil)
}

// renderLoop shows the loop, and once an invitation that was just made.
func (s *server) renderLoop(w http.ResponseWriter, r *http.Request, status int, form page.Form, invitation *schemas.Invitation) error {
	v := page.LoopPage{Form: form, Invitation: invitation, Now: s.now()}
	err := s.Store.Read(r.Context(), func(tx *store.Tx) error {
		got, err := s.Loops.GetLoop(r.Context(), tx, schemas.LoopRequest{LoopID: r.PathValue("loop")})
		if err != nil {
			return err
		}
		v.Loop = got.Loop
		people, err := s.Accounts.ListPeople(r.Context(), tx, schemas.PageRequest{Limit: 100})
		v.People = people.Data
		return err
	})
	if err != nil {
		return err
	}
	v.Localhost = localhost(r.Host, loopPath(v.Loop.ID))
	v.Settings = form
	if form.Name != "settings" {
		v.Settings = settingsForm(v.Loop, v.People)
	}
	v.Frame = s.frame(w, r, "Loop: "+v.Loop.Name)
	if form.Wrong() {
		v.Title = "Error: " + v.Title
	}
	v.Scripts = []string{"passkey.js"}
	return s.render(w, r, status, page.Loop(v))
}

// settleLoop ends a POST about a loop: on with a word, or the page again with what to mend.
func (s *server) settleLoop(w http.ResponseWriter, r *http.Request, f *form, done string, err error) error {
	if err == nil {
		s.done(w, r, done, loopPath(r.PathValue("loop")))
		return nil
	}
	var e *schemas.Error
	if !errors.As(err, &e) || !mendable(e.Code) && (f.Name != "member" || e.Code != schemas.CodeNotFound) {
		return err
	}
	f.blame(e)
	return s.renderLoop(w, r, statusOf(e.Code), f.Form, nil)
}

func (s *server) saveLoop(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r, "settings")
	if err != nil {
		return err
	}
	read := readSettings(f, r.PathValue("loop"))
	if err = f.wrong(); err == nil {
		err = s.Store.Write(r.Context(), func(tx *store.Tx) error {
			if err := s.unchanged(tx, r, f); err != nil {
				return err
			}
			_, err := s.Loops.UpdateLoop(r.Context(), tx, read.in)
			return err
		})
	}
	if errors.Is(err, errChanged) {
		delete(f.Values, "updated_at") // they are told now, so the next time it is meant
	}
	return s.settleLoop(w, r, f, "saved", read.placed(err))
}

var errChanged = schemas.NewError(schemas.CodeConflict, "Somebody else changed this loop after you had opened this page, so nothing was saved. "+
	"What you typed still stands here. Open the loop anew to see their change, or save again to put yours in its place.")

// unchanged makes sure that a loop is still what the form was filled in over, and that it
// stays so until the form is saved.
func (s *server) unchanged(tx *store.Tx, r *http.Request, f *form) error {
	seen := f.Values["updated_at"]
	if seen == "" {
		return nil
	}
	got, err := s.Loops.GetLoop(r.Context(), tx, schemas.LoopRequest{LoopID: r.PathValue("loop")})
	if err != nil {
		return err
	}
	loop, err := tx.LockLoop(r.Context(), got.Loop.ID)
	if err == nil && page.Instant(store.Time(loop.UpdatedAt)) != seen {
		err = errChanged
	}
	return err
}

func (s *server) deleteLoop(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r, "deletion")
	if err != nil {
		return err
	}
	in := schemas.DeleteLoopRequest{LoopID: r.PathValue("loop"), Assertion: readAssertion(f)}
	err = s.Store.Write(r.Context(), func(tx *store.Tx) error {
		if err := s.named(tx, r, f); err != nil {
			return err
		}
		_, err := s.Loops.DeleteLoop(r.Context(), tx, in)
		return err
	})
	if err == nil {
		s.done(w, r, "loop-gone", "/loops")
		return nil
	}
	return s.settleLoop(w, r, f, "", err)
}

// named makes sure that whoever deletes a loop has written which one.
func (s *server) named(tx *store.Tx, r *http.Request, f *form) error {
	got, err := s.Loops.GetLoop(r.Context(), tx, schemas.LoopRequest{LoopID: r.PathValue("loop")})
	if err != nil {
		return err
	}
	if strings.TrimSpace(f.Values["typed_name"]) != got.Loop.Name {
		f.mark("typed_name", "Type the loop's name as it stands above, to confirm that this one is meant.")
	}
	return f.wrong()
}

func addition(f *form, loop string) schemas.AddMemberRequest {
	in := schemas.AddMemberRequest{LoopID: loop, UserID: f.text("user_id", 200), Assertion: readAssertion(f)}
	if in.UserID == "" {
		f.mark("user_id", "Say who: a person of this house, by name.")
	}
	return in
}

func (s *server) addMember(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r, "member")
	if err != nil {
		return err
	}
	in := addition(f, r.PathValue("loop"))
	if err = f.wrong(); err == nil {
		err = s.Store.Write(r.Context(), func(tx *store.Tx) error {
			_, err := s.Loops.AddMember(r.Context(), tx, in)
			return err
		})
	}
	return s.settleLoop(w, r, f, "admitted", err)
}

func (s *server) removeMember(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r, "removal")
	if err != nil {
		return err
	}
	in := schemas.MemberRequest{LoopID: r.PathValue("loop"), UserID: r.PathValue("person"), Assertion: readAssertion(f)}
	err = s.Store.Write(r.Context(), func(tx *store.Tx) error {
		_, err := s.Loops.RemoveMember(r.Context(), tx, in)
		return err
	})
	return s.settleLoop(w, r, f, "removed", err)
}

// invite shows the code on the page that answers the POST: it is not kept anywhere.
func (s *server) invite(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r, "invitation")
	if err != nil {
		return err
	}
	var made schemas.Invitation
	err = s.Store.Write(r.Context(), func(tx *store.Tx) (err error) {
		made, err = s.Loops.CreateInvitation(r.Context(), tx, schemas.LoopRequest{LoopID: r.PathValue("loop")})
		return err
	})
	if err != nil {
		return s.settleLoop(w, r, f, "", err)
	}
	return s.renderLoop(w, r, http.StatusOK, page.Form{}, &made)
}

func (s *server) endInvitations(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r, "invitation")
	if err != nil {
		return err
	}
	err = s.Store.Write(r.Context(), func(tx *store.Tx) error {
		_, err := s.Loops.RevokeInvitations(r.Context(), tx, schemas.LoopRequest{LoopID: r.PathValue("loop")})
		return err
	})
	return s.settleLoop(w, r, f, "ended", err)
}

// The changes of a loop that a passkey may have to confirm, as the page's forms name them.
const (
	changeSettings = "settings"
	changeAdd      = "add"
	changeRemove   = "remove"
	changeDelete   = "delete"
)

// beginGovern begins the assertion of exactly the change that the form holds; where none
// is needed it says so.
func (s *server) beginGovern(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r, "settings")
	if err != nil {
		return err
	}
	var c loop.Confirmation
	err = s.Store.Write(r.Context(), func(tx *store.Tx) (err error) {
		c, err = s.confirmation(tx, r, f)
		return err
	})
	if err != nil {
		return err
	}
	out := confirmation{ceremony: ceremony{c.Ceremony.ID, c.Ceremony.Options}}
	for _, k := range c.Enrols {
		out.Enrols = append(out.Enrols, k.Name+", registered "+k.CreatedAt.UTC().Format("2 Jan 2006"))
	}
	return writeJSON(w, http.StatusOK, out)
}

// confirmation is a ceremony with the passkeys that will count once it is done.
type confirmation struct {
	ceremony
	Enrols []string `json:"enrols,omitempty"`
}

var errMendFirst = schemas.NewError(schemas.CodeInvalid, "Something in the form has to be mended first.")

func (s *server) confirmation(tx *store.Tx, r *http.Request, f *form) (loop.Confirmation, error) {
	ctx, id := r.Context(), r.PathValue("loop")
	switch f.Values["change"] {
	case changeSettings:
		in := readSettings(f, id).in
		if f.Wrong() {
			return loop.Confirmation{}, errMendFirst
		}
		if err := s.unchanged(tx, r, f); errors.Is(err, errChanged) {
			return loop.Confirmation{}, errMendFirst
		} else if err != nil {
			return loop.Confirmation{}, err
		}
		return s.Loops.ConfirmUpdateLoop(ctx, tx, in)
	case changeAdd:
		in := addition(f, id)
		if f.Wrong() {
			return loop.Confirmation{}, errMendFirst
		}
		return s.Loops.ConfirmAddMember(ctx, tx, in)
	case changeRemove:
		return s.Loops.ConfirmRemoveMember(ctx, tx, schemas.MemberRequest{LoopID: id, UserID: f.Values["user_id"]})
	case changeDelete:
		if err := s.named(tx, r, f); err != nil {
			if f.Wrong() {
				err = errMendFirst
			}
			return loop.Confirmation{}, err
		}
		return s.Loops.ConfirmDeleteLoop(ctx, tx, schemas.DeleteLoopRequest{LoopID: id})
	}
	return loop.Confirmation{}, errMendFirst
}
