package review

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

func TestAsking(t *testing.T) {
	onBoth(t, Config{Mail: true}, func(t *testing.T, sc *scene) {
		t.Run("asks everybody in the loop and tells the agent", func(t *testing.T) {
			out := do(sc, sc.agent, sc.CreateReview, sc.request(nil))
			require.Equal(t, schemas.ReviewPending, out.Status)
			require.Equal(t, "/v1/api/requests/"+out.RequestID, out.PollingURL)
			require.Equal(t, sceneURL+"/reviews/"+out.RequestID, out.ReviewURL)
			require.Equal(t, 2, out.BroadcastedTo)
			require.Equal(t, 2, out.NotificationsSent)
			require.ElementsMatch(t, []string{"Ada", "Bob"}, out.Told)
			require.Equal(t, sc.clock.Now().Add(time.Hour), out.TimeoutAt)
			require.Empty(t, out.Hint)
			require.False(t, sc.get(out.RequestID).New, "what the agent did itself is no news")
			sc.work()
			require.ElementsMatch(t, []string{"asked:Ada", "asked:Bob"}, sc.letters(out.RequestID))
			require.Equal(t, []string{"created"}, kinds(sc.trail(out.RequestID)))
		})
		t.Run("gives the open request when the same is asked again", func(t *testing.T) {
			once := func(r *schemas.NewReview) { r.RequestText, r.AllowDuplicate = "Only once", false }
			first := sc.asked(once)
			again := do(sc, sc.agent, sc.CreateReview, sc.request(once))
			require.True(t, again.Duplicate)
			require.Equal(t, first, again.RequestID)
			require.Equal(t, 2, again.BroadcastedTo)
			require.NotEqual(t, first, sc.asked(func(r *schemas.NewReview) { once(r); r.AllowDuplicate = true }))
			sc.decided(sc.ada, again.RequestID, "true")
			fresh := do(sc, sc.sandbox, sc.CreateReview, sc.request(once))
			require.False(t, fresh.Duplicate, "a test key asks for itself")
		})
		t.Run("fills in what was left out", func(t *testing.T) {
			out := do(sc, sc.agent, sc.CreateReview, schemas.CreateReviewRequest{LoopID: sc.loop.ID, NewReview: schemas.NewReview{RequestText: "Fine?"}})
			v := sc.get(out.RequestID)
			require.Equal(t, []string{"deferred", "markdown", "medium", "single_select", "cancel", "api"},
				[]string{v.ProcessingType, v.Type, v.Priority, v.ResponseType, v.OnTimeout, v.Platform})
			require.Equal(t, sc.clock.Now().Add(30*24*time.Hour), v.TimeoutAt)
			require.Equal(t, "boolean", sc.get(sc.asked(func(r *schemas.NewReview) { *r = wire(); r.ResponseType = "" })).ResponseType)
		})
		t.Run("keeps what false, 0 and empty mean", func(t *testing.T) {
			v := sc.get(sc.asked(nil))
			require.JSONEq(t, "false", string(v.DefaultResponse))
			require.Equal(t, "default", v.OnTimeout)
		})
	})
}

func TestAskingBadly(t *testing.T) {
	sc := newScene(t, Config{})
	for name, c := range map[string]struct {
		words string
		edit  func(*schemas.NewReview)
	}{
		"no time where time matters": {"timeout_seconds is required for time-sensitive requests", func(r *schemas.NewReview) { r.TimeoutSeconds = 0 }},
		"61 days": {"timeout_seconds must be between 60 and 2592000 (30 days) for deferred requests; got 5270400", func(r *schemas.NewReview) {
			r.ProcessingType, r.TimeoutSeconds = "deferred", 61*24*3600
		}},
		"2 days where time matters":    {"between 60 and 86400", func(r *schemas.NewReview) { r.TimeoutSeconds = 2 * 24 * 3600 }},
		"no text":                      {"request_text must be between 1 and 2000 characters", func(r *schemas.NewReview) { r.RequestText = " " }},
		"2,001 characters":             {"request_text must be between 1 and 2000 characters", func(r *schemas.NewReview) { r.RequestText = strings.Repeat("é", 2001) }},
		"an unknown priority":          {"priority must be one of: low, medium, high, critical", func(r *schemas.NewReview) { r.Priority = "urgent" }},
		"an image without its address": {"image_url is required for image requests", func(r *schemas.NewReview) { r.Type = "image" }},
		"a script for an address":      {"video_url must be an http or https address", func(r *schemas.NewReview) { r.VideoURL = "javascript:alert(1)" }},
		"a context that is a list":     {"context must be a JSON object", func(r *schemas.NewReview) { r.Context = json.RawMessage("[1]") }},
		"a context of 65 KiB": {"context must be at most 64 KiB", func(r *schemas.NewReview) {
			r.Context = json.RawMessage(`{"a":"` + strings.Repeat("x", 65<<10) + `"}`)
		}},
		"an empty tag":                  {"tags[1]", func(r *schemas.NewReview) { r.Tags = []string{"a", ""} }},
		"a private callback":            {"callback_url must be a public address", func(r *schemas.NewReview) { r.CallbackURL = "https://127.0.0.1/x" }},
		"a callback without TLS":        {"callback_url must be a public https address", func(r *schemas.NewReview) { r.CallbackURL = "http://example.com/x" }},
		"a secret for nothing":          {"callback_secret is given without", func(r *schemas.NewReview) { r.CallbackSecret = "s" }},
		"a default outside the options": {"default_response", func(r *schemas.NewReview) { r.DefaultResponse = json.RawMessage(`"maybe"`) }},
		"a select without options":      {"options array required for select response type", func(r *schemas.NewReview) { r.ResponseType = "single_select" }},
		"a rating off its step":         {"default_response", rated(`5.5`)},
		"no default where it should count": {"default_response is needed with on_timeout", func(r *schemas.NewReview) {
			r.DefaultResponse, r.OnTimeout = nil, "default"
		}},
		"an action of a megabyte": {"at most 256 KiB", func(r *schemas.NewReview) {
			*r = wire()
			r.Action.Arguments = json.RawMessage(`{"a":"` + strings.Repeat("x", 1<<20) + `"}`)
		}},
		"an action that a text answers": {"response_type must be one whose every answer", func(r *schemas.NewReview) {
			*r = wire()
			r.ResponseType, r.DefaultResponse = "text", nil
		}},
		"a quorum of three of two":  {"review_mode.threshold must be at most the 2 people who can decide; got 3", quorumOf(3, 0)},
		"two of five people of two": {"review_mode.of must be at most the 2 people who can decide; got 5", quorumOf(2, 5)},
		"a quorum without a number": {"review_mode.threshold must be between 1 and 50", quorumOf(0, 0)},
		"a text by quorum":          {"review_mode needs answers that can be held against each other", func(r *schemas.NewReview) { quorumOf(1, 0)(r); r.ResponseType, r.DefaultResponse = "text", nil }},
		"a quorum of ratings with no default": {"default_response is needed when several people decide", func(r *schemas.NewReview) {
			rated("")(r)
			quorumOf(2, 0)(r)
		}},
		"somebody unknown":                {"assign_to[0] names nobody who can decide", func(r *schemas.NewReview) { r.AssignTo = []string{"Zoe"} }},
		"somebody who is not in the loop": {"assign_to[0] names nobody who can decide", func(r *schemas.NewReview) { r.AssignTo = []string{"owner"} }},
		"a step that nobody can take": {"review_mode.steps[1].to[0] names nobody", func(r *schemas.NewReview) {
			r.ReviewMode = &schemas.ReviewMode{Steps: []schemas.ReviewStep{{To: []string{"Ada"}}, {To: []string{"Zoe"}}}}
		}},
		"a step's quorum that is too high": {"review_mode.steps[0].threshold must be at most the 1 people", func(r *schemas.NewReview) {
			r.ReviewMode = &schemas.ReviewMode{Steps: []schemas.ReviewStep{{To: []string{"Ada"}, Mode: "quorum", Threshold: 2}}}
		}},
		"steps and people": {"assign_to does not go with review_mode.steps", func(r *schemas.NewReview) {
			r.ReviewMode, r.AssignTo = &schemas.ReviewMode{Steps: []schemas.ReviewStep{{To: []string{"Ada"}}}}, []string{"Bob"}
		}},
	} {
		t.Run(name+" is refused", func(t *testing.T) { sc.refusedAsking(c.words, c.edit) })
	}
	t.Run("several problems come at once", func(t *testing.T) {
		_, err := attempt(sc, sc.agent, sc.CreateReview, sc.request(func(r *schemas.NewReview) {
			r.RequestText, r.Priority, r.DefaultResponse = "", "x", json.RawMessage(`"maybe"`)
		}))
		require.Len(t, denied(t, err, schemas.CodeInvalid, "").Fields, 3)
	})
	t.Run("in a loop without anybody it is refused in the contract's words, unless the loop takes it", func(t *testing.T) {
		full := sc.loop
		sc.loop = sc.newLoop("Empty")
		_, err := attempt(sc, sc.agent, sc.CreateReview, sc.request(nil))
		require.EqualError(t, err, "No active members found in the loop")
		sc.set(schemas.LoopSettings{AcceptUnattended: true})
		require.Zero(t, do(sc, sc.agent, sc.CreateReview, sc.request(nil)).BroadcastedTo)
		sc.refusedAsking("No active members", quorumOf(1, 0))
		sc.loop = full
	})
	t.Run("in a loop that demands passkeys only those who have one count", func(t *testing.T) {
		sc.set(schemas.LoopSettings{Passkey: true})
		sc.refusedAsking("No active members found in the loop", nil)
		sc.set(schemas.LoopSettings{})
	})
	t.Run("a default that approves is refused where the loop fails closed", func(t *testing.T) {
		sc.set(schemas.LoopSettings{FailClosed: true})
		sc.refusedAsking("default_response must mean a rejection", func(r *schemas.NewReview) { r.DefaultResponse = json.RawMessage("true") })
		sc.refusedAsking("default_response must mean a rejection", rated("3"))
		sc.asked(nil)
		sc.asked(func(r *schemas.NewReview) { r.DefaultResponse = nil })
		sc.set(schemas.LoopSettings{})
	})
	t.Run("a person cannot ask", func(t *testing.T) {
		_, err := attempt(sc, sc.owner, sc.CreateReview, sc.request(nil))
		denied(t, err, schemas.CodeForbidden, "Only an agent's key")
	})
	t.Run("somebody else's loop is not there", func(t *testing.T) {
		other := account.With(t.Context(), account.Caller{AgentID: "ag_other", Mode: account.Live, Via: "api"})
		own := do(sc, sc.agent, sc.CreateLoop, schemas.CreateLoopRequest{Name: "Own"}).Loop
		_, err := attempt(sc, other, sc.CreateReview, schemas.CreateReviewRequest{LoopID: own.ID, NewReview: plain()})
		require.EqualError(t, err, "Loop not found")
	})
}

func rated(byDefault string) func(*schemas.NewReview) {
	return func(r *schemas.NewReview) {
		r.ResponseType, r.ResponseConfig, r.DefaultResponse = "rating", json.RawMessage(`{"scale_min":1,"scale_max":10}`), json.RawMessage(byDefault)
	}
}

func quorumOf(threshold, of int) func(*schemas.NewReview) {
	return func(r *schemas.NewReview) {
		r.ReviewMode = &schemas.ReviewMode{Mode: "quorum", Threshold: threshold, Of: of}
	}
}

func TestRouting(t *testing.T) {
	onBoth(t, Config{}, func(t *testing.T, sc *scene) {
		told := func(edit func(*schemas.NewReview)) []string {
			sc.clock.Advance(time.Second)
			return do(sc, sc.agent, sc.CreateReview, sc.request(edit)).Told
		}
		t.Run("takes turns", func(t *testing.T) {
			sc.set(schemas.LoopSettings{Routing: "round_robin"})
			first, second := told(nil), told(nil)
			require.Len(t, first, 1)
			require.NotEqual(t, first, second)
			require.Equal(t, first, told(nil))
		})
		t.Run("goes to whoever has the least", func(t *testing.T) {
			sc.set(schemas.LoopSettings{Routing: "least_loaded"})
			id := do(sc, sc.agent, sc.CreateReview, sc.request(nil))
			require.NotEqual(t, id.Told, told(nil))
		})
		t.Run("leaves it to the one until nobody has claimed it in time", func(t *testing.T) {
			sc.set(schemas.LoopSettings{Routing: "round_robin", ClaimSeconds: 120})
			out := do(sc, sc.agent, sc.CreateReview, sc.request(nil))
			chosen, other := sc.ada, sc.bob
			if out.Told[0] == "Bob" {
				chosen, other = sc.bob, sc.ada
			}
			_, err := sc.answer(other, out.RequestID, "true")
			denied(t, err, schemas.CodeForbidden, "you are not among them")
			sc.pass(121 * time.Second)
			require.Equal(t, "approved", sc.decided(other, out.RequestID, "true").Decision)
			_, err = sc.answer(chosen, out.RequestID, "true")
			denied(t, err, schemas.CodeConflict, "approved it at")
		})
		t.Run("asks only those who are named, by name or group", func(t *testing.T) {
			sc.set(schemas.LoopSettings{})
			require.Equal(t, []string{"Bob"}, told(func(r *schemas.NewReview) { r.AssignTo = []string{"Bob"} }))
			do(sc, sc.owner, sc.PutGroup, schemas.PutGroupRequest{Group: "night", Members: []string{"Ada", "me"}})
			require.Equal(t, []string{"Ada"}, told(func(r *schemas.NewReview) { r.AssignTo = []string{"night"} }), "of a group those who can decide")
		})
	})
}

func TestTestMode(t *testing.T) {
	onBoth(t, Config{}, func(t *testing.T, sc *scene) {
		ask := func(edit func(*schemas.NewReview)) schemas.ReviewCreated {
			return do(sc, sc.sandbox, sc.CreateReview, sc.request(edit))
		}
		get := func(id string) schemas.Review {
			return do(sc, sc.sandbox, sc.GetReview, schemas.ReviewRequest{RequestID: id}).Request
		}
		t.Run("simulated reviewers answer, nobody is told, and it says so", func(t *testing.T) {
			out := ask(func(r *schemas.NewReview) { *r = wire() })
			require.True(t, out.Sandbox)
			require.Contains(t, out.Hint, "live key")
			sc.pass(time.Second)
			v := get(out.RequestID)
			require.Equal(t, "approved simulated simulated", v.Decision+" "+v.ResponseSource+" "+v.DecidedVia)
			require.True(t, v.Sandbox)
			require.Empty(t, v.BroadcastedTo)
			require.Empty(t, sc.letters(out.RequestID))
			receipt := do(sc, sc.sandbox, sc.GetReceipt, schemas.ReviewRequest{RequestID: out.RequestID}).Receipt
			require.Equal(t, "test simulated", receipt.Mode+" "+receipt.ResponseSource)
			sc.trailAs(sc.sandbox, out.RequestID)
		})
		t.Run("words steer the simulation", func(t *testing.T) {
			reject := ask(func(r *schemas.NewReview) { r.Title = "[simulate: reject]" }).RequestID
			slow := ask(func(r *schemas.NewReview) { r.RequestText = "x [Simulate: slow]" }).RequestID
			nobody := ask(func(r *schemas.NewReview) { r.Title = "[simulate: nobody]" }).RequestID
			changes := ask(func(r *schemas.NewReview) {
				r.Title, r.ResponseType, r.DefaultResponse = "[simulate: changes]", "", nil
			}).RequestID
			sc.pass(time.Second)
			require.Equal(t, "rejected", get(reject).Decision)
			require.Equal(t, "needs_changes", get(changes).Decision)
			require.Equal(t, schemas.ReviewPending, get(slow).Status)
			round := do(sc, sc.sandbox, sc.OpenRound, schemas.OpenRoundRequest{RequestID: changes, RequestText: "Better"})
			require.Equal(t, 2, round.Round)
			require.True(t, round.Sandbox)
			sc.pass(10 * time.Second)
			require.Equal(t, "approved", get(slow).Decision)
			require.Equal(t, "approved", get(changes).Decision)
			sc.pass(time.Hour)
			require.Equal(t, schemas.ReviewTimeout, get(nobody).Status)
			require.Equal(t, "default", get(nobody).ResponseSource)
		})
		t.Run("every type and mode is answered, without asking who there is", func(t *testing.T) {
			for _, edit := range []func(*schemas.NewReview){
				quorumOf(5, 0), rated("3"), func(r *schemas.NewReview) { r.AssignTo = []string{"Zoe"} },
				func(r *schemas.NewReview) {
					r.ReviewMode = &schemas.ReviewMode{Steps: []schemas.ReviewStep{{To: []string{"x"}}, {To: []string{"y"}}}}
				},
				func(r *schemas.NewReview) { r.ResponseType, r.DefaultResponse = "text", nil },
			} {
				id := ask(edit).RequestID
				sc.pass(time.Second)
				require.Equal(t, schemas.ReviewCompleted, get(id).Status)
			}
		})
		t.Run("people neither see nor decide it", func(t *testing.T) {
			id := ask(func(r *schemas.NewReview) { r.Title = "[simulate: nobody]" }).RequestID
			for _, who := range []context.Context{sc.owner, sc.ada} {
				_, err := attempt(sc, who, sc.DecideReview, schemas.DecideReviewRequest{RequestID: id, ResponseData: json.RawMessage("true")})
				require.EqualError(t, err, "Request not found")
			}
		})
	})
}

func (sc *scene) trailAs(who context.Context, id string) {
	agent := sc.agent
	sc.agent = who
	defer func() { sc.agent = agent }()
	sc.trail(id)
}

// members of a removed loop's requests have clocks whose jobs outlive them.
func TestADeletedLoopsClocksRingInVain(t *testing.T) {
	sc := newScene(t, Config{})
	loop := sc.newLoop("Gone", sc.ada)
	id := do(sc, sc.agent, sc.CreateReview, schemas.CreateReviewRequest{LoopID: loop.ID, NewReview: plain()}).RequestID
	do(sc, sc.agent, sc.CancelReview, schemas.CancelReviewRequest{RequestID: id})
	do(sc, sc.owner, sc.DeleteLoop, schemas.DeleteLoopRequest{LoopID: loop.ID})
	sc.pass(2 * time.Hour)
	sc.write(func(tx *store.Tx) error {
		failed, err := tx.CountJobs(t.Context(), "failed")
		require.Zero(t, failed)
		return err
	})
}

func TestTheReviewerHearsOfFeedbackByMailOnly(t *testing.T) {
	for name, c := range map[string]struct {
		config Config
		email  string
		told   bool
	}{
		"mail and an address":     {Config{Mail: true}, "ada@example.com", true},
		"mail without an address": {Config{Mail: true, Chat: true}, "", false},
		"a chat room":             {Config{Chat: true}, "ada@example.com", false},
		"nothing":                 {Config{}, "ada@example.com", false},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, c.config, func(t *testing.T, sc *scene) {
				id := sc.asked(nil)
				sc.decided(sc.ada, id, "true")
				sc.exec("UPDATE people SET email = $1 WHERE id = $2", c.email, idOf(sc.ada))
				in := schemas.AddFeedbackRequest{RequestID: id, Feedback: json.RawMessage(`{"rating":5}`)}
				require.Equal(t, c.told, do(sc, sc.agent, sc.AddFeedback, in).ReviewerNotified)
				sc.pass(time.Second)
				require.Equal(t, c.told, slices.Contains(sc.letters(id), "feedback:Ada"))
			})
		})
	}
}
