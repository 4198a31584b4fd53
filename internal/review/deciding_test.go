package review

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/passkey"
	"humanops-mcp/internal/passkey/passkeytest"
	"humanops-mcp/internal/receipt"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

func TestDeciding(t *testing.T) {
	onBoth(t, Config{Mail: true}, func(t *testing.T, sc *scene) {
		t.Run("is done once, and whoever comes later learns how it ended", func(t *testing.T) {
			id := sc.asked(nil)
			sc.work()
			v := sc.decided(sc.ada, id, `{"boolean": true}`)
			require.Equal(t, schemas.ReviewCompleted, v.Status)
			require.Equal(t, "approved human page", v.Decision+" "+v.ResponseSource+" "+v.DecidedVia)
			require.JSONEq(t, "true", string(v.EffectiveResponse))
			require.Equal(t, "Ada", v.ResponseByUser.Name)
			for _, who := range []context.Context{sc.ada, sc.bob} {
				_, err := sc.answer(who, id, "false")
				e := denied(t, err, schemas.CodeConflict, "The request is completed: Ada approved it at")
				require.Equal(t, "completed", e.State)
			}
			_, err := attempt(sc, sc.agent, sc.CancelReview, schemas.CancelReviewRequest{RequestID: id})
			require.Equal(t, "completed", denied(t, err, schemas.CodeConflict, "Request cannot be cancelled in current state").State)
			_, err = attempt(sc, sc.bob, sc.ClaimReview, schemas.ReviewRequest{RequestID: id})
			denied(t, err, schemas.CodeConflict, "Ada approved it")
			require.True(t, sc.get(id).New)
			require.Equal(t, []string{"created", "decide"}, kinds(sc.trail(id)))
		})
		t.Run("is refused to an agent's key, whoever it belongs to", func(t *testing.T) {
			id := sc.asked(nil)
			_, err := sc.answer(sc.agent, id, "true")
			denied(t, err, schemas.CodeForbidden, "An agent's key never decides")
			_, err = attempt(sc, sc.agent, sc.ClaimReview, schemas.ReviewRequest{RequestID: id})
			denied(t, err, schemas.CodeForbidden, "never claims")
			both := account.From(sc.agent)
			both.PersonID, both.Owner = idOf(sc.ada), true
			_, err = sc.answer(account.With(t.Context(), both), id, "true")
			denied(t, err, schemas.CodeForbidden, "An agent's key never decides")
			require.Equal(t, schemas.ReviewPending, sc.get(id).Status)
		})
		t.Run("is for the people who are asked", func(t *testing.T) {
			id := sc.asked(nil)
			_, err := sc.answer(sc.owner, id, "true")
			denied(t, err, schemas.CodeForbidden, "Only active members of the loop")
			_, err = attempt(sc, sc.person("Eve"+id[:4]), sc.DecideReview, schemas.DecideReviewRequest{RequestID: id, ResponseData: json.RawMessage("true")})
			require.EqualError(t, err, "Request not found")
			own := sc.asked(func(r *schemas.NewReview) { r.AssignTo = []string{"Ada"} })
			_, err = sc.answer(sc.bob, own, "true")
			denied(t, err, schemas.CodeForbidden, "you are not among them")
			require.Equal(t, "approved", sc.decided(by(sc.ada, "link"), own, "true").Decision)
		})
		t.Run("ends for who was removed from the house", func(t *testing.T) {
			gone := sc.person("Gone")
			do(sc, sc.owner, sc.AddMember, schemas.AddMemberRequest{LoopID: sc.loop.ID, UserID: idOf(gone)})
			id := sc.asked(nil)
			do(sc, gone, sc.ClaimReview, schemas.ReviewRequest{RequestID: id})
			do(sc, sc.owner, sc.Accounts.RemovePerson, schemas.PersonRequest{PersonID: "Gone"})
			require.Equal(t, schemas.ReviewPending, sc.get(id).Status, "what they had claimed returns to the others")
			_, err := sc.answer(gone, id, "true")
			require.EqualError(t, err, "Request not found")
			require.Contains(t, kinds(sc.trail(id)), "lease_end")
		})
		t.Run("ends for who was removed from the loop, even when they were asked by name", func(t *testing.T) {
			left := sc.joined("Left")
			id := sc.asked(func(r *schemas.NewReview) { r.AssignTo = []string{"Left", "Ada"} })
			do(sc, left, sc.ClaimReview, schemas.ReviewRequest{RequestID: id})
			do(sc, sc.owner, sc.RemoveMember, schemas.MemberRequest{LoopID: sc.loop.ID, UserID: idOf(left)})
			require.Equal(t, schemas.ReviewPending, sc.get(id).Status)
			_, err := sc.answer(left, id, "true")
			denied(t, err, schemas.CodeForbidden, "Only active members of the loop")
			_, err = attempt(sc, left, sc.ClaimReview, schemas.ReviewRequest{RequestID: id})
			denied(t, err, schemas.CodeForbidden, "Only active members of the loop")
		})
		t.Run("is refused to whoever acts on a request that has moved on", func(t *testing.T) {
			stale := sc.row(sc.asked(nil))
			sc.decided(sc.ada, stale.ID, "true")
			err := sc.store.Write(t.Context(), func(tx *store.Tx) error {
				_, err := sc.life.Move(t.Context(), tx, stale, move{Event: Cancel, By: change.System, Edit: cancelled(change.System, "late")})
				return err
			})
			require.Equal(t, "completed", denied(t, err, schemas.CodeConflict, "Ada approved it").State)
			require.Equal(t, []string{"created", "decide"}, kinds(sc.trail(stale.ID)))
		})
		t.Run("is refused when the answer does not fit, with nothing kept", func(t *testing.T) {
			id := sc.asked(nil)
			_, err := sc.answer(sc.ada, id, `"maybe"`)
			denied(t, err, schemas.CodeInvalid, "response_data")
			require.Equal(t, []string{"created"}, kinds(sc.trail(id)))
		})
		t.Run("tells the others who were told, and only them", func(t *testing.T) {
			id := sc.asked(nil)
			sc.work()
			sc.exec("UPDATE review_recipients SET notified = 'sent' WHERE review_id = $1", id)
			sc.decided(sc.ada, id, "false")
			sc.work()
			require.ElementsMatch(t, []string{"asked:Ada", "asked:Bob", "decided:Bob"}, sc.letters(id))
			quick := sc.asked(nil)
			sc.decided(sc.ada, quick, "true")
			require.NotContains(t, sc.letters(quick), "decided:Bob")
		})
	})
}

func TestAnyAnswerHasATrail(t *testing.T) {
	sc := newScene(t, Config{})
	for kind, raw := range map[string]string{
		"number": "123456789012345678901234567890", "rating": "3", "text": `"a\u2028\"b\u0000"`,
	} {
		id := sc.asked(func(r *schemas.NewReview) {
			r.ResponseType, r.ResponseConfig, r.DefaultResponse = kind, nil, nil
			if kind == "rating" {
				rated("")(r)
			}
		})
		if _, err := sc.answer(sc.ada, id, raw); err != nil {
			denied(t, err, schemas.CodeInvalid, "response_data")
			continue
		}
		require.Equal(t, "answered", sc.get(id).Decision)
		sc.trail(id)
	}
}

func TestClaiming(t *testing.T) {
	onBoth(t, Config{}, func(t *testing.T, sc *scene) {
		claim := func(who context.Context, id string) (schemas.ReviewAnswer, error) {
			return attempt(sc, who, sc.ClaimReview, schemas.ReviewRequest{RequestID: id})
		}
		t.Run("takes a request before the others until the lease is over", func(t *testing.T) {
			id := sc.asked(nil)
			v, err := claim(sc.ada, id)
			require.NoError(t, err)
			require.Equal(t, "Ada", v.Request.ClaimedByName)
			require.Equal(t, sc.clock.Now().Add(10*time.Minute), *v.Request.ClaimEndsAt)
			_, err = claim(sc.bob, id)
			require.Equal(t, "claimed", denied(t, err, schemas.CodeConflict, "claimed by Ada until").State)
			_, err = sc.answer(sc.bob, id, "true")
			denied(t, err, schemas.CodeConflict, "claimed by Ada until")
			sc.pass(9 * time.Minute)
			_, err = claim(sc.ada, id)
			require.NoError(t, err, "the one who has it renews it")
			sc.pass(9 * time.Minute)
			require.Equal(t, schemas.ReviewClaimed, sc.get(id).Status)
			sc.pass(time.Minute)
			require.Equal(t, schemas.ReviewPending, sc.get(id).Status)
			require.Equal(t, []string{"created", "claim", "lease_end"}, kinds(sc.trail(id)), "a renewal changes nothing that the trail would tell")
			_, err = claim(sc.bob, id)
			require.NoError(t, err)
			require.Equal(t, "rejected", sc.decided(sc.bob, id, "false").Decision)
		})
		t.Run("ends when it is given back, by its person or an owner", func(t *testing.T) {
			id := sc.asked(nil)
			release := func(who context.Context) error {
				_, err := attempt(sc, who, sc.ReleaseReview, schemas.ReviewRequest{RequestID: id})
				return err
			}
			denied(t, release(sc.ada), schemas.CodeConflict, "Nobody has claimed")
			_, err := claim(sc.ada, id)
			require.NoError(t, err)
			denied(t, release(sc.bob), schemas.CodeConflict, "claimed by Ada")
			denied(t, release(sc.agent), schemas.CodeForbidden, "An agent's key never")
			require.NoError(t, release(sc.ada))
			_, err = claim(sc.bob, id)
			require.NoError(t, err)
			require.NoError(t, release(sc.owner))
			require.Equal(t, schemas.ReviewPending, sc.get(id).Status)
		})
		t.Run("is not for what several people decide", func(t *testing.T) {
			_, err := claim(sc.ada, sc.asked(quorumOf(2, 0)))
			denied(t, err, schemas.CodeConflict, "nobody claims it")
		})
		t.Run("never stops the request's own clock", func(t *testing.T) {
			id := sc.asked(func(r *schemas.NewReview) { r.TimeoutSeconds = 300 })
			_, err := claim(sc.ada, id)
			require.NoError(t, err)
			sc.pass(5 * time.Minute)
			require.Equal(t, schemas.ReviewTimeout, sc.get(id).Status)
		})
	})
}

func TestReceipts(t *testing.T) {
	onBoth(t, Config{}, func(t *testing.T, sc *scene) {
		keys := func() schemas.ReceiptKeys { return do(sc, sc.agent, sc.Receipts.Keys, schemas.Empty{}) }
		get := func(id string) schemas.ReceiptAnswer {
			return do(sc, sc.agent, sc.GetReceipt, schemas.ReviewRequest{RequestID: id})
		}
		t.Run("bind the decision to the action that was looked at", func(t *testing.T) {
			id := sc.asked(func(r *schemas.NewReview) { *r = wire() })
			decision := sc.reply(id, "true")
			decision.ActionDigest = ""
			_, err := attempt(sc, sc.ada, sc.DecideReview, decision)
			denied(t, err, schemas.CodeInvalid, "action_digest is needed")
			other := *wire().Action
			other.Arguments = json.RawMessage(`{"amount": 820000, "to": "ACME"}`)
			_, _, decision.ActionDigest, err = receipt.Digest(other)
			require.NoError(t, err)
			_, err = attempt(sc, sc.ada, sc.DecideReview, decision)
			denied(t, err, schemas.CodeConflict, "another action than the one that waits")
			v := sc.decided(sc.ada, id, "true")
			require.True(t, v.ReceiptAvailable)
			r := get(id).Receipt
			require.NoError(t, receipt.Verify(r, keys()))
			require.Equal(t, v.ActionDigest, r.ActionDigest)
			require.Equal(t, []string{idOf(sc.ada)}, r.DecidedBy)
			require.Equal(t, "approved live human", r.Decision+" "+r.Mode+" "+r.ResponseSource)
			trail := sc.trail(id)
			require.Equal(t, trail[1].Hash, r.AuditHead, "the head is the entry of the decision")
		})
		t.Run("are of the arguments as they were asked, where edits are not wanted", func(t *testing.T) {
			id := sc.asked(func(r *schemas.NewReview) {
				*r = wire()
				r.ResponseConfig = json.RawMessage(`{"allow_edits":false}`)
			})
			decision := sc.reply(id, "true")
			decision.EditedArguments = json.RawMessage(`{"to": "ACME", "amount": 80000}`)
			_, err := attempt(sc, sc.ada, sc.DecideReview, decision)
			denied(t, err, schemas.CodeInvalid, "can only be approved as it was asked")
			require.Nil(t, sc.decided(sc.ada, id, "true").EditedAction)
		})
		t.Run("bind the arguments as the reviewer changed them", func(t *testing.T) {
			id := sc.asked(func(r *schemas.NewReview) { *r = wire() })
			decision := sc.reply(id, "false")
			decision.EditedArguments = json.RawMessage(`{"to": "ACME", "amount": 80000}`)
			_, err := attempt(sc, sc.ada, sc.DecideReview, decision)
			denied(t, err, schemas.CodeInvalid, "edited_arguments only goes with an approval")
			decision.ResponseData = json.RawMessage("true")
			wrong := decision
			wrong.EditedArguments = json.RawMessage(`{"amount": 1, "amount": 2}`)
			_, err = attempt(sc, sc.ada, sc.DecideReview, wrong)
			denied(t, err, schemas.CodeInvalid, "edited_arguments must not have the same name twice")
			v := do(sc, sc.ada, sc.DecideReview, decision).Request
			require.JSONEq(t, `{"to": "ACME", "amount": 80000}`, string(v.EditedAction.Arguments))
			r := get(id).Receipt
			_, _, digest, err := receipt.Digest(*v.EditedAction)
			require.NoError(t, err)
			require.Equal(t, digest, r.ActionDigest)
			require.Equal(t, v.ActionDigest, r.OriginalActionDigest)
			require.NoError(t, receipt.Verify(r, keys()))
		})
		t.Run("are there for rejections, and never for what no person decided", func(t *testing.T) {
			id := sc.asked(func(r *schemas.NewReview) { *r = wire() })
			sc.decided(sc.ada, id, "false")
			require.Equal(t, "rejected", get(id).Receipt.Decision)
			silent := sc.asked(func(r *schemas.NewReview) { *r = wire() })
			sc.pass(time.Hour)
			require.Equal(t, schemas.ReviewTimeout, sc.get(silent).Status)
			_, err := attempt(sc, sc.agent, sc.GetReceipt, schemas.ReviewRequest{RequestID: silent})
			require.Error(t, err)
			lost := sc.asked(func(r *schemas.NewReview) { *r = wire(); quorumOf(2, 0)(r) })
			sc.decided(sc.ada, lost, "true")
			v := sc.decided(sc.bob, lost, "false")
			require.Equal(t, "rejected policy policy", v.Decision+" "+v.ResponseSource+" "+v.DecidedVia)
			require.Nil(t, v.ResponseBy)
			_, err = attempt(sc, sc.agent, sc.GetReceipt, schemas.ReviewRequest{RequestID: lost})
			require.Error(t, err)
		})
	})
}

func TestUpdatingAndCancelling(t *testing.T) {
	onBoth(t, Config{Mail: true}, func(t *testing.T, sc *scene) {
		update := func(id string, edit func(*schemas.UpdateReviewRequest)) (schemas.Review, error) {
			in := schemas.UpdateReviewRequest{RequestID: id}
			edit(&in)
			out, err := attempt(sc, sc.agent, sc.UpdateReview, in)
			return out.Request, err
		}
		high, text, late := "high", "Publish it now?", 7200
		t.Run("an open request changes until somebody has it", func(t *testing.T) {
			id := sc.asked(nil)
			_, err := update(id, func(*schemas.UpdateReviewRequest) {})
			require.EqualError(t, err, "At least one field must be provided for update")
			v, err := update(id, func(r *schemas.UpdateReviewRequest) {
				r.Priority, r.RequestText, r.TimeoutSeconds, r.Tags = &high, &text, &late, &[]string{"a"}
			})
			require.NoError(t, err)
			require.Equal(t, "high "+text, v.Priority+" "+v.RequestText)
			require.Equal(t, sc.clock.Now().Add(2*time.Hour), v.TimeoutAt)
			require.False(t, v.New)
			_, err = update(id, func(r *schemas.UpdateReviewRequest) { r.DefaultResponse = json.RawMessage(`7`) })
			denied(t, err, schemas.CodeInvalid, "default_response")
			_, err = update(id, func(r *schemas.UpdateReviewRequest) { days := 90_000; r.TimeoutSeconds = &days })
			denied(t, err, schemas.CodeInvalid, "between 60 and 86400")
			do(sc, sc.ada, sc.ClaimReview, schemas.ReviewRequest{RequestID: id})
			_, err = update(id, func(r *schemas.UpdateReviewRequest) { r.Priority = &high })
			require.Equal(t, "claimed", denied(t, err, schemas.CodeConflict, "can no longer be changed under them").State)
			require.Equal(t, []string{"created", "update", "claim"}, kinds(sc.trail(id)))
		})
		t.Run("after the text has changed, a decision names a version that had it", func(t *testing.T) {
			id := sc.asked(nil)
			before := sc.get(id).Version
			v, err := update(id, func(r *schemas.UpdateReviewRequest) { r.RequestText = &text })
			require.NoError(t, err)
			decision := sc.reply(id, "true")
			_, err = attempt(sc, sc.ada, sc.DecideReview, decision)
			denied(t, err, schemas.CodeInvalid, "version is needed because the agent changed the request")
			decision.Version = before
			_, err = attempt(sc, sc.ada, sc.DecideReview, decision)
			denied(t, err, schemas.CodeConflict, "The agent changed the request after version 1 was looked at")
			do(sc, sc.ada, sc.ClaimReview, schemas.ReviewRequest{RequestID: id})
			decision.Version = v.Version
			require.Equal(t, "approved", do(sc, sc.ada, sc.DecideReview, decision).Request.Decision)
		})
		t.Run("what somebody has answered no longer changes", func(t *testing.T) {
			id := sc.asked(quorumOf(2, 0))
			sc.decided(sc.ada, id, "true")
			_, err := update(id, func(r *schemas.UpdateReviewRequest) { r.Priority = &high })
			denied(t, err, schemas.CodeConflict, "Somebody has answered")
		})
		t.Run("a pending one is cancelled and counts for nothing", func(t *testing.T) {
			id := sc.asked(nil)
			out := do(sc, sc.agent, sc.CancelReview, schemas.CancelReviewRequest{RequestID: id, Reason: "changed my mind"})
			require.Equal(t, schemas.ReviewPending, out.PreviousStatus)
			require.True(t, out.RefundInfo.Refunded)
			v := sc.get(id)
			require.Equal(t, "cancelled cancelled null changed my mind", string(v.Status)+" "+v.ResponseSource+" "+string(v.EffectiveResponse)+" "+v.CancelReason)
			_, err := sc.answer(sc.ada, id, "true")
			require.Equal(t, "cancelled", denied(t, err, schemas.CodeConflict, "The request was cancelled at").State)
		})
		t.Run("a claimed one is cancelled too, and its reviewer is told", func(t *testing.T) {
			id := sc.asked(nil)
			do(sc, sc.ada, sc.ClaimReview, schemas.ReviewRequest{RequestID: id})
			out := do(sc, sc.owner, sc.CancelReview, schemas.CancelReviewRequest{RequestID: id})
			require.False(t, out.RefundInfo.Refunded)
			sc.work()
			require.Contains(t, sc.letters(id), "withdrawn:Ada")
			_, err := attempt(sc, sc.ada, sc.CancelReview, schemas.CancelReviewRequest{RequestID: sc.asked(nil)})
			denied(t, err, schemas.CodeForbidden, "Access denied to this request")
		})
	})
}

func TestPasskeyLoop(t *testing.T) {
	onBoth(t, Config{}, func(t *testing.T, sc *scene) {
		device := passkeytest.New(t, "house.test", sceneURL)
		sc.write(func(tx *store.Tx) error {
			ceremony, err := sc.Passkeys.BeginRegistration(sc.ada, tx, idOf(sc.ada))
			require.NoError(t, err)
			key, err := sc.Passkeys.FinishRegistration(sc.ada, tx, idOf(sc.ada), "phone", device.Create(ceremony))
			require.NoError(t, err)
			return sc.Passkeys.Enrol(sc.owner, tx, sc.loop.ID, key.ID, "test")
		})
		sc.set(schemas.LoopSettings{Passkey: true})
		begin := func(in schemas.DecideReviewRequest) passkey.Ceremony {
			return do(sc, sc.ada, sc.BeginDecision, in)
		}
		decide := func(who context.Context, in schemas.DecideReviewRequest) error {
			_, err := attempt(sc, who, sc.DecideReview, in)
			return err
		}
		id := sc.asked(func(r *schemas.NewReview) { *r = wire() })
		in := sc.reply(id, "true")

		t.Run("takes no decision without an assertion, by any way", func(t *testing.T) {
			for _, via := range []string{"page", "link", "api", "cli"} {
				denied(t, decide(by(sc.ada, via), in), schemas.CodeForbidden, "only with a passkey")
			}
			denied(t, decide(sc.bob, in), schemas.CodeForbidden, "you have none there")
			require.Equal(t, schemas.ReviewPending, sc.get(id).Status)
		})
		t.Run("takes none over another answer, another edit or another request", func(t *testing.T) {
			for _, change := range []func(*schemas.DecideReviewRequest){
				func(r *schemas.DecideReviewRequest) { r.ResponseData = json.RawMessage("false") },
				func(r *schemas.DecideReviewRequest) { r.EditedArguments = json.RawMessage(`{"amount":820000}`) },
				func(r *schemas.DecideReviewRequest) {
					*r = sc.reply(sc.asked(func(r *schemas.NewReview) { *r = wire() }), "true")
				},
			} {
				assertion := device.Get(begin(in))
				other := in
				change(&other)
				other.Assertion = &assertion
				require.Error(t, decide(sc.ada, other))
			}
			require.Equal(t, schemas.ReviewPending, sc.get(id).Status)
		})
		t.Run("takes none by the command line, even with an assertion", func(t *testing.T) {
			assertion := device.Get(begin(in))
			with := in
			with.Assertion = &assertion
			denied(t, decide(by(sc.ada, "cli"), with), schemas.CodeForbidden, "the command line has none")
		})
		t.Run("keeps the assertion in the receipt", func(t *testing.T) {
			assertion := device.Get(begin(in))
			with := in
			with.Assertion = &assertion
			require.NoError(t, decide(sc.ada, with))
			r := do(sc, sc.agent, sc.GetReceipt, schemas.ReviewRequest{RequestID: id}).Receipt
			require.Equal(t, "passkey", r.DecidedVia)
			var evidence []passkey.Evidence
			require.NoError(t, json.Unmarshal(r.Passkeys, &evidence))
			require.Len(t, evidence, 1)
			require.NoError(t, receipt.Verify(r, do(sc, sc.agent, sc.Receipts.Keys, schemas.Empty{})))
		})
	})
}
