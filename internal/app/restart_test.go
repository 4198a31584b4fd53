package app

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/daemon"
	"humanops-mcp/internal/store/storetest"
)

// restart closes the platform, lets time pass, and opens it on the same folder.
func (h *house) restart(away time.Duration) {
	h.t.Helper()
	h.close()
	h.clk.Advance(away)
	h.open()
}

func (h *house) times(t *testing.T, o object) (deadline, startBy time.Time) {
	t.Helper()
	read := func(c who, path, name string) time.Time {
		text := h.must(c, "GET", path+o.task, nil).text(name)
		if text == "" {
			return time.Time{}
		}
		at, err := time.Parse(time.RFC3339, text)
		require.NoError(t, err)
		return at
	}
	return read(h.live(), "/api/v1/tasks/", "deadline"), read(o.operator, "/api/v1/operator/tasks/", "start_by")
}

func TestTheTimeThatThePlatformWasDownIsGivenBack(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		accepted, paid := h.task(h.live(), "ACCEPTED"), h.task(h.live(), "PAID")
		review, disputed := h.task(h.live(), "MANUAL_REVIEW"), h.task(h.live(), "DISPUTED")
		soon := h.post(h.live(), func(b map[string]any) { b["deadline"] = h.clk.Now().Add(2 * time.Hour) })
		deadline, startBy := h.times(t, accepted)
		ended, _ := h.times(t, paid)
		status := func(task string) string { return h.must(h.live(), "GET", "/api/v1/tasks/"+task, nil).text("status") }

		t.Run("a short restart moves nothing", func(t *testing.T) {
			h.restart(90 * time.Second)
			same, start := h.times(t, accepted)
			require.Equal(t, deadline, same)
			require.Equal(t, startBy, start)
		})
		t.Run("three hours away move deadlines and starts by three hours", func(t *testing.T) {
			h.restart(3 * time.Hour)
			moved, start := h.times(t, accepted)
			require.Equal(t, deadline.Add(3*time.Hour), moved)
			require.Equal(t, startBy.Add(3*time.Hour), start)
			done, _ := h.times(t, paid)
			require.Equal(t, ended, done, "what is over stays as it was")
			h.work()
			require.Equal(t, "POSTED", status(soon), "its deadline would have passed while nobody could act")
			require.Equal(t, "ACCEPTED", status(accepted.task))
		})
		t.Run("then time goes on as before", func(t *testing.T) {
			h.clk.Advance(2*time.Hour + time.Second)
			h.work()
			require.Equal(t, "EXPIRED", status(soon))
			require.Equal(t, "POSTED", status(accepted.task), "not started in time")
		})
		t.Run("a week's silence counts only while the platform was up", func(t *testing.T) {
			h.restart(30 * 24 * time.Hour)
			h.work()
			require.Equal(t, "MANUAL_REVIEW", status(review.task))
			require.Equal(t, "DISPUTED", status(disputed.task))
			h.clk.Advance(7 * 24 * time.Hour)
			h.work()
			require.Equal(t, "DISPUTED", status(review.task))
			require.Equal(t, "DISPUTED", status(disputed.task))
			h.clk.Advance(7 * 24 * time.Hour)
			h.work()
			require.Equal(t, "PAID", status(disputed.task))
		})
		h.state()
	})
}

// The review of a proof ended without a decision while the platform was up, and the hourly
// look for such had not come yet.
func TestWhoeverIsAskedAnewAfterAnAbsenceHasTheTimeThatIsLeft(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		task, week := h.task(h.live(), "MANUAL_REVIEW").task, 7*24*time.Hour
		ended := storetest.Texts(t, h.app.store, "SELECT id FROM reviews WHERE task_id = $1", task)[0]
		storetest.Exec(t, h.app.store, "UPDATE reviews SET status = 'cancelled', response_source = 'cancelled', ended_at = 1 WHERE id = $1", ended)
		storetest.Exec(t, h.app.store, "UPDATE subjects SET state = 'cancelled', finished = TRUE, needs = '', clock_at = 0, ended_at = 1 WHERE id = $1", ended)
		h.restart(10 * 24 * time.Hour)
		require.Equal(t, []string{strconv.Itoa(int(week.Seconds())) + " " + strconv.FormatInt(h.clk.Now().Add(week).UnixMicro(), 10)}, storetest.Texts(t, h.app.store,
			"SELECT CAST(timeout_seconds AS TEXT) || ' ' || CAST(timeout_at AS TEXT) FROM reviews WHERE task_id = $1 AND status = 'pending'", task))
	})
}

func TestARestartGoesOnWhereItStopped(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		o := h.task(h.live(), "SUBMITTED")
		before, creds := h.state(), *h.creds
		h.restart(time.Minute)
		require.Equal(t, creds, *h.creds, "the credentials are the same")
		require.Equal(t, before, h.state(), "and so is everything else")
		require.Equal(t, 200, h.send(h.owner(), "GET", "/platform/v1/status", nil).status)
		require.Equal(t, 200, h.send(o.operator, "GET", "/api/v1/operator/tasks/"+o.task, nil).status)

		h.work()
		seen := h.must(h.live(), "GET", "/api/v1/tasks/"+o.task, nil)
		require.Equal(t, "MANUAL_REVIEW", seen.text("status"), "the jobs of before were done")
		require.Equal(t, 200, h.send(h.live(), "GET", "/api/v1/tasks/"+o.task+"/proof/1", nil).status, "with the photo of before")
		h.state()
	})
}

func TestRunDoesTheWorkAndEndsWithItsContext(t *testing.T) {
	h := newHouse(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- h.app.Run(ctx) }()
	task := h.post(h.sandbox(), nil)
	require.Eventually(t, func() bool {
		h.clk.Advance(time.Second)
		return h.must(h.sandbox(), "GET", "/api/v1/tasks/"+task, nil).text("status") == "PAID"
	}, 20*time.Second, 10*time.Millisecond)
	cancel()
	require.Eventually(t, func() bool { return len(ended) == 1 }, 10*time.Second, 5*time.Millisecond)
	require.NoError(t, <-ended)
	h.state()
}

func TestALostCredentialsFileIsReplacedAndItsKeysEnd(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		o := h.task(h.live(), "MANUAL_REVIEW")
		browser := who{name: "browser", headers: map[string]string{"Cookie": "humanops_session=" + h.browser()}}
		second := h.must(h.live(), "POST", "/api/v1/agents/keys", `{"name":"second"}`).text("api_key")
		live, sandbox, owner := h.live(), h.sandbox(), h.owner()
		h.close()
		require.NoError(t, os.Remove(daemon.Paths(h.dir).Credentials))
		h.open()
		for _, old := range []who{live, sandbox} {
			require.Equal(t, 401, h.send(old, "GET", "/api/v1/agents/balance", nil).status, old.name)
		}
		require.Equal(t, 401, h.send(owner, "GET", "/platform/v1/status", nil).status)
		require.Equal(t, 200, h.send(h.live(), "GET", "/api/v1/tasks/"+o.task, nil).status, "the new key is the same agent's")
		require.Equal(t, 200, h.send(h.sandbox(), "GET", "/api/v1/agents/balance", nil).status)
		require.Equal(t, 200, h.send(h.owner(), "GET", "/api/v1/tasks/"+o.task, nil).status)
		require.Equal(t, 200, h.send(browser, "GET", h.proofPage(browser, o.task), nil).status, "people stay signed in")
		require.Equal(t, 200, h.send(byKey("second", second), "GET", "/api/v1/agents/balance", nil).status, "and keys that were not in the file stay")
		info, err := os.Stat(daemon.Paths(h.dir).Credentials)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

		kept := *h.creds
		h.restart(time.Minute)
		require.Equal(t, kept, *h.creds, "it is replaced once")
	})
}

func TestCredentialsThatOthersCanReadAreRefused(t *testing.T) {
	h := newHouse(t)
	h.close()
	require.NoError(t, os.Chmod(daemon.Paths(h.dir).Credentials, 0o644))
	require.ErrorContains(t, h.tryOpen(), "chmod 600")
	require.NoError(t, os.Chmod(daemon.Paths(h.dir).Credentials, 0o600))
	h.open()
}

func TestADatabaseOfANewerProgramIsRefused(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		storetest.Exec(t, h.app.store, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)")
		h.close()
		err := h.tryOpen()
		require.ErrorContains(t, err, "newer humanops-mcp")
		require.ErrorContains(t, err, "9999")
		require.ErrorContains(t, err, "Install the newer program")
		require.Nil(t, h.app, "nothing was opened")
	})
}
