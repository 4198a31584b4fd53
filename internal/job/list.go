package job

import (
	"context"
	"slices"
	"strconv"

	"humanops-mcp/internal/keyset"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

var states = []schemas.JobState{schemas.JobWaiting, schemas.JobRunning, schemas.JobFailed}

var oldestFirst = keyset.List{From: keyset.Oldest, Usual: 20}

// List lists the jobs that are not done.
func List(ctx context.Context, tx *store.Tx, in schemas.ListJobsRequest) (schemas.Page[schemas.Job], error) {
	var none schemas.Page[schemas.Job]
	w, err := oldestFirst.Window(in.PageRequest)
	if err != nil {
		return none, err
	}
	if in.State != "" && !slices.Contains(states, in.State) {
		return none, schemas.Invalid("state", "must be one of waiting, running, failed; got "+strconv.Quote(string(in.State)))
	}
	asked := func(state schemas.JobState) bool { return in.State == "" || in.State == state }
	total, err := tx.CountListedJobs(ctx, db.CountListedJobsParams{
		Waiting: asked(schemas.JobWaiting), Running: asked(schemas.JobRunning), Failed: asked(schemas.JobFailed), Kind: in.Kind, CountTo: keyset.CountTo,
	})
	if err != nil {
		return none, err
	}
	rows, err := tx.ListJobs(ctx, db.ListJobsParams{
		Waiting: asked(schemas.JobWaiting), Running: asked(schemas.JobRunning), Failed: asked(schemas.JobFailed), Kind: in.Kind,
		AfterTime: w.At.Time, AfterID: w.At.ID, MaxRows: int32(w.Offset + w.Limit + 1), SkipRows: int32(w.Offset),
	})
	if err != nil {
		return none, err
	}
	return keyset.Page(w, total, rows, func(r db.ListJobsRow) keyset.Position { return keyset.At(r.RunAt, r.ID) }, view), nil
}

// Retry makes a job that failed ready again, as if it had never been tried. It may find that
// what it was for was settled without it when it was given up.
func Retry(ctx context.Context, tx *store.Tx, in schemas.JobRequest) (schemas.Job, error) {
	revived, err := tx.ReviveJob(ctx, db.ReviveJobParams{ID: in.JobID, RunAt: store.Micros(tx.Now())})
	if err != nil {
		return schemas.Job{}, err
	}
	row, err := tx.FindJob(ctx, in.JobID)
	if store.NotFound(err) {
		return schemas.Job{}, schemas.NewError(schemas.CodeNotFound, "Job not found. One that is done is no longer kept, one that failed for 30 days.")
	}
	if err != nil {
		return schemas.Job{}, err
	}
	out := view(db.ListJobsRow(row))
	if revived == 0 {
		return out, &schemas.Error{Code: schemas.CodeConflict, State: string(out.State), Message: "The job is " + string(out.State) + ": only one that failed can be tried again."}
	}
	return out, tx.Signal(ctx, topic)
}

func view(r db.ListJobsRow) schemas.Job {
	state := schemas.JobState(r.State)
	if !slices.Contains(states, state) {
		state = schemas.JobWaiting // later, or for a worker
	}
	return schemas.Job{
		ID: r.ID, Kind: r.Kind, State: state, Owner: r.Owner, RunAt: store.Time(r.RunAt), Attempts: int(r.Attempts), Deaths: int(r.Deaths),
		LastError: r.LastError, LeaseUntil: store.Time(r.LeaseUntil), CreatedAt: store.Time(r.CreatedAt),
	}
}

// Counts say how many jobs there are.
type Counts struct {
	Waiting int // due or not
	Due     int // under way, too
	Failed  int // for good
}

// Count counts the jobs.
func Count(ctx context.Context, tx *store.Tx) (c Counts, err error) {
	for into, count := range map[*int]func() (int64, error){
		&c.Waiting: func() (int64, error) { return tx.CountWaitingJobs(ctx) },
		&c.Failed:  func() (int64, error) { return tx.CountJobs(ctx, "failed") },
		&c.Due:     func() (int64, error) { return tx.CountDueJobs(ctx, store.Micros(tx.Now())) },
	} {
		n, err := count()
		if err != nil {
			return c, err
		}
		*into = int(n)
	}
	return c, nil
}
