package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/web/page"
	"humanops-mcp/schemas"
)

func (s *server) showTask(w http.ResponseWriter, r *http.Request) error {
	v, err := s.taskView(r)
	if err != nil {
		return s.ownersView(w, r, err)
	}
	return s.renderTask(w, r, http.StatusOK, v)
}

// ownersView shows the task to an owner who does not do it.
func (s *server) ownersView(w http.ResponseWriter, r *http.Request, cause error) error {
	code := schemas.ErrorCode(cause)
	if !account.From(r.Context()).Owner || (code != schemas.CodeNotFound && code != schemas.CodeForbidden) {
		return cause
	}
	v, err := s.lookView(r)
	if schemas.ErrorCode(err) == schemas.CodeNotFound {
		return cause
	}
	if err != nil {
		return err
	}
	v.Frame = s.frame(w, r, v.Task.Title)
	v.Wide = true
	return s.render(w, r, http.StatusOK, page.Look(v))
}

func (s *server) lookView(r *http.Request) (v page.LookPage, err error) {
	ctx, id := r.Context(), r.PathValue("task")
	v.Now, v.Photos = s.now(), page.TaskPhotos(id)
	err = s.Store.Read(ctx, func(tx *store.Tx) (err error) {
		if v.Task, err = s.Tasks.GetTask(ctx, tx, schemas.TaskRequest{TaskID: id}); err != nil {
			return err
		}
		if v.Messages, err = s.messages(ctx, tx, id); err != nil {
			return err
		}
		v.Review, v.Open, err = s.Reviews.OfTask(ctx, tx, id)
		return err
	})
	v.Submission = v.Task.Submission
	return v, err
}

func (s *server) taskView(r *http.Request) (page.TaskPage, error) {
	v := page.TaskPage{Now: s.now()}
	ctx, id := r.Context(), r.PathValue("task")
	err := s.Store.Read(ctx, func(tx *store.Tx) (err error) {
		if v.Task, err = s.Tasks.GetOpenTask(ctx, tx, schemas.TaskRequest{TaskID: id}); err != nil || !v.Task.Mine {
			return err
		}
		if account.From(ctx).Owner {
			if v.Review, v.Open, err = s.Reviews.OfTask(ctx, tx, id); err != nil {
				return err
			}
		}
		v.Messages, err = s.messages(ctx, tx, id)
		return err
	})
	return v, err
}

func (s *server) renderTask(w http.ResponseWriter, r *http.Request, status int, v page.TaskPage) error {
	v.Frame = s.frame(w, r, v.Task.Title)
	if v.Form.Wrong() {
		v.Title = "Error: " + v.Title
	}
	v.Proof = true
	return s.render(w, r, status, page.TaskDetails(v))
}

// settle ends a POST about a task: on with a word, or the page again with everything that
// was typed and what to mend.
func (s *server) settle(w http.ResponseWriter, r *http.Request, f *form, done string, err error) error {
	if err == nil {
		s.done(w, r, done, "/tasks/"+url.PathEscape(r.PathValue("task")))
		return nil
	}
	var e *schemas.Error
	if !errors.As(err, &e) || !mendable(e.Code) {
		return err
	}
	v, readErr := s.taskView(r)
	if readErr != nil {
		return moved(e, readErr)
	}
	f.blame(e)
	v.Form = f.Form
	return s.renderTask(w, r, statusOf(e.Code), v)
}

// mendable tells whether the person can do something about it on the same page.
func mendable(code schemas.Code) bool {
	return !slices.Contains([]schemas.Code{schemas.CodeInternal, schemas.CodeNotFound, schemas.CodeUnauthenticated}, code)
}

// moved is the error to show when the page cannot be shown again: the task has gone to
// somebody else meanwhile, say.
func moved(cause *schemas.Error, read error) error {
	if schemas.ErrorCode(read) == schemas.CodeNotFound || schemas.ErrorCode(read) == schemas.CodeForbidden {
		return cause
	}
	return read
}

func (s *server) accept(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r, "accept")
	if err != nil {
		return err
	}
	in := schemas.AcceptTaskRequest{
		TaskID:          r.PathValue("task"),
		EstimateDays:    f.number("estimate_days", 60),
		EstimateHours:   f.number("estimate_hours", 1000),
		EstimateMinutes: f.number("estimate_minutes", 10_000),
		EstimateNote:    f.text("estimate_note", 500),
	}
	done := "accepted"
	if err = f.wrong(); err == nil {
		err = s.Store.Write(r.Context(), func(tx *store.Tx) error {
			out, err := s.Tasks.AcceptTask(r.Context(), tx, in)
			if status, _ := schemas.ParseTaskStatus(out.Status); status == schemas.EstimatePending {
				done = "estimated"
			}
			return err
		})
	}
	return s.settle(w, r, f, done, err)
}

func (s *server) startWork(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r, "start")
	if err != nil {
		return err
	}
	err = s.Store.Write(r.Context(), func(tx *store.Tx) error {
		_, err := s.Tasks.StartTask(r.Context(), tx, schemas.TaskRequest{TaskID: r.PathValue("task")})
		return err
	})
	return s.settle(w, r, f, "started", err)
}

func (s *server) ask(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r, "message")
	if err != nil {
		return err
	}
	in := schemas.PostMessageRequest{TaskID: r.PathValue("task"), Text: f.text("text", 500)}
	if in.Text == "" {
		f.mark("text", "Write something before you send it.")
	}
	if err = f.wrong(); err == nil {
		err = s.Store.Write(r.Context(), func(tx *store.Tx) error {
			_, err := s.Tasks.PostOperatorMessage(r.Context(), tx, in)
			return err
		})
	}
	return s.settle(w, r, f, "asked", err)
}

func (s *server) giveBack(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r, "release")
	if err != nil {
		return err
	}
	in := schemas.ReleaseTaskRequest{TaskID: r.PathValue("task"), Reason: f.text("reason", 500)}
	if err = f.wrong(); err == nil {
		err = s.Store.Write(r.Context(), func(tx *store.Tx) error {
			_, err := s.Tasks.ReleaseTask(r.Context(), tx, in)
			return err
		})
	}
	if err == nil { // the task may not be theirs to see any more
		s.done(w, r, "released", "/")
		return nil
	}
	return s.settle(w, r, f, "", err)
}

// asMendable is the error that the person can do something about, if it is one.
func asMendable(err error) (*schemas.Error, bool) {
	var e *schemas.Error
	return e, errors.As(err, &e) && mendable(e.Code)
}
