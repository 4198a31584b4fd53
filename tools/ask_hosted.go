package tools

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"humanops-mcp/schemas"
	"humanops-mcp/tools/untrusted"
)

// findLoop names a loop by its id, its slug or its name.
func (a *asking) findLoop(ctx context.Context, wanted string) (string, error) {
	list, err := a.service.ListLoops(ctx, schemas.ListLoopsRequest{})
	if err != nil {
		return "", err
	}
	if wanted == "" && len(list.Loops) == 1 {
		return list.Loops[0].ID, nil
	}
	known, names := make([]string, 0, len(list.Loops)), map[string]int{}
	for _, l := range list.Loops {
		names[strings.ToLower(untrusted.Name(l.Name))]++
	}
	for _, l := range list.Loops {
		alone := names[strings.ToLower(untrusted.Name(l.Name))] == 1
		if wanted != "" && (alone && strings.EqualFold(l.Name, wanted) || l.Slug == wanted || strings.EqualFold(l.ID, wanted)) {
			return l.ID, nil
		}
		one := untrusted.Name(l.Name)
		if names[strings.ToLower(one)] > 1 {
			one += " (" + untrusted.Name(cmp.Or(l.Slug, l.ID)) + ")"
		}
		known = append(known, one)
	}
	if len(known) == 0 {
		return "", schemas.NewError(schemas.CodeNotFound, "There is no loop to ask in. Tell the user to make one and to invite people into it.")
	}
	return "", schemas.Invalid("loop", fmt.Sprintf("must name one of the loops; got %.60q. Choose from: %s", wanted, strings.Join(known, ", ")))
}

// createHosted asks with what the hosted review service documents: every required
// member, and no other.
func (a *asking) createHosted(ctx context.Context, body schemas.NewReview) (schemas.ReviewCreated, error) {
	body.OnTimeout = ""
	if body.ResponseType == "form" {
		return schemas.ReviewCreated{}, undocumentedReview("forms")
	}
	if body.DefaultResponse == nil {
		return schemas.ReviewCreated{}, schemas.Invalid("on_timeout", "must be an answer here: this review service cannot cancel when nobody decides. Example: the most careful of the options")
	}
	if err := withAction(&body); err != nil {
		return schemas.ReviewCreated{}, err
	}
	loop, err := a.findLoop(ctx, a.in.Loop)
	if err != nil {
		return schemas.ReviewCreated{}, err
	}
	return a.service.CreateReview(ctx, schemas.CreateReviewRequest{LoopID: loop, NewReview: body})
}

// withAction shows the action in the context, where there is no place of its own for it.
func withAction(body *schemas.NewReview) error {
	if body.Action == nil {
		return nil
	}
	members := map[string]json.RawMessage{}
	if len(body.Context) > 0 && json.Unmarshal(body.Context, &members) != nil {
		return schemas.Invalid("context", `must be an object. Example: {"amount": 12}`)
	}
	action, err := json.Marshal(body.Action)
	if err != nil {
		return schemas.Invalid("action", "must hold JSON arguments: "+err.Error())
	}
	members["action"] = action
	body.Context, err = json.Marshal(members)
	body.Action = nil
	return err
}
