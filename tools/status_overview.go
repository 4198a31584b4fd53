package tools

import (
	"context"

	"humanops-mcp/schemas"
)

// loadOverview fetches everything in one look, where one humanops-mcp serves tasks and
// reviews. Where that cannot be had, each is asked for by itself, and what cannot be read is
// told of there: an older humanops-mcp has no overview, and a key may be for reviews alone.
func (w *watch) loadOverview(ctx context.Context) bool {
	if w.options.Reviews != nil || w.market(ctx) != nil {
		return false
	}
	if extended, err := w.Extended(ctx); err != nil || !extended {
		return false
	}
	all, err := w.GetOverview(ctx, schemas.Empty{})
	if err != nil {
		return false
	}
	w.parts = []part{
		&taskWatch{call: w.call, extended: true, tasks: all.Tasks, left: all.TasksLeft, sandbox: all.Sandboxed},
		&reviewWatch{reviewer: &reviewer{w.Client, true}, call: w.call, next: hostedPause, reviews: all.Reviews, left: all.ReviewsLeft, sandbox: all.Sandboxed},
	}
	return true
}
