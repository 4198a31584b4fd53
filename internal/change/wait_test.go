package change_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

type waited struct {
	out schemas.WaitResponse
	err error
}

// wait begins a wait and returns once it is parked.
func (w *world) wait(ctx context.Context, ids string, seconds int) <-chan waited {
	w.t.Helper()
	answer := make(chan waited, 1)
	go func() {
		out, err := w.changes.Wait(ctx, schemas.WaitRequest{IDs: ids, TimeoutSeconds: seconds})
		answer <- waited{out, err}
	}()
	select {
	case <-w.waits:
	case early := <-answer:
		require.Fail(w.t, "the wait did not wait", "%+v", early)
	}
	return answer
}

// now asks without waiting.
func (w *world) now(ctx context.Context, ids string) (schemas.WaitResponse, error) {
	return w.changes.Wait(ctx, schemas.WaitRequest{IDs: ids})
}

func ids(out schemas.WaitResponse) (list []string) {
	for _, v := range out.Items {
		list = append(list, fmt.Sprintf("%s:%d", v.TaskID, v.Version))
	}
	return list
}

// parcels are another kind of subject beside the errands.
func (w *world) parcels() *change.Life[errand, state, verb, struct{}] {
	k := errands()
	k.Name, k.Owns = "parcel", func(id string) bool { return strings.HasPrefix(id, "pa_") }
	return change.Register(w.changes, k)
}

func TestAWaitEndsWhenAnyOfItsSubjectsMoves(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		parcels, parcel := w.parcels(), w.fresh()
		parcel.ID = "pa_1"
		w.write(func(tx *store.Tx) (err error) {
			parcel, err = parcels.Open(t.Context(), tx, parcel, change.Opening[verb]{Event: post, By: agent})
			return err
		})
		one, two := w.posted().ID, w.posted().ID
		w.number()
		all := one + ", " + parcel.ID + "," + two
		waits := []<-chan waited{w.wait(w.agent, all, 50), w.wait(w.agent, one+":1,"+two, 30)}
		apart := w.wait(w.agent, one+","+parcel.ID, 50)
		w.do(two, take, ada)
		w.number()
		for i, want := range [][]string{{one + ":1", "pa_1:1", two + ":2"}, {one + ":1", two + ":2"}} {
			got := <-waits[i]
			require.NoError(t, got.err)
			require.True(t, got.out.Changed)
			require.Equal(t, want, ids(got.out), "all of them, in the order asked for")
		}
		require.Empty(t, apart)
		w.write(func(tx *store.Tx) error {
			_, err := parcels.Move(t.Context(), tx, parcel, move{Event: take, By: ada})
			return err
		})
		w.number()
		require.Equal(t, []string{one + ":1", "pa_1:2"}, ids((<-apart).out))
	})
}

func TestAWaitForAVersionThatIsPastAnswersAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		id, other := w.posted().ID, w.posted().ID
		w.do(id, take, ada)
		for asked, changed := range map[string]bool{id + ":1": true, id + ":2": false, id + ":3": false, id: false, id + ":0": false} {
			out, err := w.now(w.agent, asked)
			require.NoError(t, err)
			require.Equal(t, changed, out.Changed, asked)
			require.Equal(t, []string{id + ":2"}, ids(out))
		}
		for _, asked := range []string{id + ":1," + other + ":1", other + ":1," + id + ":1"} {
			out, err := w.now(w.agent, asked)
			require.NoError(t, err)
			require.True(t, out.Changed, "one of them is enough")
		}
		out, err := w.changes.Wait(w.agent, schemas.WaitRequest{IDs: id + ":1", TimeoutSeconds: 50})
		require.NoError(t, err)
		require.True(t, out.Changed)
	})
}

func TestAWaitEndsByItself(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		id := w.posted().ID
		w.number()
		waiting := w.wait(w.agent, id, 30)
		w.clock.Advance(30*time.Second - time.Microsecond)
		require.Empty(t, waiting)
		w.clock.Advance(time.Microsecond)
		got := <-waiting
		require.NoError(t, got.err)
		require.False(t, got.out.Changed)
		require.Equal(t, []string{id + ":1"}, ids(got.out))

		t.Run("and with its caller, who sees how things stand", func(t *testing.T) {
			ctx, cancel := context.WithCancel(w.agent)
			waiting := w.wait(ctx, id, 50)
			cancel()
			got := <-waiting
			require.NoError(t, got.err)
			require.Equal(t, []string{id + ":1"}, ids(got.out))
		})
		t.Run("but not by what makes no other version", func(t *testing.T) {
			waiting := w.wait(w.agent, id, 50)
			w.write(func(tx *store.Tx) error {
				_, err := w.life.Note(t.Context(), tx, w.get(id), change.Note[errand]{Kind: "remark", By: bob})
				return err
			})
			w.number()
			require.Empty(t, waiting)
			w.clock.Advance(50 * time.Second)
			require.False(t, (<-waiting).out.Changed)
		})
	})
}

func TestAWaitIsForWhatTheCallerMaySee(t *testing.T) {
	onBothWith(t, func(k *kind) {
		k.View.Admit = func(ctx context.Context, id string) error {
			if account.From(ctx).Opens(account.AudienceMarketplace) {
				return nil
			}
			return schemas.NewError(schemas.CodeForbidden, "This key is not for errands such as "+id+".")
		}
	}, func(t *testing.T, w *world) {
		id := w.posted().ID
		as := func(c account.Caller) context.Context { return account.With(t.Context(), c) }
		owner := as(account.Caller{PersonID: "op_own", Owner: true})
		out, err := w.now(owner, id)
		require.NoError(t, err)
		require.Equal(t, []string{id + ":1"}, ids(out))
		reviewer := as(account.Caller{AgentID: agent.ID, Mode: account.Live, Audience: account.AudienceReviews})
		for name, c := range map[string]struct {
			ctx  context.Context
			ids  string
			code schemas.Code
			says string
		}{
			"an id of its kind that is not there": {w.agent, id + ",er_none", schemas.CodeNotFound, "There is no errand er_none."},
			"another agent's":                     {as(account.Caller{AgentID: "ag_2", Mode: account.Live}), id, schemas.CodeNotFound, "There is no errand " + id + "."},
			"the same agent's of the other mode":  {as(account.Caller{AgentID: agent.ID, Mode: account.Test}), id, schemas.CodeNotFound, "There is no errand " + id + "."},
			"nobody":                              {t.Context(), id, schemas.CodeNotFound, "There is no errand " + id + "."},
			"an id of no kind":                    {w.agent, id + ",xx_1", schemas.CodeNotFound, `There is nothing called "xx_1" here.`},
			"a key that is not for it":            {reviewer, id, schemas.CodeForbidden, "not for errands such as " + id},
			"a key that is not for it, not there": {reviewer, "er_none", schemas.CodeForbidden, "not for errands such as er_none"},
			"such a key, beside an id of no kind": {reviewer, "xx_1,er_none", schemas.CodeForbidden, "not for errands such as er_none"},
		} {
			t.Run(name, func(t *testing.T) {
				_, err := w.now(c.ctx, c.ids)
				require.Equal(t, c.code, schemas.ErrorCode(err))
				require.ErrorContains(t, err, c.says)
			})
		}
		err = w.changes.Until(t.Context(), id, change.Forever, func(change.Line) bool { return true })
		require.Equal(t, schemas.CodeNotFound, schemas.ErrorCode(err))
	})
}

func TestAWaitNamesWhatIsWrongWithIt(t *testing.T) {
	onOne(t, func(*kind) {}, func(t *testing.T, w *world) {
		for asked, says := range map[schemas.WaitRequest]string{
			{IDs: ""}:                                           "must be task ids with commas between them",
			{IDs: "er_1,,er_2"}:                                 "must be task ids",
			{IDs: "er_1:x"}:                                     "must be task ids",
			{IDs: "er_1:-1"}:                                    "must be task ids",
			{IDs: "er_1", TimeoutSeconds: 51}:                   "must be between 0 and 50 seconds; got 51",
			{IDs: "er_1", TimeoutSeconds: -1}:                   "must be between 0 and 50 seconds; got -1",
			{IDs: strings.Repeat("er_1,", 50) + "er_1"}:         "must be at most 50; got 51",
			{IDs: strings.Repeat("x", 200), TimeoutSeconds: 51}: "must be between 0 and 50 seconds; got 51",
		} {
			_, err := w.changes.Wait(w.agent, asked)
			require.Equal(t, schemas.CodeInvalid, schemas.ErrorCode(err), asked)
			require.ErrorContains(t, err, says)
		}
	})
}

// A stream of events waits without a limit, and ends with what it waits for.
func TestFollowingOneSubject(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		id := w.posted().ID
		w.number()
		looked, ended := make(chan state, 10), make(chan error, 1)
		follow := func(ctx context.Context) {
			ended <- w.changes.Until(ctx, id, change.Forever, func(l change.Line) bool {
				looked <- state(l.State)
				return l.Finished
			})
		}
		go follow(w.agent)
		require.Equal(t, open, <-looked)
		w.do(id, take, ada)
		w.number()
		require.Equal(t, taken, <-looked)
		require.Empty(t, ended)
		w.do(id, finish, ada)
		w.number()
		require.NoError(t, <-ended)

		id = w.posted().ID
		w.number()
		ctx, cancel := context.WithCancel(w.agent)
		for len(looked) > 0 {
			<-looked
		}
		go follow(ctx)
		<-looked
		cancel()
		require.NoError(t, <-ended, "whoever has gone needs no error")
	})
}
