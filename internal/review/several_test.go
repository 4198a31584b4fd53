package review

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/schemas"
)

func TestSeveralPeople(t *testing.T) {
	onBoth(t, Config{}, func(t *testing.T, sc *scene) {
		t.Run("answer blind, once each, until the quorum is there", func(t *testing.T) {
			id := sc.asked(quorumOf(2, 0))
			v := sc.decided(sc.ada, id, "true")
			require.Equal(t, schemas.ReviewPending, v.Status)
			require.Len(t, v.Answers, 1, "one's own answer")
			_, err := sc.answer(sc.ada, id, "false")
			denied(t, err, schemas.CodeConflict, "You have answered this request already")
			view := do(sc, sc.bob, sc.GetReview, schemas.ReviewRequest{RequestID: id}).Request
			require.Empty(t, view.Answers)
			require.Equal(t, 1, view.AnswersIn)
			require.NotContains(t, string(sc.trail(id)[1].Data), "true", "the trail keeps the secret too")
			v = sc.decided(sc.bob, id, "true")
			require.Equal(t, "approved human", v.Decision+" "+v.ResponseSource)
			require.Len(t, v.Answers, 2)
			require.Equal(t, []string{"created", "answer", "decide"}, kinds(sc.trail(id)))
		})
		t.Run("see each other's answers where the request is open", func(t *testing.T) {
			id := sc.asked(func(r *schemas.NewReview) { quorumOf(2, 0)(r); r.ReviewMode.Open = true })
			sc.decided(sc.ada, id, "true")
			require.Len(t, do(sc, sc.bob, sc.GetReview, schemas.ReviewRequest{RequestID: id}).Request.Answers, 1)
		})
		t.Run("are as many as the quorum is of", func(t *testing.T) {
			require.Equal(t, 1, do(sc, sc.agent, sc.CreateReview, sc.request(quorumOf(1, 1))).BroadcastedTo)
		})
		t.Run("all have to approve, with whatever they wrote", func(t *testing.T) {
			id := sc.asked(func(r *schemas.NewReview) { r.ReviewMode = &schemas.ReviewMode{Mode: "all"} })
			first := sc.reply(id, "true")
			first.Comment = "fine"
			do(sc, sc.ada, sc.DecideReview, first)
			v := sc.decided(sc.bob, id, "true")
			require.Equal(t, "approved", v.Decision)
			require.Equal(t, "Ada: fine", v.Comment)
		})
		t.Run("are all named to who comes too late, and nobody who was against it", func(t *testing.T) {
			sc.set(schemas.LoopSettings{})
			eve := sc.person("Eve")
			do(sc, sc.owner, sc.AddMember, schemas.AddMemberRequest{LoopID: sc.loop.ID, UserID: idOf(eve)})
			late := func(id, value string) string {
				_, err := sc.answer(sc.ada, id, value)
				return denied(t, err, schemas.CodeConflict, "The request is completed").Message
			}
			id := sc.asked(quorumOf(2, 0))
			sc.decided(sc.ada, id, "true")
			sc.decided(eve, id, "false")
			sc.clock.Advance(time.Second)
			sc.decided(sc.bob, id, "true")
			require.Contains(t, late(id, "true"), "completed: Ada and Bob approved it at ")
			id = sc.asked(func(r *schemas.NewReview) {
				r.ResponseType, r.DefaultResponse, r.ReviewMode = "number", json.RawMessage("1"), &schemas.ReviewMode{Mode: "all"}
			})
			sc.decided(sc.ada, id, "2")
			sc.clock.Advance(time.Second)
			sc.decided(sc.bob, id, "3")
			sc.clock.Advance(time.Second)
			require.Equal(t, "3", string(sc.decided(eve, id, "9").ResponseValue))
			require.Contains(t, late(id, "2"), "Ada, Bob and Eve answered it, and the median of the answers counts, at ")
		})
		t.Run("decide step by step, each circle in its turn", func(t *testing.T) {
			id := sc.asked(func(r *schemas.NewReview) {
				*r = wire()
				r.ReviewMode = &schemas.ReviewMode{Steps: []schemas.ReviewStep{{To: []string{"Ada"}}, {To: []string{"Bob"}}}}
			})
			_, err := sc.answer(sc.bob, id, "true")
			denied(t, err, schemas.CodeForbidden, "not your turn")
			v := sc.decided(sc.ada, id, "true")
			require.Equal(t, 2, v.Step)
			v = sc.decided(sc.bob, id, "true")
			require.Equal(t, "approved", v.Decision)
			require.ElementsMatch(t, []string{idOf(sc.ada), idOf(sc.bob)}, do(sc, sc.agent, sc.GetReceipt, schemas.ReviewRequest{RequestID: id}).Receipt.DecidedBy)
		})
		t.Run("in several circles at once answer for all of them", func(t *testing.T) {
			id := sc.asked(func(r *schemas.NewReview) {
				r.ReviewMode = &schemas.ReviewMode{Order: "parallel", Steps: []schemas.ReviewStep{{To: []string{"Ada"}}, {To: []string{"Ada", "Bob"}, Mode: "all"}}}
			})
			require.Equal(t, schemas.ReviewPending, sc.decided(sc.ada, id, "true").Status)
			require.Equal(t, "approved", sc.decided(sc.bob, id, "true").Decision)
		})
		t.Run("cannot change the arguments that the others approve", func(t *testing.T) {
			id := sc.asked(func(r *schemas.NewReview) { *r = wire(); quorumOf(2, 0)(r) })
			decision := sc.reply(id, "true")
			decision.EditedArguments = json.RawMessage(`{"amount": 1}`)
			_, err := attempt(sc, sc.ada, sc.DecideReview, decision)
			denied(t, err, schemas.CodeInvalid, "only possible where one person decides")
		})
		t.Run("of a loop with its own mode decide what brings none", func(t *testing.T) {
			sc.set(schemas.LoopSettings{Mode: &schemas.ReviewMode{Mode: "quorum", Threshold: 2}})
			id := sc.asked(nil)
			sc.decided(sc.ada, id, "true")
			require.Equal(t, schemas.ReviewPending, sc.get(id).Status)
			sc.set(schemas.LoopSettings{})
		})
	})
}

func TestWhatWasDoneIsSaid(t *testing.T) {
	onBoth(t, Config{}, func(t *testing.T, sc *scene) {
		sc.set(ladder("keep_open"))
		id := sc.asked(nil)
		one, urgent := schemas.ReviewRequest{RequestID: id}, "high"
		require.Equal(t, "Request retrieved successfully", do(sc, sc.agent, sc.GetReview, one).Said())
		require.Equal(t, "Request claimed successfully", do(sc, sc.ada, sc.ClaimReview, one).Said())
		require.Equal(t, "Request released successfully", do(sc, sc.ada, sc.ReleaseReview, one).Said())
		require.Equal(t, "Request escalated successfully", do(sc, sc.agent, sc.EscalateReview, schemas.EscalateReviewRequest{RequestID: id}).Said())
		require.Equal(t, "Request updated successfully", do(sc, sc.agent, sc.UpdateReview, schemas.UpdateReviewRequest{RequestID: id, Priority: &urgent}).Said())
		require.Equal(t, "Response submitted successfully", do(sc, sc.ada, sc.DecideReview, sc.reply(id, "true")).Said())
	})
}

func TestRounds(t *testing.T) {
	onBoth(t, Config{Mail: true}, func(t *testing.T, sc *scene) {
		seed := func(r *schemas.NewReview) { r.ResponseType, r.DefaultResponse = "", nil }
		t.Run("follow changes on the same request, and the earlier ones stay readable", func(t *testing.T) {
			id := sc.asked(seed)
			decision := sc.reply(id, `"needs_changes"`)
			decision.Comment = "Shorter"
			v := do(sc, sc.ada, sc.DecideReview, decision).Request
			require.Equal(t, "completed needs_changes", string(v.Status)+" "+v.Decision)
			out := do(sc, sc.agent, sc.OpenRound, schemas.OpenRoundRequest{RequestID: id, RequestText: "Publish this shorter post?"})
			require.Equal(t, id, out.RequestID)
			require.Equal(t, 2, out.Round)
			require.Equal(t, 2, out.BroadcastedTo)
			v = sc.get(id)
			require.Equal(t, schemas.ReviewPending, v.Status)
			require.Empty(t, v.Decision+v.ResponseSource+v.Comment)
			require.Len(t, v.Rounds, 1)
			require.Equal(t, "Shorter", v.Rounds[0].Comment)
			require.Equal(t, "Publish this post?", v.Rounds[0].RequestText)
			_, err := attempt(sc, sc.ada, sc.DecideReview, schemas.DecideReviewRequest{RequestID: id, ResponseData: json.RawMessage(`"approved"`)})
			denied(t, err, schemas.CodeInvalid, "round is needed from the second round on")
			_, err = attempt(sc, sc.ada, sc.DecideReview, schemas.DecideReviewRequest{RequestID: id, Round: 1, ResponseData: json.RawMessage(`"approved"`)})
			denied(t, err, schemas.CodeConflict, "The request is in round 2, and the decision names round 1")
			require.Equal(t, "approved", sc.decided(sc.ada, id, `"approved"`).Decision)
			require.Equal(t, []string{"created", "decide", "next_round", "decide"}, kinds(sc.trail(id)))
		})
		t.Run("are only for who was asked for changes", func(t *testing.T) {
			id := sc.asked(seed)
			open := func() error {
				_, err := attempt(sc, sc.agent, sc.OpenRound, schemas.OpenRoundRequest{RequestID: id, RequestText: "x"})
				return err
			}
			require.Equal(t, "pending", denied(t, open(), schemas.CodeConflict, "asked for changes").State)
			sc.decided(sc.ada, id, `"approved"`)
			denied(t, open(), schemas.CodeConflict, "asked for changes")
			_, err := attempt(sc, sc.owner, sc.OpenRound, schemas.OpenRoundRequest{RequestID: id})
			denied(t, err, schemas.CodeForbidden, "Access denied")
		})
		t.Run("keep no weaker agreement than the loop has come to demand", func(t *testing.T) {
			id := sc.asked(seed)
			sc.decided(sc.ada, id, `"needs_changes"`)
			sc.set(schemas.LoopSettings{Mode: &schemas.ReviewMode{Mode: "quorum", Threshold: 2}})
			defer sc.set(schemas.LoopSettings{})
			_, err := attempt(sc, sc.agent, sc.OpenRound, schemas.OpenRoundRequest{RequestID: id, RequestText: "Once more?"})
			denied(t, err, schemas.CodeConflict, "demands the agreement of more people")
		})
		t.Run("are ten at most", func(t *testing.T) {
			id := sc.asked(seed)
			for range maxRounds - 1 {
				sc.decided(sc.ada, id, `"needs_changes"`)
				do(sc, sc.agent, sc.OpenRound, schemas.OpenRoundRequest{RequestID: id})
			}
			sc.decided(sc.ada, id, `"needs_changes"`)
			_, err := attempt(sc, sc.agent, sc.OpenRound, schemas.OpenRoundRequest{RequestID: id})
			denied(t, err, schemas.CodeConflict, "which is the most")
		})
		t.Run("each have their own votes, receipt and time", func(t *testing.T) {
			id := sc.asked(func(r *schemas.NewReview) {
				*r = wire()
				r.ResponseType, r.ResponseConfig, r.DefaultResponse = "single_select", json.RawMessage(`{"options":["approve","reject","modify"]}`), nil
				quorumOf(2, 0)(r)
			})
			sc.decided(sc.ada, id, `"modify"`)
			sc.decided(sc.bob, id, `"modify"`)
			first := sc.row(id).ActionDigest
			sc.clock.Advance(30 * time.Minute)
			out := do(sc, sc.agent, sc.OpenRound, schemas.OpenRoundRequest{RequestID: id, Action: &schemas.Action{Tool: "transfer_money", Arguments: json.RawMessage(`{"amount":1}`)}})
			require.NotEqual(t, first, out.ActionDigest)
			require.Equal(t, sc.clock.Now().Add(time.Hour), out.TimeoutAt)
			stale := sc.reply(id, `"approve"`)
			stale.ActionDigest = first
			_, err := attempt(sc, sc.ada, sc.DecideReview, stale)
			denied(t, err, schemas.CodeConflict, "another action")
			sc.decided(sc.ada, id, `"approve"`)
			require.Equal(t, "approved", sc.decided(sc.bob, id, `"approve"`).Decision)
			r := do(sc, sc.agent, sc.GetReceipt, schemas.ReviewRequest{RequestID: id}).Receipt
			require.Equal(t, 2, r.Round)
			require.Equal(t, out.ActionDigest, r.ActionDigest)
		})
	})
}
