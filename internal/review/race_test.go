package review

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/change"
	"humanops-mcp/internal/clock"
	loops "humanops-mcp/internal/loop"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/schemas"
)

// raceRounds runs rounds of calls that start at the same moment, on both databases.
// HUMANOPS_RACE_ROUNDS sets how many; 20 is enough for every day.
func raceRounds(t *testing.T, round func(t *testing.T, sc *scene)) {
	t.Helper()
	race(t, 1, round)
}

// someRounds are a fifth as many, for the races that are like others.
func someRounds(t *testing.T, round func(t *testing.T, sc *scene)) {
	t.Helper()
	race(t, 5, round)
}

func race(t *testing.T, share int, round func(t *testing.T, sc *scene)) {
	t.Helper()
	rounds := 20
	if text := os.Getenv("HUMANOPS_RACE_ROUNDS"); text != "" {
		var err error
		rounds, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		sc := sceneOn(t, s, clk, Config{Mail: true, PrivateCallbacks: true})
		heard := subscribed(sc)
		for range max(1, rounds/share) {
			round(t, sc)
		}
		sc.work()
		heard.onceEach(t)
	})
}

// receiver counts the events that a webhook's address was told, by their ids.
type receiver struct {
	mu     sync.Mutex
	events map[string]int
}

// subscribed has an address of this machine told everything about requests.
func subscribed(sc *scene) *receiver {
	heard := &receiver{events: map[string]int{}}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body struct {
			EventID string `json:"event_id"`
		}
		err := json.NewDecoder(r.Body).Decode(&body)
		heard.mu.Lock()
		defer heard.mu.Unlock()
		if err == nil {
			heard.events[body.EventID]++
		}
	}))
	sc.t.Cleanup(server.Close)
	do(sc, sc.agent, sc.CreateWebhook, schemas.CreateWebhookRequest{URL: server.URL, Events: []string{"request.*"}})
	return heard
}

func (r *receiver) onceEach(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	require.NotEmpty(t, r.events)
	for id, times := range r.events {
		require.Equal(t, 1, times, id)
	}
}

// together starts the calls at once and gives their errors in order.
func together(calls ...func() error) []error {
	errs := make([]error, len(calls))
	start := make(chan struct{})
	var done sync.WaitGroup
	for i, call := range calls {
		done.Go(func() {
			<-start
			errs[i] = call()
		})
	}
	close(start)
	done.Wait()
	return errs
}

// oneWinner requires that one call succeeded and the others lost with a conflict that
// names the state; it gives the winner's number.
func oneWinner(t *testing.T, errs []error) int {
	t.Helper()
	winner := -1
	for i, err := range errs {
		if err == nil {
			require.Equal(t, -1, winner, "two winners")
			winner = i
			continue
		}
		require.NotEmpty(t, denied(t, err, schemas.CodeConflict, "").State)
	}
	require.NotEqual(t, -1, winner, "no winner: %v", errs)
	return winner
}

// calling is attempt without its answer, to be run together with others.
func calling[In, Out any](sc *scene, ctx context.Context, call func(context.Context, *store.Tx, In) (Out, error), arg In) func() error {
	return func() error {
		_, err := attempt(sc, ctx, call, arg)
		return err
	}
}

func (sc *scene) answering(who context.Context, id, raw string) func() error {
	in := sc.reply(id, raw)
	return calling(sc, who, sc.DecideReview, in)
}

// the endings of a round, in the trail and on webhooks.
var endings = []string{"decide", "timeout", "cancel", "exhausted"}

// ended requires that a request ended once, in everything that tells of it: its trail,
// its events, the deliveries to webhooks, and the receipt where people decided on an
// action.
func (sc *scene) ended(id string) {
	t := sc.t
	t.Helper()
	r := sc.row(id)
	require.True(t, r.In().Final(), r.Status)
	require.NotEmpty(t, r.ResponseSource)
	require.NotEmpty(t, r.Effective)
	entries := kinds(sc.trail(id))
	finals := slices.DeleteFunc(slices.Clone(entries), func(kind string) bool { return !slices.Contains(endings, kind) })
	require.Len(t, finals, 1, "%v", entries)
	require.True(t, slices.Contains(endings, entries[len(entries)-1]), "nothing follows the end: %v", entries)
	deliveries := func(more string, args ...any) int {
		return sc.count("SELECT event_id FROM webhook_deliveries WHERE subject_id = $1"+more, append([]any{id}, args...)...)
	}
	require.Equal(t, len(entries), sc.count("SELECT DISTINCT event_id FROM trail WHERE subject_id = $1 AND event_id <> ''", id), "an event for each entry")
	require.Equal(t, 1, deliveries(" AND event IN ('request.completed', 'request.timeout', 'request.cancelled')"))
	require.Equal(t, 1, deliveries(" AND event = $2", "request."+r.Status))
	require.Equal(t, deliveries(""), deliveries(" GROUP BY event_id"), "one delivery for each event")
	wanted := 0
	if r.Action != "" && r.ResponseSource == schemas.SourceHuman {
		wanted = 1
	}
	require.Equal(t, wanted, sc.count("SELECT nonce FROM receipts WHERE review_id = $1", id))
}

// count counts the rows of a query.
func (sc *scene) count(text string, args ...any) int {
	sc.t.Helper()
	return len(storetest.Texts(sc.t, sc.store, text, args...))
}

func wired(r *schemas.NewReview) { *r = wire() }

func TestRace_TwoDeciders(t *testing.T) {
	raceRounds(t, func(t *testing.T, sc *scene) {
		id := sc.asked(wired)
		winner := oneWinner(t, together(sc.answering(sc.ada, id, "true"), sc.answering(sc.bob, id, "false")))
		require.Equal(t, []string{"approved", "rejected"}[winner], sc.get(id).Decision)
		require.Equal(t, []string{"Ada", "Bob"}[winner], sc.get(id).ResponseByUser.Name)
		sc.ended(id)
	})
}

func TestRace_DecisionAgainstTimeout(t *testing.T) {
	raceRounds(t, func(t *testing.T, sc *scene) {
		id := sc.asked(func(r *schemas.NewReview) { *r = wire(); r.TimeoutSeconds = 60 })
		sc.pass(30 * time.Second) // the warning is not part of it
		sc.clock.Advance(30 * time.Second)
		errs := together(sc.answering(sc.ada, id, "true"), func() error {
			_, err := sc.runner.RunDue(t.Context())
			return err
		})
		require.NoError(t, errs[1])
		want := "completed"
		if errs[0] != nil {
			want = "timeout"
			require.Equal(t, want, denied(t, errs[0], schemas.CodeConflict, "Nobody decided in time").State)
		}
		require.EqualValues(t, want, sc.get(id).Status)
		sc.work()
		sc.ended(id)
	})
}

func TestRace_DecisionAgainstCancel(t *testing.T) {
	raceRounds(t, func(t *testing.T, sc *scene) {
		id := sc.asked(wired)
		winner := oneWinner(t, together(sc.answering(sc.ada, id, "true"), calling(sc, sc.agent, sc.CancelReview, schemas.CancelReviewRequest{RequestID: id})))
		require.EqualValues(t, []string{"completed", "cancelled"}[winner], sc.get(id).Status)
		sc.ended(id)
	})
}

func TestRace_ClaimAgainstClaim(t *testing.T) {
	raceRounds(t, func(t *testing.T, sc *scene) {
		id := sc.asked(nil)
		arg := schemas.ReviewRequest{RequestID: id}
		winner := oneWinner(t, together(calling(sc, sc.ada, sc.ClaimReview, arg), calling(sc, sc.bob, sc.ClaimReview, arg)))
		require.Equal(t, []string{"Ada", "Bob"}[winner], sc.get(id).ClaimedByName)
		require.Equal(t, []string{"created", "claim"}, kinds(sc.trail(id)))
		do(sc, sc.agent, sc.CancelReview, schemas.CancelReviewRequest{RequestID: id})
		sc.ended(id)
	})
}

func TestRace_LastTwoVotes(t *testing.T) {
	t.Run("of which one is enough", func(t *testing.T) {
		var cy context.Context
		raceRounds(t, func(t *testing.T, sc *scene) {
			if cy == nil || sc.t != t || len(sc.members()) < 3 {
				cy = sc.joined("Cy")
			}
			id := sc.asked(func(r *schemas.NewReview) { *r = wire(); quorumOf(2, 0)(r) })
			sc.decided(sc.ada, id, "true")
			oneWinner(t, together(sc.answering(sc.bob, id, "true"), sc.answering(cy, id, "true")))
			require.Len(t, sc.get(id).Answers, 2, "the vote that lost is not kept")
			sc.ended(id)
		})
	})
	t.Run("of which both are needed", func(t *testing.T) {
		raceRounds(t, func(t *testing.T, sc *scene) {
			id := sc.asked(func(r *schemas.NewReview) { *r = wire(); quorumOf(2, 0)(r) })
			for _, err := range together(sc.answering(sc.ada, id, "true"), sc.answering(sc.bob, id, "true")) {
				require.NoError(t, err)
			}
			require.Equal(t, "approved", sc.get(id).Decision)
			require.Equal(t, []string{"created", "answer", "decide"}, kinds(sc.trail(id)))
			sc.ended(id)
		})
	})
	t.Run("of which each makes the other's quorum impossible", func(t *testing.T) {
		someRounds(t, func(t *testing.T, sc *scene) {
			id := sc.asked(quorumOf(2, 0))
			for _, err := range together(sc.answering(sc.ada, id, "true"), sc.answering(sc.bob, id, "false")) {
				require.NoError(t, err)
			}
			require.Equal(t, "rejected policy", sc.get(id).Decision+" "+sc.get(id).ResponseSource)
			sc.ended(id)
		})
	})
	t.Run("of one person", func(t *testing.T) {
		someRounds(t, func(t *testing.T, sc *scene) {
			id := sc.asked(quorumOf(2, 0))
			oneWinner(t, together(sc.answering(sc.ada, id, "true"), sc.answering(sc.ada, id, "true")))
			require.Equal(t, schemas.ReviewPending, sc.get(id).Status, "nobody votes twice")
			sc.decided(sc.bob, id, "true")
			sc.ended(id)
		})
	})
}

// joined is a further member of the scene's loop.
func (sc *scene) joined(name string) context.Context {
	who := sc.person(name)
	do(sc, sc.owner, sc.AddMember, schemas.AddMemberRequest{LoopID: sc.loop.ID, UserID: idOf(who)})
	return who
}

func (sc *scene) members() (list []loops.Member) {
	sc.write(func(tx *store.Tx) (err error) {
		list, err = sc.Active(sc.t.Context(), tx, sc.loop.ID)
		return err
	})
	return list
}

func TestRace_ReleaseAgainstDecide(t *testing.T) {
	someRounds(t, func(t *testing.T, sc *scene) {
		id := sc.asked(wired)
		do(sc, sc.ada, sc.ClaimReview, schemas.ReviewRequest{RequestID: id})
		errs := together(sc.answering(sc.ada, id, "true"), calling(sc, sc.owner, sc.ReleaseReview, schemas.ReviewRequest{RequestID: id}))
		require.NoError(t, errs[0], "released or not, Ada may decide")
		want := []string{"created", "claim", "release", "decide"}
		if errs[1] != nil {
			want = []string{"created", "claim", "decide"}
			require.Equal(t, "completed", denied(t, errs[1], schemas.CodeConflict, "Ada approved it").State)
		}
		require.Equal(t, want, kinds(sc.trail(id)))
		sc.ended(id)
	})
}

func TestRace_LeaseEndAgainstDecideOfAnother(t *testing.T) {
	someRounds(t, func(t *testing.T, sc *scene) {
		id := sc.asked(wired)
		do(sc, sc.ada, sc.ClaimReview, schemas.ReviewRequest{RequestID: id})
		sc.clock.Advance(10 * time.Minute)
		errs := together(sc.answering(sc.bob, id, "true"), func() error {
			_, err := sc.runner.RunDue(t.Context())
			return err
		})
		require.NoError(t, errs[1])
		if errs[0] != nil {
			denied(t, errs[0], schemas.CodeConflict, "claimed by Ada")
			sc.decided(sc.bob, id, "true")
		}
		sc.ended(id)
	})
}

func TestRace_TheSameAskedTwice(t *testing.T) {
	someRounds(t, func(t *testing.T, sc *scene) {
		once := sc.request(func(r *schemas.NewReview) { r.AllowDuplicate = false })
		var ids [2]string
		ask := func(i int) func() error {
			return func() error {
				out, err := attempt(sc, sc.agent, sc.CreateReview, once)
				ids[i] = out.RequestID
				return err
			}
		}
		for _, err := range together(ask(0), ask(1)) {
			require.NoError(t, err)
		}
		require.Equal(t, ids[0], ids[1])
		do(sc, sc.agent, sc.CancelReview, schemas.CancelReviewRequest{RequestID: ids[0]})
		sc.ended(ids[0])
	})
}

// TestRace_TaskAgainstReview has an agent decide on a task while a person decides on the
// review of the same submission: both lock the task first, and one of them wins.
func TestRace_TaskAgainstReview(t *testing.T) {
	raceRounds(t, func(t *testing.T, sc *scene) {
		taskID, id := sc.proof(false)
		winner := oneWinner(t, together(sc.answering(sc.owner, id, `"approve"`), func() error {
			return sc.store.Write(t.Context(), func(tx *store.Tx) error {
				agent := change.Actor{ID: "ag_1", Via: "api"}
				if err := sc.moveTask(t.Context(), tx, TaskDecision{TaskID: taskID, Decision: "reject", By: agent}); err != nil {
					return err
				}
				return sc.CloseForTask(t.Context(), tx, taskID, agent, "The agent rejected the proof.", "reject")
			})
		}))
		require.EqualValues(t, []string{"completed", "cancelled"}[winner], sc.row(id).Status)
		require.Equal(t, []string{"approve", "reject"}[winner], sc.taskDecision(taskID))
		sc.ended(id)
	})
}

// TestRace_TaskSettledAgainstItsReviewsTimeout has a task settled by its own clock at the
// moment when the review of it times out: the task never has to try again.
func TestRace_TaskSettledAgainstItsReviewsTimeout(t *testing.T) {
	someRounds(t, func(t *testing.T, sc *scene) {
		taskID, id := sc.proof(false)
		sc.pass(7*24*time.Hour - time.Minute)
		sc.clock.Advance(time.Minute)
		errs := together(func() error {
			return sc.store.Write(t.Context(), func(tx *store.Tx) error {
				if err := sc.moveTask(t.Context(), tx, TaskDecision{TaskID: taskID, Decision: "approve", By: change.Timeout}); err != nil {
					return err
				}
				return sc.CloseForTask(t.Context(), tx, taskID, change.Timeout, "Nobody decided in time.", "")
			})
		}, func() error {
			_, err := sc.runner.RunDue(t.Context())
			return err
		})
		require.NoError(t, errs[0])
		require.NoError(t, errs[1])
		require.EqualValues(t, "cancelled", sc.row(id).Status)
		sc.ended(id)
	})
}
