package review

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/schemas"
)

func TestAskingAgainIsNeverAnsweredWithARequestThatAsksSomethingElseByNow(t *testing.T) {
	onBoth(t, Config{}, func(t *testing.T, sc *scene) {
		t.Run("because it was changed", func(t *testing.T) {
			question := sc.request(func(r *schemas.NewReview) { r.RequestText, r.AllowDuplicate = "Publish A?", false })
			id := do(sc, sc.agent, sc.CreateReview, question).RequestID
			other := "Publish B?"
			do(sc, sc.agent, sc.UpdateReview, schemas.UpdateReviewRequest{RequestID: id, RequestText: &other})
			again := do(sc, sc.agent, sc.CreateReview, question)
			require.False(t, again.Duplicate)
			require.NotEqual(t, id, again.RequestID)
			require.Equal(t, "Publish A?", sc.get(again.RequestID).RequestText)
		})
		t.Run("because it is in its next round", func(t *testing.T) {
			question := sc.request(func(r *schemas.NewReview) {
				r.RequestText, r.AllowDuplicate, r.ResponseType, r.DefaultResponse = "Send A?", false, "", nil
			})
			id := do(sc, sc.agent, sc.CreateReview, question).RequestID
			sc.decided(sc.ada, id, `"needs_changes"`)
			do(sc, sc.agent, sc.OpenRound, schemas.OpenRoundRequest{RequestID: id, RequestText: "Send B?"})
			require.NotEqual(t, id, do(sc, sc.agent, sc.CreateReview, question).RequestID)
		})
	})
}

func TestWhoMayNoLongerDecideKeepsNoClaimAlive(t *testing.T) {
	onBoth(t, Config{}, func(t *testing.T, sc *scene) {
		id := sc.asked(nil)
		do(sc, sc.ada, sc.ClaimReview, schemas.ReviewRequest{RequestID: id})
		do(sc, sc.ada, sc.ClaimReview, schemas.ReviewRequest{RequestID: id})
		sc.set(schemas.LoopSettings{Passkey: true})
		_, err := attempt(sc, sc.ada, sc.ClaimReview, schemas.ReviewRequest{RequestID: id})
		denied(t, err, schemas.CodeForbidden, "only with a passkey")
		sc.pass(10 * time.Minute)
		require.Equal(t, schemas.ReviewPending, sc.get(id).Status, "it goes back to those who may")
	})
}

func TestTheEscalationOfAClaimedRequestIsNotPutOffTwice(t *testing.T) {
	onBoth(t, Config{}, func(t *testing.T, sc *scene) {
		sc.person("Cy")
		sc.set(ladder("keep_open")) // after 60 s, then 120 s, then 180 s
		claimed := func() string {
			id := sc.asked(nil)
			sc.pass(30 * time.Second)
			do(sc, sc.ada, sc.ClaimReview, schemas.ReviewRequest{RequestID: id})
			sc.pass(5 * time.Minute)
			return id
		}
		t.Run("by the platform's downtime during the claim", func(t *testing.T) {
			id := claimed()
			sc.clock.Advance(10 * time.Minute)
			sc.away(10 * time.Minute)
			sc.work()
			do(sc, sc.ada, sc.ReleaseReview, schemas.ReviewRequest{RequestID: id})
			sc.pass(29 * time.Second)
			require.Zero(t, sc.get(id).Escalations)
			sc.pass(time.Second)
			require.Equal(t, 1, sc.get(id).Escalations)
		})
		t.Run("when a step is taken by hand during the claim", func(t *testing.T) {
			id := claimed()
			do(sc, sc.agent, sc.EscalateReview, schemas.EscalateReviewRequest{RequestID: id})
			sc.pass(time.Minute)
			do(sc, sc.ada, sc.ReleaseReview, schemas.ReviewRequest{RequestID: id})
			sc.pass(2*time.Minute - time.Second)
			require.Equal(t, 1, sc.get(id).Escalations)
			sc.pass(time.Second)
			require.Equal(t, 2, sc.get(id).Escalations)
		})
	})
}

func TestAClockThatStandsStillIsNotOverdue(t *testing.T) {
	onBoth(t, Config{}, func(t *testing.T, sc *scene) {
		sc.set(schemas.LoopSettings{Escalation: ladder("keep_open").Escalation, ClaimSeconds: 120, LeaseSeconds: 3000})
		id := sc.asked(nil)
		do(sc, sc.ada, sc.ClaimReview, schemas.ReviewRequest{RequestID: id})
		sc.pass(10 * time.Minute)
		require.Greater(t, sc.row(id).Line.ClockAt, store.Micros(sc.clock.Now()))
	})
}

func TestAnAgreementThatNobodyCanReachAnyMoreEnds(t *testing.T) {
	approving := func(r *schemas.NewReview) { r.DefaultResponse = json.RawMessage("true") }
	onBoth(t, Config{}, func(t *testing.T, sc *scene) {
		refused := func(t *testing.T, id string) {
			t.Helper()
			v := sc.get(id)
			require.Equal(t, "completed rejected policy", string(v.Status)+" "+v.Decision+" "+v.ResponseSource, "silence must not approve it")
			require.JSONEq(t, "false", string(v.EffectiveResponse))
			sc.trail(id)
		}
		t.Run("when one of those who all have to answer leaves the loop", func(t *testing.T) {
			left := sc.joined("Left")
			id := sc.asked(func(r *schemas.NewReview) { approving(r); r.ReviewMode = &schemas.ReviewMode{Mode: "all"} })
			sc.decided(sc.ada, id, "true")
			sc.decided(left, id, "true")
			do(sc, sc.owner, sc.RemoveMember, schemas.MemberRequest{LoopID: sc.loop.ID, UserID: idOf(left)})
			refused(t, id)
		})
		t.Run("when too few of a quorum are left", func(t *testing.T) {
			sc.joined("Lefty")
			early, late, open := sc.asked(func(r *schemas.NewReview) { approving(r); quorumOf(2, 0)(r) }),
				sc.asked(func(r *schemas.NewReview) { approving(r); quorumOf(2, 0)(r) }), sc.asked(quorumOf(2, 0))
			sc.decided(sc.ada, late, "true")
			sc.decided(sc.bob, late, "false")
			sc.decided(sc.ada, early, "true")
			do(sc, sc.owner, sc.Accounts.RemovePerson, schemas.PersonRequest{PersonID: "Lefty"})
			refused(t, late)
			require.Equal(t, schemas.ReviewPending, sc.get(early).Status)
			sc.decided(sc.bob, early, "false")
			refused(t, early)
			require.Equal(t, schemas.ReviewPending, sc.get(open).Status)
		})
		t.Run("when a circle of the steps is empty", func(t *testing.T) {
			left := sc.joined("Leo")
			id := sc.asked(func(r *schemas.NewReview) {
				approving(r)
				r.ReviewMode = &schemas.ReviewMode{Steps: []schemas.ReviewStep{{To: []string{"Ada"}}, {To: []string{"Leo"}}}}
			})
			do(sc, sc.owner, sc.RemoveMember, schemas.MemberRequest{LoopID: sc.loop.ID, UserID: idOf(left)})
			require.Equal(t, schemas.ReviewPending, sc.get(id).Status, "an earlier circle comes first, and the owner may act meanwhile")
			sc.decided(sc.ada, id, "true")
			refused(t, id)
		})
	})
}

func TestADroppedAnswerIsInTheTrailAndItsCircleIsAskedAgain(t *testing.T) {
	onBoth(t, Config{}, func(t *testing.T, sc *scene) {
		left := sc.joined("Left")
		id := sc.asked(func(r *schemas.NewReview) {
			r.ReviewMode = &schemas.ReviewMode{Steps: []schemas.ReviewStep{{To: []string{"Left", "Ada"}}, {To: []string{"Bob"}}}}
		})
		before := sc.decided(left, id, "true")
		require.Equal(t, 2, before.Step)
		do(sc, sc.owner, sc.RemoveMember, schemas.MemberRequest{LoopID: sc.loop.ID, UserID: idOf(left)})
		v := sc.get(id)
		require.Equal(t, 1, v.Step, "nobody of the first circle has answered")
		require.Greater(t, v.Version, before.Version)
		require.Equal(t, []string{"created", "answer", "answer"}, kinds(sc.trail(id)))
		sc.decided(sc.ada, id, "true")
		require.Equal(t, "approved", sc.decided(sc.bob, id, "true").Decision)
	})
}

func TestSilenceEndsARequestWhoseDefaultCannotBeReadAnyMore(t *testing.T) {
	onBoth(t, Config{}, func(t *testing.T, sc *scene) {
		id := sc.asked(nil)
		sc.exec("UPDATE reviews SET default_response = '17' WHERE id = $1", id)
		sc.pass(time.Hour)
		v := sc.get(id)
		require.Equal(t, "cancelled cancelled null", string(v.Status)+" "+v.ResponseSource+" "+string(v.EffectiveResponse))
	})
}

func TestALinkLastsAsLongAsTheRequestWhoseEndMoved(t *testing.T) {
	onBoth(t, Config{LinkTTL: 24 * time.Hour}, func(t *testing.T, sc *scene) {
		id, token := sc.asked(nil), ""
		sc.write(func(tx *store.Tx) error {
			link, err := sc.newLink(t.Context(), tx, id, idOf(sc.ada), tx.Now())
			token = sc.linkToken(link)
			return err
		})
		longer := 3 * 3600
		do(sc, sc.agent, sc.UpdateReview, schemas.UpdateReviewRequest{RequestID: id, TimeoutSeconds: &longer})
		peek := func() error {
			return sc.store.Read(t.Context(), func(tx *store.Tx) error {
				_, _, err := sc.PeekLink(t.Context(), tx, token)
				return err
			})
		}
		sc.pass(2 * time.Hour)
		require.NoError(t, peek())
		sc.pass(time.Hour)
		require.Equal(t, schemas.ReviewTimeout, sc.get(id).Status)
		require.NoError(t, peek(), "it shows how the request ended")
	})
}

func TestTheLinkInAMailThatWaitedForSomebodysReturnStillOpens(t *testing.T) {
	onBoth(t, Config{Mail: true, LinkTTL: 24 * time.Hour}, func(t *testing.T, sc *scene) {
		back := sc.clock.Now().Add(5 * 24 * time.Hour)
		do(sc, sc.owner, sc.PutAvailability, schemas.PutAvailabilityRequest{PersonID: "Ada", AvailabilityRules: schemas.AvailabilityRules{AbsentUntil: &back}})
		id := sc.asked(func(r *schemas.NewReview) { r.ProcessingType, r.TimeoutSeconds = "deferred", 30*86400 })
		for range 5 * 24 {
			sc.pass(time.Hour)
		}
		require.ElementsMatch(t, []string{"asked:Ada", "asked:Bob"}, sc.letters(id))
		for _, a := range sc.told {
			if a.PersonIDs[0] == idOf(sc.ada) {
				require.NoError(t, sc.store.Read(t.Context(), func(tx *store.Tx) error {
					_, _, err := sc.PeekLink(t.Context(), tx, sc.linkToken(a.LinkID))
					return err
				}))
			}
		}
	})
}

func TestAPolicyThatWasTakenAwayEndsNothingEarly(t *testing.T) {
	onBoth(t, Config{}, func(t *testing.T, sc *scene) {
		sc.person("Cy")
		sc.set(ladder("cancel"))
		id := sc.asked(nil)
		sc.set(schemas.LoopSettings{})
		sc.pass(time.Minute)
		require.Equal(t, schemas.ReviewPending, sc.get(id).Status, "no step of it was taken")
		sc.pass(time.Hour)
		require.Equal(t, schemas.ReviewTimeout, sc.get(id).Status)
	})
}

func TestNoRoundIsOpenedThatNobodyCouldDecide(t *testing.T) {
	onBoth(t, Config{}, func(t *testing.T, sc *scene) {
		for name, edit := range map[string]func(*schemas.NewReview){
			"because all have to":    func(r *schemas.NewReview) { r.ReviewMode = &schemas.ReviewMode{Mode: "all"} },
			"because they alone may": func(r *schemas.NewReview) { r.AssignTo = []string{"Left"} },
			"because it is a circle": func(r *schemas.NewReview) {
				r.ReviewMode = &schemas.ReviewMode{Steps: []schemas.ReviewStep{{To: []string{"Ada", "Left"}}, {To: []string{"Left"}}}}
			},
		} {
			t.Run(name, func(t *testing.T) {
				left := sc.joined("Left")
				ask := func(r *schemas.NewReview) { r.ResponseType, r.DefaultResponse = "", nil; edit(r) }
				id, other := sc.asked(ask), sc.asked(ask)
				sc.decided(left, id, `"needs_changes"`)
				sc.decided(left, other, `"needs_changes"`)
				do(sc, sc.agent, sc.OpenRound, schemas.OpenRoundRequest{RequestID: other})
				do(sc, sc.owner, sc.Accounts.RemovePerson, schemas.PersonRequest{PersonID: "Left"})
				_, err := attempt(sc, sc.agent, sc.OpenRound, schemas.OpenRoundRequest{RequestID: id})
				require.Equal(t, "completed", denied(t, err, schemas.CodeConflict, "not all there any more").State)
			})
		}
	})
}

func TestALoopIsDeletedWhileFeedbackIsGivenInIt(t *testing.T) {
	clk := clock.NewFake(storetest.Start)
	sc := sceneOn(t, storetest.OpenPostgres(t, clk), clk, Config{})
	id := sc.asked(nil)
	sc.decided(sc.ada, id, "true")
	deleted := make(chan error, 1)
	sc.write(func(tx *store.Tx) error {
		_, err := sc.AddFeedback(sc.agent, tx, schemas.AddFeedbackRequest{RequestID: id, Feedback: json.RawMessage(`{"rating": 5}`)})
		require.NoError(t, err)
		go func() {
			_, err := attempt(sc, sc.owner, sc.DeleteLoop, schemas.DeleteLoopRequest{LoopID: sc.loop.ID})
			deleted <- err
		}()
		require.Eventually(t, func() bool { return somebodyWaits(t, sc) }, 10*time.Second, 5*time.Millisecond)
		return nil
	})
	require.NoError(t, <-deleted)
	_, err := attempt(sc, sc.agent, sc.GetReview, schemas.ReviewRequest{RequestID: id})
	denied(t, err, schemas.CodeNotFound, "Request not found")
}

// somebodyWaits tells whether a transaction of this database waits for another's lock.
func somebodyWaits(t *testing.T, sc *scene) bool {
	return sc.count("SELECT state FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") > 0
}

func TestRace_AnAnswerAgainstItsPersonsLeaving(t *testing.T) {
	raceRounds(t, func(t *testing.T, sc *scene) {
		left := sc.joined("Left" + ident.Hex()[:12])
		id := sc.asked(func(r *schemas.NewReview) { r.ReviewMode = &schemas.ReviewMode{Mode: "quorum", Threshold: 2} })
		errs := together(sc.answering(left, id, "true"),
			calling(sc, sc.owner, sc.RemoveMember, schemas.MemberRequest{LoopID: sc.loop.ID, UserID: idOf(left)}))
		require.NoError(t, errs[1])
		require.Equal(t, schemas.ReviewPending, sc.decided(sc.ada, id, "true").Status, "only one of those who are there has answered")
		require.Equal(t, "approved", sc.decided(sc.bob, id, "true").Decision)
		sc.trail(id)
	})
}
