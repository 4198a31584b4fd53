package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/client"
	"humanops-mcp/internal/app"
	"humanops-mcp/internal/config"
	"humanops-mcp/internal/daemon"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/internal/store/storetest/fill"
	"humanops-mcp/schemas"
	"humanops-mcp/tools"
)

// Two houses do the same today; one of them has done a thousand times as much before. What
// costs more in it than in the other reads what is over.
const (
	fewTasks      = 1_000                  // and as many reviews
	manyTasksEnv  = "HUMANOPS_BENCH_TASKS" // of the larger house; a million where it is not set
	onPostgresEnv = "HUMANOPS_BENCH_POSTGRES"
	tasksOfReview = 10
	openTasks     = 300
	atLeast       = 20              // times that each thing is done in each house
	atMost        = 400             //
	enough        = 4 * time.Second // in one house, after which it is done no more
)

// scaled is one of the two houses, and who asks things of it.
type scaled struct {
	store  *store.Store
	agent  *client.Client
	owner  *client.Client
	person *client.Client // the owner by a session, who is an operator, too
	pages  http.Handler
	mcp    func(tool string, args any) error
	cookie string
	loop   string
	task   string // that is over
	review string
	posted []string // tasks that can be accepted
}

func BenchmarkScale(b *testing.B) {
	many := 1_000_000
	if text := os.Getenv(manyTasksEnv); text != "" {
		n, err := strconv.Atoi(text)
		require.NoError(b, err)
		many = n
	}
	few := fillHouse(b, fewTasks, fewTasks)
	lots := fillHouse(b, many, max(many/tasksOfReview, fewTasks))
	for _, work := range scaledWork {
		b.Run(work.name, func(b *testing.B) {
			b.ReportMetric(0, "ns/op")
			compareScale(b, few, lots, work)
		})
	}
	b.Run("backup", func(b *testing.B) { postMeanwhile(b, lots) })
}

// postMeanwhile posts tasks alone, and while one backup after the other is taken.
func postMeanwhile(b *testing.B, s *scaled) {
	if os.Getenv(onPostgresEnv) != "" {
		b.Skip("PostgreSQL is backed up by its own tools")
	}
	posts := func() (took []time.Duration) {
		for range atMost {
			took = append(took, timed(func() { require.NoError(b, post(b.Context(), s)) }))
			require.NoError(b, cancel(b.Context(), s))
		}
		slices.Sort(took)
		return took
	}
	alone := posts()
	ctx, stop := context.WithCancel(b.Context())
	var taken int64
	began, done := time.Now(), make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if content, err := s.owner.GetBackup(ctx); err == nil {
				n, _ := io.Copy(io.Discard, content.Body) // the last one is cut off
				taken += n
				_ = content.Body.Close()
			}
		}
	}()
	meanwhile := posts()
	stop()
	<-done
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(alone[len(alone)/2].Microseconds()), "us-post-p50")
	b.ReportMetric(float64(alone[len(alone)*99/100].Microseconds()), "us-post-p99")
	b.ReportMetric(float64(meanwhile[len(meanwhile)/2])/float64(alone[len(alone)/2]), "x-p50-meanwhile")
	b.ReportMetric(float64(meanwhile[len(meanwhile)*99/100])/float64(alone[len(alone)*99/100]), "x-p99-meanwhile")
	b.ReportMetric(float64(taken)/1e6/time.Since(began).Seconds(), "MB/s")
}

// compareScale does the same in both houses by turns, so that both meet the same noise.
func compareScale(b *testing.B, few, lots *scaled, work scaledThing) {
	b.Helper()
	var took [2][]time.Duration
	var sums [2]time.Duration
	for i := -2; i < atMost && (i < atLeast || sums[0] < enough && sums[1] < enough); i++ {
		for n, house := range []*scaled{few, lots} {
			if n == 1 && i >= 3 && sums[1] > 10*enough {
				continue // it is slow enough to be known
			}
			if work.before != nil {
				require.NoError(b, work.before(b.Context(), house))
			}
			d := timed(func() { require.NoError(b, work.do(b.Context(), house)) })
			if i >= 0 { // the first times fill caches
				took[n], sums[n] = append(took[n], d), sums[n]+d
			}
			if work.after != nil {
				require.NoError(b, work.after(b.Context(), house))
			}
		}
	}
	for n := range took {
		slices.Sort(took[n])
	}
	p50 := func(d []time.Duration) float64 { return float64(d[len(d)/2]) / 1000 }
	p99 := func(d []time.Duration) float64 { return float64(d[len(d)*99/100]) / 1000 }
	b.ReportMetric(p50(took[0]), "us-p50-few")
	b.ReportMetric(p50(took[1]), "us-p50-many")
	b.ReportMetric(p99(took[0]), "us-p99-few")
	b.ReportMetric(p99(took[1]), "us-p99-many")
	b.ReportMetric(p50(took[1])/p50(took[0]), "x-p50")
	b.ReportMetric(p99(took[1])/p99(took[0]), "x-p99")
}

// fillHouse sets a platform up, gives it its history, and starts it again. Its background
// work stays off: what is measured is done by nobody else.
func fillHouse(b *testing.B, tasks, reviews int) *scaled {
	b.Helper()
	dir := b.TempDir()
	require.NoError(b, os.Chmod(dir, 0o700))
	database := ""
	if os.Getenv(onPostgresEnv) != "" {
		database = storetest.PostgresURL(b)
	}
	start := func() *app.App {
		cfg, _, err := config.Load(config.Source{Env: []string{"HUMANOPS_DATA_DIR=" + dir, "HUMANOPS_LISTEN=127.0.0.1:8787", "HUMANOPS_DATABASE_URL=" + database}})
		require.NoError(b, err)
		cfg.Marketplace.LocalCredit, cfg.Marketplace.LocalDailyCap, cfg.RateLimit, cfg.Reviews.RateLimitPerHour = bigCredit, 0, 0, 0
		a, err := app.New(context.Background(), cfg, app.Options{Logger: slog.New(slog.DiscardHandler), Version: "bench", Address: "127.0.0.1:8787"})
		require.NoError(b, err)
		return a
	}
	require.NoError(b, start().Close())
	s := &scaled{store: openStore(b, filepath.Join(dir, "humanops.db"), database)}
	began := time.Now()
	fill.House(b, s.store, fill.Size{Tasks: tasks, Reviews: reviews, Open: openTasks, Now: time.Now()})
	b.Logf("filled a house with %d tasks and %d reviews in %s", tasks, reviews, time.Since(began).Round(time.Second))
	a := start()
	b.Cleanup(func() { _ = a.Close() })
	s.meet(b, a, dir)
	return s
}

func openStore(b *testing.B, path, database string) *store.Store {
	b.Helper()
	o := store.Options{Path: path, DatabaseURL: database}
	s, err := store.Open(b.Context(), o)
	require.NoError(b, err)
	b.Cleanup(func() { _ = s.Close() })
	storetest.Attach(b, s, o)
	return s
}

// meet finds out who is there, and signs the owner in.
func (s *scaled) meet(b *testing.B, a *app.App, dir string) {
	b.Helper()
	ctx := b.Context()
	creds, err := daemon.ReadCredentials(daemon.Paths(dir).Credentials)
	require.NoError(b, err)
	in := func(o client.Options) *client.Client {
		o.BaseURL, o.HTTPClient = "http://localhost", &http.Client{Transport: client.InProcess(a.LocalHandler())}
		c, err := client.New(o)
		require.NoError(b, err)
		return c
	}
	s.agent, s.owner, s.pages = in(client.Options{APIKey: creds.LiveKey}), in(client.Options{Token: creds.OwnerToken}), a.Handler()
	me, err := s.owner.AddPerson(ctx, schemas.AddPersonRequest{Name: "me", Me: true})
	require.NoError(b, err)
	link, err := url.Parse(me.URL)
	require.NoError(b, err)
	signedIn := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, "http://127.0.0.1:8787"+link.Path, nil)
	s.pages.ServeHTTP(signedIn, request)
	for _, c := range signedIn.Result().Cookies() {
		if c.Name == "humanops_session" {
			s.cookie, s.person = c.Name+"="+c.Value, in(client.Options{Token: c.Value})
		}
	}
	require.NotEmpty(b, s.cookie, signedIn.Body.String())
	one := func(text string) string { return storetest.Texts(b, s.store, text)[0] }
	s.loop = one("SELECT loop_id FROM reviews GROUP BY loop_id ORDER BY COUNT(*) DESC LIMIT 1")
	s.task = one("SELECT id FROM tasks WHERE status = 'PAID' AND agent_id = (SELECT id FROM agents WHERE tier = 'HOUSE' ORDER BY created_at LIMIT 1) AND operator_id = (SELECT id FROM people WHERE is_owner = TRUE ORDER BY created_at LIMIT 1) ORDER BY created_at LIMIT 1")
	s.review = one("SELECT id FROM reviews WHERE status = 'completed' ORDER BY created_at LIMIT 1")
	server, err := tools.New(tools.Options{Version: "bench", Client: func(context.Context) (*client.Client, error) { return s.agent, nil }})
	require.NoError(b, err)
	s.mcp = func(tool string, args any) error {
		message, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": map[string]any{"name": tool, "arguments": args}})
		if err != nil {
			return err
		}
		answer, err := json.Marshal(server.HandleMessage(ctx, message))
		if err == nil && (strings.Contains(string(answer), `"isError":true`) || strings.Contains(string(answer), `"error":`)) {
			err = fmt.Errorf("%s: %s", tool, answer)
		}
		return err
	}
}

// page opens a page as the owner.
func (s *scaled) page(ctx context.Context, path string) error {
	answer := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:8787"+path, nil)
	request.Header.Set("Cookie", s.cookie)
	s.pages.ServeHTTP(answer, request)
	if answer.Code != http.StatusOK {
		return fmt.Errorf("%s answers %d: %s", path, answer.Code, cmp.Or(answer.Body.String(), answer.Header().Get("Location")))
	}
	return nil
}
