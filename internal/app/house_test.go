package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/config"
	"humanops-mcp/internal/daemon"
	"humanops-mcp/internal/ledger"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/schemas"
)

// house is a whole platform on a folder of its own, behind a real listener, with a clock
// that only the test moves. Background work is done by h.work.
type house struct {
	t      *testing.T
	app    *App
	clk    *clock.Fake
	dir    string
	env    []string
	url    string
	server *httptest.Server
	creds  *daemon.Credentials
	made   int
}

// who is a kind of caller and what it sends to prove itself.
type who struct {
	name    string
	kind    schemas.Access // Anyone (0): nothing that the API takes as proof
	headers map[string]string
}

func byKey(name, key string) who {
	return who{name, schemas.Agent, map[string]string{"X-API-Key": key}}
}

func byToken(name string, kind schemas.Access, token string) who {
	return who{name, kind, map[string]string{"Authorization": "Bearer " + token}}
}

func newHouse(t *testing.T, env ...string) *house {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	require.NoError(t, os.Mkdir(dir, 0o700))
	storetest.Copy(t, filepath.Join(dir, "humanops.db"))
	h := &house{t: t, clk: clock.NewFake(storetest.Start), dir: dir, env: env}
	h.open()
	t.Cleanup(h.close)
	return h
}

// eachHouse runs a test on SQLite, and on PostgreSQL where there is a server to be had.
func eachHouse(t *testing.T, test func(t *testing.T, h *house), env ...string) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, newHouse(t, env...)) })
	t.Run("postgres", func(t *testing.T) {
		test(t, newHouse(t, append(env, "HUMANOPS_DATABASE_URL="+storetest.PostgresURL(t))...))
	})
}

// open starts the platform on its folder, as it is.
func (h *house) open() {
	h.t.Helper()
	require.NoError(h.t, h.tryOpen())
}

func (h *house) tryOpen() error {
	server := httptest.NewUnstartedServer(nil)
	address := server.Listener.Addr().String()
	env := append([]string{
		"HUMANOPS_DATA_DIR=" + h.dir, "HUMANOPS_PUBLIC_URL=http://" + address, "HUMANOPS_RATE_LIMIT_PER_MINUTE=0",
		"HUMANOPS_MARKETPLACE_LOCAL_DAILY_CAP_USD=0",
	}, h.env...)
	cfg, warnings, err := config.Load(config.Source{Env: env})
	require.NoError(h.t, err)
	require.Empty(h.t, warnings)
	built, err := New(h.t.Context(), cfg, Options{Clock: h.clk, Logger: slog.New(slog.DiscardHandler), Version: "1.2.3", Address: address})
	if err != nil {
		server.Close()
		return err
	}
	h.app, h.server = built, server
	storetest.Attach(h.t, built.store, store.Options{Path: filepath.Join(h.dir, "humanops.db"), DatabaseURL: cfg.DatabaseURL})
	server.Config.Handler = built.Handler()
	server.Start()
	h.url = server.URL
	h.creds, err = daemon.ReadCredentials(daemon.Paths(h.dir).Credentials)
	return err
}

func (h *house) close() {
	if h.app == nil {
		return
	}
	h.server.CloseClientConnections()
	h.server.Close()
	require.NoError(h.t, h.app.Close())
	h.app = nil
}

// work runs every job that is due by the house's clock.
func (h *house) work() {
	h.t.Helper()
	_, err := h.app.runner.RunDue(h.t.Context())
	require.NoError(h.t, err)
}

func (h *house) write(unit func(ctx context.Context, tx *store.Tx) error) {
	h.t.Helper()
	ctx := h.t.Context()
	require.NoError(h.t, h.app.store.Write(ctx, func(tx *store.Tx) error { return unit(ctx, tx) }))
}

func (h *house) live() who    { return byKey("the house's live key", h.creds.LiveKey) }
func (h *house) sandbox() who { return byKey("the same agent's test key", h.creds.TestKey) }
func (h *house) executor() who {
	return byToken("the executor", schemas.Executor, h.creds.ExecutorKey)
}

func (h *house) owner() who {
	return byToken("the owner by the command's token", schemas.Owner|schemas.Reviewer, h.creds.OwnerToken)
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

// text is a member of the answer by its dotted name.
func (a answer) text(name string) string {
	var at any = a.body
	for part := range strings.SplitSeq(name, ".") {
		object, _ := at.(map[string]any)
		at = object[part]
	}
	if at == nil {
		return ""
	}
	return fmt.Sprint(at)
}

// multipartBody is a multipart body: files by name, and fields.
type multipartBody struct {
	files  []file
	fields map[string]string
}

type file struct {
	name    string
	content []byte
}

// send makes a call over HTTP. A string or bytes body goes as it is, another one as JSON.
func (h *house) send(c who, method, path string, body any) answer {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.url+path, nil)
	require.NoError(h.t, err)
	h.fill(req, body)
	for name, value := range c.headers {
		req.Header.Set(name, value)
		if name == "Host" {
			req.Host = value
		}
	}
	res, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
	require.NoError(h.t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(h.t, err)
	out := answer{status: res.StatusCode, header: res.Header, raw: string(raw)}
	if json.Unmarshal(raw, &out.body) != nil {
		out.body = nil // no JSON object: a page or a file
	}
	return out
}

func (h *house) fill(req *http.Request, body any) {
	h.t.Helper()
	var raw []byte
	kind := "application/json"
	switch b := body.(type) {
	case nil:
		return
	case string:
		raw = []byte(b)
	case []byte:
		raw = b
	case multipartBody:
		raw, kind = b.encode(h.t)
	default:
		var err error
		raw, err = json.Marshal(b)
		require.NoError(h.t, err)
	}
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	req.Header.Set("Content-Type", kind)
}

func (u multipartBody) encode(t *testing.T) ([]byte, string) {
	t.Helper()
	var out bytes.Buffer
	form := multipart.NewWriter(&out)
	for name, value := range u.fields {
		require.NoError(t, form.WriteField(name, value))
	}
	for _, f := range u.files {
		part, err := form.CreateFormFile("files", f.name)
		require.NoError(t, err)
		_, err = part.Write(f.content)
		require.NoError(t, err)
	}
	require.NoError(t, form.Close())
	return out.Bytes(), form.FormDataContentType()
}

// must is send, and the call succeeds.
func (h *house) must(c who, method, path string, body any) answer {
	h.t.Helper()
	out := h.send(c, method, path, body)
	require.Less(h.t, out.status, 300, "%s %s by %s: %s", method, path, c.name, out.raw)
	return out
}

// person adds an operator with a token.
func (h *house) person(name string) (who, string) {
	h.t.Helper()
	return h.add(name, schemas.Operator|schemas.Reviewer, "operator")
}

// reviewer adds a person who only reviews.
func (h *house) reviewer(name string) (who, string) {
	h.t.Helper()
	return h.add(name, schemas.Reviewer, "reviewer")
}

func (h *house) add(name string, kind schemas.Access, role string) (who, string) {
	h.t.Helper()
	var token, id string
	h.write(func(ctx context.Context, tx *store.Tx) error {
		p, err := h.app.accounts.AddPerson(ctx, tx, schemas.AddPersonRequest{Name: name, Roles: []string{role}})
		if err != nil {
			return err
		}
		id = p.OperatorID
		token, err = h.app.accounts.CreateSession(ctx, tx, id, account.SessionToken)
		return err
	})
	return byToken(name, kind, token), id
}

// object is what a call is about.
type object struct {
	agent, operator who
	operatorID      string
	task, estimate  string
	key, person     string
	group, job      string
	mode            string
}

// newTask is the body of a task that nobody posted before.
func (h *house) newTask(edit func(map[string]any)) map[string]any {
	h.made++
	body := map[string]any{
		"title": fmt.Sprintf("Storefront %d", h.made), "description": "Show the facade.", "task_type": "PHOTO", "reward_usd": 1,
		"deadline": h.clk.Now().Add(48 * time.Hour), "proof_requirements": []string{"Facade photo"},
	}
	if edit != nil {
		edit(body)
	}
	return body
}

func (h *house) post(c who, edit func(map[string]any)) string {
	h.t.Helper()
	return h.must(c, "POST", "/api/v1/tasks", h.newTask(edit)).text("task_id")
}

var reached = []string{"POSTED", "ESTIMATE_PENDING", "ACCEPTED", "IN_PROGRESS", "SUBMITTED", "MANUAL_REVIEW", "DISPUTED", "PAID", "CANCELLED"}

// task brings a new live task of the agent's to a state, with an operator of its own.
func (h *house) task(agent who, state string) object {
	h.t.Helper()
	o := object{agent: agent, mode: account.Live}
	o.operator, o.operatorID = h.person(fmt.Sprintf("Operator %d", h.made+1))
	o.task = h.post(agent, func(b map[string]any) {
		b["assign_to"] = o.operatorID
		if agent.name != h.live().name {
			b["reward_usd"] = 0
		}
		if state == "ESTIMATE_PENDING" {
			b["estimate_approval"] = "manual"
		}
	})
	own, work := "/api/v1/tasks/"+o.task, "/api/v1/operator/tasks/"+o.task
	steps := []func(){
		func() { h.must(o.operator, "POST", work+"/accept", map[string]any{"estimate_minutes": 30}) },
		func() { h.must(o.operator, "POST", work+"/start", nil) },
		func() {
			h.must(o.operator, "POST", work+"/proof", multipartBody{files: []file{{"facade.jpg", photoBytes(h.t)}}})
		},
		h.work,
		func() {
			h.must(agent, "POST", own+"/decision", map[string]any{"submission": 1, "decision": "reject", "reasons": []string{"Blurred"}})
		},
		func() {
			h.must(h.owner(), "POST", own+"/decision", map[string]any{"submission": 1, "decision": "approve"})
		},
	}
	needed := map[string]int{"ESTIMATE_PENDING": 1, "ACCEPTED": 1, "IN_PROGRESS": 2, "SUBMITTED": 3, "MANUAL_REVIEW": 4, "DISPUTED": 5, "PAID": 6, "CANCELLED": 1}
	for _, step := range steps[:needed[state]] {
		step()
	}
	if state == "CANCELLED" {
		h.must(agent, "POST", own+"/cancel", nil)
	}
	seen := h.must(agent, "GET", own, nil)
	require.Equal(h.t, state, seen.text("status"))
	o.estimate = seen.text("estimate.estimate_id")
	return o
}

func photoBytes(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, jpeg.Encode(&out, image.NewRGBA(image.Rect(0, 0, 32, 24)), nil))
	return out.Bytes()
}

// tables are all that the database has.
func (h *house) tables() []string {
	if h.app.store.Kind() == "postgres" {
		return storetest.Texts(h.t, h.app.store, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
	}
	return storetest.Texts(h.t, h.app.store, "SELECT name FROM sqlite_master WHERE type = 'table'")
}

// state is how many rows each table has and where each task stands: equal before and
// after when nothing changed. The ledger must be exact whenever it is taken.
func (h *house) state() map[string]string {
	h.t.Helper()
	out := map[string]string{}
	counts := make([]string, 0, 50)
	for _, table := range h.tables() {
		counts = append(counts, "SELECT '"+table+" ' || CAST(COUNT(*) AS TEXT) FROM "+table)
	}
	for _, text := range []string{
		strings.Join(counts, " UNION ALL "),
		`SELECT t.id || ' ' || t.status || ' ' || s.version || ' ' || s.seen || ' ' || t.agent_messages || ' ' || t.operator_messages
			FROM tasks t JOIN subjects s ON s.id = t.id`,
		"SELECT id || ' ' || revoked_at FROM api_keys", "SELECT id || ' ' || removed_at FROM people",
		"SELECT r.id || ' ' || r.status || ' ' || s.version || ' ' || s.seen || ' ' || s.entries FROM reviews r JOIN subjects s ON s.id = r.id",
		"SELECT id || ' ' || slug || ' ' || version FROM loops", "SELECT id || ' ' || url || ' ' || updated_at FROM webhooks",
		"SELECT review_id || ' ' || consumed_at FROM receipts",
	} {
		for _, row := range storetest.Texts(h.t, h.app.store, text) {
			key, value, _ := strings.Cut(row, " ")
			out[key] = value
		}
	}
	ctx := h.t.Context()
	require.NoError(h.t, h.app.store.Read(ctx, func(tx *store.Tx) error { return ledger.Check(ctx, tx) }))
	require.NotEqual(h.t, "0", out["tasks"]+out["people"], "the queries find something")
	return out
}

// unchanged runs calls that must leave everything as it was.
func (h *house) unchanged(calls func()) {
	h.t.Helper()
	before := h.state()
	calls()
	require.Equal(h.t, before, h.state(), "nothing has changed")
}

func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
