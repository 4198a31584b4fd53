package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/web/page"
	"humanops-mcp/schemas"
)

func (s *server) showDecision(w http.ResponseWriter, r *http.Request) error {
	v, err := s.decideView(r)
	if err != nil {
		return err
	}
	return s.renderDecision(w, r, http.StatusOK, v)
}

// decideView is for owners; to others the page is not there.
func (s *server) decideView(r *http.Request) (page.DecidePage, error) {
	v := page.DecidePage{Now: s.now()}
	ctx, id := r.Context(), r.PathValue("task")
	if !account.From(ctx).Owner {
		return v, errNoPage
	}
	err := s.Store.Read(ctx, func(tx *store.Tx) (err error) {
		if v.Task, err = s.Tasks.GetTask(ctx, tx, schemas.TaskRequest{TaskID: id}); err != nil {
			return err
		}
		list, err := s.Tasks.ListMessages(ctx, tx, schemas.ListMessagesRequest{TaskID: id, PageRequest: schemas.PageRequest{Limit: 100}})
		v.Messages = list.Data
		return err
	})
	return v, err
}

func (s *server) renderDecision(w http.ResponseWriter, r *http.Request, status int, v page.DecidePage) error {
	v.Frame = s.frame(w, r, "Decide: "+v.Task.Title)
	if v.Form.Wrong() {
		v.Title = "Error: " + v.Title
	}
	v.Wide = true
	return s.render(w, r, status, page.Decide(v))
}

var decisions = []string{"approve", "request_changes", "reject", "refund"}

func (s *server) decide(w http.ResponseWriter, r *http.Request) error {
	if !account.From(r.Context()).Owner {
		return errNoPage
	}
	f, err := readForm(w, r, "decide")
	if err != nil {
		return err
	}
	in := readDecision(r, f)
	if err = f.wrong(); err == nil {
		err = s.Store.Write(r.Context(), func(tx *store.Tx) error {
			_, err := s.Tasks.DecideTask(r.Context(), tx, in)
			return err
		})
	}
	if err == nil {
		s.done(w, r, in.Decision, "/decide/"+url.PathEscape(in.TaskID))
		return nil
	}
	return s.decideAgain(w, r, f, err)
}

func readDecision(r *http.Request, f *form) schemas.DecideTaskRequest {
	in := schemas.DecideTaskRequest{TaskID: r.PathValue("task"), Decision: f.Values["decision"], Reasons: f.lines("reasons")}
	n, err := strconv.Atoi(f.Values["submission"])
	if err != nil || n < 1 {
		f.mark("submission", "The form did not say which submission it is about. Look at the proof again and decide.")
	}
	in.Submission = n
	switch {
	case !slices.Contains(decisions, in.Decision):
		f.mark("decision", "Choose what you decide.")
	case in.Decision != "approve" && len(in.Reasons) == 0:
		f.mark("reasons", "Say why, one reason on each line: the operator and the agent read them.")
	}
	return in
}

// decideAgain shows the page again. After a conflict it shows something else than what
// was decided on, so the choice has to be made anew.
func (s *server) decideAgain(w http.ResponseWriter, r *http.Request, f *form, cause error) error {
	var e *schemas.Error
	if !errors.As(cause, &e) || !mendable(e.Code) {
		return cause
	}
	v, err := s.decideView(r)
	if err != nil {
		return moved(e, err)
	}
	if e.Code == schemas.CodeConflict {
		delete(f.Values, "decision")
	}
	f.blame(e)
	v.Form = f.Form
	return s.renderDecision(w, r, statusOf(e.Code), v)
}
