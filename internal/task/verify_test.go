package task_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/guardian/guardiantest"
	"humanops-mcp/internal/photo"
	"humanops-mcp/internal/seal"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/internal/task"
	"humanops-mcp/internal/webhook"
	"humanops-mcp/schemas"
)

func TestGuardian(t *testing.T) {
	hand := func(t *testing.T, h *house, id string) schemas.TaskView {
		_, err := h.SubmitProof(h.ada, schemas.SubmitProofRequest{TaskID: id, Files: []schemas.File{picture(t, 1), picture(t, 2)}})
		require.NoError(t, err)
		h.work()
		return h.get(id)
	}
	t.Run("that saw everything pays at once", func(t *testing.T) {
		h := seeingHouse(t, guardiantest.Serve(t, guardiantest.Scores(97, 95)).URL)
		v := hand(t, h, h.begin(nil))
		require.Equal(t, "PAID", v.Status)
		require.Equal(t, "vision", v.Submissions[0].Verdict.Method)
		require.Equal(t, "guardian", v.Submissions[0].Decision.DecidedVia)
		h.exact()
	})
	t.Run("that saw something else sends it back twice and then asks people", func(t *testing.T) {
		h := seeingHouse(t, guardiantest.Serve(t, guardiantest.Scores(97, 20)).URL)
		id := h.begin(nil)
		for _, want := range []string{"IN_PROGRESS", "IN_PROGRESS", "MANUAL_REVIEW"} {
			require.Equal(t, want, hand(t, h, id).Status)
		}
		require.Contains(t, strings.Join(h.told, "\n"), "Please submit again")
	})
	t.Run("that is unsure asks people", func(t *testing.T) {
		h := seeingHouse(t, guardiantest.Serve(t, guardiantest.Scores(97, 70)).URL)
		require.Equal(t, "MANUAL_REVIEW", hand(t, h, h.begin(nil)).Status)
	})
	t.Run("that cannot be reached leaves it to people", func(t *testing.T) {
		h := seeingHouse(t, "http://127.0.0.1:1")
		id := h.begin(nil)
		require.Equal(t, "SUBMITTED", hand(t, h, id).Status)
		h.pass(15, time.Minute)
		v := h.get(id)
		require.Equal(t, "MANUAL_REVIEW", v.Status)
		require.Equal(t, "timeout", v.Submissions[0].Verdict.Method)
		h.exact()
	})
}

func TestDamagedPhoto(t *testing.T) {
	h := newHouse(t, task.Config{})
	id := h.begin(nil)
	raw, err := photo.Simulated(1, []string{"a test"})
	require.NoError(t, err)
	_, err = h.SubmitProof(h.ada, schemas.SubmitProofRequest{TaskID: id, Files: []schemas.File{upload("cut off.jpg", raw[:len(raw)/2]), picture(t, 2)}})
	require.NoError(t, err)
	h.work()
	v := h.get(id)
	require.Equal(t, "MANUAL_REVIEW", v.Status)
	require.False(t, v.Submissions[0].Files[0].Ready)
	require.True(t, v.Submissions[0].Files[1].Ready, "the others go on")
	h.pass(1, time.Hour)
	_, err = h.GetProof(h.agent, schemas.GetProofRequest{TaskID: id, N: 1})
	require.ErrorContains(t, refused(t, err, schemas.CodeUnprocessable), "damaged")
}

func TestCallback(t *testing.T) {
	h := newHouse(t, task.Config{StatusNames: "hosted"})
	id := h.post(func(r *schemas.PostTaskRequest) {
		r.CallbackURL, r.CallbackSecret = "https://agent.example/hook", "s3cret"
	})
	must(h, h.ada, h.AcceptTask, schemas.AcceptTaskRequest{TaskID: id})
	h.work()
	type call struct {
		TaskID         string `json:"task_id"`
		Status         string `json:"status"`
		PreviousStatus string `json:"previous_status"`
	}
	var calls []call
	for _, body := range storetest.Texts(t, h.store, "SELECT body FROM webhook_deliveries") {
		var c call
		require.NoError(t, json.Unmarshal([]byte(body), &c))
		calls = append(calls, c)
	}
	require.Equal(t, []call{{TaskID: id, Status: "ACCEPTED", PreviousStatus: "PENDING"}}, calls)
	h.write(func(tx *store.Tx) error {
		row, err := tx.WebhookOfSubject(t.Context(), id)
		require.NoError(t, err)
		require.NotEmpty(t, row.Secret)
		require.NotContains(t, row.Secret, "s3cret", "secrets are sealed")
		opened, err := seal.New(bytes.Repeat([]byte{7}, 32)).Open(webhook.Purpose, row.ID, row.Secret)
		require.Equal(t, "s3cret", opened)
		return err
	})
}

func TestHint(t *testing.T) {
	h := newHouse(t, task.Config{})
	storetest.Exec(t, h.store, "UPDATE people SET email = '', last_seen_at = 0")
	out := must(h, h.agent, h.PostTask, h.request())
	require.Zero(t, out.PeopleInReach)
	require.Contains(t, out.Hint, "humanops-mcp people add me")
}
