package task_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/internal/task"
	"humanops-mcp/schemas"
)

func TestList(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		h := houseOn(t, s, clk, task.Config{StatusNames: "hosted"})
		for n := range 7 {
			h.post(func(r *schemas.PostTaskRequest) { r.Title = fmt.Sprintf("Shop %d, 100%% open", n) })
			clk.Advance(time.Duration(n%2) * time.Second)
		}
		must(h, h.agent, h.CancelTask, schemas.CancelTaskRequest{TaskID: h.post(func(r *schemas.PostTaskRequest) { r.Title = "Withdrawn" })})
		var seen []string
		req := schemas.ListTasksRequest{Status: "open", PageRequest: schemas.PageRequest{Limit: 3}}
		for {
			page := must(h, h.agent, h.ListTasks, req)
			require.Equal(t, 7, page.Pagination.Total)
			for _, v := range page.Data {
				seen = append(seen, v.TaskID)
				require.Equal(t, "PENDING", v.Status, "in the configured words")
			}
			if req.Cursor = page.Pagination.NextCursor; req.Cursor == "" {
				break
			}
		}
		require.Len(t, seen, 7)
		require.Equal(t, 7, must(h, h.owner, h.ListTasks, schemas.ListTasksRequest{Query: "100% OPEN"}).Pagination.Total)
		require.Equal(t, 0, must(h, h.owner, h.ListTasks, schemas.ListTasksRequest{Query: "100_"}).Pagination.Total)
		require.Equal(t, 1, must(h, h.agent, h.ListTasks, schemas.ListTasksRequest{Status: "CANCELLED,PAID", TaskType: "PHOTO"}).Pagination.Total)
		require.Zero(t, must(h, h.sandbox, h.ListTasks, schemas.ListTasksRequest{}).Pagination.Total)
	})
}

func TestWait(t *testing.T) {
	h := newHouse(t, task.Config{})
	t.Run("answers at once when a version has passed", func(t *testing.T) {
		id := h.post(nil)
		must(h, h.ada, h.AcceptTask, schemas.AcceptTaskRequest{TaskID: id})
		out, err := h.Changes.Wait(h.agent, schemas.WaitRequest{IDs: id + ":1", TimeoutSeconds: 50})
		require.NoError(t, err)
		require.True(t, out.Changed)
		require.Equal(t, "ACCEPTED", out.Items[0].Status)
	})
	wait := func(ids string) <-chan schemas.WaitResponse {
		answer := make(chan schemas.WaitResponse, 1)
		go func() {
			out, err := h.Changes.Wait(h.agent, schemas.WaitRequest{IDs: ids, TimeoutSeconds: 45})
			if err == nil {
				answer <- out
			}
			close(answer)
		}()
		<-h.waiting // it listens now
		return answer
	}
	t.Run("is woken by a change", func(t *testing.T) {
		id := h.post(nil)
		answer := wait(id + ":1")
		must(h, h.ada, h.AcceptTask, schemas.AcceptTaskRequest{TaskID: id})
		require.NoError(t, h.feed.Sequence(t.Context()))
		out := <-answer
		require.True(t, out.Changed)
		require.Equal(t, int64(2), out.Items[0].Version)
	})
	t.Run("answers after its time with the tasks as they are", func(t *testing.T) {
		id := h.post(nil)
		answer := wait(id)
		h.clock.Advance(45 * time.Second)
		out := <-answer
		require.Len(t, out.Items, 1)
		require.False(t, out.Changed)
	})
	t.Run("ends with its caller", func(t *testing.T) {
		ctx, cancel := context.WithCancel(h.agent)
		cancel()
		_, err := h.Changes.Wait(ctx, schemas.WaitRequest{IDs: h.post(nil), TimeoutSeconds: 45})
		require.True(t, err == nil || ctx.Err() != nil)
	})
	t.Run("refuses what it cannot read", func(t *testing.T) {
		for _, ids := range []string{"", "task_a:x", "task_a,,task_b", "task_a:-1", strings.Repeat("task_a,", 50) + "task_a"} {
			_, err := h.Changes.Wait(h.agent, schemas.WaitRequest{IDs: ids})
			refused(t, err, schemas.CodeInvalid)
		}
	})
}

func TestAcknowledge(t *testing.T) {
	h := newHouse(t, task.Config{})
	id := h.post(nil)
	must(h, h.ada, h.AcceptTask, schemas.AcceptTaskRequest{TaskID: id})
	require.True(t, h.get(id).New)
	see := func(ctx context.Context, version int64) {
		must(h, ctx, h.AcknowledgeTasks, schemas.AcknowledgeRequest{Items: []schemas.SeenTask{{TaskID: id, Version: version}}})
	}
	see(h.agent, 1)
	see(h.sandbox, 2)
	see(h.agent, 99)
	require.True(t, h.get(id).New, "only the version that was shown, and only by its own agent")
	see(h.agent, 2)
	require.False(t, h.get(id).New)
}
