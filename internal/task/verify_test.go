package task_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/guardian/guardiantest"
	"humanops-mcp/internal/photo"
	"humanops-mcp/internal/store"
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

func TestSweep(t *testing.T) {
	h := newHouse(t, task.Config{})
	h.clock.Set(time.Now().Add(time.Hour)) // the age of files is the file system's word
	id := h.review(nil)
	orphan, err := h.Blobs.Put(t.Context(), strings.NewReader("cut off"), 100)
	require.NoError(t, err)
	h.pass(1, 48*time.Hour)
	_, err = h.Blobs.Open(orphan.SHA256)
	require.Error(t, err, "what no submission knows is gone")
	content, err := h.GetProof(h.agent, schemas.GetProofRequest{TaskID: id, N: 1})
	require.NoError(t, err)
	require.NoError(t, content.Body.Close())
}

func TestCallback(t *testing.T) {
	h := newHouse(t, task.Config{StatusNames: "hosted"})
	id := h.post(func(r *schemas.PostTaskRequest) {
		r.CallbackURL, r.CallbackSecret = "https://agent.example/hook", "s3cret"
	})
	must(h, h.ada, h.AcceptTask, schemas.AcceptTaskRequest{TaskID: id})
	h.work()
	var calls []webhook.Args
	for _, raw := range h.told {
		var args webhook.Args
		require.NoError(t, json.Unmarshal([]byte(raw), &args))
		if args.TaskID != "" {
			calls = append(calls, args)
		}
	}
	require.Equal(t, []webhook.Args{{TaskID: id, Status: "ACCEPTED", PreviousStatus: "PENDING"}}, calls)
	h.write(func(tx *store.Tx) error {
		row, err := tx.FindTask(t.Context(), id)
		require.NoError(t, err)
		require.NotEmpty(t, row.CallbackSecret)
		require.NotContains(t, row.CallbackSecret, "s3cret", "secrets are sealed")
		opened, err := h.Sealer.Open(webhook.Purpose, id, row.CallbackSecret)
		require.Equal(t, "s3cret", opened)
		return err
	})
}

func TestHint(t *testing.T) {
	h := newHouse(t, task.Config{})
	h.write(func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), "UPDATE people SET email = '', last_seen_at = 0")
		return err
	})
	out := must(h, h.agent, h.PostTask, h.request())
	require.Zero(t, out.PeopleInReach)
	require.Contains(t, out.Hint, "humanops-mcp people add me")
}
