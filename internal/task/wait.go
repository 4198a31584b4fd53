package task

import (
	"context"
	"strconv"
	"strings"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/check"
	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

const (
	maxWaitedFor = 50
	maxWait      = 50 * time.Second
	maxSeen      = 100
)

// reference names a task and the version that the caller knows; 0 means any change
// from now on.
type reference struct {
	id      string
	version int64
}

// Wait answers when one of the named tasks or review requests has moved past the version
// given, or after the timeout. It holds no transaction while it waits: it listens first, then reads, so
// that no change falls between the two.
func (s *Service) Wait(ctx context.Context, in schemas.WaitRequest) (schemas.WaitResponse, error) {
	refs, limit, err := parseWait(in)
	if err != nil {
		return schemas.WaitResponse{}, err
	}
	ids := make([]string, len(refs))
	for i, r := range refs {
		ids[i] = r.id
	}
	if err := mayWait(account.From(ctx), ids); err != nil {
		return schemas.WaitResponse{}, err
	}
	changed, cancel := s.Feed.Subscribe(ids...)
	defer cancel()
	over := s.Clock.After(limit)
	for {
		out, err := s.look(ctx, refs)
		if err != nil || out.Changed || limit == 0 {
			return out, err
		}
		select {
		case <-changed:
		case <-over:
			return s.look(ctx, refs)
		case <-ctx.Done():
			return out, nil // the caller has gone, or the platform ends: this is how things stand
		}
	}
}

// mayWait refuses a key that is not for what it names: what a key opens and may read holds
// wherever the wait is called.
func mayWait(c account.Caller, ids []string) error {
	reads := c.Opens(account.AudienceReviews) && c.Has("requests:read")
	for _, id := range ids {
		switch {
		case ident.IsHex(id) && !reads:
			return schemas.NewError(schemas.CodeForbidden, "This key may not read review requests. Wait for "+check.Quote(id, maxShown)+" with a key that may.")
		case !ident.IsHex(id) && !c.Opens(account.AudienceMarketplace):
			return schemas.NewError(schemas.CodeForbidden, "This key is not for tasks. Wait for "+check.Quote(id, maxShown)+" with a key that is.")
		}
	}
	return nil
}

func parseWait(in schemas.WaitRequest) (refs []reference, limit time.Duration, err error) {
	var p check.Problems
	limit = time.Duration(in.TimeoutSeconds) * time.Second
	if limit < 0 || limit > maxWait {
		p.Add("timeout", "must be between 0 and 50 seconds; got %d", in.TimeoutSeconds)
	}
	for part := range strings.SplitSeq(in.IDs, ",") {
		id, version, given := strings.Cut(strings.TrimSpace(part), ":")
		r := reference{id: id}
		if given {
			r.version, err = strconv.ParseInt(version, 10, 64)
		}
		if id == "" || err != nil || r.version < 0 {
			p.Add("ids", "must be task ids with commas between them, each with or without :version; got %s. Example: task_abc:3", check.Quote(part, maxShown))
			break
		}
		refs = append(refs, r)
	}
	if len(refs) > maxWaitedFor {
		p.Add("ids", "must be at most %d; got %d", maxWaitedFor, len(refs))
	}
	return refs, limit, p.Err()
}

// look reads what is waited for as it is. The first look fixes the version of those that
// came without one.
func (s *Service) look(ctx context.Context, refs []reference) (out schemas.WaitResponse, err error) {
	err = s.Store.Read(ctx, func(tx *store.Tx) error {
		out = schemas.WaitResponse{Items: make([]schemas.TaskView, 0, len(refs))}
		for i := range refs {
			version, err := s.lookAt(ctx, tx, refs[i].id, &out)
			if err != nil {
				return err
			}
			if refs[i].version == 0 {
				refs[i].version = version
			}
			out.Changed = out.Changed || version > refs[i].version
		}
		return nil
	})
	if account.From(ctx).Mode == account.Test {
		out.MarkSandbox()
	}
	return out, err
}

// lookAt adds one task or review request and tells its version.
func (s *Service) lookAt(ctx context.Context, tx *store.Tx, id string, out *schemas.WaitResponse) (int64, error) {
	if ident.IsHex(id) {
		r, err := s.Reviews.ViewForWait(ctx, tx, id)
		out.Reviews = append(out.Reviews, r)
		return r.Version, err
	}
	v, err := s.fullView(ctx, tx, id)
	out.Items = append(out.Items, v)
	return v.Version, err
}

// AcknowledgeTasks records which versions the agent has been shown, so that NEW means
// new. A task that is not the agent's is passed over.
func (s *Service) AcknowledgeTasks(ctx context.Context, tx *store.Tx, in schemas.AcknowledgeRequest) (schemas.Empty, error) {
	if n := len(in.Items); n < 1 || n > maxSeen {
		return schemas.Empty{}, schemas.Invalid("items", "must be 1 to "+strconv.Itoa(maxSeen)+"; got "+strconv.Itoa(n))
	}
	c := account.From(ctx)
	for _, item := range in.Items {
		err := tx.SeeTask(ctx, db.SeeTaskParams{Seen: item.Version, ID: item.TaskID, AgentID: c.AgentID, Mode: c.Mode})
		if err != nil {
			return schemas.Empty{}, err
		}
	}
	return schemas.Empty{}, nil
}
