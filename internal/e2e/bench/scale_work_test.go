package bench

import (
	"context"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/api"
	"humanops-mcp/internal/event"
	"humanops-mcp/internal/passkey"
	"humanops-mcp/internal/review"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// scaledThing is something that is done in both houses.
type scaledThing struct {
	name          string
	do            func(ctx context.Context, s *scaled) error
	before, after func(ctx context.Context, s *scaled) error // not measured
}

func reads[T any](call func(ctx context.Context, s *scaled) (T, error)) func(context.Context, *scaled) error {
	return func(ctx context.Context, s *scaled) error {
		_, err := call(ctx, s)
		return err
	}
}

func opens(path func(s *scaled) string) func(context.Context, *scaled) error {
	return func(ctx context.Context, s *scaled) error { return s.page(ctx, path(s)) }
}

func fixed(path string) func(context.Context, *scaled) error {
	return opens(func(*scaled) string { return path })
}

// tool calls one of the tools, with transport left out.
func tool(name string, args func(s *scaled) map[string]any) func(context.Context, *scaled) error {
	return func(_ context.Context, s *scaled) error { return s.mcp(name, args(s)) }
}

func nothing(*scaled) map[string]any { return map[string]any{} }

// sweeps does what a periodic job does, in a transaction.
func sweeps(unit func(ctx context.Context, tx *store.Tx) error) func(context.Context, *scaled) error {
	return func(ctx context.Context, s *scaled) error {
		return s.store.Write(ctx, func(tx *store.Tx) error { return unit(ctx, tx) })
	}
}

func asks[T any](query func(ctx context.Context, tx *store.Tx) (T, error)) func(context.Context, *scaled) error {
	return func(ctx context.Context, s *scaled) error {
		return s.store.Read(ctx, func(tx *store.Tx) error {
			_, err := query(ctx, tx)
			return err
		})
	}
}

// scaledWork is every list, page, sweeper and writer.
var scaledWork = []scaledThing{
	// Tools
	{name: "tool/check_status", do: tool("check_status", nothing)},
	{name: "tool/check_status of one", do: tool("check_status", func(s *scaled) map[string]any { return map[string]any{"ids": []string{s.task}} })},
	{name: "tool/get_balance", do: tool("get_balance", nothing)},

	// Lists
	{name: "list/tasks", do: reads(func(ctx context.Context, s *scaled) (schemas.Page[schemas.TaskView], error) {
		return s.agent.ListTasks(ctx, schemas.ListTasksRequest{})
	})},
	{name: "list/tasks that are paid", do: reads(func(ctx context.Context, s *scaled) (schemas.Page[schemas.TaskView], error) {
		return s.agent.ListTasks(ctx, schemas.ListTasksRequest{Status: "PAID"})
	})},
	{name: "list/tasks that are open", do: reads(func(ctx context.Context, s *scaled) (schemas.Page[schemas.TaskView], error) {
		return s.agent.ListTasks(ctx, schemas.ListTasksRequest{Status: "open"})
	})},
	{name: "list/tasks by a word", do: reads(func(ctx context.Context, s *scaled) (schemas.Page[schemas.TaskView], error) {
		return s.agent.ListTasks(ctx, schemas.ListTasksRequest{Query: "zebra"})
	})},
	{name: "list/tasks of the house", do: reads(func(ctx context.Context, s *scaled) (schemas.Page[schemas.TaskView], error) {
		return s.owner.ListTasks(ctx, schemas.ListTasksRequest{})
	})},
	{name: "list/tasks to do", do: reads(func(ctx context.Context, s *scaled) (schemas.Page[schemas.OperatorTask], error) {
		return s.person.ListOpenTasks(ctx, schemas.ListOpenTasksRequest{})
	})},
	{name: "list/tasks of mine", do: reads(func(ctx context.Context, s *scaled) (schemas.Page[schemas.OperatorTask], error) {
		return s.person.ListOpenTasks(ctx, schemas.ListOpenTasksRequest{Mine: true})
	})},
	{name: "list/reviews", do: reads(func(ctx context.Context, s *scaled) (schemas.ReviewList, error) {
		return s.agent.ListReviews(ctx, schemas.ListReviewsRequest{})
	})},
	{name: "list/reviews that are completed", do: reads(func(ctx context.Context, s *scaled) (schemas.ReviewList, error) {
		return s.agent.ListReviews(ctx, schemas.ListReviewsRequest{Status: "completed"})
	})},
	{name: "list/reviews of the house", do: reads(func(ctx context.Context, s *scaled) (schemas.ReviewList, error) {
		return s.owner.ListReviews(ctx, schemas.ListReviewsRequest{})
	})},
	{name: "list/reviews in a loop", do: reads(func(ctx context.Context, s *scaled) (schemas.ReviewList, error) {
		return s.agent.ListLoopReviews(ctx, schemas.ListLoopReviewsRequest{LoopID: s.loop})
	})},
	{name: "list/precedents", do: reads(func(ctx context.Context, s *scaled) (schemas.PrecedentList, error) {
		return s.agent.FindPrecedents(ctx, schemas.FindPrecedentsRequest{Query: "refund an order"})
	})},
	{name: "list/loops", do: reads(func(ctx context.Context, s *scaled) (schemas.LoopList, error) {
		return s.agent.ListLoops(ctx, schemas.ListLoopsRequest{})
	})},
	{name: "list/people", do: reads(func(ctx context.Context, s *scaled) (schemas.Page[schemas.Person], error) {
		return s.owner.ListPeople(ctx, schemas.PageRequest{})
	})},
	{name: "list/jobs", do: reads(func(ctx context.Context, s *scaled) (schemas.Page[schemas.Job], error) {
		return s.owner.ListJobs(ctx, schemas.ListJobsRequest{})
	})},

	// One thing
	{name: "one/task", do: reads(func(ctx context.Context, s *scaled) (schemas.TaskView, error) {
		return s.agent.GetTask(ctx, schemas.TaskRequest{TaskID: s.task})
	})},
	{name: "one/review", do: reads(func(ctx context.Context, s *scaled) (schemas.ReviewAnswer, error) {
		return s.agent.GetReview(ctx, schemas.ReviewRequest{RequestID: s.review})
	})},
	{name: "one/loop", do: reads(func(ctx context.Context, s *scaled) (schemas.LoopAnswer, error) {
		return s.agent.GetLoop(ctx, schemas.LoopRequest{LoopID: s.loop})
	})},
	{name: "one/earnings", do: reads(func(ctx context.Context, s *scaled) (schemas.Earnings, error) { return s.person.GetEarnings(ctx) })},
	{name: "one/status", do: reads(func(ctx context.Context, s *scaled) (schemas.PlatformStatus, error) { return s.owner.GetStatus(ctx) })},
	{name: "one/check", do: reads(func(ctx context.Context, s *scaled) (schemas.CheckReport, error) {
		return s.owner.GetCheck(ctx, schemas.CheckRequest{})
	})},

	// Pages
	{name: "page/start", do: fixed("/")},
	{name: "page/loops", do: fixed("/loops")},
	{name: "page/loop", do: opens(func(s *scaled) string { return "/loops/" + s.loop })},
	{name: "page/task", do: opens(func(s *scaled) string { return "/tasks/" + s.task })},
	{name: "page/review", do: opens(func(s *scaled) string { return "/reviews/" + s.review })},
	{name: "page/trail", do: opens(func(s *scaled) string { return "/reviews/" + s.review + "/audit" })},
	{name: "page/groups", do: fixed("/groups")},
	{name: "page/me", do: fixed("/people/me")},

	// Writers
	{name: "write/post_task", do: post, after: forgetPosted},
	{name: "write/accept", before: post, do: accept, after: giveBack},
	{name: "write/cancel", before: post, do: cancel},
	{name: "write/review", do: reads(func(ctx context.Context, s *scaled) (schemas.ReviewCreated, error) {
		return s.agent.CreateReview(ctx, schemas.CreateReviewRequest{LoopID: s.loop, NewReview: schemas.NewReview{RequestText: "May I refund " + time.Now().String() + "?"}})
	})},

	// Sweepers
	{name: "sweep/overdue clocks", do: asks(func(ctx context.Context, tx *store.Tx) ([]db.OverdueSubjectsRow, error) {
		return tx.OverdueSubjects(ctx, db.OverdueSubjectsParams{Now: store.Micros(tx.Now()), RowLimit: 500})
	})},
	{name: "sweep/running clocks", do: asks(func(ctx context.Context, tx *store.Tx) ([]db.RunningSubjectsRow, error) {
		return tx.RunningSubjects(ctx, db.RunningSubjectsParams{RowLimit: 200})
	})},
	{name: "sweep/tasks that await people", do: asks(func(ctx context.Context, tx *store.Tx) ([]db.TasksWaitingRow, error) {
		return tx.TasksWaiting(ctx, db.TasksWaitingParams{Status: "MANUAL_REVIEW"})
	})},
	{name: "sweep/deliveries", do: sweeps(func(ctx context.Context, tx *store.Tx) error {
		return tx.DeleteOldDeliveries(ctx, db.DeleteOldDeliveriesParams{CreatedBefore: store.Micros(tx.Now().Add(-100 * 24 * time.Hour)), RowLimit: 5000})
	})},
	{name: "sweep/idempotency keys", do: sweeps(api.SweepIdempotency)},
	{name: "sweep/links", do: sweeps(review.Sweep)},
	{name: "sweep/sessions", do: sweeps(account.Sweep)},
	{name: "sweep/ceremonies", do: sweeps(passkey.Sweep)},
	{name: "sweep/anchor", do: sweeps(event.Anchor)},
}

func post(ctx context.Context, s *scaled) error {
	out, err := s.agent.PostTask(ctx, benchTask(counter.Add(1)))
	s.posted = append(s.posted, out.TaskID)
	return err
}

// forgetPosted takes back what was posted, so that no more is open in the end than before.
func forgetPosted(ctx context.Context, s *scaled) error { return cancel(ctx, s) }

func accept(ctx context.Context, s *scaled) error {
	_, err := s.person.AcceptTask(ctx, schemas.AcceptTaskRequest{TaskID: s.posted[0]})
	return err
}

func giveBack(ctx context.Context, s *scaled) error {
	if _, err := s.person.ReleaseTask(ctx, schemas.ReleaseTaskRequest{TaskID: s.posted[0]}); err != nil {
		return err
	}
	return cancel(ctx, s)
}

func cancel(ctx context.Context, s *scaled) error {
	_, err := s.agent.CancelTask(ctx, schemas.CancelTaskRequest{TaskID: s.posted[0]})
	s.posted = s.posted[1:]
	return err
}
