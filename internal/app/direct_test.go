package app

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/client"
	"humanops-mcp/internal/api"
	"humanops-mcp/internal/codec"
	"humanops-mcp/schemas"
)

// surface is what a house answers without HTTP.
func (h *house) surface() *api.Surface { return h.app.surface }

// TestWhatIsReadWithoutHTTPIsWhatHTTPAnswers asks every endpoint that an agent reads and
// that needs no argument in the path, both ways.
func TestWhatIsReadWithoutHTTPIsWhatHTTPAnswers(t *testing.T) {
	h := newHouse(t)
	h.task(h.live(), "MANUAL_REVIEW")
	h.task(h.live(), "PAID")
	h.must(h.sandbox(), "POST", "/api/v1/tasks", h.newTask(nil))
	h.asks(h.live())
	asked := 0
	for _, info := range schemas.All() {
		if info.Access&schemas.Agent == 0 || strings.Contains(info.Path, "{") {
			continue
		}
		for c, key := range map[*who]string{ptr(h.live()): h.creds.LiveKey, ptr(h.sandbox()): h.creds.TestKey} {
			out, ok := h.surface().Answer(t.Context(), info, key, reflect.Zero(info.In).Interface())
			if !ok {
				continue
			}
			asked++
			over := h.must(*c, info.Method, strings.TrimPrefix(info.Pattern(), info.Method+" "), nil)
			raw, err := codec.Encode(out)
			require.NoError(t, err)
			want := []byte(over.raw)
			if data, wrapped := over.body["data"].(map[string]any); wrapped {
				want, err = json.Marshal(data)
				require.NoError(t, err)
			}
			require.JSONEq(t, string(want), string(raw), "%s for %s", info.Path, c.name)
		}
	}
	require.GreaterOrEqual(t, asked, 12)
}

// inProcess reaches a house without a network.
func inProcess(h *house) *http.Client {
	return &http.Client{Transport: client.InProcess(h.app.LocalHandler())}
}

func ptr[T any](v T) *T { return &v }

func TestWhatIsReadWithoutHTTPMeetsTheSameDoors(t *testing.T) {
	h := newHouse(t, "HUMANOPS_RATE_LIMIT_PER_MINUTE=20")
	ask := func(info schemas.Info, key string, in any) bool {
		_, ok := h.surface().Answer(t.Context(), info, key, in)
		return ok
	}
	reviewsKey := h.must(h.owner(), "POST", "/platform/v1/keys", map[string]any{"name": "Reviews", "audience": "reviews"}).text("api_key")
	overview, list := schemas.GetOverview.Info(), schemas.ListTasks.Info()
	t.Run("a key that is none, or for something else", func(t *testing.T) {
		for _, key := range []string{"", "ho_live_nobody", h.creds.ExecutorKey, h.creds.OwnerToken, reviewsKey} {
			require.False(t, ask(overview, key, schemas.Empty{}), key)
		}
		require.True(t, ask(schemas.ListReviews.Info(), reviewsKey, schemas.ListReviewsRequest{}))
		require.False(t, ask(schemas.ListPeople.Info(), h.creds.LiveKey, schemas.PageRequest{}), "the owner's")
	})
	t.Run("arguments out of bounds", func(t *testing.T) {
		require.True(t, ask(list, h.creds.LiveKey, schemas.ListTasksRequest{PageRequest: schemas.PageRequest{Limit: 100}}))
		require.False(t, ask(list, h.creds.LiveKey, schemas.ListTasksRequest{PageRequest: schemas.PageRequest{Limit: 101}}))
		require.False(t, ask(list, h.creds.LiveKey, schemas.ListTasksRequest{Query: strings.Repeat("x", 101)}))
	})
	t.Run("what is not there, what changes something, what waits", func(t *testing.T) {
		require.False(t, ask(schemas.GetTask.Info(), h.creds.LiveKey, schemas.TaskRequest{TaskID: "task_none"}))
		require.False(t, ask(schemas.PostTask.Info(), h.creds.LiveKey, schemas.PostTaskRequest{}))
		require.False(t, ask(schemas.Wait.Info(), h.creds.LiveKey, schemas.WaitRequest{}))
	})
	t.Run("too many calls", func(t *testing.T) {
		for range 20 {
			ask(overview, h.creds.LiveKey, schemas.Empty{})
		}
		require.False(t, ask(overview, h.creds.LiveKey, schemas.Empty{}))
	})
}

func TestFailuresAreWordedAsOverHTTP(t *testing.T) {
	h := newHouse(t)
	direct, err := client.New(client.Options{APIKey: h.creds.LiveKey, HTTPClient: inProcess(h), Direct: h.surface()})
	require.NoError(t, err)
	plain, err := client.New(client.Options{APIKey: h.creds.LiveKey, HTTPClient: inProcess(h)})
	require.NoError(t, err)
	for _, in := range []schemas.ListTasksRequest{{Status: "NOWHERE"}, {PageRequest: schemas.PageRequest{Limit: 101, Cursor: "x"}}} {
		_, one := direct.ListTasks(context.Background(), in)
		_, two := plain.ListTasks(context.Background(), in)
		require.Error(t, one)
		require.Equal(t, two, one)
	}
}

func TestTheSeedsWordsReachTheToolsWhateverTheHouseSays(t *testing.T) {
	h := newHouse(t, "HUMANOPS_MARKETPLACE_STATUS_NAMES=hosted")
	h.post(h.live(), nil)
	require.Contains(t, h.must(h.live(), "GET", "/api/v1/overview", nil).raw, `"status":"PENDING"`)
	require.Contains(t, h.tool(t, "check_status", `{}`).raw, "POSTED")
}
