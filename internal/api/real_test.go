package api

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"mime/multipart"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/api/hitl"
	"humanops-mcp/internal/blob"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/event"
	"humanops-mcp/internal/guardian"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/loop"
	"humanops-mcp/internal/overview"
	"humanops-mcp/internal/passkey"
	"humanops-mcp/internal/photo"
	"humanops-mcp/internal/receipt"
	"humanops-mcp/internal/review"
	"humanops-mcp/internal/seal"
	"humanops-mcp/internal/signedlink"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/internal/task"
	"humanops-mcp/internal/upload"
	"humanops-mcp/internal/webhook"
	"humanops-mcp/schemas"
)

// realRig serves the real endpoints over the real services.
func realRig(t *testing.T) *rig {
	t.Helper()
	clk, log := clock.NewFake(start), slog.New(slog.DiscardHandler)
	s := storetest.OpenAt(t, clk)
	blobs, err := blob.Open(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, blobs.Close()) })
	key := bytes.Repeat([]byte{7}, 32)
	accounts := account.NewService(account.Config{PublicURL: "http://127.0.0.1", LocalCredit: 1000 * schemas.USD})
	receipts := receipt.NewService(receipt.Config{Issuer: "http://127.0.0.1"}, seal.New(key))
	changes := change.New(change.Deps{Store: s, Feed: event.NewFeed(s, clk, log), Clock: clk, Logger: log})
	hooks := webhook.New(webhook.Config{Store: s, Sealer: seal.New(key), Clock: clk}, log)
	passkeys := passkey.NewService(passkey.Config{PublicURL: "http://127.0.0.1"})
	loops := loop.NewService(loop.Deps{Accounts: accounts, Passkeys: passkeys}, loop.Config{PublicURL: "http://127.0.0.1"})
	reviews := review.NewService(review.Deps{
		Store: s, Accounts: accounts, Changes: changes, Webhooks: hooks, Loops: loops, Clock: clk, Logger: log, Sealer: seal.New(key),
		Passkeys: passkeys, Receipts: receipts,
	}, review.Config{PublicURL: "http://127.0.0.1"})
	tasks := task.NewService(task.Deps{
		Store: s, Accounts: accounts, Blobs: blobs, Guardian: guardian.New(guardian.Config{Clock: clk}), Changes: changes, Webhooks: hooks,
		Clock: clk, Logger: log, Links: signedlink.New(key, "http://127.0.0.1", clk), Reviews: reviews,
	}, task.Config{})
	none := func(context.Context, schemas.Empty) (schemas.Content, error) {
		return schemas.Content{Name: "b.tar", MIME: "application/x-tar", Body: closing{strings.NewReader("tar"), new(atomic.Int64)}, Size: 3}, nil
	}
	rg := &rig{t: t, clk: clk, log: &bytes.Buffer{}}
	rg.api = newAPI(Deps{Store: s, Accounts: accounts, Tasks: tasks, Reviews: reviews, Loops: loops, Uploads: upload.NewService(upload.Deps{Store: s, Blobs: blobs, Shown: reviews.ShowsUpload}, "http://127.0.0.1"), Receipts: receipts, Webhooks: hooks, Overview: overview.NewService(tasks, reviews), Changes: changes, Clock: clk, Logger: log, Config: Config{TempDir: t.TempDir(), Dialects: House(hitl.Settings{})}, Platform: Platform{
		Status: func(context.Context, schemas.Empty) (schemas.PlatformStatus, error) {
			return schemas.PlatformStatus{}, nil
		},
		Check: func(context.Context, schemas.CheckRequest) (schemas.CheckReport, error) {
			return schemas.CheckReport{Exact: true}, nil
		},
		CheckProgress: func(context.Context, schemas.Empty) (schemas.CheckProgress, error) {
			return schemas.CheckProgress{}, nil
		},
		Backup: none, Jobs: job.List, RetryJob: job.Retry,
	}})
	rg.routes()
	rg.seed()
	require.NoError(t, s.Write(t.Context(), func(tx *store.Tx) error { return loops.EnsureLoops(t.Context(), tx) }))
	server := httptest.NewServer(Front(rg.Config, log, rg.handler()))
	t.Cleanup(server.Close)
	rg.url = server.URL
	return rg
}

// person adds an operator and gives their token.
func (rg *rig) person(name string) string {
	rg.t.Helper()
	ctx := context.Background()
	var token string
	require.NoError(rg.t, rg.Store.Write(ctx, func(tx *store.Tx) error {
		p, err := rg.Accounts.AddPerson(ctx, tx, schemas.AddPersonRequest{Name: name})
		if err != nil {
			return err
		}
		token, err = rg.Accounts.CreateSession(ctx, tx, p.OperatorID, account.SessionToken)
		return err
	}))
	return token
}

func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }

const storefront = `{"title":"Photo of storefront","description":"Take 2 clear photos.","task_type":"PHOTO",
 "location":{"lat":30.2672,"lng":-97.7431,"address":"123 Main St"},"reward_usd":15,"deadline":"2026-11-23T18:00:00Z",
 "proof_requirements":["Full facade photo"]}`

func (rg *rig) post(member string) string {
	rg.t.Helper()
	res := rg.agent("POST", "/api/v1/tasks", strings.Replace(storefront, "{", "{"+member, 1))
	require.Equal(rg.t, 201, res.StatusCode, res.raw)
	return res.body["task_id"].(string)
}

func TestTaskOverHTTP(t *testing.T) {
	rg := realRig(t)
	id := rg.post("")
	operator := "/api/v1/operator/tasks/" + id
	require.Equal(t, 200, rg.do("POST", operator+"/accept", "", bearer(rg.op)...).StatusCode)
	require.Equal(t, 200, rg.do("POST", operator+"/start", `{}`, bearer(rg.op)...).StatusCode)

	jpeg, err := photo.Simulated(1, []string{"Facade"})
	require.NoError(t, err)
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	require.NoError(t, w.WriteField("note", "The shop is open."))
	part, err := w.CreateFormFile("files", "facade.jpg")
	require.NoError(t, err)
	_, err = part.Write(jpeg)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	proof := append(bearer(rg.op), "Content-Type", w.FormDataContentType())
	res := rg.do("POST", operator+"/proof", form.String(), proof...)
	require.Equal(t, 200, res.StatusCode, res.raw)
	require.Equal(t, "SUBMITTED", res.body["status"])

	second := rg.do("POST", operator+"/proof", form.String(), proof...)
	require.Equal(t, 409, second.StatusCode, second.raw)
	require.Equal(t, "SUBMITTED", second.body["state"])
	late := rg.agent("POST", "/api/v1/tasks/"+id+"/cancel", "")
	require.Equal(t, 409, late.StatusCode)
	require.Equal(t, "SUBMITTED", late.body["state"])

	wait := rg.agent("GET", "/api/v1/wait?ids="+id+":1&timeout=5", "")
	require.Equal(t, true, wait.body["changed"], wait.raw)
}

func TestBadTasksGetSentences(t *testing.T) {
	rg := realRig(t)
	for name, c := range map[string]struct {
		old, new string
		status   int
		text     string
	}{
		"a past deadline":  {"2026-11-23", "2020-11-23", 410, "deadline must be in the future; got 2020-11-23T18:00:00Z"},
		"lat 91":           {"30.2672", "91", 400, "location.lat must be between -90 and 90; got 91. Example: 30.2672"},
		"no requirements":  {`["Full facade photo"]`, `[]`, 400, "proof_requirements must have between 1 and 20 items; got 0"},
		"too much reward":  {":15,", ":10001,", 400, "reward_usd must be between 0 and 10000; got 10001. Example: 15"},
		"beyond the funds": {":15,", ":9999,", 402, "Insufficient balance"},
	} {
		t.Run(name, func(t *testing.T) {
			res := rg.agent("POST", "/api/v1/tasks", strings.Replace(storefront, c.old, c.new, 1))
			require.Equal(t, c.status, res.StatusCode, res.raw)
			require.Contains(t, res.raw, c.text)
		})
	}
}

func fill(info schemas.Info, id string) string {
	return info.Contract.Prefix() + strings.NewReplacer("{task_id}", id, "{n}", "1", "{key_id}", "key_x", "{person_id}", "Nobody",
		"{loop_id}", "nothing", "{request_id}", "nothing", "{user_id}", "Nobody", "{webhook_id}", "nothing", "{delivery_id}", "nothing",
		"{upload_id}", "nothing", "{group}", "nothing").Replace(info.Path)
}

// bodies are the least that the endpoints take; the others need no body.
var bodies = map[string]string{
	schemas.DecideTask.Path:          `{"submission":1,"decision":"approve"}`,
	schemas.PostMessage.Path:         `{"text":"Hello"}`,
	schemas.PostOperatorMessage.Path: `{"text":"Hello"}`,
}

func TestEveryRouteForEveryKindOfCaller(t *testing.T) {
	rg := realRig(t)
	callers := map[schemas.Access][]string{
		schemas.Anyone:   nil,
		schemas.Agent:    {"X-API-Key", rg.creds.LiveKey},
		schemas.Operator: bearer(rg.op),
		schemas.Owner:    bearer(rg.creds.OwnerToken),
	}
	for _, info := range schemas.All() {
		for kind, headers := range callers {
			if (kind == schemas.Operator || kind == schemas.Owner) && info.Access&schemas.Reviewer != 0 {
				continue // everybody who signs in reviews
			}
			res := rg.do(info.Method, fill(info, "task_x"), bodies[info.Path], headers...)
			what := info.Pattern() + " as " + map[schemas.Access]string{0: "nobody", 1: "agent", 2: "operator", 4: "owner"}[kind] + ": " + res.raw
			switch {
			case info.Access == schemas.Anyone || info.Access&kind != 0:
				require.NotContains(t, []int{401, 403, 500}, res.StatusCode, what)
			case kind == schemas.Anyone:
				require.Equal(t, 401, res.StatusCode, what)
			default:
				require.Equal(t, 403, res.StatusCode, what)
			}
			if res.StatusCode >= 400 {
				require.NotEmpty(t, res.body["error"], what)
				require.NotEmpty(t, res.body["code"], what)
			}
		}
	}
}

func TestForeignObjectsAreNotFound(t *testing.T) {
	rg := realRig(t)
	id := rg.post(`"assign_to":"Ada",`)
	registered := rg.do("POST", "/api/v1/agents/register", `{"name":"Other","email":"other@example.com"}`)
	require.Equal(t, 201, registered.StatusCode, registered.raw)
	other := []string{"X-API-Key", registered.body["api_key"].(string)}
	sandbox := []string{"X-API-Key", rg.creds.TestKey}
	bob := bearer(rg.person("Bob"))
	for _, info := range schemas.All() {
		if !strings.Contains(info.Path, "{task_id}") {
			continue
		}
		callers := map[string][]string{}
		if info.Access&schemas.Agent != 0 {
			callers["another agent"], callers["the test key of the same agent"] = other, sandbox
		}
		if info.Access&schemas.Operator != 0 {
			callers["another operator"] = bob
		}
		require.NotEmpty(t, callers, info.Pattern())
		for who, headers := range callers {
			body := bodies[info.Path]
			if info.Kind == schemas.Multipart {
				body = "--b\r\nContent-Disposition: form-data; name=note\r\n\r\nx\r\n--b--\r\n"
				headers = append(headers[:2:2], "Content-Type", "multipart/form-data; boundary=b")
			}
			res := rg.do(info.Method, fill(info, id), body, headers...)
			require.Equal(t, 404, res.StatusCode, "%s as %s: %s", info.Pattern(), who, res.raw)
			if info.Kind == schemas.Binary {
				continue // it speaks of the photo, not of the task
			}
			missing := rg.do(info.Method, fill(info, "task_missing"), body, headers...)
			require.Equal(t, neutral(missing.raw, "task_missing"), neutral(res.raw, id), "a foreign task looks like none")
		}
	}
	var page schemas.Page[schemas.TaskView]
	require.NoError(t, json.Unmarshal([]byte(rg.do("GET", "/api/v1/tasks", "", other...).raw), &page))
	require.Empty(t, page.Data)
}

func neutral(raw, id string) string { return strings.ReplaceAll(raw, id, "ID") }
