package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/api/hitl"
	"humanops-mcp/internal/codec"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

// batch mounts the endpoint that asks for several reviews. Each body is normalised,
// checked and created by itself; none fails the others.
func (a *api) batch(spell spelling, create inTx[schemas.CreateReviewRequest, schemas.ReviewCreated]) {
	info := schemas.CreateReviews.Info()
	a.mount(info, func(w http.ResponseWriter, r *http.Request) error {
		body, err := readBody(w, r)
		if err != nil {
			return err
		}
		once, err := repeatable(r, info, nil)
		if err != nil {
			return err
		}
		in, warnings, err := decodeBatch(r, body)
		if err != nil {
			return err
		}
		out := schemas.ReviewBatch{}
		for i, raw := range in.Requests {
			result := a.batchItem(r, once.item(r, i, raw), in.LoopID, raw, spell, create)
			result.Index = i
			out.Results = append(out.Results, result)
			if result.Error {
				out.Failed++
			} else {
				out.Created++
			}
		}
		answer, err := a.encode(r.Context(), info, &out, warnings)
		if err != nil {
			return err
		}
		a.writeJSON(w, info.Status, answer)
		return nil
	})
}

// decodeBatch reads the batch without judging what is in its bodies.
func decodeBatch(r *http.Request, body []byte) (in schemas.CreateReviewsRequest, warnings []string, err error) {
	warnings, err = decode(r, body, &in)
	var problems *schemas.Error
	if !errors.As(err, &problems) || len(problems.Fields) == 0 {
		return in, warnings, err
	}
	for _, f := range problems.Fields {
		if !strings.HasPrefix(f.Field, "requests[") {
			return in, nil, err
		}
	}
	if json.Unmarshal(body, &in) != nil {
		return in, nil, err
	}
	in.LoopID = r.PathValue("loop_id")
	return in, nil, nil
}

// item is the call of one body of a batch.
func (p repeat) item(r *http.Request, i int, raw []byte) repeat {
	if p.name == "" {
		return p
	}
	return repeat{p.caller, p.name + ":" + strconv.Itoa(i), fingerprint(r, schemas.CreateReview.Info(), raw)}
}

func (a *api) batchItem(r *http.Request, once repeat, loopID string, raw json.RawMessage, spell spelling, create inTx[schemas.CreateReviewRequest, schemas.ReviewCreated]) schemas.ReviewBatchResult {
	made, err := a.createOne(r.Context(), once, loopID, raw, spell, create)
	if err == nil {
		return schemas.ReviewBatchResult{Msg: made.Said(), Request: &made}
	}
	msg, data := hitl.Words(a.known(a.dialect(schemas.CreateReview.Info()), r, err))
	return schemas.ReviewBatchResult{Error: true, Msg: msg, Data: data}
}

func (a *api) createOne(ctx context.Context, once repeat, loopID string, raw []byte, spell spelling, create inTx[schemas.CreateReviewRequest, schemas.ReviewCreated]) (made schemas.ReviewCreated, err error) {
	canonical, _, err := spell(raw)
	if err != nil {
		return made, err
	}
	var in schemas.CreateReviewRequest
	if _, err := codec.Decode(canonical, &in, codec.Options{Params: map[string]string{"loop_id": loopID}}); err != nil {
		return made, err
	}
	ans, err := once.write(ctx, a.Store, func(tx *store.Tx) (kept, error) {
		out, err := create(ctx, tx, in)
		if err != nil {
			return kept{}, err
		}
		if account.From(ctx).Mode == account.Test {
			out.MarkSandbox()
		}
		body, err := codec.Encode(&out)
		return kept{answer: answer{status: http.StatusCreated, body: body}}, err
	})
	if err != nil {
		return made, err
	}
	return made, json.Unmarshal(ans.body, &made)
}
