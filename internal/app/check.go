package app

import (
	"context"
	"strings"

	"humanops-mcp/internal/event"
	"humanops-mcp/internal/ledger"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

// check looks whether what is kept fits together: the invariants of the ledger, the anchors
// over all trails, and of every subject its trail and its state. Each look names what it
// found, whatever the others did.
func (a *App) check(ctx context.Context, _ schemas.Empty) (schemas.CheckReport, error) {
	var problems []string
	for _, look := range []func(context.Context) ([]string, error){a.checkLedger, a.checkAnchors, a.changes.Check} {
		found, err := look(ctx)
		if err != nil {
			return schemas.CheckReport{}, err
		}
		problems = append(problems, found...)
	}
	return schemas.CheckReport{Exact: len(problems) == 0, Problem: strings.Join(problems, "; ")}, nil
}

// checkLedger adds up the books as they are at one moment.
func (a *App) checkLedger(ctx context.Context) (problems []string, err error) {
	err = a.store.Read(ctx, func(tx *store.Tx) error {
		if problem := ledger.Check(ctx, tx); problem != nil {
			problems = []string{problem.Error()}
		}
		return ctx.Err()
	})
	return problems, err
}

// checkAnchors names the first anchor that does not fit.
func (a *App) checkAnchors(ctx context.Context) ([]string, error) {
	err := event.CheckAnchors(ctx, a.store)
	if schemas.ErrorCode(err) == schemas.CodeConflict {
		return []string{err.Error()}, nil
	}
	return nil, err
}
