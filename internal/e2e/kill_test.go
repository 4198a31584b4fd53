package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	rest "humanops-mcp/client"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/schemas"
)

// patience covers the lease of a job whose platform was killed: on PostgreSQL another
// replica might still be at it, so it is run again only when a minute has passed.
const patience = 3 * time.Minute

// kills is how many times the platform is killed inside a write.
func kills(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("HUMANOPS_KILLS"))
	if err != nil {
		return 5
	}
	return n
}

// A platform that is killed at any point loses no task that it confirmed, makes none
// twice, keeps the ledger exact and does every job.
func TestKill_nothing_confirmed_is_lost_or_doubled(t *testing.T) {
	onBoth(t, killInsideWrites)
}

// onBoth runs a test on both databases at once: it mostly waits, for the lease of a job to
// end or for a platform to come up.
func onBoth(t *testing.T, test func(t *testing.T, settings ...string)) {
	t.Helper()
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) { t.Parallel(); test(t) })
	t.Run("PostgreSQL", func(t *testing.T) { t.Parallel(); test(t, "HUMANOPS_DATABASE_URL="+storetest.PostgresURL(t)) })
}

func killInsideWrites(t *testing.T, settings ...string) {
	p := serve(t, append(settings, "HUMANOPS_MARKETPLACE_SIMULATED_STEP=5ms")...)
	p.run("people", "add", "Ada")
	confirmed, unsure := map[string]string{}, map[string]bool{}
	inside := 0
	for round := 0; inside < kills(t); round++ {
		require.Less(t, round, 10*kills(t)+20, "the kills hardly ever hit a write: %d of %d", inside, round)
		done, open := postUntilKilled(t, p, round)
		for key, id := range done {
			confirmed[key] = id
		}
		for key := range open {
			unsure[key] = true
		}
		if len(open) > 0 {
			inside++
		}
		p.start()
	}
	t.Logf("%d kills with a post in flight; %d tasks confirmed, %d unsure", inside, len(confirmed), len(unsure))
	requireExact(t, p, confirmed, unsure)
}

// postUntilKilled posts tasks from several callers and kills the platform while they
// do. Each task's key is its title and its idempotency key.
func postUntilKilled(t *testing.T, p *platform, round int) (done map[string]string, open map[string]bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done, open = map[string]string{}, map[string]bool{}
	var mu sync.Mutex
	var posts atomic.Int64
	var callers sync.WaitGroup
	api := p.api(rest.Options{APIKey: p.cred.LiveKey})
	go simulateUntilKilled(ctx, p.api(rest.Options{APIKey: p.cred.TestKey}))
	for caller := range 8 {
		callers.Add(1)
		go func() {
			defer callers.Done()
			for i := 0; ctx.Err() == nil; i++ {
				key := fmt.Sprintf("k-%d-%d-%d", round, caller, i)
				mu.Lock()
				open[key] = true
				mu.Unlock()
				out, err := api.PostTask(rest.WithIdempotencyKey(ctx, key), freeTask(key))
				if err != nil {
					return
				}
				posts.Add(1)
				mu.Lock()
				delete(open, key)
				done[key] = out.TaskID
				mu.Unlock()
			}
		}()
	}
	enough := int64(3 + round*7%40)
	require.Eventually(t, func() bool { return posts.Load() >= enough }, 20*time.Second, 200*time.Microsecond)
	p.kill()
	cancel()
	callers.Wait()
	return done, open
}

// simulateUntilKilled keeps whole lives going in test mode: accepted, proven, paid by
// jobs, any of which the kill may hit. Two a round, because each makes real photos.
func simulateUntilKilled(ctx context.Context, api *rest.Client) {
	for i := range 2 {
		task := freeTask(fmt.Sprintf("simulated %d %d", time.Now().UnixNano(), i))
		task.AssignTo, task.RewardUSD = "", 3*schemas.USD
		if _, err := api.PostTask(ctx, task); err != nil {
			return
		}
	}
}

func freeTask(title string) schemas.PostTaskRequest {
	return schemas.PostTaskRequest{
		Title: title, Description: "Say hello.", TaskType: "VERIFICATION", AssignTo: "Ada",
		Deadline: time.Now().Add(24 * time.Hour), ProofRequirements: []string{"a note"},
	}
}

// requireExact posts every unsure task again under its key and then compares what is
// there with what was confirmed.
func requireExact(t *testing.T, p *platform, confirmed map[string]string, unsure map[string]bool) {
	t.Helper()
	ctx := context.Background()
	api := p.api(rest.Options{APIKey: p.cred.LiveKey})
	for key := range unsure {
		task := freeTask(key)
		out, err := api.PostTask(rest.WithIdempotencyKey(ctx, key+"-again"), task)
		require.NoError(t, err)
		confirmed[key] = out.TaskID
	}
	titles := map[string]string{}
	cursor := ""
	for {
		page, err := api.ListTasks(ctx, schemas.ListTasksRequest{PageRequest: schemas.PageRequest{Limit: 100, Cursor: cursor}})
		require.NoError(t, err)
		for _, task := range page.Data {
			require.Empty(t, titles[task.Title], "%s is there twice", task.Title)
			titles[task.Title] = task.TaskID
		}
		if cursor = page.Pagination.NextCursor; cursor == "" {
			break
		}
	}
	require.Equal(t, confirmed, titles)
	requireAllPaid(t, p)
	report, err := p.api(rest.Options{Token: p.cred.OwnerToken}).GetCheck(ctx, schemas.CheckRequest{})
	require.NoError(t, err)
	require.True(t, report.Exact, report.Problem)
	require.Eventually(t, func() bool {
		var status schemas.PlatformStatus
		return json.Unmarshal([]byte(p.run("status", "--json")), &status) == nil && status.JobsFailed == 0 && status.JobsDue == 0
	}, patience, 50*time.Millisecond, "jobs stay undone")
}

// requireAllPaid waits until every simulated life has come to its end.
func requireAllPaid(t *testing.T, p *platform) {
	t.Helper()
	api := p.api(rest.Options{APIKey: p.cred.TestKey})
	count := func(status string) int {
		page, err := api.ListTasks(context.Background(), schemas.ListTasksRequest{Status: status})
		require.NoError(t, err)
		return page.Pagination.Total
	}
	require.Positive(t, count(""))
	require.Eventually(t, func() bool { return count("PAID") == count("") }, patience, 100*time.Millisecond, "simulated tasks stand still")
}

// The stdio process may be killed at any time, too: the next one brings the platform
// back if need be, and the task is there.
func TestKill_stdio_and_platform_come_back(t *testing.T) {
	t.Parallel()
	p := newFolder(t, "HUMANOPS_MARKETPLACE_LOCAL_DAILY_CAP_USD=1000")
	for round := range kills(t) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		agent := p.stdio(ctx)
		title := fmt.Sprintf("round %d", round)
		call[schemas.PostTaskResponse](t, ctx, agent, "post_task", map[string]any{
			"title": title, "description": "Say hello.", "task_type": "VERIFICATION", "reward_usd": 1, "proof_requirements": []string{"a note"},
		})
		require.True(t, p.readStatus())
		p.kill()
		listed, _ := call[struct{ Items []taskStatus }](t, ctx, agent, "list_tasks", map[string]any{"limit": 100})
		require.Len(t, listed.Items, min(round+1, 100))
		require.True(t, p.readStatus())
		cancel()
	}
}

func TestKill_of_the_stdio_process_leaves_the_platform(t *testing.T) {
	t.Parallel()
	p := newFolder(t)
	pid := 0
	for range kills(t) {
		killStdio(t, p)
		require.True(t, p.readStatus(), "the platform outlives the chat")
		if pid == 0 {
			pid = p.pid
		}
		require.Equal(t, pid, p.pid, "it is the same one all the time")
	}
}

// killStdio kills a stdio process that has had an answer from the platform.
func killStdio(t *testing.T, p *platform) {
	t.Helper()
	cmd := p.command("stdio")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	send := func(line string) string {
		_, err := fmt.Fprintln(in, line)
		require.NoError(t, err)
		require.True(t, lines.Scan())
		return lines.Text()
	}
	send(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`)
	answer := send(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"get_balance","arguments":{}}}`)
	require.True(t, strings.Contains(answer, "deposit_balance"), answer)
	require.NoError(t, syscall.Kill(cmd.Process.Pid, syscall.SIGKILL))
	_ = cmd.Wait()
}
