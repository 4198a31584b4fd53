package app

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// keyed is a caller that names its call.
func keyed(c who, key string) who {
	return with(c, "key "+key, map[string]string{"Idempotency-Key": key})
}

func (h *house) tasks(t *testing.T, c who) int {
	t.Helper()
	return int(h.must(c, "GET", "/api/v1/tasks", nil).body["pagination"].(map[string]any)["total"].(float64))
}

func TestACallUnderAKeyHappensOnce(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		h.person("Ada")
		body := h.edited(nil)
		first := h.must(keyed(h.live(), "order-1"), "POST", "/api/v1/tasks", body)
		require.Empty(t, first.header.Get("Idempotent-Replayed"))

		t.Run("the same again gets the same answer", func(t *testing.T) {
			h.unchanged(func() {
				again := h.send(keyed(h.live(), "order-1"), "POST", "/api/v1/tasks", body)
				require.Equal(t, first.status, again.status)
				require.Equal(t, first.raw, again.raw)
				require.Equal(t, "true", again.header.Get("Idempotent-Replayed"))
			})
		})
		t.Run("another body or path is a conflict", func(t *testing.T) {
			h.unchanged(func() {
				other := h.send(keyed(h.live(), "order-1"), "POST", "/api/v1/tasks", h.edited(nil))
				require.Equal(t, http.StatusConflict, other.status)
				require.Contains(t, other.text("error"), "new key")
				path := h.send(keyed(h.live(), "order-1"), "POST", "/api/v1/tasks/"+first.text("task_id")+"/cancel", body)
				require.Equal(t, http.StatusConflict, path.status)
			})
		})
		t.Run("the key is the caller's own, and the mode's", func(t *testing.T) {
			test := h.must(keyed(h.sandbox(), "order-1"), "POST", "/api/v1/tasks", body)
			require.NotEqual(t, first.text("task_id"), test.text("task_id"))
			require.Equal(t, "true", test.text("sandbox"))
		})
		t.Run("a refusal keeps nothing", func(t *testing.T) {
			require.Equal(t, 400, h.send(keyed(h.live(), "order-2"), "POST", "/api/v1/tasks", "{}").status)
			require.Equal(t, 402, h.send(keyed(h.live(), "order-2"), "POST", "/api/v1/tasks", h.edited(map[string]string{"reward_usd": "5000"})).status)
			require.Equal(t, 201, h.send(keyed(h.live(), "order-2"), "POST", "/api/v1/tasks", h.edited(nil)).status)
		})
		t.Run("a secret is not kept to be shown again", func(t *testing.T) {
			key := h.must(keyed(h.live(), "key-1"), "POST", "/api/v1/agents/keys", `{"name":"ci"}`)
			h.unchanged(func() {
				again := h.send(keyed(h.live(), "key-1"), "POST", "/api/v1/agents/keys", `{"name":"ci"}`)
				require.Equal(t, http.StatusConflict, again.status)
				require.Contains(t, again.text("error"), key.text("id"))
				require.NotContains(t, again.raw, key.text("api_key"))
			})
		})
		t.Run("a key that is none is refused", func(t *testing.T) {
			h.unchanged(func() {
				for _, name := range []string{"", strings.Repeat("x", 256), "ä"} {
					got := h.send(keyed(h.live(), name), "POST", "/api/v1/tasks", h.edited(nil))
					require.Equal(t, 400, got.status, "%q: %s", name, got.raw)
					require.Contains(t, got.text("error"), "Idempotency-Key")
				}
			})
		})
		t.Run("a day later the key is free", func(t *testing.T) {
			h.clk.Advance(24*time.Hour + time.Second)
			late := h.must(keyed(h.live(), "order-1"), "POST", "/api/v1/tasks", body)
			require.NotEqual(t, first.text("task_id"), late.text("task_id"))
		})
	})
}

func TestTwentyAtOnceMakeOneTask(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		h.person("Ada")
		race := func(c who) map[string]int {
			body := h.edited(nil)
			ids, lock := map[string]int{}, sync.Mutex{}
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					got := h.send(c, "POST", "/api/v1/tasks", body)
					lock.Lock()
					defer lock.Unlock()
					ids[fmt.Sprintf("%d %s", got.status, got.text("task_id"))]++
				})
			}
			all.Wait()
			return ids
		}
		t.Run("under one key", func(t *testing.T) {
			ids := race(keyed(h.live(), "once"))
			require.Len(t, ids, 1, "%v", ids)
			require.True(t, strings.HasPrefix(sorted(ids)[0], "201 task_"), "%v", ids)
			require.Equal(t, 1, h.tasks(t, h.live()))
		})
		t.Run("without a key, by their content", func(t *testing.T) {
			ids := race(h.live())
			require.Len(t, ids, 1, "%v", ids)
			require.Equal(t, 2, h.tasks(t, h.live()))
		})
		h.state()
		require.Equal(t, "998", h.must(h.live(), "GET", "/api/v1/agents/balance", nil).text("deposit_balance"))
	})
}
