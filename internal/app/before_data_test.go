package app

import (
	"compress/gzip"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/daemon"
	"humanops-mcp/internal/guardian/guardiantest"
	"humanops-mcp/internal/notify/notifytest"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/schemas"
)

// beforeDir has what a platform of before left behind when it was killed, once on each
// database; its README.md says what is in it.
const beforeDir = "testdata/before"

// facts are what that platform said of itself, and what it takes to call it again.
type facts struct {
	Clock     time.Time         `json:"clock"`      // when it was killed
	PublicURL string            `json:"public_url"` // links and passkeys are bound to it
	Receiver  string            `json:"receiver"`   // the port where its webhooks and chat notices went, on loopback
	ChatURL   string            `json:"chat_url"`
	Callers   map[string]string `json:"callers"` // keys and tokens, by name
	Secrets   map[string]string `json:"secrets"` // what was shown once, by name
	IDs       map[string]string `json:"ids"`     // of people, loops, keys and webhooks, by name
	Tasks     map[string]thing  `json:"tasks"`
	Reviews   map[string]thing  `json:"reviews"`
	Jobs      map[string]int    `json:"jobs"`      // rows of the queue, by kind and state
	Callbacks map[string]int    `json:"callbacks"` // deliveries to reviews' own callback_url, by state
	Sending   map[string]string `json:"sending"`   // ids of tasks' callbacks that were tried in vain, by path
	Events    map[string]int    `json:"events"`    // what had happened, by kind; unnumbered is what readers could not see yet
	Reads     map[string][]read `json:"reads"`     // answers of the API, by subject
}

// thing is a task or a review: whose key sees it, and how it stood.
type thing struct {
	ID     string `json:"id"`
	Caller string `json:"caller"`
	Status string `json:"status"`
	Trail  int    `json:"trail,omitempty"` // entries of a review's audit trail
	Head   string `json:"head,omitempty"`  // hash of the last of them
}

// read is an answer: a JSON body without what changes by itself, or the hash of a file.
type read struct {
	Caller string          `json:"caller"`
	Path   string          `json:"path"`
	Body   json.RawMessage `json:"body,omitempty"`
	SHA256 string          `json:"sha256,omitempty"`
}

// before is the platform of before under the program of now, with the test's own servers
// where its mail, chat, webhooks and photos go.
type before struct {
	*house
	facts facts
	port  string
	mails *notifytest.MailServer
	model *guardiantest.Model

	mu    sync.Mutex
	calls []call
}

// call is what a webhook, a callback or the chat was sent.
type call struct {
	path   string
	header http.Header
	body   string
}

// eachBefore runs a test on a copy of each database, opened some time after the kill.
func eachBefore(t *testing.T, after time.Duration, test func(t *testing.T, b *before)) {
	t.Helper()
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) { test(t, openBefore(t, kind, after)) })
	}
}

func openBefore(t *testing.T, kind string, after time.Duration) *before {
	t.Helper()
	b, pool := unpackBefore(t, kind, after)
	b.redirect(pool)
	require.NoError(t, pool.Close())
	b.open()
	t.Cleanup(b.close)
	return b
}

// unpackBefore copies what was left behind, and opens its database past the program.
func unpackBefore(t *testing.T, kind string, after time.Duration) (*before, *sql.DB) {
	t.Helper()
	b := &before{mails: notifytest.Serve(t, 0), model: guardiantest.Serve(t, looked)}
	raw, err := os.ReadFile(filepath.Join(beforeDir, kind, "facts.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &b.facts))
	receiver := httptest.NewServer(http.HandlerFunc(b.receive))
	t.Cleanup(receiver.Close)
	b.port = receiver.URL[strings.LastIndex(receiver.URL, ":"):]
	dir := filepath.Join(t.TempDir(), "data")
	b.house = &house{t: t, clk: clock.NewFake(b.facts.Clock.Add(after)), dir: dir, env: []string{
		"HUMANOPS_PUBLIC_URL=" + b.facts.PublicURL, "HUMANOPS_ALLOW_PRIVATE_WEBHOOKS=true", "HUMANOPS_NOTIFY_URLS=" + b.here(b.facts.ChatURL),
		"HUMANOPS_SMTP_HOST=127.0.0.1", fmt.Sprintf("HUMANOPS_SMTP_PORT=%d", b.mails.Port), "HUMANOPS_SMTP_TLS=none", "HUMANOPS_SMTP_FROM=humans@house.example",
		"HUMANOPS_GUARDIAN_URL=" + b.model.URL + "/v1", "HUMANOPS_GUARDIAN_MODEL=fake",
	}}
	require.NoError(t, os.CopyFS(filepath.Join(dir, "blobs"), os.DirFS(filepath.Join(beforeDir, "blobs"))))
	credentials, err := os.ReadFile(filepath.Join(beforeDir, kind, "credentials"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(daemon.Paths(dir).Credentials, credentials, 0o600))
	return b, b.load(kind)
}

// looked is what the vision model says: of the wrong door that it is the wrong one, else
// that all is well.
func looked(request string) string {
	if strings.Contains(request, "Wrong door") {
		return guardiantest.Scores(20)(request)
	}
	return guardiantest.Scores(97)(request)
}

// load puts the database in its place as it was left.
func (b *before) load(kind string) *sql.DB {
	b.t.Helper()
	driver, source := "sqlite", filepath.Join(b.dir, "humanops.db")
	if kind == "sqlite" {
		require.NoError(b.t, os.WriteFile(source, unzipped(b.t, filepath.Join(beforeDir, kind, "humanops.db.gz")), 0o600))
	} else {
		driver, source = "pgx", storetest.PostgresURL(b.t)
		b.env = append(b.env, "HUMANOPS_DATABASE_URL="+source)
	}
	pool, err := sql.Open(driver, source)
	require.NoError(b.t, err)
	if kind == "postgres" {
		b.exec(pool, string(unzipped(b.t, filepath.Join(beforeDir, kind, "dump.sql.gz"))))
	}
	return pool
}

func unzipped(t *testing.T, path string) []byte {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	packed, err := gzip.NewReader(file)
	require.NoError(t, err)
	raw, err := io.ReadAll(packed)
	require.NoError(t, err)
	return raw
}

func (b *before) exec(pool *sql.DB, text string) {
	b.t.Helper()
	_, err := pool.ExecContext(b.t.Context(), text)
	require.NoError(b.t, err)
}

// redirect makes what is still to be sent go to the test's own servers. The schema is that
// of before, whatever it becomes.
func (b *before) redirect(pool *sql.DB) {
	b.t.Helper()
	for _, at := range [][2]string{{"tasks", "callback_url"}, {"reviews", "callback_url"}, {"webhooks", "url"}, {"jobs", "args"},
		{"webhook_deliveries", "body"}, {"webhook_deliveries", "last_error"}} {
		b.exec(pool, fmt.Sprintf("UPDATE %[1]s SET %[2]s = replace(replace(%[2]s, '127.0.0.1%[3]s', '127.0.0.1%[4]s'), 'localhost%[3]s', 'localhost%[4]s')",
			at[0], at[1], b.facts.Receiver, b.port))
	}
	b.exec(pool, fmt.Sprintf("UPDATE jobs SET args = replace(args, '%s', '%s')", channel(b.facts.ChatURL), channel(b.here(b.facts.ChatURL))))
}

// channel is how a job names a chat address.
func channel(address string) string {
	return hashed([]byte(address))[:16]
}

// here is a text of before with the addresses of now, there the other way round.
func (b *before) here(text string) string  { return moved(text, b.facts.Receiver, b.port) }
func (b *before) there(text string) string { return moved(text, b.port, b.facts.Receiver) }

func moved(text, from, to string) string {
	return strings.NewReplacer("127.0.0.1"+from, "127.0.0.1"+to, "localhost"+from, "localhost"+to).Replace(text)
}

func (b *before) receive(_ http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body) // what was cut off fails its signature
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, call{r.URL.RequestURI(), r.Header, string(raw)})
}

// received are the calls whose path ends so.
func (b *before) received(suffix string) (list []call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.calls {
		if strings.HasSuffix(c.path, suffix) {
			list = append(list, c)
		}
	}
	return list
}

// as is somebody of before with the key or token that they had.
func (b *before) as(name string) who {
	b.t.Helper()
	require.NotEmpty(b.t, b.facts.Callers[name], name)
	return byToken(name, schemas.Anyone, b.facts.Callers[name])
}

// browserOf is a browser in which somebody of before is signed in.
func (b *before) browserOf(name string) who {
	b.t.Helper()
	return who{name: name + " in a browser", headers: map[string]string{
		"Cookie": "humanops_session=" + b.facts.Callers[name], "Content-Type": "application/x-www-form-urlencoded",
		"Origin": b.facts.PublicURL, "Sec-Fetch-Site": "same-origin",
	}}
}

// sees is a review as its agent sees it.
func (b *before) sees(name string) answer {
	b.t.Helper()
	r := b.thing(b.facts.Reviews, name)
	return b.must(b.as(r.Caller), "GET", "/v1/requests/"+r.ID, nil)
}

func (b *before) thing(all map[string]thing, name string) thing {
	b.t.Helper()
	require.Contains(b.t, all, name)
	return all[name]
}

// passing are the members of answers that change by themselves: moments of last use, and what
// is reckoned from now.
var passing = []string{"last_used_at", "last_active", "last_seen_at", "statistics", "reset_at"}

// lasting is an answer without what changes by itself, signed links too, which are made
// anew each time. Of a delivery's body it keeps the hash.
func lasting(t *testing.T, v any) any {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		if v["version"] != nil && v["new"] == nil {
			v["new"] = false // it is left out then
		}
		for name, value := range v {
			text, _ := value.(string)
			switch {
			case slices.Contains(passing, name) || strings.Contains(text, "&signature="):
				delete(v, name)
			case name == "body":
				raw, err := json.Marshal(value)
				require.NoError(t, err)
				v[name] = hashed(raw)
			default:
				v[name] = lasting(t, value)
			}
		}
	case []any:
		for i := range v {
			v[i] = lasting(t, v[i])
		}
	}
	return v
}

func hashed(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// exact reads JSON with its numbers as they are written.
func exact(t *testing.T, raw string) (v any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(raw))
	d.UseNumber()
	require.NoError(t, d.Decode(&v))
	return v
}

// again makes a call of before once more, with the addresses of before in its answer.
func (b *before) again(t *testing.T, r read) any {
	t.Helper()
	out := b.send(b.as(r.Caller), "GET", r.Path, nil)
	require.Equal(t, http.StatusOK, out.status, "%s by %s: %s", r.Path, r.Caller, out.raw)
	if r.SHA256 != "" {
		return hashed([]byte(out.raw))
	}
	return lasting(t, exact(t, b.there(out.raw)))
}
