package web

import (
	"net/http"

	"humanops-mcp/internal/store"
	"humanops-mcp/internal/web/page"
	"humanops-mcp/schemas"
)

func (s *server) showGroups(w http.ResponseWriter, r *http.Request) error {
	return s.renderGroups(w, r, http.StatusOK, page.Form{})
}

func (s *server) renderGroups(w http.ResponseWriter, r *http.Request, status int, form page.Form) error {
	v := page.GroupsPage{Form: form}
	err := s.Store.Read(r.Context(), func(tx *store.Tx) error {
		groups, err := s.Loops.ListGroups(r.Context(), tx, schemas.PageRequest{Limit: 100})
		if err != nil {
			return err
		}
		people, err := s.Accounts.ListPeople(r.Context(), tx, schemas.PageRequest{Limit: 100})
		v.Groups, v.People = groups.Data, people.Data
		return err
	})
	if err != nil {
		return err
	}
	v.Frame = s.frame(w, r, "Groups")
	if form.Wrong() {
		v.Title = "Error: " + v.Title
	}
	return s.render(w, r, status, page.Groups(v))
}

func (s *server) saveGroup(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r, "group")
	if err != nil {
		return err
	}
	in := schemas.PutGroupRequest{Group: f.text("group", 100), Members: f.Lists["members"]}
	if in.Group == "" {
		f.mark("group", "Give the group a name.")
	}
	if err = f.wrong(); err == nil {
		err = s.Store.Write(r.Context(), func(tx *store.Tx) error {
			_, err := s.Loops.PutGroup(r.Context(), tx, in)
			return err
		})
	}
	return s.settleGroups(w, r, f, "saved", err)
}

func (s *server) deleteGroup(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r, "group")
	if err != nil {
		return err
	}
	err = s.Store.Write(r.Context(), func(tx *store.Tx) error {
		_, err := s.Loops.DeleteGroup(r.Context(), tx, schemas.GroupRequest{Group: r.PathValue("group")})
		return err
	})
	return s.settleGroups(w, r, f, "deleted", err)
}

func (s *server) settleGroups(w http.ResponseWriter, r *http.Request, f *form, done string, err error) error {
	if err == nil {
		s.done(w, r, done, "/groups")
		return nil
	}
	e, ok := asMendable(err)
	if !ok {
		return err
	}
	f.blame(e)
	return s.renderGroups(w, r, statusOf(e.Code), f.Form)
}
