package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"humanops-mcp/internal/store"
	"humanops-mcp/internal/web/page"
	"humanops-mcp/schemas"
)

// fillProof reads the task whose proof a review is about: whoever may see the request may
// see the proof. What agent and operator wrote to each other is for owners.
func (s *server) fillProof(at visit, tx *store.Tx, v *page.ReviewPage) (err error) {
	seen := page.Seen{Photos: at.base + "/photos/", Now: v.Now}
	ctx, task := asAgent(at.ctx, v.Review), schemas.TaskRequest{TaskID: v.Review.TaskID}
	if seen.Task, err = s.Tasks.GetTask(ctx, tx, task); err != nil {
		return err
	}
	if seen.Submission, v.Disputed, err = s.Reviews.AboutProof(ctx, tx, v.Review.ID); err != nil {
		return err
	}
	if v.Owner {
		if seen.Messages, err = s.messages(at.ctx, tx, task.TaskID); err != nil {
			return err
		}
	}
	v.Task = &seen
	if !v.Review.Status.Final() || at.as != "" { // a mailed link opens one request and no other
		return nil
	}
	v.Newer, err = s.newer(at, tx, v.Review)
	return err
}

// messages are all that agent and operator wrote to each other.
func (s *server) messages(ctx context.Context, tx *store.Tx, task string) ([]schemas.Message, error) {
	list, err := s.Tasks.ListMessages(ctx, tx, schemas.ListMessagesRequest{TaskID: task, PageRequest: schemas.PageRequest{Limit: 100}})
	return list.Data, err
}

// newer is the review in which a task's proof went on after another was over, nil when
// there is none that the reader may see.
func (s *server) newer(at visit, tx *store.Tx, r schemas.Review) (*schemas.Review, error) {
	id, _, err := s.Reviews.OfTask(at.ctx, tx, r.TaskID)
	if err != nil || id == r.ID {
		return nil, err
	}
	got, err := s.Reviews.GetReview(at.ctx, tx, schemas.ReviewRequest{RequestID: id})
	if schemas.ErrorCode(err) == schemas.CodeNotFound {
		return nil, nil
	}
	return &got.Request, err
}

// needsReasons marks what a decision on proof cannot go without.
func (f *form) needsReasons(comment string) {
	switch d, known := schemas.FindProofDecision(f.Values["answer"]); {
	case !known:
		f.mark("answer", "Choose what you decide.")
	case d.Reasoned() && comment == "":
		f.mark("comment", "Say why, one reason on each line: the operator and the agent read them.")
	}
}

// unasked are tasks that wait for a decision while nobody is asked for one: their review
// ended without it, and the next is opened within the hour.
func (s *server) unasked(ctx context.Context, tx *store.Tx) (rows []page.TaskRow, err error) {
	waiting := strings.Join([]string{string(schemas.ManualReview), string(schemas.Disputed)}, ",")
	list, err := s.Tasks.ListTasks(ctx, tx, schemas.ListTasksRequest{Status: waiting, PageRequest: schemas.PageRequest{Limit: 100}})
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(list.Data))
	for i, t := range list.Data {
		ids[i] = t.TaskID
	}
	asked, err := s.Reviews.OpenAbout(ctx, tx, ids)
	for _, t := range list.Data {
		if !asked[t.TaskID] {
			rows = append(rows, page.TaskRow{
				Href: taskHref(t.TaskID), Title: t.Title, Status: t.Status, Kind: t.TaskType, Place: t.Location, Reward: t.RewardUSD,
				Deadline: page.Stamp{At: t.Deadline, Now: s.Clock.Now()},
			})
		}
	}
	return rows, err
}

// answeredBy is the word about what was just done: a decision on proof has its own.
func answeredBy(f *form, v page.ReviewPage) string {
	if v.Task != nil {
		return f.Values["answer"]
	}
	return "answered"
}

// toProof leads from where proof used to be decided to the page of its review or, where
// there never was one or nobody is asked at the moment, to the task. A form that was still
// open there decides nothing.
func (s *server) toProof(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("task")
	to, said := taskHref(id), ""
	if r.Method == http.MethodPost {
		said = "moved"
	}
	err := s.Store.Read(r.Context(), func(tx *store.Tx) error {
		task, err := s.Tasks.GetTask(r.Context(), tx, schemas.TaskRequest{TaskID: id})
		if err != nil {
			return err
		}
		review, open, err := s.Reviews.OfTask(r.Context(), tx, id)
		if review != "" && (open || !page.AwaitsDecision(task.Status)) {
			to = "/reviews/" + url.PathEscape(review)
		}
		return err
	})
	if err == nil {
		s.done(w, r, said, to)
	}
	return err
}
