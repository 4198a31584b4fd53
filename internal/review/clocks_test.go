package review

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/change"
	"humanops-mcp/internal/review/ask"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

func TestSilence(t *testing.T) {
	onBoth(t, Config{}, func(t *testing.T, sc *scene) {
		t.Run("lets the default count, and never passes it off as a person's", func(t *testing.T) {
			id := sc.asked(nil)
			sc.pass(time.Hour - time.Second)
			require.Equal(t, schemas.ReviewPending, sc.get(id).Status)
			sc.pass(time.Second)
			v := sc.get(id)
			require.Equal(t, schemas.ReviewTimeout, v.Status)
			require.Equal(t, "rejected default timeout", v.Decision+" "+v.ResponseSource+" "+v.DecidedVia)
			require.JSONEq(t, "false", string(v.EffectiveResponse))
			require.JSONEq(t, "null", string(v.ResponseData))
			require.Nil(t, v.ResponseBy)
			_, err := sc.answer(sc.ada, id, "true")
			require.Equal(t, "timeout", denied(t, err, schemas.CodeConflict, "Nobody decided in time").State)
			require.Equal(t, []string{"created", "warn", "timeout"}, kinds(sc.trail(id)))
		})
		t.Run("cancels what has no default", func(t *testing.T) {
			id := sc.asked(func(r *schemas.NewReview) { r.DefaultResponse = nil })
			sc.pass(time.Hour)
			v := sc.get(id)
			require.Equal(t, "cancelled cancelled null Nobody decided in time.", string(v.Status)+" "+v.ResponseSource+" "+string(v.EffectiveResponse)+" "+v.CancelReason)
		})
		t.Run("lets no default approve in a loop that became fail-closed since", func(t *testing.T) {
			id := sc.asked(func(r *schemas.NewReview) { r.DefaultResponse = json.RawMessage("true") })
			split := sc.asked(func(r *schemas.NewReview) {
				r.ResponseType, r.ResponseConfig, r.DefaultResponse = "single_select", json.RawMessage(`{"options":["yes","later"]}`), json.RawMessage(`"yes"`)
				quorumOf(2, 0)(r)
			})
			sc.set(schemas.LoopSettings{FailClosed: true})
			sc.decided(sc.ada, split, `"yes"`)
			require.Equal(t, schemas.ReviewCancelled, sc.decided(sc.bob, split, `"later"`).Status)
			sc.pass(time.Hour)
			v := sc.get(id)
			require.Equal(t, "cancelled cancelled null", string(v.Status)+" "+v.ResponseSource+" "+string(v.EffectiveResponse))
			require.Empty(t, v.Decision)
			sc.set(schemas.LoopSettings{})
		})
		t.Run("ends a quorum that nobody completed", func(t *testing.T) {
			id := sc.asked(quorumOf(2, 0))
			sc.decided(sc.ada, id, "true")
			sc.pass(time.Hour)
			v := sc.get(id)
			require.Equal(t, "timeout rejected default", string(v.Status)+" "+v.Decision+" "+v.ResponseSource)
			require.Len(t, v.Answers, 1)
		})
		t.Run("is not counted while the platform itself is away", func(t *testing.T) {
			id := sc.asked(nil)
			sc.clock.Advance(3 * time.Hour)
			sc.away(3 * time.Hour)
			sc.work()
			v := sc.get(id)
			require.Equal(t, schemas.ReviewPending, v.Status)
			require.Equal(t, sc.clock.Now().Add(time.Hour), v.TimeoutAt)
			require.False(t, v.New)
			sc.pass(time.Hour)
			require.Equal(t, schemas.ReviewTimeout, sc.get(id).Status)
		})
		t.Run("ends what a failed job forgot", func(t *testing.T) {
			id := sc.asked(nil)
			sc.exec("DELETE FROM jobs WHERE kind = 'change.clock'")
			sc.pass(time.Hour)
			sc.pass(time.Hour)
			require.Equal(t, schemas.ReviewTimeout, sc.get(id).Status)
		})
	})
}

func TestWarnings(t *testing.T) {
	onBoth(t, Config{Mail: true}, func(t *testing.T, sc *scene) {
		t.Run("come before the end, to those who have not answered", func(t *testing.T) {
			id := sc.asked(quorumOf(2, 0))
			sc.decided(sc.ada, id, "true")
			sc.pass(45 * time.Minute)
			require.ElementsMatch(t, []string{"asked:Ada", "asked:Bob", "warned:Bob"}, sc.letters(id))
			sc.pass(5 * time.Minute)
			require.Len(t, sc.letters(id), 3, "once")
		})
		t.Run("go to whoever has claimed it", func(t *testing.T) {
			sc.set(schemas.LoopSettings{DecideSeconds: 1200, WarnSeconds: 60, LeaseSeconds: 3600})
			id := sc.asked(nil)
			do(sc, sc.ada, sc.ClaimReview, schemas.ReviewRequest{RequestID: id})
			sc.pass(18 * time.Minute)
			require.NotContains(t, sc.letters(id), "warned:Ada")
			sc.pass(time.Minute)
			require.Contains(t, sc.letters(id), "warned:Ada")
			require.NotContains(t, sc.letters(id), "warned:Bob")
			sc.pass(time.Minute)
			require.Equal(t, schemas.ReviewPending, sc.get(id).Status, "the time to decide is over")
		})
		t.Run("come before the time to claim it", func(t *testing.T) {
			sc.set(schemas.LoopSettings{ClaimSeconds: 600, WarnSeconds: 60})
			id := sc.asked(nil)
			sc.pass(9 * time.Minute)
			require.Contains(t, sc.letters(id), "warned:Bob")
			sc.set(schemas.LoopSettings{})
		})
	})
}

// ladder escalates to Cy, then to Dee, then to the owner, once more, and then ends.
func ladder(last string) schemas.LoopSettings {
	return schemas.LoopSettings{Escalation: []schemas.EscalationPolicy{{
		Steps: []schemas.EscalationStep{{AfterSeconds: 60, To: []string{"Cy"}}, {AfterSeconds: 120, To: []string{"Dee"}}, {AfterSeconds: 180, To: []string{"owner"}}},
		Last:  last,
	}}}
}

func TestEscalation(t *testing.T) {
	onBoth(t, Config{Mail: true}, func(t *testing.T, sc *scene) {
		cy, _ := sc.person("Cy"), sc.person("Dee")
		names := func(id string) []string {
			var list []string
			for _, r := range sc.get(id).BroadcastedTo {
				list = append(list, r.Name)
			}
			return list
		}
		t.Run("goes through its steps, each after the one before", func(t *testing.T) {
			sc.set(ladder("default"))
			id := sc.asked(nil)
			_, err := sc.answer(cy, id, "true")
			require.EqualError(t, err, "Request not found")
			sc.pass(time.Minute)
			require.ElementsMatch(t, []string{"Ada", "Bob", "Cy"}, names(id))
			sc.pass(2 * time.Minute)
			require.ElementsMatch(t, []string{"Ada", "Bob", "Cy", "Dee"}, names(id))
			sc.pass(3 * time.Minute)
			require.ElementsMatch(t, []string{"Ada", "Bob", "Cy", "Dee", "Owner"}, names(id))
			require.Contains(t, sc.letters(id), "escalated:Dee")
			require.Equal(t, 3, sc.get(id).Escalations)
			sc.pass(3 * time.Minute)
			v := sc.get(id)
			require.Equal(t, "timeout rejected default", string(v.Status)+" "+v.Decision+" "+v.ResponseSource, "the policy says that the default counts then")
			require.Equal(t, []string{"created", "escalate", "escalate", "escalate", "exhausted"}, kinds(sc.trail(id)))
		})
		t.Run("lets those decide who were told", func(t *testing.T) {
			id := sc.asked(nil)
			sc.pass(time.Minute)
			require.Equal(t, "Cy", sc.decided(cy, id, "true").ResponseByUser.Name)
			sc.pass(time.Hour)
			require.Equal(t, []string{"created", "escalate", "decide"}, kinds(sc.trail(id)), "and then it stops")
		})
		t.Run("stands still while somebody has claimed the request", func(t *testing.T) {
			id := sc.asked(nil)
			sc.pass(30 * time.Second)
			do(sc, sc.ada, sc.ClaimReview, schemas.ReviewRequest{RequestID: id})
			sc.pass(5 * time.Minute)
			require.Zero(t, sc.get(id).Escalations)
			do(sc, sc.ada, sc.ReleaseReview, schemas.ReviewRequest{RequestID: id})
			sc.pass(29 * time.Second)
			require.Zero(t, sc.get(id).Escalations)
			sc.pass(time.Second)
			require.Equal(t, 1, sc.get(id).Escalations)
		})
		t.Run("cancels or keeps open, as the policy says", func(t *testing.T) {
			sc.set(ladder("cancel"))
			cancelled := sc.asked(nil)
			sc.set(ladder(""))
			open := sc.asked(nil)
			sc.pass(9 * time.Minute)
			for range 3 {
				sc.pass(3 * time.Minute)
			}
			require.Equal(t, schemas.ReviewCancelled, sc.get(cancelled).Status)
			require.Equal(t, schemas.ReviewPending, sc.get(open).Status)
			sc.pass(time.Hour)
			require.Equal(t, schemas.ReviewTimeout, sc.get(open).Status)
		})
		t.Run("says beforehand when it ends a request before its time", func(t *testing.T) {
			for _, last := range []string{"default", "cancel"} {
				settings := ladder(last)
				settings.Escalation[0].Repeat, settings.ClaimSeconds = 1, 90
				sc.set(settings)
				id := sc.asked(nil)
				ends := *sc.get(id).EndsAt
				for range 16 {
					sc.pass(30 * time.Second)
					require.Equal(t, ends, *sc.get(id).EndsAt, "the steps that were taken change nothing")
				}
				do(sc, sc.ada, sc.ClaimReview, schemas.ReviewRequest{RequestID: id})
				require.Nil(t, sc.get(id).EndsAt, "whoever has claimed it has the whole time")
				sc.pass(time.Minute)
				do(sc, sc.ada, sc.ReleaseReview, schemas.ReviewRequest{RequestID: id})
				require.Equal(t, ends.Add(time.Minute), *sc.get(id).EndsAt)
				for sc.get(id).Status == schemas.ReviewPending {
					sc.pass(30 * time.Second)
				}
				v := sc.get(id)
				require.Equal(t, ends.Add(time.Minute), v.UpdatedAt, last)
				require.Nil(t, v.EndsAt)
			}
			sc.set(ladder("keep_open"))
			require.Nil(t, sc.get(sc.asked(nil)).EndsAt)
			sc.set(ladder("cancel"))
			require.Nil(t, sc.get(sc.asked(func(q *schemas.NewReview) { q.TimeoutSeconds = 500 })).EndsAt, "its own end comes first")
		})
		t.Run("repeats", func(t *testing.T) {
			settings := ladder("keep_open")
			settings.Escalation[0].Repeat = 1
			sc.set(settings)
			id := sc.asked(nil)
			for range 12 {
				sc.pass(time.Minute)
			}
			require.Equal(t, 6, sc.get(id).Escalations)
		})
		t.Run("goes on at once when nobody claims or decides in time", func(t *testing.T) {
			settings := ladder("keep_open")
			settings.Escalation[0].Steps[0].AfterSeconds = 1800
			settings.ClaimSeconds, settings.DecideSeconds = 300, 60
			sc.set(settings)
			id := sc.asked(nil)
			sc.pass(5 * time.Minute)
			require.Equal(t, 1, sc.get(id).Escalations)
			do(sc, sc.ada, sc.ClaimReview, schemas.ReviewRequest{RequestID: id})
			sc.pass(time.Minute)
			require.Equal(t, 2, sc.get(id).Escalations)
		})
		t.Run("is taken by hand too, by the agent, the owner or who is asked", func(t *testing.T) {
			sc.set(ladder("keep_open"))
			id := sc.asked(nil)
			for i, who := range []string{"agent", "ada", "owner"} {
				ctx := map[string]context.Context{"agent": sc.agent, "ada": sc.ada, "owner": sc.owner}[who]
				v := do(sc, ctx, sc.EscalateReview, schemas.EscalateReviewRequest{RequestID: id, Reason: "now"}).Request
				require.Equal(t, i+1, v.Escalations)
			}
			_, err := attempt(sc, sc.agent, sc.EscalateReview, schemas.EscalateReviewRequest{RequestID: id})
			denied(t, err, schemas.CodeConflict, "there is no further step")
		})
		t.Run("without a policy tells the loop and the owners, once", func(t *testing.T) {
			sc.set(schemas.LoopSettings{})
			id := sc.asked(func(r *schemas.NewReview) { r.AssignTo = []string{"Ada"} })
			do(sc, sc.agent, sc.EscalateReview, schemas.EscalateReviewRequest{RequestID: id})
			require.ElementsMatch(t, []string{"Ada", "Bob", "Owner"}, names(id))
			_, err := attempt(sc, sc.agent, sc.EscalateReview, schemas.EscalateReviewRequest{RequestID: id})
			denied(t, err, schemas.CodeConflict, "no further step")
			require.Equal(t, "approved", sc.decided(sc.bob, id, "true").Decision)
		})
		t.Run("moves with the platform's own downtime", func(t *testing.T) {
			sc.set(ladder("keep_open"))
			id := sc.asked(nil)
			sc.clock.Advance(10 * time.Minute)
			sc.away(10 * time.Minute)
			sc.work()
			require.Zero(t, sc.get(id).Escalations)
			sc.pass(time.Minute)
			require.Equal(t, 1, sc.get(id).Escalations)
		})
	})
}

func TestQuietHours(t *testing.T) {
	onBoth(t, Config{Mail: true}, func(t *testing.T, sc *scene) {
		hours := []schemas.Hours{{Days: []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}, From: "09:00", Until: "17:00"}}
		do(sc, sc.owner, sc.PutAvailability, schemas.PutAvailabilityRequest{PersonID: "Ada", AvailabilityRules: schemas.AvailabilityRules{Hours: hours}})
		at := sc.clock.Now()
		sc.clock.Advance(time.Date(at.Year(), at.Month(), at.Day()+1, 20, 0, 0, 0, time.UTC).Sub(at))
		long := func(r *schemas.NewReview) { r.TimeoutSeconds = 86400 }
		id, urgent := sc.asked(long), sc.asked(func(r *schemas.NewReview) { long(r); r.Priority = ask.Critical })
		sc.work()
		require.Equal(t, []string{"asked:Bob"}, sc.letters(id))
		require.ElementsMatch(t, []string{"asked:Ada", "asked:Bob"}, sc.letters(urgent), "what is critical does not wait")
		sc.pass(13 * time.Hour)
		require.ElementsMatch(t, []string{"asked:Ada", "asked:Bob"}, sc.letters(id))

		absent := sc.clock.Now().Add(48 * time.Hour)
		do(sc, sc.owner, sc.PutAvailability, schemas.PutAvailabilityRequest{PersonID: "Ada", AvailabilityRules: schemas.AvailabilityRules{AbsentUntil: &absent}})
		out := do(sc, sc.agent, sc.CreateReview, sc.request(func(r *schemas.NewReview) { long(r); r.Priority = ask.Critical }))
		require.Equal(t, 1, out.NotificationsSent, "nobody is told during an absence that outlasts the request")
	})
}

func TestNextClock(t *testing.T) {
	minute := time.Minute.Microseconds()
	r := request{Review: db.Review{Status: "pending", Mode: "live", TimeoutAt: 60 * minute, ClaimBy: 10 * minute, EscalationAt: 20 * minute}}
	type rings struct {
		at    int64
		event Event
		name  string
	}
	next := func(edit func(*request)) rings {
		c := r
		edit(&c)
		n := change.Next(c.Line, clocksOf(c, 5*time.Minute), LeaseEnd, Warn)
		return rings{n.At, n.Event, n.Name}
	}
	for name, c := range map[string]struct {
		want rings
		edit func(*request)
	}{
		"the warning before the time to claim it": {rings{5 * minute, Warn, clockClaim}, func(*request) {}},
		"the time to claim it":                    {rings{10 * minute, ClaimLate, clockClaim}, func(r *request) { r.Line.Warned = ",claim," }},
		"the escalation":                          {rings{20 * minute, Escalate, clockEscalation}, func(r *request) { r.ClaimBy = 0 }},
		"the warning before the end":              {rings{55 * minute, Warn, clockEnd}, func(r *request) { r.ClaimBy, r.EscalationAt = 0, 0 }},
		"the end":                                 {rings{60 * minute, Timeout, clockEnd}, func(r *request) { r.ClaimBy, r.EscalationAt, r.Line.Warned = 0, 0, ",end," }},
		"the lease of a claim, not what stands still meanwhile": {rings{30 * minute, LeaseEnd, "lease"}, func(r *request) {
			r.Status, r.Line.ClaimedAt, r.Line.LeaseUntil = "claimed", 5*minute, 30*minute
		}},
		"the warning before the time to decide": {rings{20 * minute, Warn, clockDecide}, func(r *request) {
			r.Status, r.Line.ClaimedAt, r.Line.LeaseUntil, r.DecideBy = "claimed", 5*minute, 30*minute, 25*minute
		}},
		"no warning in test mode": {rings{60 * minute, Timeout, clockEnd}, func(r *request) { r.Mode, r.ClaimBy, r.EscalationAt = "test", 0, 0 }},
		"at most half of a short time is warned of": {rings{3 * minute, Warn, clockEnd}, func(r *request) {
			r.ClaimBy, r.EscalationAt, r.TimeoutAt = 0, 0, 6*minute
		}},
	} {
		t.Run(name+" comes next", func(t *testing.T) { require.Equal(t, c.want, next(c.edit)) })
	}
}

func TestAnEscalationReachesWhoIsThere(t *testing.T) {
	sc := newScene(t, Config{})
	settings := ladder("keep_open") // neither Cy nor Dee are here
	sc.set(settings)
	id := sc.asked(nil)
	sc.pass(time.Minute)
	sc.pass(2 * time.Minute)
	sc.pass(3 * time.Minute)
	require.Equal(t, 3, sc.get(id).Escalations)
	require.Equal(t, "approved", sc.decided(sc.owner, id, "true").Decision)
	var data struct{ Told int }
	require.NoError(t, json.Unmarshal(sc.trail(id)[1].Data, &data))
	require.Zero(t, data.Told)
}

// away lets the platform come back after having been away, as a start does.
func (sc *scene) away(d time.Duration) {
	sc.t.Helper()
	sc.write(func(tx *store.Tx) error { return sc.Changes.Extend(sc.t.Context(), tx, d) })
	require.NoError(sc.t, sc.Changes.Resume(sc.t.Context()))
}
